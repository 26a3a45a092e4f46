//! Hook calls and what was asserted in them.

use sqlx::SqliteConnection;

use super::{SqliteStore, packed, row};
use crate::store::{AssertionRecord, HookCallRecord, StoredAssertion};

impl SqliteStore {
    pub(super) async fn write_hook_call(&self, record: &HookCallRecord) -> sqlx::Result<()> {
        let request = packed::pack(&record.request);
        let record = HookCallRecord { request: String::new(), ..record.clone() };
        let saving = async move |connection: &mut SqliteConnection| {
            let hook_call_id = insert_hook_call(connection, &record, &request).await?;
            for assertion in &record.assertions {
                insert_assertion(connection, hook_call_id, assertion).await?;
            }
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
            member_id: row::maybe_text(&row, "member_id")?,
            policy: row::policy(&row)?,
            determination: row::text(&row, "determination")?,
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

async fn insert_hook_call(
    connection: &mut SqliteConnection,
    record: &HookCallRecord,
    request: &[u8],
) -> sqlx::Result<i64> {
    let done = sqlx::query(
        "INSERT INTO hook_call
             (hook_instance, client, service_id, guide, given_at_ms, request, request_packed,
              response)
         VALUES (?1, ?2, ?3, ?4, ?5, '', ?6, ?7)",
    )
    .bind(&record.hook_instance)
    .bind(&record.client)
    .bind(&record.service_id)
    .bind(&record.guide)
    .bind(record.given_at.as_millisecond())
    .bind(request)
    .bind(&record.response)
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
    sqlx::query(
        "INSERT INTO coverage_assertion
             (assertion_id, hook_call_id, order_reference, member_id, policy_id, policy_edition,
              determination, findings)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(&assertion.assertion_id)
    .bind(hook_call_id)
    .bind(&assertion.order_reference)
    .bind(&assertion.member_id)
    .bind(policy_id)
    .bind(policy_edition)
    .bind(&assertion.determination)
    .bind(&assertion.findings)
    .execute(connection)
    .await
    .map(|_| ())
}
