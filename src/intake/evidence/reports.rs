//! `DiagnosticReport`: coded conclusions are results, words are for a person.
//!
//! A report also qualifies the Observations that it gives as its results: what it says of the
//! specimen holds for them, and where it was never meant they are not believed.

use super::Reader;
use crate::facts::{Answer, Document, Evidence, FactId, Observation, Value};
use crate::fhir::Pool;
use crate::intake::reader::{concept, concepts, span, when};
use crate::intake::subject::Subject;
use crate::policy::standing::ReportStatus;

impl Reader<'_, '_> {
    /// Reads the coded conclusions, each as an Observation of the report's code, and notes what
    /// only a person can read.
    pub(super) fn report_into(&self, evidence: &mut Evidence) {
        let node = self.node;
        let code = concept(node.get("code"));
        let report = self.report(code);
        let words = ["conclusion", "presentedForm"].iter().any(|name| node.get(name).is_some());
        if words && ReportStatus::of(report.status.as_deref()) != ReportStatus::Void {
            let title = format!("report: {}", report.code.name());
            let source = report.source.element("DiagnosticReport.conclusion");
            evidence.documents.push(Document { source, title });
        }
        evidence.observations.extend(concepts(node, "conclusionCode").map(|conclusion| {
            let value = Answer { value: Value::Coded(conclusion), ..Answer::default() };
            Observation { value, ..report.clone() }
        }));
    }

    /// The report as an Observation without a value.
    fn report(&self, code: crate::terms::Concept) -> Observation {
        let node = self.node;
        let issued = when(node.get("issued"));
        let effective =
            when(node.get("effectiveDateTime")).or(span(node.get("effectivePeriod")).any_date());
        Observation {
            id: self.id(),
            source: self.source("DiagnosticReport.conclusionCode", effective.or(issued)),
            code,
            status: self.status(),
            value: Answer::default(),
            interpretations: Vec::new(),
            components: Vec::new(),
            focus: Vec::new(),
            specimen: self.specimen(),
            reports: Vec::new(),
            identifiers: self.identifiers(),
            issued,
        }
    }
}

/// Carries what reports say of their specimen and status over to their results.
pub(super) fn qualify_results(
    pool: &Pool<'_>,
    subject: &Subject,
    observations: &mut [Observation],
) {
    for place in pool.of_type("DiagnosticReport") {
        let Some(entry) = pool.entry(place) else { continue };
        if subject.is_meant(pool, entry.node.get("subject"), place).is_err() {
            continue;
        }
        let reader = Reader { pool, place, entry, node: entry.node };
        let report = reader.report(concept(entry.node.get("code")));
        let is_void = ReportStatus::of(report.status.as_deref()) == ReportStatus::Void;
        for result in entry.node.each("result").filter_map(|it| pool.follow(it, place)) {
            let results = observations.iter_mut().filter(|it| it.id == FactId(result));
            for observation in results {
                observation.specimen.extend(report.specimen.iter().cloned());
                // Its name may say that the sample was blood.
                observation.reports.push(report.code.clone());
                if is_void {
                    observation.status = None;
                }
            }
        }
    }
}
