//! Distinct Bundles of one size, made from a fixture.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// How large a Bundle is at least, in bytes.
const SIZE: usize = 50 * 1024;
/// Stands where the number of the request goes; no JSON text holds it.
const NUMBER: char = '\u{0}';
/// Stands where minutes and seconds go.
const CLOCK: char = '\u{1}';

/// A fixture with places for what differs from request to request.
pub(crate) struct Bundles(Vec<(char, String)>);

impl Bundles {
    /// An approval, grown with laboratory results that no clause reads.
    pub(crate) fn new() -> Bundles {
        let mut text = grown();
        // Another member, other identifiers of Bundle and Claim, other times.
        for (known, place) in [
            ("CPC10010001", format!("CPC{NUMBER}")),
            ("SUB-1001", format!("SUB-{NUMBER}")),
            ("REQ-1001", format!("REQ-{NUMBER}")),
            ("2026-11-20T09:30:05", format!("2026-11-20T09:{CLOCK}")),
            ("2026-11-20T09:30:00", format!("2026-11-20T09:{CLOCK}")),
        ] {
            assert!(text.contains(known), "the fixture has no `{known}` any more");
            text = text.replace(known, &place);
        }
        let mut pieces = vec![(' ', String::new())];
        for letter in text.chars() {
            match pieces.last_mut() {
                Some((_, piece)) if ![NUMBER, CLOCK].contains(&letter) => piece.push(letter),
                _ => pieces.push((letter, String::new())),
            }
        }
        Bundles(pieces)
    }

    /// The size of each, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.body(0).len()
    }

    /// The Bundle with this number.
    pub(crate) fn body(&self, number: usize) -> String {
        let mut body = String::with_capacity(SIZE + SIZE / 10);
        for (place, piece) in &self.0 {
            let written = match *place {
                NUMBER => write!(body, "{number:08}"),
                CLOCK => write!(body, "{:02}:{:02}", number / 60 % 30, number % 60),
                _ => Ok(()),
            };
            written.expect("room");
            body.push_str(piece);
        }
        body
    }
}

fn grown() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/pas/approve-all-met/request.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let mut bundle: Value = serde_json::from_str(&text).expect("JSON");
    let mut number = 0;
    loop {
        let text = serde_json::to_string_pretty(&bundle).expect("JSON");
        if text.len() >= SIZE {
            return text;
        }
        let entries = bundle.pointer_mut("/entry").and_then(Value::as_array_mut);
        entries.expect("entries").push(laboratory_result(number));
        number += 1;
    }
}

/// A result that differs from its neighbours, so that nothing is gained by packing it.
fn laboratory_result(number: usize) -> Value {
    let value = 120 + number * 37 % 113;
    json!({
        "fullUrl": format!("https://ehr.lakeside.test/fhir/Observation/lab-{number}"),
        "resource": {
            "resourceType": "Observation",
            "id": format!("lab-{number}"),
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2532-0"}]},
            "subject": {"reference": "Patient/pat-1001"},
            "effectiveDateTime": format!("2026-10-{:02}T08:{:02}:00Z", 1 + number % 28, number % 60),
            "valueQuantity": {
                "value": value, "unit": "U/L",
                "system": "http://unitsofmeasure.org", "code": "U/L"
            }
        }
    })
}
