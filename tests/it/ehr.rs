//! The EHR's own data: what a thin hook call lacks is fetched, within the call's time, and an EHR
//! that is slow, down, lying or hostile costs what it would have said and nothing else.

mod batch;
mod fake;
mod trouble;

use serde_json::{Value, json};

use crate::harness::{Answer, Server, extensions, fixture, json, stories};
use fake::{Ehr, Trouble};

const STORY: &str = "crd/approve-all-met";
const TOKEN: &str = "very-secret-token-of-the-ehr";
/// The base of the servers in the stories.
const LAKESIDE: &str = "https://ehr.lakeside.test/fhir";

/// A server that may ask `ehr`, with a budget.
fn server_for(ehr: &Ehr, budget_ms: u64) -> Server {
    let origin = ehr.origin.clone();
    let settings = format!("ehr_allow = [\"{origin}\"]\nehr_budget_ms = {budget_ms}\n");
    Server::configured(|_| settings)
}

/// The request of a story as a client of `ehr` sends it: with a token, and the prefetch that is
/// kept.
fn thin(story: &str, ehr: &Ehr, kept: &[&str]) -> Value {
    let mut request = json(&fixture(story).replace(LAKESIDE, &ehr.base()));
    request["prefetch"].as_object_mut().unwrap().retain(|key, _| kept.contains(&&**key));
    request["fhirAuthorization"] = json!({
        "access_token": TOKEN, "token_type": "Bearer", "expires_in": 300,
        "scope": "patient/*.rs", "subject": "priorauth"
    });
    request
}

/// The parts of the coverage information of the only action, by name, without what differs from
/// call to call.
fn said(answer: &Answer) -> Vec<(String, String)> {
    let answer = answer.good();
    let actions = answer["systemActions"].as_array().unwrap();
    let mut parts = Vec::new();
    for action in actions {
        let information = extensions(&action["resource"], "ext-coverage-information");
        for part in information[0]["extension"].as_array().unwrap() {
            let url = part["url"].as_str().unwrap().to_owned();
            if url != "coverage-assertion-id" {
                parts.push((url, part.to_string()));
            }
        }
    }
    parts
}

/// The words of the cards.
fn told(answer: &Answer) -> Vec<String> {
    let answer = answer.good();
    let cards = answer["cards"].as_array().unwrap();
    cards.iter().map(|card| format!("{} {}", card["summary"], card["detail"])).collect()
}

fn codes(answer: &Answer, name: &str) -> Vec<String> {
    let parts = said(answer).into_iter().filter(|(url, _)| url == name);
    parts.map(|(_, part)| json(&part)["valueCode"].as_str().unwrap().to_owned()).collect()
}

/// The reasons of the only action: each one's code, or nothing, and its text.
fn reasons(answer: &Answer) -> Vec<(String, String)> {
    let parts = said(answer).into_iter().filter(|(url, _)| url == "reason");
    let concepts = parts.map(|(_, part)| json(&part)["valueCodeableConcept"].clone());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    concepts.map(|it| (text(&it["coding"][0]["code"]), text(&it["text"]))).collect()
}

#[test]
fn a_thin_call_gets_the_verdict_of_a_full_one() {
    for story in stories("crd").iter().map(|it| format!("crd/{it}")) {
        let ehr = Ehr::sound(&story);
        let (asking, alone) = (server_for(&ehr, 5000), Server::start());
        for version in ["2.0", "2.2"] {
            let full = fixture(&story).replace(LAKESIDE, &ehr.base());
            let full = alone.sign(version, full);
            let thin = asking.sign(version, thin(&story, &ehr, &[]).to_string());
            assert_eq!(said(&thin), said(&full), "{story} {version}");
            assert_eq!(told(&thin), told(&full), "{story} {version}");
        }
        assert!(ehr.asked().iter().all(|it| it.token == Some(format!("Bearer {TOKEN}"))));
    }
}

#[test]
fn what_is_asked_for_is_what_discovery_asks_for_and_what_the_orders_point_at() {
    let ehr = Ehr::sound(STORY);
    let server = server_for(&ehr, 5000);
    server.sign("2.2", thin(STORY, &ehr, &[]).to_string()).good();
    let paths = ehr.paths();
    let has = |start: &str| paths.iter().filter(|it| it.starts_with(start)).count();
    for (start, times) in [
        ("Patient/pat-1101", 1),
        ("Coverage?patient=pat-1101&status=active", 1),
        ("Encounter/enc-1101", 1),
        ("Practitioner/onc-dr-vale", 1),
        ("PractitionerRole?practitioner=onc-dr-vale", 1),
        ("Condition?patient=pat-1101", 1),
        ("Observation?patient=pat-1101&code=", 1),
        ("MedicationRequest?patient=pat-1101&intent=", 1),
        // The second round: what the coverage and the encounter point at.
        ("Organization/carepartners-ct", 1),
        ("Organization/lakeside-hospital", 1),
    ] {
        assert_eq!(has(start), times, "{start}: {paths:#?}");
    }
    let mut once = paths.clone();
    once.dedup();
    assert_eq!(once, paths, "nothing is asked for twice");
}

#[test]
fn nothing_is_fetched_when_everything_is_there() {
    let ehr = Ehr::sound(STORY);
    let server = server_for(&ehr, 5000);
    let mut request = thin(
        STORY,
        &ehr,
        &[
            "patient",
            "coverage",
            "encounter",
            "practitioner",
            "organizations",
            "conditions",
            "observations",
            "medicationStatements",
        ],
    );
    // `null` and an empty Bundle: the client looked, and there is nothing.
    let empty = json!({"resourceType": "Bundle", "type": "searchset", "total": 0});
    for key in ["medicationHistory", "medicationAdministrations", "allergies", "procedures"] {
        request["prefetch"][key] = empty.clone();
    }
    request["prefetch"]["userRoles"] = Value::Null;
    server.sign("2.2", request.to_string()).good();
    assert_eq!(ehr.paths(), Vec::<String>::new());
    // The same under keys of the client's own.
    let prefetch = request["prefetch"].as_object().unwrap().clone();
    let renamed = prefetch.into_iter().enumerate().filter(|(_, (_, value))| *value != empty);
    let renamed = renamed.map(|(n, (_, value))| (format!("item{n}"), value)).collect();
    request["prefetch"] = Value::Object(renamed);
    server.sign("2.2", request.to_string()).good();
    let paths = ehr.paths();
    for kind in ["Patient", "Coverage", "Encounter", "Practitioner/", "Condition", "Observation"] {
        assert!(!paths.iter().any(|it| it.starts_with(kind)), "{kind}: {paths:?}");
    }
}

#[test]
fn a_query_that_failed_at_the_client_is_asked_again_only_where_that_may_help() {
    for (code, times) in [("timeout", 1), ("forbidden", 0), ("not-found", 0), ("not-supported", 0)]
    {
        let ehr = Ehr::sound(STORY);
        let server = server_for(&ehr, 5000);
        let mut request = thin(STORY, &ehr, &["patient", "coverage", "encounter", "practitioner"]);
        request["prefetch"]["conditions"] = json!({
            "resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]
        });
        let answer = server.sign("2.2", request.to_string());
        let asked = ehr.paths().iter().filter(|it| it.starts_with("Condition")).count();
        assert_eq!(asked, times, "{code}");
        let technical = reasons(&answer).iter().any(|(code, _)| code == "technical");
        assert_eq!(technical, code == "forbidden", "{code}: {:?}", reasons(&answer));
    }
}

#[test]
fn the_pages_of_a_search_are_followed_those_of_the_prefetch_too() {
    let request = json(&fixture(STORY));
    let conditions = request["prefetch"]["conditions"]["entry"].as_array().unwrap().clone();
    let ehr = Ehr::of(STORY, move |local| {
        let page = |entry: &Value, next: Option<&str>| {
            let mut page = json!({"resourceType": "Bundle", "entry": [entry]});
            if let Some(next) = next {
                page["link"] = json!([{"relation": "next", "url": next}]);
            }
            Trouble::Text(page.to_string())
        };
        match local {
            "Condition?patient=pat-1101" => Some(page(&conditions[0], Some("?page=2"))),
            "Condition?page=2" => Some(page(&conditions[1], None)),
            _ => None,
        }
    });
    let server = server_for(&ehr, 5000);
    let alone = Server::start();
    let full = alone.sign("2.2", fixture(STORY).replace(LAKESIDE, &ehr.base()));
    let answer = server.sign("2.2", thin(STORY, &ehr, &[]).to_string());
    assert_eq!(said(&answer), said(&full));
    let mut begun = thin(STORY, &ehr, &["conditions"]);
    let bundle = &mut begun["prefetch"]["conditions"];
    bundle["entry"].as_array_mut().unwrap().truncate(1);
    let next = format!("{}/Condition?page=2", ehr.base());
    bundle["link"] = json!([{"relation": "next", "url": next}]);
    let answer = server.sign("2.2", begun.to_string());
    assert_eq!(said(&answer), said(&full));
}
