//! `order-sign`: every draft order is answered (crd.md 3.1).

use crate::policy::Shelf;
use crate::render::crd::discovery::order_sign_prefetch;
use crate::terms::{Coding, System};

/// The hook.
pub const HOOK: &str = "order-sign";
/// The service's id, a step of its URL.
pub const ID: &str = "order-sign-coverage";
/// Its title.
pub const TITLE: &str = "Coverage requirements of orders";
/// What it does.
pub const DESCRIPTION: &str = "Says for each order whether prior authorization is needed, which \
    criteria of the plan's policy the records prove already, and what is missing.";
/// What helps it.
pub const USAGE: &str = "Needs no prefetch to answer, and decides the better the more of it is \
    sent: patient, coverage, encounter, conditions, observations, medications, allergies.";

/// The prefetch templates; they ask for the Observations that the policies on the shelf read.
#[must_use]
pub fn prefetch(shelf: &Shelf) -> Vec<(String, String)> {
    let mut codes: Vec<Coding> = shelf
        .observation_codes()
        .into_iter()
        .filter(|coding| coding.system == System::Loinc)
        .collect();
    codes.sort();
    codes.dedup();
    order_sign_prefetch(&codes)
}
