//! A story told to the engine.

use serde_json::{Value, json};

use super::story::{BASE_URL, Story};
use crate::cds::HookRequest;
use crate::facts::{Authorization, Source, SourceKind};
use crate::fhir::{Document, Pool, Rules};
use crate::intake::dossier::{Dossier, HookFile};
use crate::intake::subject::Subject;
use crate::policy::{Plan, Rulebook, Verdict, evaluate};
use crate::terms::date::shift;
use crate::terms::{Day, When};

/// How long before the day of judging an authorization on file was given.
const HELD_FOR_DAYS: i64 = 365;

/// How a story reaches the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// As a PAS request.
    Claim,
    /// As an order-sign call.
    Order,
}

impl Told {
    /// In words, to stand behind "told".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Told::Claim => "as a PAS request",
            Told::Order => "as an order-sign call",
        }
    }
}

/// How a story is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// By which way it comes.
    pub told: Told,
    /// The records come in reverse order.
    pub is_backwards: bool,
    /// An order-sign call brings the Patient among the records too, as search results do.
    pub is_patient_twice: bool,
    /// The day of judging.
    pub as_of: Day,
    /// The policy that authorizations on file were given under.
    pub policy: &'a str,
    /// Numbers of authorizations in the payer's own store.
    pub authorizations: &'a [String],
}

impl Telling<'_> {
    /// What the engine says of the story's first item.
    ///
    /// # Errors
    /// The story is no request.
    pub fn judge(&self, story: &Story, rules: &Rulebook) -> Result<Verdict, String> {
        let dossier = self.dossier(story, &rules.plan)?;
        let case = dossier.cases().next().ok_or("the request has no item")?;
        Ok(evaluate(&rules.shelf, case, self.as_of))
    }

    /// The facts of the story.
    ///
    /// # Errors
    /// The story is no request.
    pub fn dossier(&self, story: &Story, plan: &Plan) -> Result<Dossier, String> {
        let (request, rules) = match self.told {
            Told::Claim => (self.claim_bundle(story)?, Rules::Fhir),
            Told::Order => (self.hook_call(story)?, Rules::Lenient),
        };
        let text = request.to_string();
        let document = Document::parse(text.as_bytes(), rules).map_err(|faults| {
            let words = faults.iter().map(|fault| format!("{}: {}", fault.place, fault.text));
            words.collect::<Vec<_>>().join("; ")
        })?;
        let mut dossier = match self.told {
            Told::Claim => claim_dossier(&document, plan, self.as_of)?,
            Told::Order => {
                let call = HookRequest::read(document.root()).map_err(|it| it.to_string())?;
                let file = HookFile::of(&call, &[]);
                file.dossier(plan, self.as_of)
            }
        };
        let held = self.authorizations.iter().map(|number| self.held(number));
        dossier.add_authorizations(held.collect());
        Ok(dossier)
    }

    /// An authorization of the product that was given some time before.
    fn held(&self, number: &str) -> Authorization {
        let source = Source {
            resource: format!("Authorization/{number}").into(),
            element: "Authorization".into(),
            date: Some(When::from(shift(self.as_of, -HELD_FOR_DAYS))),
            kind: SourceKind::Payer,
        };
        Authorization { number: Some(number.into()), policy: self.policy.into(), source }
    }

    /// The entries of a story but `first`.
    fn entries(&self, story: &Story, first: &str) -> Result<Vec<Value>, String> {
        let rest = story.iter().filter(|(handle, _)| *handle != first);
        let mut entries = rest
            .map(|(handle, resource)| entry(handle, resource))
            .collect::<Result<Vec<_>, _>>()?;
        if self.is_backwards {
            entries.reverse();
        }
        Ok(entries)
    }

    fn claim_bundle(&self, story: &Story) -> Result<Value, String> {
        let mut all = vec![entry("claim", resource(story, "claim")?)?];
        all.extend(self.entries(story, "claim")?);
        Ok(json!({
            "resourceType": "Bundle",
            "type": "collection",
            "identifier": { "system": "https://ehr.lakeside.test/submissions", "value": "SUB-1" },
            "timestamp": format!("{}T09:30:00-05:00", self.as_of),
            "entry": all,
        }))
    }

    fn hook_call(&self, story: &Story) -> Result<Value, String> {
        let mut records = story.clone();
        records.remove("claim");
        if !self.is_patient_twice {
            records.remove("pat");
        }
        let mut order = resource(story, "order")?.clone();
        if let Some(members) = order.as_object_mut() {
            members.insert("status".to_owned(), json!("draft"));
        }
        let drafts = json!({ "resourceType": "Bundle", "entry": [entry("order", &order)?] });
        let records = self.entries(&records, "order")?;
        let records = json!({ "resourceType": "Bundle", "type": "searchset", "entry": records });
        let encounter = story.contains_key("enc").then_some("enc");
        let mut context = serde_json::Map::new();
        context.insert("userId".to_owned(), json!("Practitioner/doc"));
        context.insert("patientId".to_owned(), json!("pat"));
        context.extend(encounter.map(|id| ("encounterId".to_owned(), json!(id))));
        context.insert("draftOrders".to_owned(), drafts);
        Ok(json!({
            "hook": "order-sign",
            "hookInstance": "5b0c1c54-9d4b-4d0e-8f0e-0c1d6c1f0001",
            "context": context,
            "prefetch": { "patient": resource(story, "pat")?, "records": records },
        }))
    }
}

fn claim_dossier(document: &Document<'_>, plan: &Plan, as_of: Day) -> Result<Dossier, String> {
    let mut pool = Pool::default();
    pool.add_bundle(document.root());
    let claim = pool.of_type("Claim").next().ok_or("the story has no Claim")?;
    let patient = pool.entry(claim).and_then(|entry| entry.node.get("patient"));
    let place = patient.and_then(|patient| pool.follow(patient, claim));
    let subject = Subject { place, reference: None };
    Ok(Dossier::of_claim(&pool, claim, &subject, plan, as_of))
}

fn resource<'s>(story: &'s Story, handle: &str) -> Result<&'s Value, String> {
    story.get(handle).ok_or_else(|| format!("the story has no `{handle}`"))
}

fn entry(handle: &str, resource: &Value) -> Result<Value, String> {
    let text = |name: &str| {
        let text = resource.get(name).and_then(Value::as_str);
        text.ok_or_else(|| format!("`{handle}.{name}` is no text"))
    };
    let (kind, id) = (text("resourceType")?, text("id")?);
    Ok(json!({ "fullUrl": format!("{BASE_URL}/{kind}/{id}"), "resource": resource }))
}
