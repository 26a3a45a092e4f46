//! The policy's value sets are what the code table makes of them.
//!
//! `UPDATE_VALUE_SETS=1 cargo test --test it the_files_are` writes the files anew.
//! The table of codes is no part of the repository; without it the files are only checked in
//! themselves.

mod apart;
mod by_hand;
mod sources;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use priorauth::terms::{Coding, System, ValueSet};
use serde_json::{Value, json};

use apart::DISJOINT;
use sources::{OTHER_SOURCE, SOURCES};
use table::{Only, Rows, SETS, Set};

const EDITION: &str = "2026-01-01";
const ICD_10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
/// A longer display is a remark, not a name.
const DISPLAY_LIMIT: usize = 200;
/// Displays that end with one of these carry remarks that are no part of a name.
const REMARKS: &[&str] =
    &[" (product, brand or component", " (form listed by", " (SCD or SBD", " (as named in"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    repository().join("profiles/policies/amtagvi").join(EDITION).join("valuesets")
}

/// A row of the code table.
struct Row {
    set: String,
    system: String,
    code: String,
    display: String,
    relation: String,
    source: String,
    is_unverified: bool,
}

/// The rows of the code table; `None` where it is not at hand.
fn code_table() -> Option<Vec<Row>> {
    let text = fs::read_to_string(repository().join("../shared/reference/clinical-codes.tsv"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells.len(), 7, "a row of seven cells: {line}");
        Row {
            set: cells[0].to_owned(),
            system: cells[1].to_owned(),
            code: cells[2].to_owned(),
            display: cells[3].to_owned(),
            relation: cells[4].to_owned(),
            source: cells[5].to_owned(),
            is_unverified: cells[6].contains("from memory"),
        }
    };
    Some(text.ok()?.lines().skip(1).map(row).collect())
}

impl Row {
    /// Whether the code was seen in a source and may be used at all.
    fn ships(&self) -> bool {
        !self.is_unverified
            && !["do-not-use", "do-not-ship", "example", "data conflict"]
                .iter()
                .any(|word| self.relation.starts_with(word))
    }

    fn is_in(&self, rows: &Rows) -> bool {
        let relation = match rows.relation.strip_suffix('*') {
            Some(beginning) => self.relation.starts_with(beginning),
            None => self.relation == rows.relation,
        };
        self.set == rows.set
            && relation
            && match &rows.only {
                Only::All => true,
                Only::Codes(codes) => codes.contains(&&*self.code),
                Only::Not(codes) => !codes.contains(&&*self.code),
                Only::Under(starts) => starts.iter().any(|start| self.code.starts_with(start)),
                Only::Named(starts) => starts.iter().any(|start| self.display.starts_with(start)),
            }
    }

    /// The name in the table without the remarks that stand in it.
    fn name(&self) -> Option<&str> {
        let is_remark = self.display.starts_with("listed ")
            || self.display.starts_with("labelled ")
            || self.display == "AJCC text value";
        let end = REMARKS.iter().filter_map(|remark| self.display.find(remark)).min();
        let name = self.display.get(..end.unwrap_or(self.display.len()))?.trim();
        (!is_remark && !name.is_empty()).then_some(name)
    }

    fn is_category(&self) -> bool {
        self.system == ICD_10_CM && self.display.contains("(category")
    }
}

/// `melanoma-in-situ` as `MelanomaInSitu`.
fn computer_name(id: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    id.split('-').map(capital).collect()
}

fn title(id: &str) -> String {
    let words = id.replace('-', " ");
    format!("Amtagvi policy: {words}")
}

fn description(set: &Set, rows: &[&Row]) -> String {
    let mut sources = BTreeSet::new();
    for source in rows.iter().flat_map(|row| row.source.split(';')) {
        let known = SOURCES.iter().find(|(part, _)| source.contains(part));
        sources.insert(known.map_or(OTHER_SOURCE, |(_, name)| name));
    }
    if !set.fhir.is_empty() {
        sources.insert("HL7 terminology of FHIR R4");
    }
    if !set.categories.is_empty() {
        sources.insert("ICD-10-CM tabular list of April 2026");
    }
    let sources: Vec<&str> = sources.into_iter().collect();
    format!("{} Sources of the codes: {}.", set.says, sources.join("; "))
}

/// The file of `set`, as it must stand in the repository.
fn rendered(set: &Set, table: &[Row]) -> String {
    let chosen = |row: &&Row| row.ships() && set.rows.iter().any(|rows| row.is_in(rows));
    let rows: Vec<&Row> = table.iter().filter(chosen).collect();
    let mut systems: BTreeMap<&str, BTreeMap<&str, Option<&str>>> = BTreeMap::new();
    for row in &rows {
        systems.entry(&row.system).or_default().entry(&row.code).or_insert(row.name());
    }
    for (system, code) in set.fhir {
        systems.entry(system).or_default().insert(code, None);
    }
    let mut include = Vec::new();
    for (system, codes) in &systems {
        let mut concepts = Vec::new();
        for (code, name) in codes {
            concepts.push(match name {
                Some(name) => json!({ "code": code, "display": name }),
                None => json!({ "code": code }),
            });
        }
        include.push(json!({ "system": system, "concept": concepts }));
    }
    // R4 vsd-3: concepts and filters do not stand in one include.
    let categories = rows.iter().filter(|row| row.is_category()).map(|row| &*row.code);
    let categories: BTreeSet<&str> = categories.chain(set.categories.iter().copied()).collect();
    for category in categories {
        let filter = json!([{ "property": "concept", "op": "is-a", "value": category }]);
        include.push(json!({ "system": ICD_10_CM, "filter": filter }));
    }
    assert!(!include.is_empty(), "`{}` would be empty", set.id);
    let resource = json!({
        "resourceType": "ValueSet",
        "id": set.id,
        "url": format!("https://payer.priorauth.test/fhir/ValueSet/{}", set.id),
        "version": EDITION,
        "name": computer_name(set.id),
        "title": title(set.id),
        "status": "active",
        "description": description(set, &rows),
        "compose": { "include": include },
    });
    let mut text = serde_json::to_string_pretty(&resource).unwrap();
    text.push('\n');
    text
}

#[test]
fn the_files_are_what_the_code_table_makes() {
    let Some(table) = code_table() else {
        return crate::harness::skipped("../shared/reference/clinical-codes.tsv is not there");
    };
    let write = std::env::var_os("UPDATE_VALUE_SETS").is_some();
    let mut stale = String::new();
    for set in SETS {
        for rows in set.rows {
            let some = table.iter().any(|row| row.ships() && row.is_in(rows));
            assert!(some, "`{}` asks `{}` for rows that are not there", set.id, rows.set);
        }
        let path = folder().join(set.id).with_extension("json");
        let text = rendered(set, &table);
        if write {
            fs::write(&path, &text).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&*text) {
            writeln!(stale, "{}", path.display()).unwrap();
        }
    }
    assert_eq!(stale, "", "run again with UPDATE_VALUE_SETS=1");
}

/// Every shipped file by its id.
fn shipped() -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let value = serde_json::from_str(&fs::read_to_string(&path).unwrap());
        (id, value.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    files.map(read).collect()
}

/// The codes, and the categories with all below them.
fn content(resource: &Value) -> (Vec<Coding>, Vec<String>) {
    let (mut codes, mut categories) = (Vec::new(), Vec::new());
    for include in resource["compose"]["include"].as_array().unwrap() {
        let system = include["system"].as_str().unwrap();
        for concept in include["concept"].as_array().into_iter().flatten() {
            codes.push(Coding::from_uri(system, concept["code"].as_str().unwrap()));
        }
        for filter in include["filter"].as_array().into_iter().flatten() {
            assert_eq!((system, &filter["op"]), (ICD_10_CM, &json!("is-a")));
            categories.push(filter["value"].as_str().unwrap().to_owned());
        }
    }
    (codes, categories)
}

fn value_set(resource: &Value) -> ValueSet {
    let (codes, categories) = content(resource);
    let mut set = ValueSet::default();
    for coding in codes {
        set.add(coding);
    }
    for category in &categories {
        set.add_category(System::Icd10Cm, category);
    }
    set
}

#[test]
fn every_file_is_a_value_set_of_the_table_and_every_set_has_its_file() {
    let shipped = shipped();
    let files: BTreeSet<&str> = shipped.keys().map(|id| &**id).collect();
    let sets: BTreeSet<&str> = SETS.iter().map(|set| set.id).collect();
    assert_eq!(files, sets);
    for (id, resource) in &shipped {
        assert_eq!(resource["resourceType"], "ValueSet", "{id}");
        assert_eq!(resource["id"], **id);
        assert_eq!(resource["version"], EDITION, "{id}");
        let url = format!("https://payer.priorauth.test/fhir/ValueSet/{id}");
        assert_eq!(resource["url"], *url);
        assert!(!value_set(resource).is_empty(), "{id}");
    }
}

#[test]
fn no_code_stands_in_two_sets_that_exclude_each_other() {
    let shipped = shipped();
    for group in DISJOINT {
        for (place, one) in group.iter().enumerate() {
            for other in &group[place + 1..] {
                check_apart((one, &shipped[*one]), (other, &shipped[*other]));
            }
        }
    }
}

fn check_apart(one: (&str, &Value), other: (&str, &Value)) {
    for ((name, here), (other_name, there)) in [(one, other), (other, one)] {
        let set = value_set(there);
        let (codes, categories) = content(here);
        let categories = categories.iter().map(|code| Coding::new(System::Icd10Cm, code));
        for coding in codes.into_iter().chain(categories) {
            assert!(!set.contains(&coding), "{coding:?} is in `{name}` and in `{other_name}`");
        }
    }
}

#[test]
fn every_display_is_a_name_and_no_code_stands_twice() {
    for (id, resource) in shipped() {
        for include in resource["compose"]["include"].as_array().unwrap() {
            let mut seen = BTreeSet::new();
            for concept in include["concept"].as_array().into_iter().flatten() {
                assert!(seen.insert(concept["code"].as_str()), "{id}: {concept} stands twice");
                let display = concept["display"].as_str().unwrap_or_default();
                assert!(display.chars().count() <= DISPLAY_LIMIT, "{id}: {display}");
                assert!(!display.contains("not checked"), "{id}: {display}");
            }
        }
    }
}

#[test]
fn every_leaf_of_a_category_is_in_its_set() {
    let shipped = shipped();
    for (id, code) in [
        ("melanoma", "C43.59"),
        ("melanoma", "C43"),
        ("melanoma-in-situ", "D03.59"),
        ("benign-skin", "D22.5"),
        ("other-skin-cancer", "C44.509"),
        ("other-primary", "C4A.0"),
        ("other-primary", "C34.91"),
        ("pregnancy-condition", "O09.523"),
        ("pregnancy-condition", "Z3A.12"),
        ("pregnancy-ended", "O80"),
        ("pregnancy-or-puerperium", "O99.89"),
    ] {
        let set = value_set(&shipped[id]);
        assert!(set.contains(&Coding::new(System::Icd10Cm, code)), "{code} is not in `{id}`");
    }
    let other = value_set(&shipped["other-primary"]);
    for code in ["C43.59", "C44.91", "C78.01", "C77.3", "C79.31", "C80.0", "D03.59"] {
        assert!(!other.contains(&Coding::new(System::Icd10Cm, code)), "{code}");
    }
}
