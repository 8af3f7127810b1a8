//! What the host keeps in its state folder for the command line beside it, and who uses the folder.

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const TOKEN: &str = "token";
const LISTENERS: &str = "listeners.json";
const LOCK: &str = "lock";
const HOST_ID: &str = "host-id";

/// Where a running host listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerNote {
    /// `receiver`, `submission`, `lmtp` or `admin`.
    pub role: String,
    /// With the port that the system chose, if the configuration says 0.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// The control socket of the host whose state folder this is, which only the host's user can open.
pub(crate) fn control_socket(state: &Path) -> PathBuf {
    state.join("control")
}

/// Who uses a state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A running host, alone.
    Host,
    /// Commands, side by side, while no host runs.
    Command,
}

/// A state folder that is in use. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    _file: fs::File,
}

impl Lock {
    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Takes a state folder into use; makes it if it is not there. `None`: somebody uses it who goes before.
pub(crate) fn lock(state: &Path, by: Use) -> io::Result<Option<Lock>> {
    make_state(state)?;
    let mut options = fs::OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(state.join(LOCK))?;
    let how = match by {
        Use::Host => FlockOperation::NonBlockingLockExclusive,
        Use::Command => FlockOperation::NonBlockingLockShared,
    };
    match flock(&file, how) {
        Ok(()) => Ok(Some(Lock {
            folder: state.to_owned(),
            _file: file,
        })),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes a state folder into use for a command, until this process ends; whether nobody was before.
pub(crate) fn hold(state: &Path) -> io::Result<bool> {
    static HELD: Mutex<Vec<Lock>> = Mutex::new(Vec::new());
    let Some(lock) = lock(state, Use::Command)? else {
        return Ok(false);
    };
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.push(lock);
    Ok(true)
}

/// Makes the state folder, for the host's user only.
pub(crate) fn make_state(state: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
}

/// The token that lets in whoever can read the state folder, made if it is not there yet.
pub(crate) fn make_token(state: &Path) -> io::Result<String> {
    match token(state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        known => return known,
    }
    let token = format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    );
    write_file(&state.join(TOKEN), format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// The name of the host whose state folder this is among those that share a state, made if it is not there yet.
pub(crate) fn host_id(state: &Path) -> io::Result<String> {
    let file = state.join(HOST_ID);
    match fs::read_to_string(&file) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    write_file(&file, format!("{id}\n").as_bytes())?;
    Ok(id)
}

/// The token of the host whose state folder this is.
pub fn token(state: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(state.join(TOKEN))?.trim().to_owned())
}

pub(crate) fn note_listeners(state: &Path, notes: &[ListenerNote]) -> io::Result<()> {
    write_file(&state.join(LISTENERS), &serde_json::to_vec_pretty(notes)?)
}

pub(crate) fn forget_listeners(state: &Path) {
    // If it stays, the command line finds nobody there and says so.
    let _ = fs::remove_file(state.join(LISTENERS));
}

/// Where the host whose state folder this is listens; empty if it does not run.
pub fn listener_notes(state: &Path) -> Vec<ListenerNote> {
    let bytes = fs::read(state.join(LISTENERS)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Writes a file of the state folder, whole or not at all, readable for the host's user only.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_uses_a_folder_alone_and_commands_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let lock = |by| lock(&state, by).unwrap();
        let host = lock(Use::Host).unwrap();
        assert_eq!(host.folder(), state);
        assert!(lock(Use::Host).is_none() && lock(Use::Command).is_none());
        drop(host);
        let commands = [lock(Use::Command), lock(Use::Command)];
        assert!(commands.iter().all(Option::is_some));
        assert!(lock(Use::Host).is_none());
        drop(commands);
        assert!(lock(Use::Host).is_some());
    }
}
