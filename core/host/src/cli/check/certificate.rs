//! Whether others can believe the certificate that we show.

use super::finding::{Findings, Verdict};
use crate::{
    certificates::{SOON, is_near_end},
    config::{Acme, Config, Naming},
};
use convoke_net::{pem, trusted_certificates::TrustedCertificates};
use convoke_tls::{
    Believed,
    certificate::{Usage, is_for, issuer, names, validity},
    leads_to_an_anchor, system_anchors,
};
use convoke_types::Domain;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::path::Path;

/// Looks at the certificate of a listener; whether it can be read at all.
pub(super) fn look(
    config: &Config,
    file: &Path,
    acme: Option<&Acme>,
    what: &str,
    findings: &mut Findings,
) -> bool {
    let what = format!("{what}: certificate");
    let naming = Naming {
        file,
        keys: &["listener", "certificate"],
    };
    let chain = match pem::certificates(file) {
        Ok(chain) => chain,
        Err(error) => {
            findings.fail_at(config, naming, &what, &error);
            return false;
        }
    };
    let Some((first, dates)) = (chain.first()).and_then(|it| Some((it, validity(it)?))) else {
        findings.fail_at(
            config,
            naming,
            &what,
            &format!("{}: the certificate is broken", file.display()),
        );
        return false;
    };
    let (verdict, detail) =
        dated(file, dates, acme).unwrap_or_else(|| named(config, file, first, dates));
    findings.add(verdict, &what, detail);
    if !is_for(first, Usage::Server) {
        let text = format!(
            "{}: it is for clients alone (extendedKeyUsage), and whoever connects refuses it; get one for servers",
            file.display()
        );
        findings.warn(&what, text);
    }
    if let Some(text) = broken_chain(config, file, &chain) {
        findings.warn(&what, text);
    }
    true
}

/// What is wrong with its dates.
fn dated(file: &Path, (from, until): (i64, i64), acme: Option<&Acme>) -> Option<(Verdict, String)> {
    let (file, now) = (file.display(), Timestamp::now().as_second());
    if now < from {
        let text = format!(
            "{file} is not valid before {}; is the clock of this machine right ({})?",
            day(from),
            day(now)
        );
        Some((Verdict::Fail, text))
    } else if until < now {
        let text = format!("{file} has expired on {}; {}", day(until), remedy(acme));
        Some((Verdict::Fail, text))
    } else if acme.map_or(until < now + SOON, |_| is_near_end((from, until), now)) {
        let text = format!("{file} expires on {}; {}", day(until), remedy(acme));
        Some((Verdict::Warn, text))
    } else {
        None
    }
}

/// What to do about it.
const fn remedy(acme: Option<&Acme>) -> &'static str {
    match acme {
        None => "renew it",
        Some(_) => {
            "a host that runs renews it by itself, and says in its log why that failed (certificate-not-issued)"
        }
    }
}

/// Whom it is for.
fn named(
    config: &Config,
    file: &Path,
    certificate: &CertificateDer<'_>,
    (_, until): (i64, i64),
) -> (Verdict, String) {
    let file = file.display();
    let names = names(certificate);
    let shown = names.join(", ");
    if names.is_empty() {
        let text = format!(
            "{file} is for no DNS name (subjectAltName), and nobody looks at another; make one with the host's name"
        );
        return (Verdict::Warn, text);
    }
    if !names
        .iter()
        .any(|name| is_ours(name, &config.server.domains))
    {
        let ours = config.server.domains.iter().map(Domain::as_str);
        let ours = ours.collect::<Vec<_>>().join(", ");
        let text = format!("{file} is for {shown}, none of which lies in {ours}");
        return (Verdict::Warn, text);
    }
    let by = match issuer(certificate) {
        Some(_) => "",
        None => "; it is self-signed, so only whom you give it believes it",
    };
    let text = format!("{file} is for {shown}, until {}{by}", day(until));
    (Verdict::Ok, text)
}

/// Why those who do not know who issued it do not believe it.
fn broken_chain(config: &Config, file: &Path, chain: &[CertificateDer<'_>]) -> Option<String> {
    let issuer = issuer(chain.first()?)?;
    let believed = TrustedCertificates::read_all(&config.client.ca).unwrap_or_default();
    let believed = believed.iter().flat_map(TrustedCertificates::believed);
    let everywhere = |believed: Believed| Believed {
        domains: Vec::new(),
        ..believed
    };
    let (anchors, _) = system_anchors();
    let leads = leads_to_an_anchor(chain, anchors, believed.map(everywhere).collect());
    if leads.unwrap_or(true) {
        return None;
    }
    let file = file.display();
    Some(if chain.len() == 1 {
        format!(
            "{file}: `{issuer}` issued it, whose certificate is neither in the file nor known to this machine, so that others refuse \
             it; if it is an intermediate authority, put its certificate behind this one (fullchain.pem, not cert.pem)"
        )
    } else {
        format!(
            "{file}: `{issuer}` issued it, and the chain in the file leads to no authority that this machine believes; only whom you \
             give that authority believes it"
        )
    })
}

fn is_ours(name: &str, domains: &[Domain]) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    Domain::new(name).is_ok_and(|name| domains.iter().any(|domain| name.is_within(domain)))
}

fn day(second: i64) -> String {
    let instant = Timestamp::from_second(second);
    instant.map_or_else(|_| "?".to_owned(), |it| it.strftime("%Y-%m-%d").to_string())
}
