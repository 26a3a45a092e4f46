//! What the status elements of a record make of it.

use crate::facts::Condition;
use crate::terms::Day;

/// What a Condition's status elements make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Confirmed, active now, dated.
    Current,
    /// Confirmed, and over.
    Past,
    /// Said not to be there.
    Refuted,
    /// Confirmed by nobody.
    Unconfirmed,
    /// Confirmed, but something else is missing or unclear; the reason in words.
    Unclear(&'static str),
    /// Never meant.
    EnteredInError,
}

impl Standing {
    /// Reads status, verification and dates of a Condition (clinical.md 1.2).
    #[must_use]
    pub fn of(condition: &Condition, as_of: Day) -> Standing {
        match condition.verification_status.as_deref() {
            Some("confirmed") => {}
            None if condition.by_clinician => {}
            Some("refuted") => return Standing::Refuted,
            Some("entered-in-error") => return Standing::EnteredInError,
            Some(_) | None => return Standing::Unconfirmed,
        }
        match (condition.clinical_status.as_deref(), condition.is_abated) {
            (Some("active" | "recurrence" | "relapse"), false) => {}
            (Some("active" | "recurrence" | "relapse"), true) => {
                return Standing::Unclear("said to be active and to have ended");
            }
            (Some("inactive" | "resolved"), _) | (None, true) => return Standing::Past,
            (Some("remission"), _) => return Standing::Unclear("in remission"),
            (None, false) => return Standing::Unclear("without a clinical status"),
            (Some(_), _) => return Standing::Unclear("of an unknown clinical status"),
        }
        match condition.source.date {
            None => Standing::Unclear("without a date"),
            Some(date) if date.first() > as_of => Standing::Unclear("dated in the future"),
            Some(_) => Standing::Current,
        }
    }

    /// Why a record of this standing is not counted.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Standing::Current => "current",
            Standing::Past => "not current any more",
            Standing::Refuted => "refuted",
            Standing::Unconfirmed => "not confirmed",
            Standing::Unclear(why) => why,
            Standing::EnteredInError => "entered in error",
        }
    }
}

/// What an Observation's status makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportStatus {
    /// Final, amended or corrected.
    Final,
    /// Registered, preliminary, absent or unknown: there may be a result later.
    Open,
    /// Cancelled or entered in error.
    Void,
}

impl ReportStatus {
    /// Reads `Observation.status`.
    #[must_use]
    pub fn of(status: Option<&str>) -> ReportStatus {
        match status {
            Some("final" | "amended" | "corrected") => ReportStatus::Final,
            Some("cancelled" | "entered-in-error") => ReportStatus::Void,
            Some(_) | None => ReportStatus::Open,
        }
    }
}
