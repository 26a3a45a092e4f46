//! Floor 0: the words everything else is said in.
//!
//! Codes with their system, identifiers that were checked when they were made, dates of any
//! precision, measured values with their unit, and truth with three values.
//! Knows nothing of FHIR's JSON, of policies or of the network.

pub mod code;
pub mod date;
pub mod id;
pub mod measure;
pub mod truth;
pub mod value_set;

pub use code::{Coding, Concept, System};
pub use date::{Day, Span, When};
pub use id::Npi;
pub use measure::{Measure, Number, Unit};
pub use truth::Truth;
pub use value_set::ValueSet;
