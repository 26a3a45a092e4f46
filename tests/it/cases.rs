//! The clinical cases of the policies: stories with the answer that the guideline asks for.
//!
//! `priorauth::rehearsal` tells them and holds the answers against what the cases expect.
//! What is expected comes from the guideline, never from what the engine says.

mod adversarial;
mod new_folder;
mod oxygen;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use priorauth::policy::{Rulebook, Verdict};
use priorauth::rehearsal::expect::finding;
use priorauth::rehearsal::{Case, Casebook, Fault, Suite, Telling, Told};

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

fn rules() -> Rulebook {
    priorauth::profiles::from_folder(&profiles()).unwrap()
}

/// The cases of Amtagvi's newest edition.
fn suite() -> Suite {
    suite_of("amtagvi", &profiles())
}

/// The cases of a policy that has one file of them.
fn suite_of(policy: &str, profiles: &Path) -> Suite {
    let files = priorauth::profiles::files_below(&profiles.join("policies")).unwrap();
    let rules = priorauth::profiles::from_folder(profiles).unwrap();
    let suites = Suite::all(&files, &rules.shelf).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    let mut suites: Vec<Suite> =
        suites.into_iter().filter(|suite| &*suite.policy == policy).collect();
    assert_eq!(suites.len(), 1, "one file of cases");
    suites.remove(0)
}

fn base_case(suite: &Suite) -> &Case {
    suite.book.cases.iter().find(|case| case.is_base()).unwrap()
}

fn in_lines(faults: &[Fault]) -> String {
    faults.iter().fold(String::new(), |text, fault| format!("{text}\n    {fault}"))
}

#[test]
fn every_case_is_answered_as_the_guideline_asks() {
    check_every_case(&suite(), &rules());
}

fn check_every_case(suite: &Suite, rules: &Rulebook) {
    let (mut report, mut failed) = (String::new(), BTreeSet::new());
    for case in &suite.book.cases {
        for answer in suite.rehearse(case, rules).unwrap_or_else(|error| panic!("{error}")) {
            if !answer.faults.is_empty() {
                failed.insert(&*case.name);
                let faults = in_lines(&answer.faults);
                let told = answer.told.words();
                writeln!(report, "\n{} ({told})\n    why: {}{faults}", case.name, case.why)
                    .unwrap();
            }
        }
    }
    let (failed, all) = (failed.len(), suite.book.cases.len());
    assert_eq!(failed, 0, "{failed} of {all} cases fail:\n{report}");
}

#[test]
fn there_are_enough_cases_and_no_two_have_one_name() {
    let file = suite().book;
    assert!(file.cases.len() >= FEWEST_CASES, "{} cases", file.cases.len());
    check_names(&file);
}

fn check_names(file: &Casebook) {
    let mut seen = BTreeSet::new();
    for case in &file.cases {
        assert!(seen.insert(&*case.name), "two cases are named `{}`", case.name);
        assert!(!case.why.is_empty(), "`{}` does not say why", case.name);
    }
}

#[test]
fn every_clause_has_a_case_in_which_it_alone_is_not_met_and_one_in_which_it_alone_is_unknown() {
    check_alone(&suite(), NEVER_DISPROVEN_ALONE, &[]);
    let clauses = suite().clauses(&base_case(&suite()).expect).len();
    assert_eq!(clauses, 9, "the guideline has six criteria and three limitations");
}

/// `never_alone`: clauses that are disproven only with others; `never`: not at all.
fn check_alone(suite: &Suite, never_alone: &[&str], never: &[&str]) {
    let file = &suite.book;
    let clauses = suite.clauses(&base_case(suite).expect);
    for clause in clauses.iter().map(|clause| &**clause) {
        for truth in ["not-met", "unknown"] {
            let alone = |case: &&Case| case.expect.is_alone(clause, truth);
            let any = |case: &&Case| case.expect.is_certain(clause, truth);
            let is_not_met = truth == "not-met";
            let found = if is_not_met && never.contains(&clause) {
                !file.cases.iter().any(|case| any(&case))
            } else if is_not_met && never_alone.contains(&clause) {
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
    check_boundaries(&suite().book, BOUNDARIES);
}

fn check_boundaries(file: &Casebook, boundaries: &[&str]) {
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
    let file = suite().book;
    for number in 1..=31 {
        let name = format!("N{number}");
        let names = |case: &Case| {
            case.why.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
        };
        assert!(file.cases.iter().any(names), "no case tests {name}");
    }
}

// rulings 37: search results may bring the Patient again, under a full URL.
#[test]
fn a_patient_who_comes_twice_in_an_order_sign_call_is_one_patient() {
    let (suite, rules) = (suite(), rules());
    let base = base_case(&suite);
    let telling = suite.telling(base, Told::Order).unwrap();
    let telling = Telling { is_patient_twice: true, ..telling };
    let found = telling.judge(&suite.book.story(base, Told::Order).unwrap(), &rules).unwrap();
    assert_eq!(base.expect.faults(&found, suite.clauses(&base.expect)), Vec::<Fault>::new());
}

/// The base story before profiles whose treatment center is valid from `first`, until `last`.
fn base_with_center_valid(first: &str, last: &str) -> Verdict {
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
    let (suite, rules) = (suite(), priorauth::profiles::from_folder(folder.path()).unwrap());
    let telling = suite.telling(base_case(&suite), Told::Claim).unwrap();
    telling.judge(&suite.book.base_story().unwrap(), &rules).unwrap()
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
        let site = finding(&found, "6").unwrap();
        assert_eq!(site.truth.as_str(), truth, "center valid {first} to {last}");
    }
}

/// A file of cases that is sound but for the change.
fn casebook(from: &str, to: &str) -> String {
    let path = profiles().join("policies/amtagvi/2026-01-01/cases.toml");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in the cases");
    text.replacen(from, to, 1)
}

fn errors_of(from: &str, to: &str) -> Vec<String> {
    let mut files = priorauth::profiles::files_below(&profiles().join("policies")).unwrap();
    files.insert("amtagvi/2026-01-01/cases.toml".to_owned(), casebook(from, to));
    let shelf = rules().shelf;
    match Suite::all(&files, &shelf) {
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
        Ok(suites) => {
            let rehearse = |case: &Case| suites[0].rehearse(case, &rules()).err();
            let errors = suites[0].book.cases.iter().filter_map(rehearse);
            errors.take(1).map(|error| error.to_string()).collect()
        }
    }
}

#[test]
fn a_case_that_cannot_be_told_is_named_with_its_file_and_place() {
    let first_case = &suite().book.cases[0].name;
    let with = |more: &str| errors_of("[[case]]\n", &format!("[[case]]\n{more}\n"));
    for (errors, place) in [
        (with("remove = [\"nobody\"]"), "`remove`: there is no `nobody`"),
        (with("set = { \"nobody.status\" = \"x\" }"), "`set.nobody.status`: there is no `nobody`"),
        (with("add = { it = { like = \"nothing\" } }"), "`add.it.like`: there is no `nothing`"),
        (with("add = { it = { status = \"x\" } }"), "`it` has no `resourceType`"),
        (with("set = { \"mel.code\" = \"$nowhere 1\" }"), "`set.mel.code`: `$nowhere 1`"),
        (with("set = { \"mel.stage[7]\" = 1 }"), "7 is behind the end of the list"),
        (with("as_of = \"2026-02-30\""), "`as_of`: `2026-02-30`"),
    ] {
        assert_eq!(errors.len(), 1, "{place}: {errors:?}");
        let start = format!("amtagvi/2026-01-01/cases.toml: case `{first_case}`: ");
        assert!(errors[0].starts_with(&start), "{}", errors[0]);
        assert!(errors[0].contains(place), "`{place}` is not in {}", errors[0]);
    }
    let unknown_key = errors_of("[[case]]\n", "[[case]]\nzzz = 1\n");
    assert!(unknown_key[0].contains("zzz") && unknown_key[0].contains("line"), "{unknown_key:?}");
}

#[test]
fn what_no_policy_can_answer_is_no_expectation() {
    for (to, place) in [
        ("determination = \"granted\"", "`granted` is no determination"),
        ("determination = \"approve\", \"7\" = \"met\"", "`7` is no clause of the policy"),
        ("determination = \"approve\", \"1\" = \"maybe\"", "`maybe` is not met"),
    ] {
        let errors = errors_of("determination = \"approve\"", to);
        assert!(errors.iter().any(|error| error.contains(place)), "{place}: {errors:?}");
    }
}
