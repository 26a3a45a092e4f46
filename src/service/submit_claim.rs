//! `Claim/$submit`: judge each item, allot numbers, save, answer.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::answering::{Refusal, Saying};
use super::claim_echo::token;
use super::honour::Asserted;
use super::line::{Decision, JudgedLine, rests_on, state_of};
use super::scenario::Scenario;
use super::update::Change;
use super::world::day_of;
use super::{OnFile, Service, ServiceError};
use crate::facts::CoverageStanding;
use crate::fhir::{Document, Fault, Node, Rules};
use crate::ig::PasVersion;
use crate::intake::coverage;
use crate::intake::dossier::Dossier;
use crate::intake::pas_request::kind::{NOT_ANEW, kind_of_request};
use crate::intake::pas_request::{PasRequest, Profile};
use crate::intake::reader::extensions;
use crate::policy::evaluate;
use crate::render::pas::AnswerTo;
use crate::store::{
    AnswerRecord, CaseId, ContentDigest, Likeness, LineRecord, Saved, StoredAnswer, SubmissionKey,
    SubmissionRecord,
};
use crate::terms::Day;

/// How often a request is judged while another process gives its member authorizations.
pub(super) const MOST_JUDGINGS: usize = 5;
/// What is said when that was in vain.
pub(super) const OTHERS_ARE_GIVEN: &str = "the member is being given other authorizations";

/// How a submission ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The body is no JSON that FHIR allows.
    #[error("the body cannot be read")]
    Unreadable(Vec<Fault>),
    /// The body breaks rules of the guide.
    #[error("the request breaks rules of the guide")]
    Refused(Vec<Fault>),
    /// Nothing was wrong with the request.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

impl From<crate::store::StoreError> for SubmitError {
    fn from(error: crate::store::StoreError) -> SubmitError {
        SubmitError::Failed(error.into())
    }
}

/// A submission on its way through: what was read of it, and who it is about.
pub(super) struct Incoming<'i, 'd> {
    pub(super) request: &'i PasRequest<'d>,
    pub(super) version: PasVersion,
    pub(super) key: SubmissionKey,
    pub(super) body: &'i [u8],
    pub(super) member: String,
    pub(super) as_of: Day,
    /// The sandbox scenario of the member.
    pub(super) script: Option<&'i Scenario>,
}

/// What the payer said before: authorizations, and assertions of orders.
pub(super) struct Said<'s> {
    pub(super) on_file: &'s [OnFile],
    pub(super) asserted: &'s Asserted,
}

impl Service {
    /// Answers a PAS request; saved before it is answered.
    ///
    /// The same client sending the same content again within the plan's window gets the answer of
    /// the same case (rulings 31).
    /// A Claim that relates to an earlier one changes that one's case (PAS 2.7).
    ///
    /// # Errors
    /// The request is refused with all its faults, or something of ours failed.
    pub async fn submit_claim(
        &self,
        client: &str,
        version: PasVersion,
        body: &[u8],
    ) -> Result<String, SubmitError> {
        let document = Document::parse(body, Rules::Fhir).map_err(SubmitError::Unreadable)?;
        let request =
            PasRequest::read(&document, profile_of(version)).map_err(SubmitError::Refused)?;
        let now = self.world.now();
        let as_of = day_of(now);
        let plan = &self.rules.plan;
        let facts =
            || Dossier::of_claim(&request.pool, request.claim, &request.subject, plan, as_of);
        let mut dossier = facts();
        let member = member_of(&request, &dossier);
        let script = self.terms.scenarios.of(&member);
        let key = SubmissionKey {
            client: client.to_owned(),
            digest: digest(body)?,
            received_at: now,
            // rulings 31: under a scenario every submission opens a case, so that a suite can be
            // run again.
            repeat_window: script.map_or(self.terms.repeat_window, |_| Duration::ZERO),
        };
        if let Some(known) = self.store.find_repeat(&key).await? {
            return Ok(self.answer_again(&request, version, &known).await?);
        }
        // What another request of this member is being given now must be on file first; as this is
        // no repeat, whatever is on file was given to another request (rulings 11).
        let _turn = self.turns.take(&member).await;
        let incoming = Incoming { request: &request, version, key, body, member, as_of, script };
        for _ in 0..MOST_JUDGINGS {
            let answered = match self.what_changes(&incoming).await? {
                _ if script == Some(&Scenario::Error) => {
                    self.open_case(&incoming, dossier, Some(Refusal::Scripted)).await?
                }
                Change::Nothing => self.open_case(&incoming, dossier, None).await?,
                Change::Refused(why) => self.open_case(&incoming, dossier, Some(why)).await?,
                Change::Case(case) => self.update_case(&incoming, dossier, *case).await?,
            };
            match answered {
                Some(answer) => return Ok(answer),
                None => dossier = facts(),
            }
        }
        Err(ServiceError::MovedOn(OTHERS_ARE_GIVEN).into())
    }

    /// A case of its own: judged, or kept as refused; `None` if it has to be judged again.
    async fn open_case(
        &self,
        incoming: &Incoming<'_, '_>,
        mut dossier: Dossier,
        refusal: Option<Refusal>,
    ) -> Result<Option<String>, ServiceError> {
        let Incoming { request, version, key, member, .. } = incoming;
        let likeness = Likeness {
            client: key.client.clone(),
            digest: key.digest.clone(),
            bundle_identifier: request.identifier.as_ref().and_then(token),
            claim_identifier: request.claim_identifiers.first().and_then(token),
        };
        let (mut judged_after, mut inputs) = (None, None);
        let lines = if refusal.is_some() {
            Vec::new()
        } else {
            let on_hand = self.add_payer_facts(&mut dossier, None).await?;
            let similar = self.store.similar_submissions(&likeness).await?;
            let similar: Vec<String> = similar.iter().map(ToString::to_string).collect();
            let asserted = self.asserted(incoming).await?;
            let said = Said { on_file: &on_hand.on_file, asserted: &asserted };
            let judged = self.judge_lines(incoming, &dossier, &said, &similar, |_| true)?;
            let mut lines = self.numbered(incoming, judged, &[]).await?;
            self.note_previous(incoming, &mut lines, &[]).await?;
            judged_after = rests_on(&lines, on_hand.approvals);
            inputs = Some(self.inputs(incoming.as_of, on_hand.held));
            lines
        };
        let saying = Saying { version: *version, to: AnswerTo::Submission, lines: &lines, refusal };
        let response = self.render(request, &saying)?;
        let case_id = self.new_case_id()?;
        let state = state_of(&lines);
        let record = SubmissionRecord {
            key: key.clone(),
            bundle_identifier: likeness.bundle_identifier,
            claim_identifier: likeness.claim_identifier,
            body: document_text(incoming.body),
            case_id: case_id.clone(),
            member_id: member.clone(),
            judged_after,
            inputs,
            due_at: self.due_at(request, key.received_at, &lines),
            answer: AnswerRecord {
                guide: version.number().to_owned(),
                response,
                given_at: key.received_at,
                state,
                lines,
            },
        };
        match self.store.save_submission(&record).await? {
            Saved::Stored => {
                let (client, guide) = (&*key.client, version.number());
                let refused = refusal.is_some();
                tracing::info!(case = %case_id, client, guide, ?state, refused, "claim answered");
                warn_of_script(incoming, &case_id);
                Ok(Some(record.answer.response))
            }
            Saved::JudgedTooEarly => Ok(None),
            // Another request with the same content was faster: its answer is the answer.
            Saved::AlreadyThere(known) => {
                self.answer_again(request, *version, &known).await.map(Some)
            }
        }
    }

    /// Judges the items that `wanted` names, and decides what is done with each.
    pub(super) fn judge_lines(
        &self,
        incoming: &Incoming<'_, '_>,
        dossier: &Dossier,
        said: &Said<'_>,
        similar_cases: &[String],
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Vec<JudgedLine>, ServiceError> {
        let Incoming { request, as_of, script, .. } = incoming;
        let cases = dossier.cases().filter(|case| wanted(case.order.sequence));
        cases
            .map(|case| {
                let verdict = evaluate(&self.rules.shelf, case, *as_of);
                let decision = match self.decide(case, &verdict, *as_of) {
                    _ if let Some(script) = script => {
                        let certified = self.certified(case, *as_of);
                        script.decision(case.order.sequence, certified)
                    }
                    Decision::Certify { .. }
                        if !kind_of_request(request, case.order.sequence).may_be_certified() =>
                    {
                        Decision::Pend(vec![NOT_ANEW.to_owned()])
                    }
                    decision => decision,
                };
                let judged = (case, &verdict);
                let decided = self.honour(incoming, judged, decision, said.asserted, said.on_file);
                JudgedLine::of(case, &verdict, decided, &self.rules.shelf, similar_cases)
            })
            .collect()
    }

    /// The stored answer of a case; in the words of another version where it is asked there.
    pub(super) async fn answer_again(
        &self,
        request: &PasRequest<'_>,
        version: PasVersion,
        known: &StoredAnswer,
    ) -> Result<String, ServiceError> {
        tracing::info!(case = %known.case_id, "repeat answered from the store");
        if known.guide == version.number() {
            return Ok(known.response.clone());
        }
        let case = self.store.case(&known.case_id).await?;
        let case = case.ok_or(ServiceError::Internal("a stored answer has no case"))?;
        let to = AnswerTo::Submission;
        self.render(request, &Saying { version, to, lines: &case.lines, refusal: None })
    }

    fn new_case_id(&self) -> Result<CaseId, ServiceError> {
        CaseId::parse(&self.world.new_id())
            .map_err(|_| ServiceError::Internal("a new id is no case id"))
    }

    /// By when the plan has to have decided: the clock of the line that is due first; none where
    /// there is nothing to decide.
    fn due_at(
        &self,
        request: &PasRequest<'_>,
        received_at: jiff::Timestamp,
        lines: &[LineRecord],
    ) -> Option<jiff::Timestamp> {
        let is_expedited = is_expedited(request);
        let hours = lines.iter().map(|line| {
            let policy = line.policy.as_ref().map(|policy| policy.policy_id.as_str());
            self.rules.plan.clocks.hours(policy, is_expedited)
        });
        received_at.checked_add(jiff::SignedDuration::from_hours(hours.min()?)).ok()
    }
}

/// Whoever reads the log sees which answers nobody judged.
pub(super) fn warn_of_script(incoming: &Incoming<'_, '_>, case: &CaseId) {
    if incoming.script.is_some() {
        tracing::warn!(%case, "answered by a sandbox scenario: not a decision");
    }
}

/// The rules of a version.
pub(super) fn profile_of(version: PasVersion) -> Profile {
    match version {
        PasVersion::V2_0_1 => Profile::V2_0_1,
        PasVersion::V2_2_1 => Profile::V2_2_1,
    }
}

/// `Claim.priority` stat, or level of service U (X12 1338).
fn is_expedited(request: &PasRequest<'_>) -> bool {
    let Some(claim) = request.pool.entry(request.claim).map(|entry| entry.node) else {
        return false;
    };
    let has = |concept: Option<Node<'_>>, code: &str| {
        concept.is_some_and(|concept| {
            concept.each("coding").any(|coding| coding.text_of("code").as_deref() == Some(code))
        })
    };
    has(claim.get("priority"), "stat")
        || extensions(claim, "extension-levelOfServiceCode")
            .any(|level| has(level.get("valueCodeableConcept"), "U"))
}

/// The member id: of a coverage in force, else of any Coverage of the request, so that a case that
/// pends for its coverage is found again by inquiry.
fn member_of(request: &PasRequest<'_>, dossier: &Dossier) -> String {
    let in_force = dossier.items.iter().find_map(|item| match &item.coverage {
        CoverageStanding::InForce(membership) => membership.member_id.clone(),
        CoverageStanding::Unusable(_) => None,
    });
    let stated = || {
        let claim = request.pool.entry(request.claim)?.node;
        let insurance = claim.each("insurance").filter_map(|entry| entry.get("coverage"));
        let coverages = insurance.filter_map(|it| request.pool.follow(it, request.claim));
        let mut coverages = coverages.filter_map(|place| request.pool.entry(place));
        coverages.find_map(|entry| coverage::member_id(entry.node))
    };
    in_force.or_else(stated).map(String::from).unwrap_or_default()
}

pub(super) fn digest(body: &[u8]) -> Result<ContentDigest, ServiceError> {
    let digest = Sha256::digest(body);
    let mut text = String::with_capacity(64);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    ContentDigest::parse(&text).map_err(|_| ServiceError::Internal("a digest is no digest"))
}

/// The body passed the strict walk and is therefore UTF-8.
pub(super) fn document_text(body: &[u8]) -> String {
    // The check is much faster than the repair, which never has anything to do.
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

/// The lines that answer an item of the request.
pub(super) fn submitted<'l>(
    request: &PasRequest<'_>,
    lines: &'l [LineRecord],
) -> Vec<&'l LineRecord> {
    let is_there = |line: &&LineRecord| {
        request.lines.is_empty() || request.lines.iter().any(|it| it.sequence == line.sequence)
    };
    lines.iter().filter(is_there).collect()
}
