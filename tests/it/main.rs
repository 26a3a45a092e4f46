//! The one integration binary: a module for each area.
//!
//! `cfg(test)` tells clippy that these are tests.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod assertions;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cards;
#[cfg(test)]
mod case_life;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod crd;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod ehr;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod import;
#[cfg(test)]
mod inferno;
#[cfg(test)]
mod load;
#[cfg(test)]
mod must_support;
#[cfg(test)]
mod pas;
#[cfg(test)]
mod payer_facts;
#[cfg(test)]
mod policy_tools;
#[cfg(test)]
mod process;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod review_command;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod shelf;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod validator;
#[cfg(test)]
mod value_sets;
#[cfg(test)]
mod wire;
