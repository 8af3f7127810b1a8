//! Rate limiting per peer.
//!
//! [`KeyedLimiters`] counts for each rate and each key (an address, a domain) by itself, in bounded memory: keys that have
//! been quiet long enough are forgotten, as nothing is left to count against them. Counts go on over a reload.

use convoke_net::{network::network, registrable::registrable};
use convoke_scheduling::Peer;
use convoke_types::{CalendarAddress, Proof, Rate};
use governor::{Quota, RateLimiter, clock::Clock, state::keyed::DefaultKeyedStateStore};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Keys that are looked through at this many requests.
const LOOK_THROUGH: u32 = 4096;
/// Keys remembered at once; beyond, all are forgotten, which lets some pass too often for a while.
const MAX_KEYS: usize = 200_000;
/// Different rates at once; a configuration has few.
const MAX_RATES: usize = 1000;

type Keyed<K> = RateLimiter<
    K,
    DefaultKeyedStateStore<K>,
    governor::clock::DefaultClock,
    governor::middleware::NoOpMiddleware<<governor::clock::DefaultClock as Clock>::Instant>,
>;

/// The rate limiters of a host.
#[derive(Default)]
pub struct RateLimiters {
    /// Requests of addresses, as [`network`] gives them.
    pub addresses: KeyedLimiters<IpAddr>,
    /// Messages of peers.
    pub peers: KeyedLimiters<Peer>,
    /// What policies allow only so often.
    pub allowances: KeyedLimiters<Allowed>,
    /// What policies allow one sender to send to one recipient.
    pub quotas: KeyedLimiters<Pair>,
}

/// A sender and a recipient under one rule, as a digest: there may be many, and addresses are as long as strangers like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair([u8; 16]);

impl Pair {
    /// What `policy` counts together in `bucket` of what `originator` sends to `recipient`.
    pub fn new(
        (policy, bucket): (&str, u32),
        originator: &CalendarAddress,
        recipient: &CalendarAddress,
    ) -> Self {
        let mut digest = Sha256::new();
        let user = |address: &CalendarAddress| address.as_str().to_ascii_lowercase();
        for part in [policy, &user(originator), &user(recipient)] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.update(bucket.to_be_bytes());
        let mut pair = [0; 16];
        pair.copy_from_slice(&digest.finalize()[..16]);
        Self(pair)
    }
}

/// What is counted together of what a policy allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Allowed {
    /// The policy's name.
    pub policy: String,
    /// The policy's own number for it.
    pub bucket: u32,
    /// Who makes use of it.
    pub peer: Peer,
}

/// As whom a peer is counted: by what it proved of the Originator; by where it comes from if that is nothing, as anybody may
/// then name any Originator.
pub fn peer(proofs: &[Proof], address: IpAddr) -> Peer {
    let domain = proofs.iter().find_map(|proof| match proof {
        Proof::Dkim(domain) | Proof::Mtls(domain) => Some(domain),
        Proof::Submission(user) | Proof::Mail(user, _) => user.domain().ok(),
        _ => None,
    });
    match domain {
        Some(domain) => Peer::Domain(registrable(domain)),
        None => Peer::Network(network(address)),
    }
}

/// The same peer, by the domain that somebody has registered: sub-domains cost nothing, so they all count as one.
pub fn counted(peer: &Peer) -> Peer {
    match peer {
        Peer::Domain(domain) => Peer::Domain(registrable(domain)),
        network @ Peer::Network(_) => network.clone(),
    }
}

/// Counts what each key does against one rate.
struct KeyedLimiter<K: Hash + Eq + Clone> {
    rate: Rate,
    limiter: Mutex<Arc<Keyed<K>>>,
    asked: AtomicU32,
}

/// Over the limit; may be retried after this duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited(pub Duration);

impl<K: Hash + Eq + Clone> KeyedLimiter<K> {
    /// Lets each key do something at this rate.
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            limiter: Mutex::new(Arc::new(keyed(rate))),
            asked: AtomicU32::new(0),
        }
    }

    /// Counts one more of `key`, if it is not too many.
    fn admit(&self, key: &K) -> Result<(), RateLimited> {
        let limiter = self.limiter();
        if self.asked.fetch_add(1, Ordering::Relaxed) % LOOK_THROUGH == LOOK_THROUGH - 1 {
            self.forget(&limiter);
        }
        limiter.check_key(key).map_err(|until| {
            let now = governor::clock::DefaultClock::default().now();
            RateLimited(until.wait_time_from(now))
        })
    }

    fn forget(&self, limiter: &Keyed<K>) {
        limiter.retain_recent();
        if limiter.len() > MAX_KEYS {
            tracing::warn!(event = "rate-limiters-reset", rate = %self.rate, "too many peers to count; the counters of all peers are reset");
            let mut current = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(keyed(self.rate));
        }
    }

    fn limiter(&self) -> Arc<Keyed<K>> {
        self.limiter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn keyed<K: Hash + Eq + Clone>(rate: Rate) -> Keyed<K> {
    let between = rate.per() / rate.count().get();
    // A rate is at most 2^32 a second, so there is time between, if only a part of a nanosecond that rounds to none.
    let quota = Quota::with_period(between.max(Duration::from_nanos(1)))
        .expect("the time between two is not zero")
        .allow_burst(rate.count());
    RateLimiter::keyed(quota)
}

/// Limiters of rates that are not known beforehand.
pub struct KeyedLimiters<K: Hash + Eq + Clone>(Mutex<HashMap<Rate, Arc<KeyedLimiter<K>>>>);

impl<K: Hash + Eq + Clone> Default for KeyedLimiters<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> KeyedLimiters<K> {
    /// Counts one more of `key` against `rate`, if it is not too many.
    pub fn admit(&self, rate: Rate, key: &K) -> Result<(), RateLimited> {
        let limiter = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= MAX_RATES && !all.contains_key(&rate) {
                all.clear();
            }
            let new = || Arc::new(KeyedLimiter::new(rate));
            all.entry(rate).or_insert_with(new).clone()
        };
        limiter.admit(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::Domain;

    #[test]
    fn each_key_has_its_own_count() {
        let limiter = KeyedLimiter::new("3/h".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(limiter.admit(&"a"), Ok(()));
        }
        let RateLimited(wait) = limiter.admit(&"a").unwrap_err();
        assert!(wait > Duration::from_secs(1100) && wait <= Duration::from_secs(1200));
        assert_eq!(limiter.admit(&"b"), Ok(()));
    }

    #[test]
    fn the_fastest_and_the_slowest_rate_work() {
        for rate in ["4294967295/s", "1/d"] {
            assert_eq!(
                KeyedLimiter::new(rate.parse().unwrap()).admit(&1),
                Ok(()),
                "{rate}"
            );
        }
    }

    #[test]
    fn rates_are_counted_apart() {
        let limiters = KeyedLimiters::default();
        let [slow, fast] = ["1/h", "2/h"].map(|rate| rate.parse().unwrap());
        assert_eq!(limiters.admit(slow, &"a"), Ok(()));
        assert!(limiters.admit(slow, &"a").is_err());
        assert_eq!(limiters.admit(fast, &"a"), Ok(()));
    }

    #[test]
    fn sub_domains_are_one_peer() {
        let domain = |text: &str| text.parse::<Domain>().unwrap();
        let user = "mailto:anna@lab.example.org".parse().unwrap();
        let address = "::ffff:192.0.2.1".parse().unwrap();
        for (proofs, counted) in [
            (
                vec![Proof::Dkim(domain("a.lab.example.com"))],
                "example.com",
            ),
            (
                vec![Proof::Mtls(domain("s1.example.co.uk"))],
                "example.co.uk",
            ),
            (
                vec![Proof::Mtls(domain("x.anna.github.io"))],
                "anna.github.io",
            ),
            (vec![Proof::Mtls(domain("localhost"))], "localhost"),
            (vec![Proof::Submission(user)], "example.org"),
            (vec![], "192.0.2.1"),
        ] {
            let peer = peer(&proofs, address);
            assert_eq!(peer.to_string(), counted, "{proofs:?}");
        }
    }
}
