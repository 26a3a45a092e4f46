//! Rules of the Claim itself: what must be there, what may stand only once, what must lead
//! somewhere (pas.md 3.3).
//!
//! Only what makes a Claim impossible to process: structure, order and cardinality (pas.md T35).
//! Rules inside a slice are not checked, but for the precision of dates.

use std::collections::HashSet;

use super::Profile;
use super::shape::positive_int;
use crate::fhir::{FaultKind, Kind, Node};
use crate::intake::faults::Faults;
use crate::intake::reader::{extension, extensions};
use crate::terms::When;

/// What FHIR R4 demands of every Claim.
const BASE: &[&str] = &["status", "type", "use", "patient", "created", "provider", "priority"];
/// What both PAS versions demand beyond that.
const VERSIONS: &[&str] = &["identifier", "insurer", "insurance"];
/// The lists whose entries are numbered, and what each entry must have.
const NUMBERED: &[(&str, &[&str])] = &[
    ("careTeam", &["sequence", "provider"]),
    ("supportingInfo", &["sequence", "category"]),
    ("diagnosis", &["sequence"]),
    ("procedure", &["sequence"]),
    ("insurance", &["sequence", "focal", "coverage"]),
    ("item", &["sequence", "productOrService"]),
];
/// How many items a Claim may have: each is judged by all that the Bundle holds, and beside all
/// others.
const MOST_ITEMS: usize = 500;
/// The lists that an item points into, and by what.
const LINKS: &[(&str, &str)] = &[
    ("careTeamSequence", "careTeam"),
    ("diagnosisSequence", "diagnosis"),
    ("procedureSequence", "procedure"),
    ("informationSequence", "supportingInfo"),
];
const SUPPORTING_VALUES: &[&str] =
    &["valueBoolean", "valueString", "valueQuantity", "valueAttachment", "valueReference"];
/// The categories of supportingInfo whose dates PAS wants whole.
const DATED: &[&str] = &["patientEvent", "admissionDates", "dischargeDates"];

/// Checks the Claim `claim`.
pub(super) fn check(claim: Node<'_>, profile: Profile, faults: &mut Faults) {
    require(claim, BASE, faults);
    expect_code(claim, "status", "active", faults);
    expect_code(claim, "use", "preauthorization", faults);
    if profile.is_version() {
        require(claim, VERSIONS, faults);
        check_identifiers(claim, profile, faults);
    }
    // pas.md T9: the text lets a Claim that cancels everything leave its items out
    let may_be_without = profile == Profile::Inquiry || cancels_all(claim);
    if claim.get("item").is_none() && !may_be_without {
        faults.missing(claim, "item");
    }
    check_numbered(claim, faults);
    for diagnosis in objects(claim, "diagnosis") {
        let names = &["diagnosisCodeableConcept", "diagnosisReference"];
        choose(diagnosis, "diagnosis", names, true, faults);
    }
    for info in objects(claim, "supportingInfo") {
        choose(info, "timing", &["timingDate", "timingPeriod"], false, faults);
        choose(info, "value", SUPPORTING_VALUES, false, faults);
        if profile.is_version() && has_category(info, DATED) {
            check_whole_days(info, "timingDate", "timingPeriod", faults);
        }
    }
    for member in objects(claim, "careTeam").filter(|_| profile.is_version()) {
        require_extension(member, "extension-careTeamClaimScope", faults);
    }
    for (place, item) in objects(claim, "item").enumerate() {
        if place == MOST_ITEMS {
            let text =
                format!("there are more than {MOST_ITEMS} items: send them in several Claims");
            faults.add(FaultKind::TooLong, item, text);
            break;
        }
        check_item(item, profile, faults);
    }
    if profile == Profile::V2_2_1
        && let Some(accident) = claim.get("accident")
    {
        check_whole_days(accident, "date", "", faults);
    }
}

/// The elements of a list that are objects; what is none was found by the walk over the forms.
fn objects<'d>(node: Node<'d>, name: &str) -> impl Iterator<Item = Node<'d>> + use<'d> {
    let items: Option<Node<'d>> = node.get(name).filter(|list| list.kind() == Kind::Array);
    items.into_iter().flat_map(Node::items).filter(|item| item.kind() == Kind::Object)
}

fn require(node: Node<'_>, names: &[&str], faults: &mut Faults) {
    for name in names.iter().filter(|name| node.get(name).is_none()) {
        faults.missing(node, name);
    }
}

fn require_extension(node: Node<'_>, name: &str, faults: &mut Faults) {
    if extension(node, name).is_none() {
        let place = node.get("extension").unwrap_or(node);
        faults.add(FaultKind::Required, place, format!("the extension `{name}` is missing"));
    }
}

/// Refuses another code than the one that the guide fixes.
fn expect_code(claim: Node<'_>, name: &str, code: &str, faults: &mut Faults) {
    let found = claim.get(name).filter(|node| node.text().is_some_and(|text| text != code));
    if let Some(node) = found {
        faults.add(FaultKind::Value, node, format!("`{code}` is expected"));
    }
}

/// At most one of a choice of types, and at least one where it is demanded.
fn choose(
    node: Node<'_>,
    element: &str,
    names: &[&'static str],
    is_demanded: bool,
    faults: &mut Faults,
) {
    let mut found = names.iter().filter_map(|name| node.get(name));
    match (found.next(), found.next()) {
        (None, _) if is_demanded => faults.missing(node, element),
        (Some(_), Some(second)) => {
            let text = format!("only one type of `{element}[x]` is expected");
            faults.add(FaultKind::Structure, second, text);
        }
        (_, _) => {}
    }
}

/// PAS 2.0.1: one identifier; PAS 2.2.1: one or two, each with system and value.
fn check_identifiers(claim: Node<'_>, profile: Profile, faults: &mut Faults) {
    let most = if profile == Profile::V2_0_1 { 1 } else { 2 };
    for (index, identifier) in objects(claim, "identifier").enumerate() {
        if index >= most {
            let text = format!("no more than {most} is expected");
            faults.add(FaultKind::Structure, identifier, text);
        }
        if profile == Profile::V2_2_1 {
            require(identifier, &["system", "value"], faults);
        }
    }
}

/// Whether the Claim as a whole is marked as cancelled (X12 1322 `3`).
fn cancels_all(claim: Node<'_>) -> bool {
    extensions(claim, "extension-certificationType").any(|kind| {
        kind.get("valueCodeableConcept").is_some_and(|concept| {
            concept.each("coding").any(|coding| coding.text_of("code").as_deref() == Some("3"))
        })
    })
}

fn has_category(info: Node<'_>, codes: &[&str]) -> bool {
    info.get("category").is_some_and(|category| {
        let found = category.each("coding").filter_map(|coding| coding.text_of("code"));
        found.into_iter().any(|code| codes.contains(&&*code))
    })
}

fn check_numbered(claim: Node<'_>, faults: &mut Faults) {
    for (list, demanded) in NUMBERED {
        let numbers = check_list(claim, list, demanded, faults);
        let Some((link, _)) = LINKS.iter().find(|(_, target)| target == list) else { continue };
        // Where a number could not be read, nothing is said of what points at it.
        let Some(numbers) = numbers else { continue };
        for item in objects(claim, "item") {
            for pointer in item.each(link) {
                let leads_nowhere = positive_int(pointer).is_some_and(|it| !numbers.contains(&it));
                if leads_nowhere {
                    let text = format!("there is no `{list}` with this sequence");
                    faults.add(FaultKind::NotFound, pointer, text);
                }
            }
        }
    }
}

/// Checks a numbered list; its numbers, if all can be read.
fn check_list(
    claim: Node<'_>,
    list: &str,
    demanded: &[&str],
    faults: &mut Faults,
) -> Option<HashSet<u32>> {
    let mut numbers = HashSet::new();
    let mut is_readable = claim.get(list).is_none_or(|list| list.kind() == Kind::Array);
    for element in objects(claim, list) {
        require(element, demanded, faults);
        let Some(sequence) = element.get("sequence") else {
            is_readable = false;
            continue;
        };
        match positive_int(sequence) {
            None => is_readable = false,
            Some(number) if !numbers.insert(number) => {
                let text = format!("a `{list}` before has the same sequence");
                faults.add(FaultKind::Duplicate, sequence, text);
            }
            Some(_) => {}
        }
    }
    is_readable.then_some(numbers)
}

fn check_item(item: Node<'_>, profile: Profile, faults: &mut Faults) {
    choose(item, "serviced", &["servicedDate", "servicedPeriod"], false, faults);
    let locations = &["locationCodeableConcept", "locationAddress", "locationReference"];
    // PAS 2.2.1 profile-claim, profile-claim-update: these have cardinality 1..1
    let is_2_2_1 = profile == Profile::V2_2_1;
    choose(item, "location", locations, is_2_2_1, faults);
    if is_2_2_1 {
        require(item, &["category"], faults);
        require_extension(item, "extension-serviceItemRequestType", faults);
        require_extension(item, "extension-certificationType", faults);
        check_whole_days(item, "servicedDate", "servicedPeriod", faults);
    }
    for detail in objects(item, "detail") {
        require(detail, &["sequence", "productOrService"], faults);
    }
}

/// `FullDateRule` of PAS: a day of ten characters, no less and no time.
fn check_whole_days(node: Node<'_>, date: &str, period: &str, faults: &mut Faults) {
    let period = node.get(period);
    let ends = ["start", "end"].into_iter().filter_map(|name| period?.get(name));
    for day in node.get(date).into_iter().chain(ends) {
        let is_part = |text: &str| When::parse(text).is_ok() && text.len() != 10;
        if day.text().is_some_and(|text| is_part(&text)) {
            faults.add(FaultKind::Invariant, day, "a whole day, YYYY-MM-DD, is expected");
        }
    }
}
