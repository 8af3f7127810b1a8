//! Look-up of DKIM public keys (spec §7).
//!
//! | module | method |
//! | --- | --- |
//! | `exchange` | `private-exchange`: a folder that the administrators filled |
//! | `own` | none: what peers find who look for our own key |
//! | `wellknown` | `http/well-known`: a document on the signer's web server |
//! | here | `dns/txt`: `<selector>._domainkey.<domain>`; which method, and for how long its answer holds |
//!
//! A key that was exchanged is used whatever the signature's `q=` says. Otherwise the methods of `q=` are tried in their
//! order, and the first that knows the key decides. A method that fails is not one that says no: if none of the others
//! knows the key either, the message cannot be judged now ([`Unavailable`]) and the peer is told to come later.
//!
//! Answers hold as long as TTL or HTTP freshness say, a day at most; a "no" for a minute at most, a failure for a few
//! seconds. Many messages that need the same key ask for it once.
//!
//! Anybody may make us look for any key, with a message that proves nothing. So answers are counted in bytes, and one
//! that no verified message has used yet (a "no" never is) has its place among its like: a flood of them pushes out
//! no key that somebody signs with.

mod exchange;
mod own;
mod wellknown;

pub(crate) use own::{Published, published};

use convoke_dns::{LookupError, Resolver, Text};
use convoke_ischedule::dkim::{KeyRecord, Lookup, Pending};
use convoke_net::http_client::{Client, ConnectPolicy};
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
/// Bytes that keys may hold together with which messages were verified, about.
const PROVEN_BYTES: u64 = 16 << 20;
/// Bytes that all other answers may hold together, about.
const UNPROVEN_BYTES: u64 = 4 << 20;
/// What an answer takes beside its texts and records, about.
const BESIDE: usize = 512;

/// Finds the keys of peers. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    private_exchange: Option<Arc<Exchange>>,
    dns: Resolver,
    client: Client,
    /// Whom a web server's name may lead to.
    policy: ConnectPolicy,
    /// Verified messages used these.
    proven: Cache<Wanted, Remembered>,
    unproven: Cache<Wanted, Remembered>,
}

/// What a signature may be verified with.
pub(crate) struct Found {
    /// Empty if there certainly are none.
    pub(crate) records: Arc<[KeyRecord]>,
    /// Where it came from, if no verified message has used it yet.
    unproven: Option<(Wanted, Remembered)>,
}

impl From<Arc<[KeyRecord]>> for Found {
    fn from(records: Arc<[KeyRecord]>) -> Self {
        Self {
            records,
            unproven: None,
        }
    }
}

/// A key cannot be looked up now; trying later may help. Says what went wrong, for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of the signature cannot be looked up now: {0}")]
pub struct Unavailable(String);

impl From<LookupError> for Unavailable {
    fn from(error: LookupError) -> Self {
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

/// How many bytes of memory an entry takes, about.
fn weight(wanted: &Wanted, remembered: &Remembered) -> u32 {
    let texts = wanted.domain.as_str().len() + wanted.selector.len();
    let found = match &remembered.found {
        Ok(records) => records.iter().map(KeyRecord::memory).sum(),
        Err(Unavailable(reason)) => reason.len(),
    };
    u32::try_from(BESIDE + texts + found).unwrap_or(u32::MAX)
}

fn cache(bytes: u64) -> Cache<Wanted, Remembered> {
    Cache::builder()
        .max_capacity(bytes)
        .weigher(weight)
        .expire_after(Ends)
        .build()
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
    pub fn new(private_exchange: Option<PathBuf>, dns: Resolver, client: Client) -> Self {
        Self {
            private_exchange: private_exchange.map(|folder| Arc::new(Exchange::new(folder))),
            dns,
            client,
            policy: ConnectPolicy::default(),
            proven: cache(PROVEN_BYTES),
            unproven: cache(UNPROVEN_BYTES),
        }
    }

    /// Our own keys, from where peers find them: from in here, our own name may lead to a private address.
    fn ours(dns: Resolver, client: Client) -> Self {
        let administered = ConnectPolicy {
            administered: true,
            ..ConnectPolicy::default()
        };
        Self {
            policy: administered,
            ..Self::new(None, dns, client)
        }
    }

    /// The key records that a signature may be verified with.
    pub(crate) async fn find(&self, signature: &Pending) -> Result<Found, Unavailable> {
        let (domain, selector) = (signature.domain(), signature.selector());
        let exchanged = self.exchanged(domain, selector).await?;
        if !exchanged.is_empty() {
            return Ok(exchanged.into());
        }
        let mut failed = None;
        for &lookup in signature.lookups() {
            match self.answer(lookup, domain, selector).await {
                Ok(found) if found.records.is_empty() => {}
                Ok(found) => return Ok(found),
                Err(error) => failed = Some(error),
            }
        }
        let none: Arc<[KeyRecord]> = Arc::default();
        failed.map_or_else(|| Ok(none.into()), Err)
    }

    /// Says that a message was verified with what was found, so that it stays.
    pub(crate) async fn used(&self, found: Found) {
        if let Some((wanted, remembered)) = found.unproven {
            self.unproven.invalidate(&wanted).await;
            self.proven.insert(wanted, remembered).await;
        }
    }

    /// The key records that one method finds; empty if there certainly are none.
    pub async fn look_up(
        &self,
        lookup: Lookup,
        domain: &Domain,
        selector: &str,
    ) -> Result<Arc<[KeyRecord]>, Unavailable> {
        let found = self.answer(lookup, domain, selector).await?;
        Ok(found.records)
    }

    async fn exchanged(
        &self,
        domain: &Domain,
        selector: &str,
    ) -> Result<Arc<[KeyRecord]>, Unavailable> {
        match &self.private_exchange {
            Some(folder) => folder.find(domain, selector, SystemTime::now()).await,
            None => Ok(Arc::default()),
        }
    }

    async fn answer(
        &self,
        lookup: Lookup,
        domain: &Domain,
        selector: &str,
    ) -> Result<Found, Unavailable> {
        if lookup == Lookup::PrivateExchange {
            return Ok(self.exchanged(domain, selector).await?.into());
        }
        let wanted = Wanted {
            lookup,
            domain: domain.clone(),
            selector: selector.to_owned(),
        };
        if let Some(remembered) = self.proven.get(&wanted).await {
            return Ok(remembered.found?.into());
        }
        let remembered = if let Some(remembered) = self.unproven.get(&wanted).await {
            remembered
        } else {
            // In a box: few messages come this far, and each in flight would carry the room for it.
            let asked = self.remembered(&wanted);
            Box::pin(self.unproven.get_with_by_ref(&wanted, asked)).await
        };
        Ok(Found {
            records: remembered.found.clone()?,
            unproven: Some((wanted, remembered)),
        })
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
                let joined: Vec<String> = texts.records.iter().map(Text::joined).collect();
                let records = records(&name, joined.iter().map(String::as_str));
                Ok(Answer {
                    records,
                    until: texts.until,
                })
            }
            Lookup::HttpWellKnown => {
                wellknown::find(&self.dns, (&self.client, &self.policy), domain, selector).await
            }
            Lookup::PrivateExchange => Ok(Answer::none(Instant::now())),
        }
    }
}

/// The usable records among those found at `place`; the others are told to the log.
fn records<'a>(place: &dyn Display, texts: impl Iterator<Item = &'a str>) -> Vec<KeyRecord> {
    let mut records = Vec::new();
    let read = texts
        .take(KeyRecord::MAX_RECORDS)
        .flat_map(KeyRecord::read_document);
    for record in read.take(KeyRecord::MAX_RECORDS) {
        match record {
            Ok(record) => records.push(record),
            Err(error) => {
                tracing::info!(event = "key-record-ignored", %place, "a key record is ignored: {error}");
            }
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_ischedule::dkim::{KeyKind, PrivateKey};
    use convoke_net::http_client::Settings;

    fn remembered(found: Result<Vec<KeyRecord>, Unavailable>) -> Remembered {
        Remembered {
            found: found.map(Into::into),
            until: Instant::now() + Duration::from_secs(3600),
        }
    }

    fn wanted(selector: String) -> Wanted {
        Wanted {
            lookup: Lookup::DnsTxt,
            domain: "example.com".parse().unwrap(),
            selector,
        }
    }

    /// The largest record that is read.
    fn large() -> KeyRecord {
        let parts = ["x"; KeyRecord::MAX_PARTS].join(":");
        let notes = "x".repeat(3800);
        let text = format!("v=DKIM1; h={parts}; s={parts}; n={notes}; p=");
        KeyRecord::read(&text).unwrap()
    }

    #[tokio::test]
    async fn a_flood_of_answers_is_bounded_and_pushes_out_no_key_in_use() {
        let client = Client::new(Settings::default()).unwrap();
        let keys = Keys::new(None, Resolver::new(&[]), client);
        let key = PrivateKey::generate(KeyKind::Ed25519).unwrap().record();
        let in_use = (wanted("good".to_owned()), remembered(Ok(vec![key])));
        keys.used(Found {
            records: Arc::default(),
            unproven: Some(in_use.clone()),
        })
        .await;
        let records = vec![large(); KeyRecord::MAX_RECORDS];
        for n in 0..3000 {
            let answer = match n % 3 {
                0 => Ok(records.clone()),
                1 => Ok(Vec::new()),
                _ => Err(Unavailable("the name servers say nothing".to_owned())),
            };
            let wanted = wanted(format!("s{n}"));
            keys.unproven.insert(wanted, remembered(answer)).await;
        }
        keys.unproven.run_pending_tasks().await;
        assert!(keys.unproven.weighted_size() <= UNPROVEN_BYTES);
        assert!(keys.unproven.entry_count() > 0);
        assert!(keys.proven.get(&in_use.0).await.is_some());
    }
}
