//! Floor 1: FHIR on the wire, in and out.
//!
//! In: one strict walk over a stranger's bytes that yields a borrowed tree with places
//! ([`strict_json`]), and a pool of resources in which references are resolved ([`pool`]).
//! Out: [`write`](mod@write), the only place that names fhirbolt's writer.
//! Knows the JSON forms of FHIR; refuses to know what any of it means for a decision.

pub mod pool;
pub mod strict_json;
pub mod write;

pub use pool::{Entry, Pool};
pub use strict_json::{Document, Fault, FaultKind, Kind, Node, Rules};
