//! Stories told by somebody who wants a wrong approval.
//!
//! Records of the base story and of the parts are left out, doubled, redated and given other
//! statuses at random, always in the same way from run to run.
//! Whatever comes of it: an approval rests on dated facts of this patient, one for each clause;
//! it does not outlive the records of a clause; and neither the order of the entries nor a
//! stranger's records change an answer.

use priorauth::fhir::{Document, Pool, Rules};
use priorauth::intake::dossier::Dossier;
use priorauth::intake::subject::Subject;
use priorauth::policy::{Determination, Rulebook, Verdict, evaluate};
use priorauth::rehearsal::Story;
use priorauth::rehearsal::story::{BASE_URL, NO_RECORDS};
use priorauth::rehearsal::variant;
use priorauth::terms::{Day, Truth};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::{Case, Casebook, Told, rules, suite};

/// How many stories are told.
const STORIES: u32 = 500;

/// Parts that a story may have more.
const PARTS: &[&str] = &[
    "prog",
    "brain",
    "lungcancer",
    "administration",
    "prescription",
    "nivolumab",
    "ipilimumab",
    "dabrafenib",
    "allergy",
    "checkpoint-effect",
    "variant",
    "stain",
    "pregnancy",
    "hcg",
    "pregnant",
    "infusion",
    "history",
    "answers",
    "report",
    "flag",
    "bill",
];

const STATUSES: &[&str] = &[
    "final",
    "active",
    "completed",
    "stopped",
    "not-taken",
    "not-done",
    "on-hold",
    "entered-in-error",
    "preliminary",
    "Final",
    "STOPPED",
    "nonsense",
];

const DATES: &[&str] = &[
    "2019",
    "2024",
    "2024-05",
    "2024-06-03",
    "2025-01-15",
    "2025-12-31",
    "2026-01-10",
    "2026-01-15",
    "2026-01-16",
    "2031-07",
];

const DATED: &[&str] = &["effectiveDateTime", "onsetDateTime", "recordedDate", "performedDateTime"];

/// One change of a story: to the record at this place among its records, of this kind, with this
/// value among those of the kind.
type Edit = (usize, u8, usize);

/// A story with its resources in the order in which they are told.
fn bundle(story: &Story, is_backwards: bool) -> Value {
    let mut entries: Vec<Value> = story
        .values()
        .map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap();
            let id = resource["id"].as_str().unwrap();
            entry(&format!("{BASE_URL}/{kind}/{id}"), resource)
        })
        .collect();
    if is_backwards {
        entries.reverse();
    }
    json!({ "resourceType": "Bundle", "type": "collection", "entry": entries })
}

fn entry(full_url: &str, resource: &Value) -> Value {
    json!({ "fullUrl": full_url, "resource": resource })
}

fn verdict(bundle: &Value, profiles: &Rulebook) -> Verdict {
    let text = bundle.to_string();
    let document = Document::parse(text.as_bytes(), Rules::Lenient).unwrap();
    let mut pool = Pool::default();
    pool.add_bundle(document.root());
    let claim = pool.of_type("Claim").next().unwrap();
    let patient = pool.entry(claim).unwrap().node.get("patient");
    let place = patient.and_then(|patient| pool.follow(patient, claim));
    let subject = Subject { place, reference: Some("Patient/pat".to_owned()) };
    let as_of: Day = "2026-01-15".parse().unwrap();
    let dossier = Dossier::of_claim(&pool, claim, &subject, &profiles.plan, as_of);
    let case = dossier.cases().next().unwrap();
    evaluate(&profiles.shelf, case, as_of)
}

fn truths(verdict: &Verdict) -> Vec<(String, Truth)> {
    let mut truths: Vec<_> = verdict
        .findings
        .iter()
        .map(|finding| (finding.clause.to_string(), finding.truth))
        .collect();
    truths.sort_by(|one, other| one.0.cmp(&other.0));
    truths
}

/// The base story with these parts.
fn story(file: &Casebook, parts: &[usize]) -> Story {
    let mut add = serde_json::Map::new();
    for part in parts {
        let name = PARTS[part % PARTS.len()];
        add.insert(format!("more-{name}"), json!({ "like": name }));
    }
    let case = json!({
        "name": "a random story", "why": "-", "add": add, "expect": { "determination": "approve" },
    });
    let case: Case = serde_json::from_value(case).unwrap();
    file.story(&case, Told::Claim).unwrap()
}

fn is_record(resource: &Value) -> bool {
    !NO_RECORDS.contains(&resource["resourceType"].as_str().unwrap())
}

fn edit(story: &mut Story, (at, kind, value): Edit) {
    let handles: Vec<String> = story
        .iter()
        .filter(|(handle, resource)| is_record(resource) || *handle == "pat")
        .map(|(handle, _)| handle.clone())
        .collect();
    let Some(handle) = handles.get(at % handles.len().max(1)) else { return };
    let date = DATES[value % DATES.len()];
    let Some(resource) = story.get_mut(handle) else { return };
    match kind {
        0 if handle != "pat" => {
            story.remove(handle);
        }
        1 if handle != "pat" => {
            let mut copy = resource.clone();
            let name = format!("{handle}-again");
            copy["id"] = json!(name);
            story.insert(name, copy);
        }
        2 if resource.get("status").is_some() => {
            resource["status"] = json!(STATUSES[value % STATUSES.len()]);
        }
        3 => {
            let dated = DATED.iter().find(|name| resource.get(**name).is_some());
            if let Some(name) = dated {
                resource[*name] = json!(date);
            }
        }
        4 if resource.get("effectivePeriod").is_some() => {
            let end = if value % 2 == 0 { "start" } else { "end" };
            resource["effectivePeriod"][end] = json!(date);
        }
        5 if resource.get("verificationStatus").is_some() => {
            let codes = ["refuted", "unconfirmed", "entered-in-error", "Confirmed", "confirmed"];
            resource["verificationStatus"]["coding"][0]["code"] = json!(codes[value % 5]);
        }
        6 if resource.get("clinicalStatus").is_some() => {
            let codes = ["resolved", "remission", "inactive", "relapse", "active"];
            resource["clinicalStatus"]["coding"][0]["code"] = json!(codes[value % 5]);
        }
        7 => {
            let url = "https://ehr.lakeside.test/fhir/StructureDefinition/not-so";
            resource["modifierExtension"] = json!([{ "url": url, "valueBoolean": true }]);
        }
        8 if handle == "pat" => {
            resource["gender"] = json!(["female", "other", "unknown", "male"][value % 4]);
        }
        9 if handle == "pat" => resource["birthDate"] = json!(date),
        10 if resource.get("subject").is_some() => {
            resource["subject"] = json!({ "reference": "Patient/somebody" });
        }
        11 => {
            // A list where one value is due.
            let names = ["status", "effectiveDateTime", "onsetDateTime", "valueCodeableConcept"];
            let name = names[value % 4];
            if let Some(one) = resource.get(name).cloned() {
                resource[name] = json!([one]);
            }
        }
        _ => {}
    }
}

/// Which resources could show a clause: without all of them it cannot be met.
fn shows(clause: &str, resource: &Value) -> bool {
    let kind = resource["resourceType"].as_str().unwrap();
    let is_drug = kind.starts_with("Medication") || kind == "AllergyIntolerance";
    match clause {
        "1" => kind == "Condition",
        "2" => kind == "Patient",
        "3" => kind == "PractitionerRole" || kind == "Practitioner",
        "4" => is_drug || kind == "AdverseEvent",
        "5" => {
            let results = ["Observation", "DiagnosticReport", "Condition", "AdverseEvent"];
            is_drug || results.contains(&kind)
        }
        "6" => kind == "Organization" && resource["id"] != "payer",
        _ => false,
    }
}

fn check_approval(story: &Story, verdict: &Verdict, profiles: &Rulebook) {
    assert_eq!(verdict.findings.len(), 9);
    for finding in &verdict.findings {
        assert_eq!(finding.truth, Truth::Met, "{}", finding.clause);
        let is_proof = |cited: &priorauth::policy::Cited| {
            cited.source.date.is_some() && !cited.source.element.is_empty()
        };
        assert!(finding.counted.iter().any(is_proof), "{}: {:?}", finding.clause, finding.counted);
        for cited in &finding.counted {
            let id = cited.source.resource.rsplit('/').next().unwrap();
            let about = story.get(id).map(|resource| &resource["subject"]["reference"]);
            let is_strange = about.is_some_and(|about| about == "Patient/somebody");
            assert!(!is_strange, "{}: {}", finding.clause, cited.source.resource);
        }
    }
    for clause in ["1", "2", "3", "4", "5", "6"] {
        let mut without = story.clone();
        without.retain(|handle, resource| handle == "claim" || !shows(clause, resource));
        let found = verdict_of(&without, profiles);
        let truth = truths(&found).into_iter().find(|(name, _)| name == clause);
        assert_ne!(truth.map(|(_, truth)| truth), Some(Truth::Met), "{clause} without its records");
    }
}

fn verdict_of(story: &Story, profiles: &Rulebook) -> Verdict {
    verdict(&bundle(story, false), profiles)
}

#[test]
fn no_random_story_is_approved_without_proof_or_answered_by_its_order() {
    let (file, profiles) = (suite().book, rules());
    let config = ProptestConfig { cases: STORIES, failure_persistence: None, ..Default::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let parts = prop::collection::vec(0..PARTS.len(), 0..3);
    let edits = prop::collection::vec((0..40_usize, 0..12_u8, 0..60_usize), 0..4);
    let approved = std::cell::Cell::new(0_u32);
    let told = runner.run(&(parts, edits), |(parts, edits)| {
        let mut told = story(&file, &parts);
        for one in edits {
            edit(&mut told, one);
        }
        let found = verdict_of(&told, &profiles);
        let backwards = verdict(&bundle(&told, true), &profiles);
        prop_assert_eq!(truths(&found), truths(&backwards), "by the order of the entries");
        prop_assert_eq!(found.determination, backwards.determination);
        for (kind, other) in variant::all(&file, &told).unwrap() {
            prop_assert_eq!(truths(&found), truths(&verdict_of(&other, &profiles)), "by {}", kind);
        }
        let mut bare = told.clone();
        bare.retain(|_, resource| !is_record(resource));
        prop_assert_ne!(verdict_of(&bare, &profiles).determination, Determination::Approve);
        if found.determination == Determination::Approve {
            approved.set(approved.get() + 1);
            check_approval(&told, &found, &profiles);
        }
        Ok(())
    });
    told.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(approved.get() > STORIES / 20, "only {} stories were approved", approved.get());
}

fn base(file: &Casebook) -> Story {
    story(file, &[])
}

/// The base story with the Observation `braf` under another full URL.
fn with_braf_at(full_url: &str, more: &[Value]) -> Verdict {
    let (file, profiles) = (suite().book, rules());
    let mut told = base(&file);
    let braf = told.remove("braf").unwrap();
    let mut bundle = bundle(&told, false);
    let entries = bundle["entry"].as_array_mut().unwrap();
    entries.push(entry(full_url, &braf));
    entries.extend_from_slice(more);
    verdict(&bundle, &profiles)
}

fn braf_truth(verdict: &Verdict) -> Truth {
    verdict.findings.iter().find(|finding| &*finding.clause == "5").unwrap().truth
}

// rulings 12: `Patient/pat` of another server is another server's patient.
#[test]
fn a_record_of_another_server_is_about_another_patient_of_the_same_id() {
    let own = with_braf_at(&format!("{BASE_URL}/Observation/braf"), &[]);
    assert_eq!(braf_truth(&own), Truth::Met);
    let foreign = with_braf_at("https://elsewhere.test/fhir/Observation/braf", &[]);
    assert_eq!(braf_truth(&foreign), Truth::Unknown);
}

#[test]
fn a_record_without_a_server_means_the_patient_only_if_no_other_has_the_id() {
    let nowhere = "urn:uuid:6a3a3a6c-5d3e-4a53-9f0b-2b1f6f0c0001";
    assert_eq!(braf_truth(&with_braf_at(nowhere, &[])), Truth::Met);
    let twin = json!({ "resourceType": "Patient", "id": "pat", "gender": "female" });
    let twin = entry("https://elsewhere.test/fhir/Patient/pat", &twin);
    assert_eq!(braf_truth(&with_braf_at(nowhere, &[twin])), Truth::Unknown);
}

// A request of many lines must not take memory by the square of their number.
#[test]
fn a_claim_of_very_many_lines_is_read_in_bounded_memory() {
    let (file, profiles) = (suite().book, rules());
    let mut told = base(&file);
    let product =
        json!({ "coding": [{ "system": "http://www.ama-assn.org/go/cpt", "code": "99213" }] });
    let lines: Vec<Value> = (2..20_002)
        .map(|sequence| json!({ "sequence": sequence, "productOrService": product }))
        .collect();
    told.get_mut("claim").unwrap()["item"].as_array_mut().unwrap().extend(lines);
    let found = verdict_of(&told, &profiles);
    assert_eq!(found.determination, Determination::Approve);
}
