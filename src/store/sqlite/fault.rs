//! What SQLite's failures mean, without any value that they may name.

use rusqlite::ErrorCode;
use rusqlite::ffi::{self, SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_FOREIGNKEY};
use rusqlite::ffi::{SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_PRIMARYKEY};
use rusqlite::ffi::{SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE};

use crate::store::error::Fault;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        use rusqlite::Error;
        match error {
            // SQLite's own texts name tables, columns and rules.
            Error::SqliteFailure(code, said) => of_code(code, said.as_deref()),
            Error::InvalidColumnType(_, name, _) | Error::InvalidColumnName(name) => {
                Fault::Unreadable(format!("`{name}` holds another form").into())
            }
            // The texts of these may hold the value.
            Error::FromSqlConversionFailure(column, ..)
            | Error::IntegralValueOutOfRange(column, _)
            | Error::Utf8Error(column, _) => {
                Fault::Unreadable(format!("column {column} holds another form").into())
            }
            Error::ToSqlConversionFailure(_) => Fault::Failed("a value does not fit".into()),
            // `rusqlite::Error` may grow; what is left speaks of statements and not of rows.
            other => Fault::Failed(other.to_string().into()),
        }
    }
}

fn of_code(code: ffi::Error, said: Option<&str>) -> Fault {
    let text = format!("{} (SQLite code {})", said.unwrap_or("it failed"), code.extended_code);
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Fault::Busy,
        ErrorCode::ConstraintViolation if is_rule(code.extended_code) => Fault::Rule(text.into()),
        _ => Fault::Failed(text.into()),
    }
}

/// Rules of the schema; others, such as those of triggers, are faults of ours.
fn is_rule(extended_code: i32) -> bool {
    matches!(
        extended_code,
        SQLITE_CONSTRAINT_CHECK
            | SQLITE_CONSTRAINT_FOREIGNKEY
            | SQLITE_CONSTRAINT_NOTNULL
            | SQLITE_CONSTRAINT_PRIMARYKEY
            | SQLITE_CONSTRAINT_ROWID
            | SQLITE_CONSTRAINT_UNIQUE
    )
}

/// What a panic comes to: its thread goes on.
pub(super) fn caught<T>(job: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err(Fault::Failed("a job of the store panicked".into())))
}
