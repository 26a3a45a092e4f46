//! What becomes of a case after its first answer, over HTTP: reviews, inquiries, updates.

use serde_json::{Value, json};

use crate::clients::{bearer, two_clients};
use crate::harness::{Answer, FHIR_JSON, Server, extensions, fixture, json};
use crate::pas::{VERSIONS, action, actions, claim_response, number};

pub(crate) const PENDED: &str = "pas/pend-braf-unknown";
pub(crate) const APPROVED: &str = "pas/approve-all-met";
pub(crate) const EXTENSION: &str = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition";

/// A server with one pended case, and the case's id.
pub(crate) fn with_pended(version: &str) -> (Server, String) {
    let server = Server::start();
    assert_eq!(actions(&server.submit(version, fixture(PENDED))), ["A4"]);
    let id = only_case(&server);
    (server, id)
}

pub(crate) fn only_case(server: &Server) -> String {
    let cases = server.get("/admin/api/cases").json();
    let [case] = cases.as_array().unwrap().as_slice() else { panic!("{cases}") };
    case["case_id"].as_str().unwrap().to_owned()
}

pub(crate) fn review(server: &Server, case: &str, more: &Value) -> Answer {
    let mut review = json!({
        "reviewer": "Dr. Okafor", "credentials": "MD, medical director", "npi": "1234567893",
    });
    for (key, value) in more.as_object().unwrap() {
        review[key] = value.clone();
    }
    let path = format!("/admin/api/cases/{case}/review");
    server.post(&path, "application/json", review.to_string())
}

/// An inquiry by the people and organizations of a request, without its items and evidence.
pub(crate) fn inquiry(story: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut bundle = json(&fixture(story));
    let kept = ["Claim", "Patient", "Organization", "Coverage", "PractitionerRole", "Practitioner"];
    let entries = bundle["entry"].as_array_mut().unwrap();
    entries.retain(|entry| kept.contains(&entry["resource"]["resourceType"].as_str().unwrap()));
    let claim = &mut entries[0]["resource"];
    claim["meta"]["profile"] = json!([format!("{EXTENSION}/profile-claim-inquiry")]);
    for gone in ["item", "supportingInfo", "diagnosis"] {
        claim.as_object_mut().unwrap().remove(gone);
    }
    change(claim);
    bundle.to_string()
}

/// The `ClaimResponse`s that an inquiry finds.
pub(crate) fn found(server: &Server, version: &str, body: impl Into<Vec<u8>>) -> Vec<Value> {
    let path = format!("/pas/{version}/Claim/$inquire");
    let answer = server.post(&path, FHIR_JSON, body).good();
    let bundles = if version == "2.0.1" {
        vec![answer]
    } else {
        assert_eq!(answer["resourceType"], "Parameters");
        let parameters = answer["parameter"].as_array().cloned().unwrap_or_default();
        assert!(parameters.iter().all(|it| it["name"] == "return"), "{parameters:?}");
        parameters.into_iter().map(|it| it["resource"].clone()).collect()
    };
    let entries = bundles.iter().flat_map(|bundle| bundle["entry"].as_array().unwrap());
    let resources = entries.map(|entry| entry["resource"].clone());
    resources.filter(|it| it["resourceType"] == "ClaimResponse").collect()
}

fn found_actions(server: &Server, version: &str, body: impl Into<Vec<u8>>) -> Vec<Vec<String>> {
    let found = found(server, version, body);
    let items = found.iter().map(|response| response["item"].as_array().unwrap());
    items.map(|items| items.iter().map(|item| action(item).0).collect()).collect()
}

// rulings 34: from both versions' endpoints.
#[test]
fn a_case_is_found_by_member_and_provider_from_both_versions() {
    let server = Server::start();
    assert_eq!(actions(&server.submit("2.2.1", fixture(PENDED))), ["A4"]);
    for version in VERSIONS {
        let nothing_more = inquiry(PENDED, |_| {});
        assert_eq!(found_actions(&server, version, nothing_more), [["A4"]]);
        let response = &found(&server, version, inquiry(PENDED, |_| {}))[0];
        let profile = &response["meta"]["profile"][0];
        assert_eq!(profile, &json!(format!("{EXTENSION}/profile-claiminquiryresponse")));
        assert_eq!(response["request"]["identifier"]["value"], "REQ-1002");
        // Another member, another provider.
        let stranger = inquiry(PENDED, |_| {}).replace("CPC", "XXX");
        assert_eq!(found(&server, version, stranger), Vec::<Value>::new());
        let elsewhere = inquiry(PENDED, |claim| {
            claim["provider"] = json!({ "reference": "Organization/carepartners-ct" });
            claim.as_object_mut().unwrap().remove("careTeam");
        });
        assert_eq!(found(&server, version, elsewhere), Vec::<Value>::new());
    }
}

#[test]
fn an_example_narrows_what_is_found() {
    let server = Server::start();
    server.submit("2.2.1", fixture(PENDED)).good();
    let with_item = |product: Value, more: Value| {
        inquiry(PENDED, |claim| {
            let mut item = json!({ "sequence": 1, "productOrService": { "coding": [product] } });
            for (key, value) in more.as_object().unwrap() {
                item[key] = value.clone();
            }
            claim["item"] = json!([item]);
        })
    };
    let ndc = json!({ "system": "http://hl7.org/fhir/sid/ndc", "code": "73776-001-11" });
    let other = json!({ "system": "http://hl7.org/fhir/sid/ndc", "code": "00003-3772-11" });
    let any = json!({
        "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
        "code": "not-applicable",
    });
    let day = |day: &str| json!({ "servicedDate": day });
    for (body, count) in [
        (with_item(ndc.clone(), json!({})), 1),
        (with_item(any.clone(), json!({})), 1),
        (with_item(other, json!({})), 0),
        (with_item(ndc.clone(), day("2026-12-10")), 1),
        (with_item(ndc, day("2026-12-11")), 0),
        (inquiry(PENDED, |claim| claim["diagnosis"] = diagnoses(&["C34.91"])), 0),
        // Several diagnoses are a union.
        (inquiry(PENDED, |claim| claim["diagnosis"] = diagnoses(&["C34.91", "C43.59"])), 1),
    ] {
        assert_eq!(found(&server, "2.2.1", &*body).len(), count, "{body}");
    }
    let by_action = |code: &str| {
        let coding = json!({ "system": "https://codesystem.x12.org/005010/306", "code": code });
        let extension = json!([{
            "url": format!("{EXTENSION}/extension-reviewActionCode"),
            "valueCodeableConcept": { "coding": [coding] },
        }]);
        with_item(any.clone(), json!({ "extension": extension }))
    };
    assert_eq!(found(&server, "2.2.1", by_action("A4")).len(), 1);
    assert_eq!(found(&server, "2.2.1", by_action("A1")).len(), 0);
}

fn diagnoses(codes: &[&str]) -> Value {
    let diagnosis = |(at, code): (usize, &&str)| {
        let coding = json!({ "system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code });
        json!({ "sequence": at + 1, "diagnosisCodeableConcept": { "coding": [coding] } })
    };
    codes.iter().enumerate().map(diagnosis).collect()
}

fn asking_for_number(story: &str, number: &str) -> String {
    inquiry(story, |claim| {
        claim["extension"] = json!([{
            "url": format!("{EXTENSION}/extension-authorizationNumber"), "valueString": number,
        }]);
    })
}

// rulings 34
#[test]
fn a_number_alone_shows_nothing() {
    let server = Server::start();
    let given = number(&server.submit("2.2.1", fixture(APPROVED)));
    let asked = asking_for_number(APPROVED, &given);
    for version in VERSIONS {
        let responses = found(&server, version, &*asked);
        assert_eq!(responses.len(), 1);
        assert_eq!(responses[0]["preAuthRef"], json!(given));
        assert_eq!(found(&server, version, asked.replace("CPC", "XXX")).len(), 0);
        let unknown = asking_for_number(APPROVED, "CPCT9999999999");
        assert_eq!(found(&server, version, unknown).len(), 0);
        // Nobody's inquiry is a 200 with nothing in it, never a 404.
    }
}

#[test]
fn a_bad_inquiry_is_refused_with_its_place() {
    let server = Server::start();
    for version in VERSIONS {
        let path = format!("/pas/{version}/Claim/$inquire");
        let empty = r#"{"resourceType":"Bundle","type":"collection","entry":[]}"#;
        for (body, status) in [("{", 400), (empty, 400), (r#"{"resourceType":"Bundle"}"#, 422)] {
            let answer = server.post(&path, FHIR_JSON, body);
            assert_eq!(answer.status, status, "{body}");
            assert!(!answer.issues().is_empty());
        }
    }
}

#[test]
fn a_reviewer_approves_denies_modifies_and_asks() {
    let cases = [
        (json!({ "decision": "approve", "note": "After a call." }), "A1"),
        (json!({ "decision": "modify", "quantity": "1", "note": "One dose." }), "A6"),
        (json!({ "decision": "deny", "reason_codes": ["0V"], "note": "Criterion 5." }), "A3"),
        (json!({ "decision": "ask", "note": "Please send the pathology report." }), "A4"),
    ];
    for (decision, code) in cases {
        for version in VERSIONS {
            let (server, case) = with_pended(version);
            let recorded = review(&server, &case, &decision);
            assert_eq!(recorded.status, 200, "{}", recorded.text);
            assert_eq!(recorded.json()["answer"], 2);
            let response = &found(&server, version, inquiry(PENDED, |_| {}))[0];
            let item = &response["item"][0];
            let (action, number) = action(item);
            assert_eq!(action, code, "{version}");
            assert_eq!(number.is_some(), code == "A1" || code == "A6", "{version}");
            assert_eq!(response["preAuthRef"].as_str(), number.as_deref());
            let note = decision["note"].as_str().unwrap();
            assert_eq!(response["processNote"][0]["text"], note, "{version}");
            assert_eq!(item["noteNumber"][0], 1, "{version}");
            let reviewers = extensions(response, "/extension-claimResponseReviewer");
            assert_eq!(reviewers.len(), usize::from(version == "2.2.1"), "{version}");
            // A repeat of the submission gets what holds now (rulings 31).
            let again = server.submit(version, fixture(PENDED));
            assert_eq!(actions(&again), [code], "{version}");
            let shown = server.get(&format!("/admin/api/cases/{case}")).json();
            assert_eq!(shown["lines"][0]["reviewed_by"], "Dr. Okafor, MD, medical director");
            let waits = server.get("/admin/api/cases").json().as_array().unwrap().len();
            assert_eq!(waits, usize::from(code == "A4"));
            // Decided is decided.
            let again = review(&server, &case, &decision);
            assert_eq!(again.status == 409, code != "A4", "{}", again.text);
        }
    }
}

#[test]
fn a_review_that_lacks_something_changes_nothing() {
    let (server, case) = with_pended("2.2.1");
    let bad = [
        (json!({ "decision": "deny", "note": "No code." }), 422),
        (json!({ "decision": "deny", "reason_codes": ["0V"] }), 422),
        (json!({ "decision": "deny", "reason_codes": ["0V"], "note": " " }), 422),
        (json!({ "decision": "deny", "reason_codes": ["<b>"], "note": "x" }), 422),
        (json!({ "decision": "modify" }), 422),
        (json!({ "decision": "modify", "quantity": "-1" }), 422),
        (json!({ "decision": "approve", "quantity": "1" }), 422),
        (json!({ "decision": "approve", "npi": "1234567890" }), 422),
        (json!({ "decision": "approve", "credentials": "" }), 422),
        (
            json!({ "decision": "approve", "valid_from": "2027-01-02", "valid_to": "2027-01-01" }),
            422,
        ),
        (json!({ "decision": "ask" }), 422),
        (json!({ "decision": "approve", "documents": [{ "loinc": "11526-1" }] }), 422),
        (json!({ "decision": "ask", "note": "x", "documents": [{ "loinc": "11526-2" }] }), 400),
        (json!({ "decision": "grant" }), 400),
        (json!({ "decision": "approve", "zzz": 1 }), 400),
        (json!({ "decision": "approve", "lines": [7] }), 409),
        (json!({ "decision": "approve", "seen_answer": 7 }), 409),
    ];
    for (decision, status) in bad {
        let answer = review(&server, &case, &decision);
        assert_eq!(answer.status, status, "{decision}: {}", answer.text);
        assert!(!answer.issues().is_empty(), "{decision}");
    }
    assert_eq!(review(&server, "nowhere", &json!({ "decision": "approve" })).status, 404);
    assert_eq!(server.rows()["answer"], 1);
    assert_eq!(only_case(&server), case);
}

// PAS 2.2.1 spec-26
#[test]
fn the_submission_is_kept_as_it_was_sent() {
    let (server, case) = with_pended("2.2.1");
    let kept = server.get(&format!("/admin/api/cases/{case}/submission"));
    assert_eq!(kept.text, fixture(PENDED));
    let shown = server.get(&format!("/admin/api/cases/{case}")).json();
    let open: Vec<&str> = shown["lines"][0]["findings"]["criteria"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|criterion| criterion["truth"] == "unknown")
        .map(|criterion| criterion["id"].as_str().unwrap())
        .collect();
    assert_eq!(open, ["5"]);
    let (due, opened) = (shown["due_at"].as_str().unwrap(), shown["opened_at"].as_str().unwrap());
    assert!(due > opened, "{due} is after {opened}");
    assert_eq!(server.get("/admin/api/cases/nowhere").status, 404);
}

/// The request again as an update of itself, with another identifier.
pub(crate) fn update(story: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut bundle = json(&fixture(story));
    let mut prior = bundle["entry"][0].clone();
    let claim = &mut bundle["entry"][0]["resource"];
    claim["meta"]["profile"] = json!([format!("{EXTENSION}/profile-claim-update")]);
    claim["id"] = json!("claim-update");
    claim["identifier"][0]["value"] = json!("REQ-UPDATE");
    let relationship = json!({ "coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship",
        "code": "prior",
    }] });
    let before = json!({ "reference": prior["fullUrl"] });
    claim["related"] = json!([{ "claim": before, "relationship": relationship }]);
    change(claim);
    bundle["entry"][0]["fullUrl"] = json!("https://ehr.lakeside.test/fhir/Claim/claim-update");
    prior["resource"]["meta"]["profile"] = json!([format!("{EXTENSION}/profile-claim")]);
    bundle["entry"].as_array_mut().unwrap().insert(1, prior);
    bundle["identifier"]["value"] = json!("SUB-UPDATE");
    bundle.to_string()
}

fn office_visit(sequence: u32) -> Value {
    let story = json(&fixture("pas/no-authorization-office-visit"));
    let mut item = story["entry"][0]["resource"]["item"][0].clone();
    item["sequence"] = json!(sequence);
    for list in ["careTeamSequence", "diagnosisSequence", "informationSequence"] {
        item.as_object_mut().unwrap().remove(list);
    }
    item["extension"]
        .as_array_mut()
        .unwrap()
        .retain(|it| !it["url"].as_str().unwrap().ends_with("requestedService"));
    item
}

pub(crate) fn flag(item: &mut Value, how: &str) {
    let flag = json!({ "url": format!("{EXTENSION}/extension-infoChanged"), "valueCode": how });
    item["extension"].as_array_mut().unwrap().push(flag);
}

/// X12 1322 `3`: the whole request is withdrawn.
pub(crate) fn cancel_all(claim: &mut Value) {
    claim["extension"] = json!([{
        "url": format!("{EXTENSION}/extension-certificationType"),
        "valueCodeableConcept": { "coding": [
            { "system": "https://codesystem.x12.org/005010/1322", "code": "3" },
        ] },
    }]);
    claim.as_object_mut().unwrap().remove("item");
}

pub(crate) fn cancel(item: &mut Value) {
    item["modifierExtension"] = json!([{
        "url": format!("{EXTENSION}/modifierextension-infoCancelled"), "valueBoolean": true,
    }]);
}

fn sequences(answer: &Answer) -> Vec<u64> {
    let response = claim_response(answer);
    let items = response["item"].as_array().unwrap();
    items.iter().map(|item| item["itemSequence"].as_u64().unwrap()).collect()
}

// PAS 2.2.1 spec-34, spec-46, spec-63 to spec-72
#[test]
fn an_update_adds_changes_and_cancels_lines_and_answers_every_one() {
    for version in VERSIONS {
        let server = Server::start();
        let first = server.submit(version, fixture(APPROVED));
        let given = number(&first);
        // A line is added; what was decided stays, with its number.
        let added = update(APPROVED, |claim| {
            let mut visit = office_visit(2);
            flag(&mut visit, "added");
            claim["item"].as_array_mut().unwrap().push(visit);
        });
        let answer = server.submit(version, added);
        assert_eq!(
            (actions(&answer), sequences(&answer)),
            (vec!["A1".to_owned(), "NA".to_owned()], vec![1, 2])
        );
        assert_eq!(number(&answer), given);
        assert_eq!(server.rows()["prior_auth_case"], 1);
        // The authorized line moves to another day: judged again, under the same number.
        let moved = update(APPROVED, |claim| {
            claim["identifier"][0]["value"] = json!("REQ-UPDATE-2");
            claim["item"][0]["servicedDate"] = json!("2026-12-17");
            flag(&mut claim["item"][0], "changed");
            let mut visit = office_visit(2);
            cancel(&mut visit);
            claim["item"].as_array_mut().unwrap().push(visit);
        });
        let answer = server.submit(version, moved);
        assert_eq!(actions(&answer), ["A1", "C"]);
        assert_eq!(number(&answer), given);
        // What an inquiry finds is the whole case as it stands.
        assert_eq!(found_actions(&server, version, inquiry(APPROVED, |_| {})), [["A1", "C"]]);
        let by_number = asking_for_number(APPROVED, &given);
        assert_eq!(found_actions(&server, version, by_number), [["A1", "C"]]);
        // A cancelled line that comes back is an error, and changes nothing.
        let back = update(APPROVED, |claim| {
            claim["identifier"][0]["value"] = json!("REQ-UPDATE-3");
            claim["item"].as_array_mut().unwrap().push(office_visit(2));
        });
        let response = claim_response(&server.submit(version, back));
        assert_eq!(response["outcome"], "error");
        assert_eq!(found_actions(&server, version, inquiry(APPROVED, |_| {})), [["A1", "C"]]);
    }
}

#[test]
fn a_pended_line_is_decided_by_an_update_that_brings_the_evidence() {
    for version in VERSIONS {
        let server = Server::start();
        assert_eq!(actions(&server.submit(version, fixture(PENDED))), ["A4"]);
        // The same without evidence still waits.
        assert_eq!(actions(&server.submit(version, update(PENDED, |_| {}))), ["A4"]);
        let mut with_result = json(&update(PENDED, |claim| {
            claim["identifier"][0]["value"] = json!("REQ-UPDATE-2");
        }));
        let complete = json(&fixture(APPROVED));
        let entries = complete["entry"].as_array().unwrap().iter();
        let result = entries
            .clone()
            .find(|entry| entry["fullUrl"].as_str().unwrap().contains("Observation/braf"));
        let mut result = result.unwrap().clone();
        result["resource"]["subject"] = json!({ "reference": "Patient/pat-1002" });
        with_result["entry"].as_array_mut().unwrap().push(result);
        let answer = server.submit(version, with_result.to_string());
        assert_eq!(actions(&answer), ["A1"], "{}", answer.text);
        assert_eq!(server.rows()["prior_auth_case"], 1);
        assert_eq!(found_actions(&server, version, inquiry(PENDED, |_| {})), [["A1"]]);
    }
}

#[test]
fn a_case_is_cancelled_as_a_whole_without_items() {
    let server = Server::start();
    server.submit("2.2.1", fixture(APPROVED)).good();
    let all = update(APPROVED, cancel_all);
    let answer = server.submit("2.2.1", all);
    assert_eq!((actions(&answer), sequences(&answer)), (vec!["C".to_owned()], vec![1]));
    assert_eq!(found_actions(&server, "2.0.1", inquiry(APPROVED, |_| {})), [["C"]]);
    // Nothing is authorized any more, so that the same request is a first one again (rulings 11).
    let anew = fixture(APPROVED).replace("2026-12-10", "2026-12-12");
    assert_eq!(actions(&server.submit("2.2.1", anew)), ["A1"]);
}

#[test]
fn an_update_of_what_is_not_on_file_or_was_denied_is_refused_with_an_error() {
    for version in VERSIONS {
        let server = Server::start();
        let unknown = server.submit(version, update(PENDED, |_| {}));
        let response = claim_response(&unknown);
        assert_eq!((&response["outcome"], &response["item"]), (&json!("error"), &Value::Null));
        let error = &response["error"][0];
        assert_eq!(error["code"]["coding"][0]["code"], "33");
        let follow_up = extensions(error, "/extension-errorFollowupAction");
        assert_eq!(follow_up[0]["valueCodeableConcept"]["coding"][0]["code"], "C");
        // It is kept, it is found by nobody, and it waits for nothing.
        assert_eq!(server.rows()["submission"], 1);
        assert_eq!(found(&server, version, inquiry(PENDED, |_| {})).len(), 0);
        assert_eq!(server.get("/admin/api/cases").json(), json!([]));

        assert_eq!(actions(&server.submit(version, fixture(PENDED))), ["A4"]);
        let case = only_case(&server);
        let denial = json!({ "decision": "deny", "reason_codes": ["0V"], "note": "No." });
        assert_eq!(review(&server, &case, &denial).status, 200);
        let late = update(PENDED, |claim| {
            claim["identifier"][0]["value"] = json!("REQ-UPDATE-2");
        });
        let response = claim_response(&server.submit(version, late));
        let follow_up = extensions(&response["error"][0], "/extension-errorFollowupAction");
        assert_eq!(follow_up[0]["valueCodeableConcept"]["coding"][0]["code"], "N");
        assert_eq!(found_actions(&server, version, inquiry(PENDED, |_| {})), [["A3"]]);
    }
}

#[test]
fn another_members_claim_is_none_that_an_update_can_change() {
    let server = Server::start();
    assert_eq!(actions(&server.submit("2.2.1", fixture(PENDED))), ["A4"]);
    let stranger = update(PENDED, |_| {}).replace("CPC", "XXX");
    let response = claim_response(&server.submit("2.2.1", stranger));
    assert_eq!(response["outcome"], "error");
}

/// A CDex body with one resource.
pub(crate) fn attachment(tracking_id: &str, member_id: &str, resource: &Value) -> Value {
    let identifier = |name: &str, value: &str| {
        json!({ "name": name, "valueIdentifier": {
        "system": "https://ehr.lakeside.test/tracking", "value": value,
    } })
    };
    json!({
        "resourceType": "Parameters",
        "parameter": [
            identifier("TrackingId", tracking_id),
            { "name": "AttachTo", "valueCode": "preauthorization" },
            identifier("MemberId", member_id),
            { "name": "Attachment", "part": [{ "name": "Content", "resource": resource }] },
        ],
    })
}

pub(crate) fn attach(server: &Server, body: &Value) -> Answer {
    server.post("/pas/2.2.1/$submit-attachment", FHIR_JSON, body.to_string())
}

/// The BRAF result that the pended story lacks.
pub(crate) fn missing_result() -> Value {
    let complete = json(&fixture(APPROVED));
    let entries = complete["entry"].as_array().unwrap().iter();
    let mut found = entries.map(|entry| &entry["resource"]);
    let result = found.find(|it| it["id"].as_str().unwrap_or_default().starts_with("braf"));
    let mut result = result.unwrap().clone();
    result["subject"] = json!({ "reference": "Patient/pat-1002" });
    result
}

pub(crate) fn member_of(story: &str) -> String {
    let story = json(&fixture(story));
    let entries = story["entry"].as_array().unwrap().iter();
    let mut coverages = entries.filter(|it| it["resource"]["resourceType"] == "Coverage");
    let coverage = &coverages.next().unwrap()["resource"];
    coverage["identifier"][0]["value"].as_str().unwrap().to_owned()
}

#[test]
fn an_attachment_is_judged_and_what_it_does_not_settle_is_asked_again() {
    let member = member_of(PENDED);
    let server = Server::start();
    let pended = claim_response(&server.submit("2.2.1", fixture(PENDED)));
    let reference = extensions(&pended["item"][0], "/extension-administrationReferenceNumber");
    let reference = reference[0]["valueString"].as_str().unwrap();
    let unrelated = json!({
        "resourceType": "Observation", "id": "height", "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8302-2" }] },
        "subject": { "reference": "Patient/pat-1002" }, "effectiveDateTime": "2026-11-01",
        "valueQuantity": { "value": 170, "unit": "cm" },
    });
    let strangers = {
        let mut result = missing_result();
        result["subject"] = json!({ "reference": "Patient/somebody" });
        result
    };
    // By our answer's identifier while it is the current answer; by the trace number of the item;
    // by our reference number.
    let answers_identifier = pended["identifier"][0]["value"].as_str().unwrap();
    let mut second = unrelated.clone();
    second["id"] = json!("height-again");
    for (id, resource) in
        [(answers_identifier, &unrelated), ("ITM-1002-1", &strangers), (reference, &second)]
    {
        let taken = attach(&server, &attachment(id, &member, resource));
        assert_eq!(taken.status, 200, "{id}: {}", taken.text);
        assert!(taken.text.contains("one line of the request still waits"), "{}", taken.text);
        assert_eq!(found_actions(&server, "2.2.1", inquiry(PENDED, |_| {})), [["A4"]]);
    }
    let result = attachment(reference, &member, &missing_result());
    let taken = attach(&server, &result);
    assert!(taken.text.contains("no line of the request waits any more"), "{}", taken.text);
    assert_eq!(found_actions(&server, "2.2.1", inquiry(PENDED, |_| {})), [["A1"]]);
    assert_eq!(server.rows()["prior_auth_case"], 1);
    // Sent again, it is the same attachment.
    let answers = server.rows()["answer"];
    assert_eq!(attach(&server, &result).status, 200);
    assert_eq!(server.rows()["answer"], answers);
}

#[test]
fn an_attachment_that_belongs_to_nothing_is_refused() {
    let member = member_of(PENDED);
    let server = Server::start();
    server.submit("2.2.1", fixture(PENDED)).good();
    let result = missing_result();
    let without = |name: &str| {
        let mut body = attachment("ITM-1002-1", &member, &result);
        body["parameter"].as_array_mut().unwrap().retain(|part| part["name"] != name);
        body
    };
    let mut for_a_claim = attachment("ITM-1002-1", &member, &result);
    for_a_claim["parameter"][1]["valueCode"] = json!("claim");
    for body in [
        attachment("ITM-unknown", &member, &result),
        attachment("ITM-1002-1", "M-stranger", &result),
        without("TrackingId"),
        without("MemberId"),
        without("Attachment"),
        for_a_claim,
        json!({ "resourceType": "Bundle" }),
    ] {
        let answer = attach(&server, &body);
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert!(!answer.issues().is_empty());
    }
    assert_eq!(server.rows()["answer"], 1);
}

#[test]
fn an_attachment_may_name_the_patient_by_an_identifier() {
    let server = Server::start();
    let mut story = json(&fixture(PENDED));
    let patient = &mut story["entry"][1]["resource"];
    let mrn = json!({ "system": "https://ehr.lakeside.test/mrn", "value": "MRN-1002" });
    patient["identifier"] = json!([mrn]);
    server.submit("2.2.1", story.to_string()).good();
    for (system, waits) in
        [("https://elsewhere.test/mrn", true), (mrn["system"].as_str().unwrap(), false)]
    {
        let mut result = missing_result();
        result["subject"] = json!({ "identifier": { "system": system, "value": "MRN-1002" } });
        let taken = attach(&server, &attachment("ITM-1002-1", &member_of(PENDED), &result));
        assert_eq!(taken.text.contains("still waits"), waits, "{}", taken.text);
    }
}

#[test]
fn evidence_of_another_client_does_not_take_the_case_from_the_one_that_opened_it() {
    let server = Server::configured(two_clients);
    let post = |path: &str, client: &str, body: String| {
        let request = server.posting(path, FHIR_JSON, body);
        server.send(request.header("authorization", bearer(client, path)))
    };
    let submit = "/pas/2.2.1/Claim/$submit";
    assert_eq!(actions(&post(submit, "lakeside", fixture(PENDED))), ["A4"]);
    let result = attachment("ITM-1002-1", &member_of(PENDED), &missing_result());
    let taken = post("/pas/2.2.1/$submit-attachment", "harbor", result.to_string());
    assert!(taken.text.contains("no line of the request waits any more"), "{}", taken.text);
    for (client, outcome) in [("harbor", "error"), ("lakeside", "complete")] {
        let answer = post(submit, client, update(PENDED, |_| {}));
        assert_eq!(claim_response(&answer)["outcome"], outcome, "{client}");
    }
}

// PAS 2.8: what is pended stays to be found.
#[test]
fn a_decided_case_is_found_as_long_as_the_settings_say_and_a_pended_one_always() {
    for (days, found) in [(0, 0), (1, 1)] {
        let server = Server::configured(|_| format!("inquiry_retention_days = {days}\n"));
        for story in [APPROVED, PENDED] {
            server.submit("2.2.1", fixture(story)).good();
        }
        assert_eq!(found_actions(&server, "2.2.1", inquiry(PENDED, |_| {})), [["A4"]]);
        assert_eq!(found_actions(&server, "2.2.1", inquiry(APPROVED, |_| {})).len(), found);
    }
}

// clinical.md 10.3: the shorter clock, until the plan says which kind a product is.
#[test]
fn a_case_is_due_by_the_clock_of_its_product_and_of_its_urgency() {
    let due = |story: &str, is_urgent: bool| {
        let server = Server::start();
        let mut bundle = json(&fixture(story));
        if is_urgent {
            let code = json!({ "coding": [{ "code": "stat" }] });
            bundle["entry"][0]["resource"]["priority"] = code;
        }
        server.submit("2.2.1", bundle.to_string()).good();
        server
            .texts("SELECT CAST((due_at_ms - opened_at_ms) / 3600000 AS TEXT) FROM prior_auth_case")
    };
    assert_eq!(due(PENDED, false), ["72"]);
    assert_eq!(due(PENDED, true), ["24"]);
    assert_eq!(due("pas/approve-home-oxygen", false), ["168"]);
    assert_eq!(due("pas/approve-home-oxygen", true), ["72"]);
}
