//! Room for the answer to one message, while it is put together.
//!
//! What each recipient's part takes is counted as soon as it is there, and the whole until its peer has taken it
//! ([`delivered`](super::delivered)). A part that finds no room is left out, and its recipient is answered 5.1.

use crate::admission::Admission;
use convoke_net::http_server::{Holding, Short};
use convoke_scheduling::{Answers, Outcome};
use convoke_types::RequestStatus;
use std::net::IpAddr;
use tokio::sync::Mutex;

/// A part is there twice while the document is made.
const TIMES: usize = 2;

/// The room of one answer.
pub(crate) struct AnswerRoom(Mutex<State>);

struct State {
    holding: Holding,
    taken: usize,
    /// A part found no room: the next ones do not wait for it again.
    full: bool,
}

impl AnswerRoom {
    /// For the answer to a peer at this address.
    pub(crate) fn new(admission: &Admission, address: IpAddr) -> Self {
        Self(Mutex::new(State {
            holding: admission.answers.hold(address),
            taken: 0,
            full: false,
        }))
    }

    /// What a document of so many bytes takes, instead of its parts.
    pub(super) async fn for_document(self, bytes: usize) -> Result<Holding, Short> {
        let mut holding = self.0.into_inner().holding;
        holding.resize(bytes).await?;
        Ok(holding)
    }
}

impl Answers for AnswerRoom {
    async fn admit(&self, mut outcome: Outcome) -> Outcome {
        let Some(data) = &outcome.data else {
            return outcome;
        };
        let bytes = TIMES * data.len();
        let mut state = self.0.lock().await;
        let taken = state.taken + bytes;
        if !state.full && state.holding.resize(taken).await.is_ok() {
            state.taken = taken;
            return outcome;
        }
        if !std::mem::replace(&mut state.full, true) {
            tracing::warn!(
                event = "no-memory",
                bytes = taken,
                "an answer is too large to be sent as a whole; see `limits.answer_memory`"
            );
        }
        outcome.data = None;
        outcome.status = RequestStatus::SERVICE_UNAVAILABLE
            .with_text("The answer is too large; ask about fewer recipients, or less time");
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_net::http_server::Memory;
    use std::net::Ipv6Addr;

    fn part(bytes: usize) -> Outcome {
        Outcome {
            data: Some("x".repeat(bytes)),
            ..RequestStatus::SUCCESS.into()
        }
    }

    /// Virtual time.
    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_is_left_out() {
        let memory = Memory::new(2000, 0);
        let room = AnswerRoom(Mutex::new(State {
            holding: memory.hold(Ipv6Addr::LOCALHOST.into()),
            taken: 0,
            full: false,
        }));
        for (bytes, fits) in [(200, true), (200, true), (200, false), (1, false)] {
            let admitted = room.admit(part(bytes)).await;
            assert_eq!(admitted.data.is_some(), fits);
            let later = RequestStatus::SERVICE_UNAVAILABLE;
            assert_eq!(admitted.status.same_code(&later), !fits);
        }
        let holding = room.for_document(900).await.unwrap();
        let mut other = memory.hold(Ipv6Addr::LOCALHOST.into());
        assert_eq!(other.grow(101).await, Err(Short));
        drop(holding);
        assert_eq!(other.grow(101).await, Ok(()));
    }
}
