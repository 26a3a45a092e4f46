//! Why a request that can be read cannot be processed.

use super::ClaimAnswer;
use super::notes::Notes;
use crate::fhir::write::r4::resources::ClaimResponseError;
use crate::fhir::write::r4::types::{Extension, ExtensionValue};
use crate::ig::pas::{PasVersion, X12_FOLLOW_UP, X12_REJECT, extension};
use crate::render::build;

/// The errors of an answer; their words are process notes where the version has them.
pub(super) fn build(answer: &ClaimAnswer<'_>, notes: &mut Notes) -> Vec<ClaimResponseError> {
    let errors = answer.errors.iter().map(|error| {
        let follow_up = build::concept(X12_FOLLOW_UP, error.follow_up_code);
        let follow_up = ExtensionValue::CodeableConcept(Box::new(follow_up));
        let path = ExtensionValue::String(error.path.into());
        ClaimResponseError {
            extension: vec![
                build::extension(extension::ERROR_FOLLOW_UP, follow_up),
                build::extension(extension::ERROR_PATH, path),
                element(answer.version, error.text, notes),
            ],
            code: Box::new(build::concept(X12_REJECT, error.reason_code)),
            ..ClaimResponseError::default()
        }
    });
    errors.collect()
}

/// What is wrong, in words (trap T5: a string in 2.0.1, a note and a string in 2.2).
fn element(version: PasVersion, text: &str, notes: &mut Notes) -> Extension {
    let words = ExtensionValue::String(text.into());
    match version {
        PasVersion::V2_0_1 => build::extension(extension::ERROR_ELEMENT, words),
        PasVersion::V2_2_1 => {
            let number = notes.number(text).map(ExtensionValue::PositiveInt);
            let note = number.map(|number| build::extension(extension::PROCESS_NOTE, number));
            let words = build::extension(extension::ERROR, words);
            build::complex(extension::ERROR_ELEMENT, note.into_iter().chain([words]).collect())
        }
    }
}
