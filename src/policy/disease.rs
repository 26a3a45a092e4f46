//! How the policy's disease shows in a patient's records.
//!
//! Every Condition is put into one class by all of its codings; who claims two things that cannot
//! both be true is in conflict and proves neither.

use serde::Deserialize;

use super::codes::Codes;
use super::standing::{ReportStatus, Standing};
use crate::facts::{Case, Condition, ConditionLink, FactId, MedicationUse, Observation, Value};
use crate::terms::{Concept, Day, System, Truth};

/// The codes by which a cancer, its extent and its look-alikes are recognised.
///
/// The default is no disease: every record is unrelated to it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disease {
    /// What the disease is called, and words that hint at it without proving it.
    pub names: Vec<String>,
    /// Words of a cancer: a Condition of no known code that has one may be another primary.
    pub cancer_words: Vec<String>,
    /// Words that say that it is none, or none that counts.
    pub no_cancer_words: Vec<String>,
    /// The invasive disease.
    pub disease: Codes,
    /// Codes that say disease and metastasis in one.
    pub metastatic: Codes,
    /// A kind of the disease on which a person must decide.
    pub special: Codes,
    /// Words that make a diagnosis of the disease, or its site, one of the special kind.
    pub special_words: Vec<String>,
    /// Codes too unclear to count.
    pub doubtful: Codes,
    /// The disease before it invades.
    pub in_situ: Codes,
    /// The disease as history only.
    pub history: Codes,
    /// Harmless look-alikes.
    pub benign: Codes,
    /// Another disease of the same place, which is no primary that counts: a diagnosis that is coded
    /// as both contradicts itself.
    pub apart: Codes,
    /// Morphology of the invasive disease.
    pub morphology: Codes,
    /// Morphology of the disease in situ.
    pub morphology_in_situ: Codes,
    /// Morphology of the special kind.
    pub morphology_special: Codes,
    /// Sites that are the disease only together with its morphology.
    pub sites: Codes,
    /// The same for the special kind.
    pub special_sites: Codes,
    /// Distant secondary cancer of whatever origin.
    pub secondary_distant: Codes,
    /// Secondary cancer that may be regional.
    pub secondary_regional: Codes,
    /// Secondary cancer that does not say where: it counts only if it is linked.
    pub secondary_unspecific: Codes,
    /// The finding that there are distant metastases.
    pub distant_finding: Codes,
    /// Other primary cancers.
    pub other_primary: Codes,
    /// Observations that give a stage group.
    pub stage_code: Codes,
    /// Observations that give an M category.
    pub m_code: Codes,
    /// Stages and categories that mean distant metastasis.
    pub stage_distant: Codes,
    /// Stages between.
    pub stage_regional: Codes,
    /// Early stages.
    pub stage_early: Codes,
    /// Categories that rule out distant metastasis and say nothing else.
    pub not_distant: Codes,
    /// Observations of a history of metastatic cancer: `false` speaks against it.
    pub metastatic_history: Codes,
    /// Observations of the course of the disease.
    pub status_code: Codes,
    /// The course: worse.
    pub status_worse: Codes,
    /// The course: gone.
    pub status_gone: Codes,
    /// The course: anything but worse.
    pub status_not_worse: Codes,
}

impl Disease {
    pub(super) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        vec![
            &mut self.disease,
            &mut self.metastatic,
            &mut self.special,
            &mut self.doubtful,
            &mut self.in_situ,
            &mut self.history,
            &mut self.benign,
            &mut self.apart,
            &mut self.morphology,
            &mut self.morphology_in_situ,
            &mut self.morphology_special,
            &mut self.sites,
            &mut self.special_sites,
            &mut self.secondary_distant,
            &mut self.secondary_regional,
            &mut self.secondary_unspecific,
            &mut self.distant_finding,
            &mut self.other_primary,
            &mut self.stage_code,
            &mut self.m_code,
            &mut self.stage_distant,
            &mut self.stage_regional,
            &mut self.stage_early,
            &mut self.not_distant,
            &mut self.metastatic_history,
            &mut self.status_code,
            &mut self.status_worse,
            &mut self.status_gone,
            &mut self.status_not_worse,
        ]
    }

    /// The class of a Condition, by all codings of its code, site and morphology.
    #[must_use]
    pub fn classify(&self, condition: &Condition) -> Class {
        self.class_of(&condition.code, &condition.morphology, &condition.body_site)
    }

    /// The class of a code that stands alone.
    #[must_use]
    pub fn class_of_concept(&self, concept: &Concept) -> Class {
        self.class_of(concept, &Concept::default(), &Concept::default())
    }

    /// Whether a Condition without a code of the policy's or of ICD-10-CM is called a cancer.
    fn may_be_cancer_in_words(&self, condition: &Condition) -> bool {
        self.is_cancer_in_words(&condition.code) && self.classify(condition) == Class::Unrelated
    }

    fn is_cancer_in_words(&self, code: &Concept) -> bool {
        let is_coded = code.codings.iter().any(|coding| coding.system == System::Icd10Cm);
        !is_coded && code.mentions(&self.cancer_words) && !code.mentions(&self.no_cancer_words)
    }

    /// Whether a record that is no certain disease names another primary beside it.
    fn may_be_other_primary(&self, sighting: &Sighting<'_>) -> bool {
        let code = &sighting.condition.code;
        let has_no_site = !self.sites.has(code) && !self.special_sites.has(code);
        let is_mixed = match sighting.class {
            Class::Conflict
            | Class::Distant { .. }
            | Class::Regional
            | Class::Unspecific
            | Class::Doubtful
            | Class::InSitu
            | Class::History
            | Class::Benign => true,
            Class::Disease
            | Class::Metastatic
            | Class::Special
            | Class::OtherPrimary
            | Class::WordsOnly
            | Class::Unrelated => false,
        };
        is_mixed && has_no_site && self.other_primary.has(code)
    }

    fn class_of(&self, code: &Concept, morphology: &Concept, site: &Concept) -> Class {
        let named = self.disease.has(code) || self.metastatic.has(code);
        let by_morphology = self.morphology.has(morphology) || self.morphology.has(code);
        let special_by_morphology =
            self.morphology_special.has(morphology) || self.morphology_special.has(code);
        let special_site = self.special_sites.has(code) || self.special_sites.has(site);
        // N3: words never prove the disease, and yet they take the certainty from a general code.
        let special_in_words =
            || [code, site, morphology].iter().any(|it| it.mentions(&self.special_words));
        let special = self.special.has(code)
            || special_by_morphology
            || (named || by_morphology) && (special_site || special_in_words());
        let in_situ = self.in_situ.has(code)
            || self.morphology_in_situ.has(morphology)
            || self.morphology_in_situ.has(code);
        let history = self.history.has(code);
        let benign = self.benign.has(code);
        let at_site = self.sites.has(code) || special_site;
        let other = self.other_primary.has(code) && !at_site;
        let apart = self.apart.has(code);
        let secondary = self.secondary_distant.has(code);
        let invasive = named || special || by_morphology;

        let somewhere = self.secondary_regional.has(code) || self.secondary_unspecific.has(code);
        // A primary at a site that no morphology makes the disease.
        let elsewhere = code.codings.iter().any(|coding| {
            self.other_primary.contains(coding)
                && !self.sites.contains(coding)
                && !self.special_sites.contains(coding)
        });

        // Two statements that exclude each other: neither is believed.
        let is_beside = (named || special) && (other || apart)
            || by_morphology && (apart || at_site && elsewhere);
        let is_more_than_in_situ = in_situ && (other || secondary || somewhere)
            || self.in_situ.has(code) && self.other_primary.has(code);
        if invasive && (in_situ || history || benign)
            || is_beside
            || is_more_than_in_situ
            || other && secondary
        {
            return Class::Conflict;
        }
        if special {
            Class::Special
        } else if self.doubtful.has(code) {
            // A code that is too unclear takes the certainty from the one beside it.
            Class::Doubtful
        } else if self.metastatic.has(code) {
            Class::Metastatic
        } else if named {
            Class::Disease
        } else if secondary {
            Class::Distant { says_origin: by_morphology }
        } else if by_morphology && !other {
            Class::Disease
        } else if in_situ {
            Class::InSitu
        } else if self.distant_finding.has(code) {
            Class::Distant { says_origin: false }
        } else if self.secondary_regional.has(code) {
            Class::Regional
        } else if self.secondary_unspecific.has(code) {
            Class::Unspecific
        } else if history {
            Class::History
        } else if benign {
            Class::Benign
        } else if other || at_site || self.other_primary.has(code) {
            Class::OtherPrimary
        } else if code.mentions(&self.names) {
            Class::WordsOnly
        } else {
            Class::Unrelated
        }
    }
}

/// What a Condition says about the disease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The disease, invasive.
    Disease,
    /// The disease, and that it is metastatic.
    Metastatic,
    /// The kind on which a person must decide.
    Special,
    /// A code too unclear to count.
    Doubtful,
    /// Its codings contradict each other.
    Conflict,
    /// The disease in situ.
    InSitu,
    /// The disease in the past.
    History,
    /// A harmless look-alike.
    Benign,
    /// Distant secondary cancer; whether it says itself that the disease is its origin.
    Distant {
        /// By its morphology.
        says_origin: bool,
    },
    /// Secondary cancer that may be regional.
    Regional,
    /// Secondary cancer somewhere.
    Unspecific,
    /// Another primary cancer.
    OtherPrimary,
    /// Words name the disease, no code does.
    WordsOnly,
    /// Nothing.
    Unrelated,
}

/// A Condition with its class and standing.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'c> {
    /// The record.
    pub condition: &'c Condition,
    /// What it says.
    pub class: Class,
    /// How firmly.
    pub standing: Standing,
}

impl Sighting<'_> {
    /// Whether it says that the disease is there now.
    #[must_use]
    pub fn is_current_disease(&self) -> bool {
        self.standing == Standing::Current
            && matches!(self.class, Class::Disease | Class::Metastatic)
    }

    /// Whether it is confirmed, and said to be in remission.
    #[must_use]
    pub fn is_in_remission(&self) -> bool {
        matches!(self.standing, Standing::Unclear(_))
            && self.condition.clinical_status.as_deref() == Some("remission")
    }
}

/// All Conditions about the disease, and whether it is the only cancer.
#[derive(Debug)]
pub struct Picture<'c> {
    /// Every Condition that is not unrelated.
    pub sightings: Vec<Sighting<'c>>,
    /// Whether something else may be the origin of a metastasis.
    pub has_other_primary: bool,
    /// Observations that a Condition of the disease names as the source of its stage.
    assessed: Vec<FactId>,
}

impl<'c> Picture<'c> {
    /// Looks at all Conditions of a case.
    #[must_use]
    pub fn of(case: Case<'c>, disease: &Disease, as_of: Day) -> Picture<'c> {
        let sightings: Vec<Sighting<'c>> = case
            .evidence
            .conditions
            .iter()
            .map(|condition| Sighting {
                condition,
                class: disease.classify(condition),
                standing: Standing::of(condition, as_of),
            })
            .filter(|sighting| sighting.class != Class::Unrelated)
            .collect();
        // rulings 19: resolved does not count, nor what nobody confirmed. The special kind is
        // another primary beside the ordinary one.
        let blocks = |sighting: &Sighting<'_>| match sighting.standing {
            Standing::Current | Standing::Unclear(_) => {
                matches!(sighting.class, Class::OtherPrimary | Class::Special)
                    || disease.may_be_other_primary(sighting)
            }
            Standing::Past
            | Standing::Refuted
            | Standing::Unconfirmed
            | Standing::EnteredInError => false,
        };
        let mentioned = case
            .evidence
            .mentions
            .iter()
            .any(|(concept, _)| disease.class_of_concept(concept) == Class::OtherPrimary);
        let assessed = sightings
            .iter()
            .filter(|sighting| sighting.is_current_disease())
            .flat_map(|sighting| &sighting.condition.stages)
            .flat_map(|stage| stage.assessments.iter().copied())
            .collect();
        // N3: words prove no cancer, and yet keep the disease from being the only one for certain.
        let in_words = case.evidence.conditions.iter().any(|condition| {
            disease.may_be_cancer_in_words(condition)
                && matches!(
                    Standing::of(condition, as_of),
                    Standing::Current | Standing::Unclear(_)
                )
        });
        let has_other_primary = mentioned || in_words || sightings.iter().any(blocks);
        Picture { sightings, has_other_primary, assessed }
    }

    /// The sighting of a record.
    #[must_use]
    pub fn sighting(&self, id: FactId) -> Option<&Sighting<'c>> {
        self.sightings.iter().find(|sighting| sighting.condition.id == id)
    }

    /// Whether the disease is currently there at all.
    #[must_use]
    pub fn has_disease(&self) -> bool {
        self.sightings.iter().any(Sighting::is_current_disease)
    }

    /// Whether the disease may be there: a record of it that is neither over nor taken back.
    #[must_use]
    pub fn may_have_disease(&self) -> bool {
        self.sightings.iter().any(|seen| {
            let is_of_disease = matches!(
                seen.class,
                Class::Disease
                    | Class::Metastatic
                    | Class::Special
                    | Class::Doubtful
                    | Class::Conflict
                    | Class::WordsOnly
            );
            let stands = matches!(
                seen.standing,
                Standing::Current | Standing::Unclear(_) | Standing::Unconfirmed
            );
            is_of_disease && stands
        })
    }

    /// Whether what is linked by `links` belongs to the disease.
    ///
    /// Without a link it does if the disease is the only active, confirmed cancer (rulings 19).
    /// A link to a metastasis leads on to where that comes from, one step and no further.
    #[must_use]
    pub fn belongs(&self, links: &[ConditionLink]) -> Truth {
        let is_alone = self.has_disease() && !self.has_other_primary;
        self.leads_to_disease(links, 1, if is_alone { Truth::Met } else { Truth::Unknown })
    }

    /// `unlinked` is what holds where nothing is linked.
    fn leads_to_disease(&self, links: &[ConditionLink], steps_left: u8, unlinked: Truth) -> Truth {
        if links.is_empty() {
            return unlinked;
        }
        let target = |link: &ConditionLink| match link {
            ConditionLink::Elsewhere => None,
            ConditionLink::To(id) => self.sighting(*id),
        };
        let led = links.iter().map(|link| {
            let Some(target) = target(link) else { return Truth::Unknown };
            // What is not there, or confirmed by nobody, is no origin.
            if matches!(
                target.standing,
                Standing::Refuted | Standing::EnteredInError | Standing::Unconfirmed
            ) {
                return Truth::Unknown;
            }
            match target.class {
                Class::Disease | Class::Metastatic | Class::Distant { says_origin: true } => {
                    Truth::Met
                }
                Class::OtherPrimary => Truth::NotMet,
                Class::Distant { says_origin: false } | Class::Regional if steps_left > 0 => {
                    self.leads_to_disease(&target.condition.links, steps_left - 1, unlinked)
                }
                Class::Special
                | Class::Distant { says_origin: false }
                | Class::Regional
                | Class::Unspecific
                | Class::Doubtful
                | Class::Conflict
                | Class::InSitu
                | Class::History
                | Class::Benign
                | Class::WordsOnly
                | Class::Unrelated => Truth::Unknown,
            }
        });
        let led: Vec<Truth> = led.collect();
        // Links to this disease and to another cancer contradict each other.
        if led.contains(&Truth::Met) && led.contains(&Truth::NotMet) {
            return Truth::Unknown;
        }
        Truth::any(led)
    }

    /// Whether a medication is said to be taken for another cancer, and not for the disease.
    ///
    /// That it did not work there says nothing of the disease (N10).
    #[must_use]
    pub fn is_for_another_cancer(&self, taken: &MedicationUse, disease: &Disease) -> bool {
        let is_other = |code: &Concept| {
            disease.class_of_concept(code) == Class::OtherPrimary
                || (self.has_other_primary && disease.is_cancer_in_words(code))
        };
        let is_code_of_disease = |code: &Concept| {
            disease.disease.has(code)
                || self.sightings.iter().filter(|seen| seen.is_current_disease()).any(|seen| {
                    seen.condition.code.codings.iter().any(|it| code.codings.contains(it))
                })
        };
        let leads_to = |link: &ConditionLink| self.belongs(std::slice::from_ref(link));
        let is_for_disease = taken.taken_for.iter().any(is_code_of_disease)
            || taken.taken_for_records.iter().any(|link| leads_to(link) == Truth::Met);
        let is_for_other = taken.taken_for.iter().any(is_other)
            || taken.taken_for_records.iter().any(|link| leads_to(link) == Truth::NotMet);
        is_for_other && !is_for_disease
    }

    /// Whether an Observation is about the disease.
    #[must_use]
    pub fn concerns(&self, observation: &Observation) -> Truth {
        if self.assessed.contains(&observation.id) {
            return Truth::Met;
        }
        self.belongs(&observation.focus)
    }

    /// Whether a secondary cancer comes from the disease.
    #[must_use]
    pub fn originates(&self, sighting: &Sighting<'_>) -> Truth {
        match sighting.class {
            Class::Distant { says_origin: true } | Class::Metastatic => Truth::Met,
            // clinical.md 1.1: it needs a link, and one to nodes without a link leads nowhere.
            Class::Unspecific => {
                self.leads_to_disease(&sighting.condition.links, 1, Truth::Unknown)
            }
            Class::Distant { says_origin: false } | Class::Regional => {
                self.belongs(&sighting.condition.links)
            }
            Class::Disease
            | Class::Special
            | Class::Doubtful
            | Class::Conflict
            | Class::InSitu
            | Class::History
            | Class::Benign
            | Class::OtherPrimary
            | Class::WordsOnly
            | Class::Unrelated => Truth::NotMet,
        }
    }
}

/// Where a stage stands in the order of extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Distant metastasis.
    Distant,
    /// In between: may or may not be operable.
    Regional,
    /// Early.
    Early,
    /// Not distant; it may be regional.
    NotDistant,
}

impl Disease {
    /// The extent that a stage value names.
    #[must_use]
    pub fn extent(&self, value: &Concept) -> Option<Extent> {
        if self.stage_distant.has(value) {
            // Codings that contradict each other name no extent.
            let lower = [&self.stage_regional, &self.stage_early, &self.not_distant];
            (!lower.iter().any(|set| set.has(value))).then_some(Extent::Distant)
        } else if self.stage_regional.has(value) {
            Some(Extent::Regional)
        } else if self.stage_early.has(value) {
            Some(Extent::Early)
        } else if self.not_distant.has(value) {
            Some(Extent::NotDistant)
        } else {
            None
        }
    }

    /// Whether the value of an Observation is a finding of distant metastasis, in a report that was
    /// meant.
    #[must_use]
    pub fn is_found_distant(&self, observation: &Observation) -> bool {
        let is_void = ReportStatus::of(observation.status.as_deref()) == ReportStatus::Void;
        match &observation.value.value {
            Value::Coded(concept) => !is_void && self.distant_finding.has(concept),
            Value::Boolean(found) => {
                *found && !is_void && self.distant_finding.has(&observation.code)
            }
            Value::None | Value::Text(_) | Value::Quantity { .. } => false,
        }
    }

    /// What an Observation says against distant metastasis, whatever its date and its focus: a lower
    /// stage, that the disease is gone, or that it never was metastatic.
    #[must_use]
    pub fn lowers(&self, observation: &Observation) -> Option<Extent> {
        match &observation.value.value {
            Value::Boolean(false) if self.metastatic_history.has(&observation.code) => {
                Some(Extent::NotDistant)
            }
            Value::Coded(value)
                if self.status_code.has(&observation.code) && self.status_gone.has(value) =>
            {
                Some(Extent::NotDistant)
            }
            _ => self.extent_observed(observation).filter(|extent| *extent != Extent::Distant),
        }
    }

    /// The extent that an Observation of stage or M category gives, if it is a final one.
    #[must_use]
    pub fn extent_observed(&self, observation: &Observation) -> Option<Extent> {
        let is_stage = self.stage_code.has(&observation.code) || self.m_code.has(&observation.code);
        let is_final = ReportStatus::of(observation.status.as_deref()) == ReportStatus::Final;
        match &observation.value.value {
            Value::Coded(concept) if is_stage && is_final => self.extent(concept),
            _ => None,
        }
    }
}
