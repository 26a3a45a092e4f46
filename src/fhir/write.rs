//! Writing what we send: the only file of this crate that names fhirbolt's codec.
//!
//! Resources of our own are built as [`r4`] types and written here.
//! Resources of others are never read into these types: they travel as the text that came.

pub use fhir_codec::{WriteError, r4};

/// The JSON text of `resource`, without white space between tokens.
///
/// # Errors
/// An element that FHIR R4 requires is not there; the error names it.
pub fn write(resource: &r4::Resource) -> Result<String, WriteError> {
    fhir_codec::write(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_required_element_is_an_error_that_names_it() {
        let empty = r4::resources::ClaimResponse::default();
        let error = write(&r4::Resource::ClaimResponse(Box::new(empty))).unwrap_err();
        assert!(error.to_string().contains("status"), "{error}");
    }
}
