//! The tools of somebody who changes a policy: `policy test` and `policy diff`.

use std::fs;
use std::path::Path;

use priorauth::cli::policy_test::Rehearsal;
use priorauth::rehearsal::mutation::{self, Mutation};

use crate::command_line::{code, err, lines, out, run};
use crate::harness::{Server, fixture, repository};
use crate::process::broken_profiles;

const EDITION: &str = "policies/amtagvi/2026-01-01";

/// `policy test` on profiles of which one file was changed.
fn test_changed(
    file: &str,
    change: impl FnOnce(String) -> String,
    more: &[&str],
) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    broken_profiles(folder.path(), file, change);
    let profiles = folder.path().join("profiles");
    let mut arguments = vec!["policy", "test", profiles.to_str().unwrap()];
    arguments.extend(more);
    let output = run(&arguments);
    (code(&output), out(&output), err(&output))
}

#[test]
fn the_cases_of_a_policy_are_run_from_each_of_its_levels() {
    let levels = ["profiles", "profiles/policies", "profiles/policies/amtagvi"];
    for folder in levels.into_iter().chain(["profiles/policies/amtagvi/2026-01-01"]) {
        let output = run(&["policy", "test", folder, "--filter", "of the 18th birthday"]);
        let text = out(&output);
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{folder}: {text}");
        assert!(text.contains("amtagvi/2026-01-01/cases.toml: "), "{folder}: {text}");
        assert!(text.ends_with("cases are answered as they expect\n"), "{folder}: {text}");
    }
    // An edition that renews another has no cases of its own.
    for folder in ["profiles/policies/amtagvi/2025-01-01", "profiles/plans", "/nonexistent"] {
        let output = run(&["policy", "test", folder]);
        assert_eq!((code(&output), out(&output).as_str()), (1, ""), "{folder}");
        assert!(!err(&output).is_empty(), "{folder}");
    }
}

#[test]
fn a_case_that_fails_shows_its_reason_the_clause_and_what_was_found() {
    let policy = format!("{EDITION}/policy.toml");
    let change = |text: String| text.replacen("years = 18", "years = 19", 1);
    let (code, out, err) = test_changed(&policy, change, &["--filter", "birthday"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    for words in [
        "why: ",
        "told as a PAS request:",
        "determination: expected approve, found review (2 18 years or older: not met)",
        "clause 2: expected met, found not-met",
        "clause 2 asks: The member has completed 18 years on the date of service.",
        "found: ",
        "(record of the member Patient/pat, Patient.birthDate, ",
    ] {
        assert!(out.contains(words), "`{words}` is not in {out}");
    }
    let counts = out.lines().last().unwrap();
    assert!(counts.ends_with("cases are answered as they expect"), "{counts}");
    // A run of some cases does not tell whether all are green.
    let output = run(&["policy", "test", "profiles", "--filter", "birthday", "--mutate"]);
    assert_eq!(crate::command_line::code(&output), 2);
}

#[test]
fn a_case_that_cannot_be_used_ends_the_run_with_its_file_and_name() {
    let cases = format!("{EDITION}/cases.toml");
    let change = |text: String| text.replacen("[[case]]\n", "[[case]]\nremove = [\"nobody\"]\n", 1);
    let (code, out, err) = test_changed(&cases, change, &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("amtagvi/2026-01-01/cases.toml: case `"), "{err}");
    assert!(err.contains("`remove`: there is no `nobody`"), "{err}");
    let output = run(&["policy", "test", "profiles", "--filter", "no case is called so"]);
    assert_eq!(crate::command_line::code(&output), 1);
    assert!(crate::command_line::err(&output).contains("no case's name contains"));
}

/// The policy in the repository, and its changes that no case notices.
fn survivors(is_tried: impl Fn(&Mutation) -> bool) -> (usize, Vec<String>) {
    let amtagvi = repository().join("profiles/policies/amtagvi");
    let found = Rehearsal::of(&amtagvi, None).unwrap().mutations_of(is_tried).unwrap();
    assert_eq!(found.refused, 0);
    (found.tried, found.survivors.into_iter().map(|it| it.what).collect())
}

#[test]
fn a_clause_that_is_left_out_or_inverted_is_noticed_by_a_case() {
    // Six criteria and three limitations, each left out and inverted.
    assert_eq!(survivors(Mutation::is_of_clause), (18, Vec::new()));
}

#[test]
fn a_number_that_is_moved_is_noticed_where_a_case_stands_on_its_boundary() {
    let (tried, found) = survivors(|it| {
        it.what.contains("years = 18 becomes") || it.what.contains("therapy.window_days = 0")
    });
    // Criterion 5 has no look-back: no case stands beside its window.
    assert_eq!((tried, found.len()), (4, 2));
    assert!(found.iter().all(|what| what.contains("window_days")), "{found:?}");
}

#[test]
fn a_clause_whose_cases_are_gone_survives_being_left_out() {
    let folder = tempfile::tempdir().unwrap();
    // Without the cases in which criterion 2 is not met or unknown.
    broken_profiles(folder.path(), &format!("{EDITION}/cases.toml"), |text| {
        let cases = text.split_inclusive("\n\n").filter(|block| {
            let expects = block.contains("2 = ") || block.contains("any_clauses");
            !(block.contains("[[case]]") && expects)
        });
        cases.collect()
    });
    let policy = folder.path().join("profiles/policies/amtagvi");
    let rehearsal = Rehearsal::of(&policy, None).unwrap();
    let found = rehearsal.mutations_of(|it| it.what == "clause 2 left out").unwrap();
    assert_eq!((found.tried, found.survivors.len()), (1, 1));
}

#[test]
fn every_change_leaves_a_text_that_can_be_parsed() {
    let folder = repository().join("profiles/policies");
    let files = priorauth::profiles::files_below(&folder).unwrap();
    let all = mutation::all(&files, "amtagvi/");
    assert!(all.len() > 200, "{} changes", all.len());
    for change in all {
        let text = &change.applied(&files)[&change.file];
        let is_toml = text.parse::<toml::Table>().is_ok();
        let is_json = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert!(is_toml || is_json, "{}: {text}", change.what);
    }
}

/// Adds a policy to copied profiles: pembrolizumab, for members of 18 years and of 12 years.
fn add_policy(profiles: &Path) {
    let amtagvi = profiles.join(EDITION);
    let other = profiles.join("policies/pembrolizumab/2026-01-01");
    fs::create_dir_all(other.join("valuesets")).unwrap();
    for set in fs::read_dir(amtagvi.join("valuesets")).unwrap().map(Result::unwrap) {
        fs::copy(set.path(), other.join("valuesets").join(set.file_name())).unwrap();
    }
    let policy = fs::read_to_string(amtagvi.join("policy.toml")).unwrap();
    let disease = &policy[policy.find("[disease]").unwrap()..policy.find("[[clause]]").unwrap()];
    let clause = |id: &str, years: u8| {
        format!(
            "[[clause]]\nid = \"{id}\"\nkind = \"criterion\"\ntitle = \"{years} years\"\n\
             words = \"The member has completed {years} years.\"\nsection = \"{id}\"\n\
             [clause.asks]\nbirth-date = \"Please send the date of birth.\"\n\
             [clause.condition]\nkind = \"age-at-service\"\nyears = {years}\n"
        )
    };
    let head = "id = \"pembrolizumab\"\ntitle = \"Pembrolizumab\"\nauthority = \"plan\"\n\
                lines = [\"ma-hmo\"]\neffective = \"2026-01-01\"\n[product]\n\
                codes = \"pd1-pembrolizumab\"\nunclassified = \"unclassified-drug\"\n\
                others = \"pd1-nivolumab\"\nnames = [\"pembrolizumab\"]\n";
    let text = format!("{head}{disease}{}{}", clause("A", 18), clause("B", 12));
    fs::write(other.join("policy.toml"), text).unwrap();
    let cases = fs::read_to_string(amtagvi.join("cases.toml")).unwrap();
    let base = cases[..cases.find("[[case]]").unwrap()]
        .replace("$ndc 73776-001-11 |Amtagvi bag, 125 mL|", "$rx 1547545")
        .replace("$rx 2675868 |lifileucel|", "$rx 1547545");
    let case = |name: &str, born: &str, expect: &str| {
        format!(
            "[[case]]\nname = \"{name}\"\nwhy = \"-\"\nset = {{ \"pat.birthDate\" = \"{born}\" }}\n\
             expect = {{ {expect} }}\n"
        )
    };
    let adult = case("an adult", "1961-04-17", "determination = \"approve\"");
    let minor = "determination = \"review\", A = \"not-met\"";
    let minor = case("a minor of 15 years", "2011-01-01", minor);
    fs::write(other.join("cases.toml"), format!("{base}{adult}{minor}")).unwrap();
}

#[test]
fn the_cases_of_another_policy_need_no_code() {
    let folder = tempfile::tempdir().unwrap();
    broken_profiles(folder.path(), "plans/carepartners-ct.toml", |it| it + "\n");
    let profiles = folder.path().join("profiles");
    add_policy(&profiles);
    let policy = profiles.join("policies/pembrolizumab");
    for (place, filter) in [(&policy, ""), (&profiles, "a minor of 15")] {
        let output = run(&["policy", "test", place.to_str().unwrap(), "--filter", filter]);
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{}", out(&output));
        let cases = "pembrolizumab/2026-01-01/cases.toml: 2 cases";
        assert!(out(&output).contains(cases), "{}", out(&output));
    }
    // No case stands between the two ages: clause B could be missing, clause A could not.
    // The clauses of the policy beside it do not stand in for its own.
    let rehearsal = Rehearsal::of(&policy, None).unwrap();
    let found = rehearsal.mutations_of(Mutation::is_of_clause).unwrap();
    let survivors: Vec<&str> = found.survivors.iter().map(|it| &*it.what).collect();
    assert_eq!((found.tried, survivors), (4, vec!["clause B left out"]));
    let arguments = ["policy", "test", policy.to_str().unwrap(), "--mutate"];
    let output = run(&arguments);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(out(&output).contains("policy.toml:"), "{}", out(&output));
    assert!(out(&output).contains(": clause B left out\n"), "{}", out(&output));
    // The whole of a list of policies is changed policy by policy.
    let both = Rehearsal::of(&profiles, None).unwrap();
    let found = both.mutations_of(|it| it.what == "clause A inverted").unwrap();
    assert_eq!((found.tried, found.survivors.len()), (1, 0));
    // With a case that fails no change says anything.
    let file = policy.join("2026-01-01/policy.toml");
    let text = fs::read_to_string(&file).unwrap().replace("years = 18", "years = 5");
    fs::write(file, text).unwrap();
    let output = run(&arguments);
    assert_eq!(code(&output), 1);
    assert!(out(&output).contains("1 of 2 cases are answered as they expect"), "{}", out(&output));
    assert!(out(&output).contains("no change was tried"), "{}", out(&output));
}

/// The criteria of somebody who wants members of 120 years.
fn older(text: &str) -> String {
    text.replacen("years = 18", "years = 120", 1)
}

/// Compares the policies of the repository with `older` ones.
fn diff(over: &str, more: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    broken_profiles(folder.path(), &format!("{EDITION}/policy.toml"), |text| older(&text));
    let new = folder.path().join("profiles/policies");
    let mut arguments = vec!["policy", "diff", "profiles", new.to_str().unwrap(), "--over", over];
    arguments.extend(more);
    run(&arguments)
}

const ON: [&str; 2] = ["--as-of", "2026-11-20"];

#[test]
fn the_same_policy_decides_nothing_differently() {
    let arguments = ["policy", "diff", "profiles", "profiles/policies", "--over"];
    for over in ["fixtures/pas", "fixtures/crd", "fixtures/pas/approve-all-met/request.json"] {
        let output = run(&[&arguments[..], &[over], &ON].concat());
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{over}");
        assert_eq!(out(&output).lines().count(), 1, "{over}");
        let total = ": 0 decided differently, 0 decided alike for other reasons; 0 requests not";
        assert!(out(&output).contains(total), "{}", out(&output));
    }
}

#[test]
fn an_item_that_is_decided_differently_is_shown_with_its_clauses() {
    let output = diff("fixtures/pas", &ON);
    assert_eq!((code(&output), err(&output).as_str()), (1, ""), "{}", out(&output));
    let text = out(&output);
    let first = "fixtures/pas/approve-all-met/request.json, item 1: approve becomes review\n  \
                 2 18 years or older: met becomes not-met\n";
    assert!(text.contains(first), "{text}");
    // What no policy speaks of is not subject to either.
    assert!(!text.contains("no-authorization-office-visit"), "{text}");
}

#[test]
fn differences_as_json_have_one_line_each_and_a_total() {
    let output = diff("fixtures/pas", &[&ON[..], &["--format", "json"]].concat());
    assert_eq!(code(&output), 1);
    let mut lines = lines(&output);
    let totals = lines.pop().unwrap()["totals"].clone();
    assert_eq!(totals["differ"], lines.len());
    assert_eq!(totals["not_judged"], 0);
    let decided: Vec<bool> =
        lines.iter().map(|it| it["old"]["determination"] != it["new"]["determination"]).collect();
    assert_eq!(totals["decided_differently"], decided.iter().filter(|it| **it).count());
    assert!(decided.contains(&true) && decided.contains(&false), "{lines:?}");
    for line in &lines {
        assert_eq!(line["sequence"], 1);
        assert_eq!(line["old"]["policy_version"], "2026-01-01");
        let clauses = line["clauses"].as_array().unwrap();
        assert_eq!(clauses.len(), 1, "{line}");
        assert_eq!((&clauses[0]["id"], &clauses[0]["new"]), (&"2".into(), &"not-met".into()));
        assert_ne!(clauses[0]["old"], "not-met");
    }
}

#[test]
fn what_a_server_stored_is_judged_by_our_ids_and_without_a_word_about_the_patient() {
    let server = Server::start();
    let (claim, call) = (fixture("pas/approve-all-met"), fixture("crd/approve-all-met"));
    assert_eq!(server.submit("2.2.1", claim.clone()).status, 200);
    assert_eq!(server.sign("2.2", call).status, 200);
    let case = server.texts("SELECT case_id FROM submission").remove(0);
    let before = server.rows();
    let data = server.data();
    let output = diff(data.to_str().unwrap(), &[]);
    assert_eq!((code(&output), err(&output).as_str()), (1, ""), "{}", out(&output));
    let text = out(&output);
    for request in [format!("case {case}"), "hook call 1".to_owned()] {
        let line = format!("{request}, item 1: approve becomes review");
        assert!(text.contains(&line), "`{line}` is not in {text}");
    }
    assert!(text.contains("2 items of 2 requests: 2 decided differently"), "{text}");
    let claim: serde_json::Value = crate::harness::json(&claim);
    let entries = claim["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    let patients = entries.filter(|resource| resource["resourceType"] == "Patient");
    let families: Vec<&str> =
        patients.filter_map(|patient| patient["name"][0]["family"].as_str()).collect();
    assert!(!families.is_empty());
    for family in families {
        assert!(!text.contains(family), "{family}");
    }
    assert_eq!(server.rows(), before);
}

#[test]
fn a_comparison_that_cannot_be_made_whole_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let over = folder.path().to_str().unwrap();
    let none = diff(over, &[]);
    assert_eq!((code(&none), out(&none).as_str()), (2, ""));
    assert!(err(&none).contains("there is no request in"), "{}", err(&none));
    fs::write(folder.path().join("bad.json"), "{ \"resourceType\": \"Smith\" }").unwrap();
    for (format, words) in [("text", "cannot be read as a request"), ("json", "\"not_judged\":1")] {
        let bad = diff(over, &["--format", format]);
        assert_eq!(code(&bad), 2, "{format}");
        assert!(out(&bad).contains(words) && !out(&bad).contains("Smith"), "{}", out(&bad));
    }
    let missing = run(&["policy", "diff", "profiles", "/nonexistent", "--over", "fixtures/pas"]);
    assert_eq!((code(&missing), out(&missing).as_str()), (2, ""));
    assert!(err(&missing).contains("reading the new policies"), "{}", err(&missing));
}
