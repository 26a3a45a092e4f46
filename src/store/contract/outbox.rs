//! What every outbox promises.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Answered, Cause, FurtherSubmission, Store, approved, at, case_id, line, review, submission,
};
use crate::store::{Delivery, Notice, Outbox, Owed, SubscriptionRecord, SubscriptionStatus, Tried};

/// As `store_contract`, for a store that has an outbox.
macro_rules! outbox_contract {
    ($open:path) => {
        $crate::store::contract::store_contract! { $open:
            an_answer_is_an_event_of_each_active_subscription_that_is_to_hear_of_it,
            the_numbers_of_events_rise_without_gaps,
            evidence_of_another_client_is_told_to_the_one_that_opened_the_case,
            an_answer_that_was_not_recorded_is_no_event,
            what_is_owed_is_due_one_after_the_other,
            a_handshake_decides_the_status,
            what_was_given_up_is_kept_and_can_be_tried_again,
            what_is_off_is_owed_nothing_and_ends_at_its_end,
            a_changed_subscription_shakes_hands_again_and_counts_on,
            a_client_has_a_limited_number_of_subscriptions,
            a_case_is_read_as_it_was_then,
        }
    };
}
pub(crate) use outbox_contract;

fn subscription(id: &str) -> SubscriptionRecord {
    SubscriptionRecord {
        id: id.into(),
        guide: "2.2.1".into(),
        client: "lakeside".into(),
        endpoint: format!("https://{id}.test/hook"),
        content: "full-resource".into(),
        media_type: "application/fhir+json".into(),
        headers: vec!["Authorization: Bearer abc".into()],
        end: Some(at(10_000)),
        filters: Vec::new(),
        resource: r#"{"resourceType":"Subscription"}"#.into(),
    }
}

/// Stores Subscriptions and lets their endpoints accept the handshake.
async fn activate(store: &dyn Outbox, records: &[SubscriptionRecord]) {
    for record in records {
        assert!(store.add_subscription(record, at(1), 100).await.unwrap());
    }
    for delivery in due(store, 2).await {
        assert_eq!(delivery.owed, Owed::Handshake);
        store.note_try(delivery.id, at(2), &Tried::Accepted).await.unwrap();
    }
}

async fn due(store: &dyn Outbox, ms: i64) -> Vec<Delivery> {
    store.due_deliveries(at(ms), &[], 100).await.unwrap()
}

/// Which Subscription has which event due.
async fn due_events(store: &dyn Outbox, ms: i64) -> Vec<(String, u64)> {
    let mut events: Vec<(String, u64)> = due(store, ms)
        .await
        .into_iter()
        .map(|delivery| match delivery.owed {
            Owed::Handshake => (delivery.subscription.record.id, 0),
            Owed::Event { number, .. } => (delivery.subscription.record.id, number),
        })
        .collect();
    events.sort();
    events
}

async fn status(store: &dyn Outbox, id: &str) -> SubscriptionStatus {
    store.subscription(id).await.unwrap().unwrap().status
}

/// Opens the case `first` and gives it this many further answers, each worth a notice.
async fn answers(store: &dyn Store, count: u32) {
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    for seen in 1..=count {
        let mut next = review("first", seen, vec![line(1)]);
        next.notice = Some(notice());
        assert_eq!(store.save_answer(&next).await.unwrap(), Answered::Recorded(seen + 1));
    }
}

fn notice() -> Notice {
    Notice { senders: vec!["1".into(), "npi|1".into()] }
}

pub(crate) async fn an_answer_is_an_event_of_each_active_subscription_that_is_to_hear_of_it<
    S: Store + Outbox,
>(
    store: Arc<S>,
) {
    let filtered = |id: &str, filters: &[&[&str]]| SubscriptionRecord {
        filters: filters.iter().map(|it| it.iter().map(ToString::to_string).collect()).collect(),
        ..subscription(id)
    };
    let other = SubscriptionRecord { client: "harbor".into(), ..subscription("other") };
    let ended = SubscriptionRecord { end: Some(at(50)), ..subscription("ended") };
    let records = [
        subscription("all"),
        filtered("one-of", &[&["7", "npi|1"]]),
        filtered("both", &[&["1"], &["npi|1"]]),
        filtered("half", &[&["1"], &["7"]]),
        filtered("none", &[&["7"]]),
        other,
        ended,
    ];
    activate(&*store, &records).await;
    store.add_subscription(&subscription("silent"), at(900), 100).await.unwrap();
    answers(&*store, 1).await;
    let expected = ["all", "both", "one-of"].map(|id| (id.to_owned(), 1));
    assert_eq!(due_events(&*store, 200).await, expected);
}

pub(crate) async fn the_numbers_of_events_rise_without_gaps<S: Store + Outbox>(store: Arc<S>) {
    activate(&*store, &[subscription("a")]).await;
    answers(&*store, 3).await;
    for expected in 1..=3 {
        let delivery = due(&*store, 200).await.remove(0);
        let Owed::Event { number, answer_number, .. } = delivery.owed else { panic!() };
        assert_eq!((number, answer_number), (expected, u32::try_from(expected).unwrap() + 1));
        store.note_try(delivery.id, at(200), &Tried::Accepted).await.unwrap();
    }
    assert!(due(&*store, 200).await.is_empty());
    assert_eq!(store.subscription("a").await.unwrap().unwrap().events, 3);
}

pub(crate) async fn evidence_of_another_client_is_told_to_the_one_that_opened_the_case<
    S: Store + Outbox,
>(
    store: Arc<S>,
) {
    let other = SubscriptionRecord { client: "harbor".into(), ..subscription("other") };
    activate(&*store, &[subscription("own"), other]).await;
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    let mut more = submission("first", 'b', 10);
    more.key.client = "harbor".into();
    for seen in 1..=2 {
        let mut next = review("first", seen, vec![line(1)]);
        next.notice = Some(notice());
        if seen == 1 {
            next.cause = Cause::Submission(Box::new(FurtherSubmission {
                key: more.key.clone(),
                bundle_identifier: None,
                claim_identifier: None,
                body: "{}".into(),
                judged_after: None,
                inputs: None,
            }));
        }
        store.save_answer(&next).await.unwrap();
    }
    assert_eq!(due_events(&*store, 200).await, [("own".to_owned(), 1)]);
    assert_eq!(store.subscription("own").await.unwrap().unwrap().events, 2);
    assert_eq!(store.subscription("other").await.unwrap().unwrap().events, 0);
}

pub(crate) async fn an_answer_that_was_not_recorded_is_no_event<S: Store + Outbox>(store: Arc<S>) {
    activate(&*store, &[subscription("a")]).await;
    store.save_submission(&submission("first", 'a', 0)).await.unwrap();
    store.save_submission(&submission("second", 'b', 0)).await.unwrap();
    let mut late = review("first", 7, vec![line(1)]);
    late.notice = Some(notice());
    assert_eq!(store.save_answer(&late).await.unwrap(), Answered::MovedOn(1));
    let mut refused = review("first", 1, vec![line(1), line(1)]);
    refused.notice = Some(notice());
    store.save_answer(&refused).await.unwrap_err();
    let silent = review("second", 1, vec![line(1)]);
    store.save_answer(&silent).await.unwrap();
    assert!(due(&*store, 200).await.is_empty());
    assert_eq!(store.subscription("a").await.unwrap().unwrap().events, 0);
}

pub(crate) async fn what_is_owed_is_due_one_after_the_other<S: Store + Outbox>(store: Arc<S>) {
    activate(&*store, &[subscription("a"), subscription("b")]).await;
    answers(&*store, 2).await;
    let first = due(&*store, 200).await.remove(0);
    assert_eq!(first.subscription.record.id, "a");
    let waited = Duration::from_millis(30);
    let again = Tried::Again { due_at: at(300), waited, failure: "it answered 500".into() };
    store.note_try(first.id, at(200), &again).await.unwrap();
    // The second event of `a` does not overtake; `b` does not wait for `a`.
    assert_eq!(due_events(&*store, 299).await, [("b".to_owned(), 1)]);
    let later = due(&*store, 300).await;
    let retried = later.iter().find(|it| it.subscription.record.id == "a").unwrap();
    assert_eq!((retried.id, retried.tries, retried.waited), (first.id, 1, waited));
    let busy = ["https://a.test/hook".to_owned()];
    let free = store.due_deliveries(at(300), &busy, 100).await.unwrap();
    assert_eq!(free.len(), 1);
    assert_eq!(free[0].subscription.record.id, "b");
}

pub(crate) async fn a_handshake_decides_the_status<S: Store + Outbox>(store: Arc<S>) {
    for (id, tried, expected) in [
        ("good", Tried::Accepted, SubscriptionStatus::Active),
        ("bad", Tried::GivenUp { failure: "no".into() }, SubscriptionStatus::Error),
    ] {
        store.add_subscription(&subscription(id), at(1), 100).await.unwrap();
        assert!(due(&*store, 0).await.is_empty());
        assert_eq!(status(&*store, id).await, SubscriptionStatus::Requested);
        let delivery = due(&*store, 1).await.remove(0);
        assert_eq!(delivery.subscription.record, subscription(id));
        store.note_try(delivery.id, at(1), &tried).await.unwrap();
        assert_eq!(status(&*store, id).await, expected);
    }
    let bad = store.subscription("bad").await.unwrap().unwrap();
    assert_eq!(bad.fault.as_deref(), Some("no"));
}

pub(crate) async fn what_was_given_up_is_kept_and_can_be_tried_again<S: Store + Outbox>(
    store: Arc<S>,
) {
    activate(&*store, &[subscription("a")]).await;
    answers(&*store, 2).await;
    let first = due(&*store, 200).await.remove(0);
    let given_up = Tried::GivenUp { failure: "it answered 500".into() };
    store.note_try(first.id, at(200), &given_up).await.unwrap();
    assert_eq!(status(&*store, "a").await, SubscriptionStatus::Active);
    let lines = store.outbox_lines(0, 100).await.unwrap();
    let seen: Vec<_> = lines.iter().map(|line| (line.event_number, line.is_dead)).collect();
    assert_eq!(seen, [(1, true), (2, false)]);
    assert_eq!(lines[0].failure.as_deref(), Some("it answered 500"));
    assert_eq!(due_events(&*store, 200).await, [("a".to_owned(), 2)]);
    assert_eq!(store.redrive(&[first.id + 100], at(300)).await.unwrap(), 0);
    assert_eq!(store.redrive(&[first.id], at(300)).await.unwrap(), 1);
    assert_eq!(due_events(&*store, 300).await, [("a".to_owned(), 1)]);

    store.add_subscription(&subscription("b"), at(1), 100).await.unwrap();
    let handshake = due(&*store, 300).await.into_iter().find(|it| it.owed == Owed::Handshake);
    store.note_try(handshake.unwrap().id, at(300), &given_up).await.unwrap();
    assert_eq!(store.redrive(&[], at(300)).await.unwrap(), 1);
    assert_eq!(status(&*store, "b").await, SubscriptionStatus::Requested);
    assert!(due_events(&*store, 300).await.contains(&("b".to_owned(), 0)));
}

pub(crate) async fn what_is_off_is_owed_nothing_and_ends_at_its_end<S: Store + Outbox>(
    store: Arc<S>,
) {
    let (a, b, c) = (subscription("a"), subscription("b"), subscription("c"));
    let c = SubscriptionRecord { end: Some(at(300)), ..c };
    activate(&*store, &[a, b, c]).await;
    answers(&*store, 1).await;
    let owed = due(&*store, 200).await;
    store.turn_off_subscription("a", Some(r#"{"status":"off"}"#), false).await.unwrap();
    store.turn_off_subscription("b", None, true).await.unwrap();
    assert_eq!(store.end_subscriptions(at(299)).await.unwrap(), 0);
    assert_eq!(due_events(&*store, 299).await, [("c".to_owned(), 1)]);
    assert_eq!(store.end_subscriptions(at(300)).await.unwrap(), 1);
    assert!(due(&*store, 300).await.is_empty());
    for id in ["a", "b", "c"] {
        assert_eq!(status(&*store, id).await, SubscriptionStatus::Off);
    }
    let a = store.subscription("a").await.unwrap().unwrap();
    assert_eq!((a.record.resource.as_str(), a.is_deleted), (r#"{"status":"off"}"#, false));
    assert!(store.subscription("b").await.unwrap().unwrap().is_deleted);
    assert!(!store.replace_subscription(&subscription("b"), at(400)).await.unwrap());
    // A try that was going on when it was turned off does not count.
    let failure = "it answered 500".to_owned();
    let again = Tried::Again { due_at: at(400), waited: Duration::ZERO, failure };
    store.note_try(owed[0].id, at(310), &again).await.unwrap();
    assert!(store.outbox_lines(0, 100).await.unwrap().is_empty());
}

pub(crate) async fn a_changed_subscription_shakes_hands_again_and_counts_on<S: Store + Outbox>(
    store: Arc<S>,
) {
    activate(&*store, &[subscription("a")]).await;
    answers(&*store, 1).await;
    assert!(!store.replace_subscription(&subscription("b"), at(200)).await.unwrap());
    let changed =
        SubscriptionRecord { endpoint: "https://new.test/hook".into(), ..subscription("a") };
    assert!(store.replace_subscription(&changed, at(200)).await.unwrap());
    let stale = due(&*store, 200).await.remove(0);
    assert_eq!((&stale.owed, &stale.subscription.record), (&Owed::Handshake, &changed));
    assert!(store.replace_subscription(&changed, at(210)).await.unwrap());
    // The outcome of the handshake before the change says nothing of the one after it.
    store.note_try(stale.id, at(211), &Tried::Accepted).await.unwrap();
    assert_eq!(status(&*store, "a").await, SubscriptionStatus::Requested);
    let fresh = due(&*store, 220).await.remove(0);
    store.note_try(fresh.id, at(220), &Tried::Accepted).await.unwrap();
    assert_eq!(due_events(&*store, 230).await, [("a".to_owned(), 1)]);
}

pub(crate) async fn a_client_has_a_limited_number_of_subscriptions<S: Store + Outbox>(
    store: Arc<S>,
) {
    assert!(store.add_subscription(&subscription("a"), at(1), 1).await.unwrap());
    assert!(!store.add_subscription(&subscription("b"), at(1), 1).await.unwrap());
    assert!(store.subscription("b").await.unwrap().is_none());
    let other = SubscriptionRecord { client: "harbor".into(), ..subscription("c") };
    assert!(store.add_subscription(&other, at(1), 1).await.unwrap());
    store.turn_off_subscription("a", None, true).await.unwrap();
    assert!(store.add_subscription(&subscription("b"), at(1), 1).await.unwrap());
}

pub(crate) async fn a_case_is_read_as_it_was_then<S: Store + Outbox>(store: Arc<S>) {
    answers(&*store, 1).await;
    let decided = review("first", 2, vec![approved(1, "A-1")]);
    store.save_answer(&decided).await.unwrap();
    let then = store.case_then(&case_id("first"), 2).await.unwrap().unwrap();
    assert_eq!(then.lines, [line(1)]);
    assert_eq!(then.answer.number, 2);
    let now = store.case(&case_id("first")).await.unwrap().unwrap();
    assert_eq!(now.lines, [approved(1, "A-1")]);
}
