//! Whether the host's user can use the places that plugins are told to keep data in. They are looked at, and nothing is opened.

use super::{finding::Findings, owners};
use crate::config::{Config, Naming};
use convoke_plugin_host::Preflight;
use rustix::fs::{Access, access};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

/// Looks at the places of a plugin that is not opened.
pub(super) fn look(config: &Config, plugin: &Preflight, findings: &mut Findings) {
    let what = format!("{} {}", plugin.kind, plugin.name);
    let state = &config.server.state;
    for path in &plugin.paths {
        let is_in_state = path.starts_with(state);
        // What is wrong there is told with the state folder, which `serve` makes if it is not there.
        if is_in_state && findings.have_failed_at(owners::WHAT) {
            continue;
        }
        if path.parent() == Some(state) && !state.exists() {
            continue;
        }
        if let Some(problem) = unusable(path, state) {
            let naming = Naming {
                file: path,
                keys: &[plugin.kind.as_str(), "config"],
            };
            findings.fail_at(config, naming, &what, &problem);
        }
    }
}

/// What keeps us from reading and writing there.
fn unusable(path: &Path, state: &Path) -> Option<String> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(_) => belonging(path).into_iter().find_map(|it| {
            let error = closed(&it)?;
            Some(format!(
                "{} cannot be read and written by whom this runs as: {error}{}; see `ls -l`",
                it.display(),
                owner(&it, state)
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent()?;
            if !folder.is_dir() {
                let folder = folder.display();
                return Some(format!(
                    "the folder of {shown} does not exist; make it, owned by the user that runs convoke: install -d -m 700 -o convoke \
                     {folder}"
                ));
            }
            let error = closed(folder)?;
            Some(format!(
                "{shown} is not there, and cannot be made: {}: {error}{}",
                folder.display(),
                owner(folder, state)
            ))
        }
        Err(error) => Some(format!("{shown} cannot be looked at: {error}")),
    }
}

/// The path, and files beside it that belong to it, as databases have them: `calendars.db-wal`.
fn belonging(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    let name = path.file_name().and_then(OsStr::to_str);
    if let (Some(folder), Some(name)) = (path.parent(), name)
        && path.is_file()
    {
        let beside = ["wal", "shm", "journal"].map(|end| folder.join(format!("{name}-{end}")));
        all.extend(beside.into_iter().filter(|it| it.exists()));
    }
    all
}

/// What the system says to who would read and write a file, or in a folder.
fn closed(path: &Path) -> Option<io::Error> {
    let mut wanted = Access::READ_OK | Access::WRITE_OK;
    if path.is_dir() {
        wanted |= Access::EXEC_OK;
    }
    access(path, wanted).err().map(Into::into)
}

/// Whose a path is, if it is not of whom the host runs as, and what gives it to that user.
fn owner(path: &Path, state: &Path) -> String {
    match (owners::of(path), owners::of(state)) {
        (Some(found), Some(host)) if found != host => format!(
            "; it belongs to {found}, and the host runs as {host}: chown {host}: {}",
            path.display()
        ),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_there_or_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        let said = |name: &str| unusable(&at(name), folder.path());
        assert_eq!(said("file"), None);
        assert_eq!(said("new"), None);
        assert_eq!(said("."), None);
        let none = said("none/calendars.db").unwrap();
        assert!(none.contains("does not exist; make it"), "{none}");
        let below = said("file/calendars.db").unwrap();
        assert!(below.contains("cannot be looked at"), "{below}");
    }
}
