//! What warns of something: allergies, adverse events, flags, detected issues.

use super::Reader;
use crate::facts::{AdverseEvent, Alert, Allergy, FactId, Suspect};
use crate::fhir::Node;
use crate::intake::reader::{concept, join, span, status_code, when, word};

impl Reader<'_, '_> {
    pub(super) fn adverse_event(&self) -> AdverseEvent {
        let node = self.node;
        let date =
            ["date", "detected", "recordedDate"].iter().find_map(|name| when(node.get(name)));
        let suspect = |suspect: Node<'_>| {
            let instance = suspect.get("instance");
            let record = instance.and_then(|it| self.pool.follow(it, self.place));
            let entry = record.and_then(|place| self.pool.entry(place));
            let code = entry.map(|entry| concept(entry.node.get("code"))).unwrap_or_default();
            Suspect { record: record.map(FactId), code, is_doubted: is_doubted(suspect) }
        };
        AdverseEvent {
            id: self.id(),
            source: self.source("AdverseEvent.suspectEntity", date),
            actuality: if node.get("modifierExtension").is_some() {
                None
            } else {
                word(node, "actuality")
            },
            suspects: node.each("suspectEntity").map(suspect).collect(),
        }
    }

    pub(super) fn allergy(&self) -> Allergy {
        let node = self.node;
        let mut code = concept(node.get("code"));
        for reaction in node.each("reaction") {
            join(&mut code, concept(reaction.get("substance")));
        }
        let date = when(node.get("onsetDateTime"))
            .or(when(node.get("lastOccurrence")))
            .or_else(|| node.each("reaction").find_map(|reaction| when(reaction.get("onset"))))
            .or(when(node.get("recordedDate")));
        Allergy {
            id: self.id(),
            source: self.source("AllergyIntolerance.code", date),
            code,
            clinical_status: status_code(node.get("clinicalStatus")),
            verification_status: self.verification(),
            has_reaction: node
                .each("reaction")
                .any(|reaction| reaction.get("manifestation").is_some()),
            reacted_to: node.each("reaction").map(|it| concept(it.get("substance"))).collect(),
        }
    }

    pub(super) fn flag(&self) -> Alert {
        Alert {
            source: self.source("Flag.code", span(self.node.get("period")).any_date()),
            code: concept(self.node.get("code")),
            implicated: Vec::new(),
            is_active: self.status().as_deref() == Some("active"),
        }
    }

    pub(super) fn detected_issue(&self) -> Alert {
        let node = self.node;
        let date =
            when(node.get("identifiedDateTime")).or(span(node.get("identifiedPeriod")).any_date());
        let implicated = node.each("implicated").filter_map(|it| self.pool.follow(it, self.place));
        let implicated: Vec<usize> = implicated.collect();
        // A Medication has no record of its own among the facts: its code names it.
        let mut code = concept(node.get("code"));
        for entry in implicated.iter().filter_map(|place| self.pool.entry(*place)) {
            if matches!(&*entry.kind, "Medication" | "Substance") {
                join(&mut code, concept(entry.node.get("code")));
            }
        }
        Alert {
            source: self.source("DetectedIssue.implicated", date),
            code,
            implicated: implicated.into_iter().map(FactId).collect(),
            is_active: matches!(
                self.status().as_deref(),
                Some("final" | "amended" | "corrected" | "preliminary")
            ),
        }
    }
}

/// Whether an assessment of causality says less than that the suspect probably was the cause.
fn is_doubted(suspect: Node<'_>) -> bool {
    suspect.each("causality").filter_map(|causality| causality.get("assessment")).any(|it| {
        let codes: Vec<_> = it.each("coding").filter_map(|coding| coding.text_of("code")).collect();
        // The code's capitals differ between R4 and later versions.
        let is_firm = |code: &str| ["certain", "probably-likely"].contains(&&*code.to_lowercase());
        !codes.iter().any(|code| is_firm(code))
    })
}
