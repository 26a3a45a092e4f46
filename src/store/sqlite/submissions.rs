//! Submissions, repeats and likenesses.

use rusqlite::{Connection, Row, params};

use super::statement::{all, execute, first, one};
use super::{SqliteStore, cases, inputs, packed, row};
use crate::store::error::Fault;
use crate::store::{
    CaseId, Likeness, ReceivedRequest, ReceivedSubmission, RequestPlace, Saved, StoredAnswer,
    SubmissionKey, SubmissionRecord,
};

impl SqliteStore {
    pub(super) async fn read_repeat(
        &self,
        key: &SubmissionKey,
    ) -> Result<Option<StoredAnswer>, Fault> {
        let key = key.clone();
        self.readers.run(move |connection| find_repeat(connection, &key)).await
    }

    pub(super) async fn write_submission(&self, record: &SubmissionRecord) -> Result<Saved, Fault> {
        let body = packed::pack(&record.body);
        let held = inputs::pack_held(record.inputs.as_ref());
        let record = SubmissionRecord { body: String::new(), ..record.clone() };
        let saving =
            move |connection: &_| save_submission(connection, &record, &body, held.as_ref());
        self.writer.run(saving).await
    }

    pub(super) async fn read_similar(&self, likeness: &Likeness) -> Result<Vec<CaseId>, Fault> {
        let likeness = likeness.clone();
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT case_id, max(submission_id) AS latest FROM (
                     SELECT * FROM (SELECT case_id, submission_id FROM submission
                         WHERE client = ?1 AND bundle_identifier = ?3 AND content_digest <> ?2
                         ORDER BY submission_id DESC LIMIT 20)
                     UNION ALL
                     SELECT * FROM (SELECT case_id, submission_id FROM submission
                         WHERE client = ?1 AND claim_identifier = ?4 AND content_digest <> ?2
                         ORDER BY submission_id DESC LIMIT 20))
                 GROUP BY case_id ORDER BY latest DESC LIMIT 20",
                params![
                    likeness.client,
                    likeness.digest.as_str(),
                    likeness.bundle_identifier,
                    likeness.claim_identifier
                ],
                row::case_id,
            )
        };
        self.readers.run(reading).await
    }

    pub(super) async fn read_received(
        &self,
        after: Option<RequestPlace>,
        limit: u32,
    ) -> Result<Vec<ReceivedRequest>, Fault> {
        let (submission, hook_call) = match after {
            None => (i64::MIN, i64::MIN),
            Some(RequestPlace::Submission(row)) => (row, i64::MIN),
            Some(RequestPlace::HookCall(row)) => (i64::MAX, row),
        };
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT * FROM (
                     SELECT * FROM (SELECT 0 AS kind, submission_id AS row, case_id,
                                           received_at_ms, body, body_packed
                         FROM submission WHERE submission_id > ?1
                         ORDER BY submission_id LIMIT ?3)
                     UNION ALL
                     SELECT * FROM (SELECT 1, hook_call_id, NULL, given_at_ms, request,
                                           request_packed
                         FROM hook_call WHERE hook_call_id > ?2
                         ORDER BY hook_call_id LIMIT ?3))
                 ORDER BY kind, row LIMIT ?3",
                params![submission, hook_call, limit],
                received,
            )
        };
        self.readers.run(reading).await
    }
}

fn received(row: &Row<'_>) -> Result<ReceivedRequest, Fault> {
    let number = row::value(row, "row")?;
    let is_submission = row::value::<i64>(row, "kind")? == 0;
    Ok(ReceivedRequest {
        place: if is_submission {
            RequestPlace::Submission(number)
        } else {
            RequestPlace::HookCall(number)
        },
        case_id: is_submission.then(|| row::case_id(row)).transpose()?,
        received_at: row::timestamp(row, "received_at_ms")?,
        body: packed::text(row, "body", "body_packed")?,
    })
}

/// The look for a repeat is part of the write, so that of two at once the second sees the first.
fn save_submission(
    connection: &Connection,
    record: &SubmissionRecord,
    body: &[u8],
    held: Option<&inputs::Held>,
) -> Result<Saved, Fault> {
    if let Some(answer) = find_repeat(connection, &record.key)? {
        return Ok(Saved::AlreadyThere(answer));
    }
    if cases::is_too_early(connection, &record.member_id, record.judged_after)? {
        return Ok(Saved::JudgedTooEarly);
    }
    insert_case(connection, record)?;
    let opening = Received {
        key: &record.key,
        bundle_identifier: record.bundle_identifier.as_deref(),
        claim_identifier: record.claim_identifier.as_deref(),
        body,
        guide: &record.answer.guide,
    };
    insert_submission(connection, &record.case_id, 1, &opening)?;
    cases::insert_answer(connection, (&record.case_id, &record.member_id), 1, &record.answer)?;
    let first_answer = (&record.case_id, 1);
    inputs::insert_of_answer(connection, first_answer, record.inputs.as_ref(), held)?;
    let by = (&*record.key.client, "submission-answered");
    cases::insert_audit(connection, by, &record.case_id, record.answer.given_at)?;
    Ok(Saved::Stored)
}

/// The current answer of the latest case that was opened with this key (ruling 31).
fn find_repeat(
    connection: &Connection,
    key: &SubmissionKey,
) -> Result<Option<StoredAnswer>, Fault> {
    if key.repeat_window.is_zero() {
        return Ok(None);
    }
    let window_ms = i64::try_from(key.repeat_window.as_millis()).unwrap_or(i64::MAX);
    let after_ms = key.received_at.as_millisecond().saturating_sub(window_ms);
    first(
        connection,
        "SELECT answer.* FROM submission
         JOIN prior_auth_case USING (case_id)
         JOIN answer ON answer.case_id = prior_auth_case.case_id
                    AND answer.answer_number = prior_auth_case.current_answer
         WHERE client = ?1 AND content_digest = ?2 AND received_at_ms > ?3
         ORDER BY received_at_ms DESC, submission_id DESC LIMIT 1",
        params![key.client, key.digest.as_str(), after_ms],
        cases::answer_from,
    )
}

fn insert_case(connection: &Connection, record: &SubmissionRecord) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO prior_auth_case
             (case_id, member_id, current_answer, state, opened_at_ms, changed_at_ms, due_at_ms)
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)",
        params![
            record.case_id.as_str(),
            record.member_id,
            record.answer.state.as_str(),
            record.key.received_at.as_millisecond(),
            record.answer.given_at.as_millisecond(),
            record.due_at.map(jiff::Timestamp::as_millisecond),
        ],
    )
    .map(drop)
}

/// A submission as it is stored, whether it opens a case or belongs to one.
pub(super) struct Received<'r> {
    pub(super) key: &'r SubmissionKey,
    pub(super) bundle_identifier: Option<&'r str>,
    pub(super) claim_identifier: Option<&'r str>,
    /// Packed.
    pub(super) body: &'r [u8],
    pub(super) guide: &'r str,
}

/// Stores a submission with the number of the answer that it gets.
pub(super) fn insert_submission(
    connection: &Connection,
    case_id: &CaseId,
    answer_number: u32,
    received: &Received<'_>,
) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO submission
             (case_id, client, content_digest, received_at_ms, guide, bundle_identifier,
              claim_identifier, answer_number, body, body_packed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, '', ?9)",
        params![
            case_id.as_str(),
            received.key.client,
            received.key.digest.as_str(),
            received.key.received_at.as_millisecond(),
            received.guide,
            received.bundle_identifier,
            received.claim_identifier,
            answer_number,
            received.body,
        ],
    )
    .map(drop)
}

/// The client whose submission opened a case.
pub(super) fn first_client(connection: &Connection, case_id: &CaseId) -> Result<String, Fault> {
    one(
        connection,
        "SELECT client FROM submission WHERE case_id = ?1 ORDER BY submission_id LIMIT 1",
        [case_id.as_str()],
        |row| row::text(row, "client"),
    )
}

/// The newest submission of a case that an answer took into account.
pub(super) fn newest_submission(
    connection: &Connection,
    case_id: &CaseId,
    answer_number: u32,
) -> Result<ReceivedSubmission, Fault> {
    one(
        connection,
        "SELECT * FROM submission WHERE case_id = ?1 AND answer_number <= ?2
         ORDER BY submission_id DESC LIMIT 1",
        params![case_id.as_str(), answer_number],
        |row| {
            Ok(ReceivedSubmission {
                client: row::text(row, "client")?,
                digest: row::digest(row)?,
                received_at: row::timestamp(row, "received_at_ms")?,
                guide: row::text(row, "guide")?,
                bundle_identifier: row::maybe_text(row, "bundle_identifier")?,
                claim_identifier: row::maybe_text(row, "claim_identifier")?,
                body: packed::text(row, "body", "body_packed")?,
            })
        },
    )
}
