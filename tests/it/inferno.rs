//! The flow of Inferno's server suites for PAS 2.0.1 and 2.2.1, assertion by assertion, with the
//! payloads and scenarios of `fixtures/inferno` (docs/how-to/inferno.md).
//!
//! Left out are the rows about subscriptions and notifications: 1.1 to 1.4 and 2.3.5 to 2.3.8 of
//! 2.2.1, and the subscription group and the notification wait and conformance of 2.0.1.
//! What the HL7 validator says of requests and answers, `validator` asks.

pub(crate) mod crd_suite;
mod must_support;

use std::collections::BTreeSet;
use std::fs;

use priorauth::fhir::{Document, Rules};
use priorauth::terms::Npi;
use serde_json::{Value, json};

use crate::harness::{
    Answer, FHIR_JSON, Server, comes_true, extensions, json, objects, repository,
};
use crate::pas::VERSIONS;

/// Payloads that stand in one file as the suite takes them: one Bundle, or an array of them.
pub(crate) fn payloads(version: &str, name: &str) -> Vec<Value> {
    let path = repository().join(format!("fixtures/inferno/pas-{version}/{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    match json(&text) {
        Value::Array(bundles) => bundles,
        bundle => vec![bundle],
    }
}

/// The names of a version's payloads, what is submitted before what inquires.
pub(crate) fn names(version: &str) -> Vec<String> {
    let folder = repository().join(format!("fixtures/inferno/pas-{version}"));
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<String> =
        files.map(|name| name.to_str().unwrap().trim_end_matches(".json").to_owned()).collect();
    names.sort_by_key(|name| (is_inquiry(name), name.clone()));
    names
}

/// Whether a payload is one for `$inquire`.
pub(crate) fn is_inquiry(name: &str) -> bool {
    name.ends_with("inquire") || name.ends_with("inquiry")
}

/// The sandbox of the how-to page, where a pended case ends after so many seconds.
pub(crate) fn sandbox(after_seconds: u32) -> Server {
    let fixtures = repository().join("fixtures/inferno");
    let text = |name| fs::read_to_string(fixtures.join(name)).unwrap();
    let (was, is) = ("after_seconds = 30", format!("after_seconds = {after_seconds}"));
    let scenarios: String = text("scenarios.toml");
    assert!(scenarios.contains(was));
    Server::configured(|folder| {
        fs::write(folder.join("scenarios.toml"), scenarios.replace(was, &is)).unwrap();
        text("server.toml")
    })
}

/// One run of a suite: what was answered so far, from which must-support elements are collected.
struct Session<'s> {
    server: &'s Server,
    version: &'static str,
    submitted: Vec<Value>,
    inquired: Vec<Value>,
}

impl Session<'_> {
    fn of<'s>(server: &'s Server, version: &'static str) -> Session<'s> {
        Session { server, version, submitted: Vec::new(), inquired: Vec::new() }
    }

    fn post(&self, operation: &str, bundle: &Value) -> Answer {
        let path = format!("/pas/{}/Claim/${operation}", self.version);
        self.server.post(&path, FHIR_JSON, bundle.to_string())
    }

    /// `…_claim_submit_operation_test` and `…_response_bundle_validation_test`: the answers.
    fn submit(&mut self, name: &str) -> Vec<Value> {
        let mut answers = Vec::new();
        for bundle in payloads(self.version, name) {
            let answer = self.post("submit", &bundle).good();
            assert_eq!(
                (&answer["resourceType"], &answer["type"]),
                (&json!("Bundle"), &json!("collection"))
            );
            assert_eq!(answer["identifier"], bundle["identifier"], "{name}");
            assert_eq!(answer["entry"][0]["resource"]["resourceType"], "ClaimResponse", "{name}");
            check_references(name, &answer);
            check_echo(name, &bundle, &answer);
            answers.push(answer);
        }
        self.submitted.extend(answers.clone());
        answers
    }

    /// `…_claim_inquire_operation_test`: the Bundles that were found.
    fn inquire(&mut self, bundle: &Value) -> Vec<Value> {
        let answer = self.post("inquire", bundle).good();
        let found = if self.version == "2.0.1" {
            vec![answer]
        } else {
            assert_eq!(answer["resourceType"], "Parameters");
            let parameters = answer["parameter"].as_array().cloned().unwrap_or_default();
            assert!(parameters.iter().all(|it| it["name"] == "return"), "{parameters:?}");
            parameters.iter().map(|it| it["resource"].clone()).collect()
        };
        for bundle in &found {
            assert_eq!(bundle["resourceType"], "Bundle");
            check_references("inquiry", bundle);
        }
        self.inquired.extend(found.clone());
        found
    }

    /// `…_decision_validation_test`: every answer has an item with the code.
    fn decides(&mut self, name: &str, code: &str) {
        for answer in self.submit(name) {
            let responses = resources(&answer, "ClaimResponse");
            let codes: Vec<String> = responses.into_iter().flat_map(codes).collect();
            assert!(!codes.is_empty() && codes.iter().all(|it| it == code), "{name}: {codes:?}");
        }
    }

    fn waiting(&self) -> Vec<String> {
        let queue = self.server.get("/admin/api/cases").json();
        let ids = queue.as_array().unwrap().iter().map(|case| case["case_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }
}

fn resources<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    entries.filter(|resource| resource["resourceType"] == kind).collect()
}

/// The review action codes of a `ClaimResponse`'s items; `addItem` is not looked at.
fn codes(response: &Value) -> Vec<String> {
    let items = response["item"].as_array().into_iter().flatten();
    let adjudications = items.flat_map(|item| item["adjudication"].as_array().unwrap());
    let actions = adjudications.flat_map(|it| extensions(it, "/extension-reviewAction"));
    let codes = actions.flat_map(|action| extensions(action, "/extension-reviewActionCode"));
    let codings = codes.map(|code| &code["valueCodeableConcept"]["coding"][0]);
    let code = |coding: &Value| {
        assert_eq!(coding["system"], "https://codesystem.x12.org/005010/306");
        coding["code"].as_str().unwrap().to_owned()
    };
    codings.map(code).collect()
}

/// Whatever the answer refers to is in it (pas.md 5.4, 3).
fn check_references(name: &str, bundle: &Value) {
    let entries = bundle["entry"].as_array().unwrap();
    let urls: BTreeSet<&str> =
        entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(urls.len(), entries.len(), "{name}: an entry stands twice");
    for response in resources(bundle, "ClaimResponse") {
        for object in objects(response) {
            let Some(reference) = object.get("reference").and_then(Value::as_str) else { continue };
            let is_claim = *object == response["request"];
            assert!(is_claim || urls.contains(reference), "{name}: {reference}");
        }
    }
}

/// What the request's Bundle brought has the same URL and text in the answer (spec-33).
fn check_echo(name: &str, request: &Value, answer: &Value) {
    let sent = request["entry"].as_array().unwrap();
    for entry in answer["entry"].as_array().unwrap() {
        let url = entry["fullUrl"].as_str().unwrap();
        if let Some(sent) = sent.iter().find(|it| it["fullUrl"] == entry["fullUrl"]) {
            assert_eq!(sent["resource"], entry["resource"], "{name}: {url}");
        } else {
            assert!(url.starts_with("urn:uuid:"), "{name}: {url}");
        }
    }
}

fn sequences(items: &Value, key: &str) -> BTreeSet<u64> {
    items.as_array().unwrap().iter().map(|item| item[key].as_u64().unwrap()).collect()
}

#[test]
fn the_payloads_are_sound_and_name_nobody_real() {
    for version in VERSIONS {
        for name in names(version).iter().filter(|name| *name != "error") {
            for payload in payloads(version, name) {
                let text = payload.to_string();
                let faults = Document::parse(text.as_bytes(), Rules::Fhir).err();
                assert!(faults.is_none(), "{name}: {faults:?}");
                assert!(!text.contains("example.") && text.contains("1234567893"), "{name}");
                for identifier in objects(&payload).iter().filter(|it| it["system"] == Npi::SYSTEM)
                {
                    assert!(Npi::parse(identifier["value"].as_str().unwrap()).is_ok(), "{name}");
                }
                let entries = payload["entry"].as_array().into_iter().flatten();
                let urls: BTreeSet<&str> =
                    entries.clone().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
                assert_eq!(urls.len(), entries.count(), "{name}");
                for reference in objects(&payload).iter().filter_map(|it| it["reference"].as_str())
                {
                    let leads = urls.iter().any(|url| url.ends_with(&format!("/{reference}")));
                    assert!(leads, "{name}: {reference}");
                }
            }
        }
    }
}

// 2.1, 2.2 and 2.3.1 to 2.3.4, twice: a suite is run again.
#[test]
fn approval_denial_and_pended_are_answered_as_the_suite_wants_every_time() {
    let server = sandbox(600);
    for version in VERSIONS {
        let mut session = Session::of(&server, version);
        for _ in 0..2 {
            session.decides("approval", "A1");
            session.decides("denial", "A3");
            session.decides("pended", "A4");
        }
        assert_eq!(session.waiting().len(), 2, "{version}");
        for case in session.waiting() {
            review(&server, &case);
        }
    }
}

fn review(server: &Server, case: &str) {
    let review = json!({ "decision": "approve", "reviewer": "Harness", "credentials": "tester" });
    let path = format!("/admin/api/cases/{case}/review");
    let answer = server.post(&path, "application/json", review.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The suite of 2.0.1 brings the inquiry; that of 2.2.1 learns the same from a notification.
fn inquiry(version: &str) -> Value {
    let inquiry = payloads("2.0.1", "pended-inquiry")[0].to_string();
    let member = format!("SBX{}0003", version.replace('.', ""));
    json(&inquiry.replace("SBX2010003", &member))
}

fn found_codes(session: &mut Session<'_>) -> Vec<String> {
    let found = session.inquire(&inquiry(session.version));
    let responses = found.iter().flat_map(|bundle| resources(bundle, "ClaimResponse"));
    responses.flat_map(codes).collect()
}

// 2.3, and the inquiry of the suite of 2.0.1; rulings 41.
#[test]
fn a_pended_case_is_finalized_by_a_review_and_its_decision_is_found() {
    let server = sandbox(600);
    for version in VERSIONS {
        let mut session = Session::of(&server, version);
        session.decides("pended", "A4");
        assert_eq!(found_codes(&mut session), ["A4"], "{version}");
        let waiting = session.waiting();
        let [case] = &waiting[..] else { panic!("{waiting:?}") };
        review(&server, case);
        assert_eq!(found_codes(&mut session), ["A1"], "{version}");
        // The pended test itself stays as it is.
        session.decides("pended", "A4");
        review(&server, &session.waiting()[0]);
    }
}

#[test]
fn a_pended_case_is_finalized_in_time_and_its_decision_is_found() {
    let server = sandbox(1);
    for version in VERSIONS {
        let mut session = Session::of(&server, version);
        session.decides("pended", "A4");
        assert!(comes_true(|| session.waiting().is_empty()), "{version}");
        assert_eq!(found_codes(&mut session), ["A1"], "{version}");
    }
}

// 2.4.1 to 2.4.4, 2.4.5.1 (spec-34) and 2.4.5.2 (spec-46), twice.
#[test]
fn the_chain_of_updates_echoes_every_sequence_with_its_current_result() {
    let server = sandbox(600);
    let mut session = Session::of(&server, "2.2.1");
    let steps = [
        ("update-1-initial", vec!["A1", "A1"]),
        ("update-2-add-item", vec!["A1", "A1", "A1"]),
        ("update-3-modify-and-cancel", vec!["A1", "C", "A1"]),
        ("update-4-cancel-all", vec!["C", "C", "C"]),
    ];
    for run in 1..=2 {
        for (name, expected) in &steps {
            let [answer] = &session.submit(name)[..] else { panic!("one answer") };
            let response = resources(answer, "ClaimResponse")[0];
            assert_eq!(codes(response), *expected, "{name}");
            let submitted = &payloads("2.2.1", name)[0]["entry"][0]["resource"];
            let asked = sequences(&submitted["item"], "sequence");
            assert_eq!(sequences(&response["item"], "itemSequence"), asked, "{name}");
        }
        assert_eq!(server.rows()["prior_auth_case"], run);
    }
}

// 4.1 and 4.2
#[test]
fn a_bundle_without_entries_is_refused_by_both_operations() {
    let server = sandbox(600);
    for version in VERSIONS {
        let session = Session::of(&server, version);
        let [error] = &payloads(version, "error")[..] else { panic!("one Bundle") };
        for operation in ["submit", "inquire"] {
            let answer = session.post(operation, error);
            assert!(!(200..300).contains(&answer.status), "{operation}");
            assert!(!answer.issues().is_empty(), "{operation}");
        }
    }
}

// A member's id in another payload is enough for every other outcome.
#[test]
fn members_for_trials_by_hand_have_the_other_outcomes() {
    let server = sandbox(600);
    for version in VERSIONS {
        let payload = payloads(version, "denial")[0].to_string();
        let member = format!("SBX{}0002", version.replace('.', ""));
        assert!(payload.contains(&member));
        for (other, outcome, code) in [
            ("SBX0006", "complete", Some("A6")),
            ("SBX0007", "error", None),
            ("SBX0008", "complete", Some("A4")),
        ] {
            let answer = server.submit(version, payload.replace(&member, other)).good();
            let response = resources(&answer, "ClaimResponse")[0];
            assert_eq!(response["outcome"], outcome, "{other}");
            assert_eq!(codes(response).first().map(String::as_str), code, "{other}");
        }
    }
}
