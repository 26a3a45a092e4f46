//! What was said of an order when it was signed, at the Claim for it (found-11, decision 0022).
//!
//! An assertion never becomes an approval: it can only say once more that no authorization is
//! needed, or that the one on file covers the order.

use serde::{Deserialize, Serialize};

use super::line::Decision;
use super::submit_claim::Incoming;
use super::world::day_of;
use super::{OnFile, Service, ServiceError};
use crate::facts::{Case, CoverageStanding, DateOrigin};
use crate::fhir::{Document, Node, Rules};
use crate::ig::crd::COVERAGE_INFORMATION;
use crate::intake::order::{ordered, ordered_amount};
use crate::intake::pas_request::kind::kind_of_request;
use crate::intake::reader::extension;
use crate::policy::{Shelf, Verdict};
use crate::store::{Said, StoredAssertion};
use crate::terms::date::shift;
use crate::terms::{Coding, Concept, Day, Truth};

/// How many assertions of one line are looked up.
const MOST_LOOKED_UP: usize = 8;
/// The longest id that can be one of ours.
const LONGEST_ID: usize = 64;

/// An assertion that a line refers to, and what became of it: kept beside the line and shown to
/// its reviewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referred {
    /// Its id, as the order has it.
    pub assertion_id: String,
    /// When it was given; `None`: it is none of ours for this member and client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_on: Option<String>,
    /// What it said: `no-auth`, `satisfied`, or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The policy and edition that judged then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What was determined then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub determination: Option<String>,
    /// Whether the line says so too because of it.
    pub is_honoured: bool,
    /// Why, or why not.
    pub why: String,
}

/// The assertions that the lines of a Claim refer to.
pub(super) struct Asserted(Vec<Reference>);

struct Reference {
    line: u32,
    id: String,
    /// What is on file under it for this client and member.
    known: Option<StoredAssertion>,
    /// How much the line asks for.
    amount: f64,
}

impl Asserted {
    /// How much the lines that refer to one assertion ask for together.
    fn amount_of(&self, id: &str) -> f64 {
        self.0.iter().filter(|it| it.id == id).map(|it| it.amount).sum()
    }
}

impl Service {
    /// Looks up the assertions that the requested orders carry (crd.md 5.4: the order in the Bundle
    /// keeps its coverage information).
    pub(super) async fn asserted(
        &self,
        incoming: &Incoming<'_, '_>,
    ) -> Result<Asserted, ServiceError> {
        let mut found = Vec::new();
        for line in &incoming.request.lines {
            for id in assertion_ids(incoming, line.node).into_iter().take(MOST_LOOKED_UP) {
                let known = self.store.assertion(&id).await?;
                // An assertion is its client's and its member's, and nobody else's.
                let known = known.filter(|it| {
                    it.client == incoming.key.client
                        && !incoming.member.is_empty()
                        && it.assertion.member_id.as_deref() == Some(&incoming.member)
                });
                found.push(Reference {
                    line: line.sequence,
                    id,
                    known,
                    amount: billed_amount(line.node),
                });
            }
        }
        Ok(Asserted(found))
    }

    /// What is done with a line in the light of what was said of its order.
    ///
    /// Only what would wait is changed by it, and only to "not required".
    pub(super) fn honour(
        &self,
        incoming: &Incoming<'_, '_>,
        (case, verdict): (Case<'_>, &Verdict),
        decision: Decision,
        asserted: &Asserted,
        on_file: &[OnFile],
    ) -> (Decision, Vec<Referred>) {
        let mut decision = decision;
        let mut referred = Vec::new();
        let own = asserted.0.iter().filter(|it| it.line == case.order.sequence);
        for Reference { line, id, known, .. } in own {
            let Some(known) = known else {
                referred.push(Referred::unknown(id));
                continue;
            };
            let may_be_certified = kind_of_request(incoming.request, *line).may_be_certified();
            let holds = match &decision {
                Decision::Certify { .. } | Decision::NotRequired(_) => {
                    Err("the line is answered as favourably without it".to_owned())
                }
                Decision::Pend(_) if incoming.script.is_some() => {
                    Err("a sandbox scenario answers".to_owned())
                }
                Decision::Pend(_) if !may_be_certified => {
                    Err("a person handles this kind of request".to_owned())
                }
                Decision::Pend(_) => {
                    let amount = asserted.amount_of(id);
                    self.holds((known, amount), (case, verdict), on_file, incoming.as_of)
                }
            };
            referred.push(Referred::of(known, &holds));
            if let Ok(why) = holds {
                decision = Decision::NotRequired(vec![why]);
            }
        }
        (decision, referred)
    }

    /// Whether what was said still holds for the line, and in which words.
    fn holds(
        &self,
        (known, amount): (&StoredAssertion, f64),
        (case, verdict): (Case<'_>, &Verdict),
        on_file: &[OnFile],
        as_of: Day,
    ) -> Result<String, String> {
        let said_on = day_of(known.given_at);
        let days = self.rules.plan.authorization.validity_days;
        if said_on > as_of || shift(said_on, days) < as_of {
            return Err(format!("it is of {said_on} and holds for {days} days"));
        }
        // rulings 10
        if let CoverageStanding::Unusable(unusable) = case.coverage {
            return Err(format!("the coverage is not usable: {}", unusable.why));
        }
        if verdict.findings.iter().any(|finding| finding.truth == Truth::NotMet) {
            return Err("something in the records speaks against the service now".to_owned());
        }
        if !is_same_product(known, case, &self.rules.shelf) {
            return Err("the line asks for something else than the order that it was about".into());
        }
        match &known.assertion.said {
            Said::NoAuth if asks_for_more(known, amount, case) => {
                Err("the Claim asks for more than the order that it was about".to_owned())
            }
            Said::NoAuth if !is_within(case, said_on, shift(said_on, days)) => Err(format!(
                "it is of {said_on} and holds for {days} days, and the service is of another day"
            )),
            Said::NoAuth => Ok(format!(
                "On {said_on} the plan answered for this order that no prior authorization is \
                 needed; that holds."
            )),
            Said::Satisfied(number) => match self.authorized(on_file, case, verdict, as_of) {
                Some((held, until)) if held == *number => Ok(format!(
                    "Prior authorization {number} is on file for this order and holds until \
                     {until}; no other one is needed."
                )),
                Some(_) | None => Err(format!(
                    "authorization {number} does not cover this service on the day of service"
                )),
            },
            Said::Other => Err("it did not say that no authorization is needed".to_owned()),
        }
    }
}

/// Whether every product of the line is what was spoken of: where no authorization was needed, one
/// of the order's own codes, which were all free of it; where one was on file, the product of its
/// policy, which has other codes in a Claim than in an order.
fn is_same_product(known: &StoredAssertion, case: Case<'_>, shelf: &Shelf) -> bool {
    let assertion = &known.assertion;
    let Ok(order) = Document::parse(assertion.order.as_bytes(), Rules::Lenient) else {
        return false;
    };
    let codes: Vec<Coding> = ordered(order.root()).codings;
    let policy = assertion.policy.as_ref().map(|it| it.policy_id.as_str());
    let is_it = |concept: &Concept| match assertion.said {
        Said::NoAuth => {
            !concept.codings.is_empty() && concept.codings.iter().all(|it| codes.contains(it))
        }
        Said::Satisfied(_) | Said::Other => {
            policy.is_some_and(|policy| shelf.is_product_of(policy, concept))
        }
    };
    let mut products = case.order.products.iter().peekable();
    products.peek().is_some() && products.all(|it| is_it(&it.concept))
}

/// Whether the service, where its day is known, is on one of these days.
fn is_within(case: Case<'_>, first: Day, last: Day) -> bool {
    let date = &case.order.service_date;
    match date.origin {
        DateOrigin::Item | DateOrigin::Admission | DateOrigin::Order => {
            first <= date.when.first() && date.when.last() <= last
        }
        DateOrigin::Request | DateOrigin::AsOf => true,
    }
}

/// How much an item of a Claim asks for; without an amount that is one, and what cannot be read may
/// be any amount.
fn billed_amount(item: Node<'_>) -> f64 {
    let Some(quantity) = item.get("quantity") else { return 1.0 };
    let value = quantity.get("value").and_then(Node::number);
    value.and_then(|it| it.parse().ok()).unwrap_or(f64::INFINITY)
}

/// Whether the lines of a Claim for an order, which ask for `amount` together, ask for more than
/// was spoken of; without an amount that is one.
fn asks_for_more(known: &StoredAssertion, amount: f64, case: Case<'_>) -> bool {
    let order = Document::parse(known.assertion.order.as_bytes(), Rules::Lenient).ok();
    let ordered = order.and_then(|order| ordered_amount(order.root())).unwrap_or(1.0);
    let amounts = case.order.amounts.iter().filter(|amount| !amount.is_of_dosage);
    // One that cannot be read may be more.
    amount > ordered
        || amounts
            .into_iter()
            .any(|amount| amount.value.parse().map_or(true, |it: f64| it > ordered))
}

/// The ids in the coverage information of the order that a line asks for.
fn assertion_ids(incoming: &Incoming<'_, '_>, item: Node<'_>) -> Vec<String> {
    let request = incoming.request;
    let order = extension(item, "extension-requestedService")
        .and_then(|it| it.get("valueReference"))
        .and_then(|reference| request.pool.follow(reference, request.claim))
        .and_then(|place| request.pool.entry(place));
    let Some(order) = order else { return Vec::new() };
    let information = order
        .node
        .each("extension")
        .filter(|it| it.text_of("url").as_deref() == Some(COVERAGE_INFORMATION));
    let parts = information.flat_map(|it| it.each("extension").collect::<Vec<_>>());
    parts
        .filter(|part| part.text_of("url").as_deref() == Some("coverage-assertion-id"))
        .filter_map(|part| part.text_of("valueString"))
        .filter(|id| id.len() <= LONGEST_ID)
        .map(String::from)
        .collect()
}

impl Referred {
    /// Nothing of what is on file for others is told.
    fn unknown(id: &str) -> Referred {
        Referred {
            assertion_id: id.to_owned(),
            given_on: None,
            said: None,
            policy: None,
            determination: None,
            is_honoured: false,
            why: "it is no assertion that this client was given for this member".to_owned(),
        }
    }

    fn of(known: &StoredAssertion, holds: &Result<String, String>) -> Referred {
        let assertion = &known.assertion;
        let said = match assertion.said {
            Said::NoAuth => "no-auth",
            Said::Satisfied(_) => "satisfied",
            Said::Other => "other",
        };
        let (Ok(why) | Err(why)) = holds;
        Referred {
            assertion_id: assertion.assertion_id.clone(),
            given_on: Some(day_of(known.given_at).to_string()),
            said: Some(said.to_owned()),
            policy: assertion.policy.as_ref().map(|it| format!("{} {}", it.policy_id, it.edition)),
            determination: Some(assertion.determination.clone()),
            is_honoured: holds.is_ok(),
            why: why.clone(),
        }
    }
}
