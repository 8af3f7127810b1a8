//! Whether the host's user can use what lies in its folders: what root made there, it cannot.

use super::finding::Findings;
use crate::config::Config;
use nix::unistd::{Uid, User};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What the finding is called.
pub(super) const WHAT: &str = "state folder: owner";

/// Files that are looked at, at most.
const MOST: usize = 10_000;

/// Looks through the state folder, and says whom the host runs as.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    let state = &config.server.state;
    let Some(folder) = fs::metadata(state).ok().filter(fs::Metadata::is_dir) else {
        return;
    };
    let owner = folder.uid();
    if Uid::from_raw(owner).is_root() {
        let text = format!(
            "{0} belongs to root, so that the host runs as root, too, or cannot write it; let it run as a user of its own: \
             useradd --system convoke, then chown -R convoke: {0}",
            state.display()
        );
        return findings.warn(WHAT, text);
    }
    // What a file system keeps in its root is none of ours.
    let of_the_disk = state.join("lost+found");
    let mut files = below(state);
    files.retain(|it| *it != of_the_disk);
    let strange = files.into_iter().find_map(|path| {
        let found = fs::symlink_metadata(&path).ok()?.uid();
        (found != owner).then_some((path, found))
    });
    if let Some((path, found)) = strange {
        let text = format!(
            "{file} belongs to {found}, and the folder to {owner}, whom the host runs as: it cannot write it; run: chown -R {owner}: \
             {folder}",
            file = path.display(),
            found = name(found),
            owner = name(owner),
            folder = state.display()
        );
        findings.fail(WHAT, text);
    }
}

/// Whose a path is.
pub(super) fn of(path: &Path) -> Option<String> {
    fs::metadata(path).ok().map(|it| name(it.uid()))
}

/// What a user is called.
fn name(id: u32) -> String {
    let user = User::from_uid(Uid::from_raw(id)).ok().flatten();
    user.map_or_else(|| id.to_string(), |user| user.name)
}

/// Everything in a folder and the folders in it.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if found.len() >= MOST {
                return found;
            }
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                left.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}
