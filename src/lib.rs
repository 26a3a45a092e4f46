//! priorauth decides prior authorization for a health payer, from evidence in FHIR resources and
//! by a policy that is data. It speaks Da Vinci CRD (CDS Hooks) and PAS.
//!
//! Truth has three values; what is not known is asked for.
//! The engine approves, pends or sends to a person, and never denies.
//!
//! # The map
//!
//! A module uses only those on lower floors, and few of its own; `tests/it/architecture.rs` holds
//! the table.
//!
//! | floor | modules |
//! |---|---|
//! | 7 | [`cli`], [`config`], [`telemetry`], [`profiles`], [`rehearsal`]: arguments, settings, logs, files, cases |
//! | 6 | [`http`]: the router, and the only place that knows status codes |
//! | 5 | [`service`]: what the service does, each as one function |
//! | 4 | [`store`]: what has to last; [`auth`]: who calls; [`notify`]: calls to clients' endpoints |
//! | 3 | [`intake`]: from the wire to facts; [`render`]: from determinations to the wire; [`hooks`]: which hooks are answered |
//! | 2 | [`policy`]: policies as data, and the one evaluator |
//! | 1 | [`facts`]: what was stated, with its source; [`fhir`], [`cds`]: the wire; [`ig`]: the guides' words |
//! | 0 | [`terms`]: codes, identifiers, dates, truth |
//!
//! The core (floors 0 to 3) has no clock, no randomness, no network and no disk.
//!
//! # A hook call, step by step
//!
//! 1. [`http::router`] finds the handler; [`auth::Clients::authenticate`] says who calls.
//! 2. [`service::Service::answer_hook`] takes the body.
//! 3. [`fhir::Document::parse`] walks the text once, leniently; [`cds::HookRequest::read`] finds
//!    context and prefetch.
//! 4. [`intake::dossier::HookFile`] makes a [`facts::Case`] of each order that is asked about.
//! 5. [`policy::evaluate()`] chooses the edition and judges clause by clause; the
//!    [`policy::Verdict`] carries the facts that decided.
//! 6. [`render::crd`] says it in the version's words and puts it into the order as it came.
//! 7. [`store::Store::save_hook_call`] saves what is asserted; then the answer leaves.
//!
//! # A submission, step by step
//!
//! 1. As above, up to [`service::Service::submit_claim`].
//! 2. [`fhir::Document::parse`] walks the text strictly, and
//!    [`intake::pas_request::PasRequest::read`] takes the Bundle apart: all faults at once, each
//!    with its place.
//! 3. [`store::Store::find_repeat`] knows the same content; its answer stands.
//! 4. [`intake::dossier::Dossier::of_claim`] makes a [`facts::Case`] of each item;
//!    [`policy::evaluate()`] judges it as it judges an order.
//! 5. The service certifies or pends, and takes numbers from the store.
//! 6. [`render::pas::response_bundle`] makes the answer.
//! 7. [`store::Store::save_submission`] saves request, answer and reasons in one transaction;
//!    then the answer leaves.
#![forbid(unsafe_code)]
pub mod auth;
pub mod cds;
pub mod cli;
pub mod config;
pub mod facts;
pub mod fhir;
pub mod hooks;
pub mod http;
pub mod ig;
pub mod intake;
pub mod notify;
pub mod policy;
pub mod profiles;
pub mod rehearsal;
pub mod render;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod terms;
