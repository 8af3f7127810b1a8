//! Whether others find our receiver (spec §3), and whether we find them.

use super::finding::Findings;
use crate::{
    config::{Config, Listener, Role},
    instance,
    probe::shown,
};
use convoke_dns::{Resolver, in_order, path};
use convoke_net::pem;
use convoke_sdk::remote::Kind;
use convoke_tls::certificate::names;
use convoke_types::Domain;

/// The paths that a receiver answers at.
const PATHS: [&str; 2] = ["/.well-known/ischedule", "/ischedule"];

/// Looks our receiver up in the DNS, as strangers do, and says whether strangers are looked up.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    others(config, findings);
    let Some(listener) = config.listener(Role::Receiver) else {
        return;
    };
    // Why it cannot be made is told elsewhere.
    let Ok((dns, _)) = instance::outside(config) else {
        return;
    };
    let certified = certified(listener);
    let looks = config.server.domains.iter().map(async |domain| {
        let found = look_up(&dns, domain, listener, &certified).await;
        (format!("listener receiver: found from {domain}"), found)
    });
    for (what, found) in futures::future::join_all(looks).await {
        match found {
            Ok(shown) => findings.ok(&what, shown),
            Err(problem) => findings.warn(&what, problem),
        }
    }
}

/// Whether the receivers of others are looked for.
fn others(config: &Config, findings: &mut Findings) {
    let is_mailed = cfg!(feature = "mail") && has_mail(config);
    if !is_mailed && !config.plugins.iter().any(|it| it.kind == Kind::Discovery) {
        let text = "no [[discovery]] and no [mail]: nobody elsewhere is found, so that only our own people can be invited; add \
                    `plugin = \"discovery-dns\"`, or discovery-static with your partners";
        findings.warn("discovery", text);
    }
}

#[cfg(feature = "mail")]
const fn has_mail(config: &Config) -> bool {
    config.mail.is_some()
}
#[cfg(not(feature = "mail"))]
const fn has_mail(_: &Config) -> bool {
    false
}

/// What a record that is right cannot say of a listener whose certificate cannot be read.
fn unseen(listener: &Listener, certified: &[String]) -> &'static str {
    if listener.tls.is_some() && certified.is_empty() {
        "; whether the certificate is for that name cannot be said, as it cannot be read"
    } else {
        ""
    }
}

/// Where the record leads to, if we do not listen at that port.
pub(super) fn elsewhere(listener: &Listener, port: u16) -> String {
    match listener.address.port() {
        0 => String::new(),
        ours if ours == port => String::new(),
        ours => format!("; we listen at {ours}, so that {port} has to be forwarded there"),
    }
}

/// The names of the certificate, or of the one that is to be issued; none without TLS, which something in front has then.
pub(super) fn certified(listener: &Listener) -> Vec<String> {
    let tls = listener.tls.as_ref();
    let chain = tls.and_then(|tls| pem::certificates(&tls.certificate).ok());
    let issued = chain.and_then(|it| Some(names(it.first()?)));
    let ordered = || {
        let acme = listener.acme.as_ref()?;
        Some(acme.names.iter().map(ToString::to_string).collect())
    };
    issued.or_else(ordered).unwrap_or_default()
}

/// What others find, or what keeps them from it.
async fn look_up(
    dns: &Resolver,
    domain: &Domain,
    listener: &Listener,
    certified: &[String],
) -> Result<String, String> {
    let service = format!("_ischedules._tcp.{domain}");
    let wanted = || wanted(&service, domain, listener, certified);
    let servers = dns.servers(&service).await;
    let servers = servers.map_err(|error| error.to_string())?.records;
    if servers.is_empty() {
        return Err(format!(
            "there is no SRV record, so that only partners who wrote our URL down find us; publish: {}",
            wanted()
        ));
    }
    let servers = in_order(servers);
    let Some(first) = servers.first() else {
        return Err(format!(
            "{service} says that there is no service (target \".\"); publish: {}",
            wanted()
        ));
    };
    let shown = shown(first);
    if !certified.is_empty() && !certified.iter().any(|name| covers(name, &first.target)) {
        return Err(format!(
            "{service} {shown}, but the certificate is for {}: peers that follow it refuse it; publish: {}",
            certified.join(", "),
            wanted()
        ));
    }
    if let Err(error) = dns.addresses(&first.target).await {
        return Err(format!(
            "{service} {shown}, which has no address: {error}; publish an A or AAAA record for {}",
            first.target
        ));
    }
    let remarks = [
        unseen(listener, certified).to_owned(),
        elsewhere(listener, first.port),
    ];
    let remarks = remarks.concat();
    let texts = dns.texts(&service).await.map(|it| it.records);
    let texts = texts.unwrap_or_default();
    let mut pairs = texts.iter().flat_map(|text| &text.0);
    let path = pairs.find_map(|pair| path(std::str::from_utf8(pair).ok()?));
    match path {
        Some(path) if !PATHS.contains(&path) && listener.tls.is_some() => Err(format!(
            "{service} TXT path={path}, where this host answers nothing; take the record out, or write path={}",
            PATHS[0]
        )),
        Some(path) => Ok(format!("{shown}, path={path}{remarks}")),
        None => Ok(format!("{shown}{remarks}")),
    }
}

/// The record that is missing.
pub(super) fn wanted(
    service: &str,
    domain: &Domain,
    listener: &Listener,
    certified: &[String],
) -> String {
    let mut names = certified
        .iter()
        .filter(|it| !it.contains('*') && it.parse::<Domain>().is_ok());
    let target = names
        .next()
        .cloned()
        .unwrap_or_else(|| format!("cal.{domain}"));
    let port = match listener.address.port() {
        0 => 443,
        port => port,
    };
    format!("{service}. 3600 IN SRV 0 1 {port} {target}.")
}

/// Whether a name in a certificate is that of a host (RFC 6125 §6.4.3).
pub(in crate::cli) fn covers(certified: &str, target: &str) -> bool {
    let certified = certified.to_ascii_lowercase();
    match certified.strip_prefix("*.") {
        Some(above) => target.split_once('.').is_some_and(|(_, it)| it == above),
        None => certified == *target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_covers_its_names_and_what_is_one_label_below() {
        for (name, target, expected) in [
            ("CAL.example.org", "cal.example.org", true),
            ("*.example.org", "cal.example.org", true),
            ("*.example.org", "a.cal.example.org", false),
            ("*.example.org", "example.org", false),
            ("example.org", "cal.example.org", false),
        ] {
            assert_eq!(covers(name, target), expected, "{name} {target}");
        }
    }
}
