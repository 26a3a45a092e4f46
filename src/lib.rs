//! priorauth.
#![forbid(unsafe_code)]
pub mod auth;
pub mod cds;
pub mod cli;
pub mod config;
pub mod facts;
pub mod fhir;
pub mod hooks;
pub mod http;
pub mod ig;
pub mod intake;
pub mod policy;
pub mod profiles;
pub mod render;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod terms;
