//! Asks name servers, and keeps what they say for as long as it holds.

use crate::{
    service::Server,
    settings::{Dnssec, LONGEST_NO, OpenError, Settings, Template},
};
use arc_swap::ArcSwap;
use hickory_resolver::{
    TokioResolver,
    lookup::Lookup,
    net::{DnsError, NetError},
    proto::{
        dnssec::Proof,
        rr::{Name, RData, Record, RecordType},
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
/// Records of one name that are looked at.
const MOST_RECORDS: usize = 50;

/// The resolver keeps whole answers, junk that nobody asked for included, and counts them, not their bytes. When those
/// that it was given may hold so much, it is exchanged for a new one.
const MOST_KEPT: usize = 8 << 20;
/// How much larger an answer may be in memory than on the wire: a TXT record of many strings without a letter, about.
const UNPACKED: usize = 32;
/// What an answer takes at least in memory, about.
const LEAST_KEPT: usize = 2 << 10;

/// Asks name servers. Cheap to clone.
#[derive(Clone)]
pub struct Resolver(Arc<Shared>);

struct Shared {
    template: Template,
    resolver: ArcSwap<Result<TokioResolver, OpenError>>,
    /// Bytes that the resolver may keep by now, about.
    kept: AtomicUsize,
}

impl Shared {
    fn new(template: Template) -> Self {
        Self {
            resolver: ArcSwap::from_pointee(template.resolver()),
            template,
            kept: AtomicUsize::new(0),
        }
    }

    /// Counts an answer of the resolver.
    fn count(&self, bytes: usize) {
        let answer = LEAST_KEPT + bytes.saturating_mul(UNPACKED);
        let before = self.kept.fetch_add(answer, Ordering::Relaxed);
        if before + answer > MOST_KEPT {
            self.kept.store(0, Ordering::Relaxed);
            self.resolver.store(Arc::new(self.template.resolver()));
        }
    }
}

/// What name servers say, and for how long it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The records; empty if there certainly are none.
    pub records: Vec<T>,
    /// What DNSSEC says of the records, if it was asked and there are any.
    pub signed: Option<Signed>,
    /// Until when they may be used.
    pub until: Instant,
}

/// What DNSSEC says of an answer (RFC 4035 §4.3). What it says was forged is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Signed from a trust anchor down.
    Secure,
    /// Proven to be unsigned.
    Insecure,
}

/// A TXT record: its strings, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub Vec<Vec<u8>>);

impl Text {
    /// The strings as one; what is not UTF-8 is replaced.
    pub fn joined(&self) -> String {
        let strings = self.0.iter();
        strings.map(|it| String::from_utf8_lossy(it)).collect()
    }
}

/// Name servers did not say whether there are such records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DNS: {query} cannot be looked up: {reason}")]
pub struct LookupError {
    query: String,
    reason: String,
}

impl Resolver {
    /// Asks these servers; if there are none, the system's.
    ///
    /// That the system has no usable ones is told by every question, as a host without DNS may do without it.
    pub fn new(servers: &[SocketAddr]) -> Self {
        Self(Arc::new(Shared::new(Template::of_servers(servers))))
    }

    /// A resolver with these settings, if they can be used.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let shared = Shared::new(Template::new(settings)?);
        match shared.resolver.load().as_ref() {
            Ok(_) => {}
            Err(error) => return Err(error.clone()),
        }
        Ok(Self(Arc::new(shared)))
    }

    /// The TXT records of a name.
    pub async fn texts(&self, name: &str) -> Result<Found<Text>, LookupError> {
        let text = |data: &RData| match data {
            RData::TXT(text) => {
                let strings = text.txt_data.iter();
                Some(Text(strings.map(|it| it.to_vec()).collect()))
            }
            _ => None,
        };
        self.records(name, RecordType::TXT, text).await
    }

    /// The servers of a service: `_ischedules._tcp.example.org`.
    pub async fn servers(&self, name: &str) -> Result<Found<Server>, LookupError> {
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
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let wrong = |error: &dyn std::fmt::Display| LookupError {
            query: host.to_owned(),
            reason: error.to_string(),
        };
        let mut name = Name::from_ascii(host).map_err(|error| wrong(&error))?;
        name.set_fqdn(true);
        let resolver = self.0.resolver.load_full();
        let resolver = resolver.as_ref().as_ref().map_err(|error| wrong(error))?;
        match resolver.lookup_ip(name).await {
            Ok(found) => {
                self.0.count(size(found.as_lookup()));
                self.signed(found.as_lookup().answers())
                    .map_err(|error| wrong(&error))?;
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
    ) -> Result<Found<T>, LookupError> {
        let wrong = |error: &dyn std::fmt::Display| LookupError {
            query: format!("{name} {kind}"),
            reason: error.to_string(),
        };
        let mut query = Name::from_ascii(name).map_err(|error| wrong(&error))?;
        query.set_fqdn(true);
        let resolver = self.0.resolver.load_full();
        let resolver = resolver.as_ref().as_ref().map_err(|error| wrong(error))?;
        let mut asked = self.lookup(resolver, &query, kind).await;
        for _ in 0..MOST_ALIASES {
            let Some(alias) = self.lost_alias(resolver, &query, &asked).await else {
                break;
            };
            query = alias;
            asked = self.lookup(resolver, &query, kind).await;
        }
        let none = |seconds: Duration| Found {
            records: Vec::new(),
            signed: None,
            until: Instant::now() + seconds.min(LONGEST_NO),
        };
        match asked {
            Ok(found) => {
                let answers = found.answers();
                let signed = self.signed(answers).map_err(|error| wrong(&error))?;
                let records = answers.iter().filter_map(|it| read(&it.data));
                Ok(Found {
                    records: records.take(MOST_RECORDS).collect(),
                    signed,
                    until: found.valid_until(),
                })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(said))) => {
                let ttl = said.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
                Ok(none(ttl.unwrap_or(LONGEST_NO)))
            }
            // Proven by DNSSEC that there are none.
            Err(NetError::Dns(DnsError::Nsec {
                proof: Proof::Secure,
                ..
            })) => Ok(none(LONGEST_NO)),
            Err(error) => Err(wrong(&error)),
        }
    }

    /// What DNSSEC says of records, if it was asked; an error, if they are to be signed and are not.
    fn signed(&self, records: &[Record]) -> Result<Option<Signed>, &'static str> {
        let is_secure = || records.iter().all(|record| record.proof == Proof::Secure);
        match self.0.template.dnssec {
            Dnssec::Off => Ok(None),
            _ if is_secure() => Ok(Some(Signed::Secure)),
            Dnssec::Prefer => Ok(Some(Signed::Insecure)),
            Dnssec::Require => Err("the answer is not signed, and DNSSEC is required"),
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
        let Err(NetError::Dns(DnsError::NoRecordsFound(none))) = asked else {
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
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trust_anchor_is_read_before_anything_is_asked() {
        let settings = Settings {
            servers: vec!["192.0.2.1:53".parse().unwrap()],
            dnssec: Dnssec::Off,
            trust_anchor: Some("no-such-file".into()),
        };
        let error = Resolver::open(&settings).err().unwrap().to_string();
        assert!(
            error.starts_with("no-such-file: no trust anchor can be read: "),
            "{error}"
        );
        let settings = Settings {
            trust_anchor: None,
            ..settings
        };
        assert!(Resolver::open(&settings).is_ok());
    }

    #[test]
    fn a_text_is_its_strings() {
        let text = Text(vec![b"v=DKIM1; ".to_vec(), b"p=\xff".to_vec()]);
        assert_eq!(text.joined(), "v=DKIM1; p=\u{fffd}");
    }
}
