//! One item of a `ClaimResponse`: what was done with one line.

use super::notes::Notes;
use super::{LineAction, LineAnswer, RequestedDate, Stay, added};
use crate::fhir::write::r4::resources::{ClaimResponseItem, ClaimResponseItemAdjudication};
use crate::fhir::write::r4::types::{Extension, ExtensionValue, Period, PositiveInt};
use crate::ig::ADJUDICATION;
use crate::ig::pas::{PasVersion, ReviewAction, X12_ACTION, X12_REASON, extension};
use crate::render::build;
use crate::terms::Day;

pub(super) fn build(
    version: PasVersion,
    line: &LineAnswer<'_>,
    notes: &mut Notes,
) -> ClaimResponseItem {
    let mut extensions = trace_numbers(line);
    extensions.extend(of_action(version, &line.action));
    extensions.extend(line.previous.map(|number| {
        let number = ExtensionValue::String(number.into());
        build::extension(extension::AUTHORIZATION_NUMBER, number)
    }));
    extensions.extend(line.requested_for.and_then(|date| {
        let value = span(date, |day| ExtensionValue::DateTime(day.into()))?;
        Some(build::extension(extension::ITEM_REQUESTED_DATE, value))
    }));
    extensions.extend(stay(version, line));
    let (code, number) = code_and_number(&line.action);
    ClaimResponseItem {
        extension: extensions,
        // PAS 2.2.1 spec-34
        item_sequence: line.sequence.into(),
        note_number: note_numbers(&line.action, notes),
        // PAS 2.2.1 spec-30: the verdict on the item, not only on an added one (trap T3)
        adjudication: vec![adjudication(code, number, reasons(&line.action))],
        ..ClaimResponseItem::default()
    }
}

/// The provider's own numbers of the line.
pub(super) fn trace_numbers(line: &LineAnswer<'_>) -> Vec<Extension> {
    let numbers = line.trace_numbers.iter().map(|number| {
        let number = build::identifier(number.system, number.value);
        let value = ExtensionValue::Identifier(Box::new(number));
        build::extension(extension::ITEM_TRACE_NUMBER, value)
    });
    numbers.collect()
}

/// A verdict.
pub(super) fn adjudication(
    code: ReviewAction,
    number: Option<&str>,
    reasons: &[&str],
) -> ClaimResponseItemAdjudication {
    ClaimResponseItemAdjudication {
        extension: vec![review_action(code, number, reasons)],
        category: Box::new(build::concept(ADJUDICATION, "submitted")),
        ..ClaimResponseItemAdjudication::default()
    }
}

/// The dates of the stay that is authorized with the line, which are those that were asked for
/// (PAS 2.2.1: admissionDates and dischargeDate are the authorized ones).
fn stay(version: PasVersion, line: &LineAnswer<'_>) -> Vec<Extension> {
    let is_authorized = match line.action {
        LineAction::Certified { .. } | LineAction::Modified { .. } => true,
        LineAction::Cancelled
        | LineAction::Pended { .. }
        | LineAction::NotRequired { .. }
        | LineAction::Denied { .. } => false,
    };
    if !is_authorized || !version.has_response_details() {
        return Vec::new();
    }
    let Stay { admission, discharge } = line.stay;
    let admission = admission.and_then(|date| {
        let value = span(date, |day| ExtensionValue::Date(day.into()))?;
        Some(build::extension(extension::ADMISSION_DATES, value))
    });
    let discharge = discharge
        .map(|day| build::extension(extension::DISCHARGE_DATE, ExtensionValue::Date(day.into())));
    admission.into_iter().chain(discharge).collect()
}

/// The extensions that one kind of answer has on its item.
fn of_action(version: PasVersion, action: &LineAction<'_>) -> Vec<Extension> {
    match action {
        LineAction::Certified { issued_on, valid_from, valid_to, provider, .. } => {
            let mut extensions = issued(*issued_on, *valid_from, *valid_to);
            extensions.extend(provider.map(authorized_provider));
            extensions
        }
        LineAction::Pended { reference, .. } => {
            let number = ExtensionValue::String((*reference).into());
            vec![build::extension(extension::ADMINISTRATION_REFERENCE, number)]
        }
        LineAction::Modified { issued_on, valid_from, valid_to, provider, change, .. } => {
            let mut extensions = issued(*issued_on, *valid_from, *valid_to);
            extensions.extend(provider.map(authorized_provider));
            // Trap T28: beside an added item, which says what was authorized, it says what was asked.
            let has_added = version.has_added_items();
            let detail = if has_added { &change.requested } else { &change.authorized };
            extensions.push(added::detail(version, detail));
            extensions
        }
        LineAction::NotRequired { .. } | LineAction::Cancelled | LineAction::Denied { .. } => {
            Vec::new()
        }
    }
}

/// When a line was authorized, and from when to when that holds.
pub(super) fn issued(issued_on: Day, valid_from: Day, valid_to: Day) -> Vec<Extension> {
    let issued = ExtensionValue::Date(issued_on.to_string().into());
    let period = build::period(&valid_from.to_string(), &valid_to.to_string());
    vec![
        build::extension(extension::ITEM_ISSUE_DATE, issued),
        build::extension(extension::ITEM_PERIOD, ExtensionValue::Period(Box::new(period))),
    ]
}

fn authorized_provider(provider: &str) -> Extension {
    let provider = ExtensionValue::Reference(Box::new(build::reference(provider)));
    let part = build::extension(extension::PROVIDER, provider);
    build::complex(extension::ITEM_PROVIDER, vec![part])
}

/// A day, by what makes a value of it, or a period; one without any end is none.
fn span(
    date: RequestedDate<'_>,
    day: impl FnOnce(&str) -> ExtensionValue,
) -> Option<ExtensionValue> {
    match date {
        RequestedDate::Date(date) => Some(day(date)),
        RequestedDate::Period { start: None, end: None } => None,
        RequestedDate::Period { start, end } => {
            Some(ExtensionValue::Period(Box::new(period(start, end))))
        }
    }
}

/// A period as it was received.
pub(super) fn period(start: Option<&str>, end: Option<&str>) -> Period {
    Period { start: start.map(Into::into), end: end.map(Into::into), ..Period::default() }
}

fn code_and_number<'a>(action: &LineAction<'a>) -> (ReviewAction, Option<&'a str>) {
    match action {
        LineAction::Certified { number, .. } => (ReviewAction::Certified, Some(number)),
        LineAction::Modified { number, .. } => (ReviewAction::Modified, Some(number)),
        LineAction::Pended { .. } => (ReviewAction::Pended, None),
        LineAction::NotRequired { .. } => (ReviewAction::NotRequired, None),
        LineAction::Cancelled => (ReviewAction::Cancelled, None),
        LineAction::Denied { .. } => (ReviewAction::NotCertified, None),
    }
}

fn reasons<'l>(action: &'l LineAction<'_>) -> &'l [&'l str] {
    match action {
        LineAction::Denied { reason_codes, .. } => reason_codes,
        LineAction::Certified { .. }
        | LineAction::Modified { .. }
        | LineAction::Pended { .. }
        | LineAction::NotRequired { .. }
        | LineAction::Cancelled => &[],
    }
}

fn review_action(code: ReviewAction, number: Option<&str>, reasons: &[&str]) -> Extension {
    let concept =
        |system, code| ExtensionValue::CodeableConcept(Box::new(build::concept(system, code)));
    // The code by its absolute URL, the other parts by short names (PAS 3.4).
    let code = build::extension(extension::REVIEW_ACTION_CODE, concept(X12_ACTION, code.code()));
    let number = number
        .map(|number| build::extension(extension::NUMBER, ExtensionValue::String(number.into())));
    let reasons = reasons
        .iter()
        .map(|reason| build::extension(extension::REASON_CODE, concept(X12_REASON, reason)));
    let parts = [code].into_iter().chain(number).chain(reasons);
    build::complex(extension::REVIEW_ACTION, parts.collect())
}

fn note_numbers(action: &LineAction<'_>, notes: &mut Notes) -> Vec<PositiveInt> {
    match action {
        LineAction::Certified { notes: texts, .. }
        | LineAction::Modified { notes: texts, .. }
        | LineAction::Pended { notes: texts, .. }
        | LineAction::NotRequired { notes: texts }
        | LineAction::Denied { notes: texts, .. } => {
            texts.iter().filter_map(|text| notes.number(text)).collect()
        }
        LineAction::Cancelled => Vec::new(),
    }
}
