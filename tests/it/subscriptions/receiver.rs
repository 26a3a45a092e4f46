//! A receiver of notifications that really listens, and what arrived at it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::harness::comes_true;

/// A notification as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
    pub(super) answered: u16,
}

impl Arrived {
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        let all = self.headers.iter().filter(|(known, _)| known == name);
        all.map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn parameters(&self) -> &Value {
        &self.body["entry"][0]["resource"]
    }

    pub(super) fn kind(&self) -> &str {
        value(self.parameters(), "type")["valueCode"].as_str().unwrap()
    }

    /// The number of the event, which is a string on the wire.
    pub(super) fn number(&self) -> u64 {
        let event = value(self.parameters(), "notification-event");
        part(event, "event-number")["valueString"].as_str().unwrap().parse().unwrap()
    }

    pub(super) fn focus(&self) -> &str {
        let event = value(self.parameters(), "notification-event");
        part(event, "focus")["valueReference"]["reference"].as_str().unwrap()
    }
}

pub(super) fn value<'v>(parameters: &'v Value, name: &str) -> &'v Value {
    let all = parameters["parameter"].as_array().unwrap();
    all.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name}: {parameters}"))
}

pub(super) fn part<'v>(parameter: &'v Value, name: &str) -> &'v Value {
    parameter["part"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()
}

/// How many notifications are being received, and how many were at most.
#[derive(Default)]
pub(super) struct AtOnce {
    now: AtomicUsize,
    pub(super) most: AtomicUsize,
}

/// A receiver that answers what its rule says: of the number of what arrived before, and what it
/// is.
pub(super) struct Receiver {
    pub(super) url: String,
    pub(super) origin: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    pub(super) at_once: Arc<AtOnce>,
    _runtime: Runtime,
}

impl Receiver {
    pub(super) fn start(rule: impl Fn(usize, &Value) -> u16 + Send + Sync + 'static) -> Receiver {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let at_once = Arc::new(AtOnce::default());
        let (kept, rule, counted) = (Arc::clone(&arrived), Arc::new(rule), Arc::clone(&at_once));
        let handler = move |request: Request<Body>| {
            let (kept, rule, counted) =
                (Arc::clone(&kept), Arc::clone(&rule), Arc::clone(&counted));
            async move {
                let now = counted.now.fetch_add(1, Ordering::SeqCst) + 1;
                counted.most.fetch_max(now, Ordering::SeqCst);
                let answer = answer_to(request, &kept, &*rule).await;
                counted.now.fetch_sub(1, Ordering::SeqCst);
                answer
            }
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move {
            axum::serve(listener, Router::new().fallback(handler)).await.unwrap();
        });
        Receiver { url: format!("{origin}/hook"), origin, arrived, at_once, _runtime: runtime }
    }

    pub(super) fn willing() -> Receiver {
        Receiver::start(|_, _| 200)
    }

    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    pub(super) fn accepted(&self, kind: &str) -> Vec<Arrived> {
        let all = self.arrived().into_iter();
        all.filter(|it| it.answered == 200 && it.kind() == kind).collect()
    }

    pub(super) fn accepted_numbers(&self) -> Vec<u64> {
        self.accepted("event-notification").iter().map(Arrived::number).collect()
    }

    #[track_caller]
    pub(super) fn expect(&self, kind: &str, count: usize) -> Vec<Arrived> {
        let came = comes_true(|| self.accepted(kind).len() >= count);
        assert!(came, "{kind}: {:?}", self.arrived().len());
        self.accepted(kind)
    }
}

async fn answer_to(
    request: Request<Body>,
    kept: &Mutex<Vec<Arrived>>,
    rule: &(dyn Fn(usize, &Value) -> u16 + Send + Sync),
) -> impl IntoResponse + use<> {
    let headers = request.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let bytes = to_bytes(request.into_body(), 1 << 24).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let mut kept = kept.lock().unwrap();
    let answered = rule(kept.len(), &body);
    kept.push(Arrived { headers, body, answered });
    (StatusCode::from_u16(answered).unwrap(), [("location", "http://127.0.0.1:1/elsewhere")], "{}")
}
