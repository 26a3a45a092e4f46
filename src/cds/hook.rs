//! The hooks that are answered.

use super::HookError;
use crate::fhir::Node;

/// A hook of CDS Hooks that Coverage Requirements Discovery uses (crd.md 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// A clinician is about to sign orders.
    OrderSign,
    /// A clinician has selected orders, before signing.
    OrderSelect,
    /// Signed orders are sent to whoever performs them.
    OrderDispatch,
    /// Appointments are proposed.
    AppointmentBook,
    /// An encounter begins.
    EncounterStart,
    /// An encounter ends.
    EncounterDischarge,
}

impl Hook {
    /// Every hook, in the order of the discovery document.
    pub const ALL: [Hook; 6] = [
        Hook::OrderSign,
        Hook::OrderSelect,
        Hook::OrderDispatch,
        Hook::AppointmentBook,
        Hook::EncounterStart,
        Hook::EncounterDischarge,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Hook::OrderSign => "order-sign",
            Hook::OrderSelect => "order-select",
            Hook::OrderDispatch => "order-dispatch",
            Hook::AppointmentBook => "appointment-book",
            Hook::EncounterStart => "encounter-start",
            Hook::EncounterDischarge => "encounter-discharge",
        }
    }

    /// The hook of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Hook> {
        Hook::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// The hook that a call names.
    ///
    /// # Errors
    /// It names none, or none that is answered.
    pub fn of_call(root: Node<'_>) -> Result<Hook, HookError> {
        if root.members().next().is_none() {
            return Err(HookError::NoObject);
        }
        let name = root.text_of("hook").ok_or(HookError::NoHook)?;
        Hook::from_name(&name).ok_or(HookError::UnknownHook)
    }

    /// Whether coverage information has to be given, and documents may be asked for; a secondary
    /// hook never asks for documents (crd.md 3.1).
    #[must_use]
    pub fn is_primary(self) -> bool {
        match self {
            Hook::OrderSign | Hook::OrderDispatch | Hook::AppointmentBook => true,
            Hook::OrderSelect | Hook::EncounterStart | Hook::EncounterDischarge => false,
        }
    }

    /// Whether it is about an encounter and not about what is asked for.
    #[must_use]
    pub fn is_of_encounter(self) -> bool {
        matches!(self, Hook::EncounterStart | Hook::EncounterDischarge)
    }
}
