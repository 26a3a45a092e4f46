//! Who is to hear of a further answer, and whether there is anything to hear.

use super::line::StoredLine;
use crate::fhir::{Document, Node, Rules};
use crate::intake::pas_request::{PasRequest, Profile};
use crate::intake::reader::extension;
use crate::store::{CaseFile, LineRecord, Notice};

/// The notice of an answer to a case whose newest submission is `request`; `None` where no line
/// says anything new.
pub(super) fn notice(
    request: &PasRequest<'_>,
    case: &CaseFile,
    lines: &[LineRecord],
) -> Option<Notice> {
    // PAS 2.2.1 spec-60: any change of a line, also where the request stays pended.
    (said(&case.lines) != said(lines)).then(|| Notice { senders: senders(request) })
}

/// As [`notice`], for an answer to the submission that is on file.
pub(super) fn notice_of_case(case: &CaseFile, lines: &[LineRecord]) -> Option<Notice> {
    let document = Document::parse(case.submission.body.as_bytes(), Rules::Fhir).ok()?;
    let request = PasRequest::read(&document, Profile::Common).ok()?;
    notice(&request, case, lines)
}

/// What an answer says of its lines: not how they were judged.
fn said(lines: &[LineRecord]) -> Vec<(LineRecord, Vec<String>, String)> {
    let said = |line: &LineRecord| {
        let stored = StoredLine::of(line);
        let review = serde_json::to_string(&stored.review).unwrap_or_default();
        let silent = LineRecord {
            trace: String::new(),
            determination: String::new(),
            policy: None,
            ..line.clone()
        };
        (silent, stored.notes, review)
    };
    lines.iter().map(said).collect()
}

/// Every identifier by which a filter may name the sender, as `value` and as `system|value`.
///
/// The interchange sender of the Claim where it names one, else whoever `Claim.provider` is: an
/// Organization, or a role with its person and its organization (pas.md T11, T36).
fn senders(request: &PasRequest<'_>) -> Vec<String> {
    let pool = &request.pool;
    let Some(claim) = pool.entry(request.claim).map(|entry| entry.node) else { return Vec::new() };
    let interchange = extension(claim, "extension-TransmissionIdentifiers")
        .and_then(|identifiers| extension(identifiers, "interchangeSenderID"))
        .and_then(|sender| sender.text_of("valueString"));
    if let Some(sender) = interchange {
        return vec![sender.trim().to_owned()];
    }
    let mut senders = Vec::new();
    senders.extend(request.provider.node.get("identifier").into_iter().flat_map(names));
    let Some(place) = request.provider.place else { return senders };
    let Some(provider) = pool.entry(place) else { return senders };
    let behind = ["practitioner", "organization"].into_iter().filter_map(|name| {
        let reference = provider.node.get(name)?;
        senders.extend(reference.get("identifier").into_iter().flat_map(names));
        pool.entry(pool.follow(reference, place)?)
    });
    let behind: Vec<_> = behind.collect();
    for entry in std::iter::once(provider).chain(behind) {
        senders.extend(entry.node.each("identifier").flat_map(names));
    }
    senders
}

fn names(identifier: Node<'_>) -> Vec<String> {
    let Some(value) = identifier.text_of("value") else { return Vec::new() };
    let value = value.trim();
    let system = identifier.text_of("system").unwrap_or_default();
    vec![value.to_owned(), format!("{system}|{value}")]
}
