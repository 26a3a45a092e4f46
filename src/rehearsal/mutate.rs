//! Which changes of a policy no case notices.

use super::expect::Expect;
use super::mutation::{Change, Mutation};
use super::{CaseError, Suite};
use crate::intake::dossier::Dossier;
use crate::policy::determine::determine;
use crate::policy::{Files, Plan, Shelf, Verdict, evaluate, read};
use crate::terms::Day;

/// All tellings of all cases, with their facts: they are the same whatever the policy says.
#[derive(Debug)]
pub struct Stage<'s> {
    tellings: Vec<Prepared<'s>>,
    /// The tellings by how many changes they noticed.
    order: Vec<usize>,
}

#[derive(Debug)]
struct Prepared<'s> {
    expect: &'s Expect,
    clauses: &'s [Box<str>],
    dossier: Dossier,
    as_of: Day,
    noticed: usize,
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A case is answered otherwise than it expects.
    Noticed,
    /// The policy cannot be read any more.
    Refused,
    /// No case is answered otherwise than it expects.
    Survived,
}

impl<'s> Stage<'s> {
    /// Tells every case once; a change of the policy is then judged by the facts alone.
    ///
    /// # Errors
    /// A case that cannot be told.
    pub fn set(suites: &'s [Suite], plan: &Plan) -> Result<Stage<'s>, CaseError> {
        let mut tellings = Vec::new();
        for suite in suites {
            for case in &suite.book.cases {
                for told in case.tellings(&suite.book) {
                    let failed = |what: String| suite.error(case, what);
                    let telling = suite.telling(case, told)?;
                    let story = suite.book.story(case, told).map_err(failed)?;
                    tellings.push(Prepared {
                        expect: &case.expect,
                        clauses: suite.clauses(&case.expect),
                        dossier: telling.dossier(&story, plan).map_err(failed)?,
                        as_of: telling.as_of,
                        noticed: 0,
                    });
                }
            }
        }
        let order = (0..tellings.len()).collect();
        Ok(Stage { tellings, order })
    }

    /// What becomes of a change of the policies in `files`; `policies` is the shelf of them.
    ///
    /// It ends at the first case that notices; those that noticed most are asked first.
    pub fn fate(&mut self, mutation: &Mutation, files: &Files, policies: &Shelf) -> Fate {
        let changed = match &mutation.change {
            Change::Invert(_) => None,
            Change::Drop(_) | Change::Text(..) => match read::read(&mutation.applied(files)) {
                Ok(read) => Some(read),
                Err(_) => return Fate::Refused,
            },
        };
        let policies = changed.as_ref().unwrap_or(policies);
        let is_struck = |at: &usize| {
            self.tellings.get(*at).is_some_and(|telling| telling.is_struck_by(mutation, policies))
        };
        let Some(place) = self.order.iter().position(is_struck) else { return Fate::Survived };
        if let Some(telling) = self.order.get(place).and_then(|at| self.tellings.get_mut(*at)) {
            telling.noticed += 1;
        }
        let tellings = &self.tellings;
        let noticed = |at: &usize| tellings.get(*at).map_or(0, |telling| telling.noticed);
        self.order.sort_by_key(|at| std::cmp::Reverse(noticed(at)));
        Fate::Noticed
    }
}

impl Prepared<'_> {
    fn is_struck_by(&self, mutation: &Mutation, policies: &Shelf) -> bool {
        let Some(case) = self.dossier.cases().next() else { return false };
        let verdict = evaluate(policies, case, self.as_of);
        match &mutation.change {
            // That a clause is gone is no news: its absence has to decide a case.
            Change::Drop(_) => self.is_otherwise(&verdict),
            Change::Invert(clause) => {
                is_judged_by(&verdict, &mutation.file, policies)
                    && self.is_otherwise(&inverted(verdict, clause))
            }
            Change::Text(..) => !self.expect.faults(&verdict, self.clauses).is_empty(),
        }
    }

    fn is_otherwise(&self, verdict: &Verdict) -> bool {
        self.expect.determination_fault(verdict.determination, &verdict.reasons).is_some()
    }
}

/// Whether the text in `file`, `<policy>/<first day>/policy.toml`, is what judged.
fn is_judged_by(verdict: &Verdict, file: &str, shelf: &Shelf) -> bool {
    let Some(judge) = &verdict.policy else { return false };
    let policies = shelf.policies().iter().filter(|policy| policy.id == judge.id);
    let mut editions = policies.flat_map(|policy| &policy.editions);
    let edition = editions.find(|(day, _)| Some(*day) == judge.edition);
    edition.is_some_and(|(_, text)| {
        file.strip_suffix("/policy.toml") == Some(&format!("{}/{}", judge.id, text.effective))
    })
}

/// The verdict with one clause met where it is not met, and the other way round.
fn inverted(mut verdict: Verdict, clause: &str) -> Verdict {
    // What holds whatever the clauses say: the coverage or the product is in doubt.
    let (_, reasons) = determine(&verdict.findings, true);
    let is_in_doubt = verdict.reasons.len() > reasons.len();
    for finding in verdict.findings.iter_mut().filter(|finding| &*finding.clause == clause) {
        finding.truth = !finding.truth;
    }
    if !verdict.findings.is_empty() {
        (verdict.determination, verdict.reasons) = determine(&verdict.findings, is_in_doubt);
    }
    verdict
}
