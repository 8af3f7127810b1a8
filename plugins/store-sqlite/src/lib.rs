//! Calendars in one SQLite file, and what a host must not forget in another: two plugins in one library, `store-sqlite` and
//! `state-sqlite`.
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
//! | `checkpoints` | the write-ahead log goes to its places beside the writer, not while somebody waits |
//! | `readers` | reading connections, each call on one snapshot |
//! | `users`, `objects`, `busy`, `inbox` | the SQL of calendars |
//! | `waiting` | waiting for changes, by this process and by others |
//! | [`state`] | state-sqlite |
//! | `error` | what SQLite reports, as a sentence for the administrator |
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
mod checkpoints;
mod database;
mod error;
mod inbox;
mod objects;
mod readers;
pub mod state;
mod users;
mod waiting;
mod writer;

use convoke_sdk::{jiff::SignedDuration, prelude::*};
use database::CALENDARS;
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
    writes: waiting::Writes,
}

/// Busy time of so long is read without another thread.
const SHORT: SignedDuration = SignedDuration::from_hours(62 * 24);

impl Store for SqliteStore {
    type Config = Config;
    /// Two copies of SQLite in one process undo each other's locks.
    const SHARING: Sharing = Sharing::OneVersion;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let path: Arc<std::path::Path> = host.path(config.path).into();
        let file = Arc::clone(&path);
        let opened = tokio::task::spawn_blocking(move || database::open(&file, &CALENDARS)).await;
        let connection = opened.map_err(|_| Error::internal("opening the database panicked"))??;
        Ok(Self {
            writer: Writer::start(CALENDARS.plugin, connection, Arc::clone(&path))?,
            writes: waiting::Writes::new(Arc::clone(&path)),
            readers: Arc::new(Readers::new(path)),
        })
    }

    async fn find(&self, address: &CalendarAddress, _: &Call) -> Result<Option<CalendarUser>> {
        let key = users::key(address);
        self.readers.look_up(move |db| users::find(db, &key)).await
    }

    async fn get(&self, user: &UserId, uid: &Uid, _: &Call) -> Result<Option<StoredObject>> {
        let (user, uid) = (users::number(user)?, uid.clone());
        self.readers
            .look_up(move |db| objects::get(db, user, &uid))
            .await
    }

    async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        _: &Call,
    ) -> Result<Etag> {
        let (user, object, when) = (users::number(user)?, object.clone(), when.clone());
        let put = self
            .writer
            .write(move |db| objects::put(db, user, &object, &when));
        let put = put.await;
        self.writes.tell();
        put
    }

    async fn remove(&self, user: &UserId, uid: &Uid, when: &Precondition, _: &Call) -> Result<()> {
        let (user, uid, when) = (users::number(user)?, uid.clone(), when.clone());
        let removed = self
            .writer
            .write(move |db| objects::remove(db, user, &uid, &when));
        let removed = removed.await;
        self.writes.tell();
        removed
    }

    async fn busy(&self, user: &UserId, range: TimeRange, _: &Call) -> Result<Busy> {
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

    async fn add_user(&self, user: &NewUser, _: &Call) -> Result<UserId> {
        let user = user.clone();
        self.writer.write(move |db| users::add(db, &user)).await
    }

    async fn update_user(&self, user: &CalendarUser, _: &Call) -> Result<()> {
        let (id, user) = (users::number(&user.id)?, user.clone());
        self.writer
            .write(move |db| users::update(db, id, &user))
            .await
    }

    async fn remove_user(&self, user: &UserId, _: &Call) -> Result<()> {
        let user = users::number(user)?;
        let removed = self.writer.write(move |db| users::remove(db, user)).await;
        self.writes.tell();
        removed
    }

    async fn users(&self, page: &Page, _: &Call) -> Result<Listing<CalendarUser>> {
        let page = page.clone();
        self.readers.read(move |db| users::list(db, &page)).await
    }

    async fn list(&self, user: &UserId, page: &Page, _: &Call) -> Result<Listing<ObjectSummary>> {
        let (user, page) = (users::number(user)?, page.clone());
        self.readers
            .read(move |db| objects::list(db, user, &page))
            .await
    }

    async fn changes(&self, user: &UserId, since: Option<&Cursor>, _: &Call) -> Result<Changes> {
        let (user, since) = (users::number(user)?, since.cloned());
        self.readers
            .read(move |db| objects::changes(db, user, since.as_ref()))
            .await
    }

    async fn await_changes(&self, watch: &Watch, call: &Call) -> Result<Changed> {
        waiting::wait(&self.readers, &self.writes, watch.users.clone(), call).await
    }

    async fn inbox_add(
        &self,
        user: &UserId,
        message: &InboxMessage,
        _: &Call,
    ) -> Result<MessageId> {
        let (user, message) = (users::number(user)?, message.clone());
        self.writer
            .write(move |db| inbox::add(db, user, &message))
            .await
    }

    async fn inbox_list(
        &self,
        user: &UserId,
        page: &Page,
        _: &Call,
    ) -> Result<Listing<InboxEntry>> {
        let (user, page) = (users::number(user)?, page.clone());
        self.readers
            .read(move |db| inbox::list(db, user, &page))
            .await
    }

    async fn inbox_take(&self, user: &UserId, id: &MessageId, _: &Call) -> Result<InboxMessage> {
        let (user, id) = (users::number(user)?, id.clone());
        self.writer
            .write(move |db| inbox::take(db, user, &id))
            .await
    }

    /// What is queued is written and answered; then the file is let go of.
    async fn close(&self, _: &Call) -> Result<()> {
        self.writes.close();
        self.readers.close().await;
        self.writer.close().await;
        Ok(())
    }
}

convoke_sdk::plugin! {
    name: "store-sqlite", store: SqliteStore, state: state::SqliteState as "state-sqlite"
}

#[cfg(test)]
mod tests;
