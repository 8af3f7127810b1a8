//! Whether calendar programs find the caldav listener from an address alone (RFC 6764).

use super::{
    Findings, Verdict,
    found::{certified, covers, elsewhere, wanted},
};
use crate::{
    config::{Config, Listener, Role},
    instance,
    probe::shown,
};
use convoke_dns::Resolver;
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
    let shown = shown(server);
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
    (
        Verdict::Ok,
        format!("{shown}{}", elsewhere(listener, server.port)),
    )
}
