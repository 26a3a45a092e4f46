//! Whether and when a patient took an agent (clinical.md 4.2).

use crate::facts::{Evidence, MedicationKind, MedicationUse, SourceKind};
use crate::policy::codes::Codes;
use crate::policy::scene::Scene;
use crate::terms::{Truth, When};

/// What a record says about doses given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dose {
    /// At least one was given, and the status says how it ended.
    Given,
    /// At least one was given; whether it goes on is open.
    GivenAndOnHold,
    /// Perhaps one was given.
    Perhaps,
    /// None was given.
    NotGiven,
    /// The record was never meant.
    EnteredInError,
}

impl Dose {
    /// Reads status, intent and kind of a record.
    #[must_use]
    pub fn of(record: &MedicationUse) -> Dose {
        let status = record.status.as_deref();
        match (record.kind, status) {
            (_, Some("entered-in-error")) => Dose::EnteredInError,
            (MedicationKind::Statement, Some("active" | "completed" | "stopped"))
            | (
                MedicationKind::Administration | MedicationKind::Procedure,
                Some("completed" | "in-progress" | "stopped"),
            ) => Dose::Given,
            // Our own paid claims prove that it was given; a bill that somebody shows us does not.
            (MedicationKind::BilledLine, Some("paid"))
                if record.source.kind == SourceKind::Payer =>
            {
                Dose::Given
            }
            (MedicationKind::Statement, Some("on-hold")) => Dose::GivenAndOnHold,
            (MedicationKind::Statement, Some("not-taken" | "intended"))
            | (MedicationKind::Administration | MedicationKind::Procedure, Some("not-done"))
            | (MedicationKind::Request, Some("cancelled" | "draft")) => Dose::NotGiven,
            (MedicationKind::Request, _)
                if record.do_not_perform
                    || matches!(record.intent.as_deref(), Some("proposal" | "plan" | "option")) =>
            {
                Dose::NotGiven
            }
            // A request alone, even a completed one, wants a second source.
            (
                MedicationKind::Request
                | MedicationKind::Statement
                | MedicationKind::Administration
                | MedicationKind::Procedure
                | MedicationKind::BilledLine,
                _,
            ) => Dose::Perhaps,
        }
    }
}

/// One record of an agent.
#[derive(Clone, Copy, Debug)]
pub struct Use<'c> {
    /// The record.
    pub record: &'c MedicationUse,
    /// What it says about doses.
    pub dose: Dose,
}

/// All that is on record about one agent.
#[derive(Debug)]
pub struct Exposure<'c> {
    /// Every record that names it, those entered in error left out.
    pub uses: Vec<Use<'c>>,
}

impl<'c> Exposure<'c> {
    /// Collects the records of an agent.
    ///
    /// A record that is dated after the day of judging says at most that it is planned; one that
    /// says that it is done all the same contradicts itself.
    #[must_use]
    pub fn of(agent: &Codes, evidence: &'c Evidence, scene: &Scene<'_>) -> Exposure<'c> {
        let uses = evidence
            .medications
            .iter()
            .filter(|record| agent.has(&record.code))
            .map(|record| {
                let dose = Dose::of(record);
                let future = record.taken.start.is_some_and(|start| scene.is_future(start));
                Use {
                    record,
                    dose: match (future, dose) {
                        (true, Dose::Given) if is_over(record) => Dose::Perhaps,
                        (true, Dose::Given | Dose::GivenAndOnHold | Dose::Perhaps) => {
                            Dose::NotGiven
                        }
                        (_, dose) => dose,
                    },
                }
            })
            .filter(|found| found.dose != Dose::EnteredInError)
            .collect();
        Exposure { uses }
    }

    /// Whether at least one dose was given.
    #[must_use]
    pub fn is_given(&self) -> Truth {
        Truth::any(self.uses.iter().map(|found| match found.dose {
            Dose::Given | Dose::GivenAndOnHold => Truth::Met,
            Dose::Perhaps => Truth::Unknown,
            Dose::NotGiven | Dose::EnteredInError => Truth::NotMet,
        }))
    }

    fn given(&self) -> impl Iterator<Item = &Use<'c>> {
        self.uses.iter().filter(|found| matches!(found.dose, Dose::Given | Dose::GivenAndOnHold))
    }

    /// The first dose that is dated.
    #[must_use]
    pub fn first_dose(&self) -> Option<When> {
        self.given().filter_map(|found| found.record.taken.start).min_by_key(|date| date.first())
    }

    /// Whether a course was stopped in which an event lies, and none goes on.
    #[must_use]
    pub fn is_discontinued(&self, event: When, window_days: i64, scene: &Scene<'_>) -> bool {
        let holds = |found: &Use<'_>| {
            let timing = course(found.record, event, window_days, FirstDay::Counts, scene);
            timing == Timing::During
        };
        self.given().any(|found| found.record.status.as_deref() == Some("stopped") && holds(found))
            && !self.given().any(|found| {
                matches!(found.record.status.as_deref(), Some("active" | "in-progress"))
            })
    }

    /// Where `event` lies against the courses of treatment: during one if it lies after its first
    /// dose and not more than `window_days` after its last.
    ///
    /// Each record is a course of its own, so that the years between two courses are neither.
    #[must_use]
    pub fn timing(
        &self,
        event: When,
        window_days: i64,
        first_day: FirstDay,
        scene: &Scene<'_>,
    ) -> Timing {
        let timings =
            self.given().map(|found| course(found.record, event, window_days, first_day, scene));
        timings.min().unwrap_or(Timing::Unknown)
    }

    /// The record of the first course in which [`Exposure::timing`] puts `event`.
    #[must_use]
    pub fn course_of(
        &self,
        event: When,
        window_days: i64,
        first_day: FirstDay,
        scene: &Scene<'_>,
    ) -> Option<&'c MedicationUse> {
        let is_during =
            |record| course(record, event, window_days, first_day, scene) == Timing::During;
        self.given().map(|found| found.record).find(|record| is_during(record))
    }
}

/// Whether a record says that what it tells of was done, or begun.
fn is_over(record: &MedicationUse) -> bool {
    matches!(record.status.as_deref(), Some("completed" | "stopped" | "in-progress" | "paid"))
}

fn course(
    record: &MedicationUse,
    event: When,
    window_days: i64,
    first_day: FirstDay,
    scene: &Scene<'_>,
) -> Timing {
    let Some(first) = record.taken.start else { return Timing::Unknown };
    let today = When::from(scene.as_of);
    let goes_on = matches!(record.status.as_deref(), Some("active" | "in-progress"));
    // Where a record is over and gives no end, the first dose is the last that is known.
    let last = match record.taken.end {
        None if goes_on => today,
        None => first,
        Some(end) if scene.is_future(end) => today,
        Some(end) => end,
    };
    let after_first = match first_day {
        FirstDay::Counts => first.on_or_before(event),
        FirstDay::DoesNotCount => first.before(event),
    };
    match (after_first, event.on_or_before(last.plus_days(window_days))) {
        (Truth::NotMet, _) => Timing::Before,
        (Truth::Met, Truth::Met) => Timing::During,
        (Truth::Met, Truth::NotMet) => Timing::Later,
        (Truth::Met | Truth::Unknown, _) => Timing::Unknown,
    }
}

/// Whether an event on the day of the first dose counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstDay {
    /// It does: an observation made that day.
    Counts,
    /// It does not: an onset has to lie after the first dose.
    DoesNotCount,
}

/// Where an event lies against treatment; of several courses the first in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// From the first dose to the end of the window.
    During,
    /// The dates do not tell.
    Unknown,
    /// After the window.
    Later,
    /// Before the first dose.
    Before,
}
