//! What the kernel takes away from the process of a plugin: more memory and descriptors than it may have,
//! capabilities, files and ports that its entry does not grant, and the system calls that no plugin needs.
//!
//! | what | how | without it |
//! | --- | --- | --- |
//! | memory, descriptors, core dumps | limits of the process | refused |
//! | threads | counted from outside, see `alive`: no limit of a process counts them | |
//! | what a host run by root may do | capabilities are dropped, and no program gives them back | refused |
//! | files, TCP ports, signals | Landlock | said in the log |
//! | sockets, programs, other system calls | a seccomp filter | said in the log |
//!
//! Applied to the only thread there is, before any of the plugin's code runs; all threads inherit it, and none can lift
//! it. A plugin that is a program is run by the process that is confined, so it needs a little more: see [`Exec`].

mod calls;
mod files;

use super::Confinement;
use convoke_sdk::{Error, Result, remote::NotOpened};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};
use std::{ffi::CStr, path::PathBuf};

/// The stack of a thread for calls, in bytes.
pub(super) const STACK: usize = 2 << 20;
/// How far the stack of the first thread may grow, in bytes: whatever the host's may.
const FIRST_STACK: u64 = 8 << 20;
/// How many files, sockets and the like it may have open.
const DESCRIPTORS: u64 = 512;
/// Address space beside its memory: code, stacks' guards, what the C library sets aside and does not use.
const ADDRESSES: u64 = 2 << 30;

/// What a process that is confined runs yet: a program takes its place.
///
/// Landlock lets it run these files alone, and the filter only a path that stands at this very address, which the program
/// that comes cannot know. Should it guess it, it can become one of these files again, confined as it is.
pub(super) struct Exec<'a> {
    /// The path that is run.
    pub(super) path: &'a CStr,
    /// The files that the system runs for it, if they lie in the file system.
    pub(super) files: &'a [PathBuf],
    /// The name of the program that reads it, if it is a script: its settings are under that name in `/etc`.
    pub(super) settings: Option<PathBuf>,
}

/// Confines this process, which is to have so many threads of ours for calls, or to run a program; answers what this
/// kernel cannot take away, in words.
pub(super) fn confine(
    to: &Confinement,
    threads: usize,
    exec: Option<&Exec<'_>>,
) -> Result<Vec<String>, NotOpened> {
    // Their stacks are ours.
    let stacks = threads.saturating_mul(STACK) as u64;
    limits(to.memory.saturating_add(stacks)).map_err(|error| not_confined(&error))?;
    let none = CapabilitySet::empty();
    let nothing = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_no_new_privs(true)
        .and_then(|()| set_capabilities(None, nothing))
        .map_err(|error| not_confined(&error.into()))?;
    let mut lacks = files::confine(to, exec)?;
    let calls = calls::confine(&to.connect, exec);
    lacks.extend(calls.map_err(|error| not_confined(&error))?);
    Ok(lacks)
}

fn not_confined(error: &std::io::Error) -> NotOpened {
    NotOpened {
        error: Error::unavailable(format!("its process cannot be confined: {error}")),
        config_key: None,
    }
}

fn limits(memory: u64) -> std::io::Result<()> {
    for (resource, most) in [
        // What is written to and not shared. Memory that is shared without a file, and such that grows like a stack, is
        // not counted here, so it is taken away (`calls`).
        (Resource::Data, memory),
        (Resource::Stack, FIRST_STACK),
        (Resource::As, memory.saturating_add(ADDRESSES)),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Core, 0),
    ] {
        // A limit that is lower already cannot be raised.
        let most = getrlimit(resource).maximum.map_or(most, |it| it.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}
