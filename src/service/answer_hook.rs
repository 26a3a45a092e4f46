//! A hook call: judge every order that it asks about, save what is asserted, answer.

use super::hook_cards::Call;
use super::hook_record::Answered;
use super::world::day_of;
use super::{OnFile, Service, ServiceError};
use crate::cds::{Hook, HookError, HookRequest};
use crate::facts::{Case, CoverageStanding, DateOrigin};
use crate::fhir::{Document, Fault, FaultKind, Rules};
use crate::hooks;
use crate::ig::CrdVersion;
use crate::intake::coverage::is_ours;
use crate::intake::dossier::{Dossier, HookFile};
use crate::policy::{Plan, Verdict, evaluate};
use crate::render::crd::{
    self, Card, Circumstances, CoverageInformation, HookAnswer, InfoNeeded, OrderAnswer,
    WithoutPolicy, coverage_information,
};
use crate::terms::{Day, Truth};

/// How a hook call ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum HookCallError {
    /// The body is no JSON.
    #[error("the body cannot be read")]
    Unreadable(Vec<Fault>),
    /// It is no call of this hook.
    #[error("the body is no call of this hook")]
    NotThisHook(Vec<Fault>),
    /// No coverage came with the call, so that nothing can be said of it (rulings 27).
    #[error("the call has no coverage")]
    NoCoverage(Vec<Fault>),
    /// The coverages are other payers' (rulings 27).
    #[error("the coverage is another payer's")]
    NotOurs(Vec<Fault>),
    /// None of the orders that the call is about can be read (crd.md 3.5).
    #[error("the orders of the call cannot be read")]
    NoOrder(Vec<Fault>),
    /// Nothing was wrong with the call.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

impl From<crate::store::StoreError> for HookCallError {
    fn from(error: crate::store::StoreError) -> HookCallError {
        HookCallError::Failed(error.into())
    }
}

fn fault(kind: FaultKind, place: &str, text: impl Into<String>) -> Vec<Fault> {
    vec![Fault { kind, place: place.to_owned(), text: text.into() }]
}

impl From<HookError> for HookCallError {
    fn from(error: HookError) -> HookCallError {
        HookCallError::NotThisHook(fault(FaultKind::Required, error.place(), error.to_string()))
    }
}

/// One order of a call, judged.
pub(super) struct Judged<'d> {
    /// Its number in the call, from 1.
    pub(super) sequence: u32,
    /// Its place among the resources of the call.
    pub(super) place: usize,
    pub(super) text: &'d str,
    pub(super) reference: String,
    pub(super) coverage: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) member: Option<String>,
    is_free: bool,
    /// The number of the authorization that covers it, and its last day.
    pub(super) authorized: Option<(String, Day)>,
    pub(super) assertion_id: String,
}

impl Judged<'_> {
    /// Where the policy that judged can be read.
    pub(super) fn policy_page(&self, plan: &Plan) -> Option<String> {
        let policy = self.verdict.policy.as_ref()?;
        let edition = policy.edition.map(|day| day.to_string()).unwrap_or_default();
        Some(plan.policy_page(&policy.id, &edition))
    }
}

impl Service {
    /// Answers a call of `hook` in the words of `version`, unless the call asks for another one;
    /// what is asserted is saved before it is answered.
    ///
    /// # Errors
    /// The call is refused with the reason, or something of ours failed.
    pub async fn answer_hook(
        &self,
        client: &str,
        hook: Hook,
        version: CrdVersion,
        body: &[u8],
    ) -> Result<String, HookCallError> {
        let document = Document::parse(body, Rules::Lenient).map_err(HookCallError::Unreadable)?;
        if Hook::of_call(document.root())? != hook {
            let text = format!("this service answers the hook `{}`", hook.name());
            return Err(HookCallError::NotThisHook(fault(FaultKind::Value, "hook", text)));
        }
        let request = HookRequest::read(document.root())?;
        // crd.md 1.4
        let requested = request.requested_version.as_deref().and_then(CrdVersion::requested);
        let version = requested.unwrap_or(version);
        let file = HookFile::of(&request, &[]);
        check_orders(version, &request, &file)?;
        self.check_coverage(version, hook, &file)?;
        let now = self.world.now();
        let as_of = day_of(now);
        let mut dossier = file.dossier(&self.rules.plan, as_of);
        let on_hand = self.add_payer_facts(&mut dossier, None).await?;
        let judged = self.judge_orders(version, &file, &dossier, &on_hand.on_file, as_of);
        let said = self.what_is_said(&request, &judged, as_of);
        let call = Call { request: &request, file: &file, as_of };
        let (cards, shown) = self.hook_cards(&call, &judged).into_iter().unzip();
        let response = self.render_hook(version, &said, cards)?;
        self.keep_call(Answered {
            client,
            service_id: hooks::about(hook).id,
            version,
            hook_instance: request.hook_instance.as_deref(),
            document: &document,
            fetched: Vec::new(),
            inputs: self.inputs(as_of, on_hand.held),
            said,
            cards: shown,
            response: &response,
            given_at: now,
        })
        .await?;
        let (hook, guide) = (hook.name(), version.segment());
        tracing::info!(client, hook, guide, orders = judged.len(), "hook answered");
        Ok(response)
    }

    /// Without a coverage of ours nothing can be asserted: 2.2 says so by status, 2.0 answers with
    /// nothing to say (rulings 27, crd.md 3.8). A secondary hook need not say anything.
    fn check_coverage(
        &self,
        version: CrdVersion,
        hook: Hook,
        file: &HookFile<'_>,
    ) -> Result<(), HookCallError> {
        if version == CrdVersion::V2_0 || !hook.is_primary() || file.asked.is_empty() {
            return Ok(());
        }
        let coverages: Vec<usize> = file.pool.of_type("Coverage").collect();
        if coverages.is_empty() {
            let text = "no Coverage came with the call: send it under the prefetch key `coverage`";
            return Err(HookCallError::NoCoverage(fault(
                FaultKind::Required,
                "prefetch.coverage",
                text,
            )));
        }
        let payer = self.rules.plan.payer_npi;
        let any_ours = coverages.iter().any(|place| {
            let entry = file.pool.entry(*place);
            entry.is_some_and(|entry| is_ours(&file.pool, *place, entry.node, payer))
        });
        if any_ours {
            return Ok(());
        }
        let text = "the payor of the Coverage is not this payer: its NPI is looked for";
        Err(HookCallError::NotOurs(fault(FaultKind::Value, "prefetch.coverage", text)))
    }

    fn judge_orders<'d>(
        &self,
        version: CrdVersion,
        file: &HookFile<'d>,
        dossier: &Dossier,
        on_file: &[OnFile],
        as_of: Day,
    ) -> Vec<Judged<'d>> {
        let cases = dossier.cases().zip(&file.asked);
        cases
            .filter_map(|(case, asked)| {
                let place = file.annotated(*asked, version)?;
                let entry = file.pool.entry(place)?;
                let verdict = evaluate(&self.rules.shelf, case, as_of);
                Some(Judged {
                    sequence: case.order.sequence,
                    place,
                    text: entry.node.raw(),
                    reference: entry.name(),
                    coverage: coverage_reference(case),
                    authorized: authorized(on_file, case, &verdict, as_of),
                    verdict,
                    member: member_of(case.coverage),
                    is_free: case
                        .order
                        .products
                        .iter()
                        .any(|it| self.rules.plan.is_free(&it.concept)),
                    assertion_id: self.world.new_id(),
                })
            })
            .collect()
    }

    /// What is said of each order, as far as the client wants it.
    fn what_is_said<'j, 'd>(
        &self,
        request: &HookRequest<'_>,
        judged: &'j [Judged<'d>],
        as_of: Day,
    ) -> Vec<(&'j Judged<'d>, CoverageInformation)> {
        if !request.wants("coverage-info") {
            return Vec::new();
        }
        // crd.md 3.4: no Coverage on the client's system, no coverage-information.
        let orders = judged.iter().filter(|order| order.coverage.is_some());
        orders.map(|order| (order, self.information(request, order, as_of))).collect()
    }

    fn information(
        &self,
        request: &HookRequest<'_>,
        order: &Judged<'_>,
        as_of: Day,
    ) -> CoverageInformation {
        let without_policy = if order.is_free {
            WithoutPolicy::NoAuth { why: None }
        } else {
            WithoutPolicy::Depends {
                why: "the plan has no policy for this order; its benefit rules decide",
                info: InfoNeeded::Other,
            }
        };
        let page = order.policy_page(&self.rules.plan);
        let circumstances = Circumstances {
            date: as_of,
            assertion_id: &order.assertion_id,
            // crd.md 3.3: a call that only asks what would be is never told `satisfied`.
            authorization: order
                .authorized
                .as_ref()
                .filter(|_| request.wants("unsolicited-determ"))
                .map(|(number, until)| (number.as_str(), Some(*until))),
            asks_documents: request.hook.is_primary(),
            site_clauses: &self.rules.shelf.site_clauses(),
            questionnaires: &[],
            policy_url: page.as_deref(),
            without_policy,
        };
        coverage_information(&order.verdict, &circumstances)
    }

    fn render_hook(
        &self,
        version: CrdVersion,
        said: &[(&Judged<'_>, CoverageInformation)],
        cards: Vec<Card>,
    ) -> Result<String, ServiceError> {
        let telling = self.terms.tells_actions.then(|| self.world.new_id());
        let orders = said.iter().map(|(order, information)| OrderAnswer {
            order: order.text,
            reference: &order.reference,
            coverage: order.coverage.as_deref().unwrap_or_default(),
            information: information.clone(),
        });
        let answer = HookAnswer {
            version,
            payer: &self.rules.plan.name,
            orders: orders.collect(),
            cards,
            actions_card: telling.as_deref(),
        };
        Ok(crd::response(&answer)?)
    }
}

fn member_of(coverage: &CoverageStanding) -> Option<String> {
    match coverage {
        CoverageStanding::InForce(membership) => membership.member_id.clone().map(String::from),
        CoverageStanding::Unusable(_) => None,
    }
}

/// The Coverage that the assertion is about, as the client's system knows it.
///
/// One that is not usable yields no assertion (rulings 27).
fn coverage_reference(case: Case<'_>) -> Option<String> {
    match case.coverage {
        CoverageStanding::InForce(membership) => Some(membership.source.resource.to_string()),
        CoverageStanding::Unusable(_) => None,
    }
}

/// Orders that the context only names have to be readable: without one there is nothing to put
/// coverage information into (crd.md 3.5, 3.10).
fn check_orders(
    version: CrdVersion,
    request: &HookRequest<'_>,
    file: &HookFile<'_>,
) -> Result<(), HookCallError> {
    let can_answer = file.asked.iter().any(|asked| file.annotated(*asked, version).is_some());
    if can_answer || file.missing.is_empty() {
        return Ok(());
    }
    let place = match request.hook {
        Hook::AppointmentBook => "context.appointments",
        _ => "context.dispatchedOrders",
    };
    let text = "none of these orders came with the call, and none could be fetched: send them by \
                prefetch";
    Err(HookCallError::NoOrder(fault(FaultKind::Required, place, text)))
}

/// The authorization on file that covers an order (rulings 26): under the same policy, valid on the
/// day of service, and nothing in the records speaks against another infusion.
///
/// An order that names no day of service is for a day to come.
pub(super) fn authorized(
    on_file: &[OnFile],
    case: Case<'_>,
    verdict: &Verdict,
    as_of: Day,
) -> Option<(String, Day)> {
    let policy = verdict.policy.as_ref()?;
    if verdict.findings.iter().any(|finding| finding.truth == Truth::NotMet) {
        return None;
    }
    let date = &case.order.service_date;
    let (first, last) = match date.origin {
        DateOrigin::Item | DateOrigin::Admission | DateOrigin::Order => {
            (date.when.first(), date.when.last())
        }
        DateOrigin::Request | DateOrigin::AsOf => (as_of, as_of),
    };
    on_file
        .iter()
        .find(|it| it.fact.policy == policy.id && it.valid_from <= first && last <= it.valid_to)
        .map(|it| (it.fact.number.to_string(), it.valid_to))
}
