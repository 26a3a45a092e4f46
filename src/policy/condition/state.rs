//! The patient is not in a state that excludes the therapy (clinical.md 7.2).

use serde::Deserialize;

use super::age::old_enough;
use crate::facts::{Observation, Value};
use crate::policy::attested::Proof;
use crate::policy::codes::Codes;
use crate::policy::finding::{Cited, SetAside};
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::{ReportStatus, Standing};
use crate::terms::{Truth, When};

/// A state such as pregnancy: who can be in it, what shows it, and for how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludedState {
    /// What the state is called.
    pub name: String,
    /// The administrative gender that it does not apply to, if nothing else speaks for it.
    pub not_of_gender: String,
    /// Recorded sexes under which it applies whatever the gender.
    pub of_recorded_sex: Vec<String>,
    /// From which age, in completed years, it can apply.
    pub from_years: i16,
    /// From which age it does not apply any more.
    pub until_years: i16,
    /// Diagnoses of the state.
    pub diagnoses: Codes,
    /// Diagnoses that leave open whether it goes on.
    pub unclear_diagnoses: Codes,
    /// Diagnoses that say that it has ended: whoever had it can have it again.
    pub ended_diagnoses: Codes,
    /// How many days after its beginning a diagnosis still counts.
    pub diagnosis_days: i64,
    /// Observations of the state.
    pub status_code: Codes,
    /// The answer: in the state.
    pub present: Codes,
    /// The answer: not in the state.
    pub absent: Codes,
    /// How many days an answer that it is absent holds.
    pub absent_days: i64,
    /// Tests for the state.
    pub test: Codes,
    /// How many days a test holds.
    pub test_days: i64,
    /// Measurements that hint at the state.
    pub hints: Codes,
    /// Positive answers of a test.
    pub positive: Codes,
    /// Negative answers of a test.
    pub negative: Codes,
    /// Reasons for stopping a medication that name the state.
    pub stop_reason: Codes,
}

/// What the records say about the state.
#[derive(Default)]
struct Signs {
    /// In the state, with the date of the sign.
    present: Vec<(When, Cited)>,
    /// A diagnosis of the state that is current and recent: an answer does not end it, but
    /// contradicts it.
    is_diagnosed: bool,
    /// Not in the state.
    absent: Vec<(When, Cited)>,
    /// Perhaps in the state, by a test that does not hold any more or is not final: it tells only
    /// that an answer before it is outdated.
    outdated: Vec<(When, Cited)>,
    /// The same for a measurement, which says nothing where no answer is given.
    hints: Vec<(When, Cited)>,
    /// Once not in the state: it does not hold any more, and ends what was there before it.
    once_absent: Vec<(When, Cited)>,
    /// Not in the state, on no known day: that may be after every sign of it.
    absent_some_day: Vec<Cited>,
    /// A sign that does not tell.
    unclear: Vec<Cited>,
    /// Whether the patient was ever in the state, however long ago: then it can apply.
    was_ever: bool,
    set_aside: Vec<SetAside>,
}

impl ExcludedState {
    /// Asked: a statement; and what to make of signs that are unclear or contradict each other.
    pub const ASKS: &'static [&'static str] = &["status", "unclear"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![
            &mut self.diagnoses,
            &mut self.unclear_diagnoses,
            &mut self.ended_diagnoses,
            &mut self.status_code,
            &mut self.present,
            &mut self.absent,
            &mut self.test,
            &mut self.hints,
            &mut self.positive,
            &mut self.negative,
            &mut self.stop_reason,
        ]
    }

    /// The newest sign within its window decides; without any, whom it cannot apply to is clear.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let mut signs = self.signs(scene);
        let set_aside = std::mem::take(&mut signs.set_aside);
        let newest = |signs: &[(When, Cited)]| {
            signs.iter().map(|(date, _)| *date).max_by_key(|date| date.first())
        };
        // A positive test does not end by growing old; only a later answer ends it.
        let newest_absent = newest(&signs.absent);
        let ended = |date: When| newest_absent.is_some_and(|end| date.before(end) == Truth::Met);
        let not_ended = |signs: &mut Vec<(When, Cited)>| {
            let signs = std::mem::take(signs).into_iter();
            signs.filter(|(date, _)| !ended(*date)).map(|(_, cited)| cited).collect::<Vec<_>>()
        };
        signs.unclear.extend(not_ended(&mut signs.outdated));
        let hints = not_ended(&mut signs.hints);
        let is_clear = signs.unclear.is_empty() && hints.is_empty();
        let all_ended = !signs.is_diagnosed && signs.present.iter().all(|(date, _)| ended(*date));
        let outcome = match (newest(&signs.present), newest_absent) {
            (Some(present), None) => {
                let is_later = |(date, _): &(When, Cited)| date.before(present) != Truth::Met;
                // clinical.md 7.2: present only with no later contrary.
                if signs.once_absent.iter().any(is_later) || !signs.absent_some_day.is_empty() {
                    signs.present.append(&mut signs.once_absent);
                    let mut all = cited(signs.present);
                    all.append(&mut signs.absent_some_day);
                    scene.ask("unclear", &found(&all))
                } else {
                    Outcome::not_met(cited(signs.present))
                }
            }
            (Some(present), Some(absent)) => match present.before(absent) {
                Truth::Met if is_clear && all_ended => Outcome::met(cited(signs.absent)),
                Truth::NotMet => Outcome::not_met(cited(signs.present)),
                Truth::Met | Truth::Unknown => {
                    let all: Vec<Cited> =
                        cited(signs.present).into_iter().chain(cited(signs.absent)).collect();
                    scene.ask("unclear", &found(&all))
                }
            },
            (None, Some(_)) if is_clear => Outcome::met(cited(signs.absent)),
            (None, _) if !signs.unclear.is_empty() => scene.ask("unclear", &found(&signs.unclear)),
            (None, _) => match self.does_not_apply(signs.was_ever, scene) {
                Some(cited) => Outcome::met(vec![cited]),
                // clinical.md 7.2: an amount of the hormone leaves it open, even after an answer.
                None if !hints.is_empty() => scene.ask("unclear", &found(&hints)),
                None => scene.ask("status", &format!("nothing about {}", self.name)),
            },
        };
        outcome.without(set_aside)
    }

    /// Why the state cannot apply to the patient, where no sign of it says otherwise.
    fn does_not_apply(&self, was_ever: bool, scene: &Scene<'_>) -> Option<Cited> {
        let patient = scene.case.patient;
        let applies_by_sex = patient
            .recorded_sex
            .iter()
            .any(|sex| self.of_recorded_sex.iter().any(|it| **it == *sex.value));
        // rulings 15: it does not apply to a male patient, unless a recorded sex or any record of
        // the state says otherwise.
        let is_of_no_such_sex = patient.gender.as_deref() == Some(&self.not_of_gender);
        if is_of_no_such_sex && !applies_by_sex && !was_ever {
            let mut source = patient.source.element("Patient.gender");
            source.date = Some(scene.requested());
            let says = format!("{}: {} cannot apply", self.not_of_gender, self.name);
            return Some(cite(&source, says));
        }
        let Some(Ok(born)) = patient.birth_date else { return None };
        let day = scene.case.order.service_date.when;
        let too_young = old_enough(born, self.from_years, day) == Truth::NotMet;
        let too_old = old_enough(born, self.until_years, day) == Truth::Met;
        if !(too_young || too_old) {
            return None;
        }
        let mut source = patient.source.element("Patient.birthDate");
        source.date = Some(born);
        let says = format!("born {born}: outside the ages at which {} is asked for", self.name);
        Some(cite(&source, says))
    }

    fn signs(&self, scene: &Scene<'_>) -> Signs {
        let mut signs = Signs::default();
        for condition in &scene.case.evidence.conditions {
            let source = &condition.source;
            let says = cite(source, condition.code.name());
            let certain = self.diagnoses.has(&condition.code);
            let unclear = self.unclear_diagnoses.has(&condition.code);
            if !certain && !unclear && !self.ended_diagnoses.has(&condition.code) {
                continue;
            }
            let standing = Standing::of(condition, scene.as_of);
            signs.was_ever |= !matches!(standing, Standing::Refuted | Standing::EnteredInError);
            if !certain && !unclear {
                continue;
            }
            match (standing, source.date) {
                (Standing::Current, Some(date)) => {
                    match (certain, within(date, self.diagnosis_days, scene)) {
                        (true, Truth::Met) => {
                            signs.is_diagnosed = true;
                            signs.present.push((date, says));
                        }
                        (false, Truth::Met) | (_, Truth::Unknown) => signs.unclear.push(says),
                        // Too old to be true still, and yet said to be active.
                        (true, Truth::NotMet) => signs.unclear.push(says),
                        (false, Truth::NotMet) => {
                            signs.set_aside.push(aside(source, "too long ago"));
                        }
                    }
                }
                (Standing::Unclear(_) | Standing::Unconfirmed, _) if certain => {
                    signs.unclear.push(says);
                }
                (Standing::Unclear(_) | Standing::Unconfirmed, Some(date))
                    if within(date, self.diagnosis_days, scene) != Truth::NotMet =>
                {
                    signs.unclear.push(says);
                }
                (standing, _) => signs.set_aside.push(aside(source, standing.words())),
            }
        }
        // The code of a Claim proves nothing, and yet the request says so itself (rulings 15).
        for (concept, source) in &scene.case.evidence.mentions {
            if self.diagnoses.has(concept) {
                signs.unclear.push(cite(source, concept.name()));
            }
        }
        for observation in &scene.case.evidence.observations {
            self.hear(observation, scene, &mut signs);
        }
        self.hear_answers(scene, &mut signs);
        for alert in scene.case.evidence.alerts.iter().filter(|alert| alert.is_active) {
            if self.diagnoses.has(&alert.code) || self.present.has(&alert.code) {
                let says = format!("a warning about {}", self.name);
                signs.unclear.push(cite(&alert.source, says));
            }
        }
        for medication in &scene.case.evidence.medications {
            if medication.status_reasons.iter().any(|why| self.stop_reason.has(why)) {
                signs
                    .unclear
                    .push(cite(&medication.source, format!("stopped because of {}", self.name)));
            }
        }
        signs
    }

    /// Answers to the questionnaire hold as long as an answer in the records.
    fn hear_answers(&self, scene: &Scene<'_>, signs: &mut Signs) {
        for answer in scene.answers.of(Proof::StatePresent) {
            signs.present.push((answer.date, answer.cited.clone()));
        }
        for answer in scene.answers.of(Proof::StateAbsent) {
            if within(answer.date, self.absent_days, scene) == Truth::Met {
                signs.absent.push((answer.date, answer.cited.clone()));
            } else {
                signs.set_aside.push(aside(&answer.cited.source, "too long ago"));
            }
        }
    }

    fn hear(&self, observation: &Observation, scene: &Scene<'_>, signs: &mut Signs) {
        let is_test = self.test.has(&observation.code);
        let is_hint = self.hints.has(&observation.code);
        if !(is_test || is_hint || self.status_code.has(&observation.code)) {
            return;
        }
        let source = &observation.source;
        let answer = self.answer(observation);
        let date = source.date.filter(|date| !scene.is_future(*date));
        let status = ReportStatus::of(observation.status.as_deref());
        signs.was_ever |= answer.present && !is_hint && status != ReportStatus::Void;
        match (status, date) {
            (ReportStatus::Final, Some(date)) if is_hint => {
                if !answer.absent && within(date, self.test_days, scene) != Truth::NotMet {
                    signs.hints.push((date, answer.cited));
                    signs.set_aside.push(aside(source, "a measurement, not a test for the state"));
                }
            }
            (ReportStatus::Final, Some(date)) => {
                self.weigh(answer, date, is_test, scene, signs);
            }
            // Unknown is not no: what is not final or not dated proves nothing, and an answer before
            // it is outdated.
            (ReportStatus::Final | ReportStatus::Open, date) => {
                let is_over = |date| within(date, self.diagnosis_days, scene) == Truth::NotMet;
                match (answer.present, date) {
                    _ if is_hint => {}
                    (true, None) => signs.unclear.push(answer.cited),
                    (true, Some(date)) if is_over(date) => {}
                    (true, Some(date)) => signs.outdated.push((date, answer.cited)),
                    (false, None) if answer.absent => signs.absent_some_day.push(answer.cited),
                    (false, Some(date)) if answer.absent => {
                        signs.once_absent.push((date, answer.cited));
                    }
                    // What it will say is not known.
                    (false, Some(date))
                        if is_test && within(date, self.test_days, scene) != Truth::NotMet =>
                    {
                        signs.outdated.push((date, answer.cited));
                    }
                    (false, _) => {}
                }
                signs.set_aside.push(aside(source, "not a final report with a date in the past"));
            }
            (ReportStatus::Void, _) => signs.set_aside.push(aside(source, "not a final report")),
        }
    }

    fn answer(&self, observation: &Observation) -> Answer {
        let coded = match &observation.value.value {
            Value::Coded(value) => vec![value],
            Value::None | Value::Text(_) | Value::Boolean(_) | Value::Quantity { .. } => Vec::new(),
        };
        let answers: Vec<_> = coded.into_iter().chain(&observation.interpretations).collect();
        let says_any =
            |sets: [&Codes; 2]| answers.iter().any(|it| sets.iter().any(|set| set.has(it)));
        let name = answers.first().map_or("no answer", |it| it.name());
        Answer {
            present: says_any([&self.present, &self.positive]),
            absent: says_any([&self.absent, &self.negative]),
            cited: cite(&observation.source, format!("{}: {name}", observation.code.name())),
        }
    }

    /// A final, dated answer of a test or a statement.
    fn weigh(
        &self,
        answer: Answer,
        date: When,
        is_test: bool,
        scene: &Scene<'_>,
        signs: &mut Signs,
    ) {
        let Answer { present, absent, cited } = answer;
        let days = match (is_test, present) {
            (true, _) => self.test_days,
            (false, true) => self.diagnosis_days,
            (false, false) => self.absent_days,
        };
        let too_long_ago = aside(&cited.source, "too long ago");
        match (present, absent, within(date, days, scene)) {
            (true, false, Truth::Met) => signs.present.push((date, cited)),
            (false, true, Truth::Met) => signs.absent.push((date, cited)),
            (true, true, Truth::Met) | (false, false, Truth::Met | Truth::Unknown) => {
                signs.unclear.push(cited);
            }
            (true, _, Truth::Unknown) => signs.unclear.push(cited),
            (true, _, Truth::NotMet)
                if is_test && within(date, self.diagnosis_days, scene) != Truth::NotMet =>
            {
                signs.outdated.push((date, cited));
            }
            (false, true, Truth::NotMet | Truth::Unknown) => {
                signs.once_absent.push((date, cited));
                signs.set_aside.push(too_long_ago);
            }
            (_, _, Truth::NotMet) => signs.set_aside.push(too_long_ago),
        }
    }
}

/// What a test or a statement says.
struct Answer {
    present: bool,
    absent: bool,
    cited: Cited,
}

/// Whether a date lies not more than `days` before the request (rulings 25).
fn within(date: When, days: i64, scene: &Scene<'_>) -> Truth {
    scene.requested().plus_days(-days).on_or_before(date)
}

fn cited(signs: Vec<(When, Cited)>) -> Vec<Cited> {
    signs.into_iter().map(|(_, cited)| cited).collect()
}
