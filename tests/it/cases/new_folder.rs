//! A new policy is a folder and no Rust: the one of the how-to page, written to a new folder.

use std::fs;
use std::path::Path;

use priorauth::policy::Rulebook;
use serde_json::Value;

use super::{check_every_case, check_names, profiles, suite_of};

const PAGE: &str = "docs/how-to/add-a-policy.md";
const EDITION: &str = "policies/otherdrug/2025-01-01";

/// Cases of the page's policy, in the base story of home oxygen with another product.
const CASES: &str = r#"
[[case]]
name = "a haematocrit in the range and an age above both limits is approved"
why = "the page"
[case.add]
hct = { like = "hct" }
[case.expect]
determination = "approve"
policy_version = "2025-01-01"

[[case]]
name = "the ends of the range are in it, in every unit"
why = "the page"
each = { "hct.valueQuantity" = [{ value = 25, system = "http://unitsofmeasure.org", code = "%" }, { value = 35, system = "http://unitsofmeasure.org", code = "%" }, { value = 0.35, system = "http://unitsofmeasure.org", code = "L/L" }] }
[case.add]
hct = { like = "hct" }
[case.expect]
determination = "approve"

[[case]]
name = "just outside it is not met"
why = "the page"
each = { "hct.valueQuantity" = [{ value = 24.9, system = "http://unitsofmeasure.org", code = "%" }, { value = 35.1, system = "http://unitsofmeasure.org", code = "%" }, { value = 0.351, system = "http://unitsofmeasure.org", code = "L/L" }] }
[case.add]
hct = { like = "hct" }
[case.expect]
2 = "not-met"
determination = "review"

[[case]]
name = "without a result it is asked for"
why = "the page"
expect = { 2 = "unknown", determination = "pend" }

[[case]]
name = "one part of an any is enough"
why = "the page"
set = { "pat.birthDate" = "1980-06-02" }
[case.add]
hct = { like = "hct" }
failure = { like = "failure" }
[case.expect]
determination = "approve"

[[case]]
name = "a part that could still hold is asked for"
why = "the page"
set = { "pat.birthDate" = "1980-06-02" }
[case.add]
hct = { like = "hct" }
[case.expect]
3 = "unknown"
determination = "pend"

[[case]]
name = "a child is too young"
why = "the page"
set = { "pat.birthDate" = "2010-06-02" }
[case.add]
hct = { like = "hct" }
failure = { like = "failure" }
[case.expect]
1 = "not-met"
determination = "review"
"#;

fn blocks(page: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let rest = page.split(&start).skip(1);
    rest.filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// Writes the page's policy beside the plan that ships.
fn write_policy(folder: &Path, change: impl FnOnce(String) -> String) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(page).unwrap();
    let plan = "plans/carepartners-ct.toml";
    fs::create_dir_all(folder.join("plans")).unwrap();
    fs::copy(profiles().join(plan), folder.join(plan)).unwrap();
    let edition = folder.join(EDITION);
    fs::create_dir_all(edition.join("valuesets")).unwrap();
    let policy = change(blocks(&page, "toml").join("\n"));
    fs::write(edition.join("policy.toml"), policy).unwrap();
    let sets = blocks(&page, "json");
    assert_eq!(sets.len(), 3);
    for set in sets {
        let read: Value = serde_json::from_str(&set).unwrap();
        let name = format!("{}.json", read["id"].as_str().unwrap());
        fs::write(edition.join("valuesets").join(name), set).unwrap();
    }
}

fn read(folder: &Path) -> Result<Rulebook, String> {
    priorauth::profiles::from_folder(folder).map_err(|error| error.to_string())
}

#[test]
fn the_policy_of_the_page_is_a_folder_of_text_that_decides() {
    let folder = tempfile::tempdir().unwrap();
    write_policy(folder.path(), |text| text);
    let oxygen = profiles().join("policies/home-oxygen/2023-01-03/cases.toml");
    let oxygen = fs::read_to_string(oxygen).unwrap();
    let product = "$products otherdrug |Otherdrug|";
    let story = oxygen
        .split("[[case]]")
        .next()
        .unwrap()
        .replace("$hcpcs E1390 |Oxygen concentrator, single delivery port|", product)
        .replace(
            "[systems]\n",
            "[systems]\nproducts = \"https://payer.priorauth.test/fhir/CodeSystem/products\"\n",
        )
        .replace("value = 58, unit", "value = 30, unit");
    fs::write(folder.path().join(EDITION).join("cases.toml"), format!("{story}{CASES}")).unwrap();
    let suite = suite_of("otherdrug", folder.path());
    check_names(&suite.book);
    check_every_case(&suite, &read(folder.path()).unwrap());
}

/// What is said of the page's policy with a change in it.
#[track_caller]
fn check_mistake(old: &str, new: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_policy(folder.path(), |text| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    });
    let said = read(folder.path()).unwrap_err();
    let at = said.split_once("otherdrug/2025-01-01/policy.toml:").expect(&said).1;
    let line = at.split(':').next().unwrap();
    assert!(line.parse::<usize>().is_ok_and(|line| line > 10), "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_mistake_in_it_is_told_with_file_line_and_clause() {
    check_mistake("unit = \"%\"", "unit = \"percent\"", "clause 2: `percent` is no UCUM unit");
    check_mistake("at_most = 35", "at_most = 15", "clause 2: `at_least` is more than `at_most`");
    check_mistake("at_most = 35", "at_most = 35.5", "clause 2: ");
    check_mistake("years = 70", "yeers = 70", "clause 3: ");
    check_mistake("conflict = ", "konflict = ", "clause 2: `asks` says nothing under `conflict`");
    check_mistake("\ndiagnosis = ", "\nreason = ", "clause 3: `asks` has `reason`");
    check_mistake("[clause.condition.of.asks]\nbirth-date", "[clause.condition.of.asks]\nage", {
        "clause 3: `asks` says nothing under `birth-date`"
    });
    check_mistake("codes = \"heart-failure\"", "codes = \"heart\"", {
        "clause 3: there is no value set `heart`"
    });
    let read_disease = "clause 1: this kind of condition reads `[disease]`, which is missing";
    let indication = "kind = \"indication\"\n";
    check_mistake("kind = \"age-at-service\"\nyears = 18\n", indication, read_disease);
}

/// What is said of the page's policy that is cut off at `from`, with `end` in place of the rest.
#[track_caller]
fn check_cut(from: &str, end: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    write_policy(folder.path(), |text| format!("{}{end}", &text[..text.find(from).unwrap()]));
    let said = read(folder.path()).unwrap_err();
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_condition_of_no_parts_or_tests_is_a_mistake() {
    check_cut("[[clause.condition.of]]", "of = []\n", "clause 3: `of` names no condition");
    check_cut(
        "[[clause.condition.tests]]",
        "tests = []\n",
        "clause 2: `tests` or `limits` is empty",
    );
    check_cut("days = 60", "days = -1\ntests = []\n", "clause 2: ");
}
