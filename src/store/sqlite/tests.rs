//! The contract on SQLite, and what only a file can show.

use std::sync::Arc;

use rusqlite::StatementStatus;
use tempfile::TempDir;

use super::statement::execute;
use super::*;
use crate::store::contract::{approved, case_id, outbox_contract, store_contract, submission};

async fn open_empty() -> (TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    (folder, Arc::new(store))
}

store_contract!(open_empty);

async fn open_outbox() -> (TempDir, Arc<SqliteStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    (folder, Arc::new(store))
}

outbox_contract!(open_outbox);

/// Runs SQL on a file on a connection of its own.
fn run_sql(folder: &Path, sql: &str) -> rusqlite::Result<usize> {
    Connection::open(folder.join(FILE_NAME))?.execute(sql, [])
}

fn counted(connection: &Connection, sql: &str) -> Result<i64, Fault> {
    one(connection, sql, [], |row| Ok(row.get(0)?))
}

async fn count(store: &SqliteStore, sql: &'static str) -> i64 {
    store.readers.run(|connection| counted(connection, sql)).await.unwrap()
}

#[tokio::test]
async fn a_statement_that_is_kept_is_not_made_again_for_other_values() {
    fn made_again(connection: &Connection) -> Result<i32, Fault> {
        let sql = "SELECT case_id FROM prior_auth_case WHERE member_id = ?1 LIMIT ?2";
        for (member, limit) in [("m-1", 1_i64), ("m-2", 2), ("m-3", 3)] {
            statement::all(connection, sql, (member, limit), row::case_id)?;
        }
        Ok(connection.prepare_cached(sql)?.get_status(StatementStatus::RePrepare))
    }
    let (folder, store) = open_outbox().await;
    assert_eq!(store.readers.run(made_again).await.unwrap(), 0);
    let plain = Connection::open(folder.path().join(FILE_NAME)).unwrap();
    assert!(made_again(&plain).unwrap() > 0, "this statement is never made again");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let (folder, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    store.reserve_numbers(NumberSeries::Authorization, 5).await.unwrap();
    // The files as a kill leaves them: nothing closed, the log not yet written back.
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), killed.path().join(file.file_name())).unwrap();
    }

    let reopened = SqliteStore::open(killed.path()).await.unwrap();
    assert!(reopened.case(&case_id("first")).await.unwrap().is_some());
    assert!(reopened.find_repeat(&submission("second", 'a', 1).key).await.unwrap().is_some());
    assert_eq!(reopened.reserve_numbers(NumberSeries::Authorization, 1).await.unwrap(), 6..7);
}

#[tokio::test]
async fn a_closed_file_needs_no_journal_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    store.close().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let reopened = SqliteStore::open(folder.path()).await.unwrap();
    assert!(reopened.case(&case_id("first")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::open(folder.path()).await.unwrap().close().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum,
                 execution_time) VALUES (999, 'of tomorrow', TRUE, x'00', 0)";
    run_sql(folder.path(), newer).unwrap();

    let error = SqliteStore::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 999, known: 6 }), "{error:?}");
    assert!(error.to_string().contains("schema version 999"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "this is a letter, not a database. ".repeat(100);
    std::fs::write(folder.path().join(FILE_NAME), &text).unwrap();
    let error = SqliteStore::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join(FILE_NAME)).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_store_one_case_of_identical_submissions() {
    let folder = tempfile::tempdir().unwrap();
    let one = SqliteStore::open(folder.path()).await.unwrap();
    let other = SqliteStore::open(folder.path()).await.unwrap();
    for round in 0..20_u32 {
        let content = char::from_digit(round % 16, 16).unwrap();
        let ms = i64::from(round / 16) * 1_000_000_000;
        let mine = submission(&format!("one-{round}"), content, ms);
        let theirs = submission(&format!("other-{round}"), content, ms);
        let (mine, theirs) =
            tokio::join!(one.save_submission(&mine), other.save_submission(&theirs));
        let stored = [mine.unwrap(), theirs.unwrap()];
        assert_eq!(stored.iter().filter(|saved| **saved == Saved::Stored).count(), 1);
    }
    assert_eq!(count(&one, "SELECT count(*) FROM prior_auth_case").await, 20);
}

#[tokio::test]
async fn a_refused_submission_leaves_no_row_in_any_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let mut record = submission("first", 'a', 0);
    let again = record.answer.lines[0].clone();
    record.answer.lines.push(again);
    store.save_submission(&record).await.unwrap_err();
    let rows = "SELECT (SELECT count(*) FROM prior_auth_case) + (SELECT count(*) FROM submission)
                + (SELECT count(*) FROM answer) + (SELECT count(*) FROM answer_line)
                + (SELECT count(*) FROM issued_number) + (SELECT count(*) FROM audit)";
    assert_eq!(count(&store, rows).await, 0);
    record.answer.lines.truncate(1);
    store.save_submission(&record).await.unwrap();
    // Case, submission, answer, line and audit row.
    assert_eq!(count(&store, rows).await, 5);
}

#[tokio::test]
async fn a_dropped_future_leaves_everything_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    for round in 0..30_u32 {
        let mut record = submission(&format!("case-{round}"), 'a', 0);
        record.key.repeat_window = Duration::ZERO;
        let patience = Duration::from_micros(u64::from(round) * 60);
        let _ = tokio::time::timeout(patience, store.save_submission(&record)).await;
    }
    // A write that follows waits for what the dropped ones left to be undone.
    store.reserve_numbers(NumberSeries::Reference, 1).await.unwrap();
    let cases = count(&store, "SELECT count(*) FROM prior_auth_case").await;
    for rows in [
        count(&store, "SELECT count(*) FROM submission").await,
        count(&store, "SELECT count(*) FROM answer_line").await,
        count(&store, "SELECT count(*) FROM audit").await,
    ] {
        assert_eq!(rows, cases);
    }
}

#[tokio::test]
async fn jobs_that_wait_share_a_commit_and_one_that_fails_is_undone_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel::<()>();
    let holding = Arc::clone(&store);
    let held = tokio::spawn(async move {
        let job = move |_: &_| Ok(begun.send(()).is_ok() && wait.recv().is_ok());
        holding.writer.run(job).await
    });
    begins.await.unwrap();
    // The first job is alone in its transaction; those that come meanwhile wait together.
    let mut jobs = Vec::new();
    for number in 0..20_u32 {
        let mut record = submission(&format!("case-{number}"), 'a', 0);
        record.key.repeat_window = Duration::ZERO;
        if number % 5 == 1 {
            record.answer.lines[0].trace = "{".into();
        }
        let store = Arc::clone(&store);
        jobs.push(tokio::spawn(async move { store.save_submission(&record).await }));
        tokio::task::yield_now().await;
    }
    // Whoever reads while the last job runs sees none of those before it.
    let (reader, file) = (Arc::clone(&store), folder.path().join(FILE_NAME));
    let job = move |_: &_| {
        let apart = Connection::open(file)?;
        counted(&apart, "SELECT count(*) FROM prior_auth_case")
    };
    let last = tokio::spawn(async move { reader.writer.run(job).await });
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    assert!(held.await.unwrap().unwrap());
    for (number, job) in jobs.into_iter().enumerate() {
        let saved = job.await.unwrap();
        assert_eq!(saved.is_ok(), number % 5 != 1, "{number}: {saved:?}");
    }
    assert_eq!(last.await.unwrap().unwrap(), 0);
    assert_eq!(count(&store, "SELECT count(*) FROM prior_auth_case").await, 16);
    assert_eq!(count(&store, "SELECT count(*) FROM audit").await, 16);
}

#[tokio::test]
async fn a_caller_that_went_away_leaves_a_job_that_ends_before_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let record = submission("first", 'a', 0);
    let mut saving = store.save_submission(&record);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(saving.as_mut().poll(&mut context).is_pending());
    drop(saving);
    store.close().await.unwrap();
    let reopened = SqliteStore::open(folder.path()).await.unwrap();
    assert!(reopened.case(&case_id("first")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_approval_that_another_one_came_before_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let one = SqliteStore::open(folder.path()).await.unwrap();
    let other = SqliteStore::open(folder.path()).await.unwrap();
    let seen = one.payer_facts("M-100", &[]).await.unwrap().approvals;
    let approval = |case: &str, content: char| {
        let mut record = submission(case, content, 0);
        record.answer.lines = vec![approved(1, case)];
        record.judged_after = Some(seen);
        record
    };
    assert_eq!(one.save_submission(&approval("first", 'a')).await.unwrap(), Saved::Stored);
    let late = approval("second", 'b');
    assert_eq!(other.save_submission(&late).await.unwrap(), Saved::JudgedTooEarly);
    assert_eq!(other.case(&case_id("second")).await.unwrap(), None);
    // Another member's approval is none of this one's, and what is judged again is stored.
    let mut stranger = approval("third", 'c');
    stranger.member_id = "M-200".into();
    assert_eq!(other.save_submission(&stranger).await.unwrap(), Saved::Stored);
    let now = other.payer_facts("M-100", &[]).await.unwrap().approvals;
    let again = SubmissionRecord { judged_after: Some(now), ..late };
    assert_eq!(other.save_submission(&again).await.unwrap(), Saved::Stored);
}

#[tokio::test]
async fn bodies_that_an_older_release_stored_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    run_sql(folder.path(), "UPDATE submission SET body = 'as it was', body_packed = NULL").unwrap();
    let file = store.case(&case_id("first")).await.unwrap().unwrap();
    assert_eq!(file.submission.body, "as it was");
    let received = store.received_requests(None, 9).await.unwrap();
    assert_eq!(received[0].body, "as it was");
    run_sql(folder.path(), "UPDATE submission SET body_packed = x'ffffffff00'").unwrap();
    let error = store.case(&case_id("first")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn the_audit_cannot_be_changed_or_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    store.close().await.unwrap();
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let error = run_sql(folder.path(), sql).unwrap_err();
        assert!(error.to_string().contains("the audit is only added to"), "{error}");
    }
}

#[tokio::test]
async fn commits_are_synced_and_readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let asking = |connection: &Connection| {
        let mode: String = one(connection, "PRAGMA journal_mode", [], |row| Ok(row.get(0)?))?;
        let (synced, keys) = ("PRAGMA synchronous", "PRAGMA foreign_keys");
        Ok((mode, counted(connection, synced)?, counted(connection, keys)?))
    };
    let (mode, synced, keys) = store.writer.run(asking).await.unwrap();
    assert_eq!((mode.as_str(), synced, keys), ("wal", 2, 1));
    let writing = |connection: &_| execute(connection, "DELETE FROM number_series", []);
    let write = store.readers.run(writing).await;
    assert!(write.is_err(), "{write:?}");
}

#[tokio::test]
async fn an_error_holds_no_value_of_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let mut record = submission("first", 'a', 0);
    record.member_id = "M-SECRET".into();
    record.answer.lines[0].trace = "{ secret".into();
    let error = store.save_submission(&record).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    for text in [error.to_string(), source.to_string(), format!("{error:?}")] {
        assert!(!text.to_lowercase().contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn an_unreadable_value_is_named_by_its_column_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    run_sql(folder.path(), "UPDATE answer_line SET policy_edition = 'secret'").unwrap();
    let error = store.case(&case_id("first")).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(matches!(error, StoreError::Unreadable { .. }), "{text}");
    assert!(text.contains("policy_edition") && !text.contains("secret"), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_created_only_its_user_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let store = SqliteStore::open(&folder).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn opened_to_read_nothing_is_written_while_another_serves() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!SqliteStore::is_in(folder.path()));
    let missing = SqliteStore::open_to_read(folder.path()).await.unwrap_err();
    assert!(matches!(missing, StoreError::Open { .. }), "{missing}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let serving = SqliteStore::open(folder.path()).await.unwrap();
    let reading = SqliteStore::open_to_read(folder.path()).await.unwrap();
    serving.save_submission(&submission("first", 'a', 0)).await.unwrap();
    assert_eq!(reading.received_requests(None, 9).await.unwrap().len(), 1);
    let refused = reading.save_submission(&submission("second", 'b', 0)).await;
    assert!(refused.is_err(), "{refused:?}");
    serving.close().await.unwrap();

    // Nobody has it open any more: it is still there to read, and as it was.
    assert!(SqliteStore::is_in(folder.path()));
    let again = SqliteStore::open_to_read(folder.path()).await.unwrap();
    assert_eq!(again.received_requests(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_panics_fails_alone_and_the_next_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let panicking = |connection: &_| {
        execute(connection, "UPDATE number_series SET next_number = 99", [])?;
        panic!("a job that panics")
    };
    let failed = store.writer.run::<()>(panicking).await.unwrap_err();
    assert!(matches!(failed, Fault::Failed(_)), "{failed:?}");
    assert_eq!(store.reserve_numbers(NumberSeries::Reference, 1).await.unwrap(), 1..2);
    for _ in 0..=READERS {
        let failed = store.readers.run::<()>(|_| panic!("a read that panics")).await.unwrap_err();
        assert!(matches!(failed, Fault::Failed(_)), "{failed:?}");
    }
    store.ready().await.unwrap();
}

/// Panics where nobody expects it: when what a job came to is thrown away.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::current().name() != Some("store-writer"), "a bomb");
    }
}

#[tokio::test]
async fn a_store_whose_writer_is_gone_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.ready().await.unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut waiting = Box::pin(store.writer.run(move |_| Ok(wait.recv().map(|()| Bomb))));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    // Nobody is there to take it, so that it goes off where it was made.
    drop(waiting);
    go.send(()).unwrap();
    let written = store.reserve_numbers(NumberSeries::Reference, 1).await;
    assert!(matches!(written, Err(StoreError::Closed { .. })), "{written:?}");
    // The thread may still be on its way out.
    let gone = async {
        while store.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
        store.ready().await
    };
    let ready = tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    assert!(matches!(ready, Err(StoreError::Closed { .. })), "{ready:?}");
}

#[tokio::test]
async fn numbers_are_reserved_on_disk_before_they_are_used_and_few_are_left_unused() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [
        SqliteStore::open(folder.path()).await.unwrap(),
        SqliteStore::open(folder.path()).await.unwrap(),
    ];
    let mut taken = std::collections::HashSet::new();
    for round in 0..300_i64 {
        let store = &stores[usize::try_from(round % 2).unwrap()];
        let number = store.reserve_numbers(NumberSeries::Reference, 1).await.unwrap().start;
        assert!(taken.insert(number), "{number} was handed out twice");
        let next = "SELECT next_number FROM number_series WHERE series = 'reference'";
        let next = count(store, next).await;
        assert!(i64::try_from(number).unwrap() < next, "{number} is not reserved");
        // Each of the two has at most as many left as it had used, and never more than a block.
        let unused = next - 1 - (round + 1);
        assert!(unused <= (round + 1).min(2 * 63), "{unused} unused after {}", round + 1);
    }
}
