//! The documentation is true: generated pages are what the code makes, hand-written pages name
//! every key, path and test that they speak of, and links lead somewhere.
//!
//! `UPDATE_DOCS=1 cargo test --test it docs` writes the generated pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use priorauth::cli::Arguments;
use priorauth::cli::policy_test::Rehearsal;
use priorauth::config::Config;
use priorauth::policy::read::{Files, read};
use priorauth::service::scenario::Scenarios;
use serde_json::Value;

const GENERATED: &str = "<!-- generated: UPDATE_DOCS=1 cargo test --test it docs -->";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a generated page with what is there, or writes it.
#[track_caller]
fn check(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(repository().join(path), expected).unwrap();
        return;
    }
    let there = page(path);
    let differs = there.lines().zip(expected.lines()).find(|(there, expected)| there != expected);
    assert!(
        there == expected,
        "{path} is not what the code makes; write it with UPDATE_DOCS=1. First difference: \
         {differs:?}"
    );
}

#[test]
fn the_page_of_the_command_line_is_its_help() {
    let mut command = Arguments::command();
    command.build();
    let mut text =
        format!("# Command line\n\n{GENERATED}\n\nEvery command, as its `--help` says it.\n");
    write_help(&mut text, "priorauth", &mut command);
    check("docs/reference/command-line.md", &text);
}

fn write_help(text: &mut String, path: &str, command: &mut clap::Command) {
    // What stands in the caller's environment is no part of the page.
    let ids: Vec<String> = command.get_arguments().map(|it| it.get_id().to_string()).collect();
    for id in ids {
        *command = command.clone().mut_arg(id, |argument| argument.hide_env_values(true));
    }
    let help = command.render_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    write!(text, "\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n")).unwrap();
    for inner in command.get_subcommands_mut().filter(|it| it.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name());
        write_help(text, &path, inner);
    }
}

#[test]
fn the_page_of_each_policy_is_the_policy() {
    let policies = repository().join("profiles/policies");
    let names = names_in(&policies);
    assert!(!names.is_empty(), "no policy was found");
    for name in names {
        let text = policy_page(&policies.join(&name), &name);
        check(&format!("docs/reference/policies/{name}.md"), &text);
    }
}

#[test]
fn the_page_of_mutations_lists_every_change_that_no_case_notices() {
    let mut text = format!(
        "# Changes that no case notices\n\n{GENERATED}\n\n\
         `priorauth policy test --mutate` changes one thing of a policy at a time and asks the \
         cases beside it.\n\
         A change below would pass unseen: no case needs that number, code or word.\n\
         Each is a case that is still to be written, or a word that another one covers.\n"
    );
    let policies = repository().join("profiles/policies");
    for name in names_in(&policies) {
        let mutations = Rehearsal::of(&policies.join(&name), None).unwrap().mutations().unwrap();
        let (tried, survivors) = (mutations.tried, mutations.survivors.len());
        assert!(tried > survivors, "the cases of {name} notice nothing");
        write!(
            text,
            "\n## Policy `{name}`\n\n\
             Of {tried} changes, the cases notice {}; {} more cannot be read as a policy.\n\
             These {survivors} are noticed by none:\n",
            tried - survivors - mutations.refused,
            mutations.refused
        )
        .unwrap();
        let mut file = String::new();
        for mutation in mutations.survivors {
            if mutation.file != file {
                file.clone_from(&mutation.file);
                write!(text, "\n`{file}`:\n\n").unwrap();
            }
            writeln!(text, "- {}", mutation.what).unwrap();
        }
    }
    check("docs/reference/mutations.md", &text);
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn policy_page(folder: &Path, name: &str) -> String {
    let editions: Vec<(String, toml::Table)> = names_in(folder)
        .into_iter()
        .map(|day| {
            let file = folder.join(&day).join("policy.toml");
            (day, fs::read_to_string(file).unwrap().parse().unwrap())
        })
        .collect();
    let title = string(&editions.last().unwrap().1, "title");
    let mut text = format!(
        "# Policy `{name}`: {title}\n\n{GENERATED}\n\n\
         What the policy's folder says, for people: `profiles/policies/{name}/`.\n\
         The words are ours; the source document is named below.\n\n\
         ## Editions\n\n| in force from | content | product lines |\n|---|---|---|\n"
    );
    for (day, edition) in &editions {
        let content = if let Some(renewed) = edition.get("renews").and_then(toml::Value::as_str) {
            format!("the text of {renewed}")
        } else if edition.contains_key("text") {
            "not on file: a person judges".to_owned()
        } else {
            "a text of its own".to_owned()
        };
        let lines: Vec<String> = strings(edition.get("lines").unwrap());
        writeln!(text, "| {day} | {content} | {} |", lines.join(", ")).unwrap();
    }
    for (day, edition) in editions.iter().filter(|(_, edition)| edition.contains_key("clause")) {
        write_edition(&mut text, &folder.join(day), day, edition);
    }
    text
}

fn write_edition(text: &mut String, folder: &Path, day: &str, edition: &toml::Table) {
    writeln!(text, "\n## Edition of {day}\n").unwrap();
    for (key, value) in edition["source"].as_table().unwrap() {
        writeln!(text, "- {key}: {}", value.as_str().unwrap()).unwrap();
    }
    for (title, key) in [("The product", "product"), ("The disease", "disease")] {
        let Some(table) = edition.get(key).and_then(toml::Value::as_table) else { continue };
        writeln!(text, "\n### {title}\n\n| key | value sets or words |\n|---|---|").unwrap();
        for (key, value) in table {
            writeln!(text, "| `{key}` | {} |", strings(value).join(", ")).unwrap();
        }
    }
    for clause in edition["clause"].as_array().unwrap() {
        write_clause(text, folder, clause.as_table().unwrap());
    }
    write_cards(text, edition);
    write_registry(text, folder);
    write_value_sets(text, folder);
}

fn write_cards(text: &mut String, edition: &toml::Table) {
    let Some(cards) = edition.get("card").and_then(toml::Value::as_array) else { return };
    text.push_str("\n### Cards\n\n| card | shows | when | says |\n|---|---|---|---|\n");
    for card in cards.iter().filter_map(toml::Value::as_table) {
        let (kind, id) = (string(card["shows"].as_table().unwrap(), "kind"), string(card, "id"));
        let when = card.get("when").and_then(toml::Value::as_table).map_or_else(
            || "always".to_owned(),
            |when| format!("clause {} is {}", string(when, "clause"), string(when, "truth")),
        );
        writeln!(text, "| `{id}` | `{kind}` | {when} | {} |", string(card, "summary")).unwrap();
    }
}

fn write_clause(text: &mut String, folder: &Path, clause: &toml::Table) {
    let condition = clause["condition"].as_table().unwrap();
    let kind = match string(clause, "kind") {
        "criterion" => "criterion: it must hold",
        "limitation" => "limitation: it must not apply",
        other => panic!("`{other}` is no kind of clause"),
    };
    writeln!(text, "\n### {}: {}\n", string(clause, "id"), string(clause, "title")).unwrap();
    writeln!(text, "{}\n", string(clause, "words")).unwrap();
    writeln!(text, "- A {kind}.").unwrap();
    writeln!(text, "- Source: {}.", string(clause, "section")).unwrap();
    writeln!(text, "- Kind of condition: {}.", parts(condition)).unwrap();
    let mut ranges = Vec::new();
    ranges_in(condition, &mut ranges);
    for range in &ranges {
        writeln!(text, "- {range}.").unwrap();
    }
    let mut numbers = Vec::new();
    numbers_in(condition, &mut numbers);
    if !numbers.is_empty() {
        writeln!(text, "- Numbers: {}.", numbers.join(", ")).unwrap();
    }
    let mut sets = BTreeSet::new();
    sets_in(&toml::Value::Table(condition.clone()), folder, &mut sets);
    if !sets.is_empty() {
        let sets: Vec<String> = sets.iter().map(|set| format!("`{set}`")).collect();
        writeln!(text, "- Value sets: {}.", sets.join(", ")).unwrap();
    }
    writeln!(text, "\n| asked under | question |\n|---|---|").unwrap();
    for (key, question) in clause["asks"].as_table().unwrap() {
        writeln!(text, "| `{key}` | {} |", cell(question.as_str().unwrap())).unwrap();
    }
    for (key, question) in own_asks(condition) {
        writeln!(text, "| `{key} | {} |", cell(&question)).unwrap();
    }
}

fn numbers_in(table: &toml::Table, numbers: &mut Vec<String>) {
    // The numbers of a test stand with its unit.
    if table.contains_key("unit") {
        return;
    }
    for (key, value) in table {
        match value {
            toml::Value::Integer(number) => numbers.push(format!("`{key}` = {number}")),
            toml::Value::Table(inner) => numbers_in(inner, numbers),
            toml::Value::Array(items) => {
                items
                    .iter()
                    .filter_map(toml::Value::as_table)
                    .for_each(|it| numbers_in(it, numbers));
            }
            _ => {}
        }
    }
}

/// What a condition of conditions is made of: `any of: measurement; not: measurement`.
fn parts(condition: &toml::Table) -> String {
    let kind = string(condition, "kind");
    let of = match condition.get("of") {
        None => return format!("`{kind}`"),
        Some(toml::Value::Array(parts)) => parts.iter().filter_map(toml::Value::as_table).collect(),
        Some(part) => vec![part.as_table().unwrap()],
    };
    let of: Vec<String> = of.into_iter().map(parts).collect();
    format!("`{kind}` ({})", of.join(", "))
}

/// The thresholds of the tests in a condition, each with its unit.
fn ranges_in(condition: &toml::Table, ranges: &mut Vec<String>) {
    if let Some(unit) = condition.get("unit") {
        let said = |key: &str| match condition.get(key)? {
            toml::Value::Integer(number) => Some(format!("`{key}` {number}")),
            number => Some(format!("`{key}` {}", number.as_str()?)),
        };
        let keys = ["at_least", "at_most", "doubtful_within", "plausible_from", "plausible_to"];
        let said: Vec<String> = keys.iter().filter_map(|key| said(key)).collect();
        let name = string(condition, "name");
        ranges.push(format!("{name}, in `{}`: {}", unit.as_str().unwrap(), said.join(", ")));
        return;
    }
    for value in condition.values() {
        match value {
            toml::Value::Table(inner) => ranges_in(inner, ranges),
            toml::Value::Array(items) => {
                items.iter().filter_map(toml::Value::as_table).for_each(|it| ranges_in(it, ranges));
            }
            _ => {}
        }
    }
}

/// The questions that parts of a condition have of their own.
fn own_asks(condition: &toml::Table) -> Vec<(String, String)> {
    let mut asks = Vec::new();
    if let Some(own) = condition.get("asks").and_then(toml::Value::as_table) {
        let name = condition.get("name").and_then(toml::Value::as_str);
        let name = name.unwrap_or(string(condition, "kind"));
        for (key, text) in own {
            asks.push((format!("{key}`, of {name}"), text.as_str().unwrap().to_owned()));
        }
    }
    let of = match condition.get("of") {
        Some(toml::Value::Array(parts)) => parts.iter().filter_map(toml::Value::as_table).collect(),
        Some(part) => vec![part.as_table().unwrap()],
        None => Vec::new(),
    };
    asks.extend(of.into_iter().flat_map(own_asks));
    asks
}

/// The value sets that are named below; `name` and `names` are words.
fn sets_in(value: &toml::Value, folder: &Path, sets: &mut BTreeSet<String>) {
    match value {
        toml::Value::String(word) if folder.join(format!("valuesets/{word}.json")).exists() => {
            sets.insert(word.clone());
        }
        toml::Value::Array(items) => items.iter().for_each(|it| sets_in(it, folder, sets)),
        toml::Value::Table(table) => {
            for (_, value) in table.iter().filter(|(key, _)| *key != "name" && *key != "names") {
                sets_in(value, folder, sets);
            }
        }
        _ => {}
    }
}

fn write_registry(text: &mut String, folder: &Path) {
    let Ok(mut reader) = csv::Reader::from_path(folder.join("treatment-centers.csv")) else {
        return;
    };
    text.push_str("\n### Qualified places\n\n");
    let headers: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    writeln!(text, "| {} |\n|{}", headers.join(" | "), "---|".repeat(headers.len())).unwrap();
    for row in reader.records() {
        let cells: Vec<String> = row.unwrap().iter().map(cell).collect();
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
}

fn write_value_sets(text: &mut String, folder: &Path) {
    text.push_str("\n### Value sets\n\n| value set | codes | what it holds |\n|---|---|---|\n");
    for file in names_in(&folder.join("valuesets")) {
        let set = fs::read_to_string(folder.join("valuesets").join(&file)).unwrap();
        let set: Value = serde_json::from_str(&set).unwrap();
        let mut codes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for include in set["compose"]["include"].as_array().unwrap() {
            let system = include["system"].as_str().unwrap();
            let short = SYSTEMS.iter().find(|(uri, _)| *uri == system).map_or(system, |it| it.1);
            let (single, categories) = codes.entry(short).or_default();
            *single += include["concept"].as_array().map_or(0, Vec::len);
            *categories += include["filter"].as_array().map_or(0, Vec::len);
        }
        let mut counts = Vec::new();
        for (system, (single, categories)) in codes {
            if single > 0 {
                counts.push(format!("{single} {system}"));
            }
            if categories > 0 {
                counts.push(format!("{categories} {system} categories"));
            }
        }
        let (id, holds) = (set["id"].as_str().unwrap(), set["description"].as_str().unwrap());
        writeln!(text, "| `{id}` | {} | {} |", counts.join(", "), cell(holds)).unwrap();
    }
}

const SYSTEMS: &[(&str, &str)] = &[
    ("http://cancerstaging.org", "AJCC"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "ICD-10-CM"),
    ("http://hl7.org/fhir/sid/ndc", "NDC"),
    ("http://loinc.org", "LOINC"),
    ("http://nucc.org/provider-taxonomy", "NUCC"),
    ("http://snomed.info/sct", "SNOMED CT"),
    ("http://terminology.hl7.org/CodeSystem/icd-o-3", "ICD-O-3"),
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "ActCode"),
    ("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "interpretation"),
    ("http://varnomen.hgvs.org", "HGVS"),
    ("http://www.ama-assn.org/go/cpt", "CPT"),
    ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "HCPCS"),
    ("http://www.cms.gov/Medicare/Coding/ICD10", "ICD-10-PCS"),
    ("http://www.genenames.org", "HGNC"),
    ("http://www.genenames.org/geneId", "HGNC (older URI)"),
    ("http://www.ncbi.nlm.nih.gov/clinvar", "ClinVar"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "RxNorm"),
    ("http://www.whocc.no/atc", "ATC"),
    (
        "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set",
        "place of service",
    ),
    ("https://www.ncbi.nlm.nih.gov/gene", "NCBI Gene"),
];

fn string<'t>(table: &'t toml::Table, key: &str) -> &'t str {
    table[key].as_str().unwrap()
}

/// A string or a list of strings.
fn strings(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::String(text) => vec![text.clone()],
        toml::Value::Array(items) => items.iter().flat_map(strings).collect(),
        other => panic!("{other:?} is no text"),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The names that an error about the unknown key `zzz` says could stand there.
fn expected_names(error: &str) -> Vec<String> {
    error.split('`').skip(1).step_by(2).filter(|name| *name != "zzz").map(str::to_owned).collect()
}

#[track_caller]
fn names_every_key(path: &str, error: &str, some: &str) {
    let keys = expected_names(error);
    assert!(keys.iter().any(|key| key == some), "`{some}` is not in: {error}");
    let text = page(path);
    for key in keys {
        assert!(text.contains(&format!("`{key}`")), "{path} does not name `{key}`");
    }
}

#[test]
fn every_key_of_the_settings_is_described_and_the_examples_are_read() {
    let path = "docs/reference/configuration.md";
    for (text, some) in [("zzz = 1", "public_base"), ("[[clients]]\nzzz = 1", "key_set")] {
        let error = Config::parse("c.toml", Path::new(""), text).unwrap_err().to_string();
        names_every_key(path, &error, some);
    }
    for path in [path, "docs/how-to/run-a-server.md"] {
        let examples = blocks(&page(path), "toml");
        assert!(!examples.is_empty(), "{path} has no example");
        for example in examples.iter().filter(|it| !it.starts_with("[members.")) {
            Config::parse(path, Path::new(""), example).unwrap();
        }
    }
}

/// Reads a file of sandbox scenarios with this text.
fn read_scenarios(text: &str) -> Result<Scenarios, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenarios.toml");
    fs::write(&file, text).unwrap();
    let config = Config { scenarios: Some(file), ..Config::default() };
    config.read_scenarios().map_err(|error| error.to_string())
}

#[test]
fn every_key_of_the_scenarios_is_described_and_the_examples_are_read() {
    let path = "docs/reference/configuration.md";
    names_every_key(path, &read_scenarios("[members.A]\noutcome = \"zzz\"").unwrap_err(), "pend");
    for (outcome, some) in [("deny", "reason_codes"), ("pend", "finalize"), ("modify", "quantity")]
    {
        let text = format!("[members.A]\noutcome = \"{outcome}\"\nzzz = 1");
        names_every_key(path, &read_scenarios(&text).unwrap_err(), some);
    }
    let examples = blocks(&page(path), "toml");
    let examples: Vec<_> = examples.iter().filter(|it| it.starts_with("[members.")).collect();
    assert!(!examples.is_empty());
    for example in examples {
        read_scenarios(example).unwrap();
    }
}

fn blocks(text: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    text.split(&start)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_key_of_a_policy_is_described() {
    let path = "docs/reference/policy-file.md";
    let error_of = |toml: String| {
        let files: Files = [("p/2026-01-01/policy.toml".to_owned(), toml)].into_iter().collect();
        read(&files).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    names_every_key(path, &error_of("zzz = 1".to_owned()), "effective");
    names_every_key(path, &error_of("[product]\nzzz = 1".to_owned()), "unclassified");
    names_every_key(path, &error_of("[disease]\nzzz = 1".to_owned()), "metastatic");
    names_every_key(path, &error_of("[[clause]]\nzzz = 1".to_owned()), "section");
    let condition = |rest: &str| error_of(format!("[[clause]]\n[clause.condition]\n{rest}"));
    let kinds = condition("kind = \"zzz\"");
    names_every_key(path, &kinds, "one-dose");
    for (kind, some) in [
        ("age-at-service", "years"),
        ("prescriber-specialty", "enough"),
        ("failed-therapy", "agents"),
        ("biomarker-or-therapy", "assay"),
        ("site-in-registry", "ruled_out"),
        ("one-dose", "most_containers"),
        ("excluded-state", "absent_days"),
        ("measurement", "free_of"),
        ("documented-diagnosis", "codes"),
        ("all", "of"),
        ("any", "of"),
        ("not", "of"),
    ] {
        names_every_key(path, &condition(&format!("kind = \"{kind}\"\nzzz = 1")), some);
    }
    names_every_key(path, &error_of("[[card]]\nzzz = 1".to_owned()), "shows");
    names_every_key(path, &error_of("[[card]]\n[card.when]\nzzz = 1".to_owned()), "clause");
    let shows = |rest: &str| error_of(format!("[[card]]\n[card.shows]\n{rest}"));
    names_every_key(path, &shows("kind = \"zzz\""), "additional-orders");
    for (kind, some) in [
        ("external-reference", "url"),
        ("smart-app", "context"),
        ("form", "questionnaire"),
        ("alternate-request", "is_required"),
        ("additional-orders", "orders"),
        ("coverage-update", "change"),
    ] {
        names_every_key(path, &shows(&format!("kind = \"{kind}\"\nzzz = 1")), some);
    }
    names_every_key(
        path,
        &shows("kind = \"additional-orders\"\n[[card.shows.orders]]\nzzz = 1"),
        "resource",
    );
    let measurement = |rest: &str| condition(&format!("kind = \"measurement\"\n{rest}"));
    names_every_key(path, &measurement("[[clause.condition.tests]]\nzzz = 1"), "doubtful_within");
    names_every_key(path, &measurement("[clause.condition.free_of]\nzzz = 1"), "silence");
    let biomarker = |rest: &str| condition(&format!("kind = \"biomarker-or-therapy\"\n{rest}"));
    names_every_key(path, &biomarker("[clause.condition.assay]\nzzz = 1"), "liquid_words");
    names_every_key(
        path,
        &biomarker("[clause.condition.assay.phrases]\nzzz = 1"),
        "narrow_negative",
    );
}

#[test]
fn every_path_of_the_router_is_described() {
    let (router, text) = (page("src/http.rs"), page("docs/reference/http.md"));
    let paths: Vec<&str> =
        router.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(paths.len() > 5, "the router was not found");
    for path in paths {
        assert!(text.contains(&format!("`{path}`")), "docs/reference/http.md: `{path}`");
    }
}

fn below(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, extension, found);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repository().join("README.md"), repository().join("fixtures/README.md")];
    below(&repository().join("docs"), "md", &mut pages);
    pages
}

#[test]
fn every_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") || file.contains(char::is_whitespace) {
                continue;
            }
            if !page.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_is_on_the_map() {
    let map = page("docs/README.md");
    let docs = repository().join("docs");
    for page in pages().iter().filter_map(|page| page.strip_prefix(&docs).ok()) {
        let name = page.to_string_lossy();
        assert!(name == "README.md" || map.contains(&*name), "docs/README.md has no {name}");
    }
}

#[test]
fn every_test_that_the_ledger_names_is_there() {
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        below(&repository().join(folder), "rs", &mut sources);
    }
    let sources: String = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let ledger = page("docs/conformance.md");
    let named = ledger.split('`').skip(1).step_by(2).filter(|word| {
        word.matches('_').count() >= 2
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    });
    let named: BTreeSet<&str> = named.collect();
    assert!(named.len() > 10, "the ledger names hardly a test");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "docs/conformance.md: `{name}`");
    }
}
