//! Everything that one request gives to judge by: patient, evidence, and the orders.

use std::sync::Arc;

use super::claim::{self, Item, as_line};
use super::coverage::standing;
use super::evidence::evidence;
use super::order::{NamesNobody, ORDER_TYPES, OrderParts, order_parts, stands};
use super::reader::source;
use super::subject::Subject;
use crate::cds::{HookError, HookRequest};
use crate::facts::{
    Authorization, Case, CoverageStanding, DateOrigin, Evidence, Gap, Line, Order, Patient,
    ServiceDate, SourceKind, Stated,
};
use crate::fhir::{Node, Pool};
use crate::policy::Plan;
use crate::terms::{Day, When};

/// The facts of one request.
#[derive(Debug)]
pub struct Dossier {
    /// The patient.
    pub patient: Patient,
    /// What the records say.
    pub evidence: Evidence,
    /// What could not be used.
    pub gaps: Vec<Gap>,
    /// The orders, each with its coverage.
    pub items: Vec<Item>,
}

impl Dossier {
    /// The facts of a PAS request: its items are those of the Claim at `claim`.
    #[must_use]
    pub fn of_claim(
        pool: &Pool<'_>,
        claim: usize,
        subject: &Subject,
        plan: &Plan,
        as_of: Day,
    ) -> Dossier {
        let (mut evidence, gaps) = evidence(pool, subject, Some(claim));
        evidence.mentions = claim::mentions(pool, claim);
        let items = claim::items(pool, claim, subject, plan, as_of);
        Dossier { patient: subject.patient(pool), evidence, gaps, items }
    }

    /// Puts in the authorizations that the payer's own store holds for the member.
    pub fn add_authorizations(&mut self, authorizations: Vec<Authorization>) {
        self.evidence.authorizations.extend(authorizations);
    }

    /// One case for each item, in the order of the request.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.items.iter().map(|item| Case {
            order: &item.order,
            patient: &self.patient,
            coverage: &item.coverage,
            evidence: &self.evidence,
        })
    }
}

/// A hook call's resources, and which of them are the orders to be signed.
#[derive(Debug)]
pub struct HookFile<'d> {
    /// All resources of context and prefetch.
    pub pool: Pool<'d>,
    /// The draft orders, as they stand in the context.
    pub orders: Vec<usize>,
    /// The patient.
    pub subject: Subject,
    encounter: Option<usize>,
}

impl<'d> HookFile<'d> {
    /// Collects the resources of a call, the draft orders first.
    ///
    /// # Errors
    /// There is no Bundle of draft orders.
    pub fn of(request: &HookRequest<'d>) -> Result<HookFile<'d>, HookError> {
        let drafts = request.draft_orders.ok_or(HookError::NoOrders)?;
        let mut pool = Pool::of_server(request.fhir_server.as_deref());
        let mut orders = Vec::new();
        for entry in drafts.each("entry") {
            let Some(resource) = entry.get("resource") else { continue };
            let place = pool.add(entry.text_of("fullUrl"), resource);
            let is_order =
                pool.entry(place).is_some_and(|entry| ORDER_TYPES.contains(&&*entry.kind));
            if is_order && !orders.contains(&place) {
                orders.push(place);
            }
        }
        for value in &request.prefetch {
            add_prefetched(&mut pool, *value);
        }
        let reference = format!("Patient/{}", request.patient_id);
        let place = pool.of_type("Patient").find(|place| {
            pool.entry(*place).is_some_and(|entry| entry.id.as_ref() == Some(&request.patient_id))
        });
        let encounter = request.encounter_id.as_ref().and_then(|id| {
            pool.of_type("Encounter")
                .find(|place| pool.entry(*place).is_some_and(|entry| entry.id.as_ref() == Some(id)))
        });
        Ok(HookFile {
            orders,
            subject: Subject { place, reference: Some(reference) },
            encounter,
            pool,
        })
    }

    /// The facts of the call: one item for each draft order.
    #[must_use]
    pub fn dossier(&self, plan: &Plan, as_of: Day) -> Dossier {
        let (evidence, gaps) = evidence(&self.pool, &self.subject, None);
        let mut items: Vec<Item> = self
            .orders
            .iter()
            .zip(1..)
            .map(|(place, sequence)| self.item(*place, sequence, plan, as_of))
            .collect();
        let lines: Arc<[Line]> = items.iter().map(|item| as_line(&item.order)).collect();
        for item in &mut items {
            item.order.lines = Arc::clone(&lines);
        }
        Dossier { patient: self.subject.patient(&self.pool), evidence, gaps, items }
    }

    fn item(&self, place: usize, sequence: u32, plan: &Plan, as_of: Day) -> Item {
        let order = self.order(place, sequence, as_of);
        let coverage = match stands(&self.pool, place, &self.subject, NamesNobody::IsDoubtful) {
            Ok(()) => {
                let day = order.service_date.when;
                standing(&self.pool, &self.coverages(place), &self.subject, plan, day)
            }
            Err(why) => CoverageStanding::Unusable(format!("the order {why}")),
        };
        Item { order, coverage }
    }

    fn order(&self, place: usize, sequence: u32, as_of: Day) -> Order {
        let pool = &self.pool;
        let parts = order_parts(pool, place, self.encounter, &self.subject);
        let at = |element: &str| {
            let entry = pool.entry(place);
            entry.map(|entry| source(entry, element.to_owned(), SourceKind::Request))
        };
        let whole = at(pool.entry(place).map_or("", |entry| &entry.kind)).unwrap_or_else(nowhere);
        let today = When::from(as_of);
        let requested_on = parts
            .authored
            .clone()
            .unwrap_or_else(|| Stated { value: today, source: whole.clone() });
        let service_date = service_date(&parts, &requested_on);
        Order {
            sequence,
            source: whole,
            is: parts.is,
            products: parts.products,
            service_date,
            requested_on,
            reasons: parts.reasons,
            prescriber: parts.prescriber,
            sites: parts.sites,
            settings: parts.settings,
            amounts: parts.amounts,
            repeats: parts.repeats,
            lines: Arc::default(),
        }
    }

    /// The coverages that the order names, else all that came with the call.
    #[must_use]
    pub fn coverages(&self, order: usize) -> Vec<usize> {
        let named = self.pool.entry(order).map(|entry| entry.node.each("insurance"));
        let named: Vec<usize> = named
            .into_iter()
            .flatten()
            .filter_map(|reference| self.pool.follow(reference, order))
            .collect();
        if named.is_empty() { self.pool.of_type("Coverage").collect() } else { named }
    }
}

/// A prefetched value: a resource, or a Bundle of resources; the outcome of a failed query is
/// neither.
fn add_prefetched<'d>(pool: &mut Pool<'d>, value: Node<'d>) {
    match value.text_of("resourceType").as_deref() {
        None | Some("OperationOutcome") => {}
        Some("Bundle") => {
            for entry in value.each("entry") {
                if let Some(resource) = entry.get("resource") {
                    match resource.text_of("resourceType").as_deref() {
                        None | Some("OperationOutcome") => {}
                        Some(_) => {
                            pool.add(entry.text_of("fullUrl"), resource);
                        }
                    }
                }
            }
        }
        Some(_) => {
            pool.add(None, value);
        }
    }
}

fn service_date(parts: &OrderParts, requested_on: &Stated<When>) -> ServiceDate {
    let (stated, origin) = match (&parts.occurrence, &parts.authored) {
        (Some(occurrence), _) => (occurrence, DateOrigin::Order),
        (None, Some(_)) => (requested_on, DateOrigin::Request),
        (None, None) => (requested_on, DateOrigin::AsOf),
    };
    ServiceDate { when: stated.value, origin, source: stated.source.clone() }
}

fn nowhere() -> crate::facts::Source {
    crate::facts::Source {
        resource: "order".into(),
        element: "$this".into(),
        date: None,
        kind: SourceKind::Request,
    }
}
