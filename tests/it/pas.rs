//! `Claim/$submit` over HTTP: what each story is answered, and what a repeat is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{Answer, FHIR_JSON, Server, extensions, fixture, json, objects, stories};

pub(crate) const VERSIONS: [&str; 2] = ["2.0.1", "2.2.1"];

/// What the folder's name promises for each line.
fn promised(story: &str) -> &'static str {
    if story.starts_with("approve") {
        "A1"
    } else if story.starts_with("no-authorization") {
        "NA"
    } else {
        "A4"
    }
}

/// The entries of a Bundle, by full URL.
fn entries(bundle: &Value) -> BTreeMap<String, Value> {
    let entries = bundle["entry"].as_array().unwrap();
    let by_url: BTreeMap<String, Value> = entries
        .iter()
        .map(|entry| (entry["fullUrl"].as_str().unwrap().to_owned(), entry["resource"].clone()))
        .collect();
    assert_eq!(by_url.len(), entries.len(), "a full URL stands twice");
    by_url
}

fn one(bundle: &Value, kind: &str) -> Value {
    let entries = bundle["entry"].as_array().unwrap();
    let found: Vec<&Value> =
        entries.iter().map(|it| &it["resource"]).filter(|it| it["resourceType"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0].clone()
}

pub(crate) fn claim_response(answer: &Answer) -> Value {
    one(&answer.good(), "ClaimResponse")
}

/// The review action's code and number of a line.
pub(crate) fn action(item: &Value) -> (String, Option<String>) {
    let adjudication = &item["adjudication"][0];
    let action = extensions(adjudication, "/extension-reviewAction");
    assert_eq!(action.len(), 1, "{item}");
    let code = extensions(action[0], "/extension-reviewActionCode");
    let code = code[0]["valueCodeableConcept"]["coding"][0]["code"].as_str().unwrap();
    let number = extensions(action[0], "number");
    let number = number.first().map(|it| it["valueString"].as_str().unwrap().to_owned());
    (code.to_owned(), number)
}

pub(crate) fn actions(answer: &Answer) -> Vec<String> {
    let response = claim_response(answer);
    response["item"].as_array().unwrap().iter().map(|item| action(item).0).collect()
}

pub(crate) fn number(answer: &Answer) -> String {
    claim_response(answer)["preAuthRef"].as_str().unwrap().to_owned()
}

/// The raw text of each entry's resource, by full URL.
fn raw_resources(bundle: &str) -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Bundle {
        entry: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        full_url: String,
        resource: Box<serde_json::value::RawValue>,
    }
    let bundle: Bundle = serde_json::from_str(bundle).unwrap();
    bundle.entry.into_iter().map(|it| (it.full_url, it.resource.get().to_owned())).collect()
}

/// Checks what holds for every good answer, and what the story promises.
fn check(story: &str, request: &str, answer: &Answer) {
    assert_eq!(answer.media_type(), Some(FHIR_JSON), "{story}");
    let (asked, bundle) = (json(request), answer.good());
    assert_eq!(bundle["type"], "collection", "{story}");
    assert_eq!(bundle["identifier"], asked["identifier"], "{story}");
    check_echo(story, request, &answer.text);
    let (claim, response) = (one(&asked, "Claim"), one(&bundle, "ClaimResponse"));
    assert_eq!(response["request"]["identifier"], claim["identifier"][0], "{story}");
    check_references(story, &bundle);
    let (lines, items) = (response["item"].as_array().unwrap(), claim["item"].as_array().unwrap());
    assert_eq!(lines.len(), items.len(), "{story}");
    for (line, item) in lines.iter().zip(items) {
        assert_eq!(line["itemSequence"], item["sequence"], "{story}");
        let traces = |element| {
            extensions(element, "/extension-itemTraceNumber")
                .into_iter()
                .map(|it| it["valueIdentifier"].clone())
                .collect::<Vec<_>>()
        };
        assert!(!traces(item).is_empty(), "{story}");
        assert_eq!(traces(line), traces(item), "{story}");
        check_line(story, &response, line, item);
    }
}

/// What goes back of the request is what came, under the same URL; what is ours has a `urn:uuid`.
fn check_echo(story: &str, request: &str, answer: &str) {
    let (sent, came) = (raw_resources(request), raw_resources(answer));
    assert!(came.len() > 2, "{story}: nothing is sent back");
    for (url, text) in &came {
        match sent.get(url) {
            Some(original) => assert_eq!(text, original, "{story}: {url}"),
            None => assert!(url.starts_with("urn:uuid:"), "{story}: {url}"),
        }
    }
}

/// Every reference leads to an entry, except the one to the Claim, which has its identifier.
fn check_references(story: &str, bundle: &Value) {
    let entries = entries(bundle);
    for (url, resource) in &entries {
        let base = url.rsplitn(3, '/').nth(2).unwrap_or_default();
        for object in objects(resource) {
            let Some(reference) = object.get("reference").and_then(Value::as_str) else { continue };
            let absolute = format!("{base}/{reference}");
            let found = entries.contains_key(reference) || entries.contains_key(&absolute);
            let is_claim = resource["request"] == *object;
            assert!(found || is_claim, "{story}: {reference} in {url}");
        }
    }
}

fn check_line(story: &str, response: &Value, line: &Value, item: &Value) {
    let (code, number) = action(line);
    assert_eq!(code, promised(story), "{story}");
    let references = extensions(line, "/extension-administrationReferenceNumber");
    let notes = line["noteNumber"].as_array().map_or(0, Vec::len);
    match code.as_str() {
        "A1" => {
            assert_eq!(number.as_deref(), response["preAuthRef"].as_str(), "{story}");
            assert!(number.is_some_and(|it| !it.is_empty()), "{story}");
            let period = &response["preAuthPeriod"];
            let day = item["servicedDate"].as_str().unwrap();
            assert!(period["start"].as_str().unwrap() <= day, "{story}: {period}");
            assert!(day <= period["end"].as_str().unwrap(), "{story}: {period}");
            assert!(references.is_empty() && notes == 0, "{story}");
        }
        "A4" => {
            assert_eq!((number, references.len()), (None, 1), "{story}");
            assert!(!references[0]["valueString"].as_str().unwrap().is_empty(), "{story}");
            assert!(notes > 0, "{story}: nothing is asked");
            check_notes(story, response, line);
        }
        _ => {
            assert_eq!((number, references.len(), notes), (None, 0, 0), "{story}");
            assert!(response.get("preAuthRef").is_none(), "{story}");
        }
    }
}

/// Each number of a note leads to one note, which says something.
fn check_notes(story: &str, response: &Value, line: &Value) {
    let notes = response["processNote"].as_array().unwrap();
    for number in line["noteNumber"].as_array().unwrap() {
        let found: Vec<&Value> = notes.iter().filter(|note| note["number"] == *number).collect();
        assert_eq!(found.len(), 1, "{story}: note {number}");
        assert!(found[0]["text"].as_str().unwrap().len() > 10, "{story}");
    }
}

#[test]
fn each_story_is_answered_as_its_name_says() {
    let server = Server::start();
    for story in stories("pas") {
        let request = fixture(&format!("pas/{story}"));
        check(&story, &request, &server.submit("2.2.1", request.clone()));
    }
    let server = Server::start();
    for story in stories("pas") {
        let request = fixture(&format!("pas/{story}"));
        check(&story, &request, &server.submit("2.0.1", request.clone()));
    }
    for story in stories("pas-2.0.1") {
        let request = fixture(&format!("pas-2.0.1/{story}"));
        check(&story, &request, &server.submit("2.0.1", request.clone()));
    }
}

#[test]
fn a_pended_line_asks_for_each_thing_that_is_missing() {
    let server = Server::start();
    let note = |story: &str| {
        let response = claim_response(&server.submit("2.2.1", fixture(story)));
        response["processNote"].as_array().unwrap().iter().map(Value::to_string).collect::<String>()
    };
    assert!(note("pas/pend-braf-unknown").contains("BRAF"));
    let traces = server.texts("SELECT trace FROM answer_line WHERE determination = 'pend'");
    let trace = json(&traces[0]);
    let criteria = trace["item"]["criteria"].as_array().unwrap();
    let needs = criteria.iter().flat_map(|it| it["needs"].as_array().unwrap());
    for need in needs {
        assert!(note("pas/pend-braf-unknown").contains(need.as_str().unwrap()), "{need}");
    }
    assert!(note("pas/pend-pd1-no-outcome").contains("Criterion 4"));
    assert!(note("pas/review-no-coverage-of-ours").contains("A person of the plan"));
}

#[test]
fn a_repeat_gets_the_same_answer_and_opens_no_second_case() {
    let server = Server::start();
    for story in ["pas/approve-all-met", "pas/pend-braf-unknown"] {
        let first = server.submit("2.2.1", fixture(story));
        let rows = server.rows();
        let again = server.submit("2.2.1", fixture(story));
        assert_eq!(again.good(), first.good(), "{story}");
        assert_eq!(server.rows(), rows, "{story}");
    }
    let rows = server.rows();
    assert_eq!((rows["prior_auth_case"], rows["submission"], rows["answer"]), (2, 2, 2));
    assert_eq!((rows["issued_number"], rows["audit"]), (2, 2));
}

#[test]
fn twenty_identical_posts_at_the_same_time_are_one_case() {
    let server = Server::start();
    let post =
        || server.posting("/pas/2.2.1/Claim/$submit", FHIR_JSON, fixture("pas/approve-all-met"));
    let answers = server.send_all((0..20).map(|_| post()).collect());
    let first = answers[0].good();
    for answer in &answers {
        assert_eq!(answer.good(), first);
    }
    let rows = server.rows();
    assert_eq!((rows["prior_auth_case"], rows["submission"], rows["issued_number"]), (1, 1, 1));
}

#[test]
fn the_other_versions_endpoint_answers_a_repeat_in_its_own_words() {
    for (one, other) in [("2.0.1", "2.2.1"), ("2.2.1", "2.0.1")] {
        let server = Server::start();
        let story =
            if one == "2.0.1" { "pas-2.0.1/approve-all-met" } else { "pas/approve-all-met" };
        let first = server.submit(one, fixture(story));
        let second = server.submit(other, fixture(story));
        assert_eq!(number(&second), number(&first), "{story}");
        assert_eq!(server.rows()["prior_auth_case"], 1, "{story}");
        check("approve", &fixture(story), &second);
        // The words differ in nothing that this story shows; each answer is whole in its own.
        let fresh = Server::start().submit(other, fixture(story));
        let shape = |answer: &Answer| {
            let mut keys: Vec<String> = objects(&answer.good())
                .into_iter()
                .map(|it| format!("{:?}", it.as_object().unwrap().keys().collect::<Vec<_>>()))
                .collect();
            keys.sort();
            keys
        };
        assert_eq!(shape(&second), shape(&fresh), "{story}");
    }
}

#[test]
fn the_same_identifiers_with_other_content_are_a_case_of_their_own() {
    let server = Server::start();
    let story = fixture("pas/pend-braf-unknown");
    let first = server.submit("2.2.1", story.clone());
    let other = story.replace("\"2026-12-10\"", "\"2026-12-11\"");
    assert_ne!(other, story);
    let second = server.submit("2.2.1", other);
    let reference = |answer: &Answer| {
        let item = &claim_response(answer)["item"][0];
        extensions(item, "/extension-administrationReferenceNumber")[0]["valueString"].clone()
    };
    assert_ne!(reference(&second), reference(&first));
    assert_eq!(server.rows()["prior_auth_case"], 2);
    // rulings 31: the likeness is noted for the reviewer.
    let similar: Vec<Value> = server
        .texts(
            "SELECT trace FROM answer_line JOIN submission USING (case_id) ORDER BY submission_id",
        )
        .iter()
        .map(|trace| json(trace)["similar_cases"].clone())
        .collect();
    let cases = server.texts("SELECT case_id FROM submission ORDER BY submission_id");
    assert_eq!(similar, [json!([]), json!([cases[0]])]);
    let keys = server.texts("SELECT DISTINCT bundle_identifier FROM submission");
    assert_eq!(keys.len(), 1);
}

#[test]
fn an_authorization_on_file_makes_a_later_other_request_pend() {
    let server = Server::start();
    let story = fixture("pas/approve-all-met");
    assert_eq!(actions(&server.submit("2.2.1", story.clone())), ["A1"]);
    let other = story.replace("\"2026-12-10\"", "\"2026-12-17\"");
    assert_ne!(other, story);
    // rulings 11
    let later = server.submit("2.2.1", other.clone());
    assert_eq!(actions(&later), ["A4"]);
    assert!(
        claim_response(&later)["processNote"].to_string().contains("Limitation 2"),
        "{}",
        later.text
    );
    // The first one is a repeat still, and the later one too.
    assert_eq!(actions(&server.submit("2.2.1", story)), ["A1"]);
    assert_eq!(actions(&server.submit("2.2.1", other)), ["A4"]);
    assert_eq!(server.rows()["prior_auth_case"], 2);
}

#[test]
fn the_same_content_after_the_window_is_a_later_request() {
    let server = Server::configured(|_| "repeat_window_ms = 0\n".to_owned());
    for (story, expected) in
        [("pas/approve-all-met", ["A1", "A4"]), ("pas/pend-braf-unknown", ["A4"; 2])]
    {
        for action in expected {
            assert_eq!(actions(&server.submit("2.2.1", fixture(story))), [action], "{story}");
        }
    }
    assert_eq!(server.rows()["prior_auth_case"], 4);
}

#[test]
fn of_different_requests_for_one_member_at_the_same_time_one_is_approved() {
    let server = Server::start();
    let story = fixture("pas/approve-all-met");
    let posts = (10..20).map(|day| {
        let other = story.replace("\"2026-12-10\"", &format!("\"2026-12-{day}\""));
        server.posting("/pas/2.2.1/Claim/$submit", FHIR_JSON, other)
    });
    let answers = server.send_all(posts.collect());
    let approved = answers.iter().filter(|answer| actions(answer) == ["A1"]).count();
    // rulings 11, L2: one dose in a lifetime
    assert_eq!(approved, 1);
    assert_eq!(server.rows()["prior_auth_case"], 10);
}

#[test]
fn a_request_to_cancel_or_change_is_never_approved_by_itself() {
    let server = Server::start();
    let story = fixture("pas/approve-all-met");
    let at = story.find("https://codesystem.x12.org/005010/1322").unwrap();
    let code = at + story[at..].find("\"I\"").unwrap();
    assert!(code - at < 100, "the code stands beside its system");
    for other in ["3", "R", "S", "1"] {
        let body = format!("{}\"{other}\"{}", &story[..code], &story[code + 3..]);
        assert_eq!(actions(&server.submit("2.2.1", body)), ["A4"], "{other}");
    }
    assert_eq!(
        server.texts("SELECT number FROM issued_number WHERE series = 'authorization'").len(),
        0
    );
}

#[test]
fn a_bundle_within_parameters_is_read_too() {
    let server = Server::start();
    for version in VERSIONS {
        let bundle = fixture("pas/approve-all-met");
        let wrapped = format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":{bundle}}}]}}"#
        );
        check("approve", &bundle, &server.submit(version, wrapped));
    }
}

#[test]
fn the_operations_name_may_be_escaped() {
    let server = Server::start();
    for path in ["/pas/2.2.1/Claim/%24submit", "/pas/2.0.1/Claim/%24submit"] {
        let answer = server.post(path, FHIR_JSON, fixture("pas/approve-all-met"));
        assert_eq!(actions(&answer), ["A1"], "{path}");
    }
}

#[test]
fn json_is_read_under_both_its_names_with_or_without_a_charset() {
    let server = Server::start();
    for media_type in [
        "application/fhir+json",
        "application/json",
        "application/fhir+json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/FHIR+JSON; fhirVersion=4.0",
    ] {
        let path = "/pas/2.2.1/Claim/$submit";
        let answer = server.post(path, media_type, fixture("pas/approve-all-met"));
        assert_eq!(actions(&answer), ["A1"], "{media_type}");
        assert_eq!(answer.media_type(), Some(FHIR_JSON));
    }
}

#[test]
fn the_answer_is_json_whatever_is_accepted() {
    let server = Server::start();
    for accept in [
        None,
        Some("*/*"),
        Some("application/fhir+json"),
        Some("application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9"),
        Some("application/fhir+xml"),
    ] {
        let path = "/pas/2.2.1/Claim/$submit";
        let mut request = server.posting(path, FHIR_JSON, fixture("pas/approve-all-met"));
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = server.send(request);
        assert_eq!(answer.media_type(), Some(FHIR_JSON), "{accept:?}");
        assert_eq!(actions(&answer), ["A1"], "{accept:?}");
    }
}

#[test]
fn what_we_create_never_names_the_address_that_we_listen_on() {
    let server = Server::start();
    let port = server.address.port().to_string();
    for story in stories("pas") {
        let answer = server.submit("2.2.1", fixture(&format!("pas/{story}")));
        assert!(!answer.text.contains("127.0.0.1") && !answer.text.contains(&port), "{story}");
    }
    for version in VERSIONS {
        let statement = server.get(&format!("/pas/{version}/metadata"));
        assert!(!statement.text.contains("127.0.0.1"), "{}", statement.text);
    }
}

#[test]
fn the_capability_statement_names_what_is_served() {
    let server = Server::start();
    for version in VERSIONS {
        let statement = server.get(&format!("/pas/{version}/metadata"));
        assert_eq!(statement.media_type(), Some(FHIR_JSON));
        let statement = statement.good();
        assert_eq!(statement["resourceType"], "CapabilityStatement");
        assert_eq!(statement["fhirVersion"], "4.0.1");
        let operations: BTreeSet<&str> = objects(&statement)
            .into_iter()
            .filter_map(|it| it.get("definition").and_then(Value::as_str))
            .collect();
        assert!(operations.iter().any(|it| it.contains("/Claim-submit")), "{operations:?}");
    }
}

#[test]
fn every_line_of_a_claim_with_several_items_is_answered_on_its_own() {
    let server = Server::start();
    let mut bundle = json(&fixture("pas/pend-braf-unknown"));
    let entries = bundle["entry"].as_array_mut().unwrap();
    let claim = entries.iter_mut().find(|it| it["resource"]["resourceType"] == "Claim").unwrap();
    let items = claim["resource"]["item"].as_array_mut().unwrap();
    let mut visit = items[0].clone();
    visit["sequence"] = json!(7);
    visit["productOrService"] =
        json!({"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]});
    visit["extension"]
        .as_array_mut()
        .unwrap()
        .retain(|it| !it["url"].as_str().unwrap().ends_with("requestedService"));
    items.push(visit);
    let answer = server.submit("2.2.1", bundle.to_string());
    assert_eq!(actions(&answer), ["A4", "NA"], "{}", answer.text);
    let response = claim_response(&answer);
    assert_eq!(response["item"][1]["itemSequence"], 7);
}

#[test]
fn an_insurer_that_is_contained_in_the_claim_is_named_by_its_npi() {
    let server = Server::start();
    let mut bundle = json(&fixture("pas/pend-braf-unknown"));
    let insurer = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["resource"]["identifier"][0]["value"] == "1992000012")
        .map(|entry| entry["resource"].clone())
        .unwrap();
    let claim = &mut bundle["entry"][0]["resource"];
    claim["contained"] = json!([insurer]);
    claim["insurer"] = json!({"reference": format!("#{}", insurer["id"].as_str().unwrap())});
    let response = claim_response(&server.submit("2.2.1", bundle.to_string()));
    assert_eq!(response["insurer"]["identifier"]["value"], "1992000012");
    assert!(response["insurer"].get("reference").is_none());
}
