//! Reading connections, each call on one snapshot.

use crate::{
    database,
    error::{DatabaseError, Outcome},
};
use convoke_sdk::prelude::*;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

/// The most connections; further readers wait for one.
const MOST: u32 = 8;

pub(crate) struct Readers {
    path: Arc<Path>,
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: Arc<Path>) -> Self {
        Self {
            path,
            idle: Mutex::new(Vec::new()),
            places: Arc::new(Semaphore::new(MOST as usize)),
        }
    }

    /// Waits for those who read, and closes the connections. Whoever wants to read afterwards is refused.
    pub(crate) async fn close(&self) {
        // An error: somebody else has closed them.
        if let Ok(all) = self.places.acquire_many(MOST).await {
            self.places.close();
            self.idle().clear();
            drop(all);
        }
    }

    /// Runs `work` on a thread that may wait for the disk.
    pub(crate) async fn read<T, W>(self: &Arc<Self>, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let place = (Arc::clone(&self.places).acquire_owned().await)
            .map_err(|_| Error::unavailable("the database is closed"))?;
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let read = this.run(work);
            drop(place); // not before, even if the caller has gone away
            read.map_err(|error| error.into_error(&this.path))
        });
        (read.await).map_err(|_| Error::internal("reading the database panicked"))?
    }

    /// Runs `work` on this thread if nothing has to be waited for, else as [`read`](Self::read) does.
    ///
    /// For what an index finds: with pages that the system has in memory that takes microseconds, where handing it to
    /// another thread and back takes tens of them.
    pub(crate) async fn look_up<T, W>(self: &Arc<Self>, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&Connection) -> Outcome<T> + Send + 'static,
    {
        match self.at_once(&work) {
            Some(found) => found.map_err(|error| error.into_error(&self.path)),
            None => self.read(work).await,
        }
    }

    /// `None` if no connection is idle, or somebody holds a lock.
    fn at_once<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Option<Outcome<T>> {
        let _place = self.places.try_acquire().ok()?;
        let connection = self.idle().pop()?;
        connection.busy_timeout(Duration::ZERO).ok()?;
        let found = self.ask(connection, work);
        let waits = matches!(&found, Err(error) if error.is_lock());
        (!waits).then_some(found)
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| database::open_reader(&self.path), Ok)?;
        connection.busy_timeout(database::PATIENCE)?;
        self.ask(connection, work)
    }

    fn ask<T>(
        &self,
        connection: Connection,
        work: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Outcome<T> {
        // Prepared once, unlike those of rusqlite's transactions.
        connection.prepare_cached("BEGIN")?.execute(())?;
        let read = work(&connection);
        if !matches!(read, Err(DatabaseError::Sqlite(_))) {
            connection.prepare_cached("COMMIT")?.execute(())?;
            self.idle().push(connection);
        }
        read
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
