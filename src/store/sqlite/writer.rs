//! The one writer: all jobs that wait share a commit.
//!
//! A commit has to be synced to the disk, which costs the same for one job as for many.
//! While one commit is under way, jobs gather in a queue; then they run one after another inside
//! one transaction, each in a savepoint of its own, so that a job that fails is undone alone.
//! Nobody is answered before the commit is on the disk.
//!
//! A job that was queued runs to its end, whether or not its caller still waits for it.
//!
//! The writer has a thread of its own: on the threads that decide requests, every step of a
//! transaction would wait for a whole decision, and the lock would be held all the while.

use std::future::Future;
use std::pin::Pin;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::PATIENCE;
use crate::store::error::is_busy;

/// How many jobs wait at most; a caller waits until there is room for its own.
const MOST_WAITING: usize = 256;
/// How many jobs share a commit at most, so that other processes get their turn.
const MOST_TOGETHER: usize = 128;

/// Where jobs are queued.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Order>,
}

enum Order {
    Run(Job),
    /// Finish what is queued, then close the file and say so.
    Close(oneshot::Sender<sqlx::Result<()>>),
}

/// A job, which is given its connection, or why it has none.
type Job = Box<dyn for<'c> FnOnce(sqlx::Result<&'c mut SqliteConnection>) -> Running<'c> + Send>;
type Running<'c> = Pin<Box<dyn Future<Output = Ended> + 'c>>;

/// A job that ran and whose caller still has to be told.
struct Ended {
    succeeded: bool,
    /// Tells the caller what came of the job, or why its transaction was lost.
    tell: Box<dyn FnOnce(sqlx::Result<()>)>,
}

impl Writer {
    /// Starts the thread that writes.
    pub(super) fn start(connection: SqliteConnection) -> std::io::Result<Writer> {
        let (queue, orders) = mpsc::channel(MOST_WAITING);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || runtime.block_on(serve(connection, orders)))?;
        Ok(Writer { queue })
    }

    /// None: every job is refused as if the store were closed.
    pub(super) fn none() -> Writer {
        Writer { queue: mpsc::channel(1).0 }
    }

    /// Runs a job; what it comes to, once that is on the disk.
    ///
    /// A job that fails leaves nothing.
    ///
    /// # Errors
    /// Those of the job and of the database; `PoolTimedOut` where too many wait, and `PoolClosed`
    /// after [`Writer::close`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let outcome = match connection {
                    Ok(connection) => job(connection).await,
                    Err(error) => Err(error),
                };
                let succeeded = outcome.is_ok();
                // A caller that went away needs no answer.
                let tell = Box::new(move |committed: sqlx::Result<()>| {
                    drop(answer.send(outcome.and_then(|value| committed.map(|()| value))));
                });
                Ended { succeeded, tell }
            })
        });
        match tokio::time::timeout(PATIENCE, self.queue.send(Order::Run(job))).await {
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
            Ok(Err(_)) => return Err(sqlx::Error::PoolClosed),
            Ok(Ok(())) => {}
        }
        answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    /// Finishes what is queued, brings the file into order and closes it; at once if it is closed.
    pub(super) async fn close(&self) -> sqlx::Result<()> {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Order::Close(answer)).await.is_err() {
            return Ok(());
        }
        // Without an answer, somebody else closes it.
        answered.await.unwrap_or(Ok(()))
    }
}

async fn serve(mut connection: SqliteConnection, mut orders: mpsc::Receiver<Order>) {
    let mut waiting = Vec::with_capacity(MOST_TOGETHER);
    let mut told_to_close = None;
    while orders.recv_many(&mut waiting, MOST_TOGETHER).await > 0 {
        let mut jobs = Vec::with_capacity(waiting.len());
        for order in waiting.drain(..) {
            match order {
                Order::Run(job) => jobs.push(job),
                Order::Close(answer) => {
                    orders.close();
                    told_to_close.get_or_insert(answer);
                }
            }
        }
        if !jobs.is_empty() {
            run_together(&mut connection, jobs).await;
        }
    }
    let ordered = execute(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let closed = connection.close().await;
    if let Some(answer) = told_to_close {
        drop(answer.send(ordered.and(closed)));
    }
}

/// One transaction: the jobs, a commit, and then the answers.
async fn run_together(connection: &mut SqliteConnection, jobs: Vec<Job>) {
    // The lock is held from the start: a check and the write that depends on it belong together.
    let mut whole = execute(connection, "BEGIN IMMEDIATE; SAVEPOINT job").await;
    let mut ended = Vec::with_capacity(jobs.len());
    for job in jobs {
        if let Err(error) = &whole {
            ended.push(job(Err(alike(error))).await);
            continue;
        }
        let job = job(Ok(&mut *connection)).await;
        // In one step, as each is a turn on the thread that SQLite runs on.
        let end = if job.succeeded { "RELEASE job; SAVEPOINT job" } else { "ROLLBACK TO job" };
        ended.push(job);
        // SQLite ends the whole transaction by itself when, for example, the disk is full. Then
        // there is no savepoint any more, and what the jobs before did is lost too.
        whole = execute(connection, end).await;
    }
    if whole.is_ok() {
        whole = execute(connection, "COMMIT").await;
    }
    if whole.is_err() {
        // Fails where there is nothing left to roll back.
        drop(execute(connection, "ROLLBACK").await);
    }
    for job in ended {
        (job.tell)(whole.as_ref().copied().map_err(alike));
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(|_| ())
}

/// The failure of a transaction, for each of those who shared it.
fn alike(error: &sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::Database(database) if is_busy(database.as_ref()) => sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolTimedOut => sqlx::Error::PoolTimedOut,
        sqlx::Error::WorkerCrashed => sqlx::Error::WorkerCrashed,
        // `sqlx::Error` may grow: what we do not know is a failure. Its text holds no value.
        other => sqlx::Error::Io(std::io::Error::other(other.to_string())),
    }
}
