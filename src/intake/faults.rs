//! What is wrong with a request, collected to a limit.

use crate::fhir::strict_json::MAX_FAULTS;
use crate::fhir::{Fault, FaultKind, Node};

/// The faults found so far, at most [`MAX_FAULTS`]; the last says that there are more.
///
/// A place is built only for a fault, so that a good request costs none.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<Fault>,
}

impl Faults {
    /// Notes a fault of the value at `node`.
    pub(super) fn add(&mut self, kind: FaultKind, node: Node<'_>, text: impl Into<String>) {
        self.note(kind, || node.place(), text);
    }

    /// Notes that `parent` lacks the element `name`; the place is where it would stand.
    pub(super) fn missing(&mut self, parent: Node<'_>, name: &str) {
        let place = || format!("{}.{name}", parent.place());
        self.note(FaultKind::Required, place, format!("`{name}` is missing"));
    }

    /// Everything that was found.
    pub(super) fn into_vec(self) -> Vec<Fault> {
        self.found
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn note(&mut self, kind: FaultKind, place: impl FnOnce() -> String, text: impl Into<String>) {
        match self.found.len() + 1 {
            count if count < MAX_FAULTS => {
                self.found.push(Fault { kind, place: place(), text: text.into() });
            }
            MAX_FAULTS => self.found.push(Fault {
                kind: FaultKind::TooLong,
                place: place(),
                text: "there are more faults than are listed; this is the first that is not".into(),
            }),
            _ => {}
        }
    }
}
