//! Rows of the member roster and of the provider directory, as CSV.

use crate::store::{DirectoryEntry, Enrolment, ImportContent, ImportRecord};
use crate::terms::{Day, Npi, System, When};

/// Which table a file holds, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Members,
    Providers,
}

const MEMBERS: [&str; 5] = ["member_id", "birth_date", "line", "valid_from", "valid_to"];
const PROVIDERS: [&str; 5] = ["npi", "name", "taxonomy", "valid_from", "valid_to"];

impl Table {
    /// The table that a first line heads.
    pub(super) fn headed_by(line: &[u8]) -> Result<Table, String> {
        let columns = fields(line, true).unwrap_or_default();
        if columns == MEMBERS {
            Ok(Table::Members)
        } else if columns == PROVIDERS {
            Ok(Table::Providers)
        } else {
            Err(format!(
                "the file begins with no FHIR resource, and its columns are neither `{}` nor `{}`",
                MEMBERS.join(","),
                PROVIDERS.join(",")
            ))
        }
    }

    /// The record of one line; `today` is the last day on which somebody can be born.
    pub(super) fn record(
        self,
        line: &[u8],
        is_ended: bool,
        today: Day,
    ) -> Result<ImportRecord, &'static str> {
        let fields = fields(line, is_ended)?;
        let [first, second, third, from, to] = fields.as_slice() else {
            return Err("it has not five fields");
        };
        let valid_from = day(from)?.ok_or("the first day is missing")?;
        let valid_to = day(to)?;
        if valid_to.is_some_and(|last| last < valid_from) {
            return Err("the last day lies before the first");
        }
        match self {
            Table::Members => {
                if first.is_empty() {
                    return Err("the member id is missing");
                }
                let enrolment = Enrolment {
                    birth_date: birth_date(second, today)?,
                    line: (!third.is_empty()).then(|| third.clone()),
                    valid_from: Some(valid_from),
                    valid_to,
                };
                let member_id = first.clone();
                Ok(ImportRecord {
                    key: format!("member|{member_id}|{valid_from}"),
                    content: ImportContent::Enrolment { member_id, enrolment },
                })
            }
            Table::Providers => {
                let npi = Npi::parse(first).map_err(why_no_npi)?;
                let code = taxonomy(third)?;
                let entry = DirectoryEntry {
                    npi,
                    name: (!second.is_empty()).then(|| second.clone()),
                    system: System::Nucc.uri().to_owned(),
                    code: code.clone(),
                    valid_from: Some(valid_from),
                    valid_to,
                };
                Ok(ImportRecord {
                    key: format!("provider|{npi}|{code}|{valid_from}"),
                    content: ImportContent::Directory(vec![entry]),
                })
            }
        }
    }
}

/// Why a number is no NPI, without the number.
pub(super) fn why_no_npi(error: crate::terms::id::NpiError) -> &'static str {
    match error {
        crate::terms::id::NpiError::Form => "the NPI has not ten digits that begin with 1 or 2",
        crate::terms::id::NpiError::CheckDigit => "the check digit of the NPI is wrong",
    }
}

/// A birth date; an empty one is not known.
pub(super) fn birth_date(text: &str, today: Day) -> Result<Option<When>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let born = When::parse(text).map_err(|_| "the birth date is no date")?;
    if born.first() > today { Err("the birth date lies in the future") } else { Ok(Some(born)) }
}

fn day(text: &str) -> Result<Option<Day>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let day = When::parse(text).ok().filter(|when| when.first() == when.last());
    day.filter(|_| text.len() == "2026-01-01".len())
        .map(|when| Some(when.first()))
        .ok_or("a first or last day is no day of the form YYYY-MM-DD")
}

/// A code of the NUCC taxonomy: ten letters and digits.
fn taxonomy(text: &str) -> Result<String, &'static str> {
    let is_code = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| text.to_ascii_uppercase()).ok_or("the taxonomy code has not ten characters")
}

/// The fields of one line, without the space around them.
fn fields(line: &[u8], is_ended: bool) -> Result<Vec<String>, &'static str> {
    let is_quoted = line.iter().fold(false, |is_quoted, byte| is_quoted ^ (*byte == b'"'));
    if is_quoted {
        return Err("a quoted field does not end on its line");
    }
    // A file that is cut off there would give an open end to what has one.
    if !is_ended && line.ends_with(b",") {
        return Err("the last field is empty and no line break follows: the file may be cut off");
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    let row = reader.records().next().ok_or("it has not five fields")?;
    let row = row.map_err(|_| "it is not UTF-8")?;
    Ok(row.iter().map(|field| field.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> Day {
        "2026-11-20".parse().unwrap()
    }

    #[track_caller]
    fn refused(table: Table, line: &str, why: &str) {
        let error = table.record(line.as_bytes(), true, today()).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }

    #[test]
    fn the_header_names_the_table_and_another_one_is_refused() {
        let of = |text: &str| Table::headed_by(text.as_bytes());
        assert_eq!(of("member_id,birth_date,line,valid_from,valid_to"), Ok(Table::Members));
        assert_eq!(of("npi,\"name\", taxonomy,valid_from,valid_to"), Ok(Table::Providers));
        for other in ["", "member_id,birth_date,valid_from,valid_to", "npi;name", "M-1,1957,,,"] {
            assert!(of(other).unwrap_err().contains("columns"), "{other}");
        }
    }

    #[test]
    fn a_good_row_is_known_by_whom_and_when_it_begins() {
        let record = |table: Table, line: &str| table.record(line.as_bytes(), true, today());
        let member = record(Table::Members, "M-1,1957-02,ma-hmo,2026-01-01,").unwrap();
        assert_eq!(member.key, "member|M-1|2026-01-01");
        let line = "1555001019,\"Testdoctor, Ada\",207rx0202x,2024-01-01,2026-12-31";
        let provider = record(Table::Providers, line).unwrap();
        assert_eq!(provider.key, "provider|1555001019|207RX0202X|2024-01-01");
        let ImportContent::Directory(entries) = provider.content else { unreachable!() };
        assert_eq!(entries[0].name.as_deref(), Some("Testdoctor, Ada"));
    }

    #[test]
    fn what_is_wrong_with_a_row_is_said_without_its_values() {
        use Table::{Members, Providers};
        refused(Members, "M-1,1957-02-30,ma-hmo,2026-01-01,", "birth date is no date");
        refused(Members, "M-1,2027-01-01,ma-hmo,2026-01-01,", "in the future");
        refused(Members, ",1957,ma-hmo,2026-01-01,", "member id");
        refused(Members, "M-1,1957,ma-hmo,2026-02-29,", "no day");
        refused(Members, "M-1,1957,ma-hmo,2026-02,", "no day");
        refused(Members, "M-1,1957,ma-hmo,,", "first day is missing");
        refused(Members, "M-1,1957,ma-hmo,2026-01-02,2026-01-01", "before the first");
        refused(Members, "M-1,1957,ma-hmo,2026-01-01", "five fields");
        refused(Members, "M-1,\"1957,ma-hmo,2026-01-01,", "quoted field");
        refused(Providers, "1555001010,Ada,207RX0202X,2024-01-01,", "check digit");
        refused(Providers, "155500101,Ada,207RX0202X,2024-01-01,", "ten digits");
        refused(Providers, "1555001019,Ada,207RX0202,2024-01-01,", "taxonomy");
        let cut_off = Members.record(b"M-1,1957,ma-hmo,2026-01-01,", false, today());
        assert!(cut_off.unwrap_err().contains("cut off"));
    }
}
