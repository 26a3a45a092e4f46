//! Stories: the base story, the edits of a case, and the shorthand in which both are written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::expect::Expect;
use super::telling::Told;

/// Where the provider's records live.
pub const BASE_URL: &str = "https://ehr.lakeside.test/fhir";

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
pub const NO_RECORDS: &[&str] = &[
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
pub type Story = BTreeMap<String, Value>;

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Casebook {
    /// The day of judging of a case that names none.
    pub as_of: String,
    /// The code systems' short names.
    systems: BTreeMap<String, String>,
    /// The base story.
    pub base: Story,
    /// What the base story has more when it is told at order time.
    #[serde(default)]
    order_time: Story,
    /// Resources that cases add, by `like`.
    #[serde(default)]
    parts: Story,
    /// The cases.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
}

/// A case: what differs from the base story, and what is expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A claim about the policy.
    pub name: String,
    /// Where the claim comes from.
    pub why: String,
    /// The day of judging.
    pub as_of: Option<String>,
    /// The number or date of the policy whose one side this is.
    pub boundary: Option<String>,
    /// Numbers of authorizations for the product in the payer's own store.
    #[serde(default)]
    pub authorizations: Vec<String>,
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
    pub expect: Expect,
}

/// What differs from the base story.
#[derive(Default)]
struct Edits<'c> {
    remove: &'c [String],
    set: Option<&'c BTreeMap<String, Value>>,
    add: Option<&'c BTreeMap<String, Map<String, Value>>>,
}

impl Casebook {
    /// Reads the file and unfolds the cases that stand for several.
    ///
    /// # Errors
    /// What cannot be read, in words: the line, or the case and the place.
    pub fn read(text: &str) -> Result<Casebook, String> {
        let mut book: Casebook = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut cases = Vec::new();
        for case in &book.cases {
            cases.extend(case.unfolded()?);
        }
        book.cases = cases;
        Ok(book)
    }

    /// The resources of a case, as they are told.
    ///
    /// # Errors
    /// A handle or path that leads nowhere, a code system without a name.
    pub fn story(&self, case: &Case, told: Told) -> Result<Story, String> {
        let Case { remove, set, add, .. } = case;
        self.edited(&Edits { remove, set: Some(set), add: Some(add) }, told)
    }

    /// The base story as a PAS request tells it.
    ///
    /// # Errors
    /// As [`Casebook::story`].
    pub fn base_story(&self) -> Result<Story, String> {
        self.edited(&Edits::default(), Told::Claim)
    }

    fn edited(&self, edits: &Edits<'_>, told: Told) -> Result<Story, String> {
        let mut story = self.base.clone();
        if told == Told::Order {
            story.extend(self.order_time.clone());
        }
        for (handle, members) in edits.add.into_iter().flatten() {
            let resource = self.added(handle, members, &story)?;
            story.insert(handle.clone(), resource);
        }
        for (handle, resource) in &mut story {
            complete(handle, resource)?;
        }
        let known = story.clone();
        for (handle, resource) in &mut story {
            self.expand(resource, &known).map_err(|what| format!("`{handle}`: {what}"))?;
        }
        for (path, value) in edits.set.into_iter().flatten() {
            let mut value = value.clone();
            self.expand(&mut value, &known)
                .and_then(|()| set(&mut story, path, value))
                .map_err(|what| format!("`set.{path}`: {what}"))?;
        }
        story.values_mut().for_each(prune);
        for handle in edits.remove {
            story.remove(handle).ok_or_else(|| format!("`remove`: there is no `{handle}`"))?;
        }
        Ok(story)
    }

    fn added(
        &self,
        handle: &str,
        edits: &Map<String, Value>,
        story: &Story,
    ) -> Result<Value, String> {
        let mut resource = match edits.get("like").and_then(Value::as_str) {
            Some(name) => {
                let model = self.parts.get(name).or_else(|| story.get(name));
                model.ok_or_else(|| format!("`add.{handle}.like`: there is no `{name}`"))?.clone()
            }
            None => json!({}),
        };
        let members = resource.as_object_mut();
        let members = members.ok_or_else(|| format!("`add.{handle}` is like no resource"))?;
        for (key, value) in edits.iter().filter(|(key, _)| *key != "like") {
            members.insert(key.clone(), value.clone());
        }
        Ok(resource)
    }

    /// Writes out `@handle` and `$system code |name|`.
    fn expand(&self, value: &mut Value, story: &Story) -> Result<(), String> {
        match value {
            Value::String(text) => {
                if let Some(handle) = text.strip_prefix('@') {
                    *value = json!({ "reference": reference(handle, story)? });
                } else if let Some(codes) = text.strip_prefix('$') {
                    let codes = codes.split(" + ");
                    let codings = codes.map(|code| self.coding(code.trim_start_matches('$')));
                    *value = json!({ "coding": codings.collect::<Result<Vec<_>, _>>()? });
                }
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.expand(item, story)),
            Value::Object(members) => {
                members.values_mut().try_for_each(|member| self.expand(member, story))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn coding(&self, text: &str) -> Result<Value, String> {
        let parts = text.trim().split_once(' ');
        let (system, rest) = parts.ok_or_else(|| format!("`${text}` is no system and code"))?;
        let system = self.systems.get(system);
        let system = system.ok_or_else(|| format!("`${text}`: `systems` has no such system"))?;
        Ok(match rest.split_once(" |") {
            Some((code, name)) => {
                json!({ "system": system, "code": code, "display": name.trim_end_matches('|') })
            }
            None => json!({ "system": system, "code": rest }),
        })
    }
}

/// Puts in the id and whom it is about.
fn complete(handle: &str, resource: &mut Value) -> Result<(), String> {
    let members = resource.as_object_mut();
    let members = members.ok_or_else(|| format!("`{handle}` is no resource"))?;
    members.insert("id".to_owned(), json!(handle));
    let kind = members.get("resourceType").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| format!("`{handle}` has no `resourceType`"))?;
    let element = match (WITH_SUBJECT.contains(&kind), WITH_PATIENT.contains(&kind)) {
        (true, _) => "subject",
        (_, true) => "patient",
        (false, false) => return Ok(()),
    };
    members.entry(element).or_insert_with(|| json!("@pat"));
    Ok(())
}

fn reference(handle: &str, story: &Story) -> Result<String, String> {
    let resource = story.get(handle).ok_or_else(|| format!("there is no `@{handle}`"))?;
    let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    Ok(format!("{kind}/{handle}"))
}

impl Case {
    /// A case for each value of `each`; the case itself where there is none.
    fn unfolded(&self) -> Result<Vec<Case>, String> {
        let Some(count) = self.each.values().map(Vec::len).max() else {
            return Ok(vec![self.clone()]);
        };
        if let Some((path, _)) = self.each.iter().find(|(_, values)| values.len() != count) {
            let what = format!("`each.{path}` has fewer values than another");
            return Err(format!("case `{}`: {what}", self.name));
        }
        let one = |at: usize| {
            let mut case = self.clone();
            case.each.clear();
            let mut words = Vec::new();
            for (path, values) in &self.each {
                let value = values.get(at).cloned().unwrap_or_default();
                words.push(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                case.set.insert(path.clone(), value);
            }
            case.name = format!("{} [{}]", self.name, words.join(", "));
            case
        };
        Ok((0..count).map(one).collect())
    }

    /// Whether nothing differs from the base story.
    pub fn is_base(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty() && !self.at_order_time
    }

    /// How the case is told: as an order too, where only clinical records differ.
    pub fn tellings(&self, book: &Casebook) -> Vec<Told> {
        if self.at_order_time {
            return vec![Told::Order];
        }
        let touched = self.set.keys().map(|path| path.split(['.', '[']).next().unwrap_or_default());
        let is_record = |handle: &str| {
            let resource = book.base.get(handle);
            let kind = resource.and_then(|resource| resource.get("resourceType")?.as_str());
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
fn set(story: &mut Story, path: &str, value: Value) -> Result<(), String> {
    let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let handle = steps.next().unwrap_or_default();
    let mut place = story.get_mut(handle).ok_or_else(|| format!("there is no `{handle}`"))?;
    for step in steps {
        place = match step.parse::<usize>() {
            Ok(at) => item(place, at)?,
            Err(_) => member(place, step)?,
        };
    }
    *place = value;
    Ok(())
}

/// The item `at` of a list, which may be the one behind its end.
fn item(place: &mut Value, at: usize) -> Result<&mut Value, String> {
    if !place.is_array() {
        *place = json!([]);
    }
    let items = place.as_array_mut().ok_or("it is no list")?;
    if at == items.len() {
        items.push(json!({}));
    }
    items.get_mut(at).ok_or_else(|| format!("{at} is behind the end of the list"))
}

fn member<'v>(place: &'v mut Value, name: &str) -> Result<&'v mut Value, String> {
    if !place.is_object() {
        *place = json!({});
    }
    let members = place.as_object_mut().ok_or("it has no members")?;
    Ok(members.entry(name).or_insert(Value::Null))
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
