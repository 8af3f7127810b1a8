//! Sockets that the service manager has opened before it started the host (systemd's socket activation, `LISTEN_FDS`).
//!
//! A listener of the configuration uses the one of its address. The service manager keeps them open while the host is started
//! anew, so that who connects meanwhile waits and is not refused. So does this host, as long as it runs. One that no listener has would
//! let people wait for an answer that never comes: such a start, or reload, is refused.

use crate::{
    config::{Config, MailListener},
    instance::ServeError,
};
use listenfd::ListenFd;
use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    path::PathBuf,
};

/// The sockets, by their addresses.
#[derive(Debug, Default)]
pub struct Inherited {
    tcp: Vec<(SocketAddr, TcpListener)>,
    unix: Vec<(PathBuf, UnixListener)>,
}

impl Inherited {
    /// Takes them from the environment, and out of it, so that no other process has them. To be called before there are threads.
    pub fn take() -> Result<Self, ServeError> {
        let mut passed = ListenFd::from_env();
        let mut taken = Self::default();
        for index in 0..passed.len() {
            let unusable = |error| ServeError::InheritedUnusable { index, error };
            taken.add(&mut passed, index).map_err(unusable)?;
        }
        Ok(taken)
    }

    fn add(&mut self, passed: &mut ListenFd, index: usize) -> io::Result<()> {
        if let Ok(Some(socket)) = passed.take_unix_listener(index) {
            let address = socket.local_addr()?;
            let path = address.as_pathname().ok_or(io::ErrorKind::Unsupported)?;
            self.unix.push((path.to_owned(), socket));
        } else if let Some(socket) = passed.take_tcp_listener(index)? {
            self.tcp.push((socket.local_addr()?, socket));
        }
        Ok(())
    }

    /// Whether a listener of the configuration uses each of them.
    pub(super) fn are_used_by(&self, config: &Config) -> Result<(), ServeError> {
        let web = |address| config.listeners.iter().any(|it| it.address == address);
        let mail = |wanted: MailListener| config.mail_listeners.contains(&wanted);
        for (address, _) in &self.tcp {
            if !web(*address) && !mail(MailListener::Tcp(*address)) {
                return Err(ServeError::InheritedUnused(address.to_string()));
            }
        }
        for (path, _) in &self.unix {
            if !mail(MailListener::Unix(path.clone())) {
                let address = format!("unix:{}", path.display());
                return Err(ServeError::InheritedUnused(address));
            }
        }
        Ok(())
    }

    /// The one that listens at an address.
    pub(super) fn tcp(&self, address: SocketAddr) -> io::Result<Option<TcpListener>> {
        let found = self.tcp.iter().find(|(at, _)| *at == address);
        found.map(|(_, socket)| socket.try_clone()).transpose()
    }

    /// The one that listens at a path.
    #[cfg(feature = "mail")]
    pub(super) fn unix(&self, path: &std::path::Path) -> io::Result<Option<UnixListener>> {
        let found = self.unix.iter().find(|(at, _)| at == path);
        found.map(|(_, socket)| socket.try_clone()).transpose()
    }
}
