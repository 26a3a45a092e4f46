//! priorauth.
#![forbid(unsafe_code)]
pub mod auth;
pub mod cds;
pub mod config;
pub mod facts;
pub mod fhir;
pub mod intake;
pub mod policy;
pub mod profiles;
pub mod store;
pub mod terms;
