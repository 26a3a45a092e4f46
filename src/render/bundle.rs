//! A Bundle as text around texts, so that what others wrote is passed on as they wrote it.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::RenderError;

/// What a collection says of itself.
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) profile: &'a str,
    pub(super) identifier: Option<(&'a str, &'a str)>,
    /// RFC 3339 with zone.
    pub(super) timestamp: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    resource_type: &'static str,
    id: &'a str,
    meta: WireMeta<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<WireIdentifier<'a>>,
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: &'a str,
    entry: Vec<WireEntry<'a>>,
}

#[derive(Serialize)]
struct WireMeta<'a> {
    profile: [&'a str; 1],
}

#[derive(Serialize)]
struct WireIdentifier<'a> {
    system: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireEntry<'a> {
    full_url: &'a str,
    resource: &'a RawValue,
}

/// The JSON text of a Bundle of type collection: `entries` in their order, each full URL once.
///
/// # Errors
/// The text of an entry is not JSON.
pub(super) fn collection(head: &Head<'_>, entries: &[(&str, &str)]) -> Result<String, RenderError> {
    let mut seen = HashSet::new();
    let mut entry = Vec::with_capacity(entries.len());
    for (full_url, text) in entries {
        // PAS 2.2.1 spec-33: a resource keeps its full URL; each resource stands once.
        if seen.insert(*full_url) {
            entry.push(WireEntry { full_url, resource: serde_json::from_str(text)? });
        }
    }
    let wire = Wire {
        resource_type: "Bundle",
        id: head.id,
        meta: WireMeta { profile: [head.profile] },
        identifier: head.identifier.map(|(system, value)| WireIdentifier { system, value }),
        kind: "collection",
        timestamp: head.timestamp,
        entry,
    };
    Ok(serde_json::to_string(&wire)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireParameters<'a> {
    resource_type: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameter: Vec<WireParameter<'a>>,
}

#[derive(Serialize)]
struct WireParameter<'a> {
    name: &'static str,
    resource: &'a RawValue,
}

/// The JSON text of Parameters with each resource as a `return`; without any, of Parameters without
/// parameters.
///
/// # Errors
/// The text of a resource is not JSON.
pub(super) fn parameters(resources: &[String]) -> Result<String, RenderError> {
    let parameter = resources
        .iter()
        .map(|text| Ok(WireParameter { name: "return", resource: serde_json::from_str(text)? }))
        .collect::<Result<_, RenderError>>()?;
    Ok(serde_json::to_string(&WireParameters { resource_type: "Parameters", parameter })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_entry_is_passed_on_unchanged_and_each_url_stands_once() {
        let text = r#"{"resourceType":"Basic", "n": 1.50,"s":"\u0041\/","_x":{}}"#;
        let head = Head { id: "b", profile: "p", identifier: None, timestamp: "t" };
        let bundle = collection(&head, &[("urn:a", text), ("urn:a", "{}")]).unwrap();
        assert!(bundle.contains(text));
        assert_eq!(bundle.matches("fullUrl").count(), 1);
    }
}
