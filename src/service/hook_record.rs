//! What is kept of an answered hook call, so that what was said can be shown, honoured and decided
//! again (found-11, found-37).

use std::ops::Range;

use super::judge_orders::Judged;
use super::{Service, ServiceError};
use crate::fhir::{Document, Kind, Node, Rules};
use crate::ig::CrdVersion;
use crate::intake::gathered::Gathered;
use crate::intake::order::ordered;
use crate::policy::Plan;
use crate::render::crd::{Coverage, CoverageInformation, PaNeeded};
use crate::render::trace;
use crate::store::{AssertionRecord, CardRecord, HookCallRecord, Inputs, PolicyEdition, Said};

/// An answered call.
pub(super) struct Answered<'a> {
    pub(super) client: &'a str,
    pub(super) service_id: &'a str,
    pub(super) version: CrdVersion,
    pub(super) hook_instance: Option<&'a str>,
    pub(super) document: &'a Document<'a>,
    /// What the client's FHIR server gave, as it came.
    pub(super) gathered: &'a Gathered,
    pub(super) inputs: Inputs,
    /// The orders, with what was said of them.
    pub(super) judged: &'a [Judged<'a>],
    pub(super) cards: Vec<CardRecord>,
    pub(super) response: &'a str,
    pub(super) given_at: jiff::Timestamp,
}

impl Service {
    /// Saves the call, its answer and what was asserted, in one transaction.
    pub(super) async fn keep_call(&self, call: Answered<'_>) -> Result<(), ServiceError> {
        let plan = &self.rules.plan;
        // Only what was said is on file as said.
        let said = call.judged.iter().filter_map(|order| {
            let (coverage, information) = order.said.as_ref()?;
            Some(assertion(plan, order, coverage, information))
        });
        let gathered = (!call.gathered.is_empty())
            .then(|| serde_json::to_string(call.gathered))
            .transpose()
            .map_err(|_| ServiceError::Internal("what was gathered cannot be written"))?;
        let record = HookCallRecord {
            hook_instance: call.hook_instance.unwrap_or_default().to_owned(),
            client: call.client.to_owned(),
            service_id: call.service_id.to_owned(),
            guide: call.version.segment().to_owned(),
            request: without_token(call.document),
            gathered,
            response: call.response.to_owned(),
            given_at: call.given_at,
            inputs: call.inputs,
            assertions: said.collect::<Result<_, _>>()?,
            cards: call.cards,
        };
        Ok(self.store.save_hook_call(&record).await?)
    }
}

fn assertion(
    plan: &Plan,
    order: &Judged<'_>,
    coverage: &str,
    information: &CoverageInformation,
) -> Result<AssertionRecord, ServiceError> {
    let findings = serde_json::to_string(&trace::item(order.sequence, &order.verdict))
        .map_err(|_| ServiceError::Internal("findings cannot be written"))?;
    Ok(AssertionRecord {
        assertion_id: order.assertion_id.clone(),
        order_reference: order.reference.clone(),
        order: order.text.to_owned(),
        coverage_reference: Some(coverage.to_owned()),
        member_id: order.member.clone(),
        policy: order.verdict.policy.as_ref().and_then(|policy| {
            Some(PolicyEdition { policy_id: policy.id.to_string(), edition: policy.edition? })
        }),
        determination: order.verdict.determination.as_str().to_owned(),
        said: said(plan, order.text, information),
        findings,
    })
}

/// What a later Claim may rest on: nothing that depends on anything, and of an order that names
/// several things only what holds for each.
fn said(plan: &Plan, order: &str, information: &CoverageInformation) -> Said {
    match &information.coverage {
        Coverage::Covered { pa: PaNeeded::NoAuth, .. } if is_wholly_free(plan, order) => {
            Said::NoAuth
        }
        Coverage::Covered { pa: PaNeeded::Satisfied { pa_id }, .. } => {
            Said::Satisfied(pa_id.clone())
        }
        Coverage::Covered {
            pa: PaNeeded::NoAuth | PaNeeded::AuthNeeded | PaNeeded::PerformerAsks,
            ..
        }
        | Coverage::Conditional { .. }
        | Coverage::Indeterminate { .. }
        | Coverage::NotCovered { .. } => Said::Other,
    }
}

fn is_wholly_free(plan: &Plan, order: &str) -> bool {
    let Ok(order) = Document::parse(order.as_bytes(), Rules::Lenient) else { return false };
    let codings = ordered(order.root()).codings;
    !codings.is_empty() && codings.iter().all(|it| plan.is_free(it))
}

/// The call's text with the access token taken out: it is never stored (crd.md 3.6).
///
/// What a client writes wrongly holds a token all the same: under another spelling of its name, in
/// a list, or among extensions.
fn without_token(document: &Document<'_>) -> String {
    let root = document.root();
    let mut tokens = Vec::new();
    for (name, value) in root.members() {
        if name == "fhirAuthorization" && !matches!(value.kind(), Kind::Object | Kind::Null) {
            tokens.push(value.span());
        } else if !matches!(&*name, "context" | "prefetch") {
            tokens_in(&name, value, &mut tokens);
        }
    }
    let (text, start) = (root.raw(), root.span().start);
    let (mut kept, mut at) = (String::with_capacity(text.len()), 0);
    for token in tokens {
        let (from, to) = (token.start.saturating_sub(start), token.end.saturating_sub(start));
        kept.push_str(text.get(at..from).unwrap_or_default());
        kept.push_str("\"(removed)\"");
        at = to;
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    kept
}

/// The places of tokens in a member, in their order.
fn tokens_in(name: &str, value: Node<'_>, found: &mut Vec<Range<usize>>) {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if name.to_ascii_lowercase().ends_with("token") {
        found.push(value.span());
        return;
    }
    match value.kind() {
        Kind::Object => value.members().for_each(|(name, inner)| tokens_in(&name, inner, found)),
        Kind::Array => value.items().for_each(|inner| tokens_in("", inner, found)),
        Kind::Text | Kind::Number | Kind::Bool | Kind::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_token_is_kept() {
        for (call, kept) in [
            (
                r#"{"fhirAuthorization":{"access_token":"s3cret","scope":"a"},"hook":"x"}"#,
                r#"{"fhirAuthorization":{"access_token":"(removed)","scope":"a"},"hook":"x"}"#,
            ),
            (
                r#"{"fhirAuthorization":["s3cret"],"n":1.50}"#,
                r#"{"fhirAuthorization":"(removed)","n":1.50}"#,
            ),
            (
                r#"{ "a":1, "fhirAuthorization":{"Access_Token":["s3cret"],"idToken":"s3cret"}, "b":2 }"#,
                r#"{ "a":1, "fhirAuthorization":{"Access_Token":"(removed)","idToken":"(removed)"}, "b":2 }"#,
            ),
            (
                r#"{"extension":[{"access_token":{"x":"s3cret"}}],"context":{"token":"t"}}"#,
                r#"{"extension":[{"access_token":"(removed)"}],"context":{"token":"t"}}"#,
            ),
        ] {
            let document = Document::parse(call.as_bytes(), Rules::Lenient).unwrap();
            assert_eq!(without_token(&document), kept);
        }
    }
}
