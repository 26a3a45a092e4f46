//! `priorauth review`: the queue of a data folder, and a person's decision on a case.
//!
//! The command-line twin of `/admin/api`: what it decides goes through the same service function,
//! so that it changes exactly what a call over HTTP would.
//! A server may be running on the same folder: of two decisions at once the store takes the first.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::evaluate::Format;
use super::serve;
use crate::config::Config;
use crate::policy::document::Document;
use crate::service::review::{
    CaseView, LineView, MOST_LISTED, QueuedCase, Review, ReviewDecision, ReviewError,
};
use crate::service::{RealWorld, Service, scenario};
use crate::store::{CaseId, SqliteStore};
use crate::terms::Day;

/// What is done with the queue.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List the pended cases, those first that are due first
    List(Place),
    /// Show a case: its lines, what was said, and how each was judged
    Show {
        #[command(flatten)]
        place: Place,
        /// Print the newest submission instead, as it was received
        #[arg(long)]
        submission: bool,
        /// The case's id
        #[arg(value_parser = case_id)]
        case: CaseId,
    },
    /// Authorize as asked (A1)
    Approve {
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        validity: Validity,
        #[command(flatten)]
        words: Words,
    },
    /// Refuse (A3): a reason code and a note are needed
    Deny {
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        words: Words,
    },
    /// Authorize with changes (A6)
    Modify {
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        validity: Validity,
        #[command(flatten)]
        words: Words,
        /// How much is authorized, as a decimal
        #[arg(long, value_name = "NUMBER")]
        quantity: String,
    },
    /// Leave it open and ask for more (A4): a note is needed
    Ask {
        #[command(flatten)]
        by: By,
        #[command(flatten)]
        words: Words,
        /// A document that is asked for, by its LOINC attachment code, may be repeated
        #[arg(long = "document", value_name = "LOINC")]
        documents: Vec<Document>,
    },
}

/// Where the queue is.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The data folder of the server, which may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The server's configuration file: its profiles and public base hold here too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Which case is decided, and by whom.
#[derive(Debug, Args)]
pub(super) struct By {
    #[command(flatten)]
    place: Place,
    /// The case's id
    #[arg(value_parser = case_id)]
    case: CaseId,
    /// Who decides
    #[arg(long, value_name = "NAME")]
    reviewer: String,
    /// With which right, as in `MD, medical director`
    #[arg(long, value_name = "TEXT")]
    credentials: String,
    /// The reviewer's NPI
    #[arg(long, value_name = "NPI")]
    npi: Option<String>,
    /// A line that is decided, may be repeated; every line that waits if none is given
    #[arg(long = "line", value_name = "SEQUENCE")]
    lines: Vec<u32>,
    /// Refuse if the case's current answer has another number than this
    #[arg(long, value_name = "NUMBER")]
    seen_answer: Option<u32>,
}

/// What is said of a decision.
#[derive(Debug, Args)]
pub(super) struct Words {
    /// Why, a code of the X12 external list 886, may be repeated
    #[arg(long = "reason-code", value_name = "CODE")]
    reason_codes: Vec<String>,
    /// What the provider is told
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// When an approval holds.
#[derive(Debug, Default, Args)]
pub(super) struct Validity {
    /// Its first day; the plan's own term if it is not given
    #[arg(long, value_name = "DATE")]
    valid_from: Option<Day>,
    /// Its last day; the plan's own term if it is not given
    #[arg(long, value_name = "DATE")]
    valid_to: Option<Day>,
}

fn case_id(text: &str) -> Result<CaseId, String> {
    CaseId::parse(text).map_err(|error| error.to_string())
}

/// Does it and prints what came of it.
///
/// # Errors
/// The store cannot be used, there is no such case, or the review was not recorded.
pub(super) async fn run(action: Action) -> anyhow::Result<()> {
    let mut asked = Vec::new();
    let (by, decision, words, validity, quantity) = match action {
        Action::List(place) => return list(&place).await,
        Action::Show { place, submission, case } => return show(&place, &case, submission).await,
        Action::Approve { by, validity, words } => {
            (by, ReviewDecision::Approve, words, validity, None)
        }
        Action::Deny { by, words } => (by, ReviewDecision::Deny, words, Validity::default(), None),
        Action::Modify { by, validity, words, quantity } => {
            (by, ReviewDecision::Modify, words, validity, Some(quantity))
        }
        Action::Ask { by, words, documents } => {
            asked = documents;
            (by, ReviewDecision::Ask, words, Validity::default(), None)
        }
    };
    let By { place, case, reviewer, credentials, npi, lines, seen_answer } = by;
    let Words { reason_codes, note } = words;
    let Validity { valid_from, valid_to } = validity;
    let review = Review {
        decision,
        reviewer,
        credentials,
        npi,
        lines,
        reason_codes,
        note,
        documents: asked,
        quantity,
        valid_from,
        valid_to,
        seen_answer,
    };
    decide(&place, &case, &review).await
}

/// The service on the store of a data folder that is there: a slip in its name makes no new one.
async fn opened(place: &Place, to_write: bool) -> anyhow::Result<Service> {
    let config = Config::read(place.config.as_deref()).context("reading the configuration")?;
    let (rules, terms) = serve::plan_of(&config)?;
    let folder: &Path = &place.data;
    ensure!(SqliteStore::is_in(folder), "there is no store in `{}`", folder.display());
    let store = if to_write {
        SqliteStore::open(folder).await
    } else {
        SqliteStore::open_to_read(folder).await
    };
    let store = Arc::new(store.context("opening the store")?);
    Ok(Service::new(rules, store, Arc::new(RealWorld), terms))
}

async fn list(place: &Place) -> anyhow::Result<()> {
    let cases = opened(place, false).await?.pending(MOST_LISTED).await?;
    super::say(&match place.format {
        Format::Json => serde_json::to_string(&cases)?,
        Format::Text if cases.is_empty() => "no case waits".to_owned(),
        Format::Text => cases.iter().map(in_one_line).collect::<Vec<_>>().join("\n"),
    })
}

async fn show(place: &Place, case: &CaseId, submission: bool) -> anyhow::Result<()> {
    let service = opened(place, false).await?;
    let no_such_case = || anyhow!("there is no case `{case}`");
    if submission {
        let body = service.submission_of(case).await?;
        return super::say(&body.ok_or_else(no_such_case)?);
    }
    let view = service.case_view(case).await?.ok_or_else(no_such_case)?;
    super::say(&match place.format {
        Format::Json => serde_json::to_string(&view)?,
        Format::Text => in_words(&view),
    })
}

async fn decide(place: &Place, case: &CaseId, review: &Review) -> anyhow::Result<()> {
    let service = opened(place, true).await?;
    let recorded = service.review(case, review).await;
    service.close().await.context("closing the store")?;
    let answer = recorded.map_err(|error| match error {
        ReviewError::NoSuchCase => anyhow!("there is no case `{case}`"),
        other => other.into(),
    })?;
    super::say(&match place.format {
        Format::Json => json!({ "case_id": case.as_str(), "answer": answer }).to_string(),
        Format::Text => format!("recorded as answer {answer} of case {case}"),
    })
}

fn in_one_line(case: &QueuedCase) -> String {
    let due = case.due_at.as_deref().unwrap_or("never");
    let overdue = if case.is_overdue { ", OVERDUE" } else { "" };
    let (id, answer, opened) = (&case.case_id, case.answer, &case.opened_at);
    format!("{id}  due {due}{overdue}  opened {opened}  answer {answer}")
}

fn in_words(view: &CaseView) -> String {
    let mut text = format!("case {}\n", in_one_line(&view.case));
    let CaseView { state, client, guide, member_id, lines, .. } = view;
    // Writing to a String does not fail.
    let _ = write!(text, "  {state}; sent by {client} for PAS {guide}; member {member_id}");
    for line in lines {
        text.push('\n');
        text.push_str(&line_in_words(line));
    }
    text
}

fn line_in_words(line: &LineView) -> String {
    let mut lines = vec![format!("  line {}: {}", line.sequence, line.review_action)];
    let scripted = line.scenario.map(|_| scenario::NOTE.to_owned());
    let told = [
        ("authorization", line.authorization.as_ref()),
        ("reference", line.reference.as_ref()),
        ("decided by", line.reviewed_by.as_ref()),
        ("scripted:", scripted.as_ref()),
    ];
    let told = told.into_iter().filter_map(|(name, text)| Some((name, text?)));
    lines.extend(told.map(|(name, text)| format!("    {name} {text}")));
    let findings: Value = serde_json::from_str(line.findings.get()).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let part = |key: &str| findings.get(key).and_then(Value::as_array).into_iter().flatten();
    if let Some(determination) = text(&findings, "determination") {
        let policy = text(&findings, "policy").map(|it| format!(" by {it}")).unwrap_or_default();
        lines.push(format!("    judged {determination}{policy}"));
    }
    lines.extend(part("reasons").filter_map(Value::as_str).map(|it| format!("      {it}")));
    lines.extend(part("criteria").map(|criterion| {
        let [id, truth, title] =
            ["id", "truth", "title"].map(|key| text(criterion, key).unwrap_or_default());
        format!("      {id:<3}{truth:<8} {title}")
    }));
    lines.extend(line.notes.iter().map(|note| format!("    told: {note}")));
    let similar = line.similar_cases.iter();
    lines.extend(similar.map(|id| format!("    same identifiers, other content: case {id}")));
    lines.join("\n")
}
