//! What a client's FHIR server gave for a hook call, and what could not be had from it.
//!
//! It is kept with the call in the words that it has here, so that the call can be judged again.

use serde::{Deserialize, Serialize};

use super::dossier::{Dossier, HookFile, Received};
use crate::facts::{CoverageLack, CoverageStanding, Gap, Source, SourceKind, Unread, Unusable};
use crate::fhir::{Document, Rules};

/// What came of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// What the server gave.
    pub answers: Vec<Answer>,
    /// The kinds of which something could not be read.
    pub unread: Vec<Unread>,
    /// Everything that was not had, each with the reason.
    pub gaps: Vec<Gap>,
}

/// An answer as it was received.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The type that was asked for; whatever else is in it does not count.
    pub kind: Box<str>,
    /// The text.
    pub text: String,
}

impl std::fmt::Debug for Answer {
    /// The type and never the text, which is about a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Gathered {
    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.unread.is_empty() && self.gaps.is_empty()
    }

    /// The answers as trees; those that are no JSON are left out.
    #[must_use]
    pub fn documents(&self) -> Vec<(&str, Document<'_>)> {
        trees(self.answers.iter().map(|it| (&*it.kind, &*it.text)))
    }

    /// Says in a dossier what could not be had.
    pub fn tell(&self, dossier: &mut Dossier, file: &HookFile<'_>) {
        dossier.evidence.unread.clone_from(&self.unread);
        dossier.gaps.extend(self.gaps.iter().cloned());
        for (item, asked) in dossier.items.iter_mut().zip(&file.asked) {
            let CoverageStanding::Unusable(unusable) = &mut item.coverage else { continue };
            let unread = self.unread_coverage(file, asked.place);
            if let Some(unread) = unread.filter(|_| unusable.lack == CoverageLack::NotOurs) {
                *unusable = unread;
            }
        }
    }

    /// Whether something of a kind could not be read.
    fn lacks(&self, kind: &str) -> Option<&Unread> {
        self.unread.iter().find(|it| &*it.kind == kind)
    }

    /// Whether a coverage of an order is known by its name and could not be read: then that is
    /// what is said, and it is nobody's fault who sent the call.
    #[must_use]
    pub fn hides_coverage(&self, file: &HookFile<'_>) -> bool {
        file.asked.iter().any(|asked| self.unread_coverage(file, asked.place).is_some())
    }

    /// Whether coverages of the patient could not be read, and the order at `place` names none that
    /// was: then one that was read and is not in force says nothing of the others.
    #[must_use]
    pub fn may_hide_another_coverage(&self, file: &HookFile<'_>, place: usize) -> bool {
        self.lacks_coverages() && file.named_coverages(place).is_empty()
    }

    /// Why the product of the order at `place` is not known: the order names it by a reference that
    /// could not be read.
    #[must_use]
    pub fn unread_product(&self, file: &HookFile<'_>, place: usize) -> Option<&Unread> {
        let unread = self.lacks("Medication")?;
        let reference = file.pool.entry(place)?.node.get("medicationReference")?;
        file.pool.follow(reference, place).is_none().then_some(unread)
    }

    /// Whether a Coverage could not be read.
    #[must_use]
    pub fn lacks_coverages(&self) -> bool {
        self.lacks("Coverage").is_some()
    }

    /// The coverage that the order at `place` names, where it could not be read; or one that was,
    /// and who pays by it could not.
    fn unread_coverage(&self, file: &HookFile<'_>, place: usize) -> Option<Unusable> {
        let pool = &file.pool;
        let unusable = |unread: &Unread, name: String| Unusable {
            why: format!("the coverage could not be read: {}", unread.why),
            lack: CoverageLack::Unread,
            source: Some(Source {
                resource: name.into(),
                element: "Coverage".into(),
                date: None,
                kind: SourceKind::Request,
            }),
        };
        if let Some(unread) = self.lacks("Coverage") {
            let named = pool.entry(place)?.node.each("insurance");
            let mut named = named.filter_map(|it| it.text_of("reference"));
            let hidden = named.find(|it| pool.resolve(it, place).is_none())?;
            return Some(unusable(unread, hidden.into_owned()));
        }
        let unread = self.lacks("Organization")?;
        let is_hidden = |coverage: &usize| {
            let payors = pool.entry(*coverage).map(|entry| entry.node.each("payor"));
            let mut payors = payors.into_iter().flatten();
            payors.any(|it| it.get("reference").is_some() && pool.follow(it, *coverage).is_none())
        };
        let coverage = file.coverages(place).into_iter().find(is_hidden)?;
        Some(unusable(unread, pool.entry(coverage)?.name()))
    }
}

/// Pairs of a type and a text, as trees; a text that is no JSON is left out.
pub fn trees<'t>(texts: impl Iterator<Item = (&'t str, &'t str)>) -> Vec<(&'t str, Document<'t>)> {
    let parse = |text: &'t str| Document::parse(text.as_bytes(), Rules::Lenient).ok();
    texts.filter_map(|(kind, text)| Some((kind, parse(text)?))).collect()
}

/// Trees as an intake takes them.
#[must_use]
pub fn received<'d>(documents: &'d [(&'d str, Document<'d>)]) -> Vec<Received<'d>> {
    documents.iter().map(|(kind, it)| Received { kind, node: it.root() }).collect()
}
