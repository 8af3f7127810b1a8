//! Names and records, asked of the name servers that the administrator named, else of the system's.
//!
//! [`Dns`] tells apart what a caller must tell apart: records, the certainty that there are none, and a failure, after
//! which nothing is known. hickory-resolver does the work: it tries several servers, falls to TCP, and keeps answers
//! as long as their TTL says.

use arc_swap::ArcSwap;
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    lookup::Lookup,
    net::{DnsError as NetDnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        rr::{Name, RData, RecordType},
        serialize::binary::BinEncodable,
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Addresses of a host that are used.
const MOST_ADDRESSES: usize = 16;
/// Aliases that are followed.
const MOST_ALIASES: usize = 8;
/// For one try of one server.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A "no" is believed no longer, so that a record that was just made is soon seen.
const LONGEST_NO: Duration = Duration::from_secs(60);
/// Nothing is believed longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The resolver keeps whole answers, junk that nobody asked for included, and counts them, not their bytes. When those
/// that it was given may hold so much, it is exchanged for a new one.
const MOST_KEPT: usize = 8 << 20;
/// How much larger an answer may be in memory than on the wire: a TXT record of many strings without a letter, about.
const UNPACKED: usize = 32;
/// What an answer takes at least in memory, about.
const LEAST_KEPT: usize = 2 << 10;

/// Asks name servers. Cheap to clone.
#[derive(Clone)]
pub struct Dns(Arc<Shared>);

struct Shared {
    servers: Vec<SocketAddr>,
    resolver: ArcSwap<Result<TokioResolver, DnsError>>,
    /// Bytes that the resolver may keep by now, about.
    kept: AtomicUsize,
}

impl Shared {
    fn new(servers: &[SocketAddr]) -> Self {
        Self {
            servers: servers.to_vec(),
            resolver: ArcSwap::from_pointee(open(servers)),
            kept: AtomicUsize::new(0),
        }
    }

    /// Counts an answer of the resolver.
    fn count(&self, bytes: usize) {
        let answer = LEAST_KEPT + bytes.saturating_mul(UNPACKED);
        let before = self.kept.fetch_add(answer, Ordering::Relaxed);
        if before + answer > MOST_KEPT {
            self.kept.store(0, Ordering::Relaxed);
            self.resolver.store(Arc::new(open(&self.servers)));
        }
    }
}

/// What name servers say, and for how long it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The records; empty if there certainly are none.
    pub records: Vec<T>,
    /// Until when they may be used.
    pub until: Instant,
}

/// A server of a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Lower ones come first.
    pub priority: u16,
    /// Share among those of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host, without a dot at the end; empty if the service is decidedly not offered.
    pub target: String,
}

/// Name servers did not say whether there are such records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DNS: {query}: {reason}")]
pub struct DnsError {
    query: String,
    reason: String,
}

impl Dns {
    /// Asks these servers; if there are none, the system's.
    ///
    /// That the system has no usable ones is told by every question, as a host without DNS may do without it.
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self(Arc::new(Shared::new(servers)))
    }

    /// The TXT records of a name, the strings of each joined.
    pub async fn texts(&self, name: &str) -> Result<Found<String>, DnsError> {
        let text = |data: &RData| match data {
            RData::TXT(text) => {
                let strings = text
                    .txt_data
                    .iter()
                    .map(|part| String::from_utf8_lossy(part));
                Some(strings.collect())
            }
            _ => None,
        };
        self.records(name, RecordType::TXT, text).await
    }

    /// The servers of a service: `_ischedules._tcp.example.org`.
    pub async fn servers(&self, name: &str) -> Result<Found<Server>, DnsError> {
        let server = |data: &RData| match data {
            RData::SRV(srv) => Some(Server {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv
                    .target
                    .to_ascii()
                    .trim_end_matches('.')
                    .to_ascii_lowercase(),
            }),
            _ => None,
        };
        self.records(name, RecordType::SRV, server).await
    }

    /// The addresses of a host; the system's hosts file counts.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let wrong = |error: &dyn std::fmt::Display| DnsError {
            query: host.to_owned(),
            reason: error.to_string(),
        };
        let mut name = Name::from_ascii(host).map_err(|error| wrong(&error))?;
        name.set_fqdn(true);
        let resolver = self.0.resolver.load_full();
        let resolver = resolver.as_ref().as_ref().map_err(Clone::clone)?;
        match resolver.lookup_ip(name).await {
            Ok(found) => {
                self.0.count(size(found.as_lookup()));
                Ok(found.iter().take(MOST_ADDRESSES).collect())
            }
            Err(error) => {
                self.0.count(size_of_none(&error));
                if error.is_no_records_found() {
                    Ok(Vec::new())
                } else {
                    Err(wrong(&error))
                }
            }
        }
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Found<T>, DnsError> {
        let wrong = |error: &dyn std::fmt::Display| DnsError {
            query: format!("{name} {kind}"),
            reason: error.to_string(),
        };
        let mut query = Name::from_ascii(name).map_err(|error| wrong(&error))?;
        query.set_fqdn(true);
        let resolver = self.0.resolver.load_full();
        let resolver = resolver.as_ref().as_ref().map_err(Clone::clone)?;
        let mut asked = self.lookup(resolver, &query, kind).await;
        for _ in 0..MOST_ALIASES {
            let Some(alias) = self.lost_alias(resolver, &query, &asked).await else {
                break;
            };
            query = alias;
            asked = self.lookup(resolver, &query, kind).await;
        }
        match asked {
            Ok(found) => Ok(Found {
                records: found
                    .answers()
                    .iter()
                    .filter_map(|it| read(&it.data))
                    .collect(),
                until: found.valid_until(),
            }),
            Err(NetError::Dns(NetDnsError::NoRecordsFound(none))) => {
                let seconds = none
                    .negative_ttl
                    .map_or(LONGEST_NO, |ttl| Duration::from_secs(ttl.into()));
                Ok(Found {
                    records: Vec::new(),
                    until: Instant::now() + seconds.min(LONGEST_NO),
                })
            }
            Err(error) => Err(wrong(&error)),
        }
    }

    async fn lookup(
        &self,
        resolver: &TokioResolver,
        name: &Name,
        kind: RecordType,
    ) -> Result<Lookup, NetError> {
        let asked = resolver.lookup(name.clone(), kind).await;
        self.0.count(match &asked {
            Ok(found) => size(found),
            Err(error) => size_of_none(error),
        });
        asked
    }

    /// The resolver takes the target of an SRV record for an alias to follow (hickory-resolver 0.26), so that it finds
    /// none behind a real alias. That it ended elsewhere than at the name asked for gives it away.
    async fn lost_alias(
        &self,
        resolver: &TokioResolver,
        name: &Name,
        asked: &Result<Lookup, NetError>,
    ) -> Option<Name> {
        let Err(NetError::Dns(NetDnsError::NoRecordsFound(none))) = asked else {
            return None;
        };
        if none.query.name() == name {
            return None;
        }
        let alias = self.lookup(resolver, name, RecordType::CNAME).await;
        let alias = alias.ok()?;
        alias
            .answers()
            .iter()
            .find_map(|record| match &record.data {
                RData::CNAME(alias) => Some(alias.0.clone()),
                _ => None,
            })
    }
}

/// The bytes of an answer on the wire; what cannot be written is as long as can be.
fn size(found: &Lookup) -> usize {
    found
        .message()
        .to_vec()
        .map_or(usize::from(u16::MAX), |bytes| bytes.len())
}

/// The bytes of what came with a "no".
fn size_of_none(error: &NetError) -> usize {
    let NetError::Dns(NetDnsError::NoRecordsFound(none)) = error else {
        return 0;
    };
    let records = none.authorities.iter().flat_map(|records| records.iter());
    let nameservers = none.ns.iter().flat_map(|ns| ns.iter());
    let glue = nameservers.flat_map(|ns| std::iter::once(&ns.ns).chain(ns.glue.iter()));
    records
        .map(|it| it.to_bytes().map_or(0, |bytes| bytes.len()))
        .chain(glue.map(|it| it.to_bytes().map_or(0, |bytes| bytes.len())))
        .sum()
}

fn open(servers: &[SocketAddr]) -> Result<TokioResolver, DnsError> {
    resolver(servers).map_err(|error| DnsError {
        query: "name servers".to_owned(),
        reason: error.to_string(),
    })
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio()?
    } else {
        let servers = servers.iter().copied().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = 2;
    options.cache_size = 512;
    options.positive_max_ttl = Some(LONGEST);
    options.negative_max_ttl = Some(LONGEST_NO);
    // A server that fails may answer by TCP, and another may know.
    options.try_tcp_on_error = true;
    builder.build()
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    // A "no such name" of one server is an answer, not a reason to ask the next.
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// The servers of a service in the order to try them in (RFC 2782): by priority, and among equals by chance, as their
/// weights say. Empty if the service is decidedly not offered (the only target is the root).
pub fn in_order(mut servers: Vec<Server>) -> Vec<Server> {
    servers.retain(|server| !server.target.is_empty());
    // Those without weight come first, so that they have a small chance too.
    servers.sort_by_key(|server| (server.priority, server.weight));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some(priority) = servers.first().map(|server| server.priority) {
        let equals = servers
            .iter()
            .take_while(|server| server.priority == priority);
        let total: u32 = equals.map(|server| u32::from(server.weight)).sum();
        let mut chance = fastrand::u32(0..=total);
        let place = servers.iter().position(|server| {
            let weight = u32::from(server.weight);
            let chosen = chance <= weight;
            chance = chance.saturating_sub(weight);
            chosen
        });
        ordered.push(servers.remove(place.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(priority: u16, weight: u16, target: &str) -> Server {
        Server {
            priority,
            weight,
            port: 443,
            target: target.to_owned(),
        }
    }

    #[test]
    fn servers_come_by_priority_and_share_by_weight() {
        let servers = vec![
            server(20, 0, "last"),
            server(10, 0, "seldom"),
            server(10, 30, "often"),
            server(10, 10, "now-and-then"),
        ];
        let mut first = std::collections::HashMap::<String, u32>::new();
        for _ in 0..4000 {
            let ordered = in_order(servers.clone());
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3].target, "last");
            *first.entry(ordered[0].target.clone()).or_default() += 1;
        }
        // Of 41 chances one, 30 and 10: some hundred times the deviation away from the bounds.
        assert!((1..400).contains(&first["seldom"]), "{first:?}");
        assert!((2600..3300).contains(&first["often"]), "{first:?}");
        assert!((700..1300).contains(&first["now-and-then"]), "{first:?}");
    }

    #[test]
    fn the_root_offers_nothing() {
        assert_eq!(in_order(vec![server(0, 0, "")]), []);
        assert_eq!(in_order(Vec::new()), []);
    }
}
