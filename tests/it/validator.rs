//! Everything that we send, judged by HL7's own validator.
//!
//! The tool and the guides' packages stand beside the repository; without them, or without Java
//! and Maven, the test says that it was skipped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use priorauth::fhir::{Fault, FaultKind};
use priorauth::ig::{CrdVersion, PasVersion};
use priorauth::render::capability::{Capability, Routed, statement};
use priorauth::render::pas::AnswerTo;
use priorauth::render::{echo, outcome};
use serde_json::{Value, json};

use crate::cards;
use crate::case_life::{
    APPROVED, PENDED, attach, attachment, cancel, inquiry, member_of, missing_result, review,
    update, with_pended,
};
use crate::harness::{Answer, FHIR_JSON, Server, fixture, skipped, stories};
use crate::inferno;
use crate::samples::{hook, submission};
use crate::subscriptions::notifications;
use crate::wire::dangling;

/// What the sandbox's answers are called here.
const MUST_SUPPORT: &str = "must-support";
/// Definitions that 2.2.1 asks its elements to use and the tool does not have: it says an error at
/// each use of them, in the sandbox's answers only.
const ABSENT: [&str; 2] = [
    "URL value 'http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBIdentifierType'",
    "StructureDefinition/data-absent-reason|5.3.0-ballot-tc1]] on ClaimResponse.request.extension",
];
const PATIENCE: Duration = Duration::from_mins(10);

/// The running validator; it ends with its owner.
struct Validator {
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Drop for Validator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the tool is, or why it cannot run.
fn tool() -> Result<PathBuf, String> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let tool = shared.join("tools/fhir-validate/fhir-validate");
    if !tool.exists() {
        return Err("../shared/tools/fhir-validate is absent".to_owned());
    }
    if !shared.join("ig").is_dir() {
        return Err("../shared/ig is absent".to_owned());
    }
    for program in ["java", "mvn"] {
        let version = Command::new(program)
            .arg("-version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !version.is_ok_and(|status| status.success()) {
            return Err(format!("{program} is missing"));
        }
    }
    Ok(tool)
}

impl Validator {
    async fn start(tool: &Path, folder: &Path) -> Validator {
        let ready = folder.join("port");
        let child = Command::new(tool)
            .args(["serve", "--port", "0", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let mut validator = Validator { child, base: String::new(), client };
        let began = Instant::now();
        loop {
            let port = std::fs::read_to_string(&ready).unwrap_or_default();
            if let Ok(port) = port.trim().parse::<u16>() {
                validator.base = format!("http://127.0.0.1:{port}");
                return validator;
            }
            if let Some(status) = validator.child.try_wait().unwrap() {
                panic!("the validator ended before it was ready: {status}");
            }
            assert!(began.elapsed() < PATIENCE, "the validator is not ready");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The errors that it finds, each with its place.
    async fn errors(&self, guide: &str, resource: &str) -> Vec<String> {
        let url = format!("{}/validate?guide={guide}", self.base);
        let request = self.client.post(url).body(resource.to_owned());
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{guide}: {}", response.status());
        let report: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let errors = report["errors"].as_array().unwrap();
        errors.iter().map(|error| format!("{}: {}", error["location"], error["message"])).collect()
    }
}

/// Everything that we send: the guide that judges it, its name, its text.
fn sent() -> Vec<(&'static str, String, String)> {
    let mut sent = Vec::new();
    for version in PasVersion::ALL {
        let guide = match version {
            PasVersion::V2_0_1 => "pas-2.0.1",
            PasVersion::V2_2_1 => "pas-2.2.1",
        };
        for (name, actions) in submission::all() {
            let bundle = submission::answer(version, actions.clone(), false);
            sent.push((guide, name.to_owned(), bundle));
            let bundle = submission::answer(version, actions, true);
            sent.push((guide, format!("{name} with the Claim"), bundle));
        }
        for to in [AnswerTo::Submission, AnswerTo::Inquiry] {
            let answer = submission::must_support(version, to);
            let bundles = bundles(&answer).into_iter();
            sent.extend(bundles.map(|it| (guide, format!("{MUST_SUPPORT} answer, {to:?}"), it)));
        }
        sent.push(("r4", format!("statement of {}", version.number()), capability(version)));
    }
    for version in CrdVersion::ALL {
        let guide = match version {
            CrdVersion::V2_0 => "crd-2.0.1",
            CrdVersion::V2_2 => "crd-2.2.0",
        };
        for (name, information) in hook::all() {
            let extension = information.extension(version, "Coverage/c-1").to_string();
            let about = echo::About { coverage: "Coverage/c-1", server: None };
            let order = echo::with_coverage_information(hook::ORDER, about, &extension);
            sent.push((guide, name.to_owned(), order.unwrap()));
        }
    }
    sent.push(("r4", "outcome".to_owned(), outcome_of_two_faults()));
    sent
}

fn capability(version: PasVersion) -> String {
    statement(&Capability {
        version,
        routed: &[Routed::Submit, Routed::Inquire, Routed::Subscription],
        date: "2026-03-02",
        software_version: "0.1.0",
        description: "Prior authorization of a synthetic plan",
        base: "https://payer.priorauth.test/pas",
    })
    .unwrap()
}

fn outcome_of_two_faults() -> String {
    let fault = |place: &str| Fault {
        kind: FaultKind::Required,
        place: place.to_owned(),
        text: "the insurer is missing".to_owned(),
    };
    outcome::of_faults(&[fault("Bundle.entry[0].resource.insurer"), fault("$this")]).unwrap()
}

/// The Bundles of an answer: itself, or those that its Parameters hold.
fn bundles(answer: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(answer).unwrap();
    if json["resourceType"] == "Parameters" {
        let parameters = json["parameter"].as_array().into_iter().flatten();
        return parameters.map(|it| it["resource"].to_string()).collect();
    }
    vec![answer.to_owned()]
}

/// What a server answers to every fixture, at both versions of its guide.
/// The fixtures, and what they are answered.
fn answered() -> Vec<(&'static str, String, String)> {
    let server = Server::start();
    let mut answered = Vec::new();
    for (area, guide) in [("pas-2.0.1", "pas-2.0.1"), ("pas", "pas-2.2.1")] {
        answered.extend(stories(area).into_iter().map(|story| {
            let request = fixture(&format!("{area}/{story}"));
            (guide, format!("request of {story}"), request)
        }));
    }
    for (version, guide) in PAS {
        for story in stories("pas") {
            let answer = server.submit(version, fixture(&format!("pas/{story}")));
            answer.good();
            answered.push((guide, format!("answer to {story}"), answer.text));
        }
    }
    for (version, guide) in [("2.0", "crd-2.0.1"), ("2.2", "crd-2.2.0")] {
        for story in stories("crd") {
            let answer = server.sign(version, fixture(&format!("crd/{story}"))).good();
            let actions = answer["systemActions"].as_array().cloned().unwrap_or_default();
            for action in actions {
                let order = action["resource"].to_string();
                answered.push((guide, format!("order of {story}"), order));
            }
        }
        let hooked = crate::crd::hooks::annotated(version).into_iter();
        let said = crate::crd::coverage::said_in_each(version).into_iter();
        answered.extend(hooked.chain(said).map(|(name, resource)| {
            (guide, format!("resource of {name}"), as_profiled(version, resource).to_string())
        }));
    }
    answered
}

/// What hooks return, as the profiles of 2.0.1 want it before anything is put in: drafts only, and
/// no extension of R5. The profiles of 2.2 for an Appointment look into its participants, which are
/// not here: there it is judged by FHIR's rules and the extension's.
fn as_profiled(version: &str, mut resource: Value) -> Value {
    match (version, resource["resourceType"] == "Appointment") {
        ("2.0", true) => {
            let url = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/profile-appointment";
            resource["meta"] = json!({"profile": [url]});
            resource.as_object_mut().unwrap().remove("basedOn");
        }
        ("2.0", false) => resource["status"] = json!("draft"),
        _ => {}
    }
    resource
}

/// The conformance suites' payloads, and what a sandbox answers to them.
fn played() -> Vec<(&'static str, String, String)> {
    let server = inferno::sandbox(600);
    let mut played = Vec::new();
    for (version, guide) in [("2.0.1", "pas-2.0.1"), ("2.2.1", "pas-2.2.1")] {
        for name in inferno::names(version) {
            let payloads = inferno::payloads(version, &name);
            match &*name {
                // A Bundle without entries is wrong on purpose.
                "error" => continue,
                // In 2.0.1 no profile knows the extensions of the backport guide.
                "subscription" if version == "2.0.1" => continue,
                "subscription" => {
                    played.push((guide, name.clone(), payloads[0].to_string()));
                    continue;
                }
                _ => {}
            }
            for payload in payloads {
                let operation = if inferno::is_inquiry(&name) { "inquire" } else { "submit" };
                let path = format!("/pas/{version}/Claim/${operation}");
                let answer = server.post(&path, FHIR_JSON, payload.to_string()).good();
                played.push((guide, format!("payload {name}"), without_payer_ids(payload)));
                let answers = bundles(&without_payer_ids(answer)).into_iter();
                played.extend(answers.map(|it| (guide, format!("answer to {name}"), it)));
            }
        }
    }
    played
}

/// The code system of the type `payerid` is in a package that the tool does not have, which makes
/// it an unknown URL.
fn without_payer_ids(mut resource: Value) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Object(members) => {
                if let Some(identifiers) =
                    members.get_mut("identifier").and_then(Value::as_array_mut)
                {
                    identifiers.retain(|it| it["type"]["coding"][0]["code"] != "payerid");
                }
                members.retain(|name, value| name != "identifier" || *value != json!([]));
                members.values_mut().for_each(strip);
            }
            _ => {}
        }
    }
    strip(&mut resource);
    resource.to_string()
}

const PAS: [(&str, &str); 2] = [("2.0.1", "pas-2.0.1"), ("2.2.1", "pas-2.2.1")];

/// What a server answers in the life of a case, at both versions: to updates that are taken and
/// refused, after each kind of review, to inquiries, to more evidence.
fn lived() -> Vec<(&'static str, String, String)> {
    let reviews = [
        json!({ "decision": "approve", "note": "After a call." }),
        json!({ "decision": "modify", "quantity": "1", "note": "One dose." }),
        json!({ "decision": "deny", "reason_codes": ["0V"], "note": "Criterion 5." }),
        json!({ "decision": "ask", "note": "Please send the pathology report." }),
    ];
    let mut lived = Vec::new();
    for (version, guide) in PAS {
        let mut say = |name: String, answer: Answer| {
            answer.good();
            lived.push((guide, name, answer.text));
        };
        let inquire = |server: &Server, story| {
            let path = format!("/pas/{version}/Claim/$inquire");
            server.post(&path, FHIR_JSON, inquiry(story, |_| {}))
        };
        for decision in &reviews {
            let (server, case) = with_pended(version);
            assert_eq!(review(&server, &case, decision).status, 200);
            say(format!("review: {decision}"), server.submit(version, fixture(PENDED)));
            say(format!("inquiry after {decision}"), inquire(&server, PENDED));
        }
        let server = Server::start();
        say("refused update".to_owned(), server.submit(version, update(PENDED, |_| {})));
        say("inquiry without a match".to_owned(), inquire(&server, PENDED));
        server.submit(version, fixture(PENDED)).good();
        say("inquiry with one match".to_owned(), inquire(&server, PENDED));
        say("update".to_owned(), server.submit(version, update(PENDED, |_| {})));
        let other_day = fixture(PENDED).replace("2026-12-10", "2026-12-11");
        server.submit(version, other_day).good();
        say("inquiry with two matches".to_owned(), inquire(&server, PENDED));
        let all = update(PENDED, |claim| {
            claim["identifier"][0]["value"] = json!("REQ-UPDATE-2");
            cancel(&mut claim["item"][0]);
        });
        say("cancellation".to_owned(), server.submit(version, all));
        let by_role = fixture(APPROVED).replacen(
            r#""reference": "Organization/lakeside-hospital""#,
            r#""reference": "PractitionerRole/onc-role-vale""#,
            1,
        );
        say("approval for a role".to_owned(), server.submit(version, by_role));
        let body = attachment("REQ-1002", &member_of(PENDED), &missing_result());
        let taken = attach(&server, &body);
        assert_eq!(taken.status, 200, "{}", taken.text);
        lived.push(("r4", "more evidence".to_owned(), taken.text));
    }
    lived
}

#[test]
fn every_reference_in_an_answer_leads_somewhere_within_it() {
    let answered = answered().into_iter().filter(|(guide, ..)| guide.starts_with("pas"));
    let lived = lived().into_iter().filter(|(guide, ..)| guide.starts_with("pas"));
    let mut looked_at = 0;
    for (guide, name, text) in answered.chain(lived) {
        for bundle in bundles(&text) {
            let bundle = serde_json::from_str(&bundle).unwrap();
            assert_eq!(dangling(&bundle), Vec::<String>::new(), "{guide}, {name}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 40, "{looked_at}");
}

#[test]
fn the_validator_finds_no_error_in_anything_that_we_send() {
    let tool = match tool() {
        Ok(tool) => tool,
        Err(why) => return skipped(why),
    };
    let mut answered = answered();
    answered.extend(notifications());
    assert!(answered.len() > 30, "the fixtures were answered");
    answered.extend(played());
    answered.extend(cards::proposed());
    answered.extend(inferno::crd_suite::judged());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let all = sent().into_iter().chain(answered).chain(lived());
    runtime.block_on(judge(&tool, all.collect()));
}

async fn judge(tool: &Path, sent: Vec<(&'static str, String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let validator = Validator::start(tool, folder.path()).await;
    let mut found = Vec::new();
    for (guide, name, text) in &sent {
        let errors = validator.errors(guide, text).await;
        let errors = errors.into_iter().filter(|error| {
            !(name.contains(MUST_SUPPORT) && ABSENT.iter().any(|it| error.contains(it)))
        });
        found.extend(errors.map(|error| format!("{guide}, {name}: {error}")));
    }
    // The validator does find errors: an order with a code that is in no value set is one.
    let wrong = hook::ORDER.replace(r#""draft""#, r#""drafty""#);
    assert!(!validator.errors("crd-2.0.1", &wrong).await.is_empty());
    println!("{} resources were validated", sent.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
