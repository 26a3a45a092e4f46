//! From columns to values and back.
//!
//! A value that cannot be read is an error that names its column, never the value.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::FromSql;

use crate::store::error::Fault;
use crate::store::{CaseId, CaseState, ContentDigest, PolicyEdition};
use crate::terms::Day;

/// A fault for a column whose value is not what it should be. The cause is dropped: its text may
/// hold the value.
pub(super) fn unreadable<E>(column: &'static str) -> impl FnOnce(E) -> Fault {
    move |_| Fault::Unreadable(format!("`{column}` holds another form").into())
}

/// A value as SQLite keeps it.
pub(super) fn value<T: FromSql>(row: &Row<'_>, column: &'static str) -> Result<T, Fault> {
    row.get(column).map_err(unreadable(column))
}

pub(super) fn text(row: &Row<'_>, column: &'static str) -> Result<String, Fault> {
    value(row, column)
}

pub(super) fn maybe_text(row: &Row<'_>, column: &'static str) -> Result<Option<String>, Fault> {
    value(row, column)
}

pub(super) fn number(row: &Row<'_>, column: &'static str) -> Result<u32, Fault> {
    value(row, column)
}

/// How many; SQLite's numbers have a sign.
pub(super) fn count(row: &Row<'_>, column: &'static str) -> Result<u64, Fault> {
    u64::try_from(value::<i64>(row, column)?).map_err(unreadable(column))
}

pub(super) fn timestamp(row: &Row<'_>, column: &'static str) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(value(row, column)?).map_err(unreadable(column))
}

pub(super) fn maybe_timestamp(
    row: &Row<'_>,
    column: &'static str,
) -> Result<Option<Timestamp>, Fault> {
    let ms: Option<i64> = value(row, column)?;
    ms.map(|ms| Timestamp::from_millisecond(ms).map_err(unreadable(column))).transpose()
}

pub(super) fn day(row: &Row<'_>, column: &'static str) -> Result<Day, Fault> {
    text(row, column)?.parse().map_err(unreadable(column))
}

pub(super) fn maybe_day(row: &Row<'_>, column: &'static str) -> Result<Option<Day>, Fault> {
    let text = maybe_text(row, column)?;
    text.map(|text| text.parse().map_err(unreadable(column))).transpose()
}

pub(super) fn case_id(row: &Row<'_>) -> Result<CaseId, Fault> {
    CaseId::parse(&text(row, "case_id")?).map_err(unreadable("case_id"))
}

pub(super) fn digest(row: &Row<'_>) -> Result<ContentDigest, Fault> {
    ContentDigest::parse(&text(row, "content_digest")?).map_err(unreadable("content_digest"))
}

pub(super) fn state(row: &Row<'_>) -> Result<CaseState, Fault> {
    CaseState::parse(&text(row, "state")?).ok_or(()).map_err(unreadable("state"))
}

/// The columns `policy_id` and `policy_edition`, which are there or not together.
pub(super) fn policy(row: &Row<'_>) -> Result<Option<PolicyEdition>, Fault> {
    match maybe_text(row, "policy_id")? {
        None => Ok(None),
        Some(policy_id) => {
            Ok(Some(PolicyEdition { policy_id, edition: day(row, "policy_edition")? }))
        }
    }
}

/// What to write in the columns `policy_id` and `policy_edition`.
pub(super) fn policy_columns(policy: Option<&PolicyEdition>) -> (Option<&str>, Option<String>) {
    match policy {
        None => (None, None),
        Some(policy) => (Some(&policy.policy_id), Some(policy.edition.to_string())),
    }
}
