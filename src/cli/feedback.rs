//! `priorauth feedback`: what became of the cards that were shown.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

use super::evaluate::Format;
use crate::service::feedback::CountView;
use crate::store::{SqliteStore, Store};

/// The counts of a data folder, a line for each card of a policy.
///
/// # Errors
/// The store cannot be read.
pub async fn run(data: &Path, format: Format) -> anyhow::Result<String> {
    anyhow::ensure!(SqliteStore::is_in(data), "there is no store in `{}`", data.display());
    let store = SqliteStore::open_to_read(data).await.context("opening the store")?;
    let counts = store.feedback_counts().await.context("counting feedback")?;
    let counts: Vec<CountView> = counts.into_iter().map(CountView::of).collect();
    Ok(match format {
        Format::Json => serde_json::to_string(&counts)?,
        Format::Text if counts.is_empty() => "no card was shown".to_owned(),
        Format::Text => counts.iter().map(in_words).collect::<Vec<_>>().join("\n"),
    })
}

fn in_words(count: &CountView) -> String {
    let CountView { policy, kind, card, clause, shown, accepted, overridden, reasons } = count;
    let mut words = format!("{} {kind} {card}", policy.as_deref().unwrap_or("no policy"));
    if let Some(clause) = clause {
        let _ = write!(words, " (clause {clause})");
    }
    let _ = write!(words, ": shown {shown}, accepted {accepted}, overridden {overridden}");
    for reason in reasons {
        let name = reason.reason.as_deref().unwrap_or("no reason given");
        let _ = write!(words, "\n  {} {name}", reason.cards);
    }
    words
}
