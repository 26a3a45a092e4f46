//! From columns to values and back.
//!
//! A value that cannot be read is an error that names its column, never the value.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::store::{CaseId, CaseState, ContentDigest, PolicyEdition};
use crate::terms::Day;

/// An error for a column whose value is not what it should be. The cause is dropped: its text may
/// hold the value.
pub(super) fn unreadable<E>(column: &'static str) -> impl FnOnce(E) -> sqlx::Error {
    move |_| sqlx::Error::Decode(format!("`{column}` holds another form").into())
}

pub(super) fn text(row: &SqliteRow, column: &'static str) -> sqlx::Result<String> {
    row.try_get(column)
}

pub(super) fn maybe_text(row: &SqliteRow, column: &'static str) -> sqlx::Result<Option<String>> {
    row.try_get(column)
}

pub(super) fn number(row: &SqliteRow, column: &'static str) -> sqlx::Result<u32> {
    let number: i64 = row.try_get(column)?;
    u32::try_from(number).map_err(unreadable(column))
}

pub(super) fn timestamp(row: &SqliteRow, column: &'static str) -> sqlx::Result<Timestamp> {
    Timestamp::from_millisecond(row.try_get(column)?).map_err(unreadable(column))
}

pub(super) fn maybe_timestamp(
    row: &SqliteRow,
    column: &'static str,
) -> sqlx::Result<Option<Timestamp>> {
    let ms: Option<i64> = row.try_get(column)?;
    ms.map(|ms| Timestamp::from_millisecond(ms).map_err(unreadable(column))).transpose()
}

pub(super) fn day(row: &SqliteRow, column: &'static str) -> sqlx::Result<Day> {
    text(row, column)?.parse().map_err(unreadable(column))
}

pub(super) fn maybe_day(row: &SqliteRow, column: &'static str) -> sqlx::Result<Option<Day>> {
    let text = maybe_text(row, column)?;
    text.map(|text| text.parse().map_err(unreadable(column))).transpose()
}

pub(super) fn case_id(row: &SqliteRow) -> sqlx::Result<CaseId> {
    CaseId::parse(&text(row, "case_id")?).map_err(unreadable("case_id"))
}

pub(super) fn digest(row: &SqliteRow) -> sqlx::Result<ContentDigest> {
    ContentDigest::parse(&text(row, "content_digest")?).map_err(unreadable("content_digest"))
}

pub(super) fn state(row: &SqliteRow) -> sqlx::Result<CaseState> {
    CaseState::parse(&text(row, "state")?).ok_or(()).map_err(unreadable("state"))
}

/// The columns `policy_id` and `policy_edition`, which are there or not together.
pub(super) fn policy(row: &SqliteRow) -> sqlx::Result<Option<PolicyEdition>> {
    match maybe_text(row, "policy_id")? {
        None => Ok(None),
        Some(policy_id) => {
            Ok(Some(PolicyEdition { policy_id, edition: day(row, "policy_edition")? }))
        }
    }
}

/// What to bind to the columns `policy_id` and `policy_edition`.
pub(super) fn policy_columns(policy: Option<&PolicyEdition>) -> (Option<&str>, Option<String>) {
    match policy {
        None => (None, None),
        Some(policy) => (Some(&policy.policy_id), Some(policy.edition.to_string())),
    }
}
