//! Memory that peers make us hold: bodies that arrive, answers that leave.
//!
//! Bytes are counted when they are there, not when they are announced: announcing is free for a peer. All peers together
//! are bounded, and each address and each proven domain has a share (half), so that no one peer can shut out all others.
//! When memory is short, whatever has made no progress for longest loses what it holds: because its peer is slow, or
//! (later) because it waits for more memory itself, as then nobody would ever get on. A message that is worked on keeps it.

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
/// So does who waits for more memory for so long: else all could wait for each other.
const STARVED: Duration = Duration::from_secs(2);
/// What counts as progress, in bytes: one byte now and then does not.
const PROGRESS: usize = 4 << 10;
/// How often who waits for memory looks whether others have stalled.
const LOOK: Duration = Duration::from_millis(100);
/// So many of one address may wait for memory; looking costs time, too.
const WAITING: usize = 32;

/// A number of bytes, and who holds how many of them.
#[derive(Debug)]
pub struct Memory {
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
    /// How many of each address wait for memory.
    waiting: HashMap<Peer, usize>,
    next: u64,
}

/// Who shares a share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Peer {
    /// As [`crate::network::network`] gives it.
    Address(IpAddr),
    Domain(Domain),
}

#[derive(Debug)]
struct Slow {
    since: Instant,
    bytes: usize,
    peers: Vec<Peer>,
    evicted: Eviction,
    /// Its peer has sent, and it waits for memory to take that.
    starved: bool,
}

impl Slow {
    fn may_go(&self) -> bool {
        let most = if self.starved { STARVED } else { STALLED };
        self.bytes > 0 && self.since.elapsed() >= most
    }
}

/// Tells a [`Holding`] that others need its memory.
#[derive(Clone, Debug, Default)]
pub struct Eviction(Arc<Notify>);

impl Eviction {
    /// Returns when the memory must be given back; never, if it need not be. One waiter only.
    pub async fn evicted(&self) {
        self.0.notified().await;
    }
}

/// There is not enough memory for this peer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

/// What one request or answer holds; given back when dropped.
#[derive(Debug)]
pub struct Holding {
    memory: Arc<Memory>,
    number: u64,
    bytes: usize,
    peers: Vec<Peer>,
    eviction: Eviction,
    /// It is among the slow ones, or was evicted from there, and holds nothing any more.
    awaiting: bool,
    /// Bytes since progress was last noted.
    progress: usize,
}

impl Memory {
    /// So many bytes; a message of `largest` bytes always fits into a share.
    pub fn new(most: usize, largest: usize) -> Arc<Self> {
        let most = most.max(largest);
        Arc::new(Self {
            most,
            share: (most / 2).max(largest),
            held: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// Nothing yet, for a peer at this address.
    pub fn hold(self: &Arc<Self>, address: IpAddr) -> Holding {
        let mut held = self.held();
        held.next += 1;
        Holding {
            memory: self.clone(),
            number: held.next,
            bytes: 0,
            peers: vec![Peer::Address(crate::network::network(address))],
            eviction: Eviction::default(),
            awaiting: false,
            progress: 0,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes` if they are free, or can be had from those who have stalled.
    fn take(&self, peers: &[Peer], bytes: usize, own: u64) -> bool {
        let mut held = self.held();
        for peer in peers {
            let lack = (held.of(peer) + bytes).saturating_sub(self.share);
            if !held.evict(lack, own, |slow| slow.peers.contains(peer)) {
                return false;
            }
        }
        let lack = (held.bytes + bytes).saturating_sub(self.most);
        if !held.evict(lack, own, |_| true) {
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

    /// Makes those go that have stalled longest, if that frees `lack` bytes. They are taken from them at once, so that
    /// nobody else is faster; the memory itself follows as soon as they notice.
    fn evict(&mut self, lack: usize, own: u64, among: impl Fn(&Slow) -> bool) -> bool {
        if lack == 0 {
            return true;
        }
        let mut stalled: Vec<(bool, Instant, u64, usize)> = (self.slow.iter())
            .filter(|(number, slow)| **number != own && among(slow) && slow.may_go())
            .map(|(number, slow)| (slow.starved, slow.since, *number, slow.bytes))
            .collect();
        if stalled.iter().map(|(.., bytes)| bytes).sum::<usize>() < lack {
            return false;
        }
        stalled.sort_unstable();
        let mut freed = 0;
        for (.., number, bytes) in stalled {
            if freed >= lack {
                break;
            }
            freed += bytes;
            if let Some(slow) = self.slow.remove(&number) {
                self.give_back(&slow.peers, slow.bytes);
                slow.evicted.0.notify_one();
            }
        }
        true
    }
}

impl Holding {
    /// Takes `bytes` more, as soon as they are free.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), Short> {
        if !self.memory.take(&self.peers, bytes, self.number) {
            self.starves();
            self.wait_for(bytes).await?;
        }
        self.bytes += bytes;
        if !self.awaiting {
            return Ok(());
        }
        let mut held = self.memory.held();
        if let Some(slow) = held.slow.get_mut(&self.number) {
            (slow.bytes, slow.since, slow.starved) = (self.bytes, Instant::now(), false);
            return Ok(());
        }
        held.give_back(&self.peers, bytes);
        drop(held);
        self.bytes = 0;
        Err(Short)
    }

    fn starves(&self) {
        if let Some(slow) = self.memory.held().slow.get_mut(&self.number) {
            slow.starved = true;
        }
    }

    /// Takes or gives back so much that it is `bytes` in all. Not while a peer is awaited.
    pub async fn resize(&mut self, bytes: usize) -> Result<(), Short> {
        match self.bytes.checked_sub(bytes) {
            None => self.grow(bytes - self.bytes).await,
            Some(less) => {
                self.memory.held().give_back(&self.peers, less);
                self.bytes = bytes;
                self.memory.freed.notify_waiters();
                Ok(())
            }
        }
    }

    /// Counts what is held for a proven domain, too.
    pub async fn belongs_to(&mut self, domain: &Domain) -> Result<(), Short> {
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
        let _waiting = Waiting::new(&self.memory, &self.peers[0])?;
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
    pub fn await_peer(&mut self) {
        let slow = Slow {
            since: Instant::now(),
            bytes: self.bytes,
            peers: self.peers.clone(),
            evicted: self.eviction.clone(),
            starved: false,
        };
        self.awaiting = true;
        self.memory.held().slow.insert(self.number, slow);
    }

    /// The peer sent so many bytes.
    pub fn progress(&mut self, bytes: usize) {
        self.progress += bytes;
        if self.progress >= PROGRESS {
            self.progress = 0;
            if let Some(slow) = self.memory.held().slow.get_mut(&self.number) {
                slow.since = Instant::now();
            }
        }
    }

    /// Nobody waits for the peer any more.
    pub fn settle(&mut self) -> Result<(), Short> {
        if std::mem::take(&mut self.awaiting)
            && self.memory.held().slow.remove(&self.number).is_none()
        {
            self.bytes = 0;
            return Err(Short);
        }
        Ok(())
    }

    /// When others need the memory.
    pub fn eviction(&self) -> Eviction {
        self.eviction.clone()
    }
}

/// One who waits for memory, while it does.
struct Waiting<'a> {
    memory: &'a Memory,
    address: &'a Peer,
}

impl<'a> Waiting<'a> {
    fn new(memory: &'a Memory, address: &'a Peer) -> Result<Self, Short> {
        let mut held = memory.held();
        let waiting = held.waiting.entry(address.clone()).or_default();
        if *waiting >= WAITING {
            return Err(Short);
        }
        *waiting += 1;
        Ok(Self { memory, address })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut held = self.memory.held();
        if let Some(waiting) = held.waiting.get_mut(self.address) {
            *waiting -= 1;
            if *waiting == 0 {
                held.waiting.remove(self.address);
            }
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        // Who was evicted has given everything back.
        if self.settle().is_ok() {
            self.memory.held().give_back(&self.peers, self.bytes);
        }
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
        let begun = Instant::now();
        assert_eq!(second.grow(200).await, Err(Short));
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(memory.hold(OTHER).grow(501).await, Err(Short), "never fits");
        assert_eq!(memory.hold(OTHER).grow(500).await, Ok(()));
        drop(first);
        assert_eq!(second.grow(200).await, Ok(()));
        second.resize(50).await.unwrap();
        assert_eq!(memory.hold(ONE).grow(450).await, Ok(()));
        second.resize(500).await.unwrap();
        assert_eq!(second.resize(501).await, Err(Short));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait() {
        let memory = Memory::new(1000, 100);
        let mut first = memory.hold(ONE);
        first.grow(500).await.unwrap();
        let waits = (0..=WAITING).map(|_| {
            let mut one = memory.hold(ONE);
            async move {
                let begun = Instant::now();
                one.grow(1).await.unwrap_err();
                begun.elapsed()
            }
        });
        let waits = futures::future::join_all(waits).await;
        let at_once = waits.iter().filter(|wait| wait.is_zero()).count();
        assert_eq!(at_once, 1);
        assert!(memory.held().waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_always_fits_a_share() {
        for most in [1000, 900, 1] {
            let memory = Memory::new(most, 900);
            assert_eq!(memory.hold(ONE).grow(900).await, Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_us_waiting_loses_and_who_waits_for_us_does_not() {
        let memory = Memory::new(1000, 100);
        let mut slow = memory.hold(ONE);
        slow.grow(500).await.unwrap();
        slow.await_peer();
        let mut worked_on = memory.hold(OTHER);
        worked_on.grow(500).await.unwrap();
        let mut newcomer = memory.hold(THIRD);
        assert_eq!(newcomer.grow(300).await, Ok(()));
        slow.eviction().evicted().await;
        assert_eq!(slow.grow(1).await, Err(Short));
        assert_eq!(memory.hold(THIRD).grow(201).await, Err(Short));
        drop((slow, newcomer));
        assert_eq!(memory.held().bytes, 500);
        drop(worked_on);
        assert_eq!(memory.held().bytes, 0);
        assert!(memory.held().by_peer.is_empty());
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
        let stays = steady.eviction();
        let mut newcomer = memory.hold(THIRD);
        let senders = async {
            loop {
                tokio::time::sleep(STALLED / 2).await;
                steady.progress(PROGRESS);
                trickle.progress(1);
            }
        };
        tokio::select! {
            got = newcomer.grow(300) => assert_eq!(got, Ok(())),
            () = senders => {}
        }
        trickle.eviction().evicted().await;
        assert_eq!(futures::FutureExt::now_or_never(stays.evicted()), None);
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
