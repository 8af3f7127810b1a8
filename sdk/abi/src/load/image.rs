//! The bytes of a plugin's file, held where nobody can change them any more.
//!
//! What was checked must be what runs. Loading a library by its path would read the file a second time, and whoever can
//! replace it in between decides what runs; so the bytes that were checked are copied into memory that is then sealed,
//! and the system's loader takes them from there. It has two more virtues: a file that is overwritten in place while
//! its library runs does not take the host down, and a new version beside the old one at the same path is a library of
//! its own (the loader would take a path that it knows for the library it has).

use super::Reason;
use std::path::{Path, PathBuf};

/// A file's bytes, sealed.
pub(super) struct Image {
    #[cfg(target_os = "linux")]
    memory: std::os::fd::OwnedFd,
    /// Where sealed memory is not to be had, the file has to be believed.
    #[cfg(not(target_os = "linux"))]
    file: PathBuf,
}

#[cfg(target_os = "linux")]
const SEALS: rustix::fs::SealFlags = rustix::fs::SealFlags::SEAL
    .union(rustix::fs::SealFlags::SHRINK)
    .union(rustix::fs::SealFlags::GROW)
    .union(rustix::fs::SealFlags::WRITE);

/// How often the kernel is asked to seal; it takes up to 150 ms each time.
#[cfg(target_os = "linux")]
const SEALINGS: usize = 20;

/// Lets nobody write to memory any more. The kernel refuses (EBUSY) where it has its own hands on a page for more than a
/// moment, as when it reclaims or moves memory: that passes.
#[cfg(target_os = "linux")]
fn seal(memory: &std::fs::File) -> rustix::io::Result<()> {
    let seal = || rustix::fs::fcntl_add_seals(memory, SEALS);
    let mut sealed = seal();
    for _ in 1..SEALINGS {
        if sealed != Err(rustix::io::Errno::BUSY) {
            break;
        }
        sealed = seal();
    }
    sealed
}

#[cfg(target_os = "linux")]
impl Image {
    /// Copies `data`, and seals the copy. `file` gives it its name, which debuggers show.
    pub(super) fn new(file: &Path, data: &[u8]) -> Result<Self, Reason> {
        use rustix::fs::{MemfdFlags, memfd_create};
        use std::{fs::File, io::Write};

        let name = file.file_name().unwrap_or_default();
        // The system takes names of up to 249 bytes; a file's may be longer.
        let name = &name.as_encoded_bytes()[..name.len().min(200)];
        let no_memory = |error: std::io::Error| Reason::NoMemory(error);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know that it is to be run, and some are told to let nobody run such memory: a library
        // loads from it all the same.
        let memory = memfd_create(name, flags | MemfdFlags::EXEC)
            .or_else(|_| memfd_create(name, flags))
            .map_err(|error| no_memory(error.into()))?;
        let mut memory = File::from(memory);
        memory.write_all(data).map_err(no_memory)?;
        seal(&memory).map_err(|error| no_memory(error.into()))?;
        Ok(Self {
            memory: memory.into(),
        })
    }

    /// Takes an image that another process made.
    pub(super) fn received(memory: std::os::fd::OwnedFd) -> Result<Self, Reason> {
        let seals = rustix::fs::fcntl_get_seals(&memory);
        if seals.is_ok_and(|seals| seals.contains(SEALS)) {
            Ok(Self { memory })
        } else {
            Err(Reason::NotAFile)
        }
    }

    /// Its bytes.
    pub(super) fn data(&self) -> Result<Vec<u8>, Reason> {
        use std::{fs::File, os::unix::fs::FileExt};

        let file = File::from(self.share().map_err(Reason::Unreadable)?);
        let size = file.metadata().map_err(Reason::Unreadable)?.len();
        let size = usize::try_from(size).map_err(|_| Reason::NotAFile)?;
        let mut data = vec![0; size];
        file.read_exact_at(&mut data, 0)
            .map_err(Reason::Unreadable)?;
        Ok(data)
    }

    /// The memory.
    pub(super) fn into_memory(self) -> std::os::fd::OwnedFd {
        self.memory
    }

    /// The memory, for another process.
    pub(super) fn share(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        self.memory.try_clone()
    }

    /// Where the system's loader finds it, as long as it is not dropped; another path each time. The loader knows a
    /// library by its path, and would take a later image, whose descriptor has the same number, for an earlier one.
    pub(super) fn path(&self) -> PathBuf {
        use std::{
            os::fd::AsRawFd,
            sync::atomic::{AtomicU32, Ordering},
        };
        static LOADED: AtomicU32 = AtomicU32::new(0);
        let number = LOADED.fetch_add(1, Ordering::Relaxed);
        // The number in steps that lead nowhere, a digit each.
        let digit = |place| if number >> place & 1 == 0 { "/" } else { "./" };
        let detour: String = (0..u32::BITS).map(digit).collect();
        format!("/proc/self/{detour}fd/{}", self.memory.as_raw_fd()).into()
    }
}

#[cfg(not(target_os = "linux"))]
impl Image {
    pub(super) fn new(file: &Path, _data: &[u8]) -> Result<Self, Reason> {
        // A name without a slash would be searched for in the system's folders.
        let file = std::path::absolute(file).map_err(Reason::Unreadable)?;
        Ok(Self { file })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.file.clone()
    }
}
