//! Sets of codes, each with its source and version.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Coding, System};

/// A set of codes: listed ones, and in hierarchical systems all below a listed prefix.
#[derive(Clone, Debug, Default)]
pub struct ValueSet {
    members: HashSet<Coding, BuildHasherDefault<KeyHasher>>,
    /// All codes of the system that begin with the text (ICD-10-CM categories).
    prefixes: Vec<(System, Box<str>)>,
}

impl ValueSet {
    /// Adds one code.
    pub fn add(&mut self, coding: Coding) {
        self.members.insert(coding);
    }

    /// Adds everything that is in `other`.
    pub fn merge(&mut self, other: ValueSet) {
        self.members.extend(other.members);
        self.prefixes.extend(other.prefixes);
    }

    /// Adds `category` and everything below it; only for systems whose codes say their parent.
    pub fn add_category(&mut self, system: System, category: &str) {
        let category = Coding::new(system, category);
        self.prefixes.push((category.system, category.code));
    }

    /// Whether `coding` is in the set.
    #[must_use]
    pub fn contains(&self, coding: &Coding) -> bool {
        self.members.contains(coding)
            || self.prefixes.iter().any(|(system, prefix)| {
                *system == coding.system && coding.code.starts_with(&**prefix)
            })
    }

    /// The listed codes, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = &Coding> {
        self.members.iter()
    }

    /// Whether the set has no code at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.prefixes.is_empty()
    }
}

/// Takes the hash that a [`Coding`] carries as it is.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        // A Coding writes one number and nothing else.
        self.0 = bytes.iter().fold(self.0, |key, byte| key.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_holds_what_is_below_it_and_not_its_neighbours() {
        let mut set = ValueSet::default();
        set.add_category(System::Icd10Cm, "O09");
        assert!(set.contains(&Coding::new(System::Icd10Cm, "O09.523")));
        assert!(!set.contains(&Coding::new(System::Icd10Cm, "O08.1")));
        assert!(!set.contains(&Coding::new(System::SnomedCt, "O09.523")));
    }
}
