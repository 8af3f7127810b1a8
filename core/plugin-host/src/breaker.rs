//! A plugin that keeps failing is skipped for a while, so that its callers need not wait for it: by those for whom it
//! fails, as anybody can send what a plugin cannot stand.
//!
//! Failures in a row are counted for each origin and what it asks about (an address, a calendar user); after five of
//! them the plugin is skipped for that. If an origin fails with several such things, it is skipped for the whole origin.
//! Only what several origins share, about several things, with no success of anybody between, is a failure of the plugin
//! itself: then one failure is enough for each origin that asks. So nobody is refused whose own calls did not fail.

use super::origin::Origin;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Failures in a row after which a plugin is skipped.
const FAILURES: u32 = 5;
/// How many origins, and how many things asked about, make a failure a common one.
const SEVERAL: usize = 3;
/// How long it is skipped the first time; each further time doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// How long it is skipped at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Records kept at once; beyond, those that hold nobody back are forgotten.
const MAX_RECORDS: usize = 4096;

/// Counts a plugin's failures, and decides whether it is asked.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Whether anything failed that was not made good. If not, which is the common case, no lock is taken.
    failing: AtomicBool,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: HashMap<Key, Record>,
    /// Since the last success of anybody.
    common: Common,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// An origin, whatever it asks about.
    Origin(u64),
    /// An origin, and what it asks about.
    Subject(u64, u64),
}

#[derive(Debug, Default)]
struct Record {
    /// In a row.
    failures: u32,
    /// Some of the things that failed.
    subjects: Few,
    tripped: Option<Tripped>,
    /// Made on the host's own behalf.
    by_host: bool,
}

#[derive(Debug)]
struct Tripped {
    until: Instant,
    pause: Duration,
    /// One call is on its way to see whether the plugin answers again.
    probing: bool,
    reason: String,
}

#[derive(Debug, Default)]
struct Common {
    origins: Few,
    subjects: Few,
}

/// A few different values; no more than matter.
#[derive(Debug, Default)]
struct Few(Vec<u64>);

/// A plugin is being skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What it said last.
    pub reason: String,
    /// How long it is not asked yet.
    pub left: Duration,
}

/// What a settled call meant for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing changed.
    None,
    /// From now on the plugin is skipped for this long, by those of whom this call was one.
    Tripped(Duration),
    /// The plugin answers again.
    Recovered,
}

impl Breaker {
    /// Whether the plugin may be asked now, on the current task's behalf, about `subject`.
    pub fn admit<'a>(&'a self, subject: &'a str) -> Result<Attempt<'a>, Skipped> {
        let mut attempt = Attempt {
            breaker: self,
            subject,
            probe: false,
        };
        if !self.failing.load(Ordering::Acquire) {
            return Ok(attempt);
        }
        let (_, keys) = self.keys(subject);
        let mut state = self.lock();
        for key in keys {
            let record = state.records.get(&key);
            if let Some(tripped) = record.and_then(|record| record.tripped.as_ref()) {
                let skipped = tripped.skipped();
                if tripped.probing || !skipped.left.is_zero() {
                    return Err(skipped);
                }
            }
        }
        for key in keys {
            let record = state.records.get_mut(&key);
            if let Some(tripped) = record.and_then(|record| record.tripped.as_mut()) {
                tripped.probing = true;
                attempt.probe = true;
            }
        }
        Ok(attempt)
    }

    /// Why the plugin is not asked, if it fails for several origins or for the host itself; for people who look.
    pub fn skipped(&self) -> Option<Skipped> {
        let state = self.lock();
        let common = state.common.is_common();
        let tripped = state.records.values();
        let tripped = tripped.filter(|record| common || record.by_host);
        let skipped = tripped.filter_map(|record| Some(record.tripped.as_ref()?.skipped()));
        skipped.max_by_key(|skipped| skipped.left)
    }

    /// The origin, and what is counted for a call.
    fn keys(&self, subject: &str) -> (Option<Origin>, [Key; 2]) {
        let origin = Origin::current();
        let by = self.hasher.hash_one(&origin);
        let keys = [
            Key::Subject(by, self.hasher.hash_one(subject)),
            Key::Origin(by),
        ];
        (origin, keys)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self, subject: &str) -> Turn {
        if !self.failing.load(Ordering::Acquire) {
            return Turn::None;
        }
        let (_, keys) = self.keys(subject);
        let mut state = self.lock();
        state.common = Common::default();
        let mut turn = Turn::None;
        for key in keys {
            let record = state.records.remove(&key);
            if record.is_some_and(|record| record.tripped.is_some()) {
                turn = Turn::Recovered;
            }
        }
        let failing = !state.records.is_empty();
        self.failing.store(failing, Ordering::Release);
        turn
    }

    fn failed(&self, subject: &str, probe: bool, reason: &str) -> Turn {
        let (origin, keys) = self.keys(subject);
        let mut state = self.lock();
        self.failing.store(true, Ordering::Release);
        let (by, about) = match keys[0] {
            Key::Subject(by, about) => (by, about),
            Key::Origin(by) => (by, by),
        };
        state.common.origins.add(by);
        state.common.subjects.add(about);
        let common = state.common.is_common();
        state.make_room();
        let mut turn = Turn::None;
        for key in keys {
            let record = state.records.entry(key).or_default();
            record.by_host = origin.is_none();
            record.failures = record.failures.saturating_add(1);
            record.subjects.add(about);
            if let Some(pause) = record.pause(key, probe, common) {
                record.tripped = Some(Tripped {
                    until: Instant::now() + pause,
                    pause,
                    probing: false,
                    reason: reason.to_owned(),
                });
                turn = Turn::Tripped(pause);
            }
        }
        turn
    }
}

impl State {
    fn make_room(&mut self) {
        if self.records.len() < MAX_RECORDS {
            return;
        }
        let now = Instant::now();
        let holds_back = |tripped: &Tripped| tripped.until > now || tripped.probing;
        self.records
            .retain(|_, record| record.tripped.as_ref().is_some_and(holds_back));
        if self.records.len() >= MAX_RECORDS {
            self.records.clear();
        }
    }
}

impl Record {
    /// For how long the plugin is skipped from now on; `None` if nothing changes.
    fn pause(&self, key: Key, probe: bool, common: bool) -> Option<Duration> {
        let enough = match key {
            Key::Subject(..) => self.failures >= FAILURES,
            Key::Origin(_) => self.failures >= FAILURES && self.subjects.are_several(),
        };
        match &self.tripped {
            Some(tripped) if probe => Some((tripped.pause * 2).min(LONGEST_PAUSE)),
            // Calls that were on their way when it tripped say nothing new.
            Some(_) => None,
            None => (enough || common).then_some(FIRST_PAUSE),
        }
    }
}

impl Tripped {
    fn skipped(&self) -> Skipped {
        Skipped {
            reason: self.reason.clone(),
            left: self.until.saturating_duration_since(Instant::now()),
        }
    }
}

impl Common {
    fn is_common(&self) -> bool {
        self.origins.are_several() && self.subjects.are_several()
    }
}

impl Few {
    fn add(&mut self, value: u64) {
        if self.0.len() < SEVERAL && !self.0.contains(&value) {
            self.0.push(value);
        }
    }

    fn are_several(&self) -> bool {
        self.0.len() >= SEVERAL
    }
}

/// A call that was let through. Dropped unsettled, as when the peer went away, it says nothing about the plugin.
#[derive(Debug)]
pub struct Attempt<'a> {
    breaker: &'a Breaker,
    subject: &'a str,
    probe: bool,
}

impl Attempt<'_> {
    /// Takes note of how the call went: `fault` is what the plugin is to blame for.
    pub fn settle(mut self, fault: Option<&str>) -> Turn {
        let probe = std::mem::take(&mut self.probe);
        match fault {
            None => self.breaker.succeeded(self.subject),
            Some(reason) => self.breaker.failed(self.subject, probe, reason),
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.probe {
            return;
        }
        let (_, keys) = self.breaker.keys(self.subject);
        let mut state = self.breaker.lock();
        for key in keys {
            let record = state.records.get_mut(&key);
            if let Some(tripped) = record.and_then(|record| record.tripped.as_mut()) {
                tripped.probing = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_sdk::CalendarAddress;

    /// A call of somebody at `domain` about `subject`; `None` if the plugin is skipped.
    async fn call(
        breaker: &Breaker,
        domain: &str,
        subject: &str,
        fault: Option<&str>,
    ) -> Option<Turn> {
        let address = format!("mailto:x@{domain}");
        let origin = Origin::of(&CalendarAddress::new(&address).unwrap(), &[]);
        let call = async { Some(breaker.admit(subject).ok()?.settle(fault)) };
        origin.ask(call).await
    }

    fn fail(breaker: &Breaker) -> Turn {
        breaker.admit("anna").unwrap().settle(Some("down"))
    }

    #[tokio::test(start_paused = true)]
    async fn after_five_failures_in_a_row_it_rests_longer_each_time() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            assert_eq!(fail(&breaker), Turn::None);
        }
        assert_eq!(breaker.admit("anna").unwrap().settle(None), Turn::None);
        for _ in 0..4 {
            assert_eq!(fail(&breaker), Turn::None);
        }
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(fail(&breaker), Turn::Tripped(pause));
            assert_eq!(breaker.admit("anna").unwrap_err().left, pause);
            assert_eq!(breaker.skipped().unwrap().left, pause);
            tokio::time::advance(pause).await;
        }
        assert_eq!(breaker.admit("anna").unwrap().settle(None), Turn::Recovered);
        assert_eq!(breaker.skipped(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_at_a_time_tries_whether_it_answers_again() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            fail(&breaker);
        }
        tokio::time::advance(FIRST_PAUSE).await;
        let probe = breaker.admit("anna").unwrap();
        assert_eq!(breaker.admit("anna").unwrap_err().reason, "down");
        drop(probe);
        assert!(breaker.admit("anna").is_ok());
    }

    #[tokio::test]
    async fn what_one_origin_cannot_have_is_nobody_elses_loss() {
        let breaker = Breaker::default();
        for _ in 0..50 {
            call(&breaker, "evil.example", "anna", Some("poison")).await;
        }
        assert_eq!(call(&breaker, "evil.example", "anna", None).await, None);
        // It asked about one thing only, so it may be the thing.
        let other = call(&breaker, "evil.example", "bo", None).await;
        assert_eq!(other, Some(Turn::None));
        // Others are asked, also about the same thing.
        let same = call(&breaker, "good.example", "anna", None).await;
        assert_eq!(same, Some(Turn::None));
        assert_eq!(breaker.skipped(), None);
        for n in 0..50 {
            call(
                &breaker,
                "evil.example",
                &format!("user-{n}"),
                Some("poison"),
            )
            .await;
        }
        assert_eq!(call(&breaker, "evil.example", "cy", None).await, None);
        assert!(call(&breaker, "good.example", "cy", None).await.is_some());
    }

    #[tokio::test]
    async fn what_fails_for_several_is_tried_once_by_each() {
        let breaker = Breaker::default();
        for (domain, subject) in [
            ("a.example", "anna"),
            ("b.example", "bo"),
            ("c.example", "cy"),
        ] {
            call(&breaker, domain, subject, Some("down")).await;
        }
        assert!(breaker.skipped().is_some());
        let first = call(&breaker, "d.example", "di", Some("down")).await;
        assert_eq!(first, Some(Turn::Tripped(FIRST_PAUSE)));
        assert_eq!(call(&breaker, "d.example", "ed", None).await, None);
        // It answers somebody, so it is well.
        assert!(call(&breaker, "e.example", "ed", None).await.is_some());
        assert_eq!(breaker.skipped(), None);
    }

    #[tokio::test]
    async fn what_many_ask_about_one_thing_says_nothing_of_another() {
        let breaker = Breaker::default();
        for n in 0..20 {
            let domain = format!("d{n}.example");
            call(&breaker, &domain, "dead.example", Some("no answer")).await;
        }
        let other = call(&breaker, "d0.example", "alive.example", None).await;
        assert_eq!(other, Some(Turn::None));
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let breaker = Breaker::default();
        for n in 0..2 * MAX_RECORDS {
            call(&breaker, &format!("d{n}.example"), "anna", Some("down")).await;
        }
        assert!(breaker.lock().records.len() <= MAX_RECORDS + 2);
    }
}
