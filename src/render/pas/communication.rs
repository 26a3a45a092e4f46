//! Documents that are asked for: a `CommunicationRequest` for each (PAS 2.10, 3.5).

use super::claim_response::party;
use super::{AnswerTo, AskedDocument, ClaimAnswer, EchoedParty, LineAction};
use crate::fhir::write::r4::resources::{
    CommunicationRequest, CommunicationRequestPayload, CommunicationRequestPayloadContent,
};
use crate::fhir::write::r4::types::{Extension, ExtensionValue, Reference};
use crate::ig::pas::{MEDIUM_CDEX, PasVersion, TEMP_CODES, X12_REPORT_TYPE, extension, profile};
use crate::render::build;

/// The requests of an answer, each with its full URL.
pub(super) fn build_all(answer: &ClaimAnswer<'_>) -> Vec<(String, CommunicationRequest)> {
    let requests =
        asked(answer).map(|(line, document)| (full_url(document), build(answer, line, document)));
    requests.collect()
}

/// What `ClaimResponse.communicationRequest` points at.
pub(super) fn references(answer: &ClaimAnswer<'_>) -> Vec<Reference> {
    asked(answer).map(|(_, document)| build::reference(&full_url(document))).collect()
}

/// Every document that is asked for, with the sequence of its line.
fn asked<'l, 'a>(
    answer: &'l ClaimAnswer<'a>,
) -> impl Iterator<Item = (u32, &'l AskedDocument<'a>)> {
    let asks = match answer.to {
        AnswerTo::Submission => true,
        // PAS 2.8: an answer to an inquiry has no communicationRequest.
        AnswerTo::Inquiry => false,
    };
    answer.lines.iter().filter(move |_| asks).flat_map(|line| {
        let documents: &[AskedDocument<'_>] = match &line.action {
            LineAction::Pended { documents, .. } => documents,
            LineAction::Certified { .. }
            | LineAction::Modified { .. }
            | LineAction::Cancelled
            | LineAction::NotRequired { .. }
            | LineAction::Denied { .. } => &[],
        };
        documents.iter().map(|document| (line.sequence, document))
    })
}

fn full_url(document: &AskedDocument<'_>) -> String {
    format!("urn:uuid:{}", document.id)
}

fn build(answer: &ClaimAnswer<'_>, line: u32, asked: &AskedDocument<'_>) -> CommunicationRequest {
    let line = build::extension(extension::SERVICE_LINE, ExtensionValue::PositiveInt(line.into()));
    // Trap T5: on the resource in 2.2, on the payload in 2.0.1.
    let (own, of_payload): (Vec<Extension>, Vec<Extension>) = match answer.version {
        PasVersion::V2_0_1 => (Vec::new(), vec![line]),
        PasVersion::V2_2_1 => (vec![line], Vec::new()),
    };
    let (system, number) = &asked.control_number;
    let insurer = answer.claim.insurer;
    CommunicationRequest {
        id: Some(asked.id.as_str().into()),
        meta: Some(Box::new(build::meta(profile::COMMUNICATION_REQUEST))),
        extension: own,
        identifier: vec![build::identifier(Some(system), number)],
        status: "active".into(),
        // PAS 2.2.1: at most one payload, category and medium each.
        category: asked
            .report_type
            .map(|code| build::concept(X12_REPORT_TYPE, code))
            .into_iter()
            .collect(),
        medium: vec![build::concept(TEMP_CODES, MEDIUM_CDEX)],
        payload: vec![CommunicationRequestPayload {
            extension: of_payload,
            // Trap T21: a LOINC attachment code as text.
            content: CommunicationRequestPayloadContent::String(asked.loinc.into()),
            ..CommunicationRequestPayload::default()
        }],
        requester: (insurer != EchoedParty::default()).then(|| Box::new(party(insurer))),
        // The one who is to send it; the profile takes an organization only.
        sender: answer.claim.organization.map(|url| Box::new(build::reference(url))),
        ..CommunicationRequest::default()
    }
}
