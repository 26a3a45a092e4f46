//! `priorauth policy test`: tell a policy the cases that stand beside it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};

use crate::policy::Rulebook;
use crate::profiles::PolicyFolder;
use crate::rehearsal::expect::finding;
use crate::rehearsal::mutate::{Fate, Stage};
use crate::rehearsal::mutation::{self, Mutation};
use crate::rehearsal::{Answer, Case, CaseError, Suite};
use crate::render::explain;

/// The policies of a folder and the cases beside them.
#[derive(Debug)]
pub struct Rehearsal {
    folder: PolicyFolder,
    rules: Rulebook,
    suites: Vec<Suite>,
}

/// What became of every change of a policy.
#[derive(Debug)]
pub struct Mutations {
    /// How many changes were tried.
    pub tried: usize,
    /// Of how many the policy could not be read any more.
    pub refused: usize,
    /// Those that no case noticed.
    pub survivors: Vec<Mutation>,
}

impl Rehearsal {
    /// Reads the policies in `folder` with their cases; the plan is the folder's own, else that
    /// of `profiles`, else the embedded one.
    ///
    /// # Errors
    /// A file, a policy or a case that cannot be used; or there is no case.
    pub fn of(folder: &Path, profiles: Option<&Path>) -> anyhow::Result<Rehearsal> {
        let place = folder.display();
        let folder = PolicyFolder::read(folder)?;
        let rules = folder.rulebook(profiles)?;
        let files =
            folder.files.iter().filter(|(path, _)| path.starts_with(folder.within.as_str()));
        let files = files.map(|(path, text)| (path.clone(), text.clone())).collect();
        let suites = Suite::all(&files, &rules.shelf).map_err(|it| in_lines(&it))?;
        if suites.is_empty() {
            bail!("there is no `cases.toml` below `{place}`");
        }
        Ok(Rehearsal { folder, rules, suites })
    }

    /// Runs the cases whose name contains `filter`: a report, and whether all are answered as
    /// they expect.
    ///
    /// # Errors
    /// A case that cannot be told, or no case of such a name.
    pub fn report(&self, filter: &str) -> anyhow::Result<(String, bool)> {
        let mut lines = Vec::new();
        let (mut run, mut failed) = (0_usize, 0_usize);
        for suite in &self.suites {
            lines.push(format!("{}: {} cases", suite.file, suite.book.cases.len()));
            for case in suite.book.cases.iter().filter(|case| case.name.contains(filter)) {
                run += 1;
                let mut answers = suite.rehearse(case, &self.rules)?;
                answers.retain(|answer| !answer.faults.is_empty());
                if !answers.is_empty() {
                    failed += 1;
                    lines.extend(in_words(case, &answers));
                }
            }
        }
        if run == 0 {
            bail!("no case's name contains `{filter}`");
        }
        let good = run.saturating_sub(failed);
        lines.push(format!("{good} of {run} cases are answered as they expect"));
        Ok((lines.join("\n"), failed == 0))
    }

    /// Changes one thing of the policies at a time and asks the cases.
    ///
    /// # Errors
    /// A case that cannot be told.
    pub fn mutations(&self) -> anyhow::Result<Mutations> {
        self.mutations_of(|_| true)
    }

    /// The same, of those changes for which `is_tried`.
    ///
    /// # Errors
    /// A case that cannot be told.
    pub fn mutations_of(&self, is_tried: impl Fn(&Mutation) -> bool) -> anyhow::Result<Mutations> {
        let mut stage = Stage::set(&self.suites, &self.rules.plan).context("telling the cases")?;
        let files = &self.folder.files;
        let mut found = Mutations { tried: 0, refused: 0, survivors: Vec::new() };
        for mutation in mutation::all(files, &self.folder.within) {
            if !is_tried(&mutation) {
                continue;
            }
            found.tried += 1;
            match stage.fate(&mutation, files, &self.rules.shelf) {
                Fate::Noticed => {}
                Fate::Refused => found.refused += 1,
                Fate::Survived => found.survivors.push(mutation),
            }
        }
        Ok(found)
    }
}

impl Mutations {
    /// How many were noticed, and each that was not.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Mutations { tried, refused, survivors } = self;
        let noticed = tried.saturating_sub(refused + survivors.len());
        let mut lines = vec![format!(
            "{tried} changes of the policy: {noticed} noticed by a case, {refused} refused when \
             the policy is read, {} noticed by none",
            survivors.len()
        )];
        lines.extend(survivors.iter().map(|it| format!("  {}:{}: {}", it.file, it.line, it.what)));
        lines.join("\n")
    }
}

/// A case that failed: what it claims, and for each way of telling it how the answer differs.
fn in_words(case: &Case, answers: &[Answer]) -> Vec<String> {
    let mut lines = vec![format!("\n{}", case.name), format!("  why: {}", case.why)];
    for answer in answers {
        lines.push(format!("  told {}:", answer.told.words()));
        lines.extend(answer.faults.iter().map(|fault| format!("    {fault}")));
        let clauses: BTreeSet<&str> =
            answer.faults.iter().filter_map(|fault| fault.clause.as_deref()).collect();
        for clause in clauses {
            let Some(finding) = finding(&answer.verdict, clause) else { continue };
            lines.push(format!("    clause {clause} asks: {}", finding.words));
            let evidence = explain::evidence(finding);
            lines.extend(evidence.into_iter().map(|line| format!("      {line}")));
        }
    }
    lines.push(String::new());
    lines
}

fn in_lines(errors: &[CaseError]) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(lines.join("\n"))
}
