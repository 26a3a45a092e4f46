//! The store in one SQLite file: nothing to install, one process that serves.
//!
//! One connection writes, and all writes that wait share a transaction and its commit ([`writer`]);
//! a few others read ([`readers`]).
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
mod fault;
mod feedback;
mod inputs;
mod numbers;
mod outbox;
mod packed;
mod payer;
mod readers;
mod row;
mod schema;
mod scripted;
mod statement;
mod submissions;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use self::numbers::Blocks;
use self::readers::Readers;
use self::statement::one;
use self::writer::Writer;
use crate::store::error::Fault;
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
const READERS: usize = 4;
/// Statements that a connection keeps prepared: more than there are.
const PREPARED: usize = 128;
/// How long to wait for a connection, and again for the lock of another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// A [`Store`] in a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    numbers: Blocks,
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
        let data_dir = data_dir.to_owned();
        opening(move || {
            let path = data_dir.join(FILE_NAME);
            create_private(&data_dir, &path).map_err(|error| cannot_open(&path, error))?;
            let mut writing = connect_to_write(&path).map_err(|fault| cannot_open(&path, fault))?;
            schema::bring_up_to_date(&mut writing)?;
            let readers = connect_to_read(&path, READERS)?;
            let writer = Writer::start(writing).map_err(|error| cannot_open(&path, error))?;
            Ok(SqliteStore::of(writer, readers))
        })
        .await
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
        opening(move || {
            let readers = connect_to_read(&path, 1)?;
            readers.iter().try_for_each(schema::expect_up_to_date)?;
            Ok(SqliteStore::of(Writer::none(), readers))
        })
        .await
    }

    fn of(writer: Writer, readers: Vec<Connection>) -> SqliteStore {
        SqliteStore { writer, readers: Readers::new(readers), numbers: Blocks::default() }
    }

    async fn look(&self) -> Result<(), Fault> {
        if !self.writer.is_there() {
            return Err(Fault::Closed);
        }
        let looking =
            |connection: &_| one(connection, "SELECT 1 FROM number_series LIMIT 1", [], |_| Ok(()));
        self.readers.run(looking).await
    }

    async fn shut(&self) -> Result<(), Fault> {
        self.readers.close().await;
        self.writer.close().await
    }
}

/// Runs what may wait for the disk or for another process.
async fn opening(
    open: impl FnOnce() -> Result<SqliteStore, StoreError> + Send + 'static,
) -> Result<SqliteStore, StoreError> {
    let attempt = "open the store";
    // Only a runtime that ends gives up what was begun.
    tokio::task::spawn_blocking(open).await.unwrap_or(Err(StoreError::Closed { attempt }))
}

fn connect_to_write(path: &Path) -> Result<Connection, Fault> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // What a savepoint may have to undo; it would go to a file of its own, made and deleted for
    // many a transaction.
    connection.pragma_update(None, "temp_store", "memory")?;
    Ok(connection)
}

fn connect_to_read(path: &Path, count: usize) -> Result<Vec<Connection>, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connections = (0..count).map(|_| connect(path, flags));
    connections.collect::<Result<_, _>>().map_err(|fault| cannot_open(path, fault))
}

/// A connection is used by one thread at a time; SQLite need not see to that.
fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Fault> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // Else a statement whose plan might depend on a value, such as that of its LIMIT, is made again
    // whenever the value is bound; that takes longer than it runs.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

fn cannot_open(path: &Path, cause: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Open { path: path.display().to_string().into(), source: cause.into() }
}

/// A list as the text of a JSON array, of which SQL makes rows.
fn json<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
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
        attempt!("read a case", self.read_case(case_id, None))
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
        attempt!("look at the store", self.look())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        attempt!("close the store", self.shut())
    }
}

#[cfg(test)]
mod tests;
