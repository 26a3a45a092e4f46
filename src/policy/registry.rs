//! The places that a policy counts as qualified.

use crate::terms::{Day, Npi, When};

/// The qualified places.
#[derive(Debug, Default)]
pub struct Registry(pub(super) Vec<RegistryEntry>);

/// A qualified place, and since and until when it is one.
#[derive(Debug)]
pub struct RegistryEntry {
    /// Its NPI.
    pub npi: Npi,
    /// Its name.
    pub name: Box<str>,
    /// The first day.
    pub valid_from: Day,
    /// The last day; `None`: no end is known.
    pub valid_to: Option<Day>,
}

impl Registry {
    /// The place with this NPI, if it is qualified on the whole of `when`.
    #[must_use]
    pub fn qualified(&self, npi: Npi, when: When) -> Option<&RegistryEntry> {
        self.0.iter().find(|entry| {
            entry.npi == npi
                && entry.valid_from <= when.first()
                && entry.valid_to.is_none_or(|last| when.last() <= last)
        })
    }
}
