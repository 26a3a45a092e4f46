//! Truth with three values, combined by Kleene's strong logic.

/// What is known of a statement.
///
/// Missing, unreadable, stale, conflicting or unattributable data is `Unknown`: never `NotMet`,
/// never `Met`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// Proven.
    Met,
    /// Disproven.
    NotMet,
    /// Neither: more could settle it.
    Unknown,
}

impl Truth {
    /// Both hold: one `NotMet` decides, whatever the other is.
    #[must_use]
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::NotMet, _) | (_, Truth::NotMet) => Truth::NotMet,
            (Truth::Met, Truth::Met) => Truth::Met,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        }
    }

    /// One of the two holds: one `Met` decides, whatever the other is.
    #[must_use]
    pub fn or(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::Met, _) | (_, Truth::Met) => Truth::Met,
            (Truth::NotMet, Truth::NotMet) => Truth::NotMet,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        }
    }

    /// All hold; of nothing, `Met`.
    pub fn all(truths: impl IntoIterator<Item = Truth>) -> Truth {
        truths.into_iter().fold(Truth::Met, Truth::and)
    }

    /// At least one holds; of nothing, `NotMet`.
    pub fn any(truths: impl IntoIterator<Item = Truth>) -> Truth {
        truths.into_iter().fold(Truth::NotMet, Truth::or)
    }

    /// `met`, `not-met` or `unknown`, as the command line's JSON says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Truth::Met => "met",
            Truth::NotMet => "not-met",
            Truth::Unknown => "unknown",
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::Met => Truth::NotMet,
            Truth::NotMet => Truth::Met,
            Truth::Unknown => Truth::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Truth {
        if known { Truth::Met } else { Truth::NotMet }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, Met, NotMet, Unknown};

    #[test]
    fn a_decided_side_outweighs_an_unknown_one() {
        assert_eq!(NotMet.and(Unknown), NotMet);
        assert_eq!(Unknown.and(NotMet), NotMet);
        assert_eq!(Met.or(Unknown), Met);
        assert_eq!(Unknown.or(Met), Met);
    }

    #[test]
    fn an_undecided_side_keeps_the_whole_unknown() {
        assert_eq!(Met.and(Unknown), Unknown);
        assert_eq!(NotMet.or(Unknown), Unknown);
        assert_eq!(!Unknown, Unknown);
    }

    #[test]
    fn all_of_nothing_holds_and_any_of_nothing_does_not() {
        assert_eq!(Truth::all([]), Met);
        assert_eq!(Truth::any([]), NotMet);
    }
}
