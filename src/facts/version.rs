//! Versions of one report.

use super::evidence::Observation;
use crate::terms::{Concept, Truth};

impl Observation {
    /// Whether this is the newer version of the report that `old` is: they share a business
    /// identifier and a test, and this one is a correction that is not the older of the two.
    ///
    /// clinical.md 5.2: of one report the newest corrected version holds.
    #[must_use]
    pub fn replaces(&self, old: &Observation) -> bool {
        let date = |it: &Observation| it.issued.or(it.source.date);
        let is_same_report = self.identifiers.iter().any(|it| old.identifiers.contains(it))
            && is_same_test(&self.code, &old.code);
        if !self.is_correction() || !is_same_report {
            return false;
        }
        match (date(self), date(old)) {
            (Some(new_date), Some(old_date)) => {
                old_date.on_or_before(new_date) == Truth::Met
                    && (!old.is_correction() || old_date.before(new_date) == Truth::Met)
            }
            (None, _) | (_, None) => !old.is_correction(),
        }
    }

    /// Whether it is a corrected version of a report that can be told from others.
    #[must_use]
    pub fn is_correction(&self) -> bool {
        let is_corrected = matches!(self.status.as_deref(), Some("corrected" | "amended"));
        is_corrected && !self.identifiers.is_empty()
    }
}

/// Whether two versions of a report name one test: by a code of both, whatever the words beside it.
fn is_same_test(one: &Concept, other: &Concept) -> bool {
    one == other || one.codings.iter().any(|coding| other.codings.contains(coding))
}
