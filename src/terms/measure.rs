//! Measured values: exact decimals in units of UCUM, which compare across units.
//!
//! The only file that names the UCUM library.
//! Refuses what it cannot convert exactly: a unit that is no UCUM code, a special unit whose scale
//! does not begin at zero (`Cel`, `[pH]`), and a number with more digits than are kept exactly.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A longer text is no unit that anybody measures in; UCUM's own codes are far shorter.
const LONGEST_UNIT: usize = 64;
/// Digits of a number that are kept exactly through every conversion, with room for the factor.
const MOST_DIGITS: usize = 15;
/// Powers of ten beyond which nothing of a patient is measured.
const LARGEST_EXPONENT: u32 = 30;

/// A decimal number, exact: `88.0` and `88` are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(octofhir_ucum::Number);

impl Number {
    /// Reads a number as JSON writes it; `None` if it is none, or has too many digits to stay exact.
    #[must_use]
    pub fn parse(text: &str) -> Option<Number> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let count = digits.bytes().filter(u8::is_ascii_digit).count();
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        let is_kept = count <= MOST_DIGITS && exponent.unsigned_abs() <= LARGEST_EXPONENT;
        (is_plain && is_kept).then(|| octofhir_ucum::Number::parse(text).map(Number)).flatten()
    }

    /// The sum; `None` beyond what a number can be.
    #[must_use]
    pub fn plus(self, other: Number) -> Option<Number> {
        self.0.checked_add(other.0).map(Number)
    }

    /// The difference; `None` beyond what a number can be.
    #[must_use]
    pub fn minus(self, other: Number) -> Option<Number> {
        self.0.checked_sub(other.0).map(Number)
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0.is_negative()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A whole number, or a text: a TOML float is not exact.
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or a decimal written as a text such as \"7.3\"")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        Number::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A unit of UCUM that measures from zero.
#[derive(Clone, Debug)]
pub struct Unit {
    code: Box<str>,
    value: octofhir_ucum::EvalResult,
}

impl Unit {
    /// Reads a UCUM code, case-sensitive; `None` if it is none, or measures from elsewhere than
    /// zero.
    #[must_use]
    pub fn parse(code: &str) -> Option<Unit> {
        if code.is_empty() || code.len() > LONGEST_UNIT {
            return None;
        }
        let read = octofhir_ucum::parse_expression(code).ok()?;
        let value = octofhir_ucum::evaluate(&read).ok()?;
        value.special.is_none().then(|| Unit { code: code.into(), value })
    }

    /// Whether values in the two units can be compared.
    #[must_use]
    pub fn fits(&self, other: &Unit) -> bool {
        self.value.is_commensurable(&other.value)
    }

    /// Its code, as it was given.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unit, D::Error> {
        let code = String::deserialize(deserializer)?;
        Unit::parse(&code).ok_or_else(|| {
            de::Error::custom(format!("`{code}` is no UCUM unit that measures from zero"))
        })
    }
}

/// A value in a unit.
#[derive(Clone, Debug)]
pub struct Measure {
    /// In the base units of UCUM.
    base: octofhir_ucum::Number,
    unit: octofhir_ucum::EvalResult,
}

impl Measure {
    /// `value` in `unit`; `None` beyond what a number can be.
    #[must_use]
    pub fn new(value: Number, unit: &Unit) -> Option<Measure> {
        let base = value.0.checked_mul(unit.value.factor)?;
        Some(Measure { base, unit: unit.value.clone() })
    }

    /// Which of two is more; `None` where their units measure different things.
    #[must_use]
    pub fn compare(&self, other: &Measure) -> Option<Ordering> {
        self.unit.is_commensurable(&other.unit).then(|| self.base.cmp(&other.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn measure(value: &str, unit: &str) -> Measure {
        Measure::new(Number::parse(value).unwrap(), &Unit::parse(unit).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(one: (&str, &str), other: (&str, &str), expected: Option<Ordering>) {
        let (one, other) = (measure(one.0, one.1), measure(other.0, other.1));
        assert_eq!(one.compare(&other), expected);
    }

    #[test]
    fn equal_amounts_are_equal_in_whatever_unit_and_digits_they_are_written() {
        let equal = Some(Ordering::Equal);
        check(("88.0", "%"), ("88", "%"), equal);
        check(("0.88", "1"), ("88", "%"), equal);
        check(("8.8e1", "%"), ("88", "%"), equal);
        // UCUM: 1 m[Hg] is 133.322 kPa.
        check(("7.33271", "kPa"), ("55", "mm[Hg]"), equal);
        check(("1000", "mL/min"), ("1", "L/min"), equal);
        check(("56", "%{RBC}"), ("0.56", "{ratio}"), equal);
    }

    #[test]
    fn the_last_digit_decides_between_two_units() {
        check(("7.33270", "kPa"), ("55", "mm[Hg]"), Some(Ordering::Less));
        check(("7.33272", "kPa"), ("55", "mm[Hg]"), Some(Ordering::Greater));
        check(("0.8800000000001", "1"), ("88", "%"), Some(Ordering::Greater));
    }

    #[test]
    fn units_of_different_things_do_not_compare() {
        for (one, other) in [("%", "mm[Hg]"), ("g", "mol"), ("[iU]", "1"), ("[iU]", "[arb'U]")] {
            check(("1", one), ("1", other), None);
        }
    }

    #[test]
    fn what_is_no_unit_or_measures_from_elsewhere_is_refused() {
        let long = "m".repeat(65);
        for code in ["", "mmHg", "percent", "MM[HG]", "% ", "Cel", "[pH]", "mm[Hg", "/", &long] {
            assert!(Unit::parse(code).is_none(), "{code}");
        }
    }

    #[test]
    fn a_number_that_would_be_rounded_is_refused() {
        let extreme = ["1e2147483647", "1e-2147483648", "1e99999999999"];
        for text in ["88.00000000000001", "1e31", "1e-31", "", "-", "1e", "0x10", "NaN", "8 8"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert!(extreme.iter().all(|text| Number::parse(text).is_none()));
        assert!(Number::parse("88.0000000000001").is_some());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(unit in ".{0,80}", value in ".{0,40}") {
            let unit = Unit::parse(&unit);
            let value = Number::parse(&value);
            if let (Some(unit), Some(value)) = (unit, value) {
                let _ = Measure::new(value, &unit);
            }
        }

        #[test]
        fn no_text_of_ucums_own_characters_makes_it_panic(
            unit in r"([a-zA-Z%\[\]{}().*/^'0-9+-]|10\*|mm\[Hg\]|k|9999999999){0,24}",
            value in r"-?[0-9]{0,18}\.?[0-9]{0,4}([eE][+-]?[0-9]{1,12})?",
        ) {
            if let (Some(unit), Some(value)) = (Unit::parse(&unit), Number::parse(&value)) {
                let _ = Measure::new(value, &unit);
            }
        }
    }
}
