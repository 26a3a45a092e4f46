//! One try: the notification is put together, sent, and its outcome noted.

use std::time::Duration;

use jiff::Timestamp;

use super::subscriptions::standing_base;
use super::{Notifier, NotifyTerms};
use crate::fhir::{Document, Rules};
use crate::ig::PasVersion;
use crate::ig::pas::PayloadContent;
use crate::intake::pas_request::{PasRequest, Profile};
use crate::intake::subscription::header_parts;
use crate::notify::Letter;
use crate::render::pas::AnswerTo;
use crate::render::pas::notification::{Envelope, Standing, Told, notification};
use crate::service::ServiceError;
use crate::service::answering::Saying;
use crate::service::world::instant;
use crate::store::{CaseFile, Delivery, Owed, StoreError, Tried};

/// The answer that an event tells of.
struct Answer {
    text: String,
    bundle_id: String,
    response_id: String,
}

impl Notifier {
    /// Tries once; when it is due again, if it is.
    pub(super) async fn attempt(&self, delivery: &Delivery) -> Option<Timestamp> {
        let subscription = &*delivery.subscription.record.id;
        let event = match delivery.owed {
            Owed::Handshake => 0,
            Owed::Event { number, .. } => number,
        };
        let failure = match self.letter(delivery).await {
            Ok(letter) => self.courier.send(&letter).await.err().map(|error| error.to_string()),
            Err(error) => {
                let cause: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(subscription, event, error = cause, "no notification was made");
                Some("the notification could not be made".to_owned())
            }
        };
        let now = self.service.now();
        let outcome = match failure {
            None => Tried::Accepted,
            Some(failure) => next_try(&self.terms, delivery, now, self.service.chance(), failure),
        };
        match &outcome {
            Tried::Accepted => tracing::info!(subscription, event, "notification accepted"),
            Tried::Again { failure, .. } => {
                let tries = delivery.tries + 1;
                tracing::info!(subscription, event, tries, failure, "notification not accepted");
            }
            Tried::GivenUp { failure } => {
                tracing::warn!(subscription, event, failure, "notification given up");
            }
        }
        if let Err(error) = self.outbox.note_try(delivery.id, now, &outcome).await {
            Notifier::not_noted(subscription, event, &error);
            // Not at once: the store has to recover first.
            tokio::time::sleep(self.terms.poll).await;
        }
        match outcome {
            Tried::Again { due_at, .. } => Some(due_at),
            Tried::Accepted | Tried::GivenUp { .. } => None,
        }
    }

    fn not_noted(subscription: &str, event: u64, error: &StoreError) {
        let cause: &(dyn std::error::Error + 'static) = error;
        tracing::error!(subscription, event, error = cause, "the outcome was not noted");
    }

    /// What is sent.
    async fn letter(&self, delivery: &Delivery) -> Result<Letter, ServiceError> {
        let record = &delivery.subscription.record;
        let version = PasVersion::from_segment(&record.guide)
            .ok_or(ServiceError::Internal("a Subscription of an unknown version"))?;
        let base = standing_base(&self.service, version);
        let (id, status_id) = (self.service.world.new_id(), self.service.world.new_id());
        let timestamp = instant(self.service.now());
        let envelope = Envelope { id: &id, status_id: &status_id, timestamp: &timestamp };
        let standing =
            Standing { base: &base, id: &record.id, status: "requested", events: 0, fault: None };
        let body = match &delivery.owed {
            Owed::Handshake => {
                let standing = Standing { events: delivery.subscription.events, ..standing };
                notification(&standing, &Told::Handshake, &envelope)?
            }
            Owed::Event { number, case_id, answer_number, happened_at } => {
                let case = self.outbox.case_then(case_id, *answer_number).await?;
                let case = case.ok_or(ServiceError::Internal("an event of no case"))?;
                let answer = self.answer(&case, version)?;
                let is_whole = record.content == PayloadContent::FullResource.code();
                let told = Told::Event {
                    number: *number,
                    happened_at: &instant(*happened_at),
                    response_id: &answer.response_id,
                    answer: is_whole.then_some((&*answer.bundle_id, &*answer.text)),
                };
                let standing = Standing { status: "active", events: *number, ..standing };
                notification(&standing, &told, &envelope)?
            }
        };
        let headers = record.headers.iter().filter_map(|line| header_parts(line));
        Ok(Letter {
            endpoint: record.endpoint.clone(),
            media_type: record.media_type.clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body,
        })
    }

    /// An answer in the words of the Subscription's version, which need not be the case's.
    fn answer(&self, case: &CaseFile, version: PasVersion) -> Result<Answer, ServiceError> {
        let text = if case.answer.guide == version.number() {
            case.answer.response.clone()
        } else {
            let unreadable = || ServiceError::Internal("a stored submission cannot be read");
            let document = Document::parse(case.submission.body.as_bytes(), Rules::Fhir);
            let document = document.map_err(|_| unreadable())?;
            let request = PasRequest::read(&document, Profile::Common).map_err(|_| unreadable())?;
            let to = AnswerTo::Submission;
            self.service
                .render(&request, &Saying { version, to, lines: &case.lines, refusal: None })?
        };
        let unreadable = || ServiceError::Internal("a stored answer cannot be read");
        let document = Document::parse(text.as_bytes(), Rules::Fhir).map_err(|_| unreadable())?;
        let bundle = document.root();
        // PAS 2.2.1 spec-30: the ClaimResponse comes first.
        let response = bundle.each("entry").find_map(|entry| entry.get("resource"));
        let bundle_id = bundle.text_of("id").ok_or_else(unreadable)?.into_owned();
        let response_id = response.and_then(|it| it.text_of("id")).ok_or_else(unreadable)?;
        let response_id = response_id.into_owned();
        Ok(Answer { text, bundle_id, response_id })
    }
}

/// When a notification that was not accepted is tried again.
///
/// The wait doubles from try to try, up to the longest; of it between a half and the whole is
/// taken, as `chance` (0 to 1) says, so that those that failed together do not come back together.
/// All waits together make up the time after which it is given up: while the service is stopped,
/// that time does not run.
/// A status says nothing of whether another try is worth while: a receiver may answer 404 or 500
/// until it is ready (rulings 41).
fn next_try(
    terms: &NotifyTerms,
    delivery: &Delivery,
    now: Timestamp,
    chance: f64,
    failure: String,
) -> Tried {
    if delivery.waited >= terms.give_up_after {
        return Tried::GivenUp { failure };
    }
    let doubled = 1_u32.checked_shl(delivery.tries).unwrap_or(u32::MAX);
    let whole = terms.first_retry.saturating_mul(doubled).min(terms.longest_retry);
    let half = whole / 2;
    // The store counts milliseconds: a wait below one would never add up.
    let wait = (half + half.mul_f64(chance.clamp(0.0, 1.0))).max(Duration::from_millis(1));
    let due_at = now.checked_add(wait).unwrap_or(now);
    Tried::Again { due_at, waited: delivery.waited.saturating_add(wait), failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoredSubscription, SubscriptionRecord, SubscriptionStatus};

    fn delivery() -> Delivery {
        Delivery {
            id: 1,
            subscription: StoredSubscription {
                record: SubscriptionRecord {
                    id: "s".into(),
                    guide: "2.2.1".into(),
                    client: "c".into(),
                    endpoint: "https://ehr.test/".into(),
                    content: "full-resource".into(),
                    media_type: "application/fhir+json".into(),
                    headers: Vec::new(),
                    end: None,
                    filters: Vec::new(),
                    resource: "{}".into(),
                },
                status: SubscriptionStatus::Active,
                is_deleted: false,
                events: 1,
                fault: None,
            },
            owed: Owed::Handshake,
            waited: Duration::ZERO,
            tries: 0,
        }
    }

    /// Every wait until it is given up.
    fn waits(terms: &NotifyTerms, chance: f64) -> Vec<Duration> {
        let (mut delivery, mut waits) = (delivery(), Vec::new());
        loop {
            match next_try(terms, &delivery, Timestamp::UNIX_EPOCH, chance, String::new()) {
                Tried::Again { due_at, waited, .. } => {
                    let wait = Timestamp::UNIX_EPOCH.duration_until(due_at).unsigned_abs();
                    assert_eq!(delivery.waited + wait, waited);
                    waits.push(wait);
                    (delivery.waited, delivery.tries) = (waited, delivery.tries + 1);
                }
                Tried::GivenUp { .. } => return waits,
                Tried::Accepted => panic!(),
            }
            assert!(waits.len() < 10_000);
        }
    }

    #[test]
    fn by_default_it_is_tried_for_more_than_ten_minutes_with_waits_that_double() {
        let terms = NotifyTerms::default();
        for chance in [0.0, 0.5, 1.0] {
            let waits = waits(&terms, chance);
            assert!(waits.iter().sum::<Duration>() >= Duration::from_mins(10), "{chance}");
            let share = 0.5 + chance / 2.0;
            for (wait, whole) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
                assert!((wait.as_secs_f64() - whole * share).abs() < 0.001, "{wait:?} {whole}");
            }
        }
    }

    #[test]
    fn with_no_time_to_give_it_is_tried_once() {
        let terms = NotifyTerms { give_up_after: Duration::ZERO, ..NotifyTerms::default() };
        assert!(waits(&terms, 0.5).is_empty());
    }
}
