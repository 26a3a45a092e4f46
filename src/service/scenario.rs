//! Scripted answers, so that whoever tests against a sandbox can see every outcome on demand.
//!
//! A scenario belongs to a member id; every other member is judged as always.
//! Invariants: what a script says is marked where it is stored and where it is shown; it counts
//! nowhere as an authorization on file; without a scenario nothing here is reached.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{Decision, StoredLine, StoredReview};
use super::review::{Review, ReviewDecision, ReviewError};
use super::{Service, ServiceError};
use crate::ig::pas::ReviewAction;
use crate::store::LineRecord;

/// Who decides by script. No person may use the name, and only scripted lines are decided by it.
pub const REVIEWER: &str = "sandbox scenario";
/// What every scripted answer says.
pub const NOTE: &str = "sandbox scenario: not a decision";
/// With which right a script decides.
const CREDENTIALS: &str = "not a person";
/// What a pended line says is waited for.
const WAITS: &str = "The request waits until its scenario or a reviewer decides it.";
/// How much of a must-support line is authorized.
const ONE: &str = "1";
/// Most cases that are looked at in one round of deciding what is due.
const MOST_AT_ONCE: u32 = 500;

/// The scenarios of a sandbox, by member id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenarios(BTreeMap<String, Scenario>);

/// What a submission for one member is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Every line is certified (A1).
    Approve,
    /// No line is certified (A3).
    Deny {
        /// Codes of the X12 external list 886.
        reason_codes: Vec<String>,
    },
    /// Every line waits (A4).
    Pend(Option<Later>),
    /// Every line is certified with another quantity (A6).
    Modify {
        /// How much, as a decimal.
        quantity: String,
    },
    /// The request is not processed, with an X12 error of the plan file.
    Error,
    /// Lines of every kind, in an answer that shows what a must-support test looks for.
    MustSupport,
}

/// How a pended case ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// How long after its current answer.
    pub after: Duration,
    /// With what.
    pub ending: Ending,
}

/// How a scripted case ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A1.
    Approve,
    /// A3.
    Deny {
        /// Codes of the X12 external list 886; a review that denies needs one.
        reason_codes: Vec<String>,
    },
}

/// The kind of scenario that answered a line, as it is stored beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// [`Scenario::Approve`]
    Approve,
    /// [`Scenario::Deny`]
    Deny,
    /// [`Scenario::Pend`]
    Pend,
    /// [`Scenario::Modify`]
    Modify,
    /// [`Scenario::Error`]
    Error,
    /// [`Scenario::MustSupport`]
    MustSupport,
}

impl Scenarios {
    /// Scenarios by member id.
    #[must_use]
    pub fn new(by_member: BTreeMap<String, Scenario>) -> Scenarios {
        Scenarios(by_member)
    }

    /// How many members have one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a case ends by itself in one of them.
    #[must_use]
    pub fn decide_later(&self) -> bool {
        !self.waited_for().is_empty()
    }

    /// The scenario of a member, who may be nobody.
    pub(super) fn of(&self, member: &str) -> Option<&Scenario> {
        self.0.get(member)
    }

    /// How the cases of a member end by themselves.
    fn later(&self, member: &str) -> Option<&Later> {
        match self.of(member)? {
            Scenario::Pend(later) => later.as_ref(),
            Scenario::Approve
            | Scenario::Deny { .. }
            | Scenario::Modify { .. }
            | Scenario::Error
            | Scenario::MustSupport => None,
        }
    }

    /// The members whose cases end by themselves.
    fn waited_for(&self) -> Vec<&str> {
        let members = self.0.keys().map(String::as_str);
        members.filter(|member| self.later(member).is_some()).collect()
    }
}

impl Scenario {
    /// What is done with a line of a member under this scenario, where `certified` is to certify it.
    pub(super) fn decision(&self, sequence: u32, certified: Decision) -> Decision {
        match self.of_line(sequence) {
            Outcome::Approve | Outcome::Modify | Outcome::MustSupport => certified,
            Outcome::Pend => Decision::Pend(vec![WAITS.to_owned()]),
            // No number is given; `mark` says what it is.
            Outcome::Deny | Outcome::Error => Decision::NotRequired(Vec::new()),
        }
    }

    /// What becomes of a line: of those of a must-support request something else for each, so that
    /// one answer shows what lines of every kind have.
    fn of_line(&self, sequence: u32) -> Outcome {
        match (self.outcome(), sequence % 3) {
            (Outcome::MustSupport, 1) => Outcome::Approve,
            (Outcome::MustSupport, 2) => Outcome::Pend,
            (Outcome::MustSupport, _) => Outcome::Modify,
            (outcome, _) => outcome,
        }
    }

    /// Says beside a line that a script decided it, and what the engine itself never decides.
    pub(super) fn mark(&self, line: &mut LineRecord) -> Result<(), ServiceError> {
        let mut stored = StoredLine::of(line);
        stored.scenario = Some(self.outcome());
        stored.notes.insert(0, NOTE.to_owned());
        let by_script = StoredReview {
            reviewer: REVIEWER.to_owned(),
            credentials: CREDENTIALS.to_owned(),
            npi: None,
            reason_codes: Vec::new(),
            quantity: None,
        };
        match self {
            Scenario::MustSupport if self.of_line(line.sequence) == Outcome::Modify => {
                ReviewAction::Modified.code().clone_into(&mut line.review_action);
                let quantity = Some(ONE.to_owned());
                stored.review = Some(StoredReview { quantity, ..by_script });
            }
            Scenario::Approve | Scenario::Pend(_) | Scenario::Error | Scenario::MustSupport => {}
            Scenario::Deny { reason_codes } => {
                ReviewAction::NotCertified.code().clone_into(&mut line.review_action);
                let reason_codes = reason_codes.clone();
                stored.review = Some(StoredReview { reason_codes, ..by_script });
            }
            Scenario::Modify { quantity } => {
                ReviewAction::Modified.code().clone_into(&mut line.review_action);
                let quantity = Some(quantity.clone());
                stored.review = Some(StoredReview { quantity, ..by_script });
            }
        }
        // An authorization without a policy is none that a later request is judged by.
        line.policy = None;
        line.trace = stored.text()?;
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        match self {
            Scenario::Approve => Outcome::Approve,
            Scenario::Deny { .. } => Outcome::Deny,
            Scenario::Pend(_) => Outcome::Pend,
            Scenario::Modify { .. } => Outcome::Modify,
            Scenario::Error => Outcome::Error,
            Scenario::MustSupport => Outcome::MustSupport,
        }
    }
}

impl Later {
    /// The review that ends a case whose current answer has this number.
    fn review(&self, seen_answer: u32) -> Review {
        let (decision, reason_codes) = match &self.ending {
            Ending::Approve => (ReviewDecision::Approve, Vec::new()),
            Ending::Deny { reason_codes } => (ReviewDecision::Deny, reason_codes.clone()),
        };
        Review {
            decision,
            reviewer: REVIEWER.to_owned(),
            credentials: CREDENTIALS.to_owned(),
            npi: None,
            lines: Vec::new(),
            reason_codes,
            note: Some(NOTE.to_owned()),
            documents: Vec::new(),
            quantity: None,
            valid_from: None,
            valid_to: None,
            seen_answer: Some(seen_answer),
        }
    }
}

impl Service {
    /// Ends the pended cases whose scenario says so and whose time has come: how many.
    ///
    /// The time is counted from the case's current answer in the store, so that a restart loses
    /// nothing, and whoever decides a case earlier was first (rulings 41).
    ///
    /// # Errors
    /// The store failed; what was decided before stays decided.
    pub async fn decide_due_scenarios(&self) -> Result<usize, ServiceError> {
        let scenarios = &self.terms.scenarios;
        let members = scenarios.waited_for();
        let waiting = self.store.pended_cases_of(&members, MOST_AT_ONCE).await?;
        let now = self.world.now();
        let mut decided = 0;
        for case in waiting {
            let Some(later) = scenarios.later(&case.member_id) else { continue };
            if case.changed_at.checked_add(later.after).is_ok_and(|due| due > now) {
                continue;
            }
            match self.review(&case.case_id, &later.review(case.current_answer)).await {
                Ok(_) => decided += 1,
                // Somebody was faster, or the case is older than its member's scenario.
                Err(
                    ReviewError::MovedOn(_)
                    | ReviewError::NothingWaits(_)
                    | ReviewError::NoSuchCase
                    | ReviewError::Incomplete(_),
                ) => {}
                Err(ReviewError::Failed(error)) => return Err(error),
            }
        }
        Ok(decided)
    }
}
