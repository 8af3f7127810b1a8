//! A backup is checked as a whole, and read.
//!
//! Whoever wrote the file may wish us ill: nothing of it becomes a path, a part is no longer than [`Part::longest`] before any of it is
//! read, one is in memory at a time, and what is not as [`file`](super::file) says is refused.

use super::{
    Amount,
    file::{BLOCK, FORMAT, Manifest, Part, Seal, TAIL},
};
use crate::cli::output::Failure;
use convoke_types::{CalendarUser, InboxMessage, StateEntry, Uid};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A backup that is whole and that this version understands.
pub(in crate::cli) struct BackupFile {
    path: PathBuf,
    file: File,
    manifest: Manifest,
    seal: Seal,
}

/// Something in a backup, in the order of the file.
pub(in crate::cli) enum Item {
    /// Entries of the state.
    State(Vec<StateEntry>),
    /// A calendar user of a store, both by their places in the manifest.
    User { store: usize, user: CalendarUser },
    /// An object of the user before.
    Object(Uid, Vec<u8>),
    /// A message that waits for the user before.
    Message(InboxMessage),
}

/// What a later version writes, too.
#[derive(Deserialize)]
struct Version {
    format: u32,
    convoke: String,
}

impl BackupFile {
    /// Opens a backup, and reads all of it to see that it is as it was written.
    pub(in crate::cli) async fn open(path: &Path) -> Result<Self, Failure> {
        let refused = |why: &str| Failure::new(format!("{}: {why}", path.display()));
        let unreadable = |error: io::Error| {
            refused(&format!(
                "the backup cannot be read: {error}; as root this goes on as the owner of `server.state`, who is to read it"
            ))
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(refused(
                "this is no file; name one that `convoke backup` has written",
            ));
        }
        let no_backup =
            || refused("this is no backup; name a file that `convoke backup` has written");
        let manifest = first_part(&mut file).ok_or_else(no_backup)?;
        let version: Version = serde_json::from_slice(&manifest).map_err(|_| no_backup())?;
        if version.format != FORMAT {
            return Err(refused(&format!(
                "the backup is of version {} of the format, and this program reads version {FORMAT}; restore it with Convoke {} or a \
                 later one",
                version.format, version.convoke
            )));
        }
        let changed = || {
            refused(
                "the backup is cut off, or was changed since it was written; nothing was restored",
            )
        };
        let seal = sealed(&mut file, about.len()).map_err(unreadable)?;
        let seal = seal.ok_or_else(changed)?;
        let manifest = serde_json::from_slice(&manifest).map_err(|_| changed())?;
        let backup = Self {
            path: path.to_owned(),
            file,
            manifest,
            seal,
        };
        backup.check().await?;
        Ok(backup)
    }

    pub(in crate::cli) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many objects there are.
    pub(in crate::cli) const fn objects(&self) -> usize {
        self.seal.objects
    }

    /// Reads everything once, so that nothing is restored of what could not be restored whole.
    async fn check(&self) -> Result<(), Failure> {
        let mut amount = Amount::default();
        self.each(async |item| -> Result<(), Failure> {
            match item {
                Item::State(entries) => amount.state += entries.len(),
                Item::User { .. } => amount.users += 1,
                Item::Object(..) => amount.objects += 1,
                Item::Message(_) => amount.inbox += 1,
            }
            Ok(())
        })
        .await?;
        let listed: usize = self.manifest.stores.iter().map(|it| it.users.len()).sum();
        let Seal {
            state,
            users,
            objects,
            inbox,
            ..
        } = self.seal;
        let found = (amount.state, amount.users, amount.objects, amount.inbox);
        if found != (state, users, objects, inbox) || listed != users {
            return Err(self.wrong("it does not hold as much as it says"));
        }
        Ok(())
    }

    /// Calls `each` with everything in the backup.
    pub(in crate::cli) async fn each(
        &self,
        mut each: impl AsyncFnMut(Item) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let failed = |error: io::Error| self.wrong(&error.to_string());
        let mut file = self.file.try_clone().map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 18, file));
        let mut within = Within::default();
        // Raw: names of other programs' making may be as long as they like.
        for entry in archive.entries().map_err(failed)?.raw(true) {
            let mut entry = entry.map_err(failed)?;
            let is_file = entry.header().entry_type().is_file();
            let part = Part::of(&entry.header().path_bytes()).filter(|_| is_file);
            let part = part.ok_or_else(|| self.wrong("it has a part that no backup has"))?;
            if matches!(part, Part::Manifest | Part::Seal) {
                continue;
            }
            let octets = read_part(&mut entry, part).map_err(failed)?;
            let item = within.item(&self.manifest, part, octets);
            if let Some(item) = item.map_err(|why| self.wrong(&why))? {
                each(item).await?;
            }
        }
        if !within.uids.is_empty() {
            return Err(self.wrong("it lists objects that it does not hold"));
        }
        Ok(())
    }

    fn wrong(&self, why: &str) -> Failure {
        Failure::new(format!(
            "{}: the backup is not as `convoke backup` writes one: {why}",
            self.path.display()
        ))
    }
}

/// Whose part of the file it is.
#[derive(Default)]
struct Within {
    /// The users of stores that came, by store.
    users: Vec<usize>,
    is_of_user: bool,
    /// Of the objects that follow.
    uids: VecDeque<Uid>,
}

impl Within {
    /// What a part is; nothing for a list of what follows.
    fn item(
        &mut self,
        manifest: &Manifest,
        part: Part,
        octets: Vec<u8>,
    ) -> Result<Option<Item>, String> {
        if part != Part::Object && !self.uids.is_empty() {
            return Err("it lists objects that it does not hold".to_owned());
        }
        if !self.is_of_user && matches!(part, Part::Uids | Part::Object | Part::Inbox) {
            return Err("it holds objects of nobody".to_owned());
        }
        Ok(match part {
            Part::Manifest | Part::Seal => None,
            Part::State => Some(Item::State(json(&octets)?)),
            Part::User { store, user } => {
                let (store, place) = (store - 1, user - 1);
                let user: CalendarUser = json(&octets)?;
                let inside = manifest.stores.get(store);
                let listed = inside.and_then(|it| it.users.get(place));
                self.users.resize(manifest.stores.len(), 0);
                if listed != Some(&user.address) || self.users[store] != place {
                    return Err("it holds a calendar user whom it does not list".to_owned());
                }
                self.users[store] += 1;
                self.is_of_user = true;
                Some(Item::User { store, user })
            }
            Part::Uids => {
                self.uids = json(&octets)?;
                None
            }
            Part::Object => {
                let uid = self.uids.pop_front();
                let uid = uid.ok_or("it holds an object that it does not list")?;
                Some(Item::Object(uid, octets))
            }
            Part::Inbox => Some(Item::Message(json(&octets)?)),
        })
    }
}

fn json<T: DeserializeOwned>(octets: &[u8]) -> Result<T, String> {
    serde_json::from_slice(octets)
        .map_err(|_| "it has a part that this version cannot read".to_owned())
}

/// The manifest, if the file begins with one.
fn first_part(file: &mut File) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(file);
    let mut entries = archive.entries().ok()?.raw(true);
    let mut entry = entries.next()?.ok()?;
    let part = Part::of(&entry.header().path_bytes())?;
    match part {
        Part::Manifest => read_part(&mut entry, part).ok(),
        _ => None,
    }
}

/// All of a part, if it is not too long.
fn read_part(entry: &mut tar::Entry<'_, impl Read>, part: Part) -> io::Result<Vec<u8>> {
    let (size, longest) = (entry.size(), part.longest());
    if size > longest {
        let text = format!("it has a part of {size} bytes, where {longest} are the most");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut octets = Vec::new();
    entry.read_to_end(&mut octets)?;
    if octets.len() as u64 == size {
        return Ok(octets);
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// The seal of a file of this length, if it has one, and everything before is as it was sealed.
fn sealed(file: &mut File, length: u64) -> io::Result<Option<Seal>> {
    let Some(before) = length.checked_sub(TAIL as u64) else {
        return Ok(None);
    };
    let mut tail = Vec::with_capacity(TAIL);
    file.seek(SeekFrom::Start(before))?;
    file.by_ref().take(TAIL as u64).read_to_end(&mut tail)?;
    let Some(seal) = Seal::read(&tail) else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    file.seek(SeekFrom::Start(0))?;
    let mut rest = file.by_ref().take(before);
    let mut octets = vec![0; 512 * BLOCK];
    loop {
        let read = rest.read(&mut octets)?;
        if read == 0 {
            break;
        }
        hash.update(&octets[..read]);
    }
    Ok((hex::encode(hash.finalize()) == seal.sha256).then_some(seal))
}

#[cfg(test)]
mod tests {
    use super::{
        super::file::{MANIFEST, header},
        *,
    };
    use std::fs;

    /// A sealed file of a manifest and another part.
    fn forged(part: &str, octets: &[u8]) -> Vec<u8> {
        let manifest = format!(
            r#"{{"format":{FORMAT},"convoke":"1","created":"2027-01-04T10:00:00Z","domains":["example.org"],"stores":[]}}"#
        );
        let mut tar = tar::Builder::new(Vec::new());
        for (name, octets) in [(MANIFEST, manifest.as_bytes()), (part, octets)] {
            tar.append(&header(name, octets.len() as u64), octets)
                .unwrap();
        }
        let mut file = tar.into_inner().unwrap();
        // The seal brings the end.
        file.truncate(file.len() - 2 * BLOCK);
        let seal = Seal {
            sha256: hex::encode(Sha256::digest(&file)),
            state: 0,
            users: 0,
            objects: 0,
            inbox: 0,
        };
        file.extend(seal.tail());
        file
    }

    async fn refused(file: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.tar");
        fs::write(&path, file).unwrap();
        let opened = BackupFile::open(&path).await;
        opened.err().unwrap().to_string()
    }

    /// Two octets of a list become dozens in memory.
    #[tokio::test]
    async fn a_part_that_would_take_much_memory_is_refused_unread() {
        let uids = [b"[".as_slice(), &b"\"a\",".repeat(300_000), b"\"a\"]"].concat();
        for part in ["stores/1/1/uids-1.json", "stores/1/1/user.json"] {
            let said = refused(&forged(part, &uids)).await;
            assert!(said.contains("where 1048576 are the most"), "{said}");
        }
        // What is short enough is looked at.
        let said = refused(&forged("stores/1/1/uids-1.json", b"[]")).await;
        assert!(said.contains("objects of nobody"), "{said}");
        let said = refused(&forged("state/1.json", br#"[{"key": 1}]"#)).await;
        assert!(
            said.contains("a part that this version cannot read"),
            "{said}"
        );
        // A header may claim what it likes.
        let mut claims = forged("state/1.json", b"[]");
        let huge = header("state/1.json", 1 << 40);
        claims.splice(2 * BLOCK..3 * BLOCK, huge.as_bytes().iter().copied());
        let tail = claims.split_off(claims.len() - TAIL);
        let mut seal = Seal::read(&tail).unwrap();
        seal.sha256 = hex::encode(Sha256::digest(&claims));
        claims.extend(seal.tail());
        let said = refused(&claims).await;
        assert!(said.contains("a part of 1099511627776 bytes"), "{said}");
    }
}
