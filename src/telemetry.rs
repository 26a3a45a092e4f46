//! Logs: structured, to stderr, without patient data.
//!
//! Fields that may be logged: our own ids (case, client id), guide version, route, method, status,
//! counts, durations, and errors of ours, which hold no values out of requests.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging; `filter` as in `info,priorauth=debug`. A second call changes nothing.
pub fn start(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours are for people at a terminal, not for a file.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Only a test that starts two servers in one process gets here twice.
    drop(started);
}
