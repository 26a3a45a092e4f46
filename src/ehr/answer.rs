//! What an answer of an EHR holds, as far as it is what was asked for.

use super::{Failure, Wish};
use crate::fhir::{Document, Node, Rules};

/// What one answer comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Where the search goes on.
    pub(super) next: Option<String>,
    /// What it lacks, by its own words.
    pub(super) lacks: Option<Failure>,
}

/// Looks at the text of an answer.
///
/// # Errors
/// It is not what was asked for.
pub(super) fn read(wish: &Wish, text: &[u8]) -> Result<Read, Failure> {
    // The same walk as that of a hook call: a member that stands twice is a fault.
    let document = Document::parse(text, Rules::Lenient).map_err(|_| Failure::NotJson)?;
    let root = document.root();
    let kind = root.text_of("resourceType");
    match (kind.as_deref(), wish.id()) {
        (Some("OperationOutcome"), _) => Err(Failure::SaidError),
        (Some(kind), Some(id)) if kind == wish.kind() => {
            let is_it = root.text_of("id").as_deref() == Some(id);
            if is_it { Ok(Read::default()) } else { Err(Failure::NotAsked) }
        }
        (Some("Bundle"), None) => Ok(of_bundle(root)),
        (_, _) => Err(Failure::NotAsked),
    }
}

fn of_bundle(bundle: Node<'_>) -> Read {
    let next = bundle
        .each("link")
        .find(|link| link.text_of("relation").as_deref() == Some("next"))
        .and_then(|link| link.text_of("url"))
        .map(std::borrow::Cow::into_owned);
    let outcomes = bundle.each("entry").filter_map(|entry| entry.get("resource"));
    let mut outcomes =
        outcomes.filter(|it| it.text_of("resourceType").as_deref() == Some("OperationOutcome"));
    Read { next, lacks: outcomes.any(says_error).then_some(Failure::SaidError) }
}

/// Whether an outcome says that something failed; a remark beside an answer does not.
fn says_error(outcome: Node<'_>) -> bool {
    outcome
        .each("issue")
        .any(|issue| matches!(issue.text_of("severity").as_deref(), Some("error" | "fatal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_reference(text: &str) -> Result<Read, Failure> {
        read(&Wish::of_reference("Patient/p-1", "").unwrap(), text.as_bytes())
    }

    fn of_search(text: &str) -> Result<Read, Failure> {
        read(&Wish::roles_of("d-1"), text.as_bytes())
    }

    #[test]
    fn only_the_resource_that_was_asked_for_is_an_answer() {
        assert_eq!(of_reference(r#"{"resourceType":"Patient","id":"p-1"}"#), Ok(Read::default()));
        for text in [
            r#"{"resourceType":"Patient","id":"p-2"}"#,
            r#"{"resourceType":"Patient"}"#,
            r#"{"resourceType":"Condition","id":"p-1"}"#,
            r#"{"resourceType":"Bundle","entry":[]}"#,
            "[]",
            "{}",
        ] {
            assert_eq!(of_reference(text), Err(Failure::NotAsked), "{text}");
        }
        for text in
            ["<html></html>", "", "{", r#"{"resourceType":"Patient","id":"p-1","id":"p-1"}"#]
        {
            assert_eq!(of_reference(text), Err(Failure::NotJson), "{text}");
        }
        assert_eq!(of_search(r#"{"resourceType":"PractitionerRole"}"#), Err(Failure::NotAsked));
        assert_eq!(of_search(r#"{"resourceType":"OperationOutcome"}"#), Err(Failure::SaidError));
    }

    #[test]
    fn a_search_says_where_it_goes_on_and_what_it_lacks() {
        let text = r#"{"resourceType":"Bundle",
            "link":[{"relation":"self","url":"a"},{"relation":"next","url":"b"}],
            "entry":[{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning"}]}}]}"#;
        let next = Some("b".to_owned());
        assert_eq!(of_search(text), Ok(Read { next: next.clone(), lacks: None }));
        let text = text.replace("warning", "error");
        assert_eq!(of_search(&text), Ok(Read { next, lacks: Some(Failure::SaidError) }));
    }
}
