//! Why a request to another server came to nothing.

use convoke_tls::TlsError;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A request to another server failed. Each text names the server, for the administrator's log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Our own TLS settings do not work.
    #[error(
        "the TLS settings for outgoing connections do not work: {0}; look at `[client]` in the configuration"
    )]
    Settings(String),
    /// There is nothing to verify servers against.
    #[error(
        "no trust anchors: the system has none and `client.ca` is not set; install ca-certificates or set it"
    )]
    NoTrustAnchors,
    /// The name did not resolve.
    #[error("{server} cannot be resolved: {error}")]
    Resolve {
        /// Host and port.
        server: String,
        /// What the resolver said.
        error: String,
    },
    /// The address is one that a stranger's name may not lead us to.
    #[error(
        "{server} resolves to {address}, which is not a public address; if that is meant, add its network to \
         `client.allow_networks`"
    )]
    Forbidden {
        /// Host and port.
        server: String,
        /// Where it led.
        address: IpAddr,
    },
    /// Nobody listens there.
    #[error("{} does not take connections: {error}", at(server, address))]
    Connect {
        /// Host and port.
        server: String,
        /// Where we tried.
        address: SocketAddr,
        /// What the system said.
        error: String,
    },
    /// The connection was not made in time.
    #[error("{server} did not take a connection within {after:?}")]
    ConnectTimeout {
        /// Host and port.
        server: String,
        /// The time it had.
        after: Duration,
    },
    /// The TLS handshake failed: a wrong certificate, mostly.
    #[error("{server} failed the TLS handshake: {error}")]
    Tls {
        /// Host and port.
        server: String,
        /// What was wrong.
        error: String,
    },
    /// The exchange broke off.
    #[error("the request to {server} broke off: {error}")]
    Broken {
        /// Host and port.
        server: String,
        /// What happened.
        error: String,
    },
    /// The answer did not come in time.
    #[error("{server} did not answer within {after:?}")]
    Timeout {
        /// Host and port.
        server: String,
        /// The time it had.
        after: Duration,
    },
    /// The answer is too long.
    #[error("the answer of {server} is longer than {limit} bytes")]
    TooLong {
        /// Host and port.
        server: String,
        /// The most that is read.
        limit: usize,
    },
    /// The server sends us in circles.
    #[error("{server} redirected more than {limit} times")]
    TooManyRedirects {
        /// Host and port.
        server: String,
        /// The most that are followed.
        limit: usize,
    },
    /// The server sends us where we do not go.
    #[error("{server} redirects to `{to}`, which is not an https URL")]
    BadRedirect {
        /// Host and port.
        server: String,
        /// The `Location` it gave.
        to: String,
    },
}

/// A server by its name and where that led; by its address alone if that is its name.
fn at(server: &str, address: &SocketAddr) -> String {
    if server == address.to_string() {
        server.to_owned()
    } else {
        format!("{server} ({address})")
    }
}

impl From<TlsError> for ClientError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::NoTrustAnchors => Self::NoTrustAnchors,
            _ => Self::Settings(error.to_string()),
        }
    }
}

impl ClientError {
    /// Whether the request certainly was not seen by the server, so that it may be tried elsewhere.
    pub const fn is_before_request(&self) -> bool {
        matches!(
            self,
            Self::Resolve { .. }
                | Self::Forbidden { .. }
                | Self::Connect { .. }
                | Self::ConnectTimeout { .. }
                | Self::Tls { .. }
        )
    }
}
