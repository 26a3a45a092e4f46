//! Checks against the guides' packages, where they are at hand.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::elements::TYPES;
use super::shape::{Form, Group};
use super::{PasRequest, Profile};
use crate::fhir::{Document, FaultKind, Rules};

/// A package, unpacked into a folder of its own; `None`, with a word why, if it is not there.
fn unpacked(name: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let archive =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/ig/hl7.fhir.us.{name}.tgz"));
    if !archive.exists() {
        println!("skipped: ../shared/ig/hl7.fhir.us.{name}.tgz is not there");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let tar = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder.path()).status();
    assert!(tar.unwrap().success(), "{name}");
    let package = folder.path().join("package");
    Some((folder, package))
}

/// The request Bundles among a package's examples: those that begin with a Claim and are no
/// inquiry.
fn requests(package: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(package.join("example")).unwrap().map(|it| it.unwrap().path()) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("Bundle-") || name.contains("Inquiry") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let bundle: Value = serde_json::from_slice(&bytes).unwrap();
        if bundle["entry"][0]["resource"]["resourceType"] == "Claim" {
            found.push((name, bytes));
        }
    }
    found
}

/// An example with its faults.
type Refused = (String, Vec<(FaultKind, String)>);

fn refused(package: &Path, profile: Profile) -> Vec<Refused> {
    let requests = requests(package);
    assert!(requests.len() >= 5, "{}", requests.len());
    let mut refused = Vec::new();
    for (name, bytes) in requests {
        let document = Document::parse(&bytes, Rules::Fhir).unwrap();
        if let Err(faults) = PasRequest::read(&document, profile) {
            let faults = faults.into_iter().map(|fault| (fault.kind, fault.place)).collect();
            refused.push((name, faults));
        }
    }
    refused
}

#[test]
fn the_guides_own_requests_are_accepted() {
    for (name, version) in
        [("davinci-pas-2.0.1", Profile::V2_0_1), ("davinci-pas-2.2.1", Profile::V2_2_1)]
    {
        let Some((_folder, package)) = unpacked(name) else { continue };
        assert_eq!(refused(&package, version), [], "{name}");
        assert_eq!(refused(&package, Profile::Common), [], "{name}");
    }
}

/// What FHIR's definitions say of an element: its types, and whether it repeats.
type Defined = HashMap<String, (Vec<String>, bool)>;

/// The elements of every profile in a package, with their names and forms in FHIR itself.
fn defined(package: &Path, into: &mut Defined) {
    for path in std::fs::read_dir(package).unwrap().map(|it| it.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("StructureDefinition-") {
            continue;
        }
        let profile: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for element in profile["snapshot"]["element"].as_array().into_iter().flatten() {
            let id = element["id"].as_str().unwrap();
            if id.contains(':') || element["base"]["path"].is_null() {
                continue;
            }
            let path = element["path"].as_str().unwrap();
            let types = element["type"].as_array().into_iter().flatten();
            let types: Vec<String> =
                types.filter_map(|kind| kind["code"].as_str().map(str::to_owned)).collect();
            let is_many = element["base"]["max"] != "1";
            for kind in &types {
                let capital = kind[..1].to_uppercase() + &kind[1..];
                let path = path.replace("[x]", &capital);
                into.entry(path).or_insert_with(|| (vec![kind.clone()], is_many));
            }
        }
    }
}

fn fhir_types(form: Form) -> &'static [&'static str] {
    match form {
        Form::Text => &["string", "uri", "markdown", "canonical"],
        Form::Code => &["code"],
        Form::Date => &["date"],
        Form::DateTime => &["dateTime"],
        Form::Instant => &["instant"],
        Form::Boolean => &["boolean"],
        Form::Number => &["decimal", "integer", "unsignedInt"],
        Form::PositiveInt => &["positiveInt"],
        Form::Period(_) => &["Period"],
        Form::Object(_) => &[
            "Attachment",
            "BackboneElement",
            "CodeableConcept",
            "Coding",
            "Dosage",
            "HumanName",
            "Identifier",
            "Quantity",
            "Reference",
            "Timing",
        ],
    }
}

/// Compares what is defined of `groups` below `path`; the number of elements compared.
fn compare(path: &str, groups: &[Group], defined: &Defined) -> usize {
    let mut compared = 0;
    for group in groups {
        for name in group.names {
            let path = format!("{path}.{name}");
            let Some((types, is_many)) = defined.get(&path) else { continue };
            assert_eq!(group.is_many, *is_many, "{path}");
            let is_same = types.iter().any(|kind| fhir_types(group.form).contains(&kind.as_str()));
            assert!(is_same, "{path}: {types:?} is not {:?}", fhir_types(group.form));
            compared += 1;
            if let Form::Object(inner) = group.form {
                compared += compare(&path, inner, defined);
            }
        }
    }
    compared
}

#[test]
fn the_forms_are_those_of_fhir() {
    let mut defined_by = Defined::new();
    for name in ["davinci-pas-2.2.1", "davinci-crd-2.2.0", "core-3.1.1", "core-6.1.0", "core-7.0.0"]
    {
        let Some((_folder, package)) = unpacked(name) else { return };
        defined(&package, &mut defined_by);
    }
    // No package at hand defines these.
    let undefined = ["MedicationStatement", "MedicationAdministration"];
    for (kind, groups) in TYPES {
        let listed: usize = groups.iter().map(|group| group.names.len()).sum();
        let compared = compare(kind, groups, &defined_by);
        let is_defined = !undefined.contains(kind);
        assert_eq!(compared >= listed, is_defined, "{kind}: {compared} of {listed}");
    }
}
