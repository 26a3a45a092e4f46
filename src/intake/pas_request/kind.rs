//! What a line asks for: an authorization, or a change of one (X12 1322).

use super::PasRequest;
use crate::fhir::Node;
use crate::intake::reader::extensions;

/// What is noted on a line that would be certified if it asked for something new.
pub const NOT_ANEW: &str = "A person of the plan handles requests to cancel, renew or \
    change an authorization.";

/// What a line asks for (X12 1322).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `I`, or nothing said: an authorization.
    Initial,
    /// `S`: the same with other details; of a case that is there.
    Revised,
    /// `3`: none any more.
    Cancel,
    /// An appeal, an extension, a renewal, or a code that we do not know: for a person.
    Other,
}

impl RequestKind {
    /// Whether the engine may certify it by itself.
    #[must_use]
    pub fn may_be_certified(self) -> bool {
        match self {
            RequestKind::Initial | RequestKind::Revised => true,
            RequestKind::Cancel | RequestKind::Other => false,
        }
    }
}

/// What the line with this sequence asks for, by its own certification type and the Claim's.
#[must_use]
pub fn kind_of_request(request: &PasRequest<'_>, sequence: u32) -> RequestKind {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    let item = request.lines.iter().find(|line| line.sequence == sequence).map(|line| line.node);
    let is_update = claim.is_some_and(|claim| relates_to_earlier(claim));
    let mut kind = RequestKind::Initial;
    for code in claim.into_iter().chain(item).flat_map(certification_types) {
        kind = match (&*code, kind) {
            ("3", _) => return RequestKind::Cancel,
            ("I", kind) => kind,
            ("S", RequestKind::Initial) if is_update => RequestKind::Revised,
            (_, _) => RequestKind::Other,
        };
    }
    kind
}

/// The certification types that a Claim or an item carries (X12 1322).
#[must_use]
pub fn certification_types(node: Node<'_>) -> Vec<String> {
    let types = extensions(node, "extension-certificationType")
        .filter_map(|kind| kind.get("valueCodeableConcept"));
    let codings = types.flat_map(|concept| concept.each("coding").collect::<Vec<_>>());
    codings.filter_map(|coding| coding.text_of("code")).map(String::from).collect()
}

/// Whether a Claim says that it follows another (`prior`; `replaces` in the words of 2.0.1).
#[must_use]
pub fn relates_to_earlier(claim: Node<'_>) -> bool {
    !earlier_claims(claim).is_empty()
}

/// The Claims that this one says it follows.
#[must_use]
pub fn earlier_claims(claim: Node<'_>) -> Vec<Node<'_>> {
    let related = claim.each("related").filter(|related| {
        let Some(relationship) = related.get("relationship") else { return true };
        relationship
            .each("coding")
            .any(|coding| matches!(coding.text_of("code").as_deref(), Some("prior" | "replaces")))
    });
    related.filter_map(|related| related.get("claim")).collect()
}
