//! Where the keys of signatures come from (spec §7).
//!
//! | module | method |
//! | --- | --- |
//! | `exchange` | `private-exchange`: a folder that the administrators filled |
//! | `wellknown` | `http/well-known`: a document on the signer's web server |
//! | here | `dns/txt`: `<selector>._domainkey.<domain>`; which method, and for how long its answer holds |
//!
//! A key that was exchanged is used whatever the signature's `q=` says. Otherwise the methods of `q=` are tried in their
//! order, and the first that knows the key decides. A method that fails is not one that says no: if none of the others
//! knows the key either, the message cannot be judged now ([`Unavailable`]) and the peer is told to come later.
//!
//! Answers hold as long as TTL or HTTP freshness say, a day at most; a "no" for a minute at most, a failure for a few
//! seconds. Many messages that need the same key ask for it once.

mod exchange;
mod wellknown;

use crate::{
    dns::{Dns, DnsError},
    outgoing::Client,
};
use convoke_ischedule::dkim::{KeyRecord, Lookup, Pending};
use convoke_types::Domain;
use exchange::Exchange;
use moka::{Expiry, future::Cache};
use std::{
    fmt::Display,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// The longest document of key records that is read, in bytes.
const LONGEST_DOCUMENT: usize = 64 << 10;
/// For one method, with everything it takes.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a failure is not asked about again.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// Answers remembered at once.
const MAX_ANSWERS: u64 = 10_000;

/// Finds the keys of peers. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    private_exchange: Option<Arc<Exchange>>,
    dns: Dns,
    client: Client,
    known: Cache<Wanted, Remembered>,
}

/// A key cannot be looked up now; trying later may help. Says what went wrong, for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of the signature cannot be looked up now: {0}")]
pub struct Unavailable(String);

impl From<DnsError> for Unavailable {
    fn from(error: DnsError) -> Self {
        Self(error.to_string())
    }
}

/// Which key, and how to find it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    lookup: Lookup,
    domain: Domain,
    selector: String,
}

/// What a method said.
#[derive(Clone, Debug)]
struct Answer {
    /// Empty if it knows no key.
    records: Vec<KeyRecord>,
    until: Instant,
}

impl Answer {
    const fn none(until: Instant) -> Self {
        Self {
            records: Vec::new(),
            until,
        }
    }
}

#[derive(Clone)]
struct Remembered {
    found: Result<Arc<[KeyRecord]>, Unavailable>,
    until: Instant,
}

/// Entries end when they say.
struct Ends;

impl Expiry<Wanted, Remembered> for Ends {
    fn expire_after_create(
        &self,
        _: &Wanted,
        entry: &Remembered,
        now: Instant,
    ) -> Option<Duration> {
        Some(entry.until.saturating_duration_since(now))
    }
}

impl Keys {
    /// Keys from the folder that `verification.private_exchange` names, from DNS, and from web servers.
    pub fn new(private_exchange: Option<PathBuf>, dns: Dns, client: Client) -> Self {
        let known = Cache::builder()
            .max_capacity(MAX_ANSWERS)
            .expire_after(Ends)
            .build();
        Self {
            private_exchange: private_exchange.map(|folder| Arc::new(Exchange::new(folder))),
            dns,
            client,
            known,
        }
    }

    /// The key records that a signature may be verified with; empty if there certainly are none.
    pub(crate) async fn find(&self, signature: &Pending) -> Result<Vec<KeyRecord>, Unavailable> {
        let (domain, selector) = (signature.domain(), signature.selector());
        let exchanged = self.look_up(Lookup::PrivateExchange, domain, selector);
        let exchanged = exchanged.await?;
        if !exchanged.is_empty() {
            return Ok(exchanged.to_vec());
        }
        let mut failed = None;
        for &lookup in signature.lookups() {
            match self.look_up(lookup, domain, selector).await {
                Ok(records) if records.is_empty() => {}
                Ok(records) => return Ok(records.to_vec()),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or_else(|| Ok(Vec::new()), Err)
    }

    /// The key records that one method finds; empty if there certainly are none.
    pub async fn look_up(
        &self,
        lookup: Lookup,
        domain: &Domain,
        selector: &str,
    ) -> Result<Arc<[KeyRecord]>, Unavailable> {
        if lookup == Lookup::PrivateExchange {
            return match &self.private_exchange {
                Some(folder) => folder.find(domain, selector, SystemTime::now()).await,
                None => Ok(Arc::default()),
            };
        }
        let wanted = Wanted {
            lookup,
            domain: domain.clone(),
            selector: selector.to_owned(),
        };
        if let Some(remembered) = self.known.get(&wanted).await {
            return remembered.found;
        }
        // In a box: few messages come this far, and each in flight would carry the room for it.
        let asked = self
            .known
            .get_with_by_ref(&wanted, self.remembered(&wanted));
        Box::pin(asked).await.found
    }

    async fn remembered(&self, wanted: &Wanted) -> Remembered {
        let answer = tokio::time::timeout(DEADLINE, self.ask(wanted)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Unavailable(format!(
                "{} did not answer within {DEADLINE:?}",
                wanted.domain
            )))
        });
        match answer {
            Ok(Answer { records, until }) => Remembered {
                found: Ok(records.into()),
                until,
            },
            Err(error) => Remembered {
                found: Err(error),
                until: Instant::now() + FAILED_FOR,
            },
        }
    }

    async fn ask(&self, wanted: &Wanted) -> Result<Answer, Unavailable> {
        let Wanted {
            lookup,
            domain,
            selector,
        } = wanted;
        match lookup {
            Lookup::DnsTxt => {
                let name = format!("{selector}._domainkey.{domain}");
                let texts = self.dns.texts(&name).await?;
                let records = records(&name, texts.records.iter().map(String::as_str));
                Ok(Answer {
                    records,
                    until: texts.until,
                })
            }
            Lookup::HttpWellKnown => {
                wellknown::find(&self.dns, &self.client, domain, selector).await
            }
            Lookup::PrivateExchange => Ok(Answer::none(Instant::now())),
        }
    }
}

/// The usable records among those found at `place`; the others are told to the log.
fn records<'a>(place: &dyn Display, texts: impl Iterator<Item = &'a str>) -> Vec<KeyRecord> {
    let mut records = Vec::new();
    for record in texts
        .take(KeyRecord::MAX_RECORDS)
        .flat_map(KeyRecord::read_document)
    {
        match record {
            Ok(record) => records.push(record),
            Err(error) => tracing::info!(%place, "a key record is left out: {error}"),
        }
    }
    records
}
