//! The review queue over HTTP: for the plan's own people and systems.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::IntoResponse;
use serde_json::json;

use super::problem::{FHIR_JSON, Problem};
use super::{App, body};
use crate::service::review::{MOST_LISTED, Review};
use crate::store::CaseId;

/// `GET /admin/api/cases`: what is pended, what is due first comes first.
pub(super) async fn list(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    app.reviewer(&headers, &uri)?;
    Ok(Json(app.service.pending(MOST_LISTED).await?))
}

/// `GET /admin/api/cases/{id}`: a case, and how it was judged.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    app.reviewer(&headers, &uri)?;
    let view = app.service.case_view(&case_id(&id)?).await?;
    Ok(Json(view.ok_or_else(no_such_case)?))
}

/// `GET /admin/api/cases/{id}/submission`: the Bundle as it was received.
pub(super) async fn submission(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    app.reviewer(&headers, &uri)?;
    let bundle = app.service.submission_of(&case_id(&id)?).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], bundle.ok_or_else(no_such_case)?))
}

/// `POST /admin/api/cases/{id}/review`: a person's decision.
pub(super) async fn review(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    app.reviewer(&headers, &uri)?;
    let id = case_id(&id)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let review: Review = serde_json::from_slice(&bytes).map_err(|error| Problem::form(&error))?;
    let answer = app.service.review(&id, &review).await?;
    Ok(Json(json!({ "case_id": id.as_str(), "answer": answer })))
}

fn case_id(text: &str) -> Result<CaseId, Problem> {
    CaseId::parse(text).map_err(|_| no_such_case())
}

fn no_such_case() -> Problem {
    Problem::not_found("there is no such case")
}
