//! Why a host cannot be started.

use crate::{
    bind_error::BindProblem,
    config::{Config, ConfigError, Naming},
    login::UsersError,
};
use convoke_file_access::PrivateFileError;
use convoke_net::{http_client::ClientError, pem::TlsError};
use convoke_plugin_host::PluginErrors;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The host cannot be started with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Plugins.
    #[error(transparent)]
    Plugins(#[from] PluginErrors),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Users who may hand in messages.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The client for other servers.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The key that messages are signed with.
    #[error("{}: messages cannot be signed with this key: {reason}", file.display())]
    Signing {
        /// The key's file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The password for the mail server.
    #[error("{}: the password for the mail server cannot be read: {error}; see `[mail] password_file`", file.display())]
    MailPassword {
        /// Its file.
        file: PathBuf,
        /// What is wrong.
        error: PrivateFileError,
    },
    /// The state folder.
    #[error("{}: the state folder cannot be used: {error}; see `server.state`", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Somebody else uses the state folder.
    #[error("{}: another convoke {what}; end that one, or give this one a `server.state` of its own", folder.display())]
    StateInUse {
        /// The folder.
        folder: PathBuf,
        /// What the other one does.
        what: &'static str,
    },
    /// A store whose changes are to be told, and are already.
    #[error(
        "[[store]] `{store}`: `schedule = \"auto\"` is refused, as everybody would be told twice: {sentence}"
    )]
    TwoSchedulers {
        /// What the administrator calls the store.
        store: String,
        /// What tells them, and how it is switched off.
        sentence: String,
    },
    /// A listener's address.
    #[error("cannot listen on {address} ({role}): {}", BindProblem { address: *address, error })]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the listener is for.
        role: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A listener's address for mail.
    #[error("cannot listen on {address} (lmtp): {error}")]
    BindMail {
        /// The address, or `unix:` and a path.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody could reach the host.
    #[error("{}: there is no [[listener]]; add one with role, address and, for `receiver`, tls", .0.display())]
    NoListener(PathBuf),
    /// The service manager has opened a socket that nothing would be answered on.
    #[error(
        "the service manager has opened {0}, and no [[listener]] has that address, so that who connects would wait in vain; write the \
         same in `address` and in ListenStream= of the socket unit, then start both anew"
    )]
    InheritedUnused(String),
    /// The service manager passes something that is no listening socket.
    #[error(
        "socket {} of those that the service manager has opened cannot be listened at: {error}; each is to be TCP, or a Unix stream \
         socket with a path, as ListenStream= of a socket unit makes them",
        index + 1
    )]
    InheritedUnusable {
        /// Its place among them, from 0.
        index: usize,
        /// What is wrong.
        error: io::Error,
    },
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
}

impl ServeError {
    /// What is wrong, and where in the configuration at `config` the file is named that is at fault.
    pub(crate) fn located(&self, config: &Path) -> String {
        let place = self.named().and_then(|(file, keys)| {
            let keys = &keys;
            Config::place_of(config, Naming { file, keys })
        });
        match place {
            Some(place) => format!("{place}: {self}"),
            None => self.to_string(),
        }
    }

    /// The file at fault, and the keys that lead to where the configuration names it.
    fn named(&self) -> Option<(&Path, [&'static str; 2])> {
        Some(match self {
            Self::Tls(error) => (error.file(), ["listener", error.key()]),
            Self::Users(error) => (error.file(), ["listener", "users"]),
            Self::Signing { file, .. } => (file, ["signing", "key"]),
            Self::MailPassword { file, .. } => (file, ["mail", "password_file"]),
            _ => return None,
        })
    }
}
