//! Identifiers that were checked when they were made.

use std::fmt;

/// A National Provider Identifier: ten digits that begin with 1 or 2 and pass the check digit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Npi(u64);

/// Why a text is no NPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpiError {
    /// Not ten digits, or the first is neither 1 nor 2.
    #[error("an NPI has ten digits and begins with 1 or 2")]
    Form,
    /// The last digit does not fit the nine before it.
    #[error("the check digit of the NPI is wrong")]
    CheckDigit,
}

impl Npi {
    /// The system URI of an NPI in FHIR.
    pub const SYSTEM: &'static str = "http://hl7.org/fhir/sid/us-npi";

    /// Reads an NPI and checks it (Luhn over `80840` and the number: US Core us-core-16, -17).
    ///
    /// # Errors
    /// Another form, or a wrong check digit.
    pub fn parse(text: &str) -> Result<Npi, NpiError> {
        let text = text.trim();
        let ten_digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !ten_digits || !text.starts_with(['1', '2']) {
            return Err(NpiError::Form);
        }
        // The prefix 80840 adds 24 to the Luhn sum of the ten digits.
        let sum = text.bytes().rev().enumerate().fold(24_u32, |sum, (place, byte)| {
            let digit = u32::from(byte - b'0');
            sum + match (place % 2, digit) {
                (0, digit) => digit,
                (_, digit) if digit > 4 => digit * 2 - 9,
                (_, digit) => digit * 2,
            }
        });
        if sum % 10 != 0 {
            return Err(NpiError::CheckDigit);
        }
        text.parse().map(Npi).map_err(|_| NpiError::Form)
    }
}

impl fmt::Display for Npi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

impl fmt::Debug for Npi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Npi({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_decides() {
        assert_eq!(Npi::parse("1234567893").unwrap().to_string(), "1234567893");
        assert_eq!(Npi::parse("1992000012").unwrap().to_string(), "1992000012");
        assert_eq!(Npi::parse("1234567890"), Err(NpiError::CheckDigit));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "123456789", "12345678930", "3234567893", "12345678９3"] {
            assert_eq!(Npi::parse(text), Err(NpiError::Form), "{text}");
        }
    }
}
