//! Certificates that the administrator listed one by one.
//!
//! A self-signed certificate often calls itself an authority, which the ordinary rules refuse for a peer, and a
//! certificate that an authority signed is no trust anchor by them. Who lists a certificate means that very one: it is
//! believed byte for byte, within its dates.

use rustls::{
    CertificateError, Error,
    pki_types::{CertificateDer, UnixTime},
};

/// Whether `certificate` is one of `listed`.
pub(crate) fn is_listed(certificate: &CertificateDer<'_>, listed: &[CertificateDer<'_>]) -> bool {
    listed.iter().any(|one| one == certificate)
}

/// Whether a certificate is within its dates.
pub(crate) fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let wrong = |problem| Err(Error::InvalidCertificate(problem));
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return wrong(CertificateError::BadEncoding);
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return wrong(CertificateError::NotValidYet);
    }
    if parsed.validity().not_after.timestamp() < now {
        return wrong(CertificateError::Expired);
    }
    Ok(())
}
