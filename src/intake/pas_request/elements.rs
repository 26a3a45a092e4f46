//! The JSON forms of the elements that we read, by resource type (FHIR R4).
//!
//! Lists what the intake reads and no more; a resource type without a row is not looked into.

use super::shape::Form::{
    Boolean, Code, Date, DateTime, Instant, Number, Object, Period, PositiveInt, Text,
};
use super::shape::{Form, Group, many, one};

type Groups = &'static [Group];

const CONCEPT: Form = Object(&[many(CODING, &["coding"]), one(Text, &["text"])]);
const CODING: Form = Object(&[one(Code, &["code"]), one(Text, &["system", "version", "display"])]);
const IDENTIFIER: Form = Object(&[
    one(Text, &["system", "value"]),
    one(Code, &["use"]),
    one(CONCEPT, &["type"]),
    one(PERIOD, &["period"]),
]);
const REFERENCE: Form =
    Object(&[one(Text, &["reference", "type", "display"]), one(IDENTIFIER, &["identifier"])]);
const PERIOD: Form = Period(&[one(DateTime, &["start", "end"])]);
const QUANTITY: Form =
    Object(&[one(Number, &["value"]), one(Text, &["unit", "system"]), one(Code, &["code"])]);
const NAME: Form =
    Object(&[one(Text, &["family", "text"]), many(Text, &["given"]), one(PERIOD, &["period"])]);
const TIMING: Form = Object(&[
    many(DateTime, &["event"]),
    one(CONCEPT, &["code"]),
    one(
        Object(&[
            one(PERIOD, &["boundsPeriod"]),
            one(PositiveInt, &["count", "frequency"]),
            one(Number, &["period"]),
        ]),
        &["repeat"],
    ),
]);

/// What an extension may hold, of what we read.
pub(super) const EXTENSION: Groups = &[
    one(Text, &["url", "valueString", "valueUri"]),
    one(Code, &["valueCode"]),
    one(Boolean, &["valueBoolean"]),
    one(Date, &["valueDate"]),
    one(DateTime, &["valueDateTime"]),
    one(Number, &["valueInteger", "valueDecimal"]),
    one(PositiveInt, &["valuePositiveInt"]),
    one(CODING, &["valueCoding"]),
    one(CONCEPT, &["valueCodeableConcept"]),
    one(IDENTIFIER, &["valueIdentifier"]),
    one(REFERENCE, &["valueReference"]),
    one(PERIOD, &["valuePeriod"]),
    one(QUANTITY, &["valueQuantity"]),
];

/// The forms of the elements of a resource type; `None` of a type that we do not read.
pub(super) fn of_type(kind: &str) -> Option<Groups> {
    TYPES.iter().find(|(name, _)| *name == kind).map(|(_, groups)| *groups)
}

/// All rows.
pub(super) const TYPES: &[(&str, Groups)] = &[
    ("Claim", CLAIM),
    ("Patient", PATIENT),
    ("Coverage", COVERAGE),
    ("Practitioner", PRACTITIONER),
    ("PractitionerRole", PRACTITIONER_ROLE),
    ("Organization", ORGANIZATION),
    ("Location", LOCATION),
    ("Encounter", ENCOUNTER),
    ("ServiceRequest", SERVICE_REQUEST),
    ("DeviceRequest", DEVICE_REQUEST),
    ("MedicationRequest", MEDICATION_REQUEST),
    ("MedicationStatement", MEDICATION_STATEMENT),
    ("MedicationAdministration", MEDICATION_ADMINISTRATION),
    ("Medication", MEDICATION),
    ("Condition", CONDITION),
    ("Observation", OBSERVATION),
    ("AllergyIntolerance", ALLERGY),
    ("Specimen", &[one(CONCEPT, &["type"])]),
];

/// What every resource has.
pub(super) const RESOURCE: Groups =
    &[one(Text, &["resourceType", "id"]), many(Object(&[]), &["contained"])];

const CLAIM: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Code, &["status", "use"]),
    one(CONCEPT, &["type", "subType", "priority"]),
    one(REFERENCE, &["patient", "enterer", "insurer", "provider", "facility", "referral"]),
    one(PERIOD, &["billablePeriod"]),
    one(DateTime, &["created"]),
    many(Object(&[one(REFERENCE, &["claim"]), one(CONCEPT, &["relationship"])]), &["related"]),
    many(CARE_TEAM, &["careTeam"]),
    many(SUPPORTING_INFO, &["supportingInfo"]),
    many(DIAGNOSIS, &["diagnosis"]),
    many(Object(&[one(PositiveInt, &["sequence"])]), &["procedure"]),
    many(INSURANCE, &["insurance"]),
    one(Object(&[one(Date, &["date"])]), &["accident"]),
    many(ITEM, &["item"]),
];
const CARE_TEAM: Form = Object(&[
    one(PositiveInt, &["sequence"]),
    one(REFERENCE, &["provider"]),
    one(Boolean, &["responsible"]),
    one(CONCEPT, &["role", "qualification"]),
]);
const SUPPORTING_INFO: Form = Object(&[
    one(PositiveInt, &["sequence"]),
    one(CONCEPT, &["category", "code"]),
    one(Date, &["timingDate"]),
    one(PERIOD, &["timingPeriod"]),
    one(Boolean, &["valueBoolean"]),
    one(Text, &["valueString"]),
    one(QUANTITY, &["valueQuantity"]),
    one(Object(&[]), &["valueAttachment"]),
    one(REFERENCE, &["valueReference"]),
]);
const DIAGNOSIS: Form = Object(&[
    one(PositiveInt, &["sequence"]),
    one(CONCEPT, &["diagnosisCodeableConcept"]),
    one(REFERENCE, &["diagnosisReference"]),
    many(CONCEPT, &["type"]),
]);
const INSURANCE: Form = Object(&[
    one(PositiveInt, &["sequence"]),
    one(Boolean, &["focal"]),
    one(REFERENCE, &["coverage"]),
]);
const ITEM: Form = Object(&[
    one(PositiveInt, &["sequence"]),
    many(
        PositiveInt,
        &["careTeamSequence", "diagnosisSequence", "procedureSequence", "informationSequence"],
    ),
    one(CONCEPT, &["revenue", "category", "productOrService", "locationCodeableConcept"]),
    many(CONCEPT, &["modifier"]),
    one(Date, &["servicedDate"]),
    one(PERIOD, &["servicedPeriod"]),
    one(REFERENCE, &["locationReference"]),
    one(QUANTITY, &["quantity"]),
    many(
        Object(&[
            one(PositiveInt, &["sequence"]),
            one(CONCEPT, &["productOrService"]),
            one(QUANTITY, &["quantity"]),
        ]),
        &["detail"],
    ),
]);

const PATIENT: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Boolean, &["active"]),
    many(NAME, &["name"]),
    one(Code, &["gender"]),
    one(Date, &["birthDate"]),
];
const COVERAGE: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Code, &["status"]),
    one(CONCEPT, &["type", "relationship"]),
    one(REFERENCE, &["subscriber", "beneficiary", "policyHolder"]),
    one(Text, &["subscriberId"]),
    one(PERIOD, &["period"]),
    many(REFERENCE, &["payor"]),
    many(Object(&[one(CONCEPT, &["type"]), one(Text, &["value", "name"])]), &["class"]),
];
const PRACTITIONER: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Boolean, &["active"]),
    many(NAME, &["name"]),
    many(Object(&[one(CONCEPT, &["code"]), one(PERIOD, &["period"])]), &["qualification"]),
];
const PRACTITIONER_ROLE: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Boolean, &["active"]),
    one(PERIOD, &["period"]),
    one(REFERENCE, &["practitioner", "organization"]),
    many(CONCEPT, &["code", "specialty"]),
    many(REFERENCE, &["location"]),
];
const ORGANIZATION: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Boolean, &["active"]),
    many(CONCEPT, &["type"]),
    one(Text, &["name"]),
];
const LOCATION: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Text, &["name"]),
    many(CONCEPT, &["type"]),
    one(REFERENCE, &["managingOrganization"]),
];
const ENCOUNTER: Groups = &[
    one(Code, &["status"]),
    one(CODING, &["class"]),
    many(CONCEPT, &["type"]),
    one(REFERENCE, &["subject", "serviceProvider"]),
    one(PERIOD, &["period"]),
];

const SERVICE_REQUEST: Groups = &[
    one(Code, &["status", "intent"]),
    one(Boolean, &["doNotPerform"]),
    many(CONCEPT, &["category", "locationCode", "reasonCode"]),
    one(CONCEPT, &["code"]),
    one(QUANTITY, &["quantityQuantity"]),
    one(REFERENCE, &["subject", "encounter", "requester"]),
    many(REFERENCE, &["performer", "locationReference", "reasonReference"]),
    one(DateTime, &["occurrenceDateTime", "authoredOn"]),
    one(PERIOD, &["occurrencePeriod"]),
    one(TIMING, &["occurrenceTiming"]),
];
const DEVICE_REQUEST: Groups = &[
    one(Code, &["status", "intent"]),
    one(CONCEPT, &["codeCodeableConcept"]),
    one(REFERENCE, &["subject", "encounter", "requester"]),
    many(CONCEPT, &["reasonCode"]),
    many(REFERENCE, &["reasonReference"]),
    one(DateTime, &["occurrenceDateTime", "authoredOn"]),
    one(PERIOD, &["occurrencePeriod"]),
    one(TIMING, &["occurrenceTiming"]),
];
const MEDICATION_REQUEST: Groups = &[
    one(Code, &["status", "intent"]),
    one(Boolean, &["doNotPerform"]),
    one(CONCEPT, &["statusReason", "medicationCodeableConcept"]),
    many(CONCEPT, &["category", "reasonCode"]),
    one(REFERENCE, &["medicationReference", "subject", "encounter", "requester", "recorder"]),
    many(REFERENCE, &["reasonReference", "supportingInformation"]),
    one(DateTime, &["authoredOn"]),
    many(Object(&[one(TIMING, &["timing"]), one(Text, &["text"])]), &["dosageInstruction"]),
    one(
        Object(&[one(Number, &["numberOfRepeatsAllowed"]), one(QUANTITY, &["quantity"])]),
        &["dispenseRequest"],
    ),
];
const MEDICATION_STATEMENT: Groups = &[
    one(Code, &["status"]),
    many(CONCEPT, &["statusReason", "reasonCode"]),
    one(CONCEPT, &["category", "medicationCodeableConcept"]),
    one(REFERENCE, &["medicationReference", "subject", "informationSource"]),
    one(DateTime, &["effectiveDateTime", "dateAsserted"]),
    one(PERIOD, &["effectivePeriod"]),
];
const MEDICATION_ADMINISTRATION: Groups = &[
    one(Code, &["status"]),
    many(CONCEPT, &["statusReason", "reasonCode"]),
    one(CONCEPT, &["category", "medicationCodeableConcept"]),
    one(REFERENCE, &["medicationReference", "subject"]),
    one(DateTime, &["effectiveDateTime"]),
    one(PERIOD, &["effectivePeriod"]),
];
const MEDICATION: Groups = &[
    one(Code, &["status"]),
    one(CONCEPT, &["code", "form"]),
    many(
        Object(&[one(CONCEPT, &["itemCodeableConcept"]), one(REFERENCE, &["itemReference"])]),
        &["ingredient"],
    ),
];

const CONDITION: Groups = &[
    one(CONCEPT, &["clinicalStatus", "verificationStatus", "severity", "code"]),
    many(CONCEPT, &["category", "bodySite"]),
    one(REFERENCE, &["subject", "encounter", "recorder", "asserter"]),
    one(DateTime, &["onsetDateTime", "abatementDateTime", "recordedDate"]),
    one(PERIOD, &["onsetPeriod", "abatementPeriod"]),
    one(Text, &["onsetString", "abatementString"]),
    many(
        Object(&[one(CONCEPT, &["summary", "type"]), many(REFERENCE, &["assessment"])]),
        &["stage"],
    ),
];
const OBSERVATION: Groups = &[
    many(IDENTIFIER, &["identifier"]),
    one(Code, &["status"]),
    many(CONCEPT, &["category", "interpretation"]),
    one(CONCEPT, &["code", "method", "dataAbsentReason", "valueCodeableConcept"]),
    one(REFERENCE, &["subject", "encounter", "specimen"]),
    many(REFERENCE, &["focus", "hasMember", "derivedFrom"]),
    one(DateTime, &["effectiveDateTime"]),
    one(PERIOD, &["effectivePeriod"]),
    one(Instant, &["issued", "effectiveInstant"]),
    one(Text, &["valueString"]),
    one(Boolean, &["valueBoolean"]),
    one(Number, &["valueInteger"]),
    one(QUANTITY, &["valueQuantity"]),
    many(
        Object(&[
            many(CONCEPT, &["interpretation"]),
            one(CONCEPT, &["code", "dataAbsentReason", "valueCodeableConcept"]),
            one(Text, &["valueString"]),
            one(Boolean, &["valueBoolean"]),
            one(Number, &["valueInteger"]),
            one(QUANTITY, &["valueQuantity"]),
        ]),
        &["component"],
    ),
];
const ALLERGY: Groups = &[
    one(CONCEPT, &["clinicalStatus", "verificationStatus", "code"]),
    one(Code, &["type", "criticality"]),
    many(Code, &["category"]),
    one(REFERENCE, &["patient", "encounter", "recorder", "asserter"]),
    one(DateTime, &["onsetDateTime", "recordedDate", "lastOccurrence"]),
    many(
        Object(&[
            one(CONCEPT, &["substance"]),
            many(CONCEPT, &["manifestation"]),
            one(DateTime, &["onset"]),
        ]),
        &["reaction"],
    ),
];
