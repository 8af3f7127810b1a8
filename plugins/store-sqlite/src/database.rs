//! Opens the file, and brings its tables up to date.

use crate::error::{DatabaseError, Outcome};
use convoke_sdk::prelude::*;
use rusqlite::{Connection, TransactionBehavior, config::DbConfig};
use std::{fs, io, path::Path, time::Duration};

/// How long a lock of another process is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What the tables of a plugin's databases are.
pub(crate) struct Schema {
    /// Tells its databases from those of others: SQLite's `application_id`.
    pub(crate) application: i32,
    /// The plugin that it belongs to.
    pub(crate) plugin: &'static str,
    /// Each brings a database from the version of its place to the next; only ever appended to.
    pub(crate) migrations: &'static [&'static str],
}

/// `Cnvk`: calendars.
pub(crate) const CALENDARS: Schema = Schema {
    application: 0x436e_766b,
    plugin: "store-sqlite",
    migrations: &[
        include_str!("schema.sql"),
        include_str!("inbox.sql"),
        include_str!("attributes.sql"),
    ],
};

/// Memory that the writing connection keeps pages in, in KiB: those of indexes are needed again and again.
const CACHE: i64 = 8 << 10;

/// Opens the database for writing, making it if there is none.
pub(crate) fn open(path: &Path, schema: &Schema) -> Result<Connection> {
    make(path).map_err(|error| cannot_make(path, &error))?;
    let opened = connect(path).and_then(|mut connection| {
        migrate(&mut connection, path, schema)?;
        connection.pragma_update(None, "cache_size", -CACHE)?;
        Ok(connection)
    });
    opened.map_err(|error| error.into_error(path))
}

/// One more connection to a database that is open already, for reading.
pub(crate) fn open_reader(path: &Path) -> Outcome<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// SQLite gives the WAL and its index the mode of the database.
fn make(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            let folder = path.parent().unwrap_or(Path::new("/"));
            fs::File::open(folder)?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn cannot_make(path: &Path, error: &io::Error) -> Error {
    let file = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Error::invalid(format!(
            "the folder of {file} does not exist; make it, owned by the user that runs convoke"
        )),
        _ => Error::unavailable(format!("cannot make {file}: {error}")),
    }
}

fn connect(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    // SQLite opens what it may not write for reading. Before anything is read, which would leave its files beside it.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(DatabaseError::not_writable(path));
    }
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Otherwise a plan may depend on the values that are asked for, and is made anew for each question.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, schema: &Schema) -> Outcome<()> {
    // Before anything is changed: is it ours?
    if version(connection, path, schema)? == schema.migrations.len() {
        return Ok(());
    }
    let journal: String =
        connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if journal != "wal" {
        return Err(Error::invalid(format!(
            "{} cannot have a write-ahead log (SQLite answered `{journal}`); put it on a local disk",
            path.display()
        ))
        .into());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again under the lock: another process may have been quicker.
    for migration in &schema.migrations[version(&transaction, path, schema)?..] {
        transaction.execute_batch(migration)?;
    }
    let current = i64::try_from(schema.migrations.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", current)?;
    transaction.pragma_update(None, "application_id", schema.application)?;
    transaction.commit()?;
    Ok(())
}

/// The version of our tables in the file; 0 for a new file.
fn version(connection: &Connection, path: &Path, schema: &Schema) -> Outcome<usize> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let file = path.display();
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    if application != schema.application {
        return Err(DatabaseError::Refused(Error::invalid(format!(
            "{file} is a database of another program; give `config.path` a file of its own"
        ))));
    }
    let (plugin, known) = (schema.plugin, schema.migrations.len());
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(DatabaseError::Refused(Error::invalid(format!(
            "{file} was written by a newer {plugin} (tables of version {version}, this one knows \
             {known}); use that plugin, or a copy of the file from before"
        )))),
    }
}
