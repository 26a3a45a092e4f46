//! The one home of the clock and of random ids.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::terms::Day;

/// What the service takes from the world outside.
pub trait World: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;

    /// A new random UUID, in its hyphenated form.
    fn new_id(&self) -> String;

    /// A random number from 0 to 1.
    fn chance(&self) -> f64;
}

/// The machine's clock and the operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealWorld;

impl World for RealWorld {
    #[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of random ids")]
    fn new_id(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of randomness")]
    fn chance(&self) -> f64 {
        // The last four bytes of a random UUID are random throughout.
        let [.., a, b, c, d] = *uuid::Uuid::new_v4().as_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
    }
}

/// The day of a point in time, in UTC.
#[must_use]
pub fn day_of(now: Timestamp) -> Day {
    TimeZone::UTC.to_datetime(now).date()
}

/// A FHIR `instant` in whole seconds.
#[must_use]
pub fn instant(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
