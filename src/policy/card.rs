//! The cards that a policy declares beside those that follow from its findings.
//!
//! `card.shows` is one of a closed list of kinds; what a card is about is data.

use serde::Deserialize;

use super::finding::{Finding, Lack, Verdict};
use super::template::{Change, NewOrder};
use crate::terms::Truth;

/// A card of an edition.
#[derive(Debug)]
pub struct CardRule {
    /// By which feedback is counted: the same in all editions.
    pub id: Box<str>,
    /// When it is shown; `None`: whenever the edition judges an order.
    pub when: Option<When>,
    /// One line of plain text.
    pub summary: Box<str>,
    /// Markdown, if there is more to say.
    pub detail: Option<Box<str>>,
    /// What it shows.
    pub shows: Shows,
}

/// What a card waits for: how a clause came out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The clause's id.
    pub clause: Box<str>,
    /// How it has to come out.
    pub truth: Truth,
    /// Of an unknown: only where evidence is missing and nothing at all was found.
    #[serde(default)]
    pub nothing_found: bool,
}

/// What a card shows, by kind.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shows {
    /// A page outside.
    ExternalReference(Page),
    /// Words alone.
    Instructions(Nothing),
    /// A SMART app, launched by the client.
    SmartApp(App),
    /// A form to fill in, as a Task.
    Form(Form),
    /// Another order in place of this one.
    AlternateRequest(Alternate),
    /// Further orders beside this one.
    AdditionalOrders(Additional),
    /// The member's Coverage, put right.
    CoverageUpdate(Correction),
}

/// A page outside: never a portal for authorizations (CRD 2.2.1 resp-17).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The words on the link.
    pub label: Box<str>,
    /// Absolute, https.
    pub url: Box<str>,
}

/// Nothing but the card's own words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A SMART app.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The words on the link.
    pub label: Box<str>,
    /// Its launch URL, https.
    pub url: Box<str>,
    /// What it is told at its launch.
    pub context: Option<Box<str>>,
}

/// A form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The words on the suggestion.
    pub label: Box<str>,
    /// The canonical of the Questionnaire, with its version.
    pub questionnaire: Box<str>,
}

/// Another order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternate {
    /// The words on the suggestion.
    pub label: Box<str>,
    /// Whether the order is changed, or taken away and a new one put in its place.
    pub by: By,
    /// Whether the other has to be tried first for this one to be covered.
    pub is_required: bool,
    /// What is different.
    pub change: Change,
}

/// How one order takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The order is changed.
    Update,
    /// It is deleted, and another of the same type is created.
    Replacement,
}

/// Further orders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Additional {
    /// Each is a suggestion of its own.
    pub orders: Vec<Proposed>,
}

/// A further order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposed {
    /// The words on the suggestion.
    pub label: Box<str>,
    /// The order.
    pub resource: NewOrder,
}

/// A Coverage, put right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The words on the suggestion.
    pub label: Box<str>,
    /// What is different.
    pub change: Change,
}

impl When {
    /// Whether the clause came out so.
    #[must_use]
    pub fn holds(&self, verdict: &Verdict) -> bool {
        verdict.findings.iter().any(|finding| {
            finding.clause == self.clause
                && finding.truth == self.truth
                && (!self.nothing_found || found_nothing(finding))
        })
    }
}

fn found_nothing(finding: &Finding) -> bool {
    finding.lack == Some(Lack::Evidence)
        // What could not be read may hold it.
        && finding.unread.is_empty()
        && finding.counted.is_empty()
        && finding.set_aside.is_empty()
}

impl Shows {
    /// The word of its kind, by which feedback is counted.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Shows::ExternalReference(_) => "external-reference",
            Shows::Instructions(_) => "instructions",
            Shows::SmartApp(_) => "smart-app",
            Shows::Form(_) => "form",
            Shows::AlternateRequest(_) => "alternate-request",
            Shows::AdditionalOrders(_) => "additional-orders",
            Shows::CoverageUpdate(_) => "coverage-update",
        }
    }

    /// What is wrong with it, beside what its types rule out.
    pub(super) fn faults(&self, has_detail: bool) -> Vec<String> {
        let mut faults = Vec::new();
        match self {
            Shows::ExternalReference(Page { url, .. }) | Shows::SmartApp(App { url, .. }) => {
                if !url.starts_with("https://") {
                    faults.push(format!("`url` is `{url}`, which does not begin with https://"));
                }
            }
            // CRD 2.2: an instructions card has a detail.
            Shows::Instructions(Nothing {}) => {
                if !has_detail {
                    faults.push("instructions need a `detail`".to_owned());
                }
            }
            Shows::Form(Form { questionnaire, .. }) => {
                // crd.md 3.4: version-specific
                if !questionnaire.starts_with("https://") || !questionnaire.contains('|') {
                    faults.push("`questionnaire` is no `https://…|version`".to_owned());
                }
            }
            Shows::AlternateRequest(Alternate { change, .. }) => {
                if change.kind() == "Coverage" {
                    faults.push("a Coverage is no order; see `coverage-update`".to_owned());
                }
            }
            Shows::AdditionalOrders(Additional { orders }) => {
                if orders.is_empty() {
                    faults.push("`orders` names no order".to_owned());
                }
            }
            Shows::CoverageUpdate(Correction { change, .. }) => {
                if change.kind() != "Coverage" {
                    faults.push(format!("a {} is no Coverage", change.kind()));
                }
            }
        }
        faults
    }

    /// The files that are still to be read.
    pub(super) fn templates_mut(&mut self) -> Vec<super::template::Unread<'_>> {
        use super::template::Unread;
        match self {
            Shows::AlternateRequest(Alternate { change, .. })
            | Shows::CoverageUpdate(Correction { change, .. }) => vec![Unread::Change(change)],
            Shows::AdditionalOrders(Additional { orders }) => {
                orders.iter_mut().map(|it| Unread::NewOrder(&mut it.resource)).collect()
            }
            Shows::ExternalReference(_)
            | Shows::Instructions(_)
            | Shows::SmartApp(_)
            | Shows::Form(_) => Vec::new(),
        }
    }
}
