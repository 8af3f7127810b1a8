//! Whether this host may send what waits, among several that share a state.
//!
//! A host that cannot renew its lease in time sends nothing until it can: others may believe that it is gone. What it measures by is
//! its own clock, which goes on while it is paused, from before each renewal on; what others believe it by is the clock of the
//! state, from after that on. So it stops believing in its lease before others do.

use convoke_scheduling::LEASE;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// After so long without a renewal nothing is sent: what is on its way then has the rest of the lease to get there.
const TRUSTED: Duration = Duration::from_secs(LEASE.as_secs() * 2 / 3);

/// Whether this host may send.
#[derive(Default)]
pub(crate) struct Lease {
    held: Mutex<Held>,
    notify: Notify,
}

/// How far a lease is held.
#[derive(Clone, Copy, Default)]
pub(crate) enum Held {
    #[default]
    Not,
    /// The last renewal that was made began then.
    Since(Instant),
    /// Nobody else can send what waits.
    Alone,
}

impl Held {
    /// Until when; `None` for ever.
    fn until(self) -> Option<Instant> {
        match self {
            // Long enough ago.
            Self::Not => Some(Instant::now()),
            Self::Since(renewed) => Some(renewed + TRUSTED),
            Self::Alone => None,
        }
    }
}

impl Lease {
    /// Whether nobody else can believe that this host is gone.
    pub(crate) fn is_held(&self) -> bool {
        let until = self.held().until();
        until.is_none_or(|until| Instant::now() < until)
    }

    /// Returns after the next renewal.
    pub(crate) async fn renewal(&self) {
        self.notify.notified().await;
    }

    /// Does something as long as the lease is held; `None` once it is not. A host that was paused in the middle and wakes up does
    /// nothing more of it: the lease is looked at before each step.
    pub(crate) async fn while_held<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let until = self.held().until();
            let mut over = pin!(async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            });
            let step = poll_fn(|context| {
                if !self.is_held() {
                    return Poll::Ready(Step::Over);
                }
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(Step::Done(done));
                }
                over.as_mut().poll(context).map(|()| Step::Renewed)
            });
            match step.await {
                Step::Done(done) => return Some(done),
                Step::Over => return None,
                // It was renewed meanwhile, or is over: the next look tells.
                Step::Renewed => {}
            }
        }
    }

    /// How far it is held from now on.
    pub(crate) fn is(&self, held: Held) {
        *self.held() = held;
        self.notify.notify_waiters();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a step of work that a lease allows.
enum Step<T> {
    Done(T),
    Over,
    Renewed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_the_lease_and_not_before() {
        let lease = Lease::default();
        let nothing = lease.while_held(std::future::ready(())).await;
        assert_eq!(nothing, None, "there is no lease yet");
        lease.is(Held::Since(Instant::now()));
        let begun = Instant::now();
        let renewing = async {
            sleep(TRUSTED / 2).await;
            lease.is(Held::Since(Instant::now()));
        };
        let (over, ()) = tokio::join!(lease.while_held(std::future::pending::<()>()), renewing);
        assert_eq!(over, None);
        assert_eq!(begun.elapsed(), TRUSTED + TRUSTED / 2);
        lease.is(Held::Alone);
        let work = async {
            sleep(TRUSTED * 9).await;
            9
        };
        assert_eq!(lease.while_held(work).await, Some(9));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_paused_does_nothing_more() {
        let lease = Lease::default();
        lease.is(Held::Since(Instant::now()));
        let steps = Cell::new(0);
        let work = poll_fn(|context| {
            steps.set(steps.get() + 1);
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        let mut held = pin!(lease.while_held(work));
        let mut once = async || poll_fn(|context| Poll::Ready(held.as_mut().poll(context))).await;
        assert!(once().await.is_pending());
        tokio::time::advance(TRUSTED).await;
        assert!(once().await.is_ready());
        assert_eq!(steps.get(), 1);
    }
}
