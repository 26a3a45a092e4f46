//! The connections that read: as many reads run at once as there are connections.
//!
//! A read is a whole: one turn on a thread that may wait for the disk, and one transaction, so that
//! all that it sees belongs together.
//! A read that was begun runs to its end, whether or not its caller still waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::PATIENCE;
use super::fault::caught;
use crate::store::error::Fault;

/// Connections that read, and whose turn it is.
#[derive(Debug)]
pub(super) struct Readers {
    free: Arc<Free>,
    turns: Arc<Semaphore>,
    count: u32,
}

/// Those on which nobody reads now: at least one for each turn that is not taken.
#[derive(Debug)]
struct Free(Mutex<Vec<Connection>>);

impl Free {
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Readers {
    /// Reads on these connections.
    pub(super) fn new(connections: Vec<Connection>) -> Readers {
        let turns = Arc::new(Semaphore::new(connections.len()));
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        Readers { free: Arc::new(Free(Mutex::new(connections))), turns, count }
    }

    /// What a read comes to.
    ///
    /// # Errors
    /// Those of the read and of the database; [`Fault::Busy`] where no turn comes in time, and
    /// [`Fault::Closed`] after [`Readers::close`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let Ok(turn) = tokio::time::timeout(PATIENCE, turn).await else { return Err(Fault::Busy) };
        let turn = turn.map_err(|_| Fault::Closed)?;
        let free = Arc::clone(&self.free);
        let reading = tokio::task::spawn_blocking(move || {
            let connection = free.lock().pop();
            let Some(mut connection) = connection else { return Err(Fault::Closed) };
            let outcome = caught(|| read(&*connection.transaction()?));
            free.lock().push(connection);
            drop(turn);
            outcome
        });
        // Only a runtime that ends gives up what was begun.
        reading.await.unwrap_or(Err(Fault::Closed))
    }

    /// Waits for those that read, and closes the connections.
    pub(super) async fn close(&self) {
        // Fails where they are closed.
        let all = self.turns.acquire_many(self.count).await;
        self.turns.close();
        self.free.lock().clear();
        drop(all);
    }
}
