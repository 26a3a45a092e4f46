//! One agent failed the patient, or all of them are ruled out (clinical.md 4).
//!
//! `EXISTS agent: inadequate response OR adverse reaction, OR FORALL agents: contraindicated`, in
//! Kleene logic. A contraindication is always a clinician's judgement, so the second arm alone
//! never approves.

use serde::Deserialize;

use super::exposure::{Dose, Exposure, FirstDay, Timing, Use};
use super::spread::{StageRise, new_metastasis, was_known};
use crate::facts::{Allergy, MedicationUse, Observation, Value};
use crate::policy::codes::Codes;
use crate::policy::disease::Extent;
use crate::policy::finding::{Cited, Lack, SetAside};
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::{ReportStatus, Standing};
use crate::terms::{Concept, Truth, When};

/// A class of agents that had to be tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedTherapy {
    /// The agents that count, each by itself.
    pub agents: Vec<Agent>,
    /// Agents of the class on which a person decides.
    pub also: Codes,
    /// Agents that look alike and never count; they cloud a reaction that names only the class.
    pub never: Codes,
    /// Agents that no product holds together with one that counts: a record coded with both
    /// contradicts itself.
    pub apart: Codes,
    /// Reasons for stopping that say that it did not work.
    pub no_response: Codes,
    /// Reasons for stopping that say that it was not tolerated.
    pub not_tolerated: Codes,
    /// Reasons that say neither.
    pub other_reasons: Codes,
    /// Diagnoses of an adverse effect of the class; an empty list if there is none.
    pub class_reaction: Codes,
    /// Diagnoses that say that some agent of the class was taken; an empty list if there is none.
    pub class_history: Codes,
    /// How many days after the last dose a progression still counts as failure.
    pub window_days: i64,
}

/// One agent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Its name, for explanations.
    pub name: String,
    /// Its names in words: they prove nothing, and yet speak against "never taken".
    pub names: Vec<String>,
    /// Its codes.
    pub codes: Codes,
}

/// What the records say about one agent.
struct Story {
    /// Whether it failed.
    failed: Truth,
    /// Whether it was said explicitly that it was never taken, for another reason.
    never_taken: Vec<Cited>,
    /// Whether a record leaves open that it was taken or not tolerated.
    is_open: bool,
    /// What proves the failure.
    proof: Vec<Cited>,
    /// Exposure without an outcome.
    exposed: Vec<Cited>,
    /// What a person has to judge.
    to_judge: Vec<Cited>,
    set_aside: Vec<SetAside>,
}

impl FailedTherapy {
    /// Asked: what became of an agent that was taken; what was tried at all; and of a person,
    /// what only a person can weigh.
    pub const ASKS: &'static [&'static str] = &["outcome", "history", "judgement"];

    pub(in crate::policy) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        let agents = self.agents.iter_mut().map(|agent| &mut agent.codes);
        agents
            .chain([
                &mut self.also,
                &mut self.never,
                &mut self.apart,
                &mut self.no_response,
                &mut self.not_tolerated,
                &mut self.other_reasons,
                &mut self.class_reaction,
                &mut self.class_history,
            ])
            .collect()
    }

    /// Hears each agent's story and combines them.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let of_agent =
            |agent: &Agent| self.story(&agent.name, &agent.codes, Some(&self.apart), scene);
        let mut stories: Vec<Story> = self.agents.iter().map(of_agent).collect();
        let also = self.story("another agent of the class", &self.also, None, scene);
        let never = Exposure::of(&self.never, scene.case.evidence, scene);
        let mut set_aside: Vec<SetAside> = never
            .uses
            .iter()
            .map(|found| aside(&found.record.source, "not an agent of the class that counts"))
            .collect();
        set_aside.extend(stories.iter_mut().flat_map(|story| std::mem::take(&mut story.set_aside)));
        let failed = Truth::any(stories.iter().map(|story| story.failed));
        let outcome = match failed {
            Truth::Met => {
                let proof = stories.into_iter().filter(|story| story.failed == Truth::Met);
                Outcome::met(proof.flat_map(|story| story.proof).collect())
            }
            // Each agent was explicitly not taken, for reasons that rule none of them out.
            Truth::NotMet => {
                let hints = self.hints(also, scene);
                if hints.is_empty() {
                    let never_taken = stories.into_iter().flat_map(|story| story.never_taken);
                    Outcome::not_met(never_taken.collect())
                } else {
                    scene.judge("judgement", &found(&hints), hints)
                }
            }
            Truth::Unknown => self.unknown(stories, also, scene),
        };
        outcome.without(set_aside)
    }

    /// What speaks against "never taken": another agent of the class (clinical.md 4.1, 5.3), records
    /// that name an agent in words only, and diagnoses that say that some agent of the class was
    /// taken (N3, N11).
    fn hints(&self, also: Story, scene: &Scene<'_>) -> Vec<Cited> {
        let evidence = scene.case.evidence;
        let is_listed = |code: &Concept| {
            self.agents.iter().any(|agent| agent.codes.has(code)) || self.also.has(code)
        };
        let is_named = |code: &Concept| self.agents.iter().any(|agent| code.mentions(&agent.names));
        let says_enough = |record: &MedicationUse| match Dose::of(record) {
            Dose::EnteredInError => false,
            // The reason may be a contraindication.
            Dose::NotGiven => {
                record.status_reasons.iter().any(|reason| !self.other_reasons.has(reason))
            }
            Dose::Given | Dose::GivenAndOnHold | Dose::Perhaps => true,
        };
        let in_words = evidence.medications.iter().filter(|record| {
            says_enough(record) && !is_listed(&record.code) && is_named(&record.code)
        });
        let in_words = in_words
            .map(|record| cite(&record.source, format!("{}, by name only", record.code.name())));
        // An agent that never counts explains a code of the class.
        let is_explained = Exposure::of(&self.never, evidence, scene).is_given() == Truth::Met;
        let of_class = evidence.conditions.iter().filter(|condition| {
            let code = &condition.code;
            !is_explained
                && (self.class_history.has(code) || self.class_reaction.has(code))
                && !matches!(
                    Standing::of(condition, scene.as_of),
                    Standing::Refuted | Standing::EnteredInError
                )
        });
        let of_class = of_class.map(|condition| cite(&condition.source, condition.code.name()));
        let of_another = also.proof.into_iter().chain(also.to_judge).chain(also.exposed);
        of_another.chain(in_words).chain(of_class).collect()
    }

    fn unknown(&self, stories: Vec<Story>, also: Story, scene: &Scene<'_>) -> Outcome {
        let (mut exposed, mut to_judge) = (Vec::new(), Vec::new());
        for story in stories {
            exposed.extend(story.exposed);
            to_judge.extend(story.to_judge);
        }
        to_judge.extend(also.proof);
        to_judge.extend(also.to_judge);
        if !to_judge.is_empty() {
            let mut outcome = scene.judge("judgement", &found(&to_judge), to_judge);
            if !exposed.is_empty() {
                outcome.needs.push(scene.asks.text("outcome", &found(&exposed)));
            }
            return outcome;
        }
        let set_aside = exposed
            .iter()
            .chain(&also.exposed)
            .map(|cited| aside(&cited.source, "taken, but no outcome is documented"))
            .collect();
        let outcome = if exposed.is_empty() {
            let agents: Vec<&str> = self.agents.iter().map(|agent| agent.name.as_str()).collect();
            scene.ask("history", &agents.join(", "))
        } else {
            scene.ask("outcome", &found(&exposed))
        };
        debug_assert_eq!(outcome.lack, Some(Lack::Evidence));
        outcome.without(set_aside)
    }

    /// The story of the agent with these codes; `apart` are those that its records do not carry too.
    fn story(&self, name: &str, codes: &Codes, apart: Option<&Codes>, scene: &Scene<'_>) -> Story {
        let mut exposure = Exposure::of(codes, scene.case.evidence, scene);
        // clinical.md 1.2: all codings are read, and what contradicts itself is unknown.
        let is_mixed = |found: &Use<'_>| apart.is_some_and(|it| it.has(&found.record.code));
        for found in exposure.uses.iter_mut().filter(|found| is_mixed(found)) {
            found.dose = Dose::Perhaps;
        }
        let mut story = Story {
            failed: Truth::Unknown,
            never_taken: Vec::new(),
            is_open: false,
            proof: Vec::new(),
            exposed: Vec::new(),
            to_judge: Vec::new(),
            set_aside: Vec::new(),
        };
        for found in &exposure.uses {
            // Why it ended may be told of the other agent, whatever else was given.
            let is_given = if is_mixed(found) { Truth::Unknown } else { exposure.is_given() };
            self.hear_use(name, found, is_given, scene, &mut story);
        }
        for allergy in scene.case.evidence.allergies.iter().filter(|it| codes.has(&it.code)) {
            let is_own = |substance: &Concept| {
                let by_name = self.agents.iter().filter(|agent| agent.name == name);
                *substance == Concept::default()
                    || codes.has(substance)
                    || by_name.into_iter().any(|agent| substance.mentions(&agent.names))
            };
            let is_elsewhere =
                !allergy.reacted_to.is_empty() && !allergy.reacted_to.iter().any(is_own);
            let is_mixed = is_elsewhere || self.never.has(&allergy.code);
            hear_allergy(name, allergy, is_mixed, &exposure, scene, &mut story);
        }
        self.hear_adverse_events(name, codes, &exposure, scene, &mut story);
        hear_alerts(name, codes, &exposure, scene, &mut story);
        if exposure.is_given() == Truth::Met {
            self.hear_progression(name, &exposure, scene, &mut story);
            self.hear_class_reaction(name, &exposure, scene, &mut story);
        }
        if !story.proof.is_empty() {
            story.failed = Truth::Met;
        } else if !story.never_taken.is_empty()
            && exposure.is_given() == Truth::NotMet
            && story.to_judge.is_empty()
            && !story.is_open
        {
            story.failed = Truth::NotMet;
        }
        story
    }

    /// What one record of the agent says about why it ended, or why it never began.
    fn hear_use(
        &self,
        name: &str,
        found: &Use<'_>,
        is_given: Truth,
        scene: &Scene<'_>,
        story: &mut Story,
    ) {
        let record = found.record;
        let source = &record.source;
        let status = record.status.as_deref().unwrap_or("of unknown status");
        let reason = source.element(format!("{}.statusReason", kind_name(source)));
        let says = |set: &Codes| record.status_reasons.iter().find(|concept| set.has(concept));
        // Codings of one reason that contradict each other say nothing.
        let fails = |set: &Codes| says(set).filter(|concept| !self.other_reasons.has(concept));
        let no_response = fails(&self.no_response);
        let was_elsewhere =
            no_response.is_some() && scene.picture.is_for_another_cancer(record, scene.disease);
        let failure = no_response
            .filter(|_| !was_elsewhere)
            .map(|why| format!("{name}: no response ({})", why.name()))
            .or_else(|| {
                fails(&self.not_tolerated)
                    .map(|why| format!("{name}: not tolerated ({})", why.name()))
            });
        match found.dose {
            Dose::Given | Dose::Perhaps if was_elsewhere && failure.is_none() => {
                let words = format!("{name}: no response, but taken for another cancer");
                story.to_judge.push(cite(&reason, words));
            }
            // A request gives the reason, and another record that a dose was given (4.2).
            Dose::Given | Dose::Perhaps if is_given == Truth::Met => {
                match (failure, status, source.date) {
                    (Some(failure), "stopped" | "completed", Some(date))
                        if !scene.is_future(date) =>
                    {
                        story.proof.push(cite(&reason, failure));
                    }
                    (Some(failure), _, _) => {
                        let why = format!("{failure}, but {status} or undated");
                        story.set_aside.push(aside(&reason, why));
                        story.exposed.push(cite(source, format!("{name} {status}")));
                    }
                    (None, _, _) => story.exposed.push(cite(source, format!("{name} {status}"))),
                }
            }
            Dose::GivenAndOnHold => story.exposed.push(cite(source, format!("{name} on hold"))),
            Dose::Given | Dose::Perhaps => {
                story
                    .set_aside
                    .push(aside(source, format!("{name}: does not prove that it was taken")));
                story.exposed.push(cite(source, format!("{name}, perhaps taken ({status})")));
            }
            Dose::NotGiven => {
                let explicit = status == "not-taken" || status == "not-done";
                let other = says(&self.other_reasons);
                let only_other = record.status_reasons.iter().all(|it| self.other_reasons.has(it));
                match other {
                    Some(why) if explicit && only_other => {
                        let words = format!("{name} never taken ({})", why.name());
                        story.never_taken.push(cite(&reason, words));
                    }
                    // A reason that may be a contraindication is for a person to weigh.
                    Some(_) | None if explicit && !only_other => {
                        let words = format!("{name} not taken, with a reason");
                        story.to_judge.push(cite(&reason, words));
                    }
                    Some(_) | None => {
                        story.set_aside.push(aside(source, format!("{name}: no dose was given")));
                    }
                }
            }
            Dose::EnteredInError => {}
        }
    }

    /// Progression while the agent was taken, or shortly after (rulings 20).
    fn hear_progression(
        &self,
        name: &str,
        exposure: &Exposure<'_>,
        scene: &Scene<'_>,
        story: &mut Story,
    ) {
        let rises = StageRise::of(exposure, scene);
        for observation in &scene.case.evidence.observations {
            if let Some((date, first_day, says)) = progression(observation, rises, scene) {
                let cited = cite(&observation.source, format!("{says}, while on {name}"));
                let timing = match exposure.timing(date, self.window_days, first_day, scene) {
                    // clinical.md 4.3: effective after the first dose; issued then is not enough.
                    Timing::During | Timing::Later if observation.observed.is_none() => {
                        Timing::Unknown
                    }
                    timing => timing,
                };
                let course = exposure.course_of(date, self.window_days, first_day, scene);
                hear(timing, cited, course.map(|it| taken(name, it)), story);
            }
        }
        for seen in &scene.picture.sightings {
            if let Some(onset) = new_metastasis(seen, scene) {
                let mut source = seen.condition.source.element("Condition.onset");
                source.date = Some(onset);
                let says = format!("{}, new while on {name}", seen.condition.code.name());
                let timing =
                    |date| exposure.timing(date, self.window_days, FirstDay::DoesNotCount, scene);
                let when = match timing(onset) {
                    // rulings 20: with an onset before the first dose it is not a new one.
                    Timing::During if was_known(seen, onset, scene, timing) => Timing::Unknown,
                    when => when,
                };
                let first_day = FirstDay::DoesNotCount;
                let course = exposure.course_of(onset, self.window_days, first_day, scene);
                hear(when, cite(&source, says), course.map(|it| taken(name, it)), story);
            }
        }
    }

    /// Adverse events that name the agent, by a record of its use or by its code (4.3).
    ///
    /// Where the agent goes on being given, the reaction may have been a mild one: a person weighs it.
    fn hear_adverse_events(
        &self,
        name: &str,
        codes: &Codes,
        exposure: &Exposure<'_>,
        scene: &Scene<'_>,
        story: &mut Story,
    ) {
        for event in &scene.case.evidence.adverse_events {
            let names_agent = event.suspects.iter().any(|suspect| {
                let by_record =
                    exposure.uses.iter().any(|found| Some(found.record.id) == suspect.record);
                by_record || codes.has(&suspect.code)
            });
            if !names_agent {
                continue;
            }
            let cited = cite(&event.source, format!("adverse event of {name}"));
            let is_actual = event.actuality.as_deref() == Some("actual");
            let date = event.source.date.filter(|date| !scene.is_future(*date));
            let timing =
                date.map(|it| exposure.timing(it, self.window_days, FirstDay::Counts, scene));
            let stopped =
                date.is_some_and(|it| exposure.is_discontinued(it, self.window_days, scene));
            let is_doubted = event.suspects.iter().any(|suspect| suspect.is_doubted);
            if !is_actual || date.is_none() {
                story.set_aside.push(aside(&event.source, "not an actual event with a date"));
                // It proves nothing, and yet speaks against "never taken".
                story.is_open |= event.actuality.as_deref() != Some("potential");
            } else if timing == Some(Timing::Before) && exposure.is_given() == Truth::Met {
                story.set_aside.push(aside(&event.source, "before the first dose"));
            } else if stopped && event.suspects.len() == 1 && !is_doubted {
                story.proof.push(cited);
            } else {
                story.to_judge.push(cited);
            }
        }
    }

    /// A reaction to the class, where only agents of the class were taken and it was stopped.
    fn hear_class_reaction(
        &self,
        name: &str,
        exposure: &Exposure<'_>,
        scene: &Scene<'_>,
        story: &mut Story,
    ) {
        let clouded = !Exposure::of(&self.never, scene.case.evidence, scene).uses.is_empty();
        for condition in &scene.case.evidence.conditions {
            if !self.class_reaction.has(&condition.code) {
                continue;
            }
            let standing = Standing::of(condition, scene.as_of);
            let Some(date) = condition.source.date else { continue };
            let says = format!("{}, while on {name}", condition.code.name());
            let cited = cite(&condition.source, says);
            let timing = exposure.timing(date, self.window_days, FirstDay::Counts, scene);
            let stands = matches!(standing, Standing::Current | Standing::Past);
            let stopped = exposure.is_discontinued(date, self.window_days, scene);
            if stands && timing == Timing::During && stopped && !clouded {
                story.proof.push(cited);
            } else if stands && timing != Timing::Before {
                story.to_judge.push(cited);
            } else {
                story.set_aside.push(aside(&condition.source, "not certainly a reaction to it"));
            }
        }
    }
}

/// The date of a progression that an Observation documents, and what it says.
fn progression(
    observation: &Observation,
    rises: StageRise,
    scene: &Scene<'_>,
) -> Option<(When, FirstDay, String)> {
    let disease = scene.disease;
    let date = observation.source.date.filter(|date| !scene.is_future(*date))?;
    if ReportStatus::of(observation.status.as_deref()) != ReportStatus::Final
        || scene.picture.concerns(observation) != Truth::Met
    {
        return None;
    }
    // Codings of one answer that contradict each other say nothing.
    let is_worse = |it: &Concept| disease.status_worse.has(it) && !disease.status_not_worse.has(it);
    if disease.status_code.has(&observation.code)
        && matches!(&observation.value.value, Value::Coded(it) if is_worse(it))
    {
        return Some((date, FirstDay::Counts, "the disease got worse".to_owned()));
    }
    // A stage of distant metastasis is new only if a lower stage is on record from before,
    // and no metastasis from before the first dose: else it may be an old stage, written again.
    if disease.extent_observed(observation) == Some(Extent::Distant) {
        return rises.is_new(date).then(|| {
            (date, FirstDay::DoesNotCount, "the stage rose to distant metastasis".to_owned())
        });
    }
    None
}

/// The record of a course, as a fact.
fn taken(name: &str, record: &MedicationUse) -> Cited {
    let status = record.status.as_deref().unwrap_or("of unknown status");
    cite(&record.source, format!("{name} {status}"))
}

/// Puts a progression where its date belongs; it proves something with the course that it fell in.
fn hear(timing: Timing, cited: Cited, course: Option<Cited>, story: &mut Story) {
    let is_new = |fact: &Cited| {
        story.proof.iter().all(|known| known.source.resource != fact.source.resource)
    };
    match timing {
        Timing::During => {
            let course = course.filter(is_new);
            story.proof.extend(course.into_iter().chain([cited]));
        }
        Timing::Before => story.set_aside.push(aside(&cited.source, "before the first dose")),
        // N9: the policy is silent on a late relapse.
        Timing::Later => story.to_judge.push(cited),
        Timing::Unknown => {
            story.set_aside.push(aside(&cited.source, "the dates do not tell whether it was then"));
        }
    }
}

/// An allergy to the agent (rulings 21); one that names an agent that never counts as well may have
/// been a reaction to that one (clinical.md 4.3).
fn hear_allergy(
    name: &str,
    allergy: &Allergy,
    is_mixed: bool,
    exposure: &Exposure<'_>,
    scene: &Scene<'_>,
    story: &mut Story,
) {
    let source = &allergy.source;
    let active = allergy.clinical_status.as_deref() == Some("active");
    match allergy.verification_status.as_deref() {
        Some("refuted" | "entered-in-error") => {
            story.set_aside.push(aside(source, "refuted or entered in error"));
        }
        Some("confirmed") if active => {
            let cited = cite(source, format!("allergy to {name}"));
            let reacted = allergy.has_reaction || exposure.is_given() == Truth::Met;
            let dated = source.date.is_some_and(|date| !scene.is_future(date));
            if reacted && dated && !is_mixed {
                story.proof.push(cited);
            } else {
                story.to_judge.push(cited);
            }
        }
        Some(_) | None => {
            story.set_aside.push(aside(source, "not an active, confirmed allergy"));
            story.exposed.push(cite(source, format!("possible allergy to {name}")));
            story.is_open = true;
        }
    }
}

/// Flags and detected issues about the agent: whether one is a contraindication is for a person to
/// weigh (clinical.md 4.3).
fn hear_alerts(
    name: &str,
    codes: &Codes,
    exposure: &Exposure<'_>,
    scene: &Scene<'_>,
    story: &mut Story,
) {
    for alert in &scene.case.evidence.alerts {
        let by_record =
            exposure.uses.iter().any(|found| alert.implicated.contains(&found.record.id));
        if !by_record && !codes.has(&alert.code) {
            continue;
        }
        if alert.is_active {
            story.to_judge.push(cite(&alert.source, format!("a warning about {name}")));
        } else {
            story.set_aside.push(aside(&alert.source, "a warning that does not hold any more"));
        }
    }
}

/// `MedicationStatement` of a source's `MedicationStatement/m1`.
fn kind_name(source: &crate::facts::Source) -> &str {
    source.element.split('.').next().unwrap_or_default()
}
