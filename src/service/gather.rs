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
use crate::fhir::Node;
use crate::ig::CrdVersion;
use crate::intake::dossier::HookFile;
use crate::intake::gathered::{Answer, Gathered, received, trees};
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
            Some(Err(why)) => fail_all(&mut gathered, wanted.take(), why),
            // What the client could not get itself stays unread, and the pages that it did not get.
            None => {
                let pages = wanted.take().into_iter().filter(Wish::is_page).collect();
                fail_all(&mut gathered, pages, Failure::Rest);
                fail_all(&mut gathered, std::mem::take(&mut wanted.retried), Failure::SaidError);
            }
        }
        fail_all(&mut gathered, wanted.failed, Failure::SaidError);
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

fn fail_all(gathered: &mut Gathered, wishes: Vec<Wish>, why: Failure) {
    for wish in wishes {
        fail(gathered, &Failed { wish, why });
    }
}

fn fail(gathered: &mut Gathered, failed: &Failed) {
    let Failed { wish, why } = failed;
    gathered.gaps.push(Gap { resource: wish.name().into(), why: why.to_string().into() });
    let is_known = gathered.unread.iter().any(|it| &*it.kind == wish.kind());
    if why.is_technical() && !is_known {
        gathered.unread.push(Unread { kind: wish.kind().into(), why: why.to_string().into() });
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
        let documents = trees(fetched.iter().map(|it| (&*it.kind, &*it.text)));
        wanted.add_received(&received(&documents), &file.pool, visit.base());
        wanted.take()
    };
    let Harvest { fetched, failed } = visit.fetch(wishes, deadline.into(), further).await;
    for failed in &failed {
        fail(gathered, failed);
    }
    gathered.answers =
        fetched.into_iter().map(|Fetched { kind, text }| Answer { kind, text }).collect();
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
