//! What a certificate says of itself.

use rustls::{
    CertificateError, Error,
    pki_types::{CertificateDer, UnixTime},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The DNS names that a certificate is for.
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(extension)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

/// From when until when it is valid, in seconds since 1970.
pub fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let validity = parsed.validity();
    Some((
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    ))
}

/// Whether it is within its dates.
pub fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let wrong = |problem| Err(Error::InvalidCertificate(problem));
    let Some((from, until)) = validity(certificate) else {
        return wrong(CertificateError::BadEncoding);
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < from {
        return wrong(CertificateError::NotValidYet);
    }
    if until < now {
        return wrong(CertificateError::Expired);
    }
    Ok(())
}

/// Whether it may issue others (RFC 5280 §4.2.1.9): basicConstraints say CA:TRUE, and keyUsage does not say otherwise. A
/// certificate of X.509 version 1 has neither and is none.
pub fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let Ok(Some(constraints)) = parsed.basic_constraints() else {
        return false;
    };
    let may_sign = match parsed.key_usage() {
        Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
        Err(_) => false,
    };
    constraints.value.ca && may_sign
}

/// What the certificate of a host is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// To clients that connect to it.
    Server,
    /// To servers that ask who connects.
    Client,
}

/// Whether it may be shown for that (extKeyUsage, RFC 5280 §4.2.1.12); one that says nothing is for everything.
pub fn is_for(certificate: &CertificateDer<'_>, usage: Usage) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    match parsed.extended_key_usage() {
        Ok(None) => true,
        Ok(Some(extension)) => {
            let usages = extension.value;
            usages.any
                || match usage {
                    Usage::Server => usages.server_auth,
                    Usage::Client => usages.client_auth,
                }
        }
        Err(_) => false,
    }
}

/// Who issued it, as people write it; `None` if it did itself.
pub fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let is_own = parsed.issuer().as_raw() == parsed.subject().as_raw();
    (!is_own).then(|| parsed.issuer().to_string().chars().take(200).collect())
}

/// Whom it is for, as people write it: `CN=Example, O=Example Ltd`.
pub fn subject(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return "unreadable".to_owned();
    };
    match parsed.subject().to_string() {
        subject if subject.is_empty() => format!("serial {}", parsed.raw_serial_as_string()),
        subject => subject.chars().take(200).collect(),
    }
}
