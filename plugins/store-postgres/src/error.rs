//! What PostgreSQL reports, as a sentence for the administrator.

use crate::url::{Target, reason};
use convoke_sdk::prelude::*;
use deadpool_postgres::{PoolError, TimeoutType};
use std::time::Duration;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// How a statement failed, as far as that decides what is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was not made, and is made when it is tried again: another one came between.
    Again,
    /// It was not made.
    Refused,
    /// The connection was lost, and nobody knows.
    Lost,
}

/// What a failure of a statement means.
pub(crate) fn failure(error: &tokio_postgres::Error) -> Failure {
    let Some(database) = error.as_db_error() else {
        // Our own mistakes (a type that does not fit) are told before anything is sent; all else is the connection.
        let is_ours = !error.is_closed() && !has_io(error);
        return if is_ours {
            Failure::Refused
        } else {
            Failure::Lost
        };
    };
    let is_fatal = !matches!(database.parsed_severity(), Some(Severity::Error));
    match database.code().code() {
        "40001" | "40P01" => Failure::Again,
        // A standby that was a primary, a primary that goes, and whatever ends the connection.
        "25006" => Failure::Lost,
        code if is_fatal || code.starts_with("08") || code.starts_with("57P") => Failure::Lost,
        _ => Failure::Refused,
    }
}

fn has_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<std::io::Error>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// Names the target in sentences.
pub(crate) struct Teller {
    servers: String,
    user: String,
    database: String,
    connections: usize,
}

impl Teller {
    pub(crate) fn new(target: &Target, connections: usize) -> Self {
        Self {
            servers: target.servers(),
            user: target.user().to_owned(),
            database: target.database().to_owned(),
            connections,
        }
    }

    /// Where the tables are: `the database convoke on db1:5432`.
    pub(crate) fn place(&self) -> String {
        format!("the database `{}` on {}", self.database, self.servers)
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Why there is no connection.
    pub(crate) fn no_connection(&self, error: &PoolError) -> Error {
        match error {
            PoolError::Backend(error) => self.not_connected(error),
            PoolError::Timeout(TimeoutType::Wait) => Error::unavailable(format!(
                "all {} connections to PostgreSQL on {} are in use; raise `config.connections`, or look what keeps them",
                self.connections, self.servers
            )),
            PoolError::Timeout(_) => Error::unavailable(format!(
                "PostgreSQL on {} does not answer in time; is it running, and can it be reached from here?",
                self.servers
            )),
            PoolError::Closed => Error::unavailable("the database is closed"),
            other => Error::internal(format!("connections to PostgreSQL: {other}")),
        }
    }

    /// Why a connection was not made.
    pub(crate) fn not_connected(&self, error: &tokio_postgres::Error) -> Error {
        let Self {
            servers,
            user,
            database,
            ..
        } = self;
        let why = reason(error);
        let text = match error.as_db_error().map(DbError::code) {
            Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                format!(
                    "PostgreSQL on {servers} refuses the user `{user}` ({why}); correct the user in `config.url` and the \
                     password in `config.password_file`, or let it in (pg_hba.conf)"
                )
            }
            Some(&SqlState::INVALID_CATALOG_NAME) => format!(
                "PostgreSQL on {servers} has no database `{database}`; make it with `createdb {database}`, or correct \
                 `config.url`"
            ),
            Some(&SqlState::TOO_MANY_CONNECTIONS | &SqlState::CONFIGURATION_LIMIT_EXCEEDED) => {
                format!(
                    "PostgreSQL on {servers} has too many connections ({why}); lower `config.connections`, or raise its \
                     max_connections"
                )
            }
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => format!(
                "PostgreSQL on {servers} does not let the user `{user}` into `{database}` ({why}); GRANT CONNECT ON DATABASE \
                 {database} TO {user}, or correct `config.url`"
            ),
            Some(_) => format!("PostgreSQL on {servers} takes no connection now: {why}"),
            None => self.without_answer(error, &why),
        };
        Error::unavailable(text)
    }

    /// Why there is no connection to a server that said nothing about it.
    fn without_answer(&self, error: &tokio_postgres::Error, why: &str) -> String {
        let (servers, user) = (&self.servers, &self.user);
        // The error's kind is not public, but its text begins with it.
        let said = format!("{error}: {why}");
        if said.contains("password missing") {
            format!(
                "PostgreSQL on {servers} asks for the password of `{user}`; write it into a file, and name that in \
                 `config.password_file`"
            )
        } else if said.starts_with("error performing TLS handshake") {
            format!(
                "TLS with PostgreSQL on {servers} failed: {why}; correct `sslmode` and `sslrootcert`, or the server's \
                 certificate and its `ssl = on`"
            )
        } else if said.contains("read-write mode") {
            format!(
                "none of PostgreSQL on {servers} can be written to now; one of `config.url` must be the primary"
            )
        } else {
            format!(
                "PostgreSQL on {servers} cannot be reached: {why}; is it running, and is `config.url` right?"
            )
        }
    }

    /// What the host hears of a statement that failed.
    pub(crate) fn failed(&self, error: &tokio_postgres::Error) -> Error {
        let place = self.place();
        let Some(database) = error.as_db_error() else {
            let why = reason(error);
            return match failure(error) {
                Failure::Lost => {
                    Error::unavailable(format!("the connection to {place} was lost: {why}"))
                }
                _ => Error::internal(format!("{place}: {error}: {why}")),
            };
        };
        let (code, why) = (database.code(), database.message());
        match code.code() {
            OWNED => Error::conflict(format!("{why} is an address of another calendar user")),
            "53100" => Error::unavailable(format!(
                "no space is left for {place} ({why}); free some on its disk"
            )),
            "25006" => Error::unavailable(format!(
                "{place} can only be read: it is a standby; add `target_session_attrs=read-write` to `config.url`"
            )),
            "42501" => Error::denied(format!(
                "the user `{}` may not use the tables of Convoke in {place} ({why}); grant it what the README of \
                 store-postgres says, or name their owner in `config.url`",
                self.user
            )),
            "42P01" | "42883" | "3F000" => Error::unavailable(format!(
                "{place} has not the tables that it had ({why}); were they removed? Start convoke again to make them anew"
            )),
            "22021" | "22P05" => Error::invalid(format!("PostgreSQL takes no such text: {why}")),
            "57014" => Error::unavailable(format!(
                "{place} gave a statement up ({why}); raise `config.statement_timeout`, or look what it waits for"
            )),
            code if code.starts_with("23") => Error::conflict(format!("{place}: {why}")),
            code if code.starts_with("54") => {
                Error::invalid(format!("it is too large for {place}: {why}"))
            }
            code if ["08", "40", "53", "55", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                Error::unavailable(format!("{place} cannot be used now: {why}"))
            }
            code => Error::internal(format!("{place}: {why} (SQLSTATE {code})")),
        }
    }

    /// A statement took longer than it may.
    pub(crate) fn too_long(&self, limit: Duration) -> Error {
        Error::unavailable(format!(
            "{} did not answer within {} s; is it reachable, and not overloaded? `config.statement_timeout` says how long is \
             waited",
            self.place(),
            limit.as_secs()
        ))
    }
}

/// An address is somebody else's; what `convoke.give_addresses` fails with.
const OWNED: &str = "CV001";
