//! What SQLite reports, as a sentence for the administrator.

use convoke_sdk::prelude::*;
use rusqlite::ErrorCode;
use std::path::Path;

/// What a piece of SQL ends with.
pub(crate) type Outcome<T> = std::result::Result<T, DatabaseError>;

/// Why a piece of SQL failed.
#[derive(Debug)]
pub(crate) enum DatabaseError {
    /// SQLite could not.
    Sqlite(rusqlite::Error),
    /// The plugin says no.
    Refused(Error),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<convoke_sdk::InvalidId> for DatabaseError {
    fn from(error: convoke_sdk::InvalidId) -> Self {
        Self::Refused(Error::internal(format!("the database holds {error}")))
    }
}

impl From<convoke_sdk::InvalidAddress> for DatabaseError {
    fn from(error: convoke_sdk::InvalidAddress) -> Self {
        Self::Refused(Error::internal(format!(
            "the database holds an address: {error}"
        )))
    }
}

impl DatabaseError {
    /// What is in the file cannot be trusted.
    pub(crate) fn damaged(path: &Path, found: &dyn std::fmt::Display) -> Self {
        let file = path.display();
        Self::Refused(Error::unavailable(format!(
            "{file} is damaged ({found}); put back a copy, or try `sqlite3 {file} .recover`"
        )))
    }

    /// The file is there for reading only.
    pub(crate) fn not_writable(path: &Path) -> Self {
        let file = path.display();
        Self::Refused(Error::unavailable(format!(
            "{file} cannot be written; the file and its folder must be writable by the user that runs convoke"
        )))
    }

    /// Whether somebody else holds a lock.
    pub(crate) fn is_lock(&self) -> bool {
        let Self::Sqlite(error) = self else {
            return false;
        };
        matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        )
    }

    /// The error that the host hears, about the database at `path`.
    pub(crate) fn into_error(self, path: &Path) -> Error {
        let error = match self {
            Self::Refused(error) => return error,
            Self::Sqlite(error) => error,
        };
        let file = path.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Error::unavailable(format!(
                    "{file} is locked by another program for more than 5 seconds; end that program or wait"
                ))
            }
            Some(ErrorCode::DiskFull) => Error::unavailable(format!(
                "no space is left for {file}; free some on its disk"
            )),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::not_writable(path).into_error(path)
            }
            Some(ErrorCode::NotADatabase) => Error::invalid(format!(
                "{file} is not an SQLite database; give `config.path` a file of its own"
            )),
            Some(ErrorCode::DatabaseCorrupt) => Self::damaged(path, &error).into_error(path),
            Some(ErrorCode::CannotOpen) => Error::unavailable(format!(
                "{file} cannot be opened; the file and its folder must be writable by the user that runs convoke"
            )),
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
                Error::unavailable(format!("{file} cannot be used now: {error}"))
            }
            Some(ErrorCode::TooBig) => {
                Error::invalid(format!("it is too large for {file}: {error}"))
            }
            _ => Error::internal(format!("{file}: {error}")),
        }
    }
}
