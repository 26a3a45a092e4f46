//! `priorauth outbox`: what notifications wait, what was given up, and another try.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::evaluate::Format;
use crate::service::World;
use crate::service::world::{RealWorld, instant};
use crate::store::{Outbox, OutboxLine, SqliteStore, Store};

/// How many lines are read at once.
const PAGE: u32 = 500;

/// A line as `--format json` prints it.
#[derive(Serialize)]
struct Line<'l> {
    id: i64,
    subscription: &'l str,
    client: &'l str,
    /// 0: the handshake.
    event: u64,
    case_id: Option<&'l str>,
    state: &'static str,
    tries: u32,
    /// When it is tried next, or was given up.
    at: String,
    failure: Option<&'l str>,
}

impl<'l> Line<'l> {
    fn of(line: &'l OutboxLine) -> Line<'l> {
        Line {
            id: line.id,
            subscription: &line.subscription_id,
            client: &line.client,
            event: line.event_number,
            case_id: line.case_id.as_ref().map(crate::store::CaseId::as_str),
            state: if line.is_dead { "dead" } else { "waiting" },
            tries: line.tries,
            at: instant(line.at),
            failure: line.failure.as_deref(),
        }
    }

    fn in_words(&self) -> String {
        let what = match self.event {
            0 => "handshake".to_owned(),
            number => format!("event {number}"),
        };
        let mut words = format!(
            "{}  {}  {}  {what}  {}  tries {}  {}",
            self.id, self.state, self.subscription, self.client, self.tries, self.at
        );
        if let Some(failure) = self.failure {
            let _ = write!(words, "  {failure}");
        }
        words
    }
}

async fn open(data: &Path) -> anyhow::Result<SqliteStore> {
    anyhow::ensure!(SqliteStore::is_in(data), "there is no store in `{}`", data.display());
    SqliteStore::open(data).await.context("opening the store")
}

/// Prints what waits and what was given up, a line each.
///
/// # Errors
/// The store cannot be read, or nobody reads what is printed.
pub async fn list(data: &Path, format: Format) -> anyhow::Result<()> {
    let store = open(data).await?;
    let (mut after, mut is_empty) = (0, true);
    loop {
        let page = store.outbox_lines(after, PAGE).await.context("reading the outbox")?;
        let Some(last) = page.last() else { break };
        (after, is_empty) = (last.id, false);
        for line in page.iter().map(Line::of) {
            super::say(&match format {
                Format::Text => line.in_words(),
                Format::Json => serde_json::to_string(&line)?,
            })?;
        }
    }
    if is_empty && format == Format::Text {
        super::say("nothing waits, and nothing was given up")?;
    }
    store.close().await.context("closing the store")
}

/// Makes what was given up due again, all of it or the named lines; a running server sends it.
///
/// # Errors
/// The store cannot be written.
pub async fn redrive(data: &Path, lines: &[i64]) -> anyhow::Result<()> {
    let store = open(data).await?;
    let redriven = store.redrive(lines, RealWorld.now()).await.context("changing the outbox")?;
    super::say(&format!("{redriven} will be tried again"))?;
    store.close().await.context("closing the store")
}
