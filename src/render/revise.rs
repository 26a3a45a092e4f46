//! A received resource with some members replaced, and nothing else touched.
//!
//! Like [`super::echo`] it works on the text: a member that stays has the bytes that it came with.

use super::echo::EchoError;
use crate::fhir::{Document, Kind, Node, Rules};

/// The text of `resource` with the members of `change` in place of its own; one that is `null`
/// there is taken away. Members named in `dropped` are taken away too.
///
/// The `_name` beside a replaced `name` goes with it.
///
/// # Errors
/// One of the two is no JSON object.
pub fn with_members(resource: &str, change: &str, dropped: &[&str]) -> Result<String, EchoError> {
    let resource = resource.strip_prefix('\u{feff}').unwrap_or(resource);
    let parse = |text| Document::parse(text, Rules::Lenient).map_err(|_| EchoError::Json);
    let (own, new) = (parse(resource.as_bytes())?, parse(change.as_bytes())?);
    if own.root().kind() != Kind::Object || new.root().kind() != Kind::Object {
        return Err(EchoError::Shape);
    }
    let replaced: Vec<String> =
        new.root().members().map(|(name, _)| name.into_owned()).filter(|it| it != TYPE).collect();
    let goes = |name: &str| {
        let bare = name.strip_prefix('_').unwrap_or(name);
        dropped.contains(&bare) || replaced.iter().any(|it| it == name || it == bare)
    };
    let kept = own.root().members().filter(|(name, _)| !goes(name));
    let put_in = new.root().members().filter(|(name, it)| name != TYPE && it.kind() != Kind::Null);
    let members: Vec<String> = kept.chain(put_in).map(|(name, node)| member(&name, node)).collect();
    Ok(format!("{{{}}}", members.join(",")))
}

/// The type of a resource says whose change it is.
const TYPE: &str = "resourceType";

fn member(name: &str, node: Node<'_>) -> String {
    format!("{}:{}", serde_json::Value::from(name), node.raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"resourceType":"MedicationRequest","id":"a","status":"draft","_status":{"id":"s"},"x":1.50,"medicationReference":{"reference":"Medication/m"},"t":"\u0041"}"#;

    #[test]
    fn members_that_stay_have_their_bytes_and_the_others_are_replaced() {
        let change = r#"{"resourceType":"MedicationRequest","medicationReference":null,"medicationCodeableConcept":{"text":"b"}}"#;
        assert_eq!(
            with_members(ORDER, change, &[]).unwrap(),
            r#"{"resourceType":"MedicationRequest","id":"a","status":"draft","_status":{"id":"s"},"x":1.50,"t":"\u0041","medicationCodeableConcept":{"text":"b"}}"#
        );
    }

    #[test]
    fn what_belongs_to_a_member_goes_with_it() {
        let changed = with_members(ORDER, r#"{"t":"new"}"#, &["status"]).unwrap();
        assert!(!changed.contains("status") && changed.ends_with(r#""t":"new"}"#), "{changed}");
        assert!(with_members("[]", "{}", &[]).is_err());
    }
}
