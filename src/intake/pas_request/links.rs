//! References of the Claim that must lead to a resource of the Bundle (pas.md 2.3, 2.5).
//!
//! Those that the decision or the answer needs, as they stand in the Claim itself.
//! A reference further down (`PractitionerRole.location`, `Encounter.serviceProvider`) that leads
//! nowhere is not refused: HL7's own examples hold such ones, and what it would have said is
//! unknown to the policy.
//! References of evidence resources never are a reason to refuse (rulings 12).
//! A reference that says only an identifier or a name is left as it is.
//! `Claim.related.claim` may lead outside: PAS 2.0.1 does not send the Claim before.

use super::Profile;
use crate::fhir::{FaultKind, Kind, Node, Pool};
use crate::intake::faults::Faults;
use crate::intake::reader::extension;

const PATIENT: &[&str] = &["Patient"];
const PAYER: &[&str] = &["Organization"];
const PROVIDER: &[&str] = &["Organization", "Practitioner", "PractitionerRole"];
const COVERAGE: &[&str] = &["Coverage"];
const LOCATION: &[&str] = &["Location"];
/// Any type.
const ANY: &[&str] = &[];

/// Checks the references of the Claim at `place`.
///
/// The patient must be there under every profile.
/// The others must be there under a version's; [`Profile::Common`] lets them be unknown, as
/// rulings 10 wants of a coverage.
pub(super) fn check(pool: &Pool<'_>, place: usize, profile: Profile, faults: &mut Faults) {
    let Some(claim) = pool.entry(place).map(|entry| entry.node) else { return };
    let mut must_lead = |reference: Node<'_>, types: &[&str], is_needed: bool| {
        let Some(text) = reference.text_of("reference") else { return };
        let target = pool.resolve(&text, place).and_then(|target| pool.entry(target));
        match target {
            None if is_needed => {
                let text = "the reference does not lead to a resource of the Bundle";
                faults.add(FaultKind::NotFound, reference, text);
            }
            Some(entry) if !types.is_empty() && !types.contains(&&*entry.kind) => {
                let text = format!("a reference to {} is expected", types.join(" or "));
                faults.add(FaultKind::Value, reference, text);
            }
            None | Some(_) => {}
        }
    };
    let needs_all = profile.is_version();
    for (name, types) in
        [("patient", PATIENT), ("insurer", PAYER), ("provider", PROVIDER), ("facility", LOCATION)]
    {
        if let Some(reference) = claim.get(name) {
            must_lead(reference, types, needs_all || name == "patient");
        }
    }
    for (list, name, types) in [
        ("insurance", "coverage", COVERAGE),
        ("careTeam", "provider", PROVIDER),
        ("supportingInfo", "valueReference", ANY),
        ("diagnosis", "diagnosisReference", ANY),
        ("item", "locationReference", LOCATION),
    ] {
        for reference in claim.each(list).filter_map(|element| element.get(name)) {
            must_lead(reference, types, needs_all);
        }
    }
    let requested =
        claim.each("item").filter_map(|item| extension(item, "extension-requestedService"));
    let encounter = extension(claim, "extension-Claim.encounter");
    for reference in
        requested.chain(encounter).filter_map(|extension| extension.get("valueReference"))
    {
        must_lead(reference, ANY, needs_all);
    }
    if let Some(patient) = claim.get("patient")
        && patient.kind() == Kind::Object
        && patient.get("reference").is_none()
    {
        faults.missing(patient, "reference");
    }
}
