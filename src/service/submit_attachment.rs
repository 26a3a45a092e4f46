//! `$submit-attachment`: more evidence for a request that is there (PAS 2.10, CDex).
//!
//! What came joins the request as it was submitted: its lines that wait are judged again on all
//! that is known, and what that does not settle is asked for again.

use std::ops::Range;

use super::submit_claim::{Incoming, MOST_JUDGINGS, OTHERS_ARE_GIVEN, SubmitError, digest};
use super::world::day_of;
use super::{Service, ServiceError};
use crate::fhir::{Document, Fault, FaultKind, Node, Rules};
use crate::ig::PasVersion;
use crate::intake::attachment::Attachments;
use crate::intake::dossier::Dossier;
use crate::intake::pas_request::{PasRequest, Profile};
use crate::intake::reader::extensions;
use crate::render::outcome::information;
use crate::store::{CaseFile, CaseId, SubmissionKey};

/// At most so many of a member's cases are looked at, the newest first.
const MOST_CASES: u32 = 50;
/// The longest that a request may grow by its attachments.
const MAX_BYTES: usize = 32 * 1024 * 1024;

impl Service {
    /// Takes evidence for the member's request that has the tracking id; an OperationOutcome that
    /// says what became of it.
    ///
    /// # Errors
    /// The body is refused with all its faults, no request of the member has the tracking id, or
    /// something of ours failed.
    pub async fn submit_attachment(
        &self,
        client: &str,
        body: &[u8],
    ) -> Result<String, SubmitError> {
        let document = Document::parse(body, Rules::Fhir).map_err(SubmitError::Unreadable)?;
        let attachments = Attachments::read(&document).map_err(SubmitError::Refused)?;
        let key = SubmissionKey {
            client: client.to_owned(),
            digest: digest(body)?,
            received_at: self.world.now(),
            repeat_window: self.terms.repeat_window,
        };
        if let Some(known) = self.store.find_repeat(&key).await? {
            return Ok(self.said(&known.case_id).await?);
        }
        let member: &str = &attachments.member_id;
        let _turn = self.turns.take(member).await;
        for _ in 0..MOST_JUDGINGS {
            let Some(case) = self.tracked(member, &attachments.tracking_id).await? else {
                return Err(SubmitError::Refused(vec![Fault {
                    kind: FaultKind::NotFound,
                    place: "Parameters.parameter".to_owned(),
                    text: "no request of this member has this tracking id".to_owned(),
                }]));
            };
            let id = case.summary.case_id.clone();
            if self.judge_again(case, &attachments, &key).await? {
                return Ok(self.said(&id).await?);
            }
        }
        Err(ServiceError::MovedOn(OTHERS_ARE_GIVEN).into())
    }

    /// Judges a case on all that is known, with the attachments; false if it has to be judged once
    /// more.
    async fn judge_again(
        &self,
        case: CaseFile,
        attachments: &Attachments<'_>,
        key: &SubmissionKey,
    ) -> Result<bool, SubmitError> {
        let joined = self.joined(&case, attachments)?;
        let joined = Document::parse(joined.as_bytes(), Rules::Fhir)
            .map_err(|_| ServiceError::Internal("a request with attachments cannot be read"))?;
        let request = PasRequest::read(&joined, Profile::Common).map_err(SubmitError::Refused)?;
        let version = PasVersion::from_segment(&case.submission.guide)
            .ok_or(ServiceError::Internal("a case of an unknown version"))?;
        let as_of = day_of(key.received_at);
        let plan = &self.rules.plan;
        let dossier =
            Dossier::of_claim(&request.pool, request.claim, &request.subject, plan, as_of);
        let incoming = Incoming {
            request: &request,
            version,
            key: key.clone(),
            body: joined.root().raw().as_bytes(),
            member: case.summary.member_id.clone(),
            as_of,
            script: self.terms.scenarios.of(&case.summary.member_id),
        };
        Ok(self.answer_evidence(&incoming, dossier, case).await?.is_some())
    }

    /// The member's newest request that has the tracking id.
    async fn tracked(&self, member: &str, id: &str) -> Result<Option<CaseFile>, ServiceError> {
        for case_id in self.store.cases_of(member, MOST_CASES).await? {
            let Some(case) = self.store.case(&case_id).await? else { continue };
            if !case.lines.is_empty() && is_tracked_by(&case, id) {
                return Ok(Some(case));
            }
        }
        Ok(None)
    }

    /// The request as it was submitted, with the attachments as further entries of its Bundle.
    fn joined(
        &self,
        case: &CaseFile,
        attachments: &Attachments<'_>,
    ) -> Result<String, SubmitError> {
        let body = &case.submission.body;
        let unreadable = ServiceError::Internal("a stored submission cannot be read");
        let document = Document::parse(body.as_bytes(), Rules::Fhir);
        let Ok(document) = &document else { return Err(unreadable.into()) };
        let Ok(request) = PasRequest::read(document, Profile::Common) else {
            return Err(unreadable.into());
        };
        let place = request.bundle.get("entry").map(Node::span);
        let entries = attachments.resources.iter().map(|(url, resource)| {
            let url = url
                .as_deref()
                .map_or_else(|| format!("urn:uuid:{}", self.world.new_id()), Into::into);
            let url = serde_json::Value::String(url);
            format!(r#",{{"fullUrl":{url},"resource":{}}}"#, resource.raw())
        });
        let entries: String = entries.collect();
        if body.len().saturating_add(entries.len()) > MAX_BYTES {
            return Err(SubmitError::Refused(vec![Fault {
                kind: FaultKind::TooLong,
                place: "Parameters".to_owned(),
                text: format!("the request and its attachments are longer than {MAX_BYTES} bytes"),
            }]));
        }
        spliced(body, place, &entries).ok_or_else(|| unreadable.into())
    }

    /// What became of a case, in words for whoever sent the evidence.
    async fn said(&self, case_id: &CaseId) -> Result<String, ServiceError> {
        let case = self.store.case(case_id).await?;
        let waiting = case.map_or(0, |case| super::line::waiting(&case.lines));
        Ok(information(&match waiting {
            0 => "taken; no line of the request waits any more".to_owned(),
            1 => "taken; one line of the request still waits".to_owned(),
            more => format!("taken; {more} lines of the request still wait"),
        })?)
    }
}

/// The text with `more` before the end of the array at `place`.
fn spliced(text: &str, place: Option<Range<usize>>, more: &str) -> Option<String> {
    let end = place?.end.checked_sub(1)?;
    Some([text.get(..end)?, more, text.get(end..)?].concat())
}

/// Whether a tracking id is one that the request or its answer gave: a control number, a trace
/// number or an identifier of the Claim; a number of ours, the control number of a document, which
/// begins with one, or the identifier of our answer.
fn is_tracked_by(case: &CaseFile, id: &str) -> bool {
    let ours = case.lines.iter().any(|line| {
        let is_authorization = line.authorization.as_ref().is_some_and(|it| it.number == id);
        let after = line.reference_number.as_deref().and_then(|number| id.strip_prefix(number));
        is_authorization || after.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    ours || in_request(&case.submission.body, id) || in_answer(&case.answer.response, id)
}

fn in_request(body: &str, id: &str) -> bool {
    let document = Document::parse(body.as_bytes(), Rules::Fhir);
    let Ok(document) = &document else { return false };
    let Ok(request) = PasRequest::read(document, Profile::Common) else { return false };
    let Some(claim) = request.pool.entry(request.claim).map(|entry| entry.node) else {
        return false;
    };
    let is = |value: Option<&str>| value == Some(id);
    let of_claim = request.claim_identifiers.iter().any(|it| is(it.value.as_deref()));
    let of_items = request.lines.iter().flat_map(|line| &line.trace_numbers);
    let controlled = claim.each("supportingInfo").any(|info| {
        extensions(info, "extension-documentInformation").any(|information| {
            let parts = information.each("extension");
            let mut numbers =
                parts.filter(|part| part.text_of("url").as_deref() == Some("controlNumber"));
            numbers.any(|number| number.text_of("valueString").as_deref() == Some(id))
        })
    });
    of_claim || of_items.into_iter().any(|it| is(it.value.as_deref())) || controlled
}

fn in_answer(response: &str, id: &str) -> bool {
    let document = Document::parse(response.as_bytes(), Rules::Lenient);
    let Ok(document) = &document else { return false };
    let entries = document.root().each("entry").filter_map(|entry| entry.get("resource"));
    let mut identifiers = entries
        .filter(|it| it.text_of("resourceType").as_deref() == Some("ClaimResponse"))
        .flat_map(|it| it.each("identifier").collect::<Vec<_>>());
    identifiers.any(|it| it.text_of("value").as_deref() == Some(id))
}
