//! Whom a resolver asks, and what it asks of DNSSEC.

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::dnssec::TrustAnchors,
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// For one try of one server.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A "no" is believed no longer, so that a record that was just made is soon seen.
pub(crate) const LONGEST_NO: Duration = Duration::from_secs(60);
/// Nothing is believed longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Answers that are kept.
const ANSWERS: u64 = 4096;

/// How a resolver behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who is asked, by address and port; the system's name servers if there are none.
    pub servers: Vec<SocketAddr>,
    /// What is asked of DNSSEC.
    pub dnssec: Dnssec,
    /// A file of DNSKEY records that validation begins from; the root's if it is not named.
    pub trust_anchor: Option<PathBuf>,
}

/// What is asked of DNSSEC (RFC 4035 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dnssec {
    /// Nothing is validated here.
    #[default]
    Off,
    /// Forged answers are refused, unsigned ones taken.
    Prefer,
    /// Unsigned answers are refused, too.
    Require,
}

/// A resolver cannot work with its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The system names no servers that can be used.
    #[error("the system's name servers cannot be used: {0}")]
    System(String),
    /// The servers that were named cannot be used.
    #[error("the name servers cannot be used: {0}")]
    Servers(String),
    /// There are no keys to begin from.
    #[error(
        "{}: no trust anchor can be read: {reason}; expected DNSKEY records, as in a zone file",
        file.display()
    )]
    TrustAnchor {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The settings with all files read: makes a resolver as often as one is needed.
pub(crate) struct Template {
    servers: Vec<SocketAddr>,
    pub(crate) dnssec: Dnssec,
    anchors: Option<Arc<TrustAnchors>>,
}

impl Template {
    pub(crate) fn new(settings: &Settings) -> Result<Self, OpenError> {
        let read = |file: &PathBuf| {
            let anchors = TrustAnchors::from_file(file);
            let wrong = |reason: String| OpenError::TrustAnchor {
                file: file.clone(),
                reason,
            };
            anchors
                .map(Arc::new)
                .map_err(|error| wrong(error.to_string()))
        };
        Ok(Self {
            servers: settings.servers.clone(),
            dnssec: settings.dnssec,
            anchors: settings.trust_anchor.as_ref().map(read).transpose()?,
        })
    }

    /// One that asks these servers and wants nothing of DNSSEC.
    pub(crate) fn of_servers(servers: &[SocketAddr]) -> Self {
        Self {
            servers: servers.to_vec(),
            dnssec: Dnssec::Off,
            anchors: None,
        }
    }

    pub(crate) fn resolver(&self) -> Result<TokioResolver, OpenError> {
        let mut builder = if self.servers.is_empty() {
            Resolver::builder_tokio().map_err(|error| OpenError::System(error.to_string()))?
        } else {
            let servers = self.servers.iter().copied().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        if let Some(anchors) = &self.anchors
            && self.dnssec != Dnssec::Off
        {
            builder = builder.with_trust_anchor(anchors.clone());
        }
        let options = builder.options_mut();
        options.validate = self.dnssec != Dnssec::Off;
        options.timeout = TIMEOUT;
        options.attempts = 2;
        options.cache_size = ANSWERS;
        options.positive_max_ttl = Some(LONGEST);
        options.negative_max_ttl = Some(LONGEST_NO);
        // A server that fails may answer by TCP, and another may know.
        options.try_tcp_on_error = true;
        builder
            .build()
            .map_err(|error| OpenError::Servers(error.to_string()))
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    // A "no such name" of one server is an answer, not a reason to ask the next.
    NameServerConfig::new(address.ip(), true, connections.into())
}
