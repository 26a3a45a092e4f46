//! Value sets by name, and the codes in them.

use serde::Deserialize;

use crate::terms::{Coding, Concept, ValueSet};

/// Value sets that a policy names, and after reading the codes in them.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Codes {
    /// The ids of the value sets, as the policy names them.
    pub names: Vec<String>,
    /// All their codes; filled in by the reader.
    pub(in crate::policy) set: ValueSet,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Codes {
    fn from(names: OneOrMany) -> Codes {
        let names = match names {
            OneOrMany::One(name) => vec![name],
            OneOrMany::Many(names) => names,
        };
        Codes { names, set: ValueSet::default() }
    }
}

impl Codes {
    /// Whether the code is in one of the sets.
    #[must_use]
    pub fn contains(&self, coding: &Coding) -> bool {
        self.set.contains(coding)
    }

    /// Whether one of the concept's codings is in one of the sets.
    #[must_use]
    pub fn has(&self, concept: &Concept) -> bool {
        concept.codings.iter().any(|coding| self.contains(coding))
    }
}
