//! What the payer knows itself: its imports, and what they hold for one decision.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::statement::{all, execute, first, one};
use super::{SqliteStore, cases, row};
use crate::store::error::Fault;
use crate::store::{
    BilledClaim, DirectoryEntry, Enrolment, ImportContent, ImportId, ImportRecord, PayerFacts,
};
use crate::terms::{Npi, When};

/// How many rows of one kind are read for one decision.
const MOST_ROWS: usize = 5_000;
/// How many records one step of tidying looks at.
const TIDIED_AT_ONCE: u32 = 500;

impl SqliteStore {
    pub(super) async fn insert_import(&self, begun_at: Timestamp) -> Result<ImportId, Fault> {
        let beginning = move |connection: &Connection| {
            let sql = "INSERT INTO payer_import (begun_at_ms, state) VALUES (?1, 'open')";
            execute(connection, sql, [begun_at.as_millisecond()])?;
            Ok(ImportId(connection.last_insert_rowid()))
        };
        self.writer.run(beginning).await
    }

    pub(super) async fn insert_records(
        &self,
        import: ImportId,
        records: &[ImportRecord],
    ) -> Result<Vec<usize>, Fault> {
        let records = records.to_vec();
        self.writer.run(move |connection| add_records(connection, import, &records)).await
    }

    pub(super) async fn complete_import(&self, import: ImportId) -> Result<(), Fault> {
        let completing = move |connection: &_| {
            one(
                connection,
                "UPDATE payer_import SET state = 'complete' WHERE import_id = ?1 AND state = 'open'
                 RETURNING import_id",
                [import.0],
                |_| Ok(()),
            )
        };
        self.writer.run(completing).await
    }

    pub(super) async fn tidy_a_little(&self) -> Result<bool, Fault> {
        self.writer.run(tidy).await
    }

    pub(super) async fn read_payer_facts(
        &self,
        member_id: &str,
        npis: &[Npi],
    ) -> Result<PayerFacts, Fault> {
        let (member_id, npis) = (member_id.to_owned(), npis.to_vec());
        self.readers.run(move |snapshot| payer_facts(snapshot, &member_id, &npis)).await
    }
}

fn add_records(
    connection: &Connection,
    import: ImportId,
    records: &[ImportRecord],
) -> Result<Vec<usize>, Fault> {
    let is_open = "SELECT 1 FROM payer_import WHERE import_id = ?1 AND state = 'open'";
    one(connection, is_open, [import.0], |_| Ok(()))?;
    let mut twice = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let added = execute(
            connection,
            "INSERT INTO payer_record (record_key, import_id) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
            params![record.key, import.0],
        )?;
        if added == 0 {
            twice.push(place);
        } else {
            insert_content(connection, import, record)?;
        }
    }
    Ok(twice)
}

/// Deletes a few of the records that do not count; whether there may be more.
fn tidy(connection: &Connection) -> Result<bool, Fault> {
    let abandoned = execute(
        connection,
        "DELETE FROM payer_record WHERE (record_key, import_id) IN (
             SELECT record_key, import_id FROM payer_record WHERE import_id IN
                 (SELECT import_id FROM payer_import WHERE state = 'open')
             LIMIT ?1)",
        [TIDIED_AT_ONCE],
    )?;
    if abandoned > 0 {
        return Ok(true);
    }
    execute(connection, "DELETE FROM payer_import WHERE state = 'open'", [])?;
    tidy_replaced(connection)
}

/// Deletes a few of the records that complete imports have replaced; whether there may be more.
fn tidy_replaced(connection: &Connection) -> Result<bool, Fault> {
    let import = first(
        connection,
        "SELECT import_id, tidied_to FROM payer_import WHERE state = 'complete'
         ORDER BY import_id LIMIT 1",
        [],
        |row| Ok((row::value::<i64>(row, "import_id")?, row::text(row, "tidied_to")?)),
    )?;
    let Some((import_id, from)) = import else { return Ok(false) };
    let to = one(
        connection,
        "SELECT max(record_key) AS last_key FROM (
             SELECT record_key FROM payer_record WHERE import_id = ?1 AND record_key > ?2
             ORDER BY record_key LIMIT ?3)",
        params![import_id, from, TIDIED_AT_ONCE],
        |row| row::maybe_text(row, "last_key"),
    )?;
    let Some(to) = to else {
        let sql = "UPDATE payer_import SET state = 'tidied' WHERE import_id = ?1";
        execute(connection, sql, [import_id])?;
        return Ok(true);
    };
    execute(
        connection,
        "DELETE FROM payer_record WHERE import_id < ?1 AND record_key IN
             (SELECT record_key FROM payer_record
              WHERE import_id = ?1 AND record_key > ?2 AND record_key <= ?3)",
        params![import_id, from, to],
    )?;
    let sql = "UPDATE payer_import SET tidied_to = ?2 WHERE import_id = ?1";
    execute(connection, sql, params![import_id, to])?;
    Ok(true)
}

fn insert_content(
    connection: &Connection,
    import: ImportId,
    record: &ImportRecord,
) -> Result<(), Fault> {
    match &record.content {
        ImportContent::Nothing => Ok(()),
        ImportContent::Enrolment { member_id, enrolment } => execute(
            connection,
            "INSERT INTO enrolment
                 (record_key, import_id, member_id, birth_date, line, valid_from, valid_to)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                record.key,
                import.0,
                member_id,
                enrolment.birth_date.map(|date| date.to_string()),
                enrolment.line,
                enrolment.valid_from.map(|day| day.to_string()),
                enrolment.valid_to.map(|day| day.to_string()),
            ],
        )
        .map(drop),
        ImportContent::Directory(entries) => {
            for (number, entry) in (1_i64..).zip(entries) {
                insert_directory_entry(connection, import, &record.key, number, entry)?;
            }
            Ok(())
        }
        ImportContent::Claim { member_id, claim } => execute(
            connection,
            "INSERT INTO billed_claim (record_key, import_id, member_id, name, resource)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![record.key, import.0, member_id, claim.name, claim.resource],
        )
        .map(drop),
    }
}

fn insert_directory_entry(
    connection: &Connection,
    import: ImportId,
    key: &str,
    number: i64,
    entry: &DirectoryEntry,
) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO directory_entry
             (record_key, import_id, entry_number, npi, code_system, code, valid_from, valid_to,
              name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            key,
            import.0,
            number,
            entry.npi.to_string(),
            entry.system,
            entry.code,
            entry.valid_from.map(|day| day.to_string()),
            entry.valid_to.map(|day| day.to_string()),
            entry.name,
        ],
    )
    .map(drop)
}

fn payer_facts(snapshot: &Connection, member_id: &str, npis: &[Npi]) -> Result<PayerFacts, Fault> {
    let mut facts = PayerFacts { has_roster: has_roster(snapshot)?, ..PayerFacts::default() };
    // Of a member who is not known nothing is held.
    if !member_id.is_empty() {
        facts.approvals = cases::approvals_of(snapshot, member_id)?;
        facts.authorizations = cases::authorizations_of(snapshot, member_id)?;
        facts.enrolments = enrolments_of(snapshot, member_id)?;
        facts.claims = claims_of(snapshot, member_id)?;
    }
    for npi in npis {
        facts.directory.extend(directory_of(snapshot, *npi)?);
    }
    facts.is_cut = facts.enrolments.len() > MOST_ROWS
        || facts.claims.len() > MOST_ROWS
        || facts.directory.len() > MOST_ROWS;
    Ok(facts)
}

/// One more than is read at most, so that it can be told whether there is more.
fn limit() -> i64 {
    i64::try_from(MOST_ROWS + 1).unwrap_or(i64::MAX)
}

// The tables are read by their own index first: of a million rows a few belong to one member.

fn has_roster(connection: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM payer_import CROSS JOIN enrolment USING (import_id)
               WHERE state <> 'open' LIMIT 1";
    Ok(first(connection, sql, [], |_| Ok(()))?.is_some())
}

fn enrolments_of(connection: &Connection, member_id: &str) -> Result<Vec<Enrolment>, Fault> {
    all(
        connection,
        "SELECT enrolment.*
         FROM enrolment CROSS JOIN held_record USING (record_key, import_id)
         WHERE member_id = ?1 ORDER BY record_key LIMIT ?2",
        params![member_id, limit()],
        enrolment_from,
    )
}

fn claims_of(connection: &Connection, member_id: &str) -> Result<Vec<BilledClaim>, Fault> {
    all(
        connection,
        "SELECT name, resource
         FROM billed_claim CROSS JOIN held_record USING (record_key, import_id)
         WHERE member_id = ?1 ORDER BY record_key LIMIT ?2",
        params![member_id, limit()],
        |row| {
            Ok(BilledClaim { name: row::text(row, "name")?, resource: row::text(row, "resource")? })
        },
    )
}

fn directory_of(connection: &Connection, npi: Npi) -> Result<Vec<DirectoryEntry>, Fault> {
    all(
        connection,
        "SELECT directory_entry.*
         FROM directory_entry CROSS JOIN held_record USING (record_key, import_id)
         WHERE npi = ?1 ORDER BY record_key, entry_number LIMIT ?2",
        params![npi.to_string(), limit()],
        |row| {
            Ok(DirectoryEntry {
                npi,
                name: row::maybe_text(row, "name")?,
                system: row::text(row, "code_system")?,
                code: row::text(row, "code")?,
                valid_from: row::maybe_day(row, "valid_from")?,
                valid_to: row::maybe_day(row, "valid_to")?,
            })
        },
    )
}

fn enrolment_from(row: &Row<'_>) -> Result<Enrolment, Fault> {
    let birth_date = row::maybe_text(row, "birth_date")?
        .map(|text| When::parse(&text).map_err(row::unreadable("birth_date")))
        .transpose()?;
    Ok(Enrolment {
        birth_date,
        line: row::maybe_text(row, "line")?,
        valid_from: row::maybe_day(row, "valid_from")?,
        valid_to: row::maybe_day(row, "valid_to")?,
    })
}
