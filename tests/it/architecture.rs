//! The floors of the house hold: a module uses only those below it, and each outside crate has
//! its home.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with its floor and the modules it may use (docs/architecture.md).
const FLOORS: &[(&str, u8, &[&str])] = &[
    ("terms", 0, &[]),
    ("facts", 1, &["terms"]),
    ("fhir", 1, &["terms"]),
    ("cds", 1, &["terms", "fhir"]),
    ("ig", 1, &["terms"]),
    ("policy", 2, &["terms", "facts"]),
    ("intake", 3, &["terms", "facts", "policy", "fhir", "cds", "ig"]),
    ("render", 3, &["terms", "facts", "policy", "fhir", "cds", "ig"]),
    ("hooks", 3, &["terms", "facts", "policy", "fhir", "cds", "ig", "render"]),
    ("store", 4, &["terms"]),
    ("auth", 4, &["terms", "fhir", "cds"]),
    ("outbound", 4, &["terms"]),
    ("notify", 4, &["terms", "outbound"]),
    ("ehr", 4, &["terms", "fhir", "cds", "outbound"]),
    (
        "service",
        5,
        &[
            "terms", "facts", "policy", "fhir", "cds", "ig", "intake", "render", "hooks", "store",
            "notify", "ehr",
        ],
    ),
    ("http", 6, &["service", "intake", "render", "fhir", "cds", "auth", "hooks", "ig", "store"]),
];

/// Modules of the highest floor, which may use everything.
const TOP: &[&str] = &["main", "lib", "cli", "config", "telemetry", "profiles", "rehearsal"];

/// Outside crates with a home: no other module names them.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("axum", &["http", "cli"]),
    ("tower", &["http"]),
    ("tower_http", &["http"]),
    ("jsonwebtoken", &["auth"]),
    ("reqwest", &["outbound", "notify", "ehr", "cli"]),
    ("fhir_codec", &["fhir"]),
    ("fhirbolt", &[]),
    ("toml", &["policy", "config", "rehearsal"]),
    ("csv", &["policy", "cli"]),
    ("clap", &["cli", "main"]),
    ("uuid", &["service"]),
    ("octofhir_ucum", &["terms"]),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // A workspace member of its own.
                if !path.ends_with("fhir_codec") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = fs::read_to_string(&path).unwrap();
                found.push((module, path, text));
            }
        }
    }
    found
}

/// The part of a file above its tests: tests may look anywhere.
fn above_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn a_module_uses_only_those_below_it() {
    let allowed: BTreeMap<&str, &[&str]> =
        FLOORS.iter().map(|(module, _, uses)| (*module, *uses)).collect();
    let mut breaches = Vec::new();
    let mut seen = 0;
    for (module, path, text) in sources() {
        let Some(uses) = allowed.get(module.as_str()) else {
            assert!(TOP.contains(&module.as_str()), "`{module}` has no floor");
            continue;
        };
        for line in above_tests(&text).lines().filter(|line| !is_comment(line)) {
            for rest in line.split("crate::").skip(1) {
                let named: String =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                seen += 1;
                if named != module && !named.is_empty() && !uses.contains(&named.as_str()) {
                    breaches.push(format!("{}: {module} uses {named}", path.display()));
                }
            }
        }
    }
    assert!(seen > 100, "the sources were not found");
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn a_module_never_uses_one_above_it() {
    let floor: BTreeMap<&str, u8> =
        FLOORS.iter().map(|(module, floor, _)| (*module, *floor)).collect();
    for (module, own, uses) in FLOORS {
        for used in *uses {
            let below = floor.get(used).copied().unwrap_or(7);
            assert!(below <= *own, "{module} (floor {own}) lists {used} ({below})");
        }
    }
}

#[test]
fn outside_crates_stay_at_home() {
    let mut breaches = Vec::new();
    for (module, path, text) in sources() {
        for line in above_tests(&text).lines().filter(|line| !is_comment(line)) {
            for (name, homes) in HOMES {
                let named = line.contains(&format!("use {name}::"))
                    || line.contains(&format!("use {name};"))
                    || line.contains(&format!(" {name}::"))
                    || line.contains(&format!("({name}::"))
                    || line.contains(&format!("<{name}::"));
                if named && !homes.contains(&module.as_str()) {
                    breaches.push(format!("{}: {module} names {name}", path.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn no_file_is_too_long_to_read() {
    for (_, path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

#[test]
fn nothing_silences_the_compiler() {
    for (_, path, text) in sources() {
        for word in ["#[allow(", "todo!(", "unimplemented!(", "dbg!("] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}
