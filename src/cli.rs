//! Floor 7: the command line: arguments to library calls.

pub mod demo;
pub mod difference;
pub mod evaluate;
pub mod explain;
pub mod feedback;
pub mod import;
pub mod outbox;
pub mod payer_store;
pub mod policy_check;
pub mod policy_diff;
pub mod policy_test;
pub mod replay;
pub mod requests;
mod review;
pub mod serve;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::config::LogFormat;
use crate::policy::Rulebook;
use crate::profiles::{self, PolicyFolder};
use crate::service::World;
use crate::service::world::{RealWorld, day_of};
use crate::telemetry;
use crate::terms::Day;
use payer_store::PayerStore;

/// Prior authorization decided from evidence: Da Vinci CRD and PAS.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve CRD and PAS over HTTP
    Serve(Serve),
    /// Start a server on a temporary store, send it the fixtures, show what it decides
    Demo,
    /// Judge files or folders of PAS Bundles and CDS Hooks requests, without a server
    Evaluate(Evaluate),
    /// Import what the payer knows itself: members, providers, billed claims
    Import(Import),
    /// Explain to a clinician why the request in a file is decided as it is
    Explain(Explain),
    /// Work on policies
    #[command(subcommand)]
    Policy(Policy),
    /// See the cases that wait for a person, and decide them
    #[command(subcommand)]
    Review(review::Action),
    /// Look after notifications that wait or were given up
    #[command(subcommand)]
    Outbox(Outbox),
    /// Count what became of the cards that were shown
    Feedback(Feedback),
    /// Decide again on what was decided on, and show any difference
    Replay(Replay),
}

#[derive(Debug, Args)]
struct Feedback {
    /// The data folder of the server, which may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How counts are printed
    #[arg(long, value_enum, default_value = "text")]
    format: evaluate::Format,
}

#[derive(Debug, Args)]
struct Replay {
    /// The data folder of the server, which may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Other policies to decide by
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// A folder with plans and policies; the embedded ones if it is not given
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// How differences are printed
    #[arg(long, value_enum, default_value = "text")]
    format: evaluate::Format,
    /// The id of a coverage assertion or of a case
    #[arg(value_name = "ASSERTION|CASE")]
    id: String,
}

#[derive(Debug, Subcommand)]
enum Outbox {
    /// List what waits and what was given up, a line each
    List {
        /// The data folder of the server, which may be running
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// How lines are printed
        #[arg(long, value_enum, default_value = "text")]
        format: evaluate::Format,
    },
    /// Try again what was given up; a running server sends it
    Redrive {
        /// The data folder of the server, which may be running
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The lines to try again, by their numbers; all if none is given
        #[arg(value_name = "ID")]
        lines: Vec<i64>,
    },
}

#[derive(Debug, Args)]
struct Explain {
    /// The day of judging; today if it is not given
    #[arg(long, value_name = "DATE")]
    as_of: Option<Day>,
    /// How the explanation is printed
    #[arg(long, value_enum, default_value = "text")]
    format: evaluate::Format,
    /// A folder with plans and policies; the embedded ones if it is not given
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// A PAS Bundle or a CDS Hooks request
    file: PathBuf,
}

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The folder that holds what must last: the SQLite file
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// A configuration file (see docs/reference/configuration.md)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is logged, as in `info,priorauth=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "PRIORAUTH_LOG")]
    log: String,
}

#[derive(Debug, Args)]
struct Evaluate {
    /// The day of judging; today if it is not given
    #[arg(long, value_name = "DATE")]
    as_of: Option<Day>,
    /// How results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: evaluate::Format,
    /// A folder with plans and policies; the embedded ones if it is not given
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// The data folder of a server: what it holds of the member is taken into account
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Files, or folders of files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct Import {
    /// The data folder of the server, which may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Import nothing of a file in which a line cannot be used
    #[arg(long)]
    strict: bool,
    /// The system that FHIR resources are from, instead of their `meta.source`
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// CSV with a header, or NDJSON of FHIR resources
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Policy {
    /// Read a policy folder and say what is wrong with it, by file, line and clause
    Check {
        /// The folder of all policies, of one policy, of one edition, or of all profiles
        folder: PathBuf,
    },
    /// Tell a policy the cases that stand beside it, and show where it answers otherwise
    Test(PolicyTest),
    /// Judge requests by two policies, and show what would be decided differently
    Diff(PolicyDiff),
}

#[derive(Debug, Args)]
struct PolicyDiff {
    /// The profiles or policies that hold now
    old: PathBuf,
    /// The profiles or policies to compare with
    new: PathBuf,
    /// Requests: a file, a folder of .json files, or the data folder of a server
    #[arg(long, value_name = "DIR")]
    over: PathBuf,
    /// The day of judging; the day of receipt for stored requests, else today
    #[arg(long, value_name = "DATE")]
    as_of: Option<Day>,
    /// How differences are printed
    #[arg(long, value_enum, default_value = "text")]
    format: evaluate::Format,
    /// A folder whose plan is used for policies without one; the embedded plan if it is not given
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
}

/// The exit code of a comparison that could not be made, as `diff` has it.
const TROUBLE: u8 = 2;

#[derive(Debug, Args)]
struct PolicyTest {
    /// The folder of all policies, of one policy, of one edition, or of all profiles
    folder: PathBuf,
    /// Run only cases whose name contains this text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    filter: String,
    /// Then change one thing of the policy at a time, and list the changes that no case notices
    #[arg(long, conflicts_with = "filter")]
    mutate: bool,
    /// A folder whose plan is used if FOLDER has none; the embedded plan if it is not given
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
}

/// Runs what the arguments ask for.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Demo => demo(),
        Command::Evaluate(arguments) => judge(&arguments),
        Command::Import(arguments) => Ok(import(&arguments)),
        Command::Explain(arguments) => explain(&arguments),
        Command::Outbox(arguments) => look_after_outbox(&arguments),
        Command::Policy(Policy::Check { folder }) => check(&folder),
        Command::Policy(Policy::Test(arguments)) => rehearse(&arguments),
        Command::Policy(Policy::Diff(arguments)) => return compare(&arguments),
        Command::Review(action) => decide(action),
        Command::Feedback(arguments) => count_feedback(&arguments),
        Command::Replay(arguments) => return decide_again(&arguments),
    };
    ended(outcome, ExitCode::FAILURE)
}

/// The exit code; an error is printed and ends with `failure`.
fn ended(outcome: anyhow::Result<ExitCode>, failure: ExitCode) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        if !is_gone_reader(&error) {
            eprintln!("error: {}", in_words(&error));
        }
        failure
    })
}

/// Prints a text and a new line.
///
/// # Errors
/// Nobody reads, or the text cannot be written.
fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("printing")
}

/// Whoever read our output has seen enough and went away: there is nobody to tell.
fn is_gone_reader(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The chain of causes, each said once: some errors name their cause themselves.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
}

/// The present day in UTC.
#[must_use]
pub fn today() -> Day {
    day_of(RealWorld.now())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")
}

fn serve(arguments: &Serve) -> anyhow::Result<ExitCode> {
    let config = Config::read(arguments.config.as_deref()).context("reading the configuration")?;
    telemetry::start(config.log_format, &arguments.log);
    let settings = serve::Settings::of(&config)?;
    runtime()?.block_on(serve::run(arguments.listen, &arguments.data, settings))?;
    Ok(ExitCode::SUCCESS)
}

fn demo() -> anyhow::Result<ExitCode> {
    telemetry::start(LogFormat::Text, "warn");
    runtime()?.block_on(demo::run())?;
    Ok(ExitCode::SUCCESS)
}

/// The profiles in the folder, else the embedded ones.
fn rulebook(folder: Option<&Path>) -> anyhow::Result<Rulebook> {
    folder.map_or_else(profiles::embedded, profiles::from_folder).context("reading the profiles")
}

fn explain(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let rules = rulebook(arguments.profiles.as_deref())?;
    let as_of = arguments.as_of.unwrap_or_else(today);
    say(&explain::run(&rules, &arguments.file, as_of, arguments.format)?)?;
    Ok(ExitCode::SUCCESS)
}

fn judge(arguments: &Evaluate) -> anyhow::Result<ExitCode> {
    let rules = rulebook(arguments.profiles.as_deref())?;
    let as_of = arguments.as_of.unwrap_or_else(today);
    let payer = arguments.data.as_deref().map(PayerStore::open).transpose()?;
    let unread = evaluate::run(&rules, payer.as_ref(), &arguments.paths, as_of, arguments.format)?;
    Ok(if unread == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn decide(action: review::Action) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(review::run(action))?;
    Ok(ExitCode::SUCCESS)
}

/// Nothing could be done where it ends with 2.
fn import(arguments: &Import) -> ExitCode {
    let order = import::Order {
        files: &arguments.files,
        source: arguments.source.as_deref(),
        strict: arguments.strict,
        today: today(),
    };
    let run = || runtime()?.block_on(import::run(&arguments.data, order));
    run().unwrap_or_else(|error| {
        eprintln!("error: {}", in_words(&error));
        ExitCode::from(2)
    })
}

fn look_after_outbox(arguments: &Outbox) -> anyhow::Result<ExitCode> {
    match arguments {
        Outbox::List { data, format } => runtime()?.block_on(outbox::list(data, *format))?,
        Outbox::Redrive { data, lines } => runtime()?.block_on(outbox::redrive(data, lines))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn count_feedback(arguments: &Feedback) -> anyhow::Result<ExitCode> {
    say(&runtime()?.block_on(feedback::run(&arguments.data, arguments.format))?)?;
    Ok(ExitCode::SUCCESS)
}

/// Like `diff`: 1 where there is a difference, 2 where it could not be decided.
fn decide_again(arguments: &Replay) -> ExitCode {
    let decided = || -> anyhow::Result<ExitCode> {
        let profiles = arguments.profiles.as_deref();
        let rules = match &arguments.policies {
            Some(folder) => PolicyFolder::read(folder)?.rulebook(profiles)?,
            None => rulebook(profiles)?,
        };
        let replay = replay::Replay { rules: &rules, data: &arguments.data, id: &arguments.id };
        let report = runtime()?.block_on(replay.run())?;
        say(&report.print(arguments.format)?)?;
        Ok(if report.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    };
    ended(decided(), ExitCode::from(TROUBLE))
}

fn check(folder: &Path) -> anyhow::Result<ExitCode> {
    say(&policy_check::run(folder)?)?;
    Ok(ExitCode::SUCCESS)
}

fn rehearse(arguments: &PolicyTest) -> anyhow::Result<ExitCode> {
    let rehearsal = policy_test::Rehearsal::of(&arguments.folder, arguments.profiles.as_deref())?;
    let (report, is_green) = rehearsal.report(&arguments.filter)?;
    say(&report)?;
    if arguments.mutate && is_green {
        say(&rehearsal.mutations()?.in_words())?;
    } else if arguments.mutate {
        say("no change was tried: first every case must be answered as it expects")?;
    }
    Ok(if is_green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare(arguments: &PolicyDiff) -> ExitCode {
    let rules = |folder: &Path| -> anyhow::Result<Rulebook> {
        Ok(PolicyFolder::read(folder)?.rulebook(arguments.profiles.as_deref())?)
    };
    let compared = || -> anyhow::Result<ExitCode> {
        let comparison = policy_diff::Comparison {
            old: rules(&arguments.old).context("reading the old policies")?,
            new: rules(&arguments.new).context("reading the new policies")?,
            as_of: arguments.as_of,
            format: arguments.format,
        };
        let totals = runtime()?.block_on(comparison.run(&arguments.over))?;
        Ok(match (totals.not_judged, totals.differ) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::FAILURE,
            (_, _) => ExitCode::from(TROUBLE),
        })
    };
    ended(compared(), ExitCode::from(TROUBLE))
}
