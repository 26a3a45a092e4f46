//! From a verdict to coverage information: one match, a comment for each row.

use super::coverage_information::{
    Contact, Coverage, CoverageInformation, Detail, DocNeeded, DocPurpose, Documents, InfoNeeded,
    OneOrMore, PaNeeded, Reason, ReasonCode,
};
use super::unread;
use crate::facts::CoverageLack;
use crate::policy::{Determination, Finding, Verdict};
use crate::terms::{Coding, Day, Truth};

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
    /// Whether another organization than the one that orders performs the service, so that it has
    /// to ask for the authorization (crd.md 3.4, `performpa`).
    pub performer_asks: bool,
    /// What the order does not say exactly enough to be judged at all.
    pub lacks: Option<InfoNeeded>,
    /// Clauses that only the place of the service can settle; a later hook brings it.
    pub site_clauses: &'a [&'a str],
    /// What settles them.
    pub site_needs: OneOrMore<InfoNeeded>,
    /// The forms that ask for what is missing, each `canonical|version`.
    pub questionnaires: &'a [String],
    /// Where the policy stands, absolute.
    pub policy_url: Option<&'a str>,
    /// The order's billing codes that the policy or the plan goes by.
    pub billing: &'a [Coding],
    /// The order of the same call that this one belongs to.
    pub depends_on: Option<&'a str>,
    /// Whom to ask where a person has to look.
    pub contact: &'a Contact,
    /// The last day of the coverage, if it has one.
    pub coverage_until: Option<Day>,
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

/// What is said of one order under a coverage that is in force.
///
/// No finding ever yields `not-covered` (rulings 26).
#[must_use]
pub fn coverage_information(
    verdict: &Verdict,
    circumstances: &Circumstances<'_>,
) -> CoverageInformation {
    let is_free = matches!(circumstances.without_policy, WithoutPolicy::NoAuth { .. });
    let (coverage, reasons) = match (circumstances.authorization, verdict.determination) {
        // The authorization was given: it holds, whatever the records say today (found-11).
        (Some((number, _)), _) => (covered(satisfied(number), None), Vec::new()),
        // Everything is proven: nothing more is asked than the request itself (rulings 26).
        (None, Determination::Approve) => {
            (covered(asks(circumstances), None), proven(verdict, circumstances))
        }
        // Something is missing: it is asked for, by form or at a later hook.
        (None, Determination::Pend) => asked(verdict, circumstances),
        // A person has to look, or the order says too little to be judged.
        (None, Determination::Review) => {
            let reasons = looked_at(verdict);
            match circumstances.lacks {
                Some(info) => (lacking(info, Some(PaNeeded::AuthNeeded)), reasons),
                None => (covered(asks(circumstances), None), reasons),
            }
        }
        // No policy: the plan file answers (rulings 29), unless the order says too little for it.
        (None, Determination::NotSubject) => match circumstances.lacks {
            Some(info) if !is_free => (lacking(info, None), Vec::new()),
            Some(_) | None => without_policy(circumstances.without_policy),
        },
    };
    let mut reasons = reasons;
    if circumstances.authorization.is_none() {
        unread::add_reason(verdict, &coverage, &mut reasons);
    }
    let is_for_a_person =
        verdict.determination == Determination::Review && circumstances.authorization.is_none();
    let is_apart = verdict.determination == Determination::NotSubject && !is_free;
    CoverageInformation {
        coverage,
        reasons,
        billing: circumstances.billing.to_vec(),
        depends_on: circumstances.depends_on.filter(|_| is_apart).map(str::to_owned),
        contact: is_for_a_person.then(|| circumstances.contact.clone()),
        until: until(circumstances),
        ..said(verdict, circumstances)
    }
}

/// What is said where the coverage itself cannot be used (crd.md 3.9); `None`: nothing.
///
/// Only a coverage that is certainly not in force, or not the member's, is `not-covered`
/// (rulings 26); one of which it cannot be told is indeterminate.
#[must_use]
pub fn without_coverage(
    lack: CoverageLack,
    why: &str,
    verdict: &Verdict,
    circumstances: &Circumstances<'_>,
) -> Option<CoverageInformation> {
    let reason = |code| Reason { code: Some(code), text: sentence(why) };
    let coverage = match lack {
        // Not ours to speak of.
        CoverageLack::NotOurs => return None,
        // The roster does not know the member.
        CoverageLack::NoMember => Coverage::NotCovered { why: reason(ReasonCode::NoMemberFound) },
        // It has ended, or has not begun.
        CoverageLack::NotInForce => {
            Coverage::NotCovered { why: reason(ReasonCode::NoActiveCoverage) }
        }
        // It may be in force, and nobody knows.
        CoverageLack::Unclear => {
            Coverage::Indeterminate { why: reason(ReasonCode::CoverageNotFound) }
        }
        // It would have to be read.
        CoverageLack::Unread => Coverage::Indeterminate { why: reason(ReasonCode::Technical) },
        // The exact day would tell.
        CoverageLack::DayUnclear => Coverage::Conditional {
            info: OneOrMore::one(InfoNeeded::Timeframe),
            why: Reason::words(sentence(why)),
            pa: None,
            documents: None,
        },
        // It is in force; the verdict says that a person looks, and an authorization may be used up.
        CoverageLack::Person => {
            let circumstances = Circumstances { authorization: None, ..circumstances.clone() };
            return Some(coverage_information(verdict, &circumstances));
        }
    };
    let is_unknown = matches!(coverage, Coverage::Indeterminate { .. });
    let contact = is_unknown.then(|| circumstances.contact.clone());
    Some(CoverageInformation {
        coverage,
        contact,
        details: Vec::new(),
        ..said(verdict, circumstances)
    })
}

/// What is said of an order whose product could not be read (crd.md 3.9); `why` it could not.
#[must_use]
pub fn unread_product(
    why: &str,
    verdict: &Verdict,
    circumstances: &Circumstances<'_>,
) -> CoverageInformation {
    let text = format!("What is ordered could not be read from the ordering system: {why}.");
    CoverageInformation {
        coverage: Coverage::Indeterminate {
            why: Reason { code: Some(ReasonCode::Technical), text },
        },
        contact: Some(circumstances.contact.clone()),
        ..said(verdict, circumstances)
    }
}

/// What every statement has.
fn said(verdict: &Verdict, circumstances: &Circumstances<'_>) -> CoverageInformation {
    let link = circumstances.policy_url.filter(|_| verdict.policy.is_some());
    CoverageInformation {
        coverage: covered(PaNeeded::AuthNeeded, None),
        reasons: Vec::new(),
        billing: Vec::new(),
        details: link.map(|url| Detail::PolicyLink(url.to_owned())).into_iter().collect(),
        depends_on: None,
        contact: None,
        until: None,
        date: circumstances.date,
        assertion_id: circumstances.assertion_id.to_owned(),
    }
}

fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// The earlier of the authorization's last day and the coverage's.
fn until(circumstances: &Circumstances<'_>) -> Option<Day> {
    let authorized = circumstances.authorization.and_then(|(_, until)| until);
    [authorized, circumstances.coverage_until].into_iter().flatten().min()
}

fn covered(pa: PaNeeded, documents: Option<Documents>) -> Coverage {
    Coverage::Covered { pa, documents }
}

fn satisfied(number: &str) -> PaNeeded {
    PaNeeded::Satisfied { pa_id: number.to_owned() }
}

/// Who has to ask for the authorization.
fn asks(circumstances: &Circumstances<'_>) -> PaNeeded {
    if circumstances.performer_asks { PaNeeded::PerformerAsks } else { PaNeeded::AuthNeeded }
}

fn title(verdict: &Verdict) -> &str {
    verdict.policy.as_ref().map_or("the policy", |policy| &*policy.title)
}

fn proven(verdict: &Verdict, circumstances: &Circumstances<'_>) -> Vec<Reason> {
    let who = if circumstances.performer_asks {
        "Where the service is given, submit the prior authorization request with them."
    } else {
        "Submit the prior authorization request with them."
    };
    let title = title(verdict);
    let text = format!("Every criterion of {title} is proven by the records at hand. {who}");
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

/// An order that says too little.
fn lacking(info: InfoNeeded, pa: Option<PaNeeded>) -> Coverage {
    // crd.md 3.9: 2.0.1 says it by the reason's code, 2.2 by the need's.
    let code = (info == InfoNeeded::DetailCode).then_some(ReasonCode::DetailCode);
    let text = match info {
        InfoNeeded::DetailCode => {
            "The order does not name the product or service by a code of its own, which decides."
        }
        InfoNeeded::Timeframe => "The day of service decides, and is not said exactly enough.",
        InfoNeeded::Performer | InfoNeeded::Location | InfoNeeded::Other => {
            "The order does not say enough to be judged."
        }
    };
    let why = Reason { code, text: text.to_owned() };
    Coverage::Conditional { info: OneOrMore::one(info), why, pa, documents: None }
}

/// Of a verdict that pends.
fn asked(verdict: &Verdict, circumstances: &Circumstances<'_>) -> (Coverage, Vec<Reason>) {
    let is_of_site = |finding: &&Finding| circumstances.site_clauses.contains(&&*finding.clause);
    let unknown = || verdict.findings.iter().filter(|finding| finding.truth == Truth::Unknown);
    let site: Vec<&Finding> = unknown().filter(is_of_site).collect();
    let other = unknown().filter(|finding| !is_of_site(finding));
    let (other, unread): (Vec<&Finding>, Vec<&Finding>) =
        other.partition(|finding| finding.unread.is_empty());
    let may_ask = circumstances.asks_documents;
    let documents = match (other.as_slice(), unread.as_slice()) {
        (_, _) if !may_ask => None,
        ([], []) => None,
        // Nobody knows whether anything is missing.
        ([], _) => unread::documents(verdict),
        (other, _) => Some(documents(other, circumstances)),
    };
    let reasons = if may_ask { Vec::new() } else { open(&other) };
    let coverage = match site.as_slice() {
        [] if may_ask => {
            let documents = documents.or_else(|| Some(fallback(verdict, circumstances)));
            covered(asks(circumstances), documents)
        }
        [] => covered(asks(circumstances), None),
        // crd-ci-q3: a need for the place goes with something conditional, in both versions, and
        // the coverage does depend on it. A form may not ask for what a later hook brings.
        site => Coverage::Conditional {
            info: circumstances.site_needs.clone(),
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
        questionnaires: circumstances.questionnaires.to_vec(),
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
