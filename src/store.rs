//! Floor 4: what has to last.
//!
//! One trait, [`Store`], and its implementations.
//! One more, [`Outbox`], for Subscriptions and the notifications that they are owed.
//! The store keeps submissions, cases with every answer they were given, coverage assertions, the
//! numbers that may never repeat, and what the payer knows itself.
//!
//! It refuses to know what any of it means: answers, traces and findings are texts to it.
//! It has no clock and no randomness: every id and every time comes in as an argument.
//!
//! Invariants:
//! - One method is one transaction.
//! - What a method acknowledged is on the disk.
//! - A method that failed, or whose future was dropped before it was ready, left either
//!   everything or nothing.
//! - No error and no log line holds a value of a row.

mod assertion;
mod case;
#[cfg(test)]
mod contract;
mod error;
mod outbox;
mod payer;
mod sqlite;
mod submission;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;

use jiff::Timestamp;

use crate::terms::Npi;

pub use assertion::{
    AssertionRecord, CardRecord, FeedbackCount, FeedbackRecord, HookCallRecord, Inputs, Judgement,
    Outcome, Said, Snapshot, StoredAssertion,
};
pub use case::{
    AnswerRecord, Answered, ApprovalCount, Authorization, AuthorizationRow, CaseFile, CaseId,
    CaseIdError, CaseState, CaseSummary, Cause, LineRecord, NextAnswer, PolicyEdition,
};
pub use error::StoreError;
pub use outbox::{
    Delivery, Notice, Outbox, OutboxLine, Owed, StoredSubscription, SubscriptionRecord,
    SubscriptionStatus, Tried,
};
pub use payer::{
    BilledClaim, DirectoryEntry, Enrolment, ImportContent, ImportId, ImportRecord, PayerFacts,
};
pub use sqlite::SqliteStore;
pub use submission::{
    ContentDigest, DigestError, FurtherSubmission, Likeness, ReceivedRequest, ReceivedSubmission,
    RequestPlace, Saved, StoredAnswer, SubmissionKey, SubmissionRecord,
};

/// What a method of [`Store`] returns: a boxed future, so that `Arc<dyn Store>` can be.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A series of numbers, each of which is handed out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberSeries {
    /// Numbers of authorizations.
    Authorization,
    /// Administrative reference numbers of requests that are not decided.
    Reference,
}

impl NumberSeries {
    /// The word that stands in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NumberSeries::Authorization => "authorization",
            NumberSeries::Reference => "reference",
        }
    }
}

/// Everything that the service asks of its storage.
///
/// Every method fails with a [`StoreError`] if the storage cannot be read or written; what fails
/// beyond that is said at the method.
pub trait Store: Send + Sync {
    /// The current answer of the case that the same client opened with the same content within
    /// the window, if there is one.
    ///
    /// It spares the work of a repeat; it promises nothing to a request that arrives at the same
    /// time. [`Store::save_submission`] decides.
    fn find_repeat<'a>(&'a self, key: &'a SubmissionKey) -> StoreFuture<'a, Option<StoredAnswer>>;

    /// Stores a submission, its case, its first answer and an audit row; or nothing, if it is a
    /// repeat of one that is there.
    ///
    /// Of identical submissions that arrive at the same time, one is stored, and all get its
    /// answer.
    /// An answer that rests on the member's authorizations is stored only while these are what
    /// they were (rulings 11), whichever process gives them.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the case id is taken, a number belongs to another case, a line
    /// stands twice, or a trace is no JSON.
    fn save_submission<'a>(&'a self, record: &'a SubmissionRecord) -> StoreFuture<'a, Saved>;

    /// Reserves `count` numbers of a series that nobody has had and nobody will have again.
    ///
    /// Numbers begin at 1. Those that are not used leave a gap, and processes that share a store
    /// do not take turns.
    fn reserve_numbers(&self, series: NumberSeries, count: u32) -> StoreFuture<'_, Range<u64>>;

    /// Everything that the payer holds for one decision: of the member, and of the providers with
    /// these numbers.
    ///
    /// With an empty member id nothing is held of a member.
    fn payer_facts<'a>(
        &'a self,
        member_id: &'a str,
        npis: &'a [Npi],
    ) -> StoreFuture<'a, PayerFacts>;

    /// Begins the import of a file. Nothing of it counts before [`Store::finish_import`].
    fn begin_import(&self, begun_at: Timestamp) -> StoreFuture<'_, ImportId>;

    /// Adds records to an import that is going on; the places of those whose key the import has
    /// already, which are not added.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the import is not going on any more.
    fn add_to_import<'a>(
        &'a self,
        import: ImportId,
        records: &'a [ImportRecord],
    ) -> StoreFuture<'a, Vec<usize>>;

    /// Makes the records of an import count, all at once: each takes the place of the one that
    /// had its key.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the import is not going on any more.
    fn finish_import(&self, import: ImportId) -> StoreFuture<'_, ()>;

    /// Deletes a few of the records that do not count: of imports that were not finished, which
    /// end by it, and those that others took the place of. Whether there may be more.
    fn tidy_imports(&self) -> StoreFuture<'_, bool>;

    /// The cases that a client opened with the same identifier and other content, the newest
    /// first, at most twenty.
    fn similar_submissions<'a>(&'a self, likeness: &'a Likeness) -> StoreFuture<'a, Vec<CaseId>>;

    /// Stores one answered hook call with its assertions, one for each order, and an audit row.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if an assertion id is taken or findings are no JSON.
    fn save_hook_call<'a>(&'a self, record: &'a HookCallRecord) -> StoreFuture<'a, ()>;

    /// The assertion with this id.
    fn assertion<'a>(&'a self, assertion_id: &'a str) -> StoreFuture<'a, Option<StoredAssertion>>;

    /// Everything that was decided on and found out in the hook call of an assertion, for the order
    /// of this assertion alone.
    fn judgement_of_assertion<'a>(
        &'a self,
        assertion_id: &'a str,
    ) -> StoreFuture<'a, Option<Judgement>>;

    /// Everything that was decided on and found out in a case: one for each submission, in their
    /// order.
    fn judgements_of_case<'a>(&'a self, case_id: &'a CaseId) -> StoreFuture<'a, Vec<Judgement>>;

    /// Stores what a client tells of cards that it was shown; how many of them it was.
    ///
    /// What is told twice is stored once.
    fn save_feedback<'a>(&'a self, records: &'a [FeedbackRecord]) -> StoreFuture<'a, usize>;

    /// What became of the cards, by policy, kind and name.
    fn feedback_counts(&self) -> StoreFuture<'_, Vec<FeedbackCount>>;

    /// One case with its current lines and answer and the submission that opened it.
    fn case<'a>(&'a self, case_id: &'a CaseId) -> StoreFuture<'a, Option<CaseFile>>;

    /// Submissions and hook calls as they were received, in the order of their places: at most
    /// `limit` of those behind `after`.
    fn received_requests(
        &self,
        after: Option<RequestPlace>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<ReceivedRequest>>;

    /// The case to which an authorization or reference number of ours belongs.
    fn case_of_number<'a>(&'a self, number: &'a str) -> StoreFuture<'a, Option<CaseId>>;

    /// A member's cases, the newest first, at most `limit` of them.
    fn cases_of<'a>(&'a self, member_id: &'a str, limit: u32) -> StoreFuture<'a, Vec<CaseId>>;

    /// The newest case of a member one of whose submissions had this Claim identifier
    /// (`system|value`).
    fn case_of_claim<'a>(
        &'a self,
        member_id: &'a str,
        claim_identifier: &'a str,
    ) -> StoreFuture<'a, Option<CaseId>>;

    /// Pended cases, those first that are due first, at most `limit` of them.
    fn pending_cases(&self, limit: u32) -> StoreFuture<'_, Vec<CaseSummary>>;

    /// Pended cases of any of these members, those first that changed first, at most `limit` of
    /// them.
    fn pended_cases_of<'a>(
        &'a self,
        members: &'a [&'a str],
        limit: u32,
    ) -> StoreFuture<'a, Vec<CaseSummary>>;

    /// Adds an answer to a case, with the submission that caused it if one did, and an audit row
    /// that names who gave it.
    ///
    /// From then on it is the case's current answer. Those before it are kept.
    /// Each active Subscription that is to hear of it gets an event, in the same transaction.
    ///
    /// # Errors
    /// As [`Store::save_submission`].
    fn save_answer<'a>(&'a self, record: &'a NextAnswer) -> StoreFuture<'a, Answered>;

    /// Whether the store can be read now, and there is somebody who writes. Cheap.
    fn ready(&self) -> StoreFuture<'_, ()>;

    /// Waits for what is going on, brings the file into order and closes it.
    ///
    /// Afterwards every method fails with [`StoreError::Closed`].
    fn close(&self) -> StoreFuture<'_, ()>;
}
