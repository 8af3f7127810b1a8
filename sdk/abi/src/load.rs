//! From a file to a root module, as the host goes: nothing of a library runs before all that can be known without
//! running it is known.
//!
//! 1. [`PluginFile::read`]: is it a regular file?
//! 2. [`Candidate::of`]: is it a library for this machine, and what does its manifest say?
//! 3. [`Candidate::check`]: may its file be trusted, who signed it, does it speak our ABI, do its panics unwind?
//! 4. [`Candidate::load`]: load it and compare the layout of everything that crosses.
//!
//! The bytes that were looked at are the bytes that are loaded, whatever happens to the file meanwhile. Each refusal is one sentence with the file, the reason and the remedy: [`Refusal`].

mod file;
mod image;
mod layout;
mod object;
mod refusal;
mod signature;

pub use self::{
    file::{PluginFile, Stamp, Trust, running_user},
    refusal::{Mismatch, Reason, Refusal},
    signature::{InvalidKey, Signed, TrustedKey},
};

use crate::{manifest::Manifest, root};
use abi_stable::library::AbiHeaderRef;
use image::Image;
use libloading::os::unix;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A library file that was looked at, but not run.
pub struct Candidate {
    /// Where it lies.
    pub file: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    content: PluginFile,
}

impl Candidate {
    /// Reads the file and its manifest. Runs nothing of it.
    pub fn look(path: &Path) -> Result<Self, Refusal> {
        Self::of(PluginFile::read(path)?)
    }

    /// Reads the manifest of a file. Runs nothing of it.
    pub fn of(content: PluginFile) -> Result<Self, Refusal> {
        match object::manifest(content.data()) {
            Ok(manifest) => Ok(Self {
                file: content.path().to_owned(),
                manifest,
                content,
            }),
            Err(reason) => Err(Refusal::new(content.path(), reason)),
        }
    }

    /// Reads the manifest alone, to find a library by what it says: a few pages, however large the file is. Who uses the
    /// library [looks](Self::look) at it.
    pub fn peek(path: &Path) -> Result<Manifest, Refusal> {
        let refuse = |reason| Refusal::new(path, reason);
        let (file, _) = file::open(path).map_err(refuse)?;
        let pages = ::object::ReadCache::new(file);
        object::manifest(&pages).map_err(refuse)
    }

    /// The file, whatever is in it.
    pub const fn content(&self) -> &PluginFile {
        &self.content
    }

    /// SHA-256 of the file, in lower-case hexadecimal digits. Reckoned at each call.
    pub fn sha256(&self) -> String {
        self.content.sha256()
    }

    /// Whether it may be loaded at all; `sha256` is what the administrator wrote, if so.
    pub fn check(&self, trust: &Trust, sha256: Option<&str>) -> Result<(), Refusal> {
        self.content.check(trust, sha256)?;
        self.check_manifest()
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
    ///
    /// Of the same bytes there is one library in a process, however often they are loaded.
    pub fn load(self) -> Result<Library, Refusal> {
        match self.root() {
            Ok(root) => Ok(Library {
                root,
                file: self.file,
                manifest: self.manifest,
            }),
            Err(reason) => Err(Refusal::new(&self.file, reason)),
        }
    }

    /// Holds its bytes ready for another process to load. The caller has [checked](Self::check) it.
    #[cfg(target_os = "linux")]
    pub fn seal(&self) -> Result<Sealed, Refusal> {
        self.content.seal()
    }

    fn root(&self) -> Result<root::PluginRoot_Ref, Reason> {
        /// What is loaded, by the SHA-256 of its bytes.
        static LOADED: Mutex<BTreeMap<[u8; 32], root::PluginRoot_Ref>> =
            Mutex::new(BTreeMap::new());
        let digest = Sha256::digest(self.content.data()).into();
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = loaded.get(&digest) {
            return Ok(*root);
        }
        let root = open(&Image::new(&self.file, self.content.data())?)?;
        loaded.insert(digest, root);
        Ok(root)
    }
}

/// The bytes of a plugin's file that was checked, for another process to run: nobody can change them.
#[cfg(target_os = "linux")]
pub struct Sealed {
    /// Where the file lay.
    pub file: PathBuf,
    image: Image,
}

#[cfg(target_os = "linux")]
impl Sealed {
    /// The sealed memory, to be handed to another process.
    pub fn share(&self) -> std::io::Result<std::os::fd::OwnedFd> {
        self.image.share()
    }

    /// In that process: takes the memory. `file` stands in messages.
    pub fn received(file: PathBuf, memory: std::os::fd::OwnedFd) -> Result<Self, Refusal> {
        match Image::received(memory) {
            Ok(image) => Ok(Self { file, image }),
            Err(reason) => Err(Refusal::new(&file, reason)),
        }
    }

    /// Loads the library that it is, for good, and compares layouts.
    pub fn load(self) -> Result<Library, Refusal> {
        let loaded = (self.image.data())
            .and_then(|data| object::manifest(data.as_slice()))
            .and_then(|manifest| Ok((open(&self.image)?, manifest)));
        match loaded {
            Ok((root, manifest)) => Ok(Library {
                root,
                file: self.file,
                manifest,
            }),
            Err(reason) => Err(Refusal::new(&self.file, reason)),
        }
    }

    /// The memory itself, for the program that it is.
    pub fn into_memory(self) -> std::os::fd::OwnedFd {
        self.image.into_memory()
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

fn open(image: &Image) -> Result<root::PluginRoot_Ref, Reason> {
    // SAFETY: loading runs the library's initialisers. The administrator chose the file, these are its bytes as they
    // were checked, and it was made by `plugin!`, which adds none.
    let library =
        unsafe { unix::Library::open(Some(image.path()), unix::RTLD_NOW | unix::RTLD_LOCAL) };
    // Never unloaded: its code may be on the stack of any thread until the process ends.
    let library = ManuallyDrop::new(library.map_err(|error| Reason::Loader(error.to_string()))?);
    // SAFETY: a library with a manifest of our major version exports a `Header` under this name; its first field is
    // an `AbiHeader`, and a reference to that is what `AbiHeaderRef` is.
    let header = unsafe { library.get::<AbiHeaderRef>(root::SYMBOL.as_bytes()) };
    let header = *header.map_err(|_| Reason::NoRoot)?;
    let header = header
        .upgrade()
        .map_err(|error| layout::foreign(error.to_string()))?;
    layout::checked(header)
}
