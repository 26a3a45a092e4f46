//! The answer to a submission: a PAS response Bundle.
//!
//! Invariants: the `ClaimResponse` comes first; every Claim item has exactly one item in it; what
//! the provider sent is passed on as it came; the decision stands on the item (PAS trap T3).

mod claim_response;
mod line;
mod notes;

use super::RenderError;
use super::bundle::{Head, collection};
use crate::fhir::write::{r4::Resource, write};
use crate::ig::pas::{PasVersion, profile};
use crate::terms::{Day, Npi};

/// Everything that is said to one submission.
#[derive(Clone, Debug)]
pub struct ClaimAnswer<'a> {
    /// In the words of which version.
    pub version: PasVersion,
    /// The Bundle's id.
    pub bundle_id: &'a str,
    /// The Bundle's identifier, system and value: the submission's own, sent back.
    pub bundle_identifier: (&'a str, &'a str),
    /// When the answer was put together, RFC 3339 with zone: Bundle and `ClaimResponse` carry it.
    pub timestamp: &'a str,
    /// The `ClaimResponse`'s id, a UUID; its full URL is `urn:uuid:` and this.
    pub response_id: &'a str,
    /// The `ClaimResponse`'s own identifier, system and value.
    pub response_identifier: (&'a str, &'a str),
    /// What was asked.
    pub claim: ClaimEcho<'a>,
    /// Received resources to pass on: full URL and JSON text, both as they came.
    /// At least what [`ClaimEcho::patient`], `insurer` and `requestor` point at, and what those
    /// resources point at in turn.
    pub echoed: Vec<(&'a str, &'a str)>,
    /// One answer for each Claim item, in the Claim's order.
    pub lines: Vec<LineAnswer<'a>>,
}

/// What the answer repeats of the Claim.
#[derive(Clone, Debug)]
pub struct ClaimEcho<'a> {
    /// The Claim's full URL.
    pub full_url: &'a str,
    /// The Claim's first identifier.
    pub identifier: Option<EchoedIdentifier<'a>>,
    /// The codings of `Claim.type`.
    pub kind: Vec<EchoedCoding<'a>>,
    /// `Claim.patient`.
    pub patient: EchoedParty<'a>,
    /// `Claim.insurer`.
    pub insurer: EchoedParty<'a>,
    /// `Claim.provider`.
    pub requestor: EchoedParty<'a>,
}

/// A party of the Claim, named so that it is known where the answer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EchoedParty<'a> {
    /// The full URL of its entry, which the answer's Bundle holds.
    pub reference: Option<&'a str>,
    /// An identifier, where it is no entry.
    pub identifier: Option<EchoedIdentifier<'a>>,
    /// Its name, where it is no entry.
    pub display: Option<&'a str>,
}

/// An identifier as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoedIdentifier<'a> {
    /// Its system, if it has one.
    pub system: Option<&'a str>,
    /// Its value.
    pub value: &'a str,
}

/// A coding as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoedCoding<'a> {
    /// Its system, if it has one.
    pub system: Option<&'a str>,
    /// Its code.
    pub code: &'a str,
}

/// The answer to one Claim item.
#[derive(Clone, Debug)]
pub struct LineAnswer<'a> {
    /// `Claim.item.sequence` (PAS 2.2.1 spec-34: the key by which lines are traced).
    pub sequence: u32,
    /// The item's trace numbers, sent back.
    pub trace_numbers: Vec<EchoedIdentifier<'a>>,
    /// For when the item was asked, sent back.
    pub requested_for: Option<RequestedDate<'a>>,
    /// What was done with it.
    pub action: LineAction<'a>,
}

/// The date of service of a Claim item, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedDate<'a> {
    /// `servicedDate`
    Date(&'a str),
    /// `servicedPeriod`
    Period {
        /// Its start.
        start: Option<&'a str>,
        /// Its end.
        end: Option<&'a str>,
    },
}

/// What was done with a Claim item.
#[derive(Clone, Debug)]
pub enum LineAction<'a> {
    /// Authorized (A1).
    Certified {
        /// The authorization number; every certified line of one answer has the same.
        number: &'a str,
        /// When it was authorized.
        issued_on: Day,
        /// The first day on which it holds.
        valid_from: Day,
        /// The last day on which it holds.
        valid_to: Day,
        /// Who may give the service: a reference that resolves in the Bundle.
        provider: Option<&'a str>,
    },
    /// Not decided yet (A4): something is asked for, or a person looks.
    Pended {
        /// The payer's number of the open request.
        reference: &'a str,
        /// What is asked for, one note for each.
        notes: Vec<String>,
    },
    /// Needs no authorization (NA).
    NotRequired,
    /// Refused (A3), by a named person; the engine never makes one.
    Denied {
        /// A number for the decision.
        number: Option<&'a str>,
        /// Codes of the X12 external list 886.
        reason_codes: Vec<&'a str>,
        /// The reasons in words.
        notes: Vec<String>,
        /// Who decided; `None` only where the operator switched automatic denial on.
        reviewer: Option<Npi>,
    },
}

/// The JSON text of the response Bundle.
///
/// # Errors
/// The text of an echoed resource is not JSON.
pub fn response_bundle(answer: &ClaimAnswer<'_>) -> Result<String, RenderError> {
    let response = Resource::ClaimResponse(Box::new(claim_response::build(answer)));
    let response = write(&response)?;
    let full_url = format!("urn:uuid:{}", answer.response_id);
    // PAS 2.2.1 spec-30, ClaimResponseFirst
    let mut entries = vec![(full_url.as_str(), response.as_str())];
    entries.extend(answer.echoed.iter().copied());
    let head = Head {
        id: answer.bundle_id,
        profile: profile::RESPONSE_BUNDLE,
        // PAS 2.2.1 response Bundle: identifier 1..1 (trap T6); 2.0.1 allows it.
        identifier: Some(answer.bundle_identifier),
        timestamp: answer.timestamp,
    };
    collection(&head, &entries)
}
