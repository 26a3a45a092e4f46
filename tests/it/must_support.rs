//! Every element that a test suite wants to see stands in the sandbox's answers (pas.md 5.3).
//!
//! An element is written as a path from its resource; `:name` is the extension whose URL ends with
//! the name, and `identifier=system` an identifier of that system.

use priorauth::ig::PasVersion;
use priorauth::render::pas::AnswerTo;
use serde_json::Value;

use crate::harness::json;
use crate::samples::submission;
use crate::wire::dangling;

/// In both versions, to `$submit` and to `$inquire`.
const ALWAYS: &[&str] = &[
    "Bundle.timestamp",
    "Bundle.entry.fullUrl",
    "Bundle.entry.resource",
    "ClaimResponse.identifier.system",
    "ClaimResponse.identifier.value",
    "ClaimResponse.status",
    "ClaimResponse.created",
    "ClaimResponse.patient",
    "ClaimResponse.insurer",
    "ClaimResponse.requestor",
    "ClaimResponse.request",
    "ClaimResponse.outcome",
    "ClaimResponse.preAuthPeriod",
    "ClaimResponse.item.itemSequence",
    "ClaimResponse.item.noteNumber",
    "ClaimResponse.item.adjudication.:reviewAction",
    "ClaimResponse.item.:itemTraceNumber",
    "ClaimResponse.item.:itemPreAuthIssueDate",
    "ClaimResponse.item.:itemPreAuthPeriod",
    "ClaimResponse.item.:authorizationNumber",
    "ClaimResponse.item.:administrationReferenceNumber",
    "ClaimResponse.item.:itemRequestedServiceDate",
    "ClaimResponse.item.:itemAuthorizedProvider",
    "ClaimResponse.item.:itemAuthorizedDetail",
    "ClaimResponse.item.:communicatedDiagnosis",
    "ClaimResponse.error.code",
    "ClaimResponse.error.:errorFollowupAction",
    "ClaimResponse.error.:errorElement",
    "ClaimResponse.error.:errorPath",
    "Organization.identifier=http://hl7.org/fhir/sid/us-npi",
    "Organization.identifier=http://terminology.hl7.org/NamingSystem/USEIN",
    "Organization.active",
    "Organization.type",
    "Organization.name",
    "Organization.telecom.system",
    "Organization.telecom.value",
    "Organization.address.line",
    "Organization.address.city",
    "Organization.address.state",
    "Organization.address.postalCode",
    "Organization.address.country",
    "Organization.contact.name",
    "Organization.contact.telecom",
    "Patient.identifier.system",
    "Patient.identifier.value",
    "Patient.name.family",
    "Patient.name.given",
    "Patient.name.prefix",
    "Patient.name.suffix",
    "Patient.telecom.system",
    "Patient.telecom.value",
    "Patient.telecom.use",
    "Patient.gender",
    "Patient.birthDate",
    "Patient.address.line",
    "Patient.address.city",
    "Patient.address.district",
    "Patient.address.state",
    "Patient.address.postalCode",
    "Patient.address.country",
    "Patient.multipleBirthInteger",
    "Patient.communication.language",
    "Practitioner.identifier=http://hl7.org/fhir/sid/us-npi",
    "Practitioner.name.family",
    "Practitioner.telecom.system",
    "Practitioner.telecom.value",
    "Practitioner.address.line",
    "Practitioner.address.city",
    "Practitioner.address.state",
    "Practitioner.address.postalCode",
    "Practitioner.address.country",
    "PractitionerRole.practitioner",
    "PractitionerRole.organization",
    "Task.identifier",
    "Task.status",
    "Task.statusReason",
    "Task.intent",
    "Task.code",
    "Task.for",
    "Task.requester.identifier",
    "Task.owner.identifier",
    "Task.reasonCode",
    "Task.reasonReference",
    "Task.restriction.period",
    "Task.input.type",
];

/// To `$submit`, in both versions.
const ASKED: &[&str] = &[
    "ClaimResponse.communicationRequest",
    "CommunicationRequest.identifier",
    "CommunicationRequest.category",
    "CommunicationRequest.medium",
    "CommunicationRequest.payload.contentString",
    "CommunicationRequest.payload.:communicatedDiagnosis",
    "CommunicationRequest.payload.:contentModifier",
    "CommunicationRequest.requester",
    "CommunicationRequest.recipient",
    "CommunicationRequest.sender",
];

/// In 2.0.1 only.
const OLD: &[&str] = &[
    "Patient.:us-core-race",
    "Patient.:us-core-ethnicity",
    "Patient.:us-core-birthsex",
    "Patient.address.period",
    "Task.input.:paLineNumber",
];

/// In 2.2.1 only.
const NEW: &[&str] = &[
    "ClaimResponse.:TransmissionIdentifiers",
    "ClaimResponse.:claimResponseReviewer",
    "ClaimResponse.:itemAuthorizedProvider",
    "ClaimResponse.identifier.:identifierJurisdiction",
    "ClaimResponse.identifier.:identifierSubDepartment",
    "ClaimResponse.request.:data-absent-reason",
    "ClaimResponse.item.:admissionDates",
    "ClaimResponse.item.:dischargeDate",
    "ClaimResponse.addItem.itemSequence",
    "ClaimResponse.addItem.provider.:authorizedProviderType",
    "ClaimResponse.addItem.productOrService",
    "ClaimResponse.addItem.modifier",
    "ClaimResponse.addItem.servicedDate",
    "ClaimResponse.addItem.locationCodeableConcept",
    "ClaimResponse.addItem.quantity",
    "ClaimResponse.addItem.unitPrice",
    "ClaimResponse.addItem.adjudication.:reviewAction",
    "ClaimResponse.addItem.:itemTraceNumber",
    "ClaimResponse.addItem.:itemPreAuthIssueDate",
    "ClaimResponse.addItem.:itemPreAuthPeriod",
    "ClaimResponse.addItem.:authorizationNumber",
    "ClaimResponse.addItem.:administrationReferenceNumber",
    "ClaimResponse.addItem.:epsdtIndicator",
    "ClaimResponse.addItem.:nursingHomeResidentialStatus",
    "ClaimResponse.addItem.:nursingHomeLevelOfCare",
    "ClaimResponse.addItem.:productOrServiceCodeEnd",
    "ClaimResponse.addItem.:revenueCode",
    "ClaimResponse.addItem.:revenueUnitRateLimit",
    "ClaimResponse.addItem.:requestedService",
    "ClaimResponse.addItem.:serviceItemRequestType",
    "ClaimResponse.addItem.:certificationType",
    "ClaimResponse.addItem.:admissionDates",
    "ClaimResponse.addItem.:dischargeDate",
    "ClaimResponse.adjudication.:reviewAction",
    "ClaimResponse.processNote.number",
    "ClaimResponse.processNote.text",
    "Organization.identifier=https://payer.priorauth.test/payer-id",
    "PractitionerRole.code",
    "PractitionerRole.specialty",
    "PractitionerRole.location",
    "PractitionerRole.telecom.system",
    "PractitionerRole.telecom.value",
    "PractitionerRole.endpoint",
    "Task.input.:serviceLineNumber",
    "Task.input.:contentModifier",
    "Task.input.valueUrl",
    "Task.input.valueCodeableConcept",
    "Task.input.valueString",
];

/// The values at one step from a value.
fn step<'v>(value: &'v Value, step: &str) -> Vec<&'v Value> {
    let each = |value: &'v Value| match value {
        Value::Array(items) => items.iter().collect::<Vec<_>>(),
        other => vec![other],
    };
    if let Some(name) = step.strip_prefix(':') {
        let all = value["extension"].as_array().into_iter().flatten();
        let ends =
            |url: &str| url.ends_with(&format!("-{name}")) || url.ends_with(&format!("/{name}"));
        return all.filter(|it| it["url"].as_str().is_some_and(ends)).collect();
    }
    if let Some(system) = step.strip_prefix("identifier=") {
        let all = value["identifier"].as_array().into_iter().flatten();
        return all.filter(|it| it["system"] == system).collect();
    }
    value.get(step).map(each).unwrap_or_default()
}

fn is_there(bundle: &Value, element: &str) -> bool {
    let (kind, path) = element.split_once('.').unwrap();
    let entries = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    let resources = entries.chain([bundle]).filter(|it| it["resourceType"] == kind);
    let steps: Vec<&str> = match path.split_once("identifier=") {
        Some(_) => vec![path],
        None => path.split('.').collect(),
    };
    let reached = |resource| {
        steps.iter().fold(vec![resource], |found, name| {
            found.into_iter().flat_map(|value| step(value, name)).collect()
        })
    };
    resources.flat_map(reached).next().is_some()
}

/// The sandbox's answer, without the Parameters around it.
fn bundle(version: PasVersion, to: AnswerTo) -> Value {
    let answer = json(&submission::must_support(version, to));
    if answer["resourceType"] == "Parameters" {
        assert_eq!(answer["parameter"].as_array().unwrap().len(), 1);
        return answer["parameter"][0]["resource"].clone();
    }
    answer
}

#[test]
fn the_sandbox_s_answers_show_every_element_of_their_version() {
    for version in PasVersion::ALL {
        let own = match version {
            PasVersion::V2_0_1 => OLD,
            PasVersion::V2_2_1 => NEW,
        };
        for to in [AnswerTo::Submission, AnswerTo::Inquiry] {
            let bundle = bundle(version, to);
            let asked = if to == AnswerTo::Submission { ASKED } else { &[] };
            let wanted = ALWAYS.iter().chain(own).chain(asked);
            let missing: Vec<_> = wanted.filter(|element| !is_there(&bundle, element)).collect();
            assert_eq!(missing, Vec::<&&str>::new(), "{version:?} {to:?}");
            assert_eq!(dangling(&bundle), Vec::<String>::new());
            assert_eq!(is_there(&bundle, "ClaimResponse.communicationRequest"), !asked.is_empty());
        }
        // Trap T5: where the line's number stands.
        let submitted = bundle(version, AnswerTo::Submission);
        let (root, payload) = (
            is_there(&submitted, "CommunicationRequest.:serviceLineNumber"),
            is_there(&submitted, "CommunicationRequest.payload.:serviceLineNumber"),
        );
        assert_eq!((root, payload), (own == NEW, own == OLD));
    }
}

#[test]
fn what_the_answer_says_by_itself_stays() {
    for version in PasVersion::ALL {
        let plain = json(&submission::answer(version, vec![submission::certified()], false));
        let rich = bundle(version, AnswerTo::Submission);
        let (plain, rich) = (&plain["entry"][0]["resource"], &rich["entry"][0]["resource"]);
        for name in ["patient", "insurer", "requestor", "created", "outcome", "preAuthPeriod"] {
            assert_eq!(plain[name], rich[name], "{name}");
        }
        assert_eq!(rich["item"].as_array().unwrap().len(), 1);
        assert_eq!(plain["item"][0]["adjudication"], rich["item"][0]["adjudication"]);
        let (plain, rich) = (&plain["item"][0]["extension"], &rich["item"][0]["extension"]);
        let (plain, rich) = (plain.as_array().unwrap(), rich.as_array().unwrap());
        assert!(plain.iter().all(|extension| rich.contains(extension)));
        // No extension of which one is allowed stands twice.
        let urls: Vec<&str> = rich.iter().map(|it| it["url"].as_str().unwrap()).collect();
        let mut once = urls.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), urls.len());
    }
}
