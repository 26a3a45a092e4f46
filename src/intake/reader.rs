//! FHIR's data types, read leniently: what is not there or has the wrong shape is absent.

use std::borrow::Cow;

use crate::facts::{Answer, ConditionLink, FactId, Source, SourceKind, Value};
use crate::fhir::{Entry, Kind, Node, Pool};
use crate::terms::id::NpiError;
use crate::terms::{Coding, Concept, Npi, Span, System, When};

/// A `CodeableConcept`; a bare Coding is read as one too.
#[must_use]
pub fn concept(node: Option<Node<'_>>) -> Concept {
    let Some(node) = node else { return Concept::default() };
    let bare = node.get("code").is_some();
    let own = bare.then_some(node);
    let codings: Vec<Node<'_>> = own.into_iter().chain(node.each("coding")).collect();
    let displays = codings.iter().filter_map(|coding| coding.text_of("display"));
    let text = node.text_of("text").or_else(|| {
        let displays: Vec<_> = displays.collect();
        (!displays.is_empty()).then(|| Cow::Owned(displays.join("; ")))
    });
    Concept {
        codings: codings.iter().filter_map(|coding| coded(*coding)).collect(),
        text: text.filter(|text| !text.trim().is_empty()).map(|text| text.trim().into()),
    }
}

fn coded(node: Node<'_>) -> Option<Coding> {
    let code = node.text_of("code")?;
    let system = node.text_of("system").unwrap_or_default();
    Some(Coding::from_uri(&system, &code))
}

/// The `CodeableConcepts` of an element that may be one or many.
pub fn concepts<'d>(node: Node<'d>, name: &str) -> impl Iterator<Item = Concept> + use<'d> {
    node.each(name).collect::<Vec<_>>().into_iter().map(|it| concept(Some(it)))
}

/// Puts the codings of `more` into `concept`, and its words where there are none.
pub fn join(concept: &mut Concept, more: Concept) {
    concept.codings.extend(more.codings);
    concept.text = concept.text.take().or(more.text);
}

/// The code of a status that is a `CodeableConcept`: HL7's own where there are others beside it.
///
/// Two different codes of HL7 are one that no rule knows, so that neither is believed.
#[must_use]
pub fn status_code(node: Option<Node<'_>>) -> Option<Box<str>> {
    let node = node?;
    let is_hl7 = |coding: &Node<'_>| {
        coding.text_of("system").is_some_and(|system| system.contains("hl7.org/"))
    };
    let mut own: Vec<Cow<'_, str>> =
        node.each("coding").filter(is_hl7).filter_map(|coding| coding.text_of("code")).collect();
    own.dedup();
    if own.len() > 1 {
        return Some(own.join(" and ").into());
    }
    let code = own.pop().or_else(|| node.each("coding").find_map(|coding| coding.text_of("code")));
    code.or_else(|| node.text_of("code")).map(|code| code.trim().into())
}

/// The text of a primitive.
#[must_use]
pub fn word(node: Node<'_>, name: &str) -> Option<Box<str>> {
    node.text_of(name).map(|text| text.trim().into())
}

/// A date or date-time; one that cannot be read is absent.
#[must_use]
pub fn when(node: Option<Node<'_>>) -> Option<When> {
    node.and_then(Node::text).and_then(|text| When::parse(&text).ok())
}

/// A Period.
#[must_use]
pub fn span(node: Option<Node<'_>>) -> Span {
    let Some(node) = node else { return Span::default() };
    Span { start: when(node.get("start")), end: when(node.get("end")) }
}

/// Whether each end that a Period gives is a date, so that an absent one is an open one.
///
/// An end that is only said to be unknown (`_end` with a reason) is no open end.
#[must_use]
pub fn is_readable_period(node: Option<Node<'_>>) -> bool {
    let Some(node) = node else { return true };
    let is_period = node.kind() == Kind::Object;
    is_period
        && ["start", "end"].iter().all(|name| match node.get(name) {
            Some(date) => when(Some(date)).is_some(),
            None => node.get(&format!("_{name}")).is_none(),
        })
}

/// The value of `extension` with a URL that ends in `name`, if there is one.
#[must_use]
pub fn extension<'d>(node: Node<'d>, name: &str) -> Option<Node<'d>> {
    extensions(node, name).next()
}

/// All extensions with a URL whose last step is `name`.
pub fn extensions<'d>(node: Node<'d>, name: &str) -> impl Iterator<Item = Node<'d>> + use<'d> {
    let name = name.to_owned();
    node.each("extension").filter(move |extension| {
        extension.text_of("url").is_some_and(|url| url.rsplit('/').next() == Some(name.as_str()))
    })
}

/// The NPI among an element's identifiers: none, one, or one that is wrong; a number that is said to
/// be old or to end is none.
#[must_use]
pub fn npi(node: Node<'_>) -> Option<Result<Npi, NpiError>> {
    let mut numbers = node.each("identifier").filter(|identifier| {
        identifier.text_of("system").is_some_and(|system| is_npi_system(&system))
            && identifier.text_of("use").as_deref() != Some("old")
            && span(identifier.get("period")).end.is_none()
    });
    let value = numbers.find_map(|identifier| identifier.text_of("value"))?;
    Some(Npi::parse(&value))
}

/// Whether a system URI is that of NPIs.
#[must_use]
pub fn is_npi_system(system: &str) -> bool {
    // clinical.md N31
    let system = System::from_uri(system);
    system.uri() == Npi::SYSTEM || system.uri() == "urn:oid:2.16.840.1.113883.4.6"
}

/// Whether an element carries a modifier extension that may turn it into its opposite.
///
/// Of the known ones PAS marks by `infoCancelled` what is called off, and false says nothing.
#[must_use]
pub fn is_modified(node: Node<'_>) -> bool {
    node.each("modifierExtension").any(|extension| {
        let url = extension.text_of("url").unwrap_or_default();
        let is_cancelled = extension.get("valueBoolean").and_then(Node::boolean);
        !(url.ends_with("/modifierextension-infoCancelled") && is_cancelled == Some(false))
    })
}

/// A `HumanName` or name text.
#[must_use]
pub fn person_name(node: Node<'_>) -> Option<String> {
    let name = node.each("name").next()?;
    if let Some(text) = name.text_of("text") {
        return Some(text.into_owned());
    }
    let given = name.each("given").filter_map(Node::text);
    let family = name.text_of("family");
    let parts: Vec<Cow<'_, str>> = given.chain(family).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// The source of a fact in a resource of the pool.
#[must_use]
pub fn source(
    entry: &Entry<'_>,
    element: impl Into<Cow<'static, str>>,
    kind: SourceKind,
) -> Source {
    Source { resource: entry.name().into(), element: element.into(), date: None, kind }
}

/// `value[x]` of an Observation or component, with the reason for its absence.
#[must_use]
pub fn answer(node: Node<'_>) -> Answer {
    let kinds =
        ["valueCodeableConcept", "valueString", "valueBoolean", "valueQuantity", "valueInteger"];
    let value = match node.get_any(&kinds) {
        Some(("valueCodeableConcept", value)) => Value::Coded(concept(Some(value))),
        Some(("valueString", value)) => {
            value.text().map_or(Value::None, |text| Value::Text(text.into()))
        }
        Some(("valueBoolean", value)) => value.boolean().map_or(Value::None, Value::Boolean),
        Some(("valueQuantity", value)) => quantity(value),
        Some((_, value)) => value.number().map_or(Value::None, |number| Value::Quantity {
            value: number.into(),
            unit: "".into(),
            ucum: None,
            comparator: None,
        }),
        None => Value::None,
    };
    Answer { value, absent_reason: concept(node.get("dataAbsentReason")) }
}

fn quantity(node: Node<'_>) -> Value {
    let Some(number) = node.get("value").and_then(Node::number) else { return Value::None };
    let code = node.text_of("code");
    // A unit's word without UCUM's system is not a code of UCUM, however much it looks like one.
    let is_ucum =
        node.text_of("system").is_some_and(|system| System::from_uri(&system) == System::Ucum);
    let ucum = code.as_deref().filter(|_| is_ucum).map(Into::into);
    let unit = code.or_else(|| node.text_of("unit")).unwrap_or_default();
    let comparator = word(node, "comparator");
    Value::Quantity { value: number.into(), unit: unit.into(), ucum, comparator }
}

/// What a reference to a Condition leads to.
#[must_use]
pub fn link(pool: &Pool<'_>, reference: Node<'_>, from: usize) -> ConditionLink {
    match pool.follow(reference, from) {
        Some(place) => ConditionLink::To(FactId(place)),
        None => ConditionLink::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Document, Rules};

    /// The UCUM code and the comparator of a quantity.
    fn read(quantity: &str) -> (Option<String>, Option<String>) {
        let text = format!(r#"{{"valueQuantity":{quantity}}}"#);
        let document = Document::parse(text.as_bytes(), Rules::Fhir).unwrap();
        match answer(document.root()).value {
            Value::Quantity { ucum, comparator, .. } => {
                (ucum.map(String::from), comparator.map(String::from))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_code_under_the_system_of_ucum_is_a_unit_of_ucum() {
        let percent = (Some("%".to_owned()), None);
        for system in ["http://unitsofmeasure.org", "https://unitsofmeasure.org/"] {
            let quantity = format!(r#"{{"value":1,"system":"{system}","code":"%"}}"#);
            assert_eq!(read(&quantity), percent, "{system}");
        }
        for quantity in [
            r#"{"value":1}"#,
            r#"{"value":1,"unit":"%"}"#,
            r#"{"value":1,"code":"%"}"#,
            r#"{"value":1,"unit":"%","system":"http://unitsofmeasure.org"}"#,
            r#"{"value":1,"system":"http://snomed.info/sct","code":"118582008"}"#,
        ] {
            assert_eq!(read(quantity), (None, None), "{quantity}");
        }
    }

    #[test]
    fn a_comparator_is_kept() {
        assert_eq!(read(r#"{"value":1,"comparator":"<"}"#), (None, Some("<".to_owned())));
    }
}
