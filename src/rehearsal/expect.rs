//! What a case expects, and how an answer differs from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::policy::{Determination, Finding, Lack, Verdict};
use crate::terms::Truth;

/// The words that a determination can have.
const DETERMINATIONS: [Determination; 4] =
    [Determination::NotSubject, Determination::Approve, Determination::Pend, Determination::Review];
/// What a clause can come to.
const TRUTHS: [Truth; 3] = [Truth::Met, Truth::NotMet, Truth::Unknown];

/// One word, or several of which each will do.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOf {
    One(String),
    Any(Vec<String>),
}

impl OneOf {
    fn words(&self) -> &[String] {
        match self {
            OneOf::One(only) => std::slice::from_ref(only),
            OneOf::Any(words) => words,
        }
    }

    fn holds(&self, word: &str) -> bool {
        self.words().iter().any(|other| other == word)
    }

    /// The first of its words that is not among `known`.
    fn stranger(&self, known: &[&str]) -> Option<&str> {
        self.words().iter().map(String::as_str).find(|word| !known.contains(word))
    }
}

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" or "))
    }
}

/// The expected answer; clauses that are not named are met.
#[derive(Clone, Debug, Deserialize)]
pub struct Expect {
    determination: OneOf,
    /// The first day of the edition that has to judge, where the case says one.
    pub policy_version: Option<String>,
    /// No clause is judged at all.
    #[serde(default)]
    no_clauses: bool,
    /// What the clauses come to is left open.
    #[serde(default)]
    any_clauses: bool,
    #[serde(flatten)]
    clauses: BTreeMap<String, OneOf>,
}

/// A way in which an answer differs from what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: `determination`, `edition`, `clause 4`, or a telling that must change nothing.
    pub place: String,
    /// The clause, where it is one.
    pub clause: Option<Box<str>>,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.place, self.expected, self.found)
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.determination)?;
        if let Some(version) = &self.policy_version {
            write!(f, ", edition {version}")?;
        }
        for (clause, truth) in &self.clauses {
            write!(f, ", {clause} {truth}")?;
        }
        Ok(())
    }
}

impl Expect {
    /// Whether what is expected can be found at all, by a policy with these clauses.
    pub(super) fn check(&self, clauses: &[Box<str>]) -> Result<(), String> {
        let determinations = DETERMINATIONS.map(Determination::as_str);
        if let Some(word) = self.determination.stranger(&determinations) {
            return Err(format!("`expect.determination`: `{word}` is no determination"));
        }
        for (name, truths) in &self.clauses {
            if !clauses.iter().any(|clause| **clause == **name) {
                return Err(format!("`expect.{name}`: `{name}` is no clause of the policy"));
            }
            if let Some(word) = truths.stranger(&TRUTHS.map(Truth::as_str)) {
                return Err(format!("`expect.{name}`: `{word}` is not met, not-met or unknown"));
            }
        }
        Ok(())
    }

    /// Whether `clause` is certainly expected to be `truth`, and every other clause met.
    #[must_use]
    pub fn is_alone(&self, clause: &str, truth: &str) -> bool {
        !self.any_clauses && self.clauses.len() == 1 && self.is_certain(clause, truth)
    }

    /// Whether `clause` is certainly expected to be `truth`.
    #[must_use]
    pub fn is_certain(&self, clause: &str, truth: &str) -> bool {
        self.clauses.get(clause).is_some_and(|expected| expected.words() == [truth])
    }

    /// How the determination differs from what is expected.
    #[must_use]
    pub fn determination_fault(&self, found: Determination, reasons: &[String]) -> Option<Fault> {
        if self.determination.holds(found.as_str()) {
            return None;
        }
        let why =
            if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
        Some(Fault {
            place: "determination".to_owned(),
            clause: None,
            expected: self.determination.to_string(),
            found: format!("{}{why}", found.as_str()),
        })
    }

    /// How `found` differs from what is expected of a policy with these clauses.
    #[must_use]
    pub fn faults(&self, found: &Verdict, clauses: &[Box<str>]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut report = |place: &str, expected: &str, found: &str| {
            let (expected, found) = (expected.to_owned(), found.to_owned());
            faults.push(Fault { place: place.to_owned(), clause: None, expected, found });
        };
        let edition = found.policy.as_ref().and_then(|policy| policy.edition);
        let edition = edition.map_or_else(|| "none".to_owned(), |day| day.to_string());
        if let Some(version) = self.policy_version.as_deref().filter(|it| *it != edition) {
            report("edition", version, &edition);
        }
        if self.no_clauses && !found.findings.is_empty() {
            report("clauses", "none is judged", "some are");
        }
        let asks = found.needs().next().is_some();
        let is_open = self.no_clauses || self.any_clauses;
        // rulings 4: a request pends with at least one need.
        if found.determination == Determination::Pend && !asks && !is_open {
            report("determination", "a question where it pends", "none");
        }
        faults.extend(self.determination_fault(found.determination, &found.reasons));
        if !is_open {
            for name in clauses {
                faults.extend(self.clause_faults(name, found));
            }
        }
        faults
    }

    fn clause_faults(&self, name: &str, found: &Verdict) -> Vec<Fault> {
        let fault = |expected: String, found: String| Fault {
            place: format!("clause {name}"),
            clause: Some(name.into()),
            expected,
            found,
        };
        let met = OneOf::One(Truth::Met.as_str().to_owned());
        let expected = self.clauses.get(name).unwrap_or(&met);
        let Some(finding) = finding(found, name) else {
            return vec![fault(expected.to_string(), "that it is not judged".to_owned())];
        };
        let truth = finding.truth.as_str();
        let mut faults = Vec::new();
        if !expected.holds(truth) {
            faults.push(fault(expected.to_string(), truth.to_owned()));
        }
        // rulings 5: because is not empty for met and not-met, needs not for an unknown that pends.
        if finding.truth != Truth::Unknown && finding.counted.is_empty() {
            faults.push(fault("a fact that decided".to_owned(), format!("{truth} without one")));
        }
        let pends = found.determination == Determination::Pend;
        let is_for_judgement = finding.lack == Some(Lack::Judgement);
        let is_silent = finding.needs.is_empty() && !is_for_judgement;
        if finding.truth == Truth::Unknown && pends && is_silent {
            faults.push(fault("a question".to_owned(), "unknown without one".to_owned()));
        }
        faults
    }
}

/// What a clause came to.
#[must_use]
pub fn finding<'v>(verdict: &'v Verdict, clause: &str) -> Option<&'v Finding> {
    verdict.findings.iter().find(|finding| &*finding.clause == clause)
}

/// How another answer to the same story differs from the first: in nothing, if all is well.
pub(super) fn difference(kind: &str, first: &Verdict, again: &Verdict) -> Option<Fault> {
    let fault = |place: String, clause: Option<&str>, expected: &str, found: &str| Fault {
        place,
        clause: clause.map(Into::into),
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    if first.determination != again.determination {
        let (expected, found) = (first.determination.as_str(), again.determination.as_str());
        return Some(fault(kind.to_owned(), None, expected, found));
    }
    first.findings.iter().find_map(|one| {
        let name = &*one.clause;
        let truth = finding(again, name).map_or("nothing", |other| other.truth.as_str());
        let place = format!("{kind}, clause {name}");
        (truth != one.truth.as_str()).then(|| fault(place, Some(name), one.truth.as_str(), truth))
    })
}
