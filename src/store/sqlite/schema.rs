//! The schema, version by version.
//!
//! A migration that was released is never edited: the store knows it by its checksum.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlitePool};

use crate::store::StoreError;

/// Version, what it does, SQL. The versions rise.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "cases and assertions", include_str!("migrations/0001_cases_and_assertions.sql")),
    (3, "case life", include_str!("migrations/0003_case_life.sql")),
];

/// Applies what the file lacks, each version in a transaction of its own.
pub(super) async fn bring_up_to_date(writer: &SqlitePool) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    let migrations = MIGRATIONS.iter().map(|(version, title, sql)| {
        Migration::new(*version, (*title).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
        .run(writer)
        .await
        .map_err(|cause| StoreError::migrating(known, cause))
}
