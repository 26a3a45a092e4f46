//! Whether a coverage is ours, and in force on the day (rulings 9, 10).

use super::reader::{is_modified, is_npi_system, is_readable_period, npi, source, span, word};
use super::subject::Subject;
use crate::facts::{CoverageLack, CoverageStanding, Membership, SourceKind, Unusable};
use crate::fhir::{Entry, Node, Pool};
use crate::policy::Plan;
use crate::policy::plan::NamedLine;
use crate::terms::{Npi, Span, Truth, When};

/// Judges the coverages that a request names; of several, the first usable one counts.
#[must_use]
pub fn standing(
    pool: &Pool<'_>,
    coverages: &[usize],
    subject: &Subject,
    plan: &Plan,
    service: When,
) -> CoverageStanding {
    standings(pool, coverages, subject, plan, service).0
}

/// The coverage that counts, and the memberships of further usable ones (crd.md 3.8).
///
/// Where none is usable, what is wrong with one of ours comes before another payer's.
#[must_use]
pub fn standings(
    pool: &Pool<'_>,
    coverages: &[usize],
    subject: &Subject,
    plan: &Plan,
    service: When,
) -> (CoverageStanding, Vec<Membership>) {
    let (mut usable, mut problems) = (Vec::new(), Vec::new());
    for place in coverages {
        let Some(entry) = pool.entry(*place) else { continue };
        match membership(pool, *place, entry, subject, plan, service) {
            Ok(membership) => usable.push(membership),
            Err((lack, why)) => {
                let is_ours = lack != CoverageLack::NotOurs;
                let source = is_ours.then(|| source(entry, "Coverage", SourceKind::Request));
                problems.push(Unusable { why, lack, source });
            }
        }
    }
    if !usable.is_empty() {
        let first = usable.remove(0);
        return (CoverageStanding::InForce(first), usable);
    }
    problems.sort_by_key(|problem| match problem.lack {
        // One that may be in force leaves it open whether the member is covered (rulings 26).
        CoverageLack::Unclear
        | CoverageLack::DayUnclear
        | CoverageLack::Unread
        | CoverageLack::Person => 0,
        CoverageLack::NotInForce | CoverageLack::NoMember => 1,
        CoverageLack::NotOurs => 2,
    });
    let none = || Unusable::nothing("the request has no Coverage that can be read");
    let problem = problems.into_iter().next().unwrap_or_else(none);
    (CoverageStanding::Unusable(problem), Vec::new())
}

fn membership(
    pool: &Pool<'_>,
    place: usize,
    entry: &Entry<'_>,
    subject: &Subject,
    plan: &Plan,
    service: When,
) -> Result<Membership, (CoverageLack, String)> {
    use CoverageLack::{NotInForce, NotOurs, Unclear};
    let node = entry.node;
    let because = |lack, why: &str| Err((lack, why.to_owned()));
    if !is_ours(pool, place, node, plan.payer_npi) {
        return because(NotOurs, "the coverage is another payer's");
    }
    subject
        .is_meant(pool, node.get("beneficiary"), place)
        .map_err(|why| (NotOurs, format!("the beneficiary of the coverage {why}")))?;
    if is_modified(node) {
        return because(Unclear, "the coverage is not active");
    }
    match node.text_of("status").as_deref() {
        Some("active") => {}
        Some("cancelled") => return because(NotInForce, "the coverage is not active"),
        Some(_) | None => return because(Unclear, "the coverage is not active"),
    }
    if !is_readable_period(node.get("period")) {
        return because(Unclear, "the period of the coverage cannot be read");
    }
    let period = span(node.get("period"));
    in_force(period, service)
        .map_err(|lack| (lack, format!("the coverage is not certainly in force on {service}")))?;
    let line = match plan.line(&plan_classes(node)) {
        NamedLine::Default(line) | NamedLine::Known(line) => line.into(),
        NamedLine::Unlisted => {
            let why = "the coverage names a product line that the plan does not list";
            return because(Unclear, why);
        }
    };
    Ok(Membership {
        line,
        member_id: member_id(node),
        until: period.end,
        source: source(entry, "Coverage", SourceKind::Request),
    })
}

/// Whether something holds on the day of service.
///
/// # Errors
/// It certainly does not, or the day or the ends are not exact enough to tell.
pub(super) fn in_force(period: Span, service: When) -> Result<(), CoverageLack> {
    match period.covers(service) {
        Truth::Met => Ok(()),
        Truth::NotMet => Err(CoverageLack::NotInForce),
        Truth::Unknown if service.first() != service.last() => Err(CoverageLack::DayUnclear),
        Truth::Unknown => Err(CoverageLack::Unclear),
    }
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
