//! Work that takes longer than a moment, kept off the threads that answer everybody.
//!
//! [`Labour`] does what is small here and now, and lets what is large wait for one of a few turns, so that health checks
//! never wait for it. Each peer has one turn at a time and a short queue of its own, so that the work of one does not keep
//! the others waiting; what cannot begin within ten seconds is given up. No piece of work can be taken back once it has
//! begun, so each is bounded by its budget ([`Effort`](convoke_scheduling::Effort)).

use convoke_scheduling::{Overloaded, Peer, Processor, SMALL};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

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
    fn enter(&self) -> Result<Waiting<'_>, Overloaded> {
        let waiting = Waiting(self);
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before < MOST_OF_A_PEER {
            Ok(waiting)
        } else {
            Err(Overloaded)
        }
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
    fn queue_of(&self, peer: &Peer) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.len() >= MOST_QUEUES {
            queues.retain(|_, queue| queue.strong_count() > 0);
        }
        let known = queues.get(peer).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let queue = Arc::new(Queue::default());
            queues.insert(peer.clone(), Arc::downgrade(&queue));
            queue
        })
    }
}

impl Processor for Labour {
    async fn run_for<T: Send>(
        &self,
        peer: &Peer,
        bytes: usize,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Overloaded> {
        if bytes <= SMALL {
            return Ok(work());
        }
        let queue = self.queue_of(peer);
        let _waiting = queue.enter()?;
        let turns = async { (queue.turn.acquire().await, self.turns.acquire().await) };
        let turns = timeout(PATIENCE, turns).await.map_err(|_| Overloaded)?;
        let done = tokio::task::block_in_place(work);
        drop(turns);
        Ok(done)
    }

    async fn run<T: Send>(&self, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
        if bytes <= SMALL {
            return work();
        }
        let turn = self.turns.acquire().await;
        let _turn = turn.expect("the semaphore is never closed");
        tokio::task::block_in_place(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                labour.run(SMALL + 1, work).await;
            }
        });
        has_begun.await.unwrap();
        // On the only thread that there is.
        assert_eq!(labour.run(1, || 2).await, 2);
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
        let peers = ["192.0.2.1", "192.0.2.2"].map(|it| Peer::Network(it.parse().unwrap()));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let (peer, at_work) = (peers[0].clone(), labour.clone());
        let first = tokio::spawn(async move {
            let work = move || {
                begun.send(()).unwrap();
                ends.recv().unwrap();
            };
            at_work.run_for(&peer, SMALL + 1, work).await
        });
        has_begun.await.unwrap();
        let mut more: Vec<_> = (0..MOST_OF_A_PEER)
            .map(|_| Box::pin(labour.run_for(&peers[0], SMALL + 1, || ())))
            .collect();
        let refused = more.pop().unwrap();
        for waits in &mut more {
            assert!(futures::poll!(waits).is_pending());
        }
        assert_eq!(refused.await, Err(Overloaded), "its queue is full");
        assert_eq!(labour.run_for(&peers[1], SMALL + 1, || 2).await, Ok(2));
        end.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(()));
        for waited in more {
            assert_eq!(waited.await, Ok(()));
        }
    }
}
