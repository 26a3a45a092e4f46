//! A whole decision against the floor of reading the same bytes.
//!
//! `cargo bench --bench decision` measures, on one Bundle and one hook call of about 50 KB each:
//! - `floor`: the strict walk, and `serde_json::Value` parsed from the same bytes;
//! - `evaluate`: facts to determination alone, of the fixture as it is, and grown;
//! - `intake` against `scan`, on a Bundle of 187 entries and 1 MB: bytes to facts, and the strict
//!   walk over the same bytes;
//! - `decision`: everything that a request costs without the network and without the disk: read,
//!   facts, evaluate, render. The store is one that keeps nothing.

#![expect(
    clippy::expect_used,
    reason = "a bench stops at the first thing that is not as it should be"
)]

use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use priorauth::cds::{Hook, HookRequest};
use priorauth::fhir::{Document, Rules};
use priorauth::ig::{CrdVersion, PasVersion};
use priorauth::intake::dossier::{Dossier, HookFile};
use priorauth::intake::pas_request::{PasRequest, Profile};
use priorauth::policy::{Determination, Plan, evaluate};
use priorauth::profiles;
use priorauth::service::scenario::Scenarios;
use priorauth::service::{RealWorld, Service, Terms};
use priorauth::store::{
    Answered, CaseFile, CaseId, CaseSummary, FeedbackCount, FeedbackRecord, HookCallRecord,
    ImportId, ImportRecord, Judgement, Likeness, NextAnswer, NumberSeries, PayerFacts,
    ReceivedRequest, RequestPlace, Saved, Store, StoreError, StoreFuture, StoredAnswer,
    StoredAssertion, SubmissionKey, SubmissionRecord,
};
use priorauth::terms::{Day, Npi};
use serde_json::{Value, json};

/// How large the measured requests are.
const SIZE: usize = 50 * 1024;

/// The large Bundle: this many entries,
const LARGE_ENTRIES: usize = 187;
/// and this many bytes.
const LARGE_SIZE: usize = 1_000_000;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/{name}/request.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a fixture")
}

/// A fixture, grown to [`SIZE`] with laboratory results that no clause reads.
fn grown(name: &str, entries: &str) -> Vec<u8> {
    let mut request: Value = serde_json::from_slice(&fixture(name)).expect("JSON");
    let patient = request.pointer(entries).and_then(find_patient).expect("a patient");
    let mut number = 0;
    loop {
        let bytes = serde_json::to_vec_pretty(&request).expect("JSON");
        if bytes.len() >= SIZE {
            return bytes;
        }
        let list = request.pointer_mut(entries).and_then(Value::as_array_mut).expect("entries");
        for _ in 0..4 {
            number += 1;
            list.push(laboratory_result(number, &patient));
        }
    }
}

/// A fixture, grown to [`LARGE_ENTRIES`] and [`LARGE_SIZE`] with large laboratory results.
fn large(name: &str) -> Vec<u8> {
    let mut request: Value = serde_json::from_slice(&fixture(name)).expect("JSON");
    let patient = request.pointer("/entry").and_then(find_patient).expect("a patient");
    let length = serde_json::to_vec(&request).expect("JSON").len();
    let list = request.pointer_mut("/entry").and_then(Value::as_array_mut).expect("entries");
    let missing = LARGE_ENTRIES - list.len();
    let each = (LARGE_SIZE - length) / missing;
    for number in 0..missing {
        let mut result = laboratory_result(number, &patient);
        let component = json!({
            "code": {"coding": [{"system": "http://loinc.org", "code": "2532-0", "display": "Lactate"}]},
            "valueQuantity": {"value": 190.5, "unit": "U/L", "system": "http://unitsofmeasure.org", "code": "U/L"}
        });
        let size = |it: &Value| serde_json::to_vec(it).expect("JSON").len();
        let count = (each - size(&result)) / size(&component);
        let resource = result.pointer_mut("/resource").and_then(Value::as_object_mut);
        let components = Value::Array(vec![component; count]);
        resource.expect("a resource").insert("component".to_owned(), components);
        list.push(result);
    }
    serde_json::to_vec(&request).expect("JSON")
}

fn find_patient(entries: &Value) -> Option<String> {
    let subject = entries
        .as_array()?
        .iter()
        .find_map(|entry| entry.pointer("/resource/subject/reference").and_then(Value::as_str));
    subject.map(str::to_owned)
}

fn laboratory_result(number: usize, patient: &str) -> Value {
    json!({
        "fullUrl": format!("https://ehr.lakeside.test/fhir/Observation/lab-{number}"),
        "resource": {
            "resourceType": "Observation",
            "id": format!("lab-{number}"),
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2532-0"}]},
            "subject": {"reference": patient},
            "effectiveDateTime": "2026-11-10T08:15:00Z",
            "valueQuantity": {"value": 190.5, "unit": "U/L", "system": "http://unitsofmeasure.org", "code": "U/L"}
        }
    })
}

fn service() -> Service {
    let terms = Terms {
        public_base: "https://payer.priorauth.test".to_owned(),
        repeat_window: Duration::ZERO,
        inquiry_retention: Duration::ZERO,
        tells_actions: false,
        scenarios: Scenarios::default(),
    };
    let rules = profiles::embedded().expect("the embedded profiles");
    Service::new(rules, Arc::new(Nothing), Arc::new(RealWorld), terms)
}

fn submit(criterion: &mut Criterion) {
    let body = grown("pas/approve-all-met", "/entry");
    let service = service();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(service.submit_claim("bench", PasVersion::V2_2_1, &body));
    assert!(answer.expect("an answer").contains("\"A1\""));
    let mut group = criterion.benchmark_group("submit");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("floor", |bencher| bencher.iter(|| floor(&body, Rules::Fhir)));
    group.bench_function("decision", |bencher| {
        bencher.iter(|| {
            let submitted = service.submit_claim("bench", PasVersion::V2_2_1, black_box(&body));
            runtime.block_on(submitted).expect("an answer")
        });
    });
    let rules = profiles::embedded().expect("the embedded profiles");
    let as_of = "2026-11-25".parse().expect("a day");
    for (name, body) in [("evaluate", fixture("pas/approve-all-met")), ("evaluate-grown", body)] {
        let document = Document::parse(&body, Rules::Fhir).expect("JSON");
        let dossier = facts(&document, &rules.plan, as_of);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for case in dossier.cases() {
                    let verdict = evaluate(&rules.shelf, case, as_of);
                    assert_eq!(black_box(verdict).determination, Determination::Approve);
                }
            });
        });
    }
    group.finish();
}

fn facts(document: &Document<'_>, plan: &Plan, as_of: Day) -> Dossier {
    let request = PasRequest::read(document, Profile::V2_2_1).expect("a request");
    Dossier::of_claim(&request.pool, request.claim, &request.subject, plan, as_of)
}

fn intake(criterion: &mut Criterion) {
    let body = large("pas/approve-all-met");
    let rules = profiles::embedded().expect("the embedded profiles");
    let as_of = "2026-11-25".parse().expect("a day");
    let mut group = criterion.benchmark_group("large");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("scan", |bencher| {
        bencher.iter(|| {
            let document = Document::parse(black_box(&body), Rules::Fhir).expect("JSON");
            black_box(document.root().kind())
        });
    });
    group.bench_function("intake", |bencher| {
        bencher.iter(|| {
            let document = Document::parse(black_box(&body), Rules::Fhir).expect("JSON");
            black_box(facts(&document, &rules.plan, as_of)).gaps.len()
        });
    });
    group.finish();
}

fn order_sign(criterion: &mut Criterion) {
    let body = grown("crd/approve-all-met", "/prefetch/observations/entry");
    let service = service();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer =
        runtime.block_on(service.answer_hook("bench", Hook::OrderSign, CrdVersion::V2_2, &body));
    assert!(answer.expect("an answer").contains("auth-needed"));
    let mut group = criterion.benchmark_group("order-sign");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("floor", |bencher| bencher.iter(|| floor(&body, Rules::Lenient)));
    group.bench_function("decision", |bencher| {
        bencher.iter(|| {
            let answered =
                service.answer_hook("bench", Hook::OrderSign, CrdVersion::V2_2, black_box(&body));
            runtime.block_on(answered).expect("an answer")
        });
    });
    group.finish();
    // The call that was measured is one that is really judged.
    let document = Document::parse(&body, Rules::Lenient).expect("JSON");
    let request = HookRequest::read(document.root()).expect("a call");
    assert_eq!(HookFile::of(&request, &[]).asked.len(), 1);
}

/// What any server would have to do first.
fn floor(body: &[u8], rules: Rules) -> (usize, Value) {
    let document = Document::parse(black_box(body), rules).expect("JSON");
    let value: Value = serde_json::from_slice(black_box(body)).expect("JSON");
    (document.root().members().count(), value)
}

criterion_group!(benches, submit, order_sign, intake);
criterion_main!(benches);

/// A store that keeps nothing and knows nothing.
struct Nothing;

fn done<T: Send + 'static>(value: T) -> StoreFuture<'static, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for Nothing {
    fn find_repeat<'a>(&'a self, _: &'a SubmissionKey) -> StoreFuture<'a, Option<StoredAnswer>> {
        done(None)
    }

    fn save_submission<'a>(&'a self, _: &'a SubmissionRecord) -> StoreFuture<'a, Saved> {
        done(Saved::Stored)
    }

    fn reserve_numbers(&self, _: NumberSeries, count: u32) -> StoreFuture<'_, Range<u64>> {
        done(1..u64::from(count) + 1)
    }

    fn payer_facts<'a>(&'a self, _: &'a str, _: &'a [Npi]) -> StoreFuture<'a, PayerFacts> {
        done(PayerFacts::default())
    }

    fn begin_import(&self, _: Timestamp) -> StoreFuture<'_, ImportId> {
        Box::pin(std::future::ready(Err(StoreError::Closed { attempt: "import" })))
    }

    fn add_to_import<'a>(
        &'a self,
        _: ImportId,
        _: &'a [ImportRecord],
    ) -> StoreFuture<'a, Vec<usize>> {
        done(Vec::new())
    }

    fn finish_import(&self, _: ImportId) -> StoreFuture<'_, ()> {
        done(())
    }

    fn tidy_imports(&self) -> StoreFuture<'_, bool> {
        done(false)
    }

    fn similar_submissions<'a>(&'a self, _: &'a Likeness) -> StoreFuture<'a, Vec<CaseId>> {
        done(Vec::new())
    }

    fn received_requests(
        &self,
        _: Option<RequestPlace>,
        _: u32,
    ) -> StoreFuture<'_, Vec<ReceivedRequest>> {
        done(Vec::new())
    }

    fn save_hook_call<'a>(&'a self, _: &'a HookCallRecord) -> StoreFuture<'a, ()> {
        done(())
    }

    fn assertion<'a>(&'a self, _: &'a str) -> StoreFuture<'a, Option<StoredAssertion>> {
        done(None)
    }

    fn judgement_of_assertion<'a>(&'a self, _: &'a str) -> StoreFuture<'a, Option<Judgement>> {
        done(None)
    }

    fn judgements_of_case<'a>(&'a self, _: &'a CaseId) -> StoreFuture<'a, Vec<Judgement>> {
        done(Vec::new())
    }

    fn save_feedback<'a>(&'a self, _: &'a [FeedbackRecord]) -> StoreFuture<'a, usize> {
        done(0)
    }

    fn feedback_counts(&self) -> StoreFuture<'_, Vec<FeedbackCount>> {
        done(Vec::new())
    }

    fn case<'a>(&'a self, _: &'a CaseId) -> StoreFuture<'a, Option<CaseFile>> {
        done(None)
    }

    fn pended_cases_of<'a>(
        &'a self,
        _: &'a [&'a str],
        _: u32,
    ) -> StoreFuture<'a, Vec<CaseSummary>> {
        done(Vec::new())
    }

    fn pending_cases(&self, _: u32) -> StoreFuture<'_, Vec<CaseSummary>> {
        done(Vec::new())
    }

    fn save_answer<'a>(&'a self, _: &'a NextAnswer) -> StoreFuture<'a, Answered> {
        done(Answered::NoSuchCase)
    }

    fn case_of_number<'a>(&'a self, _: &'a str) -> StoreFuture<'a, Option<CaseId>> {
        done(None)
    }

    fn cases_of<'a>(&'a self, _: &'a str, _: u32) -> StoreFuture<'a, Vec<CaseId>> {
        done(Vec::new())
    }

    fn case_of_claim<'a>(&'a self, _: &'a str, _: &'a str) -> StoreFuture<'a, Option<CaseId>> {
        done(None)
    }

    fn ready(&self) -> StoreFuture<'_, ()> {
        done(())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        done(())
    }
}
