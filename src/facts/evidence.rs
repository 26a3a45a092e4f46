//! What the records say: conditions, medication, observations, allergies, attested answers, own
//! authorizations.
//!
//! Only records about this patient get here; what was left out is in the gaps.

use crate::terms::{Concept, Span, When};

use super::source::{FactId, Source, Unread};

/// All records about the patient.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Condition resources.
    pub conditions: Vec<Condition>,
    /// Whatever says that something was, is or is to be given: medication resources, procedures,
    /// lines of billed claims.
    pub medications: Vec<MedicationUse>,
    /// Observation resources, and coded conclusions of `DiagnosticReport` resources.
    pub observations: Vec<Observation>,
    /// `AllergyIntolerance` resources.
    pub allergies: Vec<Allergy>,
    /// `AdverseEvent` resources.
    pub adverse_events: Vec<AdverseEvent>,
    /// Flag and `DetectedIssue` resources.
    pub alerts: Vec<Alert>,
    /// `ServiceRequest` resources: what was ordered and may have no result yet.
    pub tests: Vec<TestOrder>,
    /// Answers of `QuestionnaireResponse` resources.
    pub attestations: Vec<Attestation>,
    /// What only a person can read.
    pub documents: Vec<Document>,
    /// Diagnosis codes of the Claim: mentions, which prove nothing by themselves.
    pub mentions: Vec<(Concept, Source)>,
    /// Authorizations in our own store.
    pub authorizations: Vec<Authorization>,
    /// What could not be read in full.
    pub unread: Vec<Unread>,
}

/// A Condition.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Which record.
    pub id: FactId,
    /// Its date: onset, else the date of its recording.
    pub source: Source,
    /// `Condition.code`.
    pub code: Concept,
    /// Codes of the morphology extension.
    pub morphology: Concept,
    /// `Condition.bodySite`.
    pub body_site: Concept,
    /// `Condition.clinicalStatus`: its code, if it has one.
    pub clinical_status: Option<Box<str>>,
    /// `Condition.verificationStatus`: its code, if it has one.
    pub verification_status: Option<Box<str>>,
    /// Whether a clinician recorded or asserted it.
    pub by_clinician: bool,
    /// When it began.
    pub onset: Option<When>,
    /// When it was recorded.
    pub recorded: Option<When>,
    /// Whether an abatement is given: then it is over.
    pub is_abated: bool,
    /// `Condition.stage`.
    pub stages: Vec<Stage>,
    /// The Conditions that it is said to come from or belong to.
    pub links: Vec<ConditionLink>,
}

/// A stage that stands in a Condition.
#[derive(Clone, Debug)]
pub struct Stage {
    /// `stage.summary`.
    pub summary: Concept,
    /// The Observations that it was taken from.
    pub assessments: Vec<FactId>,
}

/// What a Condition is said to belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionLink {
    /// A record of this request.
    To(FactId),
    /// Something that is not in the request.
    Elsewhere,
}

/// Which resource speaks of a medication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MedicationKind {
    /// `MedicationStatement`.
    Statement,
    /// `MedicationRequest`, and `MedicationDispense`, which proves no more.
    Request,
    /// `MedicationAdministration`.
    Administration,
    /// Procedure.
    Procedure,
    /// A line of an `ExplanationOfBenefit` or of a Claim that was billed. Its status is `paid`
    /// where the payer paid for it, else that of the resource.
    BilledLine,
}

/// A statement that a medication or a treatment was, is or is to be given.
#[derive(Clone, Debug)]
pub struct MedicationUse {
    /// Which record.
    pub id: FactId,
    /// Its date: the start of use, else the date of the statement.
    pub source: Source,
    /// Which resource.
    pub kind: MedicationKind,
    /// What is given: its code, the codes of the Medication and its ingredients, or what was used
    /// in the procedure.
    pub code: Concept,
    /// `status`.
    pub status: Option<Box<str>>,
    /// `intent` of a `MedicationRequest`.
    pub intent: Option<Box<str>>,
    /// `doNotPerform` of a `MedicationRequest`.
    pub do_not_perform: bool,
    /// Why it was stopped or not given.
    pub status_reasons: Vec<Concept>,
    /// What it is or was taken for, by code.
    pub taken_for: Vec<Concept>,
    /// What it is or was taken for, by record.
    pub taken_for_records: Vec<ConditionLink>,
    /// From when to when it was taken, as far as it is said.
    pub taken: Span,
}

/// An Observation.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Which record.
    pub id: FactId,
    /// Its date: effective, else issued.
    pub source: Source,
    /// When it was observed: effective. What was issued on a day may have been seen long before.
    pub observed: Option<When>,
    /// `Observation.code`.
    pub code: Concept,
    /// `status`.
    pub status: Option<Box<str>>,
    /// `value[x]`.
    pub value: Answer,
    /// `interpretation`.
    pub interpretations: Vec<Concept>,
    /// `component`.
    pub components: Vec<Component>,
    /// What it is about, if that is not just the patient.
    pub focus: Vec<ConditionLink>,
    /// Codes and words of method and specimen, its own and those of the reports that give it.
    pub specimen: Vec<Concept>,
    /// Names of the reports that give it as a result.
    pub reports: Vec<Concept>,
    /// Business identifiers, by which versions of one report are recognised.
    pub identifiers: Vec<Box<str>>,
    /// `issued`, for the order of versions.
    pub issued: Option<When>,
    /// The words of the report whose coded conclusion this is.
    pub conclusion: Option<Box<str>>,
}

/// A part of an Observation.
#[derive(Clone, Debug)]
pub struct Component {
    /// `component.code`.
    pub code: Concept,
    /// `component.value[x]`.
    pub value: Answer,
    /// `component.interpretation`.
    pub interpretations: Vec<Concept>,
}

/// What an Observation or component answers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Why there is no value.
    pub absent_reason: Concept,
}

/// A value as FHIR gives it.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// There is none, or one of a kind that we do not read.
    #[default]
    None,
    /// Codes and words.
    Coded(Concept),
    /// A string.
    Text(Box<str>),
    /// A boolean.
    Boolean(bool),
    /// A number with a UCUM code or unit.
    Quantity {
        /// As written.
        value: Box<str>,
        /// The unit's code, else its words: to be shown, not to be compared by.
        unit: Box<str>,
        /// The unit's code if it is one of UCUM.
        ucum: Option<Box<str>>,
        /// `<`, `<=`, `>=` or `>`: the value is only a bound of what was measured.
        comparator: Option<Box<str>>,
    },
}

/// An `AllergyIntolerance`.
#[derive(Clone, Debug)]
pub struct Allergy {
    /// Which record.
    pub id: FactId,
    /// Its date: onset, last occurrence or recording.
    pub source: Source,
    /// The substance.
    pub code: Concept,
    /// `clinicalStatus`: its code.
    pub clinical_status: Option<Box<str>>,
    /// `verificationStatus`: its code.
    pub verification_status: Option<Box<str>>,
    /// Whether a reaction is recorded.
    pub has_reaction: bool,
    /// What each recorded reaction was to; without codes and words where it does not say.
    pub reacted_to: Vec<Concept>,
}

/// An `AdverseEvent`.
#[derive(Clone, Debug)]
pub struct AdverseEvent {
    /// Which record.
    pub id: FactId,
    /// Its date: when it happened, else when it was detected or recorded.
    pub source: Source,
    /// `actuality`: `actual`, or `potential` for a near miss.
    pub actuality: Option<Box<str>>,
    /// What may have caused it: records of a medication, or its codes.
    pub suspects: Vec<Suspect>,
}

/// What may have caused an adverse event.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// The record of it, where it is one of the request.
    pub record: Option<FactId>,
    /// Its codes, where the suspect is a Medication or a Substance.
    pub code: Concept,
    /// Whether it was assessed as something less than a probable cause.
    pub is_doubted: bool,
}

/// A Flag or a `DetectedIssue`: a clinician's warning.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its date: the start of its period, or when it was identified.
    pub source: Source,
    /// What it warns of.
    pub code: Concept,
    /// The records that it is about.
    pub implicated: Vec<FactId>,
    /// Whether its status says that it holds.
    pub is_active: bool,
}

/// A `ServiceRequest` that is not the order itself.
#[derive(Clone, Debug)]
pub struct TestOrder {
    /// Its date: when it was written.
    pub source: Source,
    /// What was ordered.
    pub code: Concept,
    /// Whether its status says that it stands.
    pub stands: bool,
}

/// One answer of a `QuestionnaireResponse`.
#[derive(Clone, Debug)]
pub struct Attestation {
    /// Its date: when it was given.
    pub source: Source,
    /// The canonical of the questionnaire, without a version.
    pub questionnaire: Box<str>,
    /// The question.
    pub link_id: Box<str>,
    /// The answer, where it is yes or no.
    pub answer: Option<bool>,
    /// Whether the response is complete, and not given by the patient.
    pub stands: bool,
}

/// Something that a person can read and that no rule reads: a document, the words of a report.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it is.
    pub source: Source,
    /// What kind of document it is, by its type.
    pub title: String,
}

/// An authorization in our own store.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Its number; `None` where the caller is not to be told.
    pub number: Option<Box<str>>,
    /// The policy under which it was given.
    pub policy: Box<str>,
    /// When it was given.
    pub source: Source,
}

impl Authorization {
    /// The same, for a caller who is not to be told which one it is.
    #[must_use]
    pub fn unnamed(self) -> Authorization {
        let source = Source { resource: "the payer's own file".into(), ..self.source };
        Authorization { number: None, source, ..self }
    }
}
