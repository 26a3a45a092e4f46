//! Hook calls and what was asserted in them.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, feedback, inputs, packed, row};
use crate::store::{AssertionRecord, HookCallRecord, Said, StoredAssertion};

impl SqliteStore {
    pub(super) async fn write_hook_call(&self, record: &HookCallRecord) -> sqlx::Result<()> {
        let request = packed::pack(&record.request);
        let fetched = inputs::pack_fetched(&record.fetched);
        let held = inputs::pack_held(Some(&record.inputs));
        let record =
            HookCallRecord { request: String::new(), fetched: Vec::new(), ..record.clone() };
        let saving = async move |connection: &mut SqliteConnection| {
            inputs::insert_snapshot(connection, held.as_ref()).await?;
            let packed = (&*request, fetched.as_deref());
            let hook_call_id = insert_hook_call(connection, &record, packed).await?;
            for assertion in &record.assertions {
                insert_assertion(connection, hook_call_id, assertion).await?;
            }
            feedback::insert_cards(connection, hook_call_id, &record.cards).await?;
            sqlx::query(
                "INSERT INTO audit (happened_at_ms, actor, action, hook_call_id)
                 VALUES (?1, ?2, 'hook-answered', ?3)",
            )
            .bind(record.given_at.as_millisecond())
            .bind(&record.client)
            .bind(hook_call_id)
            .execute(connection)
            .await
            .map(|_| ())
        };
        self.writer.run(saving).await
    }

    pub(super) async fn read_assertion(
        &self,
        assertion_id: &str,
    ) -> sqlx::Result<Option<StoredAssertion>> {
        let row = sqlx::query(
            "SELECT coverage_assertion.*, client, service_id, given_at_ms
             FROM coverage_assertion JOIN hook_call USING (hook_call_id)
             WHERE assertion_id = ?1",
        )
        .bind(assertion_id)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let assertion = AssertionRecord {
            assertion_id: row::text(&row, "assertion_id")?,
            order_reference: row::text(&row, "order_reference")?,
            order: packed::maybe_text(&row, "order_packed")?.unwrap_or_default(),
            coverage_reference: row::maybe_text(&row, "coverage_reference")?,
            member_id: row::maybe_text(&row, "member_id")?,
            policy: row::policy(&row)?,
            determination: row::text(&row, "determination")?,
            said: said(&row)?,
            findings: row::text(&row, "findings")?,
        };
        Ok(Some(StoredAssertion {
            assertion,
            client: row::text(&row, "client")?,
            service_id: row::text(&row, "service_id")?,
            given_at: row::timestamp(&row, "given_at_ms")?,
        }))
    }
}

fn said(row: &SqliteRow) -> sqlx::Result<Said> {
    let number = row::maybe_text(row, "said_number")?;
    Ok(match (row::maybe_text(row, "said")?.as_deref(), number) {
        (Some("no-auth"), _) => Said::NoAuth,
        (Some("satisfied"), Some(number)) => Said::Satisfied(number),
        (_, _) => Said::Other,
    })
}

async fn insert_hook_call(
    connection: &mut SqliteConnection,
    record: &HookCallRecord,
    (request, fetched): (&[u8], Option<&[u8]>),
) -> sqlx::Result<i64> {
    let done = sqlx::query(
        "INSERT INTO hook_call
             (hook_instance, client, service_id, guide, given_at_ms, request, request_packed,
              response, judged_on, rules, snapshot, fetched_packed)
         VALUES (?1, ?2, ?3, ?4, ?5, '', ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(&record.hook_instance)
    .bind(&record.client)
    .bind(&record.service_id)
    .bind(&record.guide)
    .bind(record.given_at.as_millisecond())
    .bind(request)
    .bind(&record.response)
    .bind(record.inputs.judged_on.to_string())
    .bind(&record.inputs.rules)
    .bind(record.inputs.held.as_ref().map(|held| held.digest.as_str()))
    .bind(fetched)
    .execute(connection)
    .await?;
    Ok(done.last_insert_rowid())
}

async fn insert_assertion(
    connection: &mut SqliteConnection,
    hook_call_id: i64,
    assertion: &AssertionRecord,
) -> sqlx::Result<()> {
    let (policy_id, policy_edition) = row::policy_columns(assertion.policy.as_ref());
    let (said, number) = match &assertion.said {
        Said::NoAuth => (Some("no-auth"), None),
        Said::Satisfied(number) => (Some("satisfied"), Some(number)),
        Said::Other => (None, None),
    };
    sqlx::query(
        "INSERT INTO coverage_assertion
             (assertion_id, hook_call_id, order_reference, member_id, policy_id, policy_edition,
              determination, findings, coverage_reference, said, said_number, order_packed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(&assertion.assertion_id)
    .bind(hook_call_id)
    .bind(&assertion.order_reference)
    .bind(&assertion.member_id)
    .bind(policy_id)
    .bind(policy_edition)
    .bind(&assertion.determination)
    .bind(&assertion.findings)
    .bind(&assertion.coverage_reference)
    .bind(said)
    .bind(number)
    .bind(packed::pack(&assertion.order))
    .execute(connection)
    .await
    .map(|_| ())
}
