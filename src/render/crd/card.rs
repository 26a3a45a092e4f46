//! Cards, and their form on the wire.

use serde::Serialize;
use serde_json::value::RawValue;

use super::OneOrMore;
use super::form::{self, FormTask};
use crate::ig::CrdVersion;
use crate::ig::crd::{Associated, OVERRIDE_REASONS, Topic};
use crate::render::{RenderError, words};

/// CDS Hooks: a summary has fewer characters than this.
const SUMMARY_LIMIT: usize = 140;

/// A card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// A UUID, by which feedback names the card.
    pub uuid: String,
    /// One line of plain text; cut below 140 characters.
    pub summary: String,
    /// What the card is about.
    pub topic: Topic,
    /// The orders that it is about, as `Type/id`; empty: all.
    pub orders: Vec<String>,
    /// What it holds.
    pub body: CardBody,
}

/// What a card holds: the guide allows no mixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardBody {
    /// Instructions: markdown, no link, no suggestion.
    Instructions {
        /// GitHub's markdown, foreign words already made safe.
        detail: String,
    },
    /// A reference to a page outside.
    ExternalReference {
        /// GitHub's markdown, if there is something to say.
        detail: Option<String>,
        /// The words on the link.
        label: String,
        /// An absolute URL.
        url: String,
    },
    /// A SMART app, launched by the client; never DTR (crd.md 3.5).
    SmartApp {
        /// GitHub's markdown, if there is something to say.
        detail: Option<String>,
        /// The words on the link.
        label: String,
        /// The app's launch URL.
        url: String,
        /// What it is told at its launch.
        context: Option<String>,
    },
    /// Something that the client does if its user agrees.
    Proposal {
        /// GitHub's markdown, if there is something to say.
        detail: Option<String>,
        /// Each can be agreed to by itself.
        suggestions: OneOrMore<Suggestion>,
    },
}

/// Something that a user can agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// A UUID, by which feedback names it.
    pub uuid: String,
    /// The words on the button.
    pub label: String,
    /// What is done then: the guide's shapes, and no other (crd.md 3.5).
    pub does: Does,
}

/// What a suggestion does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Creates the Task of a form.
    FillIn(Box<FormTask>),
    /// Creates an order: its text, without an id.
    Order(String),
    /// Changes a resource: its whole text.
    Update(String),
    /// Deletes an order, by `Type/id`, and creates another of the same type.
    Replace {
        /// `Type/id` of the one.
        deleted: String,
        /// The text of the other.
        created: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire<'a> {
    uuid: &'a str,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    indicator: &'static str,
    source: Source<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<WireSuggestion<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selection_behavior: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    override_reasons: Vec<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<Extension<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    label: &'a str,
    topic: Coding,
}

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: &'static str,
    display: &'static str,
}

#[derive(Serialize)]
struct Link<'a> {
    label: &'a str,
    url: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "appContext", skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
}

#[derive(Serialize)]
struct WireSuggestion<'a> {
    label: &'a str,
    uuid: &'a str,
    actions: Vec<Action>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    #[serde(rename = "type")]
    kind: &'static str,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<String>,
}

#[derive(Serialize)]
struct Extension<'a> {
    #[serde(rename = "davinci-crd.associated-resource")]
    associated: Vec<Order<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Order<'a> {
    Text(&'a str),
    Reference { reference: &'a str },
}

/// `card` as `version` writes it, from the plan that calls itself `payer`.
///
/// # Errors
/// A resource that is proposed cannot be written.
pub(super) fn wire<'a>(
    card: &'a Card,
    version: CrdVersion,
    payer: &'a str,
) -> Result<Wire<'a>, RenderError> {
    let mut links = Vec::new();
    let mut suggestions = Vec::new();
    let detail = match &card.body {
        CardBody::Instructions { detail } => Some(detail.as_str()),
        CardBody::ExternalReference { detail, label, url } => {
            links.push(Link { label, url, kind: "absolute", context: None });
            detail.as_deref()
        }
        CardBody::SmartApp { detail, label, url, context } => {
            links.push(Link { label, url, kind: "smart", context: context.as_deref() });
            detail.as_deref()
        }
        CardBody::Proposal { detail, suggestions: proposed } => {
            for one in proposed.iter() {
                suggestions.push(WireSuggestion {
                    label: &one.label,
                    uuid: &one.uuid,
                    actions: actions(one, version)?,
                });
            }
            detail.as_deref()
        }
    };
    let order = |reference: &'a String| match version.associated() {
        Associated::Text => Order::Text(reference),
        Associated::Reference => Order::Reference { reference },
    };
    // An order without an id has no name to be found by.
    let named = card.orders.iter().filter(|it| it.contains(['/', ':']));
    let associated: Vec<Order<'a>> = named.map(order).collect();
    let may_decline = !suggestions.is_empty();
    Ok(Wire {
        uuid: &card.uuid,
        summary: words::cut(&card.summary, SUMMARY_LIMIT),
        detail,
        // Matters of payment are never more to a clinician (crd.md 3.5).
        indicator: "info",
        source: Source {
            // CRD 2.2.1: the insurer as printed on the member's card
            label: payer,
            topic: Coding {
                system: version.topics(),
                code: card.topic.code(),
                display: card.topic.display(),
            },
        },
        suggestions,
        // Some clients know no other (crd.md 7.2).
        selection_behavior: may_decline.then_some("any"),
        override_reasons: if may_decline { override_reasons() } else { Vec::new() },
        links,
        extension: (!associated.is_empty()).then_some(Extension { associated }),
    })
}

fn actions(suggestion: &Suggestion, version: CrdVersion) -> Result<Vec<Action>, RenderError> {
    let label = &suggestion.label;
    let writes = |kind, resource: String| -> Result<Action, RenderError> {
        Ok(Action {
            kind,
            description: label.clone(),
            resource: Some(RawValue::from_string(resource)?),
            resource_id: None,
        })
    };
    Ok(match &suggestion.does {
        Does::FillIn(task) => vec![writes("create", form::task(task, version)?)?],
        Does::Order(order) => vec![writes("create", order.clone())?],
        Does::Update(resource) => vec![writes("update", resource.clone())?],
        Does::Replace { deleted, created } => vec![
            Action {
                kind: "delete",
                description: format!("Delete {deleted}"),
                resource: None,
                // crd.md trap 24: a string
                resource_id: Some(deleted.clone()),
            },
            writes("create", created.clone())?,
        ],
    })
}

/// Why a clinician does not follow a proposal.
fn override_reasons() -> Vec<Coding> {
    let (system, reasons) = OVERRIDE_REASONS;
    reasons.iter().map(|(code, display)| Coding { system, code, display }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_that_names_orders_is_the_guides() {
        let extension = Extension { associated: vec![Order::Text("MedicationRequest/1")] };
        let json = serde_json::to_value(&extension).unwrap();
        assert!(json.get(crate::ig::crd::ASSOCIATED_RESOURCE).is_some());
    }
}
