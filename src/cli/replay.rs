//! `priorauth replay`: decide again on what was decided on, and show any difference.
//!
//! Prints our own ids and the words of clauses: nothing about a patient.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use serde_json::Value;

use super::difference::{Difference, Judged};
use super::evaluate::Format;
use super::requests::Request;
use crate::facts::CoverageStanding;
use crate::intake::dossier::Dossier;
use crate::intake::gathered::Gathered;
use crate::policy::Rulebook;
use crate::service::payer_facts::take_held_then;
use crate::service::world::day_of;
use crate::store::{AssertionRecord, CaseId, Judgement, SqliteStore, Store};

/// What is decided again, and by which rules.
pub struct Replay<'r> {
    /// The rules.
    pub rules: &'r Rulebook,
    /// The data folder of the server.
    pub data: &'r Path,
    /// The id of an assertion or of a case.
    pub id: &'r str,
}

/// What came out. The names are a contract.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The id of the assertion or of the case.
    pub id: String,
    /// How many judgements were made again.
    pub items: usize,
    /// Those that came out differently.
    pub differences: Vec<Difference>,
    /// What a reader has to know of the comparison.
    pub notes: Vec<String>,
}

impl Replay<'_> {
    /// Decides again.
    ///
    /// # Errors
    /// There is no assertion or case of that id, or what it rests on cannot be read.
    pub async fn run(&self) -> anyhow::Result<Report> {
        anyhow::ensure!(
            SqliteStore::is_in(self.data),
            "there is no store in `{}`",
            self.data.display()
        );
        let store = SqliteStore::open_to_read(self.data).await.context("opening the store")?;
        let mut report =
            Report { id: self.id.to_owned(), items: 0, differences: Vec::new(), notes: Vec::new() };
        if let Some(judgement) = store.judgement_of_assertion(self.id).await? {
            let assertion = store.assertion(self.id).await?;
            let about = assertion.map(|it| it.assertion);
            self.judge(&mut report, "assertion", &judgement, None, about.as_ref())?;
            return Ok(report);
        }
        let case = CaseId::parse(self.id).ok();
        let judgements = match &case {
            Some(case) => store.judgements_of_case(case).await?,
            None => Vec::new(),
        };
        if judgements.is_empty() {
            bail!("there is no assertion and no case `{}`", self.id);
        }
        for (number, judgement) in (1_u32..).zip(&judgements) {
            let name = format!("case, submission {number}");
            self.judge(&mut report, &name, judgement, case.as_ref(), None)?;
        }
        Ok(report)
    }

    /// Judges one request again and compares each item that was judged then; of a hook call what
    /// one assertion is about.
    fn judge(
        &self,
        report: &mut Report,
        name: &str,
        then: &Judgement,
        own_case: Option<&CaseId>,
        about: Option<&AssertionRecord>,
    ) -> anyhow::Result<()> {
        let as_of = then.inputs.as_ref().map_or(day_of(then.given_at), |it| it.judged_on);
        let gathered: Option<Gathered> =
            then.gathered.as_deref().map(serde_json::from_str).transpose()?;
        let gathered = gathered.unwrap_or_default();
        let mut request =
            Request::read_with(then.request.as_bytes(), &gathered, &self.rules.plan, as_of)
                .map_err(|_| anyhow!("the stored request cannot be read any more"))?;
        match &then.inputs {
            None => report.note("what the payer held then is not on file: an older release judged"),
            Some(inputs) => {
                if inputs.rules != self.rules.digest {
                    report.note("plan or policies are not those that judged then");
                }
                let held = inputs.held.as_ref();
                let (dossier, plan) = (&mut request.dossier, &self.rules.plan);
                if !take_held_then(held, dossier, plan, own_case) {
                    bail!("what the payer held then cannot be read");
                }
            }
        }
        if let Some(coverage) = about.and_then(|it| it.coverage_reference.as_deref()) {
            choose_coverage(&mut request.dossier, coverage);
        }
        let verdicts = request.verdicts(self.rules, as_of);
        for findings in &then.findings {
            let old = judged(findings)?;
            let mut items = request.dossier.items.iter();
            let place = match about {
                // Older releases gave the orders of a call no numbers.
                Some(about) if old.sequence == 0 => {
                    items.position(|item| *item.order.source.resource == *about.order_reference)
                }
                _ => items.position(|item| item.order.sequence == old.sequence),
            };
            let Some((_, verdict)) = place.and_then(|place| verdicts.get(place)) else {
                bail!("the stored request does not hold what was judged");
            };
            report.items += 1;
            let new = Judged::of(old.sequence, verdict);
            report.differences.extend(Difference::between(name, &old, &new));
        }
        Ok(())
    }
}

/// Judges each item under the coverage of that name, where it is one of several usable ones.
fn choose_coverage(dossier: &mut Dossier, name: &str) {
    for item in &mut dossier.items {
        let further = item.further.iter().find(|it| &*it.source.resource == name);
        if let Some(membership) = further {
            item.coverage = CoverageStanding::InForce(membership.clone());
        }
    }
}

/// What is stored: an item, or a line that holds one.
fn judged(findings: &str) -> anyhow::Result<Judged> {
    let mut value: Value = serde_json::from_str(findings).context("reading what was found")?;
    if let Some(item) = value.get_mut("item") {
        value = item.take();
    }
    serde_json::from_value(value).context("reading what was found")
}

impl Report {
    fn note(&mut self, text: &str) {
        if !self.notes.iter().any(|known| known == text) {
            self.notes.push(text.to_owned());
        }
    }

    /// Whether everything came out as it did then.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// The report as it is printed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn print(&self, format: Format) -> anyhow::Result<String> {
        if format == Format::Json {
            return Ok(serde_json::to_string(self)?);
        }
        let mut lines: Vec<String> =
            self.notes.iter().map(|note| format!("note: {note}")).collect();
        lines.extend(self.differences.iter().map(Difference::in_words));
        let (all, differ) = (self.items, self.differences.len());
        lines.push(format!("{all} judged again: {differ} differ"));
        Ok(lines.join("\n"))
    }
}
