//! Conditions made of conditions: all of them, any of them, not this one.
//!
//! Kleene's logic over the parts, and the parts' facts and questions put together so that the whole
//! cites what decided it and asks only for what would settle it.

use serde::Deserialize;

use crate::policy::asks::Asks;
use crate::policy::criterion::Condition;
use crate::policy::finding::Lack;
use crate::policy::scene::{Outcome, Scene};
use crate::terms::Truth;

/// A part: a condition, with questions of its own where those of the clause do not fit.
#[derive(Debug, Deserialize)]
pub struct Arm {
    /// Its questions; the reader puts in those of the clause that it has not.
    #[serde(default)]
    pub asks: Asks,
    /// When it holds.
    #[serde(flatten)]
    pub condition: Condition,
}

/// Every part holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllOf {
    /// The parts.
    pub of: Vec<Arm>,
}

/// At least one part holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnyOf {
    /// The parts.
    pub of: Vec<Arm>,
}

/// The part does not hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotOf {
    /// The part.
    pub of: Box<Arm>,
}

impl Arm {
    fn judge(&self, scene: &Scene<'_>) -> Outcome {
        self.condition.judge(&Scene { asks: &self.asks, ..*scene })
    }
}

impl AllOf {
    /// One part that does not hold decides; an unknown asks for all that is unknown.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        combined(self.of.iter().map(|arm| arm.judge(scene)).collect(), Whole::All)
    }
}

impl AnyOf {
    /// One part that holds decides, and nothing is asked for the others.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        combined(self.of.iter().map(|arm| arm.judge(scene)).collect(), Whole::Any)
    }
}

impl NotOf {
    /// What proves the part disproves the whole, and the other way round.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let outcome = self.of.judge(scene);
        Outcome { truth: !outcome.truth, ..outcome }
    }
}

/// How parts make a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    All,
    Any,
}

/// The outcome of a whole: the facts, questions and lack of those parts that have its own truth.
fn combined(parts: Vec<Outcome>, whole: Whole) -> Outcome {
    let truths = parts.iter().map(|part| part.truth);
    let truth = match whole {
        Whole::All => Truth::all(truths),
        Whole::Any => Truth::any(truths),
    };
    let (deciding, others): (Vec<Outcome>, Vec<Outcome>) =
        parts.into_iter().partition(|part| part.truth == truth);
    let mut outcome = Outcome { truth, ..Outcome::met(Vec::new()) };
    outcome.lack = lack(&deciding, whole);
    for part in deciding {
        outcome.counted.extend(part.counted);
        outcome.set_aside.extend(part.set_aside);
        add_new(&mut outcome.needs, part.needs);
        add_new(&mut outcome.unread, part.unread);
    }
    // What is known beside an unknown stays visible to who has to settle it.
    if truth == Truth::Unknown {
        outcome.counted.extend(others.into_iter().flat_map(|part| part.counted));
    }
    let mut seen = Vec::new();
    outcome.counted.retain(|cited| {
        let is_new = !seen.contains(cited);
        if is_new {
            seen.push(cited.clone());
        }
        is_new
    });
    outcome
}

fn add_new(texts: &mut Vec<String>, more: Vec<String>) {
    for text in more {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
}

/// The kind of an unknown whole.
fn lack(unknown: &[Outcome], whole: Whole) -> Option<Lack> {
    let has = |lack: Lack| unknown.iter().any(|part| part.lack == Some(lack));
    match (whole, has(Lack::Judgement), has(Lack::Evidence)) {
        // One part is enough, and a person can settle that one with what is there.
        (Whole::Any, true, _) => Some(Lack::Judgement),
        // All are needed, so that what is missing has to be sent whatever a person says (rulings 4).
        (Whole::All, _, true) | (Whole::Any, false, true) => Some(Lack::Evidence),
        (Whole::All, true, false) => Some(Lack::Judgement),
        (_, false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Source, SourceKind};
    use crate::policy::scene::cite;

    fn fact(name: &str) -> crate::policy::Cited {
        let (resource, element) = (name.into(), "value".into());
        cite(&Source { resource, element, date: None, kind: SourceKind::Record }, name)
    }

    fn met(name: &str) -> Outcome {
        Outcome::met(vec![fact(name)])
    }

    fn not_met(name: &str) -> Outcome {
        Outcome::not_met(vec![fact(name)])
    }

    fn unknown(need: &str, lack: Lack) -> Outcome {
        let needs = vec![need.to_owned()];
        Outcome { truth: Truth::Unknown, needs, lack: Some(lack), ..Outcome::met(Vec::new()) }
    }

    #[track_caller]
    fn check(
        whole: Whole,
        parts: Vec<Outcome>,
        truth: Truth,
        cited: &[&str],
        needs: &[&str],
        lack: Option<Lack>,
    ) {
        let outcome = combined(parts, whole);
        let said: Vec<&str> = outcome.counted.iter().map(|cited| &*cited.says).collect();
        assert_eq!((outcome.truth, outcome.lack), (truth, lack));
        assert_eq!(said, cited);
        assert_eq!(outcome.needs, needs);
    }

    const EVIDENCE: Lack = Lack::Evidence;
    const JUDGEMENT: Lack = Lack::Judgement;

    #[test]
    fn an_any_that_one_part_meets_cites_it_and_asks_for_nothing() {
        let parts = vec![unknown("a", EVIDENCE), met("b"), not_met("c"), met("b")];
        check(Whole::Any, parts, Truth::Met, &["b"], &[], None);
    }

    #[test]
    fn an_any_that_no_part_meets_cites_all_that_disproves() {
        let parts = vec![not_met("a"), not_met("b")];
        check(Whole::Any, parts, Truth::NotMet, &["a", "b"], &[], None);
    }

    #[test]
    fn an_any_that_is_open_asks_for_what_would_meet_it() {
        let parts = vec![unknown("a", EVIDENCE), not_met("b"), unknown("a", EVIDENCE)];
        check(Whole::Any, parts, Truth::Unknown, &["b"], &["a"], Some(EVIDENCE));
        let parts = vec![unknown("a", EVIDENCE), unknown("b", JUDGEMENT)];
        check(Whole::Any, parts, Truth::Unknown, &[], &["a", "b"], Some(JUDGEMENT));
    }

    #[test]
    fn an_all_that_one_part_disproves_cites_it_and_asks_for_nothing() {
        let parts = vec![unknown("a", EVIDENCE), met("b"), not_met("c")];
        check(Whole::All, parts, Truth::NotMet, &["c"], &[], None);
    }

    #[test]
    fn an_all_that_is_open_asks_for_everything_that_is_open() {
        let parts = vec![unknown("a", EVIDENCE), met("b"), unknown("c", JUDGEMENT)];
        check(Whole::All, parts, Truth::Unknown, &["b"], &["a", "c"], Some(EVIDENCE));
        let parts = vec![met("b"), unknown("c", JUDGEMENT)];
        check(Whole::All, parts, Truth::Unknown, &["b"], &["c"], Some(JUDGEMENT));
        check(Whole::All, vec![met("a"), met("b")], Truth::Met, &["a", "b"], &[], None);
    }
}
