//! What a hook call lacks, fetched from the client's own server within the call's time.
//!
//! Wanted is what discovery asks for and the client did not send, what the orders point at and
//! nobody sent, and what the answers point at, once (crd.md 2.2, 3.6).
//! A call that brought everything asks for nothing.

mod sent;
mod wanted;

use std::time::{Duration, Instant};

use super::Service;
use crate::cds::HookRequest;
use crate::ehr::{Access, Closed, Ehr, Failed, Failure, Fetched, Harvest, Visit, Wish};
use crate::facts::{Gap, Unread};
use crate::fhir::{Document, Node, Rules};
use crate::ig::CrdVersion;
use crate::intake::dossier::{Dossier, HookFile, Received};
pub(super) use wanted::Templates;
use wanted::Wanted;

/// What is kept of the budget for judging, saving and answering: a tenth, and no more than this.
const LONGEST_RESERVE: Duration = Duration::from_millis(250);

/// A call, and when its first byte came.
#[derive(Clone, Copy)]
pub(super) struct Call<'c, 'd> {
    pub(super) client: &'c str,
    pub(super) version: CrdVersion,
    pub(super) root: Node<'d>,
    pub(super) request: &'c HookRequest<'d>,
    pub(super) arrived: Instant,
}

/// What came of asking.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    fetched: Vec<Fetched>,
    unread: Vec<Unread>,
    gaps: Vec<Gap>,
}

impl Gathered {
    /// What was received, as trees.
    pub(super) fn documents(&self) -> Vec<(&str, Document<'_>)> {
        parsed(&self.fetched)
    }

    /// Whether something of a kind could not be read.
    pub(super) fn lacks(&self, kind: &str) -> Option<&Unread> {
        self.unread.iter().find(|it| &*it.kind == kind)
    }

    /// Says in a dossier what could not be had.
    pub(super) fn tell(&self, dossier: &mut Dossier) {
        dossier.evidence.unread.clone_from(&self.unread);
        dossier.gaps.extend(self.gaps.iter().cloned());
    }

    fn fail_all(&mut self, wishes: Vec<Wish>, why: Failure) {
        for wish in wishes {
            self.fail(&Failed { wish, why });
        }
    }

    fn fail(&mut self, failed: &Failed) {
        let Failed { wish, why } = failed;
        self.gaps.push(Gap { resource: wish.name().into(), why: why.to_string().into() });
        if why.is_technical() && self.lacks(wish.kind()).is_none() {
            self.unread.push(Unread { kind: wish.kind().into(), why: why.to_string().into() });
        }
    }
}

/// The trees of what was received, as an intake takes them.
pub(super) fn received<'d>(documents: &'d [(&'d str, Document<'d>)]) -> Vec<Received<'d>> {
    documents.iter().map(|(kind, it)| Received { kind, node: it.root() }).collect()
}

/// The trees of what was received.
fn parsed(fetched: &[Fetched]) -> Vec<(&str, Document<'_>)> {
    // Every text passed the same walk before.
    let parsed = fetched
        .iter()
        .filter_map(|it| Some((&*it.kind, Document::parse(&it.text, Rules::Lenient).ok()?)));
    parsed.collect()
}

impl Service {
    /// Fetches what `file` lacks; returns before the call's deadline, with what is there by then.
    pub(super) async fn gather(&self, call: Call<'_, '_>, file: &HookFile<'_>) -> Gathered {
        let templates = self.templates.of(call.request.hook, call.version);
        let may_ask = self.ehr.as_ref().is_some_and(|ehr| ehr.knows(call.client));
        let mut wanted = Wanted::of(call, templates, file, may_ask);
        let mut gathered = Gathered::default();
        match if wanted.is_empty() { None } else { self.open(call) } {
            Some(Ok((visit, deadline))) => {
                ask(&visit, deadline, &mut wanted, file, &mut gathered).await;
            }
            Some(Err(why)) => gathered.fail_all(wanted.take(), why),
            // What the client could not get itself stays unread.
            None => gathered.fail_all(std::mem::take(&mut wanted.retried), Failure::SaidError),
        }
        gathered.fail_all(wanted.failed, Failure::SaidError);
        if let Some(first) = gathered.unread.first() {
            let (client, kinds, why) = (call.client, gathered.unread.len(), &*first.why);
            tracing::warn!(client, kinds, why, "some records of a client could not be read");
        }
        gathered
    }

    /// The server of a call, and until when it may be asked; `None` where there is none to ask.
    fn open(&self, call: Call<'_, '_>) -> Option<Result<(Visit, Instant), Failure>> {
        let ehr = self.ehr.as_ref()?;
        let access = Access::read(call.root)?;
        let lives = access.lives;
        match ehr.open(call.client, access) {
            Ok(visit) => Some(deadline(ehr, call.arrived, lives).map(|it| (visit, it))),
            Err(Closed::Failed(why)) => Some(Err(why)),
            Err(Closed::NotRegistered) => {
                let client = call.client;
                tracing::warn!(
                    client,
                    "the FHIR server of a call is not registered for its client"
                );
                None
            }
        }
    }
}

async fn ask(
    visit: &Visit,
    deadline: Instant,
    wanted: &mut Wanted,
    file: &HookFile<'_>,
    gathered: &mut Gathered,
) {
    let wishes = wanted.take();
    let further = |fetched: &[Fetched]| {
        let documents = parsed(fetched);
        wanted.add_received(&received(&documents), &file.pool, visit.base());
        wanted.take()
    };
    let Harvest { fetched, failed } = visit.fetch(wishes, deadline.into(), further).await;
    for failed in &failed {
        gathered.fail(failed);
    }
    gathered.fetched = fetched;
}

/// Until when a server may be asked: within the budget, and while the token lives.
fn deadline(ehr: &Ehr, arrived: Instant, lives: Option<Duration>) -> Result<Instant, Failure> {
    let budget = ehr.budget();
    let reserve = LONGEST_RESERVE.min(budget / 10);
    let of_call = arrived + budget.saturating_sub(reserve);
    let of_token = lives.and_then(|lives| arrived.checked_add(lives));
    match of_token {
        Some(end) if end <= Instant::now() => Err(Failure::Expired),
        Some(end) => Ok(of_call.min(end)),
        None => Ok(of_call),
    }
}
