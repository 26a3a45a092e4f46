//! The CDS Hooks endpoints.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::IntoResponse;

use super::problem::Problem;
use super::{App, body};
use crate::hooks::{discovery as discovery_document, order_sign};
use crate::ig::CrdVersion;

const JSON: &str = "application/json";

fn version_of(segment: &str) -> Result<CrdVersion, Problem> {
    CrdVersion::from_segment(segment)
        .ok_or_else(|| Problem::not_found("there is no such version of CRD here"))
}

/// The version of a service that there is.
pub(super) fn service_of(version: &str, id: &str) -> Result<CrdVersion, Problem> {
    let version = version_of(version)?;
    if id != order_sign::ID {
        return Err(Problem::not_found("there is no such service; see the discovery document"));
    }
    Ok(version)
}

/// `GET /crd/{version}/cds-services`: open to everybody.
pub(super) async fn discovery(
    State(app): State<App>,
    Path(version): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let document = discovery_document(version_of(&version)?, &app.service.rules().shelf);
    Ok(([(header::CONTENT_TYPE, JSON)], document))
}

/// `POST /crd/{version}/cds-services/{id}`
pub(super) async fn call(
    State(app): State<App>,
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let version = service_of(&version, &id)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let answer = app.service.answer_order_sign(&caller, version, &bytes).await?;
    Ok(([(header::CONTENT_TYPE, JSON)], answer))
}
