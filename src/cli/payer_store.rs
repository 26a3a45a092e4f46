//! The payer's own store, read while files are judged without a server.

use std::path::Path;

use anyhow::Context;

use crate::intake::dossier::Dossier;
use crate::policy::Plan;
use crate::service::payer_facts::take_payer_facts;
use crate::store::SqliteStore;

/// A store that is only read; a server may be writing to it.
#[derive(Debug)]
pub struct PayerStore {
    store: SqliteStore,
    runtime: tokio::runtime::Runtime,
}

impl PayerStore {
    /// Opens the store in a data folder.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(data: &Path) -> anyhow::Result<PayerStore> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime")?;
        let store =
            runtime.block_on(SqliteStore::open_to_read(data)).context("opening the store")?;
        Ok(PayerStore { store, runtime })
    }

    /// Puts what it holds into a dossier.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn add_to(&self, dossier: &mut Dossier, plan: &Plan) -> Result<(), String> {
        let taken = self.runtime.block_on(take_payer_facts(&self.store, dossier, plan));
        taken.map_err(|error| error.to_string())
    }
}
