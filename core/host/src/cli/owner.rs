//! Root goes on as the host's user.

use super::output::Failure;
use std::{
    env, fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::Command,
};

/// The user identifier of root.
const ROOT: u32 = 0;

/// As root, begins this command anew as the owner of the state folder, so that what a plugin makes belongs to whom the host
/// runs as. Does nothing for anybody else, or where root owns the folder. Nothing may have been read or written before.
pub(super) fn become_owner(state: &Path) -> Result<(), Failure> {
    // Whose this process is: whoever it acts as.
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == ROOT);
    let Ok(owner) = fs::metadata(state) else {
        return Ok(());
    };
    if !is_root || owner.uid() == ROOT {
        return Ok(());
    }
    let begun = env::current_exe().map(|program| {
        Command::new(program)
            .args(env::args_os().skip(1))
            .uid(owner.uid())
            .gid(owner.gid())
            .exec()
    });
    let error = begun.unwrap_or_else(|error| error);
    Err(Failure::new(format!(
        "as root this goes on as the owner of {}, user {}, which cannot be done: {error}; do it as that user",
        state.display(),
        owner.uid()
    )))
}
