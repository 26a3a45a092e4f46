//! Where a fact comes from.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::terms::When;

/// A record's place in the request: facts about the same resource share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactId(pub usize);

impl FactId {
    /// The id of the payer's own record at `place`, which is none of the request.
    #[must_use]
    pub fn of_payer(place: usize) -> FactId {
        FactId(usize::MAX - place)
    }
}

/// Who states a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A resource in the request: the provider's records.
    Record,
    /// The request itself: a Claim, or an order with what it says of itself.
    Request,
    /// The payer's own store.
    Payer,
    /// An answer to the payer's questionnaire.
    Attested,
}

impl SourceKind {
    /// The word that traces use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Record => "record",
            SourceKind::Request => "request",
            SourceKind::Payer => "payer",
            SourceKind::Attested => "attested",
        }
    }
}

/// The resource and element that state a fact, and the date of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `Condition/c1`, or the full URL of a resource without an id.
    pub resource: Box<str>,
    /// The element within it, as a FHIRPath: `Condition.code`, `Claim.item[0].quantity`.
    pub element: Cow<'static, str>,
    /// The clinical date of the statement, if the resource gives one.
    pub date: Option<When>,
    /// Who states it.
    pub kind: SourceKind,
}

impl Source {
    /// The same resource and date, another element.
    #[must_use]
    pub fn element(&self, element: impl Into<Cow<'static, str>>) -> Source {
        Source { element: element.into(), ..self.clone() }
    }
}

/// A kind of record that could not be read in full because something went wrong (crd.md 3.9):
/// nobody knows what else there is.
///
/// Not the same as records that are not there. What is known stays known; only what rests on having
/// read everything does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The resource type.
    pub kind: Box<str>,
    /// What went wrong, in words without patient data.
    pub why: Box<str>,
}

/// Something in the request that could not be used: data lost on the way to a fact.
///
/// A gap never decides; it explains why an expected fact is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The resource.
    pub resource: Box<str>,
    /// What is wrong, in words without patient data.
    pub why: Cow<'static, str>,
}
