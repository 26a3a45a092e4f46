//! The one place that calls fhirbolt's generic code.
//!
//! fhirbolt's writer is generic over some 150 resource types, and every crate that calls it
//! compiles all of them again.
//! This crate calls it once, from one function that is not generic, so that a change anywhere
//! else in priorauth costs seconds and not minutes.
//!
//! It only writes.
//! Reading with fhirbolt 0.4.0 panics on an empty array and accepts trailing bytes, so a
//! stranger's bytes are read by `priorauth::fhir` and never by this crate.

#![forbid(unsafe_code)]

pub use fhirbolt::model::r4;

/// A resource that lacks an element which FHIR R4 requires.
#[derive(Debug)]
pub struct WriteError {
    /// What fhirbolt says, with the element's path: ``missing required field `ClaimResponse.type` ``.
    pub message: String,
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WriteError {}

/// The JSON text of `resource`, without insignificant white space.
///
/// # Errors
/// An element that FHIR R4 requires is not there.
pub fn write(resource: &r4::Resource) -> Result<String, WriteError> {
    fhirbolt::json::to_string(resource, None)
        .map_err(|error| WriteError { message: error.to_string() })
}
