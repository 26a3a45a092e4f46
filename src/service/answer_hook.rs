//! A hook call: judge every order that it asks about, save what is asserted, answer.

use std::time::Instant;

use super::gather;
use super::hook_record::Answered;
use super::judge_orders::{Call, Judged};
use super::world::day_of;
use super::{Service, ServiceError};
use crate::cds::{Hook, HookError, HookRequest};
use crate::fhir::{Document, Fault, FaultKind, Rules};
use crate::hooks;
use crate::ig::CrdVersion;
use crate::intake::coverage::is_ours;
use crate::intake::dossier::HookFile;
use crate::intake::gathered::{Gathered, received};
use crate::render::RenderError;
use crate::render::crd::{self, Card, HookAnswer, OrderAnswer};

/// The largest context that is looked at; orders refer to each other, so that the work grows faster
/// than their number.
const MOST_IN_CONTEXT: usize = 500;
/// How many orders of one call are answered.
const MOST_ORDERS: usize = 100;

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

impl Service {
    /// Answers a call of `hook` in the words of `version`, unless the call asks for another one;
    /// what is asserted is saved before it is answered. `arrived` is when the call's first byte
    /// came, from which its time counts.
    ///
    /// # Errors
    /// The call is refused with the reason, or something of ours failed.
    pub async fn answer_hook(
        &self,
        client: &str,
        hook: Hook,
        version: CrdVersion,
        body: &[u8],
        arrived: Instant,
    ) -> Result<String, HookCallError> {
        let document = Document::parse(body, Rules::Lenient).map_err(HookCallError::Unreadable)?;
        if Hook::of_call(document.root())? != hook {
            let text = format!("this service answers the hook `{}`", hook.name());
            return Err(HookCallError::NotThisHook(fault(FaultKind::Value, "hook", text)));
        }
        let request = HookRequest::read(document.root())?;
        check_size(request.context.size(), MOST_IN_CONTEXT)?;
        // crd.md 1.4
        let requested = request.requested_version.as_deref().and_then(CrdVersion::requested);
        let version = requested.unwrap_or(version);
        let (gathered, documents);
        let mut file = HookFile::of(&request, &[]);
        check_size(file.asked.len(), MOST_ORDERS)?;
        let root = document.root();
        let call = gather::Call { client, version, root, request: &request, arrived };
        gathered = self.gather(call, &file).await;
        documents = gathered.documents();
        if !documents.is_empty() {
            file = HookFile::of(&request, &received(&documents));
            check_size(file.asked.len(), MOST_ORDERS)?;
        }
        check_orders(version, &request, &file)?;
        if !gathered.hides_coverage(&file) {
            self.check_coverage(version, hook, &file, &gathered)?;
        }
        let now = self.world.now();
        let as_of = day_of(now);
        let mut dossier = file.dossier(&self.rules.plan, as_of);
        gathered.tell(&mut dossier, &file);
        if hook.is_of_encounter() {
            dossier.items.push(file.visit(&self.rules.plan, as_of));
        }
        let on_hand = self.add_payer_facts(&mut dossier, None).await?;
        let on_file = &on_hand.on_file;
        let gathered = &gathered;
        let call = Call { version, request: &request, file: &file, gathered, on_file, as_of };
        let judged = self.judge_orders(&call, &dossier);
        let mut cards = self.hook_cards(&call, &judged);
        cards.extend(self.encounter_card(&call, &dossier));
        let (cards, shown) = cards.into_iter().unzip();
        let server = request.fhir_server.as_deref();
        let response = self.render_hook(version, server, &judged, cards).map_err(unwritable)?;
        self.keep_call(Answered {
            client,
            service_id: hooks::about(hook).id,
            version,
            hook_instance: request.hook_instance.as_deref(),
            document: &document,
            gathered,
            inputs: self.inputs(as_of, on_hand.held),
            judged: &judged,
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
        gathered: &Gathered,
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
        if gathered.lacks_coverages() {
            let text = "the coverages could not all be read, and none of those that were is this \
                        payer's";
            let fault = fault(FaultKind::Required, "prefetch.coverage", text);
            return Err(HookCallError::NoCoverage(fault));
        }
        let text = "the payor of the Coverage is not this payer: its NPI is looked for";
        Err(HookCallError::NotOurs(fault(FaultKind::Value, "prefetch.coverage", text)))
    }

    fn render_hook(
        &self,
        version: CrdVersion,
        server: Option<&str>,
        judged: &[Judged<'_>],
        cards: Vec<Card>,
    ) -> Result<String, ServiceError> {
        let mut orders: Vec<OrderAnswer<'_>> = Vec::new();
        let mut last = None;
        for order in judged {
            let Some((coverage, information)) = &order.said else { continue };
            let said = (coverage.as_str(), information.clone());
            // Coverages of the same order follow each other; its name may be another one's too.
            match orders.last_mut().filter(|_| last == Some(order.place)) {
                Some(known) => known.said.push(said),
                None => orders.push(OrderAnswer {
                    order: order.text,
                    reference: &order.reference,
                    said: vec![said],
                }),
            }
            last = Some(order.place);
        }
        let telling = self.terms.tells_actions.then(|| self.world.new_id());
        let answer = HookAnswer {
            version,
            payer: &self.rules.plan.name,
            server,
            orders,
            cards,
            actions_card: telling.as_deref(),
        };
        Ok(crd::response(&answer)?)
    }
}

/// A call that is about more than is answered at once.
fn check_size(size: usize, most: usize) -> Result<(), HookCallError> {
    if size <= most {
        return Ok(());
    }
    let text = format!("the call is about more than {most} things: send fewer at once");
    Err(HookCallError::NotThisHook(fault(FaultKind::TooLong, "context", text)))
}

/// An order that cannot hold an extension is the client's fault.
fn unwritable(error: ServiceError) -> HookCallError {
    match error {
        ServiceError::Render(RenderError::Echo { order, source }) => {
            HookCallError::NotThisHook(fault(FaultKind::Structure, &order, source.to_string()))
        }
        error => HookCallError::Failed(error),
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
