//! A plugin that keeps failing is skipped for a while, so that its callers need not wait for it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Failures in a row after which a plugin is skipped.
const FAILURES: u32 = 5;
/// How long it is skipped the first time; each further time doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// How long it is skipped at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Counts a plugin's failures, and decides whether it is asked.
#[derive(Debug, Default)]
pub struct Breaker {
    /// In a row. Zero is the common case, which takes no lock.
    failures: AtomicU32,
    tripped: AtomicBool,
    state: Mutex<Option<Tripped>>,
}

#[derive(Debug)]
struct Tripped {
    until: Instant,
    pause: Duration,
    /// One call is on its way to see whether the plugin answers again.
    probing: bool,
    reason: String,
}

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
    /// From now on the plugin is skipped for this long.
    Tripped(Duration),
    /// The plugin answers again.
    Recovered,
}

impl Breaker {
    /// Whether the plugin may be asked now.
    pub fn admit(&self) -> Result<Attempt<'_>, Skipped> {
        if !self.tripped.load(Ordering::Acquire) {
            return Ok(self.attempt(false));
        }
        let mut state = self.lock();
        let Some(tripped) = state.as_mut() else {
            return Ok(self.attempt(false));
        };
        let left = tripped.until.saturating_duration_since(Instant::now());
        if left.is_zero() && !tripped.probing {
            tripped.probing = true;
            return Ok(self.attempt(true));
        }
        Err(Skipped {
            reason: tripped.reason.clone(),
            left,
        })
    }

    /// Why the plugin is not asked, if so; for people who look.
    pub fn skipped(&self) -> Option<Skipped> {
        self.lock().as_ref().map(|tripped| Skipped {
            reason: tripped.reason.clone(),
            left: tripped.until.saturating_duration_since(Instant::now()),
        })
    }

    fn attempt(&self, probe: bool) -> Attempt<'_> {
        Attempt {
            breaker: self,
            probe,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tripped>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self) -> Turn {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if !self.tripped.load(Ordering::Acquire) {
            return Turn::None;
        }
        let mut state = self.lock();
        self.tripped.store(false, Ordering::Release);
        match state.take() {
            Some(_) => Turn::Recovered,
            None => Turn::None,
        }
    }

    fn failed(&self, probe: bool, reason: &str) -> Turn {
        let failures = self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |failures| {
                Some(failures.saturating_add(1))
            })
            .unwrap_or_else(|failures| failures)
            .saturating_add(1);
        let mut state = self.lock();
        let pause = match state.as_ref() {
            // Calls that were on their way when it tripped say nothing new.
            Some(_) if !probe => return Turn::None,
            Some(tripped) => (tripped.pause * 2).min(LONGEST_PAUSE),
            None if failures < FAILURES => return Turn::None,
            None => FIRST_PAUSE,
        };
        *state = Some(Tripped {
            until: Instant::now() + pause,
            pause,
            probing: false,
            reason: reason.to_owned(),
        });
        self.tripped.store(true, Ordering::Release);
        Turn::Tripped(pause)
    }
}

/// A call that was let through. Dropped unsettled, as when the peer went away, it says nothing about the plugin.
#[derive(Debug)]
pub struct Attempt<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Attempt<'_> {
    /// Takes note of how the call went: `fault` is what the plugin is to blame for.
    pub fn settle(mut self, fault: Option<&str>) -> Turn {
        let probe = std::mem::take(&mut self.probe);
        match fault {
            None => self.breaker.succeeded(),
            Some(reason) => self.breaker.failed(probe, reason),
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.probe
            && let Some(tripped) = self.breaker.lock().as_mut()
        {
            tripped.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker) -> Turn {
        breaker.admit().unwrap().settle(Some("down"))
    }

    #[tokio::test(start_paused = true)]
    async fn after_five_failures_in_a_row_it_rests_longer_each_time() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            assert_eq!(fail(&breaker), Turn::None);
        }
        assert_eq!(breaker.admit().unwrap().settle(None), Turn::None);
        for _ in 0..4 {
            assert_eq!(fail(&breaker), Turn::None);
        }
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            let pause = Duration::from_secs(seconds);
            assert_eq!(fail(&breaker), Turn::Tripped(pause));
            assert_eq!(breaker.admit().unwrap_err().left, pause);
            tokio::time::advance(pause).await;
        }
        assert_eq!(breaker.admit().unwrap().settle(None), Turn::Recovered);
        assert_eq!(breaker.skipped(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_at_a_time_tries_whether_it_answers_again() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            fail(&breaker);
        }
        tokio::time::advance(FIRST_PAUSE).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(breaker.admit().unwrap_err().reason, "down");
        drop(probe);
        assert!(breaker.admit().is_ok());
    }
}
