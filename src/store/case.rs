//! Cases and the answers they were given.

use std::fmt;

use jiff::Timestamp;

use crate::store::{FurtherSubmission, Notice, ReceivedSubmission, StoredAnswer};
use crate::terms::Day;

/// The id of a case: ours, made by the service, and fit to be a FHIR `id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseId(Box<str>);

/// A text that is no case id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a case id has 1 to 64 letters, digits, hyphens and full stops")]
pub struct CaseIdError;

impl CaseId {
    /// Reads a case id.
    ///
    /// # Errors
    /// Other characters than a FHIR `id` may have, none, or more than 64.
    pub fn parse(text: &str) -> Result<CaseId, CaseIdError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if fits { Ok(CaseId(text.into())) } else { Err(CaseIdError) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a case still waits for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseState {
    /// Every line has its decision.
    Decided,
    /// At least one line waits, for evidence or for a person.
    Pended,
}

impl CaseState {
    /// The word that stands in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CaseState::Decided => "decided",
            CaseState::Pended => "pended",
        }
    }

    /// The state that a stored word means.
    pub(super) fn parse(word: &str) -> Option<CaseState> {
        match word {
            "decided" => Some(CaseState::Decided),
            "pended" => Some(CaseState::Pended),
            _ => None,
        }
    }
}

/// A policy, and which of its editions judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyEdition {
    /// The policy's id, `amtagvi`.
    pub policy_id: String,
    /// The first day of the edition.
    pub edition: Day,
}

/// An authorization as a line grants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Its number, as the answer shows it. Lines of one case may share one.
    pub number: String,
    /// The day on which it was given.
    pub given_on: Day,
    /// The first day on which it holds.
    pub valid_from: Day,
    /// The last day on which it holds.
    pub valid_to: Day,
}

/// What an answer says of one Claim item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRecord {
    /// The `sequence` of the Claim item, from 1.
    pub sequence: u32,
    /// What was asked for: the policy's key of the product, or the code as `system|code`.
    pub product_key: String,
    /// The policy that judged; `None` if none speaks of the product.
    pub policy: Option<PolicyEdition>,
    /// What the engine determined: `not-subject`, `approve`, `pend` or `review`.
    pub determination: String,
    /// The X12 306 review action code that was answered, `A1`.
    pub review_action: String,
    /// The authorization, if one was given.
    pub authorization: Option<Authorization>,
    /// The administrative reference number, if the answer has one.
    pub reference_number: Option<String>,
    /// How the determination came about, as JSON.
    pub trace: String,
}

/// One answer to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// The guide's version in which `response` is written, `pas-2.2.1`.
    pub guide: String,
    /// The response body, as sent.
    pub response: String,
    /// When the answer was given.
    pub given_at: Timestamp,
    /// The state in which it leaves the case.
    pub state: CaseState,
    /// Every line of the case.
    pub lines: Vec<LineRecord>,
}

/// A later answer to a case: of a reviewer, or to a submission that changes the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAnswer {
    /// The case.
    pub case_id: CaseId,
    /// The number of the answer that holds now, as whoever answers saw it.
    pub seen_answer: u32,
    /// Why there is another answer.
    pub cause: Cause,
    /// The new answer, with all lines of the case.
    pub answer: AnswerRecord,
    /// Who is to hear of it; `None` where it says nothing new.
    pub notice: Option<Notice>,
}

/// Why a case gets another answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person decided; the name is a person's or a client's with us.
    Review(String),
    /// The client sent something more.
    Submission(Box<FurtherSubmission>),
}

/// What became of a further answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is the case's current answer, and this is its number.
    Recorded(u32),
    /// Another answer was given in the meantime, with this number. Nothing was written.
    MovedOn(u32),
    /// The member was given an authorization since the judging. Nothing was written.
    JudgedTooEarly,
    /// There is no such case.
    NoSuchCase,
}

/// How many answers with an authorization a member had been given at some moment: two looks that
/// find the same count saw the same authorizations or fewer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApprovalCount(pub(super) i64);

/// An authorization that a member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRow {
    /// Number and dates.
    pub authorization: Authorization,
    /// The case that it belongs to.
    pub case_id: CaseId,
    /// The line of that case; 0: it was not kept, by an older release.
    pub sequence: u32,
    /// What it is for.
    pub product_key: String,
    /// The policy that judged.
    pub policy: Option<PolicyEdition>,
    /// How its line came about, as JSON: what [`LineRecord::trace`] holds.
    pub trace: String,
    /// The client whose submission opened the case.
    pub client: String,
    /// The digest of that submission.
    pub digest: super::ContentDigest,
}

/// A case as a queue lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseSummary {
    /// The case.
    pub case_id: CaseId,
    /// The member's id with the payer.
    pub member_id: String,
    /// When its first submission was received.
    pub opened_at: Timestamp,
    /// When its current answer was given.
    pub changed_at: Timestamp,
    /// The number of its current answer, from 1.
    pub current_answer: u32,
    /// When the plan has to have decided; `None` where no clock runs.
    pub due_at: Option<Timestamp>,
}

/// A whole case, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// Its ids and times.
    pub summary: CaseSummary,
    /// Whether it still waits.
    pub state: CaseState,
    /// Its current answer.
    pub answer: StoredAnswer,
    /// The lines of the current answer, by sequence.
    pub lines: Vec<LineRecord>,
    /// Our name of the client that opened it.
    pub opened_by: String,
    /// Its newest submission, which says what is asked for now; anybody with evidence may have sent it.
    pub submission: ReceivedSubmission,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_id_is_a_fhir_id() {
        assert_eq!(CaseId::parse("case-1.a").unwrap().as_str(), "case-1.a");
        assert!(CaseId::parse(&"a".repeat(64)).is_ok());
        for text in ["", "a b", "a_b", "ä", &"a".repeat(65)] {
            assert_eq!(CaseId::parse(text), Err(CaseIdError), "{text}");
        }
    }

    #[test]
    fn a_state_is_read_as_it_is_written() {
        for state in [CaseState::Decided, CaseState::Pended] {
            assert_eq!(CaseState::parse(state.as_str()), Some(state));
        }
        assert_eq!(CaseState::parse("lost"), None);
    }
}
