//! What the host and its own program say to each other before anything of a plugin runs in that process. It is no part of
//! the process protocol: both are one build.

use super::protocol;
use crate::{Confinement, program::Run};
use convoke_sdk::remote::NotOpened;
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Write},
    path::PathBuf,
};
use tokio::{io::AsyncWriteExt, net::UnixStream};

/// From the host: what to become.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Preparation {
    /// Where the plugin's file lay, for messages: its bytes come as memory.
    pub(super) file: PathBuf,
    /// What the administrator calls this use of it.
    pub(super) name: String,
    /// How it is run, if it is a program.
    pub(super) run: Option<Run>,
    /// What it may do.
    pub(super) confinement: Confinement,
}

/// From the process, once it is confined. From now on what it says is the plugin's.
#[derive(Serialize, Deserialize)]
pub(super) struct Prepared {
    /// What this kernel does not take away from it, in words; or why it cannot be confined.
    confined: Result<Vec<String>, NotOpened>,
}

impl Preparation {
    /// Has the process at the other end prepare itself; answers what this kernel does not take away from it. The outer
    /// error: it ended.
    pub(super) async fn order(
        &self,
        socket: &mut UnixStream,
    ) -> io::Result<Result<Vec<String>, NotOpened>> {
        let frame = protocol::frame(self).map_err(io::Error::other)?;
        socket.write_all(&frame).await?;
        let answer = protocol::next(socket).await?;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(protocol::parse::<Prepared>(&answer)?.confined)
    }

    /// In that process: reads what to become, and nothing of what comes after it; `None` if the host is gone.
    pub(super) fn read(socket: impl io::Read) -> io::Result<Option<Self>> {
        let frame = protocol::next_blocking(socket)?;
        frame.map(|frame| protocol::parse(&frame)).transpose()
    }
}

impl Prepared {
    /// In that process: tells the host.
    pub(super) fn tell(
        confined: Result<Vec<String>, NotOpened>,
        mut socket: impl Write,
    ) -> io::Result<()> {
        let frame = protocol::frame(&Self { confined }).map_err(io::Error::other)?;
        socket.write_all(&frame)
    }
}
