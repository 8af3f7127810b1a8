//! Certificates that the administrator listed: in `client_ca` of a listener, in `ca` of `[client]`.
//!
//! What a listed certificate may do follows from what it is:
//!
//! - An authority (basicConstraints with CA:TRUE) issues: what it signed is believed by the ordinary rules.
//! - Any other is that very certificate, believed byte for byte, within its dates. It issues nothing.
//!
//! A self-signed certificate often calls itself an authority, which the ordinary rules refuse for a peer: that one, too,
//! is believed byte for byte where it is shown itself. An entry with `domains` is believed for these domains alone,
//! whatever the certificates say.
//!
//! Not done: a path length that an authority states for itself is not looked at, nor is revocation.

use crate::{
    pem::{TlsError, certificates},
    registrable::speaks_for,
};
use convoke_tls::{
    Believed,
    certificate::{Usage, check_dates, is_authority, is_for, names, subject, validity},
};
use convoke_types::Domain;
use rustls::{
    Error, RootCertStore,
    pki_types::{CertificateDer, UnixTime},
};
use std::path::PathBuf;

/// A file of certificates that are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedFile {
    /// PEM.
    pub file: PathBuf,
    /// The domains that they are believed for; empty: those in the certificates.
    pub domains: Vec<Domain>,
}

/// The certificates of one file, and how far they are believed.
#[derive(Clone, Debug)]
pub struct TrustedCertificates {
    /// The file.
    pub file: PathBuf,
    /// What is in it.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The domains that they are believed for; empty: those in the certificates.
    pub domains: Vec<Domain>,
}

impl TrustedCertificates {
    /// Reads a file.
    pub fn read(listed: &TrustedFile) -> Result<Self, TlsError> {
        Ok(Self {
            certificates: certificates(&listed.file)?,
            file: listed.file.clone(),
            domains: listed.domains.clone(),
        })
    }

    /// Reads several files.
    pub fn read_all(listed: &[TrustedFile]) -> Result<Vec<Self>, TlsError> {
        listed.iter().map(Self::read).collect()
    }

    /// Whether they are believed for some domains only.
    pub fn is_bound(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Whether `certificate` is one of them.
    pub fn lists(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.iter().any(|one| one == certificate)
    }

    /// Those that issue.
    pub fn authorities(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.certificates.iter().filter(|one| is_authority(one))
    }

    /// Adds the authorities that are within their dates to `roots`.
    pub fn add_to(&self, roots: &mut RootCertStore) -> Result<(), Error> {
        for authority in self.authorities() {
            if self.is_in_date(authority) {
                roots.add(authority.clone())?;
            }
        }
        Ok(())
    }

    /// What is believed of servers by them; authorities that are out of date are logged.
    pub fn believed(&self) -> impl Iterator<Item = Believed> {
        self.certificates.iter().map(|certificate| Believed {
            certificate: certificate.clone(),
            issues: is_authority(certificate) && self.is_in_date(certificate),
            domains: self.domains.clone(),
        })
    }

    /// Whether an authority is within its dates; logs it if not.
    fn is_in_date(&self, authority: &CertificateDer<'_>) -> bool {
        let is_in_date = check_dates(authority, UnixTime::now()).is_ok();
        if !is_in_date {
            tracing::warn!(
                event = "authority-out-of-date",
                file = %self.file.display(),
                "the authority `{}` is not within its dates and vouches for nobody",
                subject(authority)
            );
        }
        is_in_date
    }

    /// Whether they are believed for a name of that domain.
    pub fn reach(&self, domain: &Domain) -> bool {
        !self.is_bound() || self.domains.iter().any(|bound| domain.is_within(bound))
    }

    /// What is left of speaking for `domain`: itself, or those of our domains that lie below it.
    pub fn narrow(&self, domain: Domain) -> Vec<Domain> {
        if self.reach(&domain) {
            return vec![domain];
        }
        let below = self.domains.iter().filter(|it| speaks_for(&domain, it));
        below.cloned().collect()
    }

    /// What the administrator should know of each certificate as one that clients show.
    pub fn remarks(&self, now: i64) -> Vec<Remark> {
        let remark = |certificate| self.remark(certificate, now);
        self.certificates.iter().map(remark).collect()
    }

    fn remark(&self, certificate: &CertificateDer<'_>, now: i64) -> Remark {
        let (file, who) = (self.file.display(), subject(certificate));
        let dates = validity(certificate);
        if dates.is_none_or(|(from, until)| now < from || until < now) {
            let text =
                format!("{file}: `{who}` is not within its dates and proves nothing; replace it");
            return Remark {
                // By `add_to`.
                already_reported: is_authority(certificate),
                ..Remark::odd(text)
            };
        }
        let bound = listing(&self.domains);
        if is_authority(certificate) {
            return if self.is_bound() {
                Remark::fine(format!("{file}: the authority `{who}` vouches for {bound}"))
            } else {
                Remark::odd(format!(
                    "{file}: the authority `{who}` vouches for every domain; write {{ file = {:?}, domains = [\"…\"] }} to bind it to its own",
                    self.file.display().to_string()
                ))
            };
        }
        let speaks: Vec<Domain> = proven_names(certificate)
            .into_iter()
            .flat_map(|name| self.narrow(name))
            .collect();
        if speaks.is_empty() {
            return Remark::odd(format!(
                "{file}: the certificate `{who}` names no domain that it could speak for"
            ));
        }
        let speaks = listing(&speaks);
        let text = format!("{file}: the certificate `{who}` itself speaks for {speaks}");
        if is_for(certificate, Usage::Client) {
            return Remark::fine(text);
        }
        Remark::odd(format!(
            "{text}; it is for servers alone (its extendedKeyUsage lacks clientAuth), which is overlooked as it is listed itself, but \
             after its renewal the new one must be listed; a signature (DKIM) outlasts that"
        ))
    }
}

/// Something that the administrator should know of a listed certificate.
pub struct Remark {
    /// Whether it is worth a warning.
    pub odd: bool,
    /// In one sentence.
    pub text: String,
    /// Whether it is logged where the certificate is put to use.
    pub already_reported: bool,
}

impl Remark {
    const fn odd(text: String) -> Self {
        Self {
            odd: true,
            text,
            already_reported: false,
        }
    }

    const fn fine(text: String) -> Self {
        Self {
            odd: false,
            text,
            already_reported: false,
        }
    }
}

/// Remarks shown of one file; a system's bundle of authorities has hundreds.
const MOST_REMARKS: usize = 10;

/// What the administrator should know of the files of a `client_ca`: each thing once.
pub fn remarks(entries: &[TrustedCertificates], now: i64) -> Vec<Remark> {
    let mut all: Vec<Remark> = Vec::new();
    for entry in entries {
        let remarks = entry.remarks(now);
        let more = remarks.len().saturating_sub(MOST_REMARKS);
        for remark in remarks.into_iter().take(MOST_REMARKS) {
            if !all.iter().any(|told| told.text == remark.text) {
                all.push(remark);
            }
        }
        if more > 0 {
            let file = entry.file.display();
            all.push(Remark::odd(format!(
                "{file}: {more} more certificates; list those of your partners alone"
            )));
        }
    }
    all
}

fn listing(domains: &[Domain]) -> String {
    let names: Vec<&str> = domains.iter().map(Domain::as_str).collect();
    names.join(", ")
}

/// The domains that a certificate speaks for: its DNS names. Wildcards, addresses, URIs, the common name and public
/// suffixes prove nothing.
pub fn proven_names(certificate: &CertificateDer<'_>) -> Vec<Domain> {
    let names = names(certificate).into_iter();
    let mut domains: Vec<Domain> = names
        .filter_map(|name| Domain::new(&name).ok())
        .filter(|domain| speaks_for(domain, domain))
        .collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}
