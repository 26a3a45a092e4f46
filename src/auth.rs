//! Floor 4: who calls.
//!
//! A client is an EHR or a gateway that the operator registered with its public keys.
//! Every call carries a JWT that the client signed for the URL that it calls, as CDS Hooks asks;
//! [`Clients::authenticate`] says whose it is.
//!
//! The module has no clock, no network and no files: the time, the URL and the texts of the key
//! sets come in as arguments.
//! Keys come from the registry alone; nothing in a token says where to find one.
//!
//! Not there: the SMART token endpoint, key sets behind URLs, opaque access tokens.
//!
//! Invariants:
//! - No token, and no value out of one, is in an error, a log line or a `Debug` text.
//! - The algorithm is the registered key's, never the token's choice.
//! - Claims decide nothing before the signature has been checked, except which client's keys to
//!   check it with.
//! - What is remembered of tokens is bounded in number and in time.
//!
//! It is the only module that names `jsonwebtoken`.

mod clients;
mod fault;
mod key_set;
mod replay;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

pub use clients::{Clients, Registration};
pub use fault::{ClientError, ClientFault};
pub use key_set::{MAX_KEYS, MAX_RSA_BITS, MIN_RSA_BITS, SigningAlgorithm};
pub use replay::{MAX_REMEMBERED_TOKENS, Replay};
pub use token::{MAX_AGE_S, MAX_LIFETIME_S, MAX_TOKEN_BYTES, SKEW_S};

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Our name of the client: the id that it is registered with.
    pub client_id: Arc<str>,
    /// Whether the client used this token before, as far as that is remembered.
    /// Only a client with [`Replay::LogOnly`] comes this far with such a token.
    pub token_seen_before: bool,
    /// Whether it may see the review queue and decide.
    pub may_review: bool,
}

impl Caller {
    /// The id of [`Caller::local`]. No client can be registered with it.
    pub const LOCAL_ID: &'static str = "local";

    /// Whoever calls over loopback while no client is registered (ruling 1).
    #[must_use]
    pub fn local() -> Caller {
        Caller { client_id: Caller::LOCAL_ID.into(), token_seen_before: false, may_review: true }
    }
}

/// Why a call was refused: for the log alone. The caller gets a bare 401.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was wrong.
    pub reason: Reason,
    /// The client that the token says it is from, once that is known to be one of ours.
    /// Proven only if the reason is one that is looked at after the signature.
    pub client_id: Option<Arc<str>>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.client_id {
            Some(id) => write!(f, "client `{id}`: {}", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

impl std::error::Error for Refusal {}

/// What was wrong with a token, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No `Authorization` header, or one that is no `Bearer`.
    #[error("there is no bearer token")]
    NoToken,
    /// More than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// No JWT, a claim of another type, or an algorithm that is none, such as `none`.
    #[error("the token is no readable JWT")]
    Malformed,
    /// The header demands an extension of JWS; we have none.
    #[error("the token's header has `crit`")]
    Critical,
    /// An algorithm that is not accepted, of this client or of anyone.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// No client is registered with this issuer.
    #[error("the token's issuer is not registered")]
    Issuer,
    /// The header names a key URL that is not the registered one.
    #[error("the token's `jku` is not the registered one")]
    KeyUrl,
    /// No `kid`.
    #[error("the token names no key")]
    NoKeyId,
    /// The client has no key with this `kid`.
    #[error("the token's key is not in the client's key set")]
    UnknownKey,
    /// The key with this `kid` is for another algorithm.
    #[error("the token's algorithm does not fit its key")]
    KeyMismatch,
    /// The signature is not this key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// Neither the called URL nor an accepted alias is in `aud`.
    #[error("the token is for another audience")]
    Audience,
    /// No `exp`.
    #[error("the token has no `exp`")]
    NoExpiry,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// It is valid for more than [`MAX_LIFETIME_S`].
    #[error("the token is valid for longer than {MAX_LIFETIME_S} s")]
    LivesTooLong,
    /// `iat` lies in the future.
    #[error("the token was issued in the future")]
    IssuedLater,
    /// `iat` is more than [`MAX_AGE_S`] ago.
    #[error("the token was issued more than {MAX_AGE_S} s ago")]
    TooOld,
    /// `nbf` lies in the future.
    #[error("the token is not valid yet")]
    NotYet,
    /// No `jti`.
    #[error("the token has no `jti`")]
    NoTokenId,
    /// The client used this token before, and may not.
    #[error("the token was used before")]
    Replayed,
    /// So many tokens of the client are in use that a repeat could not be told.
    #[error("the client has {MAX_REMEMBERED_TOKENS} tokens in use")]
    TooManyTokens,
}
