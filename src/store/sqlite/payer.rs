//! What the payer knows itself: its imports, and what they hold for one decision.

use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, cases, row};
use crate::store::{
    BilledClaim, DirectoryEntry, Enrolment, ImportContent, ImportId, ImportRecord, PayerFacts,
};
use crate::terms::Npi;

/// How many rows of one kind are read for one decision.
const MOST_ROWS: usize = 5_000;
/// How many records one step of tidying looks at.
const TIDIED_AT_ONCE: u32 = 500;

impl SqliteStore {
    pub(super) async fn insert_import(&self, begun_at: Timestamp) -> sqlx::Result<ImportId> {
        let beginning = async move |connection: &mut SqliteConnection| {
            sqlx::query("INSERT INTO payer_import (begun_at_ms, state) VALUES (?1, 'open')")
                .bind(begun_at.as_millisecond())
                .execute(connection)
                .await
        };
        Ok(ImportId(self.writer.run(beginning).await?.last_insert_rowid()))
    }

    pub(super) async fn insert_records(
        &self,
        import: ImportId,
        records: &[ImportRecord],
    ) -> sqlx::Result<Vec<usize>> {
        let records = records.to_vec();
        let adding = async move |connection: &mut SqliteConnection| {
            add_records(connection, import, &records).await
        };
        self.writer.run(adding).await
    }

    pub(super) async fn complete_import(&self, import: ImportId) -> sqlx::Result<()> {
        let completing = async move |connection: &mut SqliteConnection| {
            sqlx::query(
                "UPDATE payer_import SET state = 'complete' WHERE import_id = ?1 AND state = 'open'
                 RETURNING import_id",
            )
            .bind(import.0)
            .fetch_one(connection)
            .await
            .map(|_| ())
        };
        self.writer.run(completing).await
    }

    pub(super) async fn tidy_a_little(&self) -> sqlx::Result<bool> {
        self.writer.run(tidy).await
    }

    /// All parts are read in one transaction, so that they belong together.
    pub(super) async fn read_payer_facts(
        &self,
        member_id: &str,
        npis: &[Npi],
    ) -> sqlx::Result<PayerFacts> {
        let mut snapshot = self.readers.begin().await?;
        let rows = sqlx::query(HELD_OF_MEMBER)
            .bind(member_id)
            .bind(limit())
            .fetch_all(&mut *snapshot)
            .await?;
        let mut facts = PayerFacts::default();
        for row in &rows {
            take_row(&mut facts, row)?;
        }
        for npi in npis {
            facts.directory.extend(directory(&mut snapshot, *npi).await?);
        }
        facts.is_cut = facts.enrolments.len() > MOST_ROWS
            || facts.claims.len() > MOST_ROWS
            || facts.directory.len() > MOST_ROWS;
        Ok(facts)
    }
}

async fn add_records(
    connection: &mut SqliteConnection,
    import: ImportId,
    records: &[ImportRecord],
) -> sqlx::Result<Vec<usize>> {
    sqlx::query("SELECT 1 FROM payer_import WHERE import_id = ?1 AND state = 'open'")
        .bind(import.0)
        .fetch_one(&mut *connection)
        .await?;
    let mut twice = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let done = sqlx::query(
            "INSERT INTO payer_record (record_key, import_id) VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )
        .bind(&record.key)
        .bind(import.0)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            twice.push(place);
        } else {
            insert_content(connection, import, record).await?;
        }
    }
    Ok(twice)
}

/// Deletes a few of the records that do not count; whether there may be more.
async fn tidy(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let abandoned = sqlx::query(
        "DELETE FROM payer_record WHERE (record_key, import_id) IN (
             SELECT record_key, import_id FROM payer_record WHERE import_id IN
                 (SELECT import_id FROM payer_import WHERE state = 'open')
             LIMIT ?1)",
    )
    .bind(TIDIED_AT_ONCE)
    .execute(&mut *connection)
    .await?;
    if abandoned.rows_affected() > 0 {
        return Ok(true);
    }
    sqlx::query("DELETE FROM payer_import WHERE state = 'open'").execute(&mut *connection).await?;
    tidy_replaced(connection).await
}

/// One more than is read at most, so that it can be told whether there is more.
fn limit() -> i64 {
    i64::try_from(MOST_ROWS + 1).unwrap_or(i64::MAX)
}

/// Deletes a few of the records that complete imports have replaced; whether there may be more.
async fn tidy_replaced(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let import = sqlx::query(
        "SELECT import_id, tidied_to FROM payer_import WHERE state = 'complete'
         ORDER BY import_id LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(import) = import else { return Ok(false) };
    let (import_id, from): (i64, String) =
        (sqlx::Row::try_get(&import, "import_id")?, row::text(&import, "tidied_to")?);
    let to: Option<String> = sqlx::query_scalar(
        "SELECT max(record_key) FROM (
             SELECT record_key FROM payer_record WHERE import_id = ?1 AND record_key > ?2
             ORDER BY record_key LIMIT ?3)",
    )
    .bind(import_id)
    .bind(&from)
    .bind(TIDIED_AT_ONCE)
    .fetch_one(&mut *connection)
    .await?;
    let Some(to) = to else {
        sqlx::query("UPDATE payer_import SET state = 'tidied' WHERE import_id = ?1")
            .bind(import_id)
            .execute(connection)
            .await?;
        return Ok(true);
    };
    sqlx::query(
        "DELETE FROM payer_record WHERE import_id < ?1 AND record_key IN
             (SELECT record_key FROM payer_record
              WHERE import_id = ?1 AND record_key > ?2 AND record_key <= ?3)",
    )
    .bind(import_id)
    .bind(&from)
    .bind(&to)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE payer_import SET tidied_to = ?2 WHERE import_id = ?1")
        .bind(import_id)
        .bind(&to)
        .execute(connection)
        .await?;
    Ok(true)
}

async fn insert_content(
    connection: &mut SqliteConnection,
    import: ImportId,
    record: &ImportRecord,
) -> sqlx::Result<()> {
    match &record.content {
        ImportContent::Nothing => Ok(()),
        ImportContent::Enrolment { member_id, enrolment } => sqlx::query(
            "INSERT INTO enrolment
                 (record_key, import_id, member_id, birth_date, line, valid_from, valid_to)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(&record.key)
        .bind(import.0)
        .bind(member_id)
        .bind(enrolment.birth_date.map(|date| date.to_string()))
        .bind(&enrolment.line)
        .bind(enrolment.valid_from.map(|day| day.to_string()))
        .bind(enrolment.valid_to.map(|day| day.to_string()))
        .execute(connection)
        .await
        .map(|_| ()),
        ImportContent::Directory(entries) => {
            for (number, entry) in (1_i64..).zip(entries) {
                insert_directory_entry(connection, import, &record.key, number, entry).await?;
            }
            Ok(())
        }
        ImportContent::Claim { member_id, claim } => sqlx::query(
            "INSERT INTO billed_claim (record_key, import_id, member_id, name, resource)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(&record.key)
        .bind(import.0)
        .bind(member_id)
        .bind(&claim.name)
        .bind(&claim.resource)
        .execute(connection)
        .await
        .map(|_| ()),
    }
}

async fn insert_directory_entry(
    connection: &mut SqliteConnection,
    import: ImportId,
    key: &str,
    number: i64,
    entry: &DirectoryEntry,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO directory_entry
             (record_key, import_id, entry_number, npi, code_system, code, valid_from, valid_to,
              name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(key)
    .bind(import.0)
    .bind(number)
    .bind(entry.npi.to_string())
    .bind(&entry.system)
    .bind(&entry.code)
    .bind(entry.valid_from.map(|day| day.to_string()))
    .bind(entry.valid_to.map(|day| day.to_string()))
    .bind(&entry.name)
    .execute(connection)
    .await
    .map(|_| ())
}

// The tables are read by their own index first: of a million rows a few belong to one member.

/// What is held of one member, `$1`, who may be nobody, in one step: each is a turn on the thread
/// that SQLite runs on. The column `part` says of what a row is one.
const HELD_OF_MEMBER: &str = "
    SELECT 'roster' AS part FROM payer_import CROSS JOIN enrolment USING (import_id)
    WHERE state <> 'open' LIMIT 1;

    SELECT 'approvals' AS part, approvals FROM member_approvals
    WHERE member_id = $1 AND $1 <> '';

    SELECT 'authorization' AS part, answer_line.*, client, content_digest
    FROM issued_number
    JOIN prior_auth_case ON prior_auth_case.case_id = issued_number.case_id
    JOIN answer_line ON answer_line.case_id = issued_number.case_id
                    AND answer_line.answer_number = prior_auth_case.current_answer
                    AND answer_line.authorization_number = issued_number.number
    JOIN submission ON submission.submission_id =
         (SELECT min(submission_id) FROM submission AS opening
          WHERE opening.case_id = issued_number.case_id)
    WHERE issued_number.member_id = $1 AND $1 <> '' AND issued_number.series = 'authorization'
    ORDER BY issue_id DESC, line_sequence LIMIT 50;

    SELECT 'enrolment' AS part, enrolment.*
    FROM enrolment CROSS JOIN held_record USING (record_key, import_id)
    WHERE member_id = $1 AND $1 <> '' ORDER BY record_key LIMIT $2;

    SELECT 'claim' AS part, name, resource
    FROM billed_claim CROSS JOIN held_record USING (record_key, import_id)
    WHERE member_id = $1 AND $1 <> '' ORDER BY record_key LIMIT $2;
";

fn take_row(facts: &mut PayerFacts, row: &SqliteRow) -> sqlx::Result<()> {
    match &*row::text(row, "part")? {
        "roster" => facts.has_roster = true,
        "approvals" => facts.approvals = cases::approvals_from(row)?,
        "authorization" => facts.authorizations.extend(cases::authorization_row_from(row)?),
        "enrolment" => facts.enrolments.push(enrolment_from(row)?),
        _ => facts.claims.push(BilledClaim {
            name: row::text(row, "name")?,
            resource: row::text(row, "resource")?,
        }),
    }
    Ok(())
}

async fn directory(
    connection: &mut SqliteConnection,
    npi: Npi,
) -> sqlx::Result<Vec<DirectoryEntry>> {
    let rows = sqlx::query(
        "SELECT directory_entry.*
         FROM directory_entry CROSS JOIN held_record USING (record_key, import_id)
         WHERE npi = ?1 ORDER BY record_key, entry_number LIMIT ?2",
    )
    .bind(npi.to_string())
    .bind(limit())
    .fetch_all(connection)
    .await?;
    let entry = |row: &SqliteRow| {
        Ok(DirectoryEntry {
            npi,
            name: row::maybe_text(row, "name")?,
            system: row::text(row, "code_system")?,
            code: row::text(row, "code")?,
            valid_from: row::maybe_day(row, "valid_from")?,
            valid_to: row::maybe_day(row, "valid_to")?,
        })
    };
    rows.iter().map(entry).collect()
}

fn enrolment_from(row: &SqliteRow) -> sqlx::Result<Enrolment> {
    let birth_date = row::maybe_text(row, "birth_date")?
        .map(|text| crate::terms::When::parse(&text).map_err(row::unreadable("birth_date")))
        .transpose()?;
    Ok(Enrolment {
        birth_date,
        line: row::maybe_text(row, "line")?,
        valid_from: row::maybe_day(row, "valid_from")?,
        valid_to: row::maybe_day(row, "valid_to")?,
    })
}
