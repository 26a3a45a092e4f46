//! Cases, their answers and the lines of these.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::statement::{all, execute, first, one};
use super::submissions::{Received, insert_submission};
use super::{SqliteStore, inputs, outbox, packed, row, submissions};
use crate::store::error::Fault;
use crate::store::{
    AnswerRecord, Answered, ApprovalCount, Authorization, AuthorizationRow, CaseFile, CaseId,
    CaseSummary, Cause, LineRecord, NextAnswer, NumberSeries, StoredAnswer,
};

impl SqliteStore {
    /// A case as it stood with an answer, `None`: as it stands.
    pub(super) async fn read_case(
        &self,
        case_id: &CaseId,
        answer_number: Option<u32>,
    ) -> Result<Option<CaseFile>, Fault> {
        let case_id = case_id.clone();
        self.readers.run(move |snapshot| case_then(snapshot, &case_id, answer_number)).await
    }

    pub(super) async fn read_pending(&self, limit: u32) -> Result<Vec<CaseSummary>, Fault> {
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT * FROM prior_auth_case WHERE state = 'pended'
                 ORDER BY due_at_ms IS NULL, due_at_ms, changed_at_ms, case_id LIMIT ?1",
                [limit],
                summary_from,
            )
        };
        self.readers.run(reading).await
    }

    pub(super) async fn read_case_of_number(&self, number: &str) -> Result<Option<CaseId>, Fault> {
        let number = number.to_owned();
        let reading = move |connection: &_| {
            let sql = "SELECT case_id FROM issued_number WHERE number = ?1";
            first(connection, sql, [number], row::case_id)
        };
        self.readers.run(reading).await
    }

    pub(super) async fn read_cases_of(
        &self,
        member_id: &str,
        limit: u32,
    ) -> Result<Vec<CaseId>, Fault> {
        let member_id = member_id.to_owned();
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT case_id FROM prior_auth_case WHERE member_id = ?1
                 ORDER BY opened_at_ms DESC, case_id LIMIT ?2",
                params![member_id, limit],
                row::case_id,
            )
        };
        self.readers.run(reading).await
    }

    pub(super) async fn read_case_of_claim(
        &self,
        member_id: &str,
        claim_identifier: &str,
    ) -> Result<Option<CaseId>, Fault> {
        let sought = [member_id.to_owned(), claim_identifier.to_owned()];
        let reading = move |connection: &_| {
            first(
                connection,
                "SELECT case_id FROM prior_auth_case JOIN submission USING (case_id)
                 WHERE member_id = ?1 AND claim_identifier = ?2
                 ORDER BY submission_id DESC LIMIT 1",
                sought,
                row::case_id,
            )
        };
        self.readers.run(reading).await
    }

    pub(super) async fn write_answer(&self, record: &NextAnswer) -> Result<Answered, Fault> {
        let mut record = record.clone();
        let (body, snapshot) = match &mut record.cause {
            Cause::Review(_) => (Vec::new(), None),
            Cause::Submission(further) => (
                packed::pack(&std::mem::take(&mut further.body)),
                inputs::pack_held(further.inputs.as_ref()),
            ),
        };
        let saving =
            move |connection: &_| save_answer(connection, &record, &body, snapshot.as_ref());
        self.writer.run(saving).await
    }
}

fn case_then(
    connection: &Connection,
    case_id: &CaseId,
    answer_number: Option<u32>,
) -> Result<Option<CaseFile>, Fault> {
    let Some(summary) = case_head(connection, case_id)? else { return Ok(None) };
    let answer_number = answer_number.unwrap_or(summary.current_answer);
    let this_answer = params![case_id.as_str(), answer_number];
    let (state, answer) = one(
        connection,
        "SELECT * FROM answer WHERE case_id = ?1 AND answer_number = ?2",
        this_answer,
        |row| Ok((row::state(row)?, answer_from(row)?)),
    )?;
    let lines = all(
        connection,
        "SELECT * FROM answer_line WHERE case_id = ?1 AND answer_number = ?2
         ORDER BY line_sequence",
        this_answer,
        line_from,
    )?;
    Ok(Some(CaseFile {
        state,
        answer,
        lines,
        opened_by: submissions::first_client(connection, case_id)?,
        submission: submissions::newest_submission(connection, case_id, answer_number)?,
        summary,
    }))
}

fn case_head(connection: &Connection, case_id: &CaseId) -> Result<Option<CaseSummary>, Fault> {
    let sql = "SELECT * FROM prior_auth_case WHERE case_id = ?1";
    first(connection, sql, [case_id.as_str()], summary_from)
}

/// The look at the current answer is part of the write, so that of two answers that were made from
/// the same one the second is refused. `body` is that of the submission, packed.
fn save_answer(
    connection: &Connection,
    record: &NextAnswer,
    body: &[u8],
    snapshot: Option<&inputs::Held>,
) -> Result<Answered, Fault> {
    let Some(head) = case_head(connection, &record.case_id)? else {
        return Ok(Answered::NoSuchCase);
    };
    if head.current_answer != record.seen_answer {
        return Ok(Answered::MovedOn(head.current_answer));
    }
    if let Cause::Submission(further) = &record.cause
        && is_too_early(connection, &head.member_id, further.judged_after)?
    {
        return Ok(Answered::JudgedTooEarly);
    }
    let number = head.current_answer.saturating_add(1);
    insert_answer(connection, (&record.case_id, &head.member_id), number, &record.answer)?;
    move_on(connection, record, number)?;
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
            insert_submission(connection, &record.case_id, number, &received)?;
            let answer = (&record.case_id, number);
            inputs::insert_of_answer(connection, answer, further.inputs.as_ref(), snapshot)?;
            (further.key.client.as_str(), "submission-answered")
        }
    };
    insert_audit(connection, by, &record.case_id, record.answer.given_at)?;
    outbox::add_events(connection, record, number)?;
    Ok(Answered::Recorded(number))
}

/// Whether a member was given an authorization since an answer was judged.
pub(super) fn is_too_early(
    connection: &Connection,
    member_id: &str,
    judged_after: Option<ApprovalCount>,
) -> Result<bool, Fault> {
    let Some(seen) = judged_after else { return Ok(false) };
    Ok(approvals_of(connection, member_id)? != seen)
}

/// How often a member was given an authorization.
pub(super) fn approvals_of(
    connection: &Connection,
    member_id: &str,
) -> Result<ApprovalCount, Fault> {
    let sql = "SELECT approvals FROM member_approvals WHERE member_id = ?1";
    let approvals = first(connection, sql, [member_id], |row| row::value(row, "approvals"))?;
    Ok(ApprovalCount(approvals.unwrap_or_default()))
}

fn move_on(connection: &Connection, record: &NextAnswer, number: u32) -> Result<(), Fault> {
    execute(
        connection,
        "UPDATE prior_auth_case SET current_answer = ?1, state = ?2, changed_at_ms = ?3
         WHERE case_id = ?4",
        params![
            number,
            record.answer.state.as_str(),
            record.answer.given_at.as_millisecond(),
            record.case_id.as_str(),
        ],
    )
    .map(drop)
}

/// Adds an answer with its lines and their numbers, to a case of a member.
pub(super) fn insert_answer(
    connection: &Connection,
    case: (&CaseId, &str),
    answer_number: u32,
    answer: &AnswerRecord,
) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO answer (case_id, answer_number, given_at_ms, state, guide, response)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            case.0.as_str(),
            answer_number,
            answer.given_at.as_millisecond(),
            answer.state.as_str(),
            answer.guide,
            answer.response,
        ],
    )?;
    for line in &answer.lines {
        if let Some(authorization) = &line.authorization {
            note_number(connection, NumberSeries::Authorization, &authorization.number, case)?;
            count_approval(connection, case.1)?;
        }
        if let Some(number) = &line.reference_number {
            note_number(connection, NumberSeries::Reference, number, case)?;
        }
        insert_line(connection, case.0, answer_number, line)?;
    }
    Ok(())
}

/// Notes that a number belongs to a case. If it belongs to another one, its line is refused.
fn note_number(
    connection: &Connection,
    series: NumberSeries,
    number: &str,
    (case_id, member_id): (&CaseId, &str),
) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO issued_number (number, series, case_id, member_id) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (number) DO NOTHING",
        [number, series.as_str(), case_id.as_str(), member_id],
    )
    .map(drop)
}

fn count_approval(connection: &Connection, member_id: &str) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO member_approvals (member_id, approvals) VALUES (?1, 1)
         ON CONFLICT (member_id) DO UPDATE SET approvals = approvals + 1",
        [member_id],
    )
    .map(drop)
}

fn insert_line(
    connection: &Connection,
    case_id: &CaseId,
    answer_number: u32,
    line: &LineRecord,
) -> Result<(), Fault> {
    let (policy_id, policy_edition) = row::policy_columns(line.policy.as_ref());
    let authorization = line.authorization.as_ref();
    execute(
        connection,
        "INSERT INTO answer_line
             (case_id, answer_number, line_sequence, product_key, policy_id, policy_edition,
              determination, review_action, authorization_number, authorized_on, valid_from,
              valid_to, reference_number, trace)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            case_id.as_str(),
            answer_number,
            line.sequence,
            line.product_key,
            policy_id,
            policy_edition,
            line.determination,
            line.review_action,
            authorization.map(|it| &it.number),
            authorization.map(|it| it.given_on.to_string()),
            authorization.map(|it| it.valid_from.to_string()),
            authorization.map(|it| it.valid_to.to_string()),
            line.reference_number,
            line.trace,
        ],
    )
    .map(drop)
}

/// Adds an audit row of a case: who did what.
pub(super) fn insert_audit(
    connection: &Connection,
    (actor, action): (&str, &'static str),
    case_id: &CaseId,
    happened_at: Timestamp,
) -> Result<(), Fault> {
    execute(
        connection,
        "INSERT INTO audit (happened_at_ms, actor, action, case_id) VALUES (?1, ?2, ?3, ?4)",
        params![happened_at.as_millisecond(), actor, action, case_id.as_str()],
    )
    .map(drop)
}

/// An answer from a row of `answer`.
pub(super) fn answer_from(row: &Row<'_>) -> Result<StoredAnswer, Fault> {
    Ok(StoredAnswer {
        case_id: row::case_id(row)?,
        number: row::number(row, "answer_number")?,
        guide: row::text(row, "guide")?,
        response: row::text(row, "response")?,
        given_at: row::timestamp(row, "given_at_ms")?,
    })
}

pub(super) fn summary_from(row: &Row<'_>) -> Result<CaseSummary, Fault> {
    Ok(CaseSummary {
        case_id: row::case_id(row)?,
        member_id: row::text(row, "member_id")?,
        opened_at: row::timestamp(row, "opened_at_ms")?,
        changed_at: row::timestamp(row, "changed_at_ms")?,
        current_answer: row::number(row, "current_answer")?,
        due_at: row::maybe_timestamp(row, "due_at_ms")?,
    })
}

fn line_from(row: &Row<'_>) -> Result<LineRecord, Fault> {
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

fn authorization_from(row: &Row<'_>) -> Result<Option<Authorization>, Fault> {
    let Some(number) = row::maybe_text(row, "authorization_number")? else { return Ok(None) };
    Ok(Some(Authorization {
        number,
        given_on: row::day(row, "authorized_on")?,
        valid_from: row::day(row, "valid_from")?,
        valid_to: row::day(row, "valid_to")?,
    }))
}

/// The authorizations that a member has by the current answers, the newest first.
pub(super) fn authorizations_of(
    connection: &Connection,
    member_id: &str,
) -> Result<Vec<AuthorizationRow>, Fault> {
    let rows = all(
        connection,
        "SELECT answer_line.*, client, content_digest
         FROM issued_number
         JOIN prior_auth_case ON prior_auth_case.case_id = issued_number.case_id
         JOIN answer_line ON answer_line.case_id = issued_number.case_id
                         AND answer_line.answer_number = prior_auth_case.current_answer
                         AND answer_line.authorization_number = issued_number.number
         JOIN submission ON submission.submission_id =
              (SELECT min(submission_id) FROM submission AS opening
               WHERE opening.case_id = issued_number.case_id)
         WHERE issued_number.member_id = ?1 AND issued_number.series = 'authorization'
         ORDER BY issue_id DESC, line_sequence LIMIT 50",
        [member_id],
        authorization_row_from,
    )?;
    Ok(rows.into_iter().flatten().collect())
}

fn authorization_row_from(row: &Row<'_>) -> Result<Option<AuthorizationRow>, Fault> {
    let Some(authorization) = authorization_from(row)? else { return Ok(None) };
    Ok(Some(AuthorizationRow {
        authorization,
        case_id: row::case_id(row)?,
        sequence: row::number(row, "line_sequence")?,
        product_key: row::text(row, "product_key")?,
        policy: row::policy(row)?,
        trace: row::text(row, "trace")?,
        client: row::text(row, "client")?,
        digest: row::digest(row)?,
    }))
}
