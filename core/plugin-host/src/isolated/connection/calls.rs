//! The calls that are on their way to one process, and who waits for their answers.

use super::{CallError, Cause, Reply};
use crate::isolated::protocol::Pulse;
use convoke_sdk::{Result, remote::Answered};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

/// How long a process may take to give up a call whose deadline has passed. One that takes longer blocks a thread.
const GRACE: Duration = Duration::from_secs(1);

/// Calls and pings by number.
#[derive(Default)]
pub(super) struct Calls {
    waiting: Mutex<Waiting>,
    settled: Notify,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, Waiter>,
    pings: HashMap<u64, oneshot::Sender<()>>,
    closed: bool,
    /// Calls block all threads; another process takes new ones.
    blocked: bool,
}

struct Waiter {
    reply: oneshot::Sender<Reply>,
    /// When the process must have given it up.
    latest: Instant,
    /// Nobody waits any more, but the process has not yet given it up.
    abandoned: bool,
}

impl Waiting {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Calls {
    /// Whether the process has ended.
    pub(super) fn are_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Whether another one may be made.
    pub(super) fn are_taken(&self) -> bool {
        let waiting = self.waiting();
        !waiting.closed && !waiting.blocked
    }

    /// Whether there are none, be it that nobody waits for them.
    pub(super) fn are_none(&self) -> bool {
        self.waiting().calls.is_empty()
    }

    /// Whether the process has not given one of them up in time.
    pub(super) fn are_stuck(&self) -> bool {
        let now = Instant::now();
        self.waiting().calls.values().any(|it| it.latest <= now)
    }

    /// Returns when nobody waits for an answer any more.
    pub(super) async fn quiet(&self) {
        loop {
            let settled = self.settled.notified();
            let busy = self.waiting().calls.values().any(|it| !it.abandoned);
            if !busy {
                return;
            }
            settled.await;
        }
    }

    /// A number for a call, and where its answer will come.
    pub(super) fn place(
        &self,
        deadline: Instant,
    ) -> Result<(u64, oneshot::Receiver<Reply>), CallError> {
        let (reply, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.closed || waiting.blocked {
            return Err(CallError::Ended(Cause::NotBegun));
        }
        let id = waiting.number();
        let waiter = Waiter {
            reply,
            latest: deadline + GRACE,
            abandoned: false,
        };
        waiting.calls.insert(id, waiter);
        Ok((id, answered))
    }

    /// Nobody waits for a call any more; whether the process still works on it.
    pub(super) fn abandon(&self, id: u64) -> bool {
        let mut waiting = self.waiting();
        let Some(waiter) = waiting.calls.get_mut(&id) else {
            return false;
        };
        waiter.abandoned = true;
        drop(waiting);
        self.settled.notify_waiters();
        true
    }

    /// The process answered a call, or gave it up.
    pub(super) fn settle(&self, id: u64, answer: Option<Result<Answered>>) {
        let waiter = self.waiting().calls.remove(&id);
        if let (Some(waiter), Some(answer)) = (waiter, answer) {
            // Fails if nobody waits any more.
            let _ = waiter.reply.send(Ok(answer));
        }
        self.settled.notify_waiters();
    }

    /// A number for a ping, and where it is told of the answer.
    pub(super) fn ping(&self) -> (u64, oneshot::Receiver<()>) {
        let (pong, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        let id = waiting.number();
        if !waiting.closed {
            waiting.pings.insert(id, pong);
        }
        (id, answered)
    }

    /// The process answered a ping.
    pub(super) fn pong(&self, id: u64) {
        let ping = self.waiting().pings.remove(&id);
        // Fails if nobody waits any more.
        let _ = ping.map(|ping| ping.send(()));
    }

    /// They block all threads: lets the others go, to be made again elsewhere.
    pub(super) fn release_all_but(&self, pulse: &Pulse) {
        let mut waiting = self.waiting();
        waiting.blocked = true;
        let others: Vec<u64> = (waiting.calls.keys().copied())
            .filter(|id| !pulse.blocking.contains(id))
            .collect();
        for id in others {
            let cause = if pulse.not_begun.contains(&id) {
                Cause::NotBegun
            } else {
                Cause::AnotherCall
            };
            let waiter = waiting.calls.remove(&id);
            // Fails if nobody waits any more.
            let _ = waiter.map(|it| it.reply.send(Err(CallError::Ended(cause))));
        }
        drop(waiting);
        self.settled.notify_waiters();
    }

    /// Tells whoever still waits that the call kept its thread for too long.
    pub(super) fn condemn(&self) {
        let calls = std::mem::take(&mut self.waiting().calls);
        for waiter in calls.into_values() {
            // Fails if nobody waits any more.
            let _ = waiter.reply.send(Err(CallError::Blocked));
        }
        self.settled.notify_waiters();
    }

    /// The process has ended: whoever waits for one of them learns that there is no answer.
    pub(super) fn close(&self) {
        let left = {
            let mut waiting = self.waiting();
            let left = std::mem::take(&mut *waiting);
            waiting.closed = true;
            left
        };
        drop(left);
        self.settled.notify_waiters();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
