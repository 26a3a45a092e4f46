//! The fixtures are sound: they can be read, hang together, and name nobody real.
//!
//! What a fixture's answer is, its own area tests.
//! HL7's validator judges them with our answers (`validator`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use priorauth::fhir::{Document, Rules};
use priorauth::terms::Npi;
use serde_json::Value;

const OUTCOMES: &[&str] =
    &["approve", "pend", "review", "not-subject", "no-authorization", "mixed"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The requests of one area, by the name of their folder.
fn requests(area: &str) -> BTreeMap<String, String> {
    let folders = fs::read_dir(repository().join("fixtures").join(area)).unwrap();
    let read = |folder: PathBuf| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(folder.join("request.json")).unwrap())
    };
    folders.map(|folder| read(folder.unwrap().path())).collect()
}

/// Every good request with its name and the rules that its text is read by.
fn good() -> Vec<(String, String, Rules)> {
    let areas = [("pas", Rules::Fhir), ("pas-2.0.1", Rules::Fhir), ("crd", Rules::Lenient)];
    let mut all = Vec::new();
    for (area, rules) in areas {
        for (name, text) in requests(area) {
            all.push((format!("{area}/{name}"), text, rules));
        }
    }
    all
}

/// Every value below `value`, itself included.
fn values(value: &Value) -> Vec<&Value> {
    let below: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    let deeper = below.into_iter().flat_map(values);
    std::iter::once(value).chain(deeper).collect()
}

fn texts_at<'v>(value: &'v Value, key: &str) -> Vec<&'v str> {
    values(value).into_iter().filter_map(|value| value.get(key)?.as_str()).collect()
}

#[test]
fn every_folder_says_its_outcome() {
    for (name, ..) in good() {
        let folder = name.split('/').next_back().unwrap();
        assert!(OUTCOMES.iter().any(|outcome| folder.starts_with(outcome)), "{name}");
    }
}

#[test]
fn every_request_passes_the_walk_over_its_text() {
    for (name, text, rules) in good() {
        assert!(text.ends_with("}\n"), "{name}");
        if let Err(faults) = Document::parse(text.as_bytes(), rules) {
            panic!("{name}: {faults:?}");
        }
    }
}

#[test]
fn every_reference_leads_to_a_resource_of_the_same_request() {
    for (name, text, _) in good() {
        let request: Value = serde_json::from_str(&text).unwrap();
        let mut there = BTreeSet::new();
        for resource in values(&request).into_iter().filter(|value| value.get("id").is_some()) {
            if let (Some(kind), Some(id)) =
                (resource["resourceType"].as_str(), resource["id"].as_str())
            {
                there.insert(format!("{kind}/{id}"));
            }
        }
        let references = texts_at(&request, "reference");
        assert!(!references.is_empty(), "{name}");
        for reference in references {
            assert!(there.contains(reference), "{name}: {reference}");
        }
    }
}

#[test]
fn every_full_url_ends_with_the_resource_it_names_and_is_there_once() {
    for (name, text, _) in good() {
        let request: Value = serde_json::from_str(&text).unwrap();
        let mut seen = BTreeSet::new();
        for entry in values(&request).into_iter().filter(|value| value.get("fullUrl").is_some()) {
            let url = entry["fullUrl"].as_str().unwrap();
            let resource = &entry["resource"];
            let (kind, id) = (resource["resourceType"].as_str(), resource["id"].as_str());
            let end = format!("/{}/{}", kind.unwrap(), id.unwrap());
            assert!(url.ends_with(&end), "{name}: {url}");
            assert!(seen.insert(url), "{name}: {url}");
        }
    }
}

#[test]
fn every_npi_passes_its_check_digit() {
    for (name, text, _) in good() {
        let request: Value = serde_json::from_str(&text).unwrap();
        let is_npi = |value: &&Value| value["system"] == Npi::SYSTEM;
        let npis: Vec<&Value> = values(&request).into_iter().filter(is_npi).collect();
        assert!(!npis.is_empty(), "{name}");
        for npi in npis {
            let text = npi["value"].as_str().unwrap();
            assert!(Npi::parse(text).is_ok(), "{name}: {text}");
        }
    }
}

#[test]
fn no_two_requests_share_a_member() {
    let mut seen = BTreeMap::new();
    for (name, text, _) in good() {
        let request: Value = serde_json::from_str(&text).unwrap();
        let members: BTreeSet<&str> = texts_at(&request, "subscriberId").into_iter().collect();
        assert_eq!(members.len(), 1, "{name}");
        for member in members {
            if let Some(other) = seen.insert(member.to_owned(), name.clone()) {
                panic!("{member} is in {other} and in {name}");
            }
        }
    }
}

/// Whether the walk over the text finds the fault of `name`.
fn walk_refuses(name: &str) -> bool {
    let bytes = fs::read(repository().join("fixtures/bad").join(name)).unwrap();
    Document::parse(&bytes, Rules::Fhir).is_err()
}

#[test]
fn faults_of_the_text_are_found_by_the_walk_and_others_are_left_to_the_intake() {
    for name in ["empty-entries.json", "duplicate-key.json", "trailing-text.json"] {
        assert!(walk_refuses(name), "{name}");
    }
    for name in [
        "no-claim.json",
        "missing-patient.json",
        "duplicate-full-url.json",
        "impossible-date.json",
        "wrong-type.json",
    ] {
        assert!(!walk_refuses(name), "{name}");
    }
}
