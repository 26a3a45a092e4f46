//! A received order with our coverage information put in, and nothing else touched.
//!
//! CRD 2.2.1 resp-37: the resource otherwise equals the one received.
//! The text is spliced, never read and written again: numbers, escapes, unknown members, the
//! order of members and `_field` siblings stay as they came (rulings 28).

use std::ops::Range;

use crate::fhir::{Document, Kind, Node, Rules};
use crate::ig::crd::COVERAGE_INFORMATION;

/// Why an order cannot be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EchoError {
    /// The order's text is not JSON, or has a member twice or nests too deeply.
    #[error("the order is not JSON that we accept")]
    Json,
    /// The order is not an object.
    #[error("the order is not an object")]
    Shape,
    /// `extension` is neither an array nor an object.
    #[error("`extension` of the order is no array")]
    Extension,
}

/// A Coverage on the client's system, by every name that means it there.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The reference to it, `Coverage/c1`.
    pub coverage: &'a str,
    /// The base of the client's FHIR server, if it is known: an absolute reference below it means
    /// the same.
    pub server: Option<&'a str>,
}

impl About<'_> {
    fn is_named_by(self, reference: &str) -> bool {
        // A version of the Coverage is the same Coverage.
        let reference = reference.split("/_history/").next().unwrap_or(reference);
        let below = |server: &str| {
            let local = reference.strip_prefix(server.trim_end_matches('/'))?.strip_prefix('/')?;
            (local == self.coverage).then_some(())
        };
        reference == self.coverage || self.server.and_then(below).is_some()
    }
}

/// The text of `order` with `extension` in its root `extension` array.
///
/// `extension` is the JSON text of one coverage-information extension about the Coverage `about`.
/// Coverage information about the same Coverage that is there already is replaced; what other
/// payers said stays (crd.md 3.5).
///
/// # Errors
/// The order is not a JSON object, or its `extension` is of another kind.
pub fn with_coverage_information(
    order: &str,
    about: About<'_>,
    extension: &str,
) -> Result<String, EchoError> {
    let order = order.strip_prefix('\u{feff}').unwrap_or(order);
    let document =
        Document::parse(order.as_bytes(), Rules::Lenient).map_err(|_| EchoError::Json)?;
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(EchoError::Shape);
    }
    let present = root.members().find(|(name, _)| name == "extension").map(|(_, node)| node);
    let Some(array) = present else {
        let comma = if root.members().next().is_some() { "," } else { "" };
        let end = root.span().end.saturating_sub(1);
        let member = format!(r#"{comma}"extension":[{extension}]"#);
        return splice(order, end..end, &member);
    };
    // An object stands for an array of one (rulings 37); `null` for none.
    if !matches!(array.kind(), Kind::Array | Kind::Object | Kind::Null) {
        return Err(EchoError::Extension);
    }
    let mut parts: Vec<&str> =
        array.items().filter(|item| !says_of(*item, about)).map(Node::raw).collect();
    parts.push(extension);
    splice(order, array.span(), &format!("[{}]", parts.join(",")))
}

/// The texts of the coverage information about a Coverage that stands in `order` already.
#[must_use]
pub fn coverage_information(order: &str, about: About<'_>) -> Vec<String> {
    let Ok(document) = Document::parse(order.as_bytes(), Rules::Lenient) else { return Vec::new() };
    let extensions = document.root().each("extension");
    extensions.filter(|item| says_of(*item, about)).map(|item| item.raw().to_owned()).collect()
}

/// Whether an extension is coverage information about a Coverage.
fn says_of(extension: Node<'_>, about: About<'_>) -> bool {
    let is_ours = |part: Node<'_>| {
        let reference = part.at(&["valueReference", "reference"]).and_then(Node::text);
        part.text_of("url").as_deref() == Some("coverage")
            && reference.is_some_and(|it| about.is_named_by(&it))
    };
    extension.text_of("url").as_deref() == Some(COVERAGE_INFORMATION)
        && extension.each("extension").any(is_ours)
}

fn splice(text: &str, place: Range<usize>, new: &str) -> Result<String, EchoError> {
    let before = text.get(..place.start).ok_or(EchoError::Json)?;
    let after = text.get(place.end..).ok_or(EchoError::Json)?;
    Ok([before, new, after].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = r#"{"url":"http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-coverage-information","extension":[{"url":"coverage","valueReference":{"reference":"Coverage/c"}},{"url":"covered","valueCode":"covered"}]}"#;

    const ABOUT: About<'static> =
        About { coverage: "Coverage/c", server: Some("https://ehr.test/r4/") };

    fn echo(order: &str) -> String {
        with_coverage_information(order, ABOUT, OURS).unwrap()
    }

    /// The tokens of a JSON text: everything but the white space between them.
    fn tokens(text: &str) -> Vec<&str> {
        let bytes = text.as_bytes();
        let (mut found, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let start = at;
            match bytes[at] {
                b' ' | b'\n' | b'\r' | b'\t' => {
                    at += 1;
                    continue;
                }
                b'"' => {
                    at += 1;
                    while bytes[at] != b'"' {
                        at += if bytes[at] == b'\\' { 2 } else { 1 };
                    }
                    at += 1;
                }
                b'{' | b'}' | b'[' | b']' | b':' | b',' => at += 1,
                _ => {
                    while at < bytes.len() && !b" \n\r\t{}[]:,\"".contains(&bytes[at]) {
                        at += 1;
                    }
                }
            }
            found.push(&text[start..at]);
        }
        found
    }

    #[test]
    fn an_order_without_extensions_gets_one_and_keeps_everything_else() {
        let order = "{ \"resourceType\":\"MedicationRequest\", \"n\": 1.50, \"s\":\"\\u0041\\/\",\n\"_status\":{\"id\":\"x\"} }";
        let inserted = format!(",\"extension\":[{OURS}]");
        assert_eq!(echo(order).replacen(&inserted, "", 1), order);
    }

    #[test]
    fn other_extensions_and_other_payers_stay_and_our_old_word_is_replaced() {
        let other = OURS.replace("Coverage/c", "Coverage/other");
        let old = OURS.replace("\"covered\"}", "\"conditional\"}");
        let order = format!(
            r#"{{"resourceType":"MedicationRequest","extension":[{{"url":"u","valueDecimal":1.0}}, {old} ,{other}],"id":"a"}}"#
        );
        let echoed = echo(&order);
        assert!(echoed.contains(r#"{"url":"u","valueDecimal":1.0}"#));
        assert!(echoed.contains(&other));
        assert!(!echoed.contains("conditional"));
        assert_eq!(echoed.matches(OURS).count(), 1);
        assert_eq!(echo(&echoed), echoed);
        for same in [
            "Coverage/c/_history/3",
            "https://ehr.test/r4/Coverage/c",
            "https://ehr.test/r4/Coverage/c/_history/3",
        ] {
            let same = old.replace("Coverage/c", same);
            assert_eq!(echo(&format!(r#"{{"extension":[{same}]}}"#)), echo("{}"));
        }
        for other in ["https://ehr.test/r4/Coverage/c2", "https://other.test/r4/Coverage/c"] {
            let other = old.replace("Coverage/c", other);
            let echoed = echo(&format!(r#"{{"extension":[{other}]}}"#));
            assert!(echoed.contains(&other) && echoed.contains(OURS), "{echoed}");
        }
    }

    #[test]
    fn an_extension_of_a_nested_element_is_left_alone() {
        let order = r#"{"resourceType":"X","contained":[{"extension":[{"url":"inner"}]}]}"#;
        assert!(echo(order).starts_with(&order[..order.len() - 1]));
    }

    #[test]
    fn null_and_a_single_object_are_read_as_arrays() {
        assert_eq!(echo(r#"{"extension":null}"#), format!(r#"{{"extension":[{OURS}]}}"#));
        let single = echo(r#"{"extension":{"url":"u"}}"#);
        assert_eq!(single, format!(r#"{{"extension":[{{"url":"u"}},{OURS}]}}"#));
        assert_eq!(echo("{}"), format!(r#"{{"extension":[{OURS}]}}"#));
    }

    #[test]
    fn what_cannot_hold_an_extension_is_refused() {
        let refused = |order| with_coverage_information(order, ABOUT, OURS).unwrap_err();
        assert_eq!(refused("[1]"), EchoError::Shape);
        assert_eq!(refused("{"), EchoError::Json);
        assert_eq!(refused(r#"{"extension":"x"}"#), EchoError::Extension);
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z0-9 {}:,éß😀\\[\\]]{0,4}",
            Just("\\u00e9".to_owned()),
            Just("\\/".to_owned()),
            Just("\\\"".to_owned()),
            Just("\\ud83d\\ude00".to_owned()),
            Just("extension".to_owned()),
        ];
        prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
    }

    fn space() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n  ")]
    }

    fn value() -> impl Strategy<Value = String> {
        let number = prop_oneof![
            Just("1.50"),
            Just("-0"),
            Just("1E+3"),
            Just("0.000000000000000000001"),
            Just("123456789012345678901234567890"),
        ];
        let leaf = prop_oneof![
            number.prop_map(str::to_owned),
            Just("true".to_owned()),
            Just("null".to_owned()),
            text(),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..4), space()).prop_map(
                    |(items, space)| format!(
                        "[{space}{}{space}]",
                        items.join(&format!(",{space}"))
                    )
                ),
                members(inner, 4),
            ]
        })
    }

    fn is_json(text: &str) -> bool {
        Document::parse(text.as_bytes(), Rules::Lenient).is_ok()
    }

    /// An object whose member names are made distinct by a number at their end.
    fn members(value: impl Strategy<Value = String>, most: usize) -> impl Strategy<Value = String> {
        prop::collection::vec((text(), value, space(), space()), 0..most).prop_map(|members| {
            let members: Vec<String> = members
                .into_iter()
                .enumerate()
                .map(|(place, (name, value, before, after))| {
                    let name = format!("{}{place}\"", &name[..name.len() - 1]);
                    format!("{before}{name}{after}:{before}{value}{after}")
                })
                .collect();
            format!("{{{}}}", members.join(","))
        })
    }

    /// An order: any members, and perhaps an `extension` array somewhere among them.
    fn order() -> impl Strategy<Value = (String, bool)> {
        let elements = prop::collection::vec(members(value(), 4), 0..3);
        (members(value(), 6), prop::option::of((elements, space(), any::<bool>()))).prop_map(
            |(object, array)| {
                let Some((elements, space, first)) = array else { return (object, false) };
                let elements = elements.join(&format!("{space},{space}"));
                let member = format!("\"extension\"{space}:[{space}{elements}{space}]");
                let inner = &object[1..object.len() - 1];
                let text = match (inner.is_empty(), first) {
                    (true, _) => format!("{{{member}}}"),
                    (false, true) => format!("{{{member},{inner}}}"),
                    (false, false) => format!("{{{inner},{member}}}"),
                };
                (text, true)
            },
        )
    }

    proptest! {
        #[test]
        fn without_our_extension_the_echo_has_the_tokens_that_were_received((text, has_array) in order()) {
            let echoed = echo(&text);
            prop_assert!(is_json(&echoed));
            let alone = format!("\"extension\":[{OURS}]");
            let without = if has_array {
                let behind = format!(",{OURS}");
                if echoed.contains(&behind) {
                    echoed.replacen(&behind, "", 1)
                } else {
                    echoed.replacen(OURS, "", 1)
                }
            } else if echoed.contains(&format!(",{alone}")) {
                echoed.replacen(&format!(",{alone}"), "", 1)
            } else {
                echoed.replacen(&alone, "", 1)
            };
            prop_assert_eq!(tokens(&without), tokens(&text));
        }

        #[test]
        fn what_was_put_in_twice_stands_once((text, _) in order()) {
            let once = echo(&text);
            prop_assert_eq!(echo(&once), once);
        }
    }
}
