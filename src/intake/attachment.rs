//! A CDex `$submit-attachment` body: what belongs to which request, and the records that it brings.
//!
//! CDex 2.1.0, operation `submit-attachment`: Parameters named `TrackingId`, `AttachTo`, `MemberId`
//! and `Attachment` with `Content`; others are not needed to match and to judge.

use std::borrow::Cow;

use crate::fhir::{Document, Fault, FaultKind, Node};

/// What an attachment belongs to, and its resources.
#[derive(Debug)]
pub struct Attachments<'d> {
    /// `TrackingId`: the value of an identifier that the request or its answer has.
    pub tracking_id: Cow<'d, str>,
    /// `MemberId`: the member's id with the payer.
    pub member_id: Cow<'d, str>,
    /// The resources of every `Content`; those of a Bundle one by one, each with its full URL.
    pub resources: Vec<(Option<Cow<'d, str>>, Node<'d>)>,
}

impl<'d> Attachments<'d> {
    /// Takes a body apart that passed [`Document::parse`] under FHIR's rules.
    ///
    /// # Errors
    /// Every fault that was found, with its place.
    pub fn read(document: &'d Document<'d>) -> Result<Attachments<'d>, Vec<Fault>> {
        let root = document.root();
        let fault = |node: Node<'_>, kind, text: &str| Fault {
            kind,
            place: node.place(),
            text: text.to_owned(),
        };
        if root.text_of("resourceType").as_deref() != Some("Parameters") {
            return Err(vec![fault(root, FaultKind::Structure, "Parameters are expected")]);
        }
        let named = |name: &'static str| {
            let parts = root.each("parameter");
            parts.filter(move |part| part.text_of("name").as_deref() == Some(name))
        };
        let identifier = |name: &'static str| {
            named(name).find_map(|part| {
                let value = part.at(&["valueIdentifier", "value"]).and_then(Node::text);
                value.or_else(|| part.text_of("valueString"))
            })
        };
        let mut faults = Vec::new();
        let mut missing = |name: &str| {
            faults.push(fault(root, FaultKind::Required, &format!("`{name}` is missing")));
        };
        let (tracking_id, member_id) = (identifier("TrackingId"), identifier("MemberId"));
        if tracking_id.is_none() {
            missing("TrackingId");
        }
        if member_id.is_none() {
            missing("MemberId");
        }
        let contents = named("Attachment").flat_map(|attachment| {
            let parts = attachment.each("part").collect::<Vec<_>>().into_iter();
            parts.filter(|part| part.text_of("name").as_deref() == Some("Content"))
        });
        let resources: Vec<_> =
            contents.filter_map(|part| part.get("resource")).flat_map(unpacked).collect();
        if resources.is_empty() {
            missing("Attachment.Content");
        }
        for part in named("AttachTo") {
            let code = part.text_of("valueCode");
            if !matches!(code.as_deref(), None | Some("preauthorization")) {
                let text = "`preauthorization` is expected";
                faults.push(fault(part, FaultKind::Value, text));
            }
        }
        match (tracking_id, member_id) {
            (Some(tracking_id), Some(member_id)) if faults.is_empty() => {
                Ok(Attachments { tracking_id, member_id, resources })
            }
            (_, _) => Err(faults),
        }
    }
}

/// A resource, or the resources of a Bundle.
fn unpacked(resource: Node<'_>) -> Vec<(Option<Cow<'_, str>>, Node<'_>)> {
    if resource.text_of("resourceType").as_deref() != Some("Bundle") {
        return vec![(None, resource)];
    }
    let entries = resource.each("entry");
    entries.filter_map(|entry| Some((entry.text_of("fullUrl"), entry.get("resource")?))).collect()
}
