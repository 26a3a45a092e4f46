//! Sandbox scenarios over HTTP: what their members are answered, and that nobody else notices.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Answer, Server, comes_true, extensions, fixture};
use crate::pas::{VERSIONS, action, actions, claim_response};

const NOTE: &str = "sandbox scenario: not a decision";
/// A request that the engine approves, and its member.
const APPROVED: &str = "pas/approve-all-met";
const MEMBER: &str = "CPC10010001";

/// A sandbox in which the member of [`APPROVED`] has a scenario.
fn sandbox(scenario: &str) -> Server {
    Server::configured(|folder| settings(folder, MEMBER, scenario))
}

fn settings(folder: &Path, member: &str, scenario: &str) -> String {
    let text = format!("[members.{member}]\n{scenario}\n");
    std::fs::write(folder.join("scenarios.toml"), text).unwrap();
    "sandbox = true\nscenarios = \"scenarios.toml\"\n".to_owned()
}

fn notes(answer: &Answer) -> Vec<String> {
    let response = claim_response(answer);
    let notes = response["processNote"].as_array().cloned().unwrap_or_default();
    notes.iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect()
}

/// The lines of the newest case, as its reviewer sees them.
fn lines(server: &Server) -> Vec<Value> {
    let ids = server.texts("SELECT case_id FROM submission ORDER BY submission_id DESC");
    let case = server.get(&format!("/admin/api/cases/{}", ids[0])).json();
    case["lines"].as_array().unwrap().clone()
}

fn waiting(server: &Server) -> Vec<String> {
    let queue = server.get("/admin/api/cases").json();
    let ids = queue.as_array().unwrap().iter().map(|case| case["case_id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

fn review(server: &Server, case: &str, reviewer: &str) -> Answer {
    let review = json!({
        "decision": "approve", "reviewer": reviewer, "credentials": "MD", "npi": "1234567893",
    });
    let path = format!("/admin/api/cases/{case}/review");
    server.post(&path, "application/json", review.to_string())
}

#[test]
fn each_scenario_answers_as_it_says_and_says_that_it_is_no_decision() {
    let scenarios = [
        ("outcome = \"approve\"", "approve", "A1"),
        ("outcome = \"deny\"\nreason_codes = [\"0V\"]", "deny", "A3"),
        ("outcome = \"pend\"", "pend", "A4"),
        ("outcome = \"modify\"\nquantity = \"2\"", "modify", "A6"),
        ("outcome = \"must-support\"", "must-support", "A1"),
    ];
    for (scenario, name, code) in scenarios {
        let server = sandbox(scenario);
        for version in VERSIONS {
            let answer = server.submit(version, fixture(APPROVED));
            let response = claim_response(&answer);
            assert_eq!((&*actions(&answer)[0], &response["outcome"]), (code, &json!("complete")));
            assert_eq!(notes(&answer)[0], NOTE, "{name} {version}");
            assert_eq!(response["item"][0]["noteNumber"][0], 1, "{name} {version}");
            let has_number = action(&response["item"][0]).1.is_some();
            assert_eq!(has_number, matches!(code, "A1" | "A6"), "{name} {version}");
            // Nobody looked at it; only what shows every element names a reviewer.
            for reviewer in extensions(&response, "/extension-claimResponseReviewer") {
                assert_eq!(reviewer["extension"][0]["valueBoolean"], false, "{name}");
                let parts = reviewer["extension"].as_array().unwrap().len();
                assert_eq!(parts, if name == "must-support" { 3 } else { 1 }, "{name}");
            }
            assert_eq!(lines(&server)[0]["scenario"], name, "{version}");
        }
    }
}

#[test]
fn a_denial_shows_the_reason_codes_of_its_scenario() {
    let server = sandbox("outcome = \"deny\"\nreason_codes = [\"0V\"]");
    let response = claim_response(&server.submit("2.2.1", fixture(APPROVED)));
    let action = extensions(&response["item"][0]["adjudication"][0], "/extension-reviewAction")[0];
    let reason = extensions(action, "reasonCode")[0];
    assert_eq!(reason["valueCodeableConcept"]["coding"][0]["code"], "0V");
}

#[test]
fn an_error_scenario_is_answered_with_an_error_and_waits_for_nothing() {
    let server = sandbox("outcome = \"error\"");
    for version in VERSIONS {
        let answer = server.submit(version, fixture(APPROVED));
        let response = claim_response(&answer);
        assert_eq!((&response["outcome"], &response["item"]), (&json!("error"), &Value::Null));
        let error = &response["error"][0];
        let coding = &error["code"]["coding"][0];
        assert_eq!(coding["system"], "https://codesystem.x12.org/005010/901");
        let follow_up = &extensions(error, "/extension-errorFollowupAction")[0];
        let coding = &follow_up["valueCodeableConcept"]["coding"][0];
        assert_eq!(coding["system"], "https://codesystem.x12.org/005010/889");
        assert!(notes(&answer).contains(&NOTE.to_owned()), "{version}");
    }
    assert_eq!(waiting(&server), Vec::<String>::new());
}

// rulings 31, last sentences
#[test]
fn under_a_scenario_every_submission_opens_a_case_and_for_others_a_repeat_does_not() {
    let server = sandbox("outcome = \"pend\"");
    for _ in 0..3 {
        assert_eq!(actions(&server.submit("2.2.1", fixture(APPROVED))), ["A4"]);
    }
    assert_eq!(server.rows()["prior_auth_case"], 3);
    for _ in 0..3 {
        server.submit("2.2.1", fixture("pas/pend-braf-unknown")).good();
    }
    assert_eq!(server.rows()["prior_auth_case"], 4);
}

#[test]
fn a_member_without_a_scenario_is_judged_and_told_nothing_of_scripts() {
    let server = sandbox("outcome = \"deny\"");
    let plain = Server::start();
    for story in ["pas/pend-braf-unknown", "pas/approve-home-oxygen"] {
        let (answer, expected) =
            (server.submit("2.2.1", fixture(story)), plain.submit("2.2.1", fixture(story)));
        assert_eq!(actions(&answer), actions(&expected), "{story}");
        assert_eq!(notes(&answer), notes(&expected), "{story}");
        assert!(!answer.text.contains("sandbox"), "{story}");
        assert_eq!(lines(&server)[0].get("scenario"), None, "{story}");
    }
}

// rulings 11 and 26: a script's authorization is none that anything is judged by.
#[test]
fn a_scripted_authorization_is_none_on_file() {
    let server = sandbox("outcome = \"approve\"");
    assert_eq!(actions(&server.submit("2.2.1", fixture(APPROVED))), ["A1"]);
    let plain = Server::on(server.stopped(), "");
    let order = fixture("crd/approve-all-met");
    let order = order.replace("CPC11010001", MEMBER);
    assert!(!plain.sign("2.2", order).text.contains("satisfied"));
    let another_day = fixture(APPROVED).replace("2026-12-10", "2026-12-12");
    assert_eq!(actions(&plain.submit("2.2.1", another_day)), ["A1"]);
}

#[test]
fn a_pended_case_ends_when_its_time_has_come() {
    let endings = [
        ("finalize = \"approve\"\nafter_seconds = 1", "A1"),
        ("finalize = \"deny\"\nreason_codes = [\"0V\"]\nafter_seconds = 1", "A3"),
    ];
    for (ending, code) in endings {
        let server = sandbox(&format!("outcome = \"pend\"\n{ending}"));
        assert_eq!(actions(&server.submit("2.2.1", fixture(APPROVED))), ["A4"]);
        assert_eq!(waiting(&server).len(), 1);
        assert!(comes_true(|| waiting(&server).is_empty()), "{ending}");
        let line = &lines(&server)[0];
        assert_eq!(line["review_action"], code);
        assert_eq!(line["reviewed_by"], "sandbox scenario, not a person");
        assert_eq!(line["scenario"], "pend");
    }
}

#[test]
fn a_restart_does_not_forget_what_is_due() {
    let scenario = "outcome = \"pend\"\nfinalize = \"approve\"\nafter_seconds = 2";
    let server = sandbox(scenario);
    assert_eq!(actions(&server.submit("2.2.1", fixture(APPROVED))), ["A4"]);
    let folder = server.stopped();
    let settings = settings(folder.path(), MEMBER, scenario);
    let server = Server::on(folder, &settings);
    assert!(comes_true(|| waiting(&server).is_empty()));
    assert_eq!(lines(&server)[0]["review_action"], "A1");
}

// rulings 41
#[test]
fn whoever_decides_before_the_time_has_decided() {
    let server = sandbox(
        "outcome = \"pend\"\nfinalize = \"deny\"\nreason_codes = [\"0V\"]\nafter_seconds = 2",
    );
    server.submit("2.2.1", fixture(APPROVED)).good();
    let [case] = &waiting(&server)[..] else { panic!("one case waits") };
    assert_eq!(review(&server, case, "Harness").status, 200);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let line = &lines(&server)[0];
    assert_eq!(
        (&line["review_action"], &line["reviewed_by"]),
        (&json!("A1"), &json!("Harness, MD"))
    );
    assert_eq!(server.rows()["answer"], 2);
}

#[test]
fn nobody_decides_a_real_case_in_the_name_of_a_script() {
    let server = sandbox("outcome = \"pend\"");
    assert_eq!(actions(&server.submit("2.2.1", fixture("pas/pend-braf-unknown"))), ["A4"]);
    let [case] = &waiting(&server)[..] else { panic!("one case waits") };
    let refused = review(&server, case, "sandbox scenario");
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(server.rows()["answer"], 1);
}

// A case from before its member had a scenario is a person's.
#[test]
fn the_time_of_a_scenario_decides_no_case_that_was_judged() {
    let plain = Server::start();
    let story = "pas/pend-braf-unknown";
    assert_eq!(actions(&plain.submit("2.2.1", fixture(story))), ["A4"]);
    let folder = plain.stopped();
    let scenario = "outcome = \"pend\"\nfinalize = \"approve\"\nafter_seconds = 1";
    let settings = settings(folder.path(), "CPC10020002", scenario);
    let server = Server::on(folder, &settings);
    let judged = waiting(&server);
    server.submit("2.2.1", fixture(story)).good();
    assert!(comes_true(|| waiting(&server) == judged), "the scripted one is decided");
    assert_eq!(server.rows()["answer"], 3);
}
