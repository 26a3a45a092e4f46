//! `priorauth import`: what the payer knows, from files into the store.
//!
//! A file is read line by line and its records are added a few at a time; they count all at once
//! when the file is finished, so that a kill leaves everything or nothing of it.
//! A line that cannot be used is reported without what stands in it.

mod lines;
mod links;
mod resource;
mod table;

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use crate::fhir::{Document, Rules};
use crate::service::World;
use crate::service::world::RealWorld;
use crate::store::{ImportId, ImportRecord, SqliteStore, Store};
use crate::terms::Day;
use lines::{Line, Lines, MAX_LINE_BYTES};
use links::Links;
use resource::{Given, given};
use table::Table;

/// How many records are added in one transaction, and how many bytes of text.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Held by the import that is going on, so that another one waits for its turn.
const LOCK_FILE: &str = "import.lock";

/// What is imported, and how.
#[derive(Clone, Copy, Debug)]
pub struct Order<'o> {
    /// The files.
    pub files: &'o [PathBuf],
    /// The system that the resources are from, where they do not say it.
    pub source: Option<&'o str>,
    /// Whether a file with a line that cannot be used is not imported at all.
    pub strict: bool,
    /// The day of importing.
    pub today: Day,
}

/// What became of one file or of all.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    used: u64,
    refused: u64,
    /// Records that count from now on.
    records: u64,
}

/// Imports the files into the store in `data`: 0 if every line was used, 1 if some were refused,
/// 2 if nothing was imported.
///
/// # Errors
/// The store cannot be opened or written, or another import is going on. Files that were finished
/// before are imported.
pub async fn run(data: &Path, order: Order<'_>) -> anyhow::Result<ExitCode> {
    let store = SqliteStore::open(data).await.context("opening the store")?;
    let lock = File::create(data.join(LOCK_FILE)).context("opening the lock of imports")?;
    lock.try_lock().context("another import into this folder is going on")?;
    tidy(&store).await?;
    let links = links_of(&order)?;
    let mut all = Tally::default();
    for file in order.files {
        let tally = Import { store: &store, order, links: &links, file }.run().await?;
        let outcome = match (tally.refused, order.strict) {
            (0, _) => "",
            (_, true) => "; the file is not imported",
            (_, false) => "; the rest is imported",
        };
        say(&format!(
            "{}: {} lines used, {} refused{outcome}",
            file.display(),
            tally.used,
            tally.refused
        ));
        all.refused += tally.refused;
        all.records += tally.records;
        all.used += if tally.refused > 0 && order.strict { 0 } else { tally.used };
    }
    tidy(&store).await?;
    store.close().await.context("closing the store")?;
    say(&format!("{} records count from now on", all.records));
    Ok(match (all.refused, all.used) {
        (0, _) => ExitCode::SUCCESS,
        (_, 0) => ExitCode::from(2),
        (_, _) => ExitCode::FAILURE,
    })
}

/// Whether somebody reads it or not, the import goes on.
fn say(text: &str) {
    let _ = super::say(text);
}

/// Deletes what does not count any more, in short transactions.
async fn tidy(store: &SqliteStore) -> anyhow::Result<()> {
    loop {
        let began = Instant::now();
        if !store.tidy_imports().await.context("tidying up after imports")? {
            return Ok(());
        }
        // As long as we held the store others may have it.
        tokio::time::sleep(began.elapsed()).await;
    }
}

/// What the resources of all files may refer to.
///
/// What cannot be read is reported when its file is imported.
fn links_of(order: &Order<'_>) -> anyhow::Result<Links> {
    let mut known = Links::default();
    for file in order.files {
        let Ok(file) = open(file) else { continue };
        let mut lines = Lines::of(BufReader::new(file));
        while let Ok(Some((_, line))) = lines.next() {
            let Line::Bytes(bytes, _) = line else { continue };
            if may_be_referred_to(&bytes)
                && let Ok(document) = Document::parse(&bytes, Rules::Lenient)
                && !known.note(document.root(), order.today)
            {
                anyhow::bail!("the files hold too many Coverages, Patients and Practitioners");
            }
        }
    }
    Ok(known)
}

/// Whether a line may hold a resource that others refer to; most lines of a large file do not, and
/// need not be parsed twice.
fn may_be_referred_to(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|line| {
        line.starts_with(['{', ' ', '\t'])
            && ["\"Coverage\"", "\"Patient\"", "\"Practitioner\""]
                .iter()
                .any(|kind| line.contains(kind))
    })
}

fn open(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    // It is read twice, which a pipe cannot be.
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// The import of one file.
struct Import<'i> {
    store: &'i SqliteStore,
    order: Order<'i>,
    links: &'i Links,
    file: &'i Path,
}

/// What a file holds, as its first line says.
enum Content {
    Resources,
    Rows(Table),
}

impl Content {
    fn begun_by(line: &[u8]) -> Result<Content, String> {
        if line.trim_ascii_start().starts_with(b"{") {
            Ok(Content::Resources)
        } else {
            Table::headed_by(line).map(Content::Rows)
        }
    }
}

impl Import<'_> {
    async fn run(&self) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let file = match open(self.file) {
            Ok(file) => file,
            Err(error) => {
                self.refuse(&mut tally, 0, &format!("the file cannot be read: {error}"));
                return Ok(tally);
            }
        };
        let mut lines = Lines::of(BufReader::new(file));
        let import = self.store.begin_import(RealWorld.now()).await.context("beginning")?;
        let is_read = self.read(&mut lines, import, &mut tally).await?;
        // What is not finished never counted, and is tidied away.
        if is_read && (tally.refused == 0 || !self.order.strict) {
            self.store.finish_import(import).await.context("finishing a file")?;
        } else {
            tally.records = 0;
        }
        Ok(tally)
    }

    /// Reads the lines into an import; whether what they hold was understood at all.
    async fn read(
        &self,
        lines: &mut Lines<BufReader<File>>,
        import: ImportId,
        tally: &mut Tally,
    ) -> anyhow::Result<bool> {
        let mut content = None;
        let mut batch = Batch::default();
        loop {
            let (number, bytes, is_ended) = match lines.next() {
                Ok(None) => break,
                Ok(Some((number, Line::TooLong))) => {
                    let why = format!("it is longer than the limit of {MAX_LINE_BYTES} bytes");
                    self.refuse(tally, number, &why);
                    continue;
                }
                Ok(Some((_, Line::Bytes(bytes, _)))) if bytes.trim_ascii().is_empty() => continue,
                Ok(Some((number, Line::Bytes(bytes, is_ended)))) => (number, bytes, is_ended),
                Err(error) => {
                    self.refuse(tally, 0, &format!("the file cannot be read on: {error}"));
                    return Ok(false);
                }
            };
            let is_first = content.is_none();
            let kind = match content.take().map_or_else(|| Content::begun_by(&bytes), Ok) {
                Ok(kind) => content.insert(kind),
                Err(why) => {
                    self.refuse(tally, number, &why);
                    return Ok(false);
                }
            };
            match self.record(kind, &bytes, is_ended) {
                _ if is_first && matches!(kind, Content::Rows(_)) => {}
                Ok(Some(record)) => batch.put(number, bytes.len(), record),
                Ok(None) => tally.used += 1,
                Err(why) => self.refuse(tally, number, &why),
            }
            if batch.is_full() {
                self.add(import, &mut batch, tally).await?;
            }
        }
        self.add(import, &mut batch, tally).await?;
        if content.is_none() && tally.refused == 0 {
            self.refuse(tally, 1, "the file is empty");
        }
        Ok(content.is_some())
    }

    fn record(
        &self,
        content: &Content,
        bytes: &[u8],
        is_ended: bool,
    ) -> Result<Option<ImportRecord>, String> {
        match content {
            Content::Rows(table) => {
                let record = table.record(bytes, is_ended, self.order.today)?;
                Ok(Some(record))
            }
            Content::Resources => {
                let document = Document::parse(bytes, Rules::Lenient).map_err(|faults| {
                    let first = faults.first().map(|fault| fault.text.as_str());
                    format!("it cannot be read: {}", first.unwrap_or("it is no JSON"))
                })?;
                let source = self.order.source;
                match given(document.root(), self.links, source, self.order.today)? {
                    Given::Record(record) => Ok(Some(record)),
                    Given::Link => Ok(None),
                }
            }
        }
    }

    async fn add(
        &self,
        import: ImportId,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        if batch.records.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let added = self.store.add_to_import(import, &batch.records).await;
        let twice = added.context("adding records")?;
        for (place, number) in batch.numbers.iter().enumerate() {
            if twice.contains(&place) {
                let why = "the same record stands in an earlier line of this file";
                self.refuse(tally, *number, why);
            } else {
                tally.used += 1;
                tally.records += 1;
            }
        }
        *batch = Batch::default();
        // As long as we held the store others may have it.
        tokio::time::sleep(began.elapsed()).await;
        Ok(())
    }

    /// Reports a line that cannot be used; line 0 is the whole file.
    fn refuse(&self, tally: &mut Tally, number: u64, why: &str) {
        tally.refused += 1;
        let file = self.file.display();
        let place = if number == 0 { String::new() } else { format!(":{number}") };
        // Whether somebody reads it or not, the import goes on.
        let _ = writeln!(std::io::stderr(), "{file}{place}: {why}");
    }
}

/// Records that are added together, with the numbers of their lines.
#[derive(Default)]
struct Batch {
    records: Vec<ImportRecord>,
    numbers: Vec<u64>,
    bytes: usize,
}

impl Batch {
    fn put(&mut self, number: u64, bytes: usize, record: ImportRecord) {
        self.records.push(record);
        self.numbers.push(number);
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }
}
