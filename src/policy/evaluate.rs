//! One order before one edition: a finding for each clause.

use super::attested::Answers;
use super::criterion::{Clause, Condition, Edition, Text};
use super::determine::determine;
use super::disease::{Disease, Picture};
use super::finding::{Cited, Finding, PolicyId, Verdict};
use super::scene::{Outcome, Scene, aside, cite};
use super::shelf::{self, Choice, Shelf};
use crate::facts::{Case, CoverageStanding};
use crate::terms::{Concept, Day};

/// Chooses the policy for an order and evaluates it.
///
/// The same facts give the same verdict for CRD, DTR and PAS.
#[must_use]
pub fn evaluate(shelf: &Shelf, case: Case<'_>, as_of: Day) -> Verdict {
    match shelf.choose(case) {
        Choice::NoPolicy => Verdict::not_subject(),
        Choice::NotInForce { policy, why } => Verdict::review(policy, vec![why]),
        Choice::Edition { effective, edition, doubt } => {
            let id = PolicyId {
                id: edition.policy.clone(),
                title: edition.title.clone(),
                edition: Some(effective),
            };
            let Some(text) = &edition.text else {
                let why = "the criteria of the edition in force on that day are not on file";
                return Verdict::review(Some(id), vec![why.to_owned()]);
            };
            let mut reasons: Vec<String> = doubt.into_iter().collect();
            reasons.extend(coverage_doubt(edition, case.coverage));
            let findings = findings(edition, text, case, as_of);
            let (determination, more) = determine(&findings, !reasons.is_empty());
            reasons.extend(more);
            let to_read = to_read(case);
            Verdict { policy: Some(id), determination, findings, reasons, to_read }
        }
    }
}

/// What a person can read and no rule reads: documents, the words of reports.
fn to_read(case: Case<'_>) -> Vec<Cited> {
    let documents = case.evidence.documents.iter();
    documents.map(|document| cite(&document.source, document.title.clone())).collect()
}

/// Why the coverage keeps a person in the loop (rulings 10).
fn coverage_doubt(edition: &Edition, coverage: &CoverageStanding) -> Option<String> {
    match coverage {
        CoverageStanding::Unusable(unusable) => Some(unusable.why.clone()),
        CoverageStanding::InForce(membership) if edition.lines.contains(&membership.line) => None,
        CoverageStanding::InForce(_) => {
            Some("the policy does not hold for the member's product line".to_owned())
        }
    }
}

fn findings(edition: &Edition, text: &Text, case: Case<'_>, as_of: Day) -> Vec<Finding> {
    let is_product = |concept: &Concept| shelf::is_product(&edition.product, concept);
    // Without a disease no condition reads one: the reader holds that.
    let no_disease = Disease::default();
    let disease = text.disease.as_ref().unwrap_or(&no_disease);
    let picture = Picture::of(case, disease, as_of);
    let mut findings = Vec::with_capacity(text.clauses.len());
    for clause in &text.clauses {
        let answers = Answers::to(clause, text.questionnaire.as_deref(), case, as_of);
        let scene = Scene {
            case,
            as_of,
            disease,
            picture: &picture,
            registry: &text.registry,
            product: &is_product,
            product_names: &edition.product.names,
            answers: &answers,
            asks: &clause.asks,
            policy: &edition.policy,
        };
        let outcome = clause.condition.judge(&scene);
        findings.push(finding(clause, answers.complete(outcome)));
    }
    findings
}

impl Condition {
    /// What it comes to before `scene`.
    pub(super) fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let outcome = self.judge_what_is_there(scene);
        self.withhold(&scene.case.evidence.unread, outcome)
    }

    fn judge_what_is_there(&self, scene: &Scene<'_>) -> Outcome {
        match self {
            Condition::DiagnosisWithExtent(condition) => condition.judge(scene),
            Condition::AgeAtService(condition) => condition.judge(scene),
            Condition::PrescriberSpecialty(condition) => condition.judge(scene),
            Condition::FailedTherapy(condition) => condition.judge(scene),
            Condition::BiomarkerOrTherapy(condition) => condition.judge(scene),
            Condition::SiteInRegistry(condition) => condition.judge(scene),
            Condition::Indication(condition) => condition.judge(scene),
            Condition::OneDose(condition) => condition.judge(scene),
            Condition::ExcludedState(condition) => condition.judge(scene),
            Condition::Measurement(condition) => condition.judge(scene),
            Condition::AttestedByQuestionnaire(condition) => condition.judge(scene),
            Condition::DocumentedDiagnosis(condition) => condition.judge(scene),
            Condition::All(condition) => condition.judge(scene),
            Condition::Any(condition) => condition.judge(scene),
            Condition::Not(condition) => condition.judge(scene),
        }
    }
}

/// How many facts a finding names, each of those that count and of those that do not: what more
/// there is, is counted. A request may hold any number, and each of its items has its findings.
const MOST_NAMED: usize = 100;

fn finding(clause: &Clause, outcome: Outcome) -> Finding {
    let counted = named(outcome.counted, |last, more| cite(&last.source, more));
    let set_aside = named(outcome.set_aside, |last, more| aside(&last.source, more));
    Finding {
        clause: clause.id.clone(),
        title: clause.title.clone(),
        words: clause.words.clone(),
        truth: outcome.truth,
        counted,
        set_aside,
        needs: outcome.needs,
        lack: outcome.lack,
        unread: outcome.unread,
    }
}

fn named<T>(mut facts: Vec<T>, rest: impl Fn(&T, String) -> T) -> Vec<T> {
    let more = facts.len().saturating_sub(MOST_NAMED);
    let rest = facts.get(MOST_NAMED).map(|next| rest(next, format!("the first of {more} more")));
    facts.truncate(MOST_NAMED);
    facts.extend(rest);
    facts
}

impl Verdict {
    fn not_subject() -> Verdict {
        Verdict {
            policy: None,
            determination: super::Determination::NotSubject,
            findings: Vec::new(),
            reasons: vec!["no policy of the plan speaks of this product".to_owned()],
            to_read: Vec::new(),
        }
    }

    fn review(policy: Option<PolicyId>, reasons: Vec<String>) -> Verdict {
        Verdict {
            policy,
            determination: super::Determination::Review,
            findings: Vec::new(),
            reasons,
            to_read: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_finding_does_not_name_is_counted() {
        let all: Vec<String> = (0..105).map(|it| it.to_string()).collect();
        let rest = |next: &String, words: String| format!("{next}, {words}");
        let shown = named(all.clone(), rest);
        assert_eq!(shown.len(), MOST_NAMED + 1);
        assert_eq!(shown[MOST_NAMED], "100, the first of 5 more");
        assert_eq!(named(all[..100].to_vec(), rest), all[..100]);
    }
}
