//! Prescribers and places: who and where, with what the records say of them.

use super::reader::{
    concept, concepts, is_modified, is_npi_system, is_readable_period, npi, person_name, source,
    span, word,
};
use crate::facts::{FactId, Prescriber, Site, Source, SourceKind, Specialty};
use crate::fhir::{Node, Pool};
use crate::terms::id::NpiError;
use crate::terms::{Concept, Npi, Span};

/// The prescriber that `reference` names, which stands in the entry at `from`.
#[must_use]
pub fn prescriber(pool: &Pool<'_>, reference: Node<'_>, from: usize, at: Source) -> Prescriber {
    let mut prescriber = Prescriber {
        name: word(reference, "display").map(Into::into),
        source: at,
        person: None,
        npi: by_identifier(reference).and_then(Result::ok),
        npi_is_wrong: matches!(by_identifier(reference), Some(Err(_))),
        specialties: Vec::new(),
    };
    let text = reference.text_of("reference").unwrap_or_default();
    let place = pool.follow(reference, from);
    let kind = place.and_then(|place| pool.entry(place)).map(|entry| entry.kind.clone());
    let (practitioner, role) = match kind.as_deref() {
        Some("Practitioner") => (place, None),
        Some("PractitionerRole") => {
            let practitioner = place
                .and_then(|role| pool.follow(pool.entry(role)?.node.get("practitioner")?, role));
            (practitioner, place)
        }
        _ => (None, None),
    };
    prescriber.person = practitioner.map(FactId);
    if let Some(practitioner) = practitioner {
        read_practitioner(pool, practitioner, &mut prescriber);
    }
    // clinical.md 3: who is out of use as a person is so in every role.
    let is_out_of_use =
        practitioner.and_then(|it| pool.entry(it)).is_some_and(|it| is_inactive(it.node));
    if is_out_of_use {
        if let Some(entry) = role.and_then(|role| pool.entry(role)) {
            note_npi(&mut prescriber, entry.node);
        }
    } else {
        if let Some(role) = role {
            read_role(pool, role, &mut prescriber);
        }
        // clinical.md 3: any one active role counts. All roles on record of this person; they are
        // found by the person, or where the person is not in the request by the same reference.
        let others = pool.of_type("PractitionerRole").filter(|it| Some(*it) != role);
        for other in others.collect::<Vec<_>>() {
            let Some(person) = pool.entry(other).and_then(|role| role.node.get("practitioner"))
            else {
                continue;
            };
            let same = match (pool.follow(person, other), practitioner) {
                (Some(found), Some(practitioner)) => found == practitioner,
                (None, None) => {
                    !text.is_empty() && person.text_of("reference") == Some(text.clone())
                }
                (_, _) => false,
            };
            if same {
                read_role(pool, other, &mut prescriber);
            }
        }
    }
    prescriber
}

/// The NPI of the organization for which the `PractitionerRole` that `reference` names works.
#[must_use]
pub fn employer(pool: &Pool<'_>, reference: Node<'_>, from: usize) -> Option<Npi> {
    let role = pool.follow(reference, from)?;
    let entry = pool.entry(role).filter(|entry| entry.kind == "PractitionerRole")?;
    let at = source(entry, "PractitionerRole.organization", SourceKind::Record);
    site(pool, entry.node.get("organization")?, role, false, &at)?.npi?.ok()
}

/// Whether a record is out of use, or may say the opposite of what it seems to.
fn is_inactive(node: Node<'_>) -> bool {
    node.get("active").and_then(Node::boolean) == Some(false) || is_modified(node)
}

/// Takes the NPI of a person or role; the person's own comes first.
fn note_npi(prescriber: &mut Prescriber, node: Node<'_>) {
    match npi(node) {
        Some(Err(_)) => prescriber.npi_is_wrong = true,
        Some(Ok(number)) => prescriber.npi = prescriber.npi.or(Some(number)),
        None => {}
    }
}

/// The NPI that a reference itself gives.
fn by_identifier(reference: Node<'_>) -> Option<Result<Npi, NpiError>> {
    let identifier = reference.get("identifier")?;
    let system = identifier.text_of("system")?;
    let value = identifier.text_of("value")?;
    is_npi_system(&system).then(|| Npi::parse(&value))
}

fn read_practitioner(pool: &Pool<'_>, place: usize, prescriber: &mut Prescriber) {
    let Some(entry) = pool.entry(place) else { return };
    let node = entry.node;
    prescriber.name = person_name(node).or(prescriber.name.take());
    note_npi(prescriber, node);
    if is_inactive(node) {
        return;
    }
    for qualification in node.each("qualification") {
        prescriber.specialties.push(valid_specialty(
            concept(qualification.get("code")),
            qualification.get("period"),
            source(entry, "Practitioner.qualification.code", SourceKind::Record),
        ));
    }
}

fn read_role(pool: &Pool<'_>, place: usize, prescriber: &mut Prescriber) {
    let Some(entry) = pool.entry(place) else { return };
    let node = entry.node;
    note_npi(prescriber, node);
    if is_inactive(node) {
        return;
    }
    for specialty in concepts(node, "specialty") {
        prescriber.specialties.push(valid_specialty(
            specialty,
            node.get("period"),
            source(entry, "PractitionerRole.specialty", SourceKind::Record),
        ));
    }
}

/// A specialty with its period; where that cannot be read the codes are left out, since nobody
/// knows whether they still hold.
fn valid_specialty(concept: Concept, period: Option<Node<'_>>, source: Source) -> Specialty {
    let concept = if is_readable_period(period) {
        concept
    } else {
        Concept { codings: Vec::new(), text: concept.text }
    };
    Specialty { concept, valid: span(period), source }
}

/// A specialty that the request itself states of the prescriber.
pub fn add_specialty(prescriber: &mut Prescriber, node: Option<Node<'_>>, source: Source) {
    let concept = concept(node);
    if !concept.codings.is_empty() || concept.text.is_some() {
        prescriber.specialties.push(Specialty { concept, valid: Span::default(), source });
    }
}

/// The place that `reference` names: an Organization, a Location, or a role's organization.
#[must_use]
pub fn site(
    pool: &Pool<'_>,
    reference: Node<'_>,
    from: usize,
    is_named_as_site: bool,
    at: &Source,
) -> Option<Site> {
    let naming = Naming { is_named_as_site, at };
    site_within(pool, reference, from, &naming, LONGEST_CHAIN)
}

/// How many references lead from a place to its organization at most; places that name each other
/// lead nowhere.
const LONGEST_CHAIN: u8 = 4;

/// How a place is cited.
struct Naming<'s> {
    is_named_as_site: bool,
    at: &'s Source,
}

impl Naming<'_> {
    fn site(&self, npi: Option<Result<Npi, NpiError>>, name: Option<String>) -> Site {
        Site { npi, name, is_named_as_site: self.is_named_as_site, source: self.at.clone() }
    }
}

/// The place of work that a bare reference names, which stands in no resource: of a person none.
#[must_use]
pub fn place_of_work(pool: &Pool<'_>, reference: &str, from: usize, at: &Source) -> Option<Site> {
    let naming = Naming { is_named_as_site: true, at };
    match pool.resolve(reference, from) {
        Some(place) => site_at(pool, place, &naming, None, LONGEST_CHAIN),
        None => ["Organization/", "Location/"]
            .iter()
            .any(|kind| reference.contains(kind))
            .then(|| naming.site(None, Some(reference.to_owned()))),
    }
}

fn site_within(
    pool: &Pool<'_>,
    reference: Node<'_>,
    from: usize,
    naming: &Naming<'_>,
    steps_left: u8,
) -> Option<Site> {
    let display = word(reference, "display").map(String::from);
    if let Some(place) = pool.follow(reference, from) {
        return site_at(pool, place, naming, display, steps_left);
    }
    let npi = by_identifier(reference);
    let is_named = npi.is_some() || display.is_some() || reference.get("reference").is_some();
    is_named.then(|| naming.site(npi, display))
}

fn site_at(
    pool: &Pool<'_>,
    place: usize,
    naming: &Naming<'_>,
    display: Option<String>,
    steps_left: u8,
) -> Option<Site> {
    let further =
        |owner: Node<'_>| site_within(pool, owner, place, naming, steps_left.checked_sub(1)?);
    let entry = pool.entry(place)?;
    let node = entry.node;
    let name = word(node, "name").map(String::from).or(display);
    let is_closed = matches!(node.text_of("status").as_deref(), Some("inactive" | "suspended"));
    if is_inactive(node) || is_closed {
        return Some(naming.site(None, name));
    }
    match &*entry.kind {
        "Organization" => Some(naming.site(npi(node), name)),
        "Location" => {
            let number = npi(node);
            let owner = || node.get("managingOrganization").and_then(further);
            let owner = if number.is_some() { None } else { owner() };
            Some(owner.unwrap_or_else(|| naming.site(number, name)))
        }
        "PractitionerRole" => further(node.get("organization")?),
        _ => None,
    }
}
