//! Subscriptions, and the outbox of what they are owed.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::statement::{all, execute, first, one};
use super::{SqliteStore, json, row};
use crate::store::error::Fault;
use crate::store::outbox::{
    Delivery, Notice, Outbox, OutboxLine, Owed, StoredSubscription, SubscriptionRecord,
    SubscriptionStatus, Tried,
};
use crate::store::{CaseFile, CaseId, NextAnswer, StoreError, StoreFuture};

/// Adds an event for each active Subscription that is to hear of an answer.
///
/// Part of the answer's own transaction: an answer without its events cannot be.
pub(super) fn add_events(
    connection: &Connection,
    record: &NextAnswer,
    answer_number: u32,
) -> Result<(), Fault> {
    let Some(Notice { senders }) = &record.notice else { return Ok(()) };
    let given_at_ms = record.answer.given_at.as_millisecond();
    let numbered: Vec<(String, i64)> = all(
        connection,
        "UPDATE subscription SET last_event = last_event + 1
         WHERE client = (SELECT client FROM submission WHERE case_id = ?1
                         ORDER BY submission_id LIMIT 1)
           AND status = 'active' AND (end_at_ms IS NULL OR end_at_ms > ?2)
           AND NOT EXISTS (SELECT 1 FROM json_each(filters) AS filter
                WHERE NOT EXISTS (SELECT 1 FROM json_each(filter.value) AS wanted
                    WHERE wanted.value IN (SELECT value FROM json_each(?3))))
         RETURNING subscription_id, last_event",
        params![record.case_id.as_str(), given_at_ms, json(senders)],
        |row| Ok((row::text(row, "subscription_id")?, row::value(row, "last_event")?)),
    )?;
    for (subscription_id, number) in numbered {
        execute(
            connection,
            "INSERT INTO outbox (subscription_id, event_number, case_id, answer_number,
                                 happened_at_ms, state, due_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?5)",
            params![subscription_id, number, record.case_id.as_str(), answer_number, given_at_ms],
        )?;
    }
    Ok(())
}

impl SqliteStore {
    async fn insert_subscription(
        &self,
        record: &SubscriptionRecord,
        handshake_at: Timestamp,
        most: u32,
    ) -> Result<bool, Fault> {
        let record = record.clone();
        let inserting = move |connection: &_| {
            let counted = "SELECT count(*) AS there FROM subscription
                           WHERE client = ?1 AND status <> 'off'";
            let there: u32 =
                one(connection, counted, [&record.client], |row| row::number(row, "there"))?;
            if there >= most {
                return Ok(false);
            }
            execute(
                connection,
                "INSERT INTO subscription
                     (subscription_id, guide, client, status, endpoint, content, media_type,
                      end_at_ms, headers, filters, resource)
                 VALUES (?1, ?2, ?3, 'requested', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    record.id,
                    record.guide,
                    record.client,
                    record.endpoint,
                    record.content,
                    record.media_type,
                    record.end.map(Timestamp::as_millisecond),
                    json(&record.headers),
                    json(&record.filters),
                    record.resource,
                ],
            )?;
            insert_handshake(connection, &record.id, handshake_at)?;
            Ok(true)
        };
        self.writer.run(inserting).await
    }

    async fn update_subscription(
        &self,
        record: &SubscriptionRecord,
        handshake_at: Timestamp,
    ) -> Result<bool, Fault> {
        let record = record.clone();
        let updating = move |connection: &_| {
            let changed = execute(
                connection,
                "UPDATE subscription SET status = 'requested', fault = NULL, endpoint = ?2,
                     content = ?3, media_type = ?4, end_at_ms = ?5, headers = ?6, filters = ?7,
                     resource = ?8
                 WHERE subscription_id = ?1 AND is_deleted = 0",
                params![
                    record.id,
                    record.endpoint,
                    record.content,
                    record.media_type,
                    record.end.map(Timestamp::as_millisecond),
                    json(&record.headers),
                    json(&record.filters),
                    record.resource,
                ],
            )?;
            if changed == 0 {
                return Ok(false);
            }
            insert_handshake(connection, &record.id, handshake_at)?;
            Ok(true)
        };
        self.writer.run(updating).await
    }

    async fn silence_subscription(
        &self,
        id: &str,
        resource: Option<&str>,
        is_deleted: bool,
    ) -> Result<(), Fault> {
        let id = id.to_owned();
        let resource = resource.map(str::to_owned);
        let silencing = move |connection: &_| {
            execute(
                connection,
                "UPDATE subscription SET status = 'off', fault = NULL,
                     resource = coalesce(?2, resource), is_deleted = max(is_deleted, ?3)
                 WHERE subscription_id = ?1",
                params![id, resource, is_deleted],
            )?;
            forget_what_is_owed(connection)
        };
        self.writer.run(silencing).await
    }

    async fn silence_ended(&self, now: Timestamp) -> Result<u64, Fault> {
        let looking = move |connection: &_| {
            let sql = "SELECT 1 FROM subscription
                       WHERE status <> 'off' AND end_at_ms IS NOT NULL AND end_at_ms <= ?1 LIMIT 1";
            first(connection, sql, [now.as_millisecond()], |_| Ok(()))
        };
        if self.readers.run(looking).await?.is_none() {
            return Ok(0);
        }
        let silencing = move |connection: &_| {
            let silenced = execute(
                connection,
                "UPDATE subscription SET status = 'off', fault = NULL
                 WHERE status <> 'off' AND end_at_ms IS NOT NULL AND end_at_ms <= ?1",
                [now.as_millisecond()],
            )?;
            forget_what_is_owed(connection)?;
            Ok(u64::try_from(silenced).unwrap_or(u64::MAX))
        };
        self.writer.run(silencing).await
    }

    async fn read_subscription(&self, id: &str) -> Result<Option<StoredSubscription>, Fault> {
        let id = id.to_owned();
        let reading = move |connection: &_| {
            let sql = "SELECT * FROM subscription WHERE subscription_id = ?1";
            first(connection, sql, [id], subscription_from)
        };
        self.readers.run(reading).await
    }

    async fn read_due(
        &self,
        now: Timestamp,
        busy: &[String],
        limit: u32,
    ) -> Result<Vec<Delivery>, Fault> {
        let busy = json(busy);
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT * FROM outbox JOIN subscription USING (subscription_id)
                 WHERE state = 'waiting' AND due_at_ms <= ?1
                   AND status = CASE event_number WHEN 0 THEN 'requested' ELSE 'active' END
                   AND endpoint NOT IN (SELECT value FROM json_each(?2))
                   AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
                        WHERE earlier.subscription_id = outbox.subscription_id
                          AND earlier.state = 'waiting'
                          AND earlier.event_number < outbox.event_number)
                 ORDER BY due_at_ms, outbox_id LIMIT ?3",
                params![now.as_millisecond(), busy, limit],
                delivery_from,
            )
        };
        self.readers.run(reading).await
    }

    async fn write_try(&self, delivery: i64, at: Timestamp, tried: &Tried) -> Result<(), Fault> {
        let tried = tried.clone();
        self.writer.run(move |connection| note_try(connection, delivery, at, &tried)).await
    }

    async fn read_lines(&self, after: i64, limit: u32) -> Result<Vec<OutboxLine>, Fault> {
        let reading = move |connection: &_| {
            all(
                connection,
                "SELECT * FROM outbox JOIN subscription USING (subscription_id)
                 WHERE state IN ('waiting', 'dead') AND outbox_id > ?1
                 ORDER BY outbox_id LIMIT ?2",
                params![after, limit],
                line_from,
            )
        };
        self.readers.run(reading).await
    }

    async fn revive(&self, places: &[i64], now: Timestamp) -> Result<u64, Fault> {
        let places = json(places);
        let reviving = move |connection: &_| {
            let revived = all(
                connection,
                "UPDATE outbox SET state = 'waiting', tries = 0, waited_ms = 0, due_at_ms = ?2
                 WHERE state = 'dead'
                   AND (?1 = '[]' OR outbox_id IN (SELECT value FROM json_each(?1)))
                 RETURNING subscription_id, event_number",
                params![places, now.as_millisecond()],
                owed_from,
            )?;
            for (subscription_id, _) in revived.iter().filter(|(_, number)| *number == 0) {
                execute(
                    connection,
                    "UPDATE subscription SET status = 'requested', fault = NULL
                     WHERE subscription_id = ?1 AND status = 'error'",
                    [subscription_id],
                )?;
            }
            Ok(u64::try_from(revived.len()).unwrap_or(u64::MAX))
        };
        self.writer.run(reviving).await
    }
}

fn note_try(
    connection: &Connection,
    delivery: i64,
    at: Timestamp,
    tried: &Tried,
) -> Result<(), Fault> {
    let (state, due_at, waited, failure) = match tried {
        Tried::Accepted => ("accepted", at, None, None),
        Tried::Again { due_at, waited, failure } => {
            ("waiting", *due_at, Some(*waited), Some(failure))
        }
        Tried::GivenUp { failure } => ("dead", at, None, Some(failure)),
    };
    let status = match tried {
        Tried::Accepted => Some(SubscriptionStatus::Active),
        Tried::GivenUp { .. } => Some(SubscriptionStatus::Error),
        Tried::Again { .. } => None,
    };
    let waited_ms = waited.map(|waited| i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
    let noted = first(
        connection,
        "UPDATE outbox SET state = ?2, due_at_ms = ?3, tries = tries + 1,
             waited_ms = coalesce(?4, waited_ms), failure = ?5
         WHERE outbox_id = ?1 AND state = 'waiting' RETURNING subscription_id, event_number",
        params![delivery, state, due_at.as_millisecond(), waited_ms, failure],
        owed_from,
    )?;
    if let (Some((subscription_id, 0)), Some(status)) = (noted, status) {
        execute(
            connection,
            "UPDATE subscription SET status = ?2, fault = ?3
             WHERE subscription_id = ?1 AND status = 'requested'",
            params![subscription_id, status.as_str(), failure],
        )?;
    }
    Ok(())
}

/// Takes the place of an earlier handshake, whose outcome does not count any more.
fn insert_handshake(
    connection: &Connection,
    subscription_id: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    let forgotten = "DELETE FROM outbox WHERE subscription_id = ?1 AND event_number = 0";
    execute(connection, forgotten, [subscription_id])?;
    execute(
        connection,
        "INSERT INTO outbox (subscription_id, event_number, happened_at_ms, state, due_at_ms)
         VALUES (?1, 0, ?2, 'waiting', ?2)",
        params![subscription_id, at.as_millisecond()],
    )
    .map(drop)
}

/// What is owed to those that are off is not wanted any more, what was given up neither.
fn forget_what_is_owed(connection: &Connection) -> Result<(), Fault> {
    execute(
        connection,
        "UPDATE outbox SET state = 'unwanted' WHERE state IN ('waiting', 'dead')
         AND subscription_id IN (SELECT subscription_id FROM subscription WHERE status = 'off')",
        [],
    )
    .map(drop)
}

fn list<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &'static str,
) -> Result<Vec<T>, Fault> {
    serde_json::from_str(&row::text(row, column)?).map_err(row::unreadable(column))
}

fn count(row: &Row<'_>, column: &'static str) -> Result<u64, Fault> {
    u64::try_from(row::value::<i64>(row, column)?).map_err(row::unreadable(column))
}

/// Whose a row is, and the number of its event.
fn owed_from(row: &Row<'_>) -> Result<(String, u64), Fault> {
    Ok((row::text(row, "subscription_id")?, count(row, "event_number")?))
}

fn subscription_from(row: &Row<'_>) -> Result<StoredSubscription, Fault> {
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
        is_deleted: row::value(row, "is_deleted")?,
        events: count(row, "last_event")?,
        fault: row::maybe_text(row, "fault")?,
    })
}

fn delivery_from(row: &Row<'_>) -> Result<Delivery, Fault> {
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
        id: row::value(row, "outbox_id")?,
        subscription: subscription_from(row)?,
        owed,
        waited: Duration::from_millis(count(row, "waited_ms")?),
        tries: row::number(row, "tries")?,
    })
}

fn line_from(row: &Row<'_>) -> Result<OutboxLine, Fault> {
    let event_number = count(row, "event_number")?;
    Ok(OutboxLine {
        id: row::value(row, "outbox_id")?,
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
        attempt!("read a case as it was", self.read_case(case_id, Some(answer_number)))
    }

    fn outbox_lines(&self, after: i64, limit: u32) -> StoreFuture<'_, Vec<OutboxLine>> {
        attempt!("list the outbox", self.read_lines(after, limit))
    }

    fn redrive<'a>(&'a self, places: &'a [i64], now: Timestamp) -> StoreFuture<'a, u64> {
        attempt!("try notifications again", self.revive(places, now))
    }
}
