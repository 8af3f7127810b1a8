//! Admission control: concurrency, memory, requests per peer.
//!
//! Messages beyond the concurrency limit wait in order, for a few seconds; then they are answered with 503 and Retry-After.
//! So are messages for which there is no memory; a peer over its rate limit gets 429. Nothing of such a message has been
//! processed, so it can safely be sent again.

use crate::{
    config::{Limits, Pace},
    rate_limit::{RateLimited, RateLimiters},
};
use convoke_net::{
    http_server::{Arrival, Memory, Short},
    network::network,
};
use convoke_scheduling::{Peer, SMALL};
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a message waits for a permit.
const PATIENCE: Duration = Duration::from_secs(5);
/// The Retry-After of an overloaded server.
const BACK_IN: Duration = Duration::from_secs(2);
/// One in so many of the permits is for messages that take long.
const LONG: usize = 8;

/// Mails that go on to a mailbox at once: each is in memory as it came and as it goes.
#[cfg(feature = "mail")]
const HANDED_ON: usize = 32;

/// What a message takes beside its header and body, about.
pub(crate) const BESIDE: usize = 4 << 10;

/// A message that is not looked at now; it may be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetryAfter {
    /// Of the answer: 429 or 503.
    pub(crate) status: StatusCode,
    /// When to send it again.
    pub(crate) after: Duration,
    /// Why, for the administrator of the peer.
    pub(crate) reason: String,
}

impl From<Short> for RetryAfter {
    fn from(Short: Short) -> Self {
        Self::unavailable("there is no memory left for this")
    }
}

impl RetryAfter {
    /// It is our own fault, or that of somebody we ask.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            after: BACK_IN,
            reason: reason.into(),
        }
    }

    fn too_often(who: &str, RateLimited(after): RateLimited) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            after,
            reason: format!("{who} sends more often than is taken here"),
        }
    }

    /// The value of `Retry-After`: whole seconds, at least one.
    pub(crate) fn seconds(&self) -> u64 {
        let begun = u64::from(self.after.subsec_nanos() > 0);
        (self.after.as_secs() + begun).max(1)
    }
}

/// Whether mail comes in, of which the longest has to fit into memory too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesMail {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Messages that are read and worked on.
#[derive(Debug)]
pub struct Admission {
    work: Semaphore,
    /// Messages that take long have few permits of their own, so that the others always find one.
    long: Semaphore,
    /// Mails that go on to a mailbox.
    #[cfg(feature = "mail")]
    handing_on: Semaphore,
    /// For headers and bodies of messages, until they are answered.
    pub(crate) bodies: Arc<Memory>,
    /// For answers, until their peers have taken them.
    pub(crate) answers: Arc<Memory>,
}

/// A message's place; it is given back when dropped.
#[must_use]
pub(crate) struct Permit<'a> {
    _permit: SemaphorePermit<'a>,
}

impl Admission {
    /// Lets in as many as the limits say.
    pub fn new(limits: &Limits, takes_mail: TakesMail) -> Self {
        let longest = match takes_mail {
            TakesMail::Yes => limits.mail_length.max(limits.messages.content_length),
            TakesMail::No => limits.messages.content_length,
        };
        Self {
            work: Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS)),
            long: Semaphore::new(limits.requests.div_ceil(LONG).min(Semaphore::MAX_PERMITS)),
            #[cfg(feature = "mail")]
            handing_on: Semaphore::new(HANDED_ON),
            bodies: Memory::new(
                limits.body_memory,
                longest + limits.connection.header_size + BESIDE,
            ),
            answers: Memory::new(limits.answer_memory, 0),
        }
    }

    /// A permit to be worked on, for a message with a body of so many bytes.
    pub(crate) async fn permit_for(&self, bytes: usize) -> Result<Permit<'_>, RetryAfter> {
        if bytes > SMALL {
            wait(self.long.acquire()).await
        } else {
            wait(self.work.acquire()).await
        }
    }

    /// A permit to hand a mail on to a mailbox, for as long as that takes.
    #[cfg(feature = "mail")]
    pub(crate) async fn handing_on(&self) -> Result<Permit<'_>, RetryAfter> {
        wait(self.handing_on.acquire()).await
    }

    /// A permit for a message that turns out to take long; the one that it has is given back.
    pub(crate) async fn long_permit<'a>(
        &'a self,
        permit: Permit<'a>,
    ) -> Result<Permit<'a>, RetryAfter> {
        drop(permit);
        wait(self.long.acquire()).await
    }
}

async fn wait<'a>(
    permit: impl Future<Output = Result<SemaphorePermit<'a>, tokio::sync::AcquireError>>,
) -> Result<Permit<'a>, RetryAfter> {
    match tokio::time::timeout(PATIENCE, permit).await {
        Ok(permit) => Ok(Permit {
            _permit: permit.expect("the semaphores are never closed"),
        }),
        Err(_) => Err(RetryAfter::unavailable("server overloaded")),
    }
}

/// Counts a request from this address.
pub(crate) fn admit_address(
    rate_limiters: &RateLimiters,
    limits: &Limits,
    arrival: &Arrival,
) -> Result<(), RetryAfter> {
    let peer = network(arrival.address.ip());
    let admit = |rate| rate_limiters.addresses.admit(rate, &peer);
    held(limits.requests_per_address, arrival, admit)
        .map_err(|often| RetryAfter::too_often(&peer.to_string(), often))
}

/// Counts a message of a peer that proved who it is, or was asked for no proof.
pub(crate) fn admit_peer(
    rate_limiters: &RateLimiters,
    limits: &Limits,
    arrival: &Arrival,
    peer: &Peer,
) -> Result<(), RetryAfter> {
    let admit = |rate| rate_limiters.peers.admit(rate, peer);
    held(limits.requests_per_domain, arrival, admit)
        .map_err(|often| RetryAfter::too_often(&peer.to_string(), often))
}

fn held(
    pace: Pace,
    arrival: &Arrival,
    admit: impl FnOnce(convoke_types::Rate) -> Result<(), RateLimited>,
) -> Result<(), RateLimited> {
    match pace.rate {
        Some(rate) if pace.loopback || !arrival.address.ip().to_canonical().is_loopback() => {
            admit(rate)
        }
        _ => Ok(()),
    }
}
