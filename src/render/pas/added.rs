//! What was authorized instead of what was asked (PAS 2.2.1 spec-36, spec-37).

use super::claim_response::kind;
use super::line::{adjudication, issued, period, trace_numbers};
use super::{Detail, EchoedQuantity, LineAction, LineAnswer, RequestedDate};
use crate::fhir::write::r4::resources::{ClaimResponseAddItem, ClaimResponseAddItemServiced};
use crate::fhir::write::r4::types::{Decimal, Extension, ExtensionValue, Quantity};
use crate::ig::pas::{PasVersion, ReviewAction, X12_QUANTITY, extension};
use crate::render::build;

/// What a quantity counts where nobody says it.
const UNIT: &str = "unit";

/// The added item of a line that was authorized with changes, in a version that has such items.
pub(super) fn build(version: PasVersion, line: &LineAnswer<'_>) -> Option<ClaimResponseAddItem> {
    let LineAction::Modified { number, issued_on, valid_from, valid_to, provider, change, .. } =
        &line.action
    else {
        return None;
    };
    if !version.has_added_items() {
        return None;
    }
    let authorized = &change.authorized;
    let mut extensions = trace_numbers(line);
    extensions.extend(issued(*issued_on, *valid_from, *valid_to));
    Some(ClaimResponseAddItem {
        extension: extensions,
        // PAS 2.2.1 spec-36: the sequence of the line that it stands for
        item_sequence: vec![line.sequence.into()],
        provider: provider.map(build::reference).into_iter().collect(),
        product_or_service: Box::new(kind(&authorized.product)),
        modifier: authorized.modifiers.iter().map(|codings| kind(codings)).collect(),
        serviced: authorized.service.and_then(serviced),
        quantity: authorized.quantity.map(|it| Box::new(quantity(version, it))),
        adjudication: vec![adjudication(ReviewAction::Certified, Some(number), &[])],
        ..ClaimResponseAddItem::default()
    })
}

/// `itemAuthorizedDetail`, of its inline parts only: the nested ones are out of their contexts
/// (PAS 3.18).
pub(super) fn detail(version: PasVersion, detail: &Detail<'_>) -> Extension {
    let concept = |codings| ExtensionValue::CodeableConcept(Box::new(kind(codings)));
    let product = (!detail.product.is_empty())
        .then(|| build::extension(extension::DETAIL_PRODUCT, concept(&detail.product)));
    let modifiers = detail
        .modifiers
        .iter()
        .map(|codings| build::extension(extension::DETAIL_MODIFIER, concept(codings)));
    let quantity = detail.quantity.map(|it| {
        let value = ExtensionValue::Quantity(Box::new(quantity(version, it)));
        build::extension(extension::DETAIL_QUANTITY, value)
    });
    let parts = product.into_iter().chain(modifiers).chain(quantity);
    build::complex(extension::ITEM_DETAIL, parts.collect())
}

fn serviced(date: RequestedDate<'_>) -> Option<ClaimResponseAddItemServiced> {
    match date {
        RequestedDate::Date(day) => Some(ClaimResponseAddItemServiced::Date(day.into())),
        RequestedDate::Period { start: None, end: None } => None,
        RequestedDate::Period { start, end } => {
            Some(ClaimResponseAddItemServiced::Period(Box::new(period(start, end))))
        }
    }
}

/// A quantity as the version has it: in 2.2 a code is one of X12 673, and one of another system
/// becomes the unit's word (`PASQuantity` prof-2, prof-3).
fn quantity(version: PasVersion, quantity: EchoedQuantity<'_>) -> Quantity {
    let EchoedQuantity { value, unit, system, code } = quantity;
    let is_plain = match version {
        PasVersion::V2_0_1 => true,
        PasVersion::V2_2_1 => system == Some(X12_QUANTITY),
    };
    let (system, kept) = if is_plain { (system, code) } else { (None, None) };
    let unit = unit.or(if kept.is_none() { code.or(Some(UNIT)) } else { None });
    Quantity {
        value: Some(Decimal { value: Some(value.to_owned()), ..Decimal::default() }),
        unit: unit.map(Into::into),
        system: system.map(Into::into),
        code: kept.map(Into::into),
        ..Quantity::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: PasVersion, asked: [Option<&str>; 3]) -> [Option<String>; 3] {
        let [unit, system, code] = asked;
        let quantity = quantity(version, EchoedQuantity { value: "1.50", unit, system, code });
        assert_eq!(quantity.value.unwrap().value.as_deref(), Some("1.50"));
        let system = quantity.system.and_then(|it| it.value);
        [quantity.unit.and_then(|it| it.value), system, quantity.code.and_then(|it| it.value)]
    }

    // PASQuantity prof-2, prof-3
    #[test]
    fn in_2_2_a_quantity_has_a_unit_or_a_code_of_x12_and_no_other_code() {
        let ucum = [None, Some("http://unitsofmeasure.org"), Some("{dose}")];
        let x12 = [None, Some(X12_QUANTITY), Some("UN")];
        let owned = |it: [Option<&str>; 3]| it.map(|text| text.map(str::to_owned));
        assert_eq!(said(PasVersion::V2_2_1, ucum), owned([Some("{dose}"), None, None]));
        assert_eq!(said(PasVersion::V2_2_1, x12), owned(x12));
        assert_eq!(said(PasVersion::V2_2_1, [None; 3]), owned([Some("unit"), None, None]));
        assert_eq!(said(PasVersion::V2_0_1, ucum), owned(ucum));
    }
}
