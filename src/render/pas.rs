//! The answer to a submission: a PAS response Bundle.
//!
//! Invariants: the `ClaimResponse` comes first; every Claim item has exactly one item in it; what
//! the provider sent is passed on as it came; the decision stands on the item (PAS trap T3).

mod claim_response;
mod error;
mod line;
mod notes;
pub mod notification;

use super::RenderError;
use super::bundle::{Head, collection, parameters};
use super::outcome::information;
use crate::fhir::write::{r4::Resource, write};
use crate::ig::pas::{PasVersion, profile};
use crate::terms::{Day, Npi};

/// Everything that is said to one submission.
#[derive(Clone, Debug)]
pub struct ClaimAnswer<'a> {
    /// In the words of which version.
    pub version: PasVersion,
    /// What is answered.
    pub to: AnswerTo,
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
    /// Who looked at the request, where somebody did; 2.0.1 cannot say it.
    pub reviewed_by: Option<ReviewedBy>,
    /// One answer for each Claim item, in the Claim's order.
    pub lines: Vec<LineAnswer<'a>>,
    /// What kept the request from being decided at all; then no line need be answered.
    pub errors: Vec<AnswerError<'a>>,
}

/// What an answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerTo {
    /// `$submit`.
    Submission,
    /// `$inquire`.
    Inquiry,
}

/// Who looked at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewedBy {
    /// A person, with the NPI where it is known.
    Person(Option<Npi>),
    /// Nobody: only where the operator switched automatic denial on.
    Nobody,
}

/// Why a request that can be read cannot be processed (X12 AAA).
#[derive(Clone, Debug)]
pub struct AnswerError<'a> {
    /// Reject reason, X12 901.
    pub reason_code: &'a str,
    /// What to do about it, X12 889.
    pub follow_up_code: &'a str,
    /// The element at fault, as a FHIRPath.
    pub path: &'a str,
    /// What is wrong, in words.
    pub text: &'a str,
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
        /// What is said beside it.
        notes: Vec<String>,
    },
    /// Authorized with changes (A6), by a named person.
    Modified {
        /// The authorization number.
        number: &'a str,
        /// When it was authorized.
        issued_on: Day,
        /// The first day on which it holds.
        valid_from: Day,
        /// The last day on which it holds.
        valid_to: Day,
        /// What was authorized.
        authorized: Authorized<'a>,
        /// Why it differs from what was asked.
        notes: Vec<String>,
    },
    /// Withdrawn by the provider (C).
    Cancelled,
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
        /// Codes of the X12 external list 886.
        reason_codes: Vec<&'a str>,
        /// The reasons in words.
        notes: Vec<String>,
    },
}

/// What was authorized of a line, where it is not what was asked.
#[derive(Clone, Debug, Default)]
pub struct Authorized<'a> {
    /// The product or service: the codings of the Claim's item.
    pub product: Vec<EchoedCoding<'a>>,
    /// How much, as a decimal.
    pub quantity: Option<&'a str>,
    /// For when.
    pub service: Option<RequestedDate<'a>>,
}

/// The JSON text of the response Bundle.
///
/// # Errors
/// The text of an echoed resource is not JSON.
pub fn response_bundle(answer: &ClaimAnswer<'_>) -> Result<String, RenderError> {
    bundle_of(&[answer], answer)
}

/// The JSON text of what an inquiry is answered (trap T1): in 2.0.1 one Bundle of everything that
/// was found, in 2.2 Parameters with a Bundle for each.
///
/// Where nothing was found, the Bundle of 2.0.1 gets its id, a UUID, and its timestamp from the last
/// argument.
///
/// # Errors
/// The text of an echoed resource is not JSON.
pub fn inquiry_answer(
    version: PasVersion,
    found: &[ClaimAnswer<'_>],
    (id, timestamp): (&str, &str),
) -> Result<String, RenderError> {
    match version {
        PasVersion::V2_0_1 => match found {
            [] => nothing_found(id, timestamp),
            [first, ..] => bundle_of(&found.iter().collect::<Vec<_>>(), first),
        },
        PasVersion::V2_2_1 => {
            let bundles = found.iter().map(response_bundle);
            parameters(&bundles.collect::<Result<Vec<_>, _>>()?)
        }
    }
}

/// A Bundle of answers, the `ClaimResponse`s first, and of what they refer to.
fn bundle_of(answers: &[&ClaimAnswer<'_>], first: &ClaimAnswer<'_>) -> Result<String, RenderError> {
    let mut responses = Vec::with_capacity(answers.len());
    for answer in answers {
        let response = Resource::ClaimResponse(Box::new(claim_response::build(answer)));
        responses.push((format!("urn:uuid:{}", answer.response_id), write(&response)?));
    }
    // PAS 2.2.1 spec-30, ClaimResponseFirst
    let mut entries: Vec<(&str, &str)> =
        responses.iter().map(|(url, text)| (url.as_str(), text.as_str())).collect();
    entries.extend(answers.iter().flat_map(|answer| answer.echoed.iter().copied()));
    let (profile, identifier) = match first.to {
        // PAS 2.2.1 response Bundle: identifier 1..1 (trap T6); 2.0.1 allows it.
        AnswerTo::Submission => (profile::RESPONSE_BUNDLE, Some(first.bundle_identifier)),
        AnswerTo::Inquiry => (profile::INQUIRY_RESPONSE_BUNDLE, None),
    };
    let head = Head { id: first.bundle_id, profile, identifier, timestamp: first.timestamp };
    collection(&head, &entries)
}

/// A Bundle that says that nothing was found: it must have an entry (pas.md 3.2).
fn nothing_found(id: &str, timestamp: &str) -> Result<String, RenderError> {
    let outcome = information("no prior authorization matches the inquiry")?;
    let url = format!("urn:uuid:{id}");
    let profile = profile::INQUIRY_RESPONSE_BUNDLE;
    collection(&Head { id, profile, identifier: None, timestamp }, &[(&url, &outcome)])
}
