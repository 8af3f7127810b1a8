use super::{Reason, Refusal, Signed, TrustedKey, signature};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The largest file taken.
const MAX: u64 = 1024 * 1024 * 1024;
/// So large an allocation goes back to the system when it is freed (glibc keeps what was smaller in the process, four
/// megabytes for good); what is not used of it takes no memory.
const GIVEN_BACK: usize = 33 << 20;

/// Whose files are run.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The user the host runs as; root is always trusted.
    pub user: u32,
    /// A group that may write, because it may write the host's program too.
    pub group: Option<u32>,
    /// Who must have signed them; empty: nobody.
    pub keys: Vec<TrustedKey>,
}

impl Trust {
    /// Trusts root and the user this process runs as. If the group of the program's own file may write that file
    /// (as a build under umask 002 leaves it), the group may write plugins too: it could do as much without.
    pub fn of_this_process() -> Self {
        let group = std::env::current_exe()
            .and_then(fs::metadata)
            .ok()
            .filter(|program| program.mode() & 0o020 != 0)
            .map(|program| program.gid());
        Self {
            user: running_user(),
            group,
            keys: Vec::new(),
        }
    }

    /// Trusts a file only if one of these keys signed it; none: signatures do not count.
    #[must_use]
    pub fn signed_by(self, keys: Vec<TrustedKey>) -> Self {
        Self { keys, ..self }
    }
}

/// The user this process runs as.
pub fn running_user() -> u32 {
    // POSIX: `geteuid` takes nothing, always succeeds, and `uid_t` is 32 bits wide on every system we build for.
    unsafe extern "C" {
        safe fn geteuid() -> u32;
    }
    geteuid()
}

/// A plugin's file as it was read, whatever is in it.
pub struct PluginFile {
    path: PathBuf,
    data: Vec<u8>,
    access: Access,
    stamp: Stamp,
}

/// Which file lies at a path, and when it was last written: another one after it was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    written: (i64, i64),
}

impl Stamp {
    /// Of what lies at a path now, if anything does.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|it| Self::read(&it))
    }

    fn read(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl PluginFile {
    /// Reads a regular file of 1 GiB at most. Never blocks on something that is no file.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        match read(path) {
            Ok((data, access, stamp)) => Ok(Self {
                path: path.to_owned(),
                data,
                access,
                stamp,
            }),
            Err(reason) => Err(Refusal::new(path, reason)),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which file it was.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What is in it.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Its size in bytes.
    pub const fn size(&self) -> usize {
        self.data.len()
    }

    /// Whether its owner may run it.
    pub const fn is_executable(&self) -> bool {
        self.access.mode & 0o100 != 0
    }

    /// SHA-256 of its bytes, in lower-case hexadecimal digits. Reckoned at each call.
    pub fn sha256(&self) -> String {
        format!("{:x}", Sha256::digest(&self.data))
    }

    /// What the signature beside it is worth, if these keys are trusted. Reckoned at each call.
    pub fn signed(&self, keys: &[TrustedKey]) -> Signed {
        signature::verify(&self.path, &self.data, keys)
    }

    /// Whether it may be run, by its owner, mode, digest (`sha256` is what the administrator wrote, if so) and signature.
    pub fn check(&self, trust: &Trust, sha256: Option<&str>) -> Result<(), Refusal> {
        self.access
            .check(trust)
            .and_then(|()| sha256.map_or(Ok(()), |expected| self.check_sha256(expected.trim())))
            .and_then(|()| self.check_signature(&trust.keys))
            .map_err(|reason| Refusal::new(&self.path, reason))
    }

    fn check_sha256(&self, expected: &str) -> Result<(), Reason> {
        let found = self.sha256();
        if expected.eq_ignore_ascii_case(&found) {
            return Ok(());
        }
        Err(Reason::Sha256 {
            expected: expected.to_owned(),
            found,
        })
    }

    fn check_signature(&self, keys: &[TrustedKey]) -> Result<(), Reason> {
        if keys.is_empty() {
            return Ok(());
        }
        self.signed(keys).check(&self.path)
    }

    /// Holds its bytes ready for another process to run. The caller has [checked](Self::check) it.
    #[cfg(target_os = "linux")]
    pub fn seal(&self) -> Result<super::Sealed, Refusal> {
        match super::Image::new(&self.path, &self.data) {
            Ok(image) => Ok(super::Sealed {
                file: self.path.clone(),
                image,
            }),
            Err(reason) => Err(Refusal::new(&self.path, reason)),
        }
    }
}

/// Who owns a file, and who may write to it.
#[derive(Clone, Copy, Debug)]
struct Access {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Access {
    fn check(self, trust: &Trust) -> Result<(), Reason> {
        let mode = self.mode & 0o7777;
        if self.owner != 0 && self.owner != trust.user {
            return Err(Reason::Owner {
                owner: self.owner,
                user: trust.user,
            });
        }
        if mode & 0o002 != 0 {
            return Err(Reason::Writable {
                who: "others",
                mode,
            });
        }
        if mode & 0o020 != 0 && trust.group != Some(self.group) {
            return Err(Reason::Writable {
                who: "its group",
                mode,
            });
        }
        Ok(())
    }
}

/// The bytes of a regular file, and its access. Never blocks on something that is no file.
fn read(path: &Path) -> Result<(Vec<u8>, Access, Stamp), Reason> {
    let (file, metadata) = open(path)?;
    let size = usize::try_from(metadata.len()).unwrap_or_default();
    let mut data = Vec::with_capacity(size.saturating_add(1).max(GIVEN_BACK));
    file.take(MAX + 1)
        .read_to_end(&mut data)
        .map_err(Reason::Unreadable)?;
    let access = Access {
        owner: metadata.uid(),
        group: metadata.gid(),
        mode: metadata.mode(),
    };
    Ok((data, access, Stamp::read(&metadata)))
}

/// A regular file, opened. Never blocks on something that is no file.
pub(super) fn open(path: &Path) -> Result<(fs::File, Metadata), Reason> {
    let link = fs::symlink_metadata(path).map_err(Reason::Unreadable)?;
    if link.is_symlink() {
        let target = fs::canonicalize(path).map_err(Reason::Unreadable)?;
        return Err(Reason::SymbolicLink(target));
    }
    regular(&link)?;
    let file = fs::File::open(path).map_err(Reason::Unreadable)?;
    // What was opened counts, should it have been replaced since.
    let metadata = file.metadata().map_err(Reason::Unreadable)?;
    regular(&metadata)?;
    Ok((file, metadata))
}

fn regular(metadata: &Metadata) -> Result<(), Reason> {
    if !metadata.is_file() {
        Err(Reason::NotAFile)
    } else if metadata.len() > MAX {
        Err(Reason::TooLarge(MAX / 1024 / 1024))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_hosts_user_may_write() {
        let trust = Trust {
            user: 7,
            group: None,
            keys: Vec::new(),
        };
        let mine = Trust {
            group: Some(5),
            ..trust.clone()
        };
        for (owner, mode, trust, fine) in [
            (0, 0o100_644, &trust, true),
            (7, 0o100_755, &trust, true),
            (8, 0o100_644, &trust, false),
            (0, 0o100_664, &trust, false),
            (0, 0o100_664, &mine, true),
            (0, 0o100_646, &mine, false),
        ] {
            let access = Access {
                owner,
                group: 5,
                mode,
            };
            assert_eq!(access.check(trust).is_ok(), fine, "{owner} {mode:o}");
        }
    }
}
