//! One call's questions to one server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, Url};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{EhrLimits, Failure, Token, Wish, answer, batch};
use crate::outbound::{EndpointRules, Lines, Origin};

/// A server that may be asked, with the token for it.
#[derive(Debug)]
pub struct Visit(Arc<Asking>);

#[derive(Debug)]
pub(super) struct Asking {
    pub(super) limits: EhrLimits,
    pub(super) lines: Arc<Lines>,
    pub(super) rules: EndpointRules,
    pub(super) base: Url,
    pub(super) token: Option<Token>,
    pub(super) takes_batches: bool,
    /// How many queries were made, and how many bytes were read.
    pub(super) queries: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    pub(super) _place: OwnedSemaphorePermit,
}

/// How often queries are gathered: those of the call, and what their answers point at.
const BATCHES: usize = 2;

/// An answer as it was received: one resource of a kind, or a Bundle in which those of that kind
/// count.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The type that was asked for; whatever else is in it does not count.
    pub kind: Box<str>,
    /// The text, which passed the walk of [`crate::fhir::Rules::Lenient`].
    pub text: String,
}

impl std::fmt::Debug for Fetched {
    /// The type and never the text, which is about a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetched").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A query that failed, wholly or from some page on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was asked for.
    pub wish: Wish,
    /// Why it failed.
    pub why: Failure,
}

/// What came of all queries, those first that were wished for from the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harvest {
    /// What was received.
    pub fetched: Vec<Fetched>,
    /// What was not.
    pub failed: Vec<Failed>,
}

impl Visit {
    pub(super) fn new(asking: Asking) -> Visit {
        Visit(Arc::new(asking))
    }

    /// The server's base.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.base.as_str()
    }

    /// Asks for everything, several at a time, and returns at `deadline` at the latest.
    ///
    /// `further` says what an answer points at; it is asked for at once, so that one query that
    /// hangs holds up no other. What those answers point at is not followed.
    pub async fn fetch(
        &self,
        wishes: Vec<Wish>,
        deadline: Instant,
        mut further: impl FnMut(&[Fetched]) -> Vec<Wish>,
    ) -> Harvest {
        let first = wishes.into_iter().enumerate().map(|(at, wish)| (Place::First(at), wish));
        let mut waiting: VecDeque<Open> = first.collect();
        let mut done: Vec<Done> = Vec::new();
        if self.0.takes_batches {
            for _ in 0..BATCHES {
                waiting = self.ask_together(waiting, deadline, &mut done, &mut further).await;
            }
        }
        // Dropped with this future: nothing goes on after the caller went away.
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.0.limits.parallel {
                let Some((place, wish)) = waiting.pop_front() else { break };
                let asking = Arc::clone(&self.0);
                running.spawn(async move {
                    let (fetched, why) = asking.ask(&wish, deadline).await;
                    (place, fetched, why.map(|why| Failed { wish, why }))
                });
            }
            match running.join_next().await {
                Some(Ok((place, fetched, failed))) => {
                    if matches!(place, Place::First(_)) {
                        for wish in further(&fetched) {
                            waiting.push_front(Place::further(wish));
                        }
                    }
                    done.push((place, fetched, failed));
                }
                // Nothing in it panics, and nobody else ends it.
                Some(Err(_)) => {}
                None => break,
            }
        }
        // Whatever came first: the same answers give the same harvest, a page behind its first.
        done.sort_by(|one, other| one.0.cmp(&other.0));
        let mut harvest = Harvest::default();
        for (_, fetched, failed) in done {
            harvest.fetched.extend(fetched);
            harvest.failed.extend(failed);
        }
        harvest
    }

    /// Asks for everything in one Bundle; what is still to be asked for: pages, what the answers
    /// point at, and everything if the server does not answer the Bundle.
    async fn ask_together(
        &self,
        waiting: VecDeque<Open>,
        deadline: Instant,
        done: &mut Vec<Done>,
        further: &mut impl FnMut(&[Fetched]) -> Vec<Wish>,
    ) -> VecDeque<Open> {
        let (mut left, mut asked): (VecDeque<Open>, VecDeque<Open>) =
            waiting.into_iter().partition(|(_, wish)| wish.is_page());
        let parts = if asked.len() > 1 { self.0.batch(&asked, deadline).await } else { None };
        let Some(parts) = parts else {
            asked.append(&mut left);
            return asked;
        };
        for ((place, wish), part) in asked.into_iter().zip(parts) {
            let kind: Box<str> = wish.kind().into();
            let read = part.and_then(|text| Ok((answer::read(&wish, text.as_bytes())?, text)));
            let (fetched, why) = match read {
                Ok((read, text)) => {
                    let next = read.next.filter(|_| read.lacks.is_none());
                    let next = next.map(|it| (place.clone(), wish.next_page(&self.0.base, &it)));
                    left.extend(next);
                    (vec![Fetched { kind, text }], read.lacks)
                }
                Err(why) => (Vec::new(), Some(why)),
            };
            if matches!(place, Place::First(_)) {
                left.extend(further(&fetched).into_iter().map(Place::further));
            }
            done.push((place, fetched, why.map(|why| Failed { wish, why })));
        }
        left
    }
}

/// Where an answer stands in the harvest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Wished for from the beginning.
    First(usize),
    /// Pointed at by an answer.
    Further(String),
}

impl Place {
    fn further(wish: Wish) -> Open {
        (Place::Further(wish.name()), wish)
    }
}

/// What is still to be asked for, and where its answer will stand.
type Open = (Place, Wish);
/// What was received, and why that is not all.
type Done = (Place, Vec<Fetched>, Option<Failed>);

impl Asking {
    /// What came of asking for everything in one Bundle; `None`: it is to be asked one by one.
    async fn batch(
        &self,
        asked: &VecDeque<Open>,
        deadline: Instant,
    ) -> Option<Vec<Result<String, Failure>>> {
        let count = asked.len();
        if self.queries.load(Ordering::Relaxed).saturating_add(count) > self.limits.queries {
            return None;
        }
        let body = batch::bundle(asked.iter().map(|(_, wish)| wish), &self.base)?;
        // One query that hangs holds up the whole Bundle: then the rest of the time is for asking
        // one by one.
        let now = Instant::now();
        let half = now + deadline.saturating_duration_since(now) / 2;
        let longest = self.limits.total_bytes;
        let answered = async {
            let request = self.request(Method::POST, &self.base).ok()?;
            let request = request.header(CONTENT_TYPE, "application/fhir+json").body(body);
            self.answer(request, longest).await.ok()
        };
        let parts = batch::parts(&timeout_at(half, answered).await.ok()??, count)?;
        self.queries.fetch_add(count, Ordering::Relaxed);
        Some(parts)
    }

    /// One query with its pages: what was received, and why that is not all.
    async fn ask(&self, wish: &Wish, deadline: Instant) -> (Vec<Fetched>, Option<Failure>) {
        let mut fetched = Vec::new();
        let why = self.follow(wish, deadline, &mut fetched).await.err();
        (fetched, why)
    }

    async fn follow(
        &self,
        wish: &Wish,
        deadline: Instant,
        fetched: &mut Vec<Fetched>,
    ) -> Result<(), Failure> {
        if self.queries.fetch_add(1, Ordering::Relaxed) >= self.limits.queries {
            return Err(Failure::TooManyQueries);
        }
        let mut url = wish.url(&self.base).ok_or(Failure::Id)?;
        for page in 0..self.limits.pages {
            // A page that leads to another origin never sees the token.
            if !self.rules.allowed.contains(&Origin::of(&url)) {
                return Err(Failure::Elsewhere);
            }
            if Instant::now() >= deadline {
                return Err(Failure::TooSlow);
            }
            let text = match timeout_at(deadline, self.get(&url)).await {
                // A page before it said that there is more.
                Ok(Err(Failure::Status(_))) if page > 0 || wish.is_page() => {
                    return Err(Failure::BrokenOff);
                }
                Ok(text) => text?,
                Err(_) => return Err(Failure::TooSlow),
            };
            let read = answer::read(wish, &text)?;
            let text = String::from_utf8(text).map_err(|_| Failure::NotJson)?;
            fetched.push(Fetched { kind: wish.kind().into(), text });
            if let Some(lacks) = read.lacks {
                return Err(lacks);
            }
            let Some(next) = read.next else { return Ok(()) };
            url = url.join(&next).map_err(|_| Failure::Elsewhere)?;
        }
        Err(Failure::TooManyPages)
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, Failure> {
        self.answer(self.request(Method::GET, url)?, self.limits.answer_bytes).await
    }

    fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Failure> {
        let called = self.lines.to(url.as_str(), &self.rules);
        let (client, url) = called.map_err(|_| Failure::Elsewhere)?;
        let mut request = client.request(method, url).header(ACCEPT, "application/fhir+json");
        if let Some(Token(value)) = &self.token {
            request = request.header(AUTHORIZATION, value.clone());
        }
        Ok(request)
    }

    async fn answer(&self, request: RequestBuilder, longest: usize) -> Result<Vec<u8>, Failure> {
        let response = request.send().await.map_err(|error| why(&error))?;
        if !response.status().is_success() {
            return Err(Failure::Status(response.status().as_u16()));
        }
        self.body(response, longest).await
    }

    /// Reads the body as it comes, so that a long one is left as soon as it is too long.
    async fn body(&self, mut response: Response, longest: usize) -> Result<Vec<u8>, Failure> {
        let said = response.content_length().and_then(|it| usize::try_from(it).ok());
        if said.is_some_and(|length| length > longest) {
            return Err(Failure::TooLong);
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| why(&error))? {
            let before = self.bytes.fetch_add(chunk.len(), Ordering::Relaxed);
            if text.len() + chunk.len() > longest
                || before.saturating_add(chunk.len()) > self.limits.total_bytes
            {
                return Err(Failure::TooLong);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}

fn why(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::TooSlow
    } else if error.is_connect() {
        Failure::Unreachable
    } else {
        Failure::BrokenOff
    }
}
