//! Answers to questionnaires, and documents that only a person reads.

use super::Reader;
use crate::facts::{Attestation, Document, SourceKind};
use crate::fhir::{Node, Pool};
use crate::intake::reader::{concept, when};

/// How deep groups of questions may nest.
const DEEPEST: u8 = 16;

/// The resources that the Claim at `claim` points at as its supporting information.
///
/// Renderers of forms leave the subject out (rulings 42); the Claim that sends the answers says
/// whose they are.
pub(super) fn vouched_for(pool: &Pool<'_>, claim: usize) -> Vec<usize> {
    let Some(entry) = pool.entry(claim) else { return Vec::new() };
    let infos = entry.node.each("supportingInfo").filter_map(|info| info.get("valueReference"));
    infos
        .filter_map(|reference| pool.follow(reference, claim))
        .filter(|place| {
            pool.entry(*place).is_some_and(|entry| entry.kind == "QuestionnaireResponse")
        })
        .collect()
}

impl Reader<'_, '_> {
    /// Reads every answered item, those of groups and below answers too.
    pub(super) fn answers_into(&self, attestations: &mut Vec<Attestation>) {
        let node = self.node;
        let canonical = node.text_of("questionnaire").unwrap_or_default();
        let canonical = canonical.split('|').next().unwrap_or_default();
        let is_complete = matches!(self.status().as_deref(), Some("completed" | "amended"));
        let by_patient = ["author", "source"]
            .iter()
            .filter_map(|name| node.get(name))
            .any(|reference| self.is_person(reference));
        let mut source = self.source("QuestionnaireResponse.item", when(node.get("authored")));
        source.kind = SourceKind::Attested;
        let mut open: Vec<(Node<'_>, u8)> = node.each("item").map(|item| (item, 0)).collect();
        while let Some((item, depth)) = open.pop() {
            let answers: Vec<Node<'_>> = item.each("answer").collect();
            if let Some(link_id) = item.text_of("linkId") {
                attestations.extend(answers.iter().map(|answer| Attestation {
                    source:
                        source.element(format!(
                            "QuestionnaireResponse.item.where(linkId='{link_id}')"
                        )),
                    questionnaire: canonical.into(),
                    link_id: link_id.as_ref().into(),
                    answer: answer.get("valueBoolean").and_then(Node::boolean),
                    stands: is_complete && !by_patient,
                }));
            }
            if depth < DEEPEST {
                let below = answers.iter().flat_map(|answer| answer.each("item"));
                open.extend(item.each("item").chain(below).map(|item| (item, depth + 1)));
            }
        }
    }

    /// A document that stands: no rule reads it, and a person can.
    pub(super) fn document(&self) -> Option<Document> {
        if !matches!(self.status().as_deref(), Some("current")) {
            return None;
        }
        let title = format!("document: {}", concept(self.node.get("type")).name());
        let source = self.source("DocumentReference.content", when(self.node.get("date")));
        Some(Document { source, title })
    }
}
