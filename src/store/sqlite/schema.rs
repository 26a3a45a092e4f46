//! The schema, version by version.
//!
//! A migration that was released is never edited: the store knows it by its checksum.

use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest, Sha384};

use super::statement::{all, execute, one};
use crate::store::StoreError;
use crate::store::error::Fault;

/// Version, what it does, SQL. The versions rise.
const MIGRATIONS: [(i64, &str, &str); 6] = [
    (1, "cases and assertions", include_str!("migrations/0001_cases_and_assertions.sql")),
    (2, "payer records", include_str!("migrations/0002_payer_records.sql")),
    (3, "case life", include_str!("migrations/0003_case_life.sql")),
    (4, "subscriptions", include_str!("migrations/0004_subscriptions.sql")),
    (5, "packed bodies", include_str!("migrations/0005_packed_bodies.sql")),
    (6, "assertions and cards", include_str!("migrations/0006_assertions_and_cards.sql")),
];

/// What was applied. Its name and columns are those of sqlx, which earlier releases used, so that
/// they read the files of this one and the other way round.
const APPLIED: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// The newest version that this release knows.
fn known() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Says whether the file has the version that this release reads, and changes nothing.
pub(super) fn expect_up_to_date(reader: &Connection) -> Result<(), StoreError> {
    let newest = "SELECT max(version) FROM _sqlx_migrations WHERE success";
    let found: Option<i64> = one(reader, newest, [], |row| Ok(row.get(0)?))
        .map_err(|cause| StoreError::attempting("read the store's schema version", cause))?;
    let (found, known) = (found.unwrap_or(0), known());
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::NewerSchema { found, known }),
        std::cmp::Ordering::Less => Err(StoreError::OlderSchema { found, known }),
    }
}

/// Applies what the file lacks, each version in a transaction of its own.
///
/// Of two processes that begin at once, one waits and finds the work done.
pub(super) fn bring_up_to_date(writer: &mut Connection) -> Result<(), StoreError> {
    let failed = |cause: Fault| StoreError::Migrate { source: cause.into() };
    loop {
        let step = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failed(error.into()))?;
        execute(&step, APPLIED, []).map_err(failed)?;
        let Some(missing) = next_missing(&step)? else { return Ok(()) };
        apply(&step, missing).map_err(failed)?;
        step.commit().map_err(|error| failed(error.into()))?;
    }
}

/// The first migration that the file lacks, unless what it has is not ours.
fn next_missing(file: &Connection) -> Result<Option<usize>, StoreError> {
    let listed = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
    let applied: Vec<(i64, Vec<u8>, bool)> =
        all(file, listed, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .map_err(|cause| StoreError::Migrate { source: cause.into() })?;
    let strange = |why: &str| {
        let why = Fault::Failed(why.into());
        StoreError::Migrate { source: why.into() }
    };
    for (found, checksum, succeeded) in &applied {
        let ours = MIGRATIONS.iter().find(|(version, ..)| version == found);
        match ours {
            None if *found > known() => {
                return Err(StoreError::NewerSchema { found: *found, known: known() });
            }
            None => return Err(strange("a version of the schema is not one of this service")),
            Some(_) if !succeeded => return Err(strange("a version was applied only in part")),
            Some((.., sql)) if **checksum != *Sha384::digest(sql) => {
                return Err(strange("a version of the schema has another text"));
            }
            Some(_) => {}
        }
    }
    let is_missing = |(version, ..): &(i64, &str, &str)| applied.iter().all(|it| it.0 != *version);
    Ok(MIGRATIONS.iter().position(is_missing))
}

fn apply(file: &Connection, place: usize) -> Result<(), Fault> {
    let Some((version, title, sql)) = MIGRATIONS.get(place) else { return Ok(()) };
    file.execute_batch(sql)?;
    execute(
        file,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (?1, ?2, TRUE, ?3, 0)",
        params![version, title, &*Sha384::digest(sql)],
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksums that files of earlier releases hold, by `sha384sum`: the first bytes.
    const RELEASED: [&str; 5] = [
        "588116337300a6fd",
        "40fd268427723681",
        "66fdf90aff27a1c2",
        "fe7c52b2d18397ab",
        "b2de2be10a60b524",
    ];

    fn versions(file: &Connection) -> Vec<i64> {
        let listed = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
        all(file, listed, [], |row| Ok(row.get(0)?)).unwrap()
    }

    /// A file with the first so many versions.
    fn file_of(applied: usize) -> Connection {
        let file = Connection::open_in_memory().unwrap();
        execute(&file, APPLIED, []).unwrap();
        (0..applied).try_for_each(|place| apply(&file, place)).unwrap();
        file
    }

    #[test]
    fn a_released_migration_has_the_checksum_that_files_hold() {
        let file = file_of(RELEASED.len());
        let listed = "SELECT lower(hex(checksum)) FROM _sqlx_migrations ORDER BY version";
        let found: Vec<String> = all(&file, listed, [], |row| Ok(row.get(0)?)).unwrap();
        for (found, released) in found.iter().zip(RELEASED) {
            assert_eq!((found.len(), &found[..16]), (96, released));
        }
    }

    #[test]
    fn a_file_of_each_older_version_is_brought_up_to_date() {
        for applied in 0..=MIGRATIONS.len() {
            let mut file = file_of(applied);
            bring_up_to_date(&mut file).unwrap();
            assert_eq!(versions(&file), (1..=known()).collect::<Vec<_>>());
            expect_up_to_date(&file).unwrap();
            bring_up_to_date(&mut file).unwrap();
        }
        let older = expect_up_to_date(&file_of(MIGRATIONS.len() - 1)).unwrap_err();
        assert!(matches!(older, StoreError::OlderSchema { .. }), "{older:?}");
    }

    #[test]
    fn a_version_that_is_not_ours_stops_the_start_and_changes_nothing() {
        for strange in [
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2",
            "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2",
            "UPDATE _sqlx_migrations SET version = -2 WHERE version = 2",
        ] {
            let mut file = file_of(2);
            execute(&file, strange, []).unwrap();
            let before = versions(&file);
            let error = bring_up_to_date(&mut file).unwrap_err();
            assert!(matches!(error, StoreError::Migrate { .. }), "{error:?}");
            assert_eq!(versions(&file), before, "{strange}");
        }
    }

    #[test]
    fn a_version_that_fails_leaves_the_file_as_it_was() {
        let mut file = file_of(1);
        execute(&file, "CREATE TABLE billed_claim (stands_in_the_way)", []).unwrap();
        let error = bring_up_to_date(&mut file).unwrap_err();
        assert!(matches!(error, StoreError::Migrate { .. }), "{error:?}");
        assert_eq!(versions(&file), [1]);
        let made = "SELECT name FROM sqlite_master WHERE name = 'payer_import'";
        assert_eq!(all(&file, made, [], |_| Ok(())).unwrap(), []);
    }
}
