//! The same story told otherwise: nothing of this may change the answer.

use serde_json::{Value, json};

use super::story::{File, NO_RECORDS, Story};

/// Code systems with their object identifiers.
const OBJECT_IDENTIFIERS: &[(&str, &str)] = &[
    ("http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"),
    ("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "urn:oid:2.16.840.1.113883.6.88"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "urn:oid:2.16.840.1.113883.6.90"),
    ("http://www.cms.gov/Medicare/Coding/ICD10", "urn:oid:2.16.840.1.113883.6.4"),
    ("http://nucc.org/provider-taxonomy", "urn:oid:2.16.840.1.113883.6.101"),
    ("http://hl7.org/fhir/sid/ndc", "urn:oid:2.16.840.1.113883.6.69"),
    ("http://www.ama-assn.org/go/cpt", "urn:oid:2.16.840.1.113883.6.12"),
    ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "urn:oid:2.16.840.1.113883.6.285"),
];

/// Every other telling of `story`, with what is different.
pub(super) fn all(file: &File, story: &Story) -> Vec<(&'static str, Story)> {
    vec![
        ("another patient's records", with_stranger(file, story)),
        ("https in the code systems", respelled(story, &secure)),
        ("object identifiers for code systems", respelled(story, &object_identifier)),
        ("diagnosis codes without a dot", respelled(story, &undotted)),
    ]
}

/// The story with a copy of its own records, and of those of the base story, about somebody else.
pub(super) fn with_stranger(file: &File, story: &Story) -> Story {
    let base = file.cases.iter().find(|case| case.is_base()).unwrap();
    let base = file.story(base, super::judge::Told::Claim);
    let mut told = story.clone();
    for (beginning, records) in [("other-", story), ("else-", &base)] {
        let handles: Vec<&String> = records
            .iter()
            .filter(|(handle, resource)| {
                let kind = resource["resourceType"].as_str().unwrap_or_default();
                *handle == "pat" || !NO_RECORDS.contains(&kind)
            })
            .map(|(handle, _)| handle)
            .collect();
        for handle in &handles {
            let mut copy = records[*handle].clone();
            copy["id"] = json!(format!("{beginning}{handle}"));
            redirect(&mut copy, &handles, beginning);
            told.insert(format!("{beginning}{handle}"), copy);
        }
    }
    told
}

/// Makes references to the copied resources point at the copies.
fn redirect(value: &mut Value, handles: &[&String], beginning: &str) {
    match value {
        Value::Array(items) => {
            for item in items {
                redirect(item, handles, beginning);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let target = member.as_str().and_then(|text| text.split_once('/'));
                match target {
                    Some((kind, id))
                        if name == "reference" && handles.iter().any(|handle| *handle == id) =>
                    {
                        *member = json!(format!("{kind}/{beginning}{id}"));
                    }
                    _ => redirect(member, handles, beginning),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

type Respell = dyn Fn(&str, &str) -> (String, String);

fn respelled(story: &Story, respell: &Respell) -> Story {
    let mut story = story.clone();
    for resource in story.values_mut() {
        respell_in(resource, respell);
    }
    story
}

/// Writes every coding with other words for the same code.
fn respell_in(value: &mut Value, respell: &Respell) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| respell_in(item, respell)),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
            if let (Some(system), Some(code)) = (text("system"), text("code")) {
                let (system, code) = respell(&system, &code);
                members["system"] = json!(system);
                members["code"] = json!(code);
            }
            members.values_mut().for_each(|member| respell_in(member, respell));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn secure(system: &str, code: &str) -> (String, String) {
    let system = match system.strip_prefix("http://") {
        Some(rest) => format!("https://{rest}"),
        None => system.to_owned(),
    };
    (system, code.to_owned())
}

fn object_identifier(system: &str, code: &str) -> (String, String) {
    let known = OBJECT_IDENTIFIERS.iter().find(|(uri, _)| *uri == system);
    (known.map_or(system, |(_, oid)| oid).to_owned(), code.to_owned())
}

fn undotted(system: &str, code: &str) -> (String, String) {
    let is_diagnosis = system == "http://hl7.org/fhir/sid/icd-10-cm";
    let code = if is_diagnosis { code.replace('.', "") } else { code.to_owned() };
    (system.to_owned(), code)
}
