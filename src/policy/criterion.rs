//! What a policy is made of: editions, clauses, and the closed list of condition kinds.

use serde::Deserialize;

use super::asks::Asks;
use super::attested::Attested;
use super::card::CardRule;
use super::codes::Codes;
use super::condition::age::AgeAtService;
use super::condition::attestation::AttestedByQuestionnaire;
use super::condition::biomarker::BiomarkerOrTherapy;
use super::condition::diagnosis::DiagnosisWithExtent;
use super::condition::documented::DocumentedDiagnosis;
use super::condition::dose::OneDose;
use super::condition::indication::Indication;
use super::condition::logic::{AllOf, AnyOf, Arm, NotOf};
use super::condition::measurement::Measurement;
use super::condition::prescriber::PrescriberSpecialty;
use super::condition::site::SiteInRegistry;
use super::condition::state::ExcludedState;
use super::condition::therapy::FailedTherapy;
use super::disease::Disease;
use super::document::Document;
use super::registry::Registry;
use crate::terms::{Coding, Day};

/// One edition of a policy, read and checked.
#[derive(Debug)]
pub struct Edition {
    /// The policy's id, the same in all its editions.
    pub policy: Box<str>,
    /// Its title for people.
    pub title: Box<str>,
    /// The document that its words come from, as pairs of a name and a text.
    pub source: Vec<(Box<str>, Box<str>)>,
    /// Whose word it is.
    pub authority: Authority,
    /// The product lines that it holds for, by their ids in the plan file.
    pub lines: Vec<Box<str>>,
    /// The first day on which it is in force; the last is the day before the next edition.
    pub effective: Day,
    /// Which product it is about.
    pub product: ProductMap,
    /// What it says; `None`: its text is not on file, so that only a person can judge.
    pub text: Option<Text>,
}

/// The criteria of an edition.
#[derive(Debug)]
pub struct Text {
    /// Criteria and limitations, in the order of the source.
    pub clauses: Vec<Clause>,
    /// What is shown to whoever orders, beside what follows from the clauses.
    pub cards: Vec<CardRule>,
    /// The codes by which the disease of the policy is seen in the records; `None`: no condition
    /// reads it.
    pub disease: Option<Disease>,
    /// The places that count as qualified.
    pub registry: Registry,
    /// The canonical of the payer's questionnaire for the policy, without a version.
    pub questionnaire: Option<Box<str>>,
}

impl Text {
    /// The codes of all Observations that the clauses read.
    pub fn observation_codes(&self) -> Vec<Coding> {
        let disease = self.disease.iter();
        let mut sets: Vec<&Codes> =
            disease.flat_map(|it| [&it.stage_code, &it.m_code, &it.status_code]).collect();
        for clause in &self.clauses {
            sets.extend(clause.condition.observation_codes());
        }
        sets.iter().flat_map(|codes| codes.set.members()).cloned().collect()
    }
}

/// Whose word a policy is: of those in force for a product, the highest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authority {
    /// The plan's own guideline.
    Plan,
    /// A Local Coverage Determination.
    Lcd,
    /// A National Coverage Determination.
    Ncd,
}

/// One sentence of the policy.
#[derive(Debug)]
pub struct Clause {
    /// `1`..`6`, `L1`..: the id under which findings and cases name it.
    pub id: Box<str>,
    /// Criterion or limitation.
    pub kind: ClauseKind,
    /// A few words.
    pub title: Box<str>,
    /// What it asks, in our words.
    pub words: Box<str>,
    /// The section of the source document.
    pub section: Box<str>,
    /// What is asked of the clinician, by the condition's own keys.
    pub asks: Asks,
    /// What answers to the questionnaire prove.
    pub attested: Vec<Attested>,
    /// What can settle it where evidence is missing, asked for by code beside the words.
    pub documents: Vec<Document>,
    /// When it holds.
    pub condition: Condition,
}

/// Criterion or limitation; a limitation that is clear counts as met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClauseKind {
    /// Must hold.
    Criterion,
    /// Must not apply.
    Limitation,
}

/// The kinds of condition that a clause can have.
///
/// A policy that needs no new kind needs no Rust.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Condition {
    /// The disease is there, and as far advanced as asked.
    DiagnosisWithExtent(DiagnosisWithExtent),
    /// The patient is old enough on the date of service.
    AgeAtService(AgeAtService),
    /// The prescriber has one of the named specialties.
    PrescriberSpecialty(PrescriberSpecialty),
    /// One agent failed, or all are contraindicated.
    FailedTherapy(Box<FailedTherapy>),
    /// The biomarker is absent, or the therapy aimed at it failed.
    BiomarkerOrTherapy(Box<BiomarkerOrTherapy>),
    /// The place is in the registry, in the asked setting.
    SiteInRegistry(SiteInRegistry),
    /// The order is for the disease and not for another.
    Indication(Indication),
    /// One dose is asked for, and none was given before.
    OneDose(OneDose),
    /// The patient is not in a state that excludes the therapy.
    ExcludedState(Box<ExcludedState>),
    /// A measured value is on the asked side of a threshold.
    Measurement(Box<Measurement>),
    /// The records document a diagnosis.
    DocumentedDiagnosis(DocumentedDiagnosis),
    /// An answer to the payer's questionnaire says so.
    AttestedByQuestionnaire(AttestedByQuestionnaire),
    /// All of several conditions hold.
    All(AllOf),
    /// At least one of several conditions holds.
    Any(AnyOf),
    /// A condition does not hold.
    Not(NotOf),
}

impl Condition {
    /// The value sets that the condition names, to be filled in by the reader.
    pub(super) fn codes_mut(&mut self) -> Vec<&mut Codes> {
        match self {
            // These read the codes of the disease, or none.
            Condition::DiagnosisWithExtent(_)
            | Condition::Indication(_)
            | Condition::AgeAtService(_)
            | Condition::AttestedByQuestionnaire(_) => Vec::new(),
            Condition::PrescriberSpecialty(condition) => condition.codes_mut(),
            Condition::FailedTherapy(condition) => condition.codes_mut(),
            Condition::BiomarkerOrTherapy(condition) => condition.codes_mut(),
            Condition::SiteInRegistry(condition) => condition.codes_mut(),
            Condition::OneDose(condition) => condition.codes_mut(),
            Condition::ExcludedState(condition) => condition.codes_mut(),
            Condition::Measurement(condition) => condition.codes_mut(),
            Condition::DocumentedDiagnosis(condition) => condition.codes_mut(),
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
                let arms = self.arms_mut().iter_mut();
                arms.flat_map(|arm| arm.condition.codes_mut()).collect()
            }
        }
    }

    /// The Observations that the condition reads.
    fn observation_codes(&self) -> Vec<&Codes> {
        match self {
            Condition::BiomarkerOrTherapy(condition) => {
                let assay = &condition.assay;
                vec![&assay.gene_test, &assay.narrow_test, &assay.variant_report]
            }
            Condition::ExcludedState(state) => vec![&state.status_code, &state.test],
            Condition::Measurement(condition) => condition.observation_codes(),
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
                self.arms().iter().flat_map(|arm| arm.condition.observation_codes()).collect()
            }
            Condition::DiagnosisWithExtent(_)
            | Condition::AgeAtService(_)
            | Condition::PrescriberSpecialty(_)
            | Condition::FailedTherapy(_)
            | Condition::SiteInRegistry(_)
            | Condition::Indication(_)
            | Condition::OneDose(_)
            | Condition::DocumentedDiagnosis(_)
            | Condition::AttestedByQuestionnaire(_) => Vec::new(),
        }
    }

    /// Whether the condition, or one of its parts, reads the codes of the policy's disease.
    pub(super) fn reads_disease(&self) -> bool {
        match self {
            Condition::DiagnosisWithExtent(_)
            | Condition::FailedTherapy(_)
            | Condition::BiomarkerOrTherapy(_)
            | Condition::Indication(_) => true,
            Condition::AgeAtService(_)
            | Condition::PrescriberSpecialty(_)
            | Condition::SiteInRegistry(_)
            | Condition::OneDose(_)
            | Condition::ExcludedState(_)
            | Condition::Measurement(_)
            | Condition::DocumentedDiagnosis(_)
            | Condition::AttestedByQuestionnaire(_) => false,
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
                self.arms().iter().any(|arm| arm.condition.reads_disease())
            }
        }
    }

    /// The conditions that this one is made of.
    fn arms(&self) -> &[Arm] {
        match self {
            Condition::All(all) => &all.of,
            Condition::Any(any) => &any.of,
            Condition::Not(not) => std::slice::from_ref(&not.of),
            Condition::DiagnosisWithExtent(_)
            | Condition::AgeAtService(_)
            | Condition::PrescriberSpecialty(_)
            | Condition::FailedTherapy(_)
            | Condition::BiomarkerOrTherapy(_)
            | Condition::SiteInRegistry(_)
            | Condition::Indication(_)
            | Condition::OneDose(_)
            | Condition::ExcludedState(_)
            | Condition::Measurement(_)
            | Condition::DocumentedDiagnosis(_)
            | Condition::AttestedByQuestionnaire(_) => &[],
        }
    }

    fn arms_mut(&mut self) -> &mut [Arm] {
        match self {
            Condition::All(all) => &mut all.of,
            Condition::Any(any) => &mut any.of,
            Condition::Not(not) => std::slice::from_mut(&mut not.of),
            Condition::DiagnosisWithExtent(_)
            | Condition::AgeAtService(_)
            | Condition::PrescriberSpecialty(_)
            | Condition::FailedTherapy(_)
            | Condition::BiomarkerOrTherapy(_)
            | Condition::SiteInRegistry(_)
            | Condition::Indication(_)
            | Condition::OneDose(_)
            | Condition::ExcludedState(_)
            | Condition::Measurement(_)
            | Condition::DocumentedDiagnosis(_)
            | Condition::AttestedByQuestionnaire(_) => &mut [],
        }
    }

    /// Its keys of questions and those of its parts.
    fn every_ask_key(&self) -> Vec<&'static str> {
        let below = self.arms().iter().flat_map(|arm| arm.condition.every_ask_key());
        self.ask_keys().iter().copied().chain(below).collect()
    }

    /// Hands the questions of the clause down to the parts that have none of their own, and says
    /// what is missing, what is too much, and where a condition has no parts.
    pub(super) fn settle(&mut self, asks: &Asks) -> Vec<String> {
        let missing = self.ask_keys().iter().filter(|key| !asks.says(key));
        let mut faults: Vec<String> =
            missing.map(|key| format!("`asks` says nothing under `{key}`")).collect();
        let known = self.every_ask_key();
        faults.extend(
            asks.beyond(&known)
                .map(|key| format!("`asks` has `{key}`, which this kind of condition never asks")),
        );
        if matches!(self, Condition::All(_) | Condition::Any(_)) && self.arms().is_empty() {
            faults.push("`of` names no condition".to_owned());
        }
        if matches!(self, Condition::Measurement(it) if it.reads_nothing()) {
            faults.push("`tests` or `limits` is empty".to_owned());
        }
        for arm in self.arms_mut() {
            let keys = arm.condition.every_ask_key();
            arm.asks.inherit(asks, &keys);
            faults.extend(arm.condition.settle(&arm.asks));
        }
        faults
    }

    /// The keys under which the clause must say what is asked.
    #[must_use]
    pub fn ask_keys(&self) -> &'static [&'static str] {
        match self {
            Condition::DiagnosisWithExtent(_) => DiagnosisWithExtent::ASKS,
            Condition::AgeAtService(_) => AgeAtService::ASKS,
            Condition::PrescriberSpecialty(_) => PrescriberSpecialty::ASKS,
            Condition::FailedTherapy(_) => FailedTherapy::ASKS,
            Condition::BiomarkerOrTherapy(_) => BiomarkerOrTherapy::ASKS,
            Condition::SiteInRegistry(_) => SiteInRegistry::ASKS,
            Condition::Indication(_) => Indication::ASKS,
            Condition::OneDose(_) => OneDose::ASKS,
            Condition::ExcludedState(_) => ExcludedState::ASKS,
            Condition::Measurement(_) => Measurement::ASKS,
            Condition::DocumentedDiagnosis(_) => DocumentedDiagnosis::ASKS,
            Condition::AttestedByQuestionnaire(_) => AttestedByQuestionnaire::ASKS,
            // Their parts ask.
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => &[],
        }
    }
}

/// How a product is recognised, whatever code system it comes in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductMap {
    /// Codes that are the product.
    pub codes: Codes,
    /// Codes for products without one of their own: they need a second identifier.
    pub unclassified: Codes,
    /// Look-alikes that are certainly another product.
    pub others: Codes,
    /// Names in words.
    pub names: Vec<String>,
}
