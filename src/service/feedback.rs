//! What clients tell of the cards that they were shown (CDS Hooks 2.0, crd.md 2.6).

use serde::Serialize;

use super::{Service, ServiceError};
use crate::fhir::{Document, Fault, FaultKind, Node, Rules};
use crate::store::{FeedbackCount, FeedbackRecord, Outcome};

/// How many items of one body are looked at.
const MOST_ITEMS: usize = 500;
/// How many accepted suggestions of one item are kept; a card of ours has a few.
const MOST_SUGGESTIONS: usize = 20;
/// The longest text that is kept, in bytes.
const LONGEST_TEXT: usize = 2000;
/// The longest id or time that is kept, in bytes.
const LONGEST_NAME: usize = 100;

/// Why a body is no feedback.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// It is no JSON.
    #[error("the body cannot be read")]
    Unreadable(Vec<Fault>),
    /// It is JSON of another form.
    #[error("the body is no feedback")]
    Form(Vec<Fault>),
    /// Nothing was wrong with it.
    #[error(transparent)]
    Failed(#[from] ServiceError),
}

/// What became of the cards of one kind.
#[derive(Debug, Serialize)]
pub struct CountView {
    /// The policy that showed them.
    pub policy: Option<String>,
    /// The kind, `additional-orders`.
    pub kind: String,
    /// Their id in the policy.
    pub card: String,
    /// The clause that they waited for.
    pub clause: Option<String>,
    /// How many were shown.
    pub shown: u64,
    /// How many of them were accepted.
    pub accepted: u64,
    /// How many were overridden.
    pub overridden: u64,
    /// Why, with how many each.
    pub reasons: Vec<ReasonView>,
}

/// A reason for which cards were overridden.
#[derive(Debug, Serialize)]
pub struct ReasonView {
    /// Its code, `system|code`; `null`: none was given.
    pub reason: Option<String>,
    /// How many.
    pub cards: u64,
}

impl CountView {
    /// What is shown of a count.
    #[must_use]
    pub fn of(count: FeedbackCount) -> CountView {
        let reason = |(reason, cards): (String, u64)| ReasonView {
            reason: Some(reason).filter(|it| !it.is_empty()),
            cards,
        };
        CountView {
            policy: count.policy_id,
            kind: count.kind,
            card: count.name,
            clause: count.clause,
            shown: count.shown,
            accepted: count.accepted,
            overridden: count.overridden,
            reasons: count.reasons.into_iter().map(reason).collect(),
        }
    }
}

impl Service {
    /// Keeps what a client tells of its cards; what it tells of others is passed over.
    ///
    /// # Errors
    /// The body is no feedback, or something of ours failed.
    pub async fn take_feedback(&self, client: &str, body: &[u8]) -> Result<(), FeedbackError> {
        let document = Document::parse(body, Rules::Lenient).map_err(FeedbackError::Unreadable)?;
        let Some(list) = document.root().get("feedback") else {
            return Err(form("feedback", "`feedback` is missing: it lists what became of cards"));
        };
        let mut records = Vec::new();
        for (place, item) in list.items().take(MOST_ITEMS).enumerate() {
            let record = self
                .record(client, item)
                .map_err(|(member, what)| form(&format!("feedback[{place}].{member}"), what))?;
            records.push(record);
        }
        let known = self.store.save_feedback(&records).await.map_err(ServiceError::Store)?;
        tracing::info!(client, told = records.len(), known, "feedback taken");
        Ok(())
    }

    /// What became of the cards, by policy, kind and name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn feedback_counts(&self) -> Result<Vec<CountView>, ServiceError> {
        Ok(self.store.feedback_counts().await?.into_iter().map(CountView::of).collect())
    }

    fn record(
        &self,
        client: &str,
        item: Node<'_>,
    ) -> Result<FeedbackRecord, (&'static str, &'static str)> {
        let card = item.text_of("card").ok_or(("card", "it names the card by its uuid"))?;
        let outcome = match item.text_of("outcome").as_deref() {
            Some("accepted") => Outcome::Accepted(
                item.each("acceptedSuggestions")
                    .filter_map(|one| one.text_of("id"))
                    .take(MOST_SUGGESTIONS)
                    .map(|id| short(&id, LONGEST_NAME))
                    .collect(),
            ),
            Some("overridden") => {
                let reason = item.at(&["overrideReason", "reason"]);
                Outcome::Overridden {
                    reason: reason.and_then(coding),
                    comment: item
                        .at(&["overrideReason", "userComment"])
                        .and_then(Node::text)
                        .map(|text| short(&text, LONGEST_TEXT)),
                }
            }
            Some(_) | None => return Err(("outcome", "it is `accepted` or `overridden`")),
        };
        Ok(FeedbackRecord {
            card_id: bare(&card).to_owned(),
            client: client.to_owned(),
            outcome,
            happened_at: short(&item.text_of("outcomeTimestamp").unwrap_or_default(), LONGEST_NAME),
            received_at: self.world.now(),
        })
    }
}

fn form(place: &str, text: &str) -> FeedbackError {
    let (kind, place, text) = (FaultKind::Required, place.to_owned(), text.to_owned());
    FeedbackError::Form(vec![Fault { kind, place, text }])
}

/// Some clients put `urn:uuid:` in front (crd.md trap 24).
fn bare(uuid: &str) -> &str {
    uuid.strip_prefix("urn:uuid:").unwrap_or(uuid)
}

/// `system|code`; a code without a system counts as it stands.
fn coding(reason: Node<'_>) -> Option<String> {
    let code = reason.text_of("code")?;
    let text = match reason.text_of("system") {
        Some(system) => format!("{system}|{code}"),
        None => code.into_owned(),
    };
    Some(short(&text, LONGEST_TEXT))
}

fn short(text: &str, longest: usize) -> String {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
