//! The patient is old enough on the date of service (clinical.md 2).

use serde::Deserialize;

use crate::facts::{Patient, Source};
use crate::policy::finding::SetAside;
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
        let Birth { born, source, confirmed } = match birth(scene.case.patient) {
            Ok(birth) => birth,
            Err(NoBirth { found, set_aside }) => {
                return scene.ask("birth-date", found).without(set_aside);
            }
        };
        let unknown = |found: &str, why: &str| {
            scene.ask("birth-date", found).without(vec![aside(&source, why.to_owned())])
        };
        let service = &scene.case.order.service_date;
        if scene.is_future(born) || born.first() > service.when.last() {
            return unknown(&born.to_string(), "lies in the future");
        }
        if birthday(born.last(), OLDEST_YEARS) < service.when.first() {
            return unknown(&born.to_string(), "lies too far back to be true");
        }
        let says = format!(
            "born {born}{confirmed}; {} on {} ({})",
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

/// When the patient was born, and who says so.
struct Birth {
    born: When,
    source: Source,
    /// How the member roster bears it out, in words that follow the date.
    confirmed: &'static str,
}

/// Why there is no birth date to count with: what is found instead, for the question.
struct NoBirth {
    found: &'static str,
    set_aside: Vec<SetAside>,
}

/// The birth date of the request and that of the payer's roster, taken together.
///
/// clinical.md 2: a mismatch is unknown, and else the enrolment record outranks the request.
/// The question names neither of two dates: whoever reads it may not know the other.
fn birth(patient: &Patient) -> Result<Birth, NoBirth> {
    let source = patient.source.element("Patient.birthDate");
    let none = |found, set_aside| Err(NoBirth { found, set_aside });
    let enrolled = match patient.enrolled_births.as_slice() {
        [] => None,
        [one] => Some(one),
        several => {
            let why = "the member roster gives several dates of birth";
            return none(why, several.iter().map(|it| aside(&it.source, why)).collect());
        }
    };
    match (&patient.birth_date, enrolled) {
        (None, None) => none("no date of birth", Vec::new()),
        (Some(Err(_)), _) => {
            none("a date of birth that is no date", vec![aside(&source, "is no date")])
        }
        (Some(Ok(born)), None) => Ok(Birth { born: *born, source, confirmed: "" }),
        (None, Some(enrolled)) => Ok(Birth {
            born: enrolled.value,
            source: enrolled.source.clone(),
            confirmed: " by the member roster",
        }),
        // The more precise of two dates that agree; of equal ones the payer's.
        (Some(Ok(born)), Some(enrolled)) if enrolled.value.lies_within(*born) => Ok(Birth {
            born: enrolled.value,
            source: enrolled.source.clone(),
            confirmed: " by the member roster, which the request agrees with",
        }),
        (Some(Ok(born)), Some(enrolled)) if born.lies_within(enrolled.value) => {
            let confirmed = ", which the member roster agrees with";
            Ok(Birth { born: *born, source, confirmed })
        }
        (Some(Ok(_)), Some(enrolled)) => none(
            "another date of birth on the member roster than the request gives",
            vec![
                aside(&source, "the member roster gives another date of birth"),
                aside(&enrolled.source, "the request gives another date of birth"),
            ],
        ),
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
    use crate::facts::SourceKind::{Payer, Record};
    use crate::facts::{SourceKind, Stated};

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

    fn patient(request: Option<&str>, roster: &[&str]) -> Patient {
        let source = |resource: &str, kind| Source {
            resource: resource.into(),
            element: "Patient".into(),
            date: None,
            kind,
        };
        let when = |text: &&str| When::parse(text).unwrap();
        Patient {
            source: source("Patient/p", SourceKind::Record),
            birth_date: request.map(|text| Ok(when(&text))),
            enrolled_births: roster
                .iter()
                .map(|text| Stated {
                    value: when(text),
                    source: source("member roster", SourceKind::Payer),
                })
                .collect(),
            gender: None,
            recorded_sex: Vec::new(),
        }
    }

    #[test]
    fn the_more_precise_of_two_dates_that_agree_counts_and_two_that_differ_count_for_nothing() {
        let check = |request, roster: &[&str], expected: Option<(&str, SourceKind)>| {
            let found = birth(&patient(request, roster)).ok();
            let found = found.map(|it| (it.born.to_string(), it.source.kind));
            let expected = expected.map(|(born, kind)| (born.to_owned(), kind));
            assert_eq!(found, expected, "{request:?} {roster:?}");
        };
        check(Some("1957-02-28"), &[], Some(("1957-02-28", Record)));
        check(Some("1957-02-28"), &["1957-02-28"], Some(("1957-02-28", Payer)));
        check(Some("1957"), &["1957-02-28"], Some(("1957-02-28", Payer)));
        check(Some("1957-02-28"), &["1957-02"], Some(("1957-02-28", Record)));
        check(None, &["1957"], Some(("1957", Payer)));
        check(Some("1957-02-28"), &["1957-02-27"], None);
        check(Some("1957-02"), &["1957-03-01"], None);
        check(Some("1957-02-28"), &["1957-02-28", "1958-02-28"], None);
        check(None, &[], None);
    }
}
