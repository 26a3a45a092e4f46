//! The patient is old enough on the date of service (clinical.md 2).

use serde::Deserialize;

use crate::policy::scene::{Outcome, Scene, aside, cite};
use crate::terms::date::birthday;
use crate::terms::{Truth, When};

/// Nobody is older than this; a birth date that says so is wrong.
const OLDEST_YEARS: i16 = 130;

/// At least `years` old on the date of service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgeAtService {
    /// Completed years.
    pub years: i16,
}

impl AgeAtService {
    /// Asked: the full date of birth.
    pub const ASKS: &'static [&'static str] = &["birth-date"];

    /// Compares every day that the birth date can mean with the date of service.
    #[must_use]
    pub fn judge(&self, scene: &Scene<'_>) -> Outcome {
        let patient = scene.case.patient;
        let source = patient.source.element("Patient.birthDate");
        let unknown = |found: &str, why: &str| {
            scene.ask("birth-date", found).without(vec![aside(&source, why.to_owned())])
        };
        let born = match &patient.birth_date {
            None => return scene.ask("birth-date", "no date of birth"),
            Some(Err(_)) => return unknown("a date of birth that is no date", "is no date"),
            Some(Ok(born)) => *born,
        };
        let service = &scene.case.order.service_date;
        if scene.is_future(born) || born.first() > service.when.last() {
            return unknown(&born.to_string(), "lies in the future");
        }
        if birthday(born.last(), OLDEST_YEARS) < service.when.first() {
            return unknown(&born.to_string(), "lies too far back to be true");
        }
        let says = format!(
            "born {born}; {} on {} ({})",
            match old_enough(born, self.years, service.when) {
                Truth::Met => format!("at least {} years old", self.years),
                Truth::NotMet => format!("under {} years old", self.years),
                Truth::Unknown => format!("perhaps {} years old", self.years),
            },
            service.when,
            service.origin.words(),
        );
        let mut dated = source.clone();
        dated.date = Some(born);
        let cited = vec![cite(&dated, says)];
        match old_enough(born, self.years, service.when) {
            Truth::Met => Outcome::met(cited),
            Truth::NotMet => Outcome::not_met(cited),
            Truth::Unknown => unknown(&born.to_string(), "is too imprecise to tell the age"),
        }
    }
}

/// Whether somebody born on `born` has had the `years`th birthday on `day`.
#[must_use]
pub fn old_enough(born: When, years: i16, day: When) -> Truth {
    if birthday(born.last(), years) <= day.first() {
        Truth::Met
    } else if birthday(born.first(), years) > day.last() {
        Truth::NotMet
    } else {
        Truth::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_birthday_itself_is_old_enough_and_the_day_before_is_not() {
        let when = |text| When::parse(text).unwrap();
        let age = |born, day| old_enough(when(born), 18, when(day));
        assert_eq!(age("2008-03-15", "2026-03-15"), Truth::Met);
        assert_eq!(age("2008-03-15", "2026-03-14"), Truth::NotMet);
        assert_eq!(age("2008-03", "2026-03-15"), Truth::Unknown);
        assert_eq!(age("2008-03", "2026-03-31"), Truth::Met);
        assert_eq!(age("2008", "2026-01-01"), Truth::Unknown);
        assert_eq!(age("2007", "2026-01-01"), Truth::Met);
        assert_eq!(age("2009", "2026-12-31"), Truth::NotMet);
        assert_eq!(age("2008-02-29", "2026-02-28"), Truth::NotMet);
        assert_eq!(age("2008-02-29", "2026-03-01"), Truth::Met);
    }
}
