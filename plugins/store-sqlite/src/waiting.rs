//! Waiting for changes, by this process and by others.
//!
//! Each user's row counts the writes to the user's objects, and a cursor is that number: so one look at the table of users
//! tells to whom something happened. When to look is told by the store's own writes, and for those of other processes by
//! `PRAGMA data_version`, which costs microseconds.

use crate::{database, error::Outcome, readers::Readers, users};
use convoke_sdk::prelude::*;
use rusqlite::Connection;
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How often other processes' writes are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// Writes that follow each other so closely are found together.
const COALESCE: Duration = Duration::from_millis(50);

/// Tells that something was written.
pub(crate) struct Writes {
    own: watch::Sender<()>,
    version: Arc<Version>,
}

/// The database as one connection sees it that writes nothing.
struct Version {
    path: Arc<Path>,
    connection: Mutex<Own>,
}

/// A connection, made when it is first needed.
enum Own {
    None,
    Open(Connection),
    /// There will be none any more.
    Closed,
}

impl Writes {
    pub(crate) fn new(path: Arc<Path>) -> Self {
        Self {
            own: watch::Sender::new(()),
            version: Arc::new(Version {
                path,
                connection: Mutex::new(Own::None),
            }),
        }
    }

    /// This process has written.
    pub(crate) fn tell(&self) {
        self.own.send_replace(());
    }

    /// Lets go of the file. Who waits still is told so.
    pub(crate) fn close(&self) {
        *self.version.connection() = Own::Closed;
    }

    /// A number that every write changes.
    async fn version(&self) -> Result<i64> {
        let version = Arc::clone(&self.version);
        let asked = tokio::task::spawn_blocking(move || version.ask());
        asked
            .await
            .map_err(|_| Error::internal("reading the database panicked"))?
    }
}

impl Version {
    fn ask(&self) -> Result<i64> {
        let mut connection = self.connection();
        let asked = self.ask_through(&mut connection);
        asked.map_err(|error| {
            // Another one may do better.
            if let Own::Open(_) = *connection {
                *connection = Own::None;
            }
            error.into_error(&self.path)
        })
    }

    fn connection(&self) -> MutexGuard<'_, Own> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_through(&self, own: &mut Own) -> Outcome<i64> {
        if let Own::None = own {
            *own = Own::Open(database::open_reader(&self.path)?);
        }
        let Own::Open(connection) = own else {
            return Err(Error::unavailable("the database is closed").into());
        };
        Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

/// Waits until something happened to the objects of one of the users.
pub(crate) async fn wait(
    readers: &Arc<Readers>,
    writes: &Writes,
    watched: Vec<Watched>,
    call: &Call,
) -> Result<Changed> {
    let until = Instant::now() + call.patience();
    let mut own = writes.own.subscribe();
    let watched: Arc<[Watched]> = watched.into();
    loop {
        own.mark_unchanged();
        // First the number, then the look: nothing falls between them.
        let seen = writes.version().await?;
        let users = Arc::clone(&watched);
        let changed = readers.read(move |db| look(db, &users)).await?;
        if !changed.is_empty() {
            return Ok(Changed::of(changed));
        }
        loop {
            if Instant::now() >= until {
                return Ok(Changed::default());
            }
            tokio::select! {
                _ = own.changed() => {
                    tokio::time::sleep_until(until.min(Instant::now() + COALESCE)).await;
                    break;
                }
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK)) => {}
            }
            if writes.version().await? != seen {
                break;
            }
        }
    }
}

/// Those whose count of writes is not the one of their cursor; who is not there, too.
fn look(db: &Connection, watched: &[Watched]) -> Outcome<Vec<UserId>> {
    let mut counts: HashMap<i64, i64> = HashMap::new();
    let mut statement = db.prepare_cached("SELECT id, change FROM users")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        counts.insert(row.get(0)?, row.get(1)?);
    }
    let is_quiet = |it: &&Watched| {
        let number = users::number(&it.user).ok();
        let count = number.and_then(|number| counts.get(&number));
        count.is_some_and(|count| it.since.as_str().parse() == Ok(*count))
    };
    let changed = watched.iter().filter(|it| !is_quiet(it));
    Ok(changed.map(|it| it.user.clone()).collect())
}
