//! Statements, each prepared once for a connection and kept.

use rusqlite::{Connection, Params, Row};

use crate::store::error::Fault;

/// Changes rows; how many.
pub(super) fn execute(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<usize, Fault> {
    Ok(connection.prepare_cached(sql)?.execute(values)?)
}

/// Every row that is found.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    connection.prepare_cached(sql)?.query_and_then(values, read)?.collect()
}

/// The first row, if one is found.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(read).transpose()
}

/// The first row, which has to be there.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    first(connection, sql, values, read)?
        .ok_or_else(|| Fault::Failed("a row that has to be there is not".into()))
}
