//! The cards that were shown, and what became of them.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{SqliteStore, row};
use crate::store::{CardRecord, FeedbackCount, FeedbackRecord, Outcome};

/// Stores all cards of a call in one step.
pub(super) async fn insert_cards(
    connection: &mut SqliteConnection,
    hook_call_id: i64,
    cards: &[CardRecord],
) -> sqlx::Result<()> {
    if cards.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = cards
        .iter()
        .map(|card| {
            let (policy_id, edition) = row::policy_columns(card.policy.as_ref());
            let CardRecord { card_id, order_reference, kind, name, clause, .. } = card;
            serde_json::json!([card_id, order_reference, kind, name, policy_id, edition, clause])
        })
        .collect();
    sqlx::query(
        "INSERT INTO hook_card
             (card_id, hook_call_id, order_reference, kind, name, policy_id, policy_edition, clause)
         SELECT value ->> 0, ?2, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                value ->> 6
         FROM json_each(?1)",
    )
    .bind(serde_json::json!(rows).to_string())
    .bind(hook_call_id)
    .execute(connection)
    .await
    .map(|_| ())
}

impl SqliteStore {
    pub(super) async fn write_feedback(&self, records: &[FeedbackRecord]) -> sqlx::Result<usize> {
        let records = records.to_vec();
        let saving = async move |connection: &mut SqliteConnection| {
            let mut known = 0;
            for record in &records {
                known += usize::from(insert_feedback(connection, record).await?);
            }
            Ok(known)
        };
        self.writer.run(saving).await
    }

    pub(super) async fn read_feedback_counts(&self) -> sqlx::Result<Vec<FeedbackCount>> {
        let mut snapshot = self.readers.begin().await?;
        let rows = sqlx::query(
            "SELECT policy_id, kind, name, clause, count(*) AS shown,
                    count(accepted) AS accepted, count(overridden) AS overridden
             FROM hook_card LEFT JOIN (
                 SELECT card_id, max(CASE outcome WHEN 'accepted' THEN 1 END) AS accepted,
                        max(CASE outcome WHEN 'overridden' THEN 1 END) AS overridden
                 FROM card_feedback GROUP BY card_id) USING (card_id)
             GROUP BY policy_id, kind, name, clause ORDER BY policy_id, kind, name, clause",
        )
        .fetch_all(&mut *snapshot)
        .await?;
        let mut counts: Vec<FeedbackCount> =
            rows.iter().map(count_from).collect::<sqlx::Result<_>>()?;
        let reasons = sqlx::query(
            "SELECT policy_id, kind, name, clause, coalesce(reason, '') AS reason,
                    count(DISTINCT card_id) AS cards
             FROM card_feedback JOIN hook_card USING (card_id) WHERE outcome = 'overridden'
             GROUP BY policy_id, kind, name, clause, 5 ORDER BY cards DESC, 5",
        )
        .fetch_all(&mut *snapshot)
        .await?;
        for reason in &reasons {
            let key = (
                row::maybe_text(reason, "policy_id")?,
                row::text(reason, "kind")?,
                row::text(reason, "name")?,
                row::maybe_text(reason, "clause")?,
            );
            let of = |it: &&mut FeedbackCount| {
                (&it.policy_id, &it.kind, &it.name, &it.clause) == (&key.0, &key.1, &key.2, &key.3)
            };
            if let Some(count) = counts.iter_mut().find(of) {
                count.reasons.push((row::text(reason, "reason")?, number(reason, "cards")?));
            }
        }
        Ok(counts)
    }
}

/// Whether the card is one that was shown to this client.
async fn insert_feedback(
    connection: &mut SqliteConnection,
    record: &FeedbackRecord,
) -> sqlx::Result<bool> {
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM hook_card JOIN hook_call USING (hook_call_id)
         WHERE card_id = ?1 AND client = ?2",
    )
    .bind(&record.card_id)
    .bind(&record.client)
    .fetch_optional(&mut *connection)
    .await?;
    if known.is_none() {
        return Ok(false);
    }
    let nothing = Vec::new();
    let (outcome, suggestions, reason, comment) = match &record.outcome {
        Outcome::Accepted(suggestions) => ("accepted", suggestions, None, None),
        Outcome::Overridden { reason, comment } => {
            ("overridden", &nothing, reason.as_ref(), comment.as_ref())
        }
    };
    sqlx::query(
        "INSERT INTO card_feedback
             (card_id, outcome, happened_at, suggestions, received_at_ms, reason, comment)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )
    .bind(&record.card_id)
    .bind(outcome)
    .bind(&record.happened_at)
    .bind(serde_json::json!(suggestions).to_string())
    .bind(record.received_at.as_millisecond())
    .bind(reason)
    .bind(comment)
    .execute(connection)
    .await?;
    Ok(true)
}

fn count_from(row: &SqliteRow) -> sqlx::Result<FeedbackCount> {
    Ok(FeedbackCount {
        policy_id: row::maybe_text(row, "policy_id")?,
        kind: row::text(row, "kind")?,
        name: row::text(row, "name")?,
        clause: row::maybe_text(row, "clause")?,
        shown: number(row, "shown")?,
        accepted: number(row, "accepted")?,
        overridden: number(row, "overridden")?,
        reasons: Vec::new(),
    })
}

fn number(row: &SqliteRow, column: &'static str) -> sqlx::Result<u64> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(row::unreadable(column))
}
