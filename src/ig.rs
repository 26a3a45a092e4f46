//! Floor 1: the guides' own words.
//!
//! URLs, codes and switches of each version of PAS ([`pas`]) and CRD ([`crd`]), each with the
//! place that it is taken from.
//! A difference between two versions stands here and nowhere else.
//! Refuses to know what an answer means; knows only how a version spells it.

pub mod crd;
pub mod pas;

pub use crd::CrdVersion;
pub use pas::PasVersion;

/// HL7's claim adjudication codes; PAS fixes `submitted` on every item (PAS 3.4).
pub const ADJUDICATION: &str = "http://terminology.hl7.org/CodeSystem/adjudication";
/// The version of FHIR that every guide here is written for.
pub const FHIR_VERSION: &str = "4.0.1";
