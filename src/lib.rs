//! priorauth.
#![forbid(unsafe_code)]
pub mod facts;
pub mod fhir;
pub mod ig;
pub mod policy;
pub mod render;
pub mod terms;
