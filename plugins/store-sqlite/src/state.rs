//! What a host must not forget, in one SQLite file: keys and values, ordered.
//!
//! | module | what it does |
//! | --- | --- |
//! | `entries` | the SQL |
//! | `changes` | who waits for a change is told of it |
//! | `origin` | whether the file was made where it lies, or copied there |
//!
//! What must hold, besides what holds of the whole crate:
//! - all conditions of a batch are looked at, and all its writes made, in one transaction that nobody else writes in;
//! - what has expired is never answered, counts as absent in conditions, and is removed little by little with each commit:
//!   more is removed than a commit writes, so that it does not add up;
//! - a file that is not ours, of a newer version, damaged, a copy, or that cannot be written is refused when it is opened,
//!   and left as it is.
//!
//! Not here: the file never shrinks by itself; pages of what is gone are used again. Time is the system's clock, so what is
//! to expire does so earlier or later when that is set.

mod changes;
mod entries;
mod origin;

use crate::{
    database::{self, Schema},
    error::{DatabaseError, Outcome},
    readers::Readers,
    writer::Writer,
};
use changes::Changes;
use convoke_sdk::prelude::*;
use rusqlite::Connection;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    #[derive(Clone, Debug)]
    pub struct Config {
        /// The database file; a relative path counts from the configuration file's folder. Where the host's configuration
        /// says nothing, it is `state.db` in `server.state`.
        pub path: PathBuf,
    }
}

/// `Cnvs`: tells these databases from those of other programs, and from our calendars.
const SCHEMA: Schema = Schema {
    application: 0x436e_7673,
    plugin: "state-sqlite",
    migrations: &[include_str!("state/schema.sql")],
};

/// A file of so many bytes is looked through for damage when it is opened, which takes milliseconds. In a larger one damage
/// shows when what is damaged is read.
const LOOKED_THROUGH: u64 = 4 << 20;
/// A scan for so many entries is made without another thread.
const FEW: u32 = 64;
/// How often it is asked whether another process has written.
const EVERY: Duration = Duration::from_secs(1);

/// An open database.
pub struct SqliteState {
    writer: Writer,
    readers: Arc<Readers>,
    changes: Changes,
}

impl State for SqliteState {
    type Config = Config;
    /// Two copies of SQLite in one process undo each other's locks.
    const SHARING: Sharing = Sharing::OneVersion;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let path: Arc<Path> = host.path(config.path).into();
        let file = Arc::clone(&path);
        let opened = tokio::task::spawn_blocking(move || open(&file)).await;
        let connection = opened.map_err(|_| Error::internal("opening the database panicked"))??;
        Ok(Self {
            writer: Writer::start(SCHEMA.plugin, connection, Arc::clone(&path))?,
            readers: Arc::new(Readers::new(path)),
            changes: Changes::default(),
        })
    }

    async fn get(&self, key: &[u8], _: &Call) -> Result<Option<StateEntry>> {
        let key = key.to_vec();
        let read = move |db: &Connection| entries::get(db, &key, entries::now());
        self.readers.look_up(read).await
    }

    async fn scan(&self, scan: &Scan, _: &Call) -> Result<Vec<StateEntry>> {
        let few = scan.limit <= FEW;
        let scan = scan.clone();
        let read = move |db: &Connection| entries::scan(db, &scan, entries::now());
        if few {
            self.readers.look_up(read).await
        } else {
            self.readers.read(read).await
        }
    }

    async fn commit(&self, batch: &Batch, _: &Call) -> Result<Committed> {
        entries::fits(batch)?;
        let write = {
            let batch = batch.clone();
            move |db: &Connection| entries::commit(db, &batch, entries::now())
        };
        let committed = self.writer.write(write).await?;
        // Who is gone before the answer came tells nobody; then it looks as if another process had written.
        self.changes.tell(batch);
        Ok(committed)
    }

    /// What this process commits is told at once, what others do within a second.
    async fn await_changes(&self, range: &KeyRange, call: &Call) -> Result<()> {
        let until = Instant::now() + call.patience();
        let told = self.changes.told_of(range);
        let before = self.by_others().await?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if tokio::time::timeout(left.min(EVERY), told.wait())
                .await
                .is_ok()
                || left.is_zero()
                || self.by_others().await? != before
            {
                return Ok(());
            }
        }
    }

    /// What is queued is written and answered; then the file is let go of.
    async fn close(&self, _: &Call) -> Result<()> {
        self.changes.end();
        self.readers.close().await;
        self.writer.close().await;
        Ok(())
    }
}

impl SqliteState {
    /// How many commits other processes made, from whenever on.
    async fn by_others(&self) -> Result<u64> {
        let version = self.readers.look_up(entries::version).await?;
        Ok(version.wrapping_sub(self.changes.made()))
    }
}

fn open(path: &Path) -> Result<Connection> {
    let connection = database::open(path, &SCHEMA)?;
    let looked = look(&connection, path).and_then(|()| origin::check(&connection, path));
    looked.map_err(|error| error.into_error(path))?;
    Ok(connection)
}

/// Looks for damage, where that is quick.
fn look(connection: &Connection, path: &Path) -> Outcome<()> {
    let size = fs::metadata(path).map_or(0, |it| it.len());
    if size > LOOKED_THROUGH {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(DatabaseError::damaged(path, &found))
}

#[cfg(test)]
mod tests;
