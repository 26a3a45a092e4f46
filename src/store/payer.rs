//! What the payer knows itself, and what of it is held for one decision.

use super::{ApprovalCount, AuthorizationRow};
use crate::terms::{Day, Npi, When};

/// An import that is going on: one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImportId(pub(super) i64);

/// One record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRecord {
    /// What it is known by: a record of a later import with the same key takes its place.
    pub key: String,
    /// What it says.
    pub content: ImportContent,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportContent {
    /// Nothing any more.
    Nothing,
    /// Somebody is a member.
    Enrolment {
        /// The member.
        member_id: String,
        /// When, and what is known beside it.
        enrolment: Enrolment,
    },
    /// Somebody practises as something.
    Directory(Vec<DirectoryEntry>),
    /// Something was billed.
    Claim {
        /// The member for whom.
        member_id: String,
        /// The claim.
        claim: BilledClaim,
    },
}

/// A period in which somebody is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The birth date, as precise as it is known.
    pub birth_date: Option<When>,
    /// The words that name the product line.
    pub line: Option<String>,
    /// The first day; `None`: not known, or always.
    pub valid_from: Option<Day>,
    /// The last day; `None`: no end is known.
    pub valid_to: Option<Day>,
}

/// A specialty of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The provider.
    pub npi: Npi,
    /// The provider's name.
    pub name: Option<String>,
    /// The code system of the specialty, by its URI.
    pub system: String,
    /// The specialty.
    pub code: String,
    /// The first day; `None`: not known, or always.
    pub valid_from: Option<Day>,
    /// The last day; `None`: no end is known.
    pub valid_to: Option<Day>,
}

/// A claim that was billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilledClaim {
    /// How it is named to people: `ExplanationOfBenefit/123`.
    pub name: String,
    /// The resource's JSON text, as it was received.
    pub resource: String,
}

/// What the store holds for one decision.
#[derive(Clone, Debug, Default)]
pub struct PayerFacts {
    /// The authorizations that the member has by the current answers, whether or not still valid,
    /// the newest first, at most fifty.
    pub authorizations: Vec<AuthorizationRow>,
    /// How often the member had been given one when they were read.
    pub approvals: ApprovalCount,
    /// Whether a member roster is on file at all.
    pub has_roster: bool,
    /// When the member is enrolled.
    pub enrolments: Vec<Enrolment>,
    /// The specialties of the providers that were asked for.
    pub directory: Vec<DirectoryEntry>,
    /// What was billed for the member.
    pub claims: Vec<BilledClaim>,
    /// Whether there is more than is read for one decision.
    pub is_cut: bool,
}
