//! With what decisions were made, and what is needed to make them again.

use rusqlite::{Connection, Row, params};

use super::statement::{all, execute, first};
use super::{SqliteStore, packed, row};
use crate::store::error::Fault;
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

/// Stores a snapshot; decisions share one with the same digest.
pub(super) fn insert_snapshot(connection: &Connection, held: Option<&Held>) -> Result<(), Fault> {
    let Some(Held { digest, packed }) = held else { return Ok(()) };
    execute(
        connection,
        "INSERT INTO payer_snapshot (digest, held_packed) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![digest, packed],
    )
    .map(drop)
}

/// Stores with what the answer to a submission was judged.
pub(super) fn insert_of_answer(
    connection: &Connection,
    (case_id, answer_number): (&CaseId, u32),
    inputs: Option<&Inputs>,
    held: Option<&Held>,
) -> Result<(), Fault> {
    let Some(inputs) = inputs else { return Ok(()) };
    insert_snapshot(connection, held)?;
    execute(
        connection,
        "INSERT INTO judged_with (case_id, answer_number, judged_on, rules, snapshot)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            case_id.as_str(),
            answer_number,
            inputs.judged_on.to_string(),
            inputs.rules,
            inputs.held.as_ref().map(|held| held.digest.as_str()),
        ],
    )
    .map(drop)
}

impl SqliteStore {
    pub(super) async fn read_judgement(
        &self,
        assertion_id: &str,
    ) -> Result<Option<Judgement>, Fault> {
        let assertion_id = assertion_id.to_owned();
        let reading = move |connection: &_| {
            first(
                connection,
                "SELECT hook_call.*, findings, held_packed
                 FROM coverage_assertion JOIN hook_call USING (hook_call_id)
                 LEFT JOIN payer_snapshot ON digest = snapshot
                 WHERE assertion_id = ?1",
                [assertion_id],
                judgement_of_call,
            )
        };
        self.readers.run(reading).await
    }

    pub(super) async fn read_judgements(&self, case_id: &CaseId) -> Result<Vec<Judgement>, Fault> {
        let case_id = case_id.clone();
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT submission.*, judged_on, rules, snapshot, held_packed
                 FROM submission LEFT JOIN judged_with USING (case_id, answer_number)
                 LEFT JOIN payer_snapshot ON digest = snapshot
                 WHERE case_id = ?1 ORDER BY submission_id",
                [case_id.as_str()],
                |row| judgement_of_submission(connection, &case_id, row),
            )
        };
        self.readers.run(reading).await
    }
}

fn judgement_of_call(row: &Row<'_>) -> Result<Judgement, Fault> {
    Ok(Judgement {
        request: packed::text(row, "request", "request_packed")?,
        gathered: packed::maybe_text(row, "gathered_packed")?,
        inputs: inputs_from(row)?,
        given_at: row::timestamp(row, "given_at_ms")?,
        findings: vec![row::text(row, "findings")?],
    })
}

fn judgement_of_submission(
    connection: &Connection,
    case_id: &CaseId,
    row: &Row<'_>,
) -> Result<Judgement, Fault> {
    // A line that was not judged anew, or was withdrawn, has the findings that it had before.
    let findings = all(
        connection,
        "SELECT trace FROM answer_line AS line
         WHERE case_id = ?1 AND answer_number = ?2 AND NOT EXISTS (
             SELECT 1 FROM answer_line AS before
             WHERE before.case_id = line.case_id
               AND before.answer_number = line.answer_number - 1
               AND before.line_sequence = line.line_sequence
               AND coalesce(json_extract(before.trace, '$.item'), before.trace)
                 = coalesce(json_extract(line.trace, '$.item'), line.trace))
         ORDER BY line_sequence",
        params![case_id.as_str(), row::number(row, "answer_number")?],
        |line| row::text(line, "trace"),
    )?;
    Ok(Judgement {
        request: packed::text(row, "body", "body_packed")?,
        gathered: None,
        inputs: inputs_from(row)?,
        given_at: row::timestamp(row, "received_at_ms")?,
        findings,
    })
}

fn inputs_from(row: &Row<'_>) -> Result<Option<Inputs>, Fault> {
    let Some(judged_on) = row::maybe_day(row, "judged_on")? else { return Ok(None) };
    let held = match (row::maybe_text(row, "snapshot")?, packed::maybe_text(row, "held_packed")?) {
        (Some(digest), Some(text)) => Some(Snapshot { digest, text }),
        (_, _) => None,
    };
    let rules = row::maybe_text(row, "rules")?.unwrap_or_default();
    Ok(Some(Inputs { judged_on, rules, held }))
}
