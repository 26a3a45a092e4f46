//! Must-support elements: that the payloads hold those of a request, and which of a response the
//! answers of a session show (pas.md 3.3 to 3.13, 5.3).
//!
//! An element is a path below a resource type. `name=text` takes the elements whose `url`,
//! `system` or code of its type ends with the text; `name*` any element that begins so.

use serde_json::Value;

use super::{Session, payloads, sandbox};

/// The elements of one resource type.
type Elements = (&'static str, &'static [&'static str]);

const REQUEST: &[Elements] = &[
    (
        "Claim",
        &[
            "extension=levelOfServiceCode",
            "extension=conditionCode",
            "extension=homeHealthCareInformation",
            "extension=Claim.encounter",
            "identifier.system",
            "identifier.value",
            "identifier.extension=identifierSubDepartment",
            "identifier.extension=identifierJurisdiction",
            "insurer",
            "provider",
            "careTeam.extension=careTeamClaimScope",
            "careTeam.sequence",
            "careTeam.provider",
            "careTeam.role",
            "careTeam.qualification",
            "supportingInfo.category.coding.code=patientEvent",
            "supportingInfo.category.coding.code=admissionDates",
            "supportingInfo.category.coding.code=dischargeDates",
            "supportingInfo.category.coding.code=additionalInformation",
            "supportingInfo.category.coding.code=freeFormMessage",
            "supportingInfo.timingDate",
            "supportingInfo.timingPeriod.start",
            "supportingInfo.timingPeriod.end",
            "supportingInfo.valueReference",
            "supportingInfo.valueString",
            "supportingInfo.extension=infoChanged",
            "supportingInfo.modifierExtension=infoCancelled",
            "diagnosis.extension=diagnosisRecordedDate",
            "diagnosis.diagnosisCodeableConcept",
            "diagnosis.type",
            "insurance",
            "accident.date",
            "accident.type",
            "accident.locationAddress",
            "item.extension=itemTraceNumber",
            "item.extension=authorizationNumber",
            "item.extension=administrationReferenceNumber",
            "item.extension=serviceItemRequestType",
            "item.extension=certificationType",
            "item.extension=productOrServiceCodeEnd",
            "item.extension=epsdtIndicator",
            "item.extension=nursingHomeResidentialStatus",
            "item.extension=nursingHomeLevelOfCare",
            "item.extension=revenueUnitRateLimit",
            "item.extension=requestedService",
            "item.extension=infoChanged",
            "item.modifierExtension=infoCancelled",
            "item.careTeamSequence",
            "item.diagnosisSequence",
            "item.informationSequence",
            "item.revenue",
            "item.category",
            "item.productOrService",
            "item.modifier",
            "item.servicedDate",
            "item.servicedPeriod",
            "item.location*",
            "item.quantity.value",
            "item.quantity.unit",
            "item.unitPrice",
            "related.claim",
            "related.relationship",
        ],
    ),
    (
        "Coverage",
        &[
            "identifier.type.coding.code=MB",
            "status",
            "type",
            "subscriber",
            "subscriberId",
            "beneficiary",
            "relationship.coding=005010/1069",
            "period",
            "payor",
            "class.type.coding.code=group",
            "class.type.coding.code=plan",
            "class.name",
        ],
    ),
    (
        "Encounter",
        &[
            "meta.lastUpdated",
            "extension=patientStatus",
            "extension=nursingHomeResidentialStatus",
            "identifier.system",
            "identifier.value",
            "status",
            "class",
            "type",
            "subject",
            "participant.type",
            "participant.period",
            "participant.individual",
            "period",
            "reasonCode",
            "reasonReference",
            "hospitalization.admitSource",
            "hospitalization.dischargeDisposition",
            "location.location",
            "serviceProvider",
        ],
    ),
    (
        "DeviceRequest",
        &["extension=coverage-information", "intent", "code*", "subject", "occurrence*"],
    ),
];

/// Of whoever takes part; requests and, where they are echoed, responses.
const PARTIES: &[Elements] = &[
    (
        "Organization",
        &[
            "identifier=us-npi",
            "identifier=USEIN",
            "active",
            "type",
            "name",
            "telecom.system",
            "telecom.value",
            "address.line",
            "address.city",
            "address.state",
            "address.postalCode",
            "address.country",
            "contact.name",
            "contact.telecom",
        ],
    ),
    (
        "Patient",
        &[
            "identifier.system",
            "identifier.value",
            "name.family",
            "name.given",
            "name.prefix",
            "name.suffix",
            "telecom.system",
            "telecom.value",
            "telecom.use",
            "gender",
            "birthDate",
            "address.line",
            "address.city",
            "address.district",
            "address.state",
            "address.postalCode",
            "address.country",
            "multipleBirthInteger",
            "communication.language",
        ],
    ),
    (
        "Practitioner",
        &[
            "identifier=us-npi",
            "name.family",
            "telecom.system",
            "telecom.value",
            "address.line",
            "address.city",
            "address.state",
            "address.postalCode",
            "address.country",
        ],
    ),
    (
        "PractitionerRole",
        &[
            "practitioner",
            "organization",
            "code",
            "specialty",
            "location",
            "telecom.system",
            "telecom.value",
            "endpoint",
        ],
    ),
];

/// What 2.2.1 has besides.
const PARTIES_OF_2_2_1: &[Elements] = &[("Organization", &["identifier=payerid"])];
const REQUEST_OF_2_2_1: &[Elements] = &[(
    "Claim",
    &[
        "extension=TransmissionIdentifiers",
        "extension=authorizationNumber",
        "extension=administrationReferenceNumber",
        "extension=certificationType",
        "supportingInfo.extension=documentInformation",
    ],
)];
/// What 2.0.1 has besides.
const PARTIES_OF_2_0_1: &[Elements] = &[(
    "Patient",
    &["extension=race", "extension=ethnicity", "extension=birthsex", "address.period"],
)];

/// Of an inquiry, besides the parties.
const INQUIRY: &[Elements] = &[(
    "Claim",
    &[
        "billablePeriod",
        "item.extension=itemCertificationIssueDate",
        "item.extension=itemCertificationExpirationDate",
        "item.extension=itemCertificationEffectiveDate",
        "item.extension=reviewActionCode",
        "item.extension=authorizationNumber",
        "item.extension=administrationReferenceNumber",
        "item.productOrService",
        "supportingInfo.timingDate",
        "supportingInfo.timingPeriod",
    ],
)];

/// Of an answer in both versions, to `$submit` and `$inquire`.
const RESPONSE: &[Elements] = &[
    (
        "ClaimResponse",
        &[
            "identifier",
            "status",
            "created",
            "patient",
            "insurer",
            "requestor",
            "request",
            "outcome",
            "preAuthPeriod",
            "item.itemSequence",
            "item.adjudication.extension=reviewAction",
            "item.extension=itemTraceNumber",
            "item.extension=itemPreAuthIssueDate",
            "item.extension=itemPreAuthPeriod",
            "item.extension=authorizationNumber",
            "item.extension=administrationReferenceNumber",
            "item.extension=itemRequestedServiceDate",
            "item.extension=itemAuthorizedProvider",
            "item.extension=itemAuthorizedDetail",
            "item.extension=communicatedDiagnosis",
            "error.code",
            "error.extension=errorFollowupAction",
            "error.extension=errorElement",
            "error.extension=errorPath",
        ],
    ),
    (
        "Task",
        &[
            "identifier",
            "status",
            "statusReason",
            "intent",
            "code",
            "for",
            "requester.identifier",
            "owner.identifier",
            "reasonCode",
            "reasonReference",
            "restriction.period",
            "input",
        ],
    ),
];

/// Of an answer in 2.2.1, to `$submit` and `$inquire`.
const RESPONSE_OF_2_2_1: &[Elements] = &[(
    "ClaimResponse",
    &[
        "extension=TransmissionIdentifiers",
        "extension=claimResponseReviewer",
        "extension=itemAuthorizedProvider",
        "identifier.system",
        "identifier.value",
        "identifier.extension=identifierJurisdiction",
        "identifier.extension=identifierSubDepartment",
        "request.extension=data-absent-reason",
        "item.noteNumber",
        "item.extension=admissionDates",
        "item.extension=dischargeDate",
        "addItem.itemSequence",
        "addItem.provider.extension=authorizedProviderType",
        "addItem.productOrService",
        "addItem.modifier",
        "addItem.serviced*",
        "addItem.location*",
        "addItem.quantity",
        "addItem.unitPrice",
        "addItem.adjudication.extension=reviewAction",
        "addItem.extension=itemTraceNumber",
        "addItem.extension=itemPreAuthIssueDate",
        "addItem.extension=itemPreAuthPeriod",
        "addItem.extension=authorizationNumber",
        "addItem.extension=administrationReferenceNumber",
        "addItem.extension=epsdtIndicator",
        "addItem.extension=nursingHomeResidentialStatus",
        "addItem.extension=nursingHomeLevelOfCare",
        "addItem.extension=productOrServiceCodeEnd",
        "addItem.extension=revenueCode",
        "addItem.extension=revenueUnitRateLimit",
        "addItem.extension=requestedService",
        "addItem.extension=serviceItemRequestType",
        "addItem.extension=certificationType",
        "addItem.extension=admissionDates",
        "addItem.extension=dischargeDate",
        "adjudication.extension=reviewAction",
        "processNote.number",
        "processNote.text",
    ],
)];

/// Of an answer to `$submit` only.
const COMMUNICATION: &[Elements] = &[
    ("ClaimResponse", &["communicationRequest", "item.noteNumber"]),
    (
        "CommunicationRequest",
        &[
            "identifier",
            "category",
            "medium",
            "payload.content*",
            "payload.extension=communicatedDiagnosis",
            "payload.extension=contentModifier",
            "requester",
            "recipient",
            "sender",
        ],
    ),
];

fn ends_with(value: &Value, wanted: &str) -> bool {
    let texts = [value, &value["url"], &value["system"], &value["type"]["coding"][0]["code"]];
    texts.iter().any(|text| text.as_str().is_some_and(|text| text.ends_with(wanted)))
}

fn is_there(value: &Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    let (name, wanted) =
        first.split_once('=').map_or((*first, None), |(name, wanted)| (name, Some(wanted)));
    let Some(members) = value.as_object() else { return false };
    let is_named = |key: &String| match name.strip_suffix('*') {
        Some(begin) => key.starts_with(begin),
        None => key == name,
    };
    let found = members.iter().filter(|(key, _)| is_named(key)).map(|(_, value)| value);
    let mut found = found.flat_map(|it| it.as_array().map_or(vec![it], |all| all.iter().collect()));
    found.any(|it| wanted.is_none_or(|wanted| ends_with(it, wanted)) && is_there(it, rest))
}

/// The elements that no resource of their type has.
fn missing(bundles: &[Value], wanted: &[&[Elements]]) -> Vec<String> {
    let entries = bundles.iter().flat_map(|bundle| bundle["entry"].as_array().unwrap());
    let resources: Vec<&Value> = entries.map(|entry| &entry["resource"]).collect();
    let is_shown = |kind: &str, element: &str| {
        // The host of one element's URL has full stops.
        let path: Vec<&str> = match element.strip_prefix("extension=Claim.") {
            Some(_) => vec![element],
            None => element.split('.').collect(),
        };
        let of_kind = resources.iter().filter(|it| it["resourceType"] == kind);
        of_kind.into_iter().any(|resource| is_there(resource, &path))
    };
    let all = wanted.iter().flat_map(|elements| elements.iter());
    let all = all.flat_map(|(kind, elements)| elements.iter().map(move |it| (*kind, *it)));
    all.filter(|(kind, element)| !is_shown(kind, element))
        .map(|(kind, element)| format!("{kind}.{element}"))
        .collect()
}

fn parties(version: &str) -> Vec<&'static [Elements]> {
    vec![PARTIES, if version == "2.0.1" { PARTIES_OF_2_0_1 } else { PARTIES_OF_2_2_1 }]
}

#[test]
fn the_payloads_hold_every_must_support_element_of_a_request() {
    for version in super::VERSIONS {
        let mut wanted = parties(version);
        let mut of_claim = vec![REQUEST];
        if version == "2.2.1" {
            of_claim.push(REQUEST_OF_2_2_1);
        }
        of_claim.append(&mut wanted);
        let sent = payloads(version, "must-support-submit");
        assert_eq!(missing(&sent, &of_claim), Vec::<String>::new(), "{version} submit");
        let mut of_inquiry = parties(version);
        of_inquiry.push(INQUIRY);
        let sent = payloads(version, "must-support-inquire");
        assert_eq!(missing(&sent, &of_inquiry), Vec::<String>::new(), "{version} inquire");
    }
}

// 3.1 and 3.2
#[test]
fn a_session_shows_every_must_support_element() {
    let server = sandbox(600);
    for version in super::VERSIONS {
        let mut session = Session::of(&server, version);
        for name in ["approval", "denial", "pended", "must-support-submit"] {
            session.submit(name);
        }
        for inquiry in payloads(version, "must-support-inquire") {
            session.inquire(&inquiry);
        }
        let mut wanted = parties(version);
        wanted.push(RESPONSE);
        if version == "2.2.1" {
            wanted.push(RESPONSE_OF_2_2_1);
        }
        let inquired = missing(&session.inquired, &wanted);
        wanted.push(COMMUNICATION);
        let submitted = missing(&session.submitted, &wanted);

        assert_eq!(submitted, Vec::<String>::new(), "{version}: not shown by $submit");
        assert_eq!(inquired, Vec::<String>::new(), "{version}: not shown by $inquire");
    }
}
