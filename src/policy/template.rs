//! Resources that a policy's cards propose: JSON files in the folder of an edition.
//!
//! A file is passed on as its text, with the places of the call put in; it is never read into a
//! value and written again.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The resources that a card may create or change (crd.md 6.2: tests l and m).
const ORDERS: &[&str] = &[
    "CommunicationRequest",
    "DeviceRequest",
    "MedicationRequest",
    "NutritionOrder",
    "ServiceRequest",
    "VisionPrescription",
];

/// A place in a file that a call fills: `{{patient}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The reference to the patient.
    Patient,
    /// The reference to whoever ordered.
    Requester,
    /// The reference to the member's Coverage.
    Coverage,
    /// The reference to the order that the card is about.
    Order,
    /// The day of the call.
    Today,
}

impl Slot {
    const ALL: [Slot; 5] =
        [Slot::Patient, Slot::Requester, Slot::Coverage, Slot::Order, Slot::Today];

    fn written(self) -> &'static str {
        match self {
            Slot::Patient => "{{patient}}",
            Slot::Requester => "{{requester}}",
            Slot::Coverage => "{{coverage}}",
            Slot::Order => "{{order}}",
            Slot::Today => "{{today}}",
        }
    }
}

/// A new order: a whole resource without an id.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct NewOrder(Template);

/// What is different in a resource: its type, and members that take the place of those it has;
/// `null` takes one away.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Change(Template);

#[derive(Debug)]
struct Template {
    file: Box<str>,
    text: Box<str>,
    kind: Box<str>,
}

impl From<String> for Template {
    fn from(file: String) -> Template {
        Template { file: file.into(), text: Box::default(), kind: Box::default() }
    }
}

impl From<String> for NewOrder {
    fn from(file: String) -> NewOrder {
        NewOrder(file.into())
    }
}

impl From<String> for Change {
    fn from(file: String) -> Change {
        Change(file.into())
    }
}

/// A file that is named and not read yet.
pub(super) enum Unread<'t> {
    /// Of a new order.
    NewOrder(&'t mut NewOrder),
    /// Of a change.
    Change(&'t mut Change),
}

impl Unread<'_> {
    /// The name of the file, below `cards/`.
    pub(super) fn file(&self) -> &str {
        match self {
            Unread::NewOrder(NewOrder(template)) | Unread::Change(Change(template)) => {
                &template.file
            }
        }
    }

    /// Takes the file's text, or says what is wrong with it.
    pub(super) fn take(self, text: &str) -> Result<(), String> {
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))?;
        check_slots(text)?;
        let kind = object.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let is_order = ORDERS.contains(&kind);
        let template = match self {
            Unread::NewOrder(NewOrder(template)) => {
                if !is_order {
                    return Err(format!("`{kind}` is no resource that can be ordered"));
                }
                // rulings 39: nothing is signed by a card.
                if object.get("status").and_then(Value::as_str) != Some("draft") {
                    return Err("a proposed order has the `status` \"draft\"".to_owned());
                }
                if object.contains_key("id") {
                    return Err("a new order has no `id`: the client gives it".to_owned());
                }
                template
            }
            Unread::Change(Change(template)) => {
                if !is_order && kind != "Coverage" {
                    return Err(format!("`{kind}` is neither an order nor a Coverage"));
                }
                // rulings 39
                let kept = ["id", "status", "extension"].into_iter();
                if let Some(name) = kept.into_iter().find(|name| object.contains_key(*name)) {
                    return Err(format!("a change leaves `{name}` as it is"));
                }
                if object.len() < 2 {
                    return Err("it changes nothing".to_owned());
                }
                template
            }
        };
        template.text = text.into();
        template.kind = kind.into();
        Ok(())
    }
}

/// Every `{{` begins a place that is known.
fn check_slots(text: &str) -> Result<(), String> {
    for rest in text.split("{{").skip(1) {
        let name = rest.split("}}").next().unwrap_or_default();
        if !Slot::ALL.iter().any(|slot| slot.written() == format!("{{{{{name}}}}}")) {
            return Err(format!("`{{{{{name}}}}}` is no place that a call fills"));
        }
    }
    Ok(())
}

impl Template {
    /// The text with every place filled; `None`: the call does not have one of them.
    fn fill(&self, value: impl Fn(Slot) -> Option<String>) -> Option<String> {
        let mut text = self.text.to_string();
        for slot in Slot::ALL {
            if text.contains(slot.written()) {
                // The places stand inside of JSON strings.
                let quoted = serde_json::to_string(&value(slot)?).ok()?;
                let inside = quoted.get(1..quoted.len().saturating_sub(1))?;
                text = text.replace(slot.written(), inside);
            }
        }
        Some(text)
    }
}

impl NewOrder {
    /// The resource's text for one call; `None`: the call lacks something that stands in it.
    #[must_use]
    pub fn fill(&self, value: impl Fn(Slot) -> Option<String>) -> Option<String> {
        self.0.fill(value)
    }
}

impl Change {
    /// The type of the resources that it changes.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The members' text for one call; `None`: the call lacks something that stands in it.
    #[must_use]
    pub fn fill(&self, value: impl Fn(Slot) -> Option<String>) -> Option<String> {
        self.0.fill(value)
    }
}
