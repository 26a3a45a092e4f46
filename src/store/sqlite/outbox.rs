//! Subscriptions, and the outbox of what they are owed.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{SqliteStore, row};
use crate::store::outbox::{
    Delivery, Notice, Outbox, OutboxLine, Owed, StoredSubscription, SubscriptionRecord,
    SubscriptionStatus, Tried,
};
use crate::store::{CaseFile, CaseId, NextAnswer, StoreError, StoreFuture};

/// Adds an event for each active Subscription that is to hear of an answer.
///
/// Part of the answer's own transaction: an answer without its events cannot be.
pub(super) async fn add_events(
    connection: &mut SqliteConnection,
    record: &NextAnswer,
    answer_number: u32,
) -> sqlx::Result<()> {
    let Some(Notice { senders }) = &record.notice else { return Ok(()) };
    let given_at_ms = record.answer.given_at.as_millisecond();
    let numbered: Vec<(String, i64)> = sqlx::query_as(
        "UPDATE subscription SET last_event = last_event + 1
         WHERE client = (SELECT client FROM submission WHERE case_id = ?1
                         ORDER BY submission_id LIMIT 1)
           AND status = 'active' AND (end_at_ms IS NULL OR end_at_ms > ?2)
           AND NOT EXISTS (SELECT 1 FROM json_each(filters) AS filter
                WHERE NOT EXISTS (SELECT 1 FROM json_each(filter.value) AS wanted
                    WHERE wanted.value IN (SELECT value FROM json_each(?3))))
         RETURNING subscription_id, last_event",
    )
    .bind(record.case_id.as_str())
    .bind(given_at_ms)
    .bind(json(senders))
    .fetch_all(&mut *connection)
    .await?;
    for (subscription_id, number) in numbered {
        sqlx::query(
            "INSERT INTO outbox (subscription_id, event_number, case_id, answer_number,
                                 happened_at_ms, state, due_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?5)",
        )
        .bind(subscription_id)
        .bind(number)
        .bind(record.case_id.as_str())
        .bind(answer_number)
        .bind(given_at_ms)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl SqliteStore {
    async fn insert_subscription(
        &self,
        record: &SubscriptionRecord,
        handshake_at: Timestamp,
        most: u32,
    ) -> sqlx::Result<bool> {
        let record = record.clone();
        let inserting = async move |connection: &mut SqliteConnection| {
            let there: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM subscription WHERE client = ?1 AND status <> 'off'",
            )
            .bind(&record.client)
            .fetch_one(&mut *connection)
            .await?;
            if there >= i64::from(most) {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO subscription
                     (subscription_id, guide, client, status, endpoint, content, media_type, end_at_ms,
                      headers, filters, resource)
                 VALUES (?1, ?2, ?3, 'requested', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .bind(&record.id)
            .bind(&record.guide)
            .bind(&record.client)
            .bind(&record.endpoint)
            .bind(&record.content)
            .bind(&record.media_type)
            .bind(record.end.map(Timestamp::as_millisecond))
            .bind(json(&record.headers))
            .bind(json(&record.filters))
            .bind(&record.resource)
            .execute(&mut *connection)
            .await?;
            insert_handshake(connection, &record.id, handshake_at).await?;
            Ok(true)
        };
        self.writer.run(inserting).await
    }

    async fn update_subscription(
        &self,
        record: &SubscriptionRecord,
        handshake_at: Timestamp,
    ) -> sqlx::Result<bool> {
        let record = record.clone();
        let updating = async move |connection: &mut SqliteConnection| {
            let changed = sqlx::query(
                "UPDATE subscription SET status = 'requested', fault = NULL, endpoint = ?2,
                     content = ?3, media_type = ?4, end_at_ms = ?5, headers = ?6, filters = ?7,
                     resource = ?8
                 WHERE subscription_id = ?1 AND is_deleted = 0",
            )
            .bind(&record.id)
            .bind(&record.endpoint)
            .bind(&record.content)
            .bind(&record.media_type)
            .bind(record.end.map(Timestamp::as_millisecond))
            .bind(json(&record.headers))
            .bind(json(&record.filters))
            .bind(&record.resource)
            .execute(&mut *connection)
            .await?;
            if changed.rows_affected() == 0 {
                return Ok(false);
            }
            insert_handshake(connection, &record.id, handshake_at).await?;
            Ok(true)
        };
        self.writer.run(updating).await
    }

    async fn silence_subscription(
        &self,
        id: &str,
        resource: Option<&str>,
        is_deleted: bool,
    ) -> sqlx::Result<()> {
        let id = id.to_owned();
        let resource = resource.map(str::to_owned);
        let silencing = async move |connection: &mut SqliteConnection| {
            sqlx::query(
                "UPDATE subscription SET status = 'off', fault = NULL,
                     resource = coalesce(?2, resource), is_deleted = max(is_deleted, ?3)
                 WHERE subscription_id = ?1",
            )
            .bind(id)
            .bind(resource)
            .bind(is_deleted)
            .execute(&mut *connection)
            .await?;
            forget_what_is_owed(connection).await?;
            Ok(())
        };
        self.writer.run(silencing).await
    }

    async fn silence_ended(&self, now: Timestamp) -> sqlx::Result<u64> {
        let ended: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM subscription
             WHERE status <> 'off' AND end_at_ms IS NOT NULL AND end_at_ms <= ?1 LIMIT 1",
        )
        .bind(now.as_millisecond())
        .fetch_optional(&self.readers)
        .await?;
        if ended.is_none() {
            return Ok(0);
        }
        let silencing = async move |connection: &mut SqliteConnection| {
            let silenced = sqlx::query(
                "UPDATE subscription SET status = 'off', fault = NULL
                 WHERE status <> 'off' AND end_at_ms IS NOT NULL AND end_at_ms <= ?1",
            )
            .bind(now.as_millisecond())
            .execute(&mut *connection)
            .await?;
            forget_what_is_owed(connection).await?;
            Ok(silenced.rows_affected())
        };
        self.writer.run(silencing).await
    }

    async fn read_subscription(&self, id: &str) -> sqlx::Result<Option<StoredSubscription>> {
        let row = sqlx::query("SELECT * FROM subscription WHERE subscription_id = ?1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(subscription_from).transpose()
    }

    async fn read_due(
        &self,
        now: Timestamp,
        busy: &[String],
        limit: u32,
    ) -> sqlx::Result<Vec<Delivery>> {
        let rows = sqlx::query(
            "SELECT * FROM outbox JOIN subscription USING (subscription_id)
             WHERE state = 'waiting' AND due_at_ms <= ?1
               AND status = CASE event_number WHEN 0 THEN 'requested' ELSE 'active' END
               AND endpoint NOT IN (SELECT value FROM json_each(?2))
               AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
                    WHERE earlier.subscription_id = outbox.subscription_id
                      AND earlier.state = 'waiting'
                      AND earlier.event_number < outbox.event_number)
             ORDER BY due_at_ms, outbox_id LIMIT ?3",
        )
        .bind(now.as_millisecond())
        .bind(json(busy))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(delivery_from).collect()
    }

    async fn write_try(&self, delivery: i64, at: Timestamp, tried: &Tried) -> sqlx::Result<()> {
        let (state, due_at, waited, failure) = match tried {
            Tried::Accepted => ("accepted", at, None, None),
            Tried::Again { due_at, waited, failure } => {
                ("waiting", *due_at, Some(*waited), Some(failure.clone()))
            }
            Tried::GivenUp { failure } => ("dead", at, None, Some(failure.clone())),
        };
        let status = match tried {
            Tried::Accepted => Some(SubscriptionStatus::Active),
            Tried::GivenUp { .. } => Some(SubscriptionStatus::Error),
            Tried::Again { .. } => None,
        };
        let waited_ms = waited.map(|waited| i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
        let noting = async move |connection: &mut SqliteConnection| {
            let handshake_of: Option<(String, i64)> = sqlx::query_as(
                "UPDATE outbox SET state = ?2, due_at_ms = ?3, tries = tries + 1,
                     waited_ms = coalesce(?4, waited_ms), failure = ?5
                 WHERE outbox_id = ?1 AND state = 'waiting' RETURNING subscription_id, event_number",
            )
            .bind(delivery)
            .bind(state)
            .bind(due_at.as_millisecond())
            .bind(waited_ms)
            .bind(&failure)
            .fetch_optional(&mut *connection)
            .await?;
            if let (Some((subscription_id, 0)), Some(status)) = (handshake_of, status) {
                sqlx::query(
                    "UPDATE subscription SET status = ?2, fault = ?3
                     WHERE subscription_id = ?1 AND status = 'requested'",
                )
                .bind(subscription_id)
                .bind(status.as_str())
                .bind(failure)
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        };
        self.writer.run(noting).await
    }

    async fn read_lines(&self, after: i64, limit: u32) -> sqlx::Result<Vec<OutboxLine>> {
        let rows = sqlx::query(
            "SELECT * FROM outbox JOIN subscription USING (subscription_id)
             WHERE state IN ('waiting', 'dead') AND outbox_id > ?1 ORDER BY outbox_id LIMIT ?2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(line_from).collect()
    }

    async fn revive(&self, places: &[i64], now: Timestamp) -> sqlx::Result<u64> {
        let places = json(places);
        let reviving = async move |connection: &mut SqliteConnection| {
            let revived: Vec<(String, i64)> = sqlx::query_as(
                "UPDATE outbox SET state = 'waiting', tries = 0, waited_ms = 0, due_at_ms = ?2
                 WHERE state = 'dead'
                   AND (?1 = '[]' OR outbox_id IN (SELECT value FROM json_each(?1)))
                 RETURNING subscription_id, event_number",
            )
            .bind(places)
            .bind(now.as_millisecond())
            .fetch_all(&mut *connection)
            .await?;
            for (subscription_id, _) in revived.iter().filter(|(_, number)| *number == 0) {
                sqlx::query(
                    "UPDATE subscription SET status = 'requested', fault = NULL
                     WHERE subscription_id = ?1 AND status = 'error'",
                )
                .bind(subscription_id)
                .execute(&mut *connection)
                .await?;
            }
            Ok(u64::try_from(revived.len()).unwrap_or(u64::MAX))
        };
        self.writer.run(reviving).await
    }
}

/// Takes the place of an earlier handshake, whose outcome does not count any more.
async fn insert_handshake(
    connection: &mut SqliteConnection,
    subscription_id: &str,
    at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM outbox WHERE subscription_id = ?1 AND event_number = 0")
        .bind(subscription_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO outbox (subscription_id, event_number, happened_at_ms, state, due_at_ms)
         VALUES (?1, 0, ?2, 'waiting', ?2)",
    )
    .bind(subscription_id)
    .bind(at.as_millisecond())
    .execute(connection)
    .await
    .map(|_| ())
}

/// What is owed to those that are off is not wanted any more, what was given up neither.
async fn forget_what_is_owed(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE outbox SET state = 'unwanted' WHERE state IN ('waiting', 'dead')
         AND subscription_id IN (SELECT subscription_id FROM subscription WHERE status = 'off')",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// A list as the text of a JSON array, of which SQL makes rows.
fn json<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}

fn list<T: serde::de::DeserializeOwned>(
    row: &SqliteRow,
    column: &'static str,
) -> sqlx::Result<Vec<T>> {
    serde_json::from_str(&row::text(row, column)?).map_err(row::unreadable(column))
}

fn count(row: &SqliteRow, column: &'static str) -> sqlx::Result<u64> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(row::unreadable(column))
}

fn subscription_from(row: &SqliteRow) -> sqlx::Result<StoredSubscription> {
    let status = SubscriptionStatus::parse(&row::text(row, "status")?);
    Ok(StoredSubscription {
        record: SubscriptionRecord {
            id: row::text(row, "subscription_id")?,
            guide: row::text(row, "guide")?,
            client: row::text(row, "client")?,
            endpoint: row::text(row, "endpoint")?,
            content: row::text(row, "content")?,
            media_type: row::text(row, "media_type")?,
            headers: list(row, "headers")?,
            end: row::maybe_timestamp(row, "end_at_ms")?,
            filters: list(row, "filters")?,
            resource: row::text(row, "resource")?,
        },
        status: status.ok_or(()).map_err(row::unreadable("status"))?,
        is_deleted: row.try_get("is_deleted")?,
        events: count(row, "last_event")?,
        fault: row::maybe_text(row, "fault")?,
    })
}

fn delivery_from(row: &SqliteRow) -> sqlx::Result<Delivery> {
    let number = count(row, "event_number")?;
    let owed = if number == 0 {
        Owed::Handshake
    } else {
        Owed::Event {
            number,
            case_id: row::case_id(row)?,
            answer_number: row::number(row, "answer_number")?,
            happened_at: row::timestamp(row, "happened_at_ms")?,
        }
    };
    Ok(Delivery {
        id: row.try_get("outbox_id")?,
        subscription: subscription_from(row)?,
        owed,
        waited: Duration::from_millis(count(row, "waited_ms")?),
        tries: row::number(row, "tries")?,
    })
}

fn line_from(row: &SqliteRow) -> sqlx::Result<OutboxLine> {
    let event_number = count(row, "event_number")?;
    Ok(OutboxLine {
        id: row.try_get("outbox_id")?,
        subscription_id: row::text(row, "subscription_id")?,
        client: row::text(row, "client")?,
        event_number,
        case_id: (event_number > 0).then(|| row::case_id(row)).transpose()?,
        is_dead: row::text(row, "state")? == "dead",
        tries: row::number(row, "tries")?,
        at: row::timestamp(row, "due_at_ms")?,
        failure: row::maybe_text(row, "failure")?,
    })
}

impl Outbox for SqliteStore {
    fn add_subscription<'a>(
        &'a self,
        record: &'a SubscriptionRecord,
        handshake_at: Timestamp,
        most: u32,
    ) -> StoreFuture<'a, bool> {
        attempt!("store a Subscription", self.insert_subscription(record, handshake_at, most))
    }

    fn replace_subscription<'a>(
        &'a self,
        record: &'a SubscriptionRecord,
        handshake_at: Timestamp,
    ) -> StoreFuture<'a, bool> {
        attempt!("change a Subscription", self.update_subscription(record, handshake_at))
    }

    fn turn_off_subscription<'a>(
        &'a self,
        id: &'a str,
        resource: Option<&'a str>,
        is_deleted: bool,
    ) -> StoreFuture<'a, ()> {
        attempt!("turn a Subscription off", self.silence_subscription(id, resource, is_deleted))
    }

    fn end_subscriptions(&self, now: Timestamp) -> StoreFuture<'_, u64> {
        attempt!("turn off Subscriptions that ended", self.silence_ended(now))
    }

    fn subscription<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<StoredSubscription>> {
        attempt!("read a Subscription", self.read_subscription(id))
    }

    fn due_deliveries<'a>(
        &'a self,
        now: Timestamp,
        busy: &'a [String],
        limit: u32,
    ) -> StoreFuture<'a, Vec<Delivery>> {
        attempt!("look for notifications that are due", self.read_due(now, busy, limit))
    }

    fn note_try<'a>(
        &'a self,
        delivery: i64,
        at: Timestamp,
        tried: &'a Tried,
    ) -> StoreFuture<'a, ()> {
        attempt!("note what became of a notification", self.write_try(delivery, at, tried))
    }

    fn case_then<'a>(
        &'a self,
        case_id: &'a CaseId,
        answer_number: u32,
    ) -> StoreFuture<'a, Option<CaseFile>> {
        attempt!("read a case as it was", self.read_case_then(case_id, Some(answer_number)))
    }

    fn outbox_lines(&self, after: i64, limit: u32) -> StoreFuture<'_, Vec<OutboxLine>> {
        attempt!("list the outbox", self.read_lines(after, limit))
    }

    fn redrive<'a>(&'a self, places: &'a [i64], now: Timestamp) -> StoreFuture<'a, u64> {
        attempt!("try notifications again", self.revive(places, now))
    }
}
