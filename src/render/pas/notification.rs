//! Notifications of a Subscription, and its status (subscriptions backport 1.1.0, pas.md 2.9).
//!
//! Both versions of PAS share the frame; how much an event says is the Subscription's choice.
//! No clock, no store: ids and times are arguments.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::fhir::write::r4::Resource;
use crate::fhir::write::r4::resources::{
    Parameters, ParametersParameter, ParametersParameterValue,
};
use crate::fhir::write::write;
use crate::ig::pas::{NOTIFICATION, SUBSCRIPTION_STATUS, SUBSCRIPTION_TOPIC};
use crate::render::RenderError;
use crate::render::build::{meta, reference};

/// How a Subscription stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The public base of its endpoint, `https://host/pas/2.2.1`.
    pub base: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its status, a code of FHIR.
    pub status: &'a str,
    /// How many events it had, the one that is told included.
    pub events: u64,
    /// Why it is in error.
    pub fault: Option<&'a str>,
}

/// What is told.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// That the endpoint is heard of.
    Handshake,
    /// An answer.
    Event {
        /// Its number, from 1.
        number: u64,
        /// When it was given, a FHIR instant.
        happened_at: &'a str,
        /// The id of the `ClaimResponse`.
        response_id: &'a str,
        /// The id and the JSON text of the response Bundle, where it is told as a whole.
        answer: Option<(&'a str, &'a str)>,
    },
}

/// What is ours in a Bundle.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The id of the Bundle, a UUID.
    pub id: &'a str,
    /// The id of the status in it, a UUID.
    pub status_id: &'a str,
    /// When it is sent, a FHIR instant.
    pub timestamp: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'a> {
    resource_type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    entry: Vec<Entry>,
}

#[derive(Serialize)]
struct Meta {
    profile: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    full_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Search>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response>,
}

#[derive(Serialize)]
struct Search {
    mode: &'static str,
}

#[derive(Serialize)]
struct Request {
    method: &'static str,
    url: String,
}

#[derive(Serialize)]
struct Response {
    status: &'static str,
}

impl Entry {
    /// An entry of a history: what it says is what a request would find.
    fn of_history(full_url: String, url: String, resource: Option<Box<RawValue>>) -> Entry {
        Entry {
            full_url,
            resource,
            search: None,
            request: Some(Request { method: "GET", url }),
            response: Some(Response { status: "200" }),
        }
    }
}

/// The JSON text of a notification: a history whose first entry is the status.
///
/// # Errors
/// The text of the answer is not JSON.
pub fn notification(
    standing: &Standing<'_>,
    told: &Told<'_>,
    envelope: &Envelope<'_>,
) -> Result<String, RenderError> {
    let Standing { base, id, .. } = standing;
    let (kind, event, focus) = match told {
        Told::Handshake => ("handshake", None, None),
        Told::Event { number, happened_at, response_id, answer } => {
            let url = format!("{base}/ClaimResponse/{response_id}");
            // PAS 2.2.1 spec-62, trap T13: the whole answer is a Bundle, and the focus is it.
            let (full_url, resource) = match answer {
                None => (url.clone(), None),
                Some((id, text)) => (format!("urn:uuid:{id}"), Some(serde_json::from_str(text)?)),
            };
            let event = event(*number, happened_at, &full_url);
            ("event-notification", Some(event), Some(Entry::of_history(full_url, url, resource)))
        }
    };
    let status = status(standing, kind, event, envelope.status_id)?;
    let status = Entry::of_history(
        format!("urn:uuid:{}", envelope.status_id),
        format!("{base}/Subscription/{id}/$status"),
        Some(RawValue::from_string(status)?),
    );
    let bundle = Bundle {
        resource_type: "Bundle",
        id: envelope.id,
        meta: Some(Meta { profile: [NOTIFICATION] }),
        kind: "history",
        timestamp: envelope.timestamp,
        total: None,
        entry: std::iter::once(status).chain(focus).collect(),
    };
    Ok(serde_json::to_string(&bundle)?)
}

/// The JSON text of what `$status` answers: a searchset with the status.
///
/// # Errors
/// None that input can cause.
pub fn status_answer(
    standing: &Standing<'_>,
    envelope: &Envelope<'_>,
) -> Result<String, RenderError> {
    let status = status(standing, "query-status", None, envelope.status_id)?;
    let bundle = Bundle {
        resource_type: "Bundle",
        id: envelope.id,
        meta: None,
        kind: "searchset",
        timestamp: envelope.timestamp,
        total: Some(1),
        entry: vec![Entry {
            full_url: format!("urn:uuid:{}", envelope.status_id),
            resource: Some(RawValue::from_string(status)?),
            search: Some(Search { mode: "match" }),
            request: None,
            response: None,
        }],
    };
    Ok(serde_json::to_string(&bundle)?)
}

/// The status as R4 has it: Parameters (trap T12: `status` is there, and numbers are strings).
fn status(
    standing: &Standing<'_>,
    kind: &str,
    event: Option<ParametersParameter>,
    id: &str,
) -> Result<String, RenderError> {
    use ParametersParameterValue as Value;
    let subscription = format!("{}/Subscription/{}", standing.base, standing.id);
    let mut parameters = vec![
        parameter("subscription", Value::Reference(Box::new(reference(&subscription)))),
        parameter("topic", Value::Canonical(SUBSCRIPTION_TOPIC.into())),
        parameter("status", Value::Code(standing.status.into())),
        parameter("type", Value::Code(kind.into())),
        parameter(
            "events-since-subscription-start",
            Value::String(standing.events.to_string().into()),
        ),
    ];
    parameters.extend(event);
    if let Some(fault) = standing.fault {
        let concept = crate::fhir::write::r4::types::CodeableConcept {
            text: Some(fault.into()),
            ..Default::default()
        };
        parameters.push(parameter("error", Value::CodeableConcept(Box::new(concept))));
    }
    let resource = Parameters {
        id: Some(id.into()),
        meta: Some(Box::new(meta(SUBSCRIPTION_STATUS))),
        parameter: parameters,
        ..Parameters::default()
    };
    Ok(write(&Resource::Parameters(Box::new(resource)))?)
}

fn event(number: u64, happened_at: &str, focus: &str) -> ParametersParameter {
    use ParametersParameterValue as Value;
    ParametersParameter {
        name: "notification-event".into(),
        part: vec![
            parameter("event-number", Value::String(number.to_string().into())),
            parameter("timestamp", Value::Instant(happened_at.into())),
            parameter("focus", Value::Reference(Box::new(reference(focus)))),
        ],
        ..ParametersParameter::default()
    }
}

fn parameter(name: &str, value: ParametersParameterValue) -> ParametersParameter {
    ParametersParameter { name: name.into(), value: Some(value), ..ParametersParameter::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDING: Standing<'_> = Standing {
        base: "https://payer.priorauth.test/pas/2.2.1",
        id: "s-1",
        status: "active",
        events: 2,
        fault: None,
    };
    const ENVELOPE: Envelope<'_> = Envelope {
        id: "5f0e1a3c-0000-4000-8000-000000000001",
        status_id: "5f0e1a3c-0000-4000-8000-000000000002",
        timestamp: "2026-03-02T10:00:01Z",
    };

    fn event<'a>(answer: Option<(&'a str, &'a str)>) -> Told<'a> {
        Told::Event {
            number: 2,
            happened_at: "2026-03-02T10:00:00Z",
            response_id: "5f0e1a3c-0000-4000-8000-000000000003",
            answer,
        }
    }

    #[test]
    fn an_event_with_the_whole_answer_as_it_is_sent() {
        let told = event(Some((
            "5f0e1a3c-0000-4000-8000-000000000004",
            r#"{"resourceType":"Bundle", "n":1.50}"#,
        )));
        insta::assert_snapshot!(notification(&STANDING, &told, &ENVELOPE).unwrap());
    }

    #[test]
    fn an_event_of_which_only_the_id_is_told_as_it_is_sent() {
        insta::assert_snapshot!(notification(&STANDING, &event(None), &ENVELOPE).unwrap());
    }

    #[test]
    fn a_handshake_has_the_status_alone() {
        let standing = Standing { status: "requested", events: 0, ..STANDING };
        insta::assert_snapshot!(notification(&standing, &Told::Handshake, &ENVELOPE).unwrap());
    }

    #[test]
    fn the_status_is_a_searchset_and_says_what_is_wrong() {
        let standing = Standing { status: "error", fault: Some("it answered 500"), ..STANDING };
        insta::assert_snapshot!(status_answer(&standing, &ENVELOPE).unwrap());
    }
}
