//! A client that costs little: one thread and one kept connection each, and no more of HTTP than
//! the server speaks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::requests::Requests;
use crate::server::Process;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections of the paced measurement and of filling up.
const MANY: usize = 32;

/// A kept connection.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// The status that a path answers with.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<u16> {
        write!(self.stream.get_mut(), "GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n")?;
        self.answer()
    }

    fn send(&mut self, request: &str) -> io::Result<u16> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<u16> {
        let (mut status, mut length, mut line) = (None, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            } else if let Some((_, value)) =
                line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        io::copy(&mut (&mut self.stream).take(length), &mut io::sink())?;
        status.ok_or_else(|| io::Error::other("no status"))
    }
}

/// What was measured at one number of connections.
pub(crate) struct Measured {
    pub(crate) connections: usize,
    took: Duration,
    cpu_ms: f64,
    /// How long each answer took, the shortest first.
    latencies: Vec<Duration>,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.count() / self.took.as_secs_f64()
    }

    pub(crate) fn cpu_ms_each(&self) -> f64 {
        self.cpu_ms / self.count()
    }

    fn count(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).expect("a count"))
    }

    pub(crate) fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = self.latencies.get(last * percent / 100);
        place.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }

    /// A row of the table.
    pub(crate) fn line(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {:.0} | {:.3} | {:.2} | {:.2} |",
            self.connections,
            self.per_second(),
            self.cpu_ms_each(),
            self.percentile_ms(50),
            self.percentile_ms(99)
        )
    }
}

/// Each connection sends the next request as soon as it has its answer.
pub(crate) fn unpaced(
    process: &Process,
    requests: &Requests,
    sent: &mut usize,
    connections: usize,
    span: Duration,
) -> Measured {
    let next = AtomicUsize::new(*sent);
    let began = Instant::now();
    let measured = measure(process, requests, connections, || {
        let now = Instant::now();
        (began.elapsed() < span).then(|| (next.fetch_add(1, Ordering::Relaxed), now))
    });
    *sent = next.into_inner();
    measured
}

/// A request is due every `1 / rate` seconds, whatever the server does; an answer's time counts
/// from when its request was due.
pub(crate) fn paced(
    process: &Process,
    requests: &Requests,
    sent: &mut usize,
    rate: usize,
    span: Duration,
) -> Measured {
    let first = *sent;
    let count = rate * usize::try_from(span.as_secs()).expect("seconds");
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let measured = measure(process, requests, MANY, || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let place = u32::try_from(number).ok().filter(|_| number < count)?;
        let due = began + Duration::from_secs(1) * place / u32::try_from(rate).ok()?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        Some((first + number, due))
    });
    *sent += count;
    measured
}

/// Sends all requests with these numbers.
pub(crate) fn send_all(process: &Process, requests: &Requests, numbers: Range<usize>) {
    let next = AtomicUsize::new(numbers.start);
    measure(process, requests, MANY, || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        (number < numbers.end).then(|| (number, Instant::now()))
    });
}

/// Sends what `next` names on each connection: the number of a request, and since when it waits.
fn measure(
    process: &Process,
    requests: &Requests,
    connections: usize,
    next: impl Fn() -> Option<(usize, Instant)> + Sync,
) -> Measured {
    let latencies = Mutex::new(Vec::new());
    let (began, cpu_before) = (Instant::now(), process.cpu_ms());
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut connection = Connection::open(process.address).expect("a connection");
                let mut own = Vec::new();
                while let Some((number, since)) = next() {
                    let status = connection.send(&requests.request(number)).expect("an answer");
                    assert_eq!(status, 200);
                    own.push(since.elapsed());
                }
                latencies.lock().expect("the latencies").extend(own);
            });
        }
    });
    let (took, cpu_ms) = (began.elapsed(), process.cpu_ms() - cpu_before);
    let mut latencies = latencies.into_inner().expect("the latencies");
    latencies.sort_unstable();
    Measured { connections, took, cpu_ms, latencies }
}
