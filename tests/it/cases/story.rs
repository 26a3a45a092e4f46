//! Stories: the base story, the edits of a case, and the shorthand in which both are written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::expect::Expect;
use super::judge::Told;

/// Where the provider's records live.
pub(super) const BASE_URL: &str = "https://ehr.lakeside.test/fhir";

/// Resource types that name the patient in `subject`, and in `patient`.
const WITH_SUBJECT: &[&str] = &[
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Flag",
    "AdverseEvent",
    "DeviceRequest",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "ServiceRequest",
];
const WITH_PATIENT: &[&str] = &["AllergyIntolerance", "DetectedIssue", "FamilyMemberHistory"];

/// Resource types of the request, the people and the coverage: no clinical records.
pub(super) const NO_RECORDS: &[&str] = &[
    "Claim",
    "Coverage",
    "DeviceRequest",
    "Encounter",
    "MedicationRequest",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "ServiceRequest",
];

/// The resources of a story, each under its handle, which is its id too.
pub(super) type Story = BTreeMap<String, Value>;

/// The file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The day of judging of a case that names none.
    pub(super) as_of: String,
    /// The code systems' short names.
    systems: BTreeMap<String, String>,
    /// The base story.
    pub(super) base: Story,
    /// What the base story has more when it is told at order time.
    order_time: Story,
    /// Resources that cases add, by `like`.
    parts: Story,
    /// The cases.
    #[serde(rename = "case")]
    pub(super) cases: Vec<Case>,
    /// The ids of the clauses of the policy that the file belongs to.
    #[serde(skip)]
    pub(super) clauses: Vec<String>,
}

/// A case: what differs from the base story, and what is expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// A claim about the policy.
    pub(super) name: String,
    /// Where the claim comes from.
    pub(super) why: String,
    /// The day of judging.
    pub(super) as_of: Option<String>,
    /// The number or date of the policy whose one side this is.
    pub(super) boundary: Option<String>,
    /// Numbers of authorizations for the product in the payer's own store.
    #[serde(default)]
    pub(super) authorizations: Vec<String>,
    /// Told as an order-sign call only.
    #[serde(default)]
    at_order_time: bool,
    /// Handles that are left out.
    #[serde(default)]
    remove: Vec<String>,
    /// New values by their path; `-` takes the element away.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// New resources; `like` names the one that they are a copy of.
    #[serde(default)]
    add: BTreeMap<String, Map<String, Value>>,
    /// Values by their path, one case for each.
    #[serde(default)]
    each: BTreeMap<String, Vec<Value>>,
    /// The answer.
    pub(super) expect: Expect,
}

impl File {
    /// Reads the file, unfolds the cases that stand for several, and lists the policy's clauses.
    ///
    /// # Errors
    /// What cannot be read, in words.
    pub(super) fn read(text: &str, policy: &str) -> Result<File, String> {
        let mut file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let policy: toml::Table = policy.parse().map_err(|error| format!("{error}"))?;
        let clauses = policy.get("clause").and_then(toml::Value::as_array).into_iter().flatten();
        let ids = clauses.filter_map(|clause| clause.get("id")?.as_str());
        file.clauses = ids.map(str::to_owned).collect();
        file.cases = file.cases.iter().flat_map(Case::unfolded).collect();
        Ok(file)
    }

    /// The resources of a case, as they are told.
    pub(super) fn story(&self, case: &Case, told: Told) -> Story {
        let mut story = self.base.clone();
        if told == Told::Order {
            story.extend(self.order_time.clone());
        }
        for (handle, edits) in &case.add {
            let resource = self.added(edits, &story);
            story.insert(handle.clone(), resource);
        }
        for (handle, resource) in &mut story {
            complete(handle, resource);
        }
        let known = story.clone();
        for resource in story.values_mut() {
            self.expand(resource, &known);
        }
        for (path, value) in &case.set {
            let mut value = value.clone();
            self.expand(&mut value, &known);
            set(&mut story, path, value);
        }
        story.values_mut().for_each(prune);
        for handle in &case.remove {
            assert!(story.remove(handle).is_some(), "{}: no `{handle}` to remove", case.name);
        }
        story
    }

    fn added(&self, edits: &Map<String, Value>, story: &Story) -> Value {
        let mut resource = match edits.get("like").and_then(Value::as_str) {
            Some(name) => {
                let model = self.parts.get(name).or_else(|| story.get(name));
                model.unwrap_or_else(|| panic!("`{name}` is not there to be like")).clone()
            }
            None => json!({}),
        };
        for (key, value) in edits.iter().filter(|(key, _)| *key != "like") {
            resource[key] = value.clone();
        }
        resource
    }

    /// Writes out `@handle` and `$system code |name|`.
    fn expand(&self, value: &mut Value, story: &Story) {
        match value {
            Value::String(text) => {
                if let Some(handle) = text.strip_prefix('@') {
                    *value = json!({ "reference": reference(handle, story) });
                } else if let Some(codes) = text.strip_prefix('$') {
                    let codings: Vec<Value> = codes
                        .split(" + ")
                        .map(|code| self.coding(code.trim_start_matches('$')))
                        .collect();
                    *value = json!({ "coding": codings });
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.expand(item, story)),
            Value::Object(members) => {
                members.values_mut().for_each(|member| self.expand(member, story));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn coding(&self, text: &str) -> Value {
        let (system, rest) = text.trim().split_once(' ').unwrap_or_else(|| panic!("`{text}`"));
        let system = self.systems.get(system).unwrap_or_else(|| panic!("no system `{system}`"));
        match rest.split_once(" |") {
            Some((code, name)) => {
                json!({ "system": system, "code": code, "display": name.trim_end_matches('|') })
            }
            None => json!({ "system": system, "code": rest }),
        }
    }
}

/// Puts in the id and whom it is about.
fn complete(handle: &str, resource: &mut Value) {
    resource["id"] = json!(handle);
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    let element = match (WITH_SUBJECT.contains(&kind), WITH_PATIENT.contains(&kind)) {
        (true, _) => "subject",
        (_, true) => "patient",
        (false, false) => return,
    };
    if resource.get(element).is_none() {
        resource[element] = json!("@pat");
    }
}

fn reference(handle: &str, story: &Story) -> String {
    let kind = story.get(handle).and_then(|resource| resource["resourceType"].as_str());
    let kind = kind.unwrap_or_else(|| panic!("`@{handle}` is not there"));
    format!("{kind}/{handle}")
}

impl Case {
    /// A case for each value of `each`; the case itself where there is none.
    fn unfolded(&self) -> Vec<Case> {
        let Some(count) = self.each.values().map(Vec::len).max() else { return vec![self.clone()] };
        let one = |at: usize| {
            let mut case = self.clone();
            case.each.clear();
            let mut words = Vec::new();
            for (path, values) in &self.each {
                assert_eq!(values.len(), count, "{}: `{path}`", self.name);
                let word =
                    values[at].as_str().map_or_else(|| values[at].to_string(), str::to_owned);
                words.push(word);
                case.set.insert(path.clone(), values[at].clone());
            }
            case.name = format!("{} [{}]", self.name, words.join(", "));
            case
        };
        (0..count).map(one).collect()
    }

    /// Whether nothing differs from the base story.
    pub(super) fn is_base(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty() && !self.at_order_time
    }

    /// How the case is told: as an order too, where only clinical records differ.
    pub(super) fn tellings(&self, file: &File) -> Vec<Told> {
        if self.at_order_time {
            return vec![Told::Order];
        }
        let touched = self.set.keys().map(|path| path.split(['.', '[']).next().unwrap_or_default());
        let is_record = |handle: &str| {
            let resource = file.base.get(handle);
            let kind = resource.and_then(|resource| resource["resourceType"].as_str());
            handle == "pat" || kind.is_none_or(|kind| !NO_RECORDS.contains(&kind))
        };
        let is_new_record = |edits: &Map<String, Value>| {
            let kind = edits.get("resourceType").and_then(Value::as_str);
            kind.is_none_or(|kind| !NO_RECORDS.contains(&kind) || kind == "MedicationRequest")
        };
        let only_records = touched.chain(self.remove.iter().map(String::as_str)).all(is_record)
            && self.add.values().all(is_new_record);
        if only_records { vec![Told::Claim, Told::Order] } else { vec![Told::Claim] }
    }
}

/// Puts `value` at `path`, `handle.element[0].part`; `-` takes the element away.
fn set(story: &mut Story, path: &str, value: Value) {
    let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let handle = steps.next().unwrap_or_default();
    let mut place =
        story.get_mut(handle).unwrap_or_else(|| panic!("`{path}`: no `{handle}` in the story"));
    for step in steps {
        place =
            if let Ok(at) = step.parse::<usize>() { item(place, at) } else { member(place, step) };
    }
    *place = value;
}

/// The item `at` of a list, which may be the one behind its end.
fn item(place: &mut Value, at: usize) -> &mut Value {
    if !place.is_array() {
        *place = json!([]);
    }
    let items = place.as_array_mut().unwrap();
    assert!(at <= items.len(), "{at} is behind the end of the list");
    if at == items.len() {
        items.push(json!({}));
    }
    &mut items[at]
}

fn member<'v>(place: &'v mut Value, name: &str) -> &'v mut Value {
    if !place.is_object() {
        *place = json!({});
    }
    place.as_object_mut().unwrap().entry(name).or_insert(Value::Null)
}

/// Takes away what is marked with `-`, and what is empty then.
fn prune(value: &mut Value) {
    let is_gone = |value: &Value| match value {
        Value::String(text) => text == "-",
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
    };
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(prune);
            items.retain(|item| !is_gone(item));
        }
        Value::Object(members) => {
            members.values_mut().for_each(prune);
            members.retain(|_, member| !is_gone(member));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
