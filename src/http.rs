//! Floor 6: HTTP. The router on one screen.
//!
//! A handler extracts, calls one function of the service, and answers.
//! Refuses to know what an answer means; status codes stand in `problem` alone.

mod admin;
mod body;
mod crd;
mod feedback;
mod metadata;
mod pas;
mod problem;
mod request_log;
mod subscription;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware;
use axum::routing::{get, post};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use self::problem::Problem;
use crate::auth::{Caller, Clients, Reason, Refusal};
use crate::service::Service;
use crate::service::notify::Notifier;

/// What every handler needs.
#[derive(Clone)]
pub struct App {
    /// The service.
    pub service: Arc<Service>,
    /// Its Subscriptions.
    pub notifier: Arc<Notifier>,
    /// Who may call.
    pub clients: Arc<Clients>,
    /// The base of the URLs that clients call, with which a token's audience is compared.
    pub called_base: Arc<str>,
    /// What is refused for its size or its slowness.
    pub limits: Limits,
}

/// What is refused for its size or its slowness.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest body.
    pub body_bytes: usize,
    /// How long a request may take; also how long its body may take to arrive.
    pub request_time: Duration,
    /// How many requests are worked on at once; more wait.
    pub concurrent_requests: usize,
}

impl App {
    /// Who calls; everybody may where no client is registered, which only a server on loopback
    /// allows (rulings 1).
    fn caller(&self, headers: &HeaderMap, uri: &Uri) -> Result<Arc<str>, Problem> {
        Ok(self.known_caller(headers, uri)?.client_id)
    }

    /// A caller who may see the review queue and decide.
    fn reviewer(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let caller = self.known_caller(headers, uri)?;
        if caller.may_review { Ok(()) } else { Err(Problem::forbidden()) }
    }

    fn known_caller(&self, headers: &HeaderMap, uri: &Uri) -> Result<Caller, Problem> {
        if self.clients.is_empty() {
            return Ok(Caller::local());
        }
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let url = format!("{}{}", self.called_base, uri.path());
        match self.authenticate(header, &url) {
            Ok(caller) => {
                if caller.token_seen_before {
                    tracing::warn!(client = &*caller.client_id, "a token was used again");
                }
                Ok(caller)
            }
            Err(refusal) => {
                tracing::warn!(reason = ?refusal, "call refused");
                Err(Problem::unauthorized())
            }
        }
    }

    /// A token is for the URL as its client typed it; libraries escape it on the way.
    fn authenticate(&self, header: Option<&str>, called: &str) -> Result<Caller, Refusal> {
        let now = self.service.now();
        match (self.clients.authenticate(header, called, now), other_spelling(called)) {
            (Err(refusal), Some(other)) if refusal.reason == Reason::Audience => {
                self.clients.authenticate(header, &other, now)
            }
            (outcome, _) => outcome,
        }
    }
}

/// The other way to write a URL of an operation: `$` as it is, or escaped (rulings 40).
fn other_spelling(url: &str) -> Option<String> {
    if url.contains("%24") {
        Some(url.replace("%24", "$"))
    } else if url.contains('$') {
        Some(url.replace('$', "%24"))
    } else {
        None
    }
}

/// Everything that is served.
pub fn router(app: App) -> Router {
    let concurrency = GlobalConcurrencyLimitLayer::new(app.limits.concurrent_requests);
    // A body that is late is told so before this ends the request without a word.
    let longest = app.limits.request_time.saturating_mul(2);
    let timeout = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, longest);
    Router::new()
        .merge(open_to_browsers())
        // rulings 40: `$` as it is, or escaped.
        .route("/pas/{version}/Claim/$submit", post(pas::submit))
        .route("/pas/{version}/Claim/%24submit", post(pas::submit))
        .route("/pas/{version}/Claim/$inquire", post(pas::inquire))
        .route("/pas/{version}/Claim/%24inquire", post(pas::inquire))
        .route("/pas/{version}/$submit-attachment", post(pas::attach))
        .route("/pas/{version}/%24submit-attachment", post(pas::attach))
        .route("/pas/{version}/Subscription", post(subscription::create))
        .route(
            "/pas/{version}/Subscription/{id}",
            get(subscription::read).put(subscription::update).delete(subscription::delete),
        )
        .route(
            "/pas/{version}/Subscription/{id}/$status",
            get(subscription::status).post(subscription::status),
        )
        .route(
            "/pas/{version}/Subscription/{id}/%24status",
            get(subscription::status).post(subscription::status),
        )
        .route("/admin/api/cases", get(admin::list))
        .route("/admin/api/cases/{id}", get(admin::show))
        .route("/admin/api/cases/{id}/submission", get(admin::submission))
        .route("/admin/api/cases/{id}/review", post(admin::review))
        .route("/admin/api/feedback", get(feedback::counts))
        .route("/healthz", get(metadata::healthz))
        .route("/readyz", get(metadata::readyz))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(app)
        .layer(middleware::from_fn(request_log::log))
        .layer(concurrency)
        .layer(timeout)
        .layer(CatchPanicLayer::custom(problem::panicked))
}

/// Paths that browsers call across origins, preflighted before any authentication (rulings 35).
fn open_to_browsers() -> Router<App> {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    Router::new()
        .route("/crd/{version}/cds-services", get(crd::discovery))
        .route("/crd/{version}/cds-services/{id}", post(crd::call))
        .route("/crd/{version}/cds-services/{id}/feedback", post(feedback::take))
        .route("/pas/{version}/metadata", get(metadata::capability))
        // Before the layer, which is what answers a preflight and marks a refusal as readable.
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(cors)
}
