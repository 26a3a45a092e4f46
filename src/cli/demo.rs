//! `priorauth demo`: the main job, end to end, on a temporary store over real HTTP.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use include_dir::{Dir, include_dir};

use super::serve::{self, Running};
use crate::profiles;

static FIXTURES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// One fixture and what became of it.
struct Row {
    face: &'static str,
    story: String,
    determination: String,
    answer: String,
    why: String,
    took: Duration,
}

/// Starts a server, sends the fixtures to both faces, prints what was decided, and stops.
///
/// # Errors
/// The server cannot be started, or an answer is not what a server of ours gives.
pub async fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let any_port: SocketAddr = ([127, 0, 0, 1], 0).into();
    let server = serve::start(any_port, folder.path(), serve::Settings::demo()?).await?;
    let base = format!("http://{}", server.address);
    println!("priorauth demo: a server on {base}, with a store in a temporary folder\n");
    let rows = rows(&base).await?;
    print_table(&rows);
    stop(server).await?;
    println!("\nHow to go on:");
    println!("  priorauth serve --listen 127.0.0.1:8080 --data ./data");
    println!("  curl -H 'content-type: application/fhir+json' \\");
    println!("    --data @fixtures/pas/approve-all-met/request.json \\");
    println!("    'http://127.0.0.1:8080/pas/2.2.1/Claim/$submit'");
    println!("  curl http://127.0.0.1:8080/crd/2.2/cds-services");
    println!("  priorauth evaluate --format text fixtures/pas   # the whole reasoning");
    Ok(())
}

async fn stop(server: Running) -> anyhow::Result<()> {
    server.stop().await.context("stopping the server")
}

async fn rows(base: &str) -> anyhow::Result<Vec<Row>> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .context("building an HTTP client")?;
    let as_of = super::today();
    let rules = profiles::embedded().context("reading the embedded profiles")?;
    let faces = [
        ("PAS", "pas", "/pas/2.2.1/Claim/$submit", "application/fhir+json"),
        ("PAS", "pas-2.0.1", "/pas/2.0.1/Claim/$submit", "application/fhir+json"),
        ("CRD", "crd", "/crd/2.2/cds-services/order-sign-coverage", "application/json"),
    ];
    let mut rows = Vec::new();
    for (face, folder, path, media_type) in faces {
        for (story, body) in stories(folder) {
            let started = Instant::now();
            let response = client
                .post(format!("{base}{path}"))
                .header("content-type", media_type)
                .body(body.to_vec())
                .send()
                .await
                .context("sending a fixture")?;
            let status = response.status();
            let text = response.text().await.context("reading an answer")?;
            let took = started.elapsed();
            anyhow::ensure!(status.is_success(), "{story} was answered {status}: {text}");
            let verdicts = super::evaluate::in_short(&rules, body, as_of)
                .map_err(|error| anyhow::anyhow!("{story}: {error}"))?;
            for (determination, why) in verdicts {
                rows.push(Row {
                    face,
                    story: story.clone(),
                    determination,
                    answer: in_codes(&text),
                    why,
                    took,
                });
            }
        }
    }
    Ok(rows)
}

/// The requests of a folder of fixtures, in the order of their names.
fn stories(folder: &str) -> Vec<(String, &'static [u8])> {
    let Some(folder) = FIXTURES.get_dir(folder) else { return Vec::new() };
    let mut stories: Vec<(String, &'static [u8])> = folder
        .dirs()
        .filter_map(|story| {
            let file = story.get_file(story.path().join("request.json"))?;
            let name = story.path().file_name()?.to_string_lossy().into_owned();
            Some((name, file.contents()))
        })
        .collect();
    stories.sort();
    stories
}

/// What an answer says in the guides' codes: review actions of PAS, pa-needed of CRD.
fn in_codes(answer: &str) -> String {
    use crate::fhir::{Document, Node, Rules};
    let Ok(document) = Document::parse(answer.as_bytes(), Rules::Lenient) else {
        return "?".to_owned();
    };
    let mut codes = Vec::new();
    let mut open: Vec<Node<'_>> = vec![document.root()];
    while let Some(node) = open.pop() {
        let url = node.text_of("url").unwrap_or_default();
        if url.ends_with("extension-reviewActionCode") {
            let coding = node.get("valueCodeableConcept").and_then(|it| it.each("coding").next());
            codes.extend(coding.and_then(|it| it.text_of("code")).map(String::from));
        } else if url == "covered" || url == "pa-needed" {
            codes.extend(node.text_of("valueCode").map(String::from));
        }
        let inner: Vec<Node<'_>> = node
            .members()
            .map(|(_, value)| value)
            .chain(node.items().filter(|it| *it != node))
            .collect();
        open.extend(inner.into_iter().rev());
    }
    if codes.is_empty() { "nothing to say".to_owned() } else { codes.join(" ") }
}

fn print_table(rows: &[Row]) {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
    let (story, decided, answer) =
        (width(|row| &row.story), width(|row| &row.determination), width(|row| &row.answer));
    println!(
        "face  {:story$}  {:decided$}  {:answer$}      ms  why",
        "story", "decided", "answered"
    );
    for row in rows {
        println!(
            "{:<4}  {:story$}  {:decided$}  {:answer$}  {:>6.1}  {}",
            row.face,
            row.story,
            row.determination,
            row.answer,
            row.took.as_secs_f64() * 1000.0,
            row.why
        );
    }
}
