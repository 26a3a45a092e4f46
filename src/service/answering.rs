//! A case's lines in the words of one version of the guide.

use std::borrow::Cow;

use super::claim_echo::{ItemEcho, Parties, echoed, resources};
use super::line::{StoredDocument, StoredLine, StoredReview, action};
use super::scenario::{self, Outcome};
use super::world::instant;
use super::{Service, ServiceError};
use crate::ig::PasVersion;
use crate::intake::pas_request::{Line, PasRequest};
use crate::policy::document::Document;
use crate::render::pas::{
    AnswerError, AnswerTo, AskedDocument, ClaimAnswer, EchoedIdentifier, LineAction, LineAnswer,
    ReviewedBy, inquiry_answer, must_support_bundle, response_bundle,
};
use crate::store::LineRecord;
use crate::terms::Npi;

/// What is said to one request.
pub(super) struct Saying<'s> {
    pub(super) version: PasVersion,
    pub(super) to: AnswerTo,
    pub(super) lines: &'s [LineRecord],
    /// Why the request was not processed at all.
    pub(super) refusal: Option<Refusal>,
}

/// Why a request that can be read is not processed (PAS 2.3: 200 with an error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The Claim that is to be changed is not on file for this member and client.
    UnknownPrior,
    /// What is to be changed was denied: a new request is needed (PAS 2.7).
    Denied,
    /// An item that was withdrawn comes back.
    CancelledComesBack,
    /// A sandbox scenario says so.
    Scripted,
}

impl Refusal {
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Refusal::UnknownPrior => {
                ("Claim.related.claim", "The request that is to be changed is not on file.")
            }
            Refusal::Denied => (
                "Claim.related.claim",
                "A request that was denied cannot be changed; please send a new one.",
            ),
            Refusal::CancelledComesBack => {
                ("Claim.item", "An item that was cancelled stays cancelled; please add a new one.")
            }
            Refusal::Scripted => ("Claim", "The request was not processed."),
        }
    }
}

/// What an answer borrows of the request that it answers, and of what is stored.
struct Parts<'p, 'd> {
    request: &'p PasRequest<'d>,
    saying: &'p Saying<'p>,
    bundle_id: String,
    response_id: String,
    timestamp: String,
    own_identifier: String,
    control_numbers: String,
    parties: Parties<'d>,
    sent: Option<EchoedIdentifier<'p>>,
    resources: Vec<(Cow<'d, str>, &'d str)>,
    lines: Vec<(StoredLine, ItemEcho<'d>)>,
}

impl Parts<'_, '_> {
    fn is_scripted(&self) -> bool {
        let by_line = self.lines.iter().any(|(stored, _)| stored.scenario.is_some());
        by_line || self.saying.refusal == Some(Refusal::Scripted)
    }

    fn shows_must_support(&self) -> bool {
        self.lines.iter().any(|(stored, _)| stored.scenario == Some(Outcome::MustSupport))
    }
}

impl Service {
    /// The response Bundle.
    pub(super) fn render(
        &self,
        request: &PasRequest<'_>,
        saying: &Saying<'_>,
    ) -> Result<String, ServiceError> {
        let parts = self.parts(request, saying);
        let answer = self.answer(&parts);
        if parts.shows_must_support() {
            return self.must_support(&answer);
        }
        Ok(response_bundle(&answer)?)
    }

    /// What an inquiry is answered, with each request that was found and what is said to it; the
    /// last argument is an id and a timestamp for a Bundle in which nothing was found.
    pub(super) fn render_all(
        &self,
        version: PasVersion,
        found: Vec<(&PasRequest<'_>, &Saying<'_>)>,
        head: (&str, &str),
    ) -> Result<String, ServiceError> {
        let parts: Vec<Parts<'_, '_>> =
            found.into_iter().map(|(request, saying)| self.parts(request, saying)).collect();
        // A suite looks for the elements, not for every case that its earlier runs left.
        if let Some(parts) = parts.iter().find(|parts| parts.shows_must_support()) {
            return self.must_support(&self.answer(parts));
        }
        let answers: Vec<ClaimAnswer<'_>> = parts.iter().map(|parts| self.answer(parts)).collect();
        Ok(inquiry_answer(version, &answers, head)?)
    }

    fn must_support(&self, answer: &ClaimAnswer<'_>) -> Result<String, ServiceError> {
        let ids = [self.world.new_id(), self.world.new_id()];
        Ok(must_support_bundle(answer, [&ids[0], &ids[1]])?)
    }

    fn parts<'p, 'd>(&self, request: &'p PasRequest<'d>, saying: &'p Saying<'p>) -> Parts<'p, 'd> {
        let line = |line: &LineRecord| {
            (StoredLine::of(line), ItemEcho::of(request, item_of(request, line.sequence)))
        };
        Parts {
            request,
            saying,
            bundle_id: self.world.new_id(),
            response_id: self.world.new_id(),
            timestamp: instant(self.world.now()),
            own_identifier: format!("{}/claim-response", self.terms.public_base),
            control_numbers: format!("{}/attachment", self.terms.public_base),
            parties: Parties::of(request),
            sent: request.identifier.as_ref().and_then(echoed),
            resources: resources(request),
            lines: saying.lines.iter().map(line).collect(),
        }
    }

    fn answer<'p>(&'p self, parts: &'p Parts<'p, '_>) -> ClaimAnswer<'p> {
        let Parts { request, saying, own_identifier, bundle_id, response_id, .. } = parts;
        let organization = parts.parties.organization();
        let lines = saying.lines.iter().zip(&parts.lines).map(|(line, (stored, item))| {
            let numbers = item_of(request, line.sequence).into_iter();
            let trace_numbers: Vec<_> =
                numbers.flat_map(|item| &item.trace_numbers).filter_map(echoed).collect();
            let has_trace = !trace_numbers.is_empty();
            let documents = |reference| self.asked(parts, stored, reference, has_trace);
            LineAnswer {
                sequence: line.sequence,
                trace_numbers,
                requested_for: item.requested(),
                previous: stored.previous.as_deref(),
                stay: item.stay(),
                action: action(line, stored, item, organization, documents),
            }
        });
        let reviews = parts.lines.iter().filter_map(|(stored, _)| stored.review.as_ref());
        let mut answer = ClaimAnswer {
            version: saying.version,
            to: saying.to,
            bundle_id,
            bundle_identifier: match parts.sent {
                Some(sent) => (sent.system.unwrap_or(own_identifier), sent.value),
                None => (own_identifier, bundle_id),
            },
            timestamp: &parts.timestamp,
            response_id,
            response_identifier: (own_identifier, response_id),
            claim: parts.parties.claim(request),
            echoed: parts.resources.iter().map(|(url, raw)| (&**url, *raw)).collect(),
            reviewed_by: reviews.map(reviewed_by).next(),
            lines: lines.collect(),
            notes: parts.is_scripted().then_some(scenario::NOTE).into_iter().collect(),
            errors: saying.refusal.map(|refusal| self.error(refusal)).into_iter().collect(),
        };
        // An organization that asks gives the services itself; a role is no provider that may be
        // authorized (PAS 3.18, itemAuthorizedProvider).
        let asks = request.provider.place.and_then(|place| request.pool.entry(place));
        let itself = asks.is_some_and(|entry| &*entry.kind == "Organization");
        if parts.shows_must_support() && itself {
            for line in &mut answer.lines {
                if let LineAction::Certified { provider, .. } = &mut line.action {
                    *provider = answer.claim.requestor.reference;
                }
            }
        }
        answer
    }

    /// The documents that a pended line asks for; their control numbers follow from the line's own
    /// number, so that they stay the same however often they are asked for.
    fn asked<'p>(
        &self,
        parts: &'p Parts<'p, '_>,
        stored: &'p StoredLine,
        reference: &str,
        has_trace_number: bool,
    ) -> Vec<AskedDocument<'p>> {
        // PAS 2.2.1 ainfo-3: the questionnaire is found by the line's trace number.
        let can_ask =
            |it: &&StoredDocument| has_trace_number || it.loinc != Document::QUESTIONNAIRE;
        let asked = stored.documents.iter().filter(can_ask).map(|document| AskedDocument {
            id: self.world.new_id(),
            control_number: (&parts.control_numbers, format!("{reference}-{}", document.loinc)),
            loinc: &document.loinc,
            report_type: document.report.as_deref(),
        });
        asked.collect()
    }

    fn error(&self, refusal: Refusal) -> AnswerError<'_> {
        let codes = &self.rules.plan.refusals;
        let (path, text) = refusal.in_words();
        let follow_up_code = match refusal {
            Refusal::UnknownPrior | Refusal::CancelledComesBack | Refusal::Scripted => {
                &codes.correct
            }
            Refusal::Denied => &codes.do_not_resend,
        };
        AnswerError { reason_code: &codes.reason, follow_up_code, path, text }
    }
}

fn item_of<'p, 'd>(request: &'p PasRequest<'d>, sequence: u32) -> Option<&'p Line<'d>> {
    request.lines.iter().find(|line| line.sequence == sequence)
}

fn reviewed_by(review: &StoredReview) -> ReviewedBy {
    if review.reviewer == scenario::REVIEWER {
        return ReviewedBy::Nobody;
    }
    ReviewedBy::Person(review.npi.as_deref().and_then(|npi| Npi::parse(npi).ok()))
}
