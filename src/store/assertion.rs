//! What was asserted of orders when a hook was answered, and with what it was judged.

use jiff::Timestamp;

use crate::store::PolicyEdition;
use crate::terms::Day;

/// One answered hook call: stored once, with one assertion for each order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCallRecord {
    /// The client's `hookInstance`, as sent. It may repeat.
    pub hook_instance: String,
    /// Our name of the client that called.
    pub client: String,
    /// The id of the CDS service, `order-sign`.
    pub service_id: String,
    /// The guide's version, `crd-2.2`.
    pub guide: String,
    /// The request body. The caller has taken the access tokens out.
    pub request: String,
    /// What came of asking the client's FHIR server, if it was asked. The caller's own words.
    pub gathered: Option<String>,
    /// The response body, as sent.
    pub response: String,
    /// When it was answered.
    pub given_at: Timestamp,
    /// What else it was judged with.
    pub inputs: Inputs,
    /// One for each order of which something was said.
    pub assertions: Vec<AssertionRecord>,
    /// The cards of the answer.
    pub cards: Vec<CardRecord>,
}

/// What a decision was made with, beside the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The day of judging.
    pub judged_on: Day,
    /// The digest of the plan and policies.
    pub rules: String,
    /// What the payer held of the member then; `None`: nothing.
    pub held: Option<Snapshot>,
}

/// A text that many decisions share: stored once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The SHA-256 digest of the text, hexadecimal. The caller computes it.
    pub digest: String,
    /// The text.
    pub text: String,
}

/// What was asserted of the coverage of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionRecord {
    /// Our id of the assertion, as the answer shows it.
    pub assertion_id: String,
    /// The order, as a relative reference or as `#` and its place.
    pub order_reference: String,
    /// The order's text, as it was received; empty in rows of older releases.
    pub order: String,
    /// The reference to the Coverage on the client's system.
    pub coverage_reference: Option<String>,
    /// The member's id with the payer; `None`: not known.
    pub member_id: Option<String>,
    /// The policy that judged; `None` if none speaks of the product.
    pub policy: Option<PolicyEdition>,
    /// What the engine determined: `not-subject`, `approve`, `pend` or `review`.
    pub determination: String,
    /// What of it a later Claim may rest on.
    pub said: Said,
    /// The findings, as JSON.
    pub findings: String,
}

/// What an assertion said of the authorization of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// None is needed.
    NoAuth,
    /// One is on file, with this number.
    Satisfied(String),
    /// Neither of these: nothing that a Claim may rest on.
    Other,
}

/// An assertion as it is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAssertion {
    /// What was asserted.
    pub assertion: AssertionRecord,
    /// Our name of the client that was answered.
    pub client: String,
    /// The id of the CDS service that answered.
    pub service_id: String,
    /// When it was given.
    pub given_at: Timestamp,
}

/// A card that was shown, and what it was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardRecord {
    /// The card's UUID, by which feedback names it.
    pub card_id: String,
    /// The order that it was about.
    pub order_reference: String,
    /// Its kind: `additional-orders`.
    pub kind: String,
    /// Its id in the policy, `braf-test`; of cards that every policy has, `findings` and `policy`.
    pub name: String,
    /// The policy that showed it.
    pub policy: Option<PolicyEdition>,
    /// The clause that it waited for.
    pub clause: Option<String>,
}

/// What a client tells of a card (CDS Hooks feedback).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackRecord {
    /// The card.
    pub card_id: String,
    /// Our name of the client that tells.
    pub client: String,
    /// What became of the card.
    pub outcome: Outcome,
    /// When, as the client says.
    pub happened_at: String,
    /// When we were told.
    pub received_at: Timestamp,
}

/// What became of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These suggestions were accepted.
    Accepted(Vec<String>),
    /// It was not followed.
    Overridden {
        /// The reason's code, as `system|code`.
        reason: Option<String>,
        /// What the user wrote; it may name a patient.
        comment: Option<String>,
    },
}

/// How often a card was shown, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackCount {
    /// The policy that showed it.
    pub policy_id: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The clause that it waited for.
    pub clause: Option<String>,
    /// How often it was shown.
    pub shown: u64,
    /// How many of these were accepted, wholly or in part.
    pub accepted: u64,
    /// How many were overridden.
    pub overridden: u64,
    /// The reasons of the overridden, `system|code`, each with how many; without one, empty.
    pub reasons: Vec<(String, u64)>,
}

/// A decision to be made again: what was decided on, and what came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What was received.
    pub request: String,
    /// What came of asking the client's FHIR server.
    pub gathered: Option<String>,
    /// What else it was judged with; `None` in rows of older releases.
    pub inputs: Option<Inputs>,
    /// When it was answered.
    pub given_at: Timestamp,
    /// The findings of each item that was judged then, as JSON.
    pub findings: Vec<String>,
}
