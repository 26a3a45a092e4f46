//! Which cards an answer to a hook has: those that follow from the findings, and those that the
//! policy declares.

use super::Service;
use super::judge_orders::{Call, Judged};
use crate::cds::Hook;
use crate::fhir::{Document, Pool, Rules};
use crate::ig::crd::Topic;
use crate::intake::order::ordered;
use crate::policy::card::{By, CardRule, Proposed, Shows};
use crate::policy::template::{Change, Slot};
use crate::render::crd::form::FormTask;
use crate::render::crd::{Card, CardBody, Does, OneOrMore, Suggestion, explain};
use crate::render::revise;
use crate::store::{CardRecord, PolicyEdition};

/// A card, and what it is about.
pub(super) type Shown = (Card, CardRecord);

impl Service {
    /// The cards of every order that coverage information can be given of, as far as the client
    /// wants them.
    pub(super) fn hook_cards(&self, call: &Call<'_, '_>, judged: &[Judged<'_>]) -> Vec<Shown> {
        let mut shown = Vec::new();
        for order in judged.iter().filter(|order| order.coverage.is_some()) {
            self.policy_cards(order, &mut shown);
            let rules = self.rules.shelf.cards(&order.verdict);
            let rules = rules.filter(|rule| suits(&rule.shows, call.request.hook));
            // An order that is authorized lacks nothing that a clause could ask for.
            let rules = rules.filter(|rule| rule.when.is_none() || order.authorized.is_none());
            for rule in rules {
                let Some(card) = self.declared(call, order, rule) else { continue };
                let clause = rule.when.as_ref().map(|when| when.clause.to_string());
                let record = record(&card, order, rule.shows.kind(), &rule.id, clause);
                shown.push((card, record));
            }
        }
        // CRD 2.2.1 dev-14
        shown.retain(|(card, _)| call.request.wants(card.topic.code()));
        shown
    }

    /// What is proven of an order, and where its policy stands.
    fn policy_cards(&self, order: &Judged<'_>, shown: &mut Vec<Shown>) {
        let (reference, verdict) = (&order.reference, &order.verdict);
        let instructions = explain::instructions_card(&self.world.new_id(), reference, verdict);
        shown.extend(instructions.map(|card| {
            let record = record(&card, order, "instructions", "findings", None);
            (card, record)
        }));
        let page = order.policy_page(&self.rules.plan);
        let page = page
            .and_then(|page| explain::policy_card(&self.world.new_id(), reference, verdict, &page));
        shown.extend(page.map(|card| {
            let record = record(&card, order, "external-reference", "policy", None);
            (card, record)
        }));
    }

    /// A declared card; `None` where the call lacks something that it is made of.
    fn declared(&self, call: &Call<'_, '_>, order: &Judged<'_>, rule: &CardRule) -> Option<Card> {
        let detail = rule.detail.as_ref().map(ToString::to_string);
        let filled = |slot| slot_of(call, order, slot);
        let (topic, body) = match &rule.shows {
            Shows::ExternalReference(page) => {
                let (label, url) = (page.label.to_string(), page.url.to_string());
                (Topic::Guideline, CardBody::ExternalReference { detail, label, url })
            }
            Shows::Instructions(_) => {
                let detail = detail.unwrap_or_else(|| rule.summary.to_string());
                (Topic::Guideline, CardBody::Instructions { detail })
            }
            Shows::SmartApp(app) => {
                let (label, url) = (app.label.to_string(), app.url.to_string());
                let context = app.context.as_ref().map(ToString::to_string);
                (Topic::Guideline, CardBody::SmartApp { detail, label, url, context })
            }
            Shows::Form(form) => {
                let task = FormTask {
                    questionnaire: form.questionnaire.to_string(),
                    patient: filled(Slot::Patient)?,
                    order: order.reference.clone(),
                    payer: (self.rules.plan.name.clone(), self.rules.plan.payer_npi),
                    today: call.as_of,
                    why: rule.summary.to_string(),
                };
                let does = Does::FillIn(Box::new(task));
                (Topic::Claim, self.proposal(detail, &form.label, does))
            }
            Shows::AlternateRequest(other) => {
                let topic = if other.is_required {
                    Topic::RequiredAlternative
                } else {
                    Topic::OptionalAlternative
                };
                let does = alternate(order, &other.change, other.by, &filled)?;
                (topic, self.proposal(detail, &other.label, does))
            }
            Shows::AdditionalOrders(further) => {
                let orders = further.orders.iter().filter_map(|it| self.further(call, it, &filled));
                let mut orders = orders.collect::<Vec<_>>().into_iter();
                let suggestions = OneOrMore { first: orders.next()?, more: orders.collect() };
                (Topic::Reminder, CardBody::Proposal { detail, suggestions })
            }
            Shows::CoverageUpdate(correction) => {
                let coverage = coverage_text(call, order)?;
                let change = correction.change.fill(filled)?;
                let does = Does::Update(revise::with_members(coverage, &change, &[]).ok()?);
                (Topic::Insurance, self.proposal(detail, &correction.label, does))
            }
        };
        Some(Card {
            uuid: self.world.new_id(),
            summary: rule.summary.to_string(),
            topic,
            orders: vec![order.reference.clone()],
            body,
        })
    }

    fn suggestion(&self, label: &str, does: Does) -> Suggestion {
        Suggestion { uuid: self.world.new_id(), label: label.to_owned(), does }
    }

    fn proposal(&self, detail: Option<String>, label: &str, does: Does) -> CardBody {
        CardBody::Proposal { detail, suggestions: OneOrMore::one(self.suggestion(label, does)) }
    }

    fn further(
        &self,
        call: &Call<'_, '_>,
        proposed: &Proposed,
        filled: &impl Fn(Slot) -> Option<String>,
    ) -> Option<Suggestion> {
        let order = proposed.resource.fill(filled)?;
        if is_ordered(&call.file.pool, &order) {
            return None;
        }
        Some(self.suggestion(&proposed.label, Does::Order(order)))
    }
}

/// Whether an order of the same thing is among the resources of the call, and open.
fn is_ordered(pool: &Pool<'_>, proposed: &str) -> bool {
    let Ok(document) = Document::parse(proposed.as_bytes(), Rules::Lenient) else { return false };
    let wanted = ordered(document.root()).codings;
    let kind = document.root().text_of("resourceType").unwrap_or_default();
    let is_it = |place: usize| {
        let Some(entry) = pool.entry(place) else { return false };
        let is_open = matches!(entry.node.text_of("status").as_deref(), Some("draft" | "active"));
        is_open && ordered(entry.node).codings.iter().any(|coding| wanted.contains(coding))
    };
    pool.of_type(&kind).any(is_it)
}

/// Where the guide lets a kind of card stand (crd.md 3.5, 6.2).
fn suits(shows: &Shows, hook: Hook) -> bool {
    match shows {
        Shows::AlternateRequest(_) | Shows::AdditionalOrders(_) => {
            matches!(hook, Hook::OrderSign | Hook::OrderSelect)
        }
        // CRD 2.2.1 resp-70
        Shows::CoverageUpdate(_) => hook == Hook::AppointmentBook,
        Shows::ExternalReference(_)
        | Shows::Instructions(_)
        | Shows::SmartApp(_)
        | Shows::Form(_) => true,
    }
}

/// The order changed, or another in its place; `None` where the change is of another type.
fn alternate(
    order: &Judged<'_>,
    change: &Change,
    by: By,
    filled: &impl Fn(Slot) -> Option<String>,
) -> Option<Does> {
    let kind = order.reference.split('/').next()?;
    // crd.md 6.2, test l: an order is replaced by one of its own type.
    if kind != change.kind() {
        return None;
    }
    let change = change.fill(filled)?;
    match by {
        By::Update => Some(Does::Update(revise::with_members(order.text, &change, &[]).ok()?)),
        By::Replacement => {
            // What was said of the one order is not said of the other.
            let created = revise::with_members(order.text, &change, &["id", "extension"]).ok()?;
            Some(Does::Replace { deleted: order.reference.clone(), created })
        }
    }
}

fn slot_of(call: &Call<'_, '_>, order: &Judged<'_>, slot: Slot) -> Option<String> {
    let node = || call.file.pool.entry(order.place).map(|entry| entry.node);
    match slot {
        Slot::Patient => Some(format!("Patient/{}", call.request.patient_id)),
        Slot::Requester => {
            node()?.at(&["requester", "reference"])?.text().map(std::borrow::Cow::into_owned)
        }
        Slot::Coverage => order.coverage.clone(),
        Slot::Order => Some(order.reference.clone()),
        Slot::Today => Some(call.as_of.to_string()),
    }
}

/// The text of the Coverage that is asserted about, as it came.
fn coverage_text<'c>(call: &'c Call<'_, '_>, order: &Judged<'_>) -> Option<&'c str> {
    let pool = &call.file.pool;
    let mut entries = pool.of_type("Coverage").filter_map(|place| pool.entry(place));
    let entry = entries.find(|entry| Some(&entry.name()) == order.coverage.as_ref())?;
    Some(entry.node.raw())
}

fn record(
    card: &Card,
    order: &Judged<'_>,
    kind: &'static str,
    name: &str,
    clause: Option<String>,
) -> CardRecord {
    let policy = order.verdict.policy.as_ref();
    CardRecord {
        card_id: card.uuid.clone(),
        order_reference: order.reference.clone(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        policy: policy.and_then(|policy| {
            Some(PolicyEdition { policy_id: policy.id.to_string(), edition: policy.edition? })
        }),
        clause,
    }
}
