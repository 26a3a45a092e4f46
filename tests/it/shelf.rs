//! Which policy and which edition judge an order.

use std::path::Path;
use std::process::Command;

use priorauth::fhir::{Document, Rules};
use priorauth::intake::dossier::Dossier;
use priorauth::intake::pas_request::{PasRequest, Profile};
use priorauth::policy::read::{self, Files};
use priorauth::policy::{Determination, Shelf, Verdict, evaluate};
use priorauth::profiles;

use crate::harness::{fixture, json, repository, skipped};

/// The files of all policies, by their path.
fn policies() -> Files {
    profiles::files_below(&repository().join("profiles/policies")).unwrap()
}

/// The same policy under another id and another authority.
fn as_another(files: &Files, id: &str, authority: &str) -> Files {
    let rename = |(path, text): (&String, &String)| {
        let text = text
            .replace("id = \"amtagvi\"", &format!("id = \"{id}\""))
            .replace("authority = \"plan\"", &format!("authority = \"{authority}\""));
        Some((format!("{id}/{}", path.strip_prefix("amtagvi/")?), text))
    };
    files.iter().filter_map(rename).collect()
}

fn shelf(files: &Files) -> Shelf {
    read::read(files).unwrap()
}

fn judged(shelf: &Shelf, story: &str) -> Verdict {
    let text = fixture(story);
    let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
    let request = PasRequest::read(&document, Profile::Common).unwrap();
    let plan = profiles::from_folder(Path::new(&repository().join("profiles"))).unwrap().plan;
    let as_of = "2026-11-25".parse().unwrap();
    let dossier = Dossier::of_claim(&request.pool, request.claim, &request.subject, &plan, as_of);
    let case = dossier.cases().next().unwrap();
    evaluate(shelf, case, as_of)
}

#[track_caller]
fn check_judge(others: &[(&str, &str)], expected: &str) {
    let own = policies();
    let mut files = own.clone();
    for (id, authority) in others {
        files.extend(as_another(&own, id, authority));
    }
    let policy = judged(&shelf(&files), "pas/approve-all-met").policy.unwrap();
    assert_eq!(&*policy.id, expected);
    assert_eq!(policy.edition.unwrap().to_string(), "2026-01-01");
}

#[test]
fn of_several_policies_for_one_product_the_highest_authority_counts() {
    check_judge(&[], "amtagvi");
    check_judge(&[("a-local", "lcd")], "a-local");
    check_judge(&[("z-local", "lcd")], "z-local");
    check_judge(&[("a-local", "lcd"), ("m-national", "ncd")], "m-national");
    check_judge(&[("m-national", "ncd"), ("z-local", "lcd")], "m-national");
}

#[test]
fn a_higher_authority_that_is_not_yet_in_force_leaves_the_lower_one_standing() {
    let own = policies();
    let mut files = own.clone();
    for (path, text) in as_another(&own, "national", "ncd") {
        // Only the edition with the text of its own, and from a later day.
        if let Some(rest) = path.strip_prefix("national/2026-01-01/") {
            let text = text.replace("\"2026-01-01\"", "\"2027-06-01\"");
            files.insert(format!("national/2027-06-01/{rest}"), text);
        }
    }
    let policy = judged(&shelf(&files), "pas/approve-all-met").policy.unwrap();
    assert_eq!(&*policy.id, "amtagvi");
}

#[test]
fn a_policy_for_other_lines_only_leaves_the_request_with_a_person() {
    let files: Files = policies()
        .into_iter()
        .map(|(path, text)| (path, text.replace("[\"ma-hmo\", \"ma-ppo\"]", "[\"ma-ppo\"]")))
        .collect();
    let verdict = judged(&shelf(&files), "pas/approve-all-met");
    assert_eq!(verdict.determination, Determination::Review);
    assert!(verdict.reasons[0].contains("product line"), "{:?}", verdict.reasons);
}

#[track_caller]
fn check_documents(story: &str, expected: &[&str]) {
    let shelf = shelf(&policies());
    let verdict = judged(&shelf, story);
    let codes: Vec<&str> = shelf.documents(&verdict).iter().map(|it| &*it.loinc).collect();
    assert_eq!(codes, expected, "{story}");
}

#[test]
fn documents_are_asked_for_where_evidence_is_missing_and_only_there() {
    check_documents("pas/approve-all-met", &[]);
    check_documents("pas/pend-braf-unknown", &["11502-2"]);
    check_documents("pas/pend-pd1-no-outcome", &["11506-3"]);
    check_documents("pas/not-subject-other-drug", &[]);
    // What is against the request is for a person, and no document is missing.
    check_documents("pas/review-second-dose", &[]);
}

#[test]
fn the_documents_of_our_policies_are_attachment_codes_of_the_guide() {
    let archive = repository().join("../shared/ig/hl7.fhir.us.davinci-pas-2.2.1.tgz");
    if !archive.exists() {
        return skipped(format_args!("{} is not there", archive.display()));
    }
    let file = "package/ValueSet-pas-loinc-attachment-codes.json";
    let tar = Command::new("tar").arg("-xzOf").arg(archive).arg(file).output().unwrap();
    assert!(tar.status.success());
    let set = json(&String::from_utf8(tar.stdout).unwrap());
    let concepts = set["compose"]["include"][0]["concept"].as_array().unwrap();
    let codes: Vec<&str> = concepts.iter().map(|it| it["code"].as_str().unwrap()).collect();
    assert!(codes.len() > 100, "{}", codes.len());
    let shelf = shelf(&policies());
    let editions = shelf.policies().iter().flat_map(|policy| &policy.editions);
    let texts = editions.filter_map(|(_, edition)| edition.text.as_ref());
    let documents: Vec<&str> = texts
        .flat_map(|text| &text.clauses)
        .flat_map(|clause| &clause.documents)
        .map(|document| &*document.loinc)
        .collect();
    assert!(!documents.is_empty());
    for code in documents {
        assert!(codes.contains(&code), "{code}");
    }
}
