//! The registry of clients, and the order in which a token is checked.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::key_set::KeySet;
use super::replay::{Use, UsedTokens};
use super::token::{Unproven, bearer};
use super::{Caller, ClientError, ClientFault, Reason, Refusal, Replay, SigningAlgorithm};

/// How long a client's id may be, in bytes.
const MAX_ID_BYTES: usize = 200;

/// What the operator says of a client.
#[derive(Clone)]
pub struct Registration {
    /// Our name for it: in logs, and in the key that tells repeats.
    pub id: String,
    /// What it writes in `iss`, exactly; absent, it is the id.
    pub issuer: Option<String>,
    /// The `jku` that its tokens may name. It is compared, never fetched; absent, a token's
    /// `jku` is passed over.
    pub jku: Option<String>,
    /// Its public keys: the text of a JSON Web Key Set.
    pub key_set: String,
    /// What it may sign with.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Values of `aud` that are accepted beside the called URL, exactly.
    pub audiences: Vec<String>,
    /// What becomes of a token that it uses twice.
    pub replay: Replay,
    /// Whether it may see the review queue and decide.
    pub may_review: bool,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file that was taken for a key set by mistake may hold anything.
        f.debug_struct("Registration").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The registered clients, by issuer.
#[derive(Default)]
pub struct Clients(HashMap<String, Client>);

struct Client {
    id: Arc<str>,
    jku: Option<String>,
    keys: KeySet,
    algorithms: Vec<SigningAlgorithm>,
    audiences: Vec<String>,
    replay: Replay,
    may_review: bool,
    used: Mutex<UsedTokens>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values().map(|client| &client.id)).finish()
    }
}

impl Clients {
    /// Registers clients.
    ///
    /// # Errors
    /// The first client whose id, issuer or key set cannot be used.
    pub fn register(
        registrations: impl IntoIterator<Item = Registration>,
    ) -> Result<Clients, ClientError> {
        let mut ids = HashSet::new();
        let mut clients = HashMap::new();
        for registration in registrations {
            let id = registration.id.clone();
            let failed = |fault| ClientError { client_id: id.clone(), fault };
            check_id(&id).map_err(failed)?;
            if !ids.insert(id.clone()) {
                return Err(failed(ClientFault::DuplicateId));
            }
            let issuer = registration.issuer.clone().unwrap_or_else(|| id.clone());
            match clients.entry(issuer) {
                Entry::Vacant(place) => {
                    place.insert(Client::of(registration).map_err(failed)?);
                }
                Entry::Occupied(place) => {
                    return Err(failed(ClientFault::DuplicateIssuer(place.key().clone())));
                }
            }
        }
        Ok(Clients(clients))
    }

    /// Whether nobody is registered. Then every token is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says who calls.
    ///
    /// `authorization_header` is the header's value. `called_url` is the public URL of the
    /// endpoint without a query: the configured base and the path, never the `Host` header.
    ///
    /// # Errors
    /// The first reason to refuse the token, in the order of [`Reason`].
    pub fn authenticate(
        &self,
        authorization_header: Option<&str>,
        called_url: &str,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        let nobody = |reason| Refusal { reason, client_id: None };
        let token = bearer(authorization_header).map_err(nobody)?;
        let unproven = Unproven::read(token).map_err(nobody)?;
        let client = self.0.get(unproven.issuer()).ok_or_else(|| nobody(Reason::Issuer))?;
        client
            .check(&unproven, called_url, now)
            .map_err(|reason| Refusal { reason, client_id: Some(Arc::clone(&client.id)) })
    }
}

impl Client {
    fn of(registration: Registration) -> Result<Client, ClientFault> {
        if registration.algorithms.is_empty() {
            return Err(ClientFault::NoAlgorithm);
        }
        Ok(Client {
            id: registration.id.into(),
            jku: registration.jku,
            keys: KeySet::read(&registration.key_set, &registration.algorithms)?,
            algorithms: registration.algorithms,
            audiences: registration.audiences,
            replay: registration.replay,
            may_review: registration.may_review,
            used: Mutex::default(),
        })
    }

    fn check(&self, token: &Unproven<'_>, called: &str, now: Timestamp) -> Result<Caller, Reason> {
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(Reason::Algorithm);
        }
        let kid = token.key_id(self.jku.as_deref())?;
        let key = self.keys.find(kid).ok_or(Reason::UnknownKey)?;
        let claims = token.prove(key)?;
        claims.check_audience(called, &self.audiences)?;
        let until = claims.check_times(now)?;
        let token_seen_before = self.note_use(claims.token_id()?, until, now)?;
        let may_review = self.may_review;
        Ok(Caller { client_id: Arc::clone(&self.id), token_seen_before, may_review })
    }

    /// Whether the token was used before, if that is no reason to refuse it.
    fn note_use(&self, jti: &str, until: Timestamp, now: Timestamp) -> Result<bool, Reason> {
        // A panic elsewhere leaves the memory whole: it changes in `note` alone.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match (used.note(jti, until, now), self.replay) {
            (Use::First, _) | (Use::NoRoom, Replay::LogOnly) => Ok(false),
            (Use::Repeated, Replay::LogOnly) => Ok(true),
            (Use::Repeated, Replay::Enforce) => Err(Reason::Replayed),
            (Use::NoRoom, Replay::Enforce) => Err(Reason::TooManyTokens),
        }
    }
}

fn check_id(id: &str) -> Result<(), ClientFault> {
    let visible = id.bytes().all(|byte| byte.is_ascii_graphic());
    if id.is_empty() || id.len() > MAX_ID_BYTES || !visible {
        return Err(ClientFault::Id);
    }
    if id == Caller::LOCAL_ID { Err(ClientFault::ReservedId) } else { Ok(()) }
}
