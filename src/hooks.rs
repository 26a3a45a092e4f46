//! Floor 3: the hooks that are answered, and what each would like to be sent.

pub mod order_sign;

use crate::ig::CrdVersion;
use crate::policy::Shelf;
use crate::render::crd::discovery::{Service, document};

/// The discovery document of one CRD version.
#[must_use]
pub fn discovery(version: CrdVersion, shelf: &Shelf) -> String {
    let prefetch = order_sign::prefetch(shelf);
    document(
        version,
        &[Service {
            hook: order_sign::HOOK,
            id: order_sign::ID,
            title: order_sign::TITLE,
            description: order_sign::DESCRIPTION,
            usage_requirements: Some(order_sign::USAGE),
            prefetch: &prefetch,
            options: crate::render::crd::discovery::OPTIONS,
        }],
    )
}
