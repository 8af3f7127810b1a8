//! What DNS says of a domain, name by name (spec §3).

use super::{Notes, Verdict};
use convoke_ischedule::WELL_KNOWN;
use convoke_net::dns::{Dns, Server, in_order};
use convoke_sdk::{Receiver, ReceiverUrl};
use convoke_types::Domain;

const STEP: &str = "discovery";
const SECTION: &str = "§3";

/// The receivers that a sender would find.
pub(super) async fn find(dns: &Dns, domain: &Domain, notes: &mut Notes) -> Vec<Receiver> {
    let mut note = |verdict, text: String| notes.add(STEP, verdict, SECTION, text);
    for name in names(domain) {
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
            note(Verdict::Info, format!("{service} SRV {}", shown(server)));
        }
        let path = match dns.texts(&service).await {
            Ok(texts) => texts.records.iter().find_map(|text| path(text)),
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

fn shown(server: &Server) -> String {
    let Server {
        priority,
        weight,
        port,
        target,
    } = server;
    format!("{priority} {weight} {port} {target}.")
}

/// The domain and those above it, down to the one that somebody registered: nobody asks a public suffix.
fn names(domain: &Domain) -> Vec<String> {
    let registered = psl::domain_str(domain.as_str()).unwrap_or(domain.as_str());
    let mut names = vec![domain.to_string()];
    while let Some(last) = names.last()
        && last != registered
        && let Some((_, above)) = last.split_once('.')
    {
        names.push(above.to_owned());
    }
    names
}

/// The value of `path=` (RFC 6763 §6.4: the key in any case).
fn path(text: &str) -> Option<String> {
    let (key, value) = text.split_once('=')?;
    (key.eq_ignore_ascii_case("path") && value.starts_with('/')).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_domains_are_climbed_but_no_public_suffix_is_asked() {
        for (domain, expected) in [
            ("example.org", &["example.org"][..]),
            (
                "a.b.example.co.uk",
                &["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"],
            ),
            ("co.uk", &["co.uk"]),
            ("lab.internal", &["lab.internal"]),
        ] {
            assert_eq!(names(&domain.parse().unwrap()), expected, "{domain}");
        }
    }

    #[test]
    fn a_path_is_read_whatever_its_key_looks_like() {
        assert_eq!(path("PATH=/x").as_deref(), Some("/x"));
        assert_eq!(path("path=x"), None);
        assert_eq!(path("txtvers=1"), None);
    }
}
