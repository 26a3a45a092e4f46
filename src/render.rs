//! Floor 3: determinations on the wire.
//!
//! What was decided comes in neutral and borrowed; what leaves is JSON text in the words of one
//! version of one guide.
//! PAS: the response Bundle ([`pas`]), the OperationOutcome ([`outcome`]), the
//! `CapabilityStatement` ([`capability`]).
//! CRD: the answer to a hook and the discovery document ([`crd`]), with the order sent back as it
//! came ([`echo`]), or with members replaced where a card proposes that ([`revise`]).
//! No clock, no store, no randomness: ids, numbers and times are arguments.
//! Refuses to decide anything, and to read a resource that it passes on.

mod build;
mod bundle;
pub mod capability;
pub mod crd;
pub mod echo;
pub mod explain;
pub mod outcome;
pub mod pas;
pub mod revise;
pub mod trace;
pub mod words;

use crate::fhir::write::WriteError;

/// Why an answer could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// One of our resources lacks an element.
    #[error("cannot write a resource of ours: {0}")]
    Write(#[from] WriteError),
    /// Text that was given as a resource is not JSON, or our JSON cannot be written.
    #[error("cannot put an answer together")]
    Json(#[from] serde_json::Error),
    /// An order cannot be sent back.
    #[error("cannot send back `{order}`: {source}")]
    Echo {
        /// Which order, as `Type/id`.
        order: String,
        /// What is wrong with it.
        source: echo::EchoError,
    },
}
