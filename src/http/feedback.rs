//! Feedback on cards: taken from clients, counted for the plan's own people.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;

use super::problem::Problem;
use super::{App, body, crd};

/// `POST /crd/{version}/cds-services/{id}/feedback`: 200 without a body (crd.md 2.6).
pub(super) async fn take(
    State(app): State<App>,
    Path((version, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<(), Problem> {
    crd::service_of(&version, &id)?;
    let caller = app.caller(&headers, &uri)?;
    let bytes = body::read(&headers, body, app.limits).await?;
    Ok(app.service.take_feedback(&caller, &bytes).await?)
}

/// `GET /admin/api/feedback`: what became of the cards.
pub(super) async fn counts(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    app.reviewer(&headers, &uri)?;
    Ok(Json(app.service.feedback_counts().await?))
}
