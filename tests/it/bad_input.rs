//! Bad input over HTTP: the status, one OperationOutcome with code and place, nothing written, and
//! a server that answers the next request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Answer, FHIR_JSON, Server, fixture, json, objects, repository};

const SUBMIT: &str = "/pas/2.2.1/Claim/$submit";
const SIGN: &str = "/crd/2.2/cds-services/order-sign-coverage";

/// Bodies may be this long unless it is configured otherwise.
const LIMIT: usize = 10 * 1024 * 1024;

/// One refusal: what was sent where, and what is expected.
struct Case<'c> {
    name: &'c str,
    path: &'c str,
    body: Vec<u8>,
    statuses: &'c [u16],
    /// A code that one of the issues has.
    code: &'c str,
    /// How the place of that issue begins; empty where there is no place.
    place: &'c str,
}

fn check(server: &Server, case: Case<'_>) {
    let before = server.rows();
    let answer = server.post(case.path, FHIR_JSON, case.body);
    let name = case.name;
    assert!(case.statuses.contains(&answer.status), "{name}: {} {}", answer.status, answer.text);
    expect_issue(name, &answer, case.code, case.place);
    still_well(server, name);
    assert_eq!(server.rows(), before, "{name}: something was written");
}

fn expect_issue(name: &str, answer: &Answer, code: &str, place: &str) {
    let issues = answer.issues();
    let fits = |issue: &Value| {
        let expression = issue["expression"][0].as_str().unwrap_or_default();
        let is_there =
            if place.is_empty() { expression.is_empty() } else { expression.starts_with(place) };
        issue["code"] == code && is_there
    };
    assert!(issues.iter().any(fits), "{name}: {}", answer.text);
}

fn still_well(server: &Server, name: &str) {
    assert_eq!(server.get("/readyz").status, 200, "{name}");
}

/// The text of a request with a change made to its JSON.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut bundle = json(&fixture("pas/approve-all-met"));
    change(&mut bundle);
    bundle.to_string().into_bytes()
}

fn entries(bundle: &mut Value) -> &mut Vec<Value> {
    bundle["entry"].as_array_mut().unwrap()
}

fn claim(bundle: &mut Value) -> &mut Value {
    let entries = entries(bundle).iter_mut();
    let mut claims =
        entries.map(|it| &mut it["resource"]).filter(|it| it["resourceType"] == "Claim");
    claims.next().unwrap()
}

const REFUSED: &[u16] = &[400, 422];

#[test]
fn what_is_no_json_is_refused_with_one_outcome() {
    let server = Server::start();
    let whole = fixture("pas/approve-all-met");
    let nested = |open: &str, count: usize| open.repeat(count).into_bytes();
    let with_nul = whole.replacen("\"id\"", "\"\0id\"", 1).into_bytes();
    let mut not_utf8 = whole.clone().into_bytes();
    not_utf8[100] = 0xff;
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("an empty body", Vec::new()),
        ("white space", b" \n ".to_vec()),
        ("words", b"this is no JSON".to_vec()),
        ("a body that stops half-way", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("trailing bytes", format!("{whole}x").into_bytes()),
        ("two documents", format!("{whole}{whole}").into_bytes()),
        ("100,000 nested brackets", nested("[", 100_000)),
        ("100,000 nested objects", nested("{\"a\":", 100_000)),
        ("invalid UTF-8", not_utf8),
        ("NUL bytes", with_nul),
        ("a byte order mark of UTF-16", vec![0xff, 0xfe, b'{', 0]),
    ];
    for (name, body) in bodies {
        for path in [SUBMIT, SIGN] {
            let (body, statuses) = (body.clone(), &[400][..]);
            let before = server.rows();
            let answer = server.post(path, FHIR_JSON, body);
            assert!(statuses.contains(&answer.status), "{name}: {}", answer.status);
            let issues = answer.issues();
            assert!(
                ["structure", "value", "too-long"].contains(&issues[0]["code"].as_str().unwrap())
            );
            still_well(&server, name);
            assert_eq!(server.rows(), before, "{name}");
        }
    }
}

#[test]
fn a_bundle_that_is_none_is_refused_with_code_and_place() {
    let server = Server::start();
    let case = |name, body: Vec<u8>, code, place| {
        check(&server, Case { name, path: SUBMIT, body, statuses: REFUSED, code, place });
    };
    case(
        "another resource",
        br#"{"resourceType":"Patient","id":"p"}"#.to_vec(),
        "structure",
        "Patient",
    );
    case("no resource", br#"{"a":1}"#.to_vec(), "structure", "");
    case("a list", b"[1,2]".to_vec(), "structure", "");
    case("empty entries", changed(|it| entries(it).clear()), "structure", "Bundle.entry");
    case(
        "no Claim",
        changed(|it| entries(it).retain(|it| it["resource"]["resourceType"] != "Claim")),
        "required",
        "Bundle.entry",
    );
    case(
        "a duplicate full URL",
        changed(|it| {
            let first = entries(it)[1].clone();
            entries(it).push(first);
        }),
        "duplicate",
        "Bundle.entry[",
    );
    case(
        "a patient who is not there",
        changed(|it| entries(it).retain(|it| it["resource"]["resourceType"] != "Patient")),
        "not-found",
        "Bundle.entry[0].resource.patient",
    );
    case(
        "an insurer who is not there",
        changed(|it| claim(it)["insurer"]["reference"] = "Organization/nobody".into()),
        "not-found",
        "Bundle.entry[0].resource.insurer",
    );
}

#[test]
fn faults_within_the_claim_are_refused_with_code_and_place() {
    let server = Server::start();
    let case = |name, body: Vec<u8>, code, place| {
        check(&server, Case { name, path: SUBMIT, body, statuses: REFUSED, code, place });
    };
    let item = "Bundle.entry[0].resource.item";
    case(
        "a duplicate key",
        fixture("pas/approve-all-met")
            .replacen(
                "\"use\": \"preauthorization\"",
                "\"use\": \"preauthorization\", \"use\": \"claim\"",
                1,
            )
            .into_bytes(),
        "duplicate",
        "Bundle.entry[0].resource.use",
    );
    case(
        "empty text",
        changed(|it| claim(it)["use"] = "".into()),
        "structure",
        "Bundle.entry[0].resource.use",
    );
    case(
        "null",
        changed(|it| claim(it)["use"] = Value::Null),
        "structure",
        "Bundle.entry[0].resource.use",
    );
    case(
        "an empty object",
        changed(|it| claim(it)["patient"] = serde_json::json!({})),
        "structure",
        "Bundle.entry[0].resource.patient",
    );
    case("items as text", changed(|it| claim(it)["item"] = "x".into()), "structure", item);
    case(
        "an impossible date",
        changed(|it| claim(it)["item"][0]["servicedDate"] = "2026-02-30".into()),
        "value",
        "Bundle.entry[0].resource.item[0].servicedDate",
    );
    case(
        "duplicate sequences",
        changed(|it| {
            let items = claim(it)["item"].as_array_mut().unwrap();
            items.push(items[0].clone());
        }),
        "duplicate",
        "Bundle.entry[0].resource.item[1].sequence",
    );
    case(
        "a sequence of zero",
        changed(|it| claim(it)["item"][0]["sequence"] = 0.into()),
        "value",
        "Bundle.entry[0].resource.item[0].sequence",
    );
}

#[test]
fn each_bad_fixture_is_refused_by_both_versions_and_nothing_is_written() {
    let server = Server::start();
    let folder = std::fs::read_dir(repository().join("fixtures/bad")).unwrap();
    let files: Vec<_> = folder.map(|it| it.unwrap().path()).collect();
    assert!(files.len() >= 8);
    for file in files {
        for path in [SUBMIT, "/pas/2.0.1/Claim/$submit"] {
            let answer = server.post(path, FHIR_JSON, std::fs::read(&file).unwrap());
            let name = file.display();
            assert!(REFUSED.contains(&answer.status), "{name}: {}", answer.status);
            answer.issues();
        }
    }
    assert!(server.rows().values().all(|count| *count == 0));
}

#[test]
fn no_refusal_repeats_a_value_of_the_request() {
    let server = Server::start();
    let folder = std::fs::read_dir(repository().join("fixtures/bad")).unwrap();
    for file in folder.map(|it| it.unwrap().path()) {
        let body = std::fs::read_to_string(&file).unwrap();
        let answer = server.post(SUBMIT, FHIR_JSON, body.clone());
        let request: Value = serde_json::from_str(&body).unwrap_or_default();
        let people = objects(&request)
            .into_iter()
            .flat_map(|it| ["family", "birthDate", "subscriberId"].map(|name| it.get(name)));
        for value in people.flatten().filter_map(Value::as_str) {
            assert!(!answer.text.contains(value), "{}: {value}", file.display());
        }
    }
}

#[test]
fn an_escaped_nul_is_refused_or_kept_and_harms_nothing() {
    let server = Server::start();
    let body = fixture("pas/approve-all-met").replacen("lifileucel", "lifi\\u0000leucel", 1);
    let answer = server.post(SUBMIT, FHIR_JSON, body);
    assert!([200, 400, 422].contains(&answer.status), "{}", answer.text);
    let hook = fixture("crd/approve-all-met").replacen(
        "order-sign\"",
        "order-sign\", \"x\": \"\\u0000\"",
        1,
    );
    let answer = server.post(SIGN, "application/json", hook);
    assert!([200, 400].contains(&answer.status), "{}", answer.text);
    still_well(&server, "NUL");
    let member = fixture("pas/approve-all-met");
    let id = json(&member);
    let id = objects(&id)
        .into_iter()
        .find_map(|it| it.get("subscriberId"))
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    let answer = server.post(SUBMIT, FHIR_JSON, member.replace(&id, &format!("{id}\\u0000")));
    assert!([200, 400, 422].contains(&answer.status), "{} {}", answer.status, answer.text);
    still_well(&server, "NUL in a member id");
}

#[test]
fn a_body_above_the_limit_is_too_large_however_it_is_sent() {
    let server = Server::start();
    let body = vec![b' '; 30 * 1024 * 1024];
    for path in [SUBMIT, SIGN] {
        // A client that knows the length says it, and may be answered before it has sent all.
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {FHIR_JSON}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (status, text) = raw(&server, &[head.as_bytes(), &body[..1024]]);
        assert_eq!(status, 413, "{path}: {text}");
        assert!(text.contains("OperationOutcome") && text.contains("too-long"), "{text}");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {FHIR_JSON}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let chunk = format!("{:x}\r\n", LIMIT + 1);
        let (status, text) =
            raw(&server, &[head.as_bytes(), chunk.as_bytes(), &body[..=LIMIT], b"\r\n"]);
        assert_eq!(status, 413, "{path}: {text}");
        assert!(text.contains("OperationOutcome"), "{text}");
        still_well(&server, path);
    }
    assert!(server.rows().values().all(|count| *count == 0));
}

#[test]
fn a_body_just_under_the_limit_is_read_and_one_just_over_is_not() {
    let server = Server::configured(|_| "max_body_bytes = 200000\n".to_owned());
    let story = fixture("pas/approve-all-met");
    let padded = |length: usize| format!("{story}{}", " ".repeat(length - story.len()));
    assert_eq!(server.post(SUBMIT, FHIR_JSON, padded(200_000)).status, 200);
    let answer = server.post(SUBMIT, FHIR_JSON, padded(200_001));
    assert_eq!(answer.status, 413);
    expect_issue("one byte too many", &answer, "too-long", "");
}

/// Sends bytes as they are and reads what comes back: the status and the rest.
fn raw(server: &Server, parts: &[&[u8]]) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    for part in parts {
        // A server that has seen enough may close before it was sent everything.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    read_answer(&mut stream)
}

fn read_answer(stream: &mut TcpStream) -> (u16, String) {
    let (mut seen, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
        }
        let text = String::from_utf8_lossy(&seen);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|it| it.parse().ok()).unwrap_or(0) {
                break;
            }
        }
    }
    let text = String::from_utf8_lossy(&seen).into_owned();
    let status = text.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    (status, text)
}

#[test]
fn other_media_types_are_refused() {
    let server = Server::start();
    for media_type in [
        "application/fhir+xml",
        "application/xml",
        "text/xml",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "nonsense",
    ] {
        for path in [SUBMIT, SIGN] {
            let answer = server.post(path, media_type, "<Bundle xmlns=\"http://hl7.org/fhir\"/>");
            assert_eq!(answer.status, 415, "{media_type}");
            expect_issue(media_type, &answer, "not-supported", "");
        }
    }
    still_well(&server, "media types");
}

#[test]
fn unknown_paths_and_methods_are_refused_with_an_outcome() {
    let server = Server::start();
    for path in [
        "/",
        "/nothing",
        "/pas/2.2.1",
        "/pas/9.9.9/metadata",
        "/pas/2.2.1/Claim",
        "/pas/2.2.1/Claim/$unknown",
        "/crd/2.2/cds-services/order-sign-coverage/extra",
        "/pas/2.2.1/../../etc/passwd",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        expect_issue(path, &answer, "not-found", "");
    }
    let unknown =
        server.post("/pas/9.9.9/Claim/$submit", FHIR_JSON, fixture("pas/approve-all-met"));
    assert_eq!(unknown.status, 404);
    let wrong = [
        (reqwest::Method::GET, SUBMIT),
        (reqwest::Method::PUT, SUBMIT),
        (reqwest::Method::DELETE, SIGN),
        (reqwest::Method::GET, SIGN),
        (reqwest::Method::POST, "/pas/2.2.1/metadata"),
        (reqwest::Method::POST, "/crd/2.2/cds-services"),
        (reqwest::Method::POST, "/readyz"),
    ];
    for (method, path) in wrong {
        let url = format!("{}{path}", server.base);
        let answer = server.send(server.client.request(method.clone(), url));
        assert_eq!(answer.status, 405, "{method} {path}");
        expect_issue(path, &answer, "not-supported", "");
        assert!(answer.header("allow").is_some(), "{method} {path}: no `Allow`");
    }
}

#[test]
fn a_body_that_never_comes_times_out() {
    let server = Server::configured(|_| "request_timeout_ms = 300\n".to_owned());
    for (name, sent) in [("nothing", ""), ("the beginning", "{\"resourceType\":")] {
        let head = format!(
            "POST {SUBMIT} HTTP/1.1\r\nhost: x\r\ncontent-type: {FHIR_JSON}\r\ncontent-length: 1000\r\n\r\n{sent}"
        );
        let (status, text) = raw(&server, &[head.as_bytes()]);
        assert_eq!(status, 408, "{name}: {text}");
        assert!(text.contains("OperationOutcome"), "{name}: {text}");
    }
    still_well(&server, "slow bodies");
}

#[test]
fn a_slow_trickle_times_out_too() {
    let server = Server::configured(|_| "request_timeout_ms = 400\n".to_owned());
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let head = format!(
        "POST {SUBMIT} HTTP/1.1\r\nhost: x\r\ncontent-type: {FHIR_JSON}\r\ncontent-length: 1000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = Vec::new();
    for _ in 0..100 {
        let mut buffer = [0; 4096];
        if let Ok(count) = stream.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..count]);
            break;
        }
        if stream.write_all(b" ").is_err() {
            break;
        }
    }
    let text = String::from_utf8_lossy(&seen);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    still_well(&server, "a trickle");
}

#[test]
fn a_client_that_leaves_half_way_leaves_nothing_behind() {
    let server = Server::start();
    let story = fixture("pas/approve-all-met");
    for _ in 0..5 {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "POST {SUBMIT} HTTP/1.1\r\nhost: x\r\ncontent-type: {FHIR_JSON}\r\ncontent-length: {}\r\n\r\n",
            story.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&story.as_bytes()[..story.len() / 2]).unwrap();
    }
    still_well(&server, "half requests");
    assert!(server.rows().values().all(|count| *count == 0));
}

#[test]
fn long_headers_and_many_of_them_harm_nothing() {
    let server = Server::start();
    let long = "x".repeat(64 * 1024);
    let request = server.posting(SUBMIT, FHIR_JSON, fixture("pas/pend-braf-unknown"));
    let answer = server.send(request.header("x-long", &long));
    assert!([200, 431].contains(&answer.status), "{}", answer.status);
    let mut head =
        format!("GET /readyz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(900_000));
    let (status, _) = raw(&server, &[head.as_bytes()]);
    assert!([0, 400, 431].contains(&status), "{status}");
    head = "GET /readyz HTTP/1.1\r\nhost: x\r\n".to_owned();
    let many: Vec<String> = (0..2000).map(|number| format!("x-{number}: 1\r\n")).collect();
    head.push_str(&many.concat());
    head.push_str("\r\n");
    let (status, _) = raw(&server, &[head.as_bytes()]);
    assert!([0, 400, 431].contains(&status), "{status}");
    let (status, _) = raw(&server, &[b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]);
    assert!([0, 400].contains(&status), "TLS on a plain port: {status}");
    still_well(&server, "headers");
}

#[test]
fn a_storm_of_bad_requests_leaves_the_good_ones_answered() {
    let server = Server::start();
    let requests = (0..60).map(|number| match number % 3 {
        0 => server.posting(SUBMIT, FHIR_JSON, vec![b'['; 100_000]),
        1 => server.posting(SUBMIT, "text/plain", "x"),
        _ => server.posting(SUBMIT, FHIR_JSON, fixture("pas/pend-braf-unknown")),
    });
    let answers = server.send_all(requests.collect());
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, [400, 415, 200][number % 3], "{number}");
    }
    assert_eq!(server.rows()["prior_auth_case"], 1);
}
