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
use priorauth::render::{echo, outcome};
use serde_json::Value;

use crate::harness::{Server, fixture, stories};
use crate::samples::{hook, submission};
use crate::subscriptions::notifications;

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
        sent.push(("r4", format!("statement of {}", version.number()), capability(version)));
    }
    for version in CrdVersion::ALL {
        let guide = match version {
            CrdVersion::V2_0 => "crd-2.0.1",
            CrdVersion::V2_2 => "crd-2.2.0",
        };
        for (name, information) in hook::all() {
            let extension = information.extension(version, "Coverage/c-1").to_string();
            let order = echo::with_coverage_information(hook::ORDER, "Coverage/c-1", &extension);
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

/// What a server answers to every fixture, at both versions of its guide.
fn answered() -> Vec<(&'static str, String, String)> {
    let server = Server::start();
    let mut answered = Vec::new();
    for (version, guide) in [("2.0.1", "pas-2.0.1"), ("2.2.1", "pas-2.2.1")] {
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
    }
    answered
}

#[test]
fn the_validator_finds_no_error_in_anything_that_we_send() {
    let tool = match tool() {
        Ok(tool) => tool,
        Err(why) => return println!("skipped: {why}"),
    };
    let mut answered = answered();
    answered.extend(notifications());
    assert!(answered.len() > 30, "the fixtures were answered");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(judge(&tool, sent().into_iter().chain(answered).collect()));
}

async fn judge(tool: &Path, sent: Vec<(&'static str, String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let validator = Validator::start(tool, folder.path()).await;
    let mut found = Vec::new();
    for (guide, name, text) in &sent {
        let errors = validator.errors(guide, text).await;
        found.extend(errors.into_iter().map(|error| format!("{guide}, {name}: {error}")));
    }
    // The validator does find errors: an order with a code that is in no value set is one.
    let wrong = hook::ORDER.replace(r#""draft""#, r#""drafty""#);
    assert!(!validator.errors("crd-2.0.1", &wrong).await.is_empty());
    println!("{} resources were validated", sent.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
