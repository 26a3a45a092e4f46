//! Cases: one fault each, in a small good request; then fixtures and the guides' examples.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::fhir::strict_json::MAX_FAULTS;
use crate::fhir::{FaultKind, Rules};

const VERSIONS: [Profile; 2] = [Profile::V2_0_1, Profile::V2_2_1];
const ALL: [Profile; 3] = [Profile::Common, Profile::V2_0_1, Profile::V2_2_1];

fn entry(kind: &str, id: &str, mut resource: Value) -> Value {
    resource["resourceType"] = json!(kind);
    resource["id"] = json!(id);
    json!({"fullUrl": format!("https://ehr.lakeside.test/fhir/{kind}/{id}"), "resource": resource})
}

fn pas(name: &str, mut extension: Value) -> Value {
    let base = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition";
    extension["url"] = json!(format!("{base}/{name}"));
    extension
}

fn word(code: &str) -> Value {
    json!({"coding": [{"system": "https://codes.lakeside.test", "code": code}]})
}

/// A request that passes every profile.
fn good() -> Value {
    let claim = json!({
        "identifier": [{"system": "https://ehr.lakeside.test/claims", "value": "c-1"}],
        "status": "active", "type": word("professional"), "use": "preauthorization",
        "patient": {"reference": "Patient/p"}, "created": "2026-11-20",
        "insurer": {"reference": "Organization/payer"},
        "provider": {"reference": "Organization/clinic"}, "priority": word("normal"),
        "careTeam": [{
            "extension": [pas("extension-careTeamClaimScope", json!({"valueBoolean": true}))],
            "sequence": 1, "provider": {"reference": "Practitioner/d"}}],
        "supportingInfo": [
            {"sequence": 1, "category": word("additionalInformation"),
             "valueReference": {"reference": "Condition/m"}},
            {"sequence": 2, "category": word("patientEvent"),
             "timingPeriod": {"start": "2026-12-10", "end": "2026-12-14"}}],
        "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": word("C43.59")}],
        "insurance": [{"sequence": 1, "focal": true, "coverage": {"reference": "Coverage/cov"}}],
        "item": [{
            "extension": [
                pas("extension-itemTraceNumber", json!({"valueIdentifier":
                    {"system": "https://ehr.lakeside.test/lines", "value": "l-1"}})),
                pas("extension-serviceItemRequestType", json!({"valueCodeableConcept": word("HS")})),
                pas("extension-certificationType", json!({"valueCodeableConcept": word("I")}))],
            "sequence": 1, "careTeamSequence": [1], "diagnosisSequence": [1],
            "informationSequence": [1, 2], "category": word("1"), "productOrService": word("J9999"),
            "servicedDate": "2026-12-10", "locationCodeableConcept": word("21"),
            "quantity": {"value": 1}}]
    });
    let about = json!({"reference": "Patient/p"});
    json!({
        "resourceType": "Bundle", "type": "collection", "timestamp": "2026-11-20T10:00:00Z",
        "identifier": {"system": "https://ehr.lakeside.test/requests", "value": "r-1"},
        "entry": [
            entry("Claim", "c", claim),
            entry("Patient", "p", json!({"name": [{"family": "Ash", "given": ["Ida"]}],
                "gender": "female", "birthDate": "1970-03-01"})),
            entry("Organization", "payer", json!({"name": "Payer"})),
            entry("Organization", "clinic", json!({"name": "Clinic"})),
            entry("Practitioner", "d", json!({"name": [{"family": "Oak"}]})),
            entry("Coverage", "cov", json!({"status": "active", "beneficiary": about,
                "payor": [{"reference": "Organization/payer"}]})),
            entry("Condition", "m", json!({"code": word("C43.59"), "subject": about,
                "onsetDateTime": "2024-05", "stage": [{"summary": word("IV")}]})),
        ]
    })
}

/// Puts `value` at `path` (`entry/0/fullUrl`; `Claim` is the first resource, `-` the end of an
/// array); `null` takes away what is there.
fn change(bundle: &mut Value, path: &str, value: Value) {
    let path = path.replace("Claim/", "entry/0/resource/");
    let (parent, last) = path.rsplit_once('/').unwrap_or(("", &path));
    let pointer = if parent.is_empty() { String::new() } else { format!("/{parent}") };
    match bundle.pointer_mut(&pointer).unwrap() {
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        Value::Object(members) if value.is_null() => {
            members.remove(last).unwrap();
        }
        Value::Object(members) => {
            members.insert(last.to_owned(), value);
        }
        other => panic!("{other} has no members"),
    }
}

fn faults_of(body: &Value, profile: Profile) -> Vec<(FaultKind, String)> {
    let text = body.to_string();
    let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
    let read = PasRequest::read(&document, profile);
    read.err().unwrap_or_default().into_iter().map(|fault| (fault.kind, fault.place)).collect()
}

fn with(path: &str, value: Value) -> Value {
    let mut bundle = good();
    change(&mut bundle, path, value);
    bundle
}

/// One change makes exactly one fault, under each of `profiles`.
#[track_caller]
fn check_in(profiles: &[Profile], path: &str, value: Value, kind: FaultKind, place: &str) {
    let body = with(path, value);
    let place = place.replace("Claim", "entry[0].resource");
    for profile in profiles {
        let expected = vec![(kind, format!("Bundle.{place}"))];
        assert_eq!(faults_of(&body, *profile), expected, "{profile:?}");
    }
}

#[track_caller]
fn check(path: &str, value: Value, kind: FaultKind, place: &str) {
    check_in(&ALL, path, value, kind, place);
}

/// The change is no fault under any of `profiles`.
#[track_caller]
fn accept_in(profiles: &[Profile], path: &str, value: Value) {
    let body = with(path, value);
    for profile in profiles {
        assert_eq!(faults_of(&body, *profile), [], "{profile:?}");
    }
}

const NONE: Value = Value::Null;
const PLACE_21: &str = "Claim/item/0/locationCodeableConcept";

#[test]
fn a_good_request_is_taken_apart() {
    let text = good().to_string();
    let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
    let request = PasRequest::read(&document, Profile::V2_2_1).unwrap();
    assert_eq!(request.claim_url, "https://ehr.lakeside.test/fhir/Claim/c");
    assert_eq!(request.identifier.unwrap().value.unwrap(), "r-1");
    assert_eq!(request.claim_identifiers[0].value.as_deref(), Some("c-1"));
    assert_eq!(request.type_codings[0].code.as_deref(), Some("professional"));
    assert_eq!(request.subject.reference.as_deref(), Some("Patient/p"));
    assert_eq!((request.patient.place, request.subject.place), (Some(1), Some(1)));
    assert_eq!(request.insurer.unwrap().place, Some(2));
    assert_eq!(request.provider.reference.as_deref(), Some("Organization/clinic"));
    assert_eq!(request.prior, None);
    let line = &request.lines[0];
    assert_eq!((line.sequence, line.trace_numbers[0].value.as_deref()), (1, Some("l-1")));
}

#[test]
fn the_bundle_needs_its_frame() {
    use FaultKind::{Duplicate, Required, Structure, Value};
    check("type", json!("batch"), Value, "type");
    check("type", NONE, Required, "type");
    check("entry/1/fullUrl", json!(7), Structure, "entry[1].fullUrl");
    check("entry/6/fullUrl", NONE, Required, "entry[6].fullUrl");
    check("entry/-", json!("x"), Structure, "entry[7]");
    check("entry/-", json!({"fullUrl": "urn:x:1"}), Required, "entry[7].resource");
    check(
        "entry/-",
        json!({"fullUrl": "urn:x:1", "resource": {"id": "a"}}),
        Required,
        "entry[7].resource.resourceType",
    );
    let again = entry("Condition", "m", json!({}));
    check("entry/-", again, Duplicate, "entry[7].fullUrl");
    check_in(&VERSIONS, "timestamp", NONE, Required, "timestamp");
    check_in(&VERSIONS, "identifier", NONE, Required, "identifier");
    check("timestamp", json!("2026-11-20"), Value, "timestamp");
    check("timestamp", json!("2026-11-20T10:00:00"), Value, "timestamp");
    check_in(&VERSIONS, "entry/1/request", json!({"method": "PUT"}), Structure, "entry[1].request");
    accept_in(&[Profile::Common], "timestamp", NONE);
    accept_in(&ALL, "timestamp", json!("2026-11-20T10:00:00.123+05:30"));
}

#[test]
fn the_claim_comes_first_in_2_2_1() {
    let mut late = good();
    late["entry"].as_array_mut().unwrap().rotate_left(1);
    assert_eq!(faults_of(&late, Profile::V2_0_1), []);
    assert_eq!(
        faults_of(&late, Profile::V2_2_1),
        [(FaultKind::Invariant, "Bundle.entry[0]".to_owned())]
    );
    let mut none = good();
    none["entry"].as_array_mut().unwrap().remove(0);
    for profile in ALL {
        assert_eq!(faults_of(&none, profile), [(FaultKind::Required, "Bundle.entry".to_owned())]);
    }
}

#[test]
fn an_update_brings_the_claim_before_and_no_other() {
    let mut update = good();
    update["entry"].as_array_mut().unwrap().push(entry("Claim", "before", json!({})));
    change(&mut update, "Claim/related", json!([{"claim": {"reference": "Claim/before"}}]));
    let text = update.to_string();
    let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
    assert_eq!(PasRequest::read(&document, Profile::V2_2_1).unwrap().prior, Some(7));
    update["entry"].as_array_mut().unwrap().push(entry("Claim", "older", json!({})));
    assert_eq!(
        faults_of(&update, Profile::V2_2_1),
        [(FaultKind::Structure, "Bundle.entry[8].resource".to_owned())]
    );
    accept_in(&ALL, "Claim/related", json!([{"claim": {"reference": "Claim/elsewhere"}}]));
}

#[test]
fn the_claim_needs_what_fhir_demands() {
    use FaultKind::{Required, Value};
    for name in ["status", "type", "use", "patient", "created", "provider", "priority", "item"] {
        check(&format!("Claim/{name}"), NONE, Required, &format!("Claim.{name}"));
    }
    check("Claim/use", json!("claim"), Value, "Claim.use");
    check("Claim/status", json!("draft"), Value, "Claim.status");
    check("Claim/insurance/0/focal", NONE, Required, "Claim.insurance[0].focal");
    check("Claim/insurance/0/coverage", NONE, Required, "Claim.insurance[0].coverage");
    check("Claim/careTeam/0/provider", NONE, Required, "Claim.careTeam[0].provider");
    check("Claim/supportingInfo/0/category", NONE, Required, "Claim.supportingInfo[0].category");
    check("Claim/item/0/sequence", NONE, Required, "Claim.item[0].sequence");
    check("Claim/item/0/productOrService", NONE, Required, "Claim.item[0].productOrService");
    let diagnosis = json!([{"sequence": 1}]);
    check("Claim/diagnosis", diagnosis, Required, "Claim.diagnosis[0].diagnosis");
    let detail = json!([{"sequence": 1}]);
    check("Claim/item/0/detail", detail, Required, "Claim.item[0].detail[0].productOrService");
}

#[test]
fn a_version_demands_more_and_the_common_rules_do_not() {
    use FaultKind::{Required, Structure};
    for name in ["insurer", "insurance", "identifier"] {
        let path = format!("Claim/{name}");
        check_in(&VERSIONS, &path, NONE, Required, &format!("Claim.{name}"));
        accept_in(&[Profile::Common], &path, NONE);
    }
    let two = json!([{"system": "urn:a:b", "value": "1"}, {"system": "urn:a:b", "value": "2"}]);
    check_in(&[Profile::V2_0_1], "Claim/identifier", two, Structure, "Claim.identifier[1]");
    let new = &[Profile::V2_2_1];
    let old = &[Profile::V2_0_1, Profile::Common];
    for (path, place) in [
        ("Claim/identifier/0/system", "Claim.identifier[0].system"),
        ("Claim/item/0/category", "Claim.item[0].category"),
        (PLACE_21, "Claim.item[0].location"),
        ("Claim/item/0/extension/1/url", "Claim.item[0].extension"),
        ("Claim/item/0/extension/2/url", "Claim.item[0].extension"),
    ] {
        check_in(new, path, NONE, Required, place);
        accept_in(old, path, NONE);
    }
    let scope = "Claim/careTeam/0/extension";
    check_in(&VERSIONS, scope, NONE, Required, "Claim.careTeam[0]");
    accept_in(&[Profile::Common], scope, NONE);
}

#[test]
fn a_claim_that_cancels_everything_may_leave_its_items_out() {
    let mut body = good();
    change(&mut body, "Claim/item", NONE);
    let cancel = pas("extension-certificationType", json!({"valueCodeableConcept": word("3")}));
    change(&mut body, "Claim/extension", json!([cancel]));
    for profile in ALL {
        assert_eq!(faults_of(&body, profile), []);
    }
}

#[test]
fn numbers_are_unique_and_lead_somewhere() {
    use FaultKind::{Duplicate, NotFound, Structure, Value};
    let twice = json!({"sequence": 1, "category": word("x"), "valueString": "a"});
    check("Claim/supportingInfo/-", twice, Duplicate, "Claim.supportingInfo[2].sequence");
    let twice = json!({"sequence": 1, "diagnosisCodeableConcept": word("C43.9")});
    check("Claim/diagnosis/-", twice, Duplicate, "Claim.diagnosis[1].sequence");
    let nowhere = json!([1, 9]);
    for name in ["careTeam", "diagnosis", "information"] {
        let path = format!("Claim/item/0/{name}Sequence");
        let place = format!("Claim.item[0].{name}Sequence[1]");
        check(&path, nowhere.clone(), NotFound, &place);
    }
    for wrong in [json!(0), json!(-1), json!(1.0), json!(2_147_483_648_u32)] {
        check("Claim/item/0/sequence", wrong, Value, "Claim.item[0].sequence");
    }
    check("Claim/diagnosis/0/sequence", json!("1"), Structure, "Claim.diagnosis[0].sequence");
}

#[test]
fn a_wrong_json_form_is_named_where_it_stands() {
    use FaultKind::{Structure, Value};
    check("Claim/item", json!("x"), Structure, "Claim.item");
    check("Claim/item/0/modifier", word("x"), Structure, "Claim.item[0].modifier");
    check("Claim/item/-", json!("x"), Structure, "Claim.item[1]");
    check("Claim/insurance/0/focal", json!("true"), Structure, "Claim.insurance[0].focal");
    check("Claim/patient", json!("Patient/p"), Structure, "Claim.patient");
    check("Claim/status", json!(["active"]), Structure, "Claim.status");
    check("entry/1/resource/gender", json!(" "), Value, "entry[1].resource.gender");
    check("Claim/contained", json!({"resourceType": "X"}), Structure, "Claim.contained");
    let quantity = "Claim.item[0].quantity.value";
    check("Claim/item/0/quantity/value", json!("1"), Structure, quantity);
    let coding = json!({"code": "x"});
    let place = "entry[6].resource.code.coding";
    check("entry/6/resource/code/coding", coding, Structure, place);
    check("entry/6/resource/extension", json!("x"), Structure, "entry[6].resource.extension");
    let stage = json!([{"assessment": {"reference": "Observation/o"}}]);
    let place = "entry[6].resource.stage[0].assessment";
    check("entry/6/resource/stage", stage, Structure, place);
    let both = json!({"start": "2026-12-10"});
    check("Claim/item/0/servicedPeriod", both, Structure, "Claim.item[0].servicedPeriod");
    let given = json!([null, "Ida"]);
    accept_in(&ALL, "entry/1/resource/name/0/given", given);
    let names = json!([null, {"family": "Ash"}]);
    check("entry/1/resource/name", names, Structure, "entry[1].resource.name[0]");
}

#[test]
fn dates_exist_and_are_whole_where_pas_wants_it() {
    use FaultKind::{Invariant, Value};
    check("Claim/created", json!("2026-02-30"), Value, "Claim.created");
    check("Claim/item/0/servicedDate", json!("2026-02-30"), Value, "Claim.item[0].servicedDate");
    check("entry/1/resource/birthDate", json!("1970-13"), Value, "entry[1].resource.birthDate");
    let timed = json!("1970-03-01T00:00:00Z");
    check("entry/1/resource/birthDate", timed, Value, "entry[1].resource.birthDate");
    let onset = "entry/6/resource/onsetDateTime";
    check(onset, json!("2024-00-01"), Value, "entry[6].resource.onsetDateTime");
    accept_in(&ALL, onset, json!("2024"));
    let backwards = json!({"start": "2026-12-14", "end": "2026-12-10"});
    let period = "Claim.supportingInfo[1].timingPeriod";
    check("Claim/supportingInfo/1/timingPeriod", backwards, Invariant, period);
    let same_month = json!({"start": "2026-12-14", "end": "2026-12"});
    accept_in(&[Profile::Common], "Claim/supportingInfo/1/timingPeriod", same_month);
    let start = "Claim/supportingInfo/1/timingPeriod/start";
    let place = "Claim.supportingInfo[1].timingPeriod.start";
    check_in(&VERSIONS, start, json!("2026-12"), Invariant, place);
    accept_in(&[Profile::Common], start, json!("2026-12"));
    let (path, place) = ("Claim/item/0/servicedDate", "Claim.item[0].servicedDate");
    check_in(&[Profile::V2_2_1], path, json!("2026-12"), Invariant, place);
    accept_in(&[Profile::V2_0_1, Profile::Common], path, json!("2026-12"));
}

#[test]
fn references_of_the_claim_lead_to_resources_of_the_right_type() {
    use FaultKind::{NotFound, Required, Value};
    let gone = json!({"reference": "Patient/gone"});
    check("Claim/patient", gone.clone(), NotFound, "Claim.patient");
    check("Claim/patient", json!({"display": "x"}), Required, "Claim.patient.reference");
    check("Claim/patient/reference", json!("Coverage/cov"), Value, "Claim.patient");
    check("Claim/insurer/reference", json!("Patient/p"), Value, "Claim.insurer");
    for (path, place) in [
        ("insurer", "insurer"),
        ("provider", "provider"),
        ("facility", "facility"),
        ("careTeam/0/provider", "careTeam[0].provider"),
        ("supportingInfo/0/valueReference", "supportingInfo[0].valueReference"),
        ("insurance/0/coverage", "insurance[0].coverage"),
    ] {
        let (path, place) = (format!("Claim/{path}"), format!("Claim.{place}"));
        check_in(&VERSIONS, &path, gone.clone(), NotFound, &place);
        accept_in(&[Profile::Common], &path, gone.clone());
    }
    let requested = pas("extension-requestedService", json!({"valueReference": gone}));
    let place = "Claim.item[0].extension[3].valueReference";
    check_in(&VERSIONS, "Claim/item/0/extension/-", requested, NotFound, place);
    accept_in(&ALL, "Claim/insurer", json!({"identifier": {"value": "1992000012"}}));
    accept_in(&ALL, "entry/6/resource/encounter", json!({"reference": "Encounter/gone"}));
}

#[test]
fn other_patients_unknown_types_and_unknown_codes_are_no_faults() {
    accept_in(&ALL, "entry/-", entry("Patient", "other", json!({})));
    accept_in(&ALL, "entry/-", entry("Basic", "b", json!({"code": "not our business"})));
    accept_in(&ALL, "Claim/item/0/productOrService", word("unheard-of"));
    accept_in(&ALL, "Claim/unheardOf", json!({"a": [1]}));
}

#[test]
fn parameters_with_one_resource_part_are_taken_off() {
    use FaultKind::{Required, Structure};
    let wrapped = |parts: Value| json!({"resourceType": "Parameters", "parameter": parts});
    let part = json!({"name": "resource", "resource": good()});
    assert_eq!(faults_of(&wrapped(json!([part])), Profile::V2_2_1), []);
    let fault = |body: Value| faults_of(&body, Profile::V2_2_1).remove(0);
    let place = |end: &str| format!("Parameters.parameter{end}");
    assert_eq!(fault(wrapped(json!([part, part]))), (Structure, place("[1]")));
    assert_eq!(fault(wrapped(json!([{"name": "x"}]))), (Required, place("")));
    assert_eq!(fault(wrapped(json!([{"name": "resource"}]))), (Required, place("[0].resource")));
    let claim = json!([{"name": "resource", "resource": {"resourceType": "Claim"}}]);
    assert_eq!(fault(wrapped(claim)), (Structure, place("[0].resource")));
    let mut broken = good();
    change(&mut broken, "Claim/use", NONE);
    let inner = json!([{"name": "resource", "resource": broken}]);
    let expected = place("[0].resource.entry[0].resource.use");
    assert_eq!(fault(wrapped(inner)), (Required, expected));
}

#[test]
fn what_is_no_bundle_is_refused_as_a_whole() {
    for text in ["[]", "7", r#"{"resourceType":"Claim"}"#] {
        let document = Document::parse(text.as_bytes(), Rules::Lenient).unwrap();
        let faults = PasRequest::read(&document, Profile::Common).unwrap_err();
        assert_eq!(faults[0].kind, FaultKind::Structure, "{text}");
    }
}

#[test]
fn all_faults_come_at_once_and_not_without_end() {
    let mut body = good();
    change(&mut body, "Claim/use", NONE);
    change(&mut body, "type", json!("batch"));
    change(&mut body, "entry/6/resource/onsetDateTime", json!("2024-02-30"));
    assert_eq!(faults_of(&body, Profile::V2_2_1).len(), 3);
    change(&mut body, "Claim/item", Value::Array(vec![json!(1); 1000]));
    let faults = faults_of(&body, Profile::V2_2_1);
    assert_eq!(faults.len(), MAX_FAULTS);
    assert_eq!(faults[MAX_FAULTS - 1].0, FaultKind::TooLong);
}

#[test]
fn a_claim_has_five_hundred_items_at_most() {
    let mut body = good();
    let item = body["entry"][0]["resource"]["item"][0].clone();
    let items = |count: usize| -> Value {
        let numbered = (1..=count).map(|sequence| {
            let mut item = item.clone();
            item["sequence"] = json!(sequence);
            item
        });
        numbered.collect()
    };
    change(&mut body, "Claim/item", items(500));
    assert_eq!(faults_of(&body, Profile::V2_2_1), []);
    change(&mut body, "Claim/item", items(502));
    let place = "Bundle.entry[0].resource.item[500]".to_owned();
    assert_eq!(faults_of(&body, Profile::V2_2_1), [(FaultKind::TooLong, place)]);
}

/// Every value below `value`, as JSON pointers; the resource types of the frame stay.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let mut below = |name: String, value: &Value| {
        let pointer = format!("{at}/{name}");
        if pointer != "/resourceType" {
            into.push(pointer.clone());
        }
        pointers(value, &pointer, into);
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| below(n.to_string(), item));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| below(name.clone(), member));
        }
        _ => {}
    }
}

fn replacements() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(0)),
        Just(json!(-1.5e300)),
        Just(json!("")),
        Just(json!("#")),
        Just(json!("2026-02-30")),
        Just(json!([])),
        Just(json!([null])),
        Just(json!([[["x"]]])),
        Just(json!({})),
        Just(json!({"coding": {"code": 1}, "extension": [[]], "reference": []})),
        "\\PC{0,8}".prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_change_makes_it_panic_and_every_fault_has_a_place(
        changes in prop::collection::vec((any::<prop::sample::Index>(), replacements()), 1..6),
        is_wrapped in any::<bool>(),
    ) {
        let mut body = good();
        if is_wrapped {
            body = json!({"resourceType": "Parameters",
                "parameter": [{"name": "resource", "resource": body}]});
        }
        for (index, value) in changes {
            let mut all = Vec::new();
            pointers(&body, "", &mut all);
            if all.is_empty() {
                continue;
            }
            let pointer: &String = index.get(&all);
            *body.pointer_mut(pointer).unwrap() = value;
        }
        let text = body.to_string();
        // The lenient rules let more through to us than FHIR's.
        let document = Document::parse(text.as_bytes(), Rules::Lenient).unwrap();
        for profile in ALL {
            for fault in PasRequest::read(&document, profile).err().unwrap_or_default() {
                let is_placed =
                    fault.place.starts_with("Bundle") || fault.place.starts_with("Parameters");
                prop_assert!(is_placed && !fault.text.is_empty(), "{fault:?}");
            }
        }
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file as the service does: the walk over the text, then the request.
fn faults_of_file(path: &Path, profile: Profile) -> Vec<(FaultKind, String)> {
    let bytes = std::fs::read(path).unwrap();
    let read = Document::parse(&bytes, Rules::Fhir)
        .and_then(|document| PasRequest::read(&document, profile).map(|request| request.claim));
    read.err().unwrap_or_default().into_iter().map(|fault| (fault.kind, fault.place)).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_fixture_passes_its_version_and_the_common_rules() {
    for (area, version) in [("pas", Profile::V2_2_1), ("pas-2.0.1", Profile::V2_0_1)] {
        let folders = files(&repository().join("fixtures").join(area));
        assert!(!folders.is_empty(), "{area}");
        for folder in folders {
            for profile in [version, Profile::Common] {
                let found = faults_of_file(&folder.join("request.json"), profile);
                assert_eq!(found, [], "{} {profile:?}", folder.display());
            }
        }
    }
}

#[test]
fn every_bad_fixture_is_refused_at_its_place() {
    use FaultKind::{Duplicate, NotFound, Required, Structure, Value};
    let cases = [
        ("empty-entries", Structure, "Bundle.entry"),
        ("no-claim", Required, "Bundle.entry"),
        ("missing-patient", NotFound, "Bundle.entry[0].resource.patient"),
        ("duplicate-full-url", Duplicate, "Bundle.entry[5].fullUrl"),
        ("duplicate-key", Duplicate, "Bundle.entry[0].resource.use"),
        ("trailing-text", Structure, "Bundle"),
        ("impossible-date", Value, "Bundle.entry[0].resource.item[0].servicedDate"),
        ("wrong-type", Structure, "Bundle.entry[0].resource.item"),
    ];
    let folder = repository().join("fixtures/bad");
    assert_eq!(files(&folder).len(), cases.len());
    for (name, kind, place) in cases {
        for profile in [Profile::V2_2_1, Profile::Common] {
            let found = faults_of_file(&folder.join(format!("{name}.json")), profile);
            assert_eq!(found, [(kind, place.to_owned())], "{name}");
        }
    }
}
