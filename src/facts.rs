//! Floor 1: what was stated about one order, each statement with its source.
//!
//! A [`Case`] is an order, a patient, a coverage and the evidence.
//! Facts keep the codes as they were sent; what a code means for a clause is the policy's to say.
//! Refuses to know JSON, and to judge.

pub mod evidence;
pub mod order;
pub mod source;
mod version;

pub use evidence::{
    AdverseEvent, Alert, Allergy, Answer, Attestation, Authorization, Component, Condition,
    ConditionLink, Document, Evidence, MedicationKind, MedicationUse, Observation, Stage, Suspect,
    TestOrder, Value,
};
pub use order::{
    Amount, CoverageLack, CoverageStanding, DateOrigin, Line, Membership, Order, Patient,
    Prescriber, Product, Reason, Repeat, ServiceDate, Setting, Site, Specialty, Stated, Unusable,
};
pub use source::{FactId, Gap, Source, SourceKind, Unread};
pub use version::Corrections;

/// Everything that is known about one order.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    /// What is asked for, by whom, where and when.
    pub order: &'c Order,
    /// For whom.
    pub patient: &'c Patient,
    /// Who pays.
    pub coverage: &'c CoverageStanding,
    /// What the records say.
    pub evidence: &'c Evidence,
}
