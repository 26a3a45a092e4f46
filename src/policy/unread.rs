//! What becomes of an outcome where records could not be read (crd.md 3.9).
//!
//! What facts prove stays proven. What rests on having read everything is withheld: that nothing
//! else is on record, that no dose was given before, that no state excludes the therapy.

use super::criterion::Condition;
use super::finding::Lack;
use super::scene::Outcome;
use crate::facts::Unread;
use crate::terms::Truth;

/// What a kind of condition reads, and which of its outcomes rest on having read all of it.
struct Reads {
    kinds: &'static [&'static [&'static str]],
    met_rests_on_all: bool,
    not_met_rests_on_all: bool,
}

/// What tells of the use of a medication.
const USES: &[&str] = &[
    "Medication",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "MedicationDispense",
    "Procedure",
];
/// What tells of a therapy and how it went.
const THERAPY: &[&[&str]] =
    &[USES, &["AllergyIntolerance", "Condition", "Observation", "ServiceRequest"]];
/// What tells of a state; sex and age say whether it can apply.
const STATE: &[&[&str]] = &[USES, &["Patient", "Condition", "Observation"]];

impl Condition {
    fn reads(&self) -> Reads {
        let reads = |kinds, met, not_met| Reads {
            kinds,
            met_rests_on_all: met,
            not_met_rests_on_all: not_met,
        };
        match self {
            // Only in-situ disease on record: a record that was not read may show more (rulings 18).
            Condition::DiagnosisWithExtent(_) => {
                reads(&[&["Condition", "Observation"]], false, true)
            }
            Condition::AgeAtService(_) => reads(&[&["Patient"]], false, false),
            // Another role may have the specialty.
            Condition::PrescriberSpecialty(_) => {
                reads(&[&["Practitioner", "PractitionerRole"]], false, true)
            }
            Condition::FailedTherapy(_) | Condition::BiomarkerOrTherapy(_) => {
                reads(THERAPY, false, true)
            }
            Condition::SiteInRegistry(_) => {
                reads(&[&["Encounter", "Organization", "Location"]], false, true)
            }
            Condition::Indication(_) | Condition::DocumentedDiagnosis(_) => {
                reads(&[&["Condition"]], false, true)
            }
            // That none is on record is known only of a record that was read; one that was given was.
            Condition::OneDose(_) => reads(&[USES, &["Condition"]], true, false),
            // The newest sign decides, and the newest may be the one that was not read.
            Condition::ExcludedState(_) => reads(STATE, true, true),
            Condition::Measurement(_) => reads(&[&["Observation"]], false, true),
            Condition::AttestedByQuestionnaire(_) => {
                reads(&[&["QuestionnaireResponse"]], false, false)
            }
            // Their parts were asked already.
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => reads(&[], false, false),
        }
    }

    /// Takes back what rests on records that could not be read, and says of an unknown which.
    pub(super) fn withhold(&self, unread: &[Unread], outcome: Outcome) -> Outcome {
        if unread.is_empty() {
            return outcome;
        }
        let reads = self.reads();
        let own =
            unread.iter().filter(|it| reads.kinds.iter().any(|kinds| kinds.contains(&&*it.kind)));
        let unread: Vec<String> = own
            .map(|it| format!("{} records could not be read in full: {}.", it.kind, it.why))
            .collect();
        if unread.is_empty() {
            return outcome;
        }
        let (truth, lack) = match outcome.truth {
            Truth::Met if reads.met_rests_on_all => (Truth::Unknown, Some(Lack::Evidence)),
            // Facts are there, and a person may find that they do.
            Truth::NotMet if reads.not_met_rests_on_all => (Truth::Unknown, Some(Lack::Judgement)),
            Truth::Unknown => (Truth::Unknown, outcome.lack),
            Truth::Met | Truth::NotMet => return outcome,
        };
        let mut outcome = Outcome { truth, lack, unread, ..outcome };
        if outcome.needs.is_empty() {
            let asked = outcome.unread.iter().map(|it| format!("{it} Please send it."));
            outcome.needs = asked.collect();
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Source, SourceKind};
    use crate::policy::codes::Codes;
    use crate::policy::condition::documented::DocumentedDiagnosis;
    use crate::policy::scene::cite;

    fn outcome(truth: Truth) -> Outcome {
        let (resource, element) = ("Condition/c".into(), "Condition.code".into());
        let source = Source { resource, element, date: None, kind: SourceKind::Record };
        Outcome { truth, ..Outcome::met(vec![cite(&source, "a fact")]) }
    }

    fn unread(kind: &str) -> Vec<Unread> {
        vec![Unread { kind: kind.into(), why: "it answered 503".into() }]
    }

    fn documented() -> Condition {
        let codes = Codes::default();
        Condition::DocumentedDiagnosis(DocumentedDiagnosis { name: "d".to_owned(), codes })
    }

    #[test]
    fn what_facts_prove_stays_and_what_rests_on_all_records_is_withheld() {
        let condition = documented();
        let after = |truth, kind| condition.withhold(&unread(kind), outcome(truth));
        assert_eq!(after(Truth::Met, "Condition").truth, Truth::Met);
        let withheld = after(Truth::NotMet, "Condition");
        assert_eq!((withheld.truth, withheld.lack), (Truth::Unknown, Some(Lack::Judgement)));
        assert_eq!(
            withheld.unread,
            ["Condition records could not be read in full: it answered 503."]
        );
        assert_eq!(withheld.counted.len(), 1);
        let other = after(Truth::NotMet, "Observation");
        assert_eq!((other.truth, other.unread.len()), (Truth::NotMet, 0));
    }
}
