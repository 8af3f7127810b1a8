//! Brute-force protection: one login attempt at a time per address, few in total, and exponential back-off after failures.
//!
//! A login that succeeded from an address before is counted separately, so that somebody else's guesses from the same
//! address (a proxy, say) do not lock it out. And the same wrong password again says nothing new to whoever guesses: a program that
//! has an outdated one and asks again and again is counted once, and does not lock out its user.

use crate::admission::RetryAfter;
use convoke_net::network::network;
use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::{
    sync::{OwnedMutexGuard, Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use uuid::Uuid;

/// So many failures are free: people mistype.
const FREE: u32 = 5;
/// After them an address waits this long, then twice as long, and so on.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Of this machine: a proxy may stand there, with everybody behind it.
const LONGEST_LOCAL_WAIT: Duration = Duration::from_secs(10);
/// Without a failure for so long an address starts anew.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// How long an attempt waits for others from the same source.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses, and logins of addresses, remembered at once.
const REMEMBERED: usize = 10_000;
/// Wrong passwords of one source that are known again.
const WRONG: usize = 8;

/// Attempts to log in.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// Of this process.
    key: Uuid,
    seen: Mutex<HashMap<Source, Seen>>,
    verifying: Semaphore,
    failures: Counter,
}

impl Default for Attempts {
    fn default() -> Self {
        // Half of the processors: verifying is slow on purpose, and others have work, too.
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self {
            key: Uuid::new_v4(),
            seen: Mutex::default(),
            verifying: Semaphore::new((processors / 2).max(1)),
            failures: Counter::default(),
        }
    }
}

/// Who is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Address(IpAddr),
    /// A login that succeeded from there.
    Known(IpAddr, String),
}

/// What somebody tried to log in with: a digest under a key of this process, by which it is known again, and by nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guess([u8; 32]);

#[derive(Debug, Default)]
struct Seen {
    failures: u32,
    last: Option<Instant>,
    /// What was wrong, and when it was last tried, which is the order.
    wrong: Vec<(Guess, Instant)>,
    until: Option<Instant>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// An attempt in progress; no other one from the same source runs meanwhile.
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    address: IpAddr,
    source: Source,
    _exclusive: OwnedMutexGuard<()>,
    _verifying: SemaphorePermit<'a>,
}

impl Attempts {
    /// Waits until an attempt to log in as `login` may be made; fails with a Retry-After if there were too many.
    pub(super) async fn begin(
        &self,
        address: IpAddr,
        login: &str,
    ) -> Result<Attempt<'_>, RetryAfter> {
        let address = network(address);
        let source = self.source(address, login);
        self.check(&source)?;
        let wait = async {
            let exclusive = self.lock_of(&source).lock_owned().await;
            // What failed meanwhile counts.
            self.check(&source)?;
            let verifying = self.verifying.acquire().await;
            Ok::<_, RetryAfter>((exclusive, verifying.expect("the semaphore is never closed")))
        };
        let busy = |_| RetryAfter::unavailable("too many log in at once");
        let (exclusive, verifying) = timeout(PATIENCE, wait).await.map_err(busy)??;
        Ok(Attempt {
            attempts: self,
            address,
            source,
            _exclusive: exclusive,
            _verifying: verifying,
        })
    }

    /// Whether an attempt as `login` would have to wait.
    pub(crate) fn check_login(&self, address: IpAddr, login: &str) -> Result<(), RetryAfter> {
        let address = network(address);
        self.check(&self.source(address, login))
    }

    /// What stands for these credentials.
    pub(crate) fn guess(&self, credentials: &[&[u8]]) -> Guess {
        let mut digest = Sha256::new_with_prefix(self.key.as_bytes());
        for part in credentials {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Guess(digest.finalize().into())
    }

    /// Whether the same was wrong a while ago.
    pub(super) fn is_wrong_again(&self, address: IpAddr, login: &str, guess: Guess) -> bool {
        let source = self.source(network(address), login);
        let mut seen = self.seen();
        let known = seen.0.get_mut(&source);
        known.is_some_and(|it| it.is_wrong_again(guess))
    }

    /// Attempts that failed, from wherever, without those that were the same again.
    pub(crate) const fn failures(&self) -> &Counter {
        &self.failures
    }

    /// Counts a failure that cost nothing, such as a wrong token; whether it is another one than before.
    pub(super) fn failed(&self, address: IpAddr, guess: Guess) -> bool {
        let address = network(address);
        self.note_failure(&Source::Address(address), address, guess)
    }

    fn note_failure(&self, source: &Source, address: IpAddr, guess: Guess) -> bool {
        let is_new = self.seen().fail(source, address, guess);
        if is_new {
            self.failures.inc();
        }
        is_new
    }

    /// A login that somebody else looked at was refused; whether it is another one than before.
    #[cfg(feature = "caldav")]
    pub(crate) fn note_refused(&self, address: IpAddr, login: &str, guess: Guess) -> bool {
        let address = network(address);
        let source = self.source(address, login);
        self.note_failure(&source, address, guess)
    }

    /// A login that somebody else looked at was right: from now on it is counted apart from others of its address.
    #[cfg(feature = "caldav")]
    pub(crate) fn note_right(&self, address: IpAddr, login: &str) {
        let known = Source::Known(network(address), login.to_owned());
        let mut seen = self.seen();
        seen.entry(&known).last = Some(Instant::now());
    }

    /// Whether this login was right from there before.
    #[cfg(feature = "caldav")]
    pub(crate) fn is_familiar(&self, address: IpAddr, login: &str) -> bool {
        matches!(self.source(network(address), login), Source::Known(..))
    }

    fn source(&self, address: IpAddr, login: &str) -> Source {
        let known = Source::Known(address, login.to_owned());
        if self.seen().0.contains_key(&known) {
            known
        } else {
            Source::Address(address)
        }
    }

    fn check(&self, source: &Source) -> Result<(), RetryAfter> {
        let now = Instant::now();
        match self.seen().0.get(source).and_then(|seen| seen.until) {
            Some(until) if now < until => Err(RetryAfter {
                status: StatusCode::TOO_MANY_REQUESTS,
                after: until - now,
                reason: "too many attempts to log in failed".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn lock_of(&self, source: &Source) -> Arc<tokio::sync::Mutex<()>> {
        self.seen().entry(source).lock.clone()
    }

    fn seen(&self) -> All<'_> {
        All(self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Attempt<'_> {
    /// It was right: from now on this login is counted apart from others of its address.
    pub(super) fn succeeded(self, login: &str) {
        let known = Source::Known(self.address, login.to_owned());
        let mut seen = self.attempts.seen();
        seen.entry(&known).last = Some(Instant::now());
    }

    /// It was wrong; whether it is another one than before.
    pub(super) fn failed(self, guess: Guess) -> bool {
        (self.attempts).note_failure(&self.source, self.address, guess)
    }
}

impl Seen {
    /// Whether the same was wrong a while ago. For as long as it is tried it is remembered.
    fn is_wrong_again(&mut self, guess: Guess) -> bool {
        let now = Instant::now();
        self.wrong.retain(|(_, last)| now - *last < FORGOTTEN);
        let place = self.wrong.iter().position(|(it, _)| *it == guess);
        if let Some(place) = place {
            self.wrong.remove(place);
            self.wrong.push((guess, now));
        }
        place.is_some()
    }

    fn note_wrong(&mut self, guess: Guess) {
        if self.wrong.len() >= WRONG {
            self.wrong.remove(0);
        }
        self.wrong.push((guess, Instant::now()));
    }
}

struct All<'a>(MutexGuard<'a, HashMap<Source, Seen>>);

impl All<'_> {
    fn entry(&mut self, source: &Source) -> &mut Seen {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(source) {
            self.make_room();
        }
        self.0.entry(source.clone()).or_default()
    }

    /// Counts a failure, if it is another one than before.
    fn fail(&mut self, source: &Source, address: IpAddr, guess: Guess) -> bool {
        let longest = if address.is_loopback() {
            LONGEST_LOCAL_WAIT
        } else {
            LONGEST_WAIT
        };
        let now = Instant::now();
        let seen = self.entry(source);
        if seen.is_wrong_again(guess) {
            return false;
        }
        seen.note_wrong(guess);
        if seen.last.is_some_and(|last| now - last >= FORGOTTEN) {
            seen.failures = 0;
        }
        seen.failures = seen.failures.saturating_add(1);
        seen.last = Some(now);
        if let Some(more) = seen.failures.checked_sub(FREE) {
            let wait = FIRST_WAIT.saturating_mul(1 << more.min(20)).min(longest);
            seen.until = Some(now + wait);
        }
        true
    }

    /// Forgets what is old; if that is not enough, whoever failed least.
    fn make_room(&mut self) {
        let now = Instant::now();
        let kept = |seen: &Seen| seen.last.is_some_and(|last| now - last < FORGOTTEN);
        self.0
            .retain(|_, seen| kept(seen) || Arc::strong_count(&seen.lock) > 1);
        if self.0.len() < REMEMBERED {
            return;
        }
        let mut order: Vec<(u32, Option<Instant>, Source)> = (self.0.iter())
            .map(|(source, seen)| (seen.failures, seen.last, source.clone()))
            .collect();
        order.sort_unstable_by_key(|(failures, last, _)| (*failures, *last));
        for (_, _, source) in order.into_iter().take(REMEMBERED / 4) {
            self.0.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Each time with another password.
    async fn fail(attempts: &Attempts, address: IpAddr, times: u32) {
        for _ in 0..times {
            let attempt = loop {
                match attempts.begin(address, "anna").await {
                    Ok(attempt) => break attempt,
                    Err(later) => tokio::time::sleep(later.after).await,
                }
            };
            let other = Uuid::new_v4();
            assert!(attempt.failed(attempts.guess(&[other.as_bytes()])));
        }
    }

    fn wait(attempts: &Attempts, address: IpAddr, login: &str) -> Option<u64> {
        let checked = attempts.check_login(address, login);
        checked.err().map(|later| later.seconds())
    }

    /// Virtual time.
    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end() {
        let attempts = Attempts::default();
        fail(&attempts, FAR, FREE - 1).await;
        assert_eq!(wait(&attempts, FAR, "anna"), None);
        for expected in [1, 2, 4, 8] {
            fail(&attempts, FAR, 1).await;
            assert_eq!(wait(&attempts, FAR, "anna"), Some(expected));
            assert_eq!(wait(&attempts, FAR, "bo"), Some(expected));
            assert_eq!(wait(&attempts, OTHER, "anna"), None);
        }
        fail(&attempts, FAR, 20).await;
        assert_eq!(wait(&attempts, FAR, "anna"), Some(300));
        tokio::time::sleep(FORGOTTEN).await;
        fail(&attempts, FAR, 1).await;
        assert_eq!(wait(&attempts, FAR, "anna"), None);
        fail(&attempts, HERE, 20).await;
        assert_eq!(wait(&attempts, HERE, "anna"), Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn who_logged_in_before_is_counted_apart() {
        let attempts = Attempts::default();
        let bo = attempts.begin(HERE, "bo").await.ok().unwrap();
        bo.succeeded("bo");
        fail(&attempts, HERE, FREE).await;
        assert!(wait(&attempts, HERE, "anna").is_some());
        assert_eq!(wait(&attempts, HERE, "bo"), None);
        for n in 0..FREE {
            let guess = attempts.guess(&[&n.to_be_bytes()]);
            let attempt = attempts.begin(HERE, "bo").await;
            attempt.ok().unwrap().failed(guess);
        }
        assert!(wait(&attempts, HERE, "bo").is_some(), "but not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_wrong_password_counts_once() {
        let attempts = Attempts::default();
        let of = |login: &str, password: &str| {
            let guess = attempts.guess(&[login.as_bytes(), password.as_bytes()]);
            (guess, attempts.failed(FAR, guess))
        };
        assert!(of("anna", "old").1);
        for _ in 0..100 {
            // An outdated program that asks each minute.
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(!of("anna", "old").1);
        }
        assert_eq!(wait(&attempts, FAR, "anna"), None);
        assert_eq!(attempts.failures().get(), 1);
        // What is another one counts: of somebody else, or from elsewhere.
        assert!(of("bo", "old").1);
        assert!(attempts.failed(OTHER, of("anna", "old").0));
        let others = ["1", "2", "3"].map(|it| of("anna", it).1);
        assert_eq!(others, [true; 3]);
        assert_eq!(wait(&attempts, FAR, "anna"), None);
        assert!(of("anna", "4").1);
        assert!(wait(&attempts, FAR, "anna").is_some());
        // It is forgotten when nobody tries it any more.
        tokio::time::sleep(FORGOTTEN).await;
        assert!(of("anna", "old").1);
        for n in 0_usize..100 {
            of("anna", &n.to_string());
        }
        let seen = attempts.seen();
        assert_eq!(seen.0[&Source::Address(FAR)].wrong.len(), WRONG);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let attempts = Attempts::default();
        fail(&attempts, FAR, FREE).await;
        for n in 0..30_000_u32 {
            attempts.failed(IpAddr::V4((0x0a00_0000 + n).into()), attempts.guess(&[]));
        }
        assert!(attempts.seen().0.len() <= REMEMBERED);
        assert!(
            wait(&attempts, FAR, "anna").is_some(),
            "who failed most stays"
        );
    }
}
