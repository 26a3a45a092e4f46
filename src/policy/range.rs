//! Ranges: on which side of a threshold a measured value lies.

use std::cmp::Ordering;

use serde::Deserialize;

use super::codes::Codes;
use crate::facts::Value;
use crate::terms::{Measure, Number, Unit};

/// A kind of test, and the range that its value is asked to lie in.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawTest")]
pub struct Test {
    /// What it is called.
    pub name: String,
    /// The codes of its Observations.
    pub codes: Codes,
    range: Range,
}

/// A test as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: String,
    codes: Codes,
    unit: Unit,
    at_least: Option<Number>,
    at_most: Option<Number>,
    doubtful_within: Option<Number>,
    plausible_from: Option<Number>,
    plausible_to: Option<Number>,
}

/// A threshold, and where beyond it the doubt ends.
#[derive(Debug)]
struct Edge {
    at: Measure,
    clear_from: Option<Measure>,
}

#[derive(Debug)]
struct Range {
    unit: Unit,
    low: Option<Edge>,
    high: Option<Edge>,
    plausible_from: Option<Measure>,
    plausible_to: Option<Measure>,
    words: String,
}

impl TryFrom<RawTest> for Test {
    type Error = String;

    fn try_from(raw: RawTest) -> Result<Test, String> {
        let unit = &raw.unit;
        let measure = |number: Number| {
            Measure::new(number, unit).ok_or_else(|| format!("`{number}` is too large"))
        };
        let words = match (raw.at_least, raw.at_most) {
            (Some(low), Some(high)) if low <= high => format!("from {low} to {high}"),
            (Some(low), None) => format!("at least {low}"),
            (None, Some(high)) => format!("at most {high}"),
            (Some(_), Some(_)) => return Err("`at_least` is more than `at_most`".to_owned()),
            (None, None) => return Err("neither `at_least` nor `at_most` is there".to_owned()),
        };
        if raw.doubtful_within.is_some_and(Number::is_negative) {
            return Err("`doubtful_within` is below zero".to_owned());
        }
        if raw.plausible_from.zip(raw.plausible_to).is_some_and(|(from, to)| from > to) {
            return Err("`plausible_from` is more than `plausible_to`".to_owned());
        }
        let edge = |at: Number, clear: fn(Number, Number) -> Option<Number>| {
            let clear_from = match raw.doubtful_within {
                Some(width) => {
                    let clear = clear(at, width).ok_or("`doubtful_within` is too large")?;
                    Some(measure(clear)?)
                }
                None => None,
            };
            Ok::<Edge, String>(Edge { at: measure(at)?, clear_from })
        };
        Ok(Test {
            range: Range {
                low: raw.at_least.map(|at| edge(at, Number::minus)).transpose()?,
                high: raw.at_most.map(|at| edge(at, Number::plus)).transpose()?,
                plausible_from: raw.plausible_from.map(measure).transpose()?,
                plausible_to: raw.plausible_to.map(measure).transpose()?,
                words: format!("{words} {}", unit.code()),
                unit: raw.unit,
            },
            name: raw.name,
            codes: raw.codes,
        })
    }
}

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In the range, whatever the value can mean.
    Inside,
    /// Outside of it, whatever the value can mean.
    Outside,
    /// Outside, and so near that the source of the policy does not say which.
    Near,
    /// It cannot be told; why, in words.
    Unclear(&'static str),
}

/// How a value bounds what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// It is the value.
    Exact,
    /// What was measured is less, or equal too.
    Upper { or_equal: bool },
    /// What was measured is more, or equal too.
    Lower { or_equal: bool },
}

impl Bound {
    fn of(comparator: Option<&str>) -> Option<Bound> {
        match comparator {
            None => Some(Bound::Exact),
            Some("<") => Some(Bound::Upper { or_equal: false }),
            Some("<=") => Some(Bound::Upper { or_equal: true }),
            Some(">") => Some(Bound::Lower { or_equal: false }),
            Some(">=") => Some(Bound::Lower { or_equal: true }),
            Some(_) => None,
        }
    }

    /// The same seen from the other end of the scale.
    fn mirrored(self) -> Bound {
        match self {
            Bound::Exact => Bound::Exact,
            Bound::Upper { or_equal } => Bound::Lower { or_equal },
            Bound::Lower { or_equal } => Bound::Upper { or_equal },
        }
    }
}

impl Test {
    /// Where a value lies; a unit that cannot be converted is never compared.
    #[must_use]
    pub fn side(&self, value: &Value) -> Side {
        let (number, ucum, comparator) = match value {
            Value::Quantity { value, ucum, comparator, .. } => (value, ucum, comparator),
            Value::None => return Side::Unclear("without a value"),
            Value::Coded(_) | Value::Text(_) | Value::Boolean(_) => {
                return Side::Unclear("not given as a quantity");
            }
        };
        let Some(ucum) = ucum else { return Side::Unclear("without a UCUM unit") };
        let Some(unit) = Unit::parse(ucum) else {
            return Side::Unclear("in a unit that cannot be read");
        };
        let Some(bound) = Bound::of(comparator.as_deref()) else {
            return Side::Unclear("with a comparator that cannot be read");
        };
        let measure = Number::parse(number).and_then(|number| Measure::new(number, &unit));
        match measure {
            None => Side::Unclear("of a number that cannot be read exactly"),
            Some(_) if !self.range.unit.fits(&unit) => Side::Unclear("in a unit of something else"),
            Some(measure) => self.range.side(&measure, bound),
        }
    }

    /// What the value is asked to be: `at most 55 mm[Hg]`.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.range.words
    }
}

impl Range {
    fn side(&self, value: &Measure, bound: Bound) -> Side {
        let is = |edge: &Option<Measure>, order: Ordering| {
            edge.as_ref().is_some_and(|edge| value.compare(edge) == Some(order))
        };
        if is(&self.plausible_from, Ordering::Less) || is(&self.plausible_to, Ordering::Greater) {
            return Side::Unclear("hardly possible in its unit");
        }
        let high = self.high.as_ref().map(|edge| {
            let clear = edge.clear_from.as_ref().and_then(|clear| value.compare(clear));
            below(value.compare(&edge.at), clear, bound)
        });
        let low = self.low.as_ref().map(|edge| {
            let clear = edge.clear_from.as_ref().and_then(|clear| value.compare(clear));
            let mirror = |order: Option<Ordering>| order.map(Ordering::reverse);
            below(mirror(value.compare(&edge.at)), mirror(clear), bound.mirrored())
        });
        match (low.unwrap_or(Side::Inside), high.unwrap_or(Side::Inside)) {
            (Side::Outside, _) | (_, Side::Outside) => Side::Outside,
            (Side::Unclear(why), _) | (_, Side::Unclear(why)) => Side::Unclear(why),
            (Side::Near, _) | (_, Side::Near) => Side::Near,
            (Side::Inside, Side::Inside) => Side::Inside,
        }
    }
}

/// Whether what was measured is at most a threshold, from how its value compares with the threshold
/// and with the end of the doubt beyond it.
fn below(order: Option<Ordering>, clear: Option<Ordering>, bound: Bound) -> Side {
    let Some(order) = order else { return Side::Unclear("in a unit of something else") };
    let is_clearly_above = match clear {
        Some(order) => order != Ordering::Less,
        None => order == Ordering::Greater,
    };
    match (bound, order) {
        (Bound::Exact | Bound::Upper { .. }, Ordering::Less | Ordering::Equal) => Side::Inside,
        (Bound::Exact | Bound::Lower { .. }, Ordering::Greater) if is_clearly_above => {
            Side::Outside
        }
        (Bound::Exact, Ordering::Greater) => Side::Near,
        // More than the threshold, where no doubt lies beyond it.
        (Bound::Lower { or_equal: false }, Ordering::Equal) if clear.is_none() => Side::Outside,
        (Bound::Upper { .. } | Bound::Lower { .. }, _) => {
            Side::Unclear("a bound that leaves both sides open")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PO2: &str = "name = 'PO2'\ncodes = 'x'\nunit = 'mm[Hg]'\n";
    const SATURATION: &str = "name = 'saturation'\ncodes = 'x'\nunit = '%'\n";

    fn test(of: &str, rest: &str) -> Test {
        toml::from_str(&format!("{of}{rest}")).unwrap()
    }

    fn quantity(text: &str) -> Value {
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let start = number.find(|c: char| c.is_ascii_digit()).unwrap();
        let (comparator, number) = number.split_at(start);
        Value::Quantity {
            value: number.into(),
            unit: unit.into(),
            ucum: (!unit.is_empty()).then(|| unit.into()),
            comparator: (!comparator.is_empty()).then(|| comparator.into()),
        }
    }

    #[track_caller]
    fn check(test: &Test, values: &[&str], expected: Side) {
        for value in values {
            assert_eq!(test.side(&quantity(value)), expected, "{value}");
        }
    }

    fn unclear(test: &Test, values: &[&str]) {
        for value in values {
            let side = test.side(&quantity(value));
            assert!(matches!(side, Side::Unclear(_)), "{value}: {side:?}");
        }
    }

    #[test]
    fn the_threshold_itself_is_inside_and_the_next_digit_outside() {
        let test = test(SATURATION, "at_most = 88");
        check(&test, &["87.9 %", "88 %", "88.0 %", "0.88 1", "8.8e1 %"], Side::Inside);
        check(&test, &["88.1 %", "0.881 1", "89 %", "100 %"], Side::Outside);
    }

    #[test]
    fn at_least_is_the_mirror_of_at_most() {
        let test = test(SATURATION, "at_least = 88");
        check(&test, &["88 %", "0.88 1", ">88 %", ">=88 %", ">90 %"], Side::Inside);
        check(&test, &["87.9 %", "<88 %", "<=87 %"], Side::Outside);
        unclear(&test, &["<=88 %", "<90 %", ">87 %"]);
    }

    #[test]
    fn a_range_holds_both_its_ends() {
        let test = test(PO2, "at_least = 56\nat_most = 59");
        check(&test, &["56 mm[Hg]", "59 mm[Hg]", "7.6 kPa"], Side::Inside);
        check(&test, &["55.9 mm[Hg]", "59.1 mm[Hg]", "7.4 kPa", "7.9 kPa", "<56 mm[Hg]"], {
            Side::Outside
        });
        unclear(&test, &["<57 mm[Hg]", ">58 mm[Hg]"]);
    }

    #[test]
    fn a_bound_decides_only_where_all_that_it_can_mean_lies_on_one_side() {
        let test = test(PO2, "at_most = 55");
        check(&test, &["<55 mm[Hg]", "<=55 mm[Hg]", "<40 mm[Hg]"], Side::Inside);
        check(&test, &[">55 mm[Hg]", ">=56 mm[Hg]"], Side::Outside);
        unclear(&test, &["<56 mm[Hg]", ">=55 mm[Hg]", ">54 mm[Hg]", "~55 mm[Hg]"]);
    }

    #[test]
    fn what_lies_just_beyond_a_threshold_is_near_until_the_doubt_ends() {
        let test = test(PO2, "at_most = 55\ndoubtful_within = 1");
        check(&test, &["55 mm[Hg]"], Side::Inside);
        check(&test, &["55.1 mm[Hg]", "55.9 mm[Hg]", "7.4 kPa"], Side::Near);
        check(&test, &["56 mm[Hg]", ">=56 mm[Hg]"], Side::Outside);
        unclear(&test, &[">55 mm[Hg]", "<56 mm[Hg]"]);
    }

    #[test]
    fn a_value_that_is_hardly_possible_in_its_unit_is_not_believed() {
        let test = test(PO2, "at_most = 55\nplausible_from = 20\nplausible_to = 700");
        check(&test, &["20 mm[Hg]"], Side::Inside);
        check(&test, &["700 mm[Hg]"], Side::Outside);
        unclear(&test, &["7.3 mm[Hg]", "19.9 mm[Hg]", "700.1 mm[Hg]"]);
    }

    #[test]
    fn without_a_unit_or_in_another_nothing_is_compared() {
        let test = test(PO2, "at_most = 55");
        unclear(&test, &["50", "50 mmHg", "50 %", "50 Cel", "50.00000000000000001 mm[Hg]"]);
        assert!(matches!(test.side(&Value::None), Side::Unclear(_)));
        assert!(matches!(test.side(&Value::Text("50 mm[Hg]".into())), Side::Unclear(_)));
    }

    #[test]
    fn a_range_that_says_nothing_or_the_impossible_is_refused() {
        for rest in [
            "",
            "at_least = 2\nat_most = 1",
            "at_most = 1\ndoubtful_within = -1",
            "at_most = 1\nplausible_from = 3\nplausible_to = 2",
            "at_most = 1.5",
            "at_most = 'much'",
        ] {
            assert!(toml::from_str::<Test>(&format!("{PO2}{rest}")).is_err(), "{rest}");
        }
        let other = "name = 'x'\ncodes = 'x'\nunit = 'mmHg'\nat_most = 1";
        assert!(toml::from_str::<Test>(other).is_err());
        assert_eq!(test(PO2, "at_most = '7.30'").asked(), "at most 7.3 mm[Hg]");
    }
}
