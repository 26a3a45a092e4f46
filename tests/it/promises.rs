//! What was given or said before, where a second request leans on it: another line, another amount,
//! another day.

use serde_json::{Value, json};

use crate::assertions::{
    VISIT, call, claim, days_from_now, line_action, replay, viewed, with_old_promise,
};
use crate::case_life::{APPROVED, cancel, cancel_all, update};
use crate::harness::{Server, extensions, fixture, json};
use crate::pas::{VERSIONS, actions};

const OXYGEN: &str = "pas/approve-home-oxygen";

fn only_case(server: &Server) -> String {
    server.texts("SELECT case_id FROM prior_auth_case").remove(0)
}

// rulings 11
#[test]
fn a_line_that_an_update_adds_alone_is_judged_beside_what_its_case_was_given() {
    for version in VERSIONS {
        let server = Server::start();
        assert_eq!(actions(&server.submit(version, fixture(APPROVED))), ["A1"]);
        let second_dose = update(APPROVED, |claim| claim["item"][0]["sequence"] = json!(2));
        assert_eq!(actions(&server.submit(version, second_dose)), ["A4"], "{version}");
        let lines = server.get(&format!("/admin/api/cases/{}", only_case(&server))).good();
        let known: Vec<&Value> =
            lines["lines"].as_array().unwrap().iter().map(|it| &it["review_action"]).collect();
        assert_eq!(known, ["A1", "A4"]);
        // What the first line was given was on file when the second one was judged.
        let again = replay(&server, &only_case(&server), &[]);
        assert_eq!(again, (0, "2 judged again: 0 differ\n".to_owned()));
    }
}

#[test]
fn a_line_that_is_judged_again_or_withdrawn_is_not_in_its_own_way() {
    let server = Server::start();
    assert_eq!(actions(&server.submit("2.2.1", fixture(APPROVED))), ["A1"]);
    let moved = update(APPROVED, |claim| claim["item"][0]["servicedDate"] = json!("2026-12-17"));
    assert_eq!(actions(&server.submit("2.2.1", moved)), ["A1"]);
    let again = replay(&server, &only_case(&server), &[]);
    assert_eq!(again, (0, "2 judged again: 0 differ\n".to_owned()));
}

#[test]
fn a_case_that_was_withdrawn_is_decided_again_as_it_was_decided() {
    let one = update(APPROVED, |claim| cancel(&mut claim["item"][0]));
    let all = update(APPROVED, cancel_all);
    for withdrawal in [one, all] {
        let server = Server::start();
        assert_eq!(actions(&server.submit("2.2.1", fixture(APPROVED))), ["A1"]);
        assert_eq!(actions(&server.submit("2.2.1", withdrawal)), ["C"]);
        let again = replay(&server, &only_case(&server), &[]);
        assert_eq!(again, (0, "1 judged again: 0 differ\n".to_owned()));
    }
}

/// `pa-needed` of each order of an answer.
fn needed(server: &Server, request: &Value) -> Vec<String> {
    let answer = server.sign("2.2", request.to_string()).good();
    let orders = answer["systemActions"].as_array().unwrap().iter();
    let information = orders.map(|it| extensions(&it["resource"], "ext-coverage-information")[0]);
    let said = information.map(|it| extensions(it, "pa-needed")[0]["valueCode"].clone());
    said.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_authorization_satisfies_one_of_two_orders_for_the_same() {
    let server = Server::start();
    assert_eq!(line_action(&server.submit("2.2.1", fixture(APPROVED))), "A1");
    let mut request = json(&call("crd/approve-all-met", APPROVED, None));
    assert_eq!(needed(&server, &request), ["satisfied"]);
    let orders = request["context"]["draftOrders"]["entry"].as_array_mut().unwrap();
    let mut second = orders[0].clone();
    second["fullUrl"] = json!("https://ehr.lakeside.test/fhir/MedicationRequest/order-second");
    second["resource"]["id"] = json!("order-second");
    orders.push(second);
    assert_eq!(needed(&server, &request), ["satisfied", "auth-needed"]);
    // By another code of the same drug it is the same.
    let second = &mut request["context"]["draftOrders"]["entry"][1]["resource"];
    second["medicationCodeableConcept"]["coding"] =
        json!([{ "system": "http://hl7.org/fhir/sid/ndc", "code": "73776-001-11" }]);
    assert_eq!(needed(&server, &request), ["satisfied", "auth-needed"]);
    // The infusion of the drug is no second one of it.
    let second = &mut request["context"]["draftOrders"]["entry"][1]["resource"];
    second["resourceType"] = json!("ServiceRequest");
    second["code"] = second["medicationCodeableConcept"].take();
    assert_eq!(needed(&server, &request), ["satisfied", "satisfied"]);
}

fn oxygen_order(amount: Option<Value>) -> Value {
    let story = json(&fixture(OXYGEN));
    let mut order = json!({
        "resourceType": "ServiceRequest", "id": "oxygen", "status": "draft", "intent": "order",
        "subject": { "reference": "Patient/pat-1101" }, "authoredOn": "2026-11-20",
        "code": story["entry"][0]["resource"]["item"][0]["productOrService"],
        "insurance": [{ "reference": "Coverage/cov-1101" }],
    });
    if let Some(amount) = amount {
        order["quantityQuantity"] = json!({ "value": amount });
    }
    order
}

fn oxygen_needed(server: &Server, amount: Option<Value>) -> Vec<String> {
    let request = call("crd/approve-all-met", OXYGEN, Some(oxygen_order(amount)));
    needed(server, &json(&request))
}

#[test]
fn an_authorization_satisfies_an_order_for_no_more_than_was_authorized() {
    let server = Server::start();
    assert_eq!(line_action(&server.submit("2.2.1", fixture(OXYGEN))), "A1");
    assert_eq!(oxygen_needed(&server, None), ["satisfied"]);
    assert_eq!(oxygen_needed(&server, Some(json!(1))), ["satisfied"]);
    assert_eq!(oxygen_needed(&server, Some(json!(36))), ["auth-needed"]);
    let server = Server::start();
    let mut three = json(&fixture(OXYGEN));
    three["entry"][0]["resource"]["item"][0]["quantity"] = json!({ "value": 3 });
    assert_eq!(line_action(&server.submit("2.2.1", three.to_string())), "A1");
    assert_eq!(oxygen_needed(&server, Some(json!(3))), ["satisfied"]);
    assert_eq!(oxygen_needed(&server, Some(json!(4))), ["auth-needed"]);
}

#[test]
fn what_a_person_cut_down_satisfies_no_order_for_the_whole() {
    let server = Server::start();
    let mut bundle = json(&fixture(OXYGEN));
    bundle["entry"][0]["resource"]["item"][0]["quantity"] = json!({ "value": 12 });
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Observation" {
            entry["resource"]["status"] = json!("preliminary");
        }
    }
    assert_eq!(line_action(&server.submit("2.2.1", bundle.to_string())), "A4");
    let decision = json!({
        "decision": "modify", "quantity": "3", "note": "Three months.",
        "reviewer": "Dr. Okafor", "credentials": "MD, medical director",
    });
    let path = format!("/admin/api/cases/{}/review", only_case(&server));
    server.post(&path, "application/json", decision.to_string()).good();
    assert_eq!(oxygen_needed(&server, Some(json!(3))), ["satisfied"]);
    assert_eq!(oxygen_needed(&server, Some(json!(12))), ["auth-needed"]);
}

#[test]
fn a_promise_of_no_authorization_holds_for_services_in_its_time() {
    let (server, id) = with_old_promise();
    for (days, expected) in [(0, "NA"), (170, "NA"), (190, "A4"), (-3, "A4")] {
        let day = days_from_now(days);
        let mut bundle = json(&claim(VISIT, Some(&id), "2026-12-11"));
        bundle["entry"][0]["resource"]["item"][0]["servicedDate"] = json!(day);
        let answer = server.submit("2.2.1", bundle.to_string());
        assert_eq!(line_action(&answer), expected, "{day}");
        let why = viewed(&server)["assertions"][0]["why"].as_str().unwrap().to_owned();
        assert_eq!(why.contains("of another day"), expected == "A4", "{why}");
    }
}

#[test]
fn a_promise_for_one_visit_is_not_kept_for_each_of_many_lines() {
    let (server, id) = with_old_promise();
    let mut many = json(&claim(VISIT, Some(&id), "2026-12-11"));
    let items = many["entry"][0]["resource"]["item"].as_array_mut().unwrap();
    let mut second = items[0].clone();
    second["sequence"] = json!(2);
    items.push(second);
    assert_eq!(actions(&server.submit("2.2.1", many.to_string())), ["A4", "A4"]);
    let why = viewed(&server)["assertions"][0]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("asks for more"), "{why}");
}
