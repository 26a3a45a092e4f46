//! FHIR resources as records of what the payer knows.

use super::links::{Links, Person, person};
use super::table;
use crate::fhir::Node;
use crate::intake::coverage::{member_id, member_number, plan_classes};
use crate::intake::reader::{
    concept, concepts, is_readable_period, npi, person_name, span, when, word,
};
use crate::store::{BilledClaim, DirectoryEntry, Enrolment, ImportContent, ImportRecord};
use crate::terms::{Concept, Day, When};

/// What one resource gives.
pub(super) enum Given {
    /// A record.
    Record(ImportRecord),
    /// Only what others refer to.
    Link,
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// To the contained resource of this id.
    Contained(String),
    /// To `Type/id`.
    Elsewhere(String),
}

impl Located {
    /// Where the text of a reference leads; the server is the one that the file is from.
    fn of(reference: Node<'_>) -> Option<Located> {
        let text = reference.text_of("reference")?;
        if let Some(id) = text.strip_prefix('#') {
            return Some(Located::Contained(id.to_owned()));
        }
        let unversioned = text.split("/_history/").next().unwrap_or(&text);
        let mut parts = unversioned.rsplit('/');
        let (id, kind) = (parts.next()?, parts.next()?);
        Some(Located::Elsewhere(format!("{kind}/{id}")))
    }
}

/// The contained resource of this id.
pub(super) fn contained<'d>(node: Node<'d>, id: &str) -> Option<Node<'d>> {
    node.each("contained").find(|inner| inner.text_of("id").as_deref() == Some(id))
}

/// Where a Coverage's beneficiary is.
pub(super) fn beneficiary(coverage: Node<'_>) -> Option<Located> {
    Located::of(coverage.get("beneficiary")?)
}

/// The birth date of a Patient; `None` where it gives none.
pub(super) fn birth_date(patient: Node<'_>, today: Day) -> Result<Option<When>, &'static str> {
    match patient.get("birthDate") {
        None => Ok(None),
        Some(date) => {
            let text = date.text().filter(|text| !text.contains('T'));
            table::birth_date(text.as_deref().unwrap_or("no date"), today)
        }
    }
}

/// What a resource of a file gives; `source` is the system that the file is from.
pub(super) fn given(
    node: Node<'_>,
    links: &Links,
    source: Option<&str>,
    today: Day,
) -> Result<Given, &'static str> {
    let kind = node.text_of("resourceType").ok_or("it is no FHIR resource")?;
    let id = node.text_of("id").ok_or("the resource has no id")?;
    if node.get("modifierExtension").is_some() {
        return Err("it has a modifierExtension, which may change what it says");
    }
    let content = match &*kind {
        "ExplanationOfBenefit" | "Claim" => claim(node, links, format!("{kind}/{id}"))?,
        "Coverage" => match enrolment(node, links, today)? {
            Some(content) => content,
            None => return Ok(Given::Link),
        },
        "Patient" => {
            birth_date(node, today)?;
            return match links.member(&format!("{kind}/{id}")) {
                Ok(None) => Err("no Coverage in the files is this Patient's"),
                Ok(Some(_)) | Err(_) => Ok(Given::Link),
            };
        }
        "Practitioner" => practitioner(node)?,
        "PractitionerRole" => role(node, links)?,
        _ => return Err("resources of this type are not imported"),
    };
    let system = match source {
        Some(source) => source.to_owned(),
        None => source_of(node),
    };
    Ok(Given::Record(ImportRecord { key: format!("{kind}/{id}|{system}"), content }))
}

/// The system that a resource says it is from, without the part that changes with each request.
fn source_of(node: Node<'_>) -> String {
    let source = node.get("meta").and_then(|meta| meta.text_of("source")).unwrap_or_default();
    source.split('#').next().unwrap_or_default().to_owned()
}

fn claim(node: Node<'_>, links: &Links, name: String) -> Result<ImportContent, &'static str> {
    if node.text_of("use").as_deref() != Some("claim") {
        return Err("it bills nothing: its use is not `claim`");
    }
    let dates = ["item", "procedure"].iter().flat_map(|part| node.each(part)).all(|part| {
        let is_date = |name| part.get(name).is_none_or(|date| when(Some(date)).is_some());
        is_date("servicedDate") && is_date("date") && is_readable_period(part.get("servicedPeriod"))
    });
    if !dates || !is_readable_period(node.get("billablePeriod")) {
        return Err("a date of service is no date");
    }
    let member_id = billed_member(node, links)?.to_string();
    Ok(ImportContent::Claim { member_id, claim: BilledClaim { name, resource: node.raw().into() } })
}

/// The member for whom something was billed: by the focal coverage, else by all, else by the
/// patient, who must not be somebody else's.
fn billed_member(node: Node<'_>, links: &Links) -> Result<Box<str>, &'static str> {
    let insurances: Vec<Node<'_>> = node.each("insurance").collect();
    let is_focal = |it: &&Node<'_>| it.get("focal").and_then(Node::boolean) == Some(true);
    let focal: Vec<&Node<'_>> = insurances.iter().filter(is_focal).collect();
    let chosen = if focal.is_empty() { insurances.iter().collect() } else { focal };
    let mut members: Vec<Box<str>> = Vec::new();
    for coverage in chosen.into_iter().filter_map(|it| it.get("coverage")) {
        members.extend(referred_member(node, coverage, links)?);
    }
    let patient = node.get("patient").map(|it| referred_member(node, it, links));
    match patient {
        // One patient may have had several numbers: then the coverage tells.
        Some(Err(_)) if !members.is_empty() => {}
        Some(found) => members.extend(found?),
        None => {}
    }
    members.sort_unstable();
    members.dedup();
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        (Some(_), Some(_)) => Err("its coverage and patient lead to several members"),
        (None, _) => Err("it leads to no member: neither its Coverage nor its Patient is known"),
    }
}

/// The member whom a reference to a Coverage or a Patient means.
fn referred_member(
    within: Node<'_>,
    reference: Node<'_>,
    links: &Links,
) -> Result<Option<Box<str>>, &'static str> {
    let by_reference = match Located::of(reference) {
        None => None,
        Some(Located::Contained(id)) => contained(within, &id).and_then(member_id),
        Some(Located::Elsewhere(name)) => links.member(&name)?.map(Box::from),
    };
    Ok(by_reference.or_else(|| {
        // `Reference.identifier` is one identifier, of the shape of those of a resource.
        member_number(reference)
    }))
}

/// A Coverage beside its Patient is a row of the roster; one without is a link only.
fn enrolment(
    node: Node<'_>,
    links: &Links,
    today: Day,
) -> Result<Option<ImportContent>, &'static str> {
    let member_id = member_id(node).ok_or("the Coverage gives no member id")?.to_string();
    let status = node.text_of("status").ok_or("the Coverage has no status")?;
    let (valid_from, valid_to) = period(node.get("period"))?;
    let birth_date = match beneficiary(node).ok_or("the Coverage names no beneficiary")? {
        Located::Contained(id) => match contained(node, &id) {
            None => return Err("the Coverage's Patient is not there"),
            Some(patient) => birth_date(patient, today)?,
        },
        Located::Elsewhere(name) => match links.birth(&name)? {
            None => return Ok(None),
            Some(born) => born.0,
        },
    };
    // One that is called off says nothing any more, and takes the place of what it said.
    if status != "active" {
        return Ok(Some(ImportContent::Nothing));
    }
    let classes = plan_classes(node);
    let line = (!classes.is_empty()).then(|| classes.join("\n"));
    let enrolment = Enrolment { birth_date, line, valid_from, valid_to };
    Ok(Some(ImportContent::Enrolment { member_id, enrolment }))
}

/// The days that a Period covers for certain.
fn period(node: Option<Node<'_>>) -> Result<(Option<Day>, Option<Day>), &'static str> {
    if !is_readable_period(node) {
        return Err("an end of its period is no date");
    }
    let period = span(node);
    let (from, to) = (period.start.map(When::last), period.end.map(When::first));
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        return Err("its period ends before it begins");
    }
    Ok((from, to))
}

fn practitioner(node: Node<'_>) -> Result<ImportContent, &'static str> {
    let Person { npi, is_active } = person(node);
    let npi = npi?;
    let mut entries = Vec::new();
    for qualification in node.each("qualification").filter(|_| is_active) {
        let days = period(qualification.get("period"))?;
        let code = concept(qualification.get("code"));
        entries.extend(specialties(npi, person_name(node), code, days));
    }
    Ok(ImportContent::Directory(entries))
}

fn role(node: Node<'_>, links: &Links) -> Result<ImportContent, &'static str> {
    let practitioner = node.get("practitioner").ok_or("the role names no practitioner")?;
    let known = match Located::of(practitioner) {
        Some(located) => links.person(node, &located),
        None => Err("its practitioner is not in the files"),
    };
    let own = npi(node).or_else(|| npi(practitioner)).transpose().map_err(table::why_no_npi)?;
    let (npi, is_active) = match (own, known) {
        (Some(own), Ok(person)) if person.npi.is_ok_and(|npi| npi != own) => {
            return Err("the role and its practitioner have different NPIs");
        }
        (Some(own), Ok(person)) => (own, person.is_active),
        (Some(own), Err(_)) => (own, true),
        (None, Ok(person)) => (person.npi?, person.is_active),
        (None, Err(why)) => return Err(why),
    };
    let is_active = is_active && node.get("active").and_then(Node::boolean) != Some(false);
    let days = period(node.get("period"))?;
    let name = word(practitioner, "display").map(String::from);
    let codes = concepts(node, "specialty").filter(|_| is_active);
    let entries = codes.flat_map(|code| specialties(npi, name.clone(), code, days));
    Ok(ImportContent::Directory(entries.collect()))
}

fn specialties(
    npi: crate::terms::Npi,
    name: Option<String>,
    code: Concept,
    (valid_from, valid_to): (Option<Day>, Option<Day>),
) -> impl Iterator<Item = DirectoryEntry> {
    code.codings.into_iter().map(move |coding| DirectoryEntry {
        npi,
        name: name.clone(),
        system: coding.system.uri().to_owned(),
        code: coding.code.into(),
        valid_from,
        valid_to,
    })
}
