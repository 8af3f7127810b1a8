//! Connections, and what is asked over them.
//!
//! Statements have no names, as PgBouncer gives each transaction another connection; each is one message and one answer. Every
//! write is one statement that calls one function of `schema`, and so a transaction of its own. It carries a token. When its
//! connection is lost before the answer came, [`settle`](Database::settle) asks over another one what became of the token: it was
//! written down with the write, or it is written down now as one that must not be any more.
//!
//! A connection whose answer was not waited for is closed, not used again.

use crate::{
    config::{Config, Settings},
    error::{Failure, Teller, failure},
    schema,
    tls::Tls,
    turns::Turns,
};
use convoke_sdk::{prelude::*, tracing};
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::OnceCell,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{
    Client, Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

/// A value of a statement, and its type.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// Tries of a statement that another one came between.
const TRIES: u32 = 20;
/// Connections that may be lost under a statement that only reads, before it is given up.
const LOST: u32 = 2;
/// After so long it is not asked any more what became of a write: its token may have been forgotten.
const ASKED_WITHIN: Duration = Duration::from_secs(300);
/// How long it is waited before a lost connection is made anew.
const BREATH: Duration = Duration::from_millis(200);

/// A database, and how it is reached. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database(Arc<Inner>);

/// A database that somebody else keeps open.
pub(crate) struct WeakDatabase(Weak<Inner>);

impl WeakDatabase {
    pub(crate) fn upgrade(&self) -> Option<Database> {
        self.0.upgrade().map(Database)
    }
}

struct Inner {
    pool: Pool,
    settings: Settings,
    tls: Tls,
    teller: Teller,
    /// Set once the tables are there, as this version knows them.
    is_current: OnceCell<()>,
    host: Host,
    is_degraded: AtomicBool,
    turns: Turns,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Why a statement failed.
enum Failed {
    /// No connection was to be had.
    Unconnected(PoolError),
    /// It took longer than it may; nobody knows what became of it.
    TooLong,
    Statement(tokio_postgres::Error),
}

impl Failed {
    fn meaning(&self) -> Failure {
        match self {
            Self::Unconnected(_) => Failure::Refused,
            Self::TooLong => Failure::Lost,
            Self::Statement(error) => failure(error),
        }
    }
}

impl Database {
    /// Connects, and looks whether the tables are there or may be made. Writes nothing.
    pub(crate) async fn open(config: &Config, host: Host) -> Result<Self> {
        let settings = config.read(&host)?;
        let tls = Tls::new(&settings.target, &host)?;
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let postgres = settings.target.postgres.clone();
        let pool = Pool::builder(Manager::from_config(postgres, tls.clone(), recycling))
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::internal(format!("connections to PostgreSQL: {error}")))?;
        if !settings.target.is_safe() {
            tracing::warn!(
                event = "postgres-unverified",
                "what goes to PostgreSQL on {} may be read and changed on the way; write `sslmode=verify-full` in `config.url`",
                settings.target.servers()
            );
        }
        let database = Self(Arc::new(Inner {
            teller: Teller::new(&settings.target, settings.connections),
            pool,
            settings,
            tls,
            is_current: OnceCell::new(),
            host,
            is_degraded: AtomicBool::new(false),
            turns: Turns::default(),
            tasks: Mutex::default(),
        }));
        let call = Call::within(database.0.settings.statement_timeout * 2);
        let client = database.client(&call).await?;
        let found = schema::look(&client, &database.0.teller).await;
        client.is_idle();
        if found?.is_current() {
            // An error: somebody has set it already, which nobody can.
            let _ = database.0.is_current.set(());
        }
        Ok(database)
    }

    /// What a statement reads. It is asked again over another connection, if its own is lost.
    pub(crate) async fn read(
        &self,
        call: &Call,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        self.must_be_current(call).await?;
        let mut lost = 0;
        loop {
            let failed = match self.ask(call, sql, values).await {
                Ok(rows) => return Ok(rows),
                Err(failed) => failed,
            };
            match failed.meaning() {
                Failure::Lost if lost < LOST && !is_over(call) => lost += 1,
                Failure::Again if !is_over(call) => {}
                _ => return Err(self.told(&failed)),
            }
        }
    }

    /// Whether there are no tables yet, so nothing that could be read.
    pub(crate) async fn is_empty(&self, call: &Call) -> Result<bool> {
        if self.0.is_current.initialized() {
            return Ok(false);
        }
        let client = self.client(call).await?;
        let found = schema::look(&client, &self.0.teller).await?;
        client.is_idle();
        Ok(found.is_none())
    }

    /// The one row that a statement reads, if there is one.
    pub(crate) async fn read_one(
        &self,
        call: &Call,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>> {
        let rows = self.read(call, sql, values).await?;
        Ok(rows.into_iter().next())
    }

    /// Makes a write, and gives what its function answered. `sql` calls it, with the token as `$1`; `values` are those from `$2` on.
    ///
    /// It is made once or not at all, also when connections are lost; `Unavailable` where that could not be found out in time.
    pub(crate) async fn write(
        &self,
        call: &Call,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<String> {
        self.must_be_current(call).await?;
        let mut tries = 0;
        loop {
            tries += 1;
            let begun = Instant::now();
            let token = Uuid::new_v4().to_string();
            let mut all: Vec<Value<'_>> = vec![(&token, Type::TEXT)];
            all.extend_from_slice(values);
            let failed = match self.ask(call, sql, &all).await {
                Ok(rows) => return self.answer(rows.first()),
                Err(failed) => failed,
            };
            match failed.meaning() {
                Failure::Again if tries < TRIES && !is_over(call) => {
                    sleep(Duration::from_millis(
                        fastrand::u64(1..20) * u64::from(tries),
                    ))
                    .await;
                }
                Failure::Lost => {
                    if let Some(answer) = self.settle(call, &token, begun, &failed).await? {
                        return Ok(answer);
                    }
                    if is_over(call) || tries >= TRIES {
                        return Err(self.told(&failed));
                    }
                }
                Failure::Again | Failure::Refused => return Err(self.told(&failed)),
            }
        }
    }

    /// Makes a write that locks the row of a user, when it is its turn among those of this process.
    pub(crate) async fn write_of(
        &self,
        call: &Call,
        user: i64,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<String> {
        let _turn = self.0.turns.take(user, self.patience(call)).await?;
        self.write(call, sql, values).await
    }

    /// What became of a write whose connection was lost: what it answered, or `None` if it was not made and cannot be any more.
    async fn settle(
        &self,
        call: &Call,
        token: &str,
        begun: Instant,
        failed: &Failed,
    ) -> Result<Option<String>> {
        loop {
            let token: Value<'_> = (&token, Type::TEXT);
            match self
                .ask(call, "SELECT convoke.settle($1::uuid)", &[token])
                .await
            {
                Ok(rows) => return Ok(rows.first().and_then(|row| row.get(0))),
                Err(_) if !is_over(call) && begun.elapsed() < ASKED_WITHIN => sleep(BREATH).await,
                Err(_) => {
                    let error = self.told(failed);
                    return Err(Error::unavailable(format!(
                        "{}; whether the last write was made is not known",
                        error.message()
                    )));
                }
            }
        }
    }

    fn answer(&self, row: Option<&Row>) -> Result<String> {
        let answer = row.and_then(|row| row.try_get(0).ok());
        answer.ok_or_else(|| {
            let place = self.0.teller.place();
            Error::internal(format!("{place}: a function of ours gave no answer"))
        })
    }

    /// A statement over one of the connections, once.
    async fn ask(&self, call: &Call, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failed> {
        let asked = self.ask_now(call, sql, values).await;
        match &asked {
            Ok(_) => self.is_well(),
            Err(failed) => {
                if failed.meaning() == Failure::Lost {
                    // Others of the same server are lost as well, and would be found out one by one.
                    self.0.pool.retain(|_, _| false);
                }
                self.is_troubled(failed);
            }
        }
        asked
    }

    async fn ask_now(
        &self,
        call: &Call,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Failed> {
        let client = self.connection(call).await.map_err(Failed::Unconnected)?;
        let asked = timeout(self.patience(call), client.query_typed(sql, values)).await;
        let rows = asked
            .map_err(|_| Failed::TooLong)?
            .map_err(Failed::Statement)?;
        client.is_idle();
        Ok(rows)
    }

    async fn connection(&self, call: &Call) -> Result<Borrowed, PoolError> {
        let patience = self.patience(call);
        let timeouts = Timeouts {
            wait: Some(patience),
            create: Some(patience),
            recycle: Some(patience),
        };
        self.0.pool.timeout_get(&timeouts).await.map(Borrowed::new)
    }

    /// A connection for more than one statement.
    async fn client(&self, call: &Call) -> Result<Borrowed> {
        let client = self.connection(call).await;
        client.map_err(|error| self.told(&Failed::Unconnected(error)))
    }

    /// How long a statement of a call may take.
    fn patience(&self, call: &Call) -> Duration {
        call.patience().min(self.0.settings.statement_timeout)
    }

    /// Makes the tables, or brings them up to date, when something is asked of them for the first time.
    async fn must_be_current(&self, call: &Call) -> Result<()> {
        let migrated = self.0.is_current.get_or_try_init(async || {
            let client = self.client(call).await?;
            let migrating = schema::migrate(&client, &self.0.teller);
            let migrated = timeout(self.patience(call), migrating).await;
            migrated.unwrap_or_else(|_| Err(self.told(&Failed::TooLong)))?;
            client.is_idle();
            Ok(())
        });
        migrated.await.copied()
    }

    fn told(&self, failed: &Failed) -> Error {
        let teller = &self.0.teller;
        match failed {
            Failed::Unconnected(error) => teller.no_connection(error),
            Failed::TooLong => teller.too_long(self.0.settings.statement_timeout),
            Failed::Statement(error) => teller.failed(error),
        }
    }

    fn is_well(&self) {
        if self.0.is_degraded.swap(false, Ordering::Relaxed) {
            self.0.host.healthy();
        }
    }

    fn is_troubled(&self, failed: &Failed) {
        let is_away = matches!(failed, Failed::Unconnected(_)) || failed.meaning() == Failure::Lost;
        if is_away && !self.0.is_degraded.swap(true, Ordering::Relaxed) {
            self.0.host.degraded(self.told(failed).message().to_owned());
        }
    }

    /// How a connection beside these is made.
    pub(crate) fn reach(&self) -> (&tokio_postgres::Config, Tls) {
        (&self.0.settings.target.postgres, self.0.tls.clone())
    }

    /// The database, for as long as others use it.
    pub(crate) fn downgrade(&self) -> WeakDatabase {
        WeakDatabase(Arc::downgrade(&self.0))
    }

    /// Lets a task end with the database.
    pub(crate) fn keep(&self, task: JoinHandle<()>) {
        let tasks = &self.0.tasks;
        tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
    }

    /// Whoever asks from now on is refused; connections are closed once they are idle.
    pub(crate) fn close(&self) {
        self.0.pool.close();
        self.0.end_tasks();
    }
}

impl Inner {
    fn end_tasks(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end_tasks();
    }
}

fn is_over(call: &Call) -> bool {
    call.time_left().is_some_and(|left| left.is_zero())
}

/// A connection from the pool. It goes back only once it was said to be idle: else an answer is under way still.
struct Borrowed {
    object: Option<Object>,
    is_idle: AtomicBool,
}

impl Borrowed {
    const fn new(object: Object) -> Self {
        Self {
            object: Some(object),
            is_idle: AtomicBool::new(false),
        }
    }

    fn is_idle(&self) {
        self.is_idle.store(true, Ordering::Relaxed);
    }
}

impl std::ops::Deref for Borrowed {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.object
            .as_deref()
            .expect("it is taken when it is dropped")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.is_idle.load(Ordering::Relaxed) {
            // Closed, as it is not put back.
            drop(self.object.take().map(Object::take));
        }
    }
}
