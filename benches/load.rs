//! `Claim/$submit` under load: a real server process, real HTTP on loopback, a real store.
//!
//! `cargo bench --bench load` measures, in one run and beside each other:
//! - the floor: the same HTTP stack, which walks the body by the strict rules and answers a fixed
//!   text of 2 KB;
//! - the server: distinct Bundles of about 50 KB, each decided, written and synced before it is
//!   answered.
//!
//! Arguments behind `--`: `--claims N` (20,000 if not given), `--full` (100,000).

#![expect(
    clippy::expect_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

#[path = "load/bundles.rs"]
mod bundles;
#[path = "load/client.rs"]
mod client;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/server.rs"]
mod server;

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use bundles::Bundles;
use client::{Measured, paced, unpaced};
use server::Process;

/// How many claims are on file when memory and start are measured.
const CLAIMS: usize = 20_000;
/// The same, with `--full`.
const MANY_CLAIMS: usize = 100_000;
/// Connections that are measured.
const CONNECTIONS: [usize; 3] = [1, 8, 32];
/// How long each of these measurements takes.
const SPAN: Duration = Duration::from_secs(5);
/// The rate of the paced measurement, in requests per second, and its length.
const RATE: usize = 500;
const PACED_SPAN: Duration = Duration::from_secs(10);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, port] = arguments.as_slice()
        && word == "floor"
    {
        return floor::serve(port.parse().expect("a port"));
    }
    let claims = claims_of(&arguments);
    let bundles = Bundles::new();
    say(&format!("Bundles of {} bytes; load of the machine: {}", bundles.size(), server::load()));
    say(&format!(
        "{:8} {:>12} {:>10} {:>12} {:>9} {:>9}",
        "what", "connections", "answers/s", "CPU ms each", "p50 ms", "p99 ms"
    ));
    let floor = Process::floor();
    let floor_rows = rows("floor", &floor, &bundles, &mut 0);
    drop(floor);

    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let server = Process::priorauth(data.path());
    let idle = server.resident_mb();
    let mut sent = 0;
    let server_rows = rows("server", &server, &bundles, &mut sent);
    for (floor, server) in floor_rows.iter().zip(&server_rows) {
        say(&format!(
            "at {} connections: {:.2} of the floor's answers/s, {:.2} times its CPU",
            floor.connections,
            server.per_second() / floor.per_second(),
            server.cpu_ms_each() / floor.cpu_ms_each(),
        ));
    }
    if let Some(missing) = claims.checked_sub(sent).filter(|missing| *missing > 0) {
        fill(&server, &bundles, sent..sent + missing);
        sent += missing;
    }
    say(&format!(
        "memory: {idle:.1} MB idle, {:.1} MB after {sent} claims; {:.0} MB on disk",
        server.resident_mb(),
        server::size_mb(data.path())
    ));
    restart(server, data.path());
    say(&format!("load of the machine: {}", server::load()));
}

fn claims_of(arguments: &[String]) -> usize {
    if arguments.iter().any(|it| it == "--full") {
        return MANY_CLAIMS;
    }
    let named = arguments.iter().skip_while(|it| *it != "--claims").nth(1);
    named.map_or(CLAIMS, |number| number.parse().expect("a number of claims"))
}

/// One row at each number of connections, and one at a fixed rate.
fn rows(name: &str, process: &Process, bundles: &Bundles, sent: &mut usize) -> Vec<Measured> {
    // What is done once is done before it is measured.
    unpaced(process, bundles, sent, 4, Duration::from_millis(500));
    let measured = CONNECTIONS.map(|connections| {
        let row = unpaced(process, bundles, sent, connections, SPAN);
        say(&row.line(name));
        row
    });
    let row = paced(process, bundles, sent, RATE, PACED_SPAN);
    say(&row.line(&format!("{name}*")));
    measured.into()
}

/// Sends the rest of the claims that are to be on file.
fn fill(server: &Process, bundles: &Bundles, numbers: Range<usize>) {
    let began = Instant::now();
    let many = numbers.len();
    client::send_all(server, bundles, numbers);
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
