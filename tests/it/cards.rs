//! The cards that a policy declares, over HTTP, and what becomes of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::{code, err, out, run};
use crate::harness::{Answer, Server, fixture, json, repository};

const VERSIONS: [&str; 2] = ["2.0", "2.2"];
const UNKNOWN_BRAF: &str = "crd/pend-braf-unknown";
const EDITION: &str = "policies/amtagvi/2026-01-01";
const QUESTIONNAIRE: &str = "https://payer.priorauth.test/fhir/Questionnaire/amtagvi|2026-01-01";

/// One card of each kind that `order-sign` may show, beside the policy's own.
pub(crate) const CARDS: &str = r#"
[[card]]
id = "page"
summary = "Centers that give the product"
[card.shows]
kind = "external-reference"
label = "List of centers"
url = "https://payer.priorauth.test/centers"

[[card]]
id = "words"
summary = "Call before a stay"
detail = "Please call *before* the stay."
[card.when]
clause = "6"
truth = "met"
[card.shows]
kind = "instructions"

[[card]]
id = "app"
summary = "Check the dose"
[card.shows]
kind = "smart-app"
label = "Dose checker"
url = "https://apps.payer.priorauth.test/launch"
context = "{\"dose\": 1}"

[[card]]
id = "form"
summary = "A form of the plan is to be filled in"
[card.shows]
kind = "form"
label = "Add the form to your tasks"
questionnaire = "https://payer.priorauth.test/fhir/Questionnaire/amtagvi|2026-01-01"

[[card]]
id = "dose"
summary = "One infusion is covered"
[card.shows]
kind = "alternate-request"
label = "Ask for one infusion"
by = "update"
is_required = false
change = "one-infusion.json"

[[card]]
id = "other"
summary = "Nivolumab has to be tried first"
[card.shows]
kind = "alternate-request"
label = "Order nivolumab instead"
by = "replacement"
is_required = true
change = "nivolumab.json"

[[card]]
id = "coverage"
summary = "The plan has another class on file"
[card.shows]
kind = "coverage-update"
label = "Correct the coverage"
change = "coverage.json"
"#;

const FILES: [(&str, &str); 3] = [
    (
        "one-infusion.json",
        r#"{"resourceType":"MedicationRequest","dosageInstruction":[{"text":"One infusion"}]}"#,
    ),
    (
        "nivolumab.json",
        r#"{"resourceType":"MedicationRequest","medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"1597876"}],"text":"nivolumab"}}"#,
    ),
    ("coverage.json", r#"{"resourceType":"Coverage","dependent":"01"}"#),
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The profiles with more cards in the edition of Amtagvi, in a folder of their own.
pub(crate) fn write_profiles(folder: &Path, more: &str) {
    copy(&repository().join("profiles"), folder);
    let edition = folder.join(EDITION);
    let file = edition.join("policy.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{text}\n{more}")).unwrap();
    for (name, text) in FILES {
        fs::write(edition.join("cards").join(name), text).unwrap();
    }
}

/// A server whose policy declares a card of each kind.
pub(crate) fn with_cards() -> Server {
    Server::configured(|folder| {
        write_profiles(&folder.join("rules"), CARDS);
        "profiles = \"rules\"\n".to_owned()
    })
}

/// The card with this summary.
fn card<'a>(answer: &'a Value, summary: &str) -> &'a Value {
    let cards = answer["cards"].as_array().unwrap();
    let found = cards.iter().find(|it| it["summary"].as_str().unwrap().contains(summary));
    found.unwrap_or_else(|| panic!("no card `{summary}`: {answer:#}"))
}

fn summaries(answer: &Value) -> Vec<&str> {
    answer["cards"].as_array().unwrap().iter().map(|it| it["summary"].as_str().unwrap()).collect()
}

/// What holds of every card (crd.md 3.5, 6.2 e and f).
fn check(version: &str, answer: &Value) {
    for card in answer["cards"].as_array().unwrap() {
        let topic = &card["source"]["topic"];
        let system = match version {
            "2.0" => "http://hl7.org/fhir/us/davinci-crd/CodeSystem/temp",
            _ => "http://terminology.hl7.org/CodeSystem/cdshooks-card-type",
        };
        assert_eq!(topic["system"], system, "{card}");
        let orders = &card["extension"]["davinci-crd.associated-resource"];
        let reference = if version == "2.0" { &orders[0] } else { &orders[0]["reference"] };
        assert_eq!(reference, "MedicationRequest/order-1102", "{card}");
        for list in ["links", "suggestions", "overrideReasons"] {
            assert!(card.get(list).is_none_or(|it| it.as_array().is_some_and(|it| !it.is_empty())));
        }
        let Some(suggestions) = card["suggestions"].as_array() else {
            assert!(
                card.get("selectionBehavior").is_none() && card.get("overrideReasons").is_none()
            );
            continue;
        };
        assert!(card.get("links").is_none());
        assert_eq!(card["selectionBehavior"], "any");
        for reason in card["overrideReasons"].as_array().unwrap() {
            for part in ["system", "code", "display"] {
                assert!(!reason[part].as_str().unwrap().is_empty(), "{reason}");
            }
        }
        for suggestion in suggestions {
            assert!(uuid::Uuid::parse_str(suggestion["uuid"].as_str().unwrap()).is_ok());
            let actions = suggestion["actions"].as_array().unwrap();
            assert!(!actions.is_empty());
            for action in actions {
                assert!(!action["description"].as_str().unwrap().is_empty());
                assert_eq!(action["type"] == "delete", action.get("resource").is_none());
            }
        }
    }
}

fn order(story: &str) -> Value {
    json(&fixture(story))["context"]["draftOrders"]["entry"][0]["resource"].clone()
}

#[test]
fn a_test_that_no_record_has_is_proposed_as_an_order() {
    let server = Server::start();
    for version in VERSIONS {
        let answer = server.sign(version, fixture(UNKNOWN_BRAF)).good();
        check(version, &answer);
        let card = card(&answer, "BRAF");
        assert_eq!(card["source"]["topic"]["code"], "clinical-reminder");
        let action = &card["suggestions"][0]["actions"][0];
        assert_eq!(action["type"], "create");
        let proposed = &action["resource"];
        assert_eq!(proposed["resourceType"], "ServiceRequest");
        assert_eq!(proposed["status"], "draft");
        assert_eq!(proposed["subject"]["reference"], "Patient/pat-1102");
        assert_eq!(proposed["requester"]["reference"], "Practitioner/onc-dr-vale");
        assert_eq!(proposed["insurance"][0]["reference"], "Coverage/cov-1102");
        assert_eq!(proposed["code"]["coding"][0]["code"], "53844-7");
        assert!(proposed.get("id").is_none());
        // Once it is among the orders, it is not proposed again.
        let mut both = json(&fixture(UNKNOWN_BRAF));
        let mut ordered = proposed.clone();
        ordered["id"] = json!("order-braf");
        let entries = both["context"]["draftOrders"]["entry"].as_array_mut().unwrap();
        entries.push(json!({ "resource": ordered }));
        let answer = server.sign(version, both.to_string()).good();
        assert!(!summaries(&answer).iter().any(|it| it.contains("BRAF")), "{answer:#}");
    }
}

#[test]
fn the_test_is_not_proposed_where_a_result_is_there_or_nobody_orders() {
    let server = Server::start();
    for story in ["crd/approve-all-met", "crd/pend-pd1-no-outcome", "crd/review-in-situ-only"] {
        let answer = server.sign("2.2", fixture(story)).good();
        assert!(!summaries(&answer).iter().any(|it| it.contains("BRAF V600")), "{story}");
    }
    // What could not be read may hold the result.
    let mut unread = json(&fixture(UNKNOWN_BRAF));
    unread["prefetch"]["observations"] = json!({"resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "exception"}]});
    let answer = server.sign("2.2", unread.to_string()).good();
    assert!(!summaries(&answer).iter().any(|it| it.contains("BRAF V600")), "{answer:#}");
    // Results that contradict each other are results: which one holds is asked instead.
    let mut conflict = json(&fixture("crd/approve-all-met"));
    let results = conflict["prefetch"]["observations"]["entry"].as_array_mut().unwrap();
    let is_braf = |it: &&Value| it["resource"]["code"]["coding"][0]["code"] == "53844-7";
    let mut positive = results.iter().find(is_braf).unwrap().clone();
    positive["fullUrl"] = json!("https://ehr.lakeside.test/fhir/Observation/braf-again");
    positive["resource"]["id"] = json!("braf-again");
    positive["resource"].as_object_mut().unwrap().remove("valueCodeableConcept");
    positive["resource"]["valueString"] = json!("V600E detected");
    results.push(positive);
    let answer = server.sign("2.2", conflict.to_string()).good();
    assert!(answer.to_string().contains("contradict each other"), "{answer:#}");
    assert!(!summaries(&answer).iter().any(|it| it.contains("BRAF V600")), "{answer:#}");
    // Without a requester no order can be proposed that the guide allows.
    let mut request = json(&fixture(UNKNOWN_BRAF));
    request["context"]["draftOrders"]["entry"][0]["resource"]
        .as_object_mut()
        .unwrap()
        .remove("requester");
    let answer = server.sign("2.2", request.to_string()).good();
    assert!(!summaries(&answer).iter().any(|it| it.contains("BRAF V600")), "{answer:#}");
}

#[test]
fn each_kind_of_card_has_the_guides_shape_in_both_versions() {
    let server = with_cards();
    for version in VERSIONS {
        let answer = server.sign(version, fixture(UNKNOWN_BRAF)).good();
        check(version, &answer);
        let order = order(UNKNOWN_BRAF);
        assert_eq!(card(&answer, "Centers")["links"][0]["type"], "absolute");
        assert_eq!(card(&answer, "Call before")["detail"], "Please call *before* the stay.");
        let link = &card(&answer, "Check the dose")["links"][0];
        assert_eq!(
            (&link["type"], &link["appContext"]),
            (&json!("smart"), &json!("{\"dose\": 1}"))
        );

        let task = &card(&answer, "form")["suggestions"][0]["actions"][0]["resource"];
        assert_eq!((&task["resourceType"], &task["status"]), (&json!("Task"), &json!("ready")));
        assert_eq!(task["input"][0]["type"]["text"], "questionnaire");
        assert_eq!(task["input"][0]["valueCanonical"], QUESTIONNAIRE);
        assert_eq!(task["for"]["reference"], "Patient/pat-1102");
        let inputs = if version == "2.0" { 2 } else { 1 };
        assert_eq!(task["input"].as_array().unwrap().len(), inputs);

        let changed = card(&answer, "One infusion is covered");
        assert_eq!(changed["source"]["topic"]["code"], "therapy-alternatives-opt");
        let action = &changed["suggestions"][0]["actions"][0];
        let mut expected = order.clone();
        expected["dosageInstruction"] = json!([{ "text": "One infusion" }]);
        assert_eq!((&action["type"], &action["resource"]), (&json!("update"), &expected));

        let replaced = card(&answer, "Nivolumab");
        assert_eq!(replaced["source"]["topic"]["code"], "therapy-alternatives-req");
        let actions = &replaced["suggestions"][0]["actions"];
        assert_eq!(actions[0]["type"], "delete");
        assert_eq!(actions[0]["resourceId"], "MedicationRequest/order-1102");
        assert_eq!(actions[1]["type"], "create");
        let created = &actions[1]["resource"];
        assert!(created.get("id").is_none());
        assert_eq!(created["medicationCodeableConcept"]["text"], "nivolumab");
        assert_eq!(
            (&created["status"], &created["subject"]),
            (&order["status"], &order["subject"])
        );
        // CRD 2.2.1 resp-70
        assert!(!summaries(&answer).iter().any(|it| it.contains("another class")));
    }
}

#[test]
fn a_client_switches_each_topic_off_by_itself() {
    let server = with_cards();
    let all = server.sign("2.2", fixture(UNKNOWN_BRAF)).good();
    for (code, gone) in [
        ("clinical-reminder", "BRAF V600 result"),
        ("claim", "A form of the plan"),
        ("therapy-alternatives-opt", "One infusion"),
        ("therapy-alternatives-req", "Nivolumab"),
        ("guideline", "Check the dose"),
    ] {
        let mut request = json(&fixture(UNKNOWN_BRAF));
        request["extension"] = json!({ "davinci-crd.configuration": { code: false } });
        let answer = server.sign("2.2", request.to_string()).good();
        card(&all, gone);
        assert!(!summaries(&answer).iter().any(|it| it.contains(gone)), "{code}");
        assert!(answer["cards"].as_array().unwrap().len() > 2, "{code}: the others stay");
    }
    let discovered = server.get("/crd/2.2/cds-services").good();
    let options = &discovered["services"][0]["extension"]["davinci-crd.configuration-options"];
    let codes: Vec<&Value> = options.as_array().unwrap().iter().map(|it| &it["code"]).collect();
    for card in all["cards"].as_array().unwrap() {
        assert!(codes.contains(&&card["source"]["topic"]["code"]), "{card}");
    }
}

/// What a policy with this card says when it is read.
fn mistakes(card: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_profiles(folder.path(), card);
    let checked = run(&["policy", "check", folder.path().to_str().unwrap()]);
    assert_eq!(code(&checked), 1, "{card}");
    err(&checked)
}

#[test]
fn a_mistake_in_a_card_stops_the_start_with_its_place() {
    let card = |rest: &str| format!("[[card]]\nid = \"c\"\nsummary = \"s\"\n{rest}");
    let shows = |kind: &str, rest: &str| card(&format!("[card.shows]\nkind = \"{kind}\"\n{rest}"));
    let long = format!(
        "[[card]]\nid = \"c\"\nsummary = \"{}\"\n[card.shows]\nkind = \"instructions\"",
        "x".repeat(140)
    );
    let page = "label = \"l\"\nurl = \"https://a.test\"";
    for (text, what) in [
        (long, "`summary` has 140 characters"),
        (shows("instructions", ""), "instructions need a `detail`"),
        (shows("external-reference", "label = \"l\"\nurl = \"http://a.test\""), "https://"),
        (
            card(&format!(
                "[card.when]\nclause = \"9\"\ntruth = \"met\"\n[card.shows]\nkind = \"external-reference\"\n{page}"
            )),
            "`when` names the clause `9`",
        ),
        (
            shows("form", "label = \"l\"\nquestionnaire = \"https://a.test/q\""),
            "`questionnaire` is no",
        ),
        (
            shows("additional-orders", "orders = [{ label = \"l\", resource = \"none.json\" }]"),
            "cards/none.json: the file is not there",
        ),
        (
            shows(
                "additional-orders",
                "orders = [{ label = \"l\", resource = \"nivolumab.json\" }]",
            ),
            "cards/nivolumab.json: a proposed order has the `status`",
        ),
        (
            shows("coverage-update", "label = \"l\"\nchange = \"nivolumab.json\""),
            "a MedicationRequest is no Coverage",
        ),
    ] {
        let said = mistakes(&text);
        assert!(said.contains(what) && said.contains("policy.toml:"), "{text}\n{said}");
    }
}

fn tell(server: &Server, version: &str, body: &Value) -> Answer {
    let path = format!("/crd/{version}/cds-services/order-sign-coverage/feedback");
    server.post(&path, "application/json", body.to_string())
}

#[test]
fn feedback_is_kept_and_counted_by_card_and_criterion() {
    let server = Server::start();
    for version in VERSIONS {
        let answer = server.sign(version, fixture(UNKNOWN_BRAF)).good();
        let proposed = card(&answer, "BRAF");
        let accepted = json!({ "feedback": [{
            "card": proposed["uuid"], "outcome": "accepted",
            "acceptedSuggestions": [{ "id": proposed["suggestions"][0]["uuid"] }],
            "outcomeTimestamp": "2026-11-20T10:00:00Z",
        }] });
        let told = tell(&server, version, &accepted);
        assert_eq!((told.status, &*told.text), (200, ""));
    }
    let answer = server.sign("2.2", fixture(UNKNOWN_BRAF)).good();
    let reason = &card(&answer, "BRAF")["overrideReasons"][1];
    let declined = json!({ "feedback": [
        {
            // As some clients write it.
            "card": format!("urn:uuid:{}", card(&answer, "BRAF")["uuid"].as_str().unwrap()),
            "outcome": "overridden", "outcomeTimestamp": "2026-11-20T10:00:00Z",
            "overrideReason": { "reason": reason, "userComment": "done in May" },
        },
        { "card": "a8c21a1e-0000-4000-8000-000000000000", "outcome": "overridden" },
    ] });
    // rulings 39: an unknown card is no fault.
    assert_eq!(tell(&server, "2.2", &declined).status, 200);
    let counts = server.get("/admin/api/feedback").good();
    let of = |name: &str| {
        let found = counts.as_array().unwrap().iter().find(|it| it["card"] == name);
        found.unwrap_or_else(|| panic!("{counts:#}")).clone()
    };
    let braf = of("braf-test");
    assert_eq!((&braf["policy"], &braf["clause"]), (&json!("amtagvi"), &json!("5")));
    assert_eq!(
        (&braf["shown"], &braf["accepted"], &braf["overridden"]),
        (&json!(3), &json!(2), &json!(1))
    );
    let code = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes|action-completed";
    assert_eq!(braf["reasons"], json!([{ "reason": code, "cards": 1 }]));
    assert_eq!((&of("findings")["shown"], &of("policy")["overridden"]), (&json!(3), &json!(0)));
    let data = server.data();
    let data = data.to_str().unwrap();
    let printed = run(&["feedback", "--data", data, "--format", "json"]);
    assert_eq!(json(&out(&printed)), counts);
    let printed = out(&run(&["feedback", "--data", data]));
    let line = "amtagvi additional-orders braf-test (clause 5): shown 3, accepted 2, overridden 1";
    assert!(printed.contains(line), "{printed}");
    assert!(!printed.contains("done in May"));
}

#[test]
fn of_one_card_only_so_much_feedback_is_kept() {
    let server = Server::start();
    let answer = server.sign("2.2", fixture(UNKNOWN_BRAF)).good();
    let card = card(&answer, "BRAF")["uuid"].clone();
    let suggestions: Vec<Value> =
        (0..500).map(|it| json!({ "id": format!("{it:0>2000}") })).collect();
    let item = |number: usize| {
        json!({ "card": card, "outcome": "accepted", "acceptedSuggestions": suggestions,
            "outcomeTimestamp": format!("2026-11-20T10:00:00.{number}Z") })
    };
    for round in 0..6 {
        let items: Vec<Value> = (0..10).map(|it| item(round * 10 + it)).collect();
        assert_eq!(tell(&server, "2.2", &json!({ "feedback": items })).status, 200);
    }
    let kept = server.texts("SELECT suggestions FROM card_feedback");
    assert_eq!(kept.len(), 50);
    assert!(kept.iter().all(|it| it.len() < 3000));
}

#[test]
fn feedback_that_is_none_is_refused_with_its_place() {
    let server = Server::start();
    let refused = |body: &Value| {
        let answer = tell(&server, "2.2", body);
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.issues()[0]["expression"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(&json!({})), "feedback");
    let card = "a8c21a1e-0000-4000-8000-000000000000";
    assert_eq!(refused(&json!({ "feedback": [{ "outcome": "accepted" }] })), "feedback[0].card");
    let other = json!({ "feedback": [{ "card": card, "outcome": "liked" }] });
    assert_eq!(refused(&other), "feedback[0].outcome");
    let path = "/crd/2.2/cds-services/nothing/feedback";
    assert_eq!(server.post(path, "application/json", "{}").status, 404);
}

#[test]
fn browsers_may_send_feedback() {
    let server = Server::start();
    let url = format!("{}/crd/2.2/cds-services/order-sign-coverage/feedback", server.base);
    let preflight = server
        .client
        .request(reqwest::Method::OPTIONS, url)
        .header("Origin", "https://sandbox.cds-hooks.org")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type");
    let answer = server.send(preflight);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

/// The resources that cards propose, with the guide that judges them.
pub(crate) fn proposed() -> Vec<(&'static str, String, String)> {
    let server = with_cards();
    let mut proposed = Vec::new();
    for (version, guide) in [("2.0", "crd-2.0.1"), ("2.2", "crd-2.2.0")] {
        let answer = server.sign(version, fixture(UNKNOWN_BRAF)).good();
        for card in answer["cards"].as_array().unwrap() {
            let suggestions = card["suggestions"].as_array().into_iter().flatten();
            let actions = suggestions.flat_map(|it| it["actions"].as_array().unwrap());
            for resource in actions.filter_map(|it| it.get("resource")) {
                let kind = resource["resourceType"].as_str().unwrap();
                let name = format!("proposed {kind}");
                // The validator judges by the profile that a resource names.
                let profile = match kind {
                    "Task" => "profile-taskquestionnaire".to_owned(),
                    kind => format!("profile-{}", kind.to_lowercase()),
                };
                let mut resource = resource.clone();
                let url = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition";
                resource["meta"]["profile"] = json!([format!("{url}/{profile}")]);
                proposed.push((guide, name, resource.to_string()));
            }
        }
    }
    assert_eq!(proposed.len(), 8);
    proposed
}
