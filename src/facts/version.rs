//! Versions of one report.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::evidence::Observation;
use crate::terms::When;

impl Observation {
    /// Whether it is a corrected version of a report that can be told from others.
    #[must_use]
    pub fn is_correction(&self) -> bool {
        let is_corrected = matches!(self.status.as_deref(), Some("corrected" | "amended"));
        is_corrected && !self.identifiers.is_empty()
    }

    fn version_date(&self) -> Option<When> {
        self.issued.or(self.source.date)
    }
}

/// The corrected versions among Observations, by the business identifiers of their reports.
#[derive(Debug)]
pub struct Corrections<'o> {
    of_report: HashMap<&'o str, Versions<'o>>,
}

/// The corrected versions of one report.
#[derive(Debug, Default)]
struct Versions<'o> {
    undated: Vec<&'o Observation>,
    /// The newest first.
    dated: Vec<(When, &'o Observation)>,
}

impl<'o> Corrections<'o> {
    /// Looks for corrections.
    #[must_use]
    pub fn among(observations: impl Iterator<Item = &'o Observation>) -> Corrections<'o> {
        let mut of_report: HashMap<&'o str, Versions<'o>> = HashMap::new();
        for correction in observations.filter(|it| it.is_correction()) {
            for identifier in &correction.identifiers {
                let versions = of_report.entry(identifier).or_default();
                match correction.version_date() {
                    Some(date) => versions.dated.push((date, correction)),
                    None => versions.undated.push(correction),
                }
            }
        }
        for versions in of_report.values_mut() {
            versions.dated.sort_by_key(|(date, _)| Reverse(date.first()));
        }
        Corrections { of_report }
    }

    /// The newer versions of the report that `old` is: they share a business identifier and a test,
    /// and are not older.
    ///
    /// clinical.md 5.2: of one report the newest corrected version holds.
    pub fn of<'s>(&'s self, old: &'s Observation) -> impl Iterator<Item = &'o Observation> + 's {
        let reports = old.identifiers.iter().filter_map(|it| self.of_report.get(&**it));
        reports.flat_map(|versions| versions.newer_than(old)).filter(|it| {
            it.code == old.code || it.code.codings.iter().any(|it| old.code.codings.contains(it))
        })
    }
}

impl<'o> Versions<'o> {
    /// Of two corrections the newer one holds; one without a date is not known to be it.
    fn newer_than<'s>(&'s self, old: &Observation) -> impl Iterator<Item = &'o Observation> + 's {
        let (date, is_correction) = (old.version_date(), old.is_correction());
        let is_newer = move |(it, _): &&(When, &'o Observation)| match date {
            Some(old_date) if is_correction => old_date.last() < it.first(),
            Some(old_date) => old_date.last() <= it.first(),
            None => !is_correction,
        };
        let undated = if is_correction { [].as_slice() } else { self.undated.as_slice() };
        let dated = self.dated.iter().take_while(is_newer).map(|(_, it)| it);
        undated.iter().chain(dated).copied()
    }
}
