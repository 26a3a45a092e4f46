//! Requests as a command reads them: files, folders of files, and the body of either face.

use std::path::{Path, PathBuf};

use crate::cds::HookRequest;
use crate::fhir::{Document, Fault, Rules};
use crate::intake::dossier::{Dossier, HookFile};
use crate::intake::gathered::{Gathered, received};
use crate::intake::pas_request::kind::{NOT_ANEW, kind_of_request};
use crate::intake::pas_request::{PasRequest, Profile};
use crate::policy::{Determination, Plan, Rulebook, Verdict, evaluate};
use crate::terms::Day;

/// How deep folders may nest.
const MAX_DEPTH: usize = 16;
/// The longest file that is read.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A file to judge, or the reason why a path leads to none.
#[derive(Debug)]
pub struct Found {
    /// The path, as it was found.
    pub path: PathBuf,
    problem: Option<String>,
}

impl Found {
    /// The bytes of the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, String> {
        self.problem.as_ref().map_or_else(|| read_file(&self.path), |why| Err(why.clone()))
    }
}

/// The files that the paths name: a file as it is, of a folder every `.json` below it, sorted.
#[must_use]
pub fn files_of(paths: &[PathBuf]) -> Vec<Found> {
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

/// What kind of request a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PAS Bundle.
    Pas,
    /// A CDS Hooks call.
    CdsHooks,
}

impl Kind {
    /// The word of the command line's JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Pas => "pas",
            Kind::CdsHooks => "cds-hooks",
        }
    }
}

/// A request that was read.
#[derive(Debug)]
pub struct Request {
    /// Which of the two it is.
    pub kind: Kind,
    /// Its facts.
    pub dossier: Dossier,
    /// The items that ask to cancel, renew or change an authorization: a person's task.
    not_anew: Vec<u32>,
}

impl Request {
    /// Reads a body, whichever of the two it is.
    ///
    /// # Errors
    /// Each fault as `place: text`, joined by `; `.
    pub fn read(bytes: &[u8], plan: &Plan, as_of: Day) -> Result<Request, String> {
        Request::read_with(bytes, &Gathered::default(), plan, as_of)
    }

    /// Reads a body with what the client's FHIR server gave for it.
    ///
    /// # Errors
    /// As [`Request::read`].
    pub fn read_with(
        bytes: &[u8],
        gathered: &Gathered,
        plan: &Plan,
        as_of: Day,
    ) -> Result<Request, String> {
        let lenient = Document::parse(bytes, Rules::Lenient).map_err(|faults| in_words(&faults))?;
        if HookRequest::is_one(lenient.root()) {
            let call = HookRequest::read(lenient.root()).map_err(|error| error.to_string())?;
            let documents = gathered.documents();
            let file = HookFile::of(&call, &received(&documents));
            let mut dossier = file.dossier(plan, as_of);
            gathered.tell(&mut dossier, &file);
            return Ok(Request { kind: Kind::CdsHooks, dossier, not_anew: Vec::new() });
        }
        let document = Document::parse(bytes, Rules::Fhir).map_err(|faults| in_words(&faults))?;
        let request =
            PasRequest::read(&document, Profile::Common).map_err(|faults| in_words(&faults))?;
        let (claim, subject) = (request.claim, &request.subject);
        let dossier = Dossier::of_claim(&request.pool, claim, subject, plan, as_of);
        let sequences = request.lines.iter().map(|line| line.sequence);
        let not_anew = sequences
            .filter(|sequence| !kind_of_request(&request, *sequence).may_be_certified())
            .collect();
        Ok(Request { kind: Kind::Pas, dossier, not_anew })
    }

    /// The sequence and the verdict of each item, in their order.
    #[must_use]
    pub fn verdicts(&self, rules: &Rulebook, as_of: Day) -> Vec<(u32, Verdict)> {
        let judge = |case: crate::facts::Case<'_>| {
            let mut verdict = evaluate(&rules.shelf, case, as_of);
            // clinical.md 7.1: no renewal; as the service answers it.
            if verdict.determination == Determination::Approve
                && self.not_anew.contains(&case.order.sequence)
            {
                verdict.determination = Determination::Review;
                verdict.reasons.push(NOT_ANEW.to_owned());
            }
            (case.order.sequence, verdict)
        };
        self.dossier.cases().map(judge).collect()
    }
}

fn in_words(faults: &[Fault]) -> String {
    let words: Vec<String> =
        faults.iter().map(|fault| format!("{}: {}", fault.place, fault.text)).collect();
    words.join("; ")
}
