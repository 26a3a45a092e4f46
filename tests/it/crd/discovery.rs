//! What clients are told of the services.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::VERSIONS;
use crate::harness::Server;

/// Each hook, and what a client may switch off at its service in 2.2.
const HOOKS: [(&str, &[&str]); 6] = [
    ("order-sign", OF_ORDERS),
    ("order-select", OF_ORDERS),
    ("order-dispatch", &["coverage-info", "guideline", "claim", "unsolicited-determ"]),
    (
        "appointment-book",
        &["coverage-info", "guideline", "claim", "insurance", "unsolicited-determ"],
    ),
    ("encounter-start", &["claim"]),
    ("encounter-discharge", &["claim"]),
];
const OF_ORDERS: &[&str] = &[
    "coverage-info",
    "guideline",
    "claim",
    "therapy-alternatives-opt",
    "therapy-alternatives-req",
    "clinical-reminder",
    "unsolicited-determ",
];

fn services(server: &Server, version: &str) -> Vec<Value> {
    let document = server.get(&format!("/crd/{version}/cds-services")).good();
    document["services"].as_array().unwrap().clone()
}

#[test]
fn every_hook_has_a_service_of_its_own_in_both_versions() {
    let server = Server::start();
    for version in VERSIONS {
        let services = services(&server, version);
        let hooks: Vec<&str> = services.iter().map(|it| it["hook"].as_str().unwrap()).collect();
        assert_eq!(hooks, HOOKS.map(|(hook, _)| hook), "{version}");
        let ids: BTreeSet<&str> = services.iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), HOOKS.len(), "{version}");
        for service in &services {
            for text in ["title", "description", "usageRequirements"] {
                assert!(!service[text].as_str().unwrap().is_empty(), "{version} {text}");
            }
            assert!(service["prefetch"]["coverage"].is_string());
            let called = server.post(
                &format!("/crd/{version}/cds-services/{}", service["id"].as_str().unwrap()),
                "application/json",
                "{}",
            );
            assert_eq!(called.status, 400, "it is there, and wants a hook");
        }
    }
}

#[test]
fn only_2_2_declares_its_version() {
    let server = Server::start();
    for service in services(&server, "2.2") {
        assert_eq!(service["extension"]["davinci-crd.version"], json!(["2.2"]));
    }
    for service in services(&server, "2.0") {
        assert!(service["extension"].get("davinci-crd.version").is_none());
    }
}

#[test]
fn a_service_offers_a_switch_for_each_kind_of_answer_that_it_gives() {
    let server = Server::start();
    for version in VERSIONS {
        for (service, (hook, codes)) in services(&server, version).iter().zip(HOOKS) {
            let options = service["extension"]["davinci-crd.configuration-options"].clone();
            let options = options.as_array().unwrap().clone();
            let named: Vec<&str> = options.iter().map(|it| it["code"].as_str().unwrap()).collect();
            // 2.0.1 has no `unsolicited-determ`.
            let expected: Vec<&str> = codes
                .iter()
                .copied()
                .filter(|code| version == "2.2" || *code != "unsolicited-determ")
                .collect();
            assert_eq!(named, expected, "{version} {hook}");
            for option in &options {
                assert_eq!(
                    (&option["type"], &option["default"]),
                    (&json!("boolean"), &json!(true))
                );
                assert!(!option["name"].as_str().unwrap().is_empty());
                assert!(!option["description"].as_str().unwrap().is_empty());
            }
        }
    }
}

#[test]
fn templates_of_2_0_use_plain_tokens_alone() {
    let server = Server::start();
    // rulings 38; the encounter of an encounter's hooks and the order of order-dispatch 1.0 have no
    // other name
    let plain = ["context.patientId", "userPractitionerId"];
    for service in services(&server, "2.0") {
        let hook = service["hook"].as_str().unwrap();
        for (key, template) in service["prefetch"].as_object().unwrap() {
            let template = template.as_str().unwrap();
            for token in template.split("{{").skip(1) {
                let token = token.split("}}").next().unwrap();
                let is_own = match hook {
                    "order-dispatch" => ["context.order", "context.performer"].contains(&token),
                    "encounter-start" | "encounter-discharge" => token == "context.encounterId",
                    _ => false,
                };
                assert!(is_own || plain.contains(&token), "{hook} {key}: {token}");
            }
        }
    }
}

#[test]
fn a_template_of_2_2_uses_only_keys_that_stand_before_it() {
    let server = Server::start();
    for service in services(&server, "2.2") {
        let mut known: Vec<String> = Vec::new();
        for (key, template) in service["prefetch"].as_object().unwrap() {
            let template = template.as_str().unwrap();
            for used in template.split('%').skip(1) {
                let name: String = used.chars().take_while(|it| it.is_alphanumeric()).collect();
                assert!(known.contains(&name), "{key} uses {name}");
            }
            known.push(key.clone());
        }
    }
}

#[test]
fn the_documents_as_they_are_sent() {
    let server = Server::start();
    for version in VERSIONS {
        let document = server.get(&format!("/crd/{version}/cds-services")).good();
        let text = serde_json::to_string_pretty(&document).unwrap();
        insta::assert_snapshot!(format!("discovery_of_{version}"), text);
    }
}
