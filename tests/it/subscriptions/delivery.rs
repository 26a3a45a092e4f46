//! Notifications arrive: in order, after failures, after a stop and after a kill.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use priorauth::config::Config;
use priorauth::service::{RealWorld, Service, Terms};
use priorauth::store::{CaseId, SqliteStore};
use serde_json::json;
use tokio::runtime::Runtime;

use super::receiver::{Arrived, Receiver};
use super::{FAST, PENDED, activated, create, open_case, path, review, status, subscription};
use crate::command_line::{code, lines, out, run};
use crate::harness::{Answer, FHIR_JSON, Server, comes_true, fixture, received};
use crate::process::Process;

#[test]
fn a_receiver_that_is_not_ready_is_asked_again_until_it_is() {
    let server = Server::configured(|_| FAST.to_owned());
    let receiver = Receiver::start(|count, _| match count {
        // A redirect is a failure too, and is not followed.
        0 => 307,
        1 => 404,
        2..20 => 500,
        _ => 200,
    });
    let id = activated(&server, &receiver, "2.2.1");
    assert_eq!(receiver.arrived().len(), 21);
    assert!(receiver.arrived().iter().all(|it| it.kind() == "handshake"));
    assert_eq!(status(&server, "2.2.1", &id), "active");
}

#[test]
fn events_arrive_in_order_though_the_first_fails_for_a_while() {
    let server = Server::configured(|_| FAST.to_owned());
    let receiver = Receiver::start(|count, _| if (1..10).contains(&count) { 503 } else { 200 });
    activated(&server, &receiver, "2.2.1");
    let case = open_case(&server, "2.2.1", "M-1");
    for decision in ["ask", "ask", "ask", "approve"] {
        review(&server, &case, decision);
    }
    // An `ask` with the same note twice is still one more note to the provider.
    receiver.expect("event-notification", 4);
    assert_eq!(receiver.accepted_numbers(), [1, 2, 3, 4]);
    let refused: Vec<u64> =
        receiver.arrived().iter().filter(|it| it.answered == 503).map(Arrived::number).collect();
    assert_eq!(refused, [1; 9]);
}

#[test]
fn to_one_endpoint_there_is_one_call_at_a_time_and_others_do_not_wait_for_it() {
    let server = Server::configured(|_| FAST.to_owned());
    let slow = Receiver::start(|_, _| {
        std::thread::sleep(Duration::from_millis(50));
        200
    });
    let quick = Receiver::willing();
    for receiver in [&slow, &slow, &slow, &quick] {
        let made = create(&server, "2.2.1", &subscription(&receiver.url, "full-resource"));
        assert_eq!(made.status, 201, "{}", made.text);
    }
    let active = "SELECT count(*) || '' FROM subscription WHERE status = 'active'";
    assert!(comes_true(|| server.texts(active) == ["4"]));
    let case = open_case(&server, "2.2.1", "M-1");
    for decision in ["ask", "ask", "approve"] {
        review(&server, &case, decision);
    }
    quick.expect("event-notification", 3);
    assert!(slow.accepted_numbers().len() < 9, "the quick one does not wait for the slow one");
    slow.expect("event-notification", 9);
    assert_eq!(slow.at_once.most.load(Ordering::SeqCst), 1);
}

#[test]
fn told_to_stop_it_waits_for_what_is_on_its_way_and_notes_it() {
    let server = Server::configured(|_| FAST.to_owned());
    let is_there = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_there);
    let receiver = Receiver::start(move |count, _| {
        if count == 1 {
            told.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(400));
        }
        200
    });
    activated(&server, &receiver, "2.2.1");
    let case = open_case(&server, "2.2.1", "M-1");
    review(&server, &case, "ask");
    review(&server, &case, "approve");
    assert!(comes_true(|| is_there.load(Ordering::SeqCst)));
    let folder = server.stopped();
    let states = "SELECT state FROM outbox ORDER BY event_number";
    let left = crate::harness::texts(&folder.path().join("data"), states);
    assert_eq!(left, ["accepted", "accepted", "waiting"]);
    assert_eq!(receiver.accepted_numbers(), [1]);
}

#[test]
fn what_another_process_decides_is_told_too() {
    let (server, receiver) = (Server::start(), Receiver::willing());
    activated(&server, &receiver, "2.2.1");
    let case = open_case(&server, "2.2.1", "M-1");
    let review = serde_json::from_value(json!({
        "reviewer": "Dr. Okafor", "credentials": "MD", "decision": "approve",
    }));
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&server.data()).await.unwrap();
        let terms = Terms {
            public_base: Config::DEFAULT_PUBLIC_BASE.to_owned(),
            repeat_window: Duration::ZERO,
            inquiry_retention: Duration::ZERO,
            tells_actions: false,
            scenarios: priorauth::service::scenario::Scenarios::default(),
        };
        let rules = priorauth::profiles::embedded().unwrap();
        let other = Service::new(rules, Arc::new(store), Arc::new(RealWorld), terms);
        let case = CaseId::parse(&case).unwrap();
        assert_eq!(other.review(&case, &review.unwrap()).await.unwrap(), 2);
        other.close().await.unwrap();
    });
    assert_eq!(receiver.expect("event-notification", 1)[0].number(), 1);
}

#[test]
fn what_is_given_up_is_kept_listed_and_tried_again_when_it_is_told_to() {
    let server = Server::configured(|_| format!("{FAST}notify_give_up_after_ms = 40\n"));
    let is_up = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_up);
    let receiver =
        Receiver::start(move |_, _| if asked.load(Ordering::Relaxed) { 200 } else { 500 });
    let id = activated(&server, &receiver, "2.2.1");
    let case = open_case(&server, "2.2.1", "M-1");
    is_up.store(false, Ordering::Relaxed);
    review(&server, &case, "ask");
    let data = server.data();
    let data = data.to_str().unwrap();
    let list = || run(&["outbox", "list", "--data", data, "--format", "json"]);
    assert!(comes_true(|| lines(&list()).iter().any(|line| line["state"] == "dead")));
    let listed = lines(&list());
    let [line] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&line["subscription"], &line["event"]), (&json!(id), &json!(1)));
    assert_eq!((&line["failure"], &line["case_id"]), (&json!("it answered 500"), &json!(case)));
    assert!(out(&run(&["outbox", "list", "--data", data])).contains("event 1"));
    // The Subscription stays active: later events are not lost.
    is_up.store(true, Ordering::Relaxed);
    review(&server, &case, "approve");
    receiver.expect("event-notification", 1);
    assert_eq!(receiver.accepted_numbers(), [2]);
    let redriven = run(&["outbox", "redrive", "--data", data]);
    assert_eq!((code(&redriven), &*out(&redriven)), (0, "1 will be tried again\n"));
    receiver.expect("event-notification", 2);
    assert_eq!(receiver.accepted_numbers(), [2, 1]);
    assert!(comes_true(|| lines(&list()).is_empty()));
    assert_ne!(code(&run(&["outbox", "list", "--data", "/nowhere/at/all"])), 0);
}

#[test]
fn a_handshake_that_is_never_accepted_leaves_an_error_and_no_events() {
    let server = Server::configured(|_| format!("{FAST}notify_give_up_after_ms = 20\n"));
    let receiver = Receiver::start(|_, _| 403);
    let made = create(&server, "2.2.1", &subscription(&receiver.url, "full-resource")).json();
    let id = made["id"].as_str().unwrap();
    assert!(comes_true(|| status(&server, "2.2.1", id) == "error"));
    let shown = server.get(&format!("{}/{id}", path("2.2.1"))).good();
    assert_eq!(shown["error"], "it answered 403");
    let case = open_case(&server, "2.2.1", "M-1");
    review(&server, &case, "approve");
    assert_eq!(server.texts("SELECT count(*) || '' FROM outbox WHERE event_number > 0"), ["0"]);
}

/// The real binary on a folder, with fast retries.
fn process(folder: &Path) -> Process {
    let config = folder.join("priorauth.toml");
    std::fs::write(&config, FAST).unwrap();
    Process::start(&folder.join("data"), &["--config", config.to_str().unwrap()])
}

fn post(runtime: &Runtime, url: String, media_type: &str, body: String) -> Answer {
    let request = crate::harness::client().post(url).header("content-type", media_type);
    runtime.block_on(received(request.body(body))).unwrap()
}

#[test]
fn a_kill_loses_no_event_and_gives_no_number_twice() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let is_up = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_up);
    let receiver = Receiver::start(move |count, _| {
        let is_up = asked.load(Ordering::Relaxed);
        // Every third is refused, so that kills meet tries of every kind.
        if is_up && count % 3 != 2 { 200 } else { 500 }
    });
    let mut server = process(folder.path());
    let resource = subscription(&receiver.url, "full-resource").to_string();
    let made = post(&runtime, format!("{}{}", server.base, path("2.2.1")), FHIR_JSON, resource);
    assert_eq!(made.status, 201, "{}", made.text);
    receiver.expect("handshake", 1);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let shown = |server: &Process| {
        let url = format!("{}{}/{id}", server.base, path("2.2.1"));
        runtime.block_on(received(crate::harness::client().get(url))).unwrap().good()
    };
    assert!(comes_true(|| shown(&server)["status"] == "active"));
    let submit = format!("{}/pas/2.2.1/Claim/$submit", server.base);
    post(&runtime, submit, FHIR_JSON, fixture(PENDED)).good();
    let cases =
        crate::harness::texts(&folder.path().join("data"), "SELECT case_id FROM prior_auth_case");
    let mut recorded = 0_u64;
    for round in 0..4 {
        is_up.store(round % 2 == 0, Ordering::Relaxed);
        for number in 0..5 {
            let review = json!({
                "reviewer": "Dr. Okafor", "credentials": "MD", "decision": "ask",
                "note": format!("Question {round}.{number}"),
            });
            let url = format!("{}/admin/api/cases/{}/review", server.base, cases[0]);
            let answer = post(&runtime, url, "application/json", review.to_string());
            assert_eq!(answer.status, 200, "{}", answer.text);
            recorded += 1;
        }
        server.signal("-KILL");
        drop(server.end());
        server = process(folder.path());
    }
    is_up.store(true, Ordering::Relaxed);
    let all: Vec<u64> = (1..=recorded).collect();
    let complete = comes_true(|| {
        let mut numbers = receiver.accepted_numbers();
        numbers.dedup();
        numbers.last() == Some(&recorded)
    });
    assert!(complete, "{:?}", receiver.accepted_numbers());
    // One that was accepted just before a kill may come twice, with its number; never out of order.
    let mut numbers = receiver.accepted_numbers();
    numbers.dedup();
    assert_eq!(numbers, all);
    for event in receiver.accepted("event-notification") {
        let notes =
            event.body["entry"][1]["resource"]["entry"][0]["resource"]["processNote"].clone();
        let asked = (event.number() - 1) / 5;
        let question = format!("Question {asked}.{}", (event.number() - 1) % 5);
        assert!(notes.to_string().contains(&question), "event {}", event.number());
    }
    server.signal("-TERM");
    assert!(server.end().0.success());
}
