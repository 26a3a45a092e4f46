//! Many queries in one Bundle of type `batch`, for servers that take it (FHIR R4, "Batch/Transaction").

use reqwest::Url;
use serde_json::json;

use super::{Failure, Wish};
use crate::fhir::{Document, Node, Rules};

/// The Bundle that asks for all of `wishes`; `None` where one has no URL below `base`.
pub(super) fn bundle<'w>(wishes: impl Iterator<Item = &'w Wish>, base: &Url) -> Option<String> {
    let root = base.as_str().trim_end_matches('/');
    let entry = |wish: &Wish| {
        let url = wish.url(base)?;
        let local = url.as_str().strip_prefix(root)?.trim_start_matches('/');
        Some(json!({"request": {"method": "GET", "url": local}}))
    };
    let entries: Vec<_> = wishes.map(entry).collect::<Option<_>>()?;
    Some(json!({"resourceType": "Bundle", "type": "batch", "entry": entries}).to_string())
}

/// What a server answered to each of `count` queries in turn; `None`: the text is no answer to them.
pub(super) fn parts(text: &[u8], count: usize) -> Option<Vec<Result<String, Failure>>> {
    let document = Document::parse(text, Rules::Lenient).ok()?;
    let root = document.root();
    let is_answer = root.text_of("resourceType").as_deref() == Some("Bundle")
        && root.text_of("type").as_deref() == Some("batch-response");
    let parts: Vec<_> = root.each("entry").map(part).collect();
    (is_answer && parts.len() == count).then_some(parts)
}

fn part(entry: Node<'_>) -> Result<String, Failure> {
    let status = entry.at(&["response", "status"]).and_then(Node::text);
    // `200`, or `200 OK`
    let status = status.as_deref().and_then(|it| it.get(..3)).and_then(|it| it.parse().ok());
    match status {
        Some(200..=299) => {
            let resource = entry.get("resource").ok_or(Failure::NotAsked)?;
            Ok(resource.raw().to_owned())
        }
        Some(status) => Err(Failure::Status(status)),
        None => Err(Failure::NotAsked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_query_is_an_entry_with_a_url_below_the_base() {
        for base in ["https://ehr.test/r4", "https://ehr.test/r4/"] {
            let wishes =
                [Wish::of_reference("Organization/o-1", "").unwrap(), Wish::roles_of("d-1")];
            let text = bundle(wishes.iter(), &Url::parse(base).unwrap()).unwrap();
            let urls = ["Organization/o-1", "PractitionerRole?practitioner=d-1"];
            let entries = urls.map(|url| json!({"request": {"method": "GET", "url": url}}));
            let expected = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
        }
    }

    #[test]
    fn each_entry_of_an_answer_is_the_answer_to_one_query() {
        let text = r#"{"resourceType":"Bundle","type":"batch-response","entry":[
            {"resource":{"resourceType":"Patient","id":"p"},"response":{"status":"200 OK"}},
            {"response":{"status":"404"}},
            {"resource":{"resourceType":"Patient"},"response":{"status":"403 Forbidden"}},
            {"response":{"status":"200"}},
            {"resource":{"resourceType":"Patient"}}]}"#;
        let expected = vec![
            Ok(r#"{"resourceType":"Patient","id":"p"}"#.to_owned()),
            Err(Failure::Status(404)),
            Err(Failure::Status(403)),
            Err(Failure::NotAsked),
            Err(Failure::NotAsked),
        ];
        assert_eq!(parts(text.as_bytes(), 5), Some(expected));
        assert_eq!(parts(text.as_bytes(), 4), None);
        for other in ["searchset", "transaction-response"] {
            assert_eq!(parts(text.replace("batch-response", other).as_bytes(), 5), None);
        }
        assert_eq!(parts(b"<html>", 0), None);
    }
}
