//! Whole answers as they leave, and what holds for all of them.

use std::collections::HashSet;

use priorauth::facts::CoverageLack;
use priorauth::ig::{CrdVersion, PasVersion};
use priorauth::policy::Determination::{Approve, NotSubject, Pend, Review};
use priorauth::render::crd::{
    Circumstances, HookAnswer, PaNeeded, WithoutPolicy, coverage_information, response,
    without_coverage,
};
use priorauth::terms::Truth::{Met, NotMet, Unknown};
use serde_json::Value;

use crate::samples::{hook, submission};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).unwrap()
}

// PAS 2.13: every kind of answer, in both versions.
#[test]
fn every_kind_of_answer_to_a_submission_as_it_is_sent() {
    for version in PasVersion::ALL {
        for (name, actions) in submission::all() {
            let answer = pretty(&json(&submission::answer(version, actions, false)));
            insta::assert_snapshot!(format!("{name}_in_{}", version.number()), answer);
        }
    }
}

#[test]
fn only_2_2_1_names_a_reviewer_labels_the_transmission_and_adds_items() {
    let response = |version| {
        let actions = vec![submission::denied(), submission::modified()];
        let bundle = json(&submission::answer(version, actions, false));
        bundle["entry"][0]["resource"].clone()
    };
    assert_eq!(response(PasVersion::V2_2_1)["extension"].as_array().unwrap().len(), 2);
    assert!(response(PasVersion::V2_2_1)["addItem"].is_array());
    assert!(response(PasVersion::V2_0_1).get("extension").is_none());
    assert!(response(PasVersion::V2_0_1).get("addItem").is_none());
}

#[test]
fn an_approval_has_one_number_in_both_places_and_a_whole_period() {
    for version in PasVersion::ALL {
        let bundle = json(&submission::answer(version, vec![submission::certified()], false));
        let response = &bundle["entry"][0]["resource"];
        let action = &response["item"][0]["adjudication"][0]["extension"][0]["extension"];
        assert_eq!(action[1]["url"], "number");
        assert_eq!(action[1]["valueString"], response["preAuthRef"]);
        assert!(response["preAuthPeriod"]["start"].is_string());
        assert!(response["preAuthPeriod"]["end"].is_string());
    }
}

#[test]
fn every_reference_in_a_response_bundle_resolves_inside_it() {
    for version in PasVersion::ALL {
        for (name, actions) in submission::all() {
            let bundle = json(&submission::answer(version, actions.clone(), true));
            assert_eq!(dangling(&bundle), Vec::<String>::new(), "{name}");
            // Without the Claim, which has a `urn:` URL here, it is named by its identifier.
            let bundle = json(&submission::answer(version, actions, false));
            let request = &bundle["entry"][0]["resource"]["request"];
            assert_eq!(dangling(&bundle), Vec::<String>::new(), "{name}");
            assert!(request["identifier"]["value"].is_string(), "{name}");
        }
    }
}

/// The references that name no entry of the Bundle; the Claim that an answer names need not be one
/// (PAS 2.6).
pub(crate) fn dangling(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().unwrap();
    let urls: HashSet<&str> =
        entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(urls.len(), entries.len(), "an entry stands twice");
    let mut dangling = Vec::new();
    for entry in entries {
        let mut resource = entry["resource"].clone();
        if resource["resourceType"] == "ClaimResponse" {
            resource.as_object_mut().unwrap().remove("request");
        }
        let mut found = Vec::new();
        references(&resource, &mut found);
        // A relative reference counts from the base of its entry's URL.
        let mut base = entry["fullUrl"].as_str().unwrap().rsplitn(3, '/');
        let base = base.nth(2).unwrap_or_default();
        found.retain(|it| {
            !urls.contains(it.as_str()) && !urls.contains(format!("{base}/{it}").as_str())
        });
        dangling.append(&mut found);
    }
    dangling
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "reference" => found.push(text.clone()),
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn no_answer_holds_anything_empty() {
    for version in PasVersion::ALL {
        for (name, actions) in submission::all() {
            assert!(!has_empty(&json(&submission::answer(version, actions, true))), "{name}");
        }
    }
    for version in CrdVersion::ALL {
        for (name, information) in hook::all() {
            let verdict = hook::verdict(Pend, [Met, Unknown, Unknown]);
            let answer = hook::answer(version, &verdict, information, true);
            assert!(!has_empty(&json(&answer)), "{name}");
        }
    }
}

fn has_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty() || members.values().any(has_empty),
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty),
        Value::String(text) => text.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[test]
fn an_answer_to_a_hook_of_2_2_as_it_is_sent() {
    let verdict = hook::verdict(Pend, [Met, Unknown, Unknown]);
    let information = coverage_information(&verdict, &hook::circumstances(hook::DEPENDS));
    let answer = hook::answer(CrdVersion::V2_2, &verdict, information, false);
    insta::assert_snapshot!(pretty(&json(&answer)));
}

#[test]
fn an_answer_to_a_hook_of_2_0_in_demo_mode_as_it_is_sent() {
    let verdict = hook::verdict(Review, [NotMet, Met, Met]);
    let information = coverage_information(&verdict, &hook::circumstances(hook::DEPENDS));
    let answer = hook::answer(CrdVersion::V2_0, &verdict, information, true);
    insta::assert_snapshot!(pretty(&json(&answer)));
}

#[test]
fn the_order_goes_back_with_every_token_it_came_with() {
    let information = hook::said(Approve, [Met, Met, Met]);
    let verdict = hook::verdict(Approve, [Met, Met, Met]);
    let answer = hook::answer(CrdVersion::V2_0, &verdict, information, false);
    for token in [r#"{"value": 1.50}"#, r"lifileucel \u0028Amtagvi\u0029", r#"{ "resourceType""#] {
        assert!(answer.contains(token), "{token}");
    }
}

#[test]
fn without_orders_2_0_shows_no_actions_and_2_2_leaves_them_out() {
    let empty = |version| {
        let answer = HookAnswer {
            version,
            payer: "CarePartners of Connecticut",
            server: None,
            orders: Vec::new(),
            cards: Vec::new(),
            actions_card: Some("unused"),
        };
        response(&answer).unwrap()
    };
    assert_eq!(empty(CrdVersion::V2_0), r#"{"cards":[],"systemActions":[]}"#);
    assert_eq!(empty(CrdVersion::V2_2), r#"{"cards":[]}"#);
}

#[test]
fn every_summary_is_shorter_than_140_characters_even_of_a_long_title() {
    let mut verdict = hook::verdict(Pend, [Met, Unknown, Unknown]);
    verdict.policy.as_mut().unwrap().title = "Lifileucel ".repeat(40).into();
    let information = hook::said(Pend, [Met, Unknown, Unknown]);
    let answer = json(&hook::answer(CrdVersion::V2_2, &verdict, information, true));
    let cards = answer["cards"].as_array().unwrap();
    assert_eq!(cards.len(), 3);
    for card in cards {
        assert!(card["summary"].as_str().unwrap().chars().count() < 140, "{card}");
    }
}

#[test]
fn foreign_mark_up_on_a_card_does_nothing() {
    let verdict = hook::verdict(Approve, [Met, Met, Met]);
    let information = hook::said(Approve, [Met, Met, Met]);
    let answer = json(&hook::answer(CrdVersion::V2_2, &verdict, information, false));
    let detail = answer["cards"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("&lt;b&gt;recorded&lt;/b&gt; by Dr. \\*X\\*"), "{detail}");
}

/// The codes that one sub-extension has.
fn codes(extension: &Value, url: &str) -> Vec<String> {
    let parts = extension["extension"].as_array().unwrap();
    let parts = parts.iter().filter(|part| part["url"] == url);
    parts.map(|part| part["valueCode"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_guides_invariants_hold_for_everything_that_can_be_said() {
    for version in CrdVersion::ALL {
        for (name, information) in hook::all() {
            let extension = information.extension(version, "Coverage/c-1");
            let has = |url| !codes(&extension, url).is_empty();
            let says = |url, code: &str| codes(&extension, url).iter().any(|one| one == code);
            let count = |url: &str| {
                let parts = extension["extension"].as_array().unwrap();
                parts.iter().filter(|part| part["url"] == url).count()
            };
            let conditional =
                ["covered", "pa-needed", "doc-needed"].iter().any(|url| says(url, "conditional"));
            // crd-ci-q1, q2, q3, q4, q5, q8
            assert!(count("questionnaire") == 0 || has("doc-needed"), "{name}");
            match version {
                CrdVersion::V2_0 => assert!(has("pa-needed"), "{name}"),
                CrdVersion::V2_2 => {
                    assert_eq!(says("covered", "not-covered"), !has("pa-needed"), "{name}");
                    assert!(!says("doc-purpose", "withpa"), "{name}");
                }
            }
            assert_eq!(conditional, has("info-needed"), "{name}");
            assert_eq!(says("pa-needed", "satisfied"), count("satisfied-pa-id") == 1, "{name}");
            assert!(!has("doc-purpose") || count("reason") > 0, "{name}");
            assert!(version == CrdVersion::V2_2 || codes(&extension, "doc-needed").len() < 2);
        }
    }
}

#[test]
fn an_approval_asks_nothing_more_and_is_satisfied_only_with_a_number_on_file() {
    let extension =
        hook::said(Approve, [Met, Met, Met]).extension(CrdVersion::V2_2, "Coverage/c-1");
    assert_eq!(codes(&extension, "covered"), ["covered"]);
    assert_eq!(codes(&extension, "pa-needed"), ["auth-needed"]);
    for url in ["doc-needed", "doc-purpose", "info-needed"] {
        assert!(codes(&extension, url).is_empty(), "{url}");
    }
    let mut on_file = hook::circumstances(hook::DEPENDS);
    on_file.authorization = Some(("AUTH-0000017", None));
    let verdict = hook::verdict(Review, [Met, NotMet, Met]);
    let extension =
        coverage_information(&verdict, &on_file).extension(CrdVersion::V2_0, "Coverage/c-1");
    assert_eq!(codes(&extension, "pa-needed"), ["satisfied"]);
}

#[test]
fn a_site_that_is_not_known_yet_is_a_need_of_a_later_hook_and_no_form() {
    let extension = hook::said(Pend, [Met, Met, Unknown]).extension(CrdVersion::V2_0, "Coverage/c");
    assert_eq!(codes(&extension, "covered"), ["conditional"]);
    assert_eq!(codes(&extension, "pa-needed"), ["auth-needed"]);
    assert_eq!(codes(&extension, "info-needed"), ["location"]);
    assert!(codes(&extension, "doc-needed").is_empty());
}

#[test]
fn no_determination_yields_not_covered() {
    for determination in [Approve, Pend, Review, NotSubject] {
        for truths in [[Met; 3], [NotMet; 3], [Unknown; 3], [NotMet, Unknown, Met]] {
            let extension =
                hook::said(determination, truths).extension(CrdVersion::V2_2, "Coverage/c");
            assert_ne!(codes(&extension, "covered"), ["not-covered"]);
        }
    }
}

#[test]
fn where_a_person_has_to_look_no_authorization_on_file_settles_it() {
    let verdict = hook::verdict(Review, [Met, Met, Unknown]);
    let circumstances = Circumstances {
        authorization: Some(("A-1", None)),
        ..hook::circumstances(WithoutPolicy::NoAuth { why: None })
    };
    let said = without_coverage(
        CoverageLack::Person,
        "more claims than are read",
        &verdict,
        &circumstances,
    );
    assert_eq!(said.unwrap().pa(), Some(&PaNeeded::AuthNeeded));
}
