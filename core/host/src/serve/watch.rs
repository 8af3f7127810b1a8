//! Certificates, and files of who may log in, that change on disk: renewals and new passwords need no restart.
//!
//! Every [`EVERY`] the files are looked at, not read. A file counts as changed when it is another file, has another size
//! or another time; links are followed, as certbot's point to the newest. Files that cannot be used (a certificate whose
//! key has not been written yet) leave what they said before in place; they are tried again when they change again.

use crate::config::{Client, Config};
use convoke_net::http_server::TlsFiles;
use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How often the files are looked at.
pub(super) const EVERY: Duration = Duration::from_secs(2);

/// Some files, and how they looked when they were last read.
pub(super) struct Watched {
    files: Vec<PathBuf>,
    seen: Vec<Look>,
}

/// `None`: it is not there.
type Look = Option<(u64, u64, u64, i64, i64)>;

impl Watched {
    /// To be made before the files are read, so that no change goes unseen.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let seen = look_at(&files);
        Self { files, seen }
    }

    /// The files of a listener.
    pub(super) fn listener(tls: Option<&TlsFiles>) -> Self {
        let files = tls.map(|tls| {
            let trusted = tls.client_ca.iter().map(|it| &it.file);
            [&tls.certificate, &tls.key].into_iter().chain(trusted)
        });
        Self::new(files.into_iter().flatten().cloned().collect())
    }

    /// The files for connections to other servers.
    pub(super) fn client(client: &Client) -> Self {
        let identity = client.identity.iter();
        let identity = identity.flat_map(|(certificate, key)| [certificate, key]);
        let trusted = client.ca.iter().map(|it| &it.file);
        Self::new(trusted.chain(identity).cloned().collect())
    }

    /// The files of who may log in.
    pub(super) fn users(config: &Config) -> Self {
        let files = config.listeners.iter().filter_map(|it| it.users.clone());
        Self::new(files.collect())
    }

    /// Whether a file has changed since the last time, or since this was made.
    pub(super) fn changed(&mut self) -> bool {
        let now = look_at(&self.files);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    /// Tells the administrator what became of a change.
    pub(super) fn tell<E: std::fmt::Display>(&self, read: Result<(), E>) {
        let file = self.files.first().map_or(Path::new("-"), PathBuf::as_path);
        match read {
            Ok(()) => {
                tracing::info!(event = "certificates-reloaded", file = %file.display(), "changed certificates reloaded");
            }
            Err(error) => {
                tracing::error!(
                    event = "certificates-rejected",
                    "changed certificates are not used, the previous ones stay in use: {error}"
                );
            }
        }
    }
}

fn look_at(files: &[PathBuf]) -> Vec<Look> {
    let look = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        Some((
            found.dev(),
            found.ino(),
            found.size(),
            found.mtime(),
            found.mtime_nsec(),
        ))
    };
    files.iter().map(look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, other] =
            ["cert.pem", "live.pem", "new.pem"].map(|it| folder.path().join(it));
        fs::write(&file, "1").unwrap();
        fs::write(&other, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut watched = Watched::new(vec![link.clone()]);
        assert!(!watched.changed());
        fs::write(&file, "22").unwrap();
        assert!(watched.changed(), "written in place");
        assert!(!watched.changed());
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert!(watched.changed(), "the link points elsewhere");
        fs::remove_file(&other).unwrap();
        assert!(watched.changed(), "gone");
        assert!(!watched.changed());
    }
}
