//! The command line: what is printed, and how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{json, repository, skipped, stories};
use crate::process::broken_profiles;

pub(crate) fn run(arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_priorauth");
    Command::new(binary).args(arguments).current_dir(repository()).output().unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One JSON object for each line.
pub(crate) fn lines(output: &Output) -> Vec<Value> {
    out(output).lines().map(json).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// What a story's name promises for its items.
fn promised(story: &str) -> Vec<&'static str> {
    let known = ["approve", "pend", "review", "not-subject"];
    match story {
        "mixed-two-orders" => vec!["approve", "not-subject"],
        "no-authorization-office-visit" => vec!["not-subject"],
        _ => vec![known.into_iter().find(|it| story.starts_with(it)).unwrap()],
    }
}

const AS_OF: [&str; 2] = ["--as-of", "2026-11-20"];

fn evaluate(paths: &[&str]) -> Output {
    let mut arguments = vec!["evaluate", "--format", "json"];
    arguments.extend(AS_OF);
    arguments.extend(paths);
    run(&arguments)
}

#[test]
fn each_fixture_gives_one_line_with_the_determination_of_its_name() {
    for area in ["pas", "pas-2.0.1", "crd"] {
        let output = evaluate(&[&format!("fixtures/{area}")]);
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{area}");
        let lines = lines(&output);
        let stories = stories(area);
        assert_eq!(lines.len(), stories.len(), "{area}");
        for (line, story) in lines.iter().zip(stories) {
            assert_eq!(line["file"], format!("fixtures/{area}/{story}/request.json"));
            assert_eq!(line["kind"], if area == "crd" { "cds-hooks" } else { "pas" });
            let items = line["items"].as_array().unwrap();
            let determinations: Vec<&str> =
                items.iter().map(|it| it["determination"].as_str().unwrap()).collect();
            assert_eq!(determinations, promised(&story), "{area}/{story}");
        }
    }
}

#[test]
fn the_names_of_the_contract_are_there_and_the_reasons_are_not_empty() {
    let output = evaluate(&["fixtures/pas", "fixtures/crd"]);
    for line in lines(&output) {
        assert_eq!(keys(&line), ["file", "kind", "items"]);
        for (item, sequence) in line["items"].as_array().unwrap().iter().zip(1..) {
            assert_eq!(item["sequence"], sequence);
            for name in ["policy", "policy_version", "determination", "criteria"] {
                assert!(item.get(name).is_some(), "{name}");
            }
            if !item["policy"].is_null() {
                check_criteria(item);
            }
        }
    }
}

/// rulings 3, 5 and 6
fn check_criteria(item: &Value) {
    let (version, clauses): (&str, &[&str]) = match item["policy"].as_str().unwrap() {
        "amtagvi" => ("2026-01-01", &["1", "2", "3", "4", "5", "6", "L1", "L2", "L3"]),
        "home-oxygen" => ("2023-01-03", &["1", "2", "3"]),
        other => panic!("{other}"),
    };
    assert_eq!(item["policy_version"], version);
    let criteria = item["criteria"].as_array().unwrap();
    let ids: Vec<&str> = criteria.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, clauses);
    for criterion in criteria {
        let because = criterion["because"].as_array().unwrap();
        let needs = criterion["needs"].as_array().unwrap();
        match criterion["truth"].as_str().unwrap() {
            "unknown" => {
                assert!(item["determination"] != "pend" || !needs.is_empty(), "{criterion}");
            }
            "met" | "not-met" => assert!(!because.is_empty(), "{criterion}"),
            other => panic!("{other}"),
        }
        for fact in because {
            assert!(fact["resource"].is_string() && fact["element"].is_string(), "{fact}");
            assert!(fact["date"].is_string() || fact["date"].is_null(), "{fact}");
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_named_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(repository().join("fixtures/pas/approve-all-met/request.json")).unwrap();
    fs::create_dir_all(folder.path().join("b/deeper")).unwrap();
    fs::write(folder.path().join("a.json"), "{").unwrap();
    fs::write(folder.path().join("b/deeper/good.json"), &good).unwrap();
    fs::write(folder.path().join("c.json"), [0xff, 0xfe]).unwrap();
    fs::write(folder.path().join("d.json"), "").unwrap();
    fs::write(folder.path().join("e.txt"), "not looked at").unwrap();
    fs::write(folder.path().join("z.json"), &good).unwrap();
    let missing = folder.path().join("missing.json");
    let paths = [folder.path().to_str().unwrap(), missing.to_str().unwrap()];
    let output = evaluate(&paths);
    assert_eq!((code(&output), err(&output).as_str()), (1, ""));
    let lines = lines(&output);
    let judged: Vec<bool> = lines.iter().map(|it| it.get("items").is_some()).collect();
    assert_eq!(judged, [false, true, false, false, true, false]);
    for line in lines.iter().filter(|it| it.get("items").is_none()) {
        assert_eq!(keys(line), ["file", "error"]);
        assert!(!line["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(lines[5]["file"], paths[1]);
}

#[test]
fn each_bad_fixture_is_refused_with_the_place_of_its_fault() {
    let output = evaluate(&["fixtures/bad"]);
    assert_eq!(code(&output), 1);
    for line in lines(&output) {
        let error = line["error"].as_str().unwrap_or_else(|| panic!("{line} was judged"));
        assert!(error.starts_with("Bundle"), "{line}");
    }
}

#[test]
fn a_request_to_cancel_or_renew_an_authorization_is_for_a_person() {
    let kind = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-certificationType";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("request.json");
    for (code, determination) in [("I", "approve"), ("3", "review"), ("R", "review")] {
        let mut body =
            json(&fs::read_to_string("fixtures/pas/approve-all-met/request.json").unwrap());
        let entries = body["entry"].as_array_mut().unwrap();
        let claim =
            entries.iter_mut().find(|it| it["resource"]["resourceType"] == "Claim").unwrap();
        let extensions = claim["resource"]["item"][0]["extension"].as_array_mut().unwrap();
        extensions.retain(|it| it["url"] != kind);
        let coding = serde_json::json!({
            "system": "https://codesystem.x12.org/005010/1322", "code": code,
        });
        extensions.push(serde_json::json!({
            "url": kind, "valueCodeableConcept": { "coding": [coding] },
        }));
        fs::write(&file, body.to_string()).unwrap();
        let item = &lines(&evaluate(&[file.to_str().unwrap()]))[0]["items"][0];
        assert_eq!(item["determination"], determination, "{code}");
        assert_eq!(item["reasons"].as_array().unwrap().is_empty(), code == "I", "{code}");
    }
}

#[test]
fn the_day_of_judging_is_the_one_that_was_asked_for() {
    let story = "fixtures/pas/approve-all-met/request.json";
    for (day, determination) in [("2026-11-20", "approve"), ("2027-11-20", "approve")] {
        let output = run(&["evaluate", "--format", "json", "--as-of", day, story]);
        assert_eq!(lines(&output)[0]["items"][0]["determination"], determination, "{day}");
    }
    for day in ["2026-02-30", "tomorrow", ""] {
        let output = run(&["evaluate", "--as-of", day, story]);
        assert_eq!(code(&output), 2, "{day}");
        assert!(err(&output).contains("--as-of"), "{}", err(&output));
    }
}

#[test]
fn the_text_for_people_names_every_clause() {
    let mut arguments = vec!["evaluate"];
    arguments.extend(AS_OF);
    arguments.push("fixtures/pas/pend-braf-unknown");
    let output = run(&arguments);
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
    let text = out(&output);
    assert!(text.contains("item 1: pend by amtagvi of 2026-01-01"), "{text}");
    for clause in ["1", "6", "L1", "L3"] {
        let stands = text.lines().any(|line| line.trim_start().starts_with(&format!("{clause} ")));
        assert!(stands, "{clause}: {text}");
    }
    assert!(text.contains("5  unknown"), "{text}");
    // One line for the file, one for the item, one for each clause: `explain` says why.
    assert_eq!(text.lines().count(), 11, "{text}");
}

fn explain(file: &str, more: &[&str]) -> Output {
    run(&[&["explain"][..], &AS_OF, more, &[file]].concat())
}

#[test]
fn an_explanation_says_what_was_asked_what_was_found_and_what_is_missing() {
    let output = explain("fixtures/pas/pend-braf-unknown/request.json", &[]);
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
    let text = out(&output);
    for words in [
        "Item 1: Amtagvi bag, 125 mL (73776000111); lifileucel (2675868)\n",
        "  Requested on 2026-11-20, for 2026-12-10\n",
        "that is the date of service of the item (Claim/claim-1002, Claim.item[0].serviced[x])\n",
        "  Policy: Amtagvi (lifileucel), edition in force from 2026-01-01\n",
        "  It cannot be decided yet: ",
        "  1 shown: unresectable or metastatic melanoma\n    The records document melanoma",
        "(medication record MedicationStatement/pembrolizumab-1002, MedicationStatement.statusReason, \
         2024-06-03)",
        "- not counted: before the first dose (diagnosis record Condition/lung-secondary-1002, ",
        "  5 not known: BRAF V600 negative, ",
        "    - asked: Criterion 5: we found no BRAF V600 result.",
        "No record of the request was left out.",
    ] {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let review = out(&explain("fixtures/pas/review-in-situ-only/request.json", &[]));
    for words in [
        "A person at the plan decides: ",
        "    1 unresectable or metastatic melanoma: not met\n",
        "  1 disproven: ",
        "  L1 not known, for a person to judge: ",
    ] {
        assert!(review.contains(words), "`{words}` is not in {review}");
    }
    let free = out(&explain("fixtures/pas/no-authorization-office-visit/request.json", &[]));
    assert!(free.contains("The plan has no policy on this; nothing was judged."), "{free}");
}

#[test]
fn an_explanation_names_what_was_left_out_of_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut request = json(&crate::harness::fixture("pas/approve-all-met"));
    for entry in request["entry"].as_array_mut().unwrap() {
        let resource = &mut entry["resource"];
        if resource["id"].as_str().is_some_and(|id| id.starts_with("stage-")) {
            resource["subject"] = serde_json::json!({ "reference": "Patient/somebody-else" });
        }
    }
    let file = folder.path().join("request.json");
    fs::write(&file, request.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let text = out(&explain(file, &[]));
    let left_out = text.split("Left out, and not judged by any clause:\n").nth(1).unwrap();
    assert!(left_out.trim_start().starts_with("Observation/stage-"), "{text}");
    let whole = &lines(&explain(file, &["--format", "json"]))[0];
    let resource = whole["left_out"][0]["resource"].as_str().unwrap();
    assert!(resource.starts_with("Observation/stage-"), "{whole}");
    assert!(!whole["left_out"][0]["why"].as_str().unwrap().is_empty());
}

#[test]
fn an_explanation_as_json_is_what_evaluate_says_and_more() {
    for story in ["pas/review-in-situ-only", "pas/pend-braf-unknown", "crd/mixed-two-orders"] {
        let file = format!("fixtures/{story}/request.json");
        let explained = &lines(&explain(&file, &["--format", "json"]))[0];
        let evaluated = &lines(&evaluate(&[&file]))[0];
        assert_eq!(keys(explained), ["file", "kind", "items", "left_out"], "{story}");
        let items = evaluated["items"].as_array().unwrap();
        assert_eq!(explained["items"].as_array().unwrap().len(), items.len(), "{story}");
        for (more, item) in explained["items"].as_array().unwrap().iter().zip(items) {
            for name in ["sequence", "policy", "policy_version", "determination", "reasons"] {
                assert_eq!(more[name], item[name], "{story}: {name}");
            }
            let criteria = item["criteria"].as_array().unwrap();
            for (more_of_it, criterion) in more["criteria"].as_array().unwrap().iter().zip(criteria)
            {
                for name in keys(criterion) {
                    assert_eq!(more_of_it[name], criterion[name], "{story}: {name}");
                }
                assert!(!more_of_it["words"].as_str().unwrap().is_empty());
                for fact in criterion["because"].as_array().unwrap() {
                    let kind = &more["records"][fact["resource"].as_str().unwrap()];
                    assert!(kind.is_string(), "{story}: {fact}");
                }
            }
            assert!(more["service_date"]["origin"].is_string(), "{story}");
        }
    }
}

#[test]
fn what_cannot_be_explained_is_named() {
    for (file, words) in [
        ("fixtures/bad/missing-patient.json", "cannot be explained: Bundle"),
        ("/nonexistent", "cannot be explained: the file cannot be read"),
        ("fixtures", "one file is explained at a time"),
    ] {
        let output = explain(file, &[]);
        assert_eq!((code(&output), out(&output).as_str()), (1, ""), "{file}");
        assert!(err(&output).contains(words), "`{words}` is not in {}", err(&output));
    }
}

#[test]
fn the_demo_shows_each_of_the_four_determinations() {
    let output = run(&["demo"]);
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
    let text = out(&output);
    for word in ["approve", "pend", "review", "not-subject"] {
        assert!(text.split_whitespace().any(|it| it == word), "{word}");
    }
}

#[test]
fn a_sound_policy_folder_is_described_from_each_of_its_levels() {
    let edition = "profiles/policies/amtagvi/2025-01-01";
    for folder in ["profiles", "profiles/policies", "profiles/policies/amtagvi", edition] {
        let output = run(&["policy", "check", folder]);
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{folder}");
        assert!(out(&output).contains("policy amtagvi: 4 editions"), "{folder}");
        assert!(out(&output).contains("2026-01-01: 9 clauses"), "{folder}");
    }
    for folder in ["/nonexistent", "profiles/plans", "fixtures"] {
        let output = run(&["policy", "check", folder]);
        assert_eq!(code(&output), 1, "{folder}");
        assert!(!err(&output).is_empty() && out(&output).is_empty(), "{folder}");
    }
}

/// What is broken: the file, the change, and what is said of it.
type Broken = (&'static str, fn(String) -> String, &'static [&'static str]);

#[test]
fn each_mistake_of_a_policy_is_named_by_file_line_and_clause() {
    let policy = "policies/amtagvi/2026-01-01/policy.toml";
    let broken: &[Broken] = &[
        (
            policy,
            |it| it.replacen("\ntitle", "\ntitel", 1),
            &["2026-01-01/policy.toml:7: ", "titel"],
        ),
        (
            policy,
            |it| it.replacen("\"mek\"", "\"mekk\"", 1),
            &["policy.toml:", "clause 5", "`mekk`"],
        ),
        (
            policy,
            |it| it.replacen("id = \"L2\"", "id = \"L1\"", 1),
            &["clause L1", "the id stands in line"],
        ),
        (
            policy,
            |it| it.replacen("\nquestionnaire = ", "\n# questionnaire = ", 1),
            &["clause 1: `1.unresectable`", "names no `questionnaire`"],
        ),
        (
            policy,
            |it| it.replacen("\"11502-2\"", "\"11502-1\"", 1),
            &["clause 5", "`11502-1`", "check digit"],
        ),
        (
            policy,
            |it| it.replacen("report = \"PY\"", "report = \"physician\"", 1),
            &["clause 1", "`physician`", "X12 755"],
        ),
        (
            "policies/home-oxygen/2023-01-03/policy.toml",
            |it| {
                it.replacen("\nquestionnaire = ", "\n# questionnaire = ", 1)
                    .replacen("52053-6", "102089-0", 1)
            },
            &["clause 1: it asks for the questionnaire, and the edition names none"],
        ),
        (
            policy,
            |it| it.replacen("proves = \"judgement\"", "proves = \"extent\"", 1),
            &["clause 4: `4.failed`", "never asks"],
        ),
        (
            policy,
            |it| it.replacen("effective = \"2026-01-01\"", "effective = \"2026-13-01\"", 1),
            &["2026-01-01/policy.toml:10: `effective`"],
        ),
        (
            "policies/amtagvi/2025-01-01/policy.toml",
            |it| it.replacen("renews = \"2026-01-01\"", "renews = \"2020-01-01\"", 1),
            &["2025-01-01/policy.toml:8: `renews`", "2020-01-01"],
        ),
        (
            "policies/amtagvi/2026-01-01/treatment-centers.csv",
            |it| it.replacen("1234567893", "1234567890", 1),
            &["treatment-centers.csv:2: ", "check digit"],
        ),
        (
            "policies/amtagvi/2026-01-01/valuesets/mek.json",
            |it| it.replacen('{', "{{", 1),
            &["policy.toml:", "clause 5", "value set `mek`", "line 1"],
        ),
    ];
    for (file, change, expected) in broken {
        let folder = tempfile::tempdir().unwrap();
        broken_profiles(folder.path(), file, change);
        let policies = folder.path().join("profiles/policies");
        let output = run(&["policy", "check", policies.to_str().unwrap()]);
        assert_eq!(code(&output), 1, "{file}");
        for words in *expected {
            assert!(err(&output).contains(words), "`{words}` is not in {}", err(&output));
        }
        // The same stops an evaluation.
        let profiles = folder.path().join("profiles");
        let profiles = ["evaluate", "--profiles", profiles.to_str().unwrap(), "fixtures/pas"];
        assert_eq!(code(&run(&profiles)), 1, "{file}");
    }
}

#[test]
fn a_value_set_that_is_gone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    broken_profiles(folder.path(), "plans/carepartners-ct.toml", |it| it + "\n");
    let policies = folder.path().join("profiles/policies");
    fs::remove_file(policies.join("amtagvi/2026-01-01/valuesets/mek.json")).unwrap();
    let output = run(&["policy", "check", policies.to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("clause 5: there is no value set `mek`"), "{}", err(&output));
}

#[test]
fn a_reader_who_goes_away_ends_a_command_quietly() {
    const EXPLAIN: &str = "explain fixtures/pas/approve-all-met/request.json";
    const DIFF: &str = "policy diff profiles profiles --over fixtures/pas --format json";
    let commands =
        ["evaluate --format json fixtures", "demo", "policy check profiles", DIFF, EXPLAIN];
    for command in commands {
        // The reader is gone before the first word is written.
        let script = format!("\"$0\" {command} | true; \"$0\" {command} | head -c 10");
        let binary = env!("CARGO_BIN_EXE_priorauth");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, binary]).current_dir(repository());
        let output = shell.output().unwrap();
        assert_eq!(err(&output), "", "{command}");
    }
}

/// Every Bundle and hook request below a folder.
fn requests(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            requests(&path, found);
        } else if path.extension().is_some_and(|it| it == "json") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let Ok(value) = serde_json::from_str::<Value>(&text) else { continue };
            if value["resourceType"] == "Bundle" || value.get("hook").is_some() {
                found.push(path);
            }
        }
    }
}

#[test]
fn a_folder_shows_its_progress_on_a_terminal_and_nowhere_else() {
    // `script` gives the command a terminal; what it shows there is more than the results.
    let binary = env!("CARGO_BIN_EXE_priorauth");
    let command = format!("{binary} evaluate --format json fixtures/pas >/dev/null");
    let on_a_terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .current_dir(repository())
        .output();
    let Ok(on_a_terminal) = on_a_terminal else {
        return skipped("`script` is missing");
    };
    assert!(out(&on_a_terminal).contains("files"), "{on_a_terminal:?}");
    assert_eq!(err(&evaluate(&["fixtures/pas"])), "");
}

#[test]
fn every_request_in_the_guides_packages_is_judged_or_precisely_refused() {
    let packages = repository().join("../shared/ig");
    if !packages.is_dir() {
        return skipped("../shared/ig is absent");
    }
    let folder = tempfile::tempdir().unwrap();
    for package in fs::read_dir(packages).unwrap().map(|it| it.unwrap().path()) {
        let name = package.file_name().unwrap().to_string_lossy().into_owned();
        let is_package = package.extension().is_some_and(|it| it == "tgz");
        if !is_package {
            continue;
        }
        let target = folder.path().join(&name);
        fs::create_dir(&target).unwrap();
        let unpacked = Command::new("tar").arg("xzf").arg(&package).arg("-C").arg(&target).status();
        assert!(unpacked.unwrap().success(), "{name}");
    }
    let mut files = Vec::new();
    requests(folder.path(), &mut files);
    assert!(files.len() > 10, "{}", files.len());
    let paths: Vec<&str> = files.iter().map(|it| it.to_str().unwrap()).collect();
    let output = evaluate(&paths);
    assert!([0, 1].contains(&code(&output)), "{}", err(&output));
    assert_eq!(err(&output), "");
    let lines = lines(&output);
    assert_eq!(lines.len(), files.len());
    let mut judged = 0;
    for line in &lines {
        let Some(items) = line["items"].as_array() else {
            let error = line["error"].as_str().unwrap();
            assert!(error.contains(": ") || error.starts_with('`'), "{line}");
            continue;
        };
        judged += 1;
        for item in items {
            // Nobody in the guides' examples is a member with a proven melanoma.
            assert_ne!(item["determination"], "approve", "{line}");
        }
    }
    println!("{judged} of {} requests were judged, the others refused", files.len());
    for line in lines.iter().filter(|it| it.get("items").is_none()) {
        println!(
            "{}: {}",
            line["file"].as_str().unwrap().rsplit('/').next().unwrap(),
            line["error"]
        );
    }
}
