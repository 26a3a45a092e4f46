//! Each hook: what its context says, what it is answered, and what it is never asked.

use serde_json::{Value, json};

use super::{VERSIONS, actions, check_cards, said};
use crate::harness::{Answer, Server, fixture, json as parsed};

/// The story of a hook with what it is about in another context; the order is `order-1101`.
fn call(hook: &str, story: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut request = parsed(&fixture(&format!("crd/{story}")));
    request["hook"] = json!(hook);
    change(&mut request);
    request
}

fn draft(request: &Value) -> Value {
    request["context"]["draftOrders"]["entry"][0]["resource"].clone()
}

fn reference(order: &Value) -> String {
    format!("{}/{}", order["resourceType"].as_str().unwrap(), order["id"].as_str().unwrap())
}

/// The order moves from the context into the prefetch, active now, and is dispatched.
fn dispatched(story: &str) -> Value {
    call("order-dispatch", story, |it| {
        let mut order = draft(it);
        order["status"] = json!("active");
        it["context"] = json!({
            "patientId": it["context"]["patientId"],
            "dispatchedOrders": [reference(&order)],
            "performer": "Organization/lakeside-hospital",
        });
        it["prefetch"]["medicationRequests"] =
            json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": order}]});
    })
}

/// An appointment for the order, which is in the prefetch.
fn booked(story: &str, based_on: &Value) -> Value {
    call("appointment-book", story, |it| {
        let order = draft(it);
        let patient = format!("Patient/{}", it["context"]["patientId"].as_str().unwrap());
        let mut appointment = json!({
            "resourceType": "Appointment", "id": "app-1", "status": "proposed",
            "serviceType": [{"text": "infusion"}],
            "start": "2026-12-09T08:00:00Z", "end": "2026-12-09T10:00:00Z",
            "requestedPeriod": [{"start": "2026-12-09", "end": "2026-12-10"}],
            "participant": [
                {"actor": {"reference": patient}, "status": "accepted"},
                {"type": [{"coding": [{"code": "PPRF",
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]}],
                 "actor": {"reference": "Practitioner/onc-dr-vale"}, "status": "accepted"},
            ],
        });
        if !based_on.is_null() {
            appointment["basedOn"] = based_on.clone();
        }
        it["context"]["appointments"] = json!({"resourceType": "Bundle", "type": "collection",
            "entry": [{"resource": appointment}]});
        it["context"].as_object_mut().unwrap().remove("draftOrders");
        it["prefetch"]["orders"] = order;
    })
}

/// An appointment names an order that is no `ServiceRequest` by an extension.
fn alternate(order: &str) -> Value {
    json!([{"extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/alternate-reference",
        "valueReference": {"reference": order},
    }]}])
}

fn fire(server: &Server, version: &str, request: &Value) -> Answer {
    server.fire(version, request["hook"].as_str().unwrap(), request.to_string())
}

/// A call of each hook about the order of a story.
fn calls(story: &str) -> [Value; 6] {
    let order = reference(&draft(&call("order-sign", story, |_| {})));
    [
        call("order-sign", story, |_| {}),
        call("order-select", story, |it| it["context"]["selections"] = json!([order])),
        dispatched(story),
        booked(story, &alternate(&order)),
        call("encounter-start", story, |_| {}),
        call("encounter-discharge", story, |_| {}),
    ]
}

/// What each hook puts coverage information into, with the hook's name.
pub(crate) fn annotated(version: &str) -> Vec<(String, Value)> {
    let server = Server::start();
    let mut calls = Vec::from(calls("pend-braf-unknown"));
    calls.push(booked("approve-all-met", &Value::Null));
    let mut annotated = Vec::new();
    for request in calls {
        let hook = request["hook"].as_str().unwrap().to_owned();
        for action in actions(&fire(&server, version, &request)) {
            annotated.push((hook.clone(), action["resource"].clone()));
        }
    }
    assert_eq!(annotated.len(), 5, "{version}");
    annotated
}

#[test]
fn each_hook_is_answered_as_it_is_sent() {
    let server = Server::start();
    for version in VERSIONS {
        for request in calls("pend-braf-unknown") {
            let hook = request["hook"].as_str().unwrap().to_owned();
            let answer = fire(&server, version, &request).good();
            check_cards(&hook, &answer);
            let text = serde_json::to_string_pretty(&without_chance(answer)).unwrap();
            insta::assert_snapshot!(format!("{hook}_of_{version}"), text);
        }
    }
}

/// An answer without what is another one each time: ids and the day.
fn without_chance(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_chance).collect(),
        Value::Object(members) => {
            let of_assertion = members.get("url") == Some(&json!("coverage-assertion-id"));
            let members = members.into_iter().map(|(name, value)| match name.as_str() {
                "uuid" => (name, json!("(id)")),
                "valueString" if of_assertion => (name, json!("(id)")),
                // The day of what is said, and of what is proposed.
                "valueDate" | "authoredOn" => (name, json!("(day)")),
                _ => (name, without_chance(value)),
            });
            Value::Object(members.collect())
        }
        other => other,
    }
}

#[test]
fn only_the_selected_drafts_are_answered_and_no_document_is_asked_for() {
    let server = Server::start();
    for version in VERSIONS {
        let selecting = |selections: Value| {
            call("order-select", "mixed-two-orders", |it| it["context"]["selections"] = selections)
        };
        let both = fire(&server, version, &selecting(json!([])));
        assert_eq!(actions(&both).len(), 0, "{version}");
        let request = selecting(json!(null));
        let orders = request["context"]["draftOrders"]["entry"].as_array().unwrap().clone();
        let second = reference(&orders[1]["resource"]);
        let answer = fire(&server, version, &selecting(json!([second, "ServiceRequest/nowhere"])));
        let actions = actions(&answer);
        assert_eq!(actions.len(), 1, "{version}");
        assert_eq!(reference(&actions[0]["resource"]), second, "{version}");
        // crd.md trap 26
        let pending = call("order-select", "pend-braf-unknown", |it| {
            let order = reference(&draft(it));
            it["context"]["selections"] = json!([order]);
        });
        let answer = fire(&server, version, &pending);
        let action = &super::actions(&answer)[0];
        assert_eq!(said(action, "pa-needed"), ["auth-needed"], "{version}");
        for part in ["doc-needed", "doc-purpose", "questionnaire"] {
            assert!(said(action, part).is_empty(), "{version} {part}");
        }
        assert!(action.to_string().contains("BRAF"), "it says what is open");
    }
}

#[test]
fn a_dispatched_order_is_answered_under_every_name_that_its_context_had() {
    let server = Server::start();
    for version in VERSIONS {
        for (list, performer) in [
            ("dispatchedOrders", true),
            ("dispatched-orders", true),
            ("order", true),
            ("dispatchedOrders", false),
        ] {
            let mut request = dispatched("approve-all-met");
            let context = request["context"].as_object_mut().unwrap();
            let orders = context.remove("dispatchedOrders").unwrap();
            let value = if list == "order" { orders[0].clone() } else { orders };
            context.insert(list.to_owned(), value);
            if !performer {
                context.remove("performer");
            }
            let answer = fire(&server, version, &request);
            let actions = actions(&answer);
            assert_eq!(actions.len(), 1, "{version} {list}");
            assert_eq!(reference(&actions[0]["resource"]), "MedicationRequest/order-1101");
            assert_eq!(said(&actions[0], "covered"), ["covered"], "{version} {list}");
        }
    }
}

/// The same order without the encounter that says where.
fn without_place(mut request: Value) -> Value {
    for order in
        ["/context/draftOrders/entry/0/resource", "/prefetch/medicationRequests/entry/0/resource"]
    {
        if let Some(order) = request.pointer_mut(order) {
            order.as_object_mut().unwrap().remove("encounter");
        }
    }
    request["context"].as_object_mut().unwrap().remove("encounterId");
    request["prefetch"].as_object_mut().unwrap().remove("encounter");
    request
}

#[test]
fn who_performs_a_dispatched_order_is_where_it_is_given() {
    let server = Server::start();
    for version in VERSIONS {
        let signed = without_place(call("order-sign", "approve-all-met", |_| {}));
        let answer = fire(&server, version, &signed);
        let action = &actions(&answer)[0];
        assert_eq!(said(action, "covered"), ["conditional"], "{version}");
        assert_eq!(said(action, "info-needed"), ["performer", "location"], "{version}");
        // The place is known now, and its setting is not.
        let answer = fire(&server, version, &without_place(dispatched("approve-all-met")));
        assert_eq!(said(&actions(&answer)[0], "info-needed"), ["location"], "{version}");
        // A task says where, too.
        let mut request = without_place(dispatched("approve-all-met"));
        let order = "/prefetch/medicationRequests/entry/0/resource";
        let context = request["context"].as_object_mut().unwrap();
        context.remove("performer");
        context.insert(
            "fulfillmentTasks".to_owned(),
            json!([{"resourceType": "Task", "location": {"reference": "Location/l-1"}}]),
        );
        request["prefetch"]["locations"] = json!({"resourceType": "Location", "id": "l-1",
            "managingOrganization": {"reference": "Organization/lakeside-hospital"}});
        assert!(request.pointer(order).is_some());
        let answer = fire(&server, version, &request);
        assert_eq!(said(&actions(&answer)[0], "info-needed"), ["location"], "{version}");
        // Another place than a listed one: another performer is asked for.
        let mut request = without_place(dispatched("approve-all-met"));
        request["context"]["performer"] = json!("Organization/elsewhere");
        let answer = fire(&server, version, &request);
        assert_eq!(said(&actions(&answer)[0], "covered"), ["conditional"], "{version}");
    }
}

#[test]
fn a_dispatched_order_that_nobody_sent_is_a_failed_precondition() {
    let server = Server::start();
    for version in VERSIONS {
        let mut request = dispatched("approve-all-met");
        request["prefetch"].as_object_mut().unwrap().remove("medicationRequests");
        let answer = fire(&server, version, &request);
        // crd.md 3.10
        assert_eq!(answer.status, 412, "{version}: {}", answer.text);
        assert_eq!(answer.issues()[0]["expression"], json!(["context.dispatchedOrders"]));
        // One that is there is answered beside one that is not.
        let mut request = dispatched("approve-all-met");
        let orders = request["context"]["dispatchedOrders"].as_array_mut().unwrap();
        orders.insert(0, json!("ServiceRequest/nowhere"));
        assert_eq!(actions(&fire(&server, version, &request)).len(), 1, "{version}");
    }
    assert_eq!(server.rows()["hook_call"], 2);
}

#[test]
fn an_appointment_is_answered_on_its_order_in_2_2_and_on_itself_in_2_0() {
    let server = Server::start();
    let order = "MedicationRequest/order-1101";
    for (version, answered) in [("2.0", "Appointment/app-1"), ("2.2", order)] {
        // crd.md 3.5, trap 10
        let answer = fire(&server, version, &booked("approve-all-met", &alternate(order)));
        let actions = actions(&answer);
        assert_eq!(actions.len(), 1, "{version}");
        assert_eq!(reference(&actions[0]["resource"]), answered);
        assert_eq!(said(&actions[0], "covered"), ["covered"], "{version}");
        assert_eq!(said(&actions[0], "pa-needed"), ["auth-needed"], "{version}");
    }
    // A plain reference does as well.
    let plain = json!([{"reference": order}]);
    let answer = fire(&server, "2.2", &booked("approve-all-met", &plain));
    assert_eq!(reference(&actions(&answer)[0]["resource"]), order);
}

#[test]
fn an_appointment_without_an_order_is_answered_by_what_it_says_itself() {
    let server = Server::start();
    for version in VERSIONS {
        let answer = fire(&server, version, &booked("approve-all-met", &Value::Null));
        let actions = actions(&answer);
        assert_eq!(actions.len(), 1, "{version}");
        assert_eq!(actions[0]["resource"]["resourceType"], "Appointment", "{version}");
        // No policy speaks of "infusion": the plan does.
        assert_eq!(said(&actions[0], "covered"), ["conditional"], "{version}");
        assert_eq!(said(&actions[0], "info-needed"), ["OTH"], "{version}");
        // A service type that needs no authorization.
        let mut free = booked("approve-all-met", &Value::Null);
        free["context"]["appointments"]["entry"][0]["resource"]["serviceType"] = json!([{"coding":
            [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]}]);
        let answer = fire(&server, version, &free);
        assert_eq!(said(&super::actions(&answer)[0], "pa-needed"), ["no-auth"], "{version}");
        // Another patient's appointment is not answered.
        let mut other = booked("approve-all-met", &Value::Null);
        other["context"]["appointments"]["entry"][0]["resource"]["participant"][0]["actor"] =
            json!({"reference": "Patient/somebody-else"});
        assert_eq!(super::actions(&fire(&server, version, &other)).len(), 0, "{version}");
    }
}

#[test]
fn an_appointment_whose_order_nobody_sent_is_refused_in_2_2_alone() {
    let server = Server::start();
    let missing = booked("approve-all-met", &json!([{"reference": "ServiceRequest/nowhere"}]));
    let answer = fire(&server, "2.2", &missing);
    assert_eq!(answer.status, 412, "{}", answer.text);
    assert_eq!(answer.issues()[0]["expression"], json!(["context.appointments"]));
    // 2.0 puts its answer into the Appointment, which is there.
    let answer = fire(&server, "2.0", &missing);
    assert_eq!(said(&actions(&answer)[0], "covered"), ["conditional"]);
}

#[test]
fn an_appointment_for_several_orders_is_answered_once_in_2_0() {
    let server = Server::start();
    let mut request = booked("mixed-two-orders", &Value::Null);
    let drafts = parsed(&fixture("crd/mixed-two-orders"));
    let orders = drafts["context"]["draftOrders"]["entry"].as_array().unwrap().clone();
    let references: Vec<Value> =
        orders.iter().map(|it| json!({"reference": reference(&it["resource"])})).collect();
    request["context"]["appointments"]["entry"][0]["resource"]["basedOn"] = json!(references);
    request["prefetch"]["orders"] = json!({"resourceType": "Bundle", "entry": orders});
    let answer = fire(&server, "2.0", &request);
    let actions = actions(&answer);
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0]["resource"]["resourceType"], "Appointment");
    assert_eq!(said(&actions[0], "covered"), ["conditional"]);
    assert_eq!(super::actions(&fire(&server, "2.2", &request)).len(), 2);
}

#[test]
fn an_appointment_is_free_only_with_all_its_orders() {
    let server = Server::start();
    let visit = json!({"resourceType": "ServiceRequest", "id": "visit-1", "status": "active",
        "intent": "order", "subject": {"reference": "Patient/pat-1101"},
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]}});
    let with = |references: &[&str], change: &dyn Fn(&mut Value)| {
        let based_on: Vec<Value> = references.iter().map(|it| json!({"reference": it})).collect();
        let mut request = booked("approve-all-met", &json!(based_on));
        request["prefetch"]["serviceRequests"] = visit.clone();
        let appointment = &mut request["context"]["appointments"]["entry"][0]["resource"];
        appointment["serviceType"] = json!([visit["code"]]);
        change(appointment);
        request
    };
    let needed = |version: &str, request: &Value| {
        let actions = actions(&fire(&server, version, request));
        actions.iter().flat_map(|it| said(it, "pa-needed")).collect::<Vec<_>>()
    };
    let own = "ServiceRequest/visit-1";
    for version in VERSIONS {
        assert_eq!(needed(version, &with(&[own], &|_| {})), ["no-auth"], "{version}");
        let cancelled = with(&[own], &|it| it["status"] = json!("cancelled"));
        assert!(needed(version, &cancelled).is_empty(), "{version}");
        let others = with(&[own], &|it| {
            it["participant"][0]["actor"]["reference"] = json!("Patient/another");
        });
        assert!(needed(version, &others).is_empty(), "{version}");
    }
    let unread = "ServiceRequest/unread";
    assert_eq!(needed("2.0", &with(&[own, unread], &|_| {})), ["conditional"]);
    assert_eq!(needed("2.0", &with(&[unread], &|_| {})), ["conditional"]);
    assert_eq!(needed("2.2", &with(&[own, unread], &|_| {})), ["no-auth"]);
}

#[test]
fn a_visit_lists_the_authorizations_on_file_and_asks_for_nothing() {
    let server = Server::start();
    let hooks = ["encounter-start", "encounter-discharge"];
    let visit = |hook: &str| {
        let request = call(hook, "approve-all-met", |it| {
            it["context"].as_object_mut().unwrap().remove("draftOrders");
        });
        let own = request["prefetch"]["coverage"]["entry"][0]["resource"]["subscriberId"].clone();
        let claim = parsed(&fixture("pas/approve-all-met"));
        let member = crate::harness::objects(&claim)
            .into_iter()
            .find_map(|it| it.get("subscriberId"))
            .unwrap()
            .clone();
        request.to_string().replace(own.as_str().unwrap(), member.as_str().unwrap())
    };
    for version in VERSIONS {
        for hook in hooks {
            let answer = server.fire(version, hook, visit(hook)).good();
            assert_eq!(answer["cards"], json!([]), "{version} {hook}");
        }
    }
    server.submit("2.2.1", fixture("pas/approve-all-met")).good();
    let number = server.texts("SELECT number FROM issued_number").remove(0);
    for version in VERSIONS {
        for hook in hooks {
            let answer = server.fire(version, hook, visit(hook)).good();
            check_cards(hook, &answer);
            let cards = answer["cards"].as_array().unwrap();
            assert_eq!(cards.len(), 1, "{version} {hook}");
            assert!(cards[0]["detail"].as_str().unwrap().contains(&number), "{version} {hook}");
            assert!(actions(&server.fire(version, hook, visit(hook))).is_empty());
            for switch in ["claim", "unsolicited-determ"] {
                let mut silent = parsed(&visit(hook));
                silent["extension"] = json!({"davinci-crd.configuration": {switch: false}});
                let answer = server.fire(version, hook, silent.to_string()).good();
                assert_eq!(answer["cards"], json!([]), "{version} {hook} {switch}");
            }
        }
    }
}

#[test]
fn what_a_hook_needs_and_lacks_is_said_with_its_place() {
    let server = Server::start();
    for version in VERSIONS {
        let cases = [
            ("order-sign", "draftOrders"),
            ("order-select", "draftOrders"),
            ("order-dispatch", "dispatchedOrders"),
            ("appointment-book", "appointments"),
            ("encounter-start", "encounterId"),
            ("encounter-discharge", "encounterId"),
        ];
        for (hook, lacking) in cases {
            let request = call(hook, "approve-all-met", |it| {
                it["context"] = json!({"patientId": "pat-1101", "userId": "Practitioner/x"});
            });
            let answer = fire(&server, version, &request);
            assert_eq!(answer.status, 400, "{version} {hook}");
            let place = format!("context.{lacking}");
            assert_eq!(answer.issues()[0]["expression"], json!([place]), "{version} {hook}");
        }
        let request = call("order-select", "approve-all-met", |_| {});
        let answer = fire(&server, version, &request);
        assert_eq!(answer.issues()[0]["expression"], json!(["context.selections"]));
        let unknown = call("patient-view", "approve-all-met", |_| {});
        let answer = server.sign(version, unknown.to_string());
        assert_eq!((answer.status, &answer.issues()[0]["expression"]), (400, &json!(["hook"])));
    }
}

#[test]
fn a_client_is_answered_in_the_version_that_it_asks_for() {
    let server = Server::start();
    let asking = |version: Value| {
        call("order-sign", "approve-all-met", |it| {
            it["extension"] = json!({"davinci-crd.requestedVersion": version,
                "com.example.unknown": {"a": [1]}});
        })
    };
    let has_details = |answer: &Answer| answer.text.contains("policy-link");
    for (path, asked, is_2_2) in [
        ("2.2", json!("2.2"), true),
        ("2.2", json!("2.0"), false),
        ("2.2", json!("2.0.1"), false),
        ("2.0", json!("2.2"), true),
        ("2.2", json!("9.9"), true),
        ("2.0", json!(17), false),
    ] {
        let answer = fire(&server, path, &asking(asked.clone()));
        answer.good();
        assert_eq!(has_details(&answer), is_2_2, "{path} {asked}");
    }
}

#[test]
fn a_setting_of_another_json_type_is_no_setting() {
    let server = Server::start();
    let request = call("order-sign", "pend-braf-unknown", |it| {
        it["extension"] = json!({"davinci-crd.configuration":
            {"coverage-info": "false", "guideline": 0, "max-cards": 3, "alt-drug": false}});
    });
    for version in VERSIONS {
        let answer = fire(&server, version, &request);
        assert_eq!(actions(&answer).len(), 1, "{version}");
        assert_eq!(answer.good()["cards"].as_array().unwrap().len(), 3, "{version}");
    }
}

#[test]
fn a_call_that_is_about_too_much_is_refused_before_it_costs_time() {
    let server = Server::start();
    let many = |count: usize| {
        call("order-sign", "approve-all-met", |it| {
            let order = draft(it);
            let orders = (0..count).map(|number| {
                let mut order = order.clone();
                order["id"] = json!(format!("order-{number}"));
                json!({"resource": order})
            });
            it["context"]["draftOrders"]["entry"] = orders.collect();
        })
    };
    assert_eq!(actions(&fire(&server, "2.2", &many(100))).len(), 100);
    let names: Vec<String> = (0..501).map(|it| format!("ServiceRequest/{it}")).collect();
    let mut dispatched = dispatched("approve-all-met");
    dispatched["context"]["dispatchedOrders"] = json!(names);
    let mut selected = call("order-select", "approve-all-met", |_| {});
    selected["context"]["selections"] = json!(names);
    let based_on: Vec<Value> = names.iter().map(|it| json!({"reference": it})).collect();
    let booked = booked("approve-all-met", &json!(based_on));
    for request in [many(101), many(501), dispatched, selected, booked] {
        let answer = fire(&server, "2.2", &request);
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.issues()[0]["code"], "too-long");
    }
}

#[test]
fn an_order_that_cannot_hold_an_extension_is_refused_by_its_name() {
    let server = Server::start();
    for version in VERSIONS {
        let broken = call("order-sign", "approve-all-met", |it| {
            it["context"]["draftOrders"]["entry"][0]["resource"]["extension"] = json!("x");
        });
        let answer = fire(&server, version, &broken);
        assert_eq!(answer.status, 400, "{version}");
        assert!(answer.text.contains("MedicationRequest/order-1101"), "{}", answer.text);
    }
}
