//! Cards, and their form on the wire.

use serde::Serialize;

use crate::ig::CrdVersion;
use crate::ig::crd::{Associated, Topic};
use crate::render::words;

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
}

#[derive(Serialize)]
pub(super) struct Wire<'a> {
    uuid: &'a str,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    indicator: &'static str,
    source: Source<'a>,
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
pub(super) fn wire<'a>(card: &'a Card, version: CrdVersion, payer: &'a str) -> Wire<'a> {
    let (detail, links) = match &card.body {
        CardBody::Instructions { detail } => (Some(detail.as_str()), Vec::new()),
        CardBody::ExternalReference { detail, label, url } => {
            (detail.as_deref(), vec![Link { label, url, kind: "absolute" }])
        }
    };
    let order = |reference: &'a String| match version.associated() {
        Associated::Text => Order::Text(reference),
        Associated::Reference => Order::Reference { reference },
    };
    let associated: Vec<Order<'a>> = card.orders.iter().map(order).collect();
    Wire {
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
        links,
        extension: (!associated.is_empty()).then_some(Extension { associated }),
    }
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
