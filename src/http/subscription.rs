//! Subscriptions over HTTP.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;

use super::pas::known;
use super::problem::{FHIR_JSON, Problem};
use super::{App, body};

/// `POST /pas/{version}/Subscription`
pub(super) async fn create(
    State(app): State<App>,
    Path(version): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let made = app.notifier.subscribe(&caller, version, &bytes).await?;
    let headers = [(header::CONTENT_TYPE, FHIR_JSON.to_owned()), (header::LOCATION, made.url)];
    Ok((StatusCode::CREATED, headers, made.text))
}

/// `GET /pas/{version}/Subscription/{id}`
pub(super) async fn read(
    State(app): State<App>,
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    let shown = app.notifier.subscription(&caller, version, &id).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], shown.text))
}

/// `PUT /pas/{version}/Subscription/{id}`
pub(super) async fn update(
    State(app): State<App>,
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    let shown = app.notifier.change_subscription(&caller, version, &id, &bytes).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], shown.text))
}

/// `DELETE /pas/{version}/Subscription/{id}`
pub(super) async fn delete(
    State(app): State<App>,
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    app.notifier.unsubscribe(&caller, version, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET` and `POST /pas/{version}/Subscription/{id}/$status`; a body would say nothing.
pub(super) async fn status(
    State(app): State<App>,
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let version = known(&version)?;
    let caller = app.caller(&headers, &uri)?;
    let answer = app.notifier.subscription_status(&caller, version, &id).await?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], answer))
}
