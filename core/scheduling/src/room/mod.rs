//! Rooms and resources, which answer by themselves when an invitation is delivered.
//!
//! ```text
//! REQUEST ─▶ the room's copy as iTIP has it ─▶ what is asked anew, occurrence by occurrence
//!              ├─ who, how far ahead, how long, on which days: BookingRules ─▶ DECLINED, and why
//!              ├─ what else is in the room's calendar then ─▶ DECLINED, alone or (Conflicts) with the whole
//!              └─ the rest ─▶ ACCEPTED, or TENTATIVE and a message for who approves
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `settings` | what the administrator says of a room: [`RoomSettings`] |
//! | `rules`, `conflicts` | who may book it and when: [`BookingRules`]; how much of a series may be refused: [`Conflicts`] |
//! | `span` | stretches of time as people write them: [`Span`] |
//! | `asked` | what an invitation asks anew, and what stands |
//! | `judge` | what the room says to it |
//! | `copy` | the room's own copy, and its answers on it |
//! | `taken` | when it is taken by others |
//! | `book` | the above put together with the store, so that two racing invitations never both get the room |
//! | `approve` | what waits for somebody's approval, and their decision: [`Decision`] |
//!
//! Always true: a comment tells the organizer which of *its* times are not free, and nothing of what else is there; what
//! was accepted and is not moved stands; what was not looked at is not called free (a series without an end is accepted as
//! far as the horizon goes, and the comment says so).
//!
//! Deliberately not here: choosing another room, equipment that goes with a room, several bookings of one thing at once.

mod approve;
mod asked;
mod book;
mod conflicts;
mod copy;
mod judge;
mod rules;
mod settings;
mod span;
mod taken;

pub use approve::{Decision, Undecided};
pub(crate) use book::Visit;
pub use conflicts::{Conflicts, InvalidConflicts};
pub use rules::{BookingRules, InvalidBooking};
pub use settings::{InvalidSetting, Privacy, RoomSettings};
pub use span::{InvalidSpan, Span};
