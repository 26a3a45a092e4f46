//! What a client sent under a prefetch key (crd.md 2.2).

use std::borrow::Cow;

use crate::fhir::{Kind, Node};

/// What stands under a prefetch key that discovery asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent<'d> {
    /// The client has run the query: here is all of it.
    Whole,
    /// The client has run the query, and there is nothing.
    Nothing,
    /// The first page of it, and where it goes on.
    Page(Cow<'d, str>),
    /// The client could not run it.
    Failed {
        /// Whether it may be of use that we ask ourselves.
        retry: bool,
    },
    /// The client's server does not offer it.
    NotOffered,
}

impl<'d> Sent<'d> {
    pub(super) fn of(value: Node<'d>) -> Sent<'d> {
        if value.kind() == Kind::Null {
            return Sent::Nothing;
        }
        match value.text_of("resourceType").as_deref() {
            Some("OperationOutcome") => outcome(value),
            Some("Bundle") => bundle(value),
            Some(_) => Sent::Whole,
            None => Sent::Failed { retry: true },
        }
    }
}

fn bundle(bundle: Node<'_>) -> Sent<'_> {
    let resources = bundle.each("entry").filter_map(|entry| entry.get("resource"));
    let mut outcomes =
        resources.filter(|it| it.text_of("resourceType").as_deref() == Some("OperationOutcome"));
    let is_error =
        |issue: Node<'_>| matches!(issue.text_of("severity").as_deref(), Some("error" | "fatal"));
    let failed = outcomes.find(|it| it.each("issue").any(is_error)).map(outcome);
    let next = bundle.each("link").find(|link| link.text_of("relation").as_deref() == Some("next"));
    match (failed, next.and_then(|link| link.text_of("url"))) {
        (Some(failed @ Sent::Failed { .. }), _) | (Some(failed), None) => failed,
        // That one thing is not there or not offered does not end what goes on.
        (_, Some(url)) => Sent::Page(url),
        (None, None) if bundle.each("entry").next().is_none() => Sent::Nothing,
        (None, None) => Sent::Whole,
    }
}

/// Why the client's own query failed decides whether ours may do better.
fn outcome(outcome: Node<'_>) -> Sent<'_> {
    let codes: Vec<Cow<'_, str>> =
        outcome.each("issue").filter_map(|issue| issue.text_of("code")).collect();
    let has = |wanted: &[&str]| codes.iter().any(|code| wanted.contains(&&**code));
    if has(&["not-found", "deleted"]) {
        Sent::Nothing
    } else if has(&["not-supported", "code-invalid"]) {
        Sent::NotOffered
    } else {
        // What the user may not see, the token that speaks for the user may not either.
        Sent::Failed { retry: !has(&["forbidden", "security", "suppressed"]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Document, Rules};

    fn check(value: &str, expected: &Sent<'static>) {
        let text = format!("{{\"key\":{value}}}");
        let document = Document::parse(text.as_bytes(), Rules::Lenient).unwrap();
        let (_, node) = document.root().members().next().unwrap();
        assert_eq!(&Sent::of(node), expected, "{value}");
    }

    fn outcome(code: &str) -> String {
        format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}"}}]}}"#
        )
    }

    #[test]
    fn null_and_an_empty_bundle_are_answers_and_an_outcome_is_none() {
        check(r#"{"resourceType":"Patient","id":"p"}"#, &Sent::Whole);
        for nothing in [
            "null",
            r#"{"resourceType":"Bundle"}"#,
            r#"{"resourceType":"Bundle","type":"collection","entry":[]}"#,
            &outcome("not-found"),
        ] {
            check(nothing, &Sent::Nothing);
        }
        check(&outcome("not-supported"), &Sent::NotOffered);
        check(&outcome("timeout"), &Sent::Failed { retry: true });
        check(r#"{"resourceType":"OperationOutcome","issue":[]}"#, &Sent::Failed { retry: true });
        check(&outcome("forbidden"), &Sent::Failed { retry: false });
        let inside = |outcome: &str| {
            format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{outcome}}}]}}"#)
        };
        check(&inside(&outcome("exception")), &Sent::Failed { retry: true });
        check(&inside(&outcome("exception").replace("error", "warning")), &Sent::Whole);
        let link = r#""link":[{"relation":"next","url":"https://e.test/2"}]"#;
        let page = Sent::Page("https://e.test/2".into());
        check(&format!(r#"{{"resourceType":"Bundle",{link}}}"#), &page);
        let goes_on =
            |code| inside(&outcome(code)).replacen("\"entry\"", &format!("{link},\"entry\""), 1);
        check(&goes_on("not-supported"), &page);
        check(&goes_on("timeout"), &Sent::Failed { retry: true });
    }
}
