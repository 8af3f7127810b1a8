//! hickory-resolver, asked for what discovery needs.

use crate::{
    Dnssec,
    records::{self, Server, Servers},
};
use convoke_sdk::prelude::*;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        dnssec::{Proof, TrustAnchors},
        rr::{Name, RData, Record, RecordType},
    },
};
use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// For one try of one server.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A "no" is believed no longer, so that a record that was just made is soon seen.
const LONGEST_NO: Duration = Duration::from_secs(60);
/// Nothing is believed longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Aliases that are followed.
const MOST_ALIASES: usize = 8;
/// Records of one name that are looked at.
const MOST_RECORDS: usize = 50;

pub(crate) struct Resolver {
    resolver: TokioResolver,
    dnssec: Dnssec,
}

impl Resolver {
    /// Asks these servers; if there are none, the system's.
    pub(crate) fn new(
        servers: &[SocketAddr],
        dnssec: Dnssec,
        anchor: Option<&Path>,
    ) -> Result<Self> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(|error| {
                Error::invalid(format!(
                    "the system's name servers cannot be used ({error}); set `config.nameservers`"
                ))
            })?
        } else {
            let servers = servers.iter().copied().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        if let Some(file) = anchor {
            let anchors = TrustAnchors::from_file(file).map_err(|error| {
                Error::invalid(format!(
                    "{}: no trust anchor can be read: {error}; expected DNSKEY records, as in a zone file",
                    file.display()
                ))
            })?;
            if dnssec != Dnssec::Off {
                builder = builder.with_trust_anchor(Arc::new(anchors));
            }
        }
        let options = builder.options_mut();
        options.validate = dnssec != Dnssec::Off;
        options.timeout = TIMEOUT;
        options.attempts = 2;
        options.cache_size = 4096;
        options.positive_max_ttl = Some(LONGEST);
        options.negative_max_ttl = Some(LONGEST_NO);
        options.try_tcp_on_error = true;
        let resolver = builder
            .build()
            .map_err(|error| Error::invalid(format!("the name servers cannot be used: {error}")))?;
        Ok(Self { resolver, dnssec })
    }

    /// The servers of a service.
    pub(crate) async fn servers(&self, service: &str) -> Result<Servers> {
        let (records, until) = self.look_up(service, RecordType::SRV).await?;
        let server = |record: &Record| match &record.data {
            RData::SRV(srv) => Some(Server {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        };
        Ok(Servers {
            servers: records
                .iter()
                .filter_map(server)
                .take(MOST_RECORDS)
                .collect(),
            validated: self.validated(&records),
            until,
        })
    }

    fn validated(&self, records: &[Record]) -> Option<convoke_sdk::Dnssec> {
        let secure = records.iter().all(|record| record.proof == Proof::Secure);
        (self.dnssec != Dnssec::Off).then_some(if secure {
            convoke_sdk::Dnssec::Secure
        } else {
            convoke_sdk::Dnssec::Insecure
        })
    }

    /// The path that TXT records of a service tell, if they do.
    pub(crate) async fn path(&self, service: &str) -> Result<Option<String>> {
        let (records, _) = self.look_up(service, RecordType::TXT).await?;
        // Each string of a record is a pair of key and value of its own.
        let path = |record: &Record| match &record.data {
            RData::TXT(text) => text
                .txt_data
                .iter()
                .find_map(|pair| records::path(std::str::from_utf8(pair).ok()?)),
            _ => None,
        };
        Ok(records.iter().take(MOST_RECORDS).find_map(path))
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> Result<(Vec<Record>, Instant)> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::unavailable(format!("{name} {kind} cannot be looked up: {error}"))
        };
        let mut query = Name::from_ascii(name).map_err(|error| failed(&error))?;
        query.set_fqdn(true);
        let mut asked = self.resolver.lookup(query.clone(), kind).await;
        for _ in 0..MOST_ALIASES {
            let Some(alias) = self.lost_alias(&query, &asked).await else {
                break;
            };
            query = alias;
            asked = self.resolver.lookup(query.clone(), kind).await;
        }
        match asked {
            Ok(found) => {
                let records = found.answers().to_vec();
                if self.dnssec == Dnssec::Require
                    && !records.iter().all(|record| record.proof == Proof::Secure)
                {
                    return Err(failed(
                        &"the answer is not signed, and `config.dnssec` is \"require\"",
                    ));
                }
                Ok((records, found.valid_until()))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                let ttl = none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
                let held = ttl.unwrap_or(LONGEST_NO).min(LONGEST_NO);
                Ok((Vec::new(), Instant::now() + held))
            }
            // Proven by DNSSEC that there are none.
            Err(NetError::Dns(DnsError::Nsec {
                proof: Proof::Secure,
                ..
            })) => Ok((Vec::new(), Instant::now() + LONGEST_NO)),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl Resolver {
    /// The resolver takes the target of an SRV record for an alias to follow (hickory-resolver 0.26), so that it finds
    /// none behind a real alias. That it ended elsewhere than at the name asked for gives it away.
    async fn lost_alias(&self, name: &Name, asked: &Result<Lookup, NetError>) -> Option<Name> {
        let Err(NetError::Dns(DnsError::NoRecordsFound(none))) = asked else {
            return None;
        };
        if none.query.name() == name {
            return None;
        }
        let alias = self.resolver.lookup(name.clone(), RecordType::CNAME).await;
        alias
            .ok()?
            .answers()
            .iter()
            .find_map(|record| match &record.data {
                RData::CNAME(alias) => Some(alias.0.clone()),
                _ => None,
            })
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    // A "no such name" of one server is an answer, not a reason to ask the next.
    NameServerConfig::new(address.ip(), true, connections.into())
}
