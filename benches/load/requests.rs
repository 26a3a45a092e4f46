//! Distinct requests of one size, made from a fixture.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// How large a Bundle is at least, in bytes.
const BUNDLE_SIZE: usize = 50 * 1024;
/// Stands where the number of the request goes; no JSON text holds it.
const NUMBER: char = '\u{0}';
/// Stands where minutes and seconds go.
const CLOCK: char = '\u{1}';

/// A fixture with places for what differs from request to request.
pub(crate) struct Requests {
    /// Where they are sent.
    pub(crate) path: &'static str,
    media_type: &'static str,
    pieces: Vec<(char, String)>,
}

impl Requests {
    /// Submissions: an approval, grown with laboratory results that no clause reads; each of
    /// another member, with other identifiers of Bundle and Claim and other times.
    pub(crate) fn submissions() -> Requests {
        let places = [
            ("CPC10010001", format!("CPC{NUMBER}")),
            ("SUB-1001", format!("SUB-{NUMBER}")),
            ("REQ-1001", format!("REQ-{NUMBER}")),
            ("2026-11-20T09:30:05", format!("2026-11-20T09:{CLOCK}")),
            ("2026-11-20T09:30:00", format!("2026-11-20T09:{CLOCK}")),
        ];
        Requests {
            path: "/pas/2.2.1/Claim/$submit",
            media_type: "application/fhir+json",
            pieces: pieces(grown(&fixture("pas/approve-all-met")), &places),
        }
    }

    /// Calls of `order-sign` with everything in their prefetch; each of another member, patient,
    /// order and hook instance.
    pub(crate) fn hook_calls() -> Requests {
        let places = [
            ("d7f0fcd5-7b65", format!("{NUMBER}-7b65")),
            ("pat-1101", format!("pat-{NUMBER}")),
            ("order-1101", format!("order-{NUMBER}")),
            ("CPC11010001", format!("CPC{NUMBER}")),
        ];
        Requests {
            path: "/crd/2.2/cds-services/order-sign-coverage",
            media_type: "application/json",
            pieces: pieces(fixture("crd/approve-all-met"), &places),
        }
    }

    /// The size of the body of each, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.body(0).len()
    }

    /// The HTTP request with this number.
    pub(crate) fn request(&self, number: usize) -> String {
        let body = self.body(number);
        let (path, media_type, length) = (self.path, self.media_type, body.len());
        format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {media_type}\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    }

    fn body(&self, number: usize) -> String {
        let mut body = String::with_capacity(BUNDLE_SIZE + BUNDLE_SIZE / 10);
        for (place, piece) in &self.pieces {
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

fn fixture(story: &str) -> String {
    let path = format!("{}/fixtures/{story}/request.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the fixture")
}

/// A text in pieces, each behind its place.
fn pieces(mut text: String, places: &[(&str, String)]) -> Vec<(char, String)> {
    for (known, place) in places {
        assert!(text.contains(known), "the fixture has no `{known}` any more");
        text = text.replace(known, place);
    }
    let mut pieces = vec![(' ', String::new())];
    for letter in text.chars() {
        match pieces.last_mut() {
            Some((_, piece)) if ![NUMBER, CLOCK].contains(&letter) => piece.push(letter),
            _ => pieces.push((letter, String::new())),
        }
    }
    pieces
}

fn grown(text: &str) -> String {
    let mut bundle: Value = serde_json::from_str(text).expect("JSON");
    let mut number = 0;
    loop {
        let text = serde_json::to_string_pretty(&bundle).expect("JSON");
        if text.len() >= BUNDLE_SIZE {
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
