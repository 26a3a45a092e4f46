//! The PAS endpoints.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::IntoResponse;

use super::problem::{FHIR_JSON, Problem};
use super::{App, body};
use crate::ig::PasVersion;

/// `POST /pas/{version}/Claim/$submit`
pub(super) async fn submit(
    State(app): State<App>,
    Path(version): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let answer = app.service.submit_claim(&caller, version, &bytes).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], answer))
}

/// `POST /pas/{version}/Claim/$inquire`
pub(super) async fn inquire(
    State(app): State<App>,
    Path(version): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let answer = app.service.inquire_claim(version, &bytes).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], answer))
}

/// `POST /pas/{version}/$submit-attachment`
pub(super) async fn attach(
    State(app): State<App>,
    Path(version): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let outcome = app.service.submit_attachment(&caller, &bytes).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], outcome))
}

pub(super) fn known(segment: &str) -> Result<PasVersion, Problem> {
    PasVersion::from_segment(segment)
        .ok_or_else(|| Problem::not_found("there is no such version of PAS here"))
}
