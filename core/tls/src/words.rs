//! What went wrong in a handshake, or with a file of PEM, in an administrator's words.

use rustls::{AlertDescription, CertificateError, Error, pki_types::pem};
use std::{fmt::Display, io};

const DAY: u64 = 24 * 60 * 60;

/// Why a connection over TLS failed, as a part of a sentence about the server, if it is TLS that says so: the error, or what
/// caused it.
pub fn in_words(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Some(of_tls(error));
        }
        // What it holds is not what it names as its source.
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}

/// Why a file of PEM cannot be read, as the end of a sentence.
pub fn pem_in_words(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "there is none in it".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => {
            "it is cut off: a line -----END is missing; copy it anew".to_owned()
        }
        pem::Error::SectionTooLarge => "it is too large".to_owned(),
        _ => "what stands between -----BEGIN and -----END is damaged; copy it anew".to_owned(),
    }
}

fn of_tls(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(problem) => of_certificate(problem),
        Error::NoCertificatesPresented => "it shows no certificate".to_owned(),
        Error::InvalidMessage(_) => {
            "it answers with something that is no TLS; is it the port of TLS?".to_owned()
        }
        Error::PeerIncompatible(_) => {
            "it speaks no TLS that is secure, which is version 1.2 or later".to_owned()
        }
        Error::AlertReceived(alert) => of_alert(*alert),
        other => other.to_string(),
    }
}

fn of_certificate(problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer => {
            "nobody who is trusted here has issued its certificate: not the system's authorities, and none that is listed as `ca`".to_owned()
        }
        CertificateError::ExpiredContext { time, not_after } => format!(
            "its certificate has expired, {} days ago",
            time.as_secs().saturating_sub(not_after.as_secs()) / DAY
        ),
        CertificateError::Expired => "its certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { .. } | CertificateError::NotValidYet => {
            "its certificate is not valid yet; is the clock of this machine right?".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => not_named(&expected.to_str(), presented),
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for servers (extendedKeyUsage)".to_owned()
        }
        CertificateError::Revoked => "its certificate was revoked".to_owned(),
        CertificateError::BadEncoding => "its certificate is broken".to_owned(),
        CertificateError::BadSignature => {
            "the signature on its certificate, or the one that it makes, is wrong".to_owned()
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority, and not of a server".to_owned()
        }
        other => format!("its certificate is not believed ({other})"),
    }
}

fn not_named(expected: &dyn Display, presented: &[String]) -> String {
    let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
    if names.is_empty() {
        return format!("its certificate is for no name, and not for {expected}");
    }
    format!(
        "its certificate is for {}, and not for {expected}",
        names.join(", ")
    )
}

/// `DnsName("cal.example.org")`, as names in certificates are given, without what is around it.
fn bare(name: &str) -> &str {
    let inner = name
        .split_once("(\"")
        .and_then(|(_, it)| it.strip_suffix("\")"));
    inner.unwrap_or(name)
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "it wants a certificate of ours, and was shown none that it takes".to_owned()
        }
        AlertDescription::UnknownCA | AlertDescription::AccessDenied => {
            "it does not trust our certificate, or who issued it".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown => "it refuses our certificate".to_owned(),
        AlertDescription::UnrecognisedName => "it has no host of this name".to_owned(),
        AlertDescription::HandshakeFailure
        | AlertDescription::ProtocolVersion
        | AlertDescription::InsufficientSecurity => {
            "it refuses the connection: no version or cipher of TLS is common to both".to_owned()
        }
        other => format!(
            "it refuses the connection, by alert {} of TLS",
            u8::from(other)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{
        InvalidMessage,
        pki_types::{ServerName, UnixTime},
    };
    use std::time::Duration;

    #[test]
    fn no_name_of_the_library_is_left() {
        let days = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * DAY));
        let certificate = Error::InvalidCertificate;
        for (error, expected) in [
            (
                certificate(CertificateError::UnknownIssuer),
                "nobody who is trusted here has issued it",
            ),
            (
                certificate(CertificateError::ExpiredContext {
                    time: days(110),
                    not_after: days(100),
                }),
                "has expired, 10 days ago",
            ),
            (
                certificate(CertificateError::NotValidForNameContext {
                    expected: ServerName::try_from("cal.example.org").unwrap(),
                    presented: vec![
                        "DnsName(\"a.example.org\")".to_owned(),
                        "IpAddress(::1)".to_owned(),
                    ],
                }),
                "is for a.example.org, IpAddress(::1), and not for cal.example.org",
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidContentType),
                "something that is no TLS",
            ),
            (
                Error::AlertReceived(AlertDescription::CertificateRequired),
                "wants a certificate of ours",
            ),
            (
                Error::AlertReceived(AlertDescription::InternalError),
                "by alert 80 of TLS",
            ),
        ] {
            let said = in_words(&io::Error::other(error)).unwrap();
            let library = ["UnknownIssuer", "ContentType", "DnsName", "Alert"];
            assert!(said.contains(expected), "{said}");
            assert!(!library.iter().any(|it| said.contains(it)), "{said}");
        }
        assert_eq!(in_words(&io::Error::other("x")), None);
        assert_eq!(in_words(&io::Error::from(io::ErrorKind::BrokenPipe)), None);
    }
}
