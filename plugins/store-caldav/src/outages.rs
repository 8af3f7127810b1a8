//! Which servers do not answer: all of a server's accounts wait for the one that asks it whether it is back.

use convoke_sdk::tracing;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The first pause before a server is asked again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(30));

/// Servers that did not answer the last time, by origin.
#[derive(Default)]
pub(crate) struct Outages(Mutex<HashMap<String, Outage>>);

struct Outage {
    pause: Duration,
    /// When somebody may ask again who need not.
    until: Instant,
    /// Somebody asks, or has asked, since.
    is_asked: bool,
    is_logged: bool,
}

impl Outages {
    /// The server answered.
    pub(crate) fn over(&self, origin: &str) {
        let over = self.lock().remove(origin);
        if over.is_some_and(|it| it.is_logged) {
            tracing::info!(event = "server-answers", "{origin} answers again");
        }
    }

    /// The server did not answer, or answered with a failure of its own.
    pub(crate) fn note(&self, origin: &str) {
        let mut outages = self.lock();
        let outage = outages.entry(origin.to_owned()).or_insert(Outage {
            pause: PAUSES.0 / 2,
            until: Instant::now(),
            is_asked: true,
            is_logged: false,
        });
        // Several may find out at once.
        if std::mem::take(&mut outage.is_asked) {
            outage.pause = (outage.pause * 2).min(PAUSES.1);
            outage.until = Instant::now() + outage.pause;
        }
    }

    /// Whether somebody who need not may ask the server. Of several who ask one that is down, one may.
    pub(crate) fn may_ask(&self, origin: &str) -> bool {
        let now = Instant::now();
        match self.lock().get_mut(origin) {
            None => true,
            Some(outage) if outage.until <= now => {
                outage.until = now + outage.pause;
                outage.is_asked = true;
                true
            }
            Some(_) => false,
        }
    }

    /// Whether all servers answer, as far as is known.
    pub(crate) fn is_none(&self) -> bool {
        self.lock().is_empty()
    }

    /// Until when nobody may; `None` if the server is up.
    pub(crate) fn until(&self, origin: &str) -> Option<Instant> {
        self.lock().get(origin).map(|it| it.until)
    }

    /// Whether this is the first who logs the outage.
    pub(crate) fn log_once(&self, origin: &str) -> bool {
        let mut outages = self.lock();
        let outage = outages.get_mut(origin);
        outage.is_some_and(|it| !std::mem::replace(&mut it.is_logged, true))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_one_asks_a_server_that_is_down_ever_more_seldom() {
        const SERVER: &str = "https://dav.example.org";
        let outages = Outages::default();
        assert!(outages.may_ask(SERVER) && outages.may_ask(SERVER) && outages.is_none());
        for _ in 0..8 {
            outages.note(SERVER);
        }
        for pause in [3, 6, 12, 24, 30, 30] {
            let left = outages.until(SERVER).unwrap() - Instant::now();
            assert_eq!(left.as_secs(), pause);
            assert!(!outages.may_ask(SERVER), "{pause}");
            tokio::time::advance(left).await;
            assert!(outages.may_ask(SERVER), "{pause}");
            assert!(!outages.may_ask(SERVER), "{pause}: one does");
            outages.note(SERVER);
        }
        assert!(outages.log_once(SERVER) && !outages.log_once(SERVER));
        assert!(outages.may_ask("https://other.example.org"));
        outages.over(SERVER);
        assert!(outages.may_ask(SERVER) && outages.is_none());
    }
}
