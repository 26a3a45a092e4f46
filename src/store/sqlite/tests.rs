//! The contract on SQLite, and what only a file can show.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::store::contract::{case_id, outbox_contract, store_contract, submission};

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

/// Runs SQL on a file that no store has open for writing at the moment.
async fn run_sql(folder: &Path, sql: &'static str) -> Result<u64, sqlx::Error> {
    use sqlx::Connection as _;
    let options = SqliteConnectOptions::new().filename(folder.join(FILE_NAME));
    let mut connection = options.connect().await?;
    let done = sqlx::query(sql).execute(&mut connection).await?;
    connection.close().await?;
    Ok(done.rows_affected())
}

async fn count(store: &SqliteStore, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&store.readers).await.unwrap()
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
    run_sql(folder.path(), newer).await.unwrap();

    let error = SqliteStore::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 999, known: 4 }), "{error:?}");
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
async fn the_audit_cannot_be_changed_or_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    store.close().await.unwrap();
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let error = run_sql(folder.path(), sql).await.unwrap_err();
        assert!(error.to_string().contains("the audit is only added to"), "{error}");
    }
}

#[tokio::test]
async fn commits_are_synced_and_readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.writer).await.unwrap();
    let synced: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.writer).await.unwrap();
    let keys: i64 =
        sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&store.writer).await.unwrap();
    assert_eq!((mode.as_str(), synced, keys), ("wal", 2, 1));
    let write = sqlx::query("DELETE FROM number_series").execute(&store.readers).await;
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
    run_sql(folder.path(), "UPDATE answer_line SET policy_edition = 'secret'").await.unwrap();
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
