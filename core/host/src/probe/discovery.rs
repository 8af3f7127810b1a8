//! What DNS says of a domain, name by name (spec §3).

use super::{Notes, Verdict};
use convoke_dns::{Resolver, Server, domains_to_ask, in_order, path};
use convoke_ischedule::WELL_KNOWN;
use convoke_sdk::{Receiver, ReceiverUrl};
use convoke_types::Domain;

const STEP: &str = "discovery";
const SECTION: &str = "§3";

/// The receivers that a sender would find.
pub(super) async fn find(dns: &Resolver, domain: &Domain, notes: &mut Notes) -> Vec<Receiver> {
    let mut note = |verdict, text: String| notes.add(STEP, verdict, SECTION, text);
    for name in domains_to_ask(domain) {
        let service = format!("_ischedules._tcp.{name}");
        let servers = match dns.servers(&service).await {
            Ok(found) => found.records,
            Err(error) => {
                note(Verdict::Fail, error.to_string());
                return Vec::new();
            }
        };
        if servers.is_empty() {
            note(Verdict::Info, format!("{service} has no SRV record"));
            continue;
        }
        for server in &servers {
            note(Verdict::Info, format!("{service} {}", shown(server)));
        }
        let path = match dns.texts(&service).await {
            Ok(found) => {
                let mut pairs = found.records.iter().flat_map(|text| &text.0);
                let path = pairs.find_map(|pair| path(std::str::from_utf8(pair).ok()?));
                path.map(str::to_owned)
            }
            Err(error) => {
                note(Verdict::Fail, error.to_string());
                return Vec::new();
            }
        };
        if let Some(path) = &path {
            note(Verdict::Info, format!("{service} TXT path={path}"));
        }
        let servers = in_order(servers);
        if servers.is_empty() {
            let text = format!("{name} says that it offers no iSchedule (target \".\")");
            note(Verdict::Fail, text);
            return Vec::new();
        }
        let path = path.as_deref().unwrap_or(WELL_KNOWN);
        let mut receivers = Vec::new();
        for Server { target, port, .. } in &servers {
            let url = format!("https://{target}:{port}{path}");
            match ReceiverUrl::new(&url) {
                Ok(url) => receivers.push(Receiver::new(url)),
                Err(error) => note(Verdict::Fail, format!("{url}: {error}")),
            }
        }
        let found = receivers.iter().map(|it| it.url.to_string());
        let found: Vec<_> = found.collect();
        note(Verdict::Pass, format!("found {}", found.join(", then ")));
        return receivers;
    }
    let text = format!(
        "{domain} cannot be found by others: publish an SRV record at _ischedules._tcp.{domain}; to look at a \
         receiver that you know, probe its URL"
    );
    note(Verdict::Fail, text);
    Vec::new()
}

/// A server, as a zone file has it.
pub(crate) fn shown(server: &Server) -> String {
    let Server {
        priority,
        weight,
        port,
        target,
    } = server;
    let target = if target.is_empty() { "." } else { target };
    format!("SRV {priority} {weight} {port} {target}")
}
