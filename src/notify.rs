//! Floor 4: notifications to endpoints that clients named.
//!
//! Where they may go, [`crate::outbound`] says.
//! Refuses to know what a notification says, and when it is sent.
//!
//! Invariants:
//! - No answer's body is read.
//! - No error and no log line holds an endpoint, a header or a body.

mod http;

use std::future::Future;
use std::pin::Pin;

use crate::outbound::EndpointFault;
pub use http::HttpCourier;

/// A notification on its way.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it goes.
    pub endpoint: String,
    /// Its media type.
    pub media_type: String,
    /// Header lines, name and value.
    pub headers: Vec<(String, String)>,
    /// What it says.
    pub body: String,
}

impl std::fmt::Debug for Letter {
    /// Never what it says: it may be about a patient, and its headers hold tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").finish_non_exhaustive()
    }
}

/// Why a notification did not arrive. The words are for operators, and hold no value of anybody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The endpoint may not be called.
    #[error("{0}")]
    NotAllowed(EndpointFault),
    /// A header line cannot be sent.
    #[error("a header line cannot be sent")]
    Header,
    /// It answered with another status than one of success.
    #[error("it answered {0}")]
    Status(u16),
    /// It did not answer in time.
    #[error("it did not answer in time")]
    TooSlow,
    /// No address could be connected to: none was found, none is allowed, or nobody listens.
    #[error("it cannot be reached")]
    Unreachable,
    /// It was reached, and no answer can be read.
    #[error("it did not answer")]
    NoAnswer,
}

/// What sending a letter returns.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Undelivered>> + Send + 'a>>;

/// Who carries notifications.
pub trait Courier: Send + Sync {
    /// Whether an endpoint may be called, as far as its URL says.
    ///
    /// # Errors
    /// Why not.
    fn may_call(&self, endpoint: &str) -> Result<(), EndpointFault>;

    /// Sends a letter once.
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a>;
}
