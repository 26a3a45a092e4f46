//! Floor 1: CDS Hooks on the wire, read leniently.
//!
//! Real clients send over-long ids, empty tokens, Bundles without type, `OperationOutcomes` inside
//! prefetch (crd.md 7, rulings 37): none of it is refused.

use std::borrow::Cow;

use crate::fhir::Node;

/// A hook call.
#[derive(Clone, Debug)]
pub struct HookRequest<'d> {
    /// The hook's name.
    pub hook: Cow<'d, str>,
    /// The id of this firing; not unique, and no key of anything.
    pub hook_instance: Option<Cow<'d, str>>,
    /// `fhirServer`: the base of the client's own resources.
    pub fhir_server: Option<Cow<'d, str>>,
    /// `context.patientId`, without `Patient/`.
    pub patient_id: Cow<'d, str>,
    /// `context.encounterId`, without `Encounter/`.
    pub encounter_id: Option<Cow<'d, str>>,
    /// `context.draftOrders`.
    pub draft_orders: Option<Node<'d>>,
    /// The prefetched resources and Bundles, whatever their keys.
    pub prefetch: Vec<Node<'d>>,
    /// `extension["davinci-crd.configuration"]`, as far as it is booleans.
    pub configuration: Vec<(Cow<'d, str>, bool)>,
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
    /// `context` is missing.
    #[error("`context` is missing: it holds what the hook is about")]
    NoContext,
    /// `context.patientId` is missing.
    #[error("`context.patientId` is missing: it names the patient")]
    NoPatient,
    /// `context.draftOrders` is missing or no Bundle.
    #[error("`context.draftOrders` is missing: it is a Bundle of the orders to be signed")]
    NoOrders,
}

impl HookError {
    /// Where the fault is.
    #[must_use]
    pub fn place(self) -> &'static str {
        match self {
            HookError::NoObject => "$this",
            HookError::NoHook => "hook",
            HookError::NoContext => "context",
            HookError::NoPatient => "context.patientId",
            HookError::NoOrders => "context.draftOrders",
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
    /// What every hook needs is not there.
    pub fn read(root: Node<'d>) -> Result<HookRequest<'d>, HookError> {
        if root.members().next().is_none() {
            return Err(HookError::NoObject);
        }
        let hook = root.text_of("hook").ok_or(HookError::NoHook)?;
        let context = root.get("context").ok_or(HookError::NoContext)?;
        let patient_id = context.text_of("patientId").ok_or(HookError::NoPatient)?;
        let prefetch =
            root.get("prefetch").map(|it| it.members().map(|(_, value)| value).collect());
        let configuration = root.at(&["extension", "davinci-crd.configuration"]).map(|it| {
            it.members().filter_map(|(key, value)| Some((key, value.boolean()?))).collect()
        });
        Ok(HookRequest {
            hook,
            hook_instance: root.text_of("hookInstance"),
            fhir_server: root.text_of("fhirServer"),
            patient_id: without_type(patient_id, "Patient/"),
            encounter_id: context.text_of("encounterId").map(|id| without_type(id, "Encounter/")),
            draft_orders: context.get("draftOrders"),
            prefetch: prefetch.unwrap_or_default(),
            configuration: configuration.unwrap_or_default(),
        })
    }

    /// Whether the client wants answers of this kind; absent means yes.
    #[must_use]
    pub fn wants(&self, code: &str) -> bool {
        self.configuration.iter().find(|(known, _)| known == code).is_none_or(|(_, wanted)| *wanted)
    }
}

/// The context gives bare ids; some clients send a reference all the same.
fn without_type<'d>(id: Cow<'d, str>, prefix: &str) -> Cow<'d, str> {
    match id.strip_prefix(prefix) {
        Some(bare) => Cow::Owned(bare.to_owned()),
        None => id,
    }
}
