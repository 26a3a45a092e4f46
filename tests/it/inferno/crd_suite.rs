//! The flow of Inferno's server suite for CRD 2.0.1, assertion by assertion (crd.md 6.1 to 6.3),
//! with the bodies and the policy of `fixtures/inferno` (docs/how-to/inferno.md).
//!
//! The letters are those of crd.md 6.2. What HL7's validator says of bodies and answers,
//! `validator` asks. The version 2.2 is asked the same: its suite is not released.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use priorauth::fhir::{Document, Rules};
use priorauth::terms::Npi;
use serde_json::{Value, json};

use crate::harness::{FHIR_JSON, Server, extensions, fixture, json as parsed, objects, repository};

const VERSIONS: [&str; 2] = ["2.0", "2.2"];
/// Each group, and the response types that its bodies show, as the page promises.
const GROUPS: [(&str, &[Type]); 6] = [
    (
        "order-sign",
        &[
            Type::ExternalReference,
            Type::SmartApp,
            Type::Instructions,
            Type::CoverageInformation,
            Type::AlternateRequest,
            Type::AdditionalOrders,
            Type::Form,
        ],
    ),
    (
        "order-select",
        &[
            Type::ExternalReference,
            Type::SmartApp,
            Type::Instructions,
            Type::CoverageInformation,
            Type::AlternateRequest,
            Type::AdditionalOrders,
            Type::Form,
        ],
    ),
    (
        "order-dispatch",
        &[Type::ExternalReference, Type::SmartApp, Type::Instructions, Type::CoverageInformation],
    ),
    (
        "appointment-book",
        &[
            Type::ExternalReference,
            Type::SmartApp,
            Type::Instructions,
            Type::CoverageInformation,
            Type::Form,
            Type::Coverage,
        ],
    ),
    ("encounter-start", &[]),
    ("encounter-discharge", &[]),
];

/// What the suite takes a card or an action for; the first that fits counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Type {
    AdditionalOrders,
    Coverage,
    ExternalReference,
    Form,
    Instructions,
    SmartApp,
    AlternateRequest,
    CoverageInformation,
}

/// The bodies of one input: the file holds one, or an array of them.
fn bodies(folder: &str, hook: &str) -> Vec<Value> {
    let path = repository().join(format!("fixtures/inferno/{folder}/{hook}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    match parsed(&text) {
        Value::Array(bodies) => bodies,
        body => vec![body],
    }
}

/// The server of the how-to page.
fn sandbox() -> Server {
    let folder = repository().join("fixtures/inferno");
    let text = fs::read_to_string(folder.join("crd-server.toml")).unwrap();
    let whole = text.replace("\"crd-profiles\"", &format!("{:?}", folder.join("crd-profiles")));
    assert_ne!(text, whole);
    Server::configured(|_| whole)
}

fn fire(server: &Server, version: &str, body: &Value) -> Value {
    server.fire(version, body["hook"].as_str().unwrap(), body.to_string()).good()
}

fn list<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    value[name].as_array().into_iter().flatten().collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    let text = value[name].as_str().unwrap_or_else(|| panic!("no text `{name}`: {value:#}"));
    assert!(!text.is_empty(), "{name}: {value:#}");
    text
}

fn is_reference(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty())
}

/// b, c and d: what is asked of a tester's body.
fn check_body(hook: &str, body: &Value) {
    assert_eq!(body["hook"], hook);
    assert!(uuid::Uuid::parse_str(text(body, "hookInstance")).is_ok());
    assert!(text(body, "fhirServer").starts_with("https://"));
    assert!(body["prefetch"].as_object().is_some_and(|it| !it.is_empty()));
    let context = &body["context"];
    for id in ["patientId", "encounterId"] {
        assert!(context.get(id).is_none() || !text(context, id).contains('/'), "{hook}");
    }
    let needed: &[&str] = match hook {
        "order-dispatch" => &["patientId", "order", "performer"],
        "encounter-start" | "encounter-discharge" => &["patientId", "userId", "encounterId"],
        _ => &["patientId", "userId"],
    };
    for name in needed {
        let is_bare = ["patientId", "encounterId"].contains(name);
        assert!(is_bare || is_reference(text(context, name)), "{hook} {name}");
    }
    let drafts: Vec<&Value> = list(&context["draftOrders"], "entry");
    assert_eq!(!drafts.is_empty(), hook == "order-sign" || hook == "order-select");
    for draft in &drafts {
        assert_eq!(draft["resource"]["status"], "draft");
        text(&draft["resource"], "id");
    }
    for selected in list(context, "selections") {
        assert!(drafts.iter().any(|it| name_of(&it["resource"]) == *selected), "{selected}");
    }
    let appointments = list(&context["appointments"], "entry");
    assert_eq!(!appointments.is_empty(), hook == "appointment-book");
    for appointment in appointments {
        assert_eq!(appointment["resource"]["status"], "proposed");
    }
}

fn name_of(resource: &Value) -> String {
    format!("{}/{}", text(resource, "resourceType"), text(resource, "id"))
}

/// e and f: what holds of every answer.
fn check_answer(version: &str, hook: &str, answer: &Value) {
    for card in answer["cards"].as_array().unwrap() {
        assert!(text(card, "summary").chars().count() < 140);
        assert!(["info", "warning", "critical"].contains(&text(card, "indicator")));
        text(&card["source"], "label");
        let topic = &card["source"]["topic"];
        assert!(!text(topic, "code").is_empty() && !text(topic, "system").is_empty());
        for part in ["links", "suggestions", "overrideReasons"] {
            assert!(card.get(part).is_none() || !list(card, part).is_empty(), "{card:#}");
        }
        for link in list(card, "links") {
            assert!(text(link, "url").starts_with("http") && !text(link, "label").is_empty());
            let is_smart = text(link, "type") == "smart";
            assert!(is_smart || link["type"] == "absolute" && link.get("appContext").is_none());
        }
        if card.get("suggestions").is_some() {
            let behavior = text(card, "selectionBehavior");
            assert!(["any", "at-most-one"].contains(&behavior));
        }
        for suggestion in list(card, "suggestions") {
            text(suggestion, "label");
            // A suggestion without actions makes the suite stop.
            assert!(!list(suggestion, "actions").is_empty(), "{card:#}");
            list(suggestion, "actions").into_iter().for_each(check_action);
        }
        for reason in list(card, "overrideReasons") {
            for part in ["code", "system", "display"] {
                text(reason, part);
            }
        }
    }
    let is_primary = ["order-sign", "order-dispatch", "appointment-book"].contains(&hook);
    if is_primary || version == "2.0" {
        assert!(answer["systemActions"].is_array(), "{hook}");
    }
    list(answer, "systemActions").into_iter().for_each(check_action);
}

fn check_action(action: &Value) {
    text(action, "description");
    match text(action, "type") {
        "create" | "update" => {
            text(&action["resource"], "resourceType");
            assert!(
                Document::parse(action["resource"].to_string().as_bytes(), Rules::Fhir).is_ok()
            );
        }
        "delete" => assert!(is_reference(text(action, "resourceId"))),
        other => panic!("{other}"),
    }
}

/// What the suite takes a card for (crd.md 6.2 g to o).
fn card_type(card: &Value) -> Type {
    let (links, suggestions) = (list(card, "links"), list(card, "suggestions"));
    let actions: Vec<&Value> =
        suggestions.iter().flat_map(|suggestion| list(suggestion, "actions")).collect();
    let creates = |action: &Value, kinds: &[&str]| {
        action["type"] == "create" && kinds.contains(&text(&action["resource"], "resourceType"))
    };
    let orders = ["MedicationRequest", "ServiceRequest", "DeviceRequest"];
    if !actions.is_empty() {
        assert!(links.is_empty(), "links and suggestions make a card of no type: {card:#}");
        return match actions[..] {
            [only] if only["resource"]["resourceType"] == "Coverage" => Type::Coverage,
            [only] if creates(only, &["Task"]) => {
                check_task(&only["resource"]);
                Type::Form
            }
            _ if actions.iter().all(|it| creates(it, &orders)) => Type::AdditionalOrders,
            _ => Type::AlternateRequest,
        };
    }
    let all = |kind: &str| !links.is_empty() && links.iter().all(|link| link["type"] == kind);
    match (links.is_empty(), all("absolute"), all("smart")) {
        (true, _, _) => Type::Instructions,
        (_, true, _) => Type::ExternalReference,
        (_, _, true) => Type::SmartApp,
        _ => panic!("a card of two types: {card:#}"),
    }
}

/// n
fn check_task(task: &Value) {
    let code = &task["code"]["coding"][0]["code"];
    assert_eq!(code, "complete-questionnaire");
    let inputs = list(task, "input");
    let form = inputs.iter().find(|it| it["type"]["text"] == "questionnaire").unwrap();
    assert!(text(form, "valueCanonical").starts_with("https://"));
}

/// l: what is changed or deleted is a draft, and what is deleted is replaced by its like.
fn check_alternate(body: &Value, card: &Value) {
    let drafts = list(&body["context"]["draftOrders"], "entry");
    let drafts: Vec<String> = drafts.iter().map(|it| name_of(&it["resource"])).collect();
    for suggestion in list(card, "suggestions") {
        let actions = list(suggestion, "actions");
        for action in &actions {
            match text(action, "type") {
                "update" => assert!(drafts.contains(&name_of(&action["resource"])), "{action}"),
                "delete" => {
                    let gone = text(action, "resourceId");
                    assert!(drafts.iter().any(|it| it == gone), "{gone}");
                    let kind = gone.split('/').next().unwrap();
                    let likes = actions.iter().filter(|it| it["type"] == "create");
                    assert_eq!(
                        likes.filter(|it| it["resource"]["resourceType"] == kind).count(),
                        1
                    );
                }
                _ => {}
            }
        }
    }
}

/// j and k: the coverage information of an action, whose resource is one that the group counts.
fn check_statements(hook: &str, action: &Value) {
    assert_eq!(action["type"], "update");
    let kind = text(&action["resource"], "resourceType");
    let counted: &[&str] = match hook {
        "appointment-book" => &["Appointment"],
        _ => &["DeviceRequest", "MedicationRequest", "ServiceRequest"],
    };
    assert!(counted.contains(&kind), "{hook}: {kind}");
    let statements = extensions(&action["resource"], "/ext-coverage-information");
    assert!(!statements.is_empty());
    let (mut coverages, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for statement in &statements {
        let part = |name: &str| extensions(statement, name)[0].clone();
        coverages.insert(part("coverage")["valueReference"]["reference"].to_string());
        ids.insert(text(&part("coverage-assertion-id"), "valueString").to_owned());
        assert!(extensions(statement, "satisfied-pa-id").len() <= 1);
    }
    assert_eq!(coverages.len(), statements.len(), "one statement for each coverage");
    assert_eq!(ids.len(), statements.len(), "each with an id of its own");
}

/// The response types that the bodies of a group show in their answers.
fn shown(server: &Server, version: &str, folder: &str, hook: &str) -> BTreeSet<Type> {
    let mut shown = BTreeSet::new();
    for body in bodies(folder, hook) {
        let answer = fire(server, version, &body);
        check_answer(version, hook, &answer);
        for card in list(&answer, "cards") {
            let found = card_type(card);
            if found == Type::AlternateRequest {
                check_alternate(&body, card);
            }
            shown.insert(found);
        }
        for action in list(&answer, "systemActions") {
            if folder == "crd-2.0.1" {
                check_statements(hook, action);
            }
            shown.insert(Type::CoverageInformation);
        }
    }
    shown
}

// Groups 2, 3 and 3.7: the required tests of the last one are g, i and k.
#[test]
fn each_group_of_the_crd_suite_shows_the_response_types_that_the_page_promises() {
    let server = sandbox();
    for version in VERSIONS {
        for (hook, promised) in GROUPS {
            for body in bodies("crd-2.0.1", hook) {
                check_body(hook, &body);
            }
            let promised: BTreeSet<Type> = promised.iter().copied().collect();
            assert_eq!(shown(&server, version, "crd-2.0.1", hook), promised, "{version} {hook}");
        }
    }
    for (hook, further) in [("order-dispatch", None), ("appointment-book", Some(Type::Coverage))] {
        let mut promised = BTreeSet::from([
            Type::ExternalReference,
            Type::SmartApp,
            Type::Instructions,
            Type::CoverageInformation,
        ]);
        promised.extend(further);
        assert_eq!(shown(&server, "2.2", "crd-2.2", hook), promised, "{hook}");
    }
}

/// Code of a part of every statement of an answer: `covered/pa-needed doc-needed info-needed`.
fn said(answer: &Value) -> Vec<String> {
    let actions = list(answer, "systemActions");
    let statements =
        actions.iter().flat_map(|it| extensions(&it["resource"], "/ext-coverage-information"));
    let codes = |statement: &Value, name: &str| {
        let parts = extensions(statement, name);
        parts.iter().map(|it| format!("{name}={}", text(it, "valueCode"))).collect::<Vec<_>>()
    };
    let names = ["covered", "pa-needed", "doc-needed", "info-needed"];
    statements
        .map(|it| names.iter().flat_map(|name| codes(it, name)).collect::<Vec<_>>().join(" "))
        .collect()
}

// crd.md 6.4, rows 2 to 5 and 9 to 11.
#[test]
fn the_bodies_of_the_crd_suite_are_answered_as_the_page_says() {
    let server = sandbox();
    let wanted = "covered=covered pa-needed=auth-needed doc-needed=clinical";
    let elsewhere = "covered=conditional pa-needed=auth-needed info-needed=performer \
                     info-needed=location";
    for version in VERSIONS {
        let [several, twice, proven] = &bodies("crd-2.0.1", "order-sign")[..] else {
            panic!("three bodies")
        };
        let answer = fire(&server, version, several);
        let of_plan = "covered=conditional pa-needed=conditional info-needed=OTH";
        assert_eq!(said(&answer), [wanted, "covered=covered pa-needed=no-auth", of_plan]);
        let form =
            "https://payer.priorauth.test/fhir/Questionnaire/sandbox-cell-therapy|2026-01-01";
        let asked = extensions(&answer["systemActions"][0]["resource"], "information");
        let canonical = &extensions(asked[0], "questionnaire")[0]["valueCanonical"];
        assert_eq!(canonical, form);
        assert_eq!(said(&fire(&server, version, twice)), [elsewhere, elsewhere]);
        let needed = "covered=covered pa-needed=auth-needed";
        assert_eq!(said(&fire(&server, version, proven)), [needed]);

        let of = |folder, hook| said(&fire(&server, version, &bodies(folder, hook)[0]));
        // A secondary hook asks for no document.
        assert_eq!(of("crd-2.0.1", "order-select"), [needed]);
        let place = "covered=conditional pa-needed=auth-needed info-needed=location";
        for folder in ["crd-2.0.1", "crd-2.2"] {
            assert_eq!(of(folder, "order-dispatch"), [place], "{version} {folder}");
        }
        let booked = "covered=conditional pa-needed=auth-needed doc-needed=clinical \
                      info-needed=performer info-needed=location";
        assert_eq!(of("crd-2.0.1", "appointment-book"), [booked]);
        assert_eq!(of("crd-2.2", "appointment-book"), [elsewhere]);
        for hook in ["encounter-start", "encounter-discharge"] {
            let answer = fire(&server, version, &bodies("crd-2.0.1", hook)[0]);
            assert_eq!(answer["cards"], json!([]), "{version} {hook}");
        }
    }
}

#[test]
fn an_authorization_on_file_gives_the_visits_of_the_crd_suite_something_to_say() {
    let server = sandbox();
    let filed = server.post("/pas/2.2.1/Claim/$submit", FHIR_JSON, fixture("pas/approve-all-met"));
    filed.good();
    let number = server.texts("SELECT number FROM issued_number").remove(0);
    assert!(filed.text.contains(&number));
    for version in VERSIONS {
        for hook in ["encounter-start", "encounter-discharge"] {
            let answer = fire(&server, version, &bodies("crd-2.0.1", hook)[0]);
            check_answer(version, hook, &answer);
            let types: Vec<Type> = list(&answer, "cards").into_iter().map(card_type).collect();
            assert_eq!(types, [Type::Instructions], "{version} {hook}");
            assert!(answer["cards"].to_string().contains(&number));
        }
        let answer = fire(&server, version, &bodies("crd-2.0.1", "order-sign")[2]);
        assert_eq!(said(&answer), ["covered=covered pa-needed=satisfied"], "{version}");
        assert!(answer["systemActions"].to_string().contains(&number));
    }
}

#[test]
fn the_bodies_of_the_crd_suite_are_sound_and_name_nobody_real() {
    for (folder, hook) in every_body() {
        for body in bodies(folder, hook) {
            let faults = Document::parse(body.to_string().as_bytes(), Rules::Fhir).err();
            assert!(faults.is_none(), "{hook}: {faults:?}");
            assert!(!body.to_string().contains("example."), "{hook}");
            let there: BTreeSet<String> = resources(&body).into_iter().map(name_of).collect();
            for object in objects(&body) {
                if let Some(reference) = object.get("reference").and_then(Value::as_str) {
                    assert!(there.contains(reference), "{folder} {hook}: {reference}");
                }
                if object.get("system") == Some(&json!(Npi::SYSTEM)) {
                    assert!(Npi::parse(text(object, "value")).is_ok(), "{hook}");
                }
            }
        }
    }
}

fn every_body() -> Vec<(&'static str, &'static str)> {
    let old = GROUPS.map(|(hook, _)| ("crd-2.0.1", hook));
    old.into_iter()
        .chain(["order-dispatch", "appointment-book"].map(|it| ("crd-2.2", it)))
        .collect()
}

/// The resources of a body, those of its Bundles too.
fn resources(body: &Value) -> Vec<&Value> {
    let all = objects(body).into_iter().filter(|it| it.get("resourceType").is_some());
    all.filter(|it| it["resourceType"] != "Bundle").collect()
}

/// The resources of the bodies, and those that answers to them return and propose, each with the
/// guide that judges it.
pub(crate) fn judged() -> Vec<(&'static str, String, String)> {
    let server = sandbox();
    // People and places are the same in most bodies.
    let mut judged = BTreeMap::new();
    for (folder, hook) in every_body() {
        let (version, guide) =
            if folder == "crd-2.2" { ("2.2", "crd-2.2.0") } else { ("2.0", "crd-2.0.1") };
        for body in bodies(folder, hook) {
            for sent in resources(&body) {
                judged.insert((guide, sent.to_string()), format!("{hook}: {}", name_of(sent)));
            }
            let answer = fire(&server, version, &body);
            let actions = objects(&answer).into_iter().filter(|it| it.get("description").is_some());
            for resource in actions.filter_map(|it| it.get("resource")) {
                let name = format!("{hook} answers {}", text(resource, "resourceType"));
                judged.insert((guide, with_profile(resource.clone()).to_string()), name);
            }
        }
    }
    assert!(judged.len() > 40, "{}", judged.len());
    judged.into_iter().map(|((guide, resource), name)| (guide, name, resource)).collect()
}

/// The suite judges by the profile of the type, whatever the resource says of itself.
fn with_profile(mut resource: Value) -> Value {
    let kind = text(&resource, "resourceType").to_lowercase();
    let profile = if kind == "task" { "taskquestionnaire" } else { &kind };
    let url = format!("http://hl7.org/fhir/us/davinci-crd/StructureDefinition/profile-{profile}");
    resource["meta"]["profile"] = json!([url]);
    resource
}
