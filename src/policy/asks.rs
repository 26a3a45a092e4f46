//! The questions of a clause.

/// What is asked of the clinician where a clause is unknown, by key.
///
/// `{found}` in a text stands for what was found.
#[derive(Debug, Default)]
pub struct Asks(pub(super) Vec<(Box<str>, Box<str>)>);

impl Asks {
    /// The text of `key` with what was found put in.
    #[must_use]
    pub fn text(&self, key: &str, found: &str) -> String {
        self.0.iter().find(|(known, _)| &**known == key).map_or_else(
            || format!("Please send what settles this ({key})."),
            |(_, text)| text.replace("{found}", found),
        )
    }
}
