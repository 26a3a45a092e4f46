//! What a proposed Appointment says of the order that it carries out, or by itself.

use super::order::OrderParts;
use super::people::site;
use super::reader::{source, when};
use crate::facts::{Site, SourceKind, Stated};
use crate::fhir::{Node, Pool};
use crate::terms::When;

/// The patient of an Appointment: the participant that is one.
#[must_use]
pub fn patient(appointment: Node<'_>) -> Option<Node<'_>> {
    let mut actors = appointment.each("participant").filter_map(|it| it.get("actor"));
    let is_patient = |actor: &Node<'_>| {
        actor.text_of("type").as_deref() == Some("Patient")
            || actor.text_of("reference").is_some_and(|it| {
                let mut steps = it.rsplit('/');
                steps.nth(1) == Some("Patient")
            })
    };
    actors.find(is_patient)
}

/// Puts day and place of the Appointment at `place` into the parts of its order: the day is the one
/// that is booked, whatever the order had in mind.
pub fn add(pool: &Pool<'_>, place: usize, parts: &mut OrderParts) {
    parts.occurrence = start(pool, place).or(parts.occurrence.take());
    parts.sites.extend(sites(pool, place));
}

/// The day of the Appointment: its start, else the start of the period that is asked for.
#[must_use]
pub fn start(pool: &Pool<'_>, place: usize) -> Option<Stated<When>> {
    let entry = pool.entry(place)?;
    let at = |element: &'static str| source(entry, element, SourceKind::Request);
    let own = when(entry.node.get("start"))
        .map(|value| Stated { value, source: at("Appointment.start") });
    own.or_else(|| {
        let period = entry.node.each("requestedPeriod").next()?;
        let value = when(period.get("start"))?;
        Some(Stated { value, source: at("Appointment.requestedPeriod") })
    })
}

/// The locations that take part.
#[must_use]
pub fn sites(pool: &Pool<'_>, place: usize) -> Vec<Site> {
    let Some(entry) = pool.entry(place) else { return Vec::new() };
    let actors = entry.node.each("participant").filter_map(|it| it.get("actor"));
    let is_location = |actor: &Node<'_>| {
        let found = pool.follow(*actor, place).and_then(|place| pool.entry(place));
        found.is_some_and(|entry| entry.kind == "Location")
            || actor.text_of("reference").is_some_and(|it| it.contains("Location/"))
    };
    let at = source(entry, "Appointment.participant.actor", SourceKind::Request);
    actors.filter(is_location).filter_map(|actor| site(pool, actor, place, true, &at)).collect()
}
