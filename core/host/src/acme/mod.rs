//! Certificates that an authority issues by itself (ACME, RFC 8555): `tls.acme` of a listener.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `schedule` | when a certificate is renewed, and when it is tried again |
//! | `progress` | what became of it: what authorities said, and when it is tried next |
//! | `answers` | what authorities are shown that validate names |
//! | `account` | our account with an authority, in the state folder |
//! | `order` | one certificate, from the order to its file |
//! | `issued` | whether a listener can show what was issued |
//! | `http` | requests to an authority |
//!
//! Always true: a certificate, its chain and its key are one file, which is replaced in one step and only by what a listener can
//! show; nobody else can read it; what an authority refuses is told in its own words; nothing here sleeps or reads a clock but
//! by what the library does that waits for an authority, and `serve::certificates`, which calls it.
//!
//! The protocol is that of `instant-acme`; the connections are those of `convoke-net`, so that the trust anchors, the
//! name servers and the timeouts of `[client]` hold for authorities, too.
//!
//! Not done: dns-01 and thus wildcards, external account binding, revocation, renewal information (RFC 9773).

mod account;
mod answers;
mod http;
mod issued;
mod order;
mod progress;
mod schedule;

pub(crate) use answers::PATH;
pub(crate) use order::{Delayed, obtain};
pub(crate) use progress::Progress;

use crate::config::{Acme, Config};
use answers::HttpAnswers;
use convoke_net::{
    http_server::TlsChallenges,
    pem::{self, TlsError},
};
use convoke_tls::certificate::validity;
use jiff::Timestamp;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::Notify;

/// What a host knows of certificates by ACME as long as it runs.
#[derive(Default)]
pub(crate) struct AcmeState {
    /// What is shown to who validates by tls-alpn-01.
    pub(crate) tls: Arc<TlsChallenges>,
    /// What is shown to who validates by http-01.
    pub(crate) http: Arc<HttpAnswers>,
    /// How it goes.
    pub(crate) progress: Progress,
    /// Listeners have been opened, or the configuration is another one.
    pub(crate) look: Notify,
}

impl AcmeState {
    /// The administrator may have mended something.
    pub(crate) fn tries_again(&self) {
        self.progress.again();
        self.look.notify_one();
    }
}

/// A certificate that a configuration wants from an authority.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Where it comes from, and for whom.
    pub(crate) acme: Acme,
    /// The folder of the authority.
    pub(crate) folder: PathBuf,
    /// Where it goes.
    pub(crate) file: PathBuf,
}

impl Wanted {
    /// From when until when the one that is there is valid.
    pub(crate) fn dates(&self) -> Option<(i64, i64)> {
        let (chain, _) = pem::identity(&self.file, &self.file).ok()?;
        validity(chain.first()?)
    }

    /// When it is to be ordered: now, if there is none.
    pub(crate) fn due(&self, progress: &Progress, now: Timestamp) -> Timestamp {
        let file = self.file.to_string_lossy();
        let due = self.dates().map(|dates| schedule::renewal(dates, &file));
        progress.not_before(&self.file).max(due).unwrap_or(now)
    }
}

/// Puts aside what is no certificate with its key, and would keep the host from starting: another one is ordered then.
pub(crate) fn set_aside(config: &Config) {
    for it in wanted(config) {
        let read = it.file.exists().then(|| pem::identity(&it.file, &it.file));
        let Some(Err(error)) = read else {
            continue;
        };
        // Who may read it is the administrator's to mend.
        if matches!(error, TlsError::Exposed(_)) {
            continue;
        }
        let aside = it.file.with_extension("unusable");
        match std::fs::rename(&it.file, &aside) {
            Ok(()) => tracing::error!(
                event = "certificate-set-aside", file = %it.file.display(), aside = %aside.display(),
                "this certificate cannot be used, and another one is ordered: {error}"
            ),
            Err(why) => tracing::error!(
                event = "certificate-set-aside", file = %it.file.display(),
                "this certificate cannot be used, nor put aside ({why}): {error}"
            ),
        }
    }
}

/// All that a configuration wants, each once.
pub(crate) fn wanted(config: &Config) -> Vec<Wanted> {
    let state = &config.server.state;
    let mut wanted: Vec<Wanted> = Vec::new();
    for acme in config.listeners.iter().filter_map(|it| it.acme.as_ref()) {
        let file = acme.file(state);
        if wanted.iter().all(|it| it.file != file) {
            wanted.push(Wanted {
                folder: acme.folder(state),
                acme: acme.clone(),
                file,
            });
        }
    }
    wanted
}
