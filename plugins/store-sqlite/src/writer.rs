//! One thread writes; what waits together is committed together.
//!
//! While one COMMIT waits for the disk, the next writes gather and become one transaction, so that a hundred
//! concurrent deliveries cost a few syncs instead of a hundred. Where the disk is fast, hardly anything gathers meanwhile:
//! as long as several write at once, a moment is waited for more, as what they all write (the roots of indexes, counters)
//! is written once a transaction.
//!
//! Nearly all that is refused is refused before it has written anything, so that nothing is to be undone. Savepoints, which copy
//! each page before it changes, are made only when something else has failed, and its neighbours are run again.

use crate::{
    checkpoints::Checkpoints,
    error::{DatabaseError, Outcome},
};
use convoke_sdk::prelude::*;
use rusqlite::Connection;
use std::{
    path::Path,
    slice,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// More writes than this wait for a place in the queue.
const QUEUE: usize = 1024;
/// The most writes in one transaction: it bounds how long the first one waits for the last.
const TOGETHER: usize = 128;
/// For so long writes are gathered, where the transaction before had several.
const GATHER: Duration = Duration::from_micros(200);

/// The writing end of a database. The thread ends when this is dropped or closed and everything queued is written.
pub(crate) struct Writer {
    /// `None` once it is closed.
    queue: Mutex<Option<Queue>>,
    /// Ends with the thread.
    running: watch::Receiver<()>,
}

type Queue = mpsc::Sender<Box<dyn Job>>;

impl Writer {
    /// `plugin` is what the thread is called.
    pub(crate) fn start(plugin: &str, connection: Connection, path: Arc<Path>) -> Result<Self> {
        let (writer, work) = Self::new(QUEUE);
        thread::Builder::new()
            .name(plugin.to_owned())
            .spawn(move || work.on(Thread { connection, path }))?;
        Ok(writer)
    }

    fn new(queue: usize) -> (Self, Work) {
        let (queue, jobs) = mpsc::channel(queue);
        let (end, running) = watch::channel(());
        let queue = Mutex::new(Some(queue));
        (Self { queue, running }, Work { jobs, _end: end })
    }

    /// Writes what is queued and closes the connection. What is to be written afterwards is refused.
    pub(crate) async fn close(&self) {
        drop(self.queue().take());
        // An error: it has ended, which is what is waited for.
        let _ = self.running.clone().changed().await;
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Option<Queue>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction and answers once that is on disk. `work` may be run again, from the state
    /// before, if what it was committed with failed.
    pub(crate) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> Outcome<T> + Send + 'static,
    {
        let gone = || Error::unavailable("the writing thread has ended; restart convoke");
        let queue = self.queue().clone();
        let queue = queue.ok_or_else(|| Error::unavailable("the database is closed"))?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write {
            work,
            outcome: None,
            reply,
        });
        queue.send(job).await.map_err(|_| gone())?;
        drop(queue);
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

trait Job: Send {
    /// Whether it succeeded; if not, what it wrote is to be undone.
    fn run(&mut self, database: &Connection, path: &Path) -> bool;
    /// Tells the caller, once the transaction it ran in has ended.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Write<T, W> {
    work: W,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, W: FnMut(&Connection) -> Outcome<T> + Send> Job for Write<T, W> {
    fn run(&mut self, database: &Connection, path: &Path) -> bool {
        let outcome = (self.work)(database).map_err(|error| error.into_error(path));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let refused = |error| Err(error);
        let answer = match (self.outcome, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => refused(error),
            (Some(done), Ok(())) => done,
            (None, Ok(())) => refused(Error::internal("a write was committed without being run")),
        };
        // The caller may have gone away, which undoes nothing.
        let _ = self.reply.send(answer);
    }
}

/// What a thread has to do.
struct Work {
    jobs: mpsc::Receiver<Box<dyn Job>>,
    /// Dropped last.
    _end: watch::Sender<()>,
}

impl Work {
    fn on(self, thread: Thread) {
        thread.run(self.jobs);
    }
}

struct Thread {
    connection: Connection,
    path: Arc<Path>,
}

impl Thread {
    fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut checkpoints = Checkpoints::new(Arc::clone(&self.path));
        // An error: SQLite goes on with checkpoints by itself.
        let are_ours = Checkpoints::take_over(&self.connection).is_ok();
        let mut together = 1;
        while let Some(first) = jobs.blocking_recv() {
            if together > 1 {
                thread::sleep(GATHER);
            }
            let mut batch = vec![first];
            while batch.len() < TOGETHER
                && let Ok(next) = jobs.try_recv()
            {
                batch.push(next);
            }
            together = batch.len();
            self.commit(batch);
            if are_ours {
                checkpoints.after_commit(&self.connection);
            }
        }
    }

    fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let mut done = self.attempt(&mut batch, Undo::All);
        if let Err(Failed::Spoilt) = done {
            done = self.attempt(&mut batch, Undo::Each);
        }
        match done {
            Ok(()) => answer_all(batch, &Ok(())),
            Err(Failed::Begin(error)) => answer_all(batch, &Err(error)),
            Err(failed) if batch.len() == 1 => answer_all(batch, &Err(failed.into_error())),
            // Which of them it was (the one that filled the disk, say) shows when each goes alone.
            Err(_) => {
                for mut job in batch {
                    let committed = self.attempt(slice::from_mut(&mut job), Undo::All);
                    job.answer(committed.map_err(Failed::into_error));
                }
            }
        }
    }

    /// Runs all in one transaction and commits it.
    fn attempt(&mut self, batch: &mut [Box<dyn Job>], undo: Undo) -> Result<(), Failed> {
        let said = |error: rusqlite::Error| DatabaseError::from(error).into_error(&self.path);
        let failed = |error| Failed::Commit(said(error));
        let transaction = Transaction::begin(&self.connection);
        let transaction = transaction.map_err(|error| Failed::Begin(said(error)))?;
        let is_alone = batch.len() == 1;
        for job in batch {
            match undo {
                Undo::All => {
                    let before = self.connection.total_changes();
                    let done = job.run(&self.connection, &self.path);
                    if !done && !transaction.is_as(before) {
                        // What it wrote is undone with the transaction.
                        return if is_alone {
                            Ok(())
                        } else {
                            Err(Failed::Spoilt)
                        };
                    }
                }
                Undo::Each => {
                    statement(&self.connection, "SAVEPOINT job").map_err(failed)?;
                    if !job.run(&self.connection, &self.path) {
                        statement(&self.connection, "ROLLBACK TO job").map_err(failed)?;
                    }
                    statement(&self.connection, "RELEASE job").map_err(failed)?;
                }
            }
        }
        transaction.commit().map_err(failed)
    }
}

/// What can be undone of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// All of it together: enough as long as whatever fails has written nothing.
    All,
    /// Each part of it.
    Each,
}

/// Undone when it is dropped, unless it is committed.
struct Transaction<'a>(&'a Connection);

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        statement(connection, "BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    /// Whether nothing was written since so many changes had been made on the connection.
    fn is_as(&self, changes: u64) -> bool {
        !self.0.is_autocommit() && self.0.total_changes() == changes
    }

    fn commit(self) -> rusqlite::Result<()> {
        statement(self.0, "COMMIT")
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // SQLite may have undone it by itself, and it is over once it is committed.
        if !self.0.is_autocommit() {
            let _ = statement(self.0, "ROLLBACK");
        }
    }
}

/// Runs a statement that is prepared once.
fn statement(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(()).map(drop)
}

fn answer_all(batch: Vec<Box<dyn Job>>, committed: &Result<()>) {
    for job in batch {
        job.answer(committed.clone());
    }
}

/// Where a transaction failed.
enum Failed {
    /// At its begin: nothing ran, and each alone would wait as long again.
    Begin(Error),
    /// In a part of it that had written, which cannot be undone without the others.
    Spoilt,
    /// Later.
    Commit(Error),
}

impl Failed {
    fn into_error(self) -> Error {
        match self {
            Self::Begin(error) | Self::Commit(error) => error,
            Self::Spoilt => Error::internal("a write failed, and was to be made again alone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{self, CALENDARS};
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn counters(connection: &Writer) -> i64 {
        let count =
            |db: &Connection| Ok(db.query_row("SELECT count(*) FROM users", (), |row| row.get(0))?);
        connection.write(count).await.unwrap()
    }

    fn add(db: &Connection) -> Outcome<()> {
        db.execute("INSERT INTO users (kind) VALUES ('ROOM')", ())?;
        Ok(())
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_its_neighbours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = folder.path().join("calendars.db").into();
        let connection = database::open(&path, &CALENDARS).unwrap();
        let (writer, work) = Writer::new(16);
        // Nobody takes from the queue before all three wait in it, so they are one transaction.
        let together = async {
            tokio::join!(
                writer.write(add),
                writer.write(|db| {
                    add(db)?;
                    Err::<(), _>(Error::conflict("no").into())
                }),
                writer.write(add),
                async {
                    tokio::task::yield_now().await;
                    thread::spawn(move || work.on(Thread { connection, path }));
                }
            )
        };
        let (first, failing, last, ()) = together.await;
        assert_eq!((first, last), (Ok(()), Ok(())));
        assert_eq!(failing.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(counters(&writer).await, 2);
    }

    /// Counted, as each run costs as much as the write itself.
    #[tokio::test]
    async fn a_write_that_is_refused_before_it_wrote_has_no_neighbour_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = folder.path().join("calendars.db").into();
        let connection = database::open(&path, &CALENDARS).unwrap();
        for (writes_first, expected) in [(false, 1), (true, 2)] {
            let (writer, work) = Writer::new(16);
            let runs = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&runs);
            let thread = Thread {
                connection: database::open(&path, &CALENDARS).unwrap(),
                path: Arc::clone(&path),
            };
            let (added, refused, ()) = tokio::join!(
                writer.write(move |db| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    add(db)
                }),
                writer.write(move |db| {
                    if writes_first {
                        add(db)?;
                    }
                    Err::<(), _>(Error::conflict("no").into())
                }),
                async {
                    tokio::task::yield_now().await;
                    thread::spawn(move || work.on(thread));
                }
            );
            added.unwrap();
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(runs.load(Ordering::Relaxed), expected, "{writes_first}");
            writer.close().await;
        }
        let count = "SELECT count(*) FROM users";
        let there: i64 = connection.query_row(count, (), |row| row.get(0)).unwrap();
        assert_eq!(there, 2);
    }

    #[tokio::test]
    async fn a_transaction_that_is_lost_is_tried_again_one_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = folder.path().join("calendars.db").into();
        let connection = database::open(&path, &CALENDARS).unwrap();
        let (writer, work) = Writer::new(16);
        let (first, failing, last, ()) = tokio::join!(
            writer.write(add),
            // What SQLite does by itself when the disk is full.
            writer.write(|db| {
                db.execute_batch("ROLLBACK")?;
                Err::<(), _>(Error::unavailable("no space").into())
            }),
            writer.write(add),
            async {
                tokio::task::yield_now().await;
                thread::spawn(move || work.on(Thread { connection, path }));
            }
        );
        assert_eq!((first, last), (Ok(()), Ok(())));
        assert_eq!(failing.unwrap_err().message(), "no space");
        assert_eq!(counters(&writer).await, 2);
    }
}
