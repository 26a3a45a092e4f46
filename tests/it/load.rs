//! Many requests at once: each distinct one is one case with one number, and what was answered is
//! found again, whenever the server is killed.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use tokio::runtime::Runtime;

use crate::case_life::inquiry;
use crate::harness::{Answer, FHIR_JSON, Server, client, fixture, json, received};
use crate::process::{Process, SUBMIT, check_whole, of_member};

const APPROVED: &str = "pas/approve-all-met";
const SIGN: &str = "/crd/2.2/cds-services/order-sign-coverage";

/// The number of the one authorization that an answer gives.
fn number_of(answer: &Answer) -> String {
    let bundle = answer.good();
    bundle["entry"][0]["resource"]["preAuthRef"].as_str().unwrap().to_owned()
}

/// Sends requests on connections of their own until `next` names none any more or the server is
/// gone; the answers, by the number of their request.
fn send(
    runtime: &Runtime,
    base: &str,
    connections: usize,
    next: impl Fn() -> Option<usize> + Clone + Send + 'static,
) -> Arc<Mutex<Vec<(usize, Answer)>>> {
    let answers = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..connections {
        let (answers, next, url) = (Arc::clone(&answers), next.clone(), format!("{base}{SUBMIT}"));
        // A client keeps its connection to itself.
        let client = client();
        runtime.spawn(async move {
            while let Some(number) = next() {
                let post = client.post(&url).header(CONTENT_TYPE, FHIR_JSON);
                let post = post.body(of_member(APPROVED, number));
                let Ok(answer) = received(post).await else { return };
                answers.lock().unwrap().push((number, answer));
            }
        });
    }
    answers
}

#[test]
fn of_a_thousand_requests_at_once_each_distinct_one_is_one_case_with_one_number() {
    const DISTINCT: usize = 50;
    const SENT: usize = 1000;
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let next = move || {
        let place = count.fetch_add(1, Ordering::Relaxed);
        // Four in a row are the same, so that repeats meet each other on the way.
        (place < SENT).then_some(place / 4 % DISTINCT)
    };
    let answers = send(&runtime, &server.base, 16, next);
    assert!(crate::harness::comes_true(|| answers.lock().unwrap().len() == SENT));
    let mut given = BTreeMap::new();
    for (member, answer) in answers.lock().unwrap().iter() {
        let first = given.entry(*member).or_insert_with(|| answer.text.clone());
        assert_eq!(*first, answer.text, "two answers for one request");
    }
    let numbers: HashSet<String> =
        answers.lock().unwrap().iter().map(|(_, answer)| number_of(answer)).collect();
    assert_eq!((given.len(), numbers.len()), (DISTINCT, DISTINCT));

    // After a new start, a repeat is one still, and what is new gets a number that nobody had.
    let folder = server.stopped();
    let data = folder.path().join("data");
    assert_eq!(check_whole(&data)["prior_auth_case"], 50);
    let again = Process::start(&data, &[]);
    let ask = |member: usize| {
        let post = client().post(format!("{}{SUBMIT}", again.base));
        let post = post.header(CONTENT_TYPE, FHIR_JSON).body(of_member(APPROVED, member));
        runtime.block_on(received(post)).unwrap()
    };
    assert_eq!(ask(7).text, given[&7]);
    assert!(!numbers.contains(&number_of(&ask(DISTINCT))));
}

/// How often the server is killed; `PRIORAUTH_KILLS=100` for the long run.
fn kills() -> usize {
    let named = std::env::var_os("PRIORAUTH_KILLS");
    named.map_or(8, |number| number.to_str().unwrap().parse().unwrap())
}

#[test]
fn killed_again_and_again_under_load_every_answer_is_found_and_no_number_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let (mut numbers, mut answered) = (HashSet::new(), 0);
    let mut last: Vec<(usize, String)> = Vec::new();
    for kill in 0..=kills() {
        let process = Process::start(folder.path(), &[]);
        for (member, number) in last.drain(..) {
            assert_found(&runtime, &process, member, &number);
        }
        if kill == kills() {
            break;
        }
        let counter = Arc::clone(&next);
        let naming = move || Some(counter.fetch_add(1, Ordering::Relaxed));
        let answers = send(&runtime, &process.base, 8, naming);
        // Each time at another point of its work.
        assert!(crate::harness::comes_true(|| answers.lock().unwrap().len() > kill % 7));
        std::thread::sleep(Duration::from_millis(u64::try_from(kill * 13 % 40).unwrap()));
        process.signal("-KILL");
        assert!(!process.end().0.success());
        // Whoever still waits for an answer has a reference.
        assert!(crate::harness::comes_true(|| Arc::strong_count(&answers) == 1));
        for (member, answer) in answers.lock().unwrap().iter() {
            let number = number_of(answer);
            assert!(numbers.insert(number.clone()), "{number} was given twice");
            last.push((*member, number));
        }
        answered += last.len();
    }
    println!("killed {} times; {answered} answers, all found", kills());
    let rows = check_whole(folder.path());
    assert!(rows["prior_auth_case"] >= i64::try_from(answered).unwrap());
}

/// An inquiry for a member finds the authorization that the member was given.
fn assert_found(runtime: &Runtime, process: &Process, member: usize, number: &str) {
    let request = json(&of_member(APPROVED, member));
    let mut entries = request["entry"].as_array().unwrap().iter();
    let id = entries.find_map(|it| it["resource"]["subscriberId"].as_str()).unwrap();
    let own = inquiry(APPROVED, |_| {}).replace("CPC10010001", id);
    let post = client().post(format!("{}/pas/2.2.1/Claim/$inquire", process.base));
    let answer = runtime.block_on(received(post.header(CONTENT_TYPE, FHIR_JSON).body(own)));
    let text = answer.unwrap().good().to_string();
    assert!(text.contains(number), "{number} was given to {member} and is not found: {text}");
}

#[test]
fn two_servers_on_one_store_approve_one_of_different_requests_of_one_member() {
    let folder = tempfile::tempdir().unwrap();
    let servers = [Process::start(folder.path(), &[]), Process::start(folder.path(), &[])];
    let (runtime, client) = (Runtime::new().unwrap(), client());
    for member in 0..12 {
        let posts = [0, 1].map(|one| {
            // Other content, so that neither is a repeat.
            let body = of_member(APPROVED, member).replace("REQ-1001", &format!("REQ-{one}"));
            let post = client.post(format!("{}{SUBMIT}", servers[one].base));
            runtime.spawn(received(post.header(CONTENT_TYPE, FHIR_JSON).body(body)))
        });
        let answers = posts.map(|post| runtime.block_on(post).unwrap().unwrap().good());
        let approved =
            answers.iter().filter(|it| it["entry"][0]["resource"]["preAuthRef"].is_string());
        assert_eq!(approved.count(), 1, "member {member}");
    }
}

#[test]
fn hook_calls_with_full_prefetch_at_200_a_second_are_stored_and_none_hangs() {
    const CALLS: u32 = 600;
    const RATE: u32 = 200;
    /// What waits for something that never comes ends with the budget of a call, 5 s. How fast an
    /// answer is, the load bench measures: this build is slow, and other tests run beside it.
    const NO_HANG: Duration = Duration::from_secs(3);
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let text = fixture("crd/approve-all-met");
    let began = Instant::now();
    let calls = (0..CALLS).map(|number| {
        let body = text
            .replace("CPC11010001", &format!("M-{number:06}"))
            .replace("d7f0fcd5-7b65", &format!("{number:08}-7b65"));
        let post = server.posting(SIGN, "application/json", body);
        let due = began + Duration::from_secs(1) * number / RATE;
        runtime.spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            received(post).await.unwrap().good();
            due.elapsed()
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut took: Vec<Duration> =
        calls.into_iter().map(|call| runtime.block_on(call).unwrap()).collect();
    took.sort();
    assert_eq!(server.rows()["coverage_assertion"], i64::from(CALLS));
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 < NO_HANG, "{p99:?}");
}
