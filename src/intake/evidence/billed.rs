//! Lines of billed claims: what was given, as far as somebody was paid for it.
//!
//! clinical.md 4.2: a paid line proves that an agent was given, and no more.

use crate::facts::{FactId, MedicationKind, MedicationUse, Source, SourceKind};
use crate::fhir::Node;
use crate::intake::reader::{concept, span, when};
use crate::terms::{Concept, Span};

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
    let mut put = |node: Option<Node<'_>>, element: String, taken: Span, payment: Payment| {
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
            status: match (is_active, payment) {
                (true, Payment::Made) => Some("paid".into()),
                (true, Payment::TakenBack) => Some(TAKEN_BACK.into()),
                (true, Payment::None) => None,
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
    let listed = |name: &'static str| {
        node.each(name).enumerate().map(move |(index, item)| (format!("{name}[{index}]"), item))
    };
    // The payer may have added lines to those of the provider.
    for (place, item) in listed("item").chain(listed("addItem")) {
        let period = || item.get("servicedPeriod").map(|period| span(Some(period)));
        let taken = on(item.get("servicedDate")).or_else(period).unwrap_or(whole);
        let payment = payment(item.each("adjudication"));
        for (at, detail) in item.each("detail").enumerate() {
            let element = format!("{kind}.{place}.detail[{at}].productOrService");
            put(detail.get("productOrService"), element, taken, payment);
            for part in detail.each("subDetail") {
                let element = format!("{kind}.{place}.detail[{at}].subDetail.productOrService");
                put(part.get("productOrService"), element, taken, payment);
            }
        }
        let element = format!("{kind}.{place}.productOrService");
        put(item.get("productOrService"), element, taken, payment);
    }
    let payment = payment(node.each("total").chain(node.get("payment")));
    for (index, procedure) in node.each("procedure").enumerate() {
        let element = format!("{kind}.procedure[{index}].procedure[x]");
        let taken = on(procedure.get("date")).unwrap_or(whole);
        put(procedure.get("procedureCodeableConcept"), element, taken, payment);
    }
    lines
}

/// The status of a line by which money was taken back.
const TAKEN_BACK: &str = "reversed";

/// A paid line that a later one takes back proves nothing any more, and yet it was billed
/// (clinical.md 4.1, N24): each takes back one line of the same code and day.
pub fn take_back(lines: &mut [MedicationUse]) {
    let reversals: Vec<(Concept, Span)> = lines
        .iter()
        .filter(|line| line.status.as_deref() == Some(TAKEN_BACK))
        .map(|line| (line.code.clone(), line.taken))
        .collect();
    for (code, taken) in reversals {
        let paid = lines.iter_mut().find(|line| {
            line.status.as_deref() == Some("paid")
                && line.taken == taken
                && line.code.codings.iter().any(|it| code.codings.contains(it))
        });
        if let Some(line) = paid {
            line.status = None;
        }
    }
}

/// What became of the money of a line.
#[derive(Clone, Copy)]
enum Payment {
    Made,
    TakenBack,
    None,
}

/// What adjudications, totals or payments say together of the money.
fn payment<'d>(parts: impl IntoIterator<Item = Node<'d>>) -> Payment {
    let is_payment = |part: &Node<'_>| {
        part.get("category").is_none_or(|category| {
            category
                .each("coding")
                .any(|coding| coding.text_of("code").is_some_and(|code| PAID.contains(&&*code)))
        })
    };
    let amount =
        |part: Node<'_>| part.at(&["amount", "value"]).and_then(Node::number)?.parse::<f64>().ok();
    let sum: f64 = parts.into_iter().filter(is_payment).filter_map(amount).sum();
    // Less than half a cent is what the addition of fractions leaves.
    match sum {
        sum if sum > 0.005 => Payment::Made,
        sum if sum < -0.005 => Payment::TakenBack,
        _ => Payment::None,
    }
}
