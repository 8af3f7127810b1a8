//! Calendars in one SQLite file.
//!
//! ```toml
//! [[store]]
//! plugin = "store-sqlite"
//! domains = ["example.org"]
//! config.path = "calendars.db"      # made if it is not there, readable by its owner only
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `database` | opens the file, brings its tables up to date |
//! | `writer` | one thread writes; what waits together is committed together |
//! | `readers` | reading connections, each call on one snapshot |
//! | `users`, `objects`, `busy`, `inbox` | the SQL |
//! | `trouble` | what SQLite reports, as a sentence for the administrator |
//!
//! What must hold:
//! - what was answered is on disk: WAL with `synchronous = FULL`, and nothing is answered before its COMMIT returned;
//! - a write that fails does not fail those that were committed with it;
//! - `busy` costs what its answer costs, however large the calendar is (see the module);
//! - several processes may use the file at once (the host, and the command line beside it).
//!
//! Not here: removed UIDs are remembered for [`changes`](Store::changes) as long as their user is there. A network
//! file system: WAL needs shared memory on one machine.

mod busy;
mod database;
mod inbox;
mod objects;
mod readers;
mod trouble;
mod users;
mod writer;

use convoke_sdk::{jiff::SignedDuration, prelude::*};
use readers::Readers;
use rusqlite::Connection;
use std::{path::PathBuf, sync::Arc};
use writer::Writer;

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    #[derive(Clone, Debug)]
    pub struct Config {
        /// The database file; a relative path counts from the configuration file's folder.
        pub path: PathBuf,
    }
}

/// An open database.
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
}

/// Busy time of so long is read without another thread.
const SHORT: SignedDuration = SignedDuration::from_hours(62 * 24);

impl Store for SqliteStore {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let path: Arc<std::path::Path> = host.path(config.path).into();
        let file = Arc::clone(&path);
        let opened = tokio::task::spawn_blocking(move || database::open(&file)).await;
        let connection = opened.map_err(|_| Error::internal("opening the database panicked"))??;
        Ok(Self {
            writer: Writer::start(connection, Arc::clone(&path))?,
            readers: Arc::new(Readers::new(path)),
        })
    }

    async fn find(&self, address: &CalendarAddress) -> Result<Option<CalendarUser>> {
        let key = users::key(address);
        self.readers.look_up(move |db| users::find(db, &key)).await
    }

    async fn get(&self, user: &UserId, uid: &Uid) -> Result<Option<StoredObject>> {
        let (user, uid) = (users::number(user)?, uid.clone());
        self.readers
            .look_up(move |db| objects::get(db, user, &uid))
            .await
    }

    async fn put(&self, user: &UserId, object: NewObject, when: Precondition) -> Result<Etag> {
        let user = users::number(user)?;
        self.writer
            .write(move |db| objects::put(db, user, &object, &when))
            .await
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: Precondition) -> Result<()> {
        let (user, uid) = (users::number(user)?, uid.clone());
        self.writer
            .write(move |db| objects::remove(db, user, &uid, &when))
            .await
    }

    async fn busy(&self, user: &UserId, range: TimeRange) -> Result<Busy> {
        let user = users::number(user)?;
        let work = move |db: &Connection| busy::busy(db, user, range);
        // What is usually asked for is found at once; of a longer time there may be much.
        let length = range.end().duration_since(range.start());
        if length <= SHORT {
            self.readers.look_up(work).await
        } else {
            self.readers.read(work).await
        }
    }

    async fn add_user(&self, user: NewUser) -> Result<UserId> {
        self.writer.write(move |db| users::add(db, &user)).await
    }

    async fn remove_user(&self, user: &UserId) -> Result<()> {
        let user = users::number(user)?;
        self.writer.write(move |db| users::remove(db, user)).await
    }

    async fn users(&self, page: Page) -> Result<Listing<CalendarUser>> {
        self.readers.read(move |db| users::list(db, &page)).await
    }

    async fn list(&self, user: &UserId, page: Page) -> Result<Listing<ObjectSummary>> {
        let user = users::number(user)?;
        self.readers
            .read(move |db| objects::list(db, user, &page))
            .await
    }

    async fn changes(&self, user: &UserId, since: Option<Cursor>) -> Result<Changes> {
        let user = users::number(user)?;
        self.readers
            .read(move |db| objects::changes(db, user, since.as_ref()))
            .await
    }

    async fn keep(&self, user: &UserId, message: KeptMessage) -> Result<()> {
        let user = users::number(user)?;
        self.writer
            .write(move |db| inbox::keep(db, user, &message))
            .await
    }
}

convoke_sdk::plugin! { name: "store-sqlite", store: SqliteStore }

#[cfg(test)]
mod tests;
