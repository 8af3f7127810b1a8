//! The certificates that the configuration names, and when they end.

use crate::config::Config;
use convoke_net::pem;
use convoke_tls::certificate::validity;
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// A certificate that ends within this many seconds should have been renewed.
pub(crate) const SOON: i64 = 14 * 24 * 3600;

/// A certificate that others are shown.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// What it is for: the role of a listener, or `client`.
    pub(crate) of: String,
    /// Its file.
    pub(crate) file: PathBuf,
    /// When it ends; nothing if the file cannot be read.
    pub(crate) until: Option<Timestamp>,
}

impl Certificate {
    fn read(of: &str, file: &Path) -> Self {
        let chain = pem::certificates(file).unwrap_or_default();
        let dates = chain.first().and_then(validity);
        Self {
            of: of.to_owned(),
            file: file.to_owned(),
            until: dates.and_then(|(_, until)| Timestamp::from_second(until).ok()),
        }
    }
}

/// All of them, read anew.
pub(crate) fn of(config: &Config) -> Vec<Certificate> {
    let listeners = config.listeners.iter().filter_map(|listener| {
        let tls = listener.tls.as_ref()?;
        Some(Certificate::read(listener.role.as_str(), &tls.certificate))
    });
    let client = config.client.identity.iter();
    let client = client.map(|(certificate, _)| Certificate::read("client", certificate));
    listeners.chain(client).collect()
}
