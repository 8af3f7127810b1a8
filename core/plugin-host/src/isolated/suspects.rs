//! Calls that are known to end processes, or to block their threads: made again, they are made apart from all others, so
//! that who makes them again and again costs the others no more than the first time.

use super::connection::{CallError, Reply};
use crate::origin::Origin;
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How many things an origin asks about that way until nothing of it is believed.
const SEVERAL: usize = 3;
/// How long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// How many are remembered; beyond, the oldest are forgotten.
const MOST: usize = 256;

/// What did harm lately: for whom it was asked, and about what.
#[derive(Default)]
pub(super) struct Suspects {
    any: AtomicBool,
    known: Mutex<HashMap<(Option<Origin>, String), Instant>>,
}

impl Suspects {
    /// Whether a call of the current task about `subject` is to be made apart.
    pub(super) fn include(&self, subject: &str) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let origin = Origin::current();
        let mut known = self.known();
        known.retain(|_, since| since.elapsed() < REMEMBERED);
        self.any.store(!known.is_empty(), Ordering::Relaxed);
        let of_origin = known.keys().filter(|(by, _)| *by == origin);
        let (mut this, mut all) = (false, 0);
        for (_, about) in of_origin {
            all += 1;
            this |= about == subject;
        }
        this || (origin.is_some() && all >= SEVERAL)
    }

    /// Takes note of what came of a call that was made.
    pub(super) fn note(&self, subject: &str, answer: &Reply) {
        let harmful = match answer {
            Err(CallError::Ended(_) | CallError::Blocked) => true,
            Ok(_) if self.any.load(Ordering::Relaxed) => false,
            _ => return,
        };
        let key = (Origin::current(), subject.to_owned());
        let mut known = self.known();
        if !harmful {
            known.remove(&key);
            return;
        }
        if known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                known.remove(&oldest);
            }
        }
        known.insert(key, Instant::now());
        self.any.store(true, Ordering::Relaxed);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Option<Origin>, String), Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::connection::Cause, *};
    use convoke_sdk::CalendarAddress;

    #[tokio::test]
    async fn who_does_harm_with_many_things_is_believed_in_none() {
        let suspects = Suspects::default();
        let harm = || Err(CallError::Ended(Cause::Unknown));
        let origin = |domain: &str| {
            let address = CalendarAddress::new(&format!("mailto:x@{domain}")).unwrap();
            Origin::of(&address, &[])
        };
        let include = |domain: &str, subject: &'static str| {
            origin(domain).ask(async { suspects.include(subject) })
        };
        let note = |subject: &'static str, answer| {
            let suspects = &suspects;
            origin("evil.example").ask(async move { suspects.note(subject, &answer) })
        };
        note("a", harm()).await;
        assert!(include("evil.example", "a").await);
        assert!(!include("evil.example", "d").await);
        assert!(!include("good.example", "a").await);
        note("a", Ok(Err(convoke_sdk::Error::not_found("nothing")))).await;
        assert!(!include("evil.example", "a").await);
        for subject in ["a", "b", "c"] {
            note(subject, harm()).await;
        }
        assert!(include("evil.example", "d").await);
        assert!(!include("good.example", "d").await);
        assert!(!suspects.include("a"));
    }
}
