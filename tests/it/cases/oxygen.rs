//! The cases of the home oxygen policy, run as those of Amtagvi are.

use priorauth::rehearsal::Suite;

use super::{
    check_alone, check_boundaries, check_every_case, check_names, profiles, rules, suite_of,
};

/// Numbers and dates of the policy: each needs cases on both of its sides.
const BOUNDARIES: &[&str] = &[
    "89 % saturation",
    "59 mm Hg",
    "88 % saturation",
    "55 mm Hg",
    "56 % haematocrit",
    "88 % as a fraction",
    "55 mm Hg in kPa",
    "30 % of plausible saturation",
    "20 mm Hg of plausible PO2",
    "a bound at 88 %",
    "0 L/min",
    "21 % of oxygen",
    "30 days",
    "edition 2023-01-03",
];

/// No record proves that a finding is absent.
const NEVER_DISPROVEN: &[&str] = &["2"];

fn suite() -> Suite {
    suite_of("home-oxygen", &profiles())
}

#[test]
fn every_case_of_home_oxygen_is_answered_as_the_determination_asks() {
    check_every_case(&suite(), &rules());
    check_names(&suite().book);
}

#[test]
fn every_clause_of_home_oxygen_has_the_cases_in_which_it_alone_decides() {
    check_alone(&suite(), &[], NEVER_DISPROVEN);
}

#[test]
fn every_number_and_date_of_home_oxygen_has_cases_on_both_sides() {
    check_boundaries(&suite().book, BOUNDARIES);
}
