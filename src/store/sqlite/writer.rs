//! The one writer: all jobs that wait share a commit.
//!
//! A commit has to be synced to the disk, which costs the same for one job as for many.
//! While one commit is under way, jobs gather in a queue; then they run one after another inside
//! one transaction, each in a savepoint of its own, so that a job that fails is undone alone.
//! Nobody is answered before the commit is on the disk.
//!
//! A job that was queued runs to its end, whether or not its caller still waits for it.
//! A job that panics has failed; the next one runs.
//!
//! The writer has a thread of its own, on which a job runs as a whole: on the threads that decide
//! requests, the lock would be held all the while that a decision takes.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::PATIENCE;
use super::fault::caught;
use super::statement::execute;
use crate::store::error::Fault;

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
    Close(oneshot::Sender<Result<(), Fault>>),
}

/// A job, which is given its connection, or why it has none.
type Job = Box<dyn FnOnce(Result<&Connection, Fault>) -> Ended + Send>;

/// A job that ran and whose caller still has to be told.
struct Ended {
    succeeded: bool,
    /// Tells the caller what came of the job, or why its transaction was lost.
    tell: Box<dyn FnOnce(Result<(), Fault>)>,
}

impl Writer {
    /// Starts the thread that writes.
    pub(super) fn start(connection: Connection) -> std::io::Result<Writer> {
        let (queue, orders) = mpsc::channel(MOST_WAITING);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(connection, orders))?;
        Ok(Writer { queue })
    }

    /// None: every job is refused as if the store were closed.
    pub(super) fn none() -> Writer {
        Writer { queue: mpsc::channel(1).0 }
    }

    /// Whether there is somebody who takes jobs.
    pub(super) fn is_there(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Runs a job; what it comes to, once that is on the disk.
    ///
    /// A job that fails leaves nothing.
    ///
    /// # Errors
    /// Those of the job and of the database; [`Fault::Busy`] where too many wait, and
    /// [`Fault::Closed`] after [`Writer::close`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = connection.and_then(|connection| caught(|| job(connection)));
            let succeeded = outcome.is_ok();
            // A caller that went away needs no answer.
            let tell = Box::new(move |committed: Result<(), Fault>| {
                drop(answer.send(outcome.and_then(|value| committed.map(|()| value))));
            });
            Ended { succeeded, tell }
        });
        match tokio::time::timeout(PATIENCE, self.queue.send(Order::Run(job))).await {
            Err(_) => return Err(Fault::Busy),
            Ok(Err(_)) => return Err(Fault::Closed),
            Ok(Ok(())) => {}
        }
        answered.await.map_err(|_| Fault::Closed)?
    }

    /// Finishes what is queued, brings the file into order and closes it; at once if it is closed.
    pub(super) async fn close(&self) -> Result<(), Fault> {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Order::Close(answer)).await.is_err() {
            return Ok(());
        }
        // Without an answer, somebody else closes it.
        answered.await.unwrap_or(Ok(()))
    }
}

fn serve(connection: Connection, mut orders: mpsc::Receiver<Order>) {
    let mut waiting = Vec::with_capacity(MOST_TOGETHER);
    let mut told_to_close = None;
    while orders.blocking_recv_many(&mut waiting, MOST_TOGETHER) > 0 {
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
            run_together(&connection, jobs);
        }
    }
    let ordered = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let closed = connection.close().map_err(|(_, error)| error);
    if let Some(answer) = told_to_close {
        drop(answer.send(ordered.and(closed).map_err(Fault::from)));
    }
}

/// One transaction: the jobs, a commit, and then the answers.
fn run_together(connection: &Connection, jobs: Vec<Job>) {
    let step = |sql| execute(connection, sql, []).map(drop);
    // The lock is held from the start: a check and the write that depends on it belong together.
    let mut whole = step("BEGIN IMMEDIATE").and_then(|()| step("SAVEPOINT job"));
    let mut ended = Vec::with_capacity(jobs.len());
    for job in jobs {
        if let Err(fault) = &whole {
            ended.push(job(Err(alike(fault))));
            continue;
        }
        let job = job(Ok(connection));
        // SQLite ends the whole transaction by itself when, for example, the disk is full. Then
        // there is no savepoint any more, and what the jobs before did is lost too.
        whole = if job.succeeded {
            step("RELEASE job").and_then(|()| step("SAVEPOINT job"))
        } else {
            step("ROLLBACK TO job")
        };
        ended.push(job);
    }
    whole = whole.and_then(|()| step("COMMIT"));
    if whole.is_err() {
        // Fails where there is nothing left to roll back.
        drop(step("ROLLBACK"));
    }
    for job in ended {
        (job.tell)(whole.as_ref().copied().map_err(alike));
    }
}

/// The failure of a transaction, for each of those who shared it: no rule that one of them broke
/// is the rule of all.
fn alike(fault: &Fault) -> Fault {
    match fault {
        Fault::Busy => Fault::Busy,
        Fault::Closed => Fault::Closed,
        Fault::Rule(text) | Fault::Unreadable(text) | Fault::Failed(text) => {
            Fault::Failed(text.clone())
        }
    }
}
