//! Notifications: what the outbox owes is sent, in order, until it is accepted or given up.
//!
//! Another process may add to the outbox; therefore it is looked at again and again, and not only
//! when this process has added something.
//! A notification is noted as accepted after it was: one that was accepted just before a kill is
//! sent a second time, with the same number.

mod attempt;
pub mod subscriptions;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Service;
use crate::notify::Courier;
use crate::store::{Delivery, Outbox, StoreError};

/// What an operator sets of notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifyTerms {
    /// How long is waited after the first failure; it doubles with each further one.
    pub first_retry: Duration,
    /// How long is waited at most.
    pub longest_retry: Duration,
    /// For how long a notification is tried, all waits together (rulings 41).
    pub give_up_after: Duration,
    /// How many are on their way at the same time; to one endpoint it is never more than one.
    pub at_once: u32,
    /// How often the outbox is looked at.
    pub poll: Duration,
}

impl Default for NotifyTerms {
    fn default() -> NotifyTerms {
        NotifyTerms {
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_mins(1),
            give_up_after: Duration::from_mins(30),
            at_once: 8,
            poll: Duration::from_millis(500),
        }
    }
}

/// Subscriptions, and who sends what they are owed.
pub struct Notifier {
    service: Arc<Service>,
    outbox: Arc<dyn Outbox>,
    courier: Arc<dyn Courier>,
    terms: NotifyTerms,
}

/// What became of one try.
struct Ended {
    endpoint: String,
    /// When the same notification is due again.
    again_at: Option<Timestamp>,
}

/// What is on its way.
#[derive(Default)]
struct OnTheWay {
    tries: JoinSet<Ended>,
    busy: Vec<String>,
    /// When failed ones are due again, of those that failed here.
    awaited: Vec<Timestamp>,
}

impl Notifier {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        service: Arc<Service>,
        outbox: Arc<dyn Outbox>,
        courier: Arc<dyn Courier>,
        terms: NotifyTerms,
    ) -> Notifier {
        Notifier { service, outbox, courier, terms }
    }

    /// Sends what is due until it is told to stop; what is on its way then is waited for.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut on_the_way = OnTheWay::default();
        while !*stop.borrow() {
            if let Err(error) = self.start_due(&mut on_the_way).await {
                let cause: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(error = cause, "the outbox cannot be read");
            }
            let pause = on_the_way.pause(self.service.now(), self.terms.poll);
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { break },
                Some(ended) = on_the_way.tries.join_next() => on_the_way.note(ended),
                () = self.service.news.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while on_the_way.tries.join_next().await.is_some() {}
    }

    /// Starts what is due and has room, and turns off what ended.
    async fn start_due(self: &Arc<Self>, on_the_way: &mut OnTheWay) -> Result<(), StoreError> {
        let at_once = usize::try_from(self.terms.at_once).unwrap_or(usize::MAX);
        let now = self.service.now();
        self.outbox.end_subscriptions(now).await?;
        while on_the_way.tries.len() < at_once {
            let room = self.terms.at_once;
            let due = self.outbox.due_deliveries(now, &on_the_way.busy, room).await?;
            if due.is_empty() {
                break;
            }
            for delivery in due {
                let endpoint = &delivery.subscription.record.endpoint;
                // Two Subscriptions may have the same endpoint: the other one waits.
                if on_the_way.tries.len() < at_once && !on_the_way.busy.contains(endpoint) {
                    on_the_way.busy.push(endpoint.clone());
                    on_the_way.tries.spawn(Arc::clone(self).sent(delivery));
                }
            }
        }
        Ok(())
    }

    async fn sent(self: Arc<Self>, delivery: Delivery) -> Ended {
        let again_at = self.attempt(&delivery).await;
        Ended { endpoint: delivery.subscription.record.endpoint, again_at }
    }
}

impl OnTheWay {
    fn note(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        // A try that panicked is a defect of ours; its endpoint would stay busy for ever.
        let Ok(ended) = ended else {
            tracing::error!("sending a notification panicked");
            self.busy.clear();
            return;
        };
        self.busy.retain(|endpoint| *endpoint != ended.endpoint);
        self.awaited.extend(ended.again_at);
    }

    /// How long there is nothing to do, as far as is known here.
    fn pause(&mut self, now: Timestamp, poll: Duration) -> Duration {
        self.awaited.retain(|at| *at > now);
        let soonest = self.awaited.iter().min().map(|at| now.duration_until(*at).unsigned_abs());
        // A millisecond more: the store's times are cut to milliseconds.
        soonest.map_or(poll, |soonest| poll.min(soonest + Duration::from_millis(1)))
    }
}
