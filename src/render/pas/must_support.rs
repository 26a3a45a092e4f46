//! For the conformance sandbox only: an answer in which every element stands that a guide names.
//!
//! A test suite asks that each must-support element (pas.md 5.3) is seen in some answer.
//! The sandbox adds what a true answer does not have, from data beside this file; it is marked as
//! the sandbox's own, and no answer to a real member is made this way.
//! Sources of the codes: the examples of PAS 2.2.1, the OMB categories of US Core, the service
//! codes of CMS; the HCPCS modifier RR as payers' public pages on rentals name it.

use serde_json::{Value, json};

use super::{AnswerTo, ClaimAnswer, bundle_of, own_entries};
use crate::ig::pas::PasVersion;
use crate::render::RenderError;
use crate::render::bundle::parameters;

/// People and organizations, for both versions.
const PEOPLE: &str = include_str!("must_support/people.json");
const OF_2_0_1: &str = include_str!("must_support/2.0.1.json");
const OF_2_2_1: &str = include_str!("must_support/2.2.1.json");

/// The body of an answer with every must-support element of its version added.
///
/// `answer.to` says which list holds: that of `$submit`, which gives a response Bundle, or that of
/// `$inquire`, which gives a Bundle in 2.0.1 and Parameters with one in 2.2.1.
/// What the answer says by itself stays; it needs at least one line.
/// `ids` are two new UUIDs, of a Task and a `CommunicationRequest`; the sandbox's people have
/// UUIDs of their own.
///
/// # Errors
/// The text of an echoed resource is not JSON.
pub fn must_support_bundle(
    answer: &ClaimAnswer<'_>,
    ids: [&str; 2],
) -> Result<String, RenderError> {
    let more: Value = serde_json::from_str(match answer.version {
        PasVersion::V2_0_1 => OF_2_0_1,
        PasVersion::V2_2_1 => OF_2_2_1,
    })?;
    let people: Value = serde_json::from_str(PEOPLE)?;
    let mut entries = own_entries(&[answer])?;
    let Some((_, text)) = entries.first_mut() else { return bundle_of(&[], &[answer], answer) };
    let mut response: Value = serde_json::from_str(text)?;
    let facts = Facts::of(answer, &response, ids);
    let filled = |part: &str| facts.filled(more.get(part).cloned().unwrap_or_default());
    if let Some(item) = response.pointer_mut("/item/0") {
        add(item, filled("item"));
    }
    add(&mut response, filled("response"));
    let asks = answer.to == AnswerTo::Submission;
    if asks {
        let [_, communication] = ids.map(|id| json!({ "reference": format!("urn:uuid:{id}") }));
        add(&mut response, json!({ "communicationRequest": [communication] }));
    }
    *text = serde_json::to_string(&response)?;
    let ask = asks.then(|| filled("ask"));
    let people = facts.filled(people.get("entry").cloned().unwrap_or_default());
    let others = filled("entry");
    let listed = [&others, &people].into_iter().filter_map(Value::as_array).flatten();
    for entry in ask.iter().chain(listed) {
        let url = entry.get("fullUrl").and_then(Value::as_str).unwrap_or_default().to_owned();
        entries.push((url, serde_json::to_string(entry.get("resource").unwrap_or(&Value::Null))?));
    }
    let bundle = bundle_of(&entries, &[answer], answer)?;
    match (answer.to, answer.version) {
        (AnswerTo::Inquiry, PasVersion::V2_2_1) => parameters(&[bundle]),
        (AnswerTo::Submission, _) | (AnswerTo::Inquiry, PasVersion::V2_0_1) => Ok(bundle),
    }
}

/// How URLs begin that the data writes short.
const PREFIXES: [(&str, &str); 3] = [
    ("ext:", "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-"),
    ("pas:", "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"),
    ("x12:", "https://codesystem.x12.org/005010/"),
];

/// What the data leaves open, by the word that stands for it.
struct Facts(Vec<(&'static str, Value)>);

impl Facts {
    fn of(answer: &ClaimAnswer<'_>, response: &Value, ids: [&str; 2]) -> Facts {
        let [task, communication] = ids;
        let party = |name: &str| response.get(name).cloned().unwrap_or_default();
        let organization = answer.claim.organization;
        let organization =
            organization.map_or_else(|| party("requestor"), |url| json!({ "reference": url }));
        let day: String = answer.timestamp.chars().take(10).collect();
        let notes = response.get("processNote").and_then(Value::as_array).map_or(0, Vec::len);
        Facts(vec![
            ("$patient", party("patient")),
            ("$insurer", party("insurer")),
            ("$organization", organization),
            ("$claim", party("request")),
            ("$today", json!(day)),
            ("$note", json!(notes + 1)),
            ("$sequence", json!(answer.lines.first().map_or(1, |line| line.sequence))),
            ("$task", json!(format!("urn:uuid:{task}"))),
            ("$taskId", json!(task)),
            ("$communication", json!(format!("urn:uuid:{communication}"))),
            ("$communicationId", json!(communication)),
        ])
    }

    /// The value with each word replaced by what it stands for.
    fn filled(&self, value: Value) -> Value {
        match value {
            Value::String(text) => {
                let known = self.0.iter().find(|(word, _)| *word == text);
                let known = known.map(|(_, value)| value.clone());
                let long = PREFIXES.iter().find_map(|(short, long)| {
                    text.strip_prefix(short).map(|rest| json!(format!("{long}{rest}")))
                });
                known.or(long).unwrap_or(Value::String(text))
            }
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.filled(item)).collect())
            }
            Value::Object(members) => Value::Object(
                members.into_iter().map(|(name, value)| (name, self.filled(value))).collect(),
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }
}

/// Adds what is not there: lists grow, but by no extension whose URL stands there already, and what
/// is said stays.
fn add(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(members), Value::Object(more)) => {
            for (name, value) in more {
                match members.get_mut(&name) {
                    Some(known) => add(known, value),
                    None => {
                        members.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(more)) => {
            for value in more {
                let url = value.get("url");
                if url.is_none() || items.iter().all(|known| known.get("url") != url) {
                    items.push(value);
                }
            }
        }
        (_, _) => {}
    }
}
