//! From a verdict to coverage information: one match, a comment for each row.

use super::coverage_information::{
    Coverage, CoverageInformation, Detail, DocNeeded, DocPurpose, Documents, InfoNeeded, OneOrMore,
    PaNeeded, Reason, ReasonCode,
};
use crate::policy::{Determination, Finding, Verdict};
use crate::terms::{Day, Truth};

/// What the plan and the payer's files add to a verdict.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// The day of the assertion.
    pub date: Day,
    /// The trace id of the assertion.
    pub assertion_id: &'a str,
    /// An authorization on file that covers this very order: its number and its last day.
    /// `None` in a call that only asks what would be (`unsolicited-determ` = false).
    pub authorization: Option<(&'a str, Option<Day>)>,
    /// Whether documents may be asked for: never at a secondary hook (crd.md trap 26).
    pub asks_documents: bool,
    /// Clauses that only the place of the service can settle; a later hook brings it.
    pub site_clauses: &'a [&'a str],
    /// The forms that ask for what is missing, each `canonical|version`.
    pub questionnaires: &'a [&'a str],
    /// Where the policy stands, absolute.
    pub policy_url: Option<&'a str>,
    /// What the plan says of orders that no policy speaks of.
    pub without_policy: WithoutPolicy<'a>,
}

/// What a plan says of orders that no policy of it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutPolicy<'a> {
    /// They need no authorization.
    NoAuth {
        /// The plan's words on it, if it has any.
        why: Option<&'a str>,
    },
    /// It depends.
    Depends {
        /// On what, in the plan's words.
        why: &'a str,
        /// What would settle it.
        info: InfoNeeded,
    },
}

/// What is said of one order.
///
/// No finding ever yields `not-covered` (rulings 26).
#[must_use]
pub fn coverage_information(
    verdict: &Verdict,
    circumstances: &Circumstances<'_>,
) -> CoverageInformation {
    let (coverage, reasons) = match (circumstances.authorization, verdict.determination) {
        // The authorization was given: it holds, whatever the records say today (found-11).
        (Some((number, until)), _) => (covered(satisfied(number, until), None), Vec::new()),
        // Everything is proven: nothing more is asked than the request itself (rulings 26).
        (None, Determination::Approve) => (covered(PaNeeded::AuthNeeded, None), proven(verdict)),
        // Something is missing: it is asked for, by form or at a later hook.
        (None, Determination::Pend) => asked(verdict, circumstances),
        // A person has to look: that is said, and nothing is asked that nobody lacks.
        (None, Determination::Review) => (covered(PaNeeded::AuthNeeded, None), looked_at(verdict)),
        // No policy: the plan file answers (rulings 29).
        (None, Determination::NotSubject) => without_policy(circumstances.without_policy),
    };
    let link = circumstances.policy_url.filter(|_| verdict.policy.is_some());
    CoverageInformation {
        coverage,
        reasons,
        details: link.map(|url| Detail::PolicyLink(url.to_owned())).into_iter().collect(),
        date: circumstances.date,
        assertion_id: circumstances.assertion_id.to_owned(),
    }
}

fn covered(pa: PaNeeded, documents: Option<Documents>) -> Coverage {
    Coverage::Covered { pa, documents }
}

fn satisfied(number: &str, until: Option<Day>) -> PaNeeded {
    PaNeeded::Satisfied { pa_id: number.to_owned(), until }
}

fn title(verdict: &Verdict) -> &str {
    verdict.policy.as_ref().map_or("the policy", |policy| &*policy.title)
}

fn proven(verdict: &Verdict) -> Vec<Reason> {
    let text = format!(
        "Every criterion of {} is proven by the records at hand. \
         Submit the prior authorization request with them.",
        title(verdict)
    );
    vec![Reason::words(text)]
}

fn looked_at(verdict: &Verdict) -> Vec<Reason> {
    let mut text = "A reviewer of the plan will look at the request.".to_owned();
    for reason in &verdict.reasons {
        text.push(' ');
        text.push_str(reason);
    }
    vec![Reason::words(text)]
}

/// Of a verdict that pends.
fn asked(verdict: &Verdict, circumstances: &Circumstances<'_>) -> (Coverage, Vec<Reason>) {
    let is_of_site = |finding: &&Finding| circumstances.site_clauses.contains(&&*finding.clause);
    let unknown = || verdict.findings.iter().filter(|finding| finding.truth == Truth::Unknown);
    let site: Vec<&Finding> = unknown().filter(is_of_site).collect();
    let other: Vec<&Finding> = unknown().filter(|finding| !is_of_site(finding)).collect();
    let asks = circumstances.asks_documents;
    let documents = (asks && !other.is_empty()).then(|| documents(&other, circumstances));
    let reasons = if asks { Vec::new() } else { open(&other) };
    let coverage = match site.as_slice() {
        [] if asks => {
            let documents = documents.or_else(|| Some(fallback(verdict, circumstances)));
            covered(PaNeeded::AuthNeeded, documents)
        }
        [] => covered(PaNeeded::AuthNeeded, None),
        // crd-ci-q3: a need for the place goes with something conditional, in both versions, and
        // the coverage does depend on it. A form may not ask for what a later hook brings.
        site => Coverage::Conditional {
            info: OneOrMore::one(InfoNeeded::Location),
            why: Reason::words(needs(site)),
            pa: Some(PaNeeded::AuthNeeded),
            documents,
        },
    };
    (coverage, reasons)
}

/// What a secondary hook says of findings that are open: which they are, and no request.
fn open(findings: &[&Finding]) -> Vec<Reason> {
    let titles: Vec<String> =
        findings.iter().map(|it| format!("{} ({})", it.title, it.clause)).collect();
    let text = format!("The records do not show yet: {}.", titles.join("; "));
    (!titles.is_empty()).then(|| Reason::words(text)).into_iter().collect()
}

fn documents(findings: &[&Finding], circumstances: &Circumstances<'_>) -> Documents {
    with_reason(Reason::words(needs(findings)), circumstances)
}

/// A verdict that pends without an unknown finding still asks, with its own reasons.
fn fallback(verdict: &Verdict, circumstances: &Circumstances<'_>) -> Documents {
    let text = if verdict.reasons.is_empty() {
        "More evidence is needed.".to_owned()
    } else {
        verdict.reasons.join(" ")
    };
    with_reason(Reason::words(text), circumstances)
}

fn with_reason(why: Reason, circumstances: &Circumstances<'_>) -> Documents {
    Documents {
        needed: DocNeeded::Clinical,
        purpose: Some(DocPurpose::WithPa),
        questionnaires: circumstances.questionnaires.iter().map(|&form| form.to_owned()).collect(),
        why,
    }
}

/// What is asked, clause by clause; a clause that asks nothing is named.
fn needs(findings: &[&Finding]) -> String {
    let mut texts = Vec::new();
    for finding in findings {
        if finding.needs.is_empty() {
            texts.push(format!("{} ({}) is not shown.", finding.title, finding.clause));
        }
        texts.extend(finding.needs.iter().cloned());
    }
    texts.join(" ")
}

fn without_policy(plan: WithoutPolicy<'_>) -> (Coverage, Vec<Reason>) {
    match plan {
        WithoutPolicy::NoAuth { why } => {
            (covered(PaNeeded::NoAuth, None), why.map(Reason::words).into_iter().collect())
        }
        WithoutPolicy::Depends { why, info } => {
            // crd.md 3.9: 2.0.1 says it by the reason's code, 2.2 by the need's.
            let code = (info == InfoNeeded::DetailCode).then_some(ReasonCode::DetailCode);
            let coverage = Coverage::Conditional {
                info: OneOrMore::one(info),
                why: Reason { code, text: why.to_owned() },
                pa: None,
                documents: None,
            };
            (coverage, Vec::new())
        }
    }
}
