//! What is wrong with a document.

/// What is wrong with a document, as an OperationOutcome issue needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// Where, as a FHIRPath such as `Bundle.entry[3].resource.name[0]`.
    pub place: String,
    /// What is wrong there, without any value out of the document.
    pub text: String,
}

/// FHIR's issue types, as far as we use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The text is not JSON, or not shaped as FHIR asks.
    Structure,
    /// A value is not allowed where it stands.
    Value,
    /// An element that must be there is not.
    Required,
    /// A rule between elements is broken.
    Invariant,
    /// The same thing twice.
    Duplicate,
    /// A reference leads nowhere.
    NotFound,
    /// Something that was there and was deleted.
    Deleted,
    /// A limit of this server.
    TooLong,
    /// Something that this server does not do.
    NotSupported,
}

impl FaultKind {
    /// The code in `http://hl7.org/fhir/issue-type`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            FaultKind::Structure => "structure",
            FaultKind::Value => "value",
            FaultKind::Required => "required",
            FaultKind::Invariant => "invariant",
            FaultKind::Duplicate => "duplicate",
            FaultKind::NotFound => "not-found",
            FaultKind::Deleted => "deleted",
            FaultKind::TooLong => "too-long",
            FaultKind::NotSupported => "not-supported",
        }
    }
}
