//! The floor: the same HTTP stack with the same limits, which only reads.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use priorauth::config::Config;
use priorauth::fhir::{Document, Rules};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

/// The length of the answer, in bytes.
const ANSWER: usize = 2048;

/// Serves until the process is killed.
pub(crate) fn serve(port: u16) {
    let limits = Config::default();
    let longest = limits.request_timeout.saturating_mul(2);
    let reading = move |rules| {
        move |body: Body| answer(body, rules, limits.max_body_bytes, limits.request_timeout)
    };
    let router = Router::new()
        .route("/pas/{version}/Claim/$submit", post(reading(Rules::Fhir)))
        .route("/crd/{version}/cds-services/{id}", post(reading(Rules::Lenient)))
        .route("/readyz", get(|| async { "ready" }))
        .layer(GlobalConcurrencyLimitLayer::new(limits.max_concurrent_requests))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, longest))
        .layer(CatchPanicLayer::new());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        axum::serve(listener, router).await.expect("serving");
    });
}

async fn answer(
    body: Body,
    rules: Rules,
    most_bytes: usize,
    patience: Duration,
) -> impl IntoResponse {
    let reading = axum::body::to_bytes(body, most_bytes);
    let bytes = tokio::time::timeout(patience, reading).await.expect("in time").expect("a body");
    let document = Document::parse(&bytes, rules).expect("JSON");
    assert!(document.root().members().count() > 1);
    ([(header::CONTENT_TYPE, "application/fhir+json")], "x".repeat(ANSWER))
}
