//! With what decisions were made, and what is needed to make them again.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{SqliteStore, packed, row};
use crate::store::{CaseId, Inputs, Judgement, Snapshot};

/// A snapshot, packed.
pub(super) struct Held {
    digest: String,
    packed: Vec<u8>,
}

pub(super) fn pack_held(inputs: Option<&Inputs>) -> Option<Held> {
    let Snapshot { digest, text } = inputs?.held.as_ref()?;
    Some(Held { digest: digest.clone(), packed: packed::pack(text) })
}

pub(super) fn pack_fetched(texts: &[String]) -> Option<Vec<u8>> {
    let text = (!texts.is_empty()).then(|| serde_json::json!(texts).to_string());
    text.map(|text| packed::pack(&text))
}

/// Stores a snapshot; decisions share one with the same digest.
pub(super) async fn insert_snapshot(
    connection: &mut SqliteConnection,
    held: Option<&Held>,
) -> sqlx::Result<()> {
    let Some(Held { digest, packed }) = held else { return Ok(()) };
    sqlx::query(
        "INSERT INTO payer_snapshot (digest, held_packed) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )
    .bind(digest)
    .bind(packed)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Stores with what the answer to a submission was judged.
pub(super) async fn insert_of_answer(
    connection: &mut SqliteConnection,
    (case_id, answer_number): (&CaseId, u32),
    inputs: Option<&Inputs>,
    held: Option<&Held>,
) -> sqlx::Result<()> {
    let Some(inputs) = inputs else { return Ok(()) };
    insert_snapshot(connection, held).await?;
    sqlx::query(
        "INSERT INTO judged_with (case_id, answer_number, judged_on, rules, snapshot)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(case_id.as_str())
    .bind(answer_number)
    .bind(inputs.judged_on.to_string())
    .bind(&inputs.rules)
    .bind(inputs.held.as_ref().map(|held| held.digest.as_str()))
    .execute(connection)
    .await
    .map(|_| ())
}

impl SqliteStore {
    pub(super) async fn read_judgement(
        &self,
        assertion_id: &str,
    ) -> sqlx::Result<Option<Judgement>> {
        let row = sqlx::query(
            "SELECT hook_call.*, findings, held_packed
             FROM coverage_assertion JOIN hook_call USING (hook_call_id)
             LEFT JOIN payer_snapshot ON digest = snapshot
             WHERE assertion_id = ?1",
        )
        .bind(assertion_id)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let fetched = packed::maybe_text(&row, "fetched_packed")?;
        let fetched = fetched.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Some(Judgement {
            request: packed::text(&row, "request", "request_packed")?,
            fetched: fetched.map_err(row::unreadable("fetched_packed"))?.unwrap_or_default(),
            inputs: inputs_from(&row)?,
            given_at: row::timestamp(&row, "given_at_ms")?,
            findings: vec![row::text(&row, "findings")?],
        }))
    }

    /// All parts are read in one transaction, so that they belong together.
    pub(super) async fn read_judgements(&self, case_id: &CaseId) -> sqlx::Result<Vec<Judgement>> {
        let mut snapshot = self.readers.begin().await?;
        let rows = sqlx::query(
            "SELECT submission.*, judged_on, rules, snapshot, held_packed
             FROM submission LEFT JOIN judged_with USING (case_id, answer_number)
             LEFT JOIN payer_snapshot ON digest = snapshot
             WHERE case_id = ?1 ORDER BY submission_id",
        )
        .bind(case_id.as_str())
        .fetch_all(&mut *snapshot)
        .await?;
        let mut judgements = Vec::with_capacity(rows.len());
        for row in &rows {
            // A line that was not judged anew has the trace that it had before.
            let findings = sqlx::query_scalar(
                "SELECT trace FROM answer_line AS line
                 WHERE case_id = ?1 AND answer_number = ?2 AND NOT EXISTS (
                     SELECT 1 FROM answer_line AS before
                     WHERE before.case_id = line.case_id
                       AND before.answer_number = line.answer_number - 1
                       AND before.line_sequence = line.line_sequence
                       AND before.trace = line.trace)
                 ORDER BY line_sequence",
            )
            .bind(case_id.as_str())
            .bind(row::number(row, "answer_number")?)
            .fetch_all(&mut *snapshot)
            .await?;
            judgements.push(Judgement {
                request: packed::text(row, "body", "body_packed")?,
                fetched: Vec::new(),
                inputs: inputs_from(row)?,
                given_at: row::timestamp(row, "received_at_ms")?,
                findings,
            });
        }
        Ok(judgements)
    }
}

fn inputs_from(row: &SqliteRow) -> sqlx::Result<Option<Inputs>> {
    let Some(judged_on) = row::maybe_day(row, "judged_on")? else { return Ok(None) };
    let held = match (row::maybe_text(row, "snapshot")?, packed::maybe_text(row, "held_packed")?) {
        (Some(digest), Some(text)) => Some(Snapshot { digest, text }),
        (_, _) => None,
    };
    let rules = row.try_get::<Option<String>, _>("rules")?.unwrap_or_default();
    Ok(Some(Inputs { judged_on, rules, held }))
}
