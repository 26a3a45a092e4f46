//! What was asserted of orders when a hook was answered.

use jiff::Timestamp;

use crate::store::PolicyEdition;

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
    /// The response body, as sent.
    pub response: String,
    /// When it was answered.
    pub given_at: Timestamp,
    /// One for each order.
    pub assertions: Vec<AssertionRecord>,
}

/// What was asserted of the coverage of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionRecord {
    /// Our id of the assertion, as the answer shows it.
    pub assertion_id: String,
    /// The order, as a relative reference or as `#` and its place.
    pub order_reference: String,
    /// The member's id with the payer; `None`: not known.
    pub member_id: Option<String>,
    /// The policy that judged; `None` if none speaks of the product.
    pub policy: Option<PolicyEdition>,
    /// What the engine determined: `not-subject`, `approve`, `pend` or `review`.
    pub determination: String,
    /// The findings, as JSON.
    pub findings: String,
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
