//! What an answer says beside the verdict, over HTTP: what was changed, what is asked for, whom and
//! what it names.

use serde_json::{Value, json};

use crate::case_life::{
    APPROVED, EXTENSION, PENDED, attach, attachment, cancel, found, inquiry, member_of,
    missing_result, only_case, review, update,
};
use crate::harness::{Answer, Server, extensions, fixture, json};
use crate::pas::{VERSIONS, action, actions, claim_response, number};
use crate::wire::dangling;

const QUANTITY: &str = "https://codesystem.x12.org/005010/673";

/// A request with another Claim.
fn changed(story: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut bundle = json(&fixture(story));
    change(&mut bundle["entry"][0]["resource"]);
    bundle.to_string()
}

/// The parts of the one `itemAuthorizedDetail` of an item: code and value.
fn detail(item: &Value) -> (Value, Value) {
    let detail = extensions(item, "/extension-itemAuthorizedDetail");
    assert_eq!(detail.len(), 1, "{item}");
    let product = extensions(detail[0], "productOrServiceCode");
    let quantity = extensions(detail[0], "quantity");
    let product = &product[0]["valueCodeableConcept"]["coding"][0]["code"];
    (product.clone(), quantity[0]["valueQuantity"].clone())
}

// PAS 2.2.1 spec-36, spec-37; trap T28
#[test]
fn a_modification_says_what_was_asked_and_what_was_authorized() {
    let modification = json!({ "decision": "modify", "quantity": "1", "note": "One dose." });
    for version in VERSIONS {
        let server = Server::start();
        let two = changed(PENDED, |claim| {
            claim["item"][0]["quantity"] = json!({ "value": 2, "system": QUANTITY, "code": "UN" });
        });
        server.submit(version, two.clone()).good();
        assert_eq!(review(&server, &only_case(&server), &modification).status, 200);
        let response = claim_response(&server.submit(version, two));
        let item = &response["item"][0];
        let (code, given) = action(item);
        assert_eq!(code, "A6");
        assert_eq!(response["preAuthRef"].as_str(), given.as_deref());
        let (product, quantity) = detail(item);
        assert_eq!(product, "73776-001-11");
        if version == "2.0.1" {
            // It has no added item: the detail is what was authorized.
            assert_eq!(quantity["value"].to_string(), "1");
            assert!(response.get("addItem").is_none());
            continue;
        }
        assert_eq!(quantity["value"].to_string(), "2");
        let provider = extensions(item, "/extension-itemAuthorizedProvider");
        assert_eq!(provider.len(), 1);
        let added = &response["addItem"][0];
        assert_eq!(added["itemSequence"], json!([1]));
        assert_eq!(action(added), ("A1".to_owned(), given));
        assert_eq!(added["quantity"], json!({ "value": 1, "system": QUANTITY, "code": "UN" }));
        assert_eq!(added["productOrService"]["coding"][0]["code"], "73776-001-11");
        assert_eq!(added["servicedDate"], "2026-12-10");
        assert_eq!(added["provider"], json!([response["requestor"]]));
        let trace = extensions(added, "/extension-itemTraceNumber");
        assert_eq!(trace[0]["valueIdentifier"]["value"], "ITM-1002-1");
    }
}

/// The documents that an answer asks for: line, LOINC code, control number.
fn asked(answer: &Answer, version: &str) -> Vec<(u64, String, String)> {
    let bundle = answer.good();
    let entries = bundle["entry"].as_array().unwrap();
    let listed = entries[0]["resource"]["communicationRequest"].as_array();
    let listed = listed.cloned().unwrap_or_default();
    let of_type =
        entries.iter().filter(|it| it["resource"]["resourceType"] == "CommunicationRequest");
    assert_eq!(of_type.count(), listed.len(), "each is referred to");
    let ask = |reference: &Value| {
        let entry = entries.iter().find(|it| it["fullUrl"] == reference["reference"]).unwrap();
        let resource = &entry["resource"];
        let payload = &resource["payload"].as_array().unwrap()[..];
        let [payload] = payload else { panic!("one document each: {resource}") };
        // Trap T5: where the line's number stands.
        let (there, elsewhere) =
            if version == "2.0.1" { (payload, resource) } else { (resource, payload) };
        let line = extensions(there, "/extension-serviceLineNumber");
        assert_eq!(extensions(elsewhere, "/extension-serviceLineNumber").len(), 0);
        let control = resource["identifier"][0]["value"].as_str().unwrap();
        (
            line[0]["valuePositiveInt"].as_u64().unwrap(),
            payload["contentString"].as_str().unwrap().to_owned(),
            control.to_owned(),
        )
    };
    listed.iter().map(ask).collect()
}

// PAS 2.10, trap T21
#[test]
fn a_pended_line_asks_for_its_documents_until_it_is_decided() {
    for version in VERSIONS {
        let server = Server::start();
        let answer = server.submit(version, fixture(PENDED));
        let item = &claim_response(&answer)["item"][0];
        let reference = extensions(item, "/extension-administrationReferenceNumber")[0];
        let reference = reference["valueString"].as_str().unwrap();
        // Only the BRAF result is missing: a laboratory report.
        let wanted = vec![(1, "11502-2".to_owned(), format!("{reference}-11502-2"))];
        assert_eq!(asked(&answer, version), wanted);
        // The other version asks for the same under the same number.
        for other in VERSIONS {
            assert_eq!(asked(&server.submit(other, fixture(PENDED)), other), wanted);
        }
        // PAS 2.8: an inquiry asks for nothing.
        let response = &found(&server, version, inquiry(PENDED, |_| {}))[0];
        assert!(response.get("communicationRequest").is_none());
        // A question of the reviewer leaves it; a decision ends it.
        let case = only_case(&server);
        let question = json!({ "decision": "ask", "note": "Please send it signed." });
        assert_eq!(review(&server, &case, &question).status, 200);
        assert_eq!(asked(&server.submit(version, fixture(PENDED)), version), wanted);
        // It may ask for another document, which is asked for once.
        let pathology = (1, "11526-1".to_owned(), format!("{reference}-11526-1"));
        let wanted = [wanted, vec![pathology]].concat();
        let codes = [json!({ "loinc": "11526-1" }), json!({ "loinc": "11502-2" })];
        for documents in [&codes[..], &codes[..1]] {
            let question = json!({
                "decision": "ask", "note": "The pathology too.", "documents": documents,
            });
            assert_eq!(review(&server, &case, &question).status, 200);
            assert_eq!(asked(&server.submit(version, fixture(PENDED)), version), wanted);
        }
        let denial = json!({ "decision": "deny", "reason_codes": ["0V"], "note": "No." });
        assert_eq!(review(&server, &case, &denial).status, 200);
        assert_eq!(asked(&server.submit(version, fixture(PENDED)), version), []);
    }
}

#[test]
fn a_document_is_sent_under_the_control_number_that_asked_for_it() {
    let server = Server::start();
    let asks = asked(&server.submit("2.2.1", fixture(PENDED)), "2.2.1");
    // A number that only begins alike is another one.
    let wrong = attachment(
        &format!("{}9", asks[0].2.replace("-11502-2", "")),
        &member_of(PENDED),
        &missing_result(),
    );
    assert!(!attach(&server, &wrong).issues().is_empty());
    let body = attachment(&asks[0].2, &member_of(PENDED), &missing_result());
    attach(&server, &body).good();
    let answer = server.submit("2.2.1", fixture(PENDED));
    assert_eq!((actions(&answer), asked(&answer, "2.2.1")), (vec!["A1".to_owned()], vec![]));
}

// PAS 3.5: the sender is an organization.
#[test]
fn the_organization_behind_a_role_is_asked_for_the_document() {
    for version in VERSIONS {
        let server = Server::start();
        let by_role = changed(PENDED, |claim| {
            claim["provider"] = json!({ "reference": "PractitionerRole/onc-role-vale" });
        });
        let bundle = server.submit(version, by_role).good();
        assert_eq!(dangling(&bundle), Vec::<String>::new());
        let entries = bundle["entry"].as_array().unwrap();
        let request = &entries[1]["resource"];
        assert_eq!(request["resourceType"], "CommunicationRequest");
        let sender = entries.iter().find(|it| it["fullUrl"] == request["sender"]["reference"]);
        assert_eq!(sender.unwrap()["resource"]["resourceType"], "Organization");
        let requester =
            entries.iter().find(|it| it["fullUrl"] == request["requester"]["reference"]);
        assert_eq!(requester.unwrap()["resource"]["name"], "CarePartners of Connecticut");
    }
}

#[test]
fn a_line_that_lacks_no_evidence_asks_for_no_document() {
    for version in VERSIONS {
        let server = Server::start();
        // Nothing is missing where all is proven, and nothing can be sent against a second dose.
        for story in ["approve-all-met", "no-authorization-office-visit", "review-second-dose"] {
            let answer = server.submit(version, fixture(&format!("pas/{story}")));
            assert_eq!(asked(&answer, version), [], "{story}");
        }
    }
}

fn previous(item: &Value) -> Vec<&str> {
    let numbers = extensions(item, "/extension-authorizationNumber");
    numbers.iter().map(|it| it["valueString"].as_str().unwrap()).collect()
}

// X12 REF BB
#[test]
fn a_line_names_the_authorization_that_it_had_and_no_stranger_s() {
    for version in VERSIONS {
        let server = Server::start();
        let first = server.submit(version, fixture(APPROVED));
        let given = number(&first);
        assert_eq!(previous(&claim_response(&first)["item"][0]), Vec::<&str>::new());
        // Renewed under another day: it is another line, for a person (rulings 11).
        let renewal = |named: &str| {
            let named = json!({
                "url": format!("{EXTENSION}/extension-authorizationNumber"),
                "valueString": named,
            });
            changed(APPROVED, |claim| {
                claim["item"][0]["servicedDate"] = json!("2026-12-20");
                claim["item"][0]["extension"].as_array_mut().unwrap().push(named);
            })
        };
        let response = claim_response(&server.submit(version, renewal(&given)));
        assert_eq!(previous(&response["item"][0]), [&*given], "{version}");
        let response = claim_response(&server.submit(version, renewal("CPCT9999999999")));
        assert_eq!(previous(&response["item"][0]), Vec::<&str>::new());
        // Another member cannot make us say that the number exists.
        let stranger =
            renewal(&given).replace("CPC", "XXX").replace(&given.replace("CPC", "XXX"), &given);
        let response = claim_response(&server.submit(version, stranger));
        assert_eq!(previous(&response["item"][0]), Vec::<&str>::new());
    }
}

#[test]
fn a_cancelled_line_names_the_authorization_that_no_longer_holds() {
    let server = Server::start();
    let given = number(&server.submit("2.2.1", fixture(APPROVED)));
    let answer = server.submit("2.2.1", update(APPROVED, |claim| cancel(&mut claim["item"][0])));
    assert_eq!(actions(&answer), ["C"]);
    let response = claim_response(&answer);
    assert_eq!(previous(&response["item"][0]), [&*given]);
    assert!(response.get("preAuthRef").is_none());
}

#[test]
fn an_approval_names_the_requesting_organization_where_it_gives_the_service() {
    let elsewhere = json!({ "identifier": {
        "system": "http://hl7.org/fhir/sid/us-npi", "value": "1992000012",
    } });
    for version in VERSIONS {
        let server = Server::start();
        let response = claim_response(&server.submit(version, fixture(APPROVED)));
        let provider = extensions(&response["item"][0], "/extension-itemAuthorizedProvider");
        let reference = extensions(provider[0], "provider")[0]["valueReference"].clone();
        assert_eq!(reference["reference"], response["requestor"]["reference"]);
        // A service without a policy, at another place, approved by a person.
        let other = changed("pas/not-subject-other-drug", |claim| {
            claim["facility"] = elsewhere.clone();
        });
        assert_eq!(actions(&server.submit(version, other.clone())), ["A4"]);
        let approval = json!({ "decision": "approve" });
        assert_eq!(review(&server, &only_case(&server), &approval).status, 200);
        let response = claim_response(&server.submit(version, other));
        let item = &response["item"][0];
        assert_eq!(action(item).0, "A1");
        assert_eq!(extensions(item, "/extension-itemAuthorizedProvider").len(), 0);
    }
}

#[test]
fn the_labels_of_a_transmission_and_the_days_of_a_stay_come_back_in_2_2_1() {
    let label = |name: &str, value: &str| json!({ "url": name, "valueString": value });
    let labels = json!({
        "url": format!("{EXTENSION}/extension-TransmissionIdentifiers"),
        "extension": [
            label("applicationSenderCode", "LAKESIDE"),
            label("applicationReceiverCode", "CAREPARTNERS"),
            label("interchangeSenderID", "LAKESIDE01"),
        ],
    });
    let day = |sequence: u32, category: &str, day: &str| {
        json!({ "sequence": sequence, "timingDate": day, "category": { "coding": [{
            "system": "http://hl7.org/fhir/us/davinci-pas/CodeSystem/PASTempCodes",
            "code": category,
        }] } })
    };
    let request = changed(APPROVED, |claim| {
        claim["extension"] = json!([labels]);
        let info = claim["supportingInfo"].as_array_mut().unwrap();
        info.push(day(91, "admissionDates", "2026-12-09"));
        info.push(day(92, "dischargeDates", "2026-12-24"));
    });
    let server = Server::start();
    let response = claim_response(&server.submit("2.2.1", request.clone()));
    assert_eq!(extensions(&response, "/extension-TransmissionIdentifiers"), [&labels]);
    let item = &response["item"][0];
    assert_eq!(action(item).0, "A1");
    assert_eq!(extensions(item, "/extension-admissionDates")[0]["valueDate"], "2026-12-09");
    assert_eq!(extensions(item, "/extension-dischargeDate")[0]["valueDate"], "2026-12-24");
    let response = claim_response(&server.submit("2.0.1", request));
    assert!(response.get("extension").is_none());
    assert_eq!(extensions(&response["item"][0], "/extension-admissionDates").len(), 0);
    assert_eq!(extensions(&response["item"][0], "/extension-dischargeDate").len(), 0);
}
