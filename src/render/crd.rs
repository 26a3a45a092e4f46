//! The answer to a hook: cards, and each order with coverage information put in.
//!
//! Invariants: coverage information is never a card (CRD 2.2.1 resp-25) unless the operator asked
//! for a card that tells the actions (rulings 39); arrays that may not be empty are left out.

pub mod card;
pub mod coverage_information;
pub mod discovery;
pub mod explain;
pub mod form;
pub mod from_verdict;
mod unread;

use serde::Serialize;
use serde_json::value::RawValue;

pub use card::{Card, CardBody, Does, Suggestion};
pub use coverage_information::{
    Contact, Coverage, CoverageInformation, Detail, DocNeeded, DocPurpose, Documents, InfoNeeded,
    OneOrMore, PaNeeded, Reason, ReasonCode,
};
pub use from_verdict::{
    Circumstances, WithoutPolicy, coverage_information, unread_product, without_coverage,
};

use super::echo::About;
use super::{RenderError, echo};
use crate::ig::CrdVersion;

/// Everything that is said to one call of a hook.
#[derive(Clone, Debug)]
pub struct HookAnswer<'a> {
    /// In the words of which version.
    pub version: CrdVersion,
    /// The plan's name as it stands on the member's card: the label of every card's source.
    pub payer: &'a str,
    /// The base of the client's FHIR server, if the call names it.
    pub server: Option<&'a str>,
    /// The orders that get coverage information.
    pub orders: Vec<OrderAnswer<'a>>,
    /// The cards.
    pub cards: Vec<Card>,
    /// The id of a card that tells in words what the actions say, for clients that show cards
    /// only; `None` outside demo and sandbox mode (rulings 39).
    pub actions_card: Option<&'a str>,
}

/// What is said of one order.
#[derive(Clone, Debug)]
pub struct OrderAnswer<'a> {
    /// The order's JSON text as it was received.
    pub order: &'a str,
    /// `Type/id` of the order.
    pub reference: &'a str,
    /// What is said, for each Coverage once; the Coverage is named as the client's system knows it:
    /// `Coverage/c1`.
    pub said: Vec<(&'a str, CoverageInformation)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    cards: Vec<card::Wire<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_actions: Option<Vec<Action>>,
}

#[derive(Serialize)]
struct Action {
    #[serde(rename = "type")]
    kind: &'static str,
    description: String,
    resource: Box<RawValue>,
}

/// The JSON text of the CDS Hooks response.
///
/// # Errors
/// An order's text cannot hold an extension.
pub fn response(answer: &HookAnswer<'_>) -> Result<String, RenderError> {
    let actions = answer
        .orders
        .iter()
        .map(|order| action(answer, order))
        .collect::<Result<Vec<_>, RenderError>>()?;
    let telling = answer
        .actions_card
        .filter(|_| !answer.orders.is_empty())
        .map(|id| explain::actions_card(id, &answer.orders));
    let cards = answer
        .cards
        .iter()
        .chain(&telling)
        .map(|card| card::wire(card, answer.version, answer.payer))
        .collect::<Result<_, _>>()?;
    // rulings 29: 2.0 shows an empty list, 2.2 leaves it out
    let shows = !actions.is_empty() || answer.version.shows_empty_actions();
    Ok(serde_json::to_string(&Wire { cards, system_actions: shows.then_some(actions) })?)
}

/// Whether an order says already what would be put into it: the same in everything but the day and
/// the id of the assertion (CRD 2.2.1 resp-35).
#[must_use]
pub fn is_no_news(
    version: CrdVersion,
    order: &str,
    about: About<'_>,
    information: &CoverageInformation,
) -> bool {
    let present = echo::coverage_information(order, about);
    let mut present = present.iter().filter_map(|text| serde_json::from_str(text).ok());
    let ours = || substance(information.extension(version, about.coverage));
    present.next().is_some_and(|it| substance(it) == ours()) && present.next().is_none()
}

/// An extension without what differs between two assertions of the same.
fn substance(mut extension: serde_json::Value) -> serde_json::Value {
    if let Some(parts) = extension.get_mut("extension").and_then(serde_json::Value::as_array_mut) {
        parts.retain(|part| {
            let url = part.get("url").and_then(serde_json::Value::as_str);
            !matches!(url, Some("date" | "coverage-assertion-id"))
        });
    }
    extension
}

fn action(answer: &HookAnswer<'_>, order: &OrderAnswer<'_>) -> Result<Action, RenderError> {
    let mut resource = order.order.to_owned();
    for (coverage, information) in &order.said {
        let about = About { coverage, server: answer.server };
        let extension = information.extension(answer.version, coverage).to_string();
        resource = echo::with_coverage_information(&resource, about, &extension)
            .map_err(|source| RenderError::Echo { order: order.reference.to_owned(), source })?;
    }
    Ok(Action {
        kind: "update",
        // CDS Hooks 2.0: required on every action (crd.md trap 7)
        description: format!("Coverage information of {} for {}", answer.payer, order.reference),
        resource: RawValue::from_string(resource)?,
    })
}
