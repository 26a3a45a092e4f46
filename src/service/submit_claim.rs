//! `Claim/$submit`: judge each item, allot numbers, save, answer.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::claim_echo::{Parties, Serviced, echoed, resources, token};
use super::world::{day_of, instant};
use super::{Service, ServiceError};
use crate::facts::{Case, CoverageStanding};
use crate::fhir::{Document, Fault, Rules};
use crate::ig::PasVersion;
use crate::intake::dossier::Dossier;
use crate::intake::pas_request::{PasRequest, Profile};
use crate::intake::payer::member_id;
use crate::intake::reader::extensions;
use crate::policy::{Determination, Verdict, evaluate};
use crate::render::pas::{ClaimAnswer, LineAction, LineAnswer, response_bundle};
use crate::render::trace::{self, ItemTrace};
use crate::store::{
    AnswerRecord, Authorization, CaseId, CaseState, ContentDigest, Likeness, LineRecord,
    NumberSeries, PolicyEdition, Saved, SubmissionKey, SubmissionRecord,
};
use crate::terms::Day;
use crate::terms::date::shift;

/// How a submission ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The body is no JSON that FHIR allows.
    #[error("the body cannot be read")]
    Unreadable(Vec<Fault>),
    /// The body breaks rules of the guide.
    #[error("the request breaks rules of the guide")]
    Refused(Vec<Fault>),
    /// Nothing was wrong with the request.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

impl From<crate::store::StoreError> for SubmitError {
    fn from(error: crate::store::StoreError) -> SubmitError {
        SubmitError::Failed(error.into())
    }
}

impl From<crate::render::RenderError> for SubmitError {
    fn from(error: crate::render::RenderError) -> SubmitError {
        SubmitError::Failed(error.into())
    }
}

/// What is stored beside a line's decision, to explain it and to render it again.
#[derive(Serialize)]
struct StoredTrace<'v> {
    item: ItemTrace<'v>,
    notes: &'v [String],
    /// Cases that the same client opened with the same identifiers and other content, for the
    /// reviewer to see (rulings 31).
    similar_cases: &'v [String],
}

#[derive(Deserialize)]
struct StoredNotes {
    #[serde(default)]
    notes: Vec<String>,
}

impl Service {
    /// Answers a PAS request; saved before it is answered.
    ///
    /// The same client sending the same content again within the plan's window gets the answer of
    /// the same case (rulings 31).
    ///
    /// # Errors
    /// The request is refused with all its faults, or something of ours failed.
    pub async fn submit_claim(
        &self,
        client: &str,
        version: PasVersion,
        body: &[u8],
    ) -> Result<String, SubmitError> {
        let document = Document::parse(body, Rules::Fhir).map_err(SubmitError::Unreadable)?;
        let profile = match version {
            PasVersion::V2_0_1 => Profile::V2_0_1,
            PasVersion::V2_2_1 => Profile::V2_2_1,
        };
        let request = PasRequest::read(&document, profile).map_err(SubmitError::Refused)?;
        let now = self.world.now();
        let key = SubmissionKey {
            client: client.to_owned(),
            digest: digest(body)?,
            received_at: now,
            repeat_window: self.terms.repeat_window,
        };
        if let Some(known) = self.store.find_repeat(&key).await? {
            return self.answer_again(&request, version, &known).await;
        }
        let as_of = day_of(now);
        let plan = &self.rules.plan;
        let mut dossier =
            Dossier::of_claim(&request.pool, request.claim, &request.subject, plan, as_of);
        let member = member_id(&dossier).to_owned();
        // What another request of this member is being given now must be on file first; as this is
        // no repeat, whatever is on file was given to another request (rulings 11).
        let _turn = self.turns.take(&member).await;
        self.add_payer_facts(&mut dossier).await?;
        let likeness = Likeness {
            client: key.client.clone(),
            digest: key.digest.clone(),
            bundle_identifier: request.identifier.as_ref().and_then(token),
            claim_identifier: request.claim_identifiers.first().and_then(token),
        };
        let lines = self.judge_lines(&request, &dossier, &likeness, as_of).await?;
        let response = self.render(&request, version, &lines)?;
        let pended = lines.iter().any(|line| line.reference_number.is_some());
        let case_id = CaseId::parse(&self.world.new_id())
            .map_err(|_| ServiceError::Internal("a new id is no case id"))?;
        let record = SubmissionRecord {
            key,
            bundle_identifier: likeness.bundle_identifier,
            claim_identifier: likeness.claim_identifier,
            body: document_text(body),
            case_id: case_id.clone(),
            member_id: member,
            answer: AnswerRecord {
                guide: version.number().to_owned(),
                response,
                given_at: now,
                state: if pended { CaseState::Pended } else { CaseState::Decided },
                lines,
            },
        };
        match self.store.save_submission(&record).await? {
            Saved::Stored => {
                let guide = version.number();
                tracing::info!(case = %case_id, client, guide, pended, "claim answered");
                Ok(record.answer.response)
            }
            // Another request with the same content was faster: its answer is the answer.
            Saved::AlreadyThere(known) => self.answer_again(&request, version, &known).await,
        }
    }

    /// Judges every item, decides what is done with it, and gives it its number.
    async fn judge_lines(
        &self,
        request: &PasRequest<'_>,
        dossier: &Dossier,
        likeness: &Likeness,
        as_of: Day,
    ) -> Result<Vec<LineRecord>, SubmitError> {
        let judged: Vec<(u32, Verdict, Decision)> = dossier
            .cases()
            .map(|case| {
                let verdict = evaluate(&self.rules.shelf, case, as_of);
                let decision = match self.decide(case, &verdict, as_of) {
                    Decision::Certify { .. } if !asks_anew(request, case.order.sequence) => {
                        Decision::Pend(vec![NOT_ANEW.to_owned()])
                    }
                    decision => decision,
                };
                (case.order.sequence, verdict, decision)
            })
            .collect();
        let numbers = self.numbers(&judged).await?;
        let similar = self.store.similar_submissions(likeness).await?;
        let similar: Vec<String> = similar.iter().map(ToString::to_string).collect();
        let lines = judged.iter().zip(dossier.cases()).map(|((_, verdict, decision), case)| {
            line_record(case, verdict, decision, &numbers, &similar)
        });
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// The stored answer of a case; in the words of another version where it is asked there.
    async fn answer_again(
        &self,
        request: &PasRequest<'_>,
        version: PasVersion,
        known: &crate::store::StoredAnswer,
    ) -> Result<String, SubmitError> {
        tracing::info!(case = %known.case_id, "repeat answered from the store");
        if known.guide == version.number() {
            return Ok(known.response.clone());
        }
        let case = self.store.case(&known.case_id).await?;
        let case = case.ok_or(ServiceError::Internal("a stored answer has no case"))?;
        Ok(self.render(request, version, &case.lines)?)
    }

    /// What is done with a line; the engine approves or pends, and never denies.
    fn decide(&self, case: Case<'_>, verdict: &Verdict, today: Day) -> Decision {
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

    /// Numbers for the decisions: one authorization number for the whole answer, and one
    /// reference number for each pended line.
    async fn numbers(&self, judged: &[(u32, Verdict, Decision)]) -> Result<Numbers, SubmitError> {
        let terms = &self.rules.plan.authorization;
        let certified = judged.iter().any(|(_, _, it)| matches!(it, Decision::Certify { .. }));
        let pended = judged.iter().filter(|(_, _, it)| matches!(it, Decision::Pend(_))).count();
        let pended = u32::try_from(pended).unwrap_or(u32::MAX);
        let mut numbers = Numbers::default();
        if certified {
            let reserved = self.store.reserve_numbers(NumberSeries::Authorization, 1).await?;
            numbers.authorization = format!("{}{:010}", terms.number_prefix, reserved.start);
        }
        if pended > 0 {
            let reserved = self.store.reserve_numbers(NumberSeries::Reference, pended).await?;
            let pended = judged.iter().filter(|(_, _, it)| matches!(it, Decision::Pend(_)));
            numbers.references = pended
                .zip(reserved)
                .map(|((sequence, _, _), number)| {
                    (*sequence, format!("{}{number:010}", terms.reference_prefix))
                })
                .collect();
        }
        Ok(numbers)
    }

    fn render(
        &self,
        request: &PasRequest<'_>,
        version: PasVersion,
        lines: &[LineRecord],
    ) -> Result<String, ServiceError> {
        let (bundle_id, response_id) = (self.world.new_id(), self.world.new_id());
        let timestamp = instant(self.world.now());
        let parties = Parties::of(request);
        let own_identifier = format!("{}/claim-response", self.terms.public_base);
        let sent = request.identifier.as_ref().and_then(echoed);
        let resources = resources(request);
        let line_of = |sequence: u32| request.lines.iter().find(|line| line.sequence == sequence);
        let parts: Vec<(Vec<String>, Serviced<'_>)> = lines
            .iter()
            .map(|line| (notes_of(line), Serviced::of(line_of(line.sequence))))
            .collect();
        let answer = ClaimAnswer {
            version,
            bundle_id: &bundle_id,
            bundle_identifier: match sent {
                Some(sent) => (sent.system.unwrap_or(&own_identifier), sent.value),
                None => (&own_identifier, &bundle_id),
            },
            timestamp: &timestamp,
            response_id: &response_id,
            response_identifier: (&own_identifier, &response_id),
            claim: parties.claim(request),
            echoed: resources.iter().map(|(url, raw)| (&**url, *raw)).collect(),
            lines: lines
                .iter()
                .zip(&parts)
                .map(|(line, (notes, serviced))| LineAnswer {
                    sequence: line.sequence,
                    trace_numbers: line_of(line.sequence)
                        .into_iter()
                        .flat_map(|line| line.trace_numbers.iter().filter_map(echoed))
                        .collect(),
                    requested_for: serviced.requested(),
                    action: action(line, notes),
                })
                .collect(),
        };
        Ok(response_bundle(&answer)?)
    }
}

/// What is noted on a line that would be certified if it asked for something new.
const NOT_ANEW: &str = "A person of the plan handles requests to cancel, renew or change an \
    authorization.";

/// Whether a line asks for a first authorization: a request to cancel one is not approved, however
/// well its treatment is proven (X12 1322 `I`; absent counts as it).
fn asks_anew(request: &PasRequest<'_>, sequence: u32) -> bool {
    let claim = request.pool.entry(request.claim).map(|entry| entry.node);
    let item = request.lines.iter().find(|line| line.sequence == sequence).map(|line| line.node);
    let kinds = claim
        .into_iter()
        .chain(item)
        .flat_map(|node| extensions(node, "extension-certificationType"));
    let codings = kinds
        .filter_map(|kind| kind.get("valueCodeableConcept"))
        .flat_map(|concept| concept.each("coding").collect::<Vec<_>>());
    codings.filter_map(|coding| coding.text_of("code")).all(|code| code == "I")
}

/// What is done with one line.
enum Decision {
    Certify { given_on: Day, valid_from: Day, valid_to: Day },
    Pend(Vec<String>),
    NotRequired,
}

#[derive(Default)]
struct Numbers {
    authorization: String,
    references: Vec<(u32, String)>,
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

fn line_record(
    case: Case<'_>,
    verdict: &Verdict,
    decision: &Decision,
    numbers: &Numbers,
    similar_cases: &[String],
) -> Result<LineRecord, ServiceError> {
    let sequence = case.order.sequence;
    let notes: &[String] = match decision {
        Decision::Pend(notes) => notes,
        Decision::Certify { .. } | Decision::NotRequired => &[],
    };
    let stored = StoredTrace { item: trace::item(sequence, verdict), notes, similar_cases };
    let trace = serde_json::to_string(&stored)
        .map_err(|_| ServiceError::Internal("a trace cannot be written"))?;
    let (review_action, authorization, reference_number) = match decision {
        Decision::Certify { given_on, valid_from, valid_to } => {
            let authorization = Authorization {
                number: numbers.authorization.clone(),
                given_on: *given_on,
                valid_from: *valid_from,
                valid_to: *valid_to,
            };
            ("A1", Some(authorization), None)
        }
        Decision::Pend(_) => {
            let own = numbers.references.iter().find(|(known, _)| *known == sequence);
            ("A4", None, own.map(|(_, number)| number.clone()))
        }
        Decision::NotRequired => ("NA", None, None),
    };
    let product = case.order.products.iter().flat_map(|it| &it.concept.codings).next();
    Ok(LineRecord {
        sequence,
        product_key: product
            .map(|coding| format!("{}|{}", coding.system.uri(), coding.code))
            .unwrap_or_default(),
        policy: verdict.policy.as_ref().and_then(|policy| {
            Some(PolicyEdition { policy_id: policy.id.to_string(), edition: policy.edition? })
        }),
        determination: verdict.determination.as_str().to_owned(),
        review_action: review_action.to_owned(),
        authorization,
        reference_number,
        trace,
    })
}

fn notes_of(line: &LineRecord) -> Vec<String> {
    serde_json::from_str::<StoredNotes>(&line.trace).map(|stored| stored.notes).unwrap_or_default()
}

/// A stored line in the words of the renderer.
fn action<'l>(line: &'l LineRecord, notes: &[String]) -> LineAction<'l> {
    match (&line.authorization, &line.reference_number) {
        (Some(authorization), _) => LineAction::Certified {
            number: &authorization.number,
            issued_on: authorization.given_on,
            valid_from: authorization.valid_from,
            valid_to: authorization.valid_to,
            provider: None,
        },
        (None, Some(reference)) => LineAction::Pended { reference, notes: notes.to_vec() },
        (None, None) => LineAction::NotRequired,
    }
}

fn digest(body: &[u8]) -> Result<ContentDigest, ServiceError> {
    let digest = Sha256::digest(body);
    let mut text = String::with_capacity(64);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    ContentDigest::parse(&text).map_err(|_| ServiceError::Internal("a digest is no digest"))
}

/// The body passed the strict walk and is therefore UTF-8.
fn document_text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}
