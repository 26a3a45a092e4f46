//! From findings to a determination: one match, a comment a row.

use super::finding::{Determination, Finding, Lack};
use crate::terms::Truth;

/// What the findings come to together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    not_met: bool,
    absent: bool,
    to_judge: bool,
}

/// Determines an order from its findings; `in_doubt`: something outside the clauses, such as the
/// coverage or the identity of the product, keeps it from being approved.
///
/// Returns the determination and why a person has to look.
#[must_use]
pub fn determine(findings: &[Finding], in_doubt: bool) -> (Determination, Vec<String>) {
    let tally = Tally {
        not_met: findings.iter().any(|finding| finding.truth == Truth::NotMet),
        absent: findings.iter().any(|finding| {
            // An unknown that says nothing of its kind is read as missing evidence.
            finding.truth == Truth::Unknown && finding.lack != Some(Lack::Judgement)
        }),
        to_judge: findings.iter().any(|finding| finding.lack == Some(Lack::Judgement)),
    };
    // No clause at all proves nothing.
    let in_doubt = in_doubt || findings.is_empty();
    let determination = match (tally, in_doubt) {
        // Something is disproven: a person decides, whatever else is open (rulings 4).
        (Tally { not_met: true, .. }, _) => Determination::Review,
        // The coverage or the product is in doubt: no question to the clinician settles that.
        (_, true) => Determination::Review,
        // Evidence is missing: it is asked for, and judged when it is there.
        (Tally { absent: true, .. }, false) => Determination::Pend,
        // All that is known is there, and some of it calls for judgement.
        (Tally { to_judge: true, .. }, false) => Determination::Review,
        // Every criterion is met and every limitation clear.
        (Tally { not_met: false, absent: false, to_judge: false }, false) => Determination::Approve,
    };
    let reasons = match determination {
        Determination::Review => findings.iter().filter_map(reason).collect(),
        Determination::NotSubject | Determination::Approve | Determination::Pend => Vec::new(),
    };
    (determination, reasons)
}

fn reason(finding: &Finding) -> Option<String> {
    match (finding.truth, finding.lack) {
        (Truth::NotMet, _) => Some(format!("{} {}: not met", finding.clause, finding.title)),
        (Truth::Unknown, Some(Lack::Judgement)) => {
            Some(format!("{} {}: calls for judgement", finding.clause, finding.title))
        }
        (Truth::Met | Truth::Unknown, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(truth: Truth, lack: Option<Lack>) -> Finding {
        Finding {
            clause: "1".into(),
            title: "t".into(),
            words: "w".into(),
            truth,
            counted: Vec::new(),
            set_aside: Vec::new(),
            needs: Vec::new(),
            lack,
            unread: Vec::new(),
        }
    }

    #[track_caller]
    fn check(findings: &[Finding], in_doubt: bool, expected: Determination) {
        assert_eq!(determine(findings, in_doubt).0, expected);
    }

    #[test]
    fn only_all_met_without_doubt_approves() {
        let met = || finding(Truth::Met, None);
        let absent = || finding(Truth::Unknown, Some(Lack::Evidence));
        let judged = || finding(Truth::Unknown, Some(Lack::Judgement));
        let not_met = || finding(Truth::NotMet, None);
        check(&[met(), met()], false, Determination::Approve);
        check(&[met(), met()], true, Determination::Review);
        check(&[met(), absent()], false, Determination::Pend);
        check(&[met(), absent(), judged()], false, Determination::Pend);
        check(&[met(), judged()], false, Determination::Review);
        check(&[absent(), not_met()], false, Determination::Review);
        check(&[finding(Truth::Unknown, None)], false, Determination::Pend);
        check(&[], false, Determination::Review);
    }
}
