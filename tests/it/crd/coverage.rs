//! What is said of an order, and why: each situation in the words of both versions (crd.md 3.9).

use serde_json::{Value, json};

use super::{COVERAGE_INFORMATION, VERSIONS, actions, drafts, said};
use crate::harness::{Server, extensions, fixture, json as parsed, objects};
use crate::payer_facts::imported_text;

const STORY: &str = "crd/approve-all-met";

fn request(change: impl FnOnce(&mut Value)) -> Value {
    let mut request = parsed(&fixture(STORY));
    change(&mut request);
    request
}

fn coverage(request: &mut Value) -> &mut Value {
    &mut request["prefetch"]["coverage"]["entry"][0]["resource"]
}

fn order(request: &mut Value) -> &mut Value {
    &mut drafts(request)[0]["resource"]
}

/// The one action of an answer.
fn action(server: &Server, version: &str, request: &Value) -> Value {
    let actions = actions(&server.sign(version, request.to_string()));
    assert_eq!(actions.len(), 1, "{version}: {request}");
    actions[0].clone()
}

/// The coded reasons, and whether every reason has words.
fn reason_codes(action: &Value) -> Vec<String> {
    let information = extensions(&action["resource"], COVERAGE_INFORMATION);
    let reasons = extensions(information[0], "reason");
    assert!(!reasons.is_empty(), "{action}");
    let concepts = reasons.iter().map(|reason| &reason["valueCodeableConcept"]);
    for concept in concepts.clone() {
        // crd-ci-q7
        assert!(!concept["text"].as_str().unwrap().is_empty(), "{action}");
    }
    let codings = concepts.filter_map(|concept| concept["coding"].as_array());
    codings.flatten().map(|coding| coding["code"].as_str().unwrap().to_owned()).collect()
}

/// What one version says: covered, pa-needed, info-needed, and the coded reasons.
type Expected = [&'static [&'static str]; 4];

fn check(server: &Server, name: &str, request: &Value, [old, new]: [Expected; 2]) {
    for (version, [covered, needed, info, reasons]) in [("2.0", old), ("2.2", new)] {
        let action = action(server, version, request);
        assert_eq!(said(&action, "covered"), covered, "{version} {name}");
        assert_eq!(said(&action, "pa-needed"), needed, "{version} {name}");
        assert_eq!(said(&action, "info-needed"), info, "{version} {name}");
        assert_eq!(reason_codes(&action), reasons, "{version} {name}");
    }
}

const NOT_COVERED: Expected = [&["not-covered"], &["no-auth"], &[], &[]];
const DEPENDS: Expected = [&["conditional"], &["conditional"], &["OTH"], &[]];

/// A request for each kind of statement that needs nothing on file.
fn situations() -> Vec<(&'static str, Value)> {
    let coded = |code: &str, text: &str| {
        json!({"text": text, "coding": [
            {"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": code}]})
    };
    vec![
        ("ended", request(|it| coverage(it)["period"] = json!({"end": "2026-01-31"}))),
        ("draft coverage", request(|it| coverage(it)["status"] = json!("draft"))),
        (
            "coarse code",
            request(|it| order(it)["medicationCodeableConcept"] = coded("J3490", "a drug")),
        ),
        ("performed elsewhere", request(|it| ordered_for(it, "1992000012"))),
        ("two coverages", request(doubly_covered)),
        (
            "open day",
            request(|it| {
                coverage(it)["period"] = json!({"start": "2025-01-01", "end": "2026-12-15"});
                order(it)["dosageInstruction"][0]["timing"] = json!({"event": ["2026-12"]});
            }),
        ),
    ]
}

/// Orders with what is said in each situation.
pub(crate) fn said_in_each(version: &str) -> Vec<(String, Value)> {
    let server = Server::start();
    let situations = situations().into_iter();
    situations
        .map(|(name, request)| {
            (name.to_owned(), action(&server, version, &request)["resource"].clone())
        })
        .collect()
}

#[test]
fn a_coverage_that_is_not_in_force_does_not_cover() {
    let server = Server::start();
    let new: Expected = [&["not-covered"], &[], &[], &["no-active-coverage"]];
    let ended = request(|it| coverage(it)["period"] = json!({"end": "2026-01-31"}));
    check(&server, "ended", &ended, [NOT_COVERED, new]);
    let cancelled = request(|it| coverage(it)["status"] = json!("cancelled"));
    check(&server, "cancelled", &cancelled, [NOT_COVERED, new]);
    assert_eq!(server.rows()["coverage_assertion"], 4);
}

#[test]
fn a_member_whom_the_roster_does_not_know_is_not_covered() {
    let server = Server::start();
    let columns = "member_id,birth_date,line,valid_from,valid_to";
    imported_text(&server, &format!("{columns}\nCPC1,1961-04-17,ma-hmo,2025-01-01,\n"));
    let new: Expected = [&["not-covered"], &[], &[], &["no-member-found"]];
    check(&server, "unknown", &request(|_| {}), [NOT_COVERED, new]);
    // On the roster, and not any more.
    let row = "CPC11010001,1961-04-17,ma-hmo,2024-01-01,2025-12-31";
    imported_text(&server, &format!("{columns}\n{row}\n"));
    let new: Expected = [&["not-covered"], &[], &[], &["no-active-coverage"]];
    check(&server, "left", &request(|_| {}), [NOT_COVERED, new]);
}

#[test]
fn a_coverage_of_which_it_cannot_be_told_is_indeterminate() {
    let server = Server::start();
    let new: Expected = [&["indeterminate"], &["indeterminate"], &[], &["coverage-not-found"]];
    let unlisted = request(|it| coverage(it)["class"][0]["value"] = json!("Gold POS"));
    let unlisted = unlisted.to_string().replace(
        "CarePartners of Connecticut Medicare Advantage HMO",
        "CarePartners of Connecticut POS",
    );
    check(&server, "unlisted line", &parsed(&unlisted), [DEPENDS, new]);
    let draft = request(|it| coverage(it)["status"] = json!("draft"));
    check(&server, "draft", &draft, [DEPENDS, new]);
    // Whom to ask goes with it.
    let contact = |version| action(&server, version, &draft).to_string();
    assert!(contact("2.2").contains(r#""valueContactDetail":{"name":"Utilization Management""#));
    assert_eq!(contact("2.0").matches("valueContactPoint").count(), 3);
}

#[test]
fn a_day_that_is_not_said_exactly_enough_is_asked_for() {
    let server = Server::start();
    let open = request(|it| {
        coverage(it)["period"] = json!({"start": "2025-01-01", "end": "2026-12-15"});
        order(it)["dosageInstruction"][0]["timing"] = json!({"event": ["2026-12"]});
    });
    let expected: Expected = [&["conditional"], &["conditional"], &["timeframe"], &[]];
    check(&server, "open day", &open, [expected, expected]);
}

#[test]
fn another_payers_coverage_and_another_persons_are_none_to_speak_of() {
    let server = Server::start();
    let other = request(|it| coverage(it)["beneficiary"] = json!({"reference": "Patient/other"}));
    for version in VERSIONS {
        assert_eq!(actions(&server.sign(version, other.to_string())).len(), 0, "{version}");
    }
}

#[test]
fn a_code_that_is_too_coarse_is_asked_for_finer() {
    let server = Server::start();
    // crd.md 3.9: 2.2 says it as a need, 2.0.1 as a reason.
    let plain: [Expected; 2] = [
        [&["conditional"], &["conditional"], &["OTH"], &["detail-code"]],
        [&["conditional"], &["conditional"], &["detail-code"], &[]],
    ];
    let unclassified = json!({"coding": [
        {"system": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "code": "J3490"}]});
    let coarse = request(|it| order(it)["medicationCodeableConcept"] = unclassified.clone());
    check(&server, "unclassified", &coarse, plain);
    let nameless = request(|it| order(it)["medicationCodeableConcept"] = json!({"text": "a drug"}));
    check(&server, "words alone", &nameless, plain);
    // The product's name finds the policy, and an authorization is needed either way.
    let named = request(|it| {
        let mut medication = unclassified.clone();
        medication["text"] = json!("Amtagvi");
        order(it)["medicationCodeableConcept"] = medication;
    });
    let of_policy: [Expected; 2] = [
        [&["conditional"], &["auth-needed"], &["OTH"], &["detail-code"]],
        [&["conditional"], &["auth-needed"], &["detail-code"], &[]],
    ];
    check(&server, "named", &named, of_policy);
}

/// The requester is a role at an organization.
fn ordered_for(it: &mut Value, npi: &str) {
    order(it)["requester"] = json!({"reference": "PractitionerRole/role-1"});
    let organization = json!({"resourceType": "Organization", "id": "own", "identifier": [
        {"system": "http://hl7.org/fhir/sid/us-npi", "value": npi}]});
    let role = json!({"resourceType": "PractitionerRole", "id": "role-1",
        "practitioner": {"reference": "Practitioner/onc-dr-vale"},
        "organization": {"reference": "Organization/own"}});
    it["prefetch"]["role"] = role;
    it["prefetch"]["own"] = organization;
}

#[test]
fn who_performs_elsewhere_asks_for_the_authorization() {
    let server = Server::start();
    for version in VERSIONS {
        let elsewhere = request(|it| ordered_for(it, "1992000012"));
        let action = action(&server, version, &elsewhere);
        assert_eq!(said(&action, "pa-needed"), ["performpa"], "{version}");
        let here = request(|it| ordered_for(it, "1234567893"));
        let action = self::action(&server, version, &here);
        assert_eq!(said(&action, "pa-needed"), ["auth-needed"], "{version}");
    }
}

#[test]
fn what_is_billed_and_what_a_statement_depends_on_is_said() {
    let server = Server::start();
    for version in VERSIONS {
        let billed = request(|it| {
            let codings = &mut order(it)["medicationCodeableConcept"]["coding"];
            let ndc = json!({"system": "http://hl7.org/fhir/sid/ndc", "code": "73776-001-11"});
            codings.as_array_mut().unwrap().push(ndc);
            let administration = json!({"resource": {
                "resourceType": "ServiceRequest", "id": "give-1", "status": "draft",
                "intent": "order", "subject": {"reference": "Patient/pat-1101"},
                "code": {"coding": [
                    {"system": "http://www.ama-assn.org/go/cpt", "code": "96413"}]},
                "basedOn": [{"reference": "MedicationRequest/order-1101"}]}});
            let visit = json!({"resource": {
                "resourceType": "ServiceRequest", "id": "visit-1", "status": "draft",
                "intent": "order", "subject": {"reference": "Patient/pat-1101"},
                "code": {"coding": [
                    {"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]}}});
            drafts(it).extend([administration, visit]);
        });
        let actions = actions(&server.sign(version, billed.to_string()));
        let codes: Vec<String> = actions
            .iter()
            .map(|action| {
                let information = extensions(&action["resource"], COVERAGE_INFORMATION);
                let codes = extensions(information[0], "billingCode");
                let codes = codes.iter().map(|it| it["valueCoding"]["code"].as_str().unwrap());
                codes.collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(codes.len(), 3, "{version}");
        assert!(codes[0].starts_with("73776"), "{version} {codes:?}");
        assert_eq!((&*codes[1], &*codes[2]), ("", "99213"), "{version}");
        let depends = |action: &Value| {
            let information = extensions(&action["resource"], COVERAGE_INFORMATION);
            let found = extensions(information[0], "dependency");
            found.iter().map(|it| it["valueReference"]["reference"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(depends(&actions[1]), [json!("MedicationRequest/order-1101")], "{version}");
        assert!(depends(&actions[0]).is_empty() && depends(&actions[2]).is_empty());
        assert_eq!(said(&actions[2], "pa-needed"), ["no-auth"], "{version}");
    }
}

/// Two usable coverages of ours.
fn doubly_covered(it: &mut Value) {
    let mut second = coverage(it).clone();
    second["id"] = json!("cov-second");
    second["class"][0]["value"] = json!("MA-PPO");
    second["class"][0]["name"] = json!("CarePartners of Connecticut Medicare Advantage PPO");
    let entries = it["prefetch"]["coverage"]["entry"].as_array_mut().unwrap();
    entries.push(json!({"resource": second}));
    order(it).as_object_mut().unwrap().remove("insurance");
}

#[test]
fn of_several_usable_coverages_each_has_a_statement_with_an_id_of_its_own() {
    let server = Server::start();
    for version in VERSIONS {
        let both = action(&server, version, &request(doubly_covered));
        let said = extensions(&both["resource"], COVERAGE_INFORMATION);
        let part = |it: &Value, name: &str| extensions(it, name)[0].clone();
        assert_eq!(said.len(), 2, "{version}");
        let about = |it| part(it, "coverage")["valueReference"]["reference"].clone();
        assert_eq!(about(said[0]), "Coverage/cov-1101", "{version}");
        assert_eq!(about(said[1]), "Coverage/cov-second", "{version}");
        // crd.md 3.8, Inferno 6.2 k
        let id = |it| part(it, "coverage-assertion-id")["valueString"].clone();
        assert_ne!(id(said[0]), id(said[1]), "{version}");
        // One that has ended is left out beside one that counts.
        let ended = request(|it| {
            doubly_covered(it);
            coverage(it)["period"] = json!({"end": "2025-12-31"});
        });
        let one = action(&server, version, &ended);
        let said = extensions(&one["resource"], COVERAGE_INFORMATION);
        assert_eq!(said.len(), 1, "{version}");
        assert_eq!(about(said[0]), "Coverage/cov-second", "{version}");
    }
    assert_eq!(server.rows()["coverage_assertion"], 6);
}

#[test]
fn of_very_many_coverages_only_some_are_spoken_of() {
    let server = Server::start();
    let many = request(|it| {
        let own = coverage(it).clone();
        let copies = (0..200).map(|number| {
            let mut copy = own.clone();
            copy["id"] = json!(format!("cov-{number}"));
            json!({"resource": copy})
        });
        it["prefetch"]["coverage"]["entry"].as_array_mut().unwrap().extend(copies);
        order(it).as_object_mut().unwrap().remove("insurance");
    });
    let action = action(&server, "2.2", &many);
    assert_eq!(extensions(&action["resource"], COVERAGE_INFORMATION).len(), 8);
}

#[test]
fn nothing_is_sent_where_the_order_says_it_already() {
    let server = Server::start();
    for version in VERSIONS {
        let first = action(&server, version, &request(|_| {}))["resource"].clone();
        let known = server.rows()["coverage_assertion"];
        let again = request(|it| *order(it) = first.clone());
        let answer = server.sign(version, again.to_string()).good();
        // CRD 2.2.1 resp-35, rulings 29
        let expected = if version == "2.0" { json!([]) } else { Value::Null };
        assert_eq!(answer["systemActions"], expected, "{version}");
        assert!(!answer["cards"].as_array().unwrap().is_empty(), "{version}");
        assert_eq!(server.rows()["coverage_assertion"], known, "{version}");
        // Something else is to be said now: the old word gives way to it.
        let ended = request(|it| {
            *order(it) = first.clone();
            coverage(it)["period"] = json!({"end": "2026-01-31"});
        });
        let action = action(&server, version, &ended);
        assert_eq!(said(&action, "covered"), ["not-covered"], "{version}");
    }
}

#[test]
fn an_authorization_says_its_last_day_and_a_coverage_its_end() {
    let server = Server::start();
    server.submit("2.2.1", fixture("pas/approve-all-met")).good();
    let claim = parsed(&fixture("pas/approve-all-met"));
    let member = objects(&claim).into_iter().find_map(|it| it.get("subscriberId")).unwrap();
    let mine = fixture(STORY).replace("CPC11010001", member.as_str().unwrap());
    let last = server.texts("SELECT valid_to FROM answer_line WHERE valid_to IS NOT NULL");
    assert_eq!(last.len(), 1);
    let days = |version, request: &Value| {
        let action = action(&server, version, request);
        let information = extensions(&action["resource"], COVERAGE_INFORMATION);
        let days = extensions(information[0], "expiry-date");
        days.iter().map(|it| it["valueDate"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(days("2.2", &parsed(&mine)), last);
    assert!(days("2.0", &parsed(&mine)).is_empty(), "2.0 has no such element");
    let mut ends = parsed(&mine);
    coverage(&mut ends)["period"] = json!({"start": "2025-01-01", "end": "2026-12-31"});
    assert_eq!(days("2.2", &ends), ["2026-12-31"]);
}

#[test]
fn what_is_not_to_be_done_or_cannot_carry_it_is_not_answered() {
    let server = Server::start();
    let resource = |kind: &str| {
        request(|it| {
            *order(it) = json!({"resourceType": kind, "id": "o-1", "status": "draft",
                "subject": {"reference": "Patient/pat-1101"},
                "patient": {"reference": "Patient/pat-1101"}});
        })
    };
    let vision = resource("VisionPrescription");
    assert_eq!(actions(&server.sign("2.0", vision.to_string())).len(), 0);
    assert_eq!(actions(&server.sign("2.2", vision.to_string())).len(), 1);
    for version in VERSIONS {
        for kind in ["NutritionOrder", "CommunicationRequest", "DeviceRequest", "ServiceRequest"] {
            let answer = server.sign(version, resource(kind).to_string());
            assert_eq!(actions(&answer).len(), 1, "{version} {kind}");
        }
        let mut forbidden = resource("ServiceRequest");
        order(&mut forbidden)["doNotPerform"] = json!(true);
        assert_eq!(actions(&server.sign(version, forbidden.to_string())).len(), 0, "{version}");
    }
}

#[test]
fn a_form_goes_with_what_is_asked_and_nothing_else() {
    let server = Server::start();
    let form = "https://payer.priorauth.test/fhir/Questionnaire/amtagvi|2026-01-01";
    for version in VERSIONS {
        for (story, expected) in [
            ("pend-braf-unknown", true),
            ("approve-all-met", false),
            ("review-in-situ-only", false),
        ] {
            let answer = server.sign(version, fixture(&format!("crd/{story}")));
            let action = &actions(&answer)[0];
            assert_eq!(action.to_string().contains(form), expected, "{version} {story}");
            assert_eq!(!said(action, "doc-needed").is_empty(), expected, "{version} {story}");
            // A person has to look: whom to ask.
            let has_contact = action.to_string().contains("+1-555-0142");
            assert_eq!(has_contact, story.starts_with("review"), "{version} {story}");
        }
    }
}

fn visit() -> Value {
    json!({"resourceType": "ServiceRequest", "status": "draft", "intent": "order",
        "subject": {"reference": "Patient/pat-1101"},
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213"}]}})
}

#[test]
fn orders_that_share_a_name_are_answered_each_by_itself() {
    let server = Server::start();
    for version in VERSIONS {
        let nameless = request(|it| {
            let mut drug = visit();
            drug["code"] = order(it)["medicationCodeableConcept"].clone();
            *drafts(it) = vec![json!({"resource": drug}), json!({"resource": visit()})];
        });
        let of_two_servers = request(|it| {
            let mut second = visit();
            second["resourceType"] = json!("MedicationRequest");
            second["id"] = json!("order-1101");
            second["medicationCodeableConcept"] = second["code"].take();
            let url = "https://other.test/fhir/MedicationRequest/order-1101";
            drafts(it).push(json!({"fullUrl": url, "resource": second}));
        });
        for request in [nameless, of_two_servers] {
            let answer = server.sign(version, request.to_string());
            let actions = actions(&answer);
            let needed: Vec<String> = actions.iter().flat_map(|it| said(it, "pa-needed")).collect();
            assert_eq!(needed, ["auth-needed", "no-auth"], "{version}");
            let about: Vec<&Value> = actions.iter().map(|it| &it["resource"]).collect();
            assert!(about[0].to_string().contains("2675868"), "{version}");
            assert!(about[1].to_string().contains("99213"), "{version}");
        }
    }
}

#[test]
fn a_card_names_no_order_that_has_no_name() {
    let server = Server::start();
    for version in VERSIONS {
        let nameless = request(|it| {
            order(it).as_object_mut().unwrap().remove("id");
            drafts(it)[0].as_object_mut().unwrap().remove("fullUrl");
        });
        let answer = server.sign(version, nameless.to_string()).good();
        let cards = answer["cards"].as_array().unwrap();
        assert!(!cards.is_empty() && cards.iter().all(|card| card.get("extension").is_none()));
    }
}

#[test]
fn a_free_code_beside_that_of_another_service_frees_nothing() {
    let server = Server::start();
    let with = |coding: Value| {
        request(|it| {
            *order(it) = visit();
            order(it)["id"] = json!("visit-1");
            order(it)["code"]["coding"].as_array_mut().unwrap().push(coding);
        })
    };
    for version in VERSIONS {
        let costly = with(json!({"system": "http://www.ama-assn.org/go/cpt", "code": "27447"}));
        let action = self::action(&server, version, &costly);
        assert_eq!(said(&action, "covered"), ["conditional"], "{version}");
        assert!(!action.to_string().contains("billingCode"), "{version}");
        // A clinical code may name the same service.
        let clinical = with(json!({"system": "http://snomed.info/sct", "code": "266721009"}));
        let action = self::action(&server, version, &clinical);
        assert_eq!(said(&action, "pa-needed"), ["no-auth"], "{version}");
    }
}

#[test]
fn a_coverage_that_the_client_cannot_find_is_not_spoken_of() {
    let server = Server::start();
    let nameless = request(|it| {
        coverage(it).as_object_mut().unwrap().remove("id");
        it["prefetch"]["coverage"]["entry"][0].as_object_mut().unwrap().remove("fullUrl");
        order(it).as_object_mut().unwrap().remove("insurance");
    });
    let contained = request(|it| {
        let own = coverage(it).take();
        it["prefetch"]["coverage"]["entry"].as_array_mut().unwrap().remove(0);
        order(it)["contained"] = json!([own]);
        order(it)["insurance"] = json!([{"reference": "#cov-1101"}]);
    });
    for version in VERSIONS {
        for request in [&nameless, &contained] {
            let answer = server.sign(version, request.to_string());
            assert_eq!(actions(&answer).len(), 0, "{version}");
        }
    }
}

#[test]
fn an_order_without_a_day_is_for_a_day_to_come() {
    let server = Server::start();
    let written = |day: &str, period: Value| {
        request(|it| {
            order(it)["authoredOn"] = json!(day);
            coverage(it)["period"] = period;
        })
    };
    // It has ended since.
    let new: Expected = [&["not-covered"], &[], &[], &["no-active-coverage"]];
    let ended = written("2025-06-01", json!({"start": "2025-01-01", "end": "2025-12-31"}));
    check(&server, "ended since", &ended, [NOT_COVERED, new]);
    let answer = server.sign("2.2", ended.to_string()).good();
    assert_eq!(answer["cards"], json!([]));
    // It has begun since.
    let begun = written("2024-06-01", json!({"start": "2025-01-01"}));
    let asks: Expected = [&["conditional"], &["conditional"], &["timeframe"], &[]];
    check(&server, "begun since", &begun, [asks, asks]);
    // The same of the member roster.
    let columns = "member_id,birth_date,line,valid_from,valid_to";
    let order = written("2025-06-01", json!({"start": "2025-01-01"}));
    for (days, expected) in
        [("2025-01-01,2025-12-31", [NOT_COVERED, new]), ("2026-01-01,", [asks, asks])]
    {
        let server = Server::start();
        let row = format!("CPC11010001,1961-04-17,ma-hmo,{days}");
        imported_text(&server, &format!("{columns}\n{row}\n"));
        check(&server, days, &order, expected);
    }
}
