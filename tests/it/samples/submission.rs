//! Answers to submissions.

use priorauth::ig::PasVersion;
use priorauth::render::pas::{
    AnswerError, AnswerTo, AskedDocument, Change, ClaimAnswer, ClaimEcho, Detail, EchoedCoding,
    EchoedIdentifier, EchoedParty, EchoedQuantity, LineAction, LineAnswer, RequestedDate,
    ReviewedBy, Stay, Transmission, must_support_bundle, response_bundle,
};
use priorauth::terms::{Day, Npi};

const CLAIM: &str = "urn:uuid:5c1d5e3e-6a0a-4a5e-9c0b-0d5a4c3b2a10";
const PATIENT: &str = "https://ehr.lakeside.test/fhir/Patient/p-1";
const INSURER: &str = "urn:uuid:5c1d5e3e-6a0a-4a5e-9c0b-0d5a4c3b2a12";
const REQUESTOR: &str = "urn:uuid:5c1d5e3e-6a0a-4a5e-9c0b-0d5a4c3b2a13";
const COVERAGE: &str = "urn:uuid:5c1d5e3e-6a0a-4a5e-9c0b-0d5a4c3b2a14";

/// A response Bundle of `version` that says `actions`, one for each line from 1 on.
pub(crate) fn answer(
    version: PasVersion,
    actions: Vec<LineAction<'_>>,
    with_claim: bool,
) -> String {
    with(version, AnswerTo::Submission, actions, with_claim, |answer| {
        response_bundle(answer).unwrap()
    })
}

/// The sandbox's answer to an approved line, in which every element stands.
pub(crate) fn must_support(version: PasVersion, to: AnswerTo) -> String {
    let ids = ["0b2f8a6e-52a4-4d5e-8a51-7d7a60f5b021", "0b2f8a6e-52a4-4d5e-8a51-7d7a60f5b022"];
    with(version, to, vec![certified()], false, |answer| must_support_bundle(answer, ids).unwrap())
}

fn with(
    version: PasVersion,
    to: AnswerTo,
    actions: Vec<LineAction<'_>>,
    with_claim: bool,
    text: impl FnOnce(&ClaimAnswer<'_>) -> String,
) -> String {
    let claim = claim(version, actions.len().max(1));
    let (patient, insurer, requestor, coverage) = resources();
    let mut echoed = vec![
        (PATIENT, patient.as_str()),
        (INSURER, insurer.as_str()),
        (REQUESTOR, requestor.as_str()),
        (PATIENT, patient.as_str()),
    ];
    if with_claim {
        echoed.push((CLAIM, &claim));
        echoed.push((COVERAGE, &coverage));
    }
    let number = EchoedIdentifier { system: Some("urn:trnorg:1234567893"), value: "PA-20260302-1" };
    let by_person = actions
        .iter()
        .any(|action| matches!(action, LineAction::Denied { .. } | LineAction::Modified { .. }));
    let reviewed_by = by_person.then(|| ReviewedBy::Person(Npi::parse("1234567893").ok()));
    // Nothing is said of a line only where the request was not processed at all.
    let errors = if actions.is_empty() { vec![refused()] } else { Vec::new() };
    let lines = (1_u32..).zip(actions).map(|(sequence, action)| LineAnswer {
        sequence,
        trace_numbers: vec![EchoedIdentifier { system: number.system, value: "LINE-7" }],
        requested_for: Some(RequestedDate::Date("2026-03-16")),
        previous: None,
        stay: Stay {
            admission: Some(RequestedDate::Date("2026-03-15")),
            discharge: Some("2026-03-29"),
        },
        action,
    });
    text(&ClaimAnswer {
        version,
        to,
        bundle_id: "0b2f8a6e-52a4-4d5e-8a51-7d7a60f5b001",
        bundle_identifier: ("https://ehr.lakeside.test/bundle", "SUB-1"),
        timestamp: "2026-03-02T09:30:00Z",
        response_id: "0b2f8a6e-52a4-4d5e-8a51-7d7a60f5b002",
        response_identifier: ("https://payer.priorauth.test/response", "R-1"),
        claim: ClaimEcho {
            full_url: CLAIM,
            identifier: Some(number),
            kind: vec![EchoedCoding {
                system: Some("http://terminology.hl7.org/CodeSystem/claim-type"),
                code: "institutional",
            }],
            patient: entry(PATIENT),
            insurer: entry(INSURER),
            requestor: entry(REQUESTOR),
            organization: Some(REQUESTOR),
            transmission: Some(Transmission {
                application_sender: "LAKESIDE",
                application_receiver: "CAREPARTNERS",
                interchange_sender: Some("1234567893"),
                interchange_receiver: None,
            }),
        },
        echoed,
        reviewed_by,
        lines: lines.collect(),
        errors,
        notes: Vec::new(),
    })
}

pub(crate) fn certified() -> LineAction<'static> {
    LineAction::Certified {
        number: "AUTH-0000017",
        issued_on: day("2026-03-02"),
        valid_from: day("2026-03-16"),
        valid_to: day("2026-06-13"),
        provider: Some(REQUESTOR),
        notes: Vec::new(),
    }
}

pub(crate) fn pended() -> LineAction<'static> {
    LineAction::Pended {
        reference: "CASE-0000018",
        notes: vec![
            "Please send the result of the BRAF test (criterion 5).".to_owned(),
            "Please send the stage of the melanoma (criterion 1).".to_owned(),
        ],
        documents: vec![document(1, "11502-2", None), document(2, "74156-1", Some("PY"))],
    }
}

fn document(
    number: u32,
    loinc: &'static str,
    report_type: Option<&'static str>,
) -> AskedDocument<'static> {
    AskedDocument {
        id: format!("0b2f8a6e-52a4-4d5e-8a51-7d7a60f5b01{number}"),
        control_number: (
            "https://payer.priorauth.test/attachment",
            format!("CASE-0000018-{loinc}"),
        ),
        loinc,
        report_type,
    }
}

pub(crate) fn denied() -> LineAction<'static> {
    LineAction::Denied {
        reason_codes: vec!["0V"],
        notes: vec!["The reviewer's reason, in words.".to_owned()],
    }
}

pub(crate) fn modified() -> LineAction<'static> {
    LineAction::Modified {
        number: "AUTH-0000019",
        issued_on: day("2026-03-02"),
        valid_from: day("2026-03-16"),
        valid_to: day("2026-06-13"),
        provider: Some(REQUESTOR),
        change: Box::new(Change { requested: doses("2"), authorized: doses("1") }),
        notes: vec!["One dose is authorized.".to_owned()],
    }
}

fn doses(value: &'static str) -> Detail<'static> {
    let system = Some("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets");
    Detail {
        product: vec![EchoedCoding { system, code: "J9999" }],
        modifiers: vec![vec![EchoedCoding { system, code: "RR" }]],
        quantity: Some(EchoedQuantity {
            value,
            unit: None,
            system: Some("http://unitsofmeasure.org"),
            code: Some("{dose}"),
        }),
        service: Some(RequestedDate::Date("2026-03-16")),
    }
}

fn refused() -> AnswerError<'static> {
    AnswerError {
        reason_code: "33",
        follow_up_code: "C",
        path: "Claim.related.claim",
        text: "The request that is to be changed is not on file.",
    }
}

/// Every answer that is sent: its name, and what it says of each line.
pub(crate) fn all() -> Vec<(&'static str, Vec<LineAction<'static>>)> {
    vec![
        ("approve", vec![certified()]),
        ("pend", vec![pended()]),
        ("not-required", vec![LineAction::NotRequired { notes: Vec::new() }]),
        ("denied-by-a-person", vec![denied()]),
        ("modified-by-a-person", vec![modified()]),
        ("cancelled", vec![LineAction::Cancelled]),
        ("refused", Vec::new()),
        ("mixed", vec![certified(), pended(), LineAction::NotRequired { notes: Vec::new() }]),
    ]
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Patient, insurer, requestor and coverage as the provider sent them.
fn resources() -> (String, String, String, String) {
    let patient = r#"{"resourceType":"Patient","id":"p-1","identifier":[{"system":"https://ehr.lakeside.test/mrn","value":"MRN-1"}],"name":[{"family":"Testperson","given":["Ada"]}],"gender":"female","birthDate":"1957-02-28"}"#;
    let insurer = r#"{"resourceType":"Organization","id":"i-1","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1992000012"}],"active":true,"name":"CarePartners of Connecticut"}"#;
    let requestor = r#"{"resourceType":"Organization","id":"o-1","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1234567893"}],"active":true,"name":"Lakeside Cell Therapy Center"}"#;
    let coverage = format!(
        r#"{{"resourceType":"Coverage","id":"c-1","identifier":[{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MB"}}]}},"system":"https://payer.priorauth.test/member","value":"M-1"}}],"status":"active","subscriberId":"M-1","subscriber":{{"reference":"{PATIENT}"}},"beneficiary":{{"reference":"{PATIENT}"}},"relationship":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/subscriber-relationship","code":"self"}}]}},"payor":[{{"reference":"{INSURER}"}}]}}"#
    );
    (patient.to_owned(), insurer.to_owned(), requestor.to_owned(), coverage)
}

/// The Claim as the provider sent it, with so many lines.
fn claim(version: PasVersion, lines: usize) -> String {
    let profile = match version {
        PasVersion::V2_0_1 => "profile-claim-update",
        PasVersion::V2_2_1 => "profile-claim",
    };
    let base = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition";
    let item = |sequence: usize| {
        format!(
            r#"{{"extension":[{{"url":"{base}/extension-serviceItemRequestType","valueCodeableConcept":{{"coding":[{{"system":"https://codesystem.x12.org/005010/1525","code":"HS"}}]}}}},{{"url":"{base}/extension-certificationType","valueCodeableConcept":{{"coding":[{{"system":"https://codesystem.x12.org/005010/1322","code":"I"}}]}}}}],"sequence":{sequence},"category":{{"coding":[{{"system":"https://codesystem.x12.org/005010/1365","code":"2"}}]}},"productOrService":{{"coding":[{{"system":"http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets","code":"J9999"}}]}},"servicedDate":"2026-03-16","locationCodeableConcept":{{"coding":[{{"system":"https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set","code":"21"}}]}}}}"#
        )
    };
    let items: Vec<String> = (1..=lines).map(item).collect();
    format!(
        r#"{{"resourceType":"Claim","id":"cl-1","meta":{{"profile":["{base}/{profile}"]}},"identifier":[{{"system":"urn:trnorg:1234567893","value":"PA-20260302-1"}}],"status":"active","type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/claim-type","code":"institutional"}}]}},"use":"preauthorization","patient":{{"reference":"{PATIENT}"}},"created":"2026-03-02","insurer":{{"reference":"{INSURER}"}},"provider":{{"reference":"{REQUESTOR}"}},"priority":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/processpriority","code":"normal"}}]}},"insurance":[{{"sequence":1,"focal":true,"coverage":{{"reference":"{COVERAGE}"}}}}],"item":[{}]}}"#,
        items.join(",")
    )
}

/// A party that is an entry of the answer.
fn entry(url: &str) -> EchoedParty<'_> {
    EchoedParty { reference: Some(url), ..EchoedParty::default() }
}
