//! Floor 5: what the service does, each as one function.
//!
//! A request goes straight through: read, judge, save, render. Adapters (store, clock and ids)
//! come in by trait.
//! Refuses to know HTTP.

pub mod answer_hook;
mod answering;
mod claim_echo;
mod encounter_card;
pub mod feedback;
mod gather;
pub mod honour;
mod hook_cards;
mod hook_record;
pub mod inquire_claim;
mod judge_orders;
mod line;
mod notice;
pub mod notify;
mod on_file;
pub mod payer_facts;
pub mod review;
pub mod scenario;
pub mod submit_attachment;
pub mod submit_claim;
mod turns;
mod update;
pub mod world;

use std::sync::Arc;

use crate::ehr::Ehr;
use crate::policy::Rulebook;
use crate::render::RenderError;
use crate::store::{Store, StoreError};

use on_file::OnFile;
pub use world::{RealWorld, World};

/// The service: a plan with its policies, a store, and the world outside.
pub struct Service {
    rules: Rulebook,
    store: Arc<dyn Store>,
    world: Arc<dyn World>,
    terms: Terms,
    turns: turns::Turns,
    /// Rung when there may be something to notify of.
    news: tokio::sync::Notify,
    templates: gather::Templates,
    ehr: Option<Ehr>,
}

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The public base of URLs that we create, without a final slash; never the listen address.
    pub public_base: String,
    /// For how long the same content of the same client is a repeat (rulings 31).
    pub repeat_window: std::time::Duration,
    /// How long after its last answer a decided case is found by inquiry.
    pub inquiry_retention: std::time::Duration,
    /// Whether a card tells in words what each system action says (rulings 39).
    pub tells_actions: bool,
    /// Scripted answers for testers; none outside a sandbox.
    pub scenarios: scenario::Scenarios,
}

/// Why a request got no answer although nothing was wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// An answer could not be rendered.
    #[error("the answer could not be rendered")]
    Render(#[from] RenderError),
    /// Somebody else was faster; the same request can be made again.
    #[error("the case moved on: {0}")]
    MovedOn(&'static str),
    /// A value that we made ourselves was refused.
    #[error("an internal value was refused: {0}")]
    Internal(&'static str),
}

impl Service {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        rules: Rulebook,
        store: Arc<dyn Store>,
        world: Arc<dyn World>,
        terms: Terms,
    ) -> Service {
        let (turns, news) = (turns::Turns::default(), tokio::sync::Notify::new());
        let templates = gather::Templates::of_shelf(&rules.shelf);
        Service { rules, store, world, terms, turns, news, templates, ehr: None }
    }

    /// The same, which asks clients' own FHIR servers for what a hook call lacks.
    #[must_use]
    pub fn with_ehr(self, ehr: Ehr) -> Service {
        Service { ehr: Some(ehr), ..self }
    }

    /// The plan and its policies.
    #[must_use]
    pub fn rules(&self) -> &Rulebook {
        &self.rules
    }

    /// What the operator set.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The present, as the service sees it.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.world.now()
    }

    /// A number from 0 to 1 that nobody can foretell.
    fn chance(&self) -> f64 {
        self.world.chance()
    }

    /// Whether requests can be served.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }

    /// Brings everything that was accepted to rest.
    ///
    /// # Errors
    /// The store could not be closed.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
