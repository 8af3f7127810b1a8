//! A worker pool for CPU-bound work, fair between peers, so that it never blocks the runtime's threads.
//!
//! [`WorkerPool`] runs small work in place. Large work waits for one of a few permits, so that health checks never wait for
//! it. Each peer has one permit at a time and a short queue of its own, so that one peer's work does not delay the others';
//! what cannot start within ten seconds fails as overloaded. Work cannot be cancelled once it has started, so each piece is
//! bounded by its budget ([`Effort`](convoke_scheduling::Effort)).

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

/// How long large work waits for a permit.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pieces of large work of one peer that wait or run.
const MOST_OF_A_PEER: usize = 64;
/// Peers whose queues are remembered before those that are gone are looked for.
const MOST_QUEUES: usize = 1024;

/// Permits for large work: as many as there are processors.
pub struct WorkerPool {
    permits: Semaphore,
    queues: Mutex<HashMap<Peer, Weak<Queue>>>,
}

/// The large work of one peer.
struct Queue {
    permit: Semaphore,
    pending: AtomicUsize,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            permit: Semaphore::new(1),
            pending: AtomicUsize::new(0),
        }
    }
}

/// A place in a queue.
struct Waiting<'a>(&'a Queue);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    fn enter(&self) -> Result<Waiting<'_>, Overloaded> {
        let waiting = Waiting(self);
        let before = self.pending.fetch_add(1, Ordering::Relaxed);
        if before < MOST_OF_A_PEER {
            Ok(waiting)
        } else {
            Err(Overloaded)
        }
    }
}

impl Default for WorkerPool {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            permits: Semaphore::new(processors),
            queues: Mutex::default(),
        }
    }
}

impl WorkerPool {
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

impl Processor for WorkerPool {
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
        let permits = async { (queue.permit.acquire().await, self.permits.acquire().await) };
        let permits = timeout(PATIENCE, permits).await.map_err(|_| Overloaded)?;
        let done = tokio::task::block_in_place(work);
        drop(permits);
        Ok(done)
    }

    async fn run<T: Send>(&self, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
        if bytes <= SMALL {
            return work();
        }
        let permit = self.permits.acquire().await;
        let _permit = permit.expect("the semaphore is never closed");
        tokio::task::block_in_place(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn large_work_holds_up_nobody() {
        let workers = std::sync::Arc::new(WorkerPool::default());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let large = tokio::spawn({
            let workers = workers.clone();
            async move {
                let work = move || {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                };
                workers.run(SMALL + 1, work).await;
            }
        });
        has_begun.await.unwrap();
        // On the only thread that there is.
        assert_eq!(workers.run(1, || 2).await, 2);
        end.send(()).unwrap();
        large.await.unwrap();
    }
    /// One peer asks for much at once, another one then asks too.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_work_of_one_peer_does_not_fill_every_turn() {
        let workers = Arc::new(WorkerPool {
            permits: Semaphore::new(2),
            queues: Mutex::default(),
        });
        let peers = ["192.0.2.1", "192.0.2.2"].map(|it| Peer::Network(it.parse().unwrap()));
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let (peer, at_work) = (peers[0].clone(), workers.clone());
        let first = tokio::spawn(async move {
            let work = move || {
                begun.send(()).unwrap();
                ends.recv().unwrap();
            };
            at_work.run_for(&peer, SMALL + 1, work).await
        });
        has_begun.await.unwrap();
        let mut more: Vec<_> = (0..MOST_OF_A_PEER)
            .map(|_| Box::pin(workers.run_for(&peers[0], SMALL + 1, || ())))
            .collect();
        let refused = more.pop().unwrap();
        for waits in &mut more {
            assert!(futures::poll!(waits).is_pending());
        }
        assert_eq!(refused.await, Err(Overloaded), "its queue is full");
        assert_eq!(workers.run_for(&peers[1], SMALL + 1, || 2).await, Ok(2));
        end.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(()));
        for waited in more {
            assert_eq!(waited.await, Ok(()));
        }
    }
}
