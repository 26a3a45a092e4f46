//! The same story told otherwise: nothing of this may change the answer.

use serde_json::{Value, json};

use super::story::{Casebook, NO_RECORDS, Story};

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
///
/// # Errors
/// The base story cannot be told.
pub fn all(book: &Casebook, story: &Story) -> Result<Vec<(&'static str, Story)>, String> {
    Ok(vec![
        ("with another patient's records", with_stranger(book, story)?),
        ("with https in the code systems", respelled(story, &secure)),
        ("with object identifiers for code systems", respelled(story, &object_identifier)),
        ("with diagnosis codes without a dot", respelled(story, &undotted)),
    ])
}

/// The story with a copy of its own records, and of those of the base story, about somebody else.
///
/// # Errors
/// The base story cannot be told.
pub fn with_stranger(book: &Casebook, story: &Story) -> Result<Story, String> {
    let base = book.base_story()?;
    let mut told = story.clone();
    for (beginning, records) in [("other-", story), ("else-", &base)] {
        let copied: Story = records
            .iter()
            .filter(|(handle, resource)| {
                let kind = resource.get("resourceType").and_then(Value::as_str);
                *handle == "pat" || !NO_RECORDS.contains(&kind.unwrap_or_default())
            })
            .map(|(handle, resource)| (handle.clone(), resource.clone()))
            .collect();
        for (handle, resource) in &copied {
            let mut copy = resource.clone();
            redirect(&mut copy, &copied, beginning);
            let id = format!("{beginning}{handle}");
            if let Some(members) = copy.as_object_mut() {
                members.insert("id".to_owned(), json!(id));
            }
            told.insert(id, copy);
        }
    }
    Ok(told)
}

/// Makes references to the copied resources point at the copies.
fn redirect(value: &mut Value, copied: &Story, beginning: &str) {
    match value {
        Value::Array(items) => {
            for item in items {
                redirect(item, copied, beginning);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let target = member.as_str().and_then(|text| text.split_once('/'));
                match target {
                    Some((kind, id)) if name == "reference" && copied.contains_key(id) => {
                        *member = json!(format!("{kind}/{beginning}{id}"));
                    }
                    _ => redirect(member, copied, beginning),
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
                members.insert("system".to_owned(), json!(system));
                members.insert("code".to_owned(), json!(code));
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
