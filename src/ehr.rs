//! Floor 4: the caller's own FHIR server, asked for what did not come with a hook call.
//!
//! [`Ehr::open`] says whether a client's server may be asked at all: only origins that the operator
//! registered for that client are, with the token that the client sent and to nobody else.
//! [`Visit::fetch`] asks for everything at once, within one deadline.
//! Refuses to know what an answer means; a failure is a [`Failure`] and never an error.
//!
//! Invariants:
//! - The token is in no error, no log line and no `Debug` text, and goes to one origin only.
//! - Every query, page, byte and second has a limit ([`EhrLimits`]).
//! - An answer that is not what was asked for is no answer.

mod access;
mod answer;
mod batch;
mod failure;
mod visit;
mod wish;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::outbound::{EndpointRules, Lines, LinesError, Origin};

pub use access::{Access, Token};
pub use failure::Failure;
use visit::Asking;
pub use visit::{Failed, Fetched, Harvest, Visit};
pub use wish::{Tokens, Wish};

/// How much is asked of an EHR in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EhrLimits {
    /// How long a call may take, from its first byte to its answer.
    pub budget: Duration,
    /// How many queries are on their way at once.
    pub parallel: usize,
    /// How many queries there are, pages not counted.
    pub queries: usize,
    /// How many pages of one search are read.
    pub pages: usize,
    /// The longest answer to one query or page, in bytes.
    pub answer_bytes: usize,
    /// All answers of a call together, in bytes.
    pub total_bytes: usize,
    /// How many calls of one client wait for its EHR at once; more are answered without asking it.
    pub calls: usize,
}

impl Default for EhrLimits {
    fn default() -> EhrLimits {
        EhrLimits {
            // CRD 2.2.1 found-2
            budget: Duration::from_secs(5),
            parallel: 16,
            queries: 64,
            pages: 10,
            answer_bytes: 2 * 1024 * 1024,
            total_bytes: 8 * 1024 * 1024,
            calls: 64,
        }
    }
}

/// The longest budget that the guide allows (CRD 2.2.1 found-2).
pub const LONGEST_BUDGET: Duration = Duration::from_secs(10);

/// Which servers may be asked, and how much.
#[derive(Debug)]
pub struct Ehr {
    limits: EhrLimits,
    lines: Arc<Lines>,
    systems: HashMap<Box<str>, System>,
}

/// The FHIR servers of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The client's id.
    pub client: String,
    /// The only origins that are asked.
    pub origins: Vec<Origin>,
    /// Whether they take a Bundle of type `batch`.
    pub takes_batches: bool,
}

/// What is known of one client's servers.
#[derive(Debug)]
struct System {
    origins: Vec<Origin>,
    takes_batches: bool,
    calls: Arc<Semaphore>,
}

/// Why a server is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Its origin is not registered for the client.
    NotRegistered,
    /// It is registered, and something stands in the way.
    Failed(Failure),
}

impl Ehr {
    /// What may be asked of whom.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(
        limits: EhrLimits,
        registered: impl IntoIterator<Item = Registered>,
    ) -> Result<Ehr, LinesError> {
        let systems = registered.into_iter().filter(|it| !it.origins.is_empty());
        let systems = systems.map(|Registered { client, origins, takes_batches }| {
            let calls = Arc::new(Semaphore::new(limits.calls));
            (client.into(), System { origins, takes_batches, calls })
        });
        let lines = Arc::new(Lines::new(LONGEST_BUDGET, limits.parallel)?);
        Ok(Ehr { limits, lines, systems: systems.collect() })
    }

    /// How long a call may take.
    #[must_use]
    pub fn budget(&self) -> Duration {
        self.limits.budget
    }

    /// Whether a client has servers that may be asked.
    #[must_use]
    pub fn knows(&self, client: &str) -> bool {
        self.systems.contains_key(client)
    }

    /// Begins to ask the server that a call of `client` names.
    ///
    /// # Errors
    /// It may not be asked, or cannot.
    pub fn open(&self, client: &str, access: Access<'_>) -> Result<Visit, Closed> {
        let system = self.systems.get(client).ok_or(Closed::NotRegistered)?;
        let rules = EndpointRules { allowed: system.origins.clone(), loopback: false };
        let (_, base) = self.lines.to(&access.base, &rules).map_err(|_| Closed::NotRegistered)?;
        if base.query().is_some() {
            return Err(Closed::NotRegistered);
        }
        let token = access.token.map_err(Closed::Failed)?;
        // One that hangs must not take the places of everybody else's calls.
        let calls = Arc::clone(&system.calls);
        let place = calls.try_acquire_owned().map_err(|_| Closed::Failed(Failure::Crowded))?;
        // Pages lead nowhere else, not even to another origin of the same client.
        let rules = EndpointRules { allowed: vec![Origin::of(&base)], loopback: false };
        Ok(Visit::new(Asking {
            limits: self.limits,
            lines: Arc::clone(&self.lines),
            rules,
            base,
            token,
            takes_batches: system.takes_batches,
            queries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            _place: place,
        }))
    }
}
