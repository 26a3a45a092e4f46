//! A story told to the engine, and what it found.

use std::collections::BTreeMap;

use priorauth::cds::HookRequest;
use priorauth::facts::{Authorization, Source, SourceKind};
use priorauth::fhir::{Document, Pool, Rules};
use priorauth::intake::dossier::{Dossier, HookFile};
use priorauth::intake::subject::Subject;
use priorauth::policy::Rulebook;
use priorauth::policy::{Lack, Verdict, evaluate};
use priorauth::terms::{Day, When};
use serde_json::{Value, json};

use super::story::{BASE_URL, Story};

/// How a story reaches the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// As a PAS request.
    Claim,
    /// As an order-sign call.
    Order,
}

impl Told {
    /// What stands before a fault that only this telling shows.
    pub(super) fn label(self) -> &'static str {
        match self {
            Told::Claim => "",
            Told::Order => "as an order: ",
        }
    }
}

/// What a clause came to.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) truth: &'static str,
    pub(super) needs: Vec<String>,
    pub(super) has_counted: bool,
    pub(super) is_for_judgement: bool,
}

/// What the engine answered.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) determination: &'static str,
    pub(super) edition: Option<String>,
    pub(super) clauses: BTreeMap<String, Clause>,
    pub(super) reasons: Vec<String>,
}

/// How a story is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling<'a> {
    pub(super) told: Told,
    /// The records come in reverse order.
    pub(super) is_backwards: bool,
    /// An order-sign call brings the Patient among the records too, as search results do.
    pub(super) is_patient_twice: bool,
    pub(super) as_of: Day,
    /// Numbers of authorizations in the payer's own store.
    pub(super) authorizations: &'a [String],
}

/// What the engine says of the story's first item.
pub(super) fn judge(story: &Story, telling: Telling<'_>, profiles: &Rulebook) -> Found {
    let Telling { told, is_backwards, is_patient_twice, as_of, authorizations } = telling;
    let text = match told {
        Told::Claim => claim_bundle(story, is_backwards),
        Told::Order => hook_call(story, is_backwards, is_patient_twice),
    };
    let text = serde_json::to_string(&text).unwrap();
    let rules = match told {
        Told::Claim => Rules::Fhir,
        Told::Order => Rules::Lenient,
    };
    let document = Document::parse(text.as_bytes(), rules).unwrap_or_else(|faults| {
        panic!("{faults:?} in {text}");
    });
    let mut dossier = match told {
        Told::Claim => claim_dossier(&document, profiles, as_of),
        Told::Order => {
            let request = HookRequest::read(document.root()).unwrap();
            HookFile::of(&request).unwrap().dossier(&profiles.plan, as_of)
        }
    };
    dossier.add_authorizations(authorizations.iter().map(|number| held(number)).collect());
    let case = dossier.cases().next().expect("an item");
    Found::of(&evaluate(&profiles.shelf, case, as_of))
}

/// An authorization of the product that was given a year before.
fn held(number: &str) -> Authorization {
    let source = Source {
        resource: format!("Authorization/{number}").into(),
        element: "Authorization".into(),
        date: Some(When::parse("2025-01-10").unwrap()),
        kind: SourceKind::Payer,
    };
    Authorization { number: number.into(), policy: "amtagvi".into(), source }
}

fn claim_dossier(document: &Document<'_>, profiles: &Rulebook, as_of: Day) -> Dossier {
    let mut pool = Pool::default();
    pool.add_bundle(document.root());
    let claim = pool.of_type("Claim").next().unwrap();
    let patient = pool.entry(claim).unwrap().node.get("patient");
    let place = patient.and_then(|patient| pool.follow(patient, claim));
    let subject = Subject { place, reference: None };
    Dossier::of_claim(&pool, claim, &subject, &profiles.plan, as_of)
}

fn entry(resource: &Value) -> Value {
    let (kind, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    json!({ "fullUrl": format!("{BASE_URL}/{kind}/{id}"), "resource": resource })
}

/// The entries of a story but `first`.
fn entries(story: &Story, first: &str, is_backwards: bool) -> Vec<Value> {
    let rest = story.iter().filter(|(handle, _)| *handle != first);
    let mut entries: Vec<Value> = rest.map(|(_, resource)| entry(resource)).collect();
    if is_backwards {
        entries.reverse();
    }
    entries
}

fn claim_bundle(story: &Story, is_backwards: bool) -> Value {
    let mut all = vec![entry(&story["claim"])];
    all.extend(entries(story, "claim", is_backwards));
    json!({
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": { "system": "https://ehr.lakeside.test/submissions", "value": "SUB-1" },
        "timestamp": "2026-01-10T09:30:00-05:00",
        "entry": all,
    })
}

fn hook_call(story: &Story, is_backwards: bool, is_patient_twice: bool) -> Value {
    let mut records = story.clone();
    records.remove("claim");
    if !is_patient_twice {
        records.remove("pat");
    }
    let mut order = story["order"].clone();
    order["status"] = json!("draft");
    let mut context = json!({
        "userId": "Practitioner/doc",
        "patientId": "pat",
        "draftOrders": { "resourceType": "Bundle", "entry": [entry(&order)] },
    });
    if story.contains_key("enc") {
        context["encounterId"] = json!("enc");
    }
    let records = entries(&records, "order", is_backwards);
    let records = json!({ "resourceType": "Bundle", "type": "searchset", "entry": records });
    json!({
        "hook": "order-sign",
        "hookInstance": "5b0c1c54-9d4b-4d0e-8f0e-0c1d6c1f0001",
        "context": context,
        "prefetch": { "patient": story["pat"], "records": records },
    })
}

impl Found {
    fn of(verdict: &Verdict) -> Found {
        let clause = |finding: &priorauth::policy::Finding| {
            let clause = Clause {
                truth: finding.truth.as_str(),
                needs: finding.needs.clone(),
                has_counted: !finding.counted.is_empty(),
                is_for_judgement: finding.lack == Some(Lack::Judgement),
            };
            (finding.clause.to_string(), clause)
        };
        let edition = verdict.policy.as_ref().and_then(|policy| policy.edition);
        Found {
            determination: verdict.determination.as_str(),
            edition: edition.map(|day| day.to_string()),
            clauses: verdict.findings.iter().map(clause).collect(),
            reasons: verdict.reasons.clone(),
        }
    }

    /// What a clause came to.
    pub(super) fn truth(&self, clause: &str) -> Option<&'static str> {
        self.clauses.get(clause).map(|clause| clause.truth)
    }

    /// How another answer to the same story differs.
    pub(super) fn difference(&self, other: &Found) -> Option<String> {
        if self.determination != other.determination {
            return Some(format!("{} becomes {}", self.determination, other.determination));
        }
        self.clauses.iter().find_map(|(name, clause)| {
            let truth = other.truth(name).unwrap_or("nothing");
            (truth != clause.truth).then(|| format!("{name} {} becomes {truth}", clause.truth))
        })
    }
}
