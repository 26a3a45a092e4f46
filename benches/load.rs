//! Requests under load: a real server process, real HTTP on loopback, a real store.
//!
//! `cargo bench --bench load` measures, in one run and beside each other:
//! - the floor: the same HTTP stack, which walks the body by the rules of its guide and answers a
//!   fixed text of 2 KB;
//! - `Claim/$submit`: distinct Bundles of about 50 KB;
//! - `order-sign` with everything in the prefetch: distinct calls of about 19 KB.
//!
//! Each request is decided, written and synced before it is answered.
//! What is printed are tables in Markdown, for docs/performance.md.
//!
//! Arguments behind `--`: `--only submit` or `--only order-sign`; how many claims are on file when
//! memory and start are measured: `--claims N` (20,000 if not given), `--full` (100,000).

#![expect(
    clippy::expect_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

#[path = "load/client.rs"]
mod client;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/requests.rs"]
mod requests;
#[path = "load/server.rs"]
mod server;

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use client::{Measured, paced, unpaced};
use requests::Requests;
use server::Process;

/// How many claims are on file when memory and start are measured.
const CLAIMS: usize = 20_000;
/// The same, with `--full`.
const MANY_CLAIMS: usize = 100_000;
/// Connections that are measured.
const CONNECTIONS: [usize; 3] = [1, 8, 32];
/// How long each of these measurements takes.
const SPAN: Duration = Duration::from_secs(5);
/// How long each measurement at a fixed rate takes.
const PACED_SPAN: Duration = Duration::from_secs(10);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, port] = arguments.as_slice()
        && word == "floor"
    {
        return floor::serve(port.parse().expect("a port"));
    }
    say(&format!("load of the machine: {}", server::load()));
    let only = named(&arguments, "--only");
    if only.is_none_or(|it| it == "submit") {
        submissions(claims_of(&arguments));
    }
    if only.is_none_or(|it| it == "order-sign") {
        hook_calls();
    }
    say(&format!("load of the machine: {}", server::load()));
}

fn claims_of(arguments: &[String]) -> usize {
    if arguments.iter().any(|it| it == "--full") {
        return MANY_CLAIMS;
    }
    let named = named(arguments, "--claims");
    named.map_or(CLAIMS, |number| number.parse().expect("a number of claims"))
}

fn named<'a>(arguments: &'a [String], name: &str) -> Option<&'a String> {
    arguments.iter().skip_while(|it| *it != name).nth(1)
}

/// `Claim/$submit`, then memory and start with many claims on file.
fn submissions(claims: usize) {
    let requests = Requests::submissions();
    // The aims of docs/performance.md: answers/s, CPU ms each, and p99 in ms at each rate.
    let aims = Aims { per_second: 2000, cpu_ms: 0.5, paced: &[(500, 25.0)] };
    let data = folder();
    let server = Process::priorauth(data.path());
    let idle = server.resident_mb();
    let mut sent = 0;
    compare("submit", &server, &requests, &mut sent, &aims);
    if let Some(missing) = claims.checked_sub(sent).filter(|missing| *missing > 0) {
        fill(&server, &requests, sent..sent + missing);
        sent += missing;
    }
    say(&format!(
        "memory: {idle:.1} MB idle, {:.1} MB after {sent} claims; {:.0} MB on disk",
        server.resident_mb(),
        server::size_mb(data.path())
    ));
    restart(server, data.path());
    check(data.path(), "SELECT count(*) FROM answer_line WHERE determination = 'approve'", sent);
}

/// `order-sign`, and whether all that was asserted is on file.
fn hook_calls() {
    let requests = Requests::hook_calls();
    let aims = Aims { per_second: 3000, cpu_ms: 0.4, paced: &[(200, 10.0), (500, 10.0)] };
    let data = folder();
    let server = Process::priorauth(data.path());
    let mut sent = 0;
    compare("order-sign", &server, &requests, &mut sent, &aims);
    say(&format!(
        "memory: {:.1} MB after {sent} calls; {:.0} MB on disk",
        server.resident_mb(),
        server::size_mb(data.path())
    ));
    server.stop();
    let approved = "SELECT count(*) FROM coverage_assertion WHERE determination = 'approve'";
    check(data.path(), approved, sent);
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// What was answered is on the disk, and was what is measured.
fn check(data: &Path, sql: &str, sent: usize) {
    let connection = rusqlite::Connection::open(data.join("priorauth.sqlite3")).expect("the store");
    let count: u32 = connection.query_row(sql, [], |row| row.get(0)).expect("a count");
    assert_eq!(usize::try_from(count), Ok(sent), "what was answered is not on file: {sql}");
}

/// What is to be reached on two cores with the client on the same machine.
struct Aims {
    per_second: u32,
    cpu_ms: f64,
    /// Requests per second that come whatever the server does, and the longest p99 in ms.
    paced: &'static [(usize, f64)],
}

/// Measures the floor and the server with the same requests, and tells both.
fn compare(name: &str, server: &Process, requests: &Requests, sent: &mut usize, aims: &Aims) {
    say(&format!("\n`{name}`: requests with bodies of {} bytes\n", requests.size()));
    say("| what | connections | answers/s | CPU ms each | p50 ms | p99 ms |");
    say("|---|---|---|---|---|---|");
    let floor = Process::floor();
    let (floor_rows, _) = rows("floor", &floor, requests, &mut 0, aims);
    drop(floor);
    let (server_rows, server_paced) = rows(name, server, requests, sent, aims);
    say("");
    for (floor, server) in floor_rows.iter().zip(&server_rows) {
        say(&format!(
            "At {} connections: {:.2} of the floor's answers/s, {:.1} times its CPU.",
            floor.connections,
            server.per_second() / floor.per_second(),
            server.cpu_ms_each() / floor.cpu_ms_each(),
        ));
    }
    say("\n| what | measured | aim |\n|---|---|---|");
    if let Some(most) = server_rows.last() {
        let (answers, cpu) = (most.per_second(), most.cpu_ms_each());
        let word = word(answers >= f64::from(aims.per_second));
        say(&format!(
            "| durable answers per second | {answers:.0} | {}: {word} |",
            aims.per_second
        ));
        let word = self::word(cpu <= aims.cpu_ms);
        say(&format!("| CPU for each | {cpu:.2} ms | {} ms: {word} |", aims.cpu_ms));
    }
    for ((rate, longest), row) in aims.paced.iter().zip(&server_paced) {
        let p99 = row.percentile_ms(99);
        let word = word(p99 <= *longest);
        say(&format!("| p99 at {rate}/s | {p99:.1} ms | {longest} ms: {word} |"));
    }
    say("");
}

fn word(is_reached: bool) -> &'static str {
    if is_reached { "reached" } else { "not reached" }
}

/// One row at each number of connections, and one at each fixed rate.
fn rows(
    name: &str,
    process: &Process,
    requests: &Requests,
    sent: &mut usize,
    aims: &Aims,
) -> (Vec<Measured>, Vec<Measured>) {
    // What is done once is done before it is measured.
    unpaced(process, requests, sent, 4, Duration::from_millis(500));
    let measured = CONNECTIONS.map(|connections| {
        let row = unpaced(process, requests, sent, connections, SPAN);
        say(&row.line(name));
        row
    });
    let paced = aims.paced.iter().map(|(rate, _)| {
        let row = paced(process, requests, sent, *rate, PACED_SPAN);
        say(&row.line(&format!("{name} at {rate}/s")));
        row
    });
    (measured.into(), paced.collect())
}

/// Sends the rest of the claims that are to be on file.
fn fill(server: &Process, requests: &Requests, numbers: Range<usize>) {
    let began = Instant::now();
    let many = numbers.len();
    client::send_all(server, requests, numbers);
    say(&format!("{many} more claims in {:.1} s", began.elapsed().as_secs_f64()));
}

/// How soon a server is ready with everything on disk: stopped in order, and killed.
fn restart(server: Process, data: &Path) {
    server.stop();
    let began = Instant::now();
    let server = Process::priorauth(data);
    say(&format!("ready after {} ms, stopped in order before", began.elapsed().as_millis()));
    drop(server);
    let began = Instant::now();
    let server = Process::priorauth(data);
    say(&format!("ready after {} ms, killed before", began.elapsed().as_millis()));
    server.stop();
}

fn say(line: &str) {
    // A reader that went away stops nothing that is worth a message.
    let _ = writeln!(std::io::stdout(), "{line}");
}
