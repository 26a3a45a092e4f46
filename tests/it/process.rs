//! The real binary as a process: what it logs, how it stops, what survives when it is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::harness::{
    Answer, FHIR_JSON, PATIENCE, Rows, client, comes_true, fixture, json, objects, received,
    repository, rows, skipped, stories, texts,
};

pub(crate) const SUBMIT: &str = "/pas/2.2.1/Claim/$submit";

/// A server in a process of its own. It is killed with its owner, unless it ended before.
pub(crate) struct Process {
    child: Child,
    pub(crate) base: String,
    address: String,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

fn command(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
    command.args(["serve", "--data"]).arg(data).args(more);
    command.env_remove("PRIORAUTH_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Process {
    /// Starts one on any port and waits until it serves.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Process {
        let process = Process::spawn(data, more);
        process.ready()
    }

    fn spawn(data: &Path, more: &[&str]) -> Process {
        let mut arguments = vec!["--listen", "127.0.0.1:0"];
        arguments.extend(more);
        let mut child = command(data, &arguments).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        let reading = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let (base, address) = (String::new(), String::new());
        Process { child, base, address, log, reading: Some(reading) }
    }

    fn ready(mut self) -> Process {
        let said = comes_true(|| self.log().contains("address=") || self.has_ended());
        assert!(said && !self.has_ended(), "it does not serve: {}", self.log());
        let log = self.log();
        let address = log.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        self.address = address.to_owned();
        self.base = format!("http://{address}");
        let runtime = Runtime::new().unwrap();
        let url = format!("{}/readyz", self.base);
        let is_ready = comes_true(|| {
            let answer = runtime.block_on(received(client().get(&url)));
            answer.is_ok_and(|answer| answer.status == 200)
        });
        assert!(is_ready);
        self
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for the end: how it ended, and all that it logged.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        assert!(comes_true(|| self.has_ended()), "it does not end");
        let status = self.child.wait().unwrap();
        self.reading.take().unwrap().join().unwrap();
        (status, self.log())
    }

    fn posting(&self, client: &reqwest::Client, body: String) -> reqwest::RequestBuilder {
        client.post(format!("{}{SUBMIT}", self.base)).header(CONTENT_TYPE, FHIR_JSON).body(body)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the server where it is expected to refuse to start.
fn refused(data: &Path, more: &[&str]) -> String {
    let mut child = command(data, more).spawn().unwrap();
    let ended = comes_true(|| child.try_wait().unwrap().is_some());
    if !ended {
        let _ = child.kill();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(ended, "it serves: {said}");
    assert!(!output.status.success(), "{said}");
    said
}

/// A request of the story by another member, so that each is a case of its own.
pub(crate) fn of_member(story: &str, number: usize) -> String {
    let text = fixture(story);
    let request = json(&text);
    let member = objects(&request).into_iter().find_map(|it| it.get("subscriberId")).unwrap();
    text.replace(member.as_str().unwrap(), &format!("M-{number:06}"))
}

pub(crate) fn check_whole(data: &Path) -> Rows {
    let rows = rows(data);
    for table in ["submission", "answer", "answer_line", "issued_number", "audit"] {
        assert_eq!(rows[table], rows["prior_auth_case"], "{table}: {rows:?}");
    }
    assert_eq!(texts(data, "PRAGMA integrity_check"), ["ok"]);
    assert!(texts(data, "PRAGMA foreign_key_check").is_empty());
    rows
}

#[test]
fn the_log_says_nothing_about_a_patient_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["--log", "trace"]);
    let (runtime, client) = (Runtime::new().unwrap(), client());
    let mut sent = Vec::new();
    for story in stories("pas") {
        let body = fixture(&format!("pas/{story}"));
        let request = process.posting(&client, body.clone());
        assert_eq!(runtime.block_on(received(request)).unwrap().status, 200);
        sent.push(body);
    }
    for story in stories("crd") {
        let body = fixture(&format!("crd/{story}"));
        let url = format!("{}/crd/2.2/cds-services/order-sign-coverage", process.base);
        let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body.clone());
        assert_eq!(runtime.block_on(received(request)).unwrap().status, 200);
        sent.push(body);
    }
    for file in std::fs::read_dir(repository().join("fixtures/bad")).unwrap() {
        let body = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let answer = runtime.block_on(received(process.posting(&client, body.clone()))).unwrap();
        assert!(answer.status >= 400);
        sent.push(body);
    }
    process.signal("-TERM");
    let (_, log) = process.end();
    assert!(log.contains("request") && log.lines().count() > 25);
    for body in &sent {
        let request: Value = serde_json::from_str(body).unwrap_or_default();
        let names = ["family", "birthDate", "subscriberId", "fullUrl", "valueString", "display"];
        let values = objects(&request).into_iter().flat_map(|it| names.map(|name| it.get(name)));
        for value in values.flatten().filter_map(Value::as_str) {
            assert!(!log.contains(value), "the log says `{value}`");
        }
    }
    for word in ["resourceType", "Hollowmere", "lifileucel", "BRAF", "Patient/"] {
        assert!(!log.contains(word), "the log says `{word}`");
    }
    assert!(!log.contains('\u{1b}'), "colours in a file");
}

#[test]
fn a_production_server_does_not_start_as_a_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("priorauth.toml");
    std::fs::write(&config, "production = true\nsandbox = true\n").unwrap();
    let said = refused(&folder.path().join("data"), &["--config", config.to_str().unwrap()]);
    assert!(said.contains("`production` excludes `sandbox` and `scenarios`"), "{said}");
}

#[test]
fn a_sandbox_warns_of_its_scenarios_and_of_every_answer_they_give() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["--config", "fixtures/inferno/server.toml"]);
    let (runtime, client) = (Runtime::new().unwrap(), client());
    for (story, scripted) in [("pas/pend-braf-unknown", 0), ("inferno/pas-2.2.1/approval", 1)] {
        let path = repository().join("fixtures").join(format!("{story}.json"));
        let body = std::fs::read_to_string(path).unwrap_or_else(|_| fixture(story));
        let answer = runtime.block_on(received(process.posting(&client, body))).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        // What a server writes arrives a little after its answer.
        let warnings = || process.log().matches("answered by a sandbox scenario").count();
        assert!(comes_true(|| warnings() == scripted), "{story}");
    }
    process.signal("-TERM");
    let (_, log) = process.end();
    assert_eq!(log.matches("answered by a sandbox scenario").count(), 1);
    assert!(log.contains("WARN") && log.contains("sandbox scenarios are on"), "{log}");
    assert!(!log.contains("SBX"), "a member id is in the log");
}

#[test]
fn told_to_stop_it_finishes_what_it_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let body = fixture("pas/approve-all-met");
    let mut half = TcpStream::connect(&process.address).unwrap();
    half.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST {SUBMIT} HTTP/1.1\r\nhost: x\r\ncontent-type: {FHIR_JSON}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    half.write_all(head.as_bytes()).unwrap();
    half.write_all(&body.as_bytes()[..1000]).unwrap();
    // A connection on which nothing is asked must not hold it up.
    let idle = TcpStream::connect(&process.address).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    process.signal("-TERM");
    let closed = comes_true(|| TcpStream::connect(&process.address).is_err());
    assert!(closed, "it still takes connections");
    half.write_all(&body.as_bytes()[1000..]).unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (status, log) = process.end();
    assert!(status.success(), "{log}");
    drop(idle);
    assert_eq!(check_whole(folder.path())["prior_auth_case"], 1);
}

#[test]
fn told_to_stop_under_load_every_answer_it_gave_is_on_file() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let (runtime, client) = (Runtime::new().unwrap(), client());
    let posts: Vec<_> = (0..40)
        .map(|number| {
            let body = of_member("pas/pend-braf-unknown", number);
            runtime.spawn(received(process.posting(&client, body)))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(60));
    process.signal("-TERM");
    let answers: Vec<Answer> =
        posts.into_iter().filter_map(|post| runtime.block_on(post).unwrap().ok()).collect();
    let (status, log) = process.end();
    assert!(status.success(), "{log}");
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let rows = check_whole(folder.path());
    assert!(rows["prior_auth_case"] >= i64::try_from(answers.len()).unwrap());
    check_on_file(folder.path(), &answers);
}

fn check_on_file(data: &Path, answers: &[Answer]) {
    let stored = texts(data, "SELECT response FROM answer");
    let stored: std::collections::HashSet<String> = stored.into_iter().collect();
    for answer in answers {
        assert!(stored.contains(&answer.text), "an answer that was given is not on file");
    }
}

#[test]
fn killed_under_load_every_answer_it_gave_is_on_file_and_no_case_is_half() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let (runtime, client) = (Runtime::new().unwrap(), client());
    let (next, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (client, base) = (client.clone(), process.base.clone());
            let (next, answered) = (Arc::clone(&next), Arc::clone(&answered));
            runtime.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= 200 {
                        return;
                    }
                    let body = of_member("pas/approve-all-met", number);
                    let post = client.post(format!("{base}{SUBMIT}"));
                    let post = post.header(CONTENT_TYPE, FHIR_JSON).body(body);
                    let Ok(answer) = received(post).await else { return };
                    answered.lock().unwrap().push(answer);
                }
            })
        })
        .collect();
    assert!(comes_true(|| answered.lock().unwrap().len() >= 60));
    process.signal("-KILL");
    for worker in workers {
        runtime.block_on(worker).unwrap();
    }
    let (status, _) = process.end();
    assert!(!status.success());
    let answers = answered.lock().unwrap().clone();
    println!("killed after {} of 200 answers", answers.len());
    assert!(answers.len() < 200, "it was killed too late to show anything");

    let again = Process::start(folder.path(), &[]);
    let rows = check_whole(folder.path());
    assert!(rows["prior_auth_case"] >= i64::try_from(answers.len()).unwrap());
    check_on_file(folder.path(), &answers);
    // What was answered is a repeat still, and no number is given twice.
    let body = of_member("pas/approve-all-met", 0);
    let repeat = runtime.block_on(received(again.posting(&client, body))).unwrap();
    assert!(answers.iter().any(|answer| answer.text == repeat.text));
    let body = of_member("pas/approve-all-met", 999);
    let fresh = runtime.block_on(received(again.posting(&client, body))).unwrap();
    assert_eq!(fresh.status, 200);
    assert_eq!(check_whole(folder.path())["prior_auth_case"], rows["prior_auth_case"] + 1);
}

#[test]
fn two_servers_on_one_store_share_it_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let one = Process::start(folder.path(), &[]);
    let other = Process::start(folder.path(), &[]);
    let (runtime, client) = (Runtime::new().unwrap(), client());
    let posts: Vec<_> = (0..40)
        .map(|number| {
            // Every request goes to both.
            let body = of_member("pas/approve-all-met", number / 2);
            let process = if number % 2 == 0 { &one } else { &other };
            runtime.spawn(received(process.posting(&client, body)))
        })
        .collect();
    let answers: Vec<Answer> =
        posts.into_iter().map(|post| runtime.block_on(post).unwrap().unwrap()).collect();
    for pair in answers.chunks(2) {
        assert_eq!(pair[0].good(), pair[1].good());
    }
    assert_eq!(check_whole(folder.path())["prior_auth_case"], 20);
    for process in [one, other] {
        process.signal("-TERM");
        let (status, log) = process.end();
        assert!(status.success(), "{log}");
    }
    check_whole(folder.path());
}

#[test]
fn two_servers_that_start_together_on_a_new_store_leave_it_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut started: Vec<Process> = (0..2).map(|_| Process::spawn(folder.path(), &[])).collect();
    // One may find the schema half made by the other and give up; a new start then serves.
    assert!(comes_true(|| {
        started.iter_mut().all(|it| it.log().contains("address=") || it.has_ended())
    }));
    started.retain_mut(|it| !it.has_ended());
    assert!(!started.is_empty(), "neither serves");
    while started.len() < 2 {
        started.push(Process::spawn(folder.path(), &[]));
    }
    let started: Vec<Process> = started.into_iter().map(Process::ready).collect();
    let (runtime, client) = (Runtime::new().unwrap(), client());
    for (number, process) in started.iter().enumerate() {
        let body = of_member("pas/pend-braf-unknown", number);
        let answer = runtime.block_on(received(process.posting(&client, body))).unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(check_whole(folder.path())["prior_auth_case"], 2);
}

/// A copy of the profiles with one file changed.
pub(crate) fn broken_profiles(folder: &Path, file: &str, change: impl FnOnce(String) -> String) {
    let copied =
        Command::new("cp").arg("-r").arg(repository().join("profiles")).arg(folder).status();
    assert!(copied.unwrap().success());
    let path = folder.join("profiles").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "nothing was changed in {file}");
    std::fs::write(path, changed).unwrap();
}

#[test]
fn a_bad_policy_stops_the_start_with_file_line_and_clause() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "policies/amtagvi/2026-01-01/policy.toml";
    broken_profiles(folder.path(), policy, |text| text.replacen("id = \"L2\"", "id = \"L1\"", 1));
    let text = std::fs::read_to_string(folder.path().join("profiles").join(policy)).unwrap();
    let second = text.match_indices("id = \"L1\"").nth(1).unwrap().0;
    let line = text[..second].matches('\n').count() + 1;
    let config = folder.path().join("priorauth.toml");
    std::fs::write(&config, "profiles = \"profiles\"\n").unwrap();
    let data = folder.path().join("data");
    let config = config.to_str().unwrap();
    let said = refused(&data, &["--listen", "127.0.0.1:0", "--config", config]);
    let place = format!("amtagvi/2026-01-01/policy.toml:{line}: clause L1");
    assert!(said.contains(&place), "{said}");
    assert!(!data.exists(), "a store was made although nothing can be served");
}

#[test]
fn without_clients_only_this_machine_is_listened_to() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let said = refused(folder.path(), &["--listen", listen]);
        assert!(said.contains("no client is registered"), "{said}");
    }
}

#[test]
fn a_start_that_cannot_succeed_says_once_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bad.toml");
    std::fs::write(&config, "\nmax_body_bites = 3\n").unwrap();
    let said = refused(folder.path(), &["--config", config.to_str().unwrap()]);
    assert!(said.contains("bad.toml:2") && said.contains("max_body_bites"), "{said}");
    let said = refused(folder.path(), &["--config", "/nonexistent/priorauth.toml"]);
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = refused(&file, &["--listen", "127.0.0.1:0"]);
    assert!(said.contains("opening the store"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let _held = std::net::TcpListener::bind(&taken);
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let said = refused(folder.path(), &["--listen", &busy.local_addr().unwrap().to_string()]);
    assert!(said.contains("listening on"), "{said}");
}

#[test]
fn it_is_ready_soon_and_small_when_idle() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let process = Process::start(folder.path(), &[]);
    let took = began.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id()));
    let Ok(status) = status else {
        return skipped("how small it is when idle: there is no /proc here");
    };
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim();
    println!("ready after {took:?}, resident {resident} (debug build)");
    let kilobytes: u64 = resident.split(' ').next().unwrap().parse().unwrap();
    assert!(kilobytes < 200 * 1024, "{resident}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}
