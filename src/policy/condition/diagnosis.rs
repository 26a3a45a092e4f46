//! The disease is there, and as far advanced as the policy asks (clinical.md 1).

use serde::Deserialize;

use crate::facts::{Observation, Value};
use crate::policy::attested::Proof;
use crate::policy::disease::{Class, Extent, Sighting};
use crate::policy::finding::{Cited, SetAside};
use crate::policy::scene::{Outcome, Scene, aside, cite, found};
use crate::policy::standing::{ReportStatus, Standing};
use crate::terms::{Truth, When};

/// The policy's disease, unresectable or metastatic.
///
/// No code says "unresectable": that arm can only be attested or judged by a person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnosisWithExtent {}

/// What is known of the extent, each statement with its date.
#[derive(Default)]
struct Scales {
    /// Distant metastasis.
    distant: Vec<(When, Cited)>,
    /// A stage in between, which may or may not be operable.
    regional: Vec<(When, Cited)>,
    /// An early stage.
    early: Vec<(When, Cited)>,
    /// No distant metastasis on that date, whatever the stage.
    against: Vec<(When, Cited)>,
    /// Whether more than a stage shows distant metastasis: a diagnosis, or a finding.
    is_distant_beside_stage: bool,
    /// A stage that nobody can read: a later one may be lower than the stages before it.
    unread: Vec<(When, Cited)>,
    /// Something that may be metastasis: it keeps an early stage from deciding.
    perhaps: Vec<Cited>,
    set_aside: Vec<SetAside>,
}

impl DiagnosisWithExtent {
    /// Asked: pathology and staging; what to make of a contradiction; and of a person, whether
    /// the special kind of the disease is meant.
    pub const ASKS: &'static [&'static str] = &["diagnosis", "extent", "conflict", "special"];

    /// Finds the disease, then weighs what is known of its extent by date.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let sightings = &scene.picture.sightings;
        let current: Vec<Cited> =
            sightings.iter().filter(|sighting| sighting.is_current_disease()).map(named).collect();
        let mut set_aside = not_counted(scene);
        if current.is_empty() {
            return without_disease(scene).without(set_aside);
        }
        let mut scales = weigh(scene);
        set_aside.append(&mut scales.set_aside);
        // clinical.md 1.3: a clinician's word that it cannot be resected stands beside records of a
        // stage in between, and not beside a later early stage or a remission; what was said before
        // the disease was there is not about it.
        let is_of_disease = |date: When| {
            let mut dates = current.iter().filter_map(|cited| cited.source.date);
            dates.any(|onset| onset.on_or_before(date) == Truth::Met)
        };
        let attested: Vec<Cited> = scene
            .answers
            .of(Proof::Extent)
            .filter(|answer| is_of_disease(answer.date))
            .filter(|answer| !is_contradicted(answer.date, &[&scales.early, &scales.against]))
            .map(|answer| answer.cited.clone())
            .collect();
        let against = [&scales.regional, &scales.early, &scales.against];
        let is_distant = newest(&scales.distant)
            .is_some_and(|newest| !is_contradicted(newest, &against))
            && !scales.newest_stage_is_unread();
        let outcome = if is_distant {
            let distant = scales.distant.into_iter().map(|(_, cited)| cited);
            Outcome::met(current.into_iter().chain(distant).collect())
        } else if !attested.is_empty() {
            Outcome::met(current.into_iter().chain(attested).collect())
        } else if !scales.distant.is_empty() {
            scene.ask("conflict", &found(&scales.everything()))
        } else if scales.shows_an_early_stage() {
            Outcome::not_met(scales.early.into_iter().map(|(_, cited)| cited).collect())
        } else {
            let known: Vec<Cited> = current.into_iter().chain(scales.everything()).collect();
            scene.ask("extent", &found(&known))
        };
        outcome.without(set_aside)
    }
}

/// Whether one of the statements was not certainly made before `date`.
fn is_contradicted(date: When, statements: &[&Vec<(When, Cited)>]) -> bool {
    let mut others = statements.iter().flat_map(|side| side.iter());
    others.any(|(other, _)| other.before(date) != Truth::Met)
}

fn newest(statements: &[(When, Cited)]) -> Option<When> {
    statements.iter().map(|(date, _)| *date).max_by_key(|date| date.first())
}

impl Scales {
    fn put(&mut self, extent: Extent, date: When, cited: Cited) {
        match extent {
            Extent::Distant => self.distant.push((date, cited)),
            Extent::Regional => self.regional.push((date, cited)),
            Extent::Early => self.early.push((date, cited)),
            Extent::NotDistant => self.against.push((date, cited)),
        }
    }

    /// A statement without a date, or perhaps about another cancer.
    ///
    /// clinical.md 1.3: the newest stage holds, and a remission after it leaves it open. One that
    /// may be the newest proves nothing, and still takes the certainty from what it contradicts.
    fn doubt(&mut self, lower: Option<Extent>, date: Option<When>, today: When, cited: Cited) {
        match lower {
            Some(Extent::Regional) => self.regional.push((date.unwrap_or(today), cited)),
            Some(Extent::Early | Extent::NotDistant) => {
                self.against.push((date.unwrap_or(today), cited));
            }
            Some(Extent::Distant) | None => self.perhaps.push(cited),
        }
    }

    /// Only stages show distant metastasis, and one that cannot be read may be newer (clinical.md
    /// 1.3: the newest stage holds).
    fn newest_stage_is_unread(&self) -> bool {
        let Some(newest) = newest(&self.distant) else { return false };
        !self.is_distant_beside_stage
            && self.unread.iter().any(|(date, _)| newest.before(*date) != Truth::NotMet)
    }

    /// The newest stage is an early one, and nothing may be a metastasis.
    fn shows_an_early_stage(&self) -> bool {
        let Some(newest_early) = newest(&self.early) else { return false };
        self.perhaps.is_empty()
            && self.regional.iter().all(|(date, _)| date.before(newest_early) == Truth::Met)
    }

    fn everything(&self) -> Vec<Cited> {
        let dated =
            self.distant.iter().chain(&self.regional).chain(&self.early).chain(&self.against);
        dated.map(|(_, cited)| cited.clone()).chain(self.perhaps.iter().cloned()).collect()
    }
}

fn named(sighting: &Sighting<'_>) -> Cited {
    let says = format!("diagnosis {}", sighting.condition.code.name());
    cite(&sighting.condition.source, says)
}

/// No current, confirmed, dated record of the disease: is it absent, or only not shown?
fn without_disease(scene: &Scene<'_>) -> Outcome {
    let sightings = &scene.picture.sightings;
    let special: Vec<Cited> = sightings
        .iter()
        .filter(|seen| seen.class == Class::Special && seen.standing == Standing::Current)
        .map(named)
        .collect();
    if !special.is_empty() {
        return scene.judge("special", &found(&special), special);
    }
    let possible: Vec<Cited> =
        sightings.iter().filter(|seen| may_be_disease(seen)).map(named).collect();
    if !possible.is_empty() {
        return scene.ask("diagnosis", &found(&possible));
    }
    // rulings 18: a stage beyond the early ones, and a metastasis that was found, show more than a
    // disease of the past.
    let advanced: Vec<Cited> = scene
        .case
        .evidence
        .observations
        .iter()
        .filter(|observation| {
            let extent = scene.disease.extent_observed(observation);
            let is_advanced = matches!(extent, Some(Extent::Distant | Extent::Regional));
            (is_advanced || tells_of_metastasis(scene, observation))
                && scene.picture.concerns(observation) != Truth::NotMet
        })
        .map(|observation| cite(&observation.source, observation.code.name()))
        .collect();
    if !advanced.is_empty() {
        return scene.ask("diagnosis", &found(&advanced));
    }
    // rulings 18: what the confirmed records show is something else, and nothing else is shown.
    let instead: Vec<Cited> =
        sightings.iter().filter(|seen| is_not_disease(seen)).map(named).collect();
    if !instead.is_empty() {
        return Outcome::not_met(instead);
    }
    scene.ask("diagnosis", "no record of the disease")
}

/// Whether a final report finds distant metastases, or a history of metastatic cancer.
fn tells_of_metastasis(scene: &Scene<'_>, observation: &Observation) -> bool {
    let disease = scene.disease;
    let is_history = disease.metastatic_history.has(&observation.code);
    let is_finding = disease.distant_finding.has(&observation.code)
        || matches!(&observation.value.value, Value::Coded(it) if disease.distant_finding.has(it));
    let is_denied = matches!(observation.value.value, Value::Boolean(false));
    ReportStatus::of(observation.status.as_deref()) == ReportStatus::Final
        && !is_denied
        && (is_history || is_finding && asserts_finding(scene, observation))
}

/// Whether a record may turn out to be the disease, or a metastasis of it.
fn may_be_disease(seen: &Sighting<'_>) -> bool {
    let stands = match seen.standing {
        Standing::Current | Standing::Unclear(_) | Standing::Unconfirmed => true,
        Standing::Past | Standing::Refuted | Standing::EnteredInError => false,
    };
    stands
        && match seen.class {
            Class::Disease
            | Class::Metastatic
            | Class::Special
            | Class::Doubtful
            | Class::Conflict
            | Class::Distant { .. }
            | Class::Regional
            | Class::Unspecific
            | Class::WordsOnly => true,
            Class::InSitu
            | Class::History
            | Class::Benign
            | Class::OtherPrimary
            | Class::Unrelated => false,
        }
}

/// Whether a record shows confirmed that what there is, or was, is not the disease of today.
fn is_not_disease(seen: &Sighting<'_>) -> bool {
    match (seen.class, seen.standing) {
        (Class::InSitu | Class::History | Class::Benign, Standing::Current)
        | (Class::Disease | Class::Metastatic, Standing::Past | Standing::Refuted) => true,
        (_, _) => false,
    }
}

/// Records about the disease that were looked at and do not count, each with the reason.
fn not_counted(scene: &Scene<'_>) -> Vec<SetAside> {
    let records = scene.picture.sightings.iter().filter_map(|seen| {
        let why = match (seen.class, seen.standing) {
            (_, standing) if standing != Standing::Current => standing.words(),
            (Class::Doubtful, _) => "the code is too unclear to count",
            (Class::Conflict, _) => "its codes contradict each other",
            (Class::WordsOnly, _) => "words without a code prove nothing",
            (Class::OtherPrimary, _) => "another primary cancer",
            (_, _) => return None,
        };
        Some(aside(&seen.condition.source, why))
    });
    let mentions = scene
        .case
        .evidence
        .mentions
        .iter()
        .map(|(_, source)| aside(source, "a Claim's code alone documents no diagnosis"));
    records.chain(mentions).collect()
}

/// Puts every statement about the extent on one side of the scales.
fn weigh(scene: &Scene<'_>) -> Scales {
    let mut scales = Scales::default();
    for seen in &scene.picture.sightings {
        weigh_condition(scene, seen, &mut scales);
    }
    for observation in &scene.case.evidence.observations {
        weigh_observation(scene, observation, &mut scales);
    }
    weigh_remissions(scene, &mut scales);
    scales
}

/// clinical.md 1.3: a remission that a diagnosis tells of speaks against what was there before it.
///
/// That of the metastases has no date of its own: it stands against what is not said to be active.
fn weigh_remissions(scene: &Scene<'_>, scales: &mut Scales) {
    let sightings = &scene.picture.sightings;
    let is_metastasis = |seen: &Sighting<'_>| {
        matches!(seen.class, Class::Distant { .. } | Class::Metastatic | Class::Unspecific)
            && scene.picture.originates(seen) == Truth::Met
    };
    let has_active =
        sightings.iter().any(|seen| seen.standing == Standing::Current && is_metastasis(seen));
    for seen in sightings.iter().filter(|seen| seen.is_in_remission()) {
        let cited = named(seen);
        if is_metastasis(seen) && !has_active {
            scales.against.push((When::from(scene.as_of), cited));
        } else if seen.class == Class::Disease {
            let date = seen.condition.source.date.unwrap_or(scene.as_of.into());
            scales.against.push((date, cited));
        }
    }
    let has_other = sightings.iter().any(|seen| seen.class == Class::OtherPrimary);
    for condition in &scene.case.evidence.conditions {
        let is_gone = scene.disease.status_gone.has(&condition.code)
            && Standing::of(condition, scene.as_of) == Standing::Current
            && scene.picture.belongs(&condition.links) == Truth::Met
            && !(condition.links.is_empty() && has_other);
        if let (true, Some(date)) = (is_gone, condition.source.date) {
            scales.against.push((date, cite(&condition.source, condition.code.name())));
        }
    }
}

fn weigh_condition(scene: &Scene<'_>, seen: &Sighting<'_>, scales: &mut Scales) {
    let source = &seen.condition.source;
    let cited = named(seen);
    let may_be_metastasis = matches!(
        seen.class,
        Class::Distant { .. } | Class::Regional | Class::Unspecific | Class::Conflict
    );
    if seen.standing != Standing::Current {
        let might_stand = matches!(seen.standing, Standing::Unclear(_) | Standing::Unconfirmed);
        if might_stand && (may_be_metastasis || seen.class == Class::Metastatic) {
            scales.perhaps.push(cited);
        }
        return;
    }
    let Some(date) = source.date else { return };
    let origin = scene.picture.originates(seen);
    match (seen.class, origin) {
        (Class::Metastatic | Class::Distant { .. } | Class::Unspecific, Truth::Met) => {
            scales.is_distant_beside_stage = true;
            scales.distant.push((date, cited));
        }
        (Class::Distant { .. } | Class::Unspecific | Class::Regional, Truth::NotMet) => {
            scales.set_aside.push(aside(source, "comes from another cancer"));
        }
        (Class::Distant { .. } | Class::Unspecific | Class::Regional | Class::Conflict, _) => {
            scales.perhaps.push(cited);
        }
        (_, _) => {}
    }
    if seen.is_current_disease() {
        for stage in &seen.condition.stages {
            if let Some(extent) = scene.disease.extent(&stage.summary) {
                let source = source.element("Condition.stage.summary");
                let says = format!("stage {}", stage.summary.name());
                scales.put(extent, date, cite(&source, says));
            }
        }
    }
}

fn weigh_observation(scene: &Scene<'_>, observation: &Observation, scales: &mut Scales) {
    let disease = scene.disease;
    let source = &observation.source;
    let (value, flag) = match &observation.value.value {
        Value::Coded(concept) => (concept, None),
        Value::Boolean(flag) => (&observation.code, Some(*flag)),
        Value::None | Value::Text(_) | Value::Quantity { .. } => (&observation.code, None),
    };
    let stage_code =
        disease.stage_code.has(&observation.code) || disease.m_code.has(&observation.code);
    let status_code = disease.status_code.has(&observation.code);
    let finding = disease.distant_finding.has(value);
    let history = disease.metastatic_history.has(&observation.code);
    if !(stage_code || status_code || finding || history) {
        return;
    }
    match ReportStatus::of(observation.status.as_deref()) {
        ReportStatus::Final => {}
        ReportStatus::Open => {
            scales.set_aside.push(aside(source, "not a final report"));
            return;
        }
        ReportStatus::Void => return,
    }
    let concerns = scene.picture.concerns(observation);
    if concerns == Truth::NotMet {
        scales.set_aside.push(aside(source, "about another cancer"));
        return;
    }
    let cited = cite(source, format!("{}: {}", observation.code.name(), value.name()));
    if finding && !asserts_finding(scene, observation) {
        scales.set_aside.push(aside(source, "does not say that the finding is there"));
        scales.perhaps.push(cited);
        return;
    }
    let usable_date = source.date.filter(|date| !scene.is_future(*date));
    let (Truth::Met, Some(date)) = (concerns, usable_date) else {
        scales.set_aside.push(aside(source, "not dated, or not certainly about this cancer"));
        scales.doubt(disease.lowers(observation), usable_date, scene.as_of.into(), cited);
        return;
    };
    if history {
        // mCODE's history of metastatic cancer: `false` negates it, `true` is for a person.
        match flag {
            Some(false) => scales.against.push((date, cited)),
            Some(true) | None => scales.perhaps.push(cited),
        }
    } else if finding && flag != Some(false) {
        scales.is_distant_beside_stage = true;
        scales.distant.push((date, cited));
    } else if status_code {
        if disease.status_gone.has(value) {
            scales.against.push((date, cited));
        } else if disease.status_worse.has(value) {
            // It got worse: an early stage may not be the latest (clinical.md 1.3).
            scales.perhaps.push(cited);
        }
    } else if let Some(extent) = disease.extent(value) {
        scales.put(extent, date, cited);
    } else {
        scales.set_aside.push(aside(source, "a stage that is not in the policy's lists"));
        scales.unread.push((date, cited.clone()));
        scales.perhaps.push(cited);
    }
}

/// Whether an Observation says that the finding in its code or value is there: words, numbers, a
/// missing answer and an interpretation beside the code may say the opposite.
fn asserts_finding(scene: &Scene<'_>, observation: &Observation) -> bool {
    let answer = &observation.value;
    match &answer.value {
        Value::Coded(value) => scene.disease.distant_finding.has(value),
        Value::Boolean(_) => true,
        Value::None => {
            let reason = &answer.absent_reason;
            reason.codings.is_empty()
                && reason.text.is_none()
                && observation.interpretations.is_empty()
        }
        Value::Text(_) | Value::Quantity { .. } => false,
    }
}
