//! A finding for people who know no FHIR: what was asked, what was found, and where it stands.
//!
//! Foreign words become one line of plain text.

use super::words::plain;
use crate::facts::{Source, SourceKind};
use crate::policy::Finding;
use crate::terms::Truth;

/// Kinds of resource with what people call them.
const RECORDS: &[(&str, &str)] = &[
    ("AdverseEvent", "record of an adverse event"),
    ("AllergyIntolerance", "allergy record"),
    ("Claim", "this request"),
    ("Condition", "diagnosis record"),
    ("Coverage", "coverage record"),
    ("DiagnosticReport", "report"),
    ("Encounter", "record of a stay or visit"),
    ("MedicationAdministration", "record of a medication that was given"),
    ("MedicationDispense", "record of a medication that was handed out"),
    ("MedicationRequest", "prescription"),
    ("MedicationStatement", "medication record"),
    ("Observation", "laboratory result or observation"),
    ("Organization", "record of an organization"),
    ("Patient", "record of the member"),
    ("Practitioner", "record of the prescriber"),
    ("PractitionerRole", "record of the prescriber"),
    ("Procedure", "procedure record"),
    ("QuestionnaireResponse", "answers to a questionnaire"),
    ("ServiceRequest", "order"),
];

/// What kind of record a fact stands in, in plain words.
#[must_use]
pub fn record(source: &Source) -> &'static str {
    if source.kind == SourceKind::Payer {
        return "the plan's own record";
    }
    let kind = source.element.split(['.', '[']).next().unwrap_or_default();
    match (kind, source.kind) {
        ("MedicationRequest" | "ServiceRequest", SourceKind::Request) => "this order",
        _ => RECORDS.iter().find(|(known, _)| *known == kind).map_or("record", |(_, words)| words),
    }
}

/// Whether a clause is shown, in a word for people.
#[must_use]
pub fn shown(truth: Truth) -> &'static str {
    match truth {
        Truth::Met => "shown",
        Truth::NotMet => "disproven",
        Truth::Unknown => "not known",
    }
}

/// Where a fact stands and of which day it is: `diagnosis record Condition/mel, Condition.code,
/// 2023-03-14`.
fn place(source: &Source) -> String {
    let date = source.date.map_or_else(|| "no date".to_owned(), |date| date.to_string());
    format!("{} {}, {}, {date}", record(source), plain(&source.resource), plain(&source.element))
}

/// The facts that decided a clause, those that were not counted, and what would settle it: one
/// line for each.
#[must_use]
pub fn evidence(finding: &Finding) -> Vec<String> {
    let mut lines: Vec<String> = finding
        .counted
        .iter()
        .map(|fact| format!("found: {} ({})", plain(&fact.says), place(&fact.source)))
        .collect();
    lines.extend(
        finding
            .set_aside
            .iter()
            .map(|aside| format!("not counted: {} ({})", plain(&aside.why), place(&aside.source))),
    );
    lines.extend(finding.needs.iter().map(|need| format!("asked: {}", plain(need))));
    lines
}
