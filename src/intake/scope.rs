//! What a hook's answer is about: which orders and appointments, and where they are.

use std::borrow::Cow;

use super::dossier::Asked;
use super::order::ORDER_TYPES;
use super::people::{place_of_work, site};
use crate::cds::{Context, based_on};
use crate::facts::{Site, Source, SourceKind};
use crate::fhir::{Node, Pool};

/// The orders of a call.
#[derive(Debug, Default)]
pub(super) struct Scope<'d> {
    /// What is answered.
    pub(super) asked: Vec<Asked>,
    /// Drafts that are not.
    pub(super) beside: Vec<usize>,
    /// Orders that the context names and that nobody sent.
    pub(super) missing: Vec<Cow<'d, str>>,
}

/// Puts the resources that the context itself holds into the pool, and returns their places.
pub(super) fn add_context<'d>(pool: &mut Pool<'d>, context: &Context<'d>) -> Vec<usize> {
    let bundle = match context {
        Context::Sign { drafts } | Context::Select { drafts, .. } => *drafts,
        Context::Book { appointments } => *appointments,
        Context::Dispatch { .. } | Context::Encounter => return Vec::new(),
    };
    let mut places = Vec::new();
    for entry in bundle.each("entry") {
        let Some(resource) = entry.get("resource") else { continue };
        let place = pool.add(entry.text_of("fullUrl"), resource);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

impl<'d> Scope<'d> {
    /// What the context asks about; `inside` are the places of its own resources.
    pub(super) fn of(context: &Context<'d>, pool: &Pool<'d>, inside: &[usize]) -> Scope<'d> {
        let is_of = |place: &usize, kinds: &[&str]| {
            pool.entry(*place).is_some_and(|entry| kinds.contains(&&*entry.kind))
        };
        let drafts = inside.iter().copied().filter(|place| is_of(place, ORDER_TYPES));
        let alone = |place| Asked { place, appointment: None };
        match context {
            Context::Sign { .. } => {
                Scope { asked: drafts.map(alone).collect(), ..Scope::default() }
            }
            // crd.md 3.1: only what was selected is answered; what selects nothing is no fault.
            Context::Select { selections, .. } => {
                let (selected, beside): (Vec<usize>, Vec<usize>) =
                    drafts.partition(|place| selections.iter().any(|it| names(pool, it, *place)));
                let asked = selected.into_iter().map(alone).collect();
                Scope { asked, beside, missing: Vec::new() }
            }
            Context::Dispatch { orders, .. } => {
                let mut scope = Scope::default();
                for reference in orders {
                    match found(pool, reference, nowhere(pool)) {
                        Some(place) if scope.asked.contains(&alone(place)) => {}
                        Some(place) => scope.asked.push(alone(place)),
                        None => scope.missing.push(reference.clone()),
                    }
                }
                scope
            }
            Context::Book { .. } => {
                let mut scope = Scope::default();
                for place in inside.iter().copied().filter(|it| is_of(it, &["Appointment"])) {
                    scope.add_appointment(pool, place);
                }
                scope
            }
            Context::Encounter => Scope::default(),
        }
    }

    /// An Appointment: the orders that it carries out, else itself.
    fn add_appointment(&mut self, pool: &Pool<'d>, place: usize) {
        let Some(entry) = pool.entry(place) else { return };
        let references = based_on(entry.node);
        let mut orders: Vec<usize> = Vec::new();
        for reference in references {
            match found(pool, &reference, place) {
                Some(order) if orders.contains(&order) => {}
                Some(order) => orders.push(order),
                None => self.missing.push(reference),
            }
        }
        if orders.is_empty() {
            orders.push(place);
        }
        let asked =
            orders.into_iter().map(|order| Asked { place: order, appointment: Some(place) });
        self.asked.extend(asked);
    }
}

/// A place that no entry has: for references of the context, which stand in no resource.
fn nowhere(pool: &Pool<'_>) -> usize {
    pool.entries().len()
}

/// Whether a reference of the context means the entry at `place`.
fn names(pool: &Pool<'_>, reference: &str, place: usize) -> bool {
    pool.resolve(reference, nowhere(pool)) == Some(place)
        || pool.entry(place).is_some_and(|entry| entry.name() == reference)
}

/// The place of the order that a reference names.
fn found(pool: &Pool<'_>, reference: &str, from: usize) -> Option<usize> {
    let place = pool.resolve(reference, from)?;
    pool.entry(place).is_some_and(|entry| ORDER_TYPES.contains(&&*entry.kind)).then_some(place)
}

/// Who performs dispatched orders, and where.
#[derive(Debug)]
pub(super) struct Dispatch<'d> {
    performer: Option<Cow<'d, str>>,
    tasks: Vec<Node<'d>>,
}

impl<'d> Dispatch<'d> {
    pub(super) fn of(context: &Context<'d>) -> Option<Dispatch<'d>> {
        match context {
            Context::Dispatch { performer, tasks, .. } => {
                Some(Dispatch { performer: performer.clone(), tasks: tasks.clone() })
            }
            Context::Sign { .. }
            | Context::Select { .. }
            | Context::Book { .. }
            | Context::Encounter => None,
        }
    }

    /// The places where the order at `order` is to be carried out: an organization or location that
    /// performs it, and the location of its task. A person is no place.
    pub(super) fn sites(&self, pool: &Pool<'d>, order: usize) -> Vec<Site> {
        let at = |element: &'static str| Source {
            resource: "order-dispatch".into(),
            element: element.into(),
            date: None,
            kind: SourceKind::Request,
        };
        let performer = self.performer.as_ref().and_then(|reference| {
            place_of_work(pool, reference, nowhere(pool), &at("context.performer"))
        });
        let own = self.tasks.iter().filter(|task| is_task_of(pool, **task, order));
        let locations = own.filter_map(|task| {
            site(pool, task.get("location")?, nowhere(pool), true, &at("context.fulfillmentTasks"))
        });
        performer.into_iter().chain(locations).collect()
    }
}

/// Whether a task is about an order; one that names none is about all.
fn is_task_of(pool: &Pool<'_>, task: Node<'_>, order: usize) -> bool {
    let named = task.each("focus").chain(task.each("basedOn"));
    let mut named = named.filter_map(|it| it.text_of("reference")).peekable();
    named.peek().is_none() || named.any(|it| names(pool, &it, order))
}
