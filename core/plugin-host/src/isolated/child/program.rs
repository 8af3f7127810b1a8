//! A plugin that is a program takes the place of this process, which is confined by then.

use super::{Preparation, Prepared, ToHost, confine, refusal, say, unfit};
use crate::program::Run;
use convoke_sdk::remote::Sealed;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    stdio,
};
use std::{
    ffi::{CStr, CString, OsStr},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::{Path, PathBuf},
};

/// All of its environment: each further arena of the C library would take from its memory, and what it writes is UTF-8.
const ENVIRONMENT: [&CStr; 2] = [c"MALLOC_ARENA_MAX=2", c"LANG=C.UTF-8"];

/// Returns only if it cannot be run, which the host is told.
pub(super) fn take_over(
    preparation: &Preparation,
    run: &Run,
    socket: &UnixStream,
    memory: OwnedFd,
) -> io::Result<()> {
    let memory = match Sealed::received(preparation.file.clone(), memory) {
        Ok(sealed) => sealed.into_memory(),
        Err(refusal) => return Prepared::tell(Err(unfit(refusal.to_string())), socket),
    };
    let Call { path, arguments } = Call::new(preparation, run, &memory)?;
    if run.script.is_some() {
        // Who reads it opens it by its number.
        fcntl_setfd(&memory, FdFlags::empty())?;
    }
    stdio::dup2_stdin(socket)?;
    stdio::dup2_stdout(socket)?;
    let exec = confine::Exec {
        path: &path,
        files: &run.run,
        settings: settings(run),
    };
    let confined = confine::confine(&preparation.confinement, 0, Some(&exec));
    let is_confined = confined.is_ok();
    Prepared::tell(confined, socket)?;
    if !is_confined {
        return Ok(());
    }
    let Err(error) = nix::unistd::execve(&path, &arguments, &ENVIRONMENT);
    let file = preparation.file.display();
    let text = format!("{file}: cannot be run ({error}); install it as built for this machine");
    let refused: ToHost = refusal(unfit(text));
    say(socket, &refused)
}

/// What is run, and with which arguments.
struct Call {
    path: CString,
    arguments: Vec<CString>,
}

impl Call {
    fn new(preparation: &Preparation, run: &Run, memory: &OwnedFd) -> io::Result<Self> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::other);
        let bytes = format!("/proc/self/fd/{}", memory.as_raw_fd());
        let bytes = text(OsStr::new(&bytes))?;
        let name = text(OsStr::new(&preparation.name))?;
        let Some(script) = &run.script else {
            let file = text(preparation.file.as_os_str())?;
            return Ok(Self {
                path: bytes,
                arguments: vec![file, name],
            });
        };
        let interpreter = text(script.interpreter.as_os_str())?;
        let argument = script.argument.as_ref();
        let argument = argument.map(|it| text(OsStr::new(it))).transpose()?;
        let arguments = [interpreter.clone()].into_iter().chain(argument);
        Ok(Self {
            path: interpreter,
            arguments: arguments.chain([bytes, name]).collect(),
        })
    }
}

/// Where the program that reads a script has its settings, by custom: `/etc/python3.11`.
fn settings(run: &Run) -> Option<PathBuf> {
    let interpreter = &run.script.as_ref()?.interpreter;
    Some(Path::new("/etc").join(interpreter.file_name()?))
}
