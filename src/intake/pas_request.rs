//! A PAS `$submit` or `$inquire` body: taken apart, or refused with all its faults.
//!
//! Refuses what cannot be processed: wrong structure, missing or repeated elements, impossible
//! dates, a patient who is not there.
//! Refuses to know what the request is worth: the absence of evidence, unknown codes, displays,
//! extensions in odd places and must-support elements are no faults (PAS 2.2.1 conf-5, conf-14).
//! Never quotes a value of the request in a fault.
//! One pass over the tree for each kind of rule; no rule looks at a pair of entries.

mod bundle;
mod claim;
mod elements;
#[cfg(test)]
mod guides;
pub mod kind;
mod links;
mod shape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::faults::Faults;
use super::reader::extensions;
use super::subject::Subject;
use crate::fhir::{Document, Entry, Fault, FaultKind, Node, Pool};

/// Whose rules a request is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What both PAS versions and FHIR itself share, with what is not needed to judge the items
    /// left open (rulings 7, 10).
    Common,
    /// PAS 2.0.1.
    V2_0_1,
    /// PAS 2.2.1.
    V2_2_1,
    /// An inquiry, of any version: an example of what is looked for, which may have no items.
    Inquiry,
}

impl Profile {
    fn is_version(self) -> bool {
        match self {
            Profile::Common | Profile::Inquiry => false,
            Profile::V2_0_1 | Profile::V2_2_1 => true,
        }
    }
}

/// A PAS request that passed all checks: its resources, and where what an answer needs is.
#[derive(Debug)]
pub struct PasRequest<'d> {
    /// All resources of the Bundle.
    pub pool: Pool<'d>,
    /// The Bundle, without the Parameters that may have been around it.
    pub bundle: Node<'d>,
    /// `Bundle.identifier`; there under both versions.
    pub identifier: Option<Identifier<'d>>,
    /// The place of the Claim in the pool.
    pub claim: usize,
    /// The URL under which the Bundle lists the Claim.
    pub claim_url: Cow<'d, str>,
    /// `Claim.identifier`, in order.
    pub claim_identifiers: Vec<Identifier<'d>>,
    /// The codings of `Claim.type`, in order.
    pub type_codings: Vec<TypeCoding<'d>>,
    /// The place of the Claim that this one replaces, where the Bundle holds it.
    pub prior: Option<usize>,
    /// Who the request is about.
    pub subject: Subject,
    /// `Claim.patient`; its place is that of a Patient.
    pub patient: Party<'d>,
    /// `Claim.insurer`; there under both versions.
    pub insurer: Option<Party<'d>>,
    /// `Claim.provider`: an Organization, a `PractitionerRole` or a Practitioner.
    pub provider: Party<'d>,
    /// The items, in order; none where the Claim cancels everything.
    pub lines: Vec<Line<'d>>,
}

/// An Identifier.
#[derive(Clone, Debug)]
pub struct Identifier<'d> {
    /// The element itself.
    pub node: Node<'d>,
    /// Its system.
    pub system: Option<Cow<'d, str>>,
    /// Its value.
    pub value: Option<Cow<'d, str>>,
}

/// A coding as it was written, to be sent back.
#[derive(Clone, Debug)]
pub struct TypeCoding<'d> {
    /// Its system.
    pub system: Option<Cow<'d, str>>,
    /// Its code.
    pub code: Option<Cow<'d, str>>,
    /// Its words.
    pub display: Option<Cow<'d, str>>,
}

/// Someone whom the Claim names by a Reference.
#[derive(Clone, Debug)]
pub struct Party<'d> {
    /// The Reference element.
    pub node: Node<'d>,
    /// Its `reference`, as it was written.
    pub reference: Option<Cow<'d, str>>,
    /// The place in the pool that it leads to.
    pub place: Option<usize>,
}

/// An item of the Claim, as an answer must name it.
#[derive(Clone, Debug)]
pub struct Line<'d> {
    /// The item.
    pub node: Node<'d>,
    /// `item.sequence`, from 1, unique.
    pub sequence: u32,
    /// The values of the item's trace number extensions, in order.
    pub trace_numbers: Vec<Identifier<'d>>,
    /// The codings of `item.productOrService`.
    pub product: Vec<TypeCoding<'d>>,
}

impl<'d> PasRequest<'d> {
    /// Takes a request apart that passed [`Document::parse`] under FHIR's rules.
    ///
    /// Of several Claims the first is the request; the others are only looked at for their JSON
    /// forms.
    /// Other Patients, and resources of any type, may be in the Bundle (rulings 12).
    ///
    /// # Errors
    /// Every fault that was found, at most
    /// [`MAX_FAULTS`](crate::fhir::strict_json::MAX_FAULTS), each with its place.
    pub fn read(
        document: &'d Document<'d>,
        profile: Profile,
    ) -> Result<PasRequest<'d>, Vec<Fault>> {
        let mut faults = Faults::default();
        let root = document.root();
        let Some(bundle) = bundle::find(root, &mut faults) else { return Err(faults.into_vec()) };
        bundle::check(bundle, profile, &mut faults);
        let mut pool = Pool::default();
        pool.add_bundle(bundle);
        for entry in pool.entries() {
            shape::check_resource(entry.node, &entry.kind, &mut faults);
        }
        let is_claim = |entry: &Entry<'d>| entry.kind == "Claim" && entry.container.is_none();
        let place = pool.entries().iter().position(is_claim);
        if let Some((place, entry)) = place.and_then(|at| Some((at, pool.entry(at)?))) {
            claim::check(entry.node, profile, &mut faults);
            links::check(&pool, place, profile, &mut faults);
        }
        if !faults.is_empty() {
            return Err(faults.into_vec());
        }
        place.and_then(|place| assemble(pool, bundle, place)).ok_or_else(|| {
            // The checks above leave nothing that could be missing here.
            faults.add(FaultKind::Required, bundle, "the Claim cannot be read");
            faults.into_vec()
        })
    }
}

fn assemble<'d>(pool: Pool<'d>, bundle: Node<'d>, place: usize) -> Option<PasRequest<'d>> {
    let entry = pool.entry(place)?;
    let claim = entry.node;
    let claim_url = entry.full_url.clone()?;
    let party = |name: &str| Some(party(&pool, claim.get(name)?, place));
    let patient = party("patient")?;
    let person = patient.place.and_then(|at| pool.entry(at))?;
    let subject = Subject {
        place: patient.place,
        reference: person.id.as_ref().map(|id| format!("Patient/{id}")),
    };
    let (insurer, provider) = (party("insurer"), party("provider")?);
    let replaced = claim.each("related").filter_map(|related| related.get("claim"));
    let prior = replaced
        .filter_map(|reference| pool.follow(reference, place))
        .find(|at| *at != place && pool.entry(*at).is_some_and(|entry| entry.kind == "Claim"));
    Some(PasRequest {
        bundle,
        identifier: bundle.get("identifier").map(identifier),
        claim: place,
        claim_url,
        claim_identifiers: claim.each("identifier").map(identifier).collect(),
        type_codings: claim.get("type").map(type_codings).unwrap_or_default(),
        prior,
        subject,
        patient,
        insurer,
        provider,
        lines: claim.each("item").filter_map(line).collect(),
        pool,
    })
}

fn identifier(node: Node<'_>) -> Identifier<'_> {
    Identifier { node, system: node.text_of("system"), value: node.text_of("value") }
}

/// The codings of a concept, as they were written.
#[must_use]
pub fn type_codings(concept: Node<'_>) -> Vec<TypeCoding<'_>> {
    let codings = concept.each("coding");
    codings
        .map(|coding| TypeCoding {
            system: coding.text_of("system"),
            code: coding.text_of("code"),
            display: coding.text_of("display"),
        })
        .collect()
}

fn party<'d>(pool: &Pool<'d>, node: Node<'d>, from: usize) -> Party<'d> {
    Party { node, reference: node.text_of("reference"), place: pool.follow(node, from) }
}

fn line(node: Node<'_>) -> Option<Line<'_>> {
    let sequence = node.get("sequence").and_then(shape::positive_int)?;
    let numbers = extensions(node, "extension-itemTraceNumber");
    let trace_numbers =
        numbers.filter_map(|number| number.get("valueIdentifier")).map(identifier).collect();
    let product = node.get("productOrService").map(type_codings).unwrap_or_default();
    Some(Line { node, sequence, trace_numbers, product })
}
