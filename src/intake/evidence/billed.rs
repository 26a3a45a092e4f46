//! Lines of billed claims: what was given, as far as somebody was paid for it.
//!
//! clinical.md 4.2: a paid line proves that an agent was given, and no more.

use crate::facts::{FactId, MedicationKind, MedicationUse, Source, SourceKind};
use crate::fhir::Node;
use crate::intake::reader::{concept, span, when};
use crate::terms::Span;

/// Categories of an adjudication whose amount is money that was paid.
const PAID: &[&str] = &["benefit", "paidtoprovider", "paidtopatient", "payment"];

/// The lines and procedures of an `ExplanationOfBenefit` or a billed Claim as uses of what they
/// name; a request for authorization or an estimate bills nothing.
#[must_use]
pub fn billed_lines(
    node: Node<'_>,
    name: &str,
    id: FactId,
    told_by: SourceKind,
) -> Vec<MedicationUse> {
    let is_billed = node.text_of("use").as_deref() == Some("claim");
    if !is_billed || node.get("modifierExtension").is_some() {
        return Vec::new();
    }
    let is_active = node.text_of("status").as_deref() == Some("active");
    let whole = span(node.get("billablePeriod"));
    let mut lines = Vec::new();
    let mut put = |node: Option<Node<'_>>, element: String, taken: Span, is_paid: bool| {
        let code = concept(node);
        if code.codings.is_empty() {
            return;
        }
        lines.push(MedicationUse {
            id,
            source: Source {
                resource: name.into(),
                element: element.into(),
                date: taken.any_date(),
                kind: told_by,
            },
            kind: MedicationKind::BilledLine,
            code,
            status: match (is_active, is_paid) {
                (true, true) => Some("paid".into()),
                (true, false) => None,
                (false, _) => Some("entered-in-error".into()),
            },
            intent: None,
            do_not_perform: false,
            status_reasons: Vec::new(),
            taken_for: Vec::new(),
            taken_for_records: Vec::new(),
            taken,
        });
    };
    let kind = node.text_of("resourceType").unwrap_or_default();
    let on =
        |date: Option<Node<'_>>| when(date).map(|day| Span { start: Some(day), end: Some(day) });
    for (index, item) in node.each("item").enumerate() {
        let period = || item.get("servicedPeriod").map(|period| span(Some(period)));
        let taken = on(item.get("servicedDate")).or_else(period).unwrap_or(whole);
        let is_paid = was_paid(item.each("adjudication"));
        let element = format!("{kind}.item[{index}]");
        for (at, detail) in item.each("detail").enumerate() {
            let element = format!("{element}.detail[{at}].productOrService");
            put(detail.get("productOrService"), element, taken, is_paid);
        }
        let element = format!("{element}.productOrService");
        put(item.get("productOrService"), element, taken, is_paid);
    }
    let is_paid = was_paid(node.each("total").chain(node.get("payment")));
    for (index, procedure) in node.each("procedure").enumerate() {
        let element = format!("{kind}.procedure[{index}].procedure[x]");
        let taken = on(procedure.get("date")).unwrap_or(whole);
        put(procedure.get("procedureCodeableConcept"), element, taken, is_paid);
    }
    lines
}

/// Whether one of the adjudications, totals or payments is money that was paid.
fn was_paid<'d>(parts: impl IntoIterator<Item = Node<'d>>) -> bool {
    parts.into_iter().any(|part| {
        let is_payment = part.get("category").is_none_or(|category| {
            category
                .each("coding")
                .any(|coding| coding.text_of("code").is_some_and(|code| PAID.contains(&&*code)))
        });
        let amount = part.at(&["amount", "value"]).and_then(Node::number);
        is_payment && amount.and_then(|it| it.parse::<f64>().ok()).is_some_and(|it| it > 0.0)
    })
}
