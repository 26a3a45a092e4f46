//! What a condition sees while it judges, and how it reports.

use super::asks::Asks;
use super::attested::Answers;
use super::disease::{Disease, Picture};
use super::finding::{Cited, Lack, SetAside};
use super::registry::Registry;
use crate::facts::{Case, Source};
use crate::terms::{Day, Truth, When};

/// One order before one edition on one day.
pub struct Scene<'s> {
    /// The facts.
    pub case: Case<'s>,
    /// The day of judging: what is dated after it cannot be known yet.
    pub as_of: Day,
    /// The codes of the policy's disease.
    pub disease: &'s Disease,
    /// How the disease shows in the records.
    pub picture: &'s Picture<'s>,
    /// The qualified places.
    pub registry: &'s Registry,
    /// Whether a concept is the policy's product.
    pub product: &'s dyn Fn(&crate::terms::Concept) -> bool,
    /// The names of the product in words.
    pub product_names: &'s [String],
    /// The answers to the clause's questions.
    pub answers: &'s Answers,
    /// What the clause asks where it stays unknown.
    pub asks: &'s Asks,
    /// The policy's id.
    pub policy: &'s str,
}

impl Scene<'_> {
    /// The day of the request, from which look-back windows count (rulings 25).
    #[must_use]
    pub fn requested(&self) -> When {
        self.case.order.requested_on.value
    }

    /// Whether a date lies after the day of judging.
    #[must_use]
    pub fn is_future(&self, when: When) -> bool {
        when.first() > self.as_of
    }

    /// An unknown that is asked for under `key`.
    #[must_use]
    pub fn ask(&self, key: &str, found: &str) -> Outcome {
        Outcome {
            truth: Truth::Unknown,
            needs: vec![self.asks.text(key, found)],
            lack: Some(Lack::Evidence),
            ..Outcome::met(Vec::new())
        }
    }

    /// An unknown for which evidence is there that a person has to judge.
    #[must_use]
    pub fn judge(&self, key: &str, found: &str, evidence: Vec<Cited>) -> Outcome {
        Outcome { lack: Some(Lack::Judgement), counted: evidence, ..self.ask(key, found) }
    }
}

/// What a condition came to.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it holds.
    pub truth: Truth,
    /// The facts that decided, or that a person has to look at.
    pub counted: Vec<Cited>,
    /// The facts that were looked at and not counted.
    pub set_aside: Vec<SetAside>,
    /// Questions that would settle it.
    pub needs: Vec<String>,
    /// What kind of unknown it is.
    pub lack: Option<Lack>,
    /// Of an unknown: the records that could not be read, in sentences.
    pub unread: Vec<String>,
}

impl Outcome {
    /// It holds, by these facts.
    #[must_use]
    pub fn met(counted: Vec<Cited>) -> Outcome {
        Outcome {
            truth: Truth::Met,
            counted,
            set_aside: Vec::new(),
            needs: Vec::new(),
            lack: None,
            unread: Vec::new(),
        }
    }

    /// It does not hold, by these facts.
    #[must_use]
    pub fn not_met(counted: Vec<Cited>) -> Outcome {
        Outcome { truth: Truth::NotMet, ..Outcome::met(counted) }
    }

    /// The same, with facts that were not counted.
    #[must_use]
    pub fn without(mut self, set_aside: Vec<SetAside>) -> Outcome {
        self.set_aside.extend(set_aside);
        self
    }
}

/// A fact that counts.
#[must_use]
pub fn cite(source: &Source, says: impl Into<String>) -> Cited {
    Cited { source: source.clone(), says: says.into() }
}

/// A fact that does not count.
#[must_use]
pub fn aside(source: &Source, why: impl Into<String>) -> SetAside {
    SetAside { source: source.clone(), why: why.into() }
}

/// How many facts a question names.
const MOST_FOUND: usize = 12;

/// How a list of facts reads in a question: what each says, and its date.
#[must_use]
pub fn found(facts: &[Cited]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (place, fact) in facts.iter().enumerate() {
        if parts.len() == MOST_FOUND {
            parts.push(format!("and {} more", facts.len() - place));
            break;
        }
        let part = match fact.source.date {
            Some(date) => format!("{} ({date})", fact.says),
            None => format!("{} (no date)", fact.says),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SourceKind;

    #[test]
    fn a_question_names_a_dozen_facts_and_counts_the_rest() {
        let source = |resource: &str| Source {
            resource: resource.into(),
            element: "code".into(),
            date: None,
            kind: SourceKind::Request,
        };
        let facts: Vec<Cited> =
            (0..15).map(|it| cite(&source("c"), format!("fact {it}"))).collect();
        let words = found(&facts);
        assert!(words.ends_with("fact 11 (no date); and 3 more"), "{words}");
        assert!(found(&facts[..12]).ends_with("fact 11 (no date)"));
        let same = vec![cite(&source("c"), "one"); 20];
        assert_eq!(found(&same), "one (no date)");
    }
}
