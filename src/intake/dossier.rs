//! Everything that one request gives to judge by: patient, evidence, and the orders.

use std::borrow::Cow;
use std::sync::Arc;

use super::appointment;
use super::claim::{self, Item, as_line};
use super::coverage::standings;
use super::evidence::evidence;
use super::order::{NamesNobody, OrderParts, order_parts, stands};
use super::reader::source;
use super::scope::{Dispatch, Scope, add_context};
use super::subject::Subject;
use crate::cds::{HookRequest, based_on};
use crate::facts::{
    Authorization, Case, CoverageLack, CoverageStanding, DateOrigin, Evidence, Gap, Line,
    Membership, Order, Patient, ServiceDate, Source, SourceKind, Stated, Unusable,
};
use crate::fhir::{Node, Pool};
use crate::ig::CrdVersion;
use crate::policy::Plan;
use crate::terms::{Day, When};

/// Under how many usable coverages an order of a hook is judged beside the first; a member has one
/// as a rule.
const MOST_FURTHER: usize = 7;
/// How often orders of a hook are judged at most, each under each of its coverages: what is judged
/// looks at every record.
const MOST_JUDGINGS: usize = 200;

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
    /// Whether the caller may be told which authorizations are on file.
    pub tells_authorizations: bool,
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
        let patient = subject.patient(pool);
        Dossier { patient, evidence, gaps, items, tells_authorizations: true }
    }

    /// Puts in the authorizations that the payer's own store holds for the member: by name where
    /// the caller may be told of them, and as what counts in any case.
    pub fn add_authorizations(&mut self, authorizations: Vec<Authorization>) {
        let told = |it: Authorization| if self.tells_authorizations { it } else { it.unnamed() };
        self.evidence.authorizations.extend(authorizations.into_iter().map(told));
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

/// What one answer of a hook is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The place of what is judged: an order, or an Appointment whose order is not here.
    pub place: usize,
    /// The Appointment that is proposed for it.
    pub appointment: Option<usize>,
}

/// What a client's own server answered to one query.
#[derive(Clone, Copy, Debug)]
pub struct Received<'d> {
    /// The type that was asked for: nothing else in the answer counts.
    pub kind: &'d str,
    /// A resource, or a Bundle of them.
    pub node: Node<'d>,
}

impl<'d> Received<'d> {
    /// The resources that were asked for, each with its full URL.
    pub fn resources(&self) -> impl Iterator<Item = (Option<Cow<'d, str>>, Node<'d>)> {
        let kind = self.kind;
        let is_bundle = self.node.text_of("resourceType").as_deref() == Some("Bundle");
        let alone = (!is_bundle).then_some((None, self.node));
        let entries = is_bundle.then(|| self.node.each("entry")).into_iter().flatten();
        let inside =
            entries.filter_map(|entry| Some((entry.text_of("fullUrl"), entry.get("resource")?)));
        alone
            .into_iter()
            .chain(inside)
            .filter(move |(_, node)| node.text_of("resourceType").as_deref() == Some(kind))
    }
}

/// A hook call's resources, and what of them the answer is about.
#[derive(Debug)]
pub struct HookFile<'d> {
    /// All resources of context and prefetch, and those that were fetched.
    pub pool: Pool<'d>,
    /// What is to be answered, in the order of the context.
    pub asked: Vec<Asked>,
    /// The patient.
    pub subject: Subject,
    /// The orders that the context names and that are not here.
    pub missing: Vec<Cow<'d, str>>,
    /// Drafts that were not selected: lines of the same request all the same.
    beside: Vec<usize>,
    encounter: Option<usize>,
    dispatch: Option<Dispatch<'d>>,
    tells_authorizations: bool,
}

impl<'d> HookFile<'d> {
    /// Collects the resources of a call, those of the context first; `fetched` came from the
    /// client's own server afterwards.
    #[must_use]
    pub fn of(request: &HookRequest<'d>, fetched: &[Received<'d>]) -> HookFile<'d> {
        let mut pool = Pool::of_server(request.fhir_server.as_deref());
        let inside = add_context(&mut pool, &request.context);
        for (_, value) in &request.prefetch {
            add_prefetched(&mut pool, *value);
        }
        for (full_url, resource) in fetched.iter().flat_map(Received::resources) {
            pool.add(full_url, resource);
        }
        let found = |kind: &'static str, id: &str| {
            pool.of_type(kind).find(|place| {
                pool.entry(*place).is_some_and(|entry| {
                    entry.container.is_none() && entry.id.as_deref() == Some(id)
                })
            })
        };
        let subject = Subject {
            place: found("Patient", &request.patient_id),
            reference: Some(format!("Patient/{}", request.patient_id)),
        };
        let encounter = request.encounter_id.as_ref().and_then(|id| found("Encounter", id));
        let Scope { asked, beside, missing } = Scope::of(&request.context, &pool, &inside);
        let dispatch = Dispatch::of(&request.context);
        let tells_authorizations = request.tells_authorizations();
        HookFile {
            pool,
            asked,
            subject,
            missing,
            beside,
            encounter,
            dispatch,
            tells_authorizations,
        }
    }

    /// The place of the resource into which coverage information about `asked` is put; `None` where
    /// the version has no resource for it.
    #[must_use]
    pub fn annotated(&self, asked: Asked, version: CrdVersion) -> Option<usize> {
        let Asked { place, appointment } = asked;
        let entry = self.pool.entry(place)?;
        let chosen = match appointment {
            // crd.md 3.5, trap 10: with an order 2.2 answers on the order, 2.0 on the Appointment.
            Some(appointment) if version.answers_on_order() => {
                let lacks_order = appointment == place && !based_on(entry.node).is_empty();
                (!lacks_order).then_some(place)
            }
            Some(appointment) => Some(appointment),
            None => Some(place),
        };
        chosen.filter(|it| self.pool.entry(*it).is_some_and(|it| version.annotates(&it.kind)))
    }

    /// What else is asked about that `asked` is based on.
    #[must_use]
    pub fn goes_with(&self, asked: Asked) -> Option<Asked> {
        let entry = self.pool.entry(asked.place)?;
        let mut bases = entry
            .node
            .each("basedOn")
            .filter_map(|reference| self.pool.follow(reference, asked.place));
        bases.find_map(|base| {
            let is_base = |other: &&Asked| other.place == base && base != asked.place;
            self.asked.iter().find(is_base).copied()
        })
    }

    /// The facts of the call: one item for each order that is asked about.
    #[must_use]
    pub fn dossier(&self, plan: &Plan, as_of: Day) -> Dossier {
        let (evidence, gaps) = evidence(&self.pool, &self.subject, None);
        let mut items: Vec<Item> = self
            .asked
            .iter()
            .zip(1..)
            .map(|(asked, sequence)| self.item(*asked, sequence, plan, as_of))
            .collect();
        let beside = self.beside.iter().zip(items.len() + 1..).map(|(place, sequence)| {
            let asked = Asked { place: *place, appointment: None };
            as_line(&self.order(asked, u32::try_from(sequence).unwrap_or(u32::MAX), as_of))
        });
        let lines: Arc<[Line]> =
            items.iter().map(|item| as_line(&item.order)).chain(beside).collect();
        let most_further = (MOST_JUDGINGS / items.len().max(1)).saturating_sub(1);
        for item in &mut items {
            item.order.lines = Arc::clone(&lines);
            item.further.truncate(most_further);
        }
        let patient = self.subject.patient(&self.pool);
        let tells_authorizations = self.tells_authorizations;
        Dossier { patient, evidence, gaps, items, tells_authorizations }
    }

    /// The patient's visit as an item that asks for nothing: whose member the patient is today.
    #[must_use]
    pub fn visit(&self, plan: &Plan, as_of: Day) -> Item {
        let today = When::from(as_of);
        let coverages: Vec<usize> = self.pool.of_type("Coverage").collect();
        let (coverage, further) = standings(&self.pool, &coverages, &self.subject, plan, today);
        let requested_on = Stated { value: today, source: nowhere() };
        let parts = OrderParts::default();
        let service_date = service_date(&parts, &requested_on);
        let order = as_order(parts, 1, nowhere(), service_date, requested_on);
        Item { order, coverage, further }
    }

    fn item(&self, asked: Asked, sequence: u32, plan: &Plan, as_of: Day) -> Item {
        let order = self.order(asked, sequence, as_of);
        let (coverage, further) = match self.stands(asked) {
            Ok(()) => self.standings(asked.place, &order.service_date, plan, as_of),
            Err(why) => (CoverageStanding::Unusable(Unusable::nothing(why)), Vec::new()),
        };
        Item { order, coverage, further }
    }

    /// Whether what is asked about is to be carried out, and for this patient.
    fn stands(&self, asked: Asked) -> Result<(), String> {
        let (pool, subject) = (&self.pool, &self.subject);
        stands(pool, asked.place, subject, NamesNobody::IsDoubtful)
            .map_err(|why| format!("the order {why}"))?;
        // Its order says for whom an Appointment is, where it does not say so itself.
        match asked.appointment.filter(|it| *it != asked.place) {
            Some(appointment) => stands(pool, appointment, subject, NamesNobody::IsFine)
                .map_err(|why| format!("the appointment {why}")),
            None => Ok(()),
        }
    }

    /// How the coverages of the order at `place` stand on the day of its service.
    fn standings(
        &self,
        place: usize,
        service: &ServiceDate,
        plan: &Plan,
        as_of: Day,
    ) -> (CoverageStanding, Vec<Membership>) {
        let coverages = self.coverages(place);
        let on = |day| standings(&self.pool, &coverages, &self.subject, plan, day);
        let (mut coverage, mut further) = on(service.when);
        further.truncate(MOST_FURTHER);
        // An order that names no day of service is for a day to come: that the coverage was not in
        // force when it was written does not say that it will not be.
        if let (CoverageStanding::Unusable(unusable), DateOrigin::Request) =
            (&mut coverage, service.origin)
            && unusable.lack == CoverageLack::NotInForce
            && matches!(on(When::from(as_of)).0, CoverageStanding::InForce(_))
        {
            unusable.lack = CoverageLack::DayUnclear;
        }
        (coverage, further)
    }

    fn order(&self, asked: Asked, sequence: u32, as_of: Day) -> Order {
        let pool = &self.pool;
        let place = asked.place;
        let mut parts = order_parts(pool, place, self.encounter, &self.subject);
        if let Some(appointment) = asked.appointment.filter(|it| *it != place) {
            appointment::add(pool, appointment, &mut parts);
        }
        if let Some(dispatch) = &self.dispatch {
            parts.sites.extend(dispatch.sites(pool, place));
        }
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
        as_order(parts, sequence, whole, service_date, requested_on)
    }

    /// The coverages that the order names, else all that came with the call.
    #[must_use]
    pub fn coverages(&self, order: usize) -> Vec<usize> {
        let named = self.named_coverages(order);
        if named.is_empty() { self.pool.of_type("Coverage").collect() } else { named }
    }

    /// The coverages that the order names, as far as they are here.
    #[must_use]
    pub fn named_coverages(&self, order: usize) -> Vec<usize> {
        let named = self.pool.entry(order).map(|entry| entry.node.each("insurance"));
        let named = named.into_iter().flatten();
        named.filter_map(|reference| self.pool.follow(reference, order)).collect()
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

fn as_order(
    parts: OrderParts,
    sequence: u32,
    source: Source,
    service_date: ServiceDate,
    requested_on: Stated<When>,
) -> Order {
    Order {
        sequence,
        source,
        is: parts.is,
        products: parts.products,
        service_date,
        requested_on,
        reasons: parts.reasons,
        prescriber: parts.prescriber,
        ordered_for: parts.ordered_for,
        sites: parts.sites,
        settings: parts.settings,
        amounts: parts.amounts,
        repeats: parts.repeats,
        instructions: parts.instructions,
        lines: Arc::default(),
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

fn nowhere() -> Source {
    Source {
        resource: "order".into(),
        element: "$this".into(),
        date: None,
        kind: SourceKind::Request,
    }
}
