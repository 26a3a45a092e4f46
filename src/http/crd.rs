//! The CDS Hooks endpoints.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::IntoResponse;

use super::problem::Problem;
use super::{App, body};
use crate::hooks::{Hook, discovery as discovery_document, of_service};
use crate::ig::CrdVersion;

const JSON: &str = "application/json";

fn version_of(segment: &str) -> Result<CrdVersion, Problem> {
    CrdVersion::from_segment(segment)
        .ok_or_else(|| Problem::not_found("there is no such version of CRD here"))
}

/// The version and the hook of a service that there is.
pub(super) fn service_of(version: &str, id: &str) -> Result<(CrdVersion, Hook), Problem> {
    let hook = of_service(id);
    let no_service = "there is no such service; see the discovery document";
    Ok((version_of(version)?, hook.ok_or_else(|| Problem::not_found(no_service))?))
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
    let (version, hook) = service_of(&version, &id)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let answer = app.service.answer_hook(&caller, hook, version, &bytes).await?;
    Ok(([(header::CONTENT_TYPE, JSON)], answer))
}
