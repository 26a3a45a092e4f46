//! What evaluation finds, with everything needed to explain it.

use crate::facts::Source;
use crate::terms::{Day, Truth};

/// A policy and the edition that judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyId {
    /// The policy's id, `amtagvi`.
    pub id: Box<str>,
    /// The policy's title for people.
    pub title: Box<str>,
    /// The first day of the edition that judged; `None` where none was in force.
    pub edition: Option<Day>,
}

/// What one clause of a policy came to.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The clause's id: `1`..`6`, `L1`..
    pub clause: Box<str>,
    /// Its title, a few words.
    pub title: Box<str>,
    /// What it asks, in our words.
    pub words: Box<str>,
    /// A limitation's truth is `Met` when it is clear.
    pub truth: Truth,
    /// The facts that decided.
    pub counted: Vec<Cited>,
    /// Facts that were looked at and not counted.
    pub set_aside: Vec<SetAside>,
    /// What would settle an unknown, as questions to the clinician.
    pub needs: Vec<String>,
    /// Of an unknown: what kind it is.
    pub lack: Option<Lack>,
    /// Of an unknown: the records that could not be read, in sentences. What they hold might
    /// settle it.
    pub unread: Vec<String>,
}

/// Why a clause is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Evidence is simply absent: it is asked for.
    Evidence,
    /// Evidence is there and calls for judgement.
    Judgement,
}

/// A fact that decided, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cited {
    /// Where it stands.
    pub source: Source,
    /// What it says, in words.
    pub says: String,
}

/// A fact that was not counted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it stands.
    pub source: Source,
    /// Why it was not counted.
    pub why: String,
}

/// What the engine determines. It never denies: people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Determination {
    /// No policy of the plan speaks of the product.
    NotSubject,
    /// Every criterion is met and every limitation clear.
    Approve,
    /// Something is missing; the findings say what.
    Pend,
    /// A person has to look; the verdict says why.
    Review,
}

impl Determination {
    /// The word that the command line's JSON uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Determination::NotSubject => "not-subject",
            Determination::Approve => "approve",
            Determination::Pend => "pend",
            Determination::Review => "review",
        }
    }
}

/// The determination of one order and how it came about.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Which policy judged; `None` if none speaks of the product.
    pub policy: Option<PolicyId>,
    /// What was determined.
    pub determination: Determination,
    /// One finding for each clause, in the policy's order.
    pub findings: Vec<Finding>,
    /// Why a person has to look, or why nothing was judged.
    pub reasons: Vec<String>,
    /// What a person can read and no rule reads; it proves nothing.
    pub to_read: Vec<Cited>,
}

impl Verdict {
    /// Everything that is asked of the clinician, clause by clause.
    pub fn needs(&self) -> impl Iterator<Item = (&Finding, &str)> {
        self.findings
            .iter()
            .flat_map(|finding| finding.needs.iter().map(move |need| (finding, need.as_str())))
    }
}
