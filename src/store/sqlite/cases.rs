//! Cases, their answers and the lines of these.

use jiff::Timestamp;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::submissions::{Received, insert_submission};
use super::{SqliteStore, inputs, outbox, packed, row, submissions};
use crate::store::{
    AnswerRecord, Answered, ApprovalCount, Authorization, AuthorizationRow, CaseFile, CaseId,
    CaseSummary, Cause, LineRecord, NextAnswer, StoredAnswer,
};

impl SqliteStore {
    pub(super) async fn read_case(&self, case_id: &CaseId) -> sqlx::Result<Option<CaseFile>> {
        self.read_case_then(case_id, None).await
    }

    /// A case as it stood with an answer, `None`: as it stands.
    ///
    /// All parts are read in one transaction, so that they belong together.
    pub(super) async fn read_case_then(
        &self,
        case_id: &CaseId,
        answer_number: Option<u32>,
    ) -> sqlx::Result<Option<CaseFile>> {
        let mut snapshot = self.readers.begin().await?;
        let head = sqlx::query("SELECT * FROM prior_auth_case WHERE case_id = ?1")
            .bind(case_id.as_str())
            .fetch_optional(&mut *snapshot)
            .await?;
        let Some(head) = head else { return Ok(None) };
        let summary = summary_from(&head)?;
        let answer_number = answer_number.unwrap_or(summary.current_answer);
        let answer = sqlx::query("SELECT * FROM answer WHERE case_id = ?1 AND answer_number = ?2")
            .bind(case_id.as_str())
            .bind(answer_number)
            .fetch_one(&mut *snapshot)
            .await?;
        let lines = sqlx::query(
            "SELECT * FROM answer_line WHERE case_id = ?1 AND answer_number = ?2
             ORDER BY line_sequence",
        )
        .bind(case_id.as_str())
        .bind(answer_number)
        .fetch_all(&mut *snapshot)
        .await?;
        let submission =
            submissions::newest_submission(&mut snapshot, case_id, answer_number).await?;
        let opened_by = submissions::first_client(&mut snapshot, case_id).await?;
        Ok(Some(CaseFile {
            state: row::state(&answer)?,
            answer: answer_from(&answer)?,
            lines: lines.iter().map(line_from).collect::<sqlx::Result<_>>()?,
            opened_by,
            submission,
            summary,
        }))
    }

    pub(super) async fn read_pending(&self, limit: u32) -> sqlx::Result<Vec<CaseSummary>> {
        let rows = sqlx::query(
            "SELECT * FROM prior_auth_case WHERE state = 'pended'
             ORDER BY due_at_ms IS NULL, due_at_ms, changed_at_ms, case_id LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(summary_from).collect()
    }

    pub(super) async fn read_case_of_number(&self, number: &str) -> sqlx::Result<Option<CaseId>> {
        let row = sqlx::query("SELECT case_id FROM issued_number WHERE number = ?1")
            .bind(number)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(row::case_id).transpose()
    }

    pub(super) async fn read_cases_of(
        &self,
        member_id: &str,
        limit: u32,
    ) -> sqlx::Result<Vec<CaseId>> {
        let rows = sqlx::query(
            "SELECT case_id FROM prior_auth_case WHERE member_id = ?1
             ORDER BY opened_at_ms DESC, case_id LIMIT ?2",
        )
        .bind(member_id)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(row::case_id).collect()
    }

    pub(super) async fn read_case_of_claim(
        &self,
        member_id: &str,
        claim_identifier: &str,
    ) -> sqlx::Result<Option<CaseId>> {
        let row = sqlx::query(
            "SELECT case_id FROM prior_auth_case JOIN submission USING (case_id)
             WHERE member_id = ?1 AND claim_identifier = ?2
             ORDER BY submission_id DESC LIMIT 1",
        )
        .bind(member_id)
        .bind(claim_identifier)
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(row::case_id).transpose()
    }

    pub(super) async fn write_answer(&self, record: &NextAnswer) -> sqlx::Result<Answered> {
        let mut record = record.clone();
        let (body, snapshot) = match &mut record.cause {
            Cause::Review(_) => (Vec::new(), None),
            Cause::Submission(further) => (
                packed::pack(&std::mem::take(&mut further.body)),
                inputs::pack_held(further.inputs.as_ref()),
            ),
        };
        let saving = async move |connection: &mut SqliteConnection| {
            save_answer(connection, &record, &body, snapshot.as_ref()).await
        };
        self.writer.run(saving).await
    }
}

/// The look at the current answer is part of the write, so that of two answers that were made from
/// the same one the second is refused. `body` is that of the submission, packed.
async fn save_answer(
    connection: &mut SqliteConnection,
    record: &NextAnswer,
    body: &[u8],
    snapshot: Option<&inputs::Held>,
) -> sqlx::Result<Answered> {
    let head = sqlx::query("SELECT * FROM prior_auth_case WHERE case_id = ?1")
        .bind(record.case_id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(head) = head else { return Ok(Answered::NoSuchCase) };
    let current = row::number(&head, "current_answer")?;
    if current != record.seen_answer {
        return Ok(Answered::MovedOn(current));
    }
    if let Cause::Submission(further) = &record.cause {
        let member_id = row::text(&head, "member_id")?;
        if is_too_early(connection, &member_id, further.judged_after).await? {
            return Ok(Answered::JudgedTooEarly);
        }
    }
    let number = current.saturating_add(1);
    insert_answer(connection, &record.case_id, number, &record.answer).await?;
    move_on(connection, record, number).await?;
    let by = match &record.cause {
        Cause::Review(reviewer) => (reviewer.as_str(), "case-reviewed"),
        Cause::Submission(further) => {
            let received = Received {
                key: &further.key,
                bundle_identifier: further.bundle_identifier.as_deref(),
                claim_identifier: further.claim_identifier.as_deref(),
                body,
                guide: &record.answer.guide,
            };
            insert_submission(connection, &record.case_id, number, &received).await?;
            let answer = (&record.case_id, number);
            inputs::insert_of_answer(connection, answer, further.inputs.as_ref(), snapshot).await?;
            (further.key.client.as_str(), "submission-answered")
        }
    };
    insert_audit(connection, by, &record.case_id, record.answer.given_at).await?;
    outbox::add_events(connection, record, number).await?;
    Ok(Answered::Recorded(number))
}

/// Whether a member was given an authorization since an answer was judged.
pub(super) async fn is_too_early(
    connection: &mut SqliteConnection,
    member_id: &str,
    judged_after: Option<ApprovalCount>,
) -> sqlx::Result<bool> {
    let Some(seen) = judged_after else { return Ok(false) };
    let row = sqlx::query("SELECT approvals FROM member_approvals WHERE member_id = ?1")
        .bind(member_id)
        .fetch_optional(connection)
        .await?;
    let now = row.as_ref().map(approvals_from).transpose()?.unwrap_or_default();
    Ok(now != seen)
}

/// How often a member was given an authorization, from a row of `member_approvals`.
pub(super) fn approvals_from(row: &SqliteRow) -> sqlx::Result<ApprovalCount> {
    sqlx::Row::try_get(row, "approvals").map(ApprovalCount)
}

async fn move_on(
    connection: &mut SqliteConnection,
    record: &NextAnswer,
    number: u32,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE prior_auth_case SET current_answer = ?1, state = ?2, changed_at_ms = ?3
         WHERE case_id = ?4",
    )
    .bind(number)
    .bind(record.answer.state.as_str())
    .bind(record.answer.given_at.as_millisecond())
    .bind(record.case_id.as_str())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Adds an answer with its lines and their numbers.
pub(super) async fn insert_answer(
    connection: &mut SqliteConnection,
    case_id: &CaseId,
    answer_number: u32,
    answer: &AnswerRecord,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO answer (case_id, answer_number, given_at_ms, state, guide, response)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(case_id.as_str())
    .bind(answer_number)
    .bind(answer.given_at.as_millisecond())
    .bind(answer.state.as_str())
    .bind(&answer.guide)
    .bind(&answer.response)
    .execute(&mut *connection)
    .await?;
    for line in &answer.lines {
        insert_line(connection, case_id, answer_number, line).await?;
    }
    Ok(())
}

/// Adds a line, and notes that its numbers belong to the case. If one belongs to another case, the
/// line is refused.
///
/// In one step, as each is a turn on the thread that SQLite runs on.
async fn insert_line(
    connection: &mut SqliteConnection,
    case_id: &CaseId,
    answer_number: u32,
    line: &LineRecord,
) -> sqlx::Result<()> {
    let (policy_id, policy_edition) = row::policy_columns(line.policy.as_ref());
    let authorization = line.authorization.as_ref();
    sqlx::query(
        "INSERT INTO issued_number (number, series, case_id, member_id)
         SELECT $9, 'authorization', case_id, member_id FROM prior_auth_case
         WHERE case_id = $1 AND $9 IS NOT NULL
         ON CONFLICT (number) DO NOTHING;

         INSERT INTO issued_number (number, series, case_id, member_id)
         SELECT $13, 'reference', case_id, member_id FROM prior_auth_case
         WHERE case_id = $1 AND $13 IS NOT NULL
         ON CONFLICT (number) DO NOTHING;

         INSERT INTO member_approvals (member_id, approvals)
         SELECT member_id, 1 FROM prior_auth_case WHERE case_id = $1 AND $9 IS NOT NULL
         ON CONFLICT (member_id) DO UPDATE SET approvals = approvals + 1;

         INSERT INTO answer_line
             (case_id, answer_number, line_sequence, product_key, policy_id, policy_edition,
              determination, review_action, authorization_number, authorized_on, valid_from,
              valid_to, reference_number, trace)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(case_id.as_str())
    .bind(answer_number)
    .bind(line.sequence)
    .bind(&line.product_key)
    .bind(policy_id)
    .bind(policy_edition)
    .bind(&line.determination)
    .bind(&line.review_action)
    .bind(authorization.map(|authorization| authorization.number.as_str()))
    .bind(authorization.map(|authorization| authorization.given_on.to_string()))
    .bind(authorization.map(|authorization| authorization.valid_from.to_string()))
    .bind(authorization.map(|authorization| authorization.valid_to.to_string()))
    .bind(&line.reference_number)
    .bind(&line.trace)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Adds an audit row of a case: who did what.
pub(super) async fn insert_audit(
    connection: &mut SqliteConnection,
    (actor, action): (&str, &'static str),
    case_id: &CaseId,
    happened_at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO audit (happened_at_ms, actor, action, case_id) VALUES (?1, ?2, ?3, ?4)",
    )
    .bind(happened_at.as_millisecond())
    .bind(actor)
    .bind(action)
    .bind(case_id.as_str())
    .execute(connection)
    .await
    .map(|_| ())
}

/// An answer from a row of `answer`.
pub(super) fn answer_from(row: &SqliteRow) -> sqlx::Result<StoredAnswer> {
    Ok(StoredAnswer {
        case_id: row::case_id(row)?,
        number: row::number(row, "answer_number")?,
        guide: row::text(row, "guide")?,
        response: row::text(row, "response")?,
        given_at: row::timestamp(row, "given_at_ms")?,
    })
}

pub(super) fn summary_from(row: &SqliteRow) -> sqlx::Result<CaseSummary> {
    Ok(CaseSummary {
        case_id: row::case_id(row)?,
        member_id: row::text(row, "member_id")?,
        opened_at: row::timestamp(row, "opened_at_ms")?,
        changed_at: row::timestamp(row, "changed_at_ms")?,
        current_answer: row::number(row, "current_answer")?,
        due_at: row::maybe_timestamp(row, "due_at_ms")?,
    })
}

fn line_from(row: &SqliteRow) -> sqlx::Result<LineRecord> {
    Ok(LineRecord {
        sequence: row::number(row, "line_sequence")?,
        product_key: row::text(row, "product_key")?,
        policy: row::policy(row)?,
        determination: row::text(row, "determination")?,
        review_action: row::text(row, "review_action")?,
        authorization: authorization_from(row)?,
        reference_number: row::maybe_text(row, "reference_number")?,
        trace: row::text(row, "trace")?,
    })
}

fn authorization_from(row: &SqliteRow) -> sqlx::Result<Option<Authorization>> {
    let Some(number) = row::maybe_text(row, "authorization_number")? else { return Ok(None) };
    Ok(Some(Authorization {
        number,
        given_on: row::day(row, "authorized_on")?,
        valid_from: row::day(row, "valid_from")?,
        valid_to: row::day(row, "valid_to")?,
    }))
}

pub(super) fn authorization_row_from(row: &SqliteRow) -> sqlx::Result<Option<AuthorizationRow>> {
    let Some(authorization) = authorization_from(row)? else { return Ok(None) };
    Ok(Some(AuthorizationRow {
        authorization,
        case_id: row::case_id(row)?,
        product_key: row::text(row, "product_key")?,
        policy: row::policy(row)?,
        client: row::text(row, "client")?,
        digest: row::digest(row)?,
    }))
}
