//! A measured value is on the asked side of a threshold.

use serde::Deserialize;

use crate::facts::{Observation, Value};
use crate::policy::codes::Codes;
use crate::policy::finding::Cited;
use crate::policy::range::{Side, Test};
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::ReportStatus;
use crate::terms::{Truth, When};

/// The newest final result of a test lies in the range that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// What is measured.
    pub name: String,
    /// How many days before the request a result may be.
    pub days: u16,
    /// The tests, the preferred one first: the first that has a result decides.
    pub tests: Vec<Test>,
    /// Codes that make a result one of another test.
    #[serde(default)]
    pub never: Codes,
    /// What the patient must be free of while it is measured.
    pub free_of: Option<FreeOf>,
}

/// Something beside the test that makes its result prove nothing, as oxygen that is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeOf {
    /// What it is called.
    pub name: String,
    /// What a result means that says nothing of it.
    pub silence: Silence,
    /// Measurements of it, each with the range that counts as none: components of the result, or
    /// Observations of the same day.
    pub limits: Vec<Test>,
}

/// What a result means that does not say whether it is free of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Silence {
    /// It does not count: it is asked for.
    Asks,
    /// It counts.
    Passes,
}

/// A result within the window.
struct Reading {
    date: When,
    cited: Cited,
    /// `None`: it cannot be told, as `cited` says.
    side: Option<Side>,
}

impl Measurement {
    /// Asked: a result; and what to make of one that is unclear, in conflict, or on the threshold.
    pub const ASKS: &'static [&'static str] = &["result", "unclear", "conflict", "doubtful"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        let limits = self.free_of.iter_mut().flat_map(|free_of| &mut free_of.limits);
        let tests = self.tests.iter_mut().chain(limits);
        tests.map(|test| &mut test.codes).chain([&mut self.never]).collect()
    }

    /// Whether there is nothing that it could read.
    pub(in crate::policy) fn reads_nothing(&self) -> bool {
        self.tests.is_empty() || self.free_of.as_ref().is_some_and(|it| it.limits.is_empty())
    }

    /// The codes of the Observations that it reads.
    pub(in crate::policy) fn observation_codes(&self) -> Vec<&Codes> {
        let limits = self.free_of.iter().flat_map(|free_of| &free_of.limits);
        self.tests.iter().chain(limits).map(|test| &test.codes).collect()
    }

    /// The first test that has a result within the window decides, by its newest.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let mut passed_over = Vec::new();
        let mut outcome = None;
        for test in &self.tests {
            let readings = self.readings(test, scene, &mut passed_over);
            let newest = newest(readings, &mut passed_over);
            if !newest.is_empty() {
                outcome = Some(decide(newest, scene));
                break;
            }
        }
        let outcome = outcome.unwrap_or_else(|| {
            let nothing = format!("no {} of the last {} days", self.name, self.days);
            let others = passed_over.iter().map(|(cited, why)| {
                let words = found(std::slice::from_ref(cited));
                format!("{words} does not count: {why}")
            });
            let seen: Vec<String> = std::iter::once(nothing).chain(others).collect();
            scene.ask("result", &seen.join("; "))
        });
        let set_aside = passed_over.into_iter().map(|(cited, why)| aside(&cited.source, why));
        outcome.without(set_aside.collect())
    }

    fn readings(
        &self,
        test: &Test,
        scene: &Scene<'_>,
        passed_over: &mut Vec<(Cited, String)>,
    ) -> Vec<Reading> {
        let mut readings = Vec::new();
        let observations = &scene.case.evidence.observations;
        for observation in observations.iter().filter(|it| test.codes.has(&it.code)) {
            let status = ReportStatus::of(observation.status.as_deref());
            let value = &observation.value.value;
            let mut cited = cite(&observation.source, says(test, value));
            let (date, disturbed) = match (status, self.counts(observation, scene)) {
                (ReportStatus::Void, _) => continue,
                (ReportStatus::Final | ReportStatus::Open, Err(why)) => {
                    passed_over.push((cited, why));
                    continue;
                }
                (ReportStatus::Final, Ok(counts)) => counts,
                (ReportStatus::Open, Ok((date, _))) => {
                    (date, Some("in a report that is not final".to_owned()))
                }
            };
            let (side, why) = match (disturbed, test.side(value)) {
                (Some(why), _) => (None, Some(why)),
                (None, Side::Unclear(why)) => (None, Some(why.to_owned())),
                (None, side) => (Some(side), None),
            };
            if let Some(why) = why {
                cited.says = format!("{}, {why}", cited.says);
            }
            readings.push(Reading { date, cited, side });
        }
        readings
    }

    /// The date of a result that counts, and what leaves open whether it is disturbed.
    fn counts(
        &self,
        observation: &Observation,
        scene: &Scene<'_>,
    ) -> Result<(When, Option<String>), String> {
        if self.never.has(&observation.code) {
            return Err("another kind of test".to_owned());
        }
        // 0009: an undated or future-dated record never proves anything.
        let Some(date) = observation.source.date else { return Err("no date".to_owned()) };
        if scene.is_future(date) {
            return Err("dated in the future".to_owned());
        }
        // rulings 25: windows count from the date of the request.
        match scene.requested().plus_days(-i64::from(self.days)).on_or_before(date) {
            Truth::Met => {}
            Truth::NotMet => return Err(format!("older than {} days", self.days)),
            Truth::Unknown => return Err(format!("perhaps older than {} days", self.days)),
        }
        let disturbed = match &self.free_of {
            None => None,
            Some(free_of) => free_of.doubt(observation, date, scene)?,
        };
        Ok((date, disturbed))
    }
}

impl FreeOf {
    /// What leaves open whether a result is free of it; its own components outweigh what else was
    /// recorded on the same day.
    ///
    /// # Errors
    /// Why the result is certainly not free of it.
    fn doubt(
        &self,
        observation: &Observation,
        date: When,
        scene: &Scene<'_>,
    ) -> Result<Option<String>, String> {
        let name = &self.name;
        let within = self.limits.iter().flat_map(|limit| {
            let parts = observation.components.iter().filter(|part| limit.codes.has(&part.code));
            parts.map(|part| limit.side(&part.value.value))
        });
        let within: Vec<Side> = within.collect();
        if within.contains(&Side::Outside) {
            return Err(format!("not free of {name}"));
        }
        let said = if within.is_empty() { self.beside(observation, date, scene) } else { within };
        let is_free = said.iter().all(|side| *side == Side::Inside);
        Ok(match (said.is_empty(), is_free, self.silence) {
            (true, _, Silence::Asks) => Some(format!("not said to be free of {name}")),
            (true, _, Silence::Passes) | (false, true, _) => None,
            (false, false, _) => Some(format!("perhaps not free of {name}")),
        })
    }

    fn beside(&self, observation: &Observation, date: When, scene: &Scene<'_>) -> Vec<Side> {
        let may_be_same_day =
            |other: When| date.before(other) != Truth::Met && other.before(date) != Truth::Met;
        let mut sides = Vec::new();
        for other in &scene.case.evidence.observations {
            let is_near = other.source.date.is_some_and(may_be_same_day);
            let status = ReportStatus::of(other.status.as_deref());
            if other.id == observation.id || !is_near || status == ReportStatus::Void {
                continue;
            }
            for limit in self.limits.iter().filter(|limit| limit.codes.has(&other.code)) {
                sides.push(match status {
                    ReportStatus::Final => limit.side(&other.value.value),
                    ReportStatus::Open | ReportStatus::Void => Side::Unclear("not final"),
                });
            }
        }
        sides
    }
}

/// The results that no other result is certainly newer than.
fn newest(readings: Vec<Reading>, passed_over: &mut Vec<(Cited, String)>) -> Vec<Reading> {
    let dates: Vec<When> = readings.iter().map(|reading| reading.date).collect();
    let is_old = |date: When| dates.iter().any(|other| date.before(*other) == Truth::Met);
    let (old, new): (Vec<Reading>, Vec<Reading>) =
        readings.into_iter().partition(|reading| is_old(reading.date));
    passed_over.extend(old.into_iter().map(|reading| (reading.cited, "not the newest".to_owned())));
    new
}

/// What the newest results come to together.
fn decide(newest: Vec<Reading>, scene: &Scene<'_>) -> Outcome {
    let has = |side: Option<Side>| newest.iter().any(|reading| reading.side == side);
    let (inside, outside) = (has(Some(Side::Inside)), has(Some(Side::Outside)));
    let (near, unclear) = (has(Some(Side::Near)), has(None));
    let all: Vec<Cited> = newest.into_iter().map(|reading| reading.cited).collect();
    match (inside, outside, near, unclear) {
        (true, true, _, _) => scene.ask("conflict", &found(&all)),
        (_, _, _, true) => scene.ask("unclear", &found(&all)),
        (_, _, true, false) => scene.judge("doubtful", &found(&all), all),
        (true, false, false, false) => Outcome::met(all),
        (false, true, false, false) => Outcome::not_met(all),
        // Nothing was read: nothing is known.
        (false, false, false, false) => scene.ask("result", "no result"),
    }
}

/// How a result reads: `arterial PO2 < 55 mm[Hg], asked: at most 55 mm[Hg]`.
fn says(test: &Test, value: &Value) -> String {
    let (name, asked) = (&test.name, test.asked());
    match value {
        Value::Quantity { value, unit, comparator, .. } => {
            let comparator = comparator.as_deref().unwrap_or_default();
            let read = [name.as_str(), comparator, value, unit];
            let read: Vec<&str> = read.into_iter().filter(|part| !part.is_empty()).collect();
            format!("{}, asked: {asked}", read.join(" "))
        }
        Value::None | Value::Coded(_) | Value::Text(_) | Value::Boolean(_) => name.clone(),
    }
}
