//! New metastasis under treatment (rulings 20).

use super::exposure::{Exposure, Timing};
use crate::facts::Stage;
use crate::policy::disease::{Class, Extent, Sighting};
use crate::policy::scene::Scene;
use crate::policy::standing::Standing;
use crate::terms::{Day, Truth, When};

/// The onset of a metastasis that comes from the disease.
pub(super) fn new_metastasis(seen: &Sighting<'_>, scene: &Scene<'_>) -> Option<When> {
    let is_metastasis =
        matches!(seen.class, Class::Metastatic | Class::Distant { .. } | Class::Unspecific);
    let counts = is_metastasis
        && seen.standing == Standing::Current
        && scene.picture.originates(seen) == Truth::Met;
    counts.then_some(seen.condition.onset).flatten()
}

/// Whether a metastasis with this onset may have been on record before treatment, in another record
/// of the same code or by its own day of recording.
pub(super) fn was_known(
    seen: &Sighting<'_>,
    onset: When,
    scene: &Scene<'_>,
    timing: impl Fn(When) -> Timing,
) -> bool {
    let is_outside =
        |date: When| timing(date) != Timing::During && date.on_or_before(onset) != Truth::NotMet;
    let is_same = |other: &Sighting<'_>| {
        let codings = &seen.condition.code.codings;
        other.condition.id != seen.condition.id
            && other.condition.code.codings.iter().any(|it| codings.contains(it))
            && !matches!(other.standing, Standing::Refuted | Standing::EnteredInError)
    };
    let by_itself = seen
        .condition
        .recorded
        .is_some_and(|day| day.before(onset) == Truth::Met && is_outside(day));
    by_itself
        || scene.picture.sightings.iter().filter(|other| is_same(other)).any(|other| {
            let known = [other.condition.onset, other.condition.recorded];
            known == [None, None] || known.into_iter().flatten().any(is_outside)
        })
}

/// From which day on a stage of distant metastasis is a new one.
#[derive(Clone, Copy)]
pub(super) struct StageRise {
    /// The earliest day on which a lower stage was certainly on record; `None`: a stage of distant
    /// metastasis is never new.
    lower: Option<Day>,
}

impl StageRise {
    /// Looks for a lower stage, and for metastasis that was there before the first dose.
    pub(super) fn of(exposure: &Exposure<'_>, scene: &Scene<'_>) -> StageRise {
        let was_there = exposure.first_dose().is_none_or(|first| metastasis_before(first, scene));
        let lower = scene.case.evidence.observations.iter().filter(|observation| {
            let lower = match scene.disease.extent_observed(observation) {
                Some(Extent::Early | Extent::Regional | Extent::NotDistant) => true,
                Some(Extent::Distant) | None => false,
            };
            lower && scene.picture.concerns(observation) == Truth::Met
        });
        let days = lower.filter_map(|observation| observation.source.date).map(When::last);
        StageRise { lower: if was_there { None } else { days.min() } }
    }

    pub(super) fn is_new(self, date: When) -> bool {
        self.lower.is_some_and(|lower| lower < date.first())
    }
}

/// Whether anything may show distant metastasis on or before `day`.
fn metastasis_before(day: When, scene: &Scene<'_>) -> bool {
    let not_after =
        |date: Option<When>| date.is_none_or(|date| date.on_or_before(day) != Truth::NotMet);
    let observations = &scene.case.evidence.observations;
    // A stage in a diagnosis is as old as the Observations that it was taken from, if it names any.
    let is_staged_before = |stage: &Stage| {
        let named = observations.iter().filter(|it| stage.assessments.contains(&it.id));
        let mut dates = named.map(|it| it.source.date).peekable();
        scene.disease.extent(&stage.summary) == Some(Extent::Distant)
            && (dates.peek().is_none() || dates.any(not_after))
    };
    let by_condition = scene.picture.sightings.iter().any(|seen| {
        let is_metastasis =
            matches!(seen.class, Class::Metastatic | Class::Distant { .. } | Class::Unspecific)
                && not_after(seen.condition.onset.or(seen.condition.source.date));
        !matches!(seen.standing, Standing::Refuted | Standing::EnteredInError)
            && (is_metastasis || seen.condition.stages.iter().any(is_staged_before))
    });
    by_condition
        || observations.iter().any(|observation| {
            let is_distant = scene.disease.extent_observed(observation) == Some(Extent::Distant)
                || scene.disease.is_found_distant(observation);
            is_distant && not_after(observation.source.date)
        })
}
