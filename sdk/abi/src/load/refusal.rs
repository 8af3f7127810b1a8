use crate::{VERSION_TEXT, manifest::InvalidManifest};
use std::{
    io,
    path::{Path, PathBuf},
};

/// A library is not loaded: the file, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .file.display())]
pub struct Refusal {
    /// The file.
    pub file: PathBuf,
    /// Why not, and what to do.
    pub reason: Reason,
}

impl Refusal {
    pub(super) fn new(file: &Path, reason: Reason) -> Self {
        Self {
            file: file.to_owned(),
            reason,
        }
    }
}

/// Why a library is not loaded; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Nothing can be read there.
    #[error("cannot be read ({0}); check the path and who may read it")]
    Unreadable(io::Error),
    /// A link: whoever can change where it leads decides what runs.
    #[error("is a symbolic link to {}; name that file itself", .0.display())]
    SymbolicLink(PathBuf),
    /// A folder, socket, device…
    #[error("is not a regular file; name the plugin's library")]
    NotAFile,
    /// Larger than any plugin.
    #[error("is larger than {0} MiB, which no plugin is; check the path")]
    TooLarge(u64),
    /// Text, an image, anything.
    #[error("is neither a library nor a program; name the file that the plugin's build made")]
    NotALibrary,
    /// `.a`, `.rlib`.
    #[error(
        "is a static library, which cannot be loaded; build the plugin with `crate-type = [\"cdylib\"]`"
    )]
    Archive,
    /// Another system's format.
    #[error(
        "is a library for another operating system ({0}); install the plugin built for this one"
    )]
    OtherSystem(&'static str),
    /// Another processor.
    #[error(
        "is built for {found} and this machine is {expected}; install the plugin built for {expected}"
    )]
    OtherArchitecture {
        /// What it is for.
        found: String,
        /// What this is.
        expected: &'static str,
    },
    /// Shorter than its own tables say.
    #[error("is cut short or damaged ({0}); copy it again")]
    Damaged(String),
    /// A library of something else.
    #[error(
        "is a library, but not a Convoke plugin: it carries no plugin manifest; check the path"
    )]
    NotAPlugin,
    /// A manifest that cannot be read.
    #[error("{0}; build or copy the plugin again")]
    Manifest(#[from] InvalidManifest),
    /// Another major version.
    #[error(
        "was built for plugin ABI {}.{} and this host speaks {VERSION_TEXT}; install a build of the plugin for ABI {}, or a host for ABI {}",
        .0.0, .0.1, crate::VERSION.0, .0.0
    )]
    Abi((u32, u32)),
    /// A panic in it would end the host.
    #[error(
        "was built with panic = \"abort\", so a fault in it would end the host; build it with panic = \"unwind\""
    )]
    PanicAbort,
    /// Not the file the administrator meant.
    #[error(
        "has the sha256 {found}, not {expected} as configured; install the right file, or correct `sha256`"
    )]
    Sha256 {
        /// As configured.
        expected: String,
        /// As it is.
        found: String,
    },
    /// Only what is signed is run, and it is not.
    #[error(
        "is not signed, and `server.trusted_keys` asks for it: there is no {}; get the signature from the plugin's vendor, or sign the file yourself with `minisign -S`",
        .0.display()
    )]
    Unsigned(PathBuf),
    /// There is a file where the signature should be.
    #[error("has no readable signature: {} is none ({why}); get it from the plugin's vendor again", .file.display())]
    NoSignature {
        /// The signature's file.
        file: PathBuf,
        /// Why it is none.
        why: String,
    },
    /// Signed, but not by anybody whom the administrator trusts.
    #[error(
        "is signed with the key {key_id}, which is not among `server.trusted_keys`; if you trust its owner, add the key"
    )]
    SignedByStranger {
        /// The key's number.
        key_id: String,
    },
    /// The signature is not one of this file.
    #[error(
        "is not what {key} signed: {} does not fit the file; install the file and the signature again, both of one version",
        .file.display()
    )]
    WrongSignature {
        /// The signature's file.
        file: PathBuf,
        /// The key that it names, as the administrator knows it.
        key: String,
    },
    /// The system gives no memory to load it into.
    #[error("cannot be held in memory ({0}); free some memory, or raise the host's limits")]
    NoMemory(io::Error),
    /// Somebody else's file.
    #[error(
        "belongs to user {owner}, who is neither root nor the host's user {user}; `chown` it to one of them"
    )]
    Owner {
        /// The file's.
        owner: u32,
        /// The process's.
        user: u32,
    },
    /// Others could replace what it does.
    #[error("can be written by {who} (mode {mode:04o}); `chmod go-w` it")]
    Writable {
        /// `others` or `its group`.
        who: &'static str,
        /// Its permission bits.
        mode: u32,
    },
    /// The system's loader does not take it.
    #[error("cannot be loaded: {0}; a library that it needs may be missing or too old")]
    Loader(String),
    /// Manifest without a root module.
    #[error(
        "carries a plugin manifest, but does not export `CONVOKE_PLUGIN_ROOT`; build it again without stripping symbols"
    )]
    NoRoot,
    /// A type that crosses differs.
    #[error(
        "does not fit this host's plugin ABI {VERSION_TEXT} ({0}); build it again with a released SDK"
    )]
    Layout(Mismatch),
}

/// A difference between what a library and this host think of a type that crosses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{last}")]
pub struct Mismatch {
    /// The innermost one, in one line.
    pub last: String,
    /// All that `abi_stable` says: for whoever looks for a fault; may be 50,000 characters long.
    pub all: String,
}
