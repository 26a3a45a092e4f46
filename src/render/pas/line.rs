//! One item of a `ClaimResponse`: what was done with one line.

use super::notes::Notes;
use super::{LineAction, LineAnswer, RequestedDate};
use crate::fhir::write::r4::resources::{ClaimResponseItem, ClaimResponseItemAdjudication};
use crate::fhir::write::r4::types::{Extension, ExtensionValue, Period, PositiveInt};
use crate::ig::ADJUDICATION;
use crate::ig::pas::{ReviewAction, X12_ACTION, X12_REASON, extension};
use crate::render::build;
use crate::terms::Day;

pub(super) fn build(line: &LineAnswer<'_>, notes: &mut Notes) -> ClaimResponseItem {
    let mut extensions: Vec<Extension> = line
        .trace_numbers
        .iter()
        .map(|number| {
            let number = build::identifier(number.system, number.value);
            let value = ExtensionValue::Identifier(Box::new(number));
            build::extension(extension::ITEM_TRACE_NUMBER, value)
        })
        .collect();
    extensions.extend(of_action(&line.action));
    extensions.extend(line.requested_for.and_then(requested_date));
    ClaimResponseItem {
        extension: extensions,
        // PAS 2.2.1 spec-34
        item_sequence: line.sequence.into(),
        note_number: note_numbers(&line.action, notes),
        adjudication: vec![ClaimResponseItemAdjudication {
            // PAS 2.2.1 spec-30: the verdict on the item, not only on an added one (trap T3)
            extension: vec![review_action(&line.action)],
            category: Box::new(build::concept(ADJUDICATION, "submitted")),
            ..ClaimResponseItemAdjudication::default()
        }],
        ..ClaimResponseItem::default()
    }
}

/// The extensions that one kind of answer has on its item.
fn of_action(action: &LineAction<'_>) -> Vec<Extension> {
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
        LineAction::Modified { issued_on, valid_from, valid_to, .. } => {
            issued(*issued_on, *valid_from, *valid_to)
        }
        LineAction::NotRequired | LineAction::Cancelled | LineAction::Denied { .. } => Vec::new(),
    }
}

/// When a line was authorized, and from when to when that holds.
fn issued(issued_on: Day, valid_from: Day, valid_to: Day) -> Vec<Extension> {
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

fn requested_date(date: RequestedDate<'_>) -> Option<Extension> {
    let value = match date {
        RequestedDate::Date(date) => ExtensionValue::DateTime(date.into()),
        RequestedDate::Period { start: None, end: None } => return None,
        RequestedDate::Period { start, end } => ExtensionValue::Period(Box::new(Period {
            start: start.map(Into::into),
            end: end.map(Into::into),
            ..Period::default()
        })),
    };
    Some(build::extension(extension::ITEM_REQUESTED_DATE, value))
}

fn review_action(action: &LineAction<'_>) -> Extension {
    let (code, number, reasons): (_, Option<&str>, &[&str]) = match action {
        LineAction::Certified { number, .. } => (ReviewAction::Certified, Some(number), &[]),
        LineAction::Pended { .. } => (ReviewAction::Pended, None, &[]),
        LineAction::Modified { number, .. } => (ReviewAction::Modified, Some(number), &[]),
        LineAction::NotRequired => (ReviewAction::NotRequired, None, &[]),
        LineAction::Cancelled => (ReviewAction::Cancelled, None, &[]),
        LineAction::Denied { reason_codes, .. } => (ReviewAction::NotCertified, None, reason_codes),
    };
    let concept =
        |system, code| ExtensionValue::CodeableConcept(Box::new(build::concept(system, code)));
    // The code by its absolute URL, the other parts by short names (PAS 3.4).
    let mut parts =
        vec![build::extension(extension::REVIEW_ACTION_CODE, concept(X12_ACTION, code.code()))];
    parts.extend(
        number.map(|number| {
            build::extension(extension::NUMBER, ExtensionValue::String(number.into()))
        }),
    );
    parts.extend(
        reasons
            .iter()
            .map(|reason| build::extension(extension::REASON_CODE, concept(X12_REASON, reason))),
    );
    build::complex(extension::REVIEW_ACTION, parts)
}

fn note_numbers(action: &LineAction<'_>, notes: &mut Notes) -> Vec<PositiveInt> {
    match action {
        LineAction::Certified { notes: texts, .. }
        | LineAction::Modified { notes: texts, .. }
        | LineAction::Pended { notes: texts, .. }
        | LineAction::Denied { notes: texts, .. } => {
            texts.iter().filter_map(|text| notes.number(text)).collect()
        }
        LineAction::NotRequired | LineAction::Cancelled => Vec::new(),
    }
}
