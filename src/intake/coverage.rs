//! Whether a coverage is ours, and in force on the day (rulings 9, 10).

use super::reader::{is_modified, is_npi_system, is_readable_period, npi, source, span, word};
use super::subject::Subject;
use crate::facts::{CoverageStanding, Membership, SourceKind};
use crate::fhir::{Entry, Node, Pool};
use crate::policy::Plan;
use crate::policy::plan::NamedLine;
use crate::terms::{Npi, Truth, When};

/// Judges the coverages that a request names; of several, the first usable one counts.
#[must_use]
pub fn standing(
    pool: &Pool<'_>,
    coverages: &[usize],
    subject: &Subject,
    plan: &Plan,
    service: When,
) -> CoverageStanding {
    let mut first_problem = None;
    for place in coverages {
        let Some(entry) = pool.entry(*place) else { continue };
        match membership(pool, *place, entry, subject, plan, service) {
            Ok(membership) => return CoverageStanding::InForce(membership),
            Err(why) => first_problem = first_problem.or(Some(why)),
        }
    }
    let none = || "the request has no Coverage that can be read".to_owned();
    CoverageStanding::Unusable(first_problem.unwrap_or_else(none))
}

fn membership(
    pool: &Pool<'_>,
    place: usize,
    entry: &Entry<'_>,
    subject: &Subject,
    plan: &Plan,
    service: When,
) -> Result<Membership, String> {
    let node = entry.node;
    if !is_ours(pool, place, node, plan.payer_npi) {
        return Err("the coverage is another payer's".to_owned());
    }
    if node.text_of("status").as_deref() != Some("active") || is_modified(node) {
        return Err("the coverage is not active".to_owned());
    }
    subject
        .is_meant(pool, node.get("beneficiary"), place)
        .map_err(|why| format!("the beneficiary of the coverage {why}"))?;
    if !is_readable_period(node.get("period")) {
        return Err("the period of the coverage cannot be read".to_owned());
    }
    if span(node.get("period")).covers(service) != Truth::Met {
        return Err(format!("the coverage is not certainly in force on {service}"));
    }
    let line = match plan.line(&plan_classes(node)) {
        NamedLine::Default(line) | NamedLine::Known(line) => line.into(),
        NamedLine::Unlisted => {
            return Err("the coverage names a product line that the plan does not list".to_owned());
        }
    };
    Ok(Membership {
        line,
        member_id: member_id(node),
        source: source(entry, "Coverage", SourceKind::Request),
    })
}

/// Whether one of the payors is we: an Organization in the request, contained, or an identifier.
#[must_use]
pub fn is_ours(pool: &Pool<'_>, place: usize, coverage: Node<'_>, payer: Npi) -> bool {
    coverage.each("payor").any(|payor| {
        let organization = pool.follow(payor, place).and_then(|place| pool.entry(place));
        let by_resource = organization.is_some_and(|entry| npi(entry.node) == Some(Ok(payer)));
        let by_identifier = payor.get("identifier").is_some_and(|identifier| {
            let system = identifier.text_of("system");
            let value = identifier.text_of("value");
            system.is_none_or(|system| is_npi_system(&system))
                && value.and_then(|value| Npi::parse(&value).ok()) == Some(payer)
        });
        by_resource || by_identifier
    })
}

/// Values and names of the classes of type `plan`.
#[must_use]
pub fn plan_classes(coverage: Node<'_>) -> Vec<String> {
    let is_plan = |class: &Node<'_>| {
        class.at(&["type"]).is_some_and(|kind| {
            kind.each("coding").any(|coding| coding.text_of("code").as_deref() == Some("plan"))
        })
    };
    coverage
        .each("class")
        .filter(is_plan)
        .flat_map(|class| [word(class, "value"), word(class, "name")])
        .flatten()
        .map(String::from)
        .collect()
}

/// `subscriberId`, or the identifier of type MB.
#[must_use]
pub fn member_id(coverage: Node<'_>) -> Option<Box<str>> {
    member_number(coverage).or_else(|| word(coverage, "subscriberId"))
}

/// The identifier of type MB of a Coverage, a Patient, or a reference to one of them.
#[must_use]
pub fn member_number(node: Node<'_>) -> Option<Box<str>> {
    let is_member_number = |identifier: &Node<'_>| {
        identifier.get("type").is_some_and(|kind| {
            kind.each("coding").any(|coding| coding.text_of("code").as_deref() == Some("MB"))
        })
    };
    word(node.each("identifier").find(is_member_number)?, "value")
}
