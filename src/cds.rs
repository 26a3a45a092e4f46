//! Floor 1: CDS Hooks on the wire, read leniently.
//!
//! Real clients send over-long ids, empty tokens, Bundles without type, `OperationOutcomes` inside
//! prefetch (crd.md 7, rulings 37): none of it is refused.

mod context;
mod hook;

use std::borrow::Cow;

use crate::fhir::Node;

pub use context::{Context, based_on};
pub use hook::Hook;

/// The code of the option that [`HookRequest::tells_authorizations`] reads.
pub const UNSOLICITED: &str = "unsolicited-determ";

/// A hook call.
#[derive(Clone, Debug)]
pub struct HookRequest<'d> {
    /// The hook.
    pub hook: Hook,
    /// The id of this firing; not unique, and no key of anything.
    pub hook_instance: Option<Cow<'d, str>>,
    /// `fhirServer`: the base of the client's own resources.
    pub fhir_server: Option<Cow<'d, str>>,
    /// `context.patientId`, without `Patient/`.
    pub patient_id: Cow<'d, str>,
    /// `context.encounterId`, without `Encounter/`.
    pub encounter_id: Option<Cow<'d, str>>,
    /// What the hook is about.
    pub context: Context<'d>,
    /// The prefetched resources and Bundles under their keys; `null` where the client found nothing.
    pub prefetch: Vec<(Cow<'d, str>, Node<'d>)>,
    /// `extension["davinci-crd.configuration"]`, as far as it is booleans.
    pub configuration: Vec<(Cow<'d, str>, bool)>,
    /// `extension["davinci-crd.requestedVersion"]`: in the words of which version the client wants
    /// to be answered.
    pub requested_version: Option<Cow<'d, str>>,
}

/// Why a body is no hook call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It is no JSON object.
    #[error("a CDS Hooks request is a JSON object")]
    NoObject,
    /// `hook` is missing.
    #[error("`hook` is missing: it names the hook that fired")]
    NoHook,
    /// `hook` names none that is known here.
    #[error("`hook` names no hook that is answered here")]
    UnknownHook,
    /// `context` is missing.
    #[error("`context` is missing: it holds what the hook is about")]
    NoContext,
    /// `context.patientId` is missing.
    #[error("`context.patientId` is missing: it names the patient")]
    NoPatient,
    /// `context.draftOrders` is missing.
    #[error("`context.draftOrders` is missing: it is a Bundle of the orders that are drafted")]
    NoOrders,
    /// `context.selections` is missing.
    #[error("`context.selections` is missing: it lists the drafts that were selected")]
    NoSelections,
    /// `context.dispatchedOrders` is missing, and the older `context.order` too.
    #[error("`context.dispatchedOrders` is missing: it lists the orders that are dispatched")]
    NoDispatchedOrders,
    /// `context.appointments` is missing.
    #[error("`context.appointments` is missing: it is a Bundle of the proposed appointments")]
    NoAppointments,
    /// `context.encounterId` is missing from a hook about an encounter.
    #[error("`context.encounterId` is missing: it names the encounter")]
    NoEncounter,
}

impl HookError {
    /// Where the fault is.
    #[must_use]
    pub fn place(self) -> &'static str {
        match self {
            HookError::NoObject => "$this",
            HookError::NoHook | HookError::UnknownHook => "hook",
            HookError::NoContext => "context",
            HookError::NoPatient => "context.patientId",
            HookError::NoOrders => "context.draftOrders",
            HookError::NoSelections => "context.selections",
            HookError::NoDispatchedOrders => "context.dispatchedOrders",
            HookError::NoAppointments => "context.appointments",
            HookError::NoEncounter => "context.encounterId",
        }
    }
}

impl<'d> HookRequest<'d> {
    /// Whether a JSON document looks like a hook call.
    #[must_use]
    pub fn is_one(root: Node<'_>) -> bool {
        root.get("hook").is_some() || root.get("context").is_some()
    }

    /// Reads a hook call.
    ///
    /// # Errors
    /// What the hook needs is not there.
    pub fn read(root: Node<'d>) -> Result<HookRequest<'d>, HookError> {
        let hook = Hook::of_call(root)?;
        let context = root.get("context").ok_or(HookError::NoContext)?;
        let patient_id = context.text_of("patientId").ok_or(HookError::NoPatient)?;
        let prefetch = root.get("prefetch").map(|it| it.members().collect());
        let configuration = root.at(&["extension", "davinci-crd.configuration"]).map(|it| {
            it.members().filter_map(|(key, value)| Some((key, value.boolean()?))).collect()
        });
        Ok(HookRequest {
            hook,
            hook_instance: root.text_of("hookInstance"),
            fhir_server: root.text_of("fhirServer"),
            patient_id: without_type(patient_id, "Patient/"),
            encounter_id: context.text_of("encounterId").map(|id| without_type(id, "Encounter/")),
            context: Context::read(hook, context)?,
            prefetch: prefetch.unwrap_or_default(),
            configuration: configuration.unwrap_or_default(),
            requested_version: root
                .at(&["extension", "davinci-crd.requestedVersion"])
                .and_then(Node::text),
        })
    }

    /// Whether the client wants answers of this kind; absent means yes.
    #[must_use]
    pub fn wants(&self, code: &str) -> bool {
        self.configuration.iter().find(|(known, _)| known == code).is_none_or(|(_, wanted)| *wanted)
    }

    /// Whether authorizations on file may be told of; a call that only asks what would be is told
    /// of none (crd.md 3.3).
    #[must_use]
    pub fn tells_authorizations(&self) -> bool {
        self.wants(UNSOLICITED)
    }

    /// The references of the context to resources that are not in it, `Type/id` as a rule, those
    /// first that the answer is about.
    #[must_use]
    pub fn wanted(&self) -> Vec<Cow<'d, str>> {
        let encounter = self.encounter_id.as_ref().map(|id| format!("Encounter/{id}").into());
        let mut wanted: Vec<Cow<'d, str>> = Vec::new();
        for reference in self.context.references().into_iter().chain(encounter) {
            if !wanted.contains(&reference) {
                wanted.push(reference);
            }
        }
        wanted
    }
}

/// The context gives bare ids; some clients send a reference all the same.
fn without_type<'d>(id: Cow<'d, str>, prefix: &str) -> Cow<'d, str> {
    match id.strip_prefix(prefix) {
        Some(bare) => Cow::Owned(bare.to_owned()),
        None => id,
    }
}
