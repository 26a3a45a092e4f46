//! Subscriptions, and the outbox of notifications that they are owed.
//!
//! An event is written in the transaction of the answer that it tells of
//! ([`Store::save_answer`](super::Store::save_answer)); it has its number from then on.
//! Invariants:
//! - The numbers of a Subscription's events rise from 1, without gaps and repeats.
//! - What is owed stays until it was accepted, given up or not wanted any more; what was given up
//!   is kept and can be tried again.
//! - Of one Subscription only the first that is owed is ever due: the handshake, then events in
//!   order.

use std::time::Duration;

use jiff::Timestamp;

use super::{CaseFile, CaseId, StoreFuture};

/// A Subscription as its client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// Its id, ours.
    pub id: String,
    /// The guide's version at whose endpoint it was made.
    pub guide: String,
    /// Our name of the client whose it is.
    pub client: String,
    /// Where notifications go.
    pub endpoint: String,
    /// How much they say, `full-resource`.
    pub content: String,
    /// Their media type.
    pub media_type: String,
    /// The header lines that they carry.
    pub headers: Vec<String>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// Of each list one value must be an identifier of the sender. No list: all of the client's.
    pub filters: Vec<Vec<String>>,
    /// The resource, as it was received.
    pub resource: String,
}

/// How a Subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubscriptionStatus {
    /// Its endpoint was not heard of yet.
    Requested,
    /// It is notified.
    Active,
    /// Its endpoint never accepted the handshake.
    Error,
    /// Its client does not want it any more, or it ended.
    Off,
}

impl SubscriptionStatus {
    /// FHIR's code, which also stands in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SubscriptionStatus::Requested => "requested",
            SubscriptionStatus::Active => "active",
            SubscriptionStatus::Error => "error",
            SubscriptionStatus::Off => "off",
        }
    }

    /// The status that a stored word means.
    pub(super) fn parse(word: &str) -> Option<SubscriptionStatus> {
        use SubscriptionStatus::{Active, Error, Off, Requested};
        [Requested, Active, Error, Off].into_iter().find(|status| status.as_str() == word)
    }
}

/// A Subscription as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSubscription {
    /// What its client asked for.
    pub record: SubscriptionRecord,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Whether its client deleted it.
    pub is_deleted: bool,
    /// How many events it had; also the number of the last one.
    pub events: u64,
    /// Why it is in error, in our words.
    pub fault: Option<String>,
}

/// Who is to hear of an answer: the Subscriptions of the client that opened the case, those with
/// filters only if they name the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Every identifier of the sender, as `value` and as `system|value`.
    pub senders: Vec<String>,
}

/// What is owed to a Subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owed {
    /// The first word, which it must accept to become active.
    Handshake,
    /// An answer.
    Event {
        /// Its number, from 1.
        number: u64,
        /// The case.
        case_id: CaseId,
        /// Which of its answers.
        answer_number: u32,
        /// When it was given.
        happened_at: Timestamp,
    },
}

/// A notification that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the outbox.
    pub id: i64,
    /// Whom it is owed.
    pub subscription: StoredSubscription,
    /// What is owed.
    pub owed: Owed,
    /// How long was waited before the tries so far, all together.
    pub waited: Duration,
    /// How often it was tried.
    pub tries: u32,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The endpoint took it.
    Accepted,
    /// It did not, and is asked again.
    Again {
        /// When.
        due_at: Timestamp,
        /// How long was waited by then, all together.
        waited: Duration,
        /// What went wrong, in our words.
        failure: String,
    },
    /// It did not, and is not asked again.
    GivenUp {
        /// What went wrong, in our words.
        failure: String,
    },
}

/// A line of the outbox, for its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxLine {
    /// Its place.
    pub id: i64,
    /// Whose it is.
    pub subscription_id: String,
    /// Our name of the client.
    pub client: String,
    /// The event's number; 0: the handshake.
    pub event_number: u64,
    /// The case that the event tells of.
    pub case_id: Option<CaseId>,
    /// Whether it was given up.
    pub is_dead: bool,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, or was given up.
    pub at: Timestamp,
    /// What went wrong last.
    pub failure: Option<String>,
}

/// What the service asks of the storage of Subscriptions and notifications.
///
/// Every method is one transaction and fails with a [`StoreError`](super::StoreError) if the
/// storage cannot be read or written.
pub trait Outbox: Send + Sync {
    /// Stores a new Subscription, `requested`, with its handshake due at `handshake_at`; `false`,
    /// and nothing is stored, if the client has `most` that are not off.
    fn add_subscription<'a>(
        &'a self,
        record: &'a SubscriptionRecord,
        handshake_at: Timestamp,
        most: u32,
    ) -> StoreFuture<'a, bool>;

    /// Puts a Subscription in the place of the one of its id, `requested` again, with a new
    /// handshake; `false` if there is none, or it was deleted. The number of its events goes on,
    /// and what it is owed stays owed.
    fn replace_subscription<'a>(
        &'a self,
        record: &'a SubscriptionRecord,
        handshake_at: Timestamp,
    ) -> StoreFuture<'a, bool>;

    /// Turns a Subscription off, and forgets what it is owed.
    fn turn_off_subscription<'a>(
        &'a self,
        id: &'a str,
        resource: Option<&'a str>,
        is_deleted: bool,
    ) -> StoreFuture<'a, ()>;

    /// Turns off what ended; how many that were.
    fn end_subscriptions(&self, now: Timestamp) -> StoreFuture<'_, u64>;

    /// The Subscription of this id, a deleted one too.
    fn subscription<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<StoredSubscription>>;

    /// What is due, longest due first, at most `limit`, without what goes to a `busy` endpoint.
    fn due_deliveries<'a>(
        &'a self,
        now: Timestamp,
        busy: &'a [String],
        limit: u32,
    ) -> StoreFuture<'a, Vec<Delivery>>;

    /// Notes what became of a try. A handshake decides the Subscription's status.
    ///
    /// What is not owed any more is left as it is.
    fn note_try<'a>(
        &'a self,
        delivery: i64,
        at: Timestamp,
        tried: &'a Tried,
    ) -> StoreFuture<'a, ()>;

    /// A case as it stood with one of its answers.
    fn case_then<'a>(
        &'a self,
        case_id: &'a CaseId,
        answer_number: u32,
    ) -> StoreFuture<'a, Option<CaseFile>>;

    /// What waits and what was given up, in the order of its places, at most `limit` of those
    /// behind `after`.
    fn outbox_lines(&self, after: i64, limit: u32) -> StoreFuture<'_, Vec<OutboxLine>>;

    /// Makes what was given up due again: these places, or with none named all. How many it were.
    fn redrive<'a>(&'a self, places: &'a [i64], now: Timestamp) -> StoreFuture<'a, u64>;
}
