//! The schema, version by version.
//!
//! A migration that was released is never edited: the store knows it by its checksum.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqliteConnection, SqlitePool};

use crate::store::StoreError;

/// Version, what it does, SQL. The versions rise.
const MIGRATIONS: [(i64, &str, &str); 6] = [
    (1, "cases and assertions", include_str!("migrations/0001_cases_and_assertions.sql")),
    (2, "payer records", include_str!("migrations/0002_payer_records.sql")),
    (3, "case life", include_str!("migrations/0003_case_life.sql")),
    (4, "subscriptions", include_str!("migrations/0004_subscriptions.sql")),
    (5, "packed bodies", include_str!("migrations/0005_packed_bodies.sql")),
    (6, "assertions and cards", include_str!("migrations/0006_assertions_and_cards.sql")),
];

/// The newest version that this release knows.
fn known() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

/// Says whether the file has the version that this release reads, and changes nothing.
pub(super) async fn expect_up_to_date(reader: &SqlitePool) -> Result<(), StoreError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(reader)
            .await
            .map_err(|cause| StoreError::attempting("read the store's schema version", cause))?;
    let (found, known) = (found.unwrap_or(0), known());
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::NewerSchema { found, known }),
        std::cmp::Ordering::Less => Err(StoreError::OlderSchema { found, known }),
    }
}

/// Applies what the file lacks, each version in a transaction of its own.
pub(super) async fn bring_up_to_date(writer: &mut SqliteConnection) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.iter().map(|(version, title, sql)| {
        Migration::new(*version, (*title).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
        .run(writer)
        .await
        .map_err(|cause| StoreError::migrating(known(), cause))
}
