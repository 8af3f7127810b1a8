//! The file is written: beside its name, and moved there once it is whole and on disk.

use super::{
    Amount,
    file::{BLOCK, LONGEST, MANIFEST, Manifest, Part, Seal, header},
};
use crate::cli::output::Failure;
use convoke_types::{CalendarUser, InboxMessage, StateEntry, Uid};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A backup that is being written. Nothing is left of one that is dropped.
pub(super) struct Writer {
    to: PathBuf,
    replaces: bool,
    tar: tar::Builder<Sealing<BufWriter<NamedTempFile>>>,
    amount: Amount,
    /// How much there is of the state's pages, and of the user that is being written: lists of UIDs, objects, messages.
    pages: usize,
    place: Place,
}

/// Whose files are being written.
#[derive(Default)]
struct Place {
    store: usize,
    user: usize,
    lists: usize,
    objects: usize,
    inbox: usize,
}

/// A file that was written.
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) amount: Amount,
}

impl Writer {
    /// Begins a file. One that is there already is left alone unless it is to be replaced.
    pub(super) fn create(to: &Path, replaces: bool) -> Result<Self, Failure> {
        spare_devices(to)?;
        if !replaces && fs::symlink_metadata(to).is_ok() {
            return Err(exists(to));
        }
        let name = to.file_name().filter(|_| !to.is_dir()).ok_or_else(|| {
            Failure::usage(format!(
                "{}: this names no file; write the name of one, such as backup.tar",
                to.display()
            ))
        })?;
        // Its mode is 0600 from the beginning.
        let temporary = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .tempfile_in(folder_of(to))
            .map_err(|error| unwritable(to, &error))?;
        let sealing = Sealing {
            inner: BufWriter::with_capacity(1 << 18, temporary),
            hash: Sha256::new(),
            bytes: 0,
        };
        Ok(Self {
            to: to.to_owned(),
            replaces,
            tar: tar::Builder::new(sealing),
            amount: Amount::default(),
            pages: 0,
            place: Place::default(),
        })
    }

    pub(super) fn manifest(&mut self, manifest: &Manifest) -> Result<(), Failure> {
        self.json(MANIFEST, manifest)
    }

    pub(super) fn state(&mut self, entries: &[StateEntry]) -> Result<(), Failure> {
        if entries.is_empty() {
            return Ok(());
        }
        self.pages += 1;
        self.amount.state += entries.len();
        self.json(&format!("state/{}.json", self.pages), &entries)
    }

    /// A calendar user of a store, both by their places in the manifest.
    pub(super) fn user(
        &mut self,
        store: usize,
        place: usize,
        user: &CalendarUser,
    ) -> Result<(), Failure> {
        self.place = Place {
            store: store + 1,
            user: place + 1,
            ..Place::default()
        };
        self.amount.users += 1;
        self.json(&self.name("user.json"), user)
    }

    /// Some objects of the user that was written last.
    pub(super) fn objects(&mut self, objects: &[(Uid, Vec<u8>)]) -> Result<(), Failure> {
        if objects.is_empty() {
            return Ok(());
        }
        let uids: Vec<&Uid> = objects.iter().map(|(uid, _)| uid).collect();
        self.place.lists += 1;
        self.json(
            &self.name(&format!("uids-{}.json", self.place.lists)),
            &uids,
        )?;
        for (_, data) in objects {
            self.place.objects += 1;
            self.amount.objects += 1;
            self.part(&self.name(&format!("{}.ics", self.place.objects)), data)?;
        }
        Ok(())
    }

    /// A message that waits for the user that was written last.
    pub(super) fn inbox(&mut self, message: &InboxMessage) -> Result<(), Failure> {
        self.place.inbox += 1;
        self.amount.inbox += 1;
        self.json(
            &self.name(&format!("inbox-{}.json", self.place.inbox)),
            message,
        )
    }

    fn name(&self, file: &str) -> String {
        format!("stores/{}/{}/{file}", self.place.store, self.place.user)
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_vec(value);
        let text = text.map_err(|error| unwritable(&self.to, &error.into()))?;
        self.part(name, &text)
    }

    fn part(&mut self, name: &str, octets: &[u8]) -> Result<(), Failure> {
        let size = octets.len() as u64;
        let longest = Part::of(name.as_bytes()).map_or(LONGEST, Part::longest);
        if size > longest {
            return Err(Failure::new(format!(
                "{}: {name} would have {size} bytes, and such a part of a backup has {longest} at most",
                self.to.display()
            )));
        }
        let written = self.tar.append(&header(name, size), octets);
        written.map_err(|error| unwritable(&self.to, &error))
    }

    /// Seals the file and moves it to its name; `give` hands it to whoever is to have it.
    pub(super) fn finish(
        self,
        give: impl FnOnce(&fs::File) -> io::Result<()>,
    ) -> Result<Written, Failure> {
        let Self {
            to,
            mut tar,
            amount,
            replaces,
            ..
        } = self;
        let failed = |error: io::Error| unwritable(&to, &error);
        let sealing = tar.get_mut();
        let seal = Seal {
            sha256: hex::encode(std::mem::take(&mut sealing.hash).finalize()),
            state: amount.state,
            users: amount.users,
            objects: amount.objects,
            inbox: amount.inbox,
        };
        let tail = seal.tail();
        // The empty blocks at the end are the builder's.
        let own = &tail[..tail.len() - 2 * BLOCK];
        sealing.write_all(own).map_err(failed)?;
        let sealing = tar.into_inner().map_err(failed)?;
        let bytes = sealing.bytes;
        let temporary = sealing.inner.into_inner();
        let temporary = temporary.map_err(|error| failed(error.into_error()))?;
        give(temporary.as_file()).map_err(failed)?;
        temporary.as_file().sync_all().map_err(failed)?;
        if replaces {
            spare_devices(&to)?;
            temporary.persist(&to).map_err(|it| failed(it.error))?;
        } else if let Err(error) = temporary.persist_noclobber(&to) {
            return Err(match error.error.kind() {
                io::ErrorKind::AlreadyExists => exists(&to),
                _ => failed(error.error),
            });
        }
        let folder = fs::File::open(folder_of(&to));
        folder.and_then(|it| it.sync_all()).map_err(failed)?;
        Ok(Written { bytes, amount })
    }
}

fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A device, a pipe or a socket, or a link to one, would be gone if a file took its place.
fn spare_devices(to: &Path) -> Result<(), Failure> {
    match fs::metadata(to) {
        Ok(there) if !there.is_file() && !there.is_dir() => Err(Failure::new(format!(
            "{}: this is a device, a pipe or a socket, which no backup replaces; name a file",
            to.display()
        ))),
        _ => Ok(()),
    }
}

fn exists(to: &Path) -> Failure {
    Failure::new(format!(
        "{}: there is a file already; name another one, or --force overwrites it",
        to.display()
    ))
}

fn unwritable(to: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; where no host runs, root goes on as the owner of `server.state`, who must be allowed to write there"
        }
        _ => "",
    };
    Failure::new(format!(
        "{}: the backup cannot be written: {error}{remedy}",
        to.display()
    ))
}

/// Knows the digest of all that was written.
struct Sealing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(octets)?;
        self.hash.update(&octets[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    #[test]
    fn what_is_no_file_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        symlink(&socket, &link).unwrap();
        for (to, replaces) in [(&socket, true), (&socket, false), (&link, true)] {
            let failure = Writer::create(to, replaces).err().unwrap().to_string();
            assert!(
                failure.contains("a device, a pipe or a socket"),
                "{failure}"
            );
        }
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(Writer::create(&file, true).is_ok());
        assert!(Writer::create(&file, false).is_err());
    }
}
