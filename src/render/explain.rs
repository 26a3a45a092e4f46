//! A judged request for people who know no FHIR: what was asked for, what the policy wants, what
//! was found, where it stands, and what would settle the rest.
//!
//! As text, foreign words become one line of plain text; as JSON they stay as they are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::trace::{self, CriterionTrace, FactTrace};
use super::words::plain;
use crate::facts::{Case, Gap, Order, Source, SourceKind};
use crate::policy::{Determination, Finding, Lack, Verdict};
use crate::terms::Truth;

/// Kinds of resource with what people call them.
const RECORDS: &[(&str, &str)] = &[
    ("AdverseEvent", "record of an adverse event"),
    ("AllergyIntolerance", "allergy record"),
    ("Claim", "this request"),
    ("Condition", "diagnosis record"),
    ("Coverage", "coverage record"),
    ("DetectedIssue", "warning in the records"),
    ("DeviceRequest", "order"),
    ("DiagnosticReport", "report"),
    ("DocumentReference", "document"),
    ("Encounter", "record of a stay or visit"),
    ("ExplanationOfBenefit", "bill"),
    ("Flag", "warning in the records"),
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

/// One item, explained: what [`trace::ItemTrace`] says, and what a reader needs beside it.
///
/// The names are a contract: others build on them.
#[derive(Debug, Serialize)]
pub struct ItemExplanation<'e> {
    /// The Claim item's sequence, or the order's place among the draft orders.
    pub sequence: u32,
    /// What was asked for, by every name and code that the request gives.
    pub asked_for: Vec<String>,
    /// The date of the request.
    pub requested_on: String,
    /// The date that decides which edition judges.
    pub service_date: Dated<'e>,
    /// The policy's id; `null` if none speaks of the product.
    pub policy: Option<&'e str>,
    /// The policy's title.
    pub policy_title: Option<&'e str>,
    /// The first day of the edition that judged.
    pub policy_version: Option<String>,
    /// `approve`, `pend`, `review` or `not-subject`.
    pub determination: &'static str,
    /// The determination in a sentence.
    pub sentence: &'static str,
    /// Why a person has to look, or why nothing was judged.
    pub reasons: &'e [String],
    /// One entry for each clause.
    pub criteria: Vec<ClauseExplanation<'e>>,
    /// What a person can read and no rule reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_read: Vec<FactTrace<'e>>,
    /// What kind of record each resource is that a clause names, in plain words.
    pub records: BTreeMap<&'e str, &'static str>,
}

/// The date of service and which statement gave it.
#[derive(Debug, Serialize)]
pub struct Dated<'e> {
    /// As precise as it was given.
    pub date: String,
    /// Which statement it was taken from, in words.
    pub origin: &'static str,
    /// `Type/id`.
    pub resource: &'e str,
    /// The element, as a FHIRPath.
    pub element: &'e str,
}

/// One clause of the policy with what it asks.
#[derive(Debug, Serialize)]
pub struct ClauseExplanation<'e> {
    /// What the clause asks, in our words.
    pub words: &'e str,
    /// `shown`, `disproven` or `not known`.
    pub shown: &'static str,
    /// The finding.
    #[serde(flatten)]
    pub trace: CriterionTrace<'e>,
    #[serde(skip)]
    finding: &'e Finding,
}

/// Explains the verdict on one item.
#[must_use]
pub fn item<'e>(case: Case<'e>, verdict: &'e Verdict) -> ItemExplanation<'e> {
    let order = case.order;
    let trace = trace::item(order.sequence, verdict);
    let sources = verdict.findings.iter().flat_map(|finding| {
        let counted = finding.counted.iter().map(|fact| &fact.source);
        counted.chain(finding.set_aside.iter().map(|aside| &aside.source))
    });
    let clause = |(trace, finding): (CriterionTrace<'e>, &'e Finding)| ClauseExplanation {
        words: &finding.words,
        shown: shown(finding.truth),
        trace,
        finding,
    };
    ItemExplanation {
        sequence: trace.sequence,
        asked_for: asked_for(order),
        requested_on: order.requested_on.value.to_string(),
        service_date: Dated {
            date: order.service_date.when.to_string(),
            origin: order.service_date.origin.words(),
            resource: &order.service_date.source.resource,
            element: &order.service_date.source.element,
        },
        policy: trace.policy,
        policy_title: verdict.policy.as_ref().map(|policy| &*policy.title),
        policy_version: trace.policy_version,
        determination: trace.determination,
        sentence: sentence(verdict.determination),
        reasons: trace.reasons,
        to_read: trace.to_read,
        criteria: trace.criteria.into_iter().zip(&verdict.findings).map(clause).collect(),
        records: sources.map(|source| (&*source.resource, record(source))).collect(),
    }
}

/// Every name of the product once, each with the code beside it.
fn asked_for(order: &Order) -> Vec<String> {
    let mut names = Vec::new();
    for product in &order.products {
        let name = product.concept.name();
        let code = product.concept.codings.first().map_or("", |coding| &*coding.code);
        let is_code_told = code.is_empty() || code == name;
        let name = if is_code_told { name.to_owned() } else { format!("{name} ({code})") };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn sentence(determination: Determination) -> &'static str {
    match determination {
        Determination::NotSubject => "The plan has no policy on this; nothing was judged.",
        Determination::Approve => {
            "It can be approved: the records show everything that the policy asks for."
        }
        Determination::Pend => {
            "It cannot be decided yet: something that the policy asks for is not known, and is \
             asked for below."
        }
        Determination::Review => {
            "A person at the plan decides: something is disproven, in doubt, or calls for \
             judgement."
        }
    }
}

/// The explanation of a request as text: each item, then what was left out of it altogether.
#[must_use]
pub fn text(items: &[ItemExplanation<'_>], gaps: &[Gap]) -> String {
    let mut lines = Vec::new();
    for item in items {
        lines.extend(item.lines());
        lines.push(String::new());
    }
    if items.is_empty() {
        lines.push("Nothing is asked for.".to_owned());
    }
    if gaps.is_empty() {
        lines.push("No record of the request was left out.".to_owned());
    } else {
        lines.push("Left out, and not judged by any clause:".to_owned());
        let gap = |gap: &Gap| format!("  {}: {}", plain(&gap.resource), plain(&gap.why));
        lines.extend(gaps.iter().map(gap));
    }
    lines.join("\n")
}

impl ItemExplanation<'_> {
    fn lines(&self) -> Vec<String> {
        let Dated { date, origin, resource, element } = &self.service_date;
        let names: Vec<String> = self.asked_for.iter().map(|name| plain(name)).collect();
        let names = if names.is_empty() { "nothing named".to_owned() } else { names.join("; ") };
        let (resource, element) = (plain(resource), plain(element));
        let mut lines = vec![
            format!("Item {}: {names}", self.sequence),
            format!("  Requested on {}, for {date}", self.requested_on),
            format!("    that is the {origin} ({resource}, {element})"),
        ];
        if let Some(title) = self.policy_title {
            let edition = self.policy_version.as_deref();
            let edition = edition.map_or_else(
                || "no edition judged".to_owned(),
                |day| format!("edition in force from {day}"),
            );
            lines.push(format!("  Policy: {title}, {edition}"));
        }
        lines.push(format!("  {}", self.sentence));
        lines.extend(self.reasons.iter().map(|reason| format!("    {}", plain(reason))));
        for clause in &self.criteria {
            let CriterionTrace { id, title, .. } = clause.trace;
            let judge = match clause.finding.lack {
                Some(Lack::Judgement) => ", for a person to judge",
                Some(Lack::Evidence) | None => "",
            };
            lines.push(format!("\n  {id} {}{judge}: {title}", clause.shown));
            lines.push(format!("    {}", clause.words));
            let evidence = evidence(clause.finding);
            lines.extend(evidence.into_iter().map(|line| format!("    - {line}")));
        }
        if !self.to_read.is_empty() {
            lines.push("\n  For a person to read; it proves nothing by itself:".to_owned());
        }
        lines.extend(self.to_read.iter().map(|document| {
            let date = document.date.as_deref().unwrap_or("no date");
            format!("    - {} ({}, {date})", plain(document.says), plain(document.resource))
        }));
        lines
    }
}

/// What kind of record a fact stands in, in plain words.
fn record(source: &Source) -> &'static str {
    if source.kind == SourceKind::Payer {
        return "the plan's own record";
    }
    let kind = source.element.split(['.', '[']).next().unwrap_or_default();
    match (kind, source.kind) {
        ("MedicationRequest" | "ServiceRequest" | "DeviceRequest", SourceKind::Request) => {
            "this order"
        }
        _ => RECORDS.iter().find(|(known, _)| *known == kind).map_or("record", |(_, words)| words),
    }
}

/// Whether a clause is shown, in a word for people.
fn shown(truth: Truth) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Cited, SetAside};

    fn source(element: &'static str, kind: SourceKind) -> Source {
        let date = Some(crate::terms::When::parse("2026-01-15").unwrap());
        Source { resource: "X/1".into(), element: element.into(), date, kind }
    }

    #[test]
    fn a_record_is_called_what_people_call_it() {
        for (element, kind, words) in [
            ("Condition.code", SourceKind::Record, "diagnosis record"),
            ("MedicationStatement", SourceKind::Record, "medication record"),
            ("MedicationRequest.status", SourceKind::Record, "prescription"),
            ("MedicationRequest.reasonCode[0]", SourceKind::Request, "this order"),
            ("Claim.item[0].quantity", SourceKind::Request, "this request"),
            ("Observation.value", SourceKind::Record, "laboratory result or observation"),
            ("Authorization", SourceKind::Payer, "the plan's own record"),
            ("SomethingNew.code", SourceKind::Record, "record"),
        ] {
            assert_eq!(record(&source(element, kind)), words, "{element}");
        }
    }

    #[test]
    fn the_words_of_a_record_stay_on_their_line() {
        let at = source("Condition.code", SourceKind::Record);
        let finding = Finding {
            clause: "1".into(),
            title: "t".into(),
            words: "w".into(),
            truth: Truth::Unknown,
            counted: vec![Cited { source: at.clone(), says: "a\n  2 shown: forged".into() }],
            set_aside: vec![SetAside { source: at, why: "refuted\u{202e}".into() }],
            needs: vec!["b\r\nc".into()],
            lack: None,
            unread: Vec::new(),
        };
        assert_eq!(
            evidence(&finding),
            [
                "found: a 2 shown: forged (diagnosis record X/1, Condition.code, 2026-01-15)",
                "not counted: refuted (diagnosis record X/1, Condition.code, 2026-01-15)",
                "asked: b c",
            ]
        );
    }
}
