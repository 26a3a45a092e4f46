//! Servers in processes of their own, and what the system says of them.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Connection;

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ticks per second of the times in `/proc`, which Linux fixes for programs.
const TICKS: f64 = 100.0;

/// A server. It is killed with its owner.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Process {
    /// The floor, which this program is too.
    pub(crate) fn floor() -> Process {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let address = free_address();
        command.args(["floor", &address.port().to_string()]);
        Process::start(command, address)
    }

    /// The server with its default settings.
    pub(crate) fn priorauth(data: &Path) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
        let address = free_address();
        command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(data);
        Process::start(command, address)
    }

    fn start(mut command: Command, address: SocketAddr) -> Process {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("a process");
        let process = Process { child, address };
        let began = Instant::now();
        while !is_ready(address) {
            assert!(began.elapsed() < PATIENCE, "it does not become ready");
            std::thread::sleep(Duration::from_millis(2));
        }
        process
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
        assert!(self.child.wait().expect("an end").success(), "it did not stop in order");
    }

    /// The CPU time that it has used, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("/proc");
        let fields = stat.rsplit(')').next().expect("fields").split_whitespace();
        // Behind the name: state is the first field, user time the 12th, system time the 13th.
        let ticks = fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("ticks"));
        ticks.sum::<f64>() / TICKS * 1000.0
    }

    /// Its resident memory, in MB.
    pub(crate) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("/proc");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let kilobytes = line.split_whitespace().next().expect("a number");
        kilobytes.parse::<f64>().expect("a number") / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

fn is_ready(address: SocketAddr) -> bool {
    Connection::open(address).and_then(|mut it| it.get("/readyz")).is_ok_and(|it| it == 200)
}

/// The machine's load averages, and how many cores it has.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split_whitespace().take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} on {cores} cores", averages.join(" "))
}

/// The size of the files in a folder, in MB.
pub(crate) fn size_mb(folder: &Path) -> f64 {
    let files = std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok);
    let bytes = files.filter_map(|file| file.metadata().ok()).map(|it| it.len()).sum::<u64>();
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
}
