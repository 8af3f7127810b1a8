//! Room for the answer to one message, while it is put together.
//!
//! What each recipient's part takes is counted as soon as it is there, and the whole until its peer has taken it
//! ([`delivered`](super::answer::delivered)). A part that finds no room is left out, and its recipient is answered 5.1.

use super::gate::Gate;
use convoke_ischedule::RecipientResponse;
use convoke_net::http_server::{Holding, Short};
use convoke_types::RequestStatus;
use std::net::{IpAddr, Ipv6Addr};
use tokio::sync::Mutex;

/// A part is there twice while the document is made.
const TIMES: usize = 2;

/// The room of one answer.
pub(crate) struct Room(Mutex<State>);

struct State {
    holding: Holding,
    taken: usize,
    /// A part found no room: the next ones do not wait for it again.
    full: bool,
}

impl Room {
    /// For the answer to a peer at this address.
    pub(crate) fn new(gate: &Gate, address: IpAddr) -> Self {
        Self(Mutex::new(State {
            holding: gate.answers.hold(address),
            taken: 0,
            full: false,
        }))
    }

    /// For an answer that nobody is waiting for.
    pub(crate) fn of_our_own(gate: &Gate) -> Self {
        Self::new(gate, Ipv6Addr::LOCALHOST.into())
    }

    /// A recipient's part as it can be sent.
    pub(crate) async fn admit(&self, mut response: RecipientResponse) -> RecipientResponse {
        let Some(data) = &response.calendar_data else {
            return response;
        };
        let bytes = TIMES * data.data.len();
        let mut state = self.0.lock().await;
        let taken = state.taken + bytes;
        if !state.full && state.holding.resize(taken).await.is_ok() {
            state.taken = taken;
            return response;
        }
        if !std::mem::replace(&mut state.full, true) {
            tracing::warn!(
                event = "no-memory",
                bytes = taken,
                "an answer is too large to be sent as a whole; see `limits.answer_memory`"
            );
        }
        response.calendar_data = None;
        response.status = RequestStatus::SERVICE_UNAVAILABLE
            .with_text("The answer is too large; ask about fewer recipients, or less time");
        response
    }

    /// What a document of so many bytes takes, instead of its parts.
    pub(super) async fn for_document(self, bytes: usize) -> Result<Holding, Short> {
        let mut holding = self.0.into_inner().holding;
        holding.resize(bytes).await?;
        Ok(holding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_ischedule::CalendarData;
    use convoke_net::http_server::Memory;

    fn part(bytes: usize) -> RecipientResponse {
        let mut part = RecipientResponse::new("mailto:bo@example.org", RequestStatus::SUCCESS);
        part.calendar_data = Some(CalendarData::icalendar("x".repeat(bytes)));
        part
    }

    /// Virtual time.
    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_is_left_out() {
        let memory = Memory::new(2000, 0);
        let room = Room(Mutex::new(State {
            holding: memory.hold(Ipv6Addr::LOCALHOST.into()),
            taken: 0,
            full: false,
        }));
        for (bytes, fits) in [(200, true), (200, true), (200, false), (1, false)] {
            let admitted = room.admit(part(bytes)).await;
            assert_eq!(admitted.calendar_data.is_some(), fits);
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
