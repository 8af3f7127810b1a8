//! What an authority has issued: whether a listener can show it, and for how long.

use super::{Wanted, schedule};
use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_tls::certificate::{names, validity};
use jiff::Timestamp;
use rcgen::KeyPair;
use rustls::{
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// Certificates of a chain; programs refuse longer ones.
const MOST: usize = 10;

/// A chain that a listener can show.
#[derive(Debug)]
pub(super) struct Issued {
    /// From when until when it is valid.
    pub(super) dates: (i64, i64),
    /// The certificates and nothing else that the authority may have written beside them.
    pub(super) pem: String,
}

/// Whether a listener can show from `now` on what was issued for a key; if not, why.
pub(super) fn examine(
    chain: &str,
    (wanted, key): (&Wanted, &KeyPair),
    now: Timestamp,
) -> Result<Issued, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .take(MOST + 1)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if certificates.len() > MOST {
        return Err(format!("its chain is longer than {MOST} certificates"));
    }
    let first = certificates
        .first()
        .ok_or("there is no certificate in it")?;
    let dates = validity(first).ok_or("the certificate is broken")?;
    let issued = names(first);
    let mut ordered = wanted.acme.names.iter();
    if let Some(missing) = ordered.find(|it| !issued.iter().any(|name| name == it.as_str())) {
        return Err(format!("it is not for {missing}"));
    }
    is_of_now(dates, &wanted.file.to_string_lossy(), now)?;
    let pem = certificates.iter().map(|it| pem(it)).collect();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes());
    let key = key.map_err(|error| error.to_string())?;
    CertifiedKey::from_der(certificates, key, &default_provider())
        .map_err(|error| error.to_string())?;
    Ok(Issued { dates, pem })
}

/// One that would have to be ordered again at once is none: it would be, again and again.
fn is_of_now(dates: (i64, i64), salt: &str, now: Timestamp) -> Result<(), String> {
    let (from, until) = dates;
    if from <= now.as_second() && schedule::renewal(dates, salt) > now {
        return Ok(());
    }
    let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    Err(format!(
        "it is valid from {} until {}, and it is {now:.0} here; is the clock right?",
        at(from),
        at(until)
    ))
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Acme, Challenge};
    use rcgen::CertificateParams;
    use std::path::PathBuf;

    const DAY: i64 = 24 * 3600;
    const NOW: i64 = 1_700_000_000;

    fn wanted() -> Wanted {
        Wanted {
            acme: Acme {
                directory: "https://ca.example/".parse().unwrap(),
                contact: "mailto:anna@example.org".to_owned(),
                names: vec!["cal.example.org".parse().unwrap()],
                challenge: Challenge::TlsAlpn,
            },
            folder: PathBuf::new(),
            file: PathBuf::from("cal.pem"),
        }
    }

    fn issue(key: &KeyPair, (from, until): (i64, i64)) -> String {
        let mut params = CertificateParams::new(["cal.example.org".to_owned()]).unwrap();
        let at = |day: i64| {
            std::time::UNIX_EPOCH
                + std::time::Duration::from_secs(u64::try_from(NOW + day * DAY).unwrap())
        };
        params.not_before = at(from).into();
        params.not_after = at(until).into();
        params.self_signed(key).unwrap().pem()
    }

    #[test]
    fn what_an_authority_issues_can_be_shown_or_is_refused() {
        let (wanted, key) = (wanted(), KeyPair::generate().unwrap());
        let now = Timestamp::from_second(NOW).unwrap();
        let good = issue(&key, (-1, 89));
        let other = issue(&KeyPair::generate().unwrap(), (-1, 89));
        let clock = "is the clock right?";
        for (chain, expected) in [
            (good.clone(), ""),
            // Words beside it would make another file of it than one with a key.
            (format!("Proc-Type: 4,ENCRYPTED\n{good}"), ""),
            (good.repeat(MOST), ""),
            (good.repeat(MOST + 1), "longer than"),
            (String::new(), "no certificate"),
            (other, "key"),
            (issue(&key, (-10, -1)), clock),
            (issue(&key, (900, 990)), clock),
            (issue(&key, (-89, 1)), clock),
        ] {
            match examine(&chain, (&wanted, &key), now) {
                Ok(issued) => {
                    assert!(expected.is_empty(), "{expected}: {chain}");
                    assert!(issued.pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
                    let read = CertificateDer::pem_slice_iter(issued.pem.as_bytes());
                    let first = read.collect::<Result<Vec<_>, _>>().unwrap();
                    let sent = CertificateDer::from_pem_slice(good.as_bytes()).unwrap();
                    assert!(first.iter().all(|it| *it == sent));
                }
                Err(why) => assert!(!expected.is_empty() && why.contains(expected), "{why}"),
            }
        }
    }
}
