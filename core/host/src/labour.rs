//! Work that takes longer than a moment, kept off the threads that answer everybody.
//!
//! [`Labour`] does what is small here and now, and lets what is large wait for one of a few turns, so that health checks
//! never wait for it. Each peer has one turn at a time and a short queue of its own, so that the work of one does not keep
//! the others waiting; what cannot begin within ten seconds is given up. [`Effort`] is what all recipients of one message
//! may cost together. No piece of work can be taken back once it has begun, so each is bounded by its budget of steps.

use crate::throttle::Peer;
use convoke_calendar::rule::Work;
use convoke_sdk::Error;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

/// Up to so many bytes, handling a calendar takes a moment, and to go elsewhere for it would take longer.
pub(crate) const SMALL: usize = 32 << 10;

/// How long large work waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pieces of large work of one peer that wait or are done at once.
const MOST_OF_A_PEER: usize = 64;
/// Peers whose queues are remembered before those that are gone are looked for.
const MOST_QUEUES: usize = 1024;

/// Large work that is done at once: as much as there are processors.
pub struct Labour {
    turns: Semaphore,
    queues: Mutex<HashMap<Peer, Weak<Queue>>>,
}

/// The large work of one peer.
struct Queue {
    turn: Semaphore,
    under_way: AtomicUsize,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            under_way: AtomicUsize::new(0),
        }
    }
}

/// A place in a queue.
struct Waiting<'a>(&'a Queue);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    fn enter(&self) -> Result<Waiting<'_>, Busy> {
        let waiting = Waiting(self);
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before < MOST_OF_A_PEER {
            Ok(waiting)
        } else {
            Err(Busy)
        }
    }
}

/// There is too much to do; the same may be asked again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

impl From<Busy> for Error {
    fn from(Busy: Busy) -> Self {
        Self::unavailable("there is too much to do now; try again later")
    }
}

impl Default for Labour {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Semaphore::new(processors),
            queues: Mutex::default(),
        }
    }
}

impl Labour {
    /// What a message of this peer may cost.
    pub(crate) fn effort(&self, peer: &Peer) -> Effort {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.len() >= MOST_QUEUES {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let known = queues.get(peer).and_then(Weak::upgrade);
        let queue = known.unwrap_or_else(|| {
            let queue = Arc::new(Queue::default());
            queues.insert(peer.clone(), Arc::downgrade(&queue));
            queue
        });
        Effort {
            queue,
            ..Effort::default()
        }
    }

    /// As [`done`](Self::done), when it is the turn of the peer whose message it is for.
    pub(crate) async fn done_for<T>(
        &self,
        effort: &Effort,
        bytes: usize,
        work: impl FnOnce() -> T,
    ) -> Result<T, Busy> {
        if bytes <= SMALL {
            return Ok(work());
        }
        let queue = &effort.queue;
        let _waiting = queue.enter()?;
        let turns = async { (queue.turn.acquire().await, self.turns.acquire().await) };
        let turns = timeout(PATIENCE, turns).await.map_err(|_| Busy)?;
        let done = tokio::task::block_in_place(work);
        drop(turns);
        Ok(done)
    }

    /// Does `work` on something of so many bytes: at once if that is little, else when it is its turn, and on a thread that
    /// nobody else waits for.
    pub(crate) async fn done<T>(&self, bytes: usize, work: impl FnOnce() -> T) -> T {
        if bytes <= SMALL {
            return work();
        }
        let turn = self.turns.acquire().await;
        let _turn = turn.expect("the semaphore is never closed");
        tokio::task::block_in_place(work)
    }
}

/// What is left of what one message may cost, all its recipients together.
pub struct Effort {
    /// Of the peer whose message it is.
    queue: Arc<Queue>,
    /// Steps of recurrences, as [`Work`] counts them.
    steps: AtomicUsize,
    /// Lines and bytes handled, as [`weight`] counts them.
    weight: AtomicUsize,
}

/// More would be handled for one message than it may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// Steps for one question about one calendar user, and for a message: a year of something minutely is 3,000,000.
const QUESTION: usize = 5_000_000;
const MESSAGE: usize = 8 * QUESTION;

/// What may be handled for all recipients: an object of 10,000 lines for each of 250.
const WEIGHT: usize = 3_000_000;

impl Default for Effort {
    fn default() -> Self {
        Self {
            queue: Arc::default(),
            steps: AtomicUsize::new(MESSAGE),
            weight: AtomicUsize::new(WEIGHT),
        }
    }
}

impl Effort {
    /// Takes steps for one question; what is not used is given [`back`](Self::give_back).
    pub(crate) fn question(&self) -> Work {
        let mut taken = 0;
        let take = |left: usize| {
            taken = left.min(QUESTION);
            Some(left - taken)
        };
        // It always succeeds, as `take` never says `None`.
        let _ = (self.steps).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        Work::of(taken)
    }

    /// What was not used of a question's steps.
    pub(crate) fn give_back(&self, work: &Work) {
        self.steps.fetch_add(work.left(), Ordering::Relaxed);
    }

    /// Counts an object that is about to be handled for one recipient.
    pub(crate) fn handle(&self, weight: usize) -> Result<(), TooMuch> {
        let take = |left: usize| left.checked_sub(weight);
        let taken = (self.weight).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(|_| ()).map_err(|_| TooMuch)
    }
}

/// What it costs to handle a calendar: its lines (as they are unfolded), and a little for its bytes.
pub(crate) fn weight(data: &[u8]) -> usize {
    let begins = |pair: &&[u8]| pair[0] == b'\n' && !matches!(pair[1], b' ' | b'\t');
    data.windows(2).filter(begins).count() + data.len() / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_recipient_takes_is_missing_to_the_next() {
        let effort = Effort::default();
        let questions: Vec<_> = (0..9).map(|_| effort.question().left()).collect();
        assert_eq!(questions[..8], [QUESTION; 8]);
        assert_eq!(questions[8], 0);
        effort.give_back(&Work::of(1000));
        assert_eq!(effort.question().left(), 1000);

        let message = "X-A:1\n".repeat(170_000);
        let weight = weight(message.as_bytes());
        let served = (0..250).take_while(|_| effort.handle(weight).is_ok());
        assert_eq!(served.count(), 17);
        assert_eq!(effort.handle(10), Ok(()), "what is smaller still fits");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn large_work_holds_up_nobody() {
        let labour = std::sync::Arc::new(Labour::default());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let large = tokio::spawn({
            let labour = labour.clone();
            async move {
                let work = move || {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                };
                labour.done(SMALL + 1, work).await;
            }
        });
        has_begun.await.unwrap();
        // On the only thread that there is.
        assert_eq!(labour.done(1, || 2).await, 2);
        end.send(()).unwrap();
        large.await.unwrap();
    }
    /// One peer asks for much at once, another one then asks too.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_work_of_one_peer_does_not_fill_every_turn() {
        let labour = Arc::new(Labour {
            turns: Semaphore::new(2),
            queues: Mutex::default(),
        });
        let peers = ["192.0.2.1", "192.0.2.2"].map(|it| Peer::new(&[], it.parse().unwrap()));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let (effort, at_work) = (labour.effort(&peers[0]), labour.clone());
        let first = tokio::spawn(async move {
            let work = move || {
                begun.send(()).unwrap();
                ends.recv().unwrap();
            };
            at_work.done_for(&effort, SMALL + 1, work).await
        });
        has_begun.await.unwrap();
        let effort = labour.effort(&peers[0]);
        let mut more: Vec<_> = (0..MOST_OF_A_PEER)
            .map(|_| Box::pin(labour.done_for(&effort, SMALL + 1, || ())))
            .collect();
        let refused = more.pop().unwrap();
        for waits in &mut more {
            assert!(futures::poll!(waits).is_pending());
        }
        assert_eq!(refused.await, Err(Busy), "its queue is full");
        let effort = labour.effort(&peers[1]);
        assert_eq!(labour.done_for(&effort, SMALL + 1, || 2).await, Ok(2));
        end.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(()));
        for waited in more {
            assert_eq!(waited.await, Ok(()));
        }
    }
}
