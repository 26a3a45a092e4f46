//! What the server says of itself and of its health.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::App;
use super::problem::{FHIR_JSON, Problem};
use crate::ig::PasVersion;
use crate::render::capability::{Capability, Routed, statement};
use crate::service::ServiceError;
use crate::service::submit_claim::SubmitError;

/// What the router serves below each PAS endpoint.
const ROUTED: &[Routed] = &[Routed::Submit, Routed::Inquire, Routed::Subscription];
/// When [`ROUTED`] last changed.
const CHANGED: &str = "2026-11-25";

/// `GET /pas/{version}/metadata`
pub(super) async fn capability(
    State(app): State<App>,
    Path(version): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let version = PasVersion::from_segment(&version)
        .ok_or_else(|| Problem::not_found("there is no such version of PAS here"))?;
    let base = format!("{}{}", app.service.terms().public_base, version.path());
    let description = format!("Prior authorization of {}", app.service.rules().plan.name);
    let text = statement(&Capability {
        version,
        routed: ROUTED,
        date: CHANGED,
        software_version: env!("CARGO_PKG_VERSION"),
        description: &description,
        base: &base,
    });
    let text = text.map_err(|error| SubmitError::Failed(ServiceError::Render(error)))?;
    Ok(([(header::CONTENT_TYPE, FHIR_JSON)], text))
}

/// `GET /healthz`: the process runs.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: requests are served.
pub(super) async fn readyz(State(app): State<App>) -> impl IntoResponse {
    match app.service.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
