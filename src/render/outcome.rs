//! An OperationOutcome: what is wrong with a request, and where.

use super::RenderError;
use super::words;
use crate::fhir::Fault;
use crate::fhir::write::r4::Resource;
use crate::fhir::write::r4::resources::{OperationOutcome, OperationOutcomeIssue};
use crate::fhir::write::r4::types::CodeableConcept;
use crate::fhir::write::write;

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issue<'a> {
    /// A code of `http://hl7.org/fhir/issue-type`.
    pub code: &'a str,
    /// What is wrong, in words that hold nothing about a patient.
    pub text: &'a str,
    /// Where, as a FHIRPath; `None`: nowhere in particular.
    pub place: Option<&'a str>,
}

impl<'a> From<&'a Fault> for Issue<'a> {
    fn from(fault: &'a Fault) -> Issue<'a> {
        let place = Some(fault.place.as_str()).filter(|place| *place != "$this");
        Issue { code: fault.kind.code(), text: &fault.text, place }
    }
}

/// One OperationOutcome with an issue for each fault (PAS 2.2.1 spec-38: exactly one).
///
/// # Errors
/// None that input can cause.
pub fn of_faults(faults: &[Fault]) -> Result<String, RenderError> {
    let issues: Vec<Issue<'_>> = faults.iter().map(Issue::from).collect();
    of_issues(&issues)
}

/// One OperationOutcome with these issues, all of severity error.
///
/// # Errors
/// None that input can cause.
pub fn of_issues(issues: &[Issue<'_>]) -> Result<String, RenderError> {
    let unspecified = [Issue { code: "exception", text: "the request failed", place: None }];
    let issues = if issues.is_empty() { &unspecified } else { issues };
    let outcome = OperationOutcome {
        issue: issues.iter().map(issue).collect(),
        ..OperationOutcome::default()
    };
    Ok(write(&Resource::OperationOutcome(Box::new(outcome)))?)
}

/// An OperationOutcome beside an answer that says something and reports no fault.
///
/// # Errors
/// None that input can cause.
pub fn information(text: &str) -> Result<String, RenderError> {
    let said = issue(&Issue { code: "informational", text, place: None });
    let said = OperationOutcomeIssue { severity: "information".into(), ..said };
    let outcome = OperationOutcome { issue: vec![said], ..OperationOutcome::default() };
    Ok(write(&Resource::OperationOutcome(Box::new(outcome)))?)
}

fn issue(issue: &Issue<'_>) -> OperationOutcomeIssue {
    let text = words::plain(issue.text);
    OperationOutcomeIssue {
        severity: "error".into(),
        code: issue.code.into(),
        details: Some(Box::new(CodeableConcept {
            text: Some(text.into()),
            ..CodeableConcept::default()
        })),
        expression: issue.place.map(Into::into).into_iter().collect(),
        ..OperationOutcomeIssue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::FaultKind;

    #[test]
    fn every_fault_is_an_issue_with_its_code_and_place() {
        let faults = [
            Fault {
                kind: FaultKind::Required,
                place: "Bundle.entry[0].resource.insurer".into(),
                text: "the insurer is missing".into(),
            },
            Fault {
                kind: FaultKind::Structure,
                place: "$this".into(),
                text: "the text ends in the middle (line 3, column 9)".into(),
            },
        ];
        insta::assert_snapshot!(of_faults(&faults).unwrap());
    }

    #[test]
    fn no_fault_at_all_still_makes_a_valid_outcome() {
        assert!(of_issues(&[]).unwrap().contains(r#""code":"exception""#));
    }
}
