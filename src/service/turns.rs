//! One decision at a time for each member, so that each sees the authorizations given before it.
//!
//! Holds for the requests of one process; it is the store that knows what others wrote.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

/// Members share this many turns; two that share one only wait for each other.
const TURNS: usize = 1024;

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Turns {
        Turns((0..TURNS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits until no other decision for this member is being made; the turn ends with the guard.
    ///
    /// A request without a member has no authorizations to look at, and does not wait.
    pub(super) async fn take(&self, member: &str) -> Option<MutexGuard<'_, ()>> {
        if member.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        member.hash(&mut hasher);
        let turns = u64::try_from(self.0.len()).unwrap_or(1).max(1);
        let place = usize::try_from(hasher.finish() % turns).unwrap_or(0);
        match self.0.get(place) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_free(turns: &Turns, member: &str) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(pin!(turns.take(member)).poll(&mut context), Poll::Ready(_))
    }

    #[test]
    fn a_member_waits_for_its_own_turn_and_nobody_waits_without_a_member() {
        let turns = Turns::default();
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(guard) = pin!(turns.take("M-1")).poll(&mut context) else { panic!() };
        assert!(guard.is_some());
        assert!(!is_free(&turns, "M-1"));
        assert!(is_free(&turns, ""));
        drop(guard);
        assert!(is_free(&turns, "M-1"));
    }
}
