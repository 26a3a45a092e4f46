//! From what went wrong to a status: the only place that knows status codes of failures.

use std::any::Any;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::fhir::{Fault, FaultKind};
use crate::render::outcome::of_faults;
use crate::service::ServiceError;
use crate::service::answer_hook::HookCallError;
use crate::service::feedback::FeedbackError;
use crate::service::notify::subscriptions::SubscriptionError;
use crate::service::review::ReviewError;
use crate::service::submit_claim::SubmitError;
use crate::store::StoreError;

/// The media type of what we answer.
pub(super) const FHIR_JSON: &str = "application/fhir+json";

/// A request that gets no answer: a status, and what is wrong.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// `None`: the guide asks for no OperationOutcome (PAS 2.3: none with 5xx).
    faults: Option<Vec<Fault>>,
}

impl Problem {
    fn one(status: StatusCode, kind: FaultKind, text: &str) -> Problem {
        let fault = Fault { kind, place: "$this".to_owned(), text: text.to_owned() };
        Problem { status, faults: Some(vec![fault]) }
    }

    /// Too large (413).
    pub(super) fn too_large(limit: usize) -> Problem {
        let text = format!("the body is longer than the limit of {limit} bytes");
        Problem::one(StatusCode::PAYLOAD_TOO_LARGE, FaultKind::TooLong, &text)
    }

    /// The body did not arrive in time (408).
    pub(super) fn too_slow() -> Problem {
        let text = "the body did not arrive in time";
        Problem::one(StatusCode::REQUEST_TIMEOUT, FaultKind::TooLong, text)
    }

    /// The body broke off (400).
    pub(super) fn broken_off() -> Problem {
        Problem::one(StatusCode::BAD_REQUEST, FaultKind::Structure, "the body broke off")
    }

    /// Another media type (415).
    pub(super) fn media_type() -> Problem {
        let text = "bodies are read as application/fhir+json or application/json only";
        Problem::one(StatusCode::UNSUPPORTED_MEDIA_TYPE, FaultKind::NotSupported, text)
    }

    /// No such version or service (404).
    pub(super) fn not_found(text: &str) -> Problem {
        Problem::one(StatusCode::NOT_FOUND, FaultKind::NotFound, text)
    }

    /// A known client that may not do this (403).
    pub(super) fn forbidden() -> Problem {
        let text = "this client may not see or decide cases";
        Problem::one(StatusCode::FORBIDDEN, FaultKind::NotSupported, text)
    }

    /// A body that is not of the form that is asked for (400); says where, and no value.
    pub(super) fn form(error: &serde_json::Error) -> Problem {
        let (line, column) = (error.line(), error.column());
        let text = format!("the body is no review: line {line}, column {column}");
        Problem::one(StatusCode::BAD_REQUEST, FaultKind::Structure, &text)
    }

    /// Nobody who may call (401), and not a word why.
    pub(super) fn unauthorized() -> Problem {
        Problem { status: StatusCode::UNAUTHORIZED, faults: None }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Problem {
        match error {
            SubmitError::Unreadable(faults) => refused(StatusCode::BAD_REQUEST, faults),
            SubmitError::Refused(faults) => refused(StatusCode::UNPROCESSABLE_ENTITY, faults),
            SubmitError::Failed(error) => failed(&error),
        }
    }
}

impl From<SubscriptionError> for Problem {
    fn from(error: SubscriptionError) -> Problem {
        let text = error.to_string();
        match error {
            SubscriptionError::Unreadable(faults) => refused(StatusCode::BAD_REQUEST, faults),
            SubscriptionError::Refused(faults) => refused(StatusCode::UNPROCESSABLE_ENTITY, faults),
            SubscriptionError::NotFound => Problem::not_found(&text),
            // FHIR R4 http.html#read: 410 for what was there and was deleted.
            SubscriptionError::Gone => Problem::one(StatusCode::GONE, FaultKind::Deleted, &text),
            SubscriptionError::Failed(error) => failed(&error),
        }
    }
}

impl From<FeedbackError> for Problem {
    fn from(error: FeedbackError) -> Problem {
        match error {
            FeedbackError::Unreadable(faults) | FeedbackError::Form(faults) => {
                refused(StatusCode::BAD_REQUEST, faults)
            }
            FeedbackError::Failed(error) => failed(&error),
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Problem {
        failed(&error)
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Problem {
        let text = error.to_string();
        match error {
            ReviewError::NoSuchCase => Problem::not_found(&text),
            ReviewError::Incomplete(_) => {
                Problem::one(StatusCode::UNPROCESSABLE_ENTITY, FaultKind::Value, &text)
            }
            ReviewError::NothingWaits(_) | ReviewError::MovedOn(_) => {
                Problem::one(StatusCode::CONFLICT, FaultKind::Duplicate, &text)
            }
            ReviewError::Failed(error) => failed(&error),
        }
    }
}

impl From<HookCallError> for Problem {
    fn from(error: HookCallError) -> Problem {
        match error {
            HookCallError::Unreadable(faults) | HookCallError::NotThisHook(faults) => {
                refused(StatusCode::BAD_REQUEST, faults)
            }
            // rulings 27: 412 for a missing coverage, 422 for another payer's.
            // crd.md 3.10: 412 for what is neither sent nor to be had.
            HookCallError::NoCoverage(faults) | HookCallError::NoOrder(faults) => {
                refused(StatusCode::PRECONDITION_FAILED, faults)
            }
            HookCallError::NotOurs(faults) => refused(StatusCode::UNPROCESSABLE_ENTITY, faults),
            HookCallError::Failed(error) => failed(&error),
        }
    }
}

fn refused(status: StatusCode, faults: Vec<Fault>) -> Problem {
    Problem { status, faults: Some(faults) }
}

fn failed(error: &ServiceError) -> Problem {
    let status = match error {
        ServiceError::Store(StoreError::Busy { .. }) | ServiceError::MovedOn(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ServiceError::Store(_) | ServiceError::Render(_) | ServiceError::Internal(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let cause: &(dyn std::error::Error + 'static) = error;
    tracing::error!(error = cause, "a request failed");
    Problem { status, faults: None }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let Some(faults) = self.faults else { return self.status.into_response() };
        tracing::debug!(status = self.status.as_u16(), faults = faults.len(), "request refused");
        match of_faults(&faults) {
            Ok(outcome) => {
                (self.status, [(header::CONTENT_TYPE, FHIR_JSON)], outcome).into_response()
            }
            Err(_) => self.status.into_response(),
        }
    }
}

/// No such path.
pub(super) async fn no_such_path() -> Problem {
    Problem::not_found("there is nothing under this path")
}

/// The path is there, the method is not.
pub(super) async fn no_such_method() -> Problem {
    let text = "this path does not answer this method";
    Problem::one(StatusCode::METHOD_NOT_ALLOWED, FaultKind::NotSupported, text)
}

/// A panic is a defect of ours; its words may hold anything and are not repeated.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a handler panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
