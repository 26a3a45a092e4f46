//! `priorauth policy diff`: what another policy would decide differently.
//!
//! Prints our own ids, file names, and the words of clauses: nothing about a patient.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Serialize;

use super::difference::{Difference, Judged};
use super::evaluate::Format;
use super::requests::{Request, files_of};
use crate::policy::{Rulebook, Verdict};
use crate::service::world::day_of;
use crate::store::{ReceivedRequest, RequestPlace, SqliteStore, Store as _};
use crate::terms::Day;

/// How many stored requests are read at once: each may be as long as a server accepts.
const PAGE: u32 = 16;

/// Two sets of policies, and how they are compared.
#[derive(Debug)]
pub struct Comparison {
    /// The policies that hold now.
    pub old: Rulebook,
    /// The policies to compare with.
    pub new: Rulebook,
    /// The day of judging; `None`: the day of receipt of a stored request, else today.
    pub as_of: Option<Day>,
    /// How differences are printed.
    pub format: Format,
}

/// What was compared. The names are a contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Requests that were judged.
    pub requests: usize,
    /// Their items.
    pub items: usize,
    /// Items with another determination, or with a clause of another truth.
    pub differ: usize,
    /// Items with another determination.
    pub decided_differently: usize,
    /// Requests that could not be judged.
    pub not_judged: usize,
}

#[derive(Serialize)]
struct TotalLine {
    totals: Totals,
}

#[derive(Serialize)]
struct NotJudged<'d> {
    request: &'d str,
    error: &'static str,
}

/// What is said of a request that is not judged; its faults may quote from it.
const NOT_JUDGED: &str = "it cannot be read as a request; `priorauth evaluate` says why";

impl Comparison {
    /// Judges every request by both and prints each item that differs, then the totals.
    ///
    /// # Errors
    /// There is no request, the store cannot be read, or nothing can be printed.
    pub async fn run(&self, over: &Path) -> anyhow::Result<Totals> {
        let mut totals = Totals::default();
        if SqliteStore::is_in(over) {
            self.over_store(over, &mut totals).await?;
        } else {
            let today = self.as_of.unwrap_or_else(super::today);
            for file in files_of(&[over.to_owned()]) {
                let bytes = file.read().ok();
                let name = file.path.display().to_string();
                self.compare(&name, bytes.as_deref(), today, &mut totals)?;
            }
        }
        if totals.requests == 0 && totals.not_judged == 0 {
            bail!("there is no request in `{}`", over.display());
        }
        print(&match self.format {
            Format::Json => serde_json::to_string(&TotalLine { totals })?,
            Format::Text => totals.in_words(),
        })?;
        Ok(totals)
    }

    async fn over_store(&self, over: &Path, totals: &mut Totals) -> anyhow::Result<()> {
        let store = SqliteStore::open_to_read(over).await.context("opening the store")?;
        let mut after = None;
        loop {
            let page = store.received_requests(after, PAGE).await.context("reading the store")?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.place);
            for request in &page {
                let as_of = self.as_of.unwrap_or_else(|| day_of(request.received_at));
                self.compare(&name(request), Some(request.body.as_bytes()), as_of, totals)?;
            }
        }
    }

    /// Judges one request by both; `None` is a file that cannot be read.
    fn compare(
        &self,
        name: &str,
        bytes: Option<&[u8]>,
        as_of: Day,
        totals: &mut Totals,
    ) -> anyhow::Result<()> {
        let verdicts = |rules: &Rulebook| -> Option<Vec<(u32, Verdict)>> {
            Some(Request::read(bytes?, &rules.plan, as_of).ok()?.verdicts(rules, as_of))
        };
        let (Some(old), Some(new)) = (verdicts(&self.old), verdicts(&self.new)) else {
            totals.not_judged += 1;
            return print(&match self.format {
                Format::Json => {
                    serde_json::to_string(&NotJudged { request: name, error: NOT_JUDGED })?
                }
                Format::Text => format!("{name}: {NOT_JUDGED}"),
            });
        };
        totals.requests += 1;
        for ((sequence, old), (_, new)) in old.iter().zip(&new) {
            totals.items += 1;
            let (old, new) = (Judged::of(*sequence, old), Judged::of(*sequence, new));
            let Some(difference) = Difference::between(name, &old, &new) else { continue };
            totals.differ += 1;
            totals.decided_differently += usize::from(old.determination != new.determination);
            print(&match self.format {
                Format::Json => serde_json::to_string(&difference)?,
                Format::Text => difference.in_words(),
            })?;
        }
        Ok(())
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("printing a difference")
}

/// Our own id of a stored request.
fn name(request: &ReceivedRequest) -> String {
    match (&request.case_id, request.place) {
        (Some(case), _) => format!("case {case}"),
        (None, RequestPlace::HookCall(row) | RequestPlace::Submission(row)) => {
            format!("hook call {row}")
        }
    }
}

impl Totals {
    fn in_words(self) -> String {
        let Totals { requests, items, differ, decided_differently, not_judged } = self;
        format!(
            "{items} items of {requests} requests: {decided_differently} decided differently, {} \
             decided alike for other reasons; {not_judged} requests not judged",
            differ.saturating_sub(decided_differently)
        )
    }
}
