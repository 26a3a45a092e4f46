//! Clinical resources to facts.
//!
//! Only what is about this patient: a resource about somebody else, or about nobody who can be
//! told, is a gap.

mod attested;
mod billed;
mod reports;
mod warnings;

use super::reader::{
    answer, concept, concepts, extension, extensions, is_modified, join, link, source, span,
    status_code, when, word,
};
use super::subject::Subject;
use crate::facts::{
    Component, Condition, ConditionLink, Evidence, FactId, Gap, MedicationKind, MedicationUse,
    Observation, SourceKind, Stage, TestOrder, Value,
};
use crate::fhir::{Entry, Node, Pool};
use crate::terms::{Concept, Span, Truth, When};

pub use billed::{billed_lines, take_back};

/// Reads every clinical resource of the pool that is about the patient.
///
/// `claim` is the Claim that is judged, where there is one: what it points at is its patient's.
#[must_use]
pub fn evidence(pool: &Pool<'_>, subject: &Subject, claim: Option<usize>) -> (Evidence, Vec<Gap>) {
    let mut evidence = Evidence::default();
    let mut gaps = Vec::new();
    let vouched = claim.map(|claim| attested::vouched_for(pool, claim)).unwrap_or_default();
    for (place, entry) in pool.entries().iter().enumerate() {
        let Some(about) = subject_element(&entry.kind) else { continue };
        let reader = Reader { pool, place, entry, node: entry.node };
        let reference = entry.node.get(about);
        let meant = if reference.is_none() && vouched.contains(&place) {
            Ok(())
        } else {
            subject.is_meant(pool, reference, place)
        };
        let problem = meant.err().or_else(|| reader.says_somebody_else(subject));
        match problem {
            Some(why) => gaps.push(Gap { resource: entry.name().into(), why: why.into() }),
            None => reader.read_into(&mut evidence),
        }
    }
    reports::qualify_results(pool, subject, &mut evidence.observations);
    reports::without_replaced(&mut evidence.observations, &mut gaps);
    (evidence, gaps)
}

/// The element that says whom a resource of evidence is about; `None` for other resource types.
fn subject_element(kind: &str) -> Option<&'static str> {
    match kind {
        "AllergyIntolerance" | "DetectedIssue" | "ExplanationOfBenefit" | "Claim" => {
            Some("patient")
        }
        "AdverseEvent"
        | "Condition"
        | "DiagnosticReport"
        | "DocumentReference"
        | "Flag"
        | "MedicationAdministration"
        | "MedicationDispense"
        | "MedicationRequest"
        | "MedicationStatement"
        | "Observation"
        | "Procedure"
        | "QuestionnaireResponse"
        | "ServiceRequest" => Some("subject"),
        _ => None,
    }
}

/// One resource and where it stands.
struct Reader<'p, 'd> {
    pool: &'p Pool<'d>,
    place: usize,
    entry: &'p Entry<'d>,
    node: Node<'d>,
}

impl Reader<'_, '_> {
    /// Puts the facts of the resource where they belong.
    fn read_into(&self, evidence: &mut Evidence) {
        let medication = |kind| self.medication(kind);
        match &*self.entry.kind {
            "Condition" => evidence.conditions.push(self.condition()),
            "Observation" => evidence.observations.push(self.observation()),
            "DiagnosticReport" => self.report_into(evidence),
            "AllergyIntolerance" => evidence.allergies.push(self.allergy()),
            "AdverseEvent" => evidence.adverse_events.push(self.adverse_event()),
            "Flag" => evidence.alerts.push(self.flag()),
            "DetectedIssue" => evidence.alerts.push(self.detected_issue()),
            "Procedure" => evidence.medications.push(self.procedure()),
            "ServiceRequest" => evidence.tests.push(self.test_order()),
            "QuestionnaireResponse" => self.answers_into(&mut evidence.attestations),
            "DocumentReference" => evidence.documents.extend(self.document()),
            "ExplanationOfBenefit" | "Claim" => {
                let lines =
                    billed_lines(self.node, &self.entry.name(), self.id(), SourceKind::Record);
                evidence.medications.extend(lines);
            }
            "MedicationStatement" => {
                evidence.medications.push(medication(MedicationKind::Statement));
            }
            "MedicationAdministration" => {
                evidence.medications.push(medication(MedicationKind::Administration));
            }
            // What was dispensed proves no more than what was ordered (clinical.md 4.2).
            _ => evidence.medications.push(medication(MedicationKind::Request)),
        }
    }

    fn id(&self) -> FactId {
        FactId(self.place)
    }

    /// A modifier extension may turn a resource into its opposite, and a value beside the reason why
    /// there is none contradicts it (FHIR obs-6): the status is not believed.
    fn status(&self) -> Option<Box<str>> {
        let is_doubtful = |node: Node<'_>| {
            node.get("modifierExtension").is_some()
                || node.get("dataAbsentReason").is_some()
                    && !matches!(answer(node).value, Value::None)
        };
        if is_doubtful(self.node) || self.node.each("component").any(is_doubtful) {
            None
        } else {
            word(self.node, "status")
        }
    }

    /// Whether a result of the patient's record is about another person by its focus, or was
    /// made on a specimen of another person.
    fn says_somebody_else(&self, subject: &Subject) -> Option<&'static str> {
        let is_meant = |reference, from| subject.is_meant(self.pool, Some(reference), from).is_ok();
        let of_other = self
            .node
            .each("focus")
            .any(|reference| self.is_person(reference) && !is_meant(reference, self.place));
        if of_other {
            return Some("is about another person by its focus");
        }
        let is_of_somebody_else = |reference| {
            let specimen = self.pool.follow(reference, self.place)?;
            let donor = self.pool.entry(specimen)?.node.get("subject")?;
            Some(!is_meant(donor, specimen))
        };
        self.node
            .each("specimen")
            .any(|reference| is_of_somebody_else(reference) == Some(true))
            .then_some("was made on a specimen of somebody else")
    }

    /// Whether a reference leads to a person, by what it leads to or by how it is written.
    fn is_person(&self, reference: Node<'_>) -> bool {
        let is_kind = |kind: &str| matches!(kind, "Patient" | "RelatedPerson" | "Person");
        let text = reference.text_of("reference").unwrap_or_default();
        let text = text.split("/_history/").next().unwrap_or_default();
        let found = self.pool.resolve(text, self.place).and_then(|place| self.pool.entry(place));
        found.map_or_else(|| text.rsplit('/').nth(1).is_some_and(is_kind), |it| is_kind(&it.kind))
    }

    fn verification(&self) -> Option<Box<str>> {
        if self.node.get("modifierExtension").is_some() {
            return Some("modified".into());
        }
        status_code(self.node.get("verificationStatus"))
    }

    fn source(&self, element: &'static str, date: Option<When>) -> crate::facts::Source {
        let mut source = source(self.entry, element, SourceKind::Record);
        source.date = date;
        source
    }

    fn condition(&self) -> Condition {
        let node = self.node;
        let onset = when(node.get("onsetDateTime")).or(span(node.get("onsetPeriod")).start);
        let recorded = when(node.get("recordedDate"))
            .or_else(|| when(extension(node, "condition-assertedDate")?.get("valueDateTime")))
            .or_else(|| self.encounter_start());
        let links =
            ["condition-related", "condition-dueTo", "mcode-related-primary-cancer-condition"]
                .iter()
                .flat_map(|name| extensions(node, name))
                .map(|extension| match extension.get("valueReference") {
                    Some(reference) => link(self.pool, reference, self.place),
                    None => ConditionLink::Elsewhere,
                })
                .collect();
        let abatement = [
            "abatementDateTime",
            "abatementAge",
            "abatementPeriod",
            "abatementRange",
            "abatementString",
        ];
        let mut morphology = Concept::default();
        for name in ["histology-morphology-behavior", "mcode-histology-morphology-behavior"] {
            for extension in extensions(node, name) {
                join(&mut morphology, concept(extension.get("valueCodeableConcept")));
            }
        }
        let mut body_site = Concept::default();
        for site in concepts(node, "bodySite") {
            join(&mut body_site, site);
        }
        let stage = |stage: Node<'_>| Stage {
            summary: concept(stage.get("summary")),
            assessments: stage
                .each("assessment")
                .filter_map(|reference| self.pool.follow(reference, self.place))
                .map(FactId)
                .collect(),
        };
        Condition {
            id: self.id(),
            source: self.source("Condition.code", onset.or(recorded)),
            code: concept(node.get("code")),
            morphology,
            body_site,
            clinical_status: status_code(node.get("clinicalStatus")),
            verification_status: self.verification(),
            by_clinician: self.by_clinician(),
            onset,
            recorded,
            is_abated: node.get_any(&abatement).is_some(),
            stages: node.each("stage").map(stage).collect(),
            links,
        }
    }

    fn encounter_start(&self) -> Option<When> {
        let place = self.pool.follow(self.node.get("encounter")?, self.place)?;
        span(self.pool.entry(place)?.node.get("period")).any_date()
    }

    /// Recorded or asserted by a clinician, and not by the patient.
    fn by_clinician(&self) -> bool {
        let mut authors =
            ["recorder", "asserter"].into_iter().filter_map(|name| self.node.get(name));
        let is_clinician = |reference: Node<'_>| {
            let text = reference.text_of("reference").unwrap_or_default();
            let named = text.contains("Practitioner/") || text.contains("PractitionerRole/");
            let found = self.pool.follow(reference, self.place).and_then(|at| self.pool.entry(at));
            found.map_or(named, |entry| matches!(&*entry.kind, "Practitioner" | "PractitionerRole"))
        };
        authors.any(is_clinician)
    }

    fn reason_records(&self) -> Vec<ConditionLink> {
        let references = self.node.each("reasonReference");
        references.map(|reference| link(self.pool, reference, self.place)).collect()
    }

    fn medication(&self, kind: MedicationKind) -> MedicationUse {
        let node = self.node;
        let point = when(node.get("effectiveDateTime"));
        let period = span(node.get("effectivePeriod"));
        // A period that ends before it begins says nothing.
        let is_backwards = period
            .start
            .zip(period.end)
            .is_some_and(|(start, end)| end.before(start) == Truth::Met);
        let period = if is_backwards { Span::default() } else { period };
        let goes_on = node.text_of("status").is_some_and(|status| status == "active");
        let taken = match point {
            // A single date is a single day, unless the use is said to go on.
            Some(day) => Span { start: Some(day), end: (!goes_on).then_some(day) },
            None => period,
        };
        let stated = ["dateAsserted", "authoredOn", "whenHandedOver", "whenPrepared"]
            .iter()
            .find_map(|name| when(node.get(name)));
        let element = match &*self.entry.kind {
            "MedicationStatement" => "MedicationStatement.medication[x]",
            "MedicationAdministration" => "MedicationAdministration.medication[x]",
            "MedicationDispense" => "MedicationDispense.medication[x]",
            _ => "MedicationRequest.medication[x]",
        };
        MedicationUse {
            id: self.id(),
            source: self.source(element, taken.any_date().or(stated)),
            kind,
            code: medication_code(self.pool, node, self.place),
            status: self.status(),
            intent: word(node, "intent"),
            do_not_perform: node.get("doNotPerform").and_then(Node::boolean).unwrap_or(false),
            status_reasons: concepts(node, "statusReason").collect(),
            taken_for: concepts(node, "reasonCode").collect(),
            taken_for_records: self.reason_records(),
            taken,
        }
    }

    fn observation(&self) -> Observation {
        let node = self.node;
        let issued = when(node.get("issued"));
        let period = span(node.get("effectivePeriod"));
        let observed = when(node.get("effectiveDateTime"))
            .or(when(node.get("effectiveInstant")))
            .or(period.start);
        let effective = observed.or(period.any_date());
        let focus = node
            .each("focus")
            .filter(|reference| !self.is_person(*reference))
            .map(|reference| link(self.pool, reference, self.place))
            .collect();
        Observation {
            id: self.id(),
            source: self.source("Observation.value[x]", effective.or(issued)),
            observed,
            code: concept(node.get("code")),
            status: self.status(),
            value: answer(node),
            interpretations: concepts(node, "interpretation").collect(),
            components: node
                .each("component")
                .map(|component| Component {
                    code: concept(component.get("code")),
                    value: answer(component),
                    interpretations: concepts(component, "interpretation").collect(),
                })
                .collect(),
            focus,
            specimen: self.specimen(),
            reports: Vec::new(),
            identifiers: self.identifiers(),
            issued,
            conclusion: None,
        }
    }

    fn identifiers(&self) -> Vec<Box<str>> {
        let identifiers = self.node.each("identifier").filter_map(|identifier| {
            let system = identifier.text_of("system").unwrap_or_default();
            Some(format!("{system}|{}", identifier.text_of("value")?).into())
        });
        identifiers.collect()
    }

    /// What method and specimen say of the sample.
    fn specimen(&self) -> Vec<Concept> {
        let mut said = vec![concept(self.node.get("method"))];
        for reference in self.node.each("specimen") {
            said.push(Concept { codings: Vec::new(), text: word(reference, "display") });
            let specimen =
                self.pool.follow(reference, self.place).and_then(|at| self.pool.entry(at));
            if let Some(specimen) = specimen {
                said.push(concept(specimen.node.get("type")));
            }
        }
        said
    }

    /// What was done, and with what.
    fn procedure(&self) -> MedicationUse {
        let node = self.node;
        let taken = match when(node.get("performedDateTime")) {
            Some(day) => Span { start: Some(day), end: Some(day) },
            None => span(node.get("performedPeriod")),
        };
        let mut code = concept(node.get("code"));
        for used in concepts(node, "usedCode") {
            join(&mut code, used);
        }
        for used in node.each("usedReference") {
            let found = self.pool.follow(used, self.place).and_then(|at| self.pool.entry(at));
            join(&mut code, found.map(|used| concept(used.node.get("code"))).unwrap_or_default());
        }
        MedicationUse {
            id: self.id(),
            source: self.source("Procedure.code", taken.any_date()),
            kind: MedicationKind::Procedure,
            code,
            status: self.status(),
            intent: None,
            do_not_perform: false,
            status_reasons: concepts(node, "statusReason").collect(),
            taken_for: concepts(node, "reasonCode").collect(),
            taken_for_records: self.reason_records(),
            taken,
        }
    }

    fn test_order(&self) -> TestOrder {
        let status = self.status();
        TestOrder {
            source: self.source("ServiceRequest.code", when(self.node.get("authoredOn"))),
            code: concept(self.node.get("code")),
            stands: matches!(status.as_deref(), Some("active" | "completed" | "on-hold"))
                && self.node.get("doNotPerform").and_then(Node::boolean) != Some(true),
        }
    }
}

/// What a medication resource names: its own code, or that of the Medication and its ingredients.
#[must_use]
pub fn medication_code(pool: &Pool<'_>, node: Node<'_>, place: usize) -> Concept {
    let mut code = concept(node.get("medicationCodeableConcept"));
    let Some(reference) = node.get("medicationReference") else { return code };
    if let Some(found) = pool.follow(reference, place)
        && let Some(medication) = pool.entry(found)
        && !is_modified(medication.node)
        && medication.node.text_of("status").as_deref() != Some("entered-in-error")
    {
        join(&mut code, concept(medication.node.get("code")));
        for ingredient in medication.node.each("ingredient") {
            join(&mut code, concept(ingredient.get("itemCodeableConcept")));
        }
    }
    if code.text.is_none() {
        code.text = word(reference, "display");
    }
    code
}
