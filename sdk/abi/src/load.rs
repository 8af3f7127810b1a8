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
    refusal::{Reason, Refusal},
};

use crate::{manifest::Manifest, root};
use abi_stable::library::AbiHeaderRef;
use libloading::os::unix;
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
};

/// A library file that was looked at, but not run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Where it lies.
    pub file: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the file, in lower-case hexadecimal digits.
    pub sha256: String,
    access: file::Access,
}

impl Candidate {
    /// Reads the file and its manifest. Runs nothing of it.
    pub fn look(path: &Path) -> Result<Self, Refusal> {
        let refuse = |reason| Refusal::new(path, reason);
        let (data, access) = file::read(path).map_err(refuse)?;
        let manifest = object::manifest(&data).map_err(refuse)?;
        let sha256 = Sha256::digest(&data)
            .iter()
            .fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").expect("a String takes whatever is written");
                text
            });
        Ok(Self {
            file: path.to_owned(),
            manifest,
            size: data.len() as u64,
            sha256,
            access,
        })
    }

    /// Whether it may be loaded at all; `sha256` is what the administrator wrote, if so.
    pub fn check(&self, trust: &Trust, sha256: Option<&str>) -> Result<(), Refusal> {
        self.access
            .check(trust)
            .and_then(|()| self.check_manifest())
            .and_then(|()| match sha256 {
                Some(expected) if !expected.trim().eq_ignore_ascii_case(&self.sha256) => {
                    Err(Reason::Sha256 {
                        expected: expected.trim().to_owned(),
                        found: self.sha256.clone(),
                    })
                }
                _ => Ok(()),
            })
            .map_err(|reason| Refusal::new(&self.file, reason))
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
                candidate: self,
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
    /// What was known before.
    pub candidate: Candidate,
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
        .map_err(|error| Reason::Layout(layout::last_mismatch(&error.to_string())))?;
    layout::checked(header)
}
