//! Cards from findings: what is proven and by what, what is not, and what to send.
//!
//! Every sentence is a finding's own; nothing is explained a second time here.

use std::fmt::Write as _;

use super::coverage_information::{Coverage, CoverageInformation, PaNeeded};
use super::{Card, CardBody, OrderAnswer};
use crate::ig::crd::Topic;
use crate::policy::{Cited, Determination, Finding, Verdict};
use crate::render::words::markdown;
use crate::terms::Truth;

/// How many facts are named for one criterion.
const MOST_FACTS: usize = 4;

/// The instructions card of one order: what was found, criterion by criterion.
///
/// `None` where no policy speaks of the order.
#[must_use]
pub fn instructions_card(uuid: &str, order: &str, verdict: &Verdict) -> Option<Card> {
    let policy = verdict.policy.as_ref()?;
    Some(Card {
        uuid: uuid.to_owned(),
        summary: summary(&policy.title, verdict),
        topic: Topic::Guideline,
        orders: vec![order.to_owned()],
        body: CardBody::Instructions { detail: detail(order, verdict) },
    })
}

/// The card that leads to the policy's page.
///
/// `url` is absolute.
#[must_use]
pub fn policy_card(uuid: &str, order: &str, verdict: &Verdict, url: &str) -> Option<Card> {
    let policy = verdict.policy.as_ref()?;
    Some(Card {
        uuid: uuid.to_owned(),
        summary: format!("Coverage policy: {}", policy.title),
        topic: Topic::Guideline,
        orders: vec![order.to_owned()],
        body: CardBody::ExternalReference {
            detail: policy
                .edition
                .map(|edition| format!("The edition of {edition} applies to {}.", markdown(order))),
            label: format!("{}, in full", policy.title),
            url: url.to_owned(),
        },
    })
}

/// The card that tells what the actions say, for clients that show cards only (rulings 39).
pub(super) fn actions_card(uuid: &str, orders: &[OrderAnswer<'_>]) -> Card {
    let mut detail = String::new();
    for order in orders {
        for (_, information) in &order.said {
            let _ = writeln!(detail, "**{}**: {}\n", markdown(order.reference), told(information));
            for reason in information.all_reasons() {
                let _ = writeln!(detail, "- {}", markdown(&reason.text));
            }
            detail.push('\n');
        }
    }
    detail.truncate(detail.trim_end().len());
    let summary = match orders {
        [OrderAnswer { reference, said, .. }] if said.len() == 1 => {
            let told: Vec<String> = said.iter().map(|(_, it)| told(it)).collect();
            format!("{reference}: {}", told.concat())
        }
        orders => format!("Coverage information for {} orders", orders.len()),
    };
    Card {
        uuid: uuid.to_owned(),
        summary,
        topic: Topic::CoverageInfo,
        orders: orders.iter().map(|order| order.reference.to_owned()).collect(),
        body: CardBody::Instructions { detail },
    }
}

/// Coverage information in a few words.
fn told(information: &CoverageInformation) -> String {
    let covered = match information.coverage {
        Coverage::NotCovered { .. } => "not covered",
        Coverage::Covered { .. } => "covered",
        Coverage::Indeterminate { .. } => "coverage cannot be told yet",
        Coverage::Conditional { .. } => "coverage depends on more information",
    };
    let mut told = covered.to_owned();
    match information.pa() {
        Some(PaNeeded::NoAuth) => told.push_str(", no prior authorization needed"),
        Some(PaNeeded::AuthNeeded) => told.push_str(", prior authorization needed"),
        Some(PaNeeded::PerformerAsks) => {
            told.push_str(", prior authorization to be asked by who performs the service");
        }
        Some(PaNeeded::Satisfied { pa_id }) => {
            let _ = write!(told, ", prior authorization {} on file", markdown(pa_id));
        }
        None => {}
    }
    if information.documents().is_some() {
        told.push_str(", documentation needed");
    }
    told
}

fn summary(title: &str, verdict: &Verdict) -> String {
    let of = |truth| verdict.findings.iter().filter(|finding| finding.truth == truth).count();
    let (met, all) = (of(Truth::Met), verdict.findings.len());
    match verdict.determination {
        Determination::Approve => format!("{title}: every criterion is proven ({met} of {all})"),
        Determination::Pend => {
            format!("{title}: {met} of {all} criteria proven, {} more to show", of(Truth::Unknown))
        }
        Determination::Review => format!("{title}: a reviewer will look at the request"),
        Determination::NotSubject => format!("{title}: the policy does not apply"),
    }
}

fn detail(order: &str, verdict: &Verdict) -> String {
    let mut detail = format!("About {}.\n", markdown(order));
    for reason in &verdict.reasons {
        let _ = writeln!(detail, "\n{}", markdown(reason));
    }
    section(&mut detail, "Proven", verdict, Truth::Met);
    section(&mut detail, "Not shown yet: please send", verdict, Truth::Unknown);
    section(&mut detail, "Needs a reviewer", verdict, Truth::NotMet);
    detail.truncate(detail.trim_end().len());
    detail
}

fn section(detail: &mut String, heading: &str, verdict: &Verdict, truth: Truth) {
    let mut findings = verdict.findings.iter().filter(|finding| finding.truth == truth).peekable();
    if findings.peek().is_none() {
        return;
    }
    let _ = writeln!(detail, "\n**{heading}**\n");
    for finding in findings {
        let _ = writeln!(detail, "- {} ({})", markdown(&finding.title), markdown(&finding.clause));
        lines(detail, finding);
    }
}

fn lines(detail: &mut String, finding: &Finding) {
    for fact in finding.counted.iter().take(MOST_FACTS) {
        let _ = writeln!(detail, "  - {}", cited(fact));
    }
    if finding.counted.len() > MOST_FACTS {
        let _ = writeln!(detail, "  - and {} more", finding.counted.len() - MOST_FACTS);
    }
    for need in &finding.needs {
        let _ = writeln!(detail, "  - {}", markdown(need));
    }
}

fn cited(fact: &Cited) -> String {
    let source = &fact.source;
    let mut text = format!("{}: {}", markdown(&source.resource), markdown(&fact.says));
    if let Some(date) = source.date {
        let _ = write!(text, ", {date}");
    }
    text
}
