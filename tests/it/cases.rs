//! The clinical cases of the Amtagvi policy: stories with the answer that the guideline asks for.
//!
//! The cases stand in the policy's folder, where a medical director can read them.
//! Every story is told as a PAS Bundle, and as an order-sign call too where only the records
//! differ from the base story; both must be answered alike.
//! The order of entries, another patient's records and the spelling of code systems must change
//! nothing.
//! What is expected comes from the guideline, never from what the engine says.

mod adversarial;
mod expect;
mod judge;
mod new_folder;
mod oxygen;
mod story;
mod variant;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use priorauth::policy::Rulebook;
use priorauth::terms::Day;

use judge::{Found, Telling, Told, judge};
use story::{Case, File};

/// Fewer cases than this do not show what the policy does.
const FEWEST_CASES: usize = 40;

/// Numbers and dates of the policy: each needs cases on both of its sides.
const BOUNDARIES: &[&str] = &[
    "18 years on the day of service",
    "84 days after the last PD-1 dose",
    "14 days since a pregnancy test",
    "30 days since a pregnancy statement",
    "42 weeks since the onset of a pregnancy",
    "12 years for pregnancy",
    "56 years for pregnancy",
    "4 bags in a dose",
    "first edition 2024-07-01",
    "criteria on file from 2024-09-01",
    "edition 2025-01-01",
    "edition 2026-01-01",
    "coverage period",
];

/// A clause that cannot be disproven while all the others are met.
///
/// L1: with melanoma in the records another reason for the order is unknown, and without melanoma
/// in the records criterion 1 is unknown too.
const NEVER_DISPROVEN_ALONE: &[&str] = &["L1"];

fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles")
}

fn file() -> File {
    file_of("amtagvi/2026-01-01")
}

/// The cases of an edition.
fn file_of(edition: &str) -> File {
    let folder = profiles().join("policies").join(edition);
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    File::read(&text("cases.toml"), &text("policy.toml"))
        .unwrap_or_else(|error| panic!("{edition}: {error}"))
}

fn day(text: &str) -> Day {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

/// What is wrong with one case; nothing if all is as it must be.
fn faults(file: &File, case: &Case, profiles: &Rulebook) -> Vec<String> {
    let as_of = day(case.as_of.as_deref().unwrap_or(&file.as_of));
    let mut faults = Vec::new();
    for told in case.tellings(file) {
        let story = file.story(case, told);
        let authorizations = &case.authorizations;
        let (is_backwards, is_patient_twice) = (false, false);
        let telling = Telling { told, is_backwards, is_patient_twice, as_of, authorizations };
        let found = judge(&story, telling, profiles);
        let label = told.label();
        faults.extend(
            case.expect
                .faults(&file.clauses, &found)
                .into_iter()
                .map(|fault| format!("{label}{fault}")),
        );
        let mut compare = |kind: &str, again: &Found| {
            if let Some(difference) = found.difference(again) {
                faults.push(format!("{label}with {kind}: {difference}"));
            }
        };
        let backwards = Telling { is_backwards: true, ..telling };
        compare("the entries in reverse order", &judge(&story, backwards, profiles));
        for (kind, other) in variant::all(file, &story) {
            compare(kind, &judge(&other, telling, profiles));
        }
    }
    faults
}

#[test]
fn every_case_is_answered_as_the_guideline_asks() {
    check_every_case(&file());
}

fn check_every_case(file: &File) {
    check_cases(file, &priorauth::profiles::from_folder(&profiles()).unwrap());
}

fn check_cases(file: &File, profiles: &Rulebook) {
    let (mut report, mut failed) = (String::new(), 0);
    for case in &file.cases {
        let faults = faults(file, case, profiles);
        if !faults.is_empty() {
            failed += 1;
            writeln!(report, "\n{}\n    why: {}", case.name, case.why).unwrap();
            for fault in faults {
                writeln!(report, "    {fault}").unwrap();
            }
        }
    }
    assert_eq!(failed, 0, "{failed} of {} cases fail:\n{report}", file.cases.len());
}

#[test]
fn there_are_enough_cases_and_no_two_have_one_name() {
    let file = file();
    assert!(file.cases.len() >= FEWEST_CASES, "{} cases", file.cases.len());
    check_names(&file);
}

fn check_names(file: &File) {
    let mut seen = BTreeSet::new();
    for case in &file.cases {
        assert!(seen.insert(&*case.name), "two cases are named `{}`", case.name);
        assert!(!case.why.is_empty(), "`{}` does not say why", case.name);
    }
}

#[test]
fn every_clause_has_a_case_in_which_it_alone_is_not_met_and_one_in_which_it_alone_is_unknown() {
    check_alone(&file(), NEVER_DISPROVEN_ALONE, &[]);
}

/// `never_alone`: clauses that are disproven only with others; `never`: not at all.
fn check_alone(file: &File, never_alone: &[&str], never: &[&str]) {
    for clause in &file.clauses {
        for truth in ["not-met", "unknown"] {
            let alone = |case: &&Case| case.expect.is_alone(clause, truth);
            let any = |case: &&Case| case.expect.is_certain(clause, truth);
            let is_not_met = truth == "not-met";
            let found = if is_not_met && never.contains(&&**clause) {
                !file.cases.iter().any(|case| any(&case))
            } else if is_not_met && never_alone.contains(&&**clause) {
                file.cases.iter().any(|case| any(&case))
            } else {
                file.cases.iter().any(|case| alone(&case))
            };
            assert!(found, "no case has {clause} alone {truth}");
        }
    }
}

#[test]
fn every_number_and_date_of_the_policy_has_cases_on_both_sides() {
    check_boundaries(&file(), BOUNDARIES);
}

fn check_boundaries(file: &File, boundaries: &[&str]) {
    let mut sides: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for case in &file.cases {
        if let Some(boundary) = &case.boundary {
            assert!(boundaries.contains(&&**boundary), "`{boundary}` is no boundary of the list");
            sides.entry(boundary).or_default().insert(case.expect.to_string());
        }
    }
    for boundary in boundaries {
        let count = sides.get(boundary).map_or(0, BTreeSet::len);
        assert!(count >= 2, "`{boundary}` is seen from {count} sides");
    }
}

#[test]
fn every_naive_rule_has_its_case() {
    let file = file();
    for number in 1..=31 {
        let name = format!("N{number}");
        let names = |case: &Case| {
            case.why.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
        };
        assert!(file.cases.iter().any(names), "no case tests {name}");
    }
}

fn plain(told: Told, as_of: Day) -> Telling<'static> {
    Telling { told, is_backwards: false, is_patient_twice: false, as_of, authorizations: &[] }
}

// rulings 37: search results may bring the Patient again, under a full URL.
#[test]
fn a_patient_who_comes_twice_in_an_order_sign_call_is_one_patient() {
    let (file, profiles) = (file(), priorauth::profiles::from_folder(&profiles()).unwrap());
    let base = file.cases.iter().find(|case| case.is_base()).unwrap();
    let telling = plain(Told::Order, day(&file.as_of));
    let telling = Telling { is_patient_twice: true, ..telling };
    let found = judge(&file.story(base, Told::Order), telling, &profiles);
    assert_eq!(base.expect.faults(&file.clauses, &found), Vec::<String>::new());
}

/// The base story before profiles whose treatment center is valid from `first`, until `last`.
fn base_with_center_valid(first: &str, last: &str) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let files = priorauth::profiles::files_below(&profiles()).unwrap();
    for (name, text) in files {
        let text = match name.strip_suffix("treatment-centers.csv") {
            Some(_) => text.replace(",2024-02-16,,", &format!(",{first},{last},")),
            None => text,
        };
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (file, profiles) = (file(), priorauth::profiles::from_folder(folder.path()).unwrap());
    let base = file.cases.iter().find(|case| case.is_base()).unwrap();
    let (told, as_of) = (Told::Claim, day(&file.as_of));
    judge(&file.story(base, told), plain(told, as_of), &profiles)
}

// clinical.md 6: the site is in the registry and valid on the day of service, 2026-02-02.
#[test]
fn a_center_counts_from_its_first_day_to_its_last() {
    for (first, last, truth) in [
        ("2024-02-16", "", "met"),
        ("2026-02-02", "", "met"),
        ("2026-02-03", "", "unknown"),
        ("2024-02-16", "2026-02-02", "met"),
        ("2024-02-16", "2026-02-01", "unknown"),
    ] {
        let found = base_with_center_valid(first, last);
        assert_eq!(found.truth("6"), Some(truth), "center valid {first} to {last}");
    }
}
