//! Small FHIR types, built from the texts that fill them.

use crate::fhir::write::r4::types::{
    CodeableConcept, Coding, Extension, ExtensionValue, Identifier, Meta, Period, Reference,
};

/// A concept of one coding, without display (PAS trap T20).
pub(super) fn concept(system: &str, code: &str) -> CodeableConcept {
    CodeableConcept { coding: vec![coding(Some(system), code)], ..CodeableConcept::default() }
}

pub(super) fn coding(system: Option<&str>, code: &str) -> Coding {
    Coding { system: system.map(Into::into), code: Some(code.into()), ..Coding::default() }
}

pub(super) fn identifier(system: Option<&str>, value: &str) -> Identifier {
    Identifier {
        system: system.map(Into::into),
        value: Some(value.into()),
        ..Identifier::default()
    }
}

pub(super) fn reference(target: &str) -> Reference {
    Reference { reference: Some(target.into()), ..Reference::default() }
}

pub(super) fn period(start: &str, end: &str) -> Period {
    Period { start: Some(start.into()), end: Some(end.into()), ..Period::default() }
}

pub(super) fn extension(url: &str, value: ExtensionValue) -> Extension {
    Extension { url: url.to_owned(), value: Some(value), ..Extension::default() }
}

/// An extension that consists of others.
pub(super) fn complex(url: &str, parts: Vec<Extension>) -> Extension {
    Extension { url: url.to_owned(), extension: parts, ..Extension::default() }
}

/// `meta` that says which profile a resource follows.
pub(super) fn meta(profile: &str) -> Meta {
    Meta { profile: vec![profile.into()], ..Meta::default() }
}
