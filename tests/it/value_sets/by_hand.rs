//! The value sets that are written by hand: every policy's but Amtagvi's.
//!
//! A code cannot be checked against its source here; that a source is named, and what can be told
//! of a code by itself, can.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{computer_name, repository, value_set};

/// The editions with value sets of their own.
fn editions() -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let policies = inside(&repository().join("profiles/policies")).into_iter();
    let by_hand = policies.filter(|policy| !policy.ends_with("amtagvi"));
    by_hand.flat_map(|policy| inside(&policy)).filter(|it| it.join("valuesets").exists()).collect()
}

fn value_sets(edition: &Path) -> Vec<(String, Value)> {
    let files = fs::read_dir(edition.join("valuesets")).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (id, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
    };
    files.map(read).collect()
}

#[test]
fn every_set_says_what_it_is_where_its_codes_come_from_and_what_each_is_called() {
    assert!(!editions().is_empty());
    for edition in editions() {
        for (id, set) in value_sets(&edition) {
            let day = edition.file_name().unwrap().to_str().unwrap();
            assert_eq!(set["resourceType"], "ValueSet", "{id}");
            assert_eq!(set["id"], *id);
            assert_eq!(set["url"], *format!("https://payer.priorauth.test/fhir/ValueSet/{id}"));
            assert_eq!(set["version"], *day, "{id}");
            assert_eq!(set["name"], *computer_name(&id));
            let description = set["description"].as_str().unwrap();
            let source = description.split_once(" Sources of the codes: ");
            assert!(source.is_some_and(|(_, source)| source.len() > 10), "{id}: {description}");
            assert!(!value_set(&set).is_empty(), "{id}");
            let mut seen = BTreeSet::new();
            for include in set["compose"]["include"].as_array().unwrap() {
                for concept in include["concept"].as_array().into_iter().flatten() {
                    let code = concept["code"].as_str().unwrap();
                    assert!(seen.insert(code), "{id}: {code} stands twice");
                    let display = concept["display"].as_str().unwrap_or_default();
                    assert!(display.len() > 3, "{id}: {code} has no name");
                    check_form(include["system"].as_str().unwrap(), code);
                }
            }
        }
    }
}

/// What a code of a system looks like; a LOINC code ends with a check digit.
fn check_form(system: &str, code: &str) {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_sound = match system {
        "http://loinc.org" => code
            .split_once('-')
            .is_some_and(|(number, check)| digits(number) && check == luhn(number)),
        "http://hl7.org/fhir/sid/icd-10-cm" => {
            code.as_bytes()[0].is_ascii_uppercase() && code.as_bytes()[3] == b'.'
        }
        "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets" => {
            code.len() == 5 && code.as_bytes()[0].is_ascii_uppercase() && digits(&code[1..])
        }
        other => panic!("no form is known for the codes of {other}"),
    };
    assert!(is_sound, "{system} {code}");
}

/// The check digit of LOINC: that of Luhn's formula.
fn luhn(number: &str) -> String {
    let sum: u32 = number
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| match (place % 2, u32::from(byte - b'0')) {
            (0, digit) if digit > 4 => digit * 2 - 9,
            (0, digit) => digit * 2,
            (_, digit) => digit,
        })
        .sum();
    ((10 - sum % 10) % 10).to_string()
}

#[test]
fn every_set_is_named_by_its_policy() {
    for edition in editions() {
        let policy = fs::read_to_string(edition.join("policy.toml")).unwrap();
        for (id, _) in value_sets(&edition) {
            assert!(policy.contains(&format!("\"{id}\"")), "{}: {id}", edition.display());
        }
    }
}

#[test]
fn a_wrong_check_digit_is_seen() {
    assert_eq!(luhn("59408"), "5");
    assert_ne!(luhn("2703"), "6");
}
