//! The prefetch templates of each hook: what a service would like to be sent.
//!
//! What the policies read, and in 2.0 everything, is asked for with patient, user, encounter and
//! date tokens, so that every client can fill them, by searches that work by `POST _search`
//! (rulings 38).
//! In 2.2 the guide's own templates stand beside them, which a server has to write that way
//! (CRD 2.2.1 found-29); a client that cannot follow their paths leaves those keys out.

use super::Hook;
use crate::ig::CrdVersion;
use crate::policy::Shelf;
use crate::terms::{Coding, System};

/// How many codes one template asks for; a URL has an end.
const MOST_CODES: usize = 40;
const PATIENT: &str = "{{context.patientId}}";

/// Key and template of everything that the service of a hook would like to be sent; they ask for
/// the Observations that the policies on the shelf read.
#[must_use]
pub fn templates(hook: Hook, version: CrdVersion, shelf: &Shelf) -> Vec<(String, String)> {
    let mut templates = basic(hook, version);
    match version {
        CrdVersion::V2_0 => {}
        CrdVersion::V2_2 => templates.extend(standard(hook)),
    }
    if !hook.is_of_encounter() {
        templates.extend(clinical(hook, version, shelf));
    }
    templates.into_iter().map(|(key, template)| (key.to_owned(), template)).collect()
}

/// What every client can fill in. Coverage is the one thing that no answer can do without
/// (crd.md 3.8).
fn basic(hook: Hook, version: CrdVersion) -> Vec<(&'static str, String)> {
    let mut templates = vec![
        ("patient", format!("Patient/{PATIENT}")),
        ("coverage", format!("Coverage?patient={PATIENT}&status=active")),
    ];
    if version == CrdVersion::V2_2 || hook.is_of_encounter() {
        templates.push(("encounter", "Encounter/{{context.encounterId}}".to_owned()));
    }
    // Nothing else names the one order of order-dispatch 1.0 (crd.md 3.7).
    if version == CrdVersion::V2_0 && hook == Hook::OrderDispatch {
        templates.push(("order", "{{context.order}}".to_owned()));
        templates.push(("performer", "{{context.performer}}".to_owned()));
    }
    templates
}

/// What the policies read of the patient's records and of the prescriber.
fn clinical(hook: Hook, version: CrdVersion, shelf: &Shelf) -> Vec<(&'static str, String)> {
    let of_patient = |resource: &str| format!("{resource}?patient={PATIENT}");
    // The guide's templates have taken two of the keys.
    let (roles, medications) = match version {
        CrdVersion::V2_0 => ("practitionerRoles", "medicationRequests"),
        CrdVersion::V2_2 => ("userRoles", "medicationHistory"),
    };
    let mut templates = Vec::new();
    // order-dispatch does not say who the user is.
    if hook != Hook::OrderDispatch {
        // rulings 38: never the bare token
        templates.push(("practitioner", "Practitioner/{{userPractitionerId}}".to_owned()));
        templates.push((roles, "PractitionerRole?practitioner={{userPractitionerId}}".to_owned()));
    }
    templates.extend([
        ("conditions", of_patient("Condition")),
        (medications, of_patient("MedicationRequest")),
        ("medicationStatements", of_patient("MedicationStatement")),
        ("medicationAdministrations", of_patient("MedicationAdministration")),
        ("allergies", of_patient("AllergyIntolerance")),
        ("procedures", of_patient("Procedure")),
    ]);
    let codes = observation_codes(shelf);
    if !codes.is_empty() {
        templates.push(("observations", format!("Observation?patient={PATIENT}&code={codes}")));
    }
    templates
}

fn observation_codes(shelf: &Shelf) -> String {
    let mut codes: Vec<Coding> = shelf
        .observation_codes()
        .into_iter()
        .filter(|coding| coding.system == System::Loinc)
        .collect();
    codes.sort();
    codes.dedup();
    let codes = codes.iter().take(MOST_CODES);
    let codes: Vec<String> =
        codes.map(|coding| format!("{}|{}", coding.system.uri(), coding.code)).collect();
    codes.join(",")
}

/// The guide's templates beside `patient`, `coverage` and `encounter` (CRD 2.2.1, `CRDServices`;
/// crd.md 3.7). A key may use those before it.
fn standard(hook: Hook) -> Vec<(&'static str, String)> {
    match hook {
        Hook::OrderSign | Hook::OrderSelect => of_drafts(),
        Hook::OrderDispatch => of_dispatched(),
        Hook::AppointmentBook => of_appointments(),
        Hook::EncounterStart | Hook::EncounterDischarge => of_encounter(),
    }
}

const PARTICIPANT: &str = "%encounter.participant.individual.resolve()";
const ROLE_PERSON: &str = "%practitionerRoles.entry.resource.practitioner.resolve().id";
const ROLE_ORGANIZATION: &str = "%practitionerRoles.entry.resource.organization.resolve().id";
const ROLE_LOCATION: &str = "%practitionerRoles.entry.resource.location.resolve().id";
const ENCOUNTER_ORGANIZATION: &str = "%encounter.serviceProvider.resolve().ofType(Organization).id";
const ENCOUNTER_LOCATION: &str = "%encounter.location.location.resolve().id";

/// A search for the resources of one type to which any of these paths leads.
fn by_id(kind: &str, paths: &[String]) -> String {
    format!("{kind}?_id={{{{{}}}}}", paths.join("|"))
}

/// What of type `kind` the references at `paths` lead to.
fn of_type(kind: &str, paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| format!("{path}.ofType({kind}).id")).collect()
}

/// The references of the elements `names` of the orders at `path`.
fn references(path: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{path}.entry.resource.{name}.resolve()")).collect()
}

/// Roles and practitioners to which the encounter and `paths` lead.
fn people(paths: &[String]) -> [(&'static str, String); 2] {
    let all: Vec<String> =
        std::iter::once(PARTICIPANT.to_owned()).chain(paths.iter().cloned()).collect();
    let mut persons = vec![ROLE_PERSON.to_owned()];
    persons.extend(of_type("Practitioner", &all));
    [
        ("practitionerRoles", by_id("PractitionerRole", &of_type("PractitionerRole", &all))),
        ("practitioners", by_id("Practitioner", &persons)),
    ]
}

/// Organizations and locations to which roles, encounter and `paths` lead.
fn places(organizations: &[String], locations: &[String]) -> [(&'static str, String); 2] {
    let with = |first: [&str; 2], more: &[String]| -> Vec<String> {
        first.into_iter().map(str::to_owned).chain(more.iter().cloned()).collect()
    };
    let organizations = with([ROLE_ORGANIZATION, ENCOUNTER_ORGANIZATION], organizations);
    let locations = with([ROLE_LOCATION, ENCOUNTER_LOCATION], locations);
    [
        ("organizations", by_id("Organization", &organizations)),
        ("locations", by_id("Location", &locations)),
    ]
}

fn of_drafts() -> Vec<(&'static str, String)> {
    const DRAFTS: &str = "context.draftOrders";
    let path = |name: &str| format!("{DRAFTS}.entry.resource.{name}");
    let people_of = ["sender", "recipient", "requester", "performer", "orderer", "prescriber"];
    let mut organizations = vec![path("dispenseRequest.performer.resolve().id")];
    let named = references(DRAFTS, &["sender", "recipient", "performer"]);
    organizations.extend(of_type("Organization", &named));
    let mut templates = vec![
        ("devices", by_id("Device", &[path("ofType(DeviceRequest).code.resolve().id")])),
        (
            "medications",
            by_id("Medication", &[path("ofType(MedicationRequest).medication.resolve().id")]),
        ),
    ];
    templates.extend(people(&references(DRAFTS, &people_of)));
    templates.extend(places(&organizations, &[path("locationReference.resolve().id")]));
    templates
}

fn of_dispatched() -> Vec<(&'static str, String)> {
    let orders = [
        ("communicationRequests", "CommunicationRequest"),
        ("deviceRequests", "DeviceRequest"),
        ("medicationRequests", "MedicationRequest"),
        ("nutritionOrders", "NutritionOrder"),
        ("serviceRequests", "ServiceRequest"),
        ("visionPrescriptions", "VisionPrescription"),
    ];
    let named = |kind: &str| format!("context.dispatchedOrders.resolve().ofType({kind}).id");
    let mut templates: Vec<(&'static str, String)> =
        orders.iter().map(|(key, kind)| (*key, by_id(kind, &[named(kind)]))).collect();
    templates.extend(products());
    let mut persons = references("%communicationRequests", &["sender", "recipient", "requester"]);
    for orders in ["%deviceRequests", "%medicationRequests", "%serviceRequests"] {
        persons.extend(references(orders, &["performer", "requester"]));
    }
    persons.extend(references("%nutritionOrders", &["orderer"]));
    persons.extend(references("%visionPrescriptions", &["prescriber"]));
    templates.extend(people(&persons));
    let mut organizations =
        of_type("Organization", &references("%communicationRequests", &["recipient", "sender"]));
    organizations.push(
        "%medicationRequests.entry.resource.dispenseRequest.performer.resolve().id".to_owned(),
    );
    organizations.extend(of_type("Organization", &references("%serviceRequests", &["performer"])));
    let location = "%serviceRequests.entry.resource.locationReference.resolve().id".to_owned();
    templates.extend(places(&organizations, &[location]));
    templates
}

/// Devices and medications of the orders that are prefetched.
fn products() -> [(&'static str, String); 2] {
    let device = "%deviceRequests.entry.resource.code.resolve().id".to_owned();
    let medication = "%medicationRequests.entry.resource.medication.resolve().id".to_owned();
    [("devices", by_id("Device", &[device])), ("medications", by_id("Medication", &[medication]))]
}

fn of_appointments() -> Vec<(&'static str, String)> {
    const BASED_ON: &str = "context.appointments.entry.resource.basedOn";
    const ALTERNATE: &str =
        "extension('http://hl7.org/fhir/StructureDefinition/alternate-reference').value";
    let alternate =
        |kind: &str| by_id(kind, &[format!("{BASED_ON}.{ALTERNATE}.resolve().ofType({kind}).id")]);
    let own = format!("{BASED_ON}.resolve().ofType(ServiceRequest).id");
    let mut templates = vec![
        ("deviceRequests", alternate("DeviceRequest")),
        ("serviceRequests", by_id("ServiceRequest", &[own])),
        ("medicationRequests", alternate("MedicationRequest")),
    ];
    templates.extend(products());
    let mut persons = references("context.appointments", &["participant.actor"]);
    for orders in ["%deviceRequests", "%medicationRequests", "%serviceRequests"] {
        persons.extend(references(orders, &["performer", "requester"]));
    }
    templates.extend(people(&persons));
    let mut named = references("%medicationRequests", &["dispenseRequest.performer"]);
    named.extend(references("%serviceRequests", &["performer"]));
    let mut locations = references("context.appointments", &["participant.actor"]);
    locations.extend(references("%serviceRequests", &["locationReference"]));
    templates.extend(places(&of_type("Organization", &named), &of_type("Location", &locations)));
    templates
}

fn of_encounter() -> Vec<(&'static str, String)> {
    let mut templates = Vec::from(people(&[]));
    templates.extend(places(&[], &[]));
    templates
}
