//! Which tokens a client has used: a memory that is bounded in number and in time.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// How many used tokens are remembered of one client.
/// Each is remembered until it is refused for its age, so this allows about 90 calls a second
/// with a new token each.
pub const MAX_REMEMBERED_TOKENS: usize = 65_536;

/// What becomes of a token that its client used before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replay {
    /// The call is let through and noted in the log.
    /// The default: test suites sign one token for a list of calls.
    #[default]
    LogOnly,
    /// The call is refused.
    Enforce,
}

/// Whether a token was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Not yet; it is remembered from now on.
    First,
    /// It was.
    Repeated,
    /// There is no room to remember it.
    NoRoom,
}

/// The used tokens of one client.
///
/// Only tokens whose signature was checked come here, so no one but the client can fill it.
#[derive(Default)]
pub(super) struct UsedTokens {
    known: HashSet<[u8; 32]>,
    by_end: BTreeSet<(Timestamp, [u8; 32])>,
}

impl UsedTokens {
    /// Notes the use of the token `jti`, which nobody accepts any more after `until`.
    ///
    /// Only a digest is kept: a `jti` may be long.
    pub(super) fn note(&mut self, jti: &str, until: Timestamp, now: Timestamp) -> Use {
        while let Some((end, digest)) = self.by_end.first().copied()
            && end < now
        {
            self.by_end.remove(&(end, digest));
            self.known.remove(&digest);
        }
        let digest: [u8; 32] = Sha256::digest(jti.as_bytes()).into();
        if self.known.contains(&digest) {
            return Use::Repeated;
        }
        if self.known.len() >= MAX_REMEMBERED_TOKENS {
            return Use::NoRoom;
        }
        self.known.insert(digest);
        self.by_end.insert((until, digest));
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_known_until_its_end() {
        let mut used = UsedTokens::default();
        assert_eq!(used.note("a", at(100), at(10)), Use::First);
        assert_eq!(used.note("b", at(100), at(10)), Use::First);
        assert_eq!(used.note("a", at(100), at(100)), Use::Repeated);
        assert_eq!(used.note("a", at(200), at(101)), Use::First);
        assert_eq!((used.known.len(), used.by_end.len()), (1, 1), "what has ended is forgotten");
    }

    #[test]
    fn a_full_memory_says_so_and_keeps_what_it_has() {
        let mut used = UsedTokens::default();
        for number in 0..MAX_REMEMBERED_TOKENS {
            assert_eq!(used.note(&number.to_string(), at(100), at(10)), Use::First);
        }
        assert_eq!(used.note("one more", at(100), at(10)), Use::NoRoom);
        assert_eq!(used.note("0", at(100), at(10)), Use::Repeated);
        assert_eq!(used.note("one more", at(200), at(101)), Use::First);
    }
}
