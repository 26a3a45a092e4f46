//! Hook calls and what was asserted in them.

use rusqlite::{Connection, Row, params};

use super::statement::{execute, first};
use super::{SqliteStore, feedback, inputs, packed, row};
use crate::store::error::Fault;
use crate::store::{AssertionRecord, HookCallRecord, Said, StoredAssertion};

impl SqliteStore {
    pub(super) async fn write_hook_call(&self, record: &HookCallRecord) -> Result<(), Fault> {
        let request = packed::pack(&record.request);
        let gathered = record.gathered.as_deref().map(packed::pack);
        let held = inputs::pack_held(Some(&record.inputs));
        let record = HookCallRecord { request: String::new(), gathered: None, ..record.clone() };
        let saving = move |connection: &_| {
            inputs::insert_snapshot(connection, held.as_ref())?;
            save_hook_call(connection, &record, (&*request, gathered.as_deref()))
        };
        self.writer.run(saving).await
    }

    pub(super) async fn read_assertion(
        &self,
        assertion_id: &str,
    ) -> Result<Option<StoredAssertion>, Fault> {
        let assertion_id = assertion_id.to_owned();
        let reading = move |connection: &_| {
            first(
                connection,
                "SELECT coverage_assertion.*, client, service_id, given_at_ms
                 FROM coverage_assertion JOIN hook_call USING (hook_call_id)
                 WHERE assertion_id = ?1",
                [assertion_id],
                assertion_from,
            )
        };
        self.readers.run(reading).await
    }
}

fn assertion_from(row: &Row<'_>) -> Result<StoredAssertion, Fault> {
    Ok(StoredAssertion {
        assertion: AssertionRecord {
            assertion_id: row::text(row, "assertion_id")?,
            order_reference: row::text(row, "order_reference")?,
            order: packed::maybe_text(row, "order_packed")?.unwrap_or_default(),
            coverage_reference: row::maybe_text(row, "coverage_reference")?,
            member_id: row::maybe_text(row, "member_id")?,
            policy: row::policy(row)?,
            determination: row::text(row, "determination")?,
            said: said(row)?,
            findings: row::text(row, "findings")?,
        },
        client: row::text(row, "client")?,
        service_id: row::text(row, "service_id")?,
        given_at: row::timestamp(row, "given_at_ms")?,
    })
}

fn said(row: &Row<'_>) -> Result<Said, Fault> {
    let number = row::maybe_text(row, "said_number")?;
    Ok(match (row::maybe_text(row, "said")?.as_deref(), number) {
        (Some("no-auth"), _) => Said::NoAuth,
        (Some("satisfied"), Some(number)) => Said::Satisfied(number),
        (_, _) => Said::Other,
    })
}

fn save_hook_call(
    connection: &Connection,
    record: &HookCallRecord,
    (request, gathered): (&[u8], Option<&[u8]>),
) -> Result<(), Fault> {
    let given_at_ms = record.given_at.as_millisecond();
    execute(
        connection,
        "INSERT INTO hook_call
             (hook_instance, client, service_id, guide, given_at_ms, request, request_packed,
              response, judged_on, rules, snapshot, gathered_packed)
         VALUES (?1, ?2, ?3, ?4, ?5, '', ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            record.hook_instance,
            record.client,
            record.service_id,
            record.guide,
            given_at_ms,
            request,
            record.response,
            record.inputs.judged_on.to_string(),
            record.inputs.rules,
            record.inputs.held.as_ref().map(|held| held.digest.as_str()),
            gathered,
        ],
    )?;
    let hook_call_id = connection.last_insert_rowid();
    for assertion in &record.assertions {
        insert_assertion(connection, hook_call_id, assertion)?;
    }
    feedback::insert_cards(connection, hook_call_id, &record.cards)?;
    execute(
        connection,
        "INSERT INTO audit (happened_at_ms, actor, action, hook_call_id)
         VALUES (?1, ?2, 'hook-answered', ?3)",
        params![given_at_ms, record.client, hook_call_id],
    )
    .map(drop)
}

fn insert_assertion(
    connection: &Connection,
    hook_call_id: i64,
    assertion: &AssertionRecord,
) -> Result<(), Fault> {
    let (policy_id, policy_edition) = row::policy_columns(assertion.policy.as_ref());
    let (said, number) = match &assertion.said {
        Said::NoAuth => (Some("no-auth"), None),
        Said::Satisfied(number) => (Some("satisfied"), Some(number)),
        Said::Other => (None, None),
    };
    execute(
        connection,
        "INSERT INTO coverage_assertion
             (assertion_id, hook_call_id, order_reference, member_id, policy_id, policy_edition,
              determination, findings, coverage_reference, said, said_number, order_packed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            assertion.assertion_id,
            hook_call_id,
            assertion.order_reference,
            assertion.member_id,
            policy_id,
            policy_edition,
            assertion.determination,
            assertion.findings,
            assertion.coverage_reference,
            said,
            number,
            packed::pack(&assertion.order),
        ],
    )
    .map(drop)
}
