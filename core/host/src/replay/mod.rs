//! Idempotency cache for signed requests: a replayed message gets the recorded answer and is not delivered twice (spec §9).
//!
//! | module | what it holds |
//! | --- | --- |
//! | `key` | what makes two messages the same |
//! | `memory` | answers in bounded memory, each peer with its share |
//! | `kept` | the same in the state, over a restart |
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
//! What a delivery was answered with lies in the state as well, as long as in memory and no longer, so that it is known after
//! a restart, and to other hosts with the same state. No answer waits for that: it is written behind ([`WriteBehind`]). A host
//! that is killed forgets the answers of its last moments, which is harmless: such a message is processed once more, and
//! compared with what is stored it is no news, so that it changes nothing and is answered as before. Look-ups are in memory
//! alone: whoever asks again gets what is busy now.

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
use jiff::Timestamp;
use kept::Turn;
use memory::{Memory, Settled};
use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

/// Bytes that answers to look-ups may hold together, about.
const LOOK_UPS: usize = 2 << 20;
/// Bytes that answers to deliveries may hold together, about.
const DELIVERIES: usize = 14 << 20;

/// The answers to signed messages whose signatures still live.
pub struct Replays {
    look_ups: Memory,
    deliveries: Memory,
    /// What lay in the state is in memory.
    loaded: AtomicBool,
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
            loaded: AtomicBool::new(false),
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
        if !is_look_up {
            kept::forget(lasting.writes, &gone);
        }
        let mut source = None;
        let work = async {
            let claim = match self.claim(&message, lasting).await {
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
            if settled == Settled::Kept {
                kept::keep(lasting.writes, &message, now, &answer);
            }
            if lasting.sharing == Sharing::Shared {
                kept::let_go(lasting.writes, message.key);
            }
        }
        answer
    }

    /// Who works on a message: this host, unless it was answered before, or another host does, whose answer is waited for.
    async fn claim(&self, message: &Repeatable<'_>, lasting: Lasting<'_>) -> Turn {
        if message.kind == Kind::FreeBusy {
            return Turn::Ours(None);
        }
        match lasting.sharing {
            // All of it is in memory.
            Sharing::Alone if self.loaded.load(Ordering::Relaxed) => Turn::Ours(None),
            Sharing::Alone => match kept::recall(lasting.state, message.key).await {
                Some(answer) => Turn::Done(answer),
                None => Turn::Ours(None),
            },
            Sharing::Shared => kept::claim(lasting.state, message.key).await,
        }
    }

    /// Takes what lies in the state into memory, so that the two hold the same. Until that is done, and for what other hosts
    /// write, each message is looked up there.
    pub(crate) async fn load(&self, lasting: Lasting<'_>, now: Timestamp) -> Result<(), Error> {
        kept::all(lasting.state, |key, kept| {
            let until = now
                .saturating_add(kept.expires_in)
                .unwrap_or(Timestamp::MAX);
            let (cell, gone) = self.deliveries.cell(key, &kept.peer, until, now);
            kept::forget(lasting.writes, &gone);
            let size = kept.answer.len();
            // An error: it is known already, or being worked out.
            if cell.set(kept.answer).is_ok() {
                self.deliveries.settle(key, &cell, size, true);
            }
        })
        .await?;
        self.loaded.store(true, Ordering::Relaxed);
        Ok(())
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
