//! The tools of somebody who changes a policy: `policy test`.

use priorauth::cli::policy_test::Rehearsal;
use priorauth::rehearsal::mutation::{self, Mutation};

use crate::command_line::{code, err, out, run};
use crate::harness::repository;
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
    // With the policy in this state no change of it says anything.
    let (code, out, _) = test_changed(&policy, change, &["--filter", "birthday", "--mutate"]);
    assert_eq!(code, 1);
    assert!(out.contains("no change was tried"), "{out}");
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
fn every_change_leaves_a_policy_that_can_be_read() {
    let folder = repository().join("profiles/policies");
    let files = priorauth::profiles::files_below(&folder).unwrap();
    let changes = mutation::all(&files, "amtagvi/");
    assert!(changes.len() > 200, "{} changes", changes.len());
    for change in changes {
        let changed = change.applied(&files);
        let text = &changed[&change.file];
        if change.file.ends_with(".toml") {
            assert!(text.parse::<toml::Table>().is_ok(), "{}: {text}", change.what);
        }
    }
}
