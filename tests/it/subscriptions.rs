//! Subscriptions and their notifications, over HTTP with a receiver that really listens.

mod delivery;
mod receiver;

use std::time::Duration;

use serde_json::{Value, json};

use self::receiver::{Arrived, Receiver, value};
use crate::case_life::{attach, attachment, member_of, missing_result};
use crate::clients::{bearer, two_clients};
use crate::harness::{Answer, FHIR_JSON, Server, comes_true, fixture, json};
use crate::pas::VERSIONS;

const PENDED: &str = "pas/pend-braf-unknown";
const TOPIC: &str = "http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic";
const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition";
/// Waits of milliseconds instead of minutes.
const FAST: &str = "notify_first_retry_ms = 5\nnotify_longest_retry_ms = 10\nnotify_poll_ms = 20\n";

/// What is changed of a Subscription.
type Change = fn(&mut Value);

fn subscription(endpoint: &str, content: &str) -> Value {
    json!({
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Answers to requests of our organization",
        "criteria": TOPIC,
        "_criteria": {"extension": [{
            "url": format!("{BACKPORT}/backport-filter-criteria"),
            "valueString": "org-identifier=1234567893",
        }]},
        "channel": {
            "type": "rest-hook",
            "endpoint": endpoint,
            "payload": "application/fhir+json",
            "_payload": {"extension": [{
                "url": format!("{BACKPORT}/backport-payload-content"), "valueCode": content,
            }]},
            "header": ["Authorization: Bearer abc.def", "X-Tenant: lake: side"],
        },
    })
}

fn content_of(version: &str) -> &'static str {
    if version == "2.0.1" { "id-only" } else { "full-resource" }
}

fn path(version: &str) -> String {
    format!("/pas/{version}/Subscription")
}

fn create(server: &Server, version: &str, resource: &Value) -> Answer {
    server.post(&path(version), FHIR_JSON, resource.to_string())
}

/// Makes a Subscription and waits until it is active; its id.
#[track_caller]
fn activated(server: &Server, receiver: &Receiver, version: &str) -> String {
    let resource = subscription(&receiver.url, content_of(version));
    let made = create(server, version, &resource);
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(comes_true(|| status(server, version, &id) == "active"));
    id
}

fn status(server: &Server, version: &str, id: &str) -> String {
    let shown = server.get(&format!("{}/{id}", path(version))).good();
    shown["status"].as_str().unwrap().to_owned()
}

/// Opens one more case of a member of its own; its id.
fn open_case(server: &Server, version: &str, member: &str) -> String {
    let text = fixture(PENDED);
    let request = json(&text);
    let all = crate::harness::objects(&request);
    let known = all.into_iter().find_map(|it| it.get("subscriberId")).unwrap();
    let answer = server.submit(version, text.replace(known.as_str().unwrap(), member));
    answer.good();
    let queue = server.get("/admin/api/cases").json();
    let newest = queue.as_array().unwrap().iter().find(|case| {
        let id = case["case_id"].as_str().unwrap();
        server.get(&format!("/admin/api/cases/{id}")).json()["member_id"] == member
    });
    newest.unwrap()["case_id"].as_str().unwrap().to_owned()
}

fn review(server: &Server, case: &str, decision: &str) {
    let review = json!({
        "reviewer": "Dr. Okafor", "credentials": "MD, medical director", "decision": decision,
        "note": "Please send the pathology report.",
    });
    let path = format!("/admin/api/cases/{case}/review");
    assert_eq!(server.post(&path, "application/json", review.to_string()).status, 200);
}

/// Every rule that a notification follows (pas.md 2.9).
#[track_caller]
fn check_frame(arrived: &Arrived, id: &str, kind: &str, status: &str) {
    let bundle = &arrived.body;
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("history")));
    let parameters = arrived.parameters();
    assert_eq!(parameters["resourceType"], "Parameters");
    assert_eq!(value(parameters, "status")["valueCode"], status);
    assert_eq!(arrived.kind(), kind);
    assert_eq!(value(parameters, "topic")["valueCanonical"], TOPIC);
    let subscription = value(parameters, "subscription")["valueReference"]["reference"].clone();
    assert!(subscription.as_str().unwrap().ends_with(&format!("Subscription/{id}")));
    assert!(value(parameters, "events-since-subscription-start")["valueString"].is_string());
    for entry in bundle["entry"].as_array().unwrap() {
        assert!(entry["fullUrl"].is_string(), "{entry}");
        assert!(entry["request"]["method"].is_string() && entry["request"]["url"].is_string());
        assert!(entry["response"]["status"].is_string(), "{entry}");
    }
    let url = bundle["entry"][0]["request"]["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("Subscription/{id}/$status")), "{url}");
    assert_eq!(arrived.header("authorization"), ["Bearer abc.def"]);
    assert_eq!(arrived.header("x-tenant"), ["lake: side"]);
    assert_eq!(arrived.header("content-type"), ["application/fhir+json"]);
}

#[test]
fn a_subscription_is_made_as_it_was_sent_and_then_shakes_hands() {
    for version in VERSIONS {
        let (server, receiver) = (Server::start(), Receiver::willing());
        let mut resource = subscription(&receiver.url, content_of(version));
        resource["id"] = json!("mine");
        let made = create(&server, version, &resource);
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.media_type(), Some(FHIR_JSON));
        assert!(receiver.arrived().is_empty(), "the handshake comes after the 201");
        let shown = made.json();
        let id = shown["id"].as_str().unwrap();
        assert_ne!(id, "mine");
        resource["id"] = json!(id);
        assert_eq!(shown, resource);
        let location = made.header("location").unwrap();
        assert!(location.ends_with(&format!("/pas/{version}/Subscription/{id}")), "{location}");
        assert!(!location.contains("127.0.0.1"), "{location}");

        let handshakes = receiver.expect("handshake", 1);
        check_frame(&handshakes[0], id, "handshake", "requested");
        assert_eq!(handshakes[0].body["entry"].as_array().unwrap().len(), 1);
        assert!(comes_true(|| status(&server, version, id) == "active"));
        let mut active = server.get(&format!("{}/{id}", path(version))).good();
        active["status"] = json!("requested");
        assert_eq!(active, resource);
        // The 2.2.1 endpoint has no Subscription of the 2.0.1 endpoint, and the other way round.
        let other = VERSIONS.into_iter().find(|other| *other != version).unwrap();
        assert_eq!(server.get(&format!("{}/{id}", path(other))).status, 404);
    }
}

#[test]
fn a_review_is_an_event_that_tells_the_whole_answer_or_its_id() {
    for (version, content) in
        [("2.0.1", "id-only"), ("2.0.1", "full-resource"), ("2.2.1", "full-resource")]
    {
        let (server, receiver) = (Server::start(), Receiver::willing());
        let made = create(&server, version, &subscription(&receiver.url, content)).json();
        let id = made["id"].as_str().unwrap();
        assert!(comes_true(|| status(&server, version, id) == "active"));
        let case = open_case(&server, version, "M-1");
        review(&server, &case, "ask");
        review(&server, &case, "approve");
        let events = receiver.expect("event-notification", 2);
        assert_eq!(events.iter().map(Arrived::number).collect::<Vec<_>>(), [1, 2]);
        for (event, action) in events.iter().zip(["A4", "A1"]) {
            check_frame(event, id, "event-notification", "active");
            let entries = event.body["entry"].as_array().unwrap();
            let [_, focus] = entries.as_slice() else { panic!("{entries:?}") };
            assert_eq!(focus["fullUrl"], event.focus());
            if content == "id-only" {
                assert!(focus.get("resource").is_none());
                assert!(event.focus().contains("/ClaimResponse/"));
            } else {
                let told = &focus["resource"];
                assert_eq!(
                    (&told["resourceType"], &told["type"]),
                    (&json!("Bundle"), &json!("collection"))
                );
                assert_eq!(format!("urn:uuid:{}", told["id"].as_str().unwrap()), event.focus());
                let answer = &told["entry"][0]["resource"];
                assert_eq!(answer["resourceType"], "ClaimResponse");
                assert_eq!(crate::pas::action(&answer["item"][0]).0, action);
            }
        }
    }
}

#[test]
fn a_subscription_of_one_version_hears_of_cases_of_the_other_in_its_own_words() {
    let (server, receiver) = (Server::start(), Receiver::willing());
    activated(&server, &receiver, "2.2.1");
    let case = open_case(&server, "2.0.1", "M-1");
    review(&server, &case, "approve");
    let event = receiver.expect("event-notification", 1).remove(0);
    let told = &event.body["entry"][1]["resource"];
    let answer = &told["entry"][0]["resource"];
    // Only 2.2 can say that a person reviewed.
    assert_eq!(crate::harness::extensions(answer, "extension-claimResponseReviewer").len(), 1);
}

#[test]
fn an_update_is_an_event_and_the_first_answer_or_a_repeat_is_none() {
    let (server, receiver) = (Server::start(), Receiver::willing());
    activated(&server, &receiver, "2.2.1");
    let first = fixture(PENDED);
    server.submit("2.2.1", first.clone()).good();
    server.submit("2.2.1", first.clone()).good();
    let mut update = json(&first);
    let claim = &mut update["entry"][0]["resource"];
    claim["related"] = json!([{
        "relationship": {"coding": [{"code": "prior"}]},
        "claim": {"identifier": claim["identifier"][0]},
    }]);
    claim["identifier"][0]["value"] = json!("C-next");
    claim["extension"] = json!([{
        "url": "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType",
        "valueCodeableConcept": {"coding": [{"system": "https://codesystem.x12.org/005010/1322", "code": "3"}]},
    }]);
    let answer = server.submit("2.2.1", update.to_string());
    answer.good();
    assert_eq!(server.rows()["prior_auth_case"], 1, "{}", answer.text);
    let events = receiver.expect("event-notification", 1);
    assert_eq!(events.iter().map(Arrived::number).collect::<Vec<_>>(), [1]);
}

// PAS 2.2.1 spec-60
#[test]
fn an_attachment_is_an_event_where_a_line_changes_and_none_where_it_says_nothing_new() {
    let (server, receiver) = (Server::start(), Receiver::willing());
    activated(&server, &receiver, "2.2.1");
    server.submit("2.2.1", fixture(PENDED)).good();
    let unrelated = json!({
        "resourceType": "Observation", "id": "height", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "subject": {"reference": "Patient/pat-1002"}, "effectiveDateTime": "2026-11-01",
        "valueQuantity": {"value": 170, "unit": "cm"},
    });
    let member = member_of(PENDED);
    for (resource, events) in [(unrelated, "0"), (missing_result(), "1")] {
        let taken = attach(&server, &attachment("ITM-1002-1", &member, &resource));
        assert_eq!(taken.status, 200, "{}", taken.text);
        let count = "SELECT count(*) || '' FROM outbox WHERE event_number > 0";
        assert_eq!(server.texts(count), [events]);
    }
    let event = receiver.expect("event-notification", 1).remove(0);
    let answer = &event.body["entry"][1]["resource"]["entry"][0]["resource"];
    assert_eq!(crate::pas::action(&answer["item"][0]).0, "A1");
}

#[test]
fn only_the_sender_that_a_filter_names_is_told() {
    let server = Server::configured(|_| FAST.to_owned());
    let interchange = Receiver::willing();
    let mut expected = Vec::new();
    for (filter, hears) in [
        ("identifier=1234567893", true),
        ("ClaimResponse?orgIdentifier=9,1234567893", true),
        ("org-identifier=http://hl7.org/fhir/sid/us-npi|1234567893", true),
        ("org-identifier=1992000012", false),
    ] {
        let receiver = Receiver::willing();
        let mut resource = subscription(&receiver.url, "full-resource");
        resource["_criteria"]["extension"][0]["valueString"] = json!(filter);
        create(&server, "2.2.1", &resource).json();
        receiver.expect("handshake", 1);
        expected.push((filter, hears, receiver));
    }
    let mut resource = subscription(&interchange.url, "full-resource");
    resource["_criteria"]["extension"][0]["valueString"] = json!("org-identifier=ISA-77");
    create(&server, "2.2.1", &resource).json();
    interchange.expect("handshake", 1);
    let active = "SELECT count(*) || '' FROM subscription WHERE status = 'active'";
    assert!(comes_true(|| server.texts(active) == ["5"]));

    let case = open_case(&server, "2.2.1", "M-1");
    review(&server, &case, "ask");
    for (filter, hears, receiver) in &expected {
        if *hears {
            receiver.expect("event-notification", 1);
        } else {
            assert!(receiver.accepted("event-notification").is_empty(), "{filter}");
        }
    }
    // Where the Claim names an interchange sender, that one is the sender and not the provider.
    let mut request = json(&fixture(PENDED));
    request["entry"][0]["resource"]["extension"] = json!([{
        "url": "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-TransmissionIdentifiers",
        "extension": [{"url": "interchangeSenderID", "valueString": "ISA-77"}],
    }]);
    server.submit("2.2.1", request.to_string()).good();
    let cases = server.get("/admin/api/cases").json();
    let newest = cases.as_array().unwrap().iter().find(|it| it["case_id"] != case.as_str());
    review(&server, newest.unwrap()["case_id"].as_str().unwrap(), "ask");
    interchange.expect("event-notification", 1);
    assert_eq!(server.texts("SELECT count(*) || '' FROM outbox WHERE event_number > 0"), ["4"]);
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_nothing_is_stored() {
    let server = Server::start();
    let receiver = Receiver::willing();
    let changes: [(&str, Change, &str); 11] = [
        ("2.2.1", |it| it["criteria"] = json!("http://other"), "Subscription.criteria"),
        ("2.2.1", |it| it["channel"]["type"] = json!("email"), "Subscription.channel.type"),
        (
            "2.2.1",
            |it| it["channel"]["_payload"]["extension"][0]["valueCode"] = json!("id-only"),
            "Subscription.channel._payload.extension[0].valueCode",
        ),
        (
            "2.0.1",
            |it| it["channel"]["_payload"]["extension"][0]["valueCode"] = json!("empty"),
            "Subscription.channel._payload.extension[0].valueCode",
        ),
        ("2.2.1", |it| it["end"] = json!("2020-01-01T00:00:00Z"), "Subscription.end"),
        (
            "2.2.1",
            |it| it["channel"]["endpoint"] = json!("ftp://127.0.0.1/"),
            "Subscription.channel.endpoint",
        ),
        (
            "2.2.1",
            |it| it["channel"]["endpoint"] = json!("http://10.0.0.1/hook"),
            "Subscription.channel.endpoint",
        ),
        (
            "2.2.1",
            |it| it["channel"]["endpoint"] = json!("https://192.168.1.1/hook"),
            "Subscription.channel.endpoint",
        ),
        (
            "2.2.1",
            |it| it["channel"]["header"][1] = json!("Transfer-Encoding: chunked"),
            "Subscription.channel.header[1]",
        ),
        (
            "2.2.1",
            |it| it["_criteria"]["extension"][0]["valueString"] = json!("patient=1"),
            "Subscription._criteria.extension[0].valueString",
        ),
        ("2.2.1", |it| it["status"] = json!("off"), "Subscription.status"),
    ];
    for (version, change, place) in changes {
        let mut resource = subscription(&receiver.url, "full-resource");
        change(&mut resource);
        let refused = create(&server, version, &resource);
        assert_eq!(refused.status, 422, "{place}: {}", refused.text);
        let issues = refused.issues();
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert_eq!(issues[0]["expression"][0], place);
        assert!(!refused.text.contains("abc.def"), "{}", refused.text);
    }
    let doubled = subscription(&receiver.url, "full-resource").to_string();
    let doubled = doubled.replacen('{', r#"{"status":"requested","#, 1);
    let refused = server.post(&path("2.2.1"), FHIR_JSON, doubled);
    assert_eq!((refused.status, refused.issues().len()), (400, 1));
    let xml = server.post(&path("2.2.1"), "application/fhir+xml", "<Subscription/>");
    assert_eq!(xml.status, 415);
    assert_eq!(server.texts("SELECT count(*) || '' FROM subscription"), ["0"]);
    assert!(receiver.arrived().is_empty());
}

#[test]
fn a_subscription_is_changed_turned_off_and_deleted_by_its_client() {
    let (server, receiver) = (Server::start(), Receiver::willing());
    let id = activated(&server, &receiver, "2.2.1");
    let url = format!("{}/{id}", path("2.2.1"));
    let put = |resource: &Value| {
        let request = server.client.put(format!("{}{url}", server.base));
        server.send(request.header("content-type", FHIR_JSON).body(resource.to_string()))
    };
    let delete = || server.send(server.client.delete(format!("{}{url}", server.base)));
    let case = open_case(&server, "2.2.1", "M-1");
    review(&server, &case, "ask");
    receiver.expect("event-notification", 1);

    let second = Receiver::willing();
    let mut changed = subscription(&second.url, "full-resource");
    assert_eq!(put(&changed).issues()[0]["expression"][0], "Subscription.id");
    changed["id"] = json!(id);
    let answer = put(&changed).good();
    assert_eq!((&answer["status"], &answer["id"]), (&json!("requested"), &json!(id)));
    second.expect("handshake", 1);
    assert!(comes_true(|| status(&server, "2.2.1", &id) == "active"));
    review(&server, &case, "ask");
    second.expect("event-notification", 1);
    assert_eq!(second.accepted_numbers(), [2], "the numbers go on");

    for (method, name) in [("get", "$status"), ("post", "$status"), ("get", "%24status")] {
        let full = format!("{}{url}/{name}", server.base);
        let request = match method {
            "get" => server.client.get(full),
            _ => server.client.post(full),
        };
        let answer = server.send(request).good();
        assert_eq!(answer["type"], "searchset");
        let parameters = &answer["entry"][0]["resource"];
        assert_eq!(value(parameters, "status")["valueCode"], "active");
        assert_eq!(value(parameters, "type")["valueCode"], "query-status");
        let events = value(parameters, "events-since-subscription-start");
        assert_eq!(events["valueString"], "2");
    }

    changed["status"] = json!("off");
    assert_eq!(put(&changed).good()["status"], "off");
    assert_eq!(status(&server, "2.2.1", &id), "off");
    review(&server, &case, "approve");
    assert_eq!(server.texts("SELECT max(event_number) || '' FROM outbox"), ["2"]);

    assert_eq!(delete().status, 204);
    let gone = server.get(&url);
    assert_eq!((gone.status, &gone.issues()[0]["code"]), (410, &json!("deleted")));
    assert_eq!(put(&changed).status, 410);
    assert_eq!(server.get(&format!("{url}/$status")).status, 410);
    assert_eq!(delete().status, 204);
    let unknown = server.get(&format!("{}/unknown", path("2.2.1")));
    assert_eq!((unknown.status, unknown.issues().len()), (404, 1));
}

#[test]
fn an_end_that_comes_turns_the_subscription_off() {
    let server = Server::configured(|_| FAST.to_owned());
    let receiver = Receiver::willing();
    let mut resource = subscription(&receiver.url, "full-resource");
    let end = now() + Duration::from_millis(1500);
    resource["end"] = json!(end.to_string());
    let made = create(&server, "2.2.1", &resource);
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(comes_true(|| status(&server, "2.2.1", &id) == "off"));
    let stored = "SELECT status FROM subscription";
    assert!(comes_true(|| server.texts(stored) == ["off"]));
    let case = open_case(&server, "2.2.1", "M-1");
    review(&server, &case, "approve");
    assert_eq!(server.texts("SELECT count(*) || '' FROM outbox WHERE event_number > 0"), ["0"]);
}

#[test]
fn another_client_neither_sees_nor_changes_a_subscription_nor_hears_of_cases() {
    let receiver = Receiver::willing();
    let origin = receiver.origin.clone();
    let server = Server::configured(|folder| {
        format!("{FAST}notify_allow = [\"{origin}\"]\n{}", two_clients(folder))
    });
    let send = |method: &str, path: &str, client: &str, body: Option<String>| {
        let url = format!("{}{path}", server.base);
        let method = method.parse::<reqwest::Method>().unwrap();
        let mut request = server.client.request(method, url).header("content-type", FHIR_JSON);
        if !client.is_empty() {
            request = request.header("authorization", bearer(client, path));
        }
        server.send(request.body(body.unwrap_or_default()))
    };
    let resource = subscription(&receiver.url, "full-resource").to_string();
    let subscriptions = path("2.2.1");
    assert_eq!(send("POST", &subscriptions, "", Some(resource.clone())).status, 401);
    let made = send("POST", &subscriptions, "lakeside", Some(resource.clone()));
    assert_eq!(made.status, 201, "{}", made.text);
    let own = format!("{subscriptions}/{}", made.json()["id"].as_str().unwrap());
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(send(method, &own, "harbor", Some(resource.clone())).status, 404, "{method}");
    }
    assert_eq!(send("GET", &format!("{own}/$status"), "harbor", None).status, 404);
    let is_active = || send("GET", &own, "lakeside", None).good()["status"] == "active";
    assert!(comes_true(is_active));
    // The case of the other client, of the same organization: its answers are not this one's.
    let submit = "/pas/2.2.1/Claim/$submit";
    send("POST", submit, "harbor", Some(fixture(PENDED))).good();
    let case = server.texts("SELECT case_id FROM prior_auth_case").remove(0);
    let review = json!({
        "reviewer": "Dr. Okafor", "credentials": "MD", "decision": "approve",
    });
    let reviewing = format!("/admin/api/cases/{case}/review");
    assert_eq!(send("POST", &reviewing, "harbor", Some(review.to_string())).status, 200);
    assert_eq!(server.texts("SELECT count(*) || '' FROM outbox WHERE event_number > 0"), ["0"]);
    // Endpoints that the operator does not name are refused, loopback too.
    let elsewhere = subscription("http://127.0.0.1:9/hook", "full-resource").to_string();
    let refused = send("POST", &subscriptions, "lakeside", Some(elsewhere));
    assert_eq!(refused.status, 422);
    assert_eq!(refused.issues()[0]["expression"][0], "Subscription.channel.endpoint");
}

#[test]
fn with_clients_registered_no_endpoint_inside_a_network_is_called() {
    let receiver = Receiver::willing();
    let server = Server::configured(two_clients);
    for endpoint in [receiver.url.as_str(), "https://127.0.0.1/hook", "https://localhost/hook"] {
        let resource = subscription(endpoint, "full-resource").to_string();
        let request = server.posting(&path("2.2.1"), FHIR_JSON, resource);
        let token = bearer("lakeside", &path("2.2.1"));
        let refused = server.send(request.header("authorization", token));
        assert_eq!(refused.status, 422, "{endpoint}");
        assert_eq!(refused.issues()[0]["expression"][0], "Subscription.channel.endpoint");
    }
}

#[test]
fn the_statement_declares_what_is_routed() {
    let server = Server::start();
    let statement = server.get("/pas/2.2.1/metadata").good();
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let declared = resources.iter().find(|it| it["type"] == "Subscription").unwrap();
    let codes: Vec<&str> = declared["interaction"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["create", "read", "update", "delete"]);
    for (method, status) in [("POST", 415), ("GET", 404), ("PUT", 415), ("DELETE", 404)] {
        let place = if method == "POST" { path("2.2.1") } else { format!("{}/x", path("2.2.1")) };
        let method = method.parse::<reqwest::Method>().unwrap();
        let request = server.client.request(method.clone(), format!("{}{place}", server.base));
        let answer = server.send(request.header("content-type", "text/plain").body("{}"));
        assert_eq!(answer.status, status, "{method}");
    }
}

#[expect(clippy::disallowed_methods, reason = "an end is compared with the machine's clock")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Notifications and answers of `$status` as they are sent: the guide that judges each, its name,
/// its text.
pub(crate) fn notifications() -> Vec<(&'static str, String, String)> {
    let mut sent = Vec::new();
    for (version, guide, content) in [
        ("2.0.1", "pas-2.0.1", "id-only"),
        ("2.0.1", "pas-2.0.1", "full-resource"),
        ("2.2.1", "pas-2.2.1", "full-resource"),
    ] {
        let (server, receiver) = (Server::start(), Receiver::willing());
        let made = create(&server, version, &subscription(&receiver.url, content));
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert!(comes_true(|| status(&server, version, &id) == "active"));
        let case = open_case(&server, version, "M-1");
        for decision in ["ask", "approve"] {
            review(&server, &case, decision);
        }
        receiver.expect("event-notification", 2);
        let asked = server.get(&format!("{}/{id}/$status", path(version)));
        sent.push((guide, format!("$status, {version}"), asked.text));
        for arrived in receiver.arrived() {
            let name = format!("{} of {content}, {version}", arrived.kind());
            let told = &arrived.body["entry"][1]["resource"];
            if told.is_object() {
                sent.push((guide, format!("the answer in the {name}"), told.to_string()));
            }
            sent.push((guide, name, arrived.body.to_string()));
        }
        if version == "2.2.1" {
            let mut subscription = made.json();
            let profile =
                "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-subscription";
            subscription["meta"] = json!({"profile": [profile]});
            sent.push((
                guide,
                "Subscription, as it is answered".to_owned(),
                subscription.to_string(),
            ));
        }
    }
    sent
}
