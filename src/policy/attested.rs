//! Answers to the payer's questionnaire: what each may prove is set in the policy, clause by clause.
//!
//! An answer counts if it belongs to the policy's questionnaire, is complete, dated, and not the
//! patient's own.
//! A person's word is weaker than a record: the policy says per question whether it proves the
//! clause, a part of it, or only that somebody has to look.

use serde::Deserialize;

use super::criterion::{Clause, Condition};
use super::finding::{Cited, Lack, SetAside};
use super::scene::{Outcome, aside, cite};
use crate::facts::{Attestation, Case};
use crate::terms::{Day, Truth, When};

/// One answer to one question, and what it proves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// The question, `linkId` of the questionnaire's item.
    pub link_id: String,
    /// The answer that proves it.
    pub answer: bool,
    /// What that answer says, in words.
    pub says: String,
    /// What it proves.
    pub proves: Proof,
}

/// What an answer proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// That the disease is as far advanced as asked; the diagnosis itself needs a record.
    Extent,
    /// That the patient is not in the state that excludes the therapy.
    StateAbsent,
    /// That the patient is in it.
    StatePresent,
    /// That the clause holds, where records do not tell.
    Met,
    /// That it does not hold, whatever records tell: a person looks.
    NotMet,
    /// That a person has to look.
    Judgement,
}

impl Proof {
    /// Whether a kind of condition can make use of it.
    pub(super) fn suits(self, condition: &Condition) -> bool {
        match self {
            Proof::Extent => matches!(condition, Condition::DiagnosisWithExtent(_)),
            Proof::StateAbsent | Proof::StatePresent => {
                matches!(condition, Condition::ExcludedState(_))
            }
            Proof::Met | Proof::NotMet | Proof::Judgement => true,
        }
    }
}

/// An answer that counts.
#[derive(Debug)]
pub struct Answered {
    /// What it proves.
    pub proof: Proof,
    /// When it was given.
    pub date: When,
    /// The answer as a fact.
    pub cited: Cited,
}

/// The answers to a clause's questions.
#[derive(Debug, Default)]
pub struct Answers {
    /// Those that count.
    pub given: Vec<Answered>,
    set_aside: Vec<SetAside>,
}

impl Answers {
    /// Collects the answers of a case to a clause's questions.
    #[must_use]
    pub fn to(clause: &Clause, questionnaire: Option<&str>, case: Case<'_>, as_of: Day) -> Answers {
        let mut answers = Answers::default();
        let ours: Vec<&Attestation> = case
            .evidence
            .attestations
            .iter()
            .filter(|it| {
                Some(&*it.questionnaire) == questionnaire
                    && clause.attested.iter().any(|known| known.link_id == *it.link_id)
            })
            .collect();
        for answer in &ours {
            let source = &answer.source;
            let date = source.date.filter(|date| date.first() <= as_of);
            let (Some(date), Some(said), true) = (date, answer.answer, answer.stands) else {
                let why = "not a complete, dated yes or no of somebody other than the patient";
                answers.set_aside.push(aside(source, why));
                continue;
            };
            let mut same = ours.iter().filter(|other| other.link_id == answer.link_id);
            let is_contradicted = same.any(|other| {
                other.stands
                    && other.answer == Some(!said)
                    && other.source.date.is_none_or(|other| other.before(date) != Truth::Met)
            });
            let known = |it: &&Attested| it.link_id == *answer.link_id && it.answer == said;
            match clause.attested.iter().find(known) {
                _ if is_contradicted => {
                    answers.set_aside.push(aside(source, "another answer says the opposite"));
                }
                None => answers.set_aside.push(aside(source, "this answer proves nothing")),
                Some(known) => answers.given.push(Answered {
                    proof: known.proves,
                    date,
                    cited: cite(source, format!("attested: {}", known.says)),
                }),
            }
        }
        answers
    }

    /// The answers that prove a part that a condition reads by itself.
    pub fn of(&self, proof: Proof) -> impl Iterator<Item = &Answered> {
        self.given.iter().filter(move |answer| answer.proof == proof)
    }

    fn cited(&self, proof: Proof) -> Vec<Cited> {
        self.of(proof).map(|answer| answer.cited.clone()).collect()
    }

    /// What a condition came to, with the answers to the clause as a whole.
    #[must_use]
    pub(super) fn complete(self, outcome: Outcome) -> Outcome {
        let (met, not_met, to_judge) =
            (self.cited(Proof::Met), self.cited(Proof::NotMet), self.cited(Proof::Judgement));
        let is_open = outcome.truth == Truth::Unknown && outcome.lack != Some(Lack::Judgement);
        let outcome = if outcome.truth != Truth::NotMet && !not_met.is_empty() {
            let set_aside = outcome.set_aside;
            Outcome::not_met(not_met).without(set_aside)
        } else if outcome.truth == Truth::Unknown && !to_judge.is_empty() {
            let counted = outcome.counted.into_iter().chain(to_judge).collect();
            Outcome { lack: Some(Lack::Judgement), counted, ..outcome }
        } else if is_open && !met.is_empty() {
            let set_aside = outcome.set_aside;
            Outcome::met(met).without(set_aside)
        } else {
            outcome
        };
        outcome.without(self.set_aside)
    }
}
