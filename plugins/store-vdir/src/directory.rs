//! Folders and files by descriptor.
//!
//! Every folder is opened from its parent's descriptor without following symbolic links, so whoever may write in the
//! tree cannot lead Convoke out of it, not even by exchanging a folder while it works.

use crate::outline;
use convoke_sdk::{prelude::*, serde::Serialize};
use rustix::{
    fd::OwnedFd,
    fs::{self, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat},
    io::Errno,
};
use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A file larger than this is no calendar object anybody made on purpose.
pub(crate) const MOST_BYTES: u64 = 16 << 20;

/// How long a lock of another process is waited for by what cannot be done without it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What is written before it is renamed; one a folder is enough, as writers hold the user's lock.
const UNFINISHED: &str = ".convoke.tmp";

/// An open folder.
pub(crate) struct Directory {
    descriptor: OwnedFd,
    /// For messages and for the watch; never opened again.
    path: PathBuf,
}

/// Tells two states of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "convoke_sdk::serde")]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: i128,
    /// Nanoseconds since 1970.
    modified: i128,
    changed: i128,
}

/// One name in a folder.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
    pub(crate) is_file: bool,
}

/// Held until dropped.
pub(crate) struct Lock {
    _file: OwnedFd,
}

impl Directory {
    /// Opens the folder that the administrator named, making it if it is not there.
    pub(crate) fn open_root(path: PathBuf) -> Result<Self> {
        make_private(&path).map_err(|error| io_error("make", &path, &error))?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let descriptor = fs::open(&path, flags, Mode::empty())
            .map_err(|errno| io_error("open", &path, &errno.into()))?;
        Ok(Self { descriptor, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// The folder `name` in this one; `None` if there is none, or something else of that name.
    pub(crate) fn folder(&self, name: &str) -> Result<Option<Self>> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Some(Self {
                descriptor,
                path: self.path.join(name),
            })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(self.io_error("open", name, errno)),
        }
    }

    /// The folder `name` in this one, made with its owner's and group's access to this one if it is not there.
    pub(crate) fn make_folder(&self, name: &str) -> Result<Self> {
        let mode = Mode::from_raw_mode(self.mode()? & 0o770);
        match fs::mkdirat(&self.descriptor, name, mode) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(self.io_error("make", name, errno)),
        }
        self.folder(name)?.ok_or_else(|| {
            let path = self.path.join(name);
            Error::unavailable(format!("{} is in the way of a folder", path.display()))
        })
    }

    /// What is in the folder, but for hidden things and names that are not UTF-8.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let failed = |errno| self.io_error("list", "", errno);
        let mut entries = Vec::new();
        for entry in Dir::read_from(&self.descriptor).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                // Some file systems do not say it in the listing.
                kind = match fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(failed(errno)),
                };
            }
            entries.push(Entry {
                name: name.to_owned(),
                is_folder: kind == FileType::Directory,
                is_file: kind == FileType::RegularFile,
            });
        }
        Ok(entries)
    }

    /// The state of the file `name`; `None` if there is no regular file of that name.
    pub(crate) fn stamp(&self, name: &str) -> Result<Option<Stamp>> {
        match fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Some(Stamp::of(&stat)))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.io_error("look at", name, errno)),
        }
    }

    /// The file's content with its state before it was read; `None` if there is no regular file of that name. A
    /// file of more than [`MOST_BYTES`] is [`Content::Huge`].
    pub(crate) fn read(&self, name: &str) -> Result<Option<(Stamp, Content)>> {
        let file = match self.open_for_reading(name) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(Errno::ACCESS) => {
                let problem = self.io_error("open", name, Errno::ACCESS).to_string();
                let stamp = self.stamp(name)?;
                return Ok(stamp.map(|stamp| (stamp, Content::Forbidden(problem))));
            }
            Err(errno) => return Err(self.io_error("open", name, errno)),
        };
        let stat = fs::fstat(&file).map_err(|errno| self.io_error("look at", name, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let failed = |error| io_error("read", &self.path.join(name), &error);
        let mut bytes = Vec::new();
        (&file)
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let huge = u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES);
        let content = if huge {
            let whole = bytes.as_slice().chain(file);
            Content::Huge(outline::of(whole, MOST_BYTES).map_err(failed)?)
        } else {
            Content::Bytes(bytes)
        };
        Ok(Some((Stamp::of(&stat), content)))
    }

    /// What is called `name`, open for reading; `None` if there is no such thing, or it is a symbolic link.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<File>> {
        self.open_for_reading(name)
            .map_err(|errno| self.io_error("open", name, errno))
    }

    fn open_for_reading(&self, name: &str) -> Result<Option<File>, Errno> {
        // NONBLOCK: a FIFO must not make us wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Some(File::from(descriptor))),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Writes a file beside `name` and syncs it; [`Unfinished::replace`] or [`Unfinished::create`] gives it the name.
    pub(crate) fn prepare(&self, name: &str, bytes: &[u8]) -> Result<Unfinished<'_>> {
        self.prepare_with(name, |file| file.write_all(bytes))
    }

    /// As [`Self::prepare`]; `write` writes what the file shall hold.
    pub(crate) fn prepare_with(
        &self,
        name: &str,
        write: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<Unfinished<'_>> {
        let failed = |errno| self.io_error("write", name, errno);
        match fs::unlinkat(&self.descriptor, UNFINISHED, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = fs::openat(&self.descriptor, UNFINISHED, flags, Mode::RUSR | Mode::WUSR)
            .map_err(failed)?;
        let unfinished = Unfinished {
            folder: self,
            name: name.to_owned(),
        };
        // Owner and group may do with the file what they may do with the folder; nobody else anything.
        let mode = Mode::from_raw_mode(self.mode()? & 0o660);
        fs::fchmod(&descriptor, mode).map_err(failed)?;
        let mut file = File::from(descriptor);
        write(&mut file)
            .and_then(|()| file.sync_all())
            .map_err(|error| io_error("write", &self.path.join(name), &error))?;
        Ok(unfinished)
    }

    /// Removes a file, or does nothing if it is gone; on disk when it returns.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => self.sync(),
            Err(errno) => Err(self.io_error("remove", name, errno)),
        }
    }

    /// Renames a folder or file in this folder if the new name is free; whether it was.
    pub(crate) fn rename_if_free(&self, from: &str, to: &str) -> Result<bool> {
        let here = &self.descriptor;
        let renamed = match fs::renameat_with(here, from, here, to, RenameFlags::NOREPLACE) {
            // Not every file system has it; writers hold the lock, so looking first is nearly as good.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                match fs::statat(here, to, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(Errno::NOENT) => fs::renameat(here, from, here, to),
                    Err(errno) => Err(errno),
                }
            }
            renamed => renamed,
        };
        match renamed {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
            Err(errno) => Err(self.io_error("rename to", to, errno)),
        }
    }

    /// Waits for the lock file `name`, which other processes take too.
    pub(crate) fn lock(&self, name: &str, patience: Duration) -> Result<Lock> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(self.mode()? & 0o660);
        let file = fs::openat(&self.descriptor, name, flags, mode)
            .map_err(|errno| self.io_error("open", name, errno))?;
        let until = Instant::now() + patience;
        let mut pause = Duration::from_micros(100);
        loop {
            match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < until => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(Error::unavailable(format!(
                        "{} is locked by another program for more than {} seconds; end that program or wait",
                        self.path.join(name).display(),
                        patience.as_secs()
                    )));
                }
                Err(errno) => return Err(self.io_error("lock", name, errno)),
            }
        }
    }

    /// Whether `name` in this folder is still the folder `other`.
    pub(crate) fn still_holds(&self, name: &str, other: &Self) -> bool {
        let there = fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW);
        let other = fs::fstat(&other.descriptor);
        matches!((there, other), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }

    /// Returns once the folder's names are on disk.
    pub(crate) fn sync(&self) -> Result<()> {
        fs::fsync(&self.descriptor).map_err(|errno| self.io_error("sync", "", errno))
    }

    fn mode(&self) -> Result<fs::RawMode> {
        let stat = fs::fstat(&self.descriptor);
        Ok(stat
            .map_err(|errno| self.io_error("look at", "", errno))?
            .st_mode)
    }

    fn io_error(&self, verb: &str, name: &str, errno: Errno) -> Error {
        io_error(verb, &self.path.join(name), &errno.into())
    }
}

fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// What a file holds.
pub(crate) enum Content {
    Bytes(Vec<u8>),
    /// Too much of it: the [outline](outline::of).
    Huge(Vec<u8>),
    /// We may not read it, in a sentence.
    Forbidden(String),
}

/// A file that is on disk but has no name yet; removed if it is dropped without one.
pub(crate) struct Unfinished<'a> {
    folder: &'a Directory,
    name: String,
}

impl Unfinished<'_> {
    /// Takes the place of the file of its name.
    pub(crate) fn replace(self) -> Result<()> {
        let here = &self.folder.descriptor;
        fs::renameat(here, UNFINISHED, here, &*self.name)
            .map_err(|errno| self.folder.io_error("write", &self.name, errno))?;
        self.folder.sync()
    }

    /// Takes its name if nothing has it; whether nothing had.
    pub(crate) fn create(self) -> Result<bool> {
        self.folder.rename_if_free(UNFINISHED, &self.name)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // Gone already if it was renamed; else the next writer removes it, too.
        let _ = fs::unlinkat(&self.folder.descriptor, UNFINISHED, AtFlags::empty());
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        let nanoseconds = |seconds: i128, rest: i128| seconds * 1_000_000_000_i128 + rest;
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size.into(),
            modified: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }

    /// How many bytes the file holds.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.size).unwrap_or_default()
    }

    /// Whether another write might leave the same stamp: file times advance with the kernel's tick, so a file
    /// written just before it was read may have been written again since.
    pub(crate) fn is_fresh(&self, read: SystemTime) -> bool {
        let Ok(read) = read.duration_since(UNIX_EPOCH) else {
            return true;
        };
        let read = i128::try_from(read.as_nanos()).unwrap_or(i128::MAX);
        let last = self.modified.max(self.changed);
        let whole_seconds = self.modified % 1_000_000_000 == 0;
        let tick = if whole_seconds {
            2_000_000_000
        } else {
            50_000_000
        };
        last + tick > read
    }
}

/// What an operating system's error means to the administrator.
pub(crate) fn io_error(verb: &str, path: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let path = path.display();
    Error::unavailable(match error.kind() {
        StorageFull | QuotaExceeded => {
            format!("cannot {verb} {path}: no space is left; free some on its disk")
        }
        PermissionDenied | ReadOnlyFilesystem => format!(
            "cannot {verb} {path}: {error}; it must be accessible to the user that runs convoke"
        ),
        _ => format!("cannot {verb} {path}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_by_the_clock_is_known_by_its_stamp() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let second = 1_000_000_000_i128;
        let now_nanos = 1_800_000_000 * second;
        for (modified, changed, fresh, when) in [
            (-second, -second, false, "a second ago"),
            (-2 * second + 1, -second / 100, true, "touched 10 ms ago"),
            (-second / 100, -second / 100, true, "10 ms ago"),
            (
                3600 * second,
                -second,
                true,
                "a time given by hand, ahead of now",
            ),
            (
                3600 * second,
                3600 * second,
                true,
                "before the clock was set back",
            ),
        ] {
            let stamp = Stamp {
                device: 1,
                inode: 2,
                size: 3,
                modified: now_nanos + modified + 1,
                changed: now_nanos + changed + 1,
            };
            assert_eq!(stamp.is_fresh(now), fresh, "{when}");
        }
    }
}
