//! The prefetch templates of each hook: what a service would like to be sent.

use super::Hook;
use crate::ig::CrdVersion;
use crate::policy::Shelf;
use crate::render::crd::discovery::order_sign_prefetch;
use crate::terms::{Coding, System};

/// Key and template of everything that the service of a hook would like to be sent; they ask for
/// the Observations that the policies on the shelf read.
#[must_use]
pub fn templates(hook: Hook, _version: CrdVersion, shelf: &Shelf) -> Vec<(String, String)> {
    let _ = hook;
    let mut codes: Vec<Coding> = shelf
        .observation_codes()
        .into_iter()
        .filter(|coding| coding.system == System::Loinc)
        .collect();
    codes.sort();
    codes.dedup();
    order_sign_prefetch(&codes)
}
