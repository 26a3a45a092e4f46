//! What is done with one line of a Claim, how it is stored, and how it is said.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::claim_echo::product_codings;
use super::{Service, ServiceError};
use crate::facts::{Case, CoverageStanding};
use crate::ig::pas::ReviewAction;
use crate::intake::pas_request::Line;
use crate::policy::{Determination, Verdict};
use crate::render::pas::{Authorized, LineAction, RequestedDate};
use crate::render::trace;
use crate::store::{
    ApprovalCount, Authorization, CaseState, LineRecord, NumberSeries, PolicyEdition,
};
use crate::terms::Day;
use crate::terms::date::shift;

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
    /// Needs no authorization.
    NotRequired,
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
    /// The person's decision, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) review: Option<StoredReview>,
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
        serde_json::from_str(&line.trace).unwrap_or_else(|_| StoredLine {
            item: RawValue::NULL.to_owned(),
            notes: Vec::new(),
            similar_cases: Vec::new(),
            review: None,
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
            Determination::Approve => {
                let service = case.order.service_date.when;
                Decision::Certify {
                    given_on: today,
                    valid_from: today.min(service.first()),
                    // rulings 32: the period covers the date of service.
                    valid_to: shift(today, plan.authorization.validity_days).max(service.last()),
                }
            }
            Determination::Pend => {
                Decision::Pend(verdict.needs().map(|(_, need)| need.to_owned()).collect())
            }
            Determination::Review => Decision::Pend(review_notes(verdict)),
            Determination::NotSubject => {
                let free = case.order.products.iter().any(|it| plan.is_free(&it.concept));
                match case.coverage {
                    CoverageStanding::InForce(_) if free => Decision::NotRequired,
                    CoverageStanding::InForce(_) => Decision::Pend(vec![
                        "The plan has no policy for this service; a person of the plan decides."
                            .to_owned(),
                    ]),
                    CoverageStanding::Unusable(why) => {
                        Decision::Pend(vec![format!("A person of the plan decides, as {why}.")])
                    }
                }
            }
        }
    }

    /// Gives judged lines their numbers: one authorization number for all that are certified now,
    /// and a reference number for each that is pended.
    pub(super) async fn numbered(
        &self,
        judged: Vec<JudgedLine>,
        known_authorization: Option<&str>,
    ) -> Result<Vec<LineRecord>, ServiceError> {
        let certifies = |line: &&JudgedLine| matches!(line.decision, Decision::Certify { .. });
        let authorization = match known_authorization {
            Some(number) => number.to_owned(),
            None if judged.iter().any(|line| certifies(&line)) => {
                self.new_authorization_number().await?
            }
            None => String::new(),
        };
        let pended = judged.iter().filter(|line| matches!(line.decision, Decision::Pend(_)));
        let mut references = self.new_reference_numbers(pended.count()).await?.into_iter();
        let mut lines = Vec::with_capacity(judged.len());
        for JudgedLine { decision, mut record } in judged {
            match decision {
                Decision::Certify { given_on, valid_from, valid_to } => {
                    let number = authorization.clone();
                    record.authorization =
                        Some(Authorization { number, given_on, valid_from, valid_to });
                }
                Decision::Pend(_) => record.reference_number = references.next(),
                Decision::NotRequired => {}
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
        decision: Decision,
        similar_cases: &[String],
    ) -> Result<JudgedLine, ServiceError> {
        let sequence = case.order.sequence;
        let (review_action, notes) = match &decision {
            Decision::Certify { .. } => (ReviewAction::Certified, Vec::new()),
            Decision::Pend(notes) => (ReviewAction::Pended, notes.clone()),
            Decision::NotRequired => (ReviewAction::NotRequired, Vec::new()),
        };
        let item = serde_json::value::to_raw_value(&trace::item(sequence, verdict))
            .map_err(|_| ServiceError::Internal("a trace cannot be written"))?;
        let stored =
            StoredLine { item, notes, similar_cases: similar_cases.to_vec(), review: None };
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

/// The state in which these lines leave their case.
pub(super) fn state_of(lines: &[LineRecord]) -> CaseState {
    if lines.iter().any(is_pended) { CaseState::Pended } else { CaseState::Decided }
}

/// A stored line and the item that it answers, in the words of the renderer.
pub(super) fn action<'l>(
    line: &'l LineRecord,
    stored: &'l StoredLine,
    item: Option<&'l Line<'_>>,
    service: Option<RequestedDate<'l>>,
) -> LineAction<'l> {
    let notes = stored.notes.clone();
    match (&line.authorization, &line.reference_number, &stored.review) {
        (Some(it), _, Some(StoredReview { quantity: Some(quantity), .. })) => {
            LineAction::Modified {
                number: &it.number,
                issued_on: it.given_on,
                valid_from: it.valid_from,
                valid_to: it.valid_to,
                authorized: Authorized {
                    product: item.map(product_codings).unwrap_or_default(),
                    quantity: Some(quantity),
                    service,
                },
                notes,
            }
        }
        (Some(it), _, _) => LineAction::Certified {
            number: &it.number,
            issued_on: it.given_on,
            valid_from: it.valid_from,
            valid_to: it.valid_to,
            provider: None,
            notes,
        },
        _ if line.review_action == ReviewAction::Cancelled.code() => LineAction::Cancelled,
        (None, _, Some(review)) if line.review_action == ReviewAction::NotCertified.code() => {
            let reason_codes = review.reason_codes.iter().map(String::as_str).collect();
            LineAction::Denied { reason_codes, notes }
        }
        (None, Some(reference), _) => LineAction::Pended { reference, notes },
        (None, None, _) => LineAction::NotRequired,
    }
}
