//! The cards that were shown, and what became of them.

use rusqlite::{Connection, Row, params};

use super::statement::{all, execute, first};
use super::{SqliteStore, row};
use crate::store::error::Fault;
use crate::store::{CardRecord, FeedbackCount, FeedbackRecord, Outcome};

/// How much feedback on one card is kept: more than a user can give.
const MOST_OF_A_CARD: u32 = 50;

/// Stores the cards of a call.
pub(super) fn insert_cards(
    connection: &Connection,
    hook_call_id: i64,
    cards: &[CardRecord],
) -> Result<(), Fault> {
    for card in cards {
        let (policy_id, edition) = row::policy_columns(card.policy.as_ref());
        execute(
            connection,
            "INSERT INTO hook_card
                 (card_id, hook_call_id, order_reference, kind, name, policy_id, policy_edition,
                  clause)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                card.card_id,
                hook_call_id,
                card.order_reference,
                card.kind,
                card.name,
                policy_id,
                edition,
                card.clause,
            ],
        )?;
    }
    Ok(())
}

impl SqliteStore {
    pub(super) async fn write_feedback(&self, records: &[FeedbackRecord]) -> Result<usize, Fault> {
        let records = records.to_vec();
        let saving = move |connection: &_| {
            let mut known = 0;
            for record in &records {
                known += usize::from(insert_feedback(connection, record)?);
            }
            Ok(known)
        };
        self.writer.run(saving).await
    }

    pub(super) async fn read_feedback_counts(&self) -> Result<Vec<FeedbackCount>, Fault> {
        self.readers.run(counts).await
    }
}

fn counts(connection: &Connection) -> Result<Vec<FeedbackCount>, Fault> {
    let mut counts = all(
        connection,
        "SELECT policy_id, kind, name, clause, count(*) AS shown,
                count(accepted) AS accepted, count(overridden) AS overridden
         FROM hook_card LEFT JOIN (
             SELECT card_id, max(CASE outcome WHEN 'accepted' THEN 1 END) AS accepted,
                    max(CASE outcome WHEN 'overridden' THEN 1 END) AS overridden
             FROM card_feedback GROUP BY card_id) USING (card_id)
         GROUP BY policy_id, kind, name, clause ORDER BY policy_id, kind, name, clause",
        [],
        count_from,
    )?;
    let reasons = all(
        connection,
        "SELECT policy_id, kind, name, clause, coalesce(reason, '') AS reason,
                count(DISTINCT card_id) AS cards
         FROM card_feedback JOIN hook_card USING (card_id) WHERE outcome = 'overridden'
         GROUP BY policy_id, kind, name, clause, 5 ORDER BY cards DESC, 5",
        [],
        |row| Ok((card(row)?, (row::text(row, "reason")?, row::count(row, "cards")?))),
    )?;
    for (card, reason) in reasons {
        let same = |it: &&mut FeedbackCount| {
            (&it.policy_id, &it.kind, &it.name, &it.clause) == (&card.0, &card.1, &card.2, &card.3)
        };
        if let Some(count) = counts.iter_mut().find(same) {
            count.reasons.push(reason);
        }
    }
    Ok(counts)
}

/// What cards are counted by: policy, kind, name and clause.
type Card = (Option<String>, String, String, Option<String>);

fn card(row: &Row<'_>) -> Result<Card, Fault> {
    Ok((
        row::maybe_text(row, "policy_id")?,
        row::text(row, "kind")?,
        row::text(row, "name")?,
        row::maybe_text(row, "clause")?,
    ))
}

fn count_from(row: &Row<'_>) -> Result<FeedbackCount, Fault> {
    let (policy_id, kind, name, clause) = card(row)?;
    Ok(FeedbackCount {
        policy_id,
        kind,
        name,
        clause,
        shown: row::count(row, "shown")?,
        accepted: row::count(row, "accepted")?,
        overridden: row::count(row, "overridden")?,
        reasons: Vec::new(),
    })
}

/// Whether the card is one that was shown to this client.
fn insert_feedback(connection: &Connection, record: &FeedbackRecord) -> Result<bool, Fault> {
    let known = first(
        connection,
        "SELECT 1 FROM hook_card JOIN hook_call USING (hook_call_id)
         WHERE card_id = ?1 AND client = ?2",
        [&record.card_id, &record.client],
        |_| Ok(()),
    )?;
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
    execute(
        connection,
        "INSERT INTO card_feedback
             (card_id, outcome, happened_at, suggestions, received_at_ms, reason, comment)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE (SELECT count(*) FROM card_feedback WHERE card_id = ?1) < ?8
         ON CONFLICT DO NOTHING",
        params![
            record.card_id,
            outcome,
            record.happened_at,
            serde_json::json!(suggestions).to_string(),
            record.received_at.as_millisecond(),
            reason,
            comment,
            MOST_OF_A_CARD,
        ],
    )?;
    Ok(true)
}
