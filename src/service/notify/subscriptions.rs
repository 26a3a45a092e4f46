//! Subscriptions: made, read, changed and turned off by the client whose they are.
//!
//! To everybody else there is none of that id, and at the other version's endpoint neither.

use std::time::Duration;

use serde_json::{Value, json};

use super::Notifier;
use crate::fhir::{Document, Fault, FaultKind, Rules};
use crate::ig::PasVersion;
use crate::intake::subscription::SubscriptionRequest;
use crate::render::pas::notification::{Envelope, Standing, status_answer};
use crate::service::world::instant;
use crate::service::{Service, ServiceError};
use crate::store::{StoreError, StoredSubscription, SubscriptionRecord, SubscriptionStatus};

/// Most Subscriptions that one client may have.
const MOST_SUBSCRIPTIONS: u32 = 1000;
/// How long the handshake waits, so that the answer to the client is there first (rulings 41).
const HANDSHAKE_DELAY: Duration = Duration::from_millis(250);

/// Why nothing was done with a Subscription.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The body is no JSON that FHIR allows.
    #[error("the body cannot be read")]
    Unreadable(Vec<Fault>),
    /// The Subscription asks for what is not done here.
    #[error("the Subscription is refused")]
    Refused(Vec<Fault>),
    /// There is none of this id, or it is another client's.
    #[error("there is no such Subscription")]
    NotFound,
    /// It was deleted.
    #[error("the Subscription was deleted")]
    Gone,
    /// Something of ours failed.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

impl From<StoreError> for SubscriptionError {
    fn from(error: StoreError) -> SubscriptionError {
        SubscriptionError::Failed(error.into())
    }
}

/// A Subscription as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its URL, below the public base (rulings 33).
    pub url: String,
    /// The resource.
    pub text: String,
}

/// The public base of an endpoint.
pub(super) fn standing_base(service: &Service, version: PasVersion) -> String {
    format!("{}{}", service.terms().public_base, version.path())
}

impl Notifier {
    /// Makes a Subscription. The handshake follows.
    ///
    /// # Errors
    /// See [`SubscriptionError`]; nothing was stored.
    pub async fn subscribe(
        &self,
        client: &str,
        version: PasVersion,
        body: &[u8],
    ) -> Result<Shown, SubscriptionError> {
        let document = Document::parse(body, Rules::Fhir).map_err(SubscriptionError::Unreadable)?;
        let request = self.read(&document, version)?;
        if request.is_off {
            let text = "a Subscription that is off from the start is not stored";
            return Err(refused(FaultKind::Value, "Subscription.status", text));
        }
        let record = record(&request, self.service.world.new_id(), client, version);
        let handshake_at = self.handshake_at();
        if !self.outbox.add_subscription(&record, handshake_at, MOST_SUBSCRIPTIONS).await? {
            let text = format!("a client has at most {MOST_SUBSCRIPTIONS} Subscriptions");
            return Err(refused(FaultKind::TooLong, "$this", &text));
        }
        tracing::info!(subscription = &*record.id, client, "subscription made");
        self.show(version, &record, SubscriptionStatus::Requested, None)
    }

    /// A Subscription as it stands now.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn subscription(
        &self,
        client: &str,
        version: PasVersion,
        id: &str,
    ) -> Result<Shown, SubscriptionError> {
        let stored = self.own(client, version, id).await?;
        self.show(version, &stored.record, stored.status, stored.fault.as_deref())
    }

    /// Changes a Subscription: it shakes hands again, or is off.
    ///
    /// # Errors
    /// See [`SubscriptionError`]; nothing was changed.
    pub async fn change_subscription(
        &self,
        client: &str,
        version: PasVersion,
        id: &str,
        body: &[u8],
    ) -> Result<Shown, SubscriptionError> {
        let stored = self.own(client, version, id).await?;
        let document = Document::parse(body, Rules::Fhir).map_err(SubscriptionError::Unreadable)?;
        let request = self.read(&document, version)?;
        // FHIR R4 http.html#update: the body has the id of the URL.
        if request.id.as_deref() != Some(&*stored.record.id) {
            let text = "the id of the URL is expected";
            return Err(refused(FaultKind::Value, "Subscription.id", text));
        }
        let record = record(&request, stored.record.id, client, version);
        if request.is_off {
            self.outbox.turn_off_subscription(&record.id, Some(&record.resource), false).await?;
            tracing::info!(subscription = &*record.id, client, "subscription turned off");
            return self.show(version, &record, SubscriptionStatus::Off, None);
        }
        if !self.outbox.replace_subscription(&record, self.handshake_at()).await? {
            return Err(SubscriptionError::Gone);
        }
        tracing::info!(subscription = &*record.id, client, "subscription changed");
        self.show(version, &record, SubscriptionStatus::Requested, None)
    }

    /// Deletes a Subscription; what it is owed is not sent any more. To delete it again is no
    /// fault.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn unsubscribe(
        &self,
        client: &str,
        version: PasVersion,
        id: &str,
    ) -> Result<(), SubscriptionError> {
        match self.own(client, version, id).await {
            Ok(stored) => {
                self.outbox.turn_off_subscription(&stored.record.id, None, true).await?;
                tracing::info!(subscription = id, client, "subscription deleted");
                Ok(())
            }
            Err(SubscriptionError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What `$status` answers.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn subscription_status(
        &self,
        client: &str,
        version: PasVersion,
        id: &str,
    ) -> Result<String, SubscriptionError> {
        let stored = self.own(client, version, id).await?;
        let base = standing_base(&self.service, version);
        let (id, status_id) = (self.service.world.new_id(), self.service.world.new_id());
        let timestamp = instant(self.service.now());
        let standing = Standing {
            base: &base,
            id: &stored.record.id,
            status: stored.status.as_str(),
            events: stored.events,
            fault: stored.fault.as_deref(),
        };
        let envelope = Envelope { id: &id, status_id: &status_id, timestamp: &timestamp };
        Ok(status_answer(&standing, &envelope).map_err(ServiceError::from)?)
    }

    fn read<'d>(
        &self,
        document: &'d Document<'d>,
        version: PasVersion,
    ) -> Result<SubscriptionRequest<'d>, SubscriptionError> {
        let request = SubscriptionRequest::read(document, version, self.service.now())
            .map_err(SubscriptionError::Refused)?;
        match self.courier.may_call(&request.endpoint) {
            Ok(()) => Ok(request),
            Err(fault) => Err(refused(FaultKind::Value, &request.endpoint_at, &fault.to_string())),
        }
    }

    /// A Subscription of this client at this version's endpoint.
    async fn own(
        &self,
        client: &str,
        version: PasVersion,
        id: &str,
    ) -> Result<StoredSubscription, SubscriptionError> {
        let stored = self.outbox.subscription(id).await?;
        let stored = stored
            .filter(|it| it.record.client == client && it.record.guide == version.number())
            .ok_or(SubscriptionError::NotFound)?;
        if stored.is_deleted {
            return Err(SubscriptionError::Gone);
        }
        let has_ended = stored.record.end.is_some_and(|end| end <= self.service.now());
        Ok(if has_ended {
            StoredSubscription { status: SubscriptionStatus::Off, fault: None, ..stored }
        } else {
            stored
        })
    }

    fn handshake_at(&self) -> jiff::Timestamp {
        let now = self.service.now();
        now.checked_add(HANDSHAKE_DELAY).unwrap_or(now)
    }

    /// The resource as it was received, with our id and how it stands.
    ///
    /// Headers too: a client reads from it what it will be sent (rulings 41, pas.md T12).
    fn show(
        &self,
        version: PasVersion,
        record: &SubscriptionRecord,
        status: SubscriptionStatus,
        fault: Option<&str>,
    ) -> Result<Shown, SubscriptionError> {
        let unreadable = ServiceError::Internal("a stored Subscription cannot be read");
        let Ok(Value::Object(sent)) = serde_json::from_str(&record.resource) else {
            return Err(unreadable.into());
        };
        // FHIR wants `resourceType` and `id` nowhere in particular; readers like them first.
        let mut shown = serde_json::Map::new();
        shown.insert("resourceType".to_owned(), json!("Subscription"));
        shown.insert("id".to_owned(), json!(record.id));
        for (name, value) in sent {
            if name != "id" && name != "error" {
                shown.insert(name, value);
            }
        }
        shown.insert("status".to_owned(), json!(status.as_str()));
        if let Some(fault) = fault {
            shown.insert("error".to_owned(), json!(fault));
        }
        let url = format!("{}/Subscription/{}", standing_base(&self.service, version), record.id);
        Ok(Shown { url, text: Value::Object(shown).to_string() })
    }
}

fn record(
    request: &SubscriptionRequest<'_>,
    id: String,
    client: &str,
    version: PasVersion,
) -> SubscriptionRecord {
    SubscriptionRecord {
        id,
        guide: version.number().to_owned(),
        client: client.to_owned(),
        endpoint: request.endpoint.clone(),
        content: request.content.code().to_owned(),
        media_type: request.media_type.clone(),
        headers: request.headers.clone(),
        end: request.end,
        filters: request.filters.clone(),
        resource: request.node.raw().to_owned(),
    }
}

fn refused(kind: FaultKind, place: &str, text: &str) -> SubscriptionError {
    let fault = Fault { kind, place: place.to_owned(), text: text.to_owned() };
    SubscriptionError::Refused(vec![fault])
}
