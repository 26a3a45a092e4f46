//! The kinds of condition that a clause can have, one file each.
//!
//! Each kind is a serde struct (its shape in `policy.toml`), the keys of its questions (`ASKS`),
//! and `judge`, which reads the scene and reports an outcome.
//! A kind knows the shape of a rule; which codes, agents, ages and windows it is about comes from
//! the policy's folder.

pub mod age;
pub mod attestation;
pub mod biomarker;
pub mod diagnosis;
pub mod documented;
pub mod dose;
pub mod exposure;
pub mod indication;
pub mod logic;
pub mod measurement;
pub mod prescriber;
pub mod result;
pub mod site;
mod spread;
pub mod state;
pub mod therapy;
