//! The answer to a submission: a PAS response Bundle.
//!
//! Invariants: the `ClaimResponse` comes first; every Claim item has exactly one item in it; what
//! the provider sent is passed on as it came; the decision stands on the item (PAS trap T3).

mod added;
mod claim_response;
mod communication;
mod error;
mod line;
mod must_support;
mod notes;
pub mod notification;

pub use must_support::must_support_bundle;

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
    /// What is said of the answer as a whole.
    pub notes: Vec<&'a str>,
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
    /// Nobody: where the operator switched automatic denial on, or a sandbox scenario answers.
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
    /// The full URL of the requesting organization, which the answer's Bundle holds: that of
    /// `requestor`, or of the organization behind its role.
    pub organization: Option<&'a str>,
    /// How the transmission was labelled; 2.0.1 cannot say it.
    pub transmission: Option<Transmission<'a>>,
}

/// The X12 identifiers of a transmission, as they were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission<'a> {
    /// GS02.
    pub application_sender: &'a str,
    /// GS03.
    pub application_receiver: &'a str,
    /// ISA06.
    pub interchange_sender: Option<&'a str>,
    /// ISA08.
    pub interchange_receiver: Option<&'a str>,
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
    /// The number of an authorization of ours that the line had before, or that it renews.
    pub previous: Option<&'a str>,
    /// When the patient is to be in hospital for it.
    pub stay: Stay<'a>,
    /// What was done with it.
    pub action: LineAction<'a>,
}

/// The dates of a stay in hospital, as they were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stay<'a> {
    /// When it begins, a day or a period of days.
    pub admission: Option<RequestedDate<'a>>,
    /// The day on which it ends.
    pub discharge: Option<&'a str>,
}

/// A day or a period of a Claim, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedDate<'a> {
    /// A day.
    Date(&'a str),
    /// A period.
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
        /// Who may give the service: a reference that resolves in the Bundle.
        provider: Option<&'a str>,
        /// What was asked, and what was authorized instead.
        change: Box<Change<'a>>,
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
        /// The documents that would settle it; an answer to an inquiry does not ask for them.
        documents: Vec<AskedDocument<'a>>,
    },
    /// Needs no authorization (NA).
    NotRequired {
        /// What is said to the provider.
        notes: Vec<String>,
    },
    /// Refused (A3), by a named person; the engine never makes one.
    Denied {
        /// Codes of the X12 external list 886.
        reason_codes: Vec<&'a str>,
        /// The reasons in words.
        notes: Vec<String>,
    },
}

/// A document that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedDocument<'a> {
    /// The id of the `CommunicationRequest`, a UUID; its full URL is `urn:uuid:` and this.
    pub id: String,
    /// The control number to be quoted by the document, system and value.
    pub control_number: (&'a str, String),
    /// What kind of document, a LOINC attachment code (trap T21).
    pub loinc: &'a str,
    /// What kind of report, X12 755, where the policy says one.
    pub report_type: Option<&'a str>,
}

/// How what was authorized differs from what was asked.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    /// What was asked.
    pub requested: Detail<'a>,
    /// What was authorized.
    pub authorized: Detail<'a>,
}

/// What a line asks for, or what was authorized of it.
#[derive(Clone, Debug, Default)]
pub struct Detail<'a> {
    /// The codings of the product or service.
    pub product: Vec<EchoedCoding<'a>>,
    /// Its modifiers, each with its codings.
    pub modifiers: Vec<Vec<EchoedCoding<'a>>>,
    /// How much.
    pub quantity: Option<EchoedQuantity<'a>>,
    /// For when.
    pub service: Option<RequestedDate<'a>>,
}

/// A quantity as it was received, or the same with another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoedQuantity<'a> {
    /// How many, a decimal.
    pub value: &'a str,
    /// Of what, in words.
    pub unit: Option<&'a str>,
    /// The system of the code.
    pub system: Option<&'a str>,
    /// Of what, as a code.
    pub code: Option<&'a str>,
}

/// The JSON text of the response Bundle.
///
/// # Errors
/// The text of an echoed resource is not JSON.
pub fn response_bundle(answer: &ClaimAnswer<'_>) -> Result<String, RenderError> {
    bundle_of(&own_entries(&[answer])?, &[answer], answer)
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
            [first, ..] => {
                let found: Vec<_> = found.iter().collect();
                bundle_of(&own_entries(&found)?, &found, first)
            }
        },
        PasVersion::V2_2_1 => {
            let bundles = found.iter().map(response_bundle);
            parameters(&bundles.collect::<Result<Vec<_>, _>>()?)
        }
    }
}

/// What answers hold that is ours, each with its full URL: the `ClaimResponse`s first, then what
/// asks for documents.
fn own_entries(answers: &[&ClaimAnswer<'_>]) -> Result<Vec<(String, String)>, RenderError> {
    let mut entries = Vec::with_capacity(answers.len());
    for answer in answers {
        let response = Resource::ClaimResponse(Box::new(claim_response::build(answer)));
        entries.push((format!("urn:uuid:{}", answer.response_id), write(&response)?));
    }
    for (url, request) in answers.iter().flat_map(|answer| communication::build_all(answer)) {
        entries.push((url, write(&Resource::CommunicationRequest(Box::new(request)))?));
    }
    Ok(entries)
}

/// A Bundle of answers, what is ours first, and of what they refer to.
fn bundle_of(
    own: &[(String, String)],
    answers: &[&ClaimAnswer<'_>],
    first: &ClaimAnswer<'_>,
) -> Result<String, RenderError> {
    // PAS 2.2.1 spec-30, ClaimResponseFirst
    let mut entries: Vec<(&str, &str)> =
        own.iter().map(|(url, text)| (url.as_str(), text.as_str())).collect();
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
