//! The certificates that the configuration names, and when they end.

use crate::config::{Acme, Config};
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
    #[cfg(feature = "acme")]
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
                Some(_) => is_near_end(dates, now),
                None => dates.1 < now + SOON,
            }),
            #[cfg(feature = "acme")]
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

/// Whether a certificate that is renewed by itself should have been renewed for so long that somebody has to look: in the last
/// sixth of its life.
pub(crate) fn is_near_end((from, until): (i64, i64), now: i64) -> bool {
    let left = i128::from(until) - i128::from(now);
    left * 6 < i128::from(until) - i128::from(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    #[test]
    fn the_end_is_near_in_the_last_sixth() {
        for (now, near) in [
            (0, false),
            (60, false),
            (74, false),
            (76, true),
            (90, true),
            (100, true),
        ] {
            assert_eq!(is_near_end((0, DAY * 90), now * DAY), near, "day {now}");
        }
        for dates in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (5, 5)] {
            let _ = is_near_end(dates, 0);
        }
    }
}
