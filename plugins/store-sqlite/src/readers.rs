//! Reading connections, each call on one snapshot.

use crate::{
    database,
    trouble::{Outcome, Trouble},
};
use convoke_sdk::prelude::*;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// The most connections; further readers wait for one.
const MOST: usize = 8;

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
            places: Arc::new(Semaphore::new(MOST)),
        }
    }

    /// Runs `work` on a thread that may wait for the disk.
    pub(crate) async fn read<T, W>(self: &Arc<Self>, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let place = (Arc::clone(&self.places).acquire_owned().await)
            .map_err(|_| Error::unavailable("the store is being closed"))?;
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let read = this.run(work);
            drop(place); // not before, even if the caller has gone away
            read.map_err(|trouble| trouble.into_error(&this.path))
        });
        (read.await).map_err(|_| Error::internal("reading the database panicked"))?
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| database::open_reader(&self.path), Ok)?;
        let snapshot = connection.unchecked_transaction()?;
        let read = work(&snapshot);
        snapshot.finish()?;
        if !matches!(read, Err(Trouble::Sqlite(_))) {
            self.idle().push(connection);
        }
        read
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
