//! Floor 2: a payer's policy as data, and the one evaluator.
//!
//! A policy is read from its folder and checked ([`read`]), chosen by product, line and date
//! ([`shelf`]), and evaluated clause by clause into findings ([`mod@evaluate`]), from which one match
//! makes the determination ([`determine`]).
//! Pure: no clock, no store, no network, no FHIR.

pub mod asks;
pub mod attested;
pub mod card;
pub mod codes;
pub mod condition;
pub mod criterion;
pub mod determine;
pub mod disease;
pub mod document;
pub mod evaluate;
pub mod finding;
pub mod plan;
pub mod range;
pub mod read;
pub mod registry;
pub mod scene;
pub mod shelf;
pub mod standing;
pub mod template;

pub use evaluate::evaluate;
pub use finding::{Cited, Determination, Finding, Lack, PolicyId, SetAside, Verdict};
pub use plan::Plan;
pub use read::{Files, PolicyError};
pub use shelf::Shelf;

/// A plan and its policies: all that a payer has written down.
#[derive(Debug)]
pub struct Rulebook {
    /// The plan.
    pub plan: Plan,
    /// Its policies.
    pub shelf: Shelf,
    /// The digest of the files that it was read from, hexadecimal: another text, another digest.
    pub digest: String,
}
