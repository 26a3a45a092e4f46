//! What an answer sends back of a Claim: references, identifiers, and the resources it must hold.

use crate::fhir::{Node, Pool};
use crate::render::pas::{ClaimEcho, EchoedCoding, EchoedIdentifier, RequestedDate};

pub(super) fn identifier(node: Node<'_>) -> Option<(Option<String>, String)> {
    let identifier = node.each("identifier").next()?;
    let value = identifier.text_of("value")?.into_owned();
    Some((identifier.text_of("system").map(Into::into), value))
}

pub(super) fn identifier_text(node: Node<'_>) -> Option<String> {
    identifier(node).map(|(system, value)| format!("{}|{value}", system.unwrap_or_default()))
}

/// What an answer sends back of the Claim and the resources that it must hold (PAS spec-31).
pub(super) struct Echo<'d> {
    full_url: String,
    identifier: Option<(Option<String>, String)>,
    kind: Vec<(Option<String>, String)>,
    patient: String,
    insurer: String,
    requestor: String,
    /// Full URL and text of each.
    pub(super) resources: Vec<(String, &'d str)>,
}

/// The resource types that an answer needs besides the Claim's own references.
const ECHOED: &[&str] =
    &["Patient", "Organization", "Practitioner", "PractitionerRole", "Location"];

impl<'d> Echo<'d> {
    pub(super) fn of(pool: &Pool<'d>, place: usize, claim: Node<'d>) -> Echo<'d> {
        let mut open: Vec<usize> = Vec::new();
        let mut target = |name: &str| {
            let found = claim.get(name).and_then(|reference| pool.follow(reference, place));
            open.extend(found);
            found.and_then(|found| pool.entry(found)).and_then(|entry| entry.full_url.clone())
        };
        let (patient, insurer, requestor) =
            (target("patient"), target("insurer"), target("provider"));
        let kind = claim.get("type").map(|kind| {
            kind.each("coding")
                .filter_map(|coding| {
                    Some((
                        coding.text_of("system").map(Into::into),
                        coding.text_of("code")?.into_owned(),
                    ))
                })
                .collect()
        });
        Echo {
            full_url: pool
                .entry(place)
                .and_then(|entry| entry.full_url.clone())
                .unwrap_or_default()
                .into_owned(),
            identifier: identifier(claim),
            kind: kind.unwrap_or_default(),
            patient: patient.unwrap_or_default().into_owned(),
            insurer: insurer.unwrap_or_default().into_owned(),
            requestor: requestor.unwrap_or_default().into_owned(),
            resources: closure(pool, open),
        }
    }

    pub(super) fn claim(&self) -> ClaimEcho<'_> {
        ClaimEcho {
            full_url: &self.full_url,
            identifier: self
                .identifier
                .as_ref()
                .map(|(system, value)| EchoedIdentifier { system: system.as_deref(), value }),
            kind: self
                .kind
                .iter()
                .map(|(system, code)| EchoedCoding { system: system.as_deref(), code })
                .collect(),
            patient: &self.patient,
            insurer: &self.insurer,
            requestor: &self.requestor,
        }
    }
}

/// The resources at `open` and what they refer to, each once, in the order in which they are met.
fn closure<'d>(pool: &Pool<'d>, open: Vec<usize>) -> Vec<(String, &'d str)> {
    let mut queue = std::collections::VecDeque::from(open);
    let mut seen: Vec<usize> = Vec::new();
    let mut resources = Vec::new();
    while let Some(place) = queue.pop_front() {
        let Some(entry) = pool.entry(place) else { continue };
        let Some(url) = &entry.full_url else { continue };
        if seen.contains(&place) || !ECHOED.contains(&&*entry.kind) {
            continue;
        }
        seen.push(place);
        resources.push((url.clone().into_owned(), entry.node.raw()));
        let mut nodes = vec![entry.node];
        while let Some(node) = nodes.pop() {
            for (name, value) in node.members() {
                if name == "reference" {
                    let found = value.text().and_then(|text| pool.resolve(&text, place));
                    queue.extend(found);
                }
                nodes.extend(value.items());
            }
        }
    }
    resources
}

/// What an answer sends back of one item.
pub(super) struct LineStrings {
    traces: Vec<(Option<String>, String)>,
    serviced_date: Option<String>,
    serviced_period: Option<(Option<String>, Option<String>)>,
}

impl LineStrings {
    pub(super) fn of(item: Node<'_>) -> LineStrings {
        let text = |node: Node<'_>, name: &str| node.text_of(name).map(String::from);
        let traces = crate::intake::reader::extensions(item, "extension-itemTraceNumber")
            .filter_map(|extension| {
                let identifier = extension.get("valueIdentifier")?;
                Some((text(identifier, "system"), text(identifier, "value")?))
            })
            .collect();
        LineStrings {
            traces,
            serviced_date: text(item, "servicedDate"),
            serviced_period: item
                .get("servicedPeriod")
                .map(|period| (text(period, "start"), text(period, "end"))),
        }
    }

    pub(super) fn trace_numbers(&self) -> Vec<EchoedIdentifier<'_>> {
        self.traces
            .iter()
            .map(|(system, value)| EchoedIdentifier { system: system.as_deref(), value })
            .collect()
    }

    pub(super) fn requested_for(&self) -> Option<RequestedDate<'_>> {
        match (&self.serviced_date, &self.serviced_period) {
            (Some(date), _) => Some(RequestedDate::Date(date)),
            (None, Some((start, end))) => {
                Some(RequestedDate::Period { start: start.as_deref(), end: end.as_deref() })
            }
            (None, None) => None,
        }
    }
}
