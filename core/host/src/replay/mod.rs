//! Idempotency cache for signed requests: a replayed message gets the recorded answer and is not delivered twice (spec §9).
//!
//! | module | what it holds |
//! | --- | --- |
//! | `key` | what makes two messages the same |
//! | `memory` | answers in bounded memory, each peer with its share |
//! | `gathered` | the same in the state of a host that is alone with it, over a restart |
//! | `kept` | the same in a state that hosts share |
//!
//! The key: signing domain, Message-ID, Recipients and the body as the signature covers it (`bh=`), so that
//! nothing that a signature tolerates (a line end more, fields in another order) makes another message of it. The
//! Message-ID over anything else is another message. A message without a signed Message-ID is known by its signature.
//!
//! Answers are remembered until the signature dies, and in bounded memory. When that is full, those are forgotten first
//! that expire first, of the peers that have more than their share: who sends much pushes out nobody else's. Look-ups of
//! free-busy have a small share of it for themselves: they come by the thousand, do nothing, and must not push out what a
//! delivery was answered with. A message that arrives again while it is still being worked on waits for that answer. Only
//! a final answer is remembered, not one that tells a recipient to try later (5.1): trying again should help.
//!
//! Where hosts may share the state, one of them works on a message, and the others wait for its answer: a claim in the
//! state says which. That is so from the first message on, whether or not another host is known: none is delivered twice
//! because a host has just joined.
//!
//! What a delivery was answered with lies in the state as well, so that it is known after a restart, and to other hosts with
//! the same state: there as long as in memory, of a host that is alone little longer, as such a host writes many answers as one
//! entry, and reads them all before it answers first. No answer waits for being written: it is written behind ([`WriteBehind`]). A host
//! that is killed forgets the answers of its last moments, which is harmless: such a message is processed once more, and
//! compared with what is stored it is no news, so that it changes nothing and is answered as before. Look-ups are in memory
//! alone: whoever asks again gets what is busy now.

mod gathered;
mod kept;
mod key;
mod memory;

pub(crate) use key::Key;

use crate::{answer::document, sharing::Sharing, write_behind::WriteBehind};
use bytes::Bytes;
use convoke_calendar::message::Kind;
use convoke_ischedule::ScheduleResponse;
use convoke_plugin_host::StateHandle;
use convoke_scheduling::Peer;
use convoke_types::{Error, RequestStatus};
use gathered::Gathered;
use jiff::Timestamp;
use kept::{Kept, Turn};
use memory::{Memory, Settled};
use std::{
    collections::HashMap,
    future::Future,
    sync::{
        PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Bytes that answers to look-ups may hold together, about.
const LOOK_UPS: usize = 2 << 20;
/// Bytes that answers to deliveries may hold together, about.
const DELIVERIES: usize = 14 << 20;

/// The answers to signed messages whose signatures still live.
pub struct Replays {
    look_ups: Memory,
    deliveries: Memory,
    /// Those that a host writes that is alone with its state.
    gathered: Gathered,
    /// What lay in the state is in memory.
    loaded: AtomicBool,
    /// Held while that is being read.
    loading: tokio::sync::Mutex<()>,
    /// How often it was tried.
    tries: AtomicU64,
    /// Answers that were found to messages that had come again by then.
    awaited: std::sync::Mutex<HashMap<Key, Bytes>>,
}

/// A message that may come again.
pub(crate) struct Repeatable<'a> {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    /// Who sent it.
    pub(crate) peer: &'a Peer,
    /// When its signature dies.
    pub(crate) until: Timestamp,
}

/// Where answers are remembered over a restart.
#[derive(Clone, Copy)]
pub(crate) struct Lasting<'a> {
    pub(crate) state: &'a StateHandle,
    pub(crate) writes: &'a WriteBehind,
    /// Who else writes to that state.
    pub(crate) sharing: Sharing,
}

impl Default for Replays {
    fn default() -> Self {
        Self {
            look_ups: Memory::new(LOOK_UPS),
            deliveries: Memory::new(DELIVERIES),
            gathered: Gathered::new(DELIVERIES),
            loaded: AtomicBool::new(false),
            loading: tokio::sync::Mutex::default(),
            tries: AtomicU64::new(0),
            awaited: std::sync::Mutex::default(),
        }
    }
}

/// Where an answer comes from that was not in memory.
enum Source {
    /// It was worked out; whether it is final.
    Work { is_final: bool },
    /// From the state.
    State,
}

impl Replays {
    /// The answer to a message: the remembered one, or what `work` gives.
    pub(crate) async fn answer(
        &self,
        message: Repeatable<'_>,
        now: Timestamp,
        lasting: Lasting<'_>,
        work: impl Future<Output = ScheduleResponse>,
    ) -> Bytes {
        let is_look_up = message.kind == Kind::FreeBusy;
        let memory = if is_look_up {
            &self.look_ups
        } else {
            &self.deliveries
        };
        let (cell, gone) = memory.cell(message.key, message.peer, message.until, now);
        if !is_look_up && lasting.sharing == Sharing::Shared {
            kept::forget(lasting.writes, &gone);
        }
        let mut source = None;
        let work = async {
            let claim = match self.claim(&message, now, lasting).await {
                Turn::Ours(claim) => claim,
                Turn::Done(answer) => {
                    source = Some(Source::State);
                    return answer;
                }
            };
            let response = work.await;
            // A host that was paused for long gives the answer of the one that took its place.
            if let Some(claim) = claim
                && claim.has_ended()
                && let Some(answer) = kept::recall(lasting.state, message.key).await
            {
                source = Some(Source::State);
                return answer;
            }
            let is_final = is_final(&response);
            source = Some(Source::Work { is_final });
            document(&response)
        };
        let answer = cell.get_or_init(|| work).await.clone();
        let is_final = match source {
            Some(Source::Work { is_final }) => is_final,
            Some(Source::State) => true,
            None => {
                told_again(&message);
                return answer;
            }
        };
        let settled = memory.settle(message.key, &cell, answer.len(), is_final);
        if let Some(Source::State) = source {
            told_again(&message);
        } else if !is_look_up {
            let is_kept = settled == Settled::Kept;
            match lasting.sharing {
                Sharing::Alone if is_kept => self.gathered.keep(message.key),
                Sharing::Alone => {}
                Sharing::Shared => {
                    if is_kept {
                        kept::keep(lasting.writes, &message, now, &answer);
                    }
                    kept::let_go(lasting.writes, message.key);
                }
            }
        }
        answer
    }

    /// Who works on a message: this host, unless it was answered before, or another host does, whose answer is waited for.
    async fn claim(&self, message: &Repeatable<'_>, now: Timestamp, lasting: Lasting<'_>) -> Turn {
        if message.kind == Kind::FreeBusy {
            return Turn::Ours(None);
        }
        match lasting.sharing {
            // All of it is in memory.
            Sharing::Alone if self.loaded.load(Ordering::Acquire) => Turn::Ours(None),
            Sharing::Alone => {
                self.load_with_others(lasting, now).await;
                self.awaited()
                    .remove(&message.key)
                    .map_or(Turn::Ours(None), Turn::Done)
            }
            Sharing::Shared => kept::claim(lasting.state, message.key).await,
        }
    }

    /// Reads what lies in the state, unless somebody else has since this was asked for. A state that cannot be asked knows
    /// nothing: it is named in the log, and what comes twice does no harm.
    async fn load_with_others(&self, lasting: Lasting<'_>, now: Timestamp) {
        let tries = self.tries.load(Ordering::Acquire);
        let _one_at_a_time = self.loading.lock().await;
        if self.tries.load(Ordering::Acquire) == tries {
            let _ = self.load_now(lasting, now).await;
        }
    }

    /// Takes what lies in the state into memory, so that the two hold the same. For what other hosts write, each message is
    /// looked up there.
    pub(crate) async fn load(&self, lasting: Lasting<'_>, now: Timestamp) -> Result<(), Error> {
        let _one_at_a_time = self.loading.lock().await;
        self.load_now(lasting, now).await
    }

    async fn load_now(&self, lasting: Lasting<'_>, now: Timestamp) -> Result<(), Error> {
        if self.loaded.load(Ordering::Acquire) {
            return Ok(());
        }
        self.tries.fetch_add(1, Ordering::AcqRel);
        let remember = |key, kept| self.remember(key, kept, now, lasting);
        kept::all(lasting.state, remember).await?;
        self.gathered.all(lasting.state, now, remember).await?;
        self.loaded.store(true, Ordering::Release);
        Ok(())
    }

    fn remember(&self, key: Key, kept: Kept, now: Timestamp, lasting: Lasting<'_>) {
        let until = now
            .saturating_add(kept.expires_in)
            .unwrap_or(Timestamp::MAX);
        let (cell, gone) = self.deliveries.cell(key, &kept.peer, until, now);
        if lasting.sharing == Sharing::Shared {
            kept::forget(lasting.writes, &gone);
        }
        let size = kept.answer.len();
        if cell.set(kept.answer.clone()).is_ok() {
            self.deliveries.settle(key, &cell, size, true);
        } else if !cell.initialized() {
            // The message is there again, and waits for this perhaps.
            self.awaited().insert(key, kept.answer);
        }
    }

    /// Returns once there are answers to be handed over.
    pub(crate) async fn some(&self) {
        self.gathered.some().await;
    }

    /// Hands over what is to be written behind.
    pub(crate) fn write(&self, writes: &WriteBehind, now: Timestamp) {
        self.gathered.write(&self.deliveries, writes, now);
    }

    fn awaited(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Bytes>> {
        // Each change is one step.
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told_again(message: &Repeatable<'_>) {
    tracing::info!(event = "message-repeated", peer = %message.peer, "a message came again and is answered as before");
}

/// Whether nobody shall try again later, which should help.
fn is_final(response: &ScheduleResponse) -> bool {
    let later = &RequestStatus::SERVICE_UNAVAILABLE;
    !(response.responses.iter()).any(|it| it.status.same_code(later))
}
