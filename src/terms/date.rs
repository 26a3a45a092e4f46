//! Dates as FHIR writes them: a year, a month or a day, and date-times read as their day.

use std::fmt;

use jiff::{Span as Length, civil};

use super::Truth;

/// A calendar day.
pub type Day = civil::Date;

/// A point in time of limited precision: the days it can mean.
///
/// `1957` is any day from `1957-01-01` to `1957-12-31`.
/// A date-time is read as the day that it names where it was written: `2026-03-01T23:30:00-08:00`
/// is `2026-03-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct When {
    first: Day,
    last: Day,
}

/// Why a text is no FHIR date or date-time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no date of the form YYYY, YYYY-MM or YYYY-MM-DD, nor a date-time")]
pub struct DateError {
    text: String,
}

impl When {
    /// Reads a FHIR `date`, `dateTime` or `instant`.
    ///
    /// # Errors
    /// Another form, or a day that does not exist.
    pub fn parse(text: &str) -> Result<When, DateError> {
        parse(text).ok_or_else(|| DateError { text: text.chars().take(40).collect() })
    }

    /// The earliest day that is meant.
    #[must_use]
    pub fn first(self) -> Day {
        self.first
    }

    /// The latest day that is meant.
    #[must_use]
    pub fn last(self) -> Day {
        self.last
    }

    /// Whether this is certainly, certainly not, or perhaps on or before `other`.
    #[must_use]
    pub fn on_or_before(self, other: When) -> Truth {
        if self.last <= other.first {
            Truth::Met
        } else if self.first > other.last {
            Truth::NotMet
        } else {
            Truth::Unknown
        }
    }

    /// Whether this is certainly, certainly not, or perhaps before `other`.
    #[must_use]
    pub fn before(self, other: When) -> Truth {
        !other.on_or_before(self)
    }

    /// Whether every day that this can mean is one that `rough` can mean.
    #[must_use]
    pub fn lies_within(self, rough: When) -> bool {
        rough.first <= self.first && self.last <= rough.last
    }

    /// The same span of days, `days` later (earlier if negative).
    #[must_use]
    pub fn plus_days(self, days: i64) -> When {
        When { first: shift(self.first, days), last: shift(self.last, days) }
    }
}

/// `day`, `days` later, held within the years that the calendar can express.
#[must_use]
pub fn shift(day: Day, days: i64) -> Day {
    day.saturating_add(Length::new().days(days.clamp(-400_000, 400_000)))
}

/// The `years`th birthday of somebody born on `born`.
///
/// Who was born on 29 February has the birthday on 1 March in common years (clinical.md 2).
#[must_use]
pub fn birthday(born: Day, years: i16) -> Day {
    let year = born.year().saturating_add(years);
    let leap_day_in_common_year = born.month() == 2 && born.day() == 29 && !is_leap(year);
    if leap_day_in_common_year {
        civil::Date::new(year, 3, 1).unwrap_or(Day::MAX)
    } else {
        civil::Date::new(year, born.month(), born.day()).unwrap_or(Day::MAX)
    }
}

fn is_leap(year: i16) -> bool {
    civil::Date::new(year, 2, 29).is_ok()
}

fn parse(text: &str) -> Option<When> {
    if !text.is_ascii() {
        return None;
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = optional(parts.next()).ok()?;
    let day = optional(parts.next()).ok()?;
    if parts.next().is_some() || year == 0 {
        return None;
    }
    if let Some(time) = time {
        // A time needs a whole day, and a zone unless it is midnight written short by a client.
        day?;
        time_is_plausible(time).then_some(())?;
    }
    let month_part = |month: i16| i8::try_from(month).ok();
    match (month, day) {
        (None, _) => Some(When {
            first: civil::Date::new(year, 1, 1).ok()?,
            last: civil::Date::new(year, 12, 31).ok()?,
        }),
        (Some(month), None) => {
            let first = civil::Date::new(year, month_part(month)?, 1).ok()?;
            Some(When { first, last: first.last_of_month() })
        }
        (Some(month), Some(day)) => {
            let day = civil::Date::new(year, month_part(month)?, month_part(day)?).ok()?;
            Some(When::from(day))
        }
    }
}

/// A part that may be absent, but not wrong.
fn optional(part: Option<&str>) -> Result<Option<i16>, ()> {
    part.map(|part| number(part, 2).ok_or(())).transpose()
}

fn number(text: &str, digits: usize) -> Option<i16> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn time_is_plausible(time: &str) -> bool {
    let clock = time.trim_end_matches('Z');
    let clock = clock.split(['+', '-']).next().unwrap_or(clock);
    let mut parts = clock.split(':');
    let part = |text: Option<&str>, most: i16| {
        text.and_then(|text| number(text, 2)).is_some_and(|value| value <= most)
    };
    let hours = part(parts.next(), 24);
    let minutes = part(parts.next(), 59);
    let seconds = parts.next().is_none_or(|text| {
        let whole = text.split('.').next().unwrap_or(text);
        number(whole, 2).is_some_and(|value| value <= 60)
    });
    hours && minutes && seconds && parts.next().is_none()
}

impl From<Day> for When {
    fn from(day: Day) -> When {
        When { first: day, last: day }
    }
}

/// As FHIR would write it, in its own precision.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first, self.last);
        if first == last {
            write!(f, "{first}")
        } else if first.month() == last.month() {
            write!(f, "{:04}-{:02}", first.year(), first.month())
        } else {
            write!(f, "{:04}", first.year())
        }
    }
}

/// From a first to a last point in time, each of which may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// When it began; `None`: not said.
    pub start: Option<When>,
    /// When it ended; `None`: not said, or it goes on.
    pub end: Option<When>,
}

impl Span {
    /// Whether it covers the whole of `when`, reading an open end as still running.
    #[must_use]
    pub fn covers(self, when: When) -> Truth {
        let after_start = self.start.map_or(Truth::Met, |start| start.on_or_before(when));
        let before_end = self.end.map_or(Truth::Met, |end| when.on_or_before(end));
        after_start.and(before_end)
    }

    /// Its first date that is said at all.
    #[must_use]
    pub fn any_date(self) -> Option<When> {
        self.start.or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(text: &str) -> When {
        When::parse(text).unwrap()
    }

    #[test]
    fn each_precision_is_the_days_it_can_mean_and_prints_as_written() {
        for text in ["1957", "1957-02", "1957-02-28"] {
            assert_eq!(when(text).to_string(), text);
        }
        assert_eq!(when("1957-02").last().to_string(), "1957-02-28");
        assert_eq!(when("2026-03-01T23:30:00-08:00").to_string(), "2026-03-01");
        assert_eq!(when("2026-03-01T23:30:00.123Z").to_string(), "2026-03-01");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "26-01-01",
            "2026-13",
            "2026-02-30",
            "2026-1-1",
            "2026-01-01-01",
            "0000",
            "2026-01-01T",
            "2026-01T10:00:00Z",
            "2026-01-01T25:00:00Z",
            "١٩٥٧",
            "2026-01-01 ",
        ] {
            assert!(When::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn imprecise_dates_compare_to_unknown_where_they_overlap() {
        assert_eq!(when("2025").before(when("2026-01-01")), Truth::Met);
        assert_eq!(when("2026").before(when("2026-06-01")), Truth::Unknown);
        assert_eq!(when("2026-06-01").before(when("2026-06-01")), Truth::NotMet);
        assert_eq!(when("2026-06-01").on_or_before(when("2026-06-01")), Truth::Met);
    }

    #[test]
    fn a_leap_day_child_comes_of_age_on_the_first_of_march() {
        assert_eq!(birthday(when("2008-02-29").first(), 18).to_string(), "2026-03-01");
        assert_eq!(birthday(when("2008-02-29").first(), 20).to_string(), "2028-02-29");
        assert_eq!(birthday(when("2008-03-15").first(), 18).to_string(), "2026-03-15");
    }
}
