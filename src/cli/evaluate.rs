//! `priorauth evaluate`: judge files without a server.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::payer_store::PayerStore;
use crate::cds::HookRequest;
use crate::fhir::{Document, Fault, Rules};
use crate::intake::dossier::{Dossier, HookFile};
use crate::intake::pas_request::{PasRequest, Profile};
use crate::policy::{Rulebook, evaluate};
use crate::render::trace::{self, ItemTrace};
use crate::terms::Day;

/// How deep folders may nest.
const MAX_DEPTH: usize = 16;
/// The longest file that is read.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

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
        let result = file.problem.map_or_else(|| read_file(&file.path), Err).and_then(|bytes| {
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

/// A file to judge, or the reason why a path leads to none.
struct Found {
    path: PathBuf,
    problem: Option<String>,
}

/// The files that the paths name: a file as it is, of a folder every `.json` below it, sorted.
fn files_of(paths: &[PathBuf]) -> Vec<Found> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut below = Vec::new();
            collect(path, 0, &mut below);
            below.sort_by(|one, other| one.path.cmp(&other.path));
            files.append(&mut below);
        } else {
            files.push(Found { path: path.clone(), problem: None });
        }
    }
    files
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<Found>) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let problem = Some(format!("the folder cannot be read: {error}"));
            files.push(Found { path: folder.to_owned(), problem });
            return;
        }
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            if depth < MAX_DEPTH {
                collect(&path, depth + 1, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(Found { path, problem: None });
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("the file cannot be read: {error}");
    let about = std::fs::metadata(path).map_err(cannot)?;
    if about.len() > MAX_FILE_BYTES {
        return Err(format!("the file is longer than the limit of {MAX_FILE_BYTES} bytes"));
    }
    std::fs::read(path).map_err(cannot)
}

/// What kind of request a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pas,
    CdsHooks,
}

/// A judged file.
struct Judged<'j> {
    kind: Kind,
    items: Vec<ItemTrace<'j>>,
    gaps: &'j [crate::facts::Gap],
}

/// Judges one body, whichever of the two it is.
fn judge<T>(
    rules: &Rulebook,
    payer: Option<&PayerStore>,
    bytes: &[u8],
    as_of: Day,
    show: impl FnOnce(&Judged<'_>) -> T,
) -> Result<T, String> {
    let lenient = Document::parse(bytes, Rules::Lenient).map_err(|faults| in_words(&faults))?;
    let (kind, mut dossier) = if HookRequest::is_one(lenient.root()) {
        let request = HookRequest::read(lenient.root()).map_err(|error| error.to_string())?;
        let file = HookFile::of(&request).map_err(|error| error.to_string())?;
        (Kind::CdsHooks, file.dossier(&rules.plan, as_of))
    } else {
        let document = Document::parse(bytes, Rules::Fhir).map_err(|faults| in_words(&faults))?;
        let request =
            PasRequest::read(&document, Profile::Common).map_err(|faults| in_words(&faults))?;
        let (claim, subject) = (request.claim, &request.subject);
        let dossier = Dossier::of_claim(&request.pool, claim, subject, &rules.plan, as_of);
        (Kind::Pas, dossier)
    };
    if let Some(payer) = payer {
        payer.add_to(&mut dossier, &rules.plan)?;
    }
    let verdicts: Vec<_> = dossier
        .cases()
        .map(|case| (case.order.sequence, evaluate(&rules.shelf, case, as_of)))
        .collect();
    let items =
        verdicts.iter().map(|(sequence, verdict)| trace::item(*sequence, verdict)).collect();
    Ok(show(&Judged { kind, items, gaps: &dossier.gaps }))
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

fn in_words(faults: &[Fault]) -> String {
    let words: Vec<String> =
        faults.iter().map(|fault| format!("{}: {}", fault.place, fault.text)).collect();
    words.join("; ")
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
            let kind = match judged.kind {
                Kind::Pas => "pas",
                Kind::CdsHooks => "cds-hooks",
            };
            let line = FileLine { file, kind, items: &judged.items };
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
        for criterion in &item.criteria {
            lines
                .push(format!("    {:<3}{:<8} {}", criterion.id, criterion.truth, criterion.title));
            for fact in &criterion.because {
                let date = fact.date.as_deref().unwrap_or("no date");
                lines.push(format!("        {} ({}, {date})", fact.says, fact.resource));
            }
            for aside in &criterion.not_counted {
                lines.push(format!("        not counted: {}: {}", aside.resource, aside.why));
            }
            lines.extend(criterion.needs.iter().map(|need| format!("        asked: {need}")));
        }
    }
    lines.extend(judged.gaps.iter().map(|gap| format!("  left out: {} {}", gap.resource, gap.why)));
    lines.join("\n")
}
