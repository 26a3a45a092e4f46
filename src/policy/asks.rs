//! The questions of a clause.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What is asked of the clinician where a clause is unknown, by key.
///
/// `{found}` in a text stands for what was found.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct Asks(pub(super) Vec<(Box<str>, Box<str>)>);

impl From<BTreeMap<String, String>> for Asks {
    fn from(asks: BTreeMap<String, String>) -> Asks {
        Asks(asks.into_iter().map(|(key, text)| (key.into(), text.into())).collect())
    }
}

impl Asks {
    /// Whether there is a text of `key`.
    pub(super) fn says(&self, key: &str) -> bool {
        self.0.iter().any(|(known, text)| &**known == key && !text.trim().is_empty())
    }

    /// The keys that stand in it and not in `known`.
    pub(super) fn beyond<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(key, _)| &**key).filter(|key| !known.contains(key))
    }

    /// Puts in the texts of `outer` under those of `keys` that it has not itself.
    pub(super) fn inherit(&mut self, outer: &Asks, keys: &[&str]) {
        let missing = |key: &str| keys.contains(&key) && !self.says(key);
        let inherited: Vec<_> = outer.0.iter().filter(|(key, _)| missing(key)).cloned().collect();
        self.0.extend(inherited);
    }

    /// The text of `key` with what was found put in.
    #[must_use]
    pub fn text(&self, key: &str, found: &str) -> String {
        self.0.iter().find(|(known, _)| &**known == key).map_or_else(
            || format!("Please send what settles this ({key})."),
            |(_, text)| text.replace("{found}", found),
        )
    }
}
