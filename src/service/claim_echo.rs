//! What an answer sends back of a Claim: parties, identifiers, and the resources it must hold.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::fhir::{Node, Pool};
use crate::intake::pas_request::{Identifier, Line, Party, PasRequest, TypeCoding, type_codings};
use crate::intake::reader::{extension, extensions, is_npi_system, npi};
use crate::render::pas::{
    Change, ClaimEcho, Detail, EchoedCoding, EchoedIdentifier, EchoedParty, EchoedQuantity,
    RequestedDate, Stay, Transmission,
};
use crate::terms::Npi;

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
    organization: Option<(Cow<'d, str>, Option<Npi>)>,
    /// GS02, GS03, ISA06, ISA08.
    transmission: [Option<Cow<'d, str>>; 4],
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
            organization: organization(request),
            transmission: transmission(request),
        }
    }

    /// The full URL of the requesting organization, and its NPI.
    pub(super) fn organization(&self) -> Option<(&str, Option<Npi>)> {
        self.organization.as_ref().map(|(url, npi)| (&**url, *npi))
    }

    pub(super) fn claim<'e>(&'e self, request: &'e PasRequest<'_>) -> ClaimEcho<'e> {
        ClaimEcho {
            full_url: &request.claim_url,
            identifier: request.claim_identifiers.first().and_then(echoed),
            kind: request.type_codings.iter().filter_map(coding).collect(),
            patient: self.patient.echoed(),
            insurer: self.insurer.echoed(),
            requestor: self.requestor.echoed(),
            organization: self.organization().map(|(url, _)| url),
            transmission: self.transmission(),
        }
    }

    fn transmission(&self) -> Option<Transmission<'_>> {
        let [sender, receiver, interchange_sender, interchange_receiver] = &self.transmission;
        Some(Transmission {
            application_sender: sender.as_deref()?,
            application_receiver: receiver.as_deref()?,
            interchange_sender: interchange_sender.as_deref(),
            interchange_receiver: interchange_receiver.as_deref(),
        })
    }
}

/// The Organization that asks: the provider of the Claim, or the one behind its role.
fn organization<'d>(request: &PasRequest<'d>) -> Option<(Cow<'d, str>, Option<Npi>)> {
    let pool = &request.pool;
    let place = request.provider.place?;
    let entry = pool.entry(place)?;
    let entry = match &*entry.kind {
        "PractitionerRole" => pool.entry(pool.follow(entry.node.get("organization")?, place)?)?,
        _ => entry,
    };
    let number = npi(entry.node).and_then(Result::ok);
    (entry.kind == "Organization").then(|| Some((entry.full_url.clone()?, number)))?
}

/// The identifiers of the transmission, as the Claim has them.
fn transmission<'d>(request: &PasRequest<'d>) -> [Option<Cow<'d, str>>; 4] {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    let labels = claim.and_then(|claim| extension(claim, "extension-TransmissionIdentifiers"));
    let names = [
        "applicationSenderCode",
        "applicationReceiverCode",
        "interchangeSenderID",
        "interchangeReceiverID",
    ];
    names.map(|name| extension(labels?, name)?.text_of("valueString"))
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

fn coding<'e>(coding: &'e TypeCoding<'_>) -> Option<EchoedCoding<'e>> {
    let code = coding.code.as_deref()?;
    Some(EchoedCoding { system: coding.system.as_deref(), code })
}

/// What an answer repeats of an item; it borrows of the request.
pub(super) struct ItemEcho<'d> {
    product: Vec<TypeCoding<'d>>,
    modifiers: Vec<Vec<TypeCoding<'d>>>,
    quantity: Option<Quantity<'d>>,
    serviced: Dates<'d>,
    admission: Dates<'d>,
    discharge: Option<Cow<'d, str>>,
}

struct Quantity<'d> {
    value: &'d str,
    unit: Option<Cow<'d, str>>,
    system: Option<Cow<'d, str>>,
    code: Option<Cow<'d, str>>,
}

/// How much is authorized where nobody said how much is asked for: one (rulings 23).
const ONE: &str = "1";

impl<'d> ItemEcho<'d> {
    pub(super) fn of(request: &PasRequest<'d>, line: Option<&Line<'d>>) -> ItemEcho<'d> {
        let item = line.map(|line| line.node);
        let admission = item.and_then(|item| stated(request, item, "admissionDates"));
        let discharge = item.and_then(|item| stated(request, item, "dischargeDates"));
        let modifiers = item.into_iter().flat_map(|item| item.each("modifier"));
        ItemEcho {
            product: line.map(|line| line.product.clone()).unwrap_or_default(),
            modifiers: modifiers.map(type_codings).collect(),
            quantity: item.and_then(|item| Quantity::of(item.get("quantity")?)),
            serviced: Dates::of(item, "servicedDate", "servicedPeriod"),
            admission: Dates::of(admission, "timingDate", "timingPeriod"),
            discharge: discharge.and_then(|info| info.text_of("timingDate")),
        }
    }

    pub(super) fn requested(&self) -> Option<RequestedDate<'_>> {
        self.serviced.echoed()
    }

    pub(super) fn stay(&self) -> Stay<'_> {
        Stay { admission: self.admission.echoed(), discharge: self.discharge.as_deref() }
    }

    /// What is asked for, and the same in the quantity that is authorized.
    pub(super) fn change<'e>(&'e self, authorized: &'e str) -> Change<'e> {
        Change { requested: self.detail(None), authorized: self.detail(Some(authorized)) }
    }

    fn detail<'e>(&'e self, other_value: Option<&'e str>) -> Detail<'e> {
        let asked = self.quantity.as_ref();
        let value = other_value.or(asked.map(|it| it.value)).unwrap_or(ONE);
        Detail {
            product: self.product.iter().filter_map(coding).collect(),
            modifiers: self
                .modifiers
                .iter()
                .map(|codings| codings.iter().filter_map(coding).collect::<Vec<_>>())
                .filter(|codings| !codings.is_empty())
                .collect(),
            quantity: Some(EchoedQuantity {
                value,
                unit: asked.and_then(|it| it.unit.as_deref()),
                system: asked.and_then(|it| it.system.as_deref()),
                code: asked.and_then(|it| it.code.as_deref()),
            }),
            service: self.requested(),
        }
    }
}

impl<'d> Quantity<'d> {
    fn of(node: Node<'d>) -> Option<Quantity<'d>> {
        Some(Quantity {
            value: node.get("value")?.number()?,
            unit: node.text_of("unit"),
            system: node.text_of("system"),
            code: node.text_of("code"),
        })
    }
}

/// The supporting information of a category: that which the item names, else the Claim's first.
fn stated<'d>(request: &PasRequest<'d>, item: Node<'d>, category: &str) -> Option<Node<'d>> {
    let claim = request.pool.entry(request.claim)?.node;
    let is_it = |info: &Node<'d>| {
        info.get("category").is_some_and(|concept| {
            concept.each("coding").any(|it| it.text_of("code").as_deref() == Some(category))
        })
    };
    let found: Vec<Node<'d>> = claim.each("supportingInfo").filter(is_it).collect();
    let named = found.iter().find(|info| {
        let own = info.get("sequence").and_then(Node::number);
        own.is_some() && item.each("informationSequence").any(|it| it.number() == own)
    });
    named.or(found.first()).copied()
}

/// The number of an authorization that an item or its Claim names.
pub(super) fn named_authorization<'d>(
    request: &PasRequest<'d>,
    line: &Line<'d>,
) -> Option<Cow<'d, str>> {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    [Some(line.node), claim].into_iter().flatten().find_map(|node| {
        extensions(node, "extension-authorizationNumber").find_map(|it| it.text_of("valueString"))
    })
}

/// A day or a period, which an answer borrows.
struct Dates<'d> {
    date: Option<Cow<'d, str>>,
    start: Option<Cow<'d, str>>,
    end: Option<Cow<'d, str>>,
}

impl<'d> Dates<'d> {
    fn of(node: Option<Node<'d>>, date: &str, period: &str) -> Dates<'d> {
        let span = node.and_then(|node| node.get(period));
        Dates {
            date: node.and_then(|node| node.text_of(date)),
            start: span.and_then(|span| span.text_of("start")),
            end: span.and_then(|span| span.text_of("end")),
        }
    }

    fn echoed(&self) -> Option<RequestedDate<'_>> {
        match (&self.date, &self.start, &self.end) {
            (Some(date), _, _) => Some(RequestedDate::Date(date)),
            (None, None, None) => None,
            (None, start, end) => {
                Some(RequestedDate::Period { start: start.as_deref(), end: end.as_deref() })
            }
        }
    }
}
