//! The certificates that the configuration names, and when they end.

use crate::{
    acme,
    config::{Acme, Config},
};
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
    /// Who puts it there, if that is not the administrator.
    pub(crate) acme: Option<Acme>,
    /// Whether it should have been renewed.
    pub(crate) is_near_end: bool,
}

impl Certificate {
    fn read(of: &str, file: &Path, acme: Option<&Acme>, now: i64) -> Self {
        let chain = pem::certificates(file).unwrap_or_default();
        let dates = chain.first().and_then(validity);
        Self {
            of: of.to_owned(),
            file: file.to_owned(),
            until: dates.and_then(|(_, until)| Timestamp::from_second(until).ok()),
            is_near_end: dates.is_some_and(|dates| match acme {
                // Renewed by itself, also where it lives for days only.
                Some(_) => acme::is_near_end(dates, now),
                None => dates.1 < now + SOON,
            }),
            acme: acme.cloned(),
        }
    }
}

/// All of them, read anew.
pub(crate) fn of(config: &Config) -> Vec<Certificate> {
    let now = Timestamp::now().as_second();
    let listeners = config.listeners.iter().filter_map(|listener| {
        let tls = listener.tls.as_ref()?;
        Some(Certificate::read(
            listener.role.as_str(),
            &tls.certificate,
            listener.acme.as_ref(),
            now,
        ))
    });
    let client = config.client.identity.iter();
    let client = client.map(|(certificate, _)| Certificate::read("client", certificate, None, now));
    listeners.chain(client).collect()
}
