//! The `ClaimResponse` itself.

use super::notes::Notes;
use super::{
    AnswerTo, ClaimAnswer, EchoedCoding, EchoedParty, LineAction, ReviewedBy, Transmission, added,
    communication, error, line,
};
use crate::fhir::write::r4::resources::ClaimResponse;
use crate::fhir::write::r4::types::{
    CodeableConcept, Extension, ExtensionValue, Identifier, Period, Reference,
};
use crate::ig::pas::{extension, profile};
use crate::render::build;
use crate::terms::{Day, Npi};

pub(super) fn build(answer: &ClaimAnswer<'_>) -> ClaimResponse {
    let claim = &answer.claim;
    let mut notes = Notes::default();
    let version = answer.version;
    let lines = answer.lines.iter();
    let item = lines.map(|line| line::build(version, line, &mut notes)).collect();
    let errors = error::build(answer, &mut notes);
    for note in &answer.notes {
        notes.number(note);
    }
    let (system, value) = answer.response_identifier;
    ClaimResponse {
        id: Some(answer.response_id.into()),
        meta: Some(Box::new(build::meta(match answer.to {
            AnswerTo::Submission => profile::CLAIM_RESPONSE,
            AnswerTo::Inquiry => profile::INQUIRY_RESPONSE,
        }))),
        extension: transmission(answer).into_iter().chain(reviewer(answer)).collect(),
        identifier: vec![build::identifier(Some(system), value)],
        status: "active".into(),
        r#type: Box::new(kind(&claim.kind)),
        r#use: "preauthorization".into(),
        patient: Box::new(party(claim.patient)),
        created: answer.timestamp.into(),
        insurer: Box::new(party(claim.insurer)),
        requestor: Some(Box::new(party(claim.requestor))),
        request: request(answer).map(Box::new),
        // PAS 2.2.1 ClaimResponseOutcome has no `queued`; pending is A4 on the item (trap T4).
        outcome: if answer.errors.is_empty() { "complete" } else { "error" }.into(),
        // rulings 32: equal to `reviewAction.number`
        pre_auth_ref: number(answer).map(Into::into),
        pre_auth_period: whole_period(answer).map(Box::new),
        item,
        add_item: answer.lines.iter().filter_map(|line| added::build(version, line)).collect(),
        communication_request: communication::references(answer),
        error: errors,
        process_note: notes.into_process_notes(),
        ..ClaimResponse::default()
    }
}

pub(super) fn kind(codings: &[EchoedCoding<'_>]) -> CodeableConcept {
    let coding = codings.iter().map(|coding| build::coding(coding.system, coding.code)).collect();
    CodeableConcept { coding, ..CodeableConcept::default() }
}

pub(super) fn party(party: EchoedParty<'_>) -> Reference {
    let identifier = party.identifier.map(|it| Box::new(build::identifier(it.system, it.value)));
    Reference {
        reference: party.reference.map(Into::into),
        identifier,
        display: party.display.map(Into::into),
        ..Reference::default()
    }
}

/// The Claim by URL and by identifier (PAS 2.6, trap T33).
///
/// The Bundle does not hold the Claim, so that a `urn:` URL of it would lead nowhere: such a Claim
/// is named by its identifier alone.
/// Without one it cannot be named, which 2.2 says and 2.0.1 leaves out.
fn request(answer: &ClaimAnswer<'_>) -> Option<Reference> {
    let claim = &answer.claim;
    let identifier: Option<Identifier> =
        claim.identifier.map(|identifier| build::identifier(identifier.system, identifier.value));
    let url = Some(claim.full_url).filter(|url| {
        !url.starts_with("urn:") || answer.echoed.iter().any(|(echoed, _)| echoed == url)
    });
    if identifier.is_none() && url.is_none() {
        // PAS 2.2.1 spec-44: ClaimResponse.request is 1..1 there and 0..1 in 2.0.1.
        let absent = build::extension(extension::ABSENT, ExtensionValue::Code("unknown".into()));
        return answer
            .version
            .has_response_details()
            .then(|| Reference { extension: vec![absent], ..Reference::default() });
    }
    Some(Reference {
        identifier: identifier.map(Box::new),
        reference: url.map(Into::into),
        ..Reference::default()
    })
}

/// The identifiers of the transmission, sent back as they came: a client filters by its own.
fn transmission(answer: &ClaimAnswer<'_>) -> Option<Extension> {
    let labels = answer.claim.transmission.filter(|_| answer.version.has_response_details())?;
    let Transmission { application_sender, application_receiver, .. } = labels;
    let parts = [
        (extension::APPLICATION_SENDER, Some(application_sender)),
        (extension::APPLICATION_RECEIVER, Some(application_receiver)),
        (extension::INTERCHANGE_SENDER, labels.interchange_sender),
        (extension::INTERCHANGE_RECEIVER, labels.interchange_receiver),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| {
        Some(build::extension(name, ExtensionValue::String(value?.into())))
    });
    Some(build::complex(extension::TRANSMISSION, parts.collect()))
}

fn number<'a>(answer: &ClaimAnswer<'a>) -> Option<&'a str> {
    answer.lines.iter().find_map(|line| match line.action {
        LineAction::Certified { number, .. } | LineAction::Modified { number, .. } => Some(number),
        LineAction::Pended { .. }
        | LineAction::NotRequired { .. }
        | LineAction::Cancelled
        | LineAction::Denied { .. } => None,
    })
}

/// From the first day on which a certified line holds to the last (rulings 32).
fn whole_period(answer: &ClaimAnswer<'_>) -> Option<Period> {
    let periods = answer.lines.iter().filter_map(|line| match line.action {
        LineAction::Certified { valid_from, valid_to, .. }
        | LineAction::Modified { valid_from, valid_to, .. } => Some((valid_from, valid_to)),
        LineAction::Pended { .. }
        | LineAction::NotRequired { .. }
        | LineAction::Cancelled
        | LineAction::Denied { .. } => None,
    });
    let (start, end): (Day, Day) =
        periods.reduce(|whole, next| (whole.0.min(next.0), whole.1.max(next.1)))?;
    Some(build::period(&start.to_string(), &end.to_string()))
}

/// Who reviewed, where the version can say it (PAS 2.2.1, 2.13).
fn reviewer(answer: &ClaimAnswer<'_>) -> Option<Extension> {
    let reviewed_by = answer.reviewed_by.filter(|_| answer.version.has_reviewer())?;
    let (by_person, npi) = match reviewed_by {
        ReviewedBy::Person(npi) => (true, npi),
        ReviewedBy::Nobody => (false, None),
    };
    let flag = ExtensionValue::Boolean(by_person.into());
    let mut parts = vec![build::extension(extension::HUMAN_REVIEWED, flag)];
    if let Some(npi) = npi {
        let identifier = build::identifier(Some(Npi::SYSTEM), &npi.to_string());
        let value = ExtensionValue::Identifier(Box::new(identifier));
        parts.push(build::extension(extension::REVIEWER_NPI, value));
    }
    Some(build::complex(extension::REVIEWER, parts))
}
