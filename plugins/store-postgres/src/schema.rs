//! Our tables: all lie in the schema `convoke`, whose version is in `convoke.schema_version`.
//!
//! Two hosts that start at once on an empty database wait for each other by an advisory lock. A host refuses tables of a newer
//! version when it starts; one that runs already goes on, as a version may only add to the one before.

use crate::error::Teller;
use convoke_sdk::prelude::*;
use tokio_postgres::{Client, types::Type};

/// Each brings the tables from the version of its place to the next; only ever appended to.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// What is locked while the tables are changed: `cnvk`, 1.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1668183659, 1)";

/// What there is, and what may be made. By the catalog's tables: what `to_regclass` and its like say may be remembered from before the
/// lock.
const FOUND: &str = "
    SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'),
        current_setting('default_transaction_isolation'), ours.oid IS NOT NULL,
        EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = ours.oid AND relname = 'schema_version'),
        coalesce(has_schema_privilege(ours.oid, 'CREATE'), has_database_privilege(current_database(), 'CREATE')),
        current_setting('transaction_read_only') = 'on'
    FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_namespace AS ours ON ours.nspname = 'convoke'";

/// The version of the tables that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version(usize);

impl Version {
    /// Whether it is the one that is known here.
    pub(crate) const fn is_current(self) -> bool {
        self.0 == MIGRATIONS.len()
    }

    /// Whether there are no tables.
    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// The version of the tables; refuses what cannot be used. Writes nothing.
pub(crate) async fn look(client: &Client, teller: &Teller) -> Result<Version> {
    Found::read(client, teller)
        .await?
        .version(client, teller)
        .await
}

async fn version(client: &Client, teller: &Teller) -> Result<Version> {
    let rows = client
        .query_typed("SELECT max(version) FROM convoke.schema_version", &[])
        .await
        .map_err(|error| teller.failed(&error))?;
    let version: Option<i32> = rows.first().and_then(|row| row.get(0));
    let version = version.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
    let known = MIGRATIONS.len();
    if version > known {
        return Err(Error::invalid(format!(
            "the tables in {} are of version {version}, made by a newer Convoke; this one knows {known}: start the newer one, \
             or name another database in `config.url`",
            teller.place()
        )));
    }
    Ok(Version(version))
}

/// What a database says of itself.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an answer of PostgreSQL's"
)]
struct Found {
    server_version: i32,
    encoding: String,
    isolation: String,
    has_schema: bool,
    has_tables: bool,
    may_make: bool,
    is_standby: bool,
}

impl Found {
    async fn read(client: &Client, teller: &Teller) -> Result<Self> {
        let failed = |error: tokio_postgres::Error| teller.failed(&error);
        let rows = client.query_typed(FOUND, &[]).await.map_err(failed)?;
        let row = rows.first();
        let row = row.ok_or_else(|| Error::internal("PostgreSQL answers nothing"))?;
        let found = Self {
            server_version: row.get(0),
            encoding: row.get(1),
            isolation: row.get(2),
            has_schema: row.get(3),
            has_tables: row.get(4),
            may_make: row.get(5),
            is_standby: row.get(6),
        };
        found.check(teller)?;
        Ok(found)
    }

    /// The version of the tables, if they may be used as they are or changed.
    async fn version(&self, client: &Client, teller: &Teller) -> Result<Version> {
        let version = if self.has_tables {
            version(client, teller).await?
        } else {
            Version(0)
        };
        if version.is_current() || self.may_make {
            Ok(version)
        } else {
            Err(self.may_not_make(teller))
        }
    }

    fn check(&self, teller: &Teller) -> Result<()> {
        let (place, user) = (teller.place(), teller.user());
        if self.server_version < 130_000 {
            let version = self.server_version / 10_000;
            return Err(Error::invalid(format!(
                "{place} is of PostgreSQL {version}; 13 or later is needed"
            )));
        }
        if self.encoding != "UTF8" {
            return Err(Error::invalid(format!(
                "{place} has the encoding {}; make it with `createdb --encoding=UTF8 --template=template0`",
                self.encoding
            )));
        }
        if self.isolation != "read committed" {
            return Err(Error::invalid(format!(
                "{place} begins transactions as `{}`; ALTER ROLE {user} SET default_transaction_isolation = 'read committed'",
                self.isolation
            )));
        }
        if self.is_standby {
            return Err(Error::unavailable(format!(
                "{place} can only be read: it is a standby; add `target_session_attrs=read-write` to `config.url`"
            )));
        }
        Ok(())
    }

    /// The tables have to be made, or changed.
    fn may_not_make(&self, teller: &Teller) -> Error {
        let (place, user) = (teller.place(), teller.user());
        let on = if self.has_schema {
            "SCHEMA convoke".to_owned()
        } else {
            format!("DATABASE {}", teller.database())
        };
        Error::invalid(format!(
            "{place} has not the tables of this version yet, and the user `{user}` may not make them; GRANT CREATE ON {on} TO \
             {user}, or run `convoke user show ADDR` once with their owner in `config.url`"
        ))
    }
}

/// Brings the tables up to date; waits for another host that does.
pub(crate) async fn migrate(client: &Client, teller: &Teller) -> Result<()> {
    let failed = |error: tokio_postgres::Error| teller.failed(&error);
    client
        .batch_execute(&format!("BEGIN; {LOCK}"))
        .await
        .map_err(failed)?;
    // Under the lock: another host may have been quicker.
    let found = Found::read(client, teller).await?;
    let there = found.version(client, teller).await?.0;
    // Each only if it is not there: the administrator may have made the schema, for a user that may make none.
    if !found.has_schema {
        client
            .batch_execute("CREATE SCHEMA convoke")
            .await
            .map_err(failed)?;
    }
    if !found.has_tables {
        let table = "CREATE TABLE convoke.schema_version (version integer NOT NULL)";
        client.batch_execute(table).await.map_err(failed)?;
    }
    for migration in &MIGRATIONS[there..] {
        client.batch_execute(migration).await.map_err(failed)?;
    }
    if there < MIGRATIONS.len() {
        let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
        client
            .query_typed(
                "WITH before AS (DELETE FROM convoke.schema_version)
                 INSERT INTO convoke.schema_version (version) VALUES ($1)",
                &[(&known, Type::INT4)],
            )
            .await
            .map_err(failed)?;
    }
    client.batch_execute("COMMIT").await.map_err(failed)
}
