//! Memory that peers make us hold: bodies that arrive, answers that leave.
//!
//! Bytes are counted when they are there, not when they are announced: announcing is free for a peer. All peers together
//! are bounded, and each address and each proven domain has a share (half), so that no one peer can shut out all others.
//! When memory is short, whoever has been waiting longest for its peer loses what it holds; who waits for us does not.

use convoke_types::Domain;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// How long one waits for memory that others hold.
const PATIENCE: Duration = Duration::from_secs(5);
/// A peer that has sent or taken too little for so long may lose its place.
const STALLED: Duration = Duration::from_millis(500);
/// What counts as progress, in bytes: one byte now and then does not.
const PROGRESS: usize = 4 << 10;
/// How often who waits for memory looks whether others have stalled.
const LOOK: Duration = Duration::from_millis(100);

/// A number of bytes, and who holds how many of them.
#[derive(Debug)]
pub(crate) struct Memory {
    most: usize,
    share: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    by_peer: HashMap<Peer, usize>,
    /// Whose peers we wait for, by the number of the [`Holding`].
    slow: HashMap<u64, Slow>,
    next: u64,
}

/// Who shares a share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Peer {
    /// As [`crate::throttle::network`] gives it.
    Address(IpAddr),
    Domain(Domain),
}

#[derive(Debug)]
struct Slow {
    since: Instant,
    bytes: usize,
    peers: Vec<Peer>,
    evicted: Eviction,
    /// It was told to go, and its bytes will be free soon.
    leaving: bool,
    /// It is us who keep it waiting, for more memory.
    ours: bool,
}

/// Tells a [`Holding`] that others need its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eviction(Arc<Notify>);

impl Eviction {
    /// Returns when the memory must be given back; never, if it need not be. One waiter only.
    pub(crate) async fn evicted(&self) {
        self.0.notified().await;
    }
}

/// There is not enough memory for this peer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short;

/// What one request or answer holds; given back when dropped.
#[derive(Debug)]
pub(crate) struct Holding {
    memory: Arc<Memory>,
    number: u64,
    bytes: usize,
    peers: Vec<Peer>,
    eviction: Eviction,
    /// Bytes since progress was last noted.
    progress: usize,
}

impl Memory {
    /// So many bytes; a message of `largest` bytes always fits into a share.
    pub(crate) fn new(most: usize, largest: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            share: (most / 2).max(largest).min(most),
            held: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Nothing yet, for a peer at this address.
    pub(crate) fn hold(self: &Arc<Self>, address: IpAddr) -> Holding {
        let mut held = self.held();
        held.next += 1;
        Holding {
            memory: self.clone(),
            number: held.next,
            bytes: 0,
            peers: vec![Peer::Address(crate::throttle::network(address))],
            eviction: Eviction::default(),
            progress: 0,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes` if they are free; else makes those go that have stalled, and says false.
    fn take(&self, peers: &[Peer], bytes: usize, own: u64) -> bool {
        let mut held = self.held();
        let over = |peer: &&Peer| held.of(peer) + bytes > self.share;
        if let Some(peer) = peers.iter().find(over) {
            let lack = held.of(peer) + bytes - self.share;
            let peer = peer.clone();
            held.evict(lack, own, |slow| slow.peers.contains(&peer));
            return false;
        }
        if held.bytes + bytes > self.most {
            let lack = held.bytes + bytes - self.most;
            held.evict(lack, own, |_| true);
            return false;
        }
        held.add(peers, bytes);
        true
    }
}

impl Held {
    fn of(&self, peer: &Peer) -> usize {
        self.by_peer.get(peer).copied().unwrap_or_default()
    }

    fn add(&mut self, peers: &[Peer], bytes: usize) {
        self.bytes += bytes;
        for peer in peers {
            *self.by_peer.entry(peer.clone()).or_default() += bytes;
        }
    }

    fn give_back(&mut self, peers: &[Peer], bytes: usize) {
        self.bytes -= bytes;
        for peer in peers {
            if let Some(count) = self.by_peer.get_mut(peer) {
                *count -= bytes;
                if *count == 0 {
                    self.by_peer.remove(peer);
                }
            }
        }
    }

    /// Makes those go that have waited longest, until `lack` bytes come free.
    fn evict(&mut self, lack: usize, own: u64, among: impl Fn(&Slow) -> bool) {
        let mut stalled: Vec<&mut Slow> = (self.slow.iter_mut())
            .filter(|(number, slow)| **number != own && !slow.ours && among(slow))
            .map(|(_, slow)| slow)
            .filter(|slow| slow.since.elapsed() >= STALLED)
            .collect();
        stalled.sort_unstable_by_key(|slow| (!slow.leaving, slow.since));
        let mut freed = 0;
        for slow in stalled {
            if freed >= lack {
                break;
            }
            freed += slow.bytes;
            if !std::mem::replace(&mut slow.leaving, true) {
                slow.evicted.0.notify_one();
            }
        }
    }
}

impl Holding {
    /// Takes `bytes` more, as soon as they are free.
    pub(crate) async fn grow(&mut self, bytes: usize) -> Result<(), Short> {
        if !self.memory.take(&self.peers, bytes, self.number) {
            self.slow(|slow| slow.ours = true);
            self.wait_for(bytes).await?;
        }
        self.bytes += bytes;
        self.slow(|slow| {
            (slow.bytes, slow.since, slow.ours) = (self.bytes, Instant::now(), false);
        });
        Ok(())
    }

    fn slow(&self, change: impl FnOnce(&mut Slow)) {
        if let Some(slow) = self.memory.held().slow.get_mut(&self.number) {
            change(slow);
        }
    }

    /// Counts what is held for a proven domain, too.
    pub(crate) async fn belongs_to(&mut self, domain: &Domain) -> Result<(), Short> {
        let peer = Peer::Domain(domain.clone());
        // Counted for the address already: only the domain's share is looked at.
        let deadline = Instant::now() + PATIENCE;
        let memory = self.memory.clone();
        loop {
            let mut freed = std::pin::pin!(memory.freed.notified());
            freed.as_mut().enable();
            {
                let mut held = memory.held();
                if held.of(&peer) + self.bytes <= memory.share {
                    *held.by_peer.entry(peer.clone()).or_default() += self.bytes;
                    self.peers.push(peer);
                    return Ok(());
                }
            }
            timeout_at(deadline, freed).await.map_err(|_| Short)?;
        }
    }

    async fn wait_for(&self, bytes: usize) -> Result<(), Short> {
        if bytes > self.memory.share {
            return Err(Short);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut freed = std::pin::pin!(self.memory.freed.notified());
            freed.as_mut().enable();
            if self.memory.take(&self.peers, bytes, self.number) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(Short);
            }
            // Whichever comes first: then it is tried again.
            let _ = timeout_at(deadline.min(now + LOOK), freed).await;
        }
    }

    /// From now on we wait for the peer, and others may need the memory more.
    pub(crate) fn await_peer(&mut self) {
        let slow = Slow {
            since: Instant::now(),
            bytes: self.bytes,
            peers: self.peers.clone(),
            evicted: self.eviction.clone(),
            leaving: false,
            ours: false,
        };
        self.memory.held().slow.insert(self.number, slow);
    }

    /// The peer sent so many bytes.
    pub(crate) fn progress(&mut self, bytes: usize) {
        self.progress += bytes;
        if self.progress >= PROGRESS {
            self.progress = 0;
            self.slow(|slow| slow.since = Instant::now());
        }
    }

    /// Nobody waits for the peer any more.
    pub(crate) fn settle(&mut self) {
        self.memory.held().slow.remove(&self.number);
    }

    /// When others need the memory.
    pub(crate) fn eviction(&self) -> Eviction {
        self.eviction.clone()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut held = self.memory.held();
        held.give_back(&self.peers, self.bytes);
        held.slow.remove(&self.number);
        drop(held);
        self.memory.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const THIRD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 3));

    /// Virtual time: waits cost nothing.
    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_and_no_more() {
        let memory = Memory::new(1000, 100);
        let mut first = memory.hold(ONE);
        first.grow(400).await.unwrap();
        let mut second = memory.hold(ONE);
        assert_eq!(second.grow(200).await, Err(Short));
        assert_eq!(memory.hold(OTHER).grow(501).await, Err(Short), "never fits");
        assert_eq!(memory.hold(OTHER).grow(500).await, Ok(()));
        drop(first);
        assert_eq!(second.grow(200).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_always_fits_a_share() {
        let memory = Memory::new(1000, 900);
        assert_eq!(memory.hold(ONE).grow(900).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_us_waiting_loses_and_who_waits_for_us_does_not() {
        let memory = Memory::new(1000, 100);
        let mut slow = memory.hold(ONE);
        slow.grow(500).await.unwrap();
        slow.await_peer();
        let mut worked_on = memory.hold(OTHER);
        worked_on.grow(500).await.unwrap();
        let eviction = slow.eviction();
        let goes = tokio::spawn(async move {
            eviction.evicted().await;
            drop(slow);
        });
        assert_eq!(memory.hold(THIRD).grow(300).await, Ok(()));
        goes.await.unwrap();
        assert_eq!(memory.hold(THIRD).grow(501).await, Err(Short));
        drop(worked_on);
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_on_is_not_slow() {
        let memory = Memory::new(1000, 100);
        let mut steady = memory.hold(ONE);
        steady.grow(500).await.unwrap();
        steady.await_peer();
        let mut trickle = memory.hold(OTHER);
        trickle.grow(500).await.unwrap();
        trickle.await_peer();
        let (goes, stays) = (trickle.eviction(), steady.eviction());
        let mut newcomer = memory.hold(THIRD);
        let senders = async {
            loop {
                tokio::time::sleep(STALLED / 2).await;
                steady.progress(PROGRESS);
                trickle.progress(1);
            }
        };
        tokio::select! {
            () = goes.evicted() => {}
            () = stays.evicted() => panic!("it made progress"),
            _ = newcomer.grow(300) => panic!("nobody gave anything back"),
            () = senders => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_has_its_share_from_wherever() {
        let memory = Memory::new(1000, 100);
        let domain: Domain = "example.com".parse().unwrap();
        let mut first = memory.hold(ONE);
        first.grow(400).await.unwrap();
        first.belongs_to(&domain).await.unwrap();
        let mut second = memory.hold(OTHER);
        second.grow(200).await.unwrap();
        assert_eq!(second.belongs_to(&domain).await, Err(Short));
        drop(first);
        assert_eq!(second.belongs_to(&domain).await, Ok(()));
        assert_eq!(second.grow(400).await, Err(Short));
    }
}
