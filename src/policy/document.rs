//! The documents that can settle a clause which the records leave open.

use std::str::FromStr;

use serde::Deserialize;

/// A kind of document that is asked for by code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Document {
    /// A LOINC attachment code; its check digit is right.
    pub loinc: Box<str>,
    /// A report type of X12 755, where one fits.
    pub report: Option<Box<str>>,
}

/// A document as `policy.toml` has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    loinc: String,
    report: Option<String>,
}

impl TryFrom<Written> for Document {
    type Error = String;

    fn try_from(written: Written) -> Result<Document, String> {
        let Written { loinc, report } = written;
        if !is_loinc(&loinc) {
            return Err(format!("`{loinc}` is no LOINC code, or its check digit is wrong"));
        }
        let is_report = |code: &String| {
            code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if let Some(code) = report.as_ref().filter(|code| !is_report(code)) {
            return Err(format!("`{code}` is no X12 755 code: it has two letters or digits"));
        }
        Ok(Document { loinc: loinc.into(), report: report.map(Into::into) })
    }
}

/// A document by its LOINC attachment code alone.
impl FromStr for Document {
    type Err = String;

    fn from_str(loinc: &str) -> Result<Document, String> {
        Document::try_from(Written { loinc: loinc.to_owned(), report: None })
    }
}

impl Document {
    /// The LOINC code that asks for the payer's own questionnaire (PAS 2.2.1 ainfo-3).
    pub const QUESTIONNAIRE: &str = "102089-0";

    /// Whether it is the payer's own questionnaire, filled in.
    #[must_use]
    pub fn is_questionnaire(&self) -> bool {
        &*self.loinc == Document::QUESTIONNAIRE
    }
}

/// Up to seven digits, a hyphen, and a check digit by the Luhn rule (LOINC Users' Guide).
fn is_loinc(text: &str) -> bool {
    let Some((number, check)) = text.split_once('-') else { return false };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !is_digits(number) || !is_digits(check) || number.len() > 7 || check.len() != 1 {
        return false;
    }
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = number.bytes().rev().map(|byte| byte - b'0').enumerate();
    let sum: u8 = digits.map(|(place, it)| if place % 2 == 0 { doubled(it) } else { it }).sum();
    let wanted = (10 - sum % 10) % 10;
    check.bytes().next() == Some(b'0' + wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_a_loinc_code_with_its_check_digit() {
        for code in ["11526-1", "11502-2", "52053-6", "74156-1", "102089-0"] {
            assert!(is_loinc(code), "{code}");
        }
        for code in ["11526-2", "11526", "-1", "11526-", "11526-11", "a1526-1", "11526-1 ", ""] {
            assert!(!is_loinc(code), "{code}");
        }
    }
}
