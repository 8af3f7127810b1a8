//! The folders in which plugins keep what they must remember: `plugins/ENTRY` in the host's own state folder.

use convoke_sdk::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Letters of an entry's name that stay as they are.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The folder of an entry, made for the host's user alone if it is not there yet.
pub(super) fn make(state: &Path, entry: &str) -> Result<PathBuf> {
    let folder = state.join("plugins").join(file_name(entry));
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&folder).map_err(|error| {
        Error::unavailable(format!(
            "{} cannot be made for the plugin's state: {error}; the host's user must be able to write in \
             `server.state`",
            folder.display()
        ))
    })?;
    Ok(folder)
}

/// An entry's name as that of a file, and of no other's.
fn file_name(entry: &str) -> String {
    let name = utf8_percent_encode(entry, KEPT).to_string();
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_name_leads_to_a_folder_below_and_to_no_other_entrys() {
        for (entry, name) in [
            ("store-vdir", "store-vdir"),
            ("a_b.C2", "a_b.C2"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("a/../b c%2F", "a%2F..%2Fb%20c%252F"),
            ("büro", "b%C3%BCro"),
        ] {
            assert_eq!(file_name(entry), name);
        }
    }

    #[test]
    fn a_folder_is_for_the_hosts_user_alone() {
        let state = tempfile::tempdir().unwrap();
        let folder = make(state.path(), "one").unwrap();
        assert_eq!(make(state.path(), "one").as_ref(), Ok(&folder));
        for made in [&folder, &state.path().join("plugins")] {
            let mode = made.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o700, "{}", made.display());
        }
        let error = make(&folder.join("no\0folder"), "one").unwrap_err();
        assert!(error.message().contains("server.state"), "{error}");
    }
}
