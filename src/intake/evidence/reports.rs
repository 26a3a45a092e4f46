//! `DiagnosticReport`: coded conclusions are results, words are for a person.
//!
//! A report also qualifies the Observations that it gives as its results, and a panel its members:
//! what it says of the specimen holds for them, and where it was never meant they are not believed.

use std::collections::BTreeSet;

use super::Reader;
use crate::facts::{Answer, Corrections, Document, Evidence, Gap, Observation, Value};
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
            observed: effective,
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
            conclusion: node.text_of("conclusion").map(Into::into),
        }
    }
}

/// Carries what reports and panels say of their specimen and status over to their results, also
/// to those that are members of a result (clinical.md 5.1 d, 5.2).
pub(super) fn qualify_results(
    pool: &Pool<'_>,
    subject: &Subject,
    observations: &mut [Observation],
) {
    let reports = pool.of_type("DiagnosticReport").map(|place| (place, "result"));
    let panels = pool.of_type("Observation").map(|place| (place, "hasMember"));
    for (place, element) in reports.chain(panels) {
        let Some(entry) = pool.entry(place) else { continue };
        let results = results_of(pool, place, element);
        // A report that does not say whom it is about proves nothing, and can still take away.
        let named = entry.node.get("subject");
        let is_of_another = named.is_some() && subject.is_meant(pool, named, place).is_err();
        if results.is_empty() || is_of_another {
            continue;
        }
        let reader = Reader { pool, place, entry, node: entry.node };
        let report = reader.report(concept(entry.node.get("code")));
        let is_void = ReportStatus::of(report.status.as_deref()) == ReportStatus::Void
            || reader.says_somebody_else(subject).is_some();
        for observation in observations.iter_mut().filter(|it| results.contains(&it.id.0)) {
            observation.specimen.extend(report.specimen.iter().cloned());
            // Its name may say that the sample was blood.
            observation.reports.push(report.code.clone());
            if is_void {
                observation.status = None;
            }
        }
    }
}

/// Where the results of a report or panel stand, with the members of each.
fn results_of(pool: &Pool<'_>, place: usize, element: &str) -> BTreeSet<usize> {
    let mut results = BTreeSet::new();
    let mut open = vec![(place, element)];
    while let Some((from, element)) = open.pop() {
        let Some(entry) = pool.entry(from) else { continue };
        for result in entry.node.each(element).filter_map(|it| pool.follow(it, from)) {
            if result != place && results.insert(result) {
                open.push((result, "hasMember"));
            }
        }
    }
    results
}

/// Takes out what a newer version of the same report replaces, of results that have no parts: which
/// parts are the same statement is for the clause that reads them to say.
pub(super) fn without_replaced(observations: &mut Vec<Observation>, gaps: &mut Vec<Gap>) {
    let all = std::mem::take(observations);
    let is_whole = |it: &Observation| !it.identifiers.is_empty() && it.components.is_empty();
    let versions = Corrections::among(all.iter().filter(|it| is_whole(it)));
    let is_replaced = |it: &Observation| is_whole(it) && versions.of(it).next().is_some();
    let replaced: Vec<bool> = all.iter().map(is_replaced).collect();
    for (observation, is_replaced) in all.into_iter().zip(replaced) {
        if is_replaced {
            let why = "replaced by a newer version of the same report".into();
            gaps.push(Gap { resource: observation.source.resource.clone(), why });
        } else {
            observations.push(observation);
        }
    }
}
