//! What the walk refuses and what it reads.

use super::*;

#[track_caller]
fn check_fault(text: &str, kind: FaultKind, place: &str) {
    let faults = Document::parse(text.as_bytes(), Rules::Fhir).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| (fault.kind, fault.place.as_str())).collect();
    assert!(found.contains(&(kind, place)), "{found:?}");
}

#[test]
fn what_fhir_forbids_is_named_with_its_place() {
    use FaultKind::{Duplicate, Structure};
    check_fault(r#"{"resourceType":"Patient","name":[]}"#, Structure, "Patient.name");
    check_fault(r#"{"resourceType":"Patient","name":[{}]}"#, Structure, "Patient.name[0]");
    check_fault(r#"{"name":[{"family":""}],"resourceType":"P"}"#, Structure, "P.name[0].family");
    check_fault(r#"{"resourceType":"P","active":null}"#, Structure, "P.active");
    check_fault(r#"{"resourceType":"P","id":"a","id":"b"}"#, Duplicate, "P.id");
    check_fault(r#"{"resourceType":"P","id":"a","\u0069d":"b"}"#, Duplicate, "P.\\u0069d");
}

#[test]
fn what_is_no_json_stops_the_walk() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":}",
        "{\"a\" 1}",
        "nul",
        "01",
        "1.",
        "1e",
        "-",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"a\nb\"",
        "{} {}",
        "{}x",
        "[1 2]",
        "{a:1}",
        "\u{1}",
        "'a'",
    ] {
        let faults = Document::parse(text.as_bytes(), Rules::Lenient).unwrap_err();
        assert_eq!(faults.len(), 1, "{text}");
    }
    assert!(Document::parse(b"\"\xff\"", Rules::Lenient).is_err());
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let brackets = "[".repeat(100_000);
    let faults = Document::parse(brackets.as_bytes(), Rules::Fhir).unwrap_err();
    assert!(faults[0].text.contains("nested too deeply"), "{faults:?}");
}

#[test]
fn many_members_are_checked_for_repeats_too() {
    let members: Vec<String> = (0..1000).map(|n| format!("\"m{n}\":1")).collect();
    let good = format!("{{{}}}", members.join(","));
    assert!(Document::parse(good.as_bytes(), Rules::Fhir).is_ok());
    let bad = format!("{{{},\"m999\":2}}", members.join(","));
    assert!(Document::parse(bad.as_bytes(), Rules::Fhir).is_err());
}

#[test]
fn faults_are_bounded() {
    let many = format!("[{}]", vec!["\"\""; 10_000].join(","));
    let faults = Document::parse(many.as_bytes(), Rules::Fhir).unwrap_err();
    assert_eq!(faults.len(), MAX_FAULTS);
}

#[test]
fn a_node_reads_and_gives_back_its_own_text() {
    let text = r#"{"resourceType":"Bundle","entry":[null,{"n":1.50,"t":"a\u00e9\/","b":true}]}"#;
    let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
    let entry = document.root().each("entry").nth(1).unwrap();
    assert_eq!(entry.get("n").unwrap().number(), Some("1.50"));
    assert_eq!(entry.text_of("t").unwrap(), "aé/");
    assert_eq!(entry.get("b").unwrap().boolean(), Some(true));
    assert_eq!(entry.raw(), r#"{"n":1.50,"t":"a\u00e9\/","b":true}"#);
    assert_eq!(entry.get("t").unwrap().place(), "Bundle.entry[1].t");
    assert!(entry.get("missing").is_none());
}

#[test]
fn leniency_reads_empty_values_as_absent() {
    let document = Document::parse(br#"{"a":"","b":null,"c":[],"d":{}}"#, Rules::Lenient).unwrap();
    let root = document.root();
    assert!(root.text_of("a").is_none());
    assert!(root.get("b").is_none());
    assert_eq!(root.each("c").count(), 0);
    assert_eq!(root.get("d").unwrap().members().count(), 0);
}
