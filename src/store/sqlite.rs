//! The store in one SQLite file: nothing to install, one process that serves.
//!
//! One connection writes, and all writes that wait share a transaction and its commit ([`writer`]);
//! a few others read.
//! The journal is a write-ahead log and every commit is synced: what was acknowledged survives a
//! kill and a loss of power.
//! Another process may open the same file; it waits for its turn.

/// Boxes what a method does and names it in its error.
macro_rules! attempt {
    ($what:literal, $future:expr) => {
        Box::pin(async move { $future.await.map_err(|cause| StoreError::attempting($what, cause)) })
    };
}

mod assertions;
mod cases;
mod feedback;
mod inputs;
mod outbox;
mod packed;
mod payer;
mod row;
mod schema;
mod scripted;
mod submissions;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};

use self::writer::Writer;

use crate::store::{
    Answered, CaseFile, CaseId, CaseSummary, FeedbackCount, FeedbackRecord, HookCallRecord,
    ImportId, ImportRecord, Judgement, Likeness, NextAnswer, NumberSeries, PayerFacts,
    ReceivedRequest, RequestPlace, Saved, Store, StoreError, StoreFuture, StoredAnswer,
    StoredAssertion, SubmissionKey, SubmissionRecord,
};
use crate::terms::Npi;

/// The name of the file in the data folder.
const FILE_NAME: &str = "priorauth.sqlite3";
/// Connections that read at the same time.
const READERS: u32 = 4;
/// How long to wait for a connection, and again for the lock of another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// A [`Store`] in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the store in `data_dir`, and creates both if they are not there.
    ///
    /// On Unix, what it creates only its own user can read.
    /// The schema is brought up to date.
    /// For tests and demonstrations, give it a temporary folder.
    ///
    /// # Errors
    /// The folder or the file cannot be opened, the file is of a newer release, or its schema
    /// cannot be brought up to date.
    pub async fn open(data_dir: &Path) -> Result<SqliteStore, StoreError> {
        let path = data_dir.join(FILE_NAME);
        create_private(data_dir, &path).map_err(|error| cannot_open(&path, error))?;

        let options = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let writing = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = writing.connect().await.map_err(|error| cannot_open(&path, error))?;
        schema::bring_up_to_date(&mut connection).await?;
        let writer = Writer::start(connection).map_err(|error| cannot_open(&path, error))?;
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(|error| cannot_open(&path, error))?;
        Ok(SqliteStore { writer, readers })
    }

    /// Whether `data_dir` holds a store.
    #[must_use]
    pub fn is_in(data_dir: &Path) -> bool {
        data_dir.join(FILE_NAME).is_file()
    }

    /// Opens the store in `data_dir` to read it only; another process may be writing to it.
    ///
    /// # Errors
    /// There is none, it cannot be opened, or its schema is not the one that this release reads.
    pub async fn open_to_read(data_dir: &Path) -> Result<SqliteStore, StoreError> {
        let path = data_dir.join(FILE_NAME);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .busy_timeout(PATIENCE)
            .disable_statement_logging()
            .read_only(true);
        let readers =
            pool(1).connect_with(options).await.map_err(|error| cannot_open(&path, error))?;
        schema::expect_up_to_date(&readers).await?;
        Ok(SqliteStore { writer: Writer::none(), readers })
    }

    async fn take_numbers(&self, series: NumberSeries, count: u32) -> sqlx::Result<Range<u64>> {
        let taking = async move |connection: &mut SqliteConnection| {
            sqlx::query_scalar(
                "UPDATE number_series SET next_number = next_number + ?1 WHERE series = ?2
                 RETURNING next_number",
            )
            .bind(count)
            .bind(series.as_str())
            .fetch_one(connection)
            .await
        };
        let next: i64 = self.writer.run(taking).await?;
        let next = u64::try_from(next).map_err(row::unreadable("next_number"))?;
        Ok(next.saturating_sub(u64::from(count))..next)
    }

    async fn read_something(&self) -> sqlx::Result<()> {
        sqlx::query("SELECT 1 FROM number_series LIMIT 1")
            .fetch_one(&self.readers)
            .await
            .map(|_| ())
    }

    async fn shut(&self) -> sqlx::Result<()> {
        self.readers.close().await;
        self.writer.close().await
    }
}

/// Connections live as long as the store: a file on this machine does not go stale.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn cannot_open(path: &Path, cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Open { path: path.display().to_string().into(), source: cause.into() }
}

/// Creates the folder and the file, readable by nobody else, unless they are there.
///
/// SQLite gives its journal the permissions of the file.
fn create_private(data_dir: &Path, file: &Path) -> std::io::Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    let mut options = std::fs::OpenOptions::new();
    folder.recursive(true);
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        options.mode(0o600);
    }
    folder.create(data_dir)?;
    options.open(file).map(|_| ())
}

impl Store for SqliteStore {
    fn find_repeat<'a>(&'a self, key: &'a SubmissionKey) -> StoreFuture<'a, Option<StoredAnswer>> {
        attempt!("look for a repeat", self.read_repeat(key))
    }

    fn save_submission<'a>(&'a self, record: &'a SubmissionRecord) -> StoreFuture<'a, Saved> {
        attempt!("store a submission", self.write_submission(record))
    }

    fn reserve_numbers(&self, series: NumberSeries, count: u32) -> StoreFuture<'_, Range<u64>> {
        attempt!("reserve numbers", self.take_numbers(series, count))
    }

    fn payer_facts<'a>(
        &'a self,
        member_id: &'a str,
        npis: &'a [Npi],
    ) -> StoreFuture<'a, PayerFacts> {
        attempt!("read what the payer holds", self.read_payer_facts(member_id, npis))
    }

    fn begin_import(&self, begun_at: Timestamp) -> StoreFuture<'_, ImportId> {
        attempt!("begin an import", self.insert_import(begun_at))
    }

    fn add_to_import<'a>(
        &'a self,
        import: ImportId,
        records: &'a [ImportRecord],
    ) -> StoreFuture<'a, Vec<usize>> {
        attempt!("add to an import", self.insert_records(import, records))
    }

    fn finish_import(&self, import: ImportId) -> StoreFuture<'_, ()> {
        attempt!("finish an import", self.complete_import(import))
    }

    fn tidy_imports(&self) -> StoreFuture<'_, bool> {
        attempt!("tidy up after imports", self.tidy_a_little())
    }

    fn similar_submissions<'a>(&'a self, likeness: &'a Likeness) -> StoreFuture<'a, Vec<CaseId>> {
        attempt!("look for similar submissions", self.read_similar(likeness))
    }

    fn save_hook_call<'a>(&'a self, record: &'a HookCallRecord) -> StoreFuture<'a, ()> {
        attempt!("store a hook call", self.write_hook_call(record))
    }

    fn assertion<'a>(&'a self, assertion_id: &'a str) -> StoreFuture<'a, Option<StoredAssertion>> {
        attempt!("read an assertion", self.read_assertion(assertion_id))
    }

    fn judgement_of_assertion<'a>(
        &'a self,
        assertion_id: &'a str,
    ) -> StoreFuture<'a, Option<Judgement>> {
        attempt!("read what an assertion rests on", self.read_judgement(assertion_id))
    }

    fn judgements_of_case<'a>(&'a self, case_id: &'a CaseId) -> StoreFuture<'a, Vec<Judgement>> {
        attempt!("read what a case rests on", self.read_judgements(case_id))
    }

    fn save_feedback<'a>(&'a self, records: &'a [FeedbackRecord]) -> StoreFuture<'a, usize> {
        attempt!("store feedback", self.write_feedback(records))
    }

    fn feedback_counts(&self) -> StoreFuture<'_, Vec<FeedbackCount>> {
        attempt!("count feedback", self.read_feedback_counts())
    }

    fn case<'a>(&'a self, case_id: &'a CaseId) -> StoreFuture<'a, Option<CaseFile>> {
        attempt!("read a case", self.read_case(case_id))
    }

    fn received_requests(
        &self,
        after: Option<RequestPlace>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<ReceivedRequest>> {
        attempt!("read the received requests", self.read_received(after, limit))
    }

    fn pending_cases(&self, limit: u32) -> StoreFuture<'_, Vec<CaseSummary>> {
        attempt!("list pended cases", self.read_pending(limit))
    }

    fn pended_cases_of<'a>(
        &'a self,
        members: &'a [&'a str],
        limit: u32,
    ) -> StoreFuture<'a, Vec<CaseSummary>> {
        attempt!("list pended cases of members", self.read_pended_of(members, limit))
    }

    fn case_of_number<'a>(&'a self, number: &'a str) -> StoreFuture<'a, Option<CaseId>> {
        attempt!("look for a number", self.read_case_of_number(number))
    }

    fn cases_of<'a>(&'a self, member_id: &'a str, limit: u32) -> StoreFuture<'a, Vec<CaseId>> {
        attempt!("list a member's cases", self.read_cases_of(member_id, limit))
    }

    fn case_of_claim<'a>(
        &'a self,
        member_id: &'a str,
        claim_identifier: &'a str,
    ) -> StoreFuture<'a, Option<CaseId>> {
        attempt!("look for a Claim", self.read_case_of_claim(member_id, claim_identifier))
    }

    fn save_answer<'a>(&'a self, record: &'a NextAnswer) -> StoreFuture<'a, Answered> {
        attempt!("store a further answer", self.write_answer(record))
    }

    fn ready(&self) -> StoreFuture<'_, ()> {
        attempt!("read the store", self.read_something())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        attempt!("close the store", self.shut())
    }
}

#[cfg(test)]
mod tests;
