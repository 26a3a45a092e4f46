//! What a case expects, and how an answer differs from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::judge::{Clause, Found};

/// One word, or several of which each will do.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOf {
    One(String),
    Any(Vec<String>),
}

impl OneOf {
    fn holds(&self, word: &str) -> bool {
        match self {
            OneOf::One(only) => only == word,
            OneOf::Any(words) => words.iter().any(|other| other == word),
        }
    }

    fn only(&self) -> Option<&str> {
        match self {
            OneOf::One(only) => Some(only),
            OneOf::Any(_) => None,
        }
    }
}

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OneOf::One(only) => f.write_str(only),
            OneOf::Any(words) => f.write_str(&words.join(" or ")),
        }
    }
}

/// The expected answer; clauses that are not named are met.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Expect {
    determination: OneOf,
    policy_version: Option<String>,
    /// No clause is judged at all.
    #[serde(default)]
    no_clauses: bool,
    /// What the clauses come to is left open.
    #[serde(default)]
    any_clauses: bool,
    #[serde(flatten)]
    clauses: BTreeMap<String, OneOf>,
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
    /// Whether `clause` is certainly expected to be `truth`, and every other clause met.
    pub(super) fn is_alone(&self, clause: &str, truth: &str) -> bool {
        !self.any_clauses && self.clauses.len() == 1 && self.is_certain(clause, truth)
    }

    /// Whether `clause` is certainly expected to be `truth`.
    pub(super) fn is_certain(&self, clause: &str, truth: &str) -> bool {
        self.clauses.get(clause).and_then(OneOf::only) == Some(truth)
    }

    /// How `found` differs from what is expected of the policy's clauses.
    pub(super) fn faults(&self, clauses: &[String], found: &Found) -> Vec<String> {
        for name in self.clauses.keys() {
            assert!(clauses.contains(name), "`{name}` is no clause");
        }
        let mut faults = Vec::new();
        if !self.determination.holds(found.determination) {
            let reasons = found.reasons.join("; ");
            faults.push(format!(
                "expected {}, found {} ({reasons})",
                self.determination, found.determination
            ));
        }
        let edition = found.edition.as_deref().unwrap_or("none");
        if let Some(version) = self.policy_version.as_deref().filter(|version| *version != edition)
        {
            faults.push(format!("expected the edition {version}, found {edition}"));
        }
        if self.no_clauses {
            if !found.clauses.is_empty() {
                faults.push("expected no clause to be judged".to_owned());
            }
            return faults;
        }
        if self.any_clauses {
            return faults;
        }
        for name in clauses {
            match found.clauses.get(name) {
                None => faults.push(format!("{name}: is not judged")),
                Some(clause) => faults.extend(self.clause_faults(name, clause, found)),
            }
        }
        let asks = found.clauses.values().any(|clause| !clause.needs.is_empty());
        // rulings 4: a request pends with at least one need.
        if found.determination == "pend" && !asks {
            faults.push("pends and asks for nothing".to_owned());
        }
        faults
    }

    fn clause_faults(&self, name: &str, clause: &Clause, found: &Found) -> Vec<String> {
        let mut faults = Vec::new();
        let met = OneOf::One("met".to_owned());
        let expected = self.clauses.get(name).unwrap_or(&met);
        if !expected.holds(clause.truth) {
            let needs = clause.needs.join(" / ");
            faults.push(format!("{name}: expected {expected}, found {}; {needs}", clause.truth));
        }
        // rulings 5: because is not empty for met and not-met, needs not for an unknown that pends.
        if clause.truth != "unknown" && !clause.has_counted {
            faults.push(format!("{name}: {} without a because", clause.truth));
        }
        let pends = found.determination == "pend" && !clause.is_for_judgement;
        if clause.truth == "unknown" && pends && clause.needs.is_empty() {
            faults.push(format!("{name}: unknown without a need"));
        }
        faults
    }
}
