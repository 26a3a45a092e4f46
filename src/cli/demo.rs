//! `priorauth demo`: the main job, end to end, on a temporary store over real HTTP.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use include_dir::{Dir, include_dir};

use super::serve;
use crate::profiles;

static FIXTURES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// What the column of answers means.
const LEGEND: &str = "\
answered: the guides' codes. PAS: A1 certified, A4 pended (what is asked, or that a person decides,
stands in its notes), NA no authorization needed. CRD: covered and pa-needed of each order.
";
/// What to do next.
const NEXT: &str = "\
How to go on:
  priorauth serve --listen 127.0.0.1:8080 --data ./data
  curl -H 'content-type: application/fhir+json' \\
    --data @fixtures/pas/approve-all-met/request.json \\
    'http://127.0.0.1:8080/pas/2.2.1/Claim/$submit'
  curl http://127.0.0.1:8080/crd/2.2/cds-services
  priorauth evaluate --format text fixtures/pas   # the whole reasoning";

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
    let rows = rows(&base).await;
    server.stop().await.context("stopping the server")?;
    let head = format!("priorauth demo: a server on {base}, with a store in a temporary folder");
    super::say(&format!("{head}\n\n{}\n{LEGEND}\n{NEXT}", table(&rows?)))
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
        ("PAS 2.2.1", "pas", "/pas/2.2.1/Claim/$submit", "application/fhir+json"),
        ("PAS 2.0.1", "pas-2.0.1", "/pas/2.0.1/Claim/$submit", "application/fhir+json"),
        ("CRD 2.2", "crd", "/crd/2.2/cds-services/order-sign-coverage", "application/json"),
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

fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
    let (story, decided, answer) =
        (width(|row| &row.story), width(|row| &row.determination), width(|row| &row.answer));
    let head = format!(
        "face       {:story$}  {:decided$}  {:answer$}      ms  why",
        "story", "decided", "answered"
    );
    let line = |row: &Row| {
        let took_ms = row.took.as_secs_f64() * 1000.0;
        let Row { face, story: name, determination, answer: codes, why, .. } = row;
        format!(
            "{face:<9}  {name:story$}  {determination:decided$}  {codes:answer$}  {took_ms:>6.1}  {why}"
        )
    };
    let lines: Vec<String> = std::iter::once(head).chain(rows.iter().map(line)).collect();
    lines.join("\n") + "\n"
}
