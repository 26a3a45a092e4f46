//! A verdict as JSON: what the command line prints and what is stored beside a decision.

use serde::Serialize;

use crate::policy::{Cited, Finding, Verdict};

/// One item of a request, judged.
///
/// The names are a contract: others build on them.
#[derive(Debug, Serialize)]
pub struct ItemTrace<'v> {
    /// The Claim item's sequence, or the order's place among the draft orders.
    pub sequence: u32,
    /// The policy's id; `null` if none speaks of the product.
    pub policy: Option<&'v str>,
    /// The first day of the edition that judged, `YYYY-MM-DD`.
    pub policy_version: Option<String>,
    /// `approve`, `pend`, `review` or `not-subject`.
    pub determination: &'static str,
    /// Why a person has to look, or why nothing was judged.
    pub reasons: &'v [String],
    /// One entry for each clause.
    pub criteria: Vec<CriterionTrace<'v>>,
    /// What a person can read and no rule reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to_read: Vec<FactTrace<'v>>,
}

/// One clause of the policy.
#[derive(Debug, Serialize)]
pub struct CriterionTrace<'v> {
    /// The clause's id.
    pub id: &'v str,
    /// Its title.
    pub title: &'v str,
    /// `met`, `not-met` or `unknown`; of a limitation, `met` is clear.
    pub truth: &'static str,
    /// The facts that decided.
    pub because: Vec<FactTrace<'v>>,
    /// What would settle an unknown.
    pub needs: &'v [String],
    /// Facts that were looked at and not counted.
    pub not_counted: Vec<AsideTrace<'v>>,
}

/// A fact that decided.
#[derive(Debug, Serialize)]
pub struct FactTrace<'v> {
    /// `Type/id`.
    pub resource: &'v str,
    /// The element, as a FHIRPath.
    pub element: &'v str,
    /// Who states it: `record`, `request`, `payer` or `attested`.
    pub source: &'static str,
    /// Its clinical date, in the precision that was given.
    pub date: Option<String>,
    /// What it says.
    pub says: &'v str,
}

/// A fact that was not counted.
#[derive(Debug, Serialize)]
pub struct AsideTrace<'v> {
    /// `Type/id`.
    pub resource: &'v str,
    /// The element, as a FHIRPath.
    pub element: &'v str,
    /// Why not.
    pub why: &'v str,
}

/// The trace of one item.
#[must_use]
pub fn item(sequence: u32, verdict: &Verdict) -> ItemTrace<'_> {
    let policy = verdict.policy.as_ref();
    ItemTrace {
        sequence,
        policy: policy.map(|policy| &*policy.id),
        policy_version: policy.and_then(|policy| policy.edition).map(|day| day.to_string()),
        determination: verdict.determination.as_str(),
        reasons: &verdict.reasons,
        criteria: verdict.findings.iter().map(criterion).collect(),
        to_read: verdict.to_read.iter().map(fact).collect(),
    }
}

fn criterion(finding: &Finding) -> CriterionTrace<'_> {
    CriterionTrace {
        id: &finding.clause,
        title: &finding.title,
        truth: finding.truth.as_str(),
        because: finding.counted.iter().map(fact).collect(),
        needs: &finding.needs,
        not_counted: finding
            .set_aside
            .iter()
            .map(|aside| AsideTrace {
                resource: &aside.source.resource,
                element: &aside.source.element,
                why: &aside.why,
            })
            .collect(),
    }
}

fn fact(cited: &Cited) -> FactTrace<'_> {
    FactTrace {
        resource: &cited.source.resource,
        element: &cited.source.element,
        source: cited.source.kind.as_str(),
        date: cited.source.date.map(|date| date.to_string()),
        says: &cited.says,
    }
}
