//! Floor 7: the cases beside a policy, and what the policy answers to them.
//!
//! A file of cases stands in the folder of an edition, where a medical director can read it: a
//! base story, and for each case what differs from it and what must come out.
//! Every story is told as a PAS Bundle, and as an order-sign call too where only the records
//! differ from the base story; both must be answered alike.
//! The order of entries, another patient's records and the spelling of code systems must change
//! nothing.
//!
//! Knows no policy: products, clauses and records stand in the files.
//! What it knows of a story are the handles `claim`, `pat`, `order` and `enc`.

pub mod expect;
pub mod mutate;
pub mod mutation;
pub mod story;
pub mod telling;
pub mod variant;

use std::collections::BTreeMap;
use std::path::Path;

pub use expect::{Expect, Fault};
pub use story::{Case, Casebook, Story};
pub use telling::{Telling, Told};

use crate::policy::{Files, Rulebook, Shelf, Verdict};
use crate::terms::Day;

/// The name of a file of cases in the folder of an edition.
const FILE_NAME: &str = "cases.toml";

/// Why a file of cases, or one of its cases, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}: {}{what}",
    case.as_ref().map(|case| format!("case `{case}`: ")).unwrap_or_default()
)]
pub struct CaseError {
    /// The file.
    pub file: String,
    /// The case, where it is in one.
    pub case: Option<String>,
    /// The place, and what is wrong there.
    pub what: String,
}

/// The cases that stand beside one edition of a policy.
#[derive(Debug)]
pub struct Suite {
    /// The file, by its path below the policies' folder.
    pub file: String,
    /// The policy's id.
    pub policy: Box<str>,
    /// The cases and what they are made of.
    pub book: Casebook,
    /// The first day of the edition.
    edition: Box<str>,
    /// The ids of the clauses, by the first day of the edition.
    clauses: BTreeMap<String, Vec<Box<str>>>,
}

/// What the policy answered to one telling of a case.
#[derive(Debug)]
pub struct Answer {
    /// How the story was told.
    pub told: Told,
    /// What was answered.
    pub verdict: Verdict,
    /// How that differs from what the case expects.
    pub faults: Vec<Fault>,
}

impl Suite {
    /// Every file of cases below the policies' folder, held against the policies there.
    ///
    /// # Errors
    /// All files and cases that cannot be used.
    pub fn all(files: &Files, shelf: &Shelf) -> Result<Vec<Suite>, Vec<CaseError>> {
        let mut suites = Vec::new();
        let mut errors = Vec::new();
        for (path, text) in files {
            if Path::new(path).file_name().is_some_and(|name| name == FILE_NAME) {
                match Suite::read(path, text, shelf) {
                    Ok(suite) => suites.push(suite),
                    Err(mut more) => errors.append(&mut more),
                }
            }
        }
        if errors.is_empty() { Ok(suites) } else { Err(errors) }
    }

    fn read(path: &str, text: &str, shelf: &Shelf) -> Result<Suite, Vec<CaseError>> {
        let error = |case: Option<&Case>, what: String| CaseError {
            file: path.to_owned(),
            case: case.map(|case| case.name.clone()),
            what,
        };
        let place = path.split('/').collect::<Vec<_>>();
        let [policy, edition, _] = place.as_slice() else {
            let what = "a file of cases stands in the folder of an edition".to_owned();
            return Err(vec![error(None, what)]);
        };
        let book = Casebook::read(text).map_err(|what| vec![error(None, what)])?;
        let mut clauses = BTreeMap::new();
        let known = shelf.policies().iter().find(|known| &*known.id == *policy);
        for (day, edition) in known.iter().flat_map(|known| &known.editions) {
            let text = edition.text.iter().flat_map(|text| &text.clauses);
            clauses.insert(day.to_string(), text.map(|clause| clause.id.clone()).collect());
        }
        let suite = Suite {
            file: path.to_owned(),
            policy: (*policy).into(),
            book,
            edition: (*edition).into(),
            clauses,
        };
        let check = |case: &Case| {
            let checked = case.expect.check(suite.clauses(&case.expect));
            checked.and_then(|()| suite.as_of(case)).err().map(|what| error(Some(case), what))
        };
        let errors: Vec<CaseError> = suite.book.cases.iter().filter_map(check).collect();
        if errors.is_empty() { Ok(suite) } else { Err(errors) }
    }

    /// The ids of the clauses by which a case is answered: those of the edition that it expects,
    /// else of the edition beside which it stands.
    #[must_use]
    pub fn clauses(&self, expect: &Expect) -> &[Box<str>] {
        let edition = expect.policy_version.as_deref().unwrap_or(&self.edition);
        self.clauses.get(edition).map(Vec::as_slice).unwrap_or_default()
    }

    /// The day of judging of a case.
    fn as_of(&self, case: &Case) -> Result<Day, String> {
        let text = case.as_of.as_deref().unwrap_or(&self.book.as_of);
        text.parse().map_err(|error| format!("`as_of`: `{text}`: {error}"))
    }

    /// The error of a case of this file.
    #[must_use]
    pub fn error(&self, case: &Case, what: String) -> CaseError {
        CaseError { file: self.file.clone(), case: Some(case.name.clone()), what }
    }

    /// How a case is told when nothing else is asked for.
    ///
    /// # Errors
    /// The day of judging is no day.
    pub fn telling<'c>(&'c self, case: &'c Case, told: Told) -> Result<Telling<'c>, CaseError> {
        Ok(Telling {
            told,
            is_backwards: false,
            is_patient_twice: false,
            as_of: self.as_of(case).map_err(|what| self.error(case, what))?,
            policy: &self.policy,
            authorizations: &case.authorizations,
        })
    }

    /// What the policy answers to each telling of a case, and what of it is wrong.
    ///
    /// # Errors
    /// The case cannot be told.
    pub fn rehearse(&self, case: &Case, rules: &Rulebook) -> Result<Vec<Answer>, CaseError> {
        let tell = |told| self.answer(case, told, rules);
        case.tellings(&self.book).into_iter().map(tell).collect()
    }

    fn answer(&self, case: &Case, told: Told, rules: &Rulebook) -> Result<Answer, CaseError> {
        let failed = |what: String| self.error(case, what);
        let telling = self.telling(case, told)?;
        let story = self.book.story(case, told).map_err(failed)?;
        let verdict = telling.judge(&story, rules).map_err(failed)?;
        let mut faults = case.expect.faults(&verdict, self.clauses(&case.expect));
        let backwards = Telling { is_backwards: true, ..telling };
        let again = backwards.judge(&story, rules).map_err(failed)?;
        faults.extend(expect::difference("with the entries in reverse order", &verdict, &again));
        for (kind, other) in variant::all(&self.book, &story).map_err(failed)? {
            let again = telling.judge(&other, rules).map_err(failed)?;
            faults.extend(expect::difference(kind, &verdict, &again));
        }
        Ok(Answer { told, verdict, faults })
    }
}
