//! Receivers found in DNS: SRV and TXT records (spec §3, RFC 2782, RFC 6763 §6).
//!
//! ```toml
//! [[discovery]]
//! plugin = "discovery-dns"
//! config.nameservers = ["127.0.0.1:5353"]     # default: those of [dns], else the system's
//! config.tls_name = "target"                  # or "domain"
//! config.dnssec = "off"                       # or "prefer", "require"
//! config.trust_anchor = "anchors.key"         # default: the root's
//! ```
//!
//! | key | what it says | default |
//! | --- | --- | --- |
//! | `nameservers` | who is asked: addresses with port | the host's (`[dns] nameservers`), else the system's |
//! | `tls_name` | whose name a receiver's certificate must carry: the `target` that DNS names, or the `domain` that was asked for. With `domain`, a forged answer leads nowhere | `target` |
//! | `dnssec` | `prefer`: forged answers are refused, unsigned ones taken; `require`: unsigned ones are refused too; `off`: nothing is validated here | `off` |
//! | `trust_anchor` | a file of DNSKEY records that validation begins from | the root's |
//!
//! `_ischedules._tcp.<domain>` is asked for; if a sub-domain has no such record, the domains above it are, down to the
//! registered one: nobody asks a public suffix. A target of `.` ends the search: the domain offers no service. A domain
//! without records is left to the next strategy; name servers that fail make the look-up worth trying again.
//!
//! Answers are remembered as long as their TTL says, a "no" for a minute at most. Not here: whether a target answers
//! (the host tries one after the other) and whether its address may be connected to (the host's address filter decides).

use convoke_sdk::{
    dns::{self, Found, OpenError, Resolver, Server, Signed, domains_to_ask, in_order},
    prelude::*,
};
use std::{net::SocketAddr, path::PathBuf, time::Instant};

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    #[derive(Debug)]
    pub struct Config {
        /// Who is asked, by address and port; without, the host's name servers (`[dns]`), else the system's.
        nameservers: Vec<SocketAddr> as "list of address:port" = [],
        /// Whose name a receiver's certificate must carry: the `"target"` that DNS names, or the `"domain"` that was
        /// asked for.
        tls_name: TlsName as "\"target\" or \"domain\"" = "target",
        /// `"prefer"`: forged answers are refused, unsigned ones taken; `"require"`: unsigned ones are refused too;
        /// `"off"`: nothing is validated here.
        dnssec: Dnssec as "\"off\", \"prefer\" or \"require\"" = "off",
        /// A file of DNSKEY records that validation begins from; the root's if it is not named.
        trust_anchor: Option<PathBuf>,
    }
}

/// Whose name a receiver's certificate must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TlsName {
    Target,
    Domain,
}

/// What is asked of DNSSEC (RFC 4035 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Dnssec {
    Off,
    Prefer,
    Require,
}

impl From<Dnssec> for dns::Dnssec {
    fn from(written: Dnssec) -> Self {
        match written {
            Dnssec::Off => Self::Off,
            Dnssec::Prefer => Self::Prefer,
            Dnssec::Require => Self::Require,
        }
    }
}

fn not_opened(error: &OpenError) -> Error {
    match error {
        OpenError::System(_) => Error::invalid(format!("{error}; set `config.nameservers`")),
        _ => Error::invalid(error.to_string()),
    }
}

fn unavailable(error: &dns::LookupError) -> Error {
    Error::unavailable(error.to_string())
}

/// Looks receivers up in DNS.
pub struct DnsDiscovery {
    resolver: Resolver,
    tls_name: TlsName,
}

impl Discovery for DnsDiscovery {
    type Config = Config;

    async fn open(config: Config, host: Host) -> Result<Self> {
        let anchor = config.trust_anchor.map(|file| host.path(file));
        let servers = if config.nameservers.is_empty() {
            host.network().nameservers
        } else {
            config.nameservers
        };
        let settings = dns::Settings {
            servers,
            dnssec: config.dnssec.into(),
            trust_anchor: anchor,
        };
        Ok(Self {
            resolver: Resolver::open(&settings).map_err(|error| not_opened(&error))?,
            tls_name: config.tls_name,
        })
    }

    async fn discover(&self, address: &CalendarAddress, _: &Call) -> Result<Discovered> {
        let Ok(domain) = address.domain() else {
            return Ok(Discovered::NotMine);
        };
        for domain in domains_to_ask(domain) {
            let service = format!("_ischedules._tcp.{domain}");
            // The path is wanted seldom, and waiting for it always would cost as much again.
            let asked = tokio::join!(
                self.resolver.servers(&service),
                self.resolver.texts(&service)
            );
            let (servers, texts) = asked;
            let servers = servers.map_err(|error| unavailable(&error))?;
            if !servers.records.is_empty() {
                let texts = texts.map_err(|error| unavailable(&error))?;
                // Each string of a record is a pair of key and value of its own.
                let mut pairs = texts.records.iter().flat_map(|text| &text.0);
                let path = pairs.find_map(|pair| dns::path(std::str::from_utf8(pair).ok()?));
                let path = path.unwrap_or("/.well-known/ischedule");
                return Ok(self.receivers(&domain, servers, path));
            }
        }
        Ok(Discovered::NotMine)
    }
}

impl DnsDiscovery {
    fn receivers(&self, domain: &Domain, found: Found<Server>, path: &str) -> Discovered {
        let valid_for = found.until.saturating_duration_since(Instant::now());
        let dnssec = found.signed.map(|signed| match signed {
            Signed::Secure => convoke_sdk::Dnssec::Secure,
            Signed::Insecure => convoke_sdk::Dnssec::Insecure,
        });
        let mut receivers = Vec::new();
        for server in in_order(found.records) {
            let url = format!("https://{}:{}{path}", server.target, server.port);
            match ReceiverUrl::new(&url) {
                Ok(url) => {
                    let mut receiver = Receiver::new(url);
                    receiver.valid_for = Some(valid_for);
                    receiver.dnssec = dnssec;
                    receiver.tls_name = (self.tls_name == TlsName::Domain).then(|| domain.clone());
                    receivers.push(receiver);
                }
                Err(error) => {
                    tracing::warn!(event = "receiver-ignored", %domain, "a target of the service is ignored: {error}");
                }
            }
        }
        if receivers.is_empty() {
            Discovered::NoService
        } else {
            Discovered::Receivers(receivers)
        }
    }
}

convoke_sdk::plugin! { name: "discovery-dns", discovery: DnsDiscovery }
