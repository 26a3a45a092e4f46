//! What a person decides on a pended case: the only way to a denial, and beside new evidence the
//! only way on for a line that waits.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answering::Saying;
use super::honour::Referred;
use super::line::{StoredDocument, StoredLine, StoredReview, is_pended, state_of};
use super::notice::notice_of_case;
use super::scenario::{self, Outcome};
use super::world::day_of;
use super::{Service, ServiceError};
use crate::fhir::{Document, Rules};
use crate::ig::PasVersion;
use crate::ig::pas::ReviewAction;
use crate::intake::dossier::Dossier;
use crate::intake::pas_request::{PasRequest, Profile};
use crate::policy::document;
use crate::render::pas::AnswerTo;
use crate::store::{
    AnswerRecord, Answered, Authorization, CaseFile, CaseId, CaseSummary, Cause, LineRecord,
    NextAnswer,
};
use crate::terms::date::shift;
use crate::terms::{Day, Npi};

/// Most cases that a list shows.
pub const MOST_LISTED: u32 = 500;
/// Longest name, note or code that a review may have, in bytes.
const LONGEST_TEXT: usize = 2000;
/// Most documents that a line asks for.
const MOST_DOCUMENTS: usize = 20;

/// A person's decision.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What is decided.
    pub decision: ReviewDecision,
    /// Who decides: a name or an id that the plan knows.
    pub reviewer: String,
    /// With which right: `MD, medical director`.
    pub credentials: String,
    /// The reviewer's NPI.
    #[serde(default)]
    pub npi: Option<String>,
    /// The lines that are decided; none named: every line that waits.
    #[serde(default)]
    pub lines: Vec<u32>,
    /// Why, by codes of the X12 external list 886; a denial needs one.
    #[serde(default)]
    pub reason_codes: Vec<String>,
    /// What is said to the provider; a denial and a question need it.
    #[serde(default)]
    pub note: Option<String>,
    /// The documents that a question asks for, beside those that are asked for already.
    #[serde(default)]
    pub documents: Vec<document::Document>,
    /// How much is authorized, as a decimal; only and always for a modification.
    #[serde(default)]
    pub quantity: Option<String>,
    /// The first and last day on which an approval holds; the plan's own terms if not given.
    #[serde(default)]
    pub valid_from: Option<Day>,
    /// See `valid_from`.
    #[serde(default)]
    pub valid_to: Option<Day>,
    /// The number of the answer that the reviewer saw; the current one if not given.
    #[serde(default)]
    pub seen_answer: Option<u32>,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewDecision {
    /// As asked (A1).
    Approve,
    /// With changes (A6).
    Modify,
    /// Not (A3).
    Deny,
    /// Not yet: something more is asked for (A4).
    Ask,
}

/// Why a review was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// There is no such case.
    #[error("there is no such case")]
    NoSuchCase,
    /// The review lacks something, or says too much.
    #[error("{0}")]
    Incomplete(String),
    /// No line waits, or a named one does not.
    #[error("{0}")]
    NothingWaits(String),
    /// Another answer was given in the meantime, with this number.
    #[error("the case was answered in the meantime: its current answer is {0}")]
    MovedOn(u32),
    /// Something of ours failed.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

impl From<crate::store::StoreError> for ReviewError {
    fn from(error: crate::store::StoreError) -> ReviewError {
        ReviewError::Failed(error.into())
    }
}

/// A case in the queue.
#[derive(Debug, Serialize)]
pub struct QueuedCase {
    /// Its id.
    pub case_id: String,
    /// When the plan has to have decided, RFC 3339 in UTC.
    pub due_at: Option<String>,
    /// Whether that has passed.
    pub is_overdue: bool,
    /// When it was opened.
    pub opened_at: String,
    /// When its current answer was given.
    pub changed_at: String,
    /// The number of its current answer.
    pub answer: u32,
}

/// A whole case, for its reviewer.
#[derive(Debug, Serialize)]
pub struct CaseView {
    /// As the queue shows it.
    #[serde(flatten)]
    pub case: QueuedCase,
    /// The member's id with the payer.
    pub member_id: String,
    /// `decided` or `pended`.
    pub state: &'static str,
    /// Who sent the newest submission, and for which version of the guide.
    pub client: String,
    /// See `client`.
    pub guide: String,
    /// Its lines.
    pub lines: Vec<LineView>,
}

/// A line of a case.
#[derive(Debug, Serialize)]
pub struct LineView {
    /// The Claim item's sequence.
    pub sequence: u32,
    /// What was done with it, X12 306.
    pub review_action: String,
    /// The authorization's number.
    pub authorization: Option<String>,
    /// The number of the open request.
    pub reference: Option<String>,
    /// What was said to the provider.
    pub notes: Vec<String>,
    /// Cases with the same identifiers and other content.
    pub similar_cases: Vec<String>,
    /// What was said of the order when it was signed, and what became of that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<Referred>,
    /// How the engine judged it, as `priorauth evaluate` prints it.
    pub findings: Box<RawValue>,
    /// Who decided it, with which right.
    pub reviewed_by: Option<String>,
    /// The sandbox scenario that answered: what the line says is not a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<Outcome>,
}

impl Service {
    /// The pended cases, those first that are due first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn pending(&self, limit: u32) -> Result<Vec<QueuedCase>, ServiceError> {
        let cases = self.store.pending_cases(limit.min(MOST_LISTED)).await?;
        Ok(cases.iter().map(|case| self.queued(case)).collect())
    }

    /// A case with how it was judged; `None` if there is none of that id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn case_view(&self, case_id: &CaseId) -> Result<Option<CaseView>, ServiceError> {
        let Some(case) = self.store.case(case_id).await? else { return Ok(None) };
        Ok(Some(CaseView {
            case: self.queued(&case.summary),
            member_id: case.summary.member_id.clone(),
            state: case.state.as_str(),
            client: case.submission.client.clone(),
            guide: case.submission.guide.clone(),
            lines: case.lines.iter().map(line_view).collect(),
        }))
    }

    /// The newest submission of a case, as it was received (PAS 2.2.1 spec-26).
    ///
    /// # Errors
    /// The store failed.
    pub async fn submission_of(&self, case_id: &CaseId) -> Result<Option<String>, ServiceError> {
        Ok(self.store.case(case_id).await?.map(|case| case.submission.body))
    }

    /// Records a person's decision: the case's new answer and its number.
    ///
    /// # Errors
    /// See [`ReviewError`]; nothing was changed.
    pub async fn review(&self, case_id: &CaseId, review: &Review) -> Result<u32, ReviewError> {
        let npi = check(review).map_err(ReviewError::Incomplete)?;
        let case = self.store.case(case_id).await?.ok_or(ReviewError::NoSuchCase)?;
        let _turn = self.turns.take(&case.summary.member_id).await;
        let case = self.store.case(case_id).await?.unwrap_or(case);
        let current = case.summary.current_answer;
        if review.seen_answer.is_some_and(|seen| seen != current) {
            return Err(ReviewError::MovedOn(current));
        }
        let decided = lines_to_decide(&case, &review.lines).map_err(ReviewError::NothingWaits)?;
        if review.reviewer == scenario::REVIEWER && !are_scripted(&case, &decided) {
            let what = format!("`{}` decides no case of a real member", scenario::REVIEWER);
            return Err(ReviewError::Incomplete(what));
        }
        let lines = self.reviewed_lines(&case, review, npi, &decided).await?;
        let response = self.render_case(&case, &lines)?;
        let state = state_of(&lines);
        let notice = notice_of_case(&case, &lines);
        let record = NextAnswer {
            case_id: case_id.clone(),
            seen_answer: current,
            cause: Cause::Review(review.reviewer.clone()),
            answer: AnswerRecord {
                guide: case.submission.guide.clone(),
                response,
                given_at: self.world.now(),
                state,
                lines,
            },
            notice,
        };
        match self.store.save_answer(&record).await? {
            Answered::Recorded(number) => {
                self.news.notify_one();
                let decision = review.decision;
                tracing::info!(case = %case_id, number, ?decision, ?state, "case reviewed");
                Ok(number)
            }
            Answered::MovedOn(number) => Err(ReviewError::MovedOn(number)),
            Answered::NoSuchCase => Err(ReviewError::NoSuchCase),
            // What a person decides rests on no count.
            Answered::JudgedTooEarly => Err(ServiceError::Internal("a review was judged").into()),
        }
    }

    /// The case's lines with the decision on those that are decided.
    async fn reviewed_lines(
        &self,
        case: &CaseFile,
        review: &Review,
        npi: Option<Npi>,
        decided: &[u32],
    ) -> Result<Vec<LineRecord>, ReviewError> {
        let grants = matches!(review.decision, ReviewDecision::Approve | ReviewDecision::Modify);
        let own = case.lines.iter().find_map(|line| line.authorization.as_ref());
        let number = match own {
            _ if !grants => String::new(),
            Some(authorization) => authorization.number.clone(),
            None => self.new_authorization_number().await?,
        };
        let authorization = self.granted(case, review, number);
        let mut lines = case.lines.clone();
        for line in lines.iter_mut().filter(|line| decided.contains(&line.sequence)) {
            let mut stored = StoredLine::of(line);
            let note: Vec<String> = review.note.iter().cloned().collect();
            stored.notes = match review.decision {
                // What was asked before is asked still.
                ReviewDecision::Ask => note.into_iter().chain(stored.notes).collect(),
                ReviewDecision::Approve | ReviewDecision::Modify | ReviewDecision::Deny => note,
            };
            for document in review.documents.iter().map(StoredDocument::of) {
                if !stored.documents.contains(&document) {
                    stored.documents.push(document);
                }
            }
            if stored.documents.len() > MOST_DOCUMENTS {
                let what = format!("line {} asks for too many documents", line.sequence);
                return Err(ReviewError::Incomplete(what));
            }
            stored.review = Some(StoredReview {
                reviewer: review.reviewer.clone(),
                credentials: review.credentials.clone(),
                npi: npi.map(|npi| npi.to_string()),
                reason_codes: review.reason_codes.clone(),
                quantity: review.quantity.clone(),
            });
            line.trace = stored.text()?;
            let action = match review.decision {
                ReviewDecision::Approve => ReviewAction::Certified,
                ReviewDecision::Modify => ReviewAction::Modified,
                ReviewDecision::Deny => ReviewAction::NotCertified,
                ReviewDecision::Ask => ReviewAction::Pended,
            };
            line.review_action = String::from(action.code());
            if grants {
                line.authorization = Some(authorization.clone());
            }
        }
        Ok(lines)
    }

    /// What an approval grants: from today or the day of service to the plan's term, unless the
    /// reviewer says otherwise (rulings 32).
    fn granted(&self, case: &CaseFile, review: &Review, number: String) -> Authorization {
        let given_on = day_of(self.world.now());
        let service = self.service_days(case, given_on);
        let term = shift(given_on, self.rules.plan.authorization.validity_days);
        let valid_from = review.valid_from.unwrap_or_else(|| given_on.min(service.0));
        let valid_to = review.valid_to.unwrap_or_else(|| term.max(service.1));
        Authorization { number, given_on, valid_from, valid_to: valid_to.max(valid_from) }
    }

    /// The first and last day of service of a case; `today` where its Claim cannot be read.
    fn service_days(&self, case: &CaseFile, today: Day) -> (Day, Day) {
        let document = Document::parse(case.submission.body.as_bytes(), Rules::Fhir);
        let Ok(document) = &document else { return (today, today) };
        let Ok(request) = PasRequest::read(document, Profile::Common) else {
            return (today, today);
        };
        let plan = &self.rules.plan;
        let dossier =
            Dossier::of_claim(&request.pool, request.claim, &request.subject, plan, today);
        let days = dossier.cases().map(|case| case.order.service_date.when);
        days.map(|when| (when.first(), when.last()))
            .reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
            .unwrap_or((today, today))
    }

    /// A case's answer in the version of its newest submission.
    fn render_case(&self, case: &CaseFile, lines: &[LineRecord]) -> Result<String, ServiceError> {
        let unreadable = ServiceError::Internal("a stored submission cannot be read");
        let document = Document::parse(case.submission.body.as_bytes(), Rules::Fhir);
        let Ok(document) = &document else { return Err(unreadable) };
        let Ok(request) = PasRequest::read(document, Profile::Common) else {
            return Err(unreadable);
        };
        let version = PasVersion::from_segment(&case.submission.guide);
        let version = version.ok_or(ServiceError::Internal("a case of an unknown version"))?;
        let to = AnswerTo::Submission;
        self.render(&request, &Saying { version, to, lines, refusal: None })
    }

    fn queued(&self, case: &CaseSummary) -> QueuedCase {
        QueuedCase {
            case_id: case.case_id.to_string(),
            due_at: case.due_at.map(super::world::instant),
            is_overdue: case.due_at.is_some_and(|due| due < self.world.now()),
            opened_at: super::world::instant(case.opened_at),
            changed_at: super::world::instant(case.changed_at),
            answer: case.current_answer,
        }
    }
}

/// What a review must say; the reviewer's NPI, if it gives one.
fn check(review: &Review) -> Result<Option<Npi>, String> {
    let texts = [Some(&review.reviewer), Some(&review.credentials), review.note.as_ref()];
    let texts = texts.into_iter().flatten().chain(&review.reason_codes);
    if texts.clone().any(|text| text.trim().is_empty()) {
        return Err("reviewer, credentials, note and reason codes must not be empty".to_owned());
    }
    if texts.into_iter().any(|text| text.len() > LONGEST_TEXT) {
        return Err(format!("a text of a review has at most {LONGEST_TEXT} bytes"));
    }
    let is_code =
        |code: &String| code.len() <= 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !review.reason_codes.iter().all(is_code) {
        return Err("a reason code has up to five letters and digits".to_owned());
    }
    let is_decimal = |text: &String| text.parse::<f64>().is_ok_and(|it| it > 0.0 && it.is_finite());
    if review.decision != ReviewDecision::Ask && !review.documents.is_empty() {
        return Err("only a question asks for documents".to_owned());
    }
    match (review.decision, &review.quantity) {
        (ReviewDecision::Modify, None) => Err("a modification says how much is authorized".into()),
        (ReviewDecision::Modify, Some(quantity)) if !is_decimal(quantity) => {
            Err("the authorized quantity is no positive number".to_owned())
        }
        (ReviewDecision::Approve | ReviewDecision::Deny | ReviewDecision::Ask, Some(_)) => {
            Err("only a modification says how much is authorized".to_owned())
        }
        // A denial has a specific reason (clinical.md 10.3).
        (ReviewDecision::Deny, None) if review.reason_codes.is_empty() || review.note.is_none() => {
            Err("a denial needs a reason code and a note that says why".to_owned())
        }
        (ReviewDecision::Ask, None) if review.note.is_none() => {
            Err("a question needs a note that says what is asked".to_owned())
        }
        (_, _) => Ok(()),
    }?;
    if review.valid_from.zip(review.valid_to).is_some_and(|(from, to)| to < from) {
        return Err("the approval would end before it begins".to_owned());
    }
    let npi = review.npi.as_deref().map(Npi::parse).transpose();
    npi.map_err(|error| format!("the reviewer's NPI: {error}"))
}

/// The lines that a review decides: the named ones, all of which must wait, or all that wait.
fn lines_to_decide(case: &CaseFile, named: &[u32]) -> Result<Vec<u32>, String> {
    let waiting: Vec<u32> =
        case.lines.iter().filter(|line| is_pended(line)).map(|line| line.sequence).collect();
    if waiting.is_empty() {
        return Err("no line of the case waits for a decision".to_owned());
    }
    match named.iter().find(|line| !waiting.contains(line)) {
        Some(line) => Err(format!("line {line} does not wait for a decision")),
        None if named.is_empty() => Ok(waiting),
        None => Ok(named.to_vec()),
    }
}

/// Whether a sandbox scenario answered all of these lines.
fn are_scripted(case: &CaseFile, sequences: &[u32]) -> bool {
    let decided = case.lines.iter().filter(|line| sequences.contains(&line.sequence));
    decided.map(StoredLine::of).all(|stored| stored.scenario.is_some())
}

fn line_view(line: &LineRecord) -> LineView {
    let stored = StoredLine::of(line);
    LineView {
        sequence: line.sequence,
        review_action: line.review_action.clone(),
        authorization: line.authorization.as_ref().map(|it| it.number.clone()),
        reference: line.reference_number.clone(),
        notes: stored.notes,
        similar_cases: stored.similar_cases,
        assertions: stored.assertions,
        findings: stored.item,
        reviewed_by: stored.review.map(|it| format!("{}, {}", it.reviewer, it.credentials)),
        scenario: stored.scenario,
    }
}
