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
use crate::facts::{CoverageLack, CoverageStanding, Gap, Source, SourceKind, Unread, Unusable};
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
    pub(super) fn tell(&self, dossier: &mut Dossier, file: &HookFile<'_>) {
        dossier.evidence.unread.clone_from(&self.unread);
        dossier.gaps.extend(self.gaps.iter().cloned());
        for (item, asked) in dossier.items.iter_mut().zip(&file.asked) {
            let CoverageStanding::Unusable(unusable) = &mut item.coverage else { continue };
            let unread = self.unread_coverage(file, asked.place);
            if let Some(unread) = unread.filter(|_| unusable.lack == CoverageLack::NotOurs) {
                *unusable = unread;
            }
        }
    }

    /// Whether a coverage of an order is known by its name and could not be read: then that is
    /// what is said, and it is nobody's fault who sent the call.
    pub(super) fn hides_coverage(&self, file: &HookFile<'_>) -> bool {
        file.asked.iter().any(|asked| self.unread_coverage(file, asked.place).is_some())
    }

    /// The coverage that the order at `place` names, where it could not be read; or one that was,
    /// and who pays by it could not.
    fn unread_coverage(&self, file: &HookFile<'_>, place: usize) -> Option<Unusable> {
        let pool = &file.pool;
        let unusable = |unread: &Unread, name: String| Unusable {
            why: format!("the coverage could not be read: {}", unread.why),
            lack: CoverageLack::Unread,
            source: Some(Source {
                resource: name.into(),
                element: "Coverage".into(),
                date: None,
                kind: SourceKind::Request,
            }),
        };
        if let Some(unread) = self.lacks("Coverage") {
            let named = pool.entry(place)?.node.each("insurance");
            let mut named = named.filter_map(|it| it.text_of("reference"));
            let hidden = named.find(|it| pool.resolve(it, place).is_none())?;
            return Some(unusable(unread, hidden.into_owned()));
        }
        let unread = self.lacks("Organization")?;
        let is_hidden = |coverage: &usize| {
            let payors = pool.entry(*coverage).map(|entry| entry.node.each("payor"));
            let mut payors = payors.into_iter().flatten();
            payors.any(|it| it.get("reference").is_some() && pool.follow(it, *coverage).is_none())
        };
        let coverage = file.coverages(place).into_iter().find(is_hidden)?;
        Some(unusable(unread, pool.entry(coverage)?.name()))
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
