//! Floor 3: from the wire to facts.
//!
//! Reading evidence never fails: what cannot be used is a [`Gap`](crate::facts::Gap).
//! Only a PAS request ([`pas_request`]) and a Subscription ([`subscription`]) can be refused as a
//! whole, with all faults at once.
//! Refuses to know what a fact means for a policy.

pub mod appointment;
pub mod attachment;
pub mod claim;
pub mod coverage;
pub mod dossier;
pub mod evidence;
mod faults;
pub mod gathered;
pub mod order;
pub mod pas_request;
pub mod payer;
pub mod people;
pub mod reader;
mod scope;
pub mod subject;
pub mod subscription;
