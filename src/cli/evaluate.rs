//! `priorauth evaluate`: judge files without a server.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::payer_store::PayerStore;
use super::requests::{Kind, Request, files_of};
use crate::policy::Rulebook;
use crate::render::trace::{self, CriterionTrace, ItemTrace};
use crate::terms::Day;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line and file.
    Json,
    /// For people.
    Text,
}

/// Judges every file and prints one result for each; the number of files that could not be read.
///
/// # Errors
/// The results cannot be printed.
pub fn run(
    rules: &Rulebook,
    payer: Option<&PayerStore>,
    paths: &[PathBuf],
    as_of: Day,
    format: Format,
) -> anyhow::Result<usize> {
    let files = files_of(paths);
    let progress = progress(files.len());
    let mut out = std::io::stdout().lock();
    let mut unread = 0;
    for file in files {
        let name = file.path.display().to_string();
        let result = file.read().and_then(|bytes| {
            judge(rules, payer, &bytes, as_of, |judged| print(&name, judged, format))
        });
        let text = result.unwrap_or_else(|error| {
            unread += 1;
            print_error(&name, &error, format)
        });
        writeln!(out, "{text}").context("printing a result")?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    out.flush().context("printing the results")?;
    Ok(unread)
}

/// A bar on a terminal's stderr, when there is more than one file; else nothing at all.
fn progress(files: usize) -> ProgressBar {
    if files < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(files).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A judged file.
struct Judged<'j> {
    kind: Kind,
    items: Vec<ItemTrace<'j>>,
}

/// Judges one body, whichever of the two it is.
fn judge<T>(
    rules: &Rulebook,
    payer: Option<&PayerStore>,
    bytes: &[u8],
    as_of: Day,
    show: impl FnOnce(&Judged<'_>) -> T,
) -> Result<T, String> {
    let mut request = Request::read(bytes, &rules.plan, as_of)?;
    if let Some(payer) = payer {
        payer.add_to(&mut request.dossier, &rules.plan)?;
    }
    let verdicts = request.verdicts(rules, as_of);
    let items =
        verdicts.iter().map(|(sequence, verdict)| trace::item(*sequence, verdict)).collect();
    Ok(show(&Judged { kind: request.kind, items }))
}

/// For each item of a body its determination, and in a line why.
///
/// # Errors
/// The body cannot be judged.
pub fn in_short(
    rules: &Rulebook,
    bytes: &[u8],
    as_of: Day,
) -> Result<Vec<(String, String)>, String> {
    judge(rules, None, bytes, as_of, |judged| {
        let short = |item: &ItemTrace<'_>| (item.determination.to_owned(), why(item));
        judged.items.iter().map(short).collect()
    })
}

fn why(item: &ItemTrace<'_>) -> String {
    let open: Vec<String> = item
        .criteria
        .iter()
        .filter(|criterion| criterion.truth != "met")
        .map(|criterion| format!("{} {}: {}", criterion.id, criterion.title, criterion.truth))
        .collect();
    if !open.is_empty() {
        open.join("; ")
    } else if let Some(reason) = item.reasons.first() {
        reason.clone()
    } else {
        format!("all {} clauses met", item.criteria.len())
    }
}

/// The line of a file; its names are a contract.
#[derive(Serialize)]
struct FileLine<'l> {
    file: &'l str,
    kind: &'static str,
    items: &'l [ItemTrace<'l>],
}

#[derive(Serialize)]
struct ErrorLine<'l> {
    file: &'l str,
    error: &'l str,
}

fn print(file: &str, judged: &Judged<'_>, format: Format) -> String {
    match format {
        Format::Json => {
            let line = FileLine { file, kind: judged.kind.as_str(), items: &judged.items };
            serde_json::to_string(&line)
                .unwrap_or_else(|error| print_error(file, &error.to_string(), format))
        }
        Format::Text => in_text(file, judged),
    }
}

fn print_error(file: &str, error: &str, format: Format) -> String {
    match format {
        Format::Json => serde_json::to_string(&ErrorLine { file, error }).unwrap_or_default(),
        Format::Text => format!("{file}\n  cannot be judged: {error}"),
    }
}

fn in_text(file: &str, judged: &Judged<'_>) -> String {
    let mut lines = vec![file.to_owned()];
    for item in &judged.items {
        let policy = match (item.policy, &item.policy_version) {
            (Some(policy), Some(version)) => format!(" by {policy} of {version}"),
            (Some(policy), None) => format!(" by {policy}"),
            (None, _) => String::new(),
        };
        lines.push(format!("  item {}: {}{policy}", item.sequence, item.determination));
        lines.extend(item.reasons.iter().map(|reason| format!("    {reason}")));
        let clause =
            |it: &CriterionTrace<'_>| format!("    {:<3}{:<8} {}", it.id, it.truth, it.title);
        lines.extend(item.criteria.iter().map(clause));
    }
    lines.join("\n")
}
