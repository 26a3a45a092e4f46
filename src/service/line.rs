//! What is done with one line of a Claim, how it is stored, and how it is said.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::claim_echo::ItemEcho;
use super::honour::Referred;
use super::scenario::Outcome;
use super::submit_claim::Incoming;
use super::{Service, ServiceError};
use crate::facts::{Case, CoverageStanding, Site};
use crate::ig::pas::ReviewAction;
use crate::policy::document::Document;
use crate::policy::{Determination, Shelf, Verdict};
use crate::render::pas::{AskedDocument, LineAction};
use crate::render::trace;
use crate::store::{
    ApprovalCount, Authorization, CaseState, LineRecord, NumberSeries, PolicyEdition,
};
use crate::terms::date::shift;
use crate::terms::{Day, Npi};

/// What the engine does with one line; it approves or pends, and never denies.
#[derive(Debug)]
pub(super) enum Decision {
    /// Authorized.
    Certify {
        /// Today.
        given_on: Day,
        /// From when it holds.
        valid_from: Day,
        /// Until when.
        valid_to: Day,
    },
    /// Open, with what is asked for or said.
    Pend(Vec<String>),
    /// Needs no authorization, or no other one than is on file; with what is said.
    NotRequired(Vec<String>),
}

/// What stands beside a line's decision in the store: to explain it, and to render it again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredLine {
    /// How the engine judged it, as [`trace::ItemTrace`].
    pub(super) item: Box<RawValue>,
    /// What is said to the provider.
    #[serde(default)]
    pub(super) notes: Vec<String>,
    /// Cases that the same client opened with the same identifiers and other content, for the
    /// reviewer to see (rulings 31).
    #[serde(default)]
    pub(super) similar_cases: Vec<String>,
    /// The documents that are asked for while the line waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) documents: Vec<StoredDocument>,
    /// The NPI of the one place where the service is to be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) site: Option<String>,
    /// How much was asked for, as a decimal; without it that is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<String>,
    /// The number of an authorization of ours that the line had before, or that it renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<String>,
    /// What was said of the order when it was signed, and what became of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) assertions: Vec<Referred>,
    /// The person's decision, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) review: Option<StoredReview>,
    /// The sandbox scenario that answered in place of a judgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scenario: Option<Outcome>,
}

/// A document that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredDocument {
    /// A LOINC attachment code.
    pub(super) loinc: String,
    /// A report type, X12 755.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<String>,
}

impl StoredDocument {
    pub(super) fn of(document: &Document) -> StoredDocument {
        StoredDocument {
            loinc: document.loinc.to_string(),
            report: document.report.as_deref().map(str::to_owned),
        }
    }
}

/// A person's decision on a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredReview {
    /// Who decided.
    pub(super) reviewer: String,
    /// The reviewer's credentials, `MD, medical director`.
    pub(super) credentials: String,
    /// The reviewer's NPI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) npi: Option<String>,
    /// Codes of the X12 external list 886.
    #[serde(default)]
    pub(super) reason_codes: Vec<String>,
    /// How much was authorized, where it is not what was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quantity: Option<String>,
}

impl StoredLine {
    /// What is stored beside a line; a trace of an older release that cannot be read says nothing.
    pub(super) fn of(line: &LineRecord) -> StoredLine {
        StoredLine::read(&line.trace)
    }

    /// The same, from its text.
    pub(super) fn read(trace: &str) -> StoredLine {
        serde_json::from_str(trace).unwrap_or_else(|_| StoredLine {
            item: RawValue::NULL.to_owned(),
            notes: Vec::new(),
            similar_cases: Vec::new(),
            documents: Vec::new(),
            site: None,
            amount: None,
            previous: None,
            assertions: Vec::new(),
            review: None,
            scenario: None,
        })
    }

    /// The text that is stored.
    pub(super) fn text(&self) -> Result<String, ServiceError> {
        serde_json::to_string(self).map_err(|_| ServiceError::Internal("a trace cannot be written"))
    }
}

/// A line that was judged, before it has its numbers.
pub(super) struct JudgedLine {
    decision: Decision,
    record: LineRecord,
}

impl Service {
    /// What is done with an order by what its evaluation came to.
    pub(super) fn decide(&self, case: Case<'_>, verdict: &Verdict, today: Day) -> Decision {
        let plan = &self.rules.plan;
        match verdict.determination {
            Determination::Approve => self.certified(case, today),
            Determination::Pend => {
                Decision::Pend(verdict.needs().map(|(_, need)| need.to_owned()).collect())
            }
            Determination::Review => Decision::Pend(review_notes(verdict)),
            Determination::NotSubject => {
                let free = !plan.free_codes(&case.order.products).is_empty();
                match case.coverage {
                    CoverageStanding::InForce(_) if free => Decision::NotRequired(Vec::new()),
                    CoverageStanding::InForce(_) => Decision::Pend(vec![
                        "The plan has no policy for this service; a person of the plan decides."
                            .to_owned(),
                    ]),
                    CoverageStanding::Unusable(unusable) => {
                        let why = &unusable.why;
                        Decision::Pend(vec![format!("A person of the plan decides, as {why}.")])
                    }
                }
            }
        }
    }

    /// An order certified today, for the plan's term.
    pub(super) fn certified(&self, case: Case<'_>, today: Day) -> Decision {
        let service = case.order.service_date.when;
        let term = shift(today, self.rules.plan.authorization.validity_days);
        Decision::Certify {
            given_on: today,
            valid_from: today.min(service.first()),
            // rulings 32: the period covers the date of service.
            valid_to: term.max(service.last()),
        }
    }

    /// Gives judged lines their numbers: one authorization number for all that are certified now,
    /// and a reference number for each that is pended; numbers that the case has stay.
    pub(super) async fn numbered(
        &self,
        incoming: &Incoming<'_, '_>,
        judged: Vec<JudgedLine>,
        before: &[LineRecord],
    ) -> Result<Vec<LineRecord>, ServiceError> {
        let certifies = |line: &JudgedLine| matches!(line.decision, Decision::Certify { .. });
        let known = before.iter().find_map(|line| line.authorization.as_ref());
        let authorization = match known {
            Some(known) => known.number.clone(),
            None if judged.iter().any(certifies) => self.new_authorization_number().await?,
            None => String::new(),
        };
        let reference = |sequence: u32| {
            let known = before.iter().find(|line| line.sequence == sequence);
            known.and_then(|line| line.reference_number.clone())
        };
        let unnumbered = judged.iter().filter(|line| {
            let is_pended = matches!(line.decision, Decision::Pend(_));
            is_pended && reference(line.record.sequence).is_none()
        });
        let mut references = self.new_reference_numbers(unnumbered.count()).await?.into_iter();
        let mut lines = Vec::with_capacity(judged.len());
        for JudgedLine { decision, mut record } in judged {
            match decision {
                Decision::Certify { given_on, valid_from, valid_to } => {
                    let number = authorization.clone();
                    record.authorization =
                        Some(Authorization { number, given_on, valid_from, valid_to });
                }
                Decision::Pend(_) => {
                    record.reference_number =
                        reference(record.sequence).or_else(|| references.next());
                }
                Decision::NotRequired(_) => {}
            }
            if let Some(script) = incoming.script {
                script.mark(&mut record)?;
            }
            lines.push(record);
        }
        lines.sort_by_key(|line| line.sequence);
        Ok(lines)
    }

    pub(super) async fn new_authorization_number(&self) -> Result<String, ServiceError> {
        let reserved = self.store.reserve_numbers(NumberSeries::Authorization, 1).await?;
        Ok(format!("{}{:010}", self.rules.plan.authorization.number_prefix, reserved.start))
    }

    pub(super) async fn new_reference_numbers(
        &self,
        count: usize,
    ) -> Result<Vec<String>, ServiceError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let reserved = self.store.reserve_numbers(NumberSeries::Reference, count).await?;
        let prefix = &self.rules.plan.authorization.reference_prefix;
        Ok(reserved.map(|number| format!("{prefix}{number:010}")).collect())
    }
}

impl JudgedLine {
    /// A line as it was judged and what is done with it.
    pub(super) fn of(
        case: Case<'_>,
        verdict: &Verdict,
        (decision, assertions): (Decision, Vec<Referred>),
        shelf: &Shelf,
        similar_cases: &[String],
    ) -> Result<JudgedLine, ServiceError> {
        let sequence = case.order.sequence;
        let (review_action, notes) = match &decision {
            Decision::Certify { .. } => (ReviewAction::Certified, Vec::new()),
            Decision::Pend(notes) => (ReviewAction::Pended, notes.clone()),
            Decision::NotRequired(notes) => (ReviewAction::NotRequired, notes.clone()),
        };
        let item = serde_json::value::to_raw_value(&trace::item(sequence, verdict))
            .map_err(|_| ServiceError::Internal("a trace cannot be written"))?;
        let documents = match &decision {
            Decision::Pend(_) => {
                shelf.documents(verdict).into_iter().map(StoredDocument::of).collect()
            }
            Decision::Certify { .. } | Decision::NotRequired(_) => Vec::new(),
        };
        let stored = StoredLine {
            item,
            notes,
            similar_cases: similar_cases.to_vec(),
            documents,
            site: only_site(&case.order.sites, shelf.judges_site(verdict))
                .map(|npi| npi.to_string()),
            amount: asked_amount(case),
            previous: None,
            assertions,
            review: None,
            scenario: None,
        };
        let product = case.order.products.iter().flat_map(|it| &it.concept.codings).next();
        let record = LineRecord {
            sequence,
            product_key: product
                .map(|coding| format!("{}|{}", coding.system.uri(), coding.code))
                .unwrap_or_default(),
            policy: verdict.policy.as_ref().and_then(|policy| {
                Some(PolicyEdition { policy_id: policy.id.to_string(), edition: policy.edition? })
            }),
            determination: verdict.determination.as_str().to_owned(),
            review_action: review_action.code().to_owned(),
            authorization: None,
            reference_number: None,
            trace: stored.text()?,
        };
        Ok(JudgedLine { decision, record })
    }
}

/// How much is asked for, where one amount is; of several the least, so that no more is taken as
/// authorized than each of them says.
fn asked_amount(case: Case<'_>) -> Option<String> {
    let amounts = case.order.amounts.iter().filter(|amount| !amount.is_of_dosage);
    let numbers = amounts.filter_map(|amount| amount.value.parse::<f64>().ok());
    numbers.min_by(f64::total_cmp).map(|it| it.to_string())
}

/// The one place of the service: the one that is named as such; where a clause judged the place
/// without any being named, what that clause looked at. None where there are several.
pub(super) fn only_site(sites: &[Site], is_judged: bool) -> Option<Npi> {
    let is_any_named = sites.iter().any(|site| site.is_named_as_site);
    let counts = |site: &&Site| site.is_named_as_site || (is_judged && !is_any_named);
    let mut numbers = sites.iter().filter(counts).map(|site| site.npi.and_then(Result::ok));
    let first = numbers.next()??;
    numbers.all(|number| number == Some(first)).then_some(first)
}

fn review_notes(verdict: &Verdict) -> Vec<String> {
    let mut notes: Vec<String> = verdict
        .reasons
        .iter()
        .map(|reason| format!("A person of the plan reviews the request: {reason}."))
        .collect();
    notes.extend(verdict.needs().map(|(_, need)| need.to_owned()));
    if notes.is_empty() {
        notes.push("A person of the plan reviews the request.".to_owned());
    }
    notes
}

/// What an answer with these lines rests on: one that authorizes something, on the authorizations
/// that the member had when it was judged (rulings 11).
pub(super) fn rests_on(lines: &[LineRecord], seen: ApprovalCount) -> Option<ApprovalCount> {
    lines.iter().any(|line| line.authorization.is_some()).then_some(seen)
}

/// Whether a line waits for something.
pub(super) fn is_pended(line: &LineRecord) -> bool {
    line.review_action == ReviewAction::Pended.code()
}

/// How many lines wait for something.
pub(super) fn waiting(lines: &[LineRecord]) -> usize {
    lines.iter().filter(|line| is_pended(line)).count()
}

/// The state in which these lines leave their case.
pub(super) fn state_of(lines: &[LineRecord]) -> CaseState {
    if lines.iter().any(is_pended) { CaseState::Pended } else { CaseState::Decided }
}

/// A stored line and the item that it answers, in the words of the renderer; the requesting
/// organization's URL and NPI, and the documents that are asked for, in the renderer's words too.
pub(super) fn action<'l>(
    line: &'l LineRecord,
    stored: &'l StoredLine,
    item: &'l ItemEcho<'_>,
    organization: Option<(&'l str, Option<Npi>)>,
    documents: impl FnOnce(&'l str) -> Vec<AskedDocument<'l>>,
) -> LineAction<'l> {
    let notes = stored.notes.clone();
    let provider = organization.and_then(|(url, npi)| {
        let is_site = npi.map(|npi| npi.to_string()) == stored.site;
        (is_site && stored.site.is_some()).then_some(url)
    });
    match (&line.authorization, &line.reference_number, &stored.review) {
        (Some(it), _, Some(StoredReview { quantity: Some(quantity), .. })) => {
            LineAction::Modified {
                number: &it.number,
                issued_on: it.given_on,
                valid_from: it.valid_from,
                valid_to: it.valid_to,
                provider,
                change: Box::new(item.change(quantity)),
                notes,
            }
        }
        (Some(it), _, _) => LineAction::Certified {
            number: &it.number,
            issued_on: it.given_on,
            valid_from: it.valid_from,
            valid_to: it.valid_to,
            provider,
            notes,
        },
        _ if line.review_action == ReviewAction::Cancelled.code() => LineAction::Cancelled,
        (None, _, Some(review)) if line.review_action == ReviewAction::NotCertified.code() => {
            let reason_codes = review.reason_codes.iter().map(String::as_str).collect();
            LineAction::Denied { reason_codes, notes }
        }
        (None, Some(reference), _) => {
            LineAction::Pended { reference, notes, documents: documents(reference) }
        }
        (None, None, _) => LineAction::NotRequired { notes },
    }
}
