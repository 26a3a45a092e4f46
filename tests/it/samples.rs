//! Answers as the service makes them, about synthetic people, for snapshots and the validator.

pub(crate) mod hook;
pub(crate) mod submission;
