//! Rules of the Bundle around a request (pas.md 2.5, 3.2).

use std::collections::HashSet;

use super::Profile;
use super::shape::{self, Form, Group, one};
use crate::fhir::{FaultKind, Kind, Node};
use crate::intake::faults::Faults;

/// The Bundle of a body: the body itself, or the `resource` of Parameters around it.
///
/// Parts of other names are not looked at.
pub(super) fn find<'d>(root: Node<'d>, faults: &mut Faults) -> Option<Node<'d>> {
    match root.text_of("resourceType").as_deref() {
        Some("Bundle") => Some(root),
        Some("Parameters") => in_parameters(root, faults),
        _ => {
            faults.add(FaultKind::Structure, root, "a PAS request Bundle is expected");
            None
        }
    }
}

/// rulings 40: the wrapper that general FHIR clients send is taken off.
fn in_parameters<'d>(root: Node<'d>, faults: &mut Faults) -> Option<Node<'d>> {
    let is_ours = |part: &Node<'d>| part.text_of("name").as_deref() == Some("resource");
    let mut parts = root.each("parameter").filter(is_ours);
    let (first, second) = (parts.next(), parts.next());
    let Some(part) = first else {
        faults.missing(root, "parameter");
        return None;
    };
    if let Some(second) = second {
        faults.add(FaultKind::Structure, second, "only one part named `resource` is expected");
        return None;
    }
    let Some(resource) = part.get("resource") else {
        faults.missing(part, "resource");
        return None;
    };
    if resource.text_of("resourceType").as_deref() == Some("Bundle") {
        return Some(resource);
    }
    faults.add(FaultKind::Structure, resource, "a PAS request Bundle is expected");
    None
}

const IDENTIFIER: Form = Form::Object(&[one(Form::Text, &["system", "value"])]);
const BUNDLE: &[Group] = &[
    one(Form::Code, &["type"]),
    one(IDENTIFIER, &["identifier"]),
    one(Form::Instant, &["timestamp"]),
];

/// Checks the Bundle and the frame of its entries, not what the resources say.
pub(super) fn check(bundle: Node<'_>, profile: Profile, faults: &mut Faults) {
    shape::check(bundle, BUNDLE, faults);
    match bundle.get("type") {
        None => faults.missing(bundle, "type"),
        Some(kind) if kind.kind() == Kind::Text && kind.text().as_deref() != Some("collection") => {
            faults.add(FaultKind::Value, kind, "`collection` is expected");
        }
        Some(_) => {}
    }
    if profile.is_version() {
        ["identifier", "timestamp"]
            .into_iter()
            .filter(|name| bundle.get(name).is_none())
            .for_each(|name| faults.missing(bundle, name));
    }
    let Some(entries) = bundle.get("entry") else {
        faults.missing(bundle, "entry");
        return;
    };
    if entries.kind() != Kind::Array {
        faults.add(FaultKind::Structure, entries, "an array is expected");
        return;
    }
    let mut urls = HashSet::new();
    for entry in entries.items() {
        if entry.kind() != Kind::Object {
            faults.add(FaultKind::Structure, entry, "an object is expected");
            continue;
        }
        check_full_url(entry, &mut urls, faults);
        check_resource(entry, faults);
        if profile.is_version() {
            // PAS 2.0.1 and 2.2.1, profile-pas-request-bundle: these three have cardinality 0..0
            for name in ["search", "request", "response"] {
                if let Some(member) = entry.get(name) {
                    faults.add(FaultKind::Structure, member, "the element is not allowed here");
                }
            }
        }
    }
    check_claims(entries, profile, faults);
}

fn check_full_url<'d>(
    entry: Node<'d>,
    urls: &mut HashSet<std::borrow::Cow<'d, str>>,
    faults: &mut Faults,
) {
    let Some(node) = entry.get("fullUrl") else {
        faults.missing(entry, "fullUrl");
        return;
    };
    match node.text() {
        None => faults.add(FaultKind::Structure, node, "a string is expected"),
        Some(url) => {
            // FHIR bdl-7, and PAS: each instance only once
            if !urls.insert(url) {
                faults.add(FaultKind::Duplicate, node, "an entry before has the same `fullUrl`");
            }
        }
    }
}

fn check_resource(entry: Node<'_>, faults: &mut Faults) {
    let Some(resource) = entry.get("resource") else {
        faults.missing(entry, "resource");
        return;
    };
    if resource.kind() != Kind::Object {
        faults.add(FaultKind::Structure, resource, "an object is expected");
    } else if resource.get("resourceType").is_none() {
        faults.missing(resource, "resourceType");
    }
}

fn check_claims(entries: Node<'_>, profile: Profile, faults: &mut Faults) {
    let is_claim =
        |resource: &Node<'_>| resource.text_of("resourceType").as_deref() == Some("Claim");
    let mut claims = entries.items().filter_map(|entry| entry.get("resource")).filter(is_claim);
    if claims.next().is_none() {
        faults.add(FaultKind::Required, entries, "a Claim is expected among the entries");
        return;
    }
    if profile != Profile::V2_2_1 {
        return;
    }
    // PAS 2.2.1 ClaimFirst
    let first = entries.items().next();
    if let Some(first) = first.filter(|entry| !entry.get("resource").as_ref().is_some_and(is_claim))
    {
        faults.add(FaultKind::Invariant, first, "the first entry is expected to be the Claim");
    }
    // PAS 2.2.1 profile-pas-request-bundle: one Claim, and for an update the one before it
    for claim in claims.skip(1) {
        faults.add(FaultKind::Structure, claim, "no more than two Claims are expected");
    }
}
