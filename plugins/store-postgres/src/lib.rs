//! Calendars and a host's state in PostgreSQL, for one host or several at once: two plugins in one library, `store-postgres` and
//! `state-postgres`.
//!
//! ```toml
//! [[store]]
//! plugin = "store-postgres"
//! domains = ["example.org"]
//! config.url = "postgres://convoke@db1,db2/convoke?sslmode=verify-full"
//! config.password_file = "db.password"
//!
//! [[state]]
//! plugin = "state-postgres"
//! config.url = "postgres://convoke@db1,db2/convoke?sslmode=verify-full"
//! config.password_file = "db.password"
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | `config`, `url` | what the administrator writes |
//! | `tls` | TLS by rustls |
//! | `schema` | our tables and functions, and their version |
//! | `database` | connections, retries, and what became of a write whose connection was lost |
//! | `error` | what PostgreSQL reports, as a sentence for the administrator |
//! | `users`, `objects`, `busy`, `inbox` | the SQL of calendars |
//! | `row` | what rows hold |
//! | `turns` | writes to one user's calendar take turns |
//! | `news`, `waiting` | hearing of changes, and waiting for them |
//! | [`state`] | state-postgres |
//!
//! What must hold:
//! - what was answered is committed, as durable as `synchronous_commit` of the database says;
//! - each write is one statement, made once or not at all, whatever happens to its connection;
//! - no statement has a name, and nothing is left in a session, so PgBouncer may pool transactions;
//! - nothing that a calendar holds becomes part of a statement: all of it are values.
//!
//! Not here: names of servers are asked of the system's resolver, not of `[dns] nameservers`; certificates of clients (`sslcert`);
//! Kerberos. Removed UIDs are remembered for [`changes`](Store::changes) as long as their user is there.

mod busy;
mod config;
mod database;
mod error;
mod inbox;
mod news;
mod objects;
mod row;
mod schema;
pub mod state;
mod tls;
mod turns;
mod url;
mod users;
mod waiting;

pub use config::Config;
use convoke_sdk::prelude::*;
use database::Database;
use news::News;

/// An open database.
pub struct PostgresStore {
    db: Database,
    news: News,
}

impl PostgresStore {
    /// How PostgreSQL looks for busy time: for a test that it goes by the index.
    #[doc(hidden)]
    pub const BUSY: &str = busy::BUSY;

    /// The answer to a write, of which those who wait are told.
    fn written<T>(&self, written: Result<T>) -> Result<T> {
        if written.is_ok() {
            self.news.tell();
        }
        written
    }
}

impl Store for PostgresStore {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let db = Database::open(&config, host).await?;
        let news = News::new("convoke_store");
        news.start_telling(&db);
        Ok(Self { db, news })
    }

    async fn find(&self, address: &CalendarAddress, call: &Call) -> Result<Option<CalendarUser>> {
        users::find(&self.db, address, call).await
    }

    async fn get(&self, user: &UserId, uid: &Uid, call: &Call) -> Result<Option<StoredObject>> {
        objects::get(&self.db, user, uid, call).await
    }

    async fn put(
        &self,
        user: &UserId,
        object: &NewObject,
        when: &Precondition,
        call: &Call,
    ) -> Result<Etag> {
        self.written(objects::put(&self.db, user, object, when, call).await)
    }

    async fn remove(
        &self,
        user: &UserId,
        uid: &Uid,
        when: &Precondition,
        call: &Call,
    ) -> Result<()> {
        self.written(objects::remove(&self.db, user, uid, when, call).await)
    }

    async fn busy(&self, user: &UserId, range: TimeRange, call: &Call) -> Result<Busy> {
        busy::busy(&self.db, user, range, call).await
    }

    async fn add_user(&self, user: &NewUser, call: &Call) -> Result<UserId> {
        users::add(&self.db, user, call).await
    }

    async fn update_user(&self, user: &CalendarUser, call: &Call) -> Result<()> {
        users::update(&self.db, user, call).await
    }

    async fn remove_user(&self, user: &UserId, call: &Call) -> Result<()> {
        self.written(users::remove(&self.db, user, call).await)
    }

    async fn users(&self, page: &Page, call: &Call) -> Result<Listing<CalendarUser>> {
        users::list(&self.db, page, call).await
    }

    async fn list(
        &self,
        user: &UserId,
        page: &Page,
        call: &Call,
    ) -> Result<Listing<ObjectSummary>> {
        objects::list(&self.db, user, page, call).await
    }

    async fn changes(&self, user: &UserId, since: Option<&Cursor>, call: &Call) -> Result<Changes> {
        objects::changes(&self.db, user, since, call).await
    }

    async fn await_changes(&self, watch: &Watch, call: &Call) -> Result<Changed> {
        waiting::wait(&self.db, &self.news, watch, call).await
    }

    async fn inbox_add(
        &self,
        user: &UserId,
        message: &InboxMessage,
        call: &Call,
    ) -> Result<MessageId> {
        inbox::add(&self.db, user, message, call).await
    }

    async fn inbox_list(
        &self,
        user: &UserId,
        page: &Page,
        call: &Call,
    ) -> Result<Listing<InboxEntry>> {
        inbox::list(&self.db, user, page, call).await
    }

    async fn inbox_take(&self, user: &UserId, id: &MessageId, call: &Call) -> Result<InboxMessage> {
        inbox::take(&self.db, user, id, call).await
    }

    async fn close(&self, _: &Call) -> Result<()> {
        self.db.close();
        Ok(())
    }
}

convoke_sdk::plugin! {
    name: "store-postgres", store: PostgresStore, state: state::PostgresState as "state-postgres"
}
