//! The Task that asks to fill in a form of the payer's (crd.md 3.5).

use crate::fhir::write::r4::Resource;
use crate::fhir::write::r4::resources::{Task, TaskInput, TaskInputValue};
use crate::fhir::write::r4::types::{CodeableConcept, Reference};
use crate::fhir::write::write;
use crate::ig::CrdVersion;
use crate::ig::crd::{SDC_TEMP, TEMP};
use crate::render::{RenderError, build};
use crate::terms::{Day, Npi};

/// A form to fill in for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormTask {
    /// The canonical of the Questionnaire, with its version.
    pub questionnaire: String,
    /// The reference to the patient, as the client gave it.
    pub patient: String,
    /// `Type/id` of the order.
    pub order: String,
    /// The payer who asks: its name and its number.
    pub payer: (String, Npi),
    /// The day of the call.
    pub today: Day,
    /// Why, in words.
    pub why: String,
}

/// The Task's JSON text.
///
/// # Errors
/// It cannot be written.
pub(super) fn task(form: &FormTask, version: CrdVersion) -> Result<String, RenderError> {
    let in_words = |text: &str, concept: CodeableConcept| CodeableConcept {
        text: Some(text.into()),
        ..concept
    };
    let questionnaire = TaskInput {
        r#type: Box::new(in_words("questionnaire", build::concept(SDC_TEMP, "questionnaire"))),
        value: TaskInputValue::Canonical(form.questionnaire.as_str().into()),
        ..TaskInput::default()
    };
    let mut input = vec![questionnaire];
    let mut reason = CodeableConcept::default();
    if version.task_says_what_follows() {
        reason = build::concept(TEMP, "reason-prior-auth");
        input.push(TaskInput {
            r#type: Box::new(build::concept(TEMP, "after-completion-action")),
            value: TaskInputValue::CodeableConcept(Box::new(build::concept(
                TEMP,
                "prior-auth-include",
            ))),
            ..TaskInput::default()
        });
    }
    let (name, npi) = &form.payer;
    let task = Task {
        based_on: vec![build::reference(&form.order)],
        status: "ready".into(),
        intent: "order".into(),
        code: Some(Box::new(build::concept(SDC_TEMP, "complete-questionnaire"))),
        r#for: Some(Box::new(build::reference(&form.patient))),
        authored_on: Some(form.today.to_string().as_str().into()),
        requester: Some(Box::new(Reference {
            r#type: Some("Organization".into()),
            identifier: Some(Box::new(build::identifier(
                Some("http://hl7.org/fhir/sid/us-npi"),
                &npi.to_string(),
            ))),
            display: Some(name.as_str().into()),
            ..Reference::default()
        })),
        reason_code: Some(Box::new(in_words(&form.why, reason))),
        input,
        ..Task::default()
    };
    Ok(write(&Resource::Task(Box::new(task)))?)
}
