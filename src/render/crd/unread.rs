//! What is said of clauses that could not be judged because records could not be read
//! (crd.md 3.9): in 2.2 `indeterminate` with the reason `technical`, in 2.0 the older form.

use super::coverage_information::{Coverage, DocNeeded, Documents, Reason, ReasonCode};
use crate::policy::Verdict;
use crate::terms::Truth;

/// Whether documents are needed cannot be told.
pub(super) fn documents(verdict: &Verdict) -> Option<Documents> {
    Some(Documents {
        needed: DocNeeded::Indeterminate,
        purpose: None,
        questionnaires: Vec::new(),
        why: reason(verdict)?,
    })
}

/// Adds the reason, unless the coverage says it already.
pub(super) fn add_reason(verdict: &Verdict, coverage: &Coverage, reasons: &mut Vec<Reason>) {
    let documents = match coverage {
        Coverage::Covered { documents, .. } | Coverage::Conditional { documents, .. } => {
            documents.as_ref()
        }
        Coverage::NotCovered { .. } | Coverage::Indeterminate { .. } => None,
    };
    if !documents.is_some_and(|it| it.needed == DocNeeded::Indeterminate) {
        reasons.extend(reason(verdict));
    }
}

/// Which clauses rest on records that could not be read, and why these could not.
fn reason(verdict: &Verdict) -> Option<Reason> {
    let open = || {
        let unknown = verdict.findings.iter().filter(|it| it.truth == Truth::Unknown);
        unknown.filter(|it| !it.unread.is_empty())
    };
    let clauses: Vec<String> = open().map(|it| format!("{} ({})", it.title, it.clause)).collect();
    let mut why: Vec<&str> = Vec::new();
    for sentence in open().flat_map(|it| &it.unread) {
        if !why.contains(&&**sentence) {
            why.push(sentence);
        }
    }
    let text = format!(
        "Records could not be read from the ordering system, so that this could not be judged: \
         {}. {} What is proven stays proven.",
        clauses.join("; "),
        why.join(" ")
    );
    (!clauses.is_empty()).then_some(Reason { code: Some(ReasonCode::Technical), text })
}
