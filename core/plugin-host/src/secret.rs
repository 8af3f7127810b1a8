//! Secrets from files: read in the process of whoever asks, with what that process may read.

use convoke_file_access::{PrivateFileError, read_private_up_to};
use convoke_sdk::{Error, ErrorKind, Result, Secret};
use std::{fmt::Display, io, path::Path};

/// A secret and the end of its line, and one byte by which it is too long.
const MOST: usize = Secret::MAX + 3;

/// What the file holds; a relative path counts from `folder`.
pub(super) fn read(folder: &Path, path: &Path) -> Result<Secret> {
    let path = folder.join(path);
    let named = |text: &dyn Display| format!("{}: {text}", path.display());
    let bytes = read_private_up_to(&path, MOST).map_err(|error| match error {
        // It names the file, and what to do.
        PrivateFileError::Exposed(exposed) => Error::denied(exposed.to_string()),
        PrivateFileError::Io(error) => {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, named(&error))
        }
    })?;
    Secret::new(bytes).map_err(|error| Error::new(error.kind(), named(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_secret_is_read_from_a_private_file_or_a_sentence_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("good", "hunter2\n", 0o600);
        write("longest", &"x".repeat(Secret::MAX), 0o640);
        write("open", "hunter2\n", 0o644);
        write("empty", "\n", 0o600);
        write("long", &"x".repeat(Secret::MAX + 1), 0o600);
        let read = |name: &str| read(folder.path(), Path::new(name));
        assert_eq!(read("good").unwrap().text(), Ok("hunter2"));
        assert!(read("longest").is_ok());
        for (name, kind, says) in [
            ("open", ErrorKind::Denied, "run: chmod o-rwx"),
            ("empty", ErrorKind::Invalid, "empty: it is empty"),
            ("long", ErrorKind::Invalid, "longer than a secret may be"),
            ("missing", ErrorKind::NotFound, "missing: "),
        ] {
            let error = read(name).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), kind, "{text}");
            let path = folder.path().join(name).display().to_string();
            assert!(text.contains(says) && text.contains(&path), "{text}");
        }
    }
}
