//! An EHR that really listens: it serves the resources of a request's prefetch, and misbehaves
//! where a test wants it to.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use http_body::Frame;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{fixture, json};

/// How an EHR answers one kind of query.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Not at all.
    Hang,
    /// A byte now and then.
    Drip,
    /// With a status and nothing else.
    Status(u16),
    /// With this text.
    Text(String),
    /// With a body of 200 MB; whether its length is said before.
    Long { says_length: bool },
    /// With its resources, and a next page without end.
    Pages,
    /// With its resources, and a next page at another server.
    PageAt(String),
    /// By leading to another URL.
    Redirect(String),
    /// As it should, after a while.
    Slow(Duration),
}

/// A query as it arrived: path with query, and what stood in `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) token: Option<String>,
}

pub(super) struct Ehr {
    pub(super) origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: Runtime,
}

type Rule = dyn Fn(&str) -> Option<Trouble> + Send + Sync;

impl Ehr {
    /// An EHR with the resources that the prefetch of a story holds; `rule` says what goes wrong
    /// with a query, by its path below the base.
    pub(super) fn of(
        story: &str,
        rule: impl Fn(&str) -> Option<Trouble> + Send + Sync + 'static,
    ) -> Ehr {
        let request = json(&fixture(story));
        let mut resources = Vec::new();
        for value in request["prefetch"].as_object().unwrap().values() {
            match value["entry"].as_array() {
                Some(entries) => resources.extend(entries.iter().map(|it| it["resource"].clone())),
                None => resources.push(value.clone()),
            }
        }
        Ehr::with(resources, rule)
    }

    /// One that does what it should.
    pub(super) fn sound(story: &str) -> Ehr {
        Ehr::of(story, |_| None)
    }

    pub(super) fn with(
        resources: Vec<Value>,
        rule: impl Fn(&str) -> Option<Trouble> + Send + Sync + 'static,
    ) -> Ehr {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, base) = (Arc::clone(&asked), format!("{origin}/fhir"));
        let (rule, resources): (Arc<Rule>, _) = (Arc::new(rule), Arc::new(resources));
        let handler = move |request: Request<Body>| {
            let (kept, base) = (Arc::clone(&kept), base.clone());
            let (rule, resources) = (Arc::clone(&rule), Arc::clone(&resources));
            async move {
                let path = request.uri().path_and_query().unwrap().as_str().to_owned();
                let token = request.headers().get("authorization");
                let token = token.map(|it| it.to_str().unwrap().to_owned());
                kept.lock().unwrap().push(Asked { path: path.clone(), token });
                if request.method() == "POST" {
                    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
                    let asked = json(std::str::from_utf8(&body).unwrap());
                    return match rule("batch") {
                        None => fhir(&batch(&base, &asked, &*rule, &resources)),
                        trouble => answer(&base, "batch", trouble, &resources).await,
                    };
                }
                let local = path.strip_prefix("/fhir/").unwrap_or(&path).to_owned();
                answer(&base, &local, rule(&local), &resources).await
            }
        };
        runtime.spawn(async move {
            axum::serve(listener, Router::new().fallback(handler)).await.unwrap();
        });
        Ehr { origin, asked, _runtime: runtime }
    }

    pub(super) fn base(&self) -> String {
        format!("{}/fhir", self.origin)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The paths below the base that were asked for, sorted.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> =
            self.asked().into_iter().map(|it| it.path.replace("/fhir/", "")).collect();
        paths.sort();
        paths
    }
}

async fn answer(
    base: &str,
    local: &str,
    trouble: Option<Trouble>,
    resources: &[Value],
) -> Response<Body> {
    let sound = || found(base, local, resources);
    match trouble {
        None => fhir(&sound()),
        Some(Trouble::Hang) => std::future::pending().await,
        Some(Trouble::Drip) => fhir_body(Body::new(Stream::of(1, 20, usize::MAX))),
        Some(Trouble::Status(status)) => {
            Response::builder().status(status).body(Body::empty()).unwrap()
        }
        Some(Trouble::Text(text)) => fhir_body(Body::from(text)),
        Some(Trouble::Long { says_length }) => {
            let mut response = fhir_body(Body::new(Stream::of(65_536, 0, 3200)));
            if says_length {
                let length = (65_536 * 3200).to_string().parse().unwrap();
                response.headers_mut().insert("content-length", length);
            }
            response
        }
        Some(Trouble::Pages) => {
            let mut page = sound();
            page["link"] = json!([{"relation": "next", "url": format!("{base}/{local}&p=1")}]);
            fhir(&page)
        }
        Some(Trouble::PageAt(url)) => {
            let mut page = sound();
            page["link"] = json!([{"relation": "next", "url": url}]);
            fhir(&page)
        }
        Some(Trouble::Redirect(url)) => {
            Response::builder().status(302).header("location", url).body(Body::empty()).unwrap()
        }
        Some(Trouble::Slow(time)) => {
            tokio::time::sleep(time).await;
            fhir(&sound())
        }
    }
}

/// What a sound EHR answers: a read by type and id, or a search by type. The parameters of a
/// search do not matter, as in an EHR that leaves out those that it does not know.
fn found(base: &str, local: &str, resources: &[Value]) -> Value {
    let path = local.split('?').next().unwrap();
    let mut steps = path.split('/');
    let (kind, id) = (steps.next().unwrap(), steps.next());
    let of_kind = || resources.iter().filter(|it| it["resourceType"] == kind);
    if let Some(id) = id {
        let found = of_kind().find(|it| it["id"] == id).cloned();
        return found.unwrap_or_else(|| json!({"resourceType": "OperationOutcome", "issue": []}));
    }
    let entry = |it: &Value| {
        let url = format!("{base}/{kind}/{}", it["id"].as_str().unwrap());
        json!({"fullUrl": url, "resource": it, "search": {"mode": "match"}})
    };
    let entries: Vec<Value> = of_kind().map(entry).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entries})
}

/// What an EHR answers to a Bundle of queries, each by itself.
fn batch(base: &str, asked: &Value, rule: &Rule, resources: &[Value]) -> Value {
    assert_eq!((&asked["resourceType"], &asked["type"]), (&json!("Bundle"), &json!("batch")));
    let entry = |it: &Value| {
        assert_eq!(it["request"]["method"], "GET");
        let local = it["request"]["url"].as_str().unwrap();
        match rule(local) {
            Some(Trouble::Status(status)) => {
                return json!({"response": {"status": status.to_string()}});
            }
            // Its first page holds nothing.
            Some(Trouble::PageAt(url)) => {
                let link = json!([{"relation": "next", "url": url}]);
                let page = json!({"resourceType": "Bundle", "type": "searchset", "link": link});
                return json!({"resource": page, "response": {"status": "200"}});
            }
            _ => {}
        }
        let resource = found(base, local, resources);
        if resource["resourceType"] == "OperationOutcome" {
            return json!({"response": {"status": "404 Not Found", "outcome": resource}});
        }
        json!({"resource": resource, "response": {"status": "200 OK"}})
    };
    let entries: Vec<Value> = asked["entry"].as_array().unwrap().iter().map(entry).collect();
    json!({"resourceType": "Bundle", "type": "batch-response", "entry": entries})
}

fn fhir(resource: &Value) -> Response<Body> {
    let is_missing = resource["resourceType"] == "OperationOutcome";
    let mut response = fhir_body(Body::from(resource.to_string()));
    if is_missing {
        *response.status_mut() = 404.try_into().unwrap();
    }
    response
}

fn fhir_body(body: Body) -> Response<Body> {
    Response::builder().header("content-type", "application/fhir+json").body(body).unwrap()
}

/// A body that is sent in pieces, with a wait before each.
struct Stream {
    piece: Bytes,
    wait: Duration,
    left: usize,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Stream {
    fn of(bytes: usize, wait_ms: u64, count: usize) -> Stream {
        let (piece, wait) = (vec![b' '; bytes].into(), Duration::from_millis(wait_ms));
        Stream { piece, wait, left: count, sleep: None }
    }
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wait = self.wait;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
        std::task::ready!(sleep.as_mut().poll(context));
        self.sleep = None;
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}
