//! Root goes on as the host's user.

use super::output::Failure;
use nix::unistd::{Gid, Uid, User, initgroups, setgid, setgroups, setuid};
use std::{
    convert::Infallible,
    env,
    ffi::CString,
    fs, io,
    os::unix::{
        fs::{MetadataExt, fchown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

/// As root, begins this command anew as the owner of the state folder, with all groups of that user, so that what a plugin
/// makes belongs to whom the host runs as. Does nothing for anybody else, or where root owns the folder. Nothing may have
/// been read from stdin or written before.
pub(super) fn become_owner(state: &Path) -> Result<(), Failure> {
    let Ok(folder) = fs::metadata(state) else {
        return Ok(());
    };
    let owner = Uid::from_raw(folder.uid());
    if !Uid::effective().is_root() || owner.is_root() {
        return Ok(());
    }
    let Err(error) = begin_anew(owner, Gid::from_raw(folder.gid()));
    Err(Failure::new(format!(
        "as root this goes on as the owner of {}, user {owner}, which cannot be done: {error}; do it as that user",
        state.display(),
    )))
}

/// As root, gives a private file to the owner of the state folder, who is to read it. Where that folder is not there, nobody
/// knows who that will be. By its handle: who can write the folder of the file may have put another one in its place.
pub(super) fn give_to_owner(file: &fs::File, state: &Path) -> io::Result<()> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    match fs::metadata(state) {
        Ok(folder) => fchown(file, Some(folder.uid()), Some(folder.gid())),
        Err(_) => Ok(()),
    }
}

/// Where the system does not know the user, it has the folder's group and no other.
fn begin_anew(owner: Uid, group: Gid) -> io::Result<Infallible> {
    let program = env::current_exe()?;
    if let Some(user) = User::from_uid(owner)? {
        initgroups(&CString::new(user.name)?, user.gid)?;
        setgid(user.gid)?;
    } else {
        setgroups(&[group])?;
        setgid(group)?;
    }
    setuid(owner)?;
    Err(Command::new(program).args(env::args_os().skip(1)).exec())
}
