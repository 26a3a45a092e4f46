//! What a hook is about: its context, read per hook.
//!
//! Only what the answer is about is needed; who the user is, and who performs a dispatched order,
//! may be missing.

use std::borrow::Cow;

use super::{Hook, HookError};
use crate::fhir::Node;

/// The extension by which an Appointment names an order that is no `ServiceRequest`.
const ALTERNATE_REFERENCE: &str = "http://hl7.org/fhir/StructureDefinition/alternate-reference";

/// The context of a call, as its hook has it (crd.md 2.2).
#[derive(Clone, Debug)]
pub enum Context<'d> {
    /// `order-sign`: every draft is answered.
    Sign {
        /// `draftOrders`.
        drafts: Node<'d>,
    },
    /// `order-select`: the selected drafts are answered, the others are their context.
    Select {
        /// `draftOrders`.
        drafts: Node<'d>,
        /// `selections`.
        selections: Vec<Cow<'d, str>>,
    },
    /// `order-dispatch`: orders that are signed, and not in the call.
    Dispatch {
        /// `dispatchedOrders`; in 1.0 the one `order`.
        orders: Vec<Cow<'d, str>>,
        /// `performer`.
        performer: Option<Cow<'d, str>>,
        /// `fulfillmentTasks`; in 1.0 the one `task`.
        tasks: Vec<Node<'d>>,
    },
    /// `appointment-book`: the proposed appointments.
    Book {
        /// `appointments`.
        appointments: Node<'d>,
    },
    /// `encounter-start`, `encounter-discharge`: the encounter alone.
    Encounter,
}

impl<'d> Context<'d> {
    pub(super) fn read(hook: Hook, context: Node<'d>) -> Result<Context<'d>, HookError> {
        let drafts = || context.get("draftOrders").ok_or(HookError::NoOrders);
        match hook {
            Hook::OrderSign => Ok(Context::Sign { drafts: drafts()? }),
            Hook::OrderSelect => {
                let drafts = drafts()?;
                let selections = context.get("selections").ok_or(HookError::NoSelections)?;
                Ok(Context::Select { drafts, selections: references(selections) })
            }
            Hook::OrderDispatch => dispatch(context),
            Hook::AppointmentBook => {
                let appointments = context.get("appointments").ok_or(HookError::NoAppointments)?;
                Ok(Context::Book { appointments })
            }
            Hook::EncounterStart | Hook::EncounterDischarge => {
                context.text_of("encounterId").ok_or(HookError::NoEncounter)?;
                Ok(Context::Encounter)
            }
        }
    }

    /// How much the answer is about: entries, selections, references.
    #[must_use]
    pub fn size(&self) -> usize {
        let entries = |bundle: &Node<'d>| bundle.each("entry").count();
        match self {
            Context::Sign { drafts } => entries(drafts),
            Context::Select { drafts, selections } => entries(drafts) + selections.len(),
            Context::Dispatch { orders, tasks, .. } => orders.len() + tasks.len(),
            Context::Book { appointments } => entries(appointments) + self.references().len(),
            Context::Encounter => 0,
        }
    }

    /// The Bundle of drafts, if the hook has one.
    #[must_use]
    pub fn drafts(&self) -> Option<Node<'d>> {
        match self {
            Context::Sign { drafts } | Context::Select { drafts, .. } => Some(*drafts),
            Context::Dispatch { .. } | Context::Book { .. } | Context::Encounter => None,
        }
    }

    /// The references to resources that are not in the context.
    pub(super) fn references(&self) -> Vec<Cow<'d, str>> {
        match self {
            Context::Sign { .. } | Context::Select { .. } | Context::Encounter => Vec::new(),
            Context::Dispatch { orders, performer, .. } => {
                orders.iter().chain(performer).cloned().collect()
            }
            Context::Book { appointments } => {
                let resources =
                    appointments.each("entry").filter_map(|entry| entry.get("resource"));
                resources.flat_map(based_on).collect()
            }
        }
    }
}

/// What an Appointment is based on: in R4 a `ServiceRequest`, another order by an extension
/// (CRD 2.2.1, profile-appointment-with-order).
#[must_use]
pub fn based_on(appointment: Node<'_>) -> Vec<Cow<'_, str>> {
    let mut found = Vec::new();
    for reference in appointment.each("basedOn") {
        let alternates = reference
            .each("extension")
            .filter(|it| it.text_of("url").as_deref() == Some(ALTERNATE_REFERENCE));
        found.extend(alternates.filter_map(|it| it.get("valueReference")?.text_of("reference")));
        found.extend(reference.text_of("reference"));
    }
    found
}

/// 1.0 has `order` and `task`, 1.1 `dispatchedOrders` and `fulfillmentTasks`; drafts of 1.1 wrote
/// them with hyphens (crd.md 1.1).
fn dispatch(context: Node<'_>) -> Result<Context<'_>, HookError> {
    let orders = ["dispatchedOrders", "dispatched-orders", "order"];
    let orders = context.get_any(&orders).map(|(_, orders)| references(orders));
    let tasks = context.get_any(&["fulfillmentTasks", "fulfillment-tasks", "task"]);
    Ok(Context::Dispatch {
        orders: orders.filter(|it| !it.is_empty()).ok_or(HookError::NoDispatchedOrders)?,
        performer: context.get("performer").and_then(reference),
        tasks: tasks.into_iter().flat_map(|(_, tasks)| tasks.items()).collect(),
    })
}

/// A list of references, each as text; some clients write Reference objects.
fn references(list: Node<'_>) -> Vec<Cow<'_, str>> {
    list.items().filter_map(reference).collect()
}

fn reference(node: Node<'_>) -> Option<Cow<'_, str>> {
    node.text().or_else(|| node.text_of("reference"))
}
