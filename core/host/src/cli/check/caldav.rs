//! Whether calendar programs find the caldav listener from an address alone (RFC 6764).

use super::{Findings, Verdict};
use crate::{
    config::{Config, Listener, Role},
    instance,
};
use convoke_dns::Resolver;
use convoke_net::pem;
use convoke_tls::certificate::names;
use convoke_types::Domain;

const WHAT: &str = "listener caldav: found from";

pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let Some(listener) = config.listener(Role::Caldav) else {
        return;
    };
    // Why it cannot be made is told elsewhere.
    let Ok((dns, _)) = instance::outside(config) else {
        return;
    };
    let names = certified(listener);
    let looks = config.server.domains.iter().map(async |domain| {
        let (verdict, detail) = look_up(&dns, domain, listener, &names).await;
        (format!("{WHAT} {domain}"), verdict, detail)
    });
    for (what, verdict, detail) in futures::future::join_all(looks).await {
        findings.add(verdict, &what, detail);
    }
}

/// The names of the certificate; none without TLS, which something in front has then.
fn certified(listener: &Listener) -> Vec<String> {
    let tls = listener.tls.as_ref();
    let chain = tls.and_then(|tls| pem::certificates(&tls.certificate).ok());
    chain
        .and_then(|it| Some(names(it.first()?)))
        .unwrap_or_default()
}

async fn look_up(
    dns: &Resolver,
    domain: &Domain,
    listener: &Listener,
    certified: &[String],
) -> (Verdict, String) {
    let service = format!("_caldavs._tcp.{domain}");
    let servers = match dns.servers(&service).await {
        Ok(found) => found.records,
        Err(error) => return (Verdict::Warn, error.to_string()),
    };
    let offered = servers.iter().filter(|it| !it.target.is_empty());
    let first = offered.min_by_key(|it| it.priority);
    let wanted = wanted(&service, domain, listener, certified);
    let Some(server) = first else {
        return (
            Verdict::Warn,
            format!(
                "there is no SRV record, so that calendar programs want the server's address; publish: {wanted}"
            ),
        );
    };
    let target = &server.target;
    let shown = format!(
        "SRV {} {} {} {target}",
        server.priority, server.weight, server.port
    );
    let covers = |name: &String| covers(name, target);
    // RFC 6764 §8: what programs hold the certificate against.
    if !certified.is_empty() && !certified.iter().any(covers) {
        return (
            Verdict::Warn,
            format!(
                "{service} {shown}, but the certificate is for {}: programs that follow it refuse it; publish: {wanted}",
                certified.join(", ")
            ),
        );
    }
    (Verdict::Ok, shown)
}

/// The record that is missing.
fn wanted(service: &str, domain: &Domain, listener: &Listener, certified: &[String]) -> String {
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

fn covers(certified: &str, target: &str) -> bool {
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
