//! The biomarker is absent, or the therapy aimed at it failed (clinical.md 5).
//!
//! `no variant OR (EXISTS drug: failed) OR (FORALL drugs: contraindicated)`, in Kleene logic: an
//! unknown biomarker is not an absent one, and a therapy that failed needs no biomarker.

use serde::Deserialize;

use super::exposure::Dose;
use super::result::{Assay, Reading};
use super::therapy::FailedTherapy;
use crate::facts::{ConditionLink, Corrections, MedicationKind, Observation};
use crate::policy::codes::Codes;
use crate::policy::disease::Class;
use crate::policy::finding::{Cited, SetAside};
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::{ReportStatus, Standing};
use crate::terms::Truth;

/// A biomarker, and the therapy that is aimed at it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiomarkerOrTherapy {
    /// What the biomarker is called.
    pub name: String,
    /// How its results are coded.
    pub assay: Assay,
    /// The therapy.
    pub therapy: FailedTherapy,
}

/// What all results together say.
#[derive(Default)]
struct Results {
    positive: Vec<Cited>,
    negative: Vec<Cited>,
    open: Vec<Cited>,
    /// Open, and perhaps positive.
    suspect: Vec<Cited>,
    not_done: Vec<Cited>,
    set_aside: Vec<SetAside>,
}

impl BiomarkerOrTherapy {
    /// Asked: a result; a test that was not done; which of two results holds; what became of the
    /// therapy; and the questions of the therapy itself.
    pub const ASKS: &'static [&'static str] =
        &["result", "not-done", "conflict", "outcome", "history", "judgement"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        let mut codes = self.assay.codes_mut();
        codes.extend(self.therapy.codes_mut());
        codes
    }

    /// Ranks the results (clinical.md 5.2), then hears the therapy.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let mut results = self.results(scene);
        let set_aside = std::mem::take(&mut results.set_aside);
        let therapy = self.therapy.judge(scene);
        let outcome = match (results.positive.is_empty(), results.negative.is_empty()) {
            // Whatever the test says: a drug that failed satisfies the clause.
            _ if therapy.truth == Truth::Met => therapy,
            // A narrower or fluid test that is negative too takes nothing from a complete one.
            (true, false) if results.suspect.is_empty() => Outcome::met(results.negative).without(
                results.open.iter().map(|it| aside(&it.source, it.says.clone())).collect(),
            ),
            (_, false) => {
                let against = results.positive.into_iter().chain(results.suspect);
                let all: Vec<Cited> = against.chain(results.negative).collect();
                let outcome = scene.ask("conflict", &found(&all)).without(therapy.set_aside);
                Outcome { counted: all, ..outcome }
            }
            (false, true) => with_variant(results.positive, therapy),
            (true, true) => {
                results.open.append(&mut results.suspect);
                let (key, seen) = if !results.open.is_empty() {
                    ("result", found(&results.open))
                } else if !results.not_done.is_empty() {
                    ("not-done", found(&results.not_done))
                } else {
                    ("result", format!("no {} result", self.name))
                };
                let open = results.open.iter().map(|it| aside(&it.source, it.says.clone()));
                scene.ask(key, &seen).without(open.collect()).without(therapy.set_aside)
            }
        };
        outcome.without(set_aside)
    }

    fn results(&self, scene: &Scene<'_>) -> Results {
        let evidence = scene.case.evidence;
        let mut results = Results::default();
        let corrections = Corrections::among(evidence.observations.iter());
        for observation in &evidence.observations {
            self.hear(observation, &corrections, scene, &mut results);
        }
        self.hear_orders(scene, &mut results);
        for condition in &evidence.conditions {
            if self.assay.diagnoses.has(&condition.code) {
                let cited = cite(&condition.source, format!("{} in the diagnosis", self.name));
                match Standing::of(condition, scene.as_of) {
                    Standing::Current | Standing::Past => results.positive.push(cited),
                    Standing::Unconfirmed | Standing::Unclear(_) => results.suspect.push(cited),
                    Standing::Refuted | Standing::EnteredInError => {}
                }
            }
        }
        results
    }

    /// A test that was ordered, carried out or billed may have a result that is not here
    /// (clinical.md 5.2).
    fn hear_orders(&self, scene: &Scene<'_>, results: &mut Results) {
        let evidence = scene.case.evidence;
        let ordered =
            evidence.tests.iter().filter(|test| test.stands).map(|test| (&test.source, &test.code));
        let done = evidence
            .medications
            .iter()
            .filter(|it| {
                matches!(it.kind, MedicationKind::Procedure | MedicationKind::BilledLine)
                    && !matches!(Dose::of(it), Dose::NotGiven | Dose::EnteredInError)
            })
            .map(|it| (&it.source, &it.code));
        for (source, code) in ordered.chain(done) {
            if self.assay.ordered.has(code) {
                let says = format!("{}: tested or ordered, without a result", self.name);
                results.open.push(cite(source, says));
            }
        }
    }

    fn hear(
        &self,
        observation: &Observation,
        corrections: &Corrections<'_>,
        scene: &Scene<'_>,
        results: &mut Results,
    ) {
        let reading = self.assay.read(observation);
        if reading == Reading::Other {
            return;
        }
        let source = &observation.source;
        let cited = |says: &str| cite(source, format!("{}: {says}", self.name));
        match ReportStatus::of(observation.status.as_deref()) {
            ReportStatus::Void => return,
            ReportStatus::Open if reading == Reading::Negative => {
                return results.open.push(cited("negative, in a report that is not final"));
            }
            ReportStatus::Open => return results.suspect.push(cited("a report that is not final")),
            ReportStatus::Final => {}
        }
        match self.corrected(observation, corrections) {
            Corrected::No => {}
            Corrected::Replaced => {
                let why = "replaced by a newer version of the same report";
                return results.set_aside.push(aside(source, why));
            }
            Corrected::Perhaps if reading == Reading::Negative => {
                return results.open.push(cited("negative, in a report that was corrected since"));
            }
            Corrected::Perhaps => {
                return results.suspect.push(cited("a report that was corrected since"));
            }
        }
        if concerns_other_tumour(observation, scene) {
            results.set_aside.push(aside(source, "about another tumour"));
            return;
        }
        let dated = source.date.is_some_and(|date| !scene.is_future(date));
        match reading {
            Reading::Positive => results.positive.push(cited("positive")),
            Reading::Negative if !dated => results.open.push(cited("negative, without a date")),
            Reading::Negative if focus_is_unclear(observation, scene) => {
                results.open.push(cited("negative, and not certainly about this cancer"));
            }
            Reading::Negative if self.assay.is_liquid(observation) => {
                results
                    .open
                    .push(cited("negative in blood or in another sample that is not the tumour"));
            }
            Reading::Negative if self.assay.has_unread_sample(observation) => {
                results.open.push(cited("negative, in a sample that is told by a code only"));
            }
            Reading::Negative => results.negative.push(cited("negative")),
            Reading::Open(why) => results.open.push(cited(why)),
            Reading::Suspect(why) => results.suspect.push(cited(why)),
            Reading::NotDone => results.not_done.push(cited("not tested")),
            Reading::Other => {}
        }
    }
}

/// The variant is there: the therapy decides.
fn with_variant(positive: Vec<Cited>, therapy: Outcome) -> Outcome {
    match therapy.truth {
        Truth::Met => therapy,
        Truth::NotMet => {
            let counted = positive.into_iter().chain(therapy.counted).collect();
            Outcome::not_met(counted).without(therapy.set_aside)
        }
        Truth::Unknown => {
            let seen = found(&positive);
            let needs = therapy.needs.iter().map(|need| format!("{seen}. {need}")).collect();
            let counted = positive.into_iter().chain(therapy.counted).collect();
            Outcome { counted, needs, ..therapy }
        }
    }
}

/// A result that points at a cancer other than the policy's.
fn concerns_other_tumour(observation: &Observation, scene: &Scene<'_>) -> bool {
    !observation.focus.is_empty()
        && observation.focus.iter().all(|link| match link {
            ConditionLink::To(id) => {
                scene.picture.sighting(*id).is_some_and(|seen| seen.class == Class::OtherPrimary)
            }
            ConditionLink::Elsewhere => false,
        })
}

/// Whether the focus of a result leads to a Condition that is not certainly the policy's disease.
fn focus_is_unclear(observation: &Observation, scene: &Scene<'_>) -> bool {
    let leads_to_condition = |link: &ConditionLink| match link {
        ConditionLink::To(id) => scene.case.evidence.conditions.iter().any(|it| it.id == *id),
        ConditionLink::Elsewhere => true,
    };
    observation.focus.iter().any(leads_to_condition)
        && scene.picture.concerns(observation) != Truth::Met
}

/// At how many newer versions of a result is looked; what more there are may say anything.
const MOST_VERSIONS: usize = 100;

/// What newer versions of its report make of a result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Corrected {
    /// It stands.
    No,
    /// A newer version says what holds of the same.
    Replaced,
    /// A newer version says something else, and perhaps of the same.
    Perhaps,
}

impl BiomarkerOrTherapy {
    /// What `corrections` make of a result (clinical.md 5.2: of one report the newest version holds).
    ///
    /// Versions of one report share a business identifier, and the variants of one report may share
    /// it too: what names the same gene and change is a version of the same; what names another
    /// change of the gene may be one, and what names another gene is none.
    fn corrected(&self, result: &Observation, corrections: &Corrections<'_>) -> Corrected {
        let newer: Vec<&Observation> = corrections.of(result).take(MOST_VERSIONS).collect();
        if newer.is_empty() {
            return Corrected::No;
        }
        let named = self.assay.what_is_named(result);
        if newer.iter().any(|it| self.assay.what_is_named(it) == named) {
            Corrected::Replaced
        } else if newer.len() == MOST_VERSIONS
            || newer.iter().any(|it| self.assay.may_be_about_gene(it))
        {
            Corrected::Perhaps
        } else {
            Corrected::No
        }
    }
}
