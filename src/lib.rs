//! priorauth.
#![forbid(unsafe_code)]
pub mod cds;
pub mod facts;
pub mod fhir;
pub mod ig;
pub mod intake;
pub mod policy;
pub mod profiles;
pub mod render;
pub mod store;
pub mod terms;
