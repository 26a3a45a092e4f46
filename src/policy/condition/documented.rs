//! A diagnosis that the records document.

use serde::Deserialize;

use crate::policy::codes::Codes;
use crate::policy::finding::Cited;
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::Standing;
use crate::terms::{Truth, When};

/// A current, confirmed, dated Condition of one of the codes.
///
/// It is met or unknown: no record proves that a diagnosis is absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentedDiagnosis {
    /// What the diagnosis is called.
    pub name: String,
    /// Its codes.
    pub codes: Codes,
}

impl DocumentedDiagnosis {
    /// Asked: the diagnosis.
    pub const ASKS: &'static [&'static str] = &["diagnosis"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![&mut self.codes]
    }

    /// Looks at every Condition of the codes; one that was refuted since is believed no more.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let mut current: Vec<(When, Cited)> = Vec::new();
        let mut refuted: Vec<Option<When>> = Vec::new();
        let (mut others, mut set_aside) = (Vec::new(), Vec::new());
        for condition in &scene.case.evidence.conditions {
            if !self.codes.has(&condition.code) {
                continue;
            }
            let source = &condition.source;
            let standing = Standing::of(condition, scene.as_of);
            match (standing, source.date) {
                (Standing::Current, Some(date)) => {
                    current.push((date, cite(source, condition.code.name())));
                    continue;
                }
                (Standing::Refuted, date) => refuted.push(date),
                (Standing::EnteredInError, _) => continue,
                (
                    Standing::Current
                    | Standing::Past
                    | Standing::Unconfirmed
                    | Standing::Unclear(_),
                    _,
                ) => {}
            }
            others.push(cite(source, format!("{}, {}", condition.code.name(), standing.words())));
            set_aside.push(aside(source, standing.words()));
        }
        let still_stands = |date: When| {
            let is_before =
                |refuted: &Option<When>| refuted.is_some_and(|it| it.before(date) == Truth::Met);
            refuted.iter().all(is_before)
        };
        let (standing, doubted): (Vec<_>, Vec<_>) =
            current.into_iter().partition(|(date, _)| still_stands(*date));
        let cited = |dated: Vec<(When, Cited)>| dated.into_iter().map(|(_, cited)| cited);
        if !standing.is_empty() {
            return Outcome::met(cited(standing).collect()).without(set_aside);
        }
        others.extend(cited(doubted));
        let seen = if others.is_empty() { format!("no {}", self.name) } else { found(&others) };
        scene.ask("diagnosis", &seen).without(set_aside)
    }
}
