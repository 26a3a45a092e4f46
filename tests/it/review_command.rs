//! `priorauth review`: the queue and the decisions on the command line, beside a server that runs.

use std::process::Output;

use serde_json::{Value, json};

use crate::command_line::{code, err, out, run};
use crate::harness::{Server, fixture, json, repository};
use crate::pas::{action, actions, claim_response};

const PENDED: &str = "pas/pend-braf-unknown";
const BY: [&str; 6] =
    ["--reviewer", "Dr. Okafor", "--credentials", "MD, medical director", "--npi", "1234567893"];

/// A server with one case that waits, and the case's id.
fn with_pended() -> (Server, String) {
    let server = Server::start();
    assert_eq!(actions(&server.submit("2.2.1", fixture(PENDED))), ["A4"]);
    let queue = review(&server, &["list", "--format", "json"]);
    let queue = json(&out(&queue));
    assert_eq!(queue, server.get("/admin/api/cases").json());
    let case = queue[0]["case_id"].as_str().unwrap().to_owned();
    (server, case)
}

/// Runs the command on the folder of a server that is running.
fn review(server: &Server, arguments: &[&str]) -> Output {
    let data = server.data();
    let (verb, rest) = arguments.split_first().unwrap();
    let mut all = vec!["review", verb, "--data", data.to_str().unwrap()];
    all.extend(rest);
    run(&all)
}

fn decide(server: &Server, case: &str, verb: &str, more: &[&str]) -> Output {
    review(server, &[&[verb, case], &BY[..], more].concat())
}

#[test]
fn a_decision_on_the_command_line_is_the_servers_next_answer() {
    let decisions: [(&str, &[&str], &str); 4] = [
        ("approve", &["--note", "After a call.", "--valid-to", "2027-03-01"], "A1"),
        ("modify", &["--note", "One dose.", "--quantity", "1"], "A6"),
        ("deny", &["--note", "Criterion 5.", "--reason-code", "0V"], "A3"),
        ("ask", &["--note", "Please send the pathology report."], "A4"),
    ];
    for (verb, more, review_action) in decisions {
        let (server, case) = with_pended();
        let recorded = decide(&server, &case, verb, more);
        assert_eq!((code(&recorded), err(&recorded)), (0, String::new()));
        assert_eq!(out(&recorded), format!("recorded as answer 2 of case {case}\n"));
        // A repeat gets what holds now (rulings 31).
        let answer = server.submit("2.2.1", fixture(PENDED));
        let response = claim_response(&answer);
        assert_eq!(action(&response["item"][0]).0, review_action);
        assert_eq!(response["processNote"][0]["text"], more[1]);
        if verb == "approve" {
            assert_eq!(response["preAuthPeriod"]["end"], "2027-03-01");
        }
        let shown = out(&review(&server, &["show", &case]));
        assert!(shown.contains("decided by Dr. Okafor, MD, medical director"), "{shown}");
        let left = out(&review(&server, &["list"]));
        assert_eq!(left == "no case waits\n", verb != "ask", "{left}");
    }
}

#[test]
fn a_case_is_shown_as_over_http_and_in_words() {
    let (server, case) = with_pended();
    let shown = review(&server, &["show", &case, "--format", "json"]);
    assert_eq!(json(&out(&shown)), server.get(&format!("/admin/api/cases/{case}")).json());
    let words = out(&review(&server, &["show", &case]));
    assert!(words.contains("judged pend by amtagvi"), "{words}");
    assert!(words.contains("      5  unknown "), "{words}");
    assert!(words.contains("    told: "), "{words}");
    let submission = out(&review(&server, &["show", &case, "--submission"]));
    assert_eq!(submission, format!("{}\n", fixture(PENDED)));
}

#[test]
fn what_is_not_recorded_ends_with_1_and_changes_nothing() {
    let (server, case) = with_pended();
    let refused: [(&str, &[&str], &str); 7] = [
        ("deny", &["--note", "No."], "a denial needs a reason code"),
        ("deny", &["--reason-code", "0V"], "a denial needs a reason code"),
        ("ask", &[], "a question needs a note"),
        ("modify", &["--quantity", "0"], "no positive number"),
        ("approve", &["--line", "7"], "line 7 does not wait"),
        ("approve", &["--seen-answer", "3"], "its current answer is 1"),
        ("approve", &["--valid-from", "2027-01-02", "--valid-to", "2027-01-01"], "would end"),
    ];
    for (verb, more, why) in refused {
        let output = decide(&server, &case, verb, more);
        assert_eq!((code(&output), out(&output)), (1, String::new()), "{verb} {more:?}");
        assert!(err(&output).contains(why), "{}", err(&output));
    }
    let unknown = decide(&server, "nowhere", "approve", &[]);
    assert_eq!(code(&unknown), 1);
    assert!(err(&unknown).contains("there is no case `nowhere`"), "{}", err(&unknown));
    assert_eq!(code(&review(&server, &["show", "nowhere"])), 1);
    assert_eq!(server.rows()["answer"], 1);
}

#[test]
fn a_folder_without_a_store_is_not_made_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("slip");
    let output = run(&["review", "list", "--data", data.to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("there is no store in"), "{}", err(&output));
    assert!(!data.exists());
}

#[test]
fn the_configuration_names_the_profiles_and_the_public_base() {
    let (server, case) = with_pended();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("priorauth.toml");
    let profiles = repository().join("profiles");
    let text = format!(
        "public_base = \"https://pa.lakeside-health.test\"\nprofiles = {}\n",
        Value::from(profiles.to_str().unwrap())
    );
    std::fs::write(&config, text).unwrap();
    let config = ["--config", config.to_str().unwrap(), "--format", "json"];
    let recorded = decide(&server, &case, "approve", &config);
    assert_eq!(json(&out(&recorded)), json!({ "case_id": case, "answer": 2 }));
    let response = claim_response(&server.submit("2.2.1", fixture(PENDED)));
    let system = response["identifier"][0]["system"].as_str().unwrap();
    assert!(system.starts_with("https://pa.lakeside-health.test/"), "{system}");
}
