//! Submissions, repeats and likenesses.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{SqliteStore, cases, inputs, packed, row};
use crate::store::{
    CaseId, Likeness, ReceivedRequest, ReceivedSubmission, RequestPlace, Saved, StoredAnswer,
    SubmissionKey, SubmissionRecord,
};

impl SqliteStore {
    pub(super) async fn read_repeat(
        &self,
        key: &SubmissionKey,
    ) -> sqlx::Result<Option<StoredAnswer>> {
        find_repeat(&mut *self.readers.acquire().await?, key).await
    }

    pub(super) async fn write_submission(&self, record: &SubmissionRecord) -> sqlx::Result<Saved> {
        let body = packed::pack(&record.body);
        let held = inputs::pack_held(record.inputs.as_ref());
        let record = SubmissionRecord { body: String::new(), ..record.clone() };
        let saving = async move |connection: &mut SqliteConnection| {
            save_submission(connection, &record, &body, held.as_ref()).await
        };
        self.writer.run(saving).await
    }

    pub(super) async fn read_similar(&self, likeness: &Likeness) -> sqlx::Result<Vec<CaseId>> {
        let rows = sqlx::query(
            "SELECT case_id, max(submission_id) AS latest FROM (
                 SELECT * FROM (SELECT case_id, submission_id FROM submission
                     WHERE client = ?1 AND bundle_identifier = ?3 AND content_digest <> ?2
                     ORDER BY submission_id DESC LIMIT 20)
                 UNION ALL
                 SELECT * FROM (SELECT case_id, submission_id FROM submission
                     WHERE client = ?1 AND claim_identifier = ?4 AND content_digest <> ?2
                     ORDER BY submission_id DESC LIMIT 20))
             GROUP BY case_id ORDER BY latest DESC LIMIT 20",
        )
        .bind(&likeness.client)
        .bind(likeness.digest.as_str())
        .bind(&likeness.bundle_identifier)
        .bind(&likeness.claim_identifier)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(row::case_id).collect()
    }

    pub(super) async fn read_received(
        &self,
        after: Option<RequestPlace>,
        limit: u32,
    ) -> sqlx::Result<Vec<ReceivedRequest>> {
        let (submission, hook_call) = match after {
            None => (i64::MIN, i64::MIN),
            Some(RequestPlace::Submission(row)) => (row, i64::MIN),
            Some(RequestPlace::HookCall(row)) => (i64::MAX, row),
        };
        let rows = sqlx::query(
            "SELECT * FROM (
                 SELECT * FROM (SELECT 0 AS kind, submission_id AS row, case_id, received_at_ms,
                                       body, body_packed
                     FROM submission WHERE submission_id > ?1 ORDER BY submission_id LIMIT ?3)
                 UNION ALL
                 SELECT * FROM (SELECT 1, hook_call_id, NULL, given_at_ms, request, request_packed
                     FROM hook_call WHERE hook_call_id > ?2 ORDER BY hook_call_id LIMIT ?3))
             ORDER BY kind, row LIMIT ?3",
        )
        .bind(submission)
        .bind(hook_call)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(received).collect()
    }
}

fn received(row: &SqliteRow) -> sqlx::Result<ReceivedRequest> {
    let number: i64 = row.try_get("row")?;
    let is_submission = row.try_get::<i64, _>("kind")? == 0;
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
async fn save_submission(
    connection: &mut SqliteConnection,
    record: &SubmissionRecord,
    body: &[u8],
    held: Option<&inputs::Held>,
) -> sqlx::Result<Saved> {
    if let Some(answer) = find_repeat(connection, &record.key).await? {
        return Ok(Saved::AlreadyThere(answer));
    }
    if cases::is_too_early(connection, &record.member_id, record.judged_after).await? {
        return Ok(Saved::JudgedTooEarly);
    }
    insert_case(connection, record).await?;
    let opening = Received {
        key: &record.key,
        bundle_identifier: record.bundle_identifier.as_deref(),
        claim_identifier: record.claim_identifier.as_deref(),
        body,
        guide: &record.answer.guide,
    };
    insert_submission(connection, &record.case_id, 1, &opening).await?;
    cases::insert_answer(connection, &record.case_id, 1, &record.answer).await?;
    let first = (&record.case_id, 1);
    inputs::insert_of_answer(connection, first, record.inputs.as_ref(), held).await?;
    let by = (&*record.key.client, "submission-answered");
    cases::insert_audit(connection, by, &record.case_id, record.answer.given_at).await?;
    Ok(Saved::Stored)
}

/// The current answer of the latest case that was opened with this key (ruling 31).
async fn find_repeat(
    connection: &mut SqliteConnection,
    key: &SubmissionKey,
) -> sqlx::Result<Option<StoredAnswer>> {
    if key.repeat_window.is_zero() {
        return Ok(None);
    }
    let window_ms = i64::try_from(key.repeat_window.as_millis()).unwrap_or(i64::MAX);
    let after_ms = key.received_at.as_millisecond().saturating_sub(window_ms);
    let row = sqlx::query(
        "SELECT answer.* FROM submission
         JOIN prior_auth_case USING (case_id)
         JOIN answer ON answer.case_id = prior_auth_case.case_id
                    AND answer.answer_number = prior_auth_case.current_answer
         WHERE client = ?1 AND content_digest = ?2 AND received_at_ms > ?3
         ORDER BY received_at_ms DESC, submission_id DESC LIMIT 1",
    )
    .bind(&key.client)
    .bind(key.digest.as_str())
    .bind(after_ms)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(cases::answer_from).transpose()
}

async fn insert_case(
    connection: &mut SqliteConnection,
    record: &SubmissionRecord,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO prior_auth_case
             (case_id, member_id, current_answer, state, opened_at_ms, changed_at_ms, due_at_ms)
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)",
    )
    .bind(record.case_id.as_str())
    .bind(&record.member_id)
    .bind(record.answer.state.as_str())
    .bind(record.key.received_at.as_millisecond())
    .bind(record.answer.given_at.as_millisecond())
    .bind(record.due_at.map(jiff::Timestamp::as_millisecond))
    .execute(connection)
    .await
    .map(|_| ())
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
pub(super) async fn insert_submission(
    connection: &mut SqliteConnection,
    case_id: &CaseId,
    answer_number: u32,
    received: &Received<'_>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO submission
             (case_id, client, content_digest, received_at_ms, guide, bundle_identifier,
              claim_identifier, answer_number, body, body_packed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, '', ?9)",
    )
    .bind(case_id.as_str())
    .bind(&received.key.client)
    .bind(received.key.digest.as_str())
    .bind(received.key.received_at.as_millisecond())
    .bind(received.guide)
    .bind(received.bundle_identifier)
    .bind(received.claim_identifier)
    .bind(answer_number)
    .bind(received.body)
    .execute(connection)
    .await
    .map(|_| ())
}

/// The client whose submission opened a case.
pub(super) async fn first_client(
    connection: &mut SqliteConnection,
    case_id: &CaseId,
) -> sqlx::Result<String> {
    sqlx::query_scalar(
        "SELECT client FROM submission WHERE case_id = ?1 ORDER BY submission_id LIMIT 1",
    )
    .bind(case_id.as_str())
    .fetch_one(connection)
    .await
}

/// The newest submission of a case that an answer took into account.
pub(super) async fn newest_submission(
    connection: &mut SqliteConnection,
    case_id: &CaseId,
    answer_number: u32,
) -> sqlx::Result<ReceivedSubmission> {
    let row = sqlx::query(
        "SELECT * FROM submission WHERE case_id = ?1 AND answer_number <= ?2
         ORDER BY submission_id DESC LIMIT 1",
    )
    .bind(case_id.as_str())
    .bind(answer_number)
    .fetch_one(connection)
    .await?;
    Ok(ReceivedSubmission {
        client: row::text(&row, "client")?,
        digest: row::digest(&row)?,
        received_at: row::timestamp(&row, "received_at_ms")?,
        guide: row::text(&row, "guide")?,
        bundle_identifier: row::maybe_text(&row, "bundle_identifier")?,
        claim_identifier: row::maybe_text(&row, "claim_identifier")?,
        body: packed::text(&row, "body", "body_packed")?,
    })
}
