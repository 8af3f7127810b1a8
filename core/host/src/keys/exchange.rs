//! Keys that the two administrators exchanged: `private_exchange/<domain>/<selector>` holds a record a line.
//!
//! The file decides, whenever it changes: each message looks at what the file system says of it, and only a file that
//! is not as it was is read again.

use super::{Unavailable, records};
use convoke_ischedule::dkim::KeyRecord;
use convoke_types::Domain;
use moka::future::Cache;
use std::{
    fs::Metadata,
    io::{Error, ErrorKind, Result as IoResult},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A file that changed more recently is read each time: it could change again within one tick of the file system's clock.
const QUIET: Duration = Duration::from_secs(2);
/// Bytes that remembered files may hold together, about.
const MOST_BYTES: u64 = 4 << 20;
/// What a file takes beside its records, about.
const BESIDE: usize = 512;

/// The folder of exchanged keys.
pub(super) struct Exchange {
    folder: PathBuf,
    /// What each file held when it was last read.
    files: Cache<PathBuf, (Stamp, Arc<[KeyRecord]>)>,
}

/// How many bytes of memory a file takes, about.
fn weight(file: &Path, records: &[KeyRecord]) -> u32 {
    let records: usize = records.iter().map(KeyRecord::memory).sum();
    u32::try_from(BESIDE + file.as_os_str().len() + records).unwrap_or(u32::MAX)
}

/// What differs if a file was written, replaced or touched.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(about: &Metadata) -> Self {
        Self {
            file: (about.dev(), about.ino()),
            length: about.len(),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }

    /// Whether the last change lies far enough back for the next one to show.
    fn is_quiet(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(self.changed.0)
            .is_ok_and(|changed| Duration::from_secs(changed) + QUIET < now)
    }
}

impl Exchange {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            files: Cache::builder()
                .max_capacity(MOST_BYTES)
                .weigher(|file: &PathBuf, (_, records): &(Stamp, Arc<[KeyRecord]>)| {
                    weight(file, records)
                })
                .build(),
        }
    }

    /// The records in the folder; empty if it has no file for that key.
    pub(super) async fn find(
        &self,
        domain: &Domain,
        selector: &str,
        now: SystemTime,
    ) -> Result<Arc<[KeyRecord]>, Unavailable> {
        // Neither holds a path: a domain is labels and dots, a selector letters, digits, `-`, `_` and `.`.
        let file = self.folder.join(domain.as_str()).join(selector);
        match self.read(&file, now).await {
            Ok(records) => Ok(records),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(Arc::default())
            }
            Err(error) => {
                // The peer need not know our folders; the administrator must.
                tracing::error!(event = "exchanged-key-unreadable", file = %file.display(), "an exchanged key cannot be read: {error}");
                Err(Unavailable(
                    "an exchanged key cannot be read here".to_owned(),
                ))
            }
        }
    }

    async fn read(&self, file: &Path, now: SystemTime) -> IoResult<Arc<[KeyRecord]>> {
        // A microsecond here, where handing it to another thread would cost twenty.
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(ErrorKind::NotFound.into());
        }
        let stamp = Stamp::of(&about);
        if let Some((known, records)) = self.files.get(file).await
            && known == stamp
        {
            return Ok(records);
        }
        let longest = super::LONGEST_DOCUMENT as u64;
        if about.len() > longest {
            return Err(Error::other(format!("it is longer than {longest} bytes")));
        }
        let text = tokio::fs::read_to_string(file).await?;
        let records: Arc<[_]> = records(&file.display(), text.lines()).into();
        if stamp.is_quiet(now) {
            let read = (stamp, records.clone());
            self.files.insert(file.to_owned(), read).await;
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_ischedule::dkim::{KeyKind, PrivateKey};
    use std::fs;

    fn record() -> String {
        let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
        key.record().to_string()
    }

    #[tokio::test]
    async fn a_file_is_read_again_only_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let exchange = Exchange::new(folder.path().to_owned());
        let domain = Domain::new("example.com").unwrap();
        let file = folder.path().join("example.com/one");
        fs::create_dir(folder.path().join("example.com")).unwrap();
        let later = SystemTime::now() + Duration::from_secs(60);
        let find = async |now| exchange.find(&domain, "one", now).await.unwrap();
        let texts = |found: Arc<[KeyRecord]>| -> Vec<String> {
            found.iter().map(ToString::to_string).collect()
        };

        assert!(find(later).await.is_empty());
        let [first, second, third] = [record(), record(), record()];
        fs::write(&file, &first).unwrap();
        // Just written, so not trusted to stay.
        let now = SystemTime::now();
        assert!(!Arc::ptr_eq(&find(now).await, &find(now).await));
        let known = find(later).await;
        assert!(Arc::ptr_eq(&known, &find(later).await));
        assert_eq!(texts(known), std::slice::from_ref(&first));

        // Of the same length: replaced, then written in place.
        fs::write(folder.path().join("new"), &second).unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert_eq!(texts(find(later).await), std::slice::from_ref(&second));
        fs::write(&file, format!("{third}\n{first}")).unwrap();
        assert_eq!(texts(find(later).await), [third, first]);

        fs::remove_file(&file).unwrap();
        assert!(find(later).await.is_empty());
    }
}
