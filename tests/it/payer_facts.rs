//! What the payer knows itself, imported, and how it changes what is decided over HTTP.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{Server, extensions, fixture, json as parsed, repository};

/// Runs `priorauth import` on files of `fixtures/import`.
fn import(data: &Path, files: &[&str]) -> Output {
    let folder = repository().join("fixtures/import");
    let files: Vec<_> = files.iter().map(|file| folder.join(file)).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
    command.args(["import", "--data"]).arg(data).args(files).output().unwrap()
}

fn imported(server: &Server, files: &[&str]) {
    let output = import(&server.data(), files);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{files:?}");
}

/// Imports a file of this text.
pub(crate) fn imported_text(server: &Server, text: &str) {
    let path = server.data().join("rows.csv");
    fs::write(&path, text).unwrap();
    imported(server, &[path.to_str().unwrap()]);
}

/// The trace of the only line of the newest answer.
fn submitted(server: &Server, body: String) -> Value {
    server.submit("2.2.1", body).good();
    let traces = server.texts("SELECT trace FROM answer_line ORDER BY rowid DESC LIMIT 1");
    parsed(&traces[0])["item"].take()
}

fn clause<'v>(item: &'v Value, id: &str) -> &'v Value {
    item["criteria"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap()
}

#[track_caller]
fn check(item: &Value, determination: &str, id: &str, truth: &str) {
    assert_eq!(item["determination"], determination, "{item:#}");
    assert_eq!(clause(item, id)["truth"], truth, "{:#}", clause(item, id));
}

/// The request of a story, its resources changed; each call is another content.
fn changed(story: &str, mut change: impl FnMut(&str, &mut Value)) -> String {
    let mut request = parsed(&fixture(story));
    for entry in request["entry"].as_array_mut().unwrap() {
        let kind = entry["resource"]["resourceType"].as_str().unwrap().to_owned();
        change(&kind, &mut entry["resource"]);
    }
    request.to_string()
}

const APPROVED: &str = "pas/approve-all-met";

/// A content of its own, so that it is no repeat, with nothing else changed.
fn again(story: &str, number: usize) -> String {
    fixture(story) + &" ".repeat(number)
}

#[test]
fn own_paid_claims_prove_that_an_agent_was_given_and_no_more() {
    let server = Server::start();
    let without = || {
        changed("pas/pend-pd1-no-outcome", |kind, resource| {
            if kind == "MedicationStatement" {
                resource["status"] = json!("not-taken");
            }
        })
    };
    let before = submitted(&server, without());
    check(&before, "pend", "4", "unknown");
    imported(&server, &["claims-pembrolizumab.ndjson"]);
    let after = submitted(&server, without() + " ");
    check(&after, "pend", "4", "unknown");
    let need = clause(&after, "4")["needs"][0].as_str().unwrap();
    assert!(need.contains("we found") && need.contains("2024-06-03"), "{need}");
    assert_ne!(clause(&before, "4")["needs"], clause(&after, "4")["needs"]);
}

#[test]
fn a_paid_claim_for_the_product_is_an_earlier_dose() {
    let server = Server::start();
    imported(&server, &["claims-earlier-dose.ndjson"]);
    let item = submitted(&server, fixture(APPROVED));
    check(&item, "review", "L2", "not-met");
    let fact = &clause(&item, "L2")["because"][0];
    assert_eq!(
        (&fact["resource"], &fact["date"]),
        (&json!("ExplanationOfBenefit/eob-9"), &json!("2026-03-17"))
    );
}

#[test]
fn a_claim_that_was_not_paid_is_asked_about() {
    let server = Server::start();
    let path = repository().join("fixtures/import/claims-earlier-dose.ndjson");
    let unpaid = fs::read_to_string(path).unwrap().replace("415000.0", "0");
    imported_text(&server, &unpaid);
    let item = submitted(&server, fixture(APPROVED));
    check(&item, "pend", "L2", "unknown");
}

#[test]
fn a_member_who_is_not_on_the_roster_is_reviewed() {
    let server = Server::start();
    imported(&server, &["members.csv"]);
    let stranger = fixture(APPROVED).replace("CPC10010001", "CPC99990009");
    let item = submitted(&server, stranger);
    assert_eq!(item["determination"], "review");
    assert_eq!(item["reasons"][0], "the member is not on the member roster");
    // The same request of a member who is enrolled is approved.
    let item = submitted(&server, fixture(APPROVED));
    assert_eq!(item["determination"], "approve", "{item:#}");
}

#[test]
fn a_member_whose_enrolment_ends_before_the_service_is_reviewed() {
    let server = Server::start();
    imported(&server, &["members.csv"]);
    let item = submitted(&server, fixture("pas/pend-pd1-no-outcome"));
    assert_eq!(item["determination"], "review");
    let why = item["reasons"][0].as_str().unwrap();
    assert!(why.contains("no enrolment on 2026-12-10"), "{why}");
}

#[test]
fn an_equal_birth_date_is_confirmed_and_another_one_is_asked_about_and_not_told() {
    let server = Server::start();
    imported(&server, &["members.csv"]);
    let item = submitted(&server, fixture(APPROVED));
    check(&item, "approve", "2", "met");
    let fact = &clause(&item, "2")["because"][0];
    assert_eq!(fact["resource"], "member roster");
    assert!(fact["says"].as_str().unwrap().contains("which the request agrees with"), "{fact}");

    let other = fixture(APPROVED).replace("1961-04-17", "1962-04-17");
    let item = submitted(&server, other);
    check(&item, "pend", "2", "unknown");
    let need = clause(&item, "2")["needs"][0].as_str().unwrap();
    assert!(need.contains("date of birth"), "{need}");
    let clause = clause(&item, "2").to_string();
    assert!(!clause.contains("1961") && !clause.contains("1962"), "{clause}");
}

#[test]
fn without_a_birth_date_in_the_request_the_rosters_counts() {
    let server = Server::start();
    let without = |number: usize| {
        let body = changed(APPROVED, |kind, resource| {
            if kind == "Patient" {
                resource.as_object_mut().unwrap().remove("birthDate");
            }
        });
        body + &" ".repeat(number)
    };
    check(&submitted(&server, without(0)), "pend", "2", "unknown");
    imported(&server, &["members.csv"]);
    check(&submitted(&server, without(1)), "approve", "2", "met");
}

/// The request with this as all that it says of the prescriber's specialty.
fn specialty(stated: Option<&str>) -> String {
    let coded = stated.map(
        |code| json!({"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": code}]}),
    );
    changed(APPROVED, |kind, resource| {
        let object = resource.as_object_mut().unwrap();
        match kind {
            "PractitionerRole" => {
                object.remove("specialty");
            }
            "Practitioner" => {
                object.remove("qualification");
            }
            "Claim" => {
                let member = object["careTeam"][0].as_object_mut().unwrap();
                member.remove("qualification");
                if let Some(coded) = &coded {
                    member.insert("qualification".to_owned(), coded.clone());
                }
            }
            _ => {}
        }
    })
}

const NURSE_PRACTITIONER: &str = "363L00000X";
const INTERNIST: &str = "207R00000X";
const DERMATOLOGIST: &str = "207N00000X";

#[test]
fn the_directory_answers_where_the_request_does_not_say() {
    let server = Server::start();
    check(&submitted(&server, specialty(None)), "pend", "3", "unknown");
    imported(&server, &["providers.csv"]);
    let item = submitted(&server, specialty(None) + " ");
    check(&item, "approve", "3", "met");
    assert_eq!(clause(&item, "3")["because"][0]["resource"], "provider directory");
    // The same by FHIR resources, and of an internist, who may be an oncologist too.
    let server = Server::start();
    imported(&server, &["directory.ndjson"]);
    check(&submitted(&server, specialty(Some(INTERNIST))), "approve", "3", "met");
}

#[test]
fn the_directory_does_not_make_an_oncologist_of_a_nurse_practitioner() {
    let server = Server::start();
    imported(&server, &["providers.csv"]);
    let item = submitted(&server, specialty(Some(NURSE_PRACTITIONER)));
    check(&item, "pend", "3", "unknown");
    let aside = &clause(&item, "3")["not_counted"];
    let why = "the request names another profession";
    assert!(aside.as_array().unwrap().iter().any(|it| it["why"] == why), "{aside}");
}

#[test]
fn an_oncologist_of_the_directory_whom_the_request_calls_a_dermatologist_is_asked_about() {
    let server = Server::start();
    check(&submitted(&server, specialty(Some(DERMATOLOGIST))), "review", "3", "not-met");
    imported(&server, &["providers.csv"]);
    let item = submitted(&server, specialty(Some(DERMATOLOGIST)) + " ");
    check(&item, "pend", "3", "unknown");
}

#[test]
fn a_directory_entry_of_another_code_system_is_compared_with_no_taxonomy_code() {
    let server = Server::start();
    let path = repository().join("fixtures/import/directory.ndjson");
    let snomed = fs::read_to_string(path)
        .unwrap()
        .replace("http://nucc.org/provider-taxonomy", "http://snomed.info/sct")
        .replace("207RX0202X", "394593009");
    imported_text(&server, &snomed);
    check(&submitted(&server, specialty(None)), "approve", "3", "met");
    let item = submitted(&server, specialty(Some(NURSE_PRACTITIONER)));
    check(&item, "pend", "3", "unknown");
}

#[test]
fn an_expired_directory_entry_proves_nothing() {
    let server = Server::start();
    let rows = "npi,name,taxonomy,valid_from,valid_to\n\
                1555001019,Vale,207RX0202X,2015-07-01,2026-11-19\n";
    imported_text(&server, rows);
    check(&submitted(&server, specialty(None)), "pend", "3", "unknown");
    // On the day of the request it still counts.
    imported_text(&server, &rows.replace("2026-11-19", "2026-11-20"));
    check(&submitted(&server, specialty(None) + " "), "approve", "3", "met");
}

#[test]
fn another_specialty_in_the_directory_disproves_no_oncologist_of_the_request() {
    let server = Server::start();
    let row = format!("1555001019,Vale,{DERMATOLOGIST},2015-07-01,\n");
    imported_text(&server, &format!("npi,name,taxonomy,valid_from,valid_to\n{row}"));
    check(&submitted(&server, fixture(APPROVED)), "approve", "3", "met");
    // Where the request says nothing, the payer's own record is one that a person looks at.
    check(&submitted(&server, specialty(None)), "review", "3", "not-met");
}

#[test]
fn an_order_that_is_signed_is_judged_with_the_same_facts() {
    let server = Server::start();
    let determinations = "SELECT determination FROM coverage_assertion ORDER BY rowid";
    let call = || server.sign("2.2", fixture("crd/approve-all-met")).good();
    assert!(call()["systemActions"].is_array());
    let path = repository().join("fixtures/import/claims-earlier-dose.ndjson");
    let text = fs::read_to_string(path).unwrap().replace("CPC10010001", "CPC11010001");
    imported_text(&server, &text);
    call();
    assert_eq!(server.texts(determinations), ["approve", "review"]);
    // crd.md 3.9: a member whom the roster does not know.
    imported_text(
        &server,
        "member_id,birth_date,line,valid_from,valid_to\nCPC1,1961-04-17,ma-hmo,2025-01-01,\n",
    );
    let answer = call();
    let said = extensions(&answer["systemActions"][0]["resource"], "ext-coverage-information");
    let said = said[0].to_string();
    assert!(said.contains("not-covered") && said.contains("no-member-found"), "{said}");
    assert_eq!(server.texts(determinations), ["approve", "review", "review"]);
}

#[test]
fn the_server_answers_while_an_import_runs_and_sees_it_when_it_is_finished() {
    let server = Server::start();
    let path = repository().join("fixtures/import/claims-earlier-dose.ndjson");
    let text = fs::read_to_string(path).unwrap();
    let (coverage, dose) = text.split_once('\n').unwrap();
    let mut lines = vec![coverage.to_owned()];
    lines.extend((0..20_000).map(|number| dose.trim().replace("eob-9", &format!("eob-{number}"))));
    let file = server.data().join("many.ndjson");
    fs::write(&file, lines.join("\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
    let mut child =
        command.args(["import", "--data"]).arg(server.data()).arg(&file).spawn().unwrap();
    let mut number = 0;
    let ended = loop {
        let ended = child.try_wait().unwrap();
        let other = fixture(APPROVED).replace("CPC10010001", &format!("CPC77{number}"));
        let item = submitted(&server, other);
        assert_eq!(item["determination"], "approve", "{item:#}");
        number += 1;
        if let Some(status) = ended {
            break status;
        }
    };
    assert!(ended.success());
    assert!(number > 2, "the import was over at once");
    // More than is looked at by itself, which a person has to see.
    let item = submitted(&server, again(APPROVED, 1));
    check(&item, "review", "L2", "not-met");
    assert!(item["reasons"].to_string().contains("more claims"), "{item:#}");
}

#[test]
fn files_are_judged_with_what_a_store_holds() {
    let server = Server::start();
    imported(&server, &["claims-earlier-dose.ndjson"]);
    let evaluate = |data: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
        command.args(["evaluate", "--format", "json", "--as-of", "2026-11-20", "--data"]);
        command.arg(data).arg(repository().join("fixtures/pas/approve-all-met/request.json"));
        command.output().unwrap()
    };
    let determination = |output: &Output| {
        let line = parsed(std::str::from_utf8(&output.stdout).unwrap().trim());
        line["items"][0]["determination"].as_str().unwrap().to_owned()
    };
    // While the server runs, and after it was stopped.
    assert_eq!(determination(&evaluate(&server.data())), "review");
    let folder = server.stopped();
    let data = folder.path().join("data");
    assert_eq!(determination(&evaluate(&data)), "review");
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_judging() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_priorauth"));
    command.args(["evaluate", "--data"]).arg(folder.path().join("none"));
    let output = command.arg(repository().join("fixtures/pas")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not open the store"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
