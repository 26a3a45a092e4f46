//! Tokens with real keys and real signatures.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair,
};
use jiff::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const NOW_S: i64 = 1_795_600_000;
const CALLED: &str = "https://payer.priorauth.test/crd/2.2/cds-services/order-sign";
const LAKESIDE: &str = "https://ehr.lakeside.test/cds";
const KEY_URL: &str = "https://ehr.lakeside.test/keys";
/// As Epic writes them.
const RSA_KID: &str = "mZ+4/q8vB2o=";

/// A key pair: what its owner signs with, and its public half.
struct Pair {
    signing: EncodingKey,
    public: Value,
    point: Vec<u8>,
}

impl Pair {
    fn ec(curve: &'static EcdsaSigningAlgorithm, algorithm: Algorithm) -> Pair {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        let signing = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
        let public = public_half(&signing, algorithm);
        Pair { signing, public, point: pair.public_key().as_ref().to_vec() }
    }

    fn rsa() -> Pair {
        let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // PKCS#8 puts 26 bytes before the RSAPrivateKey that the library wants.
        let signing = EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]);
        let public = public_half(&signing, Algorithm::RS384);
        Pair { signing, public, point: Vec::new() }
    }

    /// The public half as a member of a key set, with some of its members replaced.
    fn jwk(&self, kid: &str, other: Value) -> Value {
        let mut key = self.public.clone();
        key["kid"] = kid.into();
        let Value::Object(members) = other else { panic!("members stand in an object") };
        key.as_object_mut().unwrap().extend(members);
        key
    }
}

fn public_half(signing: &EncodingKey, algorithm: Algorithm) -> Value {
    let mut key =
        serde_json::to_value(Jwk::from_encoding_key(signing, algorithm).unwrap()).unwrap();
    key.as_object_mut().unwrap().remove("alg");
    key
}

fn p384() -> Pair {
    Pair::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::ES384)
}

static EC: LazyLock<Pair> = LazyLock::new(p384);
static RSA: LazyLock<Pair> = LazyLock::new(Pair::rsa);
static HARBOR_EC: LazyLock<Pair> = LazyLock::new(p384);

fn registration(id: &str, issuer: Option<&str>, keys: Value) -> Registration {
    let mut key_set = json!({});
    key_set["keys"] = keys;
    Registration {
        id: id.to_owned(),
        issuer: issuer.map(str::to_owned),
        jku: None,
        key_set: key_set.to_string(),
        algorithms: SigningAlgorithm::ALL.to_vec(),
        audiences: Vec::new(),
        replay: Replay::LogOnly,
        may_review: false,
    }
}

fn lakeside() -> Registration {
    let keys = json!([
        EC.jwk("ec-1", json!({"use": "sig", "alg": "ES384"})),
        RSA.jwk(RSA_KID, json!({"key_ops": ["verify"]})),
        HARBOR_EC.jwk("for-encryption", json!({"use": "enc", "alg": "ECDH-ES"})),
    ]);
    Registration {
        jku: Some(KEY_URL.to_owned()),
        audiences: vec![format!("{CALLED}/"), "https://old-host.test/cds".to_owned()],
        ..registration("lakeside", Some(LAKESIDE), keys)
    }
}

/// Lakeside, and Harbor, which has no issuer of its own, another key and ES384 alone.
fn clients(replay: Replay) -> Clients {
    let keys = json!([HARBOR_EC.jwk("harbor-1", json!({}))]);
    let harbor = Registration {
        algorithms: vec![SigningAlgorithm::Es384],
        ..registration("harbor", None, keys)
    };
    Clients::register([Registration { replay, ..lakeside() }, harbor]).unwrap()
}

/// What a token is made of.
struct Draft {
    header: Header,
    claims: Value,
    key: EncodingKey,
    scheme: &'static str,
    /// What becomes of the signed text.
    finish: fn(String) -> String,
}

impl Draft {
    fn good() -> Draft {
        let mut header = Header::new(Algorithm::ES384);
        header.kid = Some("ec-1".to_owned());
        header.jku = Some(KEY_URL.to_owned());
        let claims = json!({
            "iss": LAKESIDE, "aud": CALLED, "jti": "no uuid at all",
            "iat": NOW_S - 5, "exp": NOW_S + 295,
        });
        Draft { header, claims, key: EC.signing.clone(), scheme: "Bearer ", finish: |text| text }
    }

    fn rsa(&mut self, algorithm: Algorithm) {
        self.header.alg = algorithm;
        self.header.kid = Some(RSA_KID.to_owned());
        self.key = RSA.signing.clone();
    }

    fn authorization(self) -> String {
        let token = encode(&self.header, &self.claims, &self.key).unwrap();
        format!("{}{}", self.scheme, (self.finish)(token))
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW_S).unwrap()
}

#[track_caller]
fn check(mutation: impl FnOnce(&mut Draft), expected: Result<(), Reason>) {
    let mut draft = Draft::good();
    mutation(&mut draft);
    let answer = clients(Replay::Enforce).authenticate(Some(&draft.authorization()), CALLED, now());
    let expected_caller =
        Caller { client_id: "lakeside".into(), token_seen_before: false, may_review: false };
    match (answer, expected) {
        (Ok(caller), Ok(())) => assert_eq!(caller, expected_caller),
        (answer, expected) => {
            assert_eq!(answer.map(|_| ()).map_err(|refusal| refusal.reason), expected);
        }
    }
}

#[track_caller]
fn check_claim(name: &str, value: impl Into<Value>, expected: Result<(), Reason>) {
    check(|draft| draft.claims[name] = value.into(), expected);
}

#[test]
fn both_algorithms_are_accepted_with_the_registered_keys() {
    check(|_| (), Ok(()));
    check(|draft| draft.rsa(Algorithm::RS384), Ok(()));
    check(|draft| draft.scheme = "bearer  ", Ok(()));
    check(|draft| draft.header.typ = None, Ok(()));
}

#[test]
fn a_client_without_an_issuer_is_known_by_its_id() {
    let mut draft = Draft::good();
    draft.header.kid = Some("harbor-1".to_owned());
    // No key URL is registered for Harbor: what its tokens name is passed over.
    draft.header.jku = Some("https://anywhere.test/keys".to_owned());
    draft.key = HARBOR_EC.signing.clone();
    draft.claims["iss"] = "harbor".into();
    let header = draft.authorization();
    let caller = clients(Replay::Enforce).authenticate(Some(&header), CALLED, now()).unwrap();
    assert_eq!(&*caller.client_id, "harbor");
}

#[test]
fn what_is_no_bearer_token_is_refused() {
    for header in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic bGFrZTpzaWRl")] {
        let refusal = clients(Replay::LogOnly).authenticate(header, CALLED, now()).unwrap_err();
        assert_eq!(refusal, Refusal { reason: Reason::NoToken, client_id: None }, "{header:?}");
    }
    for garbage in ["x", "a.b.c", "a.b.c.d", "..", "\u{0}.\u{e9}.=", "eyJhbGciOiJFUzM4NCJ9.e30"] {
        let header = format!("Bearer {garbage}");
        let refusal =
            clients(Replay::LogOnly).authenticate(Some(&header), CALLED, now()).unwrap_err();
        assert_eq!(refusal.reason, Reason::Malformed, "{garbage}");
    }
}

#[test]
fn a_token_of_more_than_8_kib_is_not_looked_at() {
    let padded = |length: usize| {
        let header = format!("Bearer {}", "a".repeat(length));
        clients(Replay::LogOnly).authenticate(Some(&header), CALLED, now()).unwrap_err().reason
    };
    assert_eq!(padded(MAX_TOKEN_BYTES), Reason::Malformed);
    assert_eq!(padded(MAX_TOKEN_BYTES + 1), Reason::TooLong);
    check_claim("note", "n".repeat(4000), Ok(()));
    check_claim("note", "n".repeat(8000), Err(Reason::TooLong));
}

#[test]
fn the_token_does_not_choose_the_algorithm() {
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let mut draft = Draft::good();
    draft.finish = |token| token.split('.').nth(1).unwrap().to_owned();
    let claims = draft.authorization().replace("Bearer ", "");
    for header in [format!("Bearer {none}.{claims}."), format!("Bearer {none}.{claims}.c2ln")] {
        let refusal =
            clients(Replay::LogOnly).authenticate(Some(&header), CALLED, now()).unwrap_err();
        assert_eq!(refusal.reason, Reason::Malformed);
    }
    let symmetric = |draft: &mut Draft| {
        draft.header.alg = Algorithm::HS256;
        draft.key = EncodingKey::from_secret(&EC.point);
    };
    check(symmetric, Err(Reason::Algorithm));
    for other in [Algorithm::RS256, Algorithm::RS512, Algorithm::PS384] {
        check(|draft| draft.rsa(other), Err(Reason::Algorithm));
    }
    check(|draft| draft.header.kid = Some(RSA_KID.to_owned()), Err(Reason::KeyMismatch));
}

#[test]
fn an_algorithm_that_the_client_may_not_use_is_refused() {
    let mut draft = Draft::good();
    draft.rsa(Algorithm::RS384);
    draft.claims["iss"] = "harbor".into();
    let header = draft.authorization();
    let refusal = clients(Replay::LogOnly).authenticate(Some(&header), CALLED, now()).unwrap_err();
    assert_eq!(refusal, Refusal { reason: Reason::Algorithm, client_id: Some("harbor".into()) });
}

#[test]
fn the_issuer_is_compared_exactly() {
    check_claim("iss", "https://ehr.lakeside.test/cds/", Err(Reason::Issuer));
    check_claim("iss", "https://EHR.lakeside.test/cds", Err(Reason::Issuer));
    check_claim("iss", "lakeside", Err(Reason::Issuer));
    check_claim("iss", Value::Null, Err(Reason::Issuer));
    check_claim("iss", json!([LAKESIDE]), Err(Reason::Malformed));
}

#[test]
fn a_key_url_is_compared_and_never_needed() {
    check(|draft| draft.header.jku = None, Ok(()));
    let unlisted = "https://attacker.test/keys".to_owned();
    check(|draft| draft.header.jku = Some(unlisted), Err(Reason::KeyUrl));
    check(|draft| draft.header.jku = Some(format!("{KEY_URL}/")), Err(Reason::KeyUrl));
}

#[test]
fn the_key_is_one_of_the_clients_own() {
    check(|draft| draft.header.kid = None, Err(Reason::NoKeyId));
    check(|draft| draft.header.kid = Some("ec-2".to_owned()), Err(Reason::UnknownKey));
    check(|draft| draft.header.kid = Some("mZ-4_q8vB2o=".to_owned()), Err(Reason::UnknownKey));
    let of_harbor = |draft: &mut Draft| {
        draft.header.kid = Some("harbor-1".to_owned());
        draft.key = HARBOR_EC.signing.clone();
    };
    check(of_harbor, Err(Reason::UnknownKey));
    let not_for_signing = |draft: &mut Draft| {
        draft.header.kid = Some("for-encryption".to_owned());
        draft.key = HARBOR_EC.signing.clone();
    };
    check(not_for_signing, Err(Reason::UnknownKey));
    check(
        |draft| draft.header.jwk = Some(serde_json::from_value(HARBOR_EC.public.clone()).unwrap()),
        Ok(()),
    );
}

#[test]
fn a_signature_of_another_key_or_of_other_claims_is_refused() {
    check(|draft| draft.key = HARBOR_EC.signing.clone(), Err(Reason::Signature));
    let unsigned: fn(String) -> String = |token| format!("{}.", token.rsplit_once('.').unwrap().0);
    check(|draft| draft.finish = unsigned, Err(Reason::Signature));
    let other_claims: fn(String) -> String = |token| {
        let mut other = Draft::good();
        other.claims["jti"] = "another".into();
        let other = other.authorization().replace("Bearer ", "");
        format!("{}.{}", other.rsplit_once('.').unwrap().0, token.rsplit_once('.').unwrap().1)
    };
    check(|draft| draft.finish = other_claims, Err(Reason::Signature));
    let embedded_key = |draft: &mut Draft| {
        draft.header.jwk = Some(serde_json::from_value(HARBOR_EC.public.clone()).unwrap());
        draft.key = HARBOR_EC.signing.clone();
    };
    check(embedded_key, Err(Reason::Signature));
}

#[test]
fn an_extension_that_must_be_understood_is_refused() {
    check(|draft| draft.header.crit = Some(vec!["b64".to_owned()]), Err(Reason::Critical));
}

#[test]
fn the_audience_is_the_called_url_or_an_alias() {
    check_claim("aud", json!(["https://other.test", CALLED]), Ok(()));
    check_claim("aud", format!("{CALLED}/"), Ok(()));
    check_claim("aud", json!(["https://old-host.test/cds"]), Ok(()));
    check_claim("aud", "https://old-host.test/cds/order-sign", Err(Reason::Audience));
    check_claim("aud", "https://payer.priorauth.test", Err(Reason::Audience));
    check_claim("aud", format!("{CALLED}?x=1"), Err(Reason::Audience));
    check_claim("aud", json!([]), Err(Reason::Audience));
    check_claim("aud", Value::Null, Err(Reason::Audience));
    check_claim("aud", 7, Err(Reason::Malformed));
}

#[test]
fn a_token_ends_with_its_expiry_and_the_skew() {
    check_claim("exp", NOW_S - 89, Ok(()));
    check_claim("exp", NOW_S - 90, Err(Reason::Expired));
    check_claim("exp", NOW_S - 3600, Err(Reason::Expired));
    check_claim("exp", Value::Null, Err(Reason::NoExpiry));
    check_claim("exp", "soon", Err(Reason::Malformed));
    check_claim("exp", json!(1_795_600_100.25), Ok(()));
}

#[test]
fn a_token_lives_an_hour_at_most() {
    let lifetime = |lifetime_s: i64| {
        move |draft: &mut Draft| {
            draft.claims["iat"] = (NOW_S - 5).into();
            draft.claims["exp"] = (NOW_S - 5 + lifetime_s).into();
        }
    };
    check(lifetime(900), Ok(()));
    check(lifetime(3600), Ok(()));
    check(lifetime(3601), Err(Reason::LivesTooLong));
    let without_iat = |exp: Value| {
        move |draft: &mut Draft| {
            draft.claims["iat"] = Value::Null;
            draft.claims["exp"] = exp;
        }
    };
    check(without_iat((NOW_S + 3690).into()), Ok(()));
    check(without_iat((NOW_S + 3691).into()), Err(Reason::LivesTooLong));
    check(without_iat(json!(1e300)), Err(Reason::LivesTooLong));
}

#[test]
fn a_token_is_neither_from_the_future_nor_old() {
    check_claim("iat", NOW_S + 90, Ok(()));
    check_claim("iat", NOW_S + 91, Err(Reason::IssuedLater));
    check_claim("iat", NOW_S - 600, Ok(()));
    check_claim("iat", NOW_S - 601, Err(Reason::TooOld));
    check_claim("nbf", NOW_S + 90, Ok(()));
    check_claim("nbf", NOW_S + 91, Err(Reason::NotYet));
    check_claim("nbf", NOW_S - 305, Ok(()));
}

#[test]
fn a_second_use_is_refused_or_noted_as_the_client_is_registered() {
    let header = Draft::good().authorization();
    let enforcing = clients(Replay::Enforce);
    let seen = |clients: &Clients, later_s: i64| {
        let time = Timestamp::from_second(NOW_S + later_s).unwrap();
        let answer = clients.authenticate(Some(&header), CALLED, time);
        answer.map(|caller| caller.token_seen_before).map_err(|refusal| refusal.reason)
    };
    assert_eq!(seen(&enforcing, 0), Ok(false));
    assert_eq!(seen(&enforcing, 0), Err(Reason::Replayed));
    // The last moment at which it would be accepted, and the first at which it is not.
    assert_eq!(seen(&enforcing, 384), Err(Reason::Replayed));
    assert_eq!(seen(&enforcing, 385), Err(Reason::Expired));

    let noting = clients(Replay::LogOnly);
    assert_eq!(seen(&noting, 0), Ok(false));
    assert_eq!(seen(&noting, 1), Ok(true));
    check_claim("jti", Value::Null, Err(Reason::NoTokenId));
}

#[test]
fn a_refused_token_is_not_used_up() {
    let clients = clients(Replay::Enforce);
    let header = Draft::good().authorization();
    let elsewhere = clients.authenticate(Some(&header), "https://other.test", now());
    assert_eq!(elsewhere.unwrap_err().reason, Reason::Audience);
    assert!(clients.authenticate(Some(&header), CALLED, now()).is_ok());
}

#[test]
fn without_clients_every_token_is_refused() {
    let nobody = Clients::default();
    assert!(nobody.is_empty() && !clients(Replay::LogOnly).is_empty());
    let header = Draft::good().authorization();
    let refusal = nobody.authenticate(Some(&header), CALLED, now()).unwrap_err();
    assert_eq!(refusal, Refusal { reason: Reason::Issuer, client_id: None });
    assert_eq!(&*Caller::local().client_id, "local");
}

#[test]
fn neither_keys_nor_tokens_are_in_debug_texts() {
    let all = clients(Replay::LogOnly);
    let texts = format!("{all:?} {:?}", lakeside());
    let modulus = RSA.public["n"].as_str().unwrap();
    assert!(texts.contains("lakeside") && !texts.contains(modulus), "{texts}");
    let mut draft = Draft::good();
    draft.claims["aud"] = "https://secret.test".into();
    let refusal = all.authenticate(Some(&draft.authorization()), CALLED, now()).unwrap_err();
    assert_eq!(refusal.to_string(), "client `lakeside`: the token is for another audience");
    assert!(!format!("{refusal:?}").contains("secret"));
}

#[track_caller]
fn check_set(keys: Value, expected: ClientFault) {
    let error = Clients::register([registration("lakeside", None, keys)]).unwrap_err();
    assert_eq!(error, ClientError { client_id: "lakeside".to_owned(), fault: expected });
}

#[test]
fn an_unsafe_key_stops_the_start() {
    let kid = || "k".to_owned();
    check_set(json!([{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}]), ClientFault::Symmetric(kid()));
    check_set(json!([EC.jwk("k", json!({"d": "c2VjcmV0"}))]), ClientFault::Private(kid()));
    let p256 = Pair::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::ES256);
    let curve = |curve: &str| ClientFault::Curve { kid: kid(), curve: curve.to_owned() };
    check_set(json!([p256.jwk("k", json!({}))]), curve("P-256"));
    check_set(json!([EC.jwk("k", json!({"crv": null}))]), curve(""));
    check_set(json!([p256.jwk("k", json!({"crv": "P-384"}))]), ClientFault::Unreadable(kid()));
    check_set(json!([EC.jwk("k", json!({"y": "no base64!"}))]), ClientFault::Unreadable(kid()));
    check_set(json!([RSA.jwk("k", json!({"e": null}))]), ClientFault::Unreadable(kid()));
    let named = |name: &str| ClientFault::KeyAlgorithm { kid: kid(), algorithm: name.to_owned() };
    check_set(json!([RSA.jwk("k", json!({"alg": "RS256"}))]), named("RS256"));
    check_set(json!([RSA.jwk("k", json!({"alg": "ES384"}))]), named("ES384"));
    let okp = json!([{"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "AA"}]);
    check_set(okp, ClientFault::KeyType { kid: kid(), kty: "OKP".to_owned() });
}

#[test]
fn an_rsa_key_has_2048_bits_at_least() {
    // The first of 342 base64url digits holds the highest six bits; `f` is 31.
    let digits = RSA.public["n"].as_str().unwrap();
    let one_bit_short = format!("f{}", &digits[1..]);
    let keys = json!([RSA.jwk("k", json!({"n": one_bit_short}))]);
    check_set(keys, ClientFault::RsaSize { kid: "k".to_owned(), bits: 2047 });
    // Leading zeros do not count: four digits are three bytes.
    let padded = format!("AAAA{}", &digits[..4 * 43]);
    let keys = json!([RSA.jwk("k", json!({"n": padded}))]);
    check_set(keys, ClientFault::RsaSize { kid: "k".to_owned(), bits: 8 * 3 * 43 });
    let huge = "f".repeat(4 * 342);
    let keys = json!([RSA.jwk("k", json!({"n": huge}))]);
    check_set(keys, ClientFault::RsaSize { kid: "k".to_owned(), bits: 8 * 3 * 342 - 1 });
}

#[test]
fn keys_have_ids_of_their_own() {
    check_set(
        json!([EC.jwk("a", json!({})), RSA.jwk("b", json!({"kid": null}))]),
        ClientFault::NoKeyId(2),
    );
    let twice = json!([EC.jwk("k", json!({})), RSA.jwk("k", json!({}))]);
    check_set(twice, ClientFault::DuplicateKeyId("k".to_owned()));
}

#[test]
fn a_key_set_is_a_key_set_and_holds_a_key_of_use() {
    check_set(json!([]), ClientFault::NoUsableKey);
    check_set(json!([EC.jwk("k", json!({"use": "enc"}))]), ClientFault::NoUsableKey);
    check_set(json!([EC.jwk("k", json!({"key_ops": ["sign"]}))]), ClientFault::NoUsableKey);
    let many: Vec<_> = (0..=MAX_KEYS).map(|n| EC.jwk(&n.to_string(), json!({}))).collect();
    check_set(json!(many), ClientFault::TooManyKeys(MAX_KEYS + 1));
    for text in ["", "{}", "[]", "-----BEGIN PUBLIC KEY-----", r#"{"keys": [{"kid": "k"}]}"#] {
        let registration =
            Registration { key_set: text.to_owned(), ..registration("x", None, json!([])) };
        let error = Clients::register([registration]).unwrap_err();
        assert!(matches!(error.fault, ClientFault::NoKeySet { .. }), "{text}: {error}");
    }
}

#[test]
fn ids_and_issuers_are_told_apart() {
    let keys = || json!([EC.jwk("k", json!({}))]);
    let fault = |all: &[Registration]| Clients::register(all.to_vec()).unwrap_err().fault;
    let one = registration("one", Some(LAKESIDE), keys());
    assert_eq!(fault(&[one.clone(), one.clone()]), ClientFault::DuplicateId);
    let two = registration("two", Some(LAKESIDE), keys());
    assert_eq!(fault(&[one, two]), ClientFault::DuplicateIssuer(LAKESIDE.to_owned()));
    assert_eq!(fault(&[registration("local", None, keys())]), ClientFault::ReservedId);
    for id in ["", "two words", "caf\u{e9}"] {
        assert_eq!(fault(&[registration(id, None, keys())]), ClientFault::Id, "{id}");
    }
    let none = Registration { algorithms: Vec::new(), ..registration("x", None, keys()) };
    assert_eq!(fault(&[none]), ClientFault::NoAlgorithm);
}
