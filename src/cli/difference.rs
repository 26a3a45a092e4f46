//! How two judgements of one item differ, clause by clause.

use serde::{Deserialize, Serialize};

use crate::policy::Verdict;
use crate::render::trace;

/// A judgement, as far as it is compared; what is stored beside a decision is read as one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Judged {
    /// The item's sequence.
    pub sequence: u32,
    /// What was determined.
    pub determination: String,
    /// The policy that judged.
    pub policy: Option<String>,
    /// The first day of its edition.
    pub policy_version: Option<String>,
    /// How each clause came out.
    pub criteria: Vec<JudgedClause>,
}

/// How a clause came out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JudgedClause {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// `met`, `not-met` or `unknown`.
    pub truth: String,
}

/// One item that is judged differently. The names are a contract.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The request, by file or by our id.
    pub request: String,
    /// The item's sequence.
    pub sequence: u32,
    /// The one judgement.
    pub old: Side,
    /// The other one.
    pub new: Side,
    /// The clauses whose truth differs.
    pub clauses: Vec<ClauseDifference>,
}

/// What one set of policies determined.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What was determined.
    pub determination: String,
    /// The policy that judged.
    pub policy: Option<String>,
    /// The first day of its edition.
    pub policy_version: Option<String>,
}

/// A clause whose truth differs; `null` where a policy does not have the clause.
#[derive(Debug, Serialize)]
pub struct ClauseDifference {
    id: String,
    title: String,
    old: Option<String>,
    new: Option<String>,
}

impl Judged {
    /// A verdict of today.
    #[must_use]
    pub fn of(sequence: u32, verdict: &Verdict) -> Judged {
        let trace = trace::item(sequence, verdict);
        let clause = |it: &trace::CriterionTrace<'_>| JudgedClause {
            id: it.id.to_owned(),
            title: it.title.to_owned(),
            truth: it.truth.to_owned(),
        };
        Judged {
            sequence,
            determination: trace.determination.to_owned(),
            policy: trace.policy.map(str::to_owned),
            criteria: trace.criteria.iter().map(clause).collect(),
            policy_version: trace.policy_version,
        }
    }

    fn truth(&self, clause: &str) -> Option<&String> {
        self.criteria.iter().find(|it| it.id == clause).map(|it| &it.truth)
    }

    fn side(&self) -> Side {
        Side {
            determination: self.determination.clone(),
            policy: self.policy.clone(),
            policy_version: self.policy_version.clone(),
        }
    }
}

impl Difference {
    /// How two judgements of an item differ by determination or clause; `None`: they do not.
    #[must_use]
    pub fn between(request: &str, old: &Judged, new: &Judged) -> Option<Difference> {
        let clauses = clause_differences(old, new);
        let is_same = clauses.is_empty() && old.determination == new.determination;
        (!is_same).then(|| Difference {
            request: request.to_owned(),
            sequence: old.sequence,
            old: old.side(),
            new: new.side(),
            clauses,
        })
    }

    /// The difference for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Difference { request, sequence, old, new, clauses } = self;
        let item = if *sequence == 0 { String::new() } else { format!(", item {sequence}") };
        let mut lines =
            vec![format!("{request}{item}: {} becomes {}", old.determination, new.determination)];
        if old.policy != new.policy || old.policy_version != new.policy_version {
            lines.push(format!("  judged by {} becomes {}", old.judge(), new.judge()));
        }
        for clause in clauses {
            let word = |truth: &Option<String>| truth.clone().unwrap_or("not judged".to_owned());
            let ClauseDifference { id, title, .. } = clause;
            let (old, new) = (word(&clause.old), word(&clause.new));
            lines.push(format!("  {id} {title}: {old} becomes {new}"));
        }
        if clauses.is_empty() {
            lines.push("  no clause differs: product, coverage or edition do".to_owned());
        }
        lines.join("\n")
    }
}

/// The clauses of either judgement whose truth differs, those of the old one first.
fn clause_differences(old: &Judged, new: &Judged) -> Vec<ClauseDifference> {
    let only_new = new.criteria.iter().filter(|it| old.truth(&it.id).is_none());
    let all = old.criteria.iter().chain(only_new);
    let compared = all.map(|clause| ClauseDifference {
        id: clause.id.clone(),
        title: clause.title.clone(),
        old: old.truth(&clause.id).cloned(),
        new: new.truth(&clause.id).cloned(),
    });
    compared.filter(|clause| clause.old != clause.new).collect()
}

impl Side {
    fn judge(&self) -> String {
        let version = self.policy_version.as_deref().unwrap_or("no edition");
        self.policy
            .as_ref()
            .map_or_else(|| "no policy".to_owned(), |policy| format!("{policy} of {version}"))
    }
}
