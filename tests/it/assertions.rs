//! What was said of an order when it was signed: at the Claim for it, and when it is decided again.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cards::write_profiles;
use crate::command_line::{code, err, out, run};
use crate::harness::{Answer, Server, extensions, fixture, json, objects};
use crate::pas::{action, actions, claim_response};

const COVERAGE_INFORMATION: &str =
    "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information";
const APPROVED: &str = "pas/approve-all-met";
pub(crate) const VISIT: &str = "pas/no-authorization-office-visit";
const VERSIONS: [&str; 2] = ["2.0.1", "2.2.1"];

fn member_of(request: &Value) -> String {
    let found = objects(request).into_iter().find_map(|it| it.get("subscriberId")).unwrap();
    found.as_str().unwrap().to_owned()
}

/// A hook call of the member of a PAS story, about this order where it is given.
pub(crate) fn call(hook: &str, pas: &str, order: Option<Value>) -> String {
    let mut request = json(&fixture(hook));
    let (own, member) = (member_of(&request), member_of(&json(&fixture(pas))));
    if let Some(order) = order {
        request["context"]["draftOrders"]["entry"] = json!([{ "resource": order }]);
    }
    request.to_string().replace(&own, &member)
}

/// Signs an order; what was said of it, `pa-needed` and the id of the assertion.
fn sign(server: &Server, request: String) -> (String, String) {
    let answer = server.sign("2.2", request).good();
    let order = &answer["systemActions"][0]["resource"];
    let information = extensions(order, "ext-coverage-information");
    let said = |name: &str, value: &str| {
        extensions(information[0], name)[0][value].as_str().unwrap().to_owned()
    };
    (said("pa-needed", "valueCode"), said("coverage-assertion-id", "valueString"))
}

fn visit_order() -> Value {
    json!({
        "resourceType": "ServiceRequest", "id": "order-visit", "status": "draft",
        "intent": "order", "subject": { "reference": "Patient/pat-1101" },
        "code": { "coding": [{ "system": "http://www.ama-assn.org/go/cpt", "code": "99213" }] },
        "insurance": [{ "reference": "Coverage/cov-1101" }],
    })
}

/// A day by its distance from today.
#[expect(clippy::disallowed_methods, reason = "what is promised holds from the machine's day on")]
pub(crate) fn days_from_now(days: i64) -> String {
    let then = Timestamp::now().checked_add(SignedDuration::from_hours(24 * days)).unwrap();
    then.to_string()[..10].to_owned()
}

/// A PAS story on another day, whose requested order carries an assertion.
pub(crate) fn claim(story: &str, assertion: Option<&str>, day: &str) -> String {
    let mut bundle = json(&fixture(story));
    let entries = bundle["entry"].as_array_mut().unwrap();
    if story == VISIT {
        let url = entries[0]["fullUrl"]
            .as_str()
            .unwrap()
            .replace("Claim/claim-1007", "ServiceRequest/order-visit");
        let mut order = visit_order();
        order["subject"]["reference"] = json!("Patient/pat-1007");
        order.as_object_mut().unwrap().remove("insurance");
        entries.push(json!({ "fullUrl": url, "resource": order }));
        let item = &mut entries[0]["resource"]["item"][0];
        // What was said holds for some time from the day on which it was said.
        item["servicedDate"] = json!(days_from_now(14));
        item["extension"].as_array_mut().unwrap().push(json!({
            "url": "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-requestedService",
            "valueReference": { "reference": "ServiceRequest/order-visit" },
        }));
    }
    for entry in entries {
        let resource = &mut entry["resource"];
        let kind = resource["resourceType"].as_str().unwrap();
        if let (Some(id), "MedicationRequest" | "ServiceRequest") = (assertion, kind) {
            resource["extension"] = json!([{
                "url": COVERAGE_INFORMATION,
                "extension": [
                    { "url": "coverage", "valueReference": { "reference": "Coverage/c" } },
                    { "url": "covered", "valueCode": "covered" },
                    { "url": "coverage-assertion-id", "valueString": id },
                ],
            }]);
        }
    }
    bundle.to_string().replace("2026-12-10", day)
}

/// The review action of the one line.
pub(crate) fn line_action(answer: &Answer) -> String {
    actions(answer).remove(0)
}

/// The newest case's only line, as its reviewer sees it.
pub(crate) fn viewed(server: &Server) -> Value {
    let newest = "SELECT case_id FROM submission ORDER BY submission_id DESC LIMIT 1";
    let case = server.texts(newest).remove(0);
    server.get(&format!("/admin/api/cases/{case}")).good()["lines"][0].clone()
}

#[test]
fn a_claim_for_an_order_that_was_satisfied_gets_that_authorization_and_no_other() {
    for version in VERSIONS {
        let server = Server::start();
        assert_eq!(line_action(&server.submit(version, fixture(APPROVED))), "A1");
        let number = server.texts("SELECT number FROM issued_number").remove(0);
        let (said, id) = sign(&server, call("crd/approve-all-met", APPROVED, None));
        assert_eq!(said, "satisfied");
        let answer = server.submit(version, claim(APPROVED, Some(&id), "2026-12-11"));
        let response = claim_response(&answer);
        assert_eq!(action(&response["item"][0]).0, "NA", "{response:#}");
        let note = response["processNote"][0]["text"].as_str().unwrap();
        assert!(note.contains(&number) && note.contains("no other one is needed"), "{note}");
        // Nothing was authorized by it.
        assert_eq!(server.texts("SELECT number FROM issued_number"), std::slice::from_ref(&number));
        assert!(response.get("preAuthRef").is_none());
        let line = viewed(&server);
        let shown = &line["assertions"][0];
        assert_eq!((&shown["assertion_id"], &shown["is_honoured"]), (&json!(id), &json!(true)));
        assert_eq!(shown["said"], "satisfied");
        // Without the assertion it waits for a person (rulings 11).
        let bare = server.submit(version, claim(APPROVED, None, "2026-12-12"));
        assert_eq!(line_action(&bare), "A4");
        assert!(viewed(&server).get("assertions").is_none());
    }
}

#[test]
fn an_assertion_holds_only_while_its_authorization_does() {
    let server = Server::start();
    assert_eq!(line_action(&server.submit("2.2.1", fixture(APPROVED))), "A1");
    let (_, id) = sign(&server, call("crd/approve-all-met", APPROVED, None));
    let later = server.submit("2.2.1", claim(APPROVED, Some(&id), "2028-12-11"));
    assert_eq!(line_action(&later), "A4");
    let shown = viewed(&server)["assertions"][0].clone();
    assert_eq!(shown["is_honoured"], false);
    assert!(shown["why"].as_str().unwrap().contains("day of service"), "{shown}");
}

/// The profiles with a plan that asks authorization for the visit.
fn without_free_visits(folder: &Path) {
    write_profiles(folder, "");
    let plan = folder.join("plans/carepartners-ct.toml");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(plan, text.replace("code = \"99213\"", "code = \"99999\"")).unwrap();
}

/// A server whose plan asks authorization for a visit since it said that none is needed, and the
/// assertion.
pub(crate) fn with_old_promise() -> (Server, String) {
    let server = Server::start();
    let order = Some(visit_order());
    let (said, id) = sign(&server, call("crd/approve-all-met", VISIT, order));
    assert_eq!(said, "no-auth");
    let folder = server.stopped();
    without_free_visits(&folder.path().join("rules"));
    (Server::on(folder, "profiles = \"rules\"\n"), id)
}

#[test]
fn an_order_that_needed_no_authorization_needs_none_at_its_claim() {
    let (server, id) = with_old_promise();
    for version in VERSIONS {
        let bare = server.submit(version, claim(VISIT, None, "2026-12-11"));
        assert_eq!(line_action(&bare), "A4", "{version}");
        let answer = server.submit(version, claim(VISIT, Some(&id), "2026-12-11"));
        let response = claim_response(&answer);
        assert_eq!(action(&response["item"][0]).0, "NA", "{version}");
        let note = response["processNote"][0]["text"].as_str().unwrap();
        assert!(note.contains("that no prior authorization is needed"), "{note}");
    }
    assert!(
        server.texts("SELECT number FROM issued_number WHERE series = 'authorization'").is_empty()
    );
    // A line for more is not the order that was spoken of, nor is one for something else.
    let mut more = json(&claim(VISIT, Some(&id), "2026-12-11"));
    more["entry"][0]["resource"]["item"][0]["quantity"] = json!({ "value": 30 });
    assert_eq!(line_action(&server.submit("2.2.1", more.to_string())), "A4");
    let shown = viewed(&server)["assertions"][0].clone();
    assert!(shown["why"].as_str().unwrap().contains("asks for more"), "{shown}");
    let mut other = json(&claim(VISIT, Some(&id), "2026-12-11"));
    let coding = &mut other["entry"][0]["resource"]["item"][0]["productOrService"]["coding"][0];
    coding["code"] = json!("99215");
    coding.as_object_mut().unwrap().remove("display");
    assert_eq!(line_action(&server.submit("2.2.1", other.to_string())), "A4");
    let shown = viewed(&server)["assertions"][0].clone();
    assert!(shown["why"].as_str().unwrap().contains("something else"), "{shown}");
}

#[test]
fn of_an_order_that_names_more_than_the_free_service_nothing_is_kept_to() {
    let server = Server::start();
    let mut order = visit_order();
    let costly = json!({ "system": "http://www.ama-assn.org/go/cpt", "code": "99999" });
    order["code"]["coding"].as_array_mut().unwrap().push(costly.clone());
    let (said, id) = sign(&server, call("crd/approve-all-met", VISIT, Some(order)));
    assert_eq!(said, "conditional");
    let mut other = json(&claim(VISIT, Some(&id), "2026-12-11"));
    other["entry"][0]["resource"]["item"][0]["productOrService"]["coding"] = json!([costly]);
    let entries = other["entry"].as_array_mut().unwrap();
    entries.last_mut().unwrap()["resource"]["code"]["coding"] = json!([costly]);
    assert_eq!(line_action(&server.submit("2.2.1", other.to_string())), "A4");
    assert_eq!(viewed(&server)["assertions"][0]["said"], "other");
}

#[test]
fn an_assertion_never_takes_the_place_of_evidence() {
    const PENDED: &str = "pas/pend-braf-unknown";
    let server = Server::start();
    // Everything was proven when it was signed; the Claim comes without the BRAF result.
    let (said, id) = sign(&server, call("crd/approve-all-met", PENDED, None));
    assert_eq!(said, "auth-needed");
    for version in VERSIONS {
        let answer = server.submit(version, claim(PENDED, Some(&id), "2026-12-11"));
        assert_eq!(line_action(&answer), "A4", "{version}");
        let shown = viewed(&server)["assertions"][0].clone();
        assert_eq!((&shown["said"], &shown["is_honoured"]), (&json!("other"), &json!(false)));
        assert_eq!(
            (&shown["determination"], &shown["policy"]),
            (&json!("approve"), &json!("amtagvi 2026-01-01"))
        );
    }
    assert!(
        server.texts("SELECT number FROM issued_number WHERE series = 'authorization'").is_empty()
    );
}

#[test]
fn an_assertion_that_is_nobodys_or_anothers_is_passed_over_and_noted() {
    let server = Server::start();
    let order = Some(visit_order());
    let (_, of_other_member) = sign(&server, call("crd/approve-all-met", APPROVED, order.clone()));
    let (_, of_other_client) = sign(&server, call("crd/approve-all-met", VISIT, order));
    let moved = "UPDATE hook_call SET client = 'harbour' WHERE hook_call_id = 2 RETURNING client";
    assert_eq!(server.texts(moved), ["harbour"]);
    let folder = server.stopped();
    without_free_visits(&folder.path().join("rules"));
    let server = Server::on(folder, "profiles = \"rules\"\n");
    for id in [&*of_other_member, &of_other_client, "a8c21a1e-0000-4000-8000-000000000000", "x"] {
        let answer = server.submit("2.2.1", claim(VISIT, Some(id), "2026-12-11"));
        assert_eq!(line_action(&answer), "A4", "{id}");
        let shown = viewed(&server)["assertions"].clone();
        // Nothing of what was said to others is told.
        let why = "it is no assertion that this client was given for this member";
        assert_eq!(shown, json!([{ "assertion_id": id, "is_honoured": false, "why": why }]));
    }
}

pub(crate) fn replay(server: &Server, id: &str, more: &[&str]) -> (i32, String) {
    let data = server.data();
    let done = run(&[&["replay", id, "--data", data.to_str().unwrap()], more].concat());
    assert_eq!(err(&done), "", "{id}");
    (code(&done), out(&done))
}

#[test]
fn what_was_decided_is_decided_again_on_what_was_known_then() {
    let server = Server::start();
    let (_, id) = sign(&server, call("crd/approve-all-met", APPROVED, None));
    // Since then the member was given the dose: today limitation 2 would be in doubt.
    assert_eq!(line_action(&server.submit("2.2.1", fixture(APPROVED))), "A1");
    let case = server.texts("SELECT case_id FROM prior_auth_case").remove(0);
    let (_, later) = sign(&server, call("crd/approve-all-met", APPROVED, None));
    for id in [&id, &case, &later] {
        assert_eq!(replay(&server, id, &[]), (0, "1 judged again: 0 differ\n".to_owned()), "{id}");
    }
    let determined =
        server.texts("SELECT determination FROM coverage_assertion ORDER BY hook_call_id");
    assert_eq!(determined, ["approve", "pend"], "the authorization made a difference");
}

#[test]
fn what_was_said_under_a_second_coverage_is_decided_again_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    write_profiles(&rules, "");
    let policy = rules.join("policies/amtagvi/2026-01-01/policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    let of_one_line = text.replace("lines = [\"ma-hmo\", \"ma-ppo\"]", "lines = [\"ma-hmo\"]");
    assert_ne!(text, of_one_line);
    fs::write(&policy, of_one_line).unwrap();
    let server = Server::on(folder, "profiles = \"rules\"\n");
    let mut request = json(&fixture("crd/approve-all-met"));
    let entries = request["prefetch"]["coverage"]["entry"].as_array_mut().unwrap();
    let mut second = entries[0]["resource"].clone();
    second["id"] = json!("cov-second");
    second["class"][0]["value"] = json!("MA-PPO");
    second["class"][0]["name"] = json!("CarePartners of Connecticut Medicare Advantage PPO");
    entries.push(json!({ "resource": second }));
    let order = &mut request["context"]["draftOrders"]["entry"][0]["resource"];
    order.as_object_mut().unwrap().remove("insurance");
    server.sign("2.2", request.to_string()).good();
    let query = "SELECT assertion_id FROM coverage_assertion";
    let rules = server.data().parent().unwrap().join("rules");
    let ids = server.texts(query);
    assert_eq!(ids.len(), 2);
    let said = server.texts("SELECT DISTINCT determination FROM coverage_assertion");
    assert_eq!(said.len(), 2, "{said:?}");
    for id in ids {
        let (code, text) = replay(&server, &id, &["--profiles", rules.to_str().unwrap()]);
        assert_eq!((code, &*text), (0, "1 judged again: 0 differ\n"));
    }
}

#[test]
fn other_policies_show_what_they_would_have_decided() {
    let server = Server::start();
    let (_, id) = sign(&server, call("crd/approve-all-met", APPROVED, None));
    assert_eq!(line_action(&server.submit("2.2.1", fixture(APPROVED))), "A1");
    let case = server.texts("SELECT case_id FROM prior_auth_case").remove(0);
    let folder = tempfile::tempdir().unwrap();
    write_profiles(folder.path(), "");
    let file = folder.path().join("policies/amtagvi/2026-01-01/policy.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text.replace("years = 18", "years = 90")).unwrap();
    let other = folder.path().to_str().unwrap();
    for (id, name) in [(&id, "assertion"), (&case, "case, submission 1")] {
        let (code, text) = replay(&server, id, &["--policies", other]);
        assert_eq!(code, 1);
        assert!(text.contains("plan or policies are not those that judged then"), "{text}");
        assert!(text.contains(&format!("{name}, item 1: approve becomes review")), "{text}");
        assert!(text.contains("  2 18 years or older: met becomes not-met"), "{text}");
        let (code, text) = replay(&server, id, &["--policies", other, "--format", "json"]);
        let report = json(&text);
        assert_eq!((code, &report["items"]), (1, &json!(1)));
        assert_eq!(report["differences"][0]["clauses"][0]["id"], "2");
    }
    let data = server.data();
    let unknown = run(&["replay", "nothing", "--data", data.to_str().unwrap()]);
    assert_eq!(code(&unknown), 2);
    assert!(err(&unknown).contains("there is no assertion and no case `nothing`"));
}

#[test]
fn each_submission_of_a_case_is_decided_again_by_itself() {
    let server = Server::start();
    let pended = "pas/pend-braf-unknown";
    server.submit("2.2.1", fixture(pended)).good();
    let body = crate::case_life::attachment(
        "REQ-1002",
        &crate::case_life::member_of(pended),
        &crate::case_life::missing_result(),
    );
    assert_eq!(crate::case_life::attach(&server, &body).status, 200);
    let case = server.texts("SELECT case_id FROM prior_auth_case").remove(0);
    assert_eq!(replay(&server, &case, &[]), (0, "2 judged again: 0 differ\n".to_owned()));
}

#[test]
fn a_line_that_asks_for_more_than_the_free_service_waits() {
    let server = Server::start();
    let costly = json!({ "system": "http://www.ama-assn.org/go/cpt", "code": "27447" });
    let item = |change: &dyn Fn(&mut Value)| {
        let mut claim = json(&claim(VISIT, None, "2026-12-11"));
        change(&mut claim["entry"][0]["resource"]["item"][0]["productOrService"]["coding"]);
        line_action(&server.submit("2.2.1", claim.to_string()))
    };
    assert_eq!(item(&|_| {}), "NA");
    // Beside its code, and in place of it where the order of the line is free.
    assert_eq!(item(&|codings| codings.as_array_mut().unwrap().push(costly.clone())), "A4");
    assert_eq!(item(&|codings| *codings = json!([costly])), "A4");
}

#[test]
fn an_authorization_is_for_the_service_that_was_asked_for() {
    const OXYGEN: &str = "pas/approve-home-oxygen";
    let server = Server::start();
    assert_eq!(line_action(&server.submit("2.2.1", fixture(OXYGEN))), "A1");
    for (code, expected) in [("E1390", "satisfied"), ("E0431", "auth-needed")] {
        let request = call("crd/pend-home-oxygen-under-oxygen", OXYGEN, None);
        let (said, _) = sign(&server, request.replace("E1390", code));
        assert_eq!(said, expected, "{code}");
    }
}

#[test]
fn an_authorization_is_for_the_place_that_was_asked_for() {
    let server = Server::start();
    assert_eq!(line_action(&server.submit("2.2.1", fixture(APPROVED))), "A1");
    let request = call("crd/approve-all-met", APPROVED, None);
    let (said, id) = sign(&server, request.clone());
    assert_eq!(said, "satisfied");
    let elsewhere = |text: String| text.replace("1234567893", "1992000012");
    let (said, _) = sign(&server, elsewhere(request));
    assert_eq!(said, "auth-needed");
    let claim = claim(APPROVED, Some(&id), "2026-12-11");
    assert_eq!(line_action(&server.submit("2.2.1", elsewhere(claim))), "A4");
    assert_eq!(viewed(&server)["assertions"][0]["is_honoured"], false);
}
