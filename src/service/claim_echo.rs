//! What an answer sends back of a Claim: parties, identifiers, and the resources it must hold.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::fhir::{Node, Pool};
use crate::intake::pas_request::{Identifier, Line, Party, PasRequest, TypeCoding};
use crate::intake::reader::is_npi_system;
use crate::render::pas::{ClaimEcho, EchoedCoding, EchoedIdentifier, EchoedParty, RequestedDate};

/// An identifier as it is sent back; one without a value is not.
pub(super) fn echoed<'e>(identifier: &'e Identifier<'_>) -> Option<EchoedIdentifier<'e>> {
    let value = identifier.value.as_deref()?;
    Some(EchoedIdentifier { system: identifier.system.as_deref(), value })
}

/// `system|value`, by which likenesses between submissions are found.
pub(super) fn token(identifier: &Identifier<'_>) -> Option<String> {
    let echoed = echoed(identifier)?;
    Some(format!("{}|{}", echoed.system.unwrap_or_default(), echoed.value))
}

/// The texts of the Claim's parties, which an answer borrows.
pub(super) struct Parties<'d> {
    patient: Named<'d>,
    insurer: Named<'d>,
    requestor: Named<'d>,
}

/// How a party is named where the answer stands: by the full URL of its entry, and where it has
/// none (it is contained in the Claim, or only an identifier was sent) by an identifier or name.
#[derive(Default)]
struct Named<'d> {
    url: Option<Cow<'d, str>>,
    system: Option<Cow<'d, str>>,
    value: Option<Cow<'d, str>>,
    display: Option<Cow<'d, str>>,
}

impl<'d> Parties<'d> {
    pub(super) fn of(request: &PasRequest<'d>) -> Parties<'d> {
        let named = |party: &Party<'d>| Named::of(&request.pool, party);
        Parties {
            patient: named(&request.patient),
            insurer: request.insurer.as_ref().map(named).unwrap_or_default(),
            requestor: named(&request.provider),
        }
    }

    pub(super) fn claim<'e>(&'e self, request: &'e PasRequest<'_>) -> ClaimEcho<'e> {
        ClaimEcho {
            full_url: &request.claim_url,
            identifier: request.claim_identifiers.first().and_then(echoed),
            kind: request.type_codings.iter().filter_map(coding).collect(),
            patient: self.patient.echoed(),
            insurer: self.insurer.echoed(),
            requestor: self.requestor.echoed(),
        }
    }
}

impl<'d> Named<'d> {
    fn of(pool: &Pool<'d>, party: &Party<'d>) -> Named<'d> {
        let entry = party.place.and_then(|place| pool.entry(place));
        if let Some(url) = entry.and_then(|entry| entry.full_url.clone()) {
            return Named { url: Some(url), ..Named::default() };
        }
        let own = party.node.get("identifier");
        let identifier = own.or_else(|| entry.and_then(|entry| best_identifier(entry.node)));
        Named {
            url: None,
            system: identifier.and_then(|it| it.text_of("system")),
            value: identifier.and_then(|it| it.text_of("value")),
            display: party
                .node
                .text_of("display")
                .or_else(|| entry.and_then(|entry| entry.node.text_of("name"))),
        }
    }

    fn echoed(&self) -> EchoedParty<'_> {
        EchoedParty {
            reference: self.url.as_deref(),
            identifier: self
                .value
                .as_deref()
                .map(|value| EchoedIdentifier { system: self.system.as_deref(), value }),
            display: self.display.as_deref(),
        }
    }
}

/// The NPI of a resource, else its first identifier.
fn best_identifier(resource: Node<'_>) -> Option<Node<'_>> {
    let is_npi = |identifier: &Node<'_>| {
        identifier.text_of("system").is_some_and(|system| is_npi_system(&system))
    };
    resource.each("identifier").find(is_npi).or_else(|| resource.each("identifier").next())
}

/// The resource types that an answer needs besides the Claim's own references.
const ECHOED: &[&str] =
    &["Patient", "Organization", "Practitioner", "PractitionerRole", "Location"];

/// The resources that an answer must hold (PAS spec-31): the parties and what they refer to, each
/// once, with full URL and text as received.
pub(super) fn resources<'d>(request: &PasRequest<'d>) -> Vec<(Cow<'d, str>, &'d str)> {
    let pool = &request.pool;
    let parties = [Some(&request.patient), request.insurer.as_ref(), Some(&request.provider)];
    let mut queue: VecDeque<usize> =
        parties.into_iter().flatten().filter_map(|party| party.place).collect();
    let mut seen: Vec<usize> = Vec::new();
    let mut resources = Vec::new();
    while let Some(place) = queue.pop_front() {
        let Some(entry) = pool.entry(place) else { continue };
        let Some(url) = &entry.full_url else { continue };
        if seen.contains(&place) || !ECHOED.contains(&&*entry.kind) {
            continue;
        }
        seen.push(place);
        resources.push((url.clone(), entry.node.raw()));
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

/// The codings of what an item asks for.
pub(super) fn product_codings<'e>(line: &'e Line<'_>) -> Vec<EchoedCoding<'e>> {
    line.product.iter().filter_map(coding).collect()
}

fn coding<'e>(coding: &'e TypeCoding<'_>) -> Option<EchoedCoding<'e>> {
    let code = coding.code.as_deref()?;
    Some(EchoedCoding { system: coding.system.as_deref(), code })
}

/// The date of service of an item, which an answer borrows.
pub(super) struct Serviced<'d> {
    date: Option<Cow<'d, str>>,
    start: Option<Cow<'d, str>>,
    end: Option<Cow<'d, str>>,
}

impl<'d> Serviced<'d> {
    pub(super) fn of(line: Option<&Line<'d>>) -> Serviced<'d> {
        let item = line.map(|line| line.node);
        let period = item.and_then(|item| item.get("servicedPeriod"));
        Serviced {
            date: item.and_then(|item| item.text_of("servicedDate")),
            start: period.and_then(|period| period.text_of("start")),
            end: period.and_then(|period| period.text_of("end")),
        }
    }

    pub(super) fn requested(&self) -> Option<RequestedDate<'_>> {
        match (&self.date, &self.start, &self.end) {
            (Some(date), _, _) => Some(RequestedDate::Date(date)),
            (None, None, None) => None,
            (None, start, end) => {
                Some(RequestedDate::Period { start: start.as_deref(), end: end.as_deref() })
            }
        }
    }
}
