//! A real server on a store of its own, and a client that talks to it over HTTP.
//!
//! Tests are plain functions: the server and the client live on a runtime of the harness.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use priorauth::cli::serve::{Running, Settings, start};
use priorauth::config::Config;
use priorauth::store::{SqliteStore, Store};
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The media type of what is submitted.
pub(crate) const FHIR_JSON: &str = "application/fhir+json";
/// How long a single answer may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Every table that a request may write to.
const TABLES: &[&str] = &[
    "prior_auth_case",
    "submission",
    "answer",
    "answer_line",
    "issued_number",
    "hook_call",
    "coverage_assertion",
    "audit",
    "subscription",
    "outbox",
];

/// Says why a test did not do its work, past the test runner, which keeps what good tests print.
pub(crate) fn skipped(why: impl Display) {
    writeln!(std::io::stderr(), "skipped: {why}").unwrap();
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a request of `fixtures`, such as `pas/approve-all-met`.
pub(crate) fn fixture(story: &str) -> String {
    let path = repository().join("fixtures").join(story).join("request.json");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the stories in one folder of `fixtures`, sorted.
pub(crate) fn stories(area: &str) -> Vec<String> {
    let folders = fs::read_dir(repository().join("fixtures").join(area)).unwrap();
    let mut names: Vec<String> =
        folders.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty(), "{area} is empty");
    names
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// How many rows each table of a store holds.
pub(crate) type Rows = BTreeMap<&'static str, i64>;

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn media_type(&self) -> Option<&str> {
        self.header(CONTENT_TYPE.as_str())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        json(&self.text)
    }

    /// The body of an answer that is a good one.
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The issues of a refusal: one OperationOutcome, sent as such, each issue with code and words.
    pub(crate) fn issues(&self) -> Vec<Value> {
        assert_eq!(self.media_type(), Some(FHIR_JSON), "{} {}", self.status, self.text);
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let issues = outcome["issue"].as_array().unwrap().clone();
        assert!(!issues.is_empty());
        for issue in &issues {
            assert_eq!(issue["severity"], "error", "{issue}");
            assert!(issue["code"].is_string(), "{issue}");
            assert!(!issue["details"]["text"].as_str().unwrap().is_empty(), "{issue}");
        }
        issues
    }
}

/// A server that runs in this process, with a store folder of its own.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    running: Option<Running>,
    folder: TempDir,
}

impl Server {
    /// A server with the default configuration.
    pub(crate) fn start() -> Server {
        Server::configured(|_| String::new())
    }

    /// A server with the configuration that `settings` writes, given the folder of the file.
    pub(crate) fn configured(settings: impl FnOnce(&Path) -> String) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let text = settings(folder.path());
        Server::on(folder, &text)
    }

    /// A server on the folder that another one left.
    pub(crate) fn on(folder: TempDir, settings: &str) -> Server {
        let config = Config::parse("priorauth.toml", folder.path(), settings).unwrap();
        let settings = Settings::of(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let any_port = ([127, 0, 0, 1], 0).into();
        let data = folder.path().join("data");
        let running = runtime.block_on(start(any_port, &data, settings)).unwrap();
        let address = running.address;
        let base = format!("http://{address}");
        let server =
            Server { base, client: client(), address, runtime, running: Some(running), folder };
        assert_eq!(server.get("/readyz").status, 200);
        server
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.base)))
    }

    pub(crate) fn post(&self, path: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(self.posting(path, media_type, body))
    }

    pub(crate) fn posting(
        &self,
        path: &str,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.post(url).header(CONTENT_TYPE, media_type).body(body.into())
    }

    /// Submits a request to one version of PAS.
    pub(crate) fn submit(&self, version: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.post(&format!("/pas/{version}/Claim/$submit"), FHIR_JSON, body)
    }

    /// Fires `order-sign` at one version of CRD.
    pub(crate) fn sign(&self, version: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.fire(version, "order-sign", body)
    }

    /// Fires a hook at one version of CRD.
    pub(crate) fn fire(&self, version: &str, hook: &str, body: impl Into<Vec<u8>>) -> Answer {
        let path = format!("/crd/{version}/cds-services/{hook}-coverage");
        self.post(&path, "application/json", body)
    }

    pub(crate) fn send(&self, request: RequestBuilder) -> Answer {
        self.runtime.block_on(received(request)).unwrap()
    }

    /// Sends all requests at the same time.
    pub(crate) fn send_all(&self, requests: Vec<RequestBuilder>) -> Vec<Answer> {
        self.runtime.block_on(async {
            let sent: Vec<_> =
                requests.into_iter().map(|request| tokio::spawn(received(request))).collect();
            let mut answers = Vec::new();
            for answer in sent {
                answers.push(answer.await.unwrap().unwrap());
            }
            answers
        })
    }

    /// The folder of the store.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops it and leaves its folder.
    pub(crate) fn stopped(mut self) -> TempDir {
        let running = self.running.take().unwrap();
        self.runtime.block_on(running.stop()).unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// How many rows each table holds now.
    pub(crate) fn rows(&self) -> Rows {
        rows(&self.data())
    }

    /// The submissions and hook calls on file, as they were received.
    pub(crate) fn received(&self) -> Vec<String> {
        let read = async {
            let store = SqliteStore::open_to_read(&self.data()).await.unwrap();
            let requests = store.received_requests(None, 1000).await.unwrap();
            store.close().await.unwrap();
            requests.into_iter().map(|request| request.body).collect()
        };
        self.runtime.block_on(read)
    }

    /// The first column of the rows that a query finds.
    pub(crate) fn texts(&self, query: &'static str) -> Vec<String> {
        texts(&self.data(), query)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let stopped = self.runtime.block_on(running.stop());
            if !std::thread::panicking() {
                stopped.unwrap();
            }
        }
    }
}

/// A client without proxy that waits for no answer for ever.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

pub(crate) async fn received(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

fn opened(data: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(data.join("priorauth.sqlite3")).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

/// How many rows each table of the store in a folder holds.
pub(crate) fn rows(data: &Path) -> Rows {
    let store = opened(data);
    let count = |table: &&'static str| {
        let query = format!("SELECT count(*) FROM {table}");
        (*table, store.query_row(&query, [], |row| row.get(0)).unwrap())
    };
    TABLES.iter().map(count).collect()
}

/// The first column of the rows that a query finds in the store in a folder.
pub(crate) fn texts(data: &Path, query: &str) -> Vec<String> {
    let store = opened(data);
    let mut statement = store.prepare(query).unwrap();
    let found = statement.query_map([], |row| row.get(0)).unwrap();
    found.map(Result::unwrap).collect()
}

/// Waits until something holds, and says whether it ever did.
pub(crate) fn comes_true(mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Every object below a value, itself included.
pub(crate) fn objects(value: &Value) -> Vec<&Value> {
    let (own, below): (Vec<&Value>, Vec<&Value>) = match value {
        Value::Array(items) => (Vec::new(), items.iter().collect()),
        Value::Object(members) => (vec![value], members.values().collect()),
        _ => (Vec::new(), Vec::new()),
    };
    own.into_iter().chain(below.into_iter().flat_map(objects)).collect()
}

/// The extensions of an element whose URL ends with `name`.
pub(crate) fn extensions<'v>(element: &'v Value, name: &str) -> Vec<&'v Value> {
    let all = element["extension"].as_array().into_iter().flatten();
    all.filter(|it| it["url"].as_str().is_some_and(|url| url.ends_with(name))).collect()
}
