//! Registered clients: without a good token nothing is answered, and discovery stays open.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::harness::{Answer, FHIR_JSON, Server, fixture};

const ISSUER: &str = "https://ehr.lakeside.test/cds";
const BASE: &str = "https://pa.lakeside-health.test";
const SUBMIT: &str = "/pas/2.2.1/Claim/$submit";
const SIGN: &str = "/crd/2.2/cds-services/order-sign-coverage";

/// The key of the client in this run.
fn key() -> &'static EncodingKey {
    static KEY: OnceLock<EncodingKey> = OnceLock::new();
    KEY.get_or_init(another_key)
}

pub(crate) fn another_key() -> EncodingKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
}

/// A configuration with one client, whose key set is written into the folder.
pub(crate) fn one_client(folder: &Path) -> String {
    let mut jwk = Jwk::from_encoding_key(key(), Algorithm::ES384).unwrap();
    jwk.common.key_id = Some("k1".to_owned());
    let set = json!({"keys": [serde_json::to_value(jwk).unwrap()]});
    std::fs::write(folder.join("lakeside.json"), set.to_string()).unwrap();
    format!(
        "public_base = \"{BASE}\"\n[[clients]]\nid = \"lakeside-ehr\"\nissuer = \"{ISSUER}\"\n\
         key_set = \"lakeside.json\"\n"
    )
}

/// A configuration with two clients that share a key, the second of which may review.
pub(crate) fn two_clients(folder: &Path) -> String {
    let first = one_client(folder);
    format!(
        "{first}\n[[clients]]\nid = \"harbor\"\nissuer = \"harbor\"\n\
         key_set = \"lakeside.json\"\nreviews = true\n"
    )
}

/// What one of [`two_clients`] writes into `Authorization` to call a path.
pub(crate) fn bearer(client: &str, path: &str) -> String {
    let issuer = if client == "harbor" { "harbor" } else { ISSUER };
    let mut claims = claims(path);
    claims["iss"] = json!(issuer);
    format!("Bearer {}", signed(&claims, key()))
}

#[expect(clippy::disallowed_methods, reason = "a token is valid by the clock of the machine")]
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

fn claims(path: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": format!("{BASE}{path}"), "exp": now_s() + 240, "iat": now_s(),
        "jti": "t1"
    })
}

fn signed(claims: &Value, key: &EncodingKey) -> String {
    let mut header = Header::new(Algorithm::ES384);
    header.kid = Some("k1".to_owned());
    encode(&header, claims, key).unwrap()
}

fn calls() -> [(&'static str, &'static str, String); 2] {
    [
        (SUBMIT, FHIR_JSON, fixture("pas/approve-all-met")),
        (SIGN, "application/json", fixture("crd/approve-all-met")),
    ]
}

fn call(server: &Server, path: &str, media_type: &str, body: &str, token: Option<&str>) -> Answer {
    let request = server.posting(path, media_type, body);
    server.send(match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    })
}

#[test]
fn a_call_without_a_good_token_is_refused_without_a_word() {
    let server = Server::configured(one_client);
    for (path, media_type, body) in calls() {
        let mut late = claims(path);
        late["exp"] = json!(now_s() - 600);
        let mut stranger = claims(path);
        stranger["iss"] = json!("https://ehr.harbor.test/cds");
        let good = signed(&claims(path), key());
        let tokens = [
            None,
            Some("not-a-token".to_owned()),
            Some(signed(&claims(path), &another_key())),
            Some(signed(&late, key())),
            Some(signed(&stranger, key())),
            Some(signed(&claims("/pas/2.0.1/Claim/$submit"), key())),
            Some(good[..good.len() - 6].to_owned()),
        ];
        for token in tokens {
            let answer = call(&server, path, media_type, &body, token.as_deref());
            assert_eq!((answer.status, answer.text.as_str()), (401, ""), "{path} {token:?}");
        }
    }
    assert!(server.rows().values().all(|count| *count == 0));
}

#[test]
fn a_call_with_a_good_token_is_answered_for_that_client() {
    let server = Server::configured(one_client);
    for (path, media_type, body) in calls() {
        let token = signed(&claims(path), key());
        let answer = call(&server, path, media_type, &body, Some(&token));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    assert_eq!(server.texts("SELECT client FROM submission"), ["lakeside-ehr"]);
    assert_eq!(server.texts("SELECT client FROM hook_call"), ["lakeside-ehr"]);
}

#[test]
fn the_escaped_operation_takes_the_token_of_the_plain_one() {
    let server = Server::configured(one_client);
    let body = fixture("pas/approve-all-met");
    for audience in [SUBMIT, "/pas/2.2.1/Claim/%24submit"] {
        for path in [SUBMIT, "/pas/2.2.1/Claim/%24submit"] {
            let token = signed(&claims(audience), key());
            let answer = call(&server, path, FHIR_JSON, &body, Some(&token));
            assert_eq!(answer.status, 200, "{path} {audience}");
        }
    }
}

#[test]
fn discovery_metadata_and_health_are_open() {
    let server = Server::configured(one_client);
    for path in [
        "/crd/2.0/cds-services",
        "/crd/2.2/cds-services",
        "/pas/2.0.1/metadata",
        "/pas/2.2.1/metadata",
        "/healthz",
        "/readyz",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
        // rulings 35: the sandbox of CDS Hooks sends a token on discovery too
        let url = format!("{}{path}", server.base);
        let request = server.client.get(url).header("authorization", "Bearer whatever");
        assert_eq!(server.send(request).status, 200, "{path}");
    }
}

#[test]
fn what_one_client_sent_is_no_repeat_of_anothers() {
    let second = "[[clients]]\nid = \"harbor-ehr\"\nissuer = \"https://ehr.harbor.test/cds\"\n\
                  key_set = \"lakeside.json\"\n";
    let server = Server::configured(|folder| one_client(folder) + second);
    let body = fixture("pas/pend-braf-unknown");
    for issuer in [ISSUER, "https://ehr.harbor.test/cds"] {
        let mut claims = claims(SUBMIT);
        claims["iss"] = json!(issuer);
        let token = signed(&claims, key());
        assert_eq!(call(&server, SUBMIT, FHIR_JSON, &body, Some(&token)).status, 200);
    }
    assert_eq!(server.rows()["prior_auth_case"], 2);
}
