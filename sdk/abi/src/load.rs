//! From a file to a root module, as the host goes: nothing of a library runs before all that can be known without
//! running it is known.
//!
//! 1. [`Candidate::look`]: is it a regular file, a library for this machine, and what does its manifest say?
//! 2. [`Candidate::check`]: may its file be trusted, does it speak our ABI, do its panics unwind?
//! 3. [`Candidate::load`]: load it and compare the layout of everything that crosses.
//!
//! Each refusal is one sentence with the file, the reason and the remedy: [`Refusal`].

mod file;
mod layout;
mod object;
mod refusal;

pub use self::{
    file::{Trust, running_user},
    refusal::{Mismatch, Reason, Refusal},
};

use crate::{manifest::Manifest, root};
use abi_stable::library::AbiHeaderRef;
use libloading::os::unix;
use sha2::{Digest, Sha256};
use std::{
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

/// A library file that was looked at, but not run.
pub struct Candidate {
    /// Where it lies.
    pub file: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    data: Vec<u8>,
    access: file::Access,
}

impl Candidate {
    /// Reads the file and its manifest. Runs nothing of it.
    pub fn look(path: &Path) -> Result<Self, Refusal> {
        let refuse = |reason| Refusal::new(path, reason);
        let (data, access) = file::read(path).map_err(refuse)?;
        let manifest = object::manifest(&data).map_err(refuse)?;
        Ok(Self {
            file: path.to_owned(),
            manifest,
            data,
            access,
        })
    }

    /// The size of the file in bytes.
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// SHA-256 of the file, in lower-case hexadecimal digits. Reckoned at each call.
    pub fn sha256(&self) -> String {
        let digest = Sha256::digest(&self.data);
        format!("{digest:x}")
    }

    /// Whether it may be loaded at all; `sha256` is what the administrator wrote, if so.
    pub fn check(&self, trust: &Trust, sha256: Option<&str>) -> Result<(), Refusal> {
        self.access
            .check(trust)
            .and_then(|()| self.check_manifest())
            .and_then(|()| sha256.map_or(Ok(()), |expected| self.check_sha256(expected.trim())))
            .map_err(|reason| Refusal::new(&self.file, reason))
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

    fn check_manifest(&self) -> Result<(), Reason> {
        if self.manifest.abi.0 != crate::VERSION.0 {
            return Err(Reason::Abi(self.manifest.abi));
        }
        if !self.manifest.unwinds {
            return Err(Reason::PanicAbort);
        }
        Ok(())
    }

    /// Loads it, for good, and compares layouts. The caller has [checked](Self::check) it.
    pub fn load(self) -> Result<Library, Refusal> {
        match open(&self.file) {
            Ok(root) => Ok(Library {
                root,
                file: self.file,
                manifest: self.manifest,
            }),
            Err(reason) => Err(Refusal::new(&self.file, reason)),
        }
    }
}

/// A library that is loaded, and stays so.
#[derive(Clone)]
pub struct Library {
    /// How to open each kind it offers.
    pub root: root::PluginRoot_Ref,
    /// Where it lies.
    pub file: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
}

fn open(path: &Path) -> Result<root::PluginRoot_Ref, Reason> {
    // A name without a slash would be searched for in the system's folders.
    let path = std::path::absolute(path).map_err(Reason::Unreadable)?;
    // SAFETY: loading runs the library's initialisers. The administrator chose the file, nobody else can have
    // written to it, and it was made by `plugin!`, which adds none.
    let library = unsafe { unix::Library::open(Some(&path), unix::RTLD_NOW | unix::RTLD_LOCAL) };
    // Never unloaded: its code may be on the stack of any thread until the process ends.
    let library = ManuallyDrop::new(library.map_err(|error| Reason::Loader(error.to_string()))?);
    // SAFETY: a library with a manifest of our major version exports a `Header` under this name; its first field is
    // an `AbiHeader`, and a reference to that is what `AbiHeaderRef` is.
    let header = unsafe { library.get::<AbiHeaderRef>(root::SYMBOL.as_bytes()) };
    let header = *header.map_err(|_| Reason::NoRoot)?;
    let header = header
        .upgrade()
        .map_err(|error| Reason::Layout(Mismatch::read(error.to_string())))?;
    layout::checked(header)
}
