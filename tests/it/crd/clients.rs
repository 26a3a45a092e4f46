//! Calls in the shapes of real clients (`fixtures/crd-clients`), signed as each signs.
//!
//! The shapes are those of crd.md 7 and rulings 35 to 39; seen in public repositories as well:
//! `HL7-DaVinci/crd-request-generator` (`src/util/buildRequest.js`), `cds-hooks/sandbox`
//! (`src/reducers/medication-reducers.js`, `src/retrieve-data-helpers/service-exchange.js`), and
//! calls of Epic that others recorded in tests of theirs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{COVERAGE_INFORMATION, VERSIONS, actions, check_cards, path, said};
use crate::clients::{another_key, now_s};
use crate::harness::{Answer, Server, fixture, json as parsed, stories};

const BASE: &str = "https://pa.lakeside-health.test";

/// How a client says who it is.
struct Client {
    /// Its folder in `fixtures/crd-clients`, and the id that it is registered with.
    name: &'static str,
    /// Whether its calls come from a page in a browser.
    origin: Option<&'static str>,
    /// Nothing: it is used where no client is registered.
    signs: Option<Signing>,
    /// What each order is answered: covered, pa-needed, doc-needed, info-needed.
    promised: [&'static [&'static str]; 4],
    /// Words of the criterion that its story is about.
    words: &'static str,
}

struct Signing {
    issuer: &'static str,
    algorithm: Algorithm,
    kid: &'static str,
    jku: Option<&'static str>,
    /// How long a token lives, in seconds.
    lives: u64,
    /// `nbf` and `sub`, as Epic has them.
    has_more: bool,
}

const SANDBOX: Client = Client {
    name: "sandbox",
    origin: Some("https://sandbox.cds-hooks.org"),
    signs: Some(Signing {
        issuer: "https://sandbox.cds-hooks.org",
        algorithm: Algorithm::ES384,
        kid: "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
        jku: Some("https://sandbox.cds-hooks.org/.well-known/jwks.json"),
        lives: 300,
        has_more: false,
    }),
    // It names neither the place nor who orders.
    promised: [&["conditional"], &["auth-needed"], &["clinical"], &["performer", "location"]],
    words: "the prescriber on record is not named",
};

const CLIENTS: [Client; 4] = [
    SANDBOX,
    Client {
        name: "epic",
        origin: None,
        signs: Some(Signing {
            issuer: "https://epic.lakeside.test/interconnect-prd-oauth",
            algorithm: Algorithm::RS384,
            kid: "k7Q+x1/9cV0mZt2LhR4sWw==",
            jku: Some("https://epic.lakeside.test/api/epic/2019/Security/Open/PublicKeys/530/1102"),
            lives: 900,
            has_more: true,
        }),
        promised: [&["covered"], &["auth-needed"], &["clinical"], &[]],
        words: "BRAF",
    },
    Client {
        name: "request-generator",
        origin: Some("http://localhost:3000"),
        signs: None,
        promised: [&["covered"], &["auth-needed"], &[], &[]],
        words: "Needs a reviewer",
    },
    Client {
        name: "br-provider",
        origin: None,
        signs: Some(Signing {
            issuer: "https://br-provider.lakeside.test",
            algorithm: Algorithm::RS384,
            kid: "br-provider-1",
            jku: None,
            lives: 300,
            has_more: false,
        }),
        promised: [&["covered"], &["auth-needed"], &[], &[]],
        words: "Needs a reviewer",
    },
];

/// How many tokens were signed: each has an id of its own.
static TOKENS: AtomicU32 = AtomicU32::new(0);
static EC: LazyLock<EncodingKey> = LazyLock::new(another_key);
static RSA: LazyLock<EncodingKey> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let whole: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    // PKCS#8 puts 26 bytes before the RSAPrivateKey that the library wants.
    EncodingKey::from_rsa_der(&whole.as_ref()[26..])
});

fn key(algorithm: Algorithm) -> &'static EncodingKey {
    if algorithm == Algorithm::ES384 { &EC } else { &RSA }
}

impl Signing {
    /// The client's table in the settings; its keys are written into the folder.
    fn table(&self, name: &str, folder: &Path) -> String {
        let mut jwk = Jwk::from_encoding_key(key(self.algorithm), self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.to_owned());
        let set = json!({"keys": [serde_json::to_value(jwk).unwrap()]});
        std::fs::write(folder.join(format!("{name}.json")), set.to_string()).unwrap();
        let jku = self.jku.map_or(String::new(), |jku| format!("jku = \"{jku}\"\n"));
        let issuer = self.issuer;
        format!(
            "[[clients]]\nid = \"{name}\"\nissuer = \"{issuer}\"\nkey_set = \"{name}.json\"\n{jku}"
        )
    }

    /// What it writes into `Authorization` to call a path.
    fn bearer(&self, path: &str) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.to_owned());
        header.jku = self.jku.map(str::to_owned);
        let now = now_s();
        let mut claims = json!({
            "iss": self.issuer, "aud": format!("{BASE}{path}"), "exp": now + self.lives,
            "iat": now, "jti": format!("token-{}", TOKENS.fetch_add(1, Ordering::Relaxed)),
        });
        if self.has_more {
            claims["nbf"] = json!(now - 300);
            claims["sub"] = json!("b0c1f2d3-0000-4000-8000-000000001102");
        }
        format!("Bearer {}", encode(&header, &claims, key(self.algorithm)).unwrap())
    }
}

/// A server with every client that signs, and one without any.
fn servers() -> [Server; 2] {
    let registered = Server::configured(|folder| {
        let tables =
            CLIENTS.iter().filter_map(|it| Some(it.signs.as_ref()?.table(it.name, folder)));
        format!("public_base = \"{BASE}\"\n{}", tables.collect::<String>())
    });
    [registered, Server::start()]
}

fn fire(server: &Server, client: &Client, path: &str, body: &str) -> Answer {
    let mut request = server.posting(path, "application/json", body);
    if let Some(signing) = &client.signs {
        request = request.header("authorization", signing.bearer(path));
    }
    if let Some(origin) = client.origin {
        request = request.header("origin", origin);
    }
    server.send(request)
}

#[test]
fn calls_in_the_shapes_of_real_clients_are_answered_each_with_its_verdict() {
    let [registered, open] = servers();
    let folders: BTreeSet<String> = stories("crd-clients").into_iter().collect();
    assert_eq!(folders, CLIENTS.iter().map(|it| it.name.to_owned()).collect());
    for version in VERSIONS {
        for client in &CLIENTS {
            let name = format!("{version} {}", client.name);
            let server = if client.signs.is_some() { &registered } else { &open };
            let body = fixture(&format!("crd-clients/{}", client.name));
            let answer = fire(server, client, &path(version), &body);
            assert_eq!(answer.status, 200, "{name}: {}", answer.text);
            check_cards(&name, &answer.good());
            assert!(answer.good()["cards"].to_string().contains(client.words), "{name}");
            let [action] = &actions(&answer)[..] else { panic!("{name}: {}", answer.text) };
            let parts = ["covered", "pa-needed", "doc-needed", "info-needed"];
            for (part, promised) in parts.iter().zip(client.promised) {
                assert_eq!(said(action, part), promised, "{name} {part}");
            }
            // What it sent is there as it was sent.
            let mut echo = action["resource"].clone();
            let extensions = echo["extension"].as_array().unwrap();
            assert!(
                extensions
                    .iter()
                    .all(|it| { it["url"].as_str().unwrap().ends_with(COVERAGE_INFORMATION) })
            );
            echo.as_object_mut().unwrap().remove("extension");
            assert_eq!(echo, parsed(&body)["context"]["draftOrders"]["entry"][0]["resource"]);
        }
    }
    for server in [&registered, &open] {
        let calls = server.received();
        assert!(!calls.is_empty() && calls.iter().all(|it| !it.contains("an-access-token")));
    }
    assert_eq!(registered.rows()["hook_call"] + open.rows()["hook_call"], 8);
}

#[test]
fn a_token_of_one_real_client_does_not_speak_for_another() {
    let [registered, _] = servers();
    let body = fixture("crd-clients/epic");
    for version in VERSIONS {
        let path = path(version);
        for client in CLIENTS.iter().filter(|it| it.signs.is_some()) {
            let signing = client.signs.as_ref().unwrap();
            // The URL of the other version, and the base alone.
            for called in [super::path(if version == "2.0" { "2.2" } else { "2.0" }), String::new()]
            {
                let request = registered.posting(&path, "application/json", body.clone());
                let request = request.header("authorization", signing.bearer(&called));
                assert_eq!(registered.send(request).status, 401, "{} {called}", client.name);
            }
            let stranger = Signing { issuer: "https://sandbox.cds-hooks.org", ..*signing };
            if signing.issuer != stranger.issuer {
                let request = registered.posting(&path, "application/json", body.clone());
                let request = request.header("authorization", stranger.bearer(&path));
                assert_eq!(registered.send(request).status, 401, "{}", client.name);
            }
        }
    }
}

// rulings 35, crd.md 7.1
#[test]
fn the_sandbox_asks_before_each_call_and_may_read_every_answer() {
    let [registered, _] = servers();
    let signing = SANDBOX.signs.as_ref().unwrap();
    for version in VERSIONS {
        let (discovery, hook) = (format!("/crd/{version}/cds-services"), path(version));
        let feedback = format!("{hook}/feedback");
        for (path, method) in [(&discovery, "GET"), (&hook, "POST"), (&feedback, "POST")] {
            let url = format!("{}{path}", registered.base);
            let asking = registered
                .client
                .request(reqwest::Method::OPTIONS, url)
                .header("origin", SANDBOX.origin.unwrap())
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "authorization,content-type");
            let answer = registered.send(asking);
            assert!([200, 204].contains(&answer.status), "{path}");
            check_cors(&answer);
        }
        let discovered = registered
            .client
            .get(format!("{}{discovery}", registered.base))
            .header("origin", SANDBOX.origin.unwrap())
            .header("authorization", signing.bearer(&discovery));
        let discovered = registered.send(discovered);
        check_cors(&discovered);
        assert_eq!(discovered.good()["services"].as_array().unwrap().len(), 6);
        let answer = fire(&registered, &SANDBOX, &hook, &fixture("crd-clients/sandbox"));
        check_cors(&answer);
        let card = answer.good()["cards"][0]["uuid"].clone();
        // It tells of a card with the override reason's code, and signs for the feedback's URL.
        let told = json!({"feedback": [{"card": card, "outcome": "overridden",
            "overrideReason": {"reason": {"code": "reason-code", "system": "https://ehr.test/r"}},
            "outcomeTimestamp": "2026-11-20T10:00:00Z"}]});
        let answer = fire(&registered, &SANDBOX, &feedback, &told.to_string());
        assert_eq!((answer.status, &*answer.text), (200, ""));
        check_cors(&answer);
        // Refusals too, or the page would not know why.
        let refused = fire(&registered, &SANDBOX, &hook, "{}");
        assert_eq!(refused.status, 400);
        check_cors(&refused);
    }
}

/// A page may read it, and no credentials of the browser's own are asked for.
fn check_cors(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{}", answer.text);
    assert!(answer.header("access-control-allow-credentials").is_none());
}

/// The templates of a service with root tokens and user ids filled in; those with anything else
/// are left out, as the sandbox does (crd.md 7.1).
fn filled(service: &Value, context: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let templates = service["prefetch"].as_object().unwrap().iter();
    let filled = templates.filter_map(|(key, template)| {
        let mut template = template.as_str().unwrap().to_owned();
        let user = text(&context["userId"])?.strip_prefix("Practitioner/")?.to_owned();
        template = template.replace("{{userPractitionerId}}", &user);
        for (name, value) in context.as_object().unwrap() {
            if let Some(value) = text(value) {
                template = template.replace(&format!("{{{{context.{name}}}}}"), &value);
            }
        }
        (!template.contains("{{")).then(|| (key.clone(), template))
    });
    filled.collect()
}

// rulings 38
#[test]
fn the_sandbox_can_fill_its_prefetch_by_reads_and_by_post_search() {
    let server = Server::start();
    let request = parsed(&fixture("crd-clients/sandbox"));
    for version in VERSIONS {
        let discovered = server.get(&format!("/crd/{version}/cds-services")).good();
        let filled = filled(&discovered["services"][0], &request["context"]);
        for (key, query) in &filled {
            let Some((kind, form)) = query.split_once('?') else {
                let (kind, id) = query.split_once('/').unwrap();
                assert!(!kind.is_empty() && !id.is_empty() && !id.contains('/'), "{key}: {query}");
                continue;
            };
            // POST {base}/{kind}/_search with the rest as its form.
            assert!(kind.bytes().all(|it| it.is_ascii_alphabetic()), "{key}: {query}");
            let names: Vec<&str> =
                form.split('&').map(|it| it.split_once('=').unwrap().0).collect();
            assert!(!form.contains(['?', '%', '+', ' ']), "{key}: {query}");
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{key}: {query}");
            assert!(names.iter().all(|it| !it.starts_with('_')), "{key}: {query}");
        }
        // What stands in the fixture is what it could fetch for the service of 2.0.
        if version == "2.0" {
            let keys: BTreeSet<&String> = filled.iter().map(|(key, _)| key).collect();
            assert_eq!(keys, request["prefetch"].as_object().unwrap().keys().collect());
        }
        let kinds: BTreeSet<&str> =
            filled.iter().map(|(_, query)| query.split(['?', '/']).next().unwrap()).collect();
        for kind in ["Patient", "Coverage", "Condition", "Observation", "MedicationStatement"] {
            assert!(kinds.contains(kind), "{version}: {kind}");
        }
    }
}
