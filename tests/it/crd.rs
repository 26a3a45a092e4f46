//! The hooks over HTTP, `order-sign` first: what each story is answered by both versions, and what odd clients send.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Server, extensions, fixture, json, objects, stories};

mod clients;
pub(crate) mod coverage;
mod discovery;
pub(crate) mod hooks;

const VERSIONS: [&str; 2] = ["2.0", "2.2"];
const SERVICE: &str = "order-sign-coverage";
const COVERAGE_INFORMATION: &str = "ext-coverage-information";

fn path(version: &str) -> String {
    format!("/crd/{version}/cds-services/{SERVICE}")
}

/// The update actions of an answer; none where the member is absent.
fn actions(answer: &Answer) -> Vec<Value> {
    answer.good()["systemActions"].as_array().cloned().unwrap_or_default()
}

/// The code or the text that coverage information has under a short name.
fn said(action: &Value, name: &str) -> Vec<String> {
    let information = extensions(&action["resource"], COVERAGE_INFORMATION);
    assert_eq!(information.len(), 1, "{action}");
    let parts = extensions(information[0], name);
    let text = |part: &Value| {
        let value = part.get("valueCode").or_else(|| part.get("valueString"));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    parts.into_iter().map(text).collect()
}

/// A request with a change made to its JSON.
fn changed(story: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut request = json(&fixture(story));
    change(&mut request);
    request.to_string()
}

fn drafts(request: &mut Value) -> &mut Vec<Value> {
    request["context"]["draftOrders"]["entry"].as_array_mut().unwrap()
}

/// CDS Hooks and CRD: what holds of every card.
fn check_cards(name: &str, answer: &Value) {
    for card in answer["cards"].as_array().unwrap() {
        let uuid = card["uuid"].as_str().unwrap();
        assert!(uuid::Uuid::parse_str(uuid).is_ok(), "{name}: {uuid}");
        let summary = card["summary"].as_str().unwrap().chars().count();
        assert!(summary > 0 && summary < 140, "{name}: {summary}");
        assert_eq!(card["source"]["label"], "CarePartners of Connecticut", "{name}");
        let topic = &card["source"]["topic"];
        assert!(topic["system"].is_string() && topic["code"].is_string(), "{name}");
        assert!(["info", "warning", "critical"].contains(&card["indicator"].as_str().unwrap()));
        match card.get("links") {
            None if card.get("suggestions").is_some() => {}
            None => assert!(!card["detail"].as_str().unwrap().is_empty(), "{name}"),
            Some(links) => {
                for link in links.as_array().unwrap() {
                    assert_eq!(link["type"], "absolute", "{name}");
                    assert!(link["url"].as_str().unwrap().starts_with("https://"), "{name}");
                    assert!(!link["label"].as_str().unwrap().is_empty(), "{name}");
                }
            }
        }
    }
}

/// Each story's codes for its orders, in their order: covered, pa-needed, doc-needed.
fn promised(story: &str) -> Vec<[&'static str; 2]> {
    match story {
        "not-subject-other-drug" => vec![["conditional", ""]],
        "mixed-two-orders" => vec![["covered", "auth-needed"], ["conditional", ""]],
        _ => vec![["covered", "auth-needed"]],
    }
}

#[test]
fn each_story_is_answered_as_its_name_says_by_both_versions() {
    for version in VERSIONS {
        let server = Server::start();
        for story in stories("crd") {
            let name = format!("{version} {story}");
            let answer = server.sign(version, fixture(&format!("crd/{story}")));
            assert_eq!(answer.media_type(), Some("application/json"), "{name}");
            check_cards(&name, &answer.good());
            let actions = actions(&answer);
            let promised = promised(&story);
            assert_eq!(actions.len(), promised.len(), "{name}");
            for (action, [covered, needed]) in actions.iter().zip(&promised) {
                assert_eq!(action["type"], "update", "{name}");
                assert!(!action["description"].as_str().unwrap().is_empty(), "{name}");
                assert_eq!(said(action, "covered"), [*covered], "{name}");
                if !needed.is_empty() {
                    assert_eq!(said(action, "pa-needed"), [*needed], "{name}");
                }
                let asks = !said(action, "doc-needed").is_empty();
                assert_eq!(asks, story.starts_with("pend"), "{name}");
                assert_eq!(said(action, "coverage-assertion-id").len(), 1, "{name}");
            }
            let ids: BTreeSet<&str> = objects(&answer.good())
                .into_iter()
                .filter_map(|it| it.get("uuid"))
                .filter_map(Value::as_str)
                .map(|it| it.to_owned().leak() as &str)
                .collect();
            let cards = answer.good()["cards"].as_array().unwrap().clone();
            let suggested = cards.iter().filter_map(|it| it["suggestions"].as_array()).flatten();
            assert_eq!(ids.len(), cards.len() + suggested.count(), "{name}");
        }
    }
}

#[test]
fn the_cards_say_what_is_proven_and_what_is_missing() {
    let server = Server::start();
    for version in VERSIONS {
        let answer = server.sign(version, fixture("crd/pend-braf-unknown")).good();
        let details: Vec<&str> = answer["cards"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|card| card["detail"].as_str())
            .collect();
        assert!(details.iter().any(|it| it.contains("BRAF") && it.contains("please send")));
        let cards = answer["cards"].as_array().unwrap();
        let has_link = |card: &&Value| card.get("links").is_some();
        assert_eq!((cards.len(), cards.iter().filter(has_link).count()), (3, 1), "{version}");
        let answer = server.sign(version, fixture("crd/not-subject-other-drug")).good();
        assert_eq!(answer["cards"].as_array().unwrap().len(), 0, "no policy, nothing to explain");
    }
}

/// The text of the resource in an action, as it was sent.
fn raw_orders(answer: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Hooked {
        system_actions: Vec<Action>,
    }
    #[derive(serde::Deserialize)]
    struct Action {
        resource: Box<serde_json::value::RawValue>,
    }
    let answer: Hooked = serde_json::from_str(answer).unwrap();
    answer.system_actions.into_iter().map(|it| it.resource.get().to_owned()).collect()
}

/// JSON tokens with the white space between them taken out.
fn without_space(text: &str) -> String {
    let (mut is_inside, mut is_escaped, mut kept) = (false, false, String::new());
    for c in text.chars() {
        if is_inside || !c.is_ascii_whitespace() {
            kept.push(c);
        }
        match (is_inside, is_escaped, c) {
            (true, true, _) => is_escaped = false,
            (true, false, '\\') => is_escaped = true,
            (_, _, '"') => is_inside = !is_inside,
            _ => {}
        }
    }
    kept
}

/// The echo without our extension: it stands last in an array of its own or after others.
fn without_ours(echo: &str) -> String {
    let echo = without_space(echo);
    let ours = echo.find(r#"{"url":"http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information""#).unwrap();
    let (mut depth, mut end) = (0, ours);
    for (at, byte) in echo.bytes().enumerate().skip(ours) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            end = at + 1;
            break;
        }
    }
    let (before, after) = (&echo[..ours], &echo[end..]);
    match before.strip_suffix(r#","extension":["#) {
        Some(before) => format!("{before}{}", after.strip_prefix(']').unwrap()),
        None => format!("{}{after}", before.trim_end_matches(',')),
    }
}

#[test]
fn without_our_extension_the_echoed_order_has_the_tokens_it_came_with() {
    let server = Server::start();
    // rulings 28: number forms, escapes, unknown members and their order
    let odd = r#"{
      "resourceType":"MedicationRequest" , "id":"order-1101","x-local":{"weight":1.50,"n":1e2},
      "extension":[{"url":"https://ehr.lakeside.test/ext","valueDecimal":0.10}],
      "status":"draft","intent":"order","_authoredOn":{"id":"a1"},
      "medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"2675868"}],"text":"lifileucel \u0028Amtagvi\u0029 \/ \ud83d\ude00 é"},
      "subject":{"reference":"Patient/pat-1101"},"insurance":[{"reference":"Coverage/cov-1101"}],
      "dosageInstruction":[{"doseAndRate":[{"doseQuantity":{"value":1.00}}]}] }"#;
    let request = fixture("crd/approve-all-met");
    let plain = json(&request)["context"]["draftOrders"]["entry"][0]["resource"].to_string();
    let replaced = json(&request).to_string().replace(&plain, odd);
    assert!(replaced.contains("x-local"));
    for version in VERSIONS {
        for (sent, request) in [(odd, &replaced), (plain.as_str(), &request)] {
            let answer = server.sign(version, request.clone());
            answer.good();
            let orders = raw_orders(&answer.text);
            assert_eq!(orders.len(), 1, "{version}");
            assert_eq!(without_ours(&orders[0]), without_space(sent), "{version}");
        }
    }
}

#[test]
fn an_assertion_that_was_answered_is_on_file_and_the_token_is_not() {
    let server = Server::start();
    let request = changed("crd/mixed-two-orders", |it| {
        it["fhirAuthorization"] = json!({
            "access_token": "very-secret-token", "token_type": "Bearer", "expires_in": 300,
            "scope": "user/*.read", "subject": "s"
        });
    });
    let answer = server.sign("2.2", request);
    let ids: Vec<String> =
        actions(&answer).iter().flat_map(|it| said(it, "coverage-assertion-id")).collect();
    let mut stored = server.texts("SELECT assertion_id FROM coverage_assertion");
    stored.sort();
    let mut expected = ids.clone();
    expected.sort();
    assert_eq!((stored.len(), stored), (2, expected));
    let calls = server.received();
    assert_eq!(calls.len(), 1);
    assert!(calls[0].contains("hookInstance") && !calls[0].contains("very-secret-token"));
    assert_eq!(server.rows()["audit"], 1);
    assert_eq!(server.rows()["prior_auth_case"], 0);
}

#[test]
fn without_a_usable_coverage_nothing_is_asserted() {
    let server = Server::start();
    let none = changed("crd/approve-all-met", |it| {
        it["prefetch"].as_object_mut().unwrap().remove("coverage");
    });
    let other = fixture("crd/approve-all-met").replace("1992000012", "1555001043");
    assert_ne!(other, fixture("crd/approve-all-met"));
    // rulings 27
    for request in [&none, &other] {
        let answer = server.sign("2.0", request.clone());
        assert_eq!(answer.good()["systemActions"], json!([]));
        assert_eq!(answer.good()["cards"], json!([]));
    }
    for (request, status) in [(none, 412), (other, 422)] {
        let answer = server.sign("2.2", request);
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.issues()[0]["expression"], json!(["prefetch.coverage"]));
    }
    assert_eq!(server.rows()["coverage_assertion"], 0);
}

#[test]
fn version_2_2_leaves_empty_actions_out_and_2_0_shows_them() {
    let server = Server::start();
    let request = changed("crd/approve-all-met", |it| drafts(it).clear());
    // rulings 29
    assert_eq!(server.sign("2.0", request.clone()).good()["systemActions"], json!([]));
    assert!(server.sign("2.2", request).good().get("systemActions").is_none());
}

#[test]
fn a_client_that_wants_no_coverage_information_gets_none() {
    let server = Server::start();
    let request = changed("crd/pend-braf-unknown", |it| {
        it["extension"] = json!({"davinci-crd.configuration": {"coverage-info": false}});
    });
    for version in VERSIONS {
        let answer = server.sign(version, request.clone());
        assert_eq!(actions(&answer).len(), 0, "{version}");
        assert!(!answer.good()["cards"].as_array().unwrap().is_empty(), "{version}");
    }
    assert!(server.sign("2.2", request).good().get("systemActions").is_none());
}

/// A change to a request.
type Change = fn(&mut Value);

/// What real clients were seen to send (rulings 37).
const ODD: &[(&str, Change)] = &[
    ("a Bundle without type and full URLs", |it| {
        it["context"]["draftOrders"].as_object_mut().unwrap().remove("type");
        for entry in drafts(it) {
            entry.as_object_mut().unwrap().remove("fullUrl");
        }
    }),
    ("category as an object", |it| drafts(it)[0]["resource"]["category"] = json!({"text": "x"})),
    ("an order without medication", |it| {
        let order = drafts(it)[0]["resource"].as_object_mut().unwrap();
        order.remove("medicationCodeableConcept");
    }),
    ("an order without intent", |it| {
        drafts(it)[0]["resource"].as_object_mut().unwrap().remove("intent");
    }),
    ("an order without requester and insurance", |it| {
        let order = drafts(it)[0]["resource"].as_object_mut().unwrap();
        order.remove("requester");
        order.remove("insurance");
    }),
    ("a hook instance that is no UUID", |it| {
        it["hookInstance"] = json!("d1577c69-dfbe-44ad-ba6d".repeat(20));
    }),
    ("no hook instance", |it| {
        it.as_object_mut().unwrap().remove("hookInstance");
    }),
    ("an empty access token", |it| {
        it["fhirAuthorization"] = json!({"access_token": "", "token_type": "Bearer"});
    }),
    ("unknown prefetch keys", |it| {
        it["prefetch"]["x"] = json!({"resourceType": "Basic", "id": "b"});
    }),
    ("null under a prefetch key", |it| it["prefetch"]["encounter"] = Value::Null),
    ("an outcome under a prefetch key", |it| {
        it["prefetch"]["conditions"] = json!({"resourceType": "OperationOutcome", "issue": []});
    }),
    ("collection Bundles", |it| {
        for value in it["prefetch"].as_object_mut().unwrap().values_mut() {
            if value["resourceType"] == "Bundle" {
                value["type"] = json!("collection");
                value.as_object_mut().unwrap().remove("total");
            }
        }
    }),
    ("prefetch of coverage alone", |it| {
        it["prefetch"].as_object_mut().unwrap().retain(|key, _| key == "coverage");
    }),
    ("a server that cannot be reached", |it| it["fhirServer"] = json!("http://127.0.0.1:9/fhir")),
    ("no server", |it| {
        it.as_object_mut().unwrap().remove("fhirServer");
    }),
    ("a patient id with its type", |it| {
        let id = format!("Patient/{}", it["context"]["patientId"].as_str().unwrap());
        it["context"]["patientId"] = json!(id);
    }),
    ("an over-long id and no date", |it| {
        let order = drafts(it)[0]["resource"].as_object_mut().unwrap();
        order.insert("id".to_owned(), json!("i".repeat(200)));
        order.remove("authoredOn");
    }),
];

#[test]
fn nothing_that_real_clients_send_is_refused() {
    for version in VERSIONS {
        let server = Server::start();
        for (name, change) in ODD {
            let answer = server.sign(version, changed("crd/approve-all-met", change));
            assert_eq!(answer.status, 200, "{version} {name}: {}", answer.text);
            check_cards(name, &answer.good());
            assert_eq!(actions(&answer).len(), 1, "{version} {name}: {}", answer.text);
        }
    }
}

#[test]
fn a_hook_instance_that_repeats_is_answered_again() {
    let server = Server::start();
    for _ in 0..3 {
        assert_eq!(actions(&server.sign("2.2", fixture("crd/approve-all-met"))).len(), 1);
    }
    assert_eq!(server.rows()["hook_call"], 3);
}

#[test]
fn a_server_that_cannot_be_reached_costs_no_time() {
    let server = Server::start();
    // 192.0.2.0/24 is for documentation: nobody answers there.
    let request =
        changed("crd/approve-all-met", |it| it["fhirServer"] = json!("http://192.0.2.1/fhir"));
    let began = std::time::Instant::now();
    server.sign("2.2", request).good();
    assert!(began.elapsed().as_secs() < 5);
}

#[test]
fn an_authorization_on_file_satisfies_a_later_order() {
    let server = Server::start();
    let claim = fixture("pas/approve-all-met");
    server.submit("2.2.1", claim.clone()).good();
    let numbers = server.texts("SELECT number FROM issued_number");
    let member = json(&claim);
    let member =
        objects(&member).into_iter().find_map(|it| it.get("subscriberId")).unwrap().clone();
    let hook = json(&fixture("crd/approve-all-met"));
    let own = objects(&hook).into_iter().find_map(|it| it.get("subscriberId")).unwrap().clone();
    let same_member = |story: &str, own: &Value| {
        let text = fixture(story).replace(own.as_str().unwrap(), member.as_str().unwrap());
        assert!(text.contains(member.as_str().unwrap()));
        text
    };
    for version in VERSIONS {
        let answer = server.sign(version, same_member("crd/approve-all-met", &own));
        let actions = actions(&answer);
        // rulings 26
        assert_eq!(said(&actions[0], "pa-needed"), ["satisfied"], "{version}");
        assert_eq!(said(&actions[0], "satisfied-pa-id"), numbers, "{version}");
    }
    let number = numbers[0].as_str();
    let mut what_if = json(&same_member("crd/approve-all-met", &own));
    for (is_told, needed) in [(true, "satisfied"), (false, "auth-needed")] {
        what_if["extension"] =
            json!({"davinci-crd.configuration": {"unsolicited-determ": is_told}});
        for version in VERSIONS {
            let answer = server.sign(version, what_if.to_string());
            assert_eq!(said(&actions(&answer)[0], "pa-needed"), [needed], "{version}");
            // A call that only asks what would be is told of no authorization, in no card either;
            // whether it is the first dose is open all the same.
            assert_eq!(answer.text.contains(number), is_told, "{version}: {}", answer.text);
            assert_eq!(answer.text.contains("an earlier authorization"), !is_told, "{version}");
        }
    }
    let second = json(&fixture("crd/review-second-dose"));
    let own = objects(&second).into_iter().find_map(|it| it.get("subscriberId")).unwrap().clone();
    let answer = server.sign("2.2", same_member("crd/review-second-dose", &own));
    // A dose on record: the authorization was used.
    assert_eq!(said(&actions(&answer)[0], "pa-needed"), ["auth-needed"]);
}

#[test]
fn an_unknown_service_or_version_is_not_found() {
    let server = Server::start();
    for path in [
        "/crd/2.2/cds-services/no-such-service",
        "/crd/9.9/cds-services/order-sign-coverage",
        "/crd/2.2/cds-services/",
    ] {
        let answer = server.post(path, "application/json", fixture("crd/approve-all-met"));
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.issues()[0]["code"], "not-found", "{path}");
    }
    assert_eq!(server.get("/crd/9.9/cds-services").status, 404);
}

#[test]
fn another_hook_is_refused_with_its_place() {
    let server = Server::start();
    for version in VERSIONS {
        let wrong: [(Change, &str); 4] = [
            (|it| it["hook"] = json!("order-select"), "hook"),
            (|it| drop(it.as_object_mut().unwrap().remove("hook")), "hook"),
            (
                |it| drop(it["context"].as_object_mut().unwrap().remove("patientId")),
                "context.patientId",
            ),
            (
                |it| drop(it["context"].as_object_mut().unwrap().remove("draftOrders")),
                "context.draftOrders",
            ),
        ];
        for (change, place) in wrong {
            let answer = server.sign(version, changed("crd/approve-all-met", change));
            assert_eq!(answer.status, 400, "{place}");
            assert_eq!(answer.issues()[0]["expression"], json!([place]));
        }
    }
    assert_eq!(server.rows()["hook_call"], 0);
}

#[test]
fn browsers_may_ask_before_they_call_and_see_refusals_too() {
    let server = Server::configured(crate::clients::one_client);
    for version in VERSIONS {
        let paths = [
            (path(version), "POST"),
            (format!("/crd/{version}/cds-services"), "GET"),
            ("/pas/2.2.1/metadata".to_owned(), "GET"),
        ];
        for (path, method) in paths {
            let url = format!("{}{path}", server.base);
            let asking = server
                .client
                .request(reqwest::Method::OPTIONS, url)
                .header("origin", "https://sandbox.lakeside.test")
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "authorization,content-type");
            let answer = server.send(asking);
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            let methods = answer.header("access-control-allow-methods").unwrap();
            assert!(methods.contains("GET") && methods.contains("POST"), "{path}: {methods}");
            let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
            assert!(headers.contains("authorization") && headers.contains("content-type"));
            assert!(answer.header("access-control-allow-credentials").is_none(), "{path}");
        }
    }
    let origin = |request: reqwest::RequestBuilder| {
        server.send(request.header("origin", "https://sandbox.lakeside.test"))
    };
    let json = "application/json";
    let refused = [
        (401, server.posting(&path("2.2"), json, "{}")),
        (404, server.posting("/crd/2.2/cds-services/nothing", json, "{}")),
        (404, server.client.get(format!("{}/crd/7.7/cds-services", server.base))),
        (405, server.client.get(format!("{}{}", server.base, path("2.2")))),
        (405, server.posting("/crd/2.2/cds-services", json, "{}")),
    ];
    for (status, request) in refused {
        let answer = origin(request);
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{status}");
    }
    let open = Server::start();
    let request = open.posting(&path("2.2"), "text/plain", "{}");
    let answer = open.send(request.header("origin", "https://sandbox.lakeside.test"));
    assert_eq!(answer.status, 415);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn in_a_sandbox_a_card_tells_what_each_action_says() {
    let server = Server::configured(|_| "sandbox = true\n".to_owned());
    for version in VERSIONS {
        let answer = server.sign(version, fixture("crd/approve-all-met")).good();
        check_cards(version, &answer);
        let cards = answer["cards"].as_array().unwrap();
        // rulings 39
        let telling = cards.iter().filter(|card| {
            card["summary"].as_str().unwrap().contains("prior authorization needed")
        });
        assert_eq!(telling.count(), 1, "{version}");
    }
}
