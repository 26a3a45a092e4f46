//! A Claim that changes an earlier one: what it changes, and what becomes of each line (PAS 2.7).
//!
//! Every line of the case is answered.
//! What was decided stays decided while it is asked in the same way; what was pended is judged
//! again, since an update may bring evidence; what is added or changed is judged; what is withdrawn
//! is cancelled and stays so.

use serde_json::Value;

use super::answering::{Refusal, Saying};
use super::claim_echo::{named_authorization, token};
use super::line::{StoredLine, is_pended, rests_on, state_of};
use super::notice::notice;
use super::payer_facts::OwnCase;
use super::submit_claim::{Incoming, Said, document_text, submitted, warn_of_script};
use super::{Service, ServiceError};
use crate::fhir::{Document, Node, Rules};
use crate::ig::pas::ReviewAction;
use crate::intake::dossier::Dossier;
use crate::intake::pas_request::kind::{
    RequestKind, certification_types, earlier_claims, kind_of_request, relates_to_earlier,
};
use crate::intake::pas_request::{Identifier, Line, PasRequest, Profile};
use crate::intake::reader::extensions;
use crate::render::pas::AnswerTo;
use crate::store::{
    AnswerRecord, Answered, CaseFile, CaseId, Cause, FurtherSubmission, LineRecord, NextAnswer,
};

/// What a submission changes.
pub(super) enum Change {
    /// Nothing that is on file: it is a request of its own.
    Nothing,
    /// This case.
    Case(Box<CaseFile>),
    /// It wants to change something and cannot.
    Refused(Refusal),
}

impl Service {
    /// Finds the case that a submission changes.
    pub(super) async fn what_changes(
        &self,
        incoming: &Incoming<'_, '_>,
    ) -> Result<Change, ServiceError> {
        let request = incoming.request;
        let Some(claim) = request.pool.entry(request.claim).map(|entry| entry.node) else {
            return Ok(Change::Nothing);
        };
        if !relates_to_earlier(claim) {
            return Ok(Change::Nothing);
        }
        let Some(case) = self.earlier_case(incoming, claim).await? else {
            return Ok(Change::Refused(Refusal::UnknownPrior));
        };
        let is_denied = |line: &LineRecord| line.review_action == ReviewAction::NotCertified.code();
        if !case.lines.is_empty() && case.lines.iter().all(is_denied) {
            return Ok(Change::Refused(Refusal::Denied));
        }
        let comes_back = request.lines.iter().any(|item| {
            let known = case.lines.iter().find(|line| line.sequence == item.sequence);
            known.is_some_and(is_cancelled) && !is_withdrawn(request, item)
        });
        if comes_back {
            return Ok(Change::Refused(Refusal::CancelledComesBack));
        }
        Ok(Change::Case(Box::new(case)))
    }

    /// The case of the Claim before: by its identifiers, else by a number of ours.
    async fn earlier_case(
        &self,
        incoming: &Incoming<'_, '_>,
        claim: Node<'_>,
    ) -> Result<Option<CaseFile>, ServiceError> {
        let request = incoming.request;
        let mut found: Option<CaseId> = None;
        for identifier in earlier_identifiers(request, claim) {
            found = self.store.case_of_claim(&incoming.member, &identifier).await?;
            if found.is_some() {
                break;
            }
        }
        if found.is_none() {
            for number in our_numbers(request, claim) {
                found = self.store.case_of_number(&number).await?;
                if found.is_some() {
                    break;
                }
            }
        }
        let Some(id) = found else { return Ok(None) };
        let case = self.store.case(&id).await?;
        // Another member's case, or another client's, is none that this submission can change.
        Ok(case.filter(|case| {
            !incoming.member.is_empty()
                && case.summary.member_id == incoming.member
                && case.opened_by == incoming.key.client
        }))
    }

    /// Notes on each line the authorization that it names, if it is one of this member's, or else
    /// that it had before; one that holds on is not another one.
    pub(super) async fn note_previous(
        &self,
        incoming: &Incoming<'_, '_>,
        lines: &mut [LineRecord],
        before: &[LineRecord],
    ) -> Result<(), ServiceError> {
        for line in lines {
            let item = incoming.request.lines.iter().find(|item| item.sequence == line.sequence);
            let named = item.and_then(|item| named_authorization(incoming.request, item));
            let named = match named {
                Some(number) if self.is_of_member(&number, &incoming.member).await? => {
                    Some(number.into_owned())
                }
                Some(_) | None => None,
            };
            let number = named.or_else(|| {
                let earlier = before.iter().find(|it| it.sequence == line.sequence)?;
                let held = earlier.authorization.as_ref().map(|it| it.number.clone());
                held.or_else(|| StoredLine::of(earlier).previous)
            });
            let current = line.authorization.as_ref().map(|it| it.number.as_str());
            if let Some(number) = number.filter(|number| current != Some(number)) {
                line.trace =
                    StoredLine { previous: Some(number), ..StoredLine::of(line) }.text()?;
            }
        }
        Ok(())
    }

    async fn is_of_member(&self, number: &str, member: &str) -> Result<bool, ServiceError> {
        let Some(id) = self.store.case_of_number(number).await? else { return Ok(false) };
        let case = self.store.case(&id).await?;
        Ok(!member.is_empty() && case.is_some_and(|case| case.summary.member_id == member))
    }

    /// Answers an update: all lines of the case, each with what became of it; `None` if it has to be
    /// judged again.
    pub(super) async fn update_case(
        &self,
        incoming: &Incoming<'_, '_>,
        dossier: Dossier,
        case: CaseFile,
    ) -> Result<Option<String>, ServiceError> {
        let fates = Fates::of(incoming.request, &case);
        self.answer_next(incoming, dossier, case, fates).await
    }

    /// Answers more evidence for a case: the lines that wait are judged again.
    pub(super) async fn answer_evidence(
        &self,
        incoming: &Incoming<'_, '_>,
        dossier: Dossier,
        case: CaseFile,
    ) -> Result<Option<String>, ServiceError> {
        let fates = Fates::of_waiting(&case);
        self.answer_next(incoming, dossier, case, fates).await
    }

    async fn answer_next(
        &self,
        incoming: &Incoming<'_, '_>,
        mut dossier: Dossier,
        case: CaseFile,
        fates: Fates,
    ) -> Result<Option<String>, ServiceError> {
        let Incoming { request, version, key, .. } = incoming;
        let own_case = OwnCase { id: &case.summary.case_id, settled: &fates.settled };
        let on_hand = self.add_payer_facts(&mut dossier, Some(own_case)).await?;
        let asserted = self.asserted(incoming).await?;
        let said = Said { on_file: &on_hand.on_file, asserted: &asserted };
        let is_judged = |line| fates.judged.contains(&line);
        let judged = self.judge_lines(incoming, &dossier, &said, &[], is_judged)?;
        let mut lines = self.numbered(incoming, judged, &case.lines).await?;
        self.note_previous(incoming, &mut lines, &case.lines).await?;
        lines.extend(fates.settled);
        lines.sort_by_key(|line| line.sequence);
        let answered: Vec<LineRecord> = submitted(request, &lines).into_iter().cloned().collect();
        let to = AnswerTo::Submission;
        let saying = Saying { version: *version, to, lines: &answered, refusal: None };
        let response = self.render(request, &saying)?;
        let state = state_of(&lines);
        let notice = notice(request, &case, &lines);
        let record = NextAnswer {
            case_id: case.summary.case_id.clone(),
            seen_answer: case.summary.current_answer,
            cause: Cause::Submission(Box::new(FurtherSubmission {
                key: key.clone(),
                bundle_identifier: request.identifier.as_ref().and_then(token),
                claim_identifier: request.claim_identifiers.first().and_then(token),
                body: document_text(incoming.body),
                judged_after: rests_on(&lines, on_hand.approvals),
                inputs: Some(self.inputs(incoming.as_of, on_hand.held)),
            })),
            answer: AnswerRecord {
                guide: version.number().to_owned(),
                response,
                given_at: key.received_at,
                state,
                lines,
            },
            notice,
        };
        match self.store.save_answer(&record).await? {
            Answered::Recorded(number) => {
                self.news.notify_one();
                let case = &record.case_id;
                tracing::info!(case = %case, number, ?state, "claim updated");
                warn_of_script(incoming, case);
                Ok(Some(record.answer.response))
            }
            Answered::JudgedTooEarly => Ok(None),
            Answered::MovedOn(_) => {
                Err(ServiceError::MovedOn("the case was answered by somebody else meanwhile"))
            }
            Answered::NoSuchCase => Err(ServiceError::Internal("a case that was read is gone")),
        }
    }
}

/// What becomes of the lines of a case by an update.
struct Fates {
    /// Sequences of the update's items that are judged.
    judged: Vec<u32>,
    /// Lines whose answer is known without judging.
    settled: Vec<LineRecord>,
}

impl Fates {
    /// The lines that wait are judged, the others stay as they are.
    fn of_waiting(case: &CaseFile) -> Fates {
        let (waiting, settled): (Vec<_>, Vec<_>) = case.lines.iter().partition(|it| is_pended(it));
        Fates {
            judged: waiting.into_iter().map(|line| line.sequence).collect(),
            settled: settled.into_iter().cloned().collect(),
        }
    }

    fn of(request: &PasRequest<'_>, case: &CaseFile) -> Fates {
        let mut fates = Fates { judged: Vec::new(), settled: Vec::new() };
        let before = Before::read(case);
        for item in &request.lines {
            let known = case.lines.iter().find(|line| line.sequence == item.sequence);
            match known {
                Some(line) if is_withdrawn(request, item) => fates.settled.push(cancelled(line)),
                // Added and withdrawn at once: there was nothing to cancel, and it is answered.
                None if is_withdrawn(request, item) => fates.judged.push(item.sequence),
                Some(line) if !is_pended(line) && !before.is_changed(item) => {
                    fates.settled.push(line.clone());
                }
                Some(_) | None => fates.judged.push(item.sequence),
            }
        }
        // What the update leaves out stays as it is; a cancellation of everything reaches it too.
        let is_sent =
            |line: &&LineRecord| request.lines.iter().any(|item| item.sequence == line.sequence);
        let everything = cancels_everything(request);
        for line in case.lines.iter().filter(|line| !is_sent(line)) {
            fates.settled.push(if everything { cancelled(line) } else { line.clone() });
        }
        fates
    }
}

/// The items of the case's newest submission, to compare with.
struct Before(Vec<(u32, Value)>);

impl Before {
    fn read(case: &CaseFile) -> Before {
        let document = Document::parse(case.submission.body.as_bytes(), Rules::Fhir);
        let Ok(document) = &document else { return Before(Vec::new()) };
        let Ok(request) = PasRequest::read(document, Profile::Common) else {
            return Before(Vec::new());
        };
        Before(request.lines.iter().map(|line| (line.sequence, content(line))).collect())
    }

    /// Whether an item differs from what it was, by its flag or in fact.
    fn is_changed(&self, item: &Line<'_>) -> bool {
        let flagged = extensions(item.node, "extension-infoChanged").next().is_some();
        let known = self.0.iter().find(|(sequence, _)| *sequence == item.sequence);
        flagged || known.is_none_or(|(_, before)| *before != content(item))
    }
}

/// What an item says, without what it says of its changes.
fn content(line: &Line<'_>) -> Value {
    let mut value: Value = serde_json::from_str(line.node.raw()).unwrap_or_default();
    let is_flag = |extension: &Value| {
        let url = extension.get("url").and_then(Value::as_str).unwrap_or_default();
        url.ends_with("/extension-infoChanged") || url.ends_with("/extension-certificationType")
    };
    if let Some(item) = value.as_object_mut() {
        if let Some(list) = item.get_mut("extension").and_then(Value::as_array_mut) {
            list.retain(|extension| !is_flag(extension));
        }
        item.remove("modifierExtension");
    }
    value
}

/// Whether an item is withdrawn: by its flag, by its certification type, or with the whole Claim.
fn is_withdrawn(request: &PasRequest<'_>, item: &Line<'_>) -> bool {
    let is_flagged = item.node.each("modifierExtension").any(|extension| {
        let url = extension.text_of("url").unwrap_or_default();
        url.ends_with("/modifierextension-infoCancelled")
            && extension.get("valueBoolean").and_then(Node::boolean) == Some(true)
    });
    is_flagged || kind_of_request(request, item.sequence) == RequestKind::Cancel
}

fn cancels_everything(request: &PasRequest<'_>) -> bool {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    claim.is_some_and(|claim| certification_types(claim).iter().any(|code| code == "3"))
}

fn is_cancelled(line: &LineRecord) -> bool {
    line.review_action == ReviewAction::Cancelled.code()
}

/// A line that was withdrawn: its authorization does not hold any more.
fn cancelled(line: &LineRecord) -> LineRecord {
    let stored = StoredLine::of(line);
    let held = line.authorization.as_ref().map(|authorization| authorization.number.clone());
    let stored = StoredLine {
        notes: Vec::new(),
        documents: Vec::new(),
        review: None,
        previous: held.or(stored.previous),
        ..stored
    };
    LineRecord {
        review_action: ReviewAction::Cancelled.code().to_owned(),
        authorization: None,
        reference_number: None,
        trace: stored.text().unwrap_or_else(|_| line.trace.clone()),
        ..line.clone()
    }
}

/// The identifiers of the Claim before, as `system|value`: of the Claim in the Bundle, else those
/// that the reference itself gives.
fn earlier_identifiers(request: &PasRequest<'_>, claim: Node<'_>) -> Vec<String> {
    let mut identifiers = Vec::new();
    for reference in earlier_claims(claim) {
        let entry = request.pool.follow(reference, request.claim);
        let entry = entry.filter(|at| *at != request.claim).and_then(|at| request.pool.entry(at));
        let of_claim = entry.into_iter().flat_map(|entry| entry.node.each("identifier"));
        for node in of_claim.chain(reference.get("identifier")) {
            let (system, value) = (node.text_of("system"), node.text_of("value"));
            identifiers.extend(token(&Identifier { node, system, value }));
        }
    }
    identifiers
}

/// Numbers of ours that an update names: on the Claim, or on its items.
pub(super) fn our_numbers(request: &PasRequest<'_>, claim: Node<'_>) -> Vec<String> {
    let nodes = std::iter::once(claim).chain(request.lines.iter().map(|line| line.node));
    let numbers = nodes.flat_map(|node| {
        ["extension-authorizationNumber", "extension-administrationReferenceNumber"]
            .into_iter()
            .flat_map(move |name| extensions(node, name).collect::<Vec<_>>())
    });
    let texts = numbers.filter_map(|extension| {
        let text = extension.text_of("valueString");
        text.or_else(|| extension.get("valueIdentifier")?.text_of("value"))
    });
    texts.map(String::from).collect()
}
