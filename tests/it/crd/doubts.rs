//! What is not known is not denied, and not proven: coverages and records that were read in part,
//! and what an order carries already.

use std::time::Instant;

use serde_json::{Value, json};

use super::{VERSIONS, actions, changed, said};
use crate::harness::{Answer, Server, extensions, fixture, json};
use crate::payer_facts::imported_text;

const STORY: &str = "crd/approve-all-met";

/// The story without a coverage that its order names, with a change made to its Coverages.
fn with_coverages(change: impl FnOnce(&mut Vec<Value>, &mut Value)) -> String {
    changed(STORY, |request| {
        let order = &mut request["context"]["draftOrders"]["entry"][0]["resource"];
        order.as_object_mut().unwrap().remove("insurance");
        let mut bundle = request["prefetch"]["coverage"].take();
        let mut entries = bundle["entry"].as_array().unwrap().clone();
        change(&mut entries, &mut bundle);
        bundle["entry"] = json!(entries);
        request["prefetch"]["coverage"] = bundle;
    })
}

fn covered(answer: &Answer) -> Vec<String> {
    said(&actions(answer)[0], "covered")
}

fn goes_on(bundle: &mut Value) {
    let url = "https://ehr.lakeside.test/fhir?page=2";
    bundle["link"] = json!([{ "relation": "next", "url": url }]);
}

const UNKNOWN: [(&str, &str); 2] = [("2.0", "conditional"), ("2.2", "indeterminate")];

// rulings 26
#[test]
fn a_cancelled_coverage_beside_one_that_may_be_in_force_is_no_denial() {
    let server = Server::start();
    let with_second = |status: &str| {
        with_coverages(|entries, _| {
            let mut second = entries[0].clone();
            second["fullUrl"] = json!("https://ehr.lakeside.test/fhir/Coverage/cov-second");
            second["resource"]["id"] = json!("cov-second");
            second["resource"]["status"] = json!(status);
            entries[0]["resource"]["status"] = json!("cancelled");
            entries.push(second);
        })
    };
    for (version, unknown) in UNKNOWN {
        let answer = |status: &str| covered(&server.sign(version, with_second(status)));
        assert_eq!(answer("cancelled"), ["not-covered"], "{version}");
        assert_eq!(answer("draft"), [unknown], "{version}");
        assert_eq!(answer("active"), ["covered"], "{version}");
    }
}

// crd.md 3.9
#[test]
fn a_coverage_that_has_ended_denies_nothing_while_others_are_unread() {
    let ended = |is_whole: bool, names: bool| {
        let text = with_coverages(|entries, bundle| {
            entries[0]["resource"]["period"] =
                json!({ "start": "2020-01-01", "end": "2021-01-01" });
            if !is_whole {
                goes_on(bundle);
            }
        });
        let mut request = json(&text);
        if names {
            let order = &mut request["context"]["draftOrders"]["entry"][0]["resource"];
            order["insurance"] = json!([{ "reference": "Coverage/cov-1101" }]);
        }
        request.to_string()
    };
    let server = Server::start();
    for (version, unknown) in UNKNOWN {
        for (is_whole, names, expected) in [
            (true, false, "not-covered"),
            (false, false, unknown),
            // It is the one that the order is for.
            (false, true, "not-covered"),
        ] {
            let answer = server.sign(version, ended(is_whole, names));
            assert_eq!(covered(&answer), [expected], "{version} {is_whole} {names}");
        }
    }
    // Nor is the member another payer's.
    let others = with_coverages(|entries, bundle| {
        entries[0]["resource"]["payor"] = json!([{ "display": "Another payer" }]);
        goes_on(bundle);
    });
    assert_eq!(server.sign("2.2", &*others).status, 412);
    assert_eq!(server.sign("2.0", others).good()["systemActions"], json!([]));
}

// crd.md 3.9
#[test]
fn a_member_who_may_be_found_by_another_coverages_id_is_not_called_unknown() {
    let row = |member: &str| {
        format!(
            "member_id,birth_date,line,valid_from,valid_to\n{member},1961-04-17,ma-hmo,2020-01-01,\n"
        )
    };
    let two_ids = with_coverages(|entries, _| {
        let second = entries[0].to_string();
        let second = second.replace("cov-1101", "cov-new").replace("CPC11010001", "CPC99990001");
        entries.push(json(&second));
    });
    for (version, unknown) in UNKNOWN {
        let server = Server::start();
        imported_text(&server, &row("CPC99990001"));
        assert_eq!(covered(&server.sign(version, &*two_ids)), [unknown], "{version}");
        assert_eq!(covered(&server.sign(version, fixture(STORY))), ["not-covered"], "{version}");
        let server = Server::start();
        imported_text(&server, &row("CPC11010001"));
        assert_eq!(covered(&server.sign(version, &*two_ids)), ["covered"], "{version}");
    }
}

#[test]
fn a_coverage_whose_period_is_none_is_not_in_force_for_ever() {
    let server = Server::start();
    for period in [json!("2020"), json!(7)] {
        let text = with_coverages(|entries, _| entries[0]["resource"]["period"] = period.clone());
        for (version, unknown) in UNKNOWN {
            assert_eq!(covered(&server.sign(version, &*text)), [unknown], "{version} {period}");
        }
    }
}

/// The story with its earlier treatment under a key of the client's own.
fn under_own_key(change: impl FnOnce(&mut Value)) -> String {
    changed(STORY, |request| {
        let prefetch = request["prefetch"].as_object_mut().unwrap();
        let mut bundle = prefetch.remove("medicationStatements").unwrap();
        change(&mut bundle);
        prefetch.insert("item7".to_owned(), bundle);
    })
}

fn outcome(severity: &str) -> Value {
    let issue = json!({ "severity": severity, "code": "timeout" });
    json!({ "resource": { "resourceType": "OperationOutcome", "issue": [issue] } })
}

// crd.md 2.2, 7.2
#[test]
fn what_was_found_in_part_under_an_own_key_leaves_criteria_unknown() {
    let server = Server::start();
    let add = |bundle: &mut Value, severity: &str| {
        bundle["entry"].as_array_mut().unwrap().insert(0, outcome(severity));
    };
    let whole = under_own_key(|bundle| add(bundle, "warning"));
    let failed = under_own_key(|bundle| add(bundle, "error"));
    let paged = under_own_key(|bundle| {
        add(bundle, "warning");
        goes_on(bundle);
    });
    for version in VERSIONS {
        let needed = if version == "2.2" { "indeterminate" } else { "conditional" };
        for (name, text, expected) in [
            ("whole", &whole, Vec::new()),
            ("failed", &failed, vec![needed]),
            ("paged", &paged, vec![needed]),
        ] {
            let answer = server.sign(version, &**text);
            let documents = said(&actions(&answer)[0], "doc-needed");
            assert_eq!(documents, expected, "{version} {name}");
            let summary = answer.good()["cards"][0]["summary"].to_string();
            assert_eq!(summary.contains("every criterion is proven"), name == "whole", "{summary}");
        }
    }
}

// clinical.md 7.1
#[test]
fn two_orders_of_one_drug_by_two_codes_are_not_each_a_single_dose() {
    let server = Server::start();
    for (code, is_drug) in [("73776-001-11", true), ("00003-3772-11", false)] {
        let request = changed(STORY, |request| {
            let orders = request["context"]["draftOrders"]["entry"].as_array_mut().unwrap();
            let mut second = json(&orders[0].to_string().replace("order-1101", "order-second"));
            second["resource"]["medicationCodeableConcept"]["coding"] =
                json!([{ "system": "http://hl7.org/fhir/sid/ndc", "code": code }]);
            orders.push(second);
        });
        let answer = server.sign("2.2", request).good();
        let summary = answer["cards"][0]["summary"].as_str().unwrap();
        assert_eq!(summary.contains("every criterion is proven"), !is_drug, "{summary}");
    }
}

// crd.md 3.5
#[test]
fn what_was_said_of_a_coverage_by_its_url_is_replaced_too() {
    let server = Server::start();
    for version in VERSIONS {
        let first = actions(&server.sign(version, fixture(STORY))).remove(0);
        let with = |coverage: &str| {
            changed(STORY, |request| {
                let mut order = first["resource"].clone();
                let parts = order["extension"][0]["extension"].as_array_mut().unwrap();
                parts[0]["valueReference"]["reference"] = json!(coverage);
                request["context"]["draftOrders"]["entry"][0]["resource"] = order;
            })
        };
        for (coverage, times) in [
            ("https://ehr.lakeside.test/fhir/Coverage/cov-1101", 1),
            ("https://elsewhere.test/fhir/Coverage/cov-1101", 2),
        ] {
            let action = actions(&server.sign(version, with(coverage))).remove(0);
            let information = extensions(&action["resource"], "ext-coverage-information");
            assert_eq!(information.len(), times, "{version} {coverage}");
        }
    }
}

#[test]
fn two_appointments_of_one_order_are_not_called_two_orders() {
    let appointment = |id: &str, start: &str| {
        json!({ "resource": {
            "resourceType": "Appointment", "id": id, "status": "proposed", "start": start,
            "basedOn": [{ "reference": "ServiceRequest/visit" }],
            "participant": [{ "actor": { "reference": "Patient/pat-1101" }, "status": "accepted" }],
        } })
    };
    let request = changed(STORY, |request| {
        request["hook"] = json!("appointment-book");
        request["context"] = json!({
            "userId": "Practitioner/onc-dr-vale", "patientId": "pat-1101",
            "appointments": { "resourceType": "Bundle", "entry": [
                appointment("one", "2026-12-12T10:00:00Z"),
                appointment("other", "2027-12-12T10:00:00Z"),
            ] },
        });
        request["prefetch"]["serviceRequests"] = json!({
            "resourceType": "ServiceRequest", "id": "visit", "status": "active", "intent": "order",
            "subject": { "reference": "Patient/pat-1101" }, "authoredOn": "2026-11-20",
            "code": { "coding": [{ "system": "http://www.ama-assn.org/go/cpt", "code": "99213" }] },
        });
    });
    let answer = Server::start().fire("2.2", "appointment-book", request);
    let [action] = actions(&answer).try_into().unwrap();
    assert_eq!(action["resource"]["id"], "visit");
    assert_eq!(said(&action, "covered"), ["conditional"]);
    assert!(action.to_string().contains("Several appointments are proposed"), "{action}");
}

// Each record used to be compared with every other one, which took many times as long for twice as
// many.
#[test]
fn the_time_of_an_answer_grows_with_the_records_and_not_with_their_square() {
    let server = Server::start();
    let took = |count: usize| {
        let record = |at: usize| {
            json!({ "resource": {
                "resourceType": "Observation", "id": format!("weight-{at}"), "status": "final",
                "code": { "coding": [{ "system": "http://loinc.org", "code": "29463-7" }] },
                "subject": { "reference": "Patient/pat-1101" },
            } })
        };
        let request = changed(STORY, |request| {
            let records: Vec<Value> = (0..count).map(record).collect();
            request["prefetch"]["item9"] = json!({ "resourceType": "Bundle", "entry": records });
        });
        let began = Instant::now();
        server.sign("2.2", request).good();
        began.elapsed()
    };
    took(100);
    let (few, many) = (took(2_000), took(32_000));
    // Sixteen times as many; the square would be 256.
    assert!(many < few * 64, "{few:?} and {many:?}");
}
