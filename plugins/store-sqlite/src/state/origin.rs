//! Whether the file was made where it lies, or copied there.
//!
//! A copied state is a past that somebody else may live on with, or that was left behind: a host that begins with it tells
//! people again what they were told since. So the file notes what the system calls it (when it was born, and its inode), and
//! what is called otherwise is refused until the administrator says that it shall be so.

use crate::error::{DatabaseError, Outcome};
use convoke_sdk::prelude::*;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// What the system calls a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    inode: i64,
    /// In microseconds since 1970.
    born: Option<i64>,
}

impl Origin {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let born = metadata.created().ok();
        let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            inode: inode(&metadata),
            born: born.and_then(|born| i64::try_from(born.as_micros()).ok()),
        })
    }

    /// Inodes are used again, and some file systems number them anew; a birth is not repeated.
    fn is_of(self, other: Self) -> bool {
        match (self.born, other.born) {
            (Some(one), Some(another)) => one == another,
            _ => self.inode == other.inode,
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> i64 {
    std::os::unix::fs::MetadataExt::ino(metadata).cast_signed()
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> i64 {
    0
}

/// Refuses a copy, unless the administrator has said that it takes the place of the original.
pub(super) fn check(connection: &Connection, path: &Path) -> Outcome<()> {
    let here = Origin::of(path).map_err(Error::from)?;
    let noted = noted(connection)?;
    if noted.is_some_and(|noted| noted.is_of(here)) {
        return Ok(());
    }
    let word = word_of(path);
    if noted.is_some() && !word.exists() {
        return Err(DatabaseError::Refused(refusal(path, &word)));
    }
    note(connection, here)?;
    // If it stays, the next copy is taken without being asked for; so that has to be known.
    match fs::remove_file(&word) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DatabaseError::Refused(
            Error::unavailable(format!("cannot remove {}: {error}", word.display())),
        )),
        _ => Ok(()),
    }
}

/// The file by which the administrator says that a copy takes the place of the original.
fn word_of(path: &Path) -> PathBuf {
    let mut word = path.as_os_str().to_owned();
    word.push(".adopt");
    word.into()
}

fn refusal(path: &Path, word: &Path) -> Error {
    let (file, word) = (path.display(), word.display());
    Error::invalid(format!(
        "{file} is a copy of a state that was made elsewhere or earlier, and who goes on with it tells people again what \
         they were told since; if it shall take the place of the original, make an empty file {word} and start again; \
         otherwise move {file} away, and a new state is begun"
    ))
}

fn noted(connection: &Connection) -> Outcome<Option<Origin>> {
    let question = "SELECT inode, born FROM origin";
    let noted = connection.query_row(question, (), |row| {
        Ok(Origin {
            inode: row.get(0)?,
            born: row.get(1)?,
        })
    });
    Ok(noted.optional()?)
}

fn note(connection: &Connection, origin: Origin) -> Outcome<()> {
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM origin", ())?;
    let values = (origin.inode, origin.born);
    transaction.execute("INSERT INTO origin (inode, born) VALUES (?1, ?2)", values)?;
    Ok(transaction.commit()?)
}
