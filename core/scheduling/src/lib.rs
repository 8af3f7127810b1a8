//! What happens with a scheduling message, whatever it came by: intake, policy, delivery, and what is to be sent.
//!
//! ```text
//! bytes and what their sender proved
//!   └─ Scheduler::read ──▶ a valid Message, or a Refusal
//!        ├─ Scheduler::deliver (from elsewhere) ──┐
//!        └─ Scheduler::dispatch (from our people) ──┤
//!             own copy, ledger, outbox, then      │
//!             ├─ to our domains ──────────────────┼─▶ policy ─▶ store: busy time, or an object that changes
//!             └─ to the others ─▶ Transport,      │                └─▶ outbox: what the recipient sends in turn
//!                  or mail to who has no receiver │
//!                                                 └─▶ one Outcome for each recipient
//!
//! a calendar that changed
//!   └─ Scheduler::reconcile ─▶ the store against the ledger ─▶ one commit: ledger and outbox
//! the outbox
//!   └─ Scheduler::attempt ─▶ as above ─▶ status in the ledger and in the originator's object, or a later try
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `environment` | the traits by which the world is asked: [`Stores`], [`Home`], [`Policies`], [`Transport`], [`Clock`], [`Processor`], [`Journal`]; what people are told: [`Notice`] |
//! | `intake` | from bytes to a valid message that its sender may send: [`Intake`] |
//! | `refusal` | a message refused as a whole: [`Refusal`] |
//! | `envelope` | a valid message with who sends it and what they proved: [`Envelope`], [`Answering`], [`Letter`], [`Peer`], [`TransportFacts`] |
//! | `outcome` | what became of it for one recipient: [`Outcome`] |
//! | `deliver` | to our own calendar users |
//! | `room` | rooms and resources, which answer by themselves: [`RoomSettings`] |
//! | `send` | from our own calendar users: [`Submission`], delegates |
//! | `owed` | what our people send because something came in, and how much of it strangers may cause |
//! | `change`, `reply` | one of our people changed an object, or answers: [`Scheduler::send_object`], [`Scheduler::compose_response`] |
//! | `reconcile` | what people changed in their calendar programs: [`Scheduler::reconcile`] |
//! | `decision` | what was decided about a message or an object: [`Decided`] |
//! | `ledger` | what others know of each object |
//! | `told_version` | an object as a recipient was told it last, as far as people read it |
//! | `mail` | what is remembered of mails: tokens, and what a mail refers to: [`Guest`], [`Correspondence`] |
//! | `outbox` | what waits to be delivered: [`Outbox`] |
//! | `keys`, `state`, `pages` | where each of these lies in the state, and how it is read and written; a range of keys: [`Pages`] |
//! | `settling`, `echoes` | what must be quiet first; what strangers have caused lately |
//! | `locks` | one change of an object at a time |
//! | `busy` | when a calendar user is busy |
//! | `stored` | an object is read, changed and written back if nobody else wrote meanwhile |
//! | `deciding` | of two hosts that decide, one does |
//! | `inbox`, `decide` | what waits for a person to decide on, and what comes of it |
//! | `put_back` | a state that is restored from a backup: [`put_back()`] |
//! | `held_messages` | what waited to be delivered when the backup was made: [`HeldMessage`] |
//! | `kept` | the same, of stores that have no place for it: [`Kept`] |
//! | `forget` | a calendar user is removed, or all of a person is erased: [`Forgotten`] |
//! | `unreached` | whom meetings did not reach, for a person who looks |
//! | `turns` | what is done one after the other for one user |
//! | `index` | the index that goes with every stored object: [`index_stored`] |
//! | `person` | a calendar user as objects know it: [`Person`] |
//! | `scheduler` | what holds all of it together: [`Scheduler`] |
//! | `timing` | when changes are told, and for how long delivery is tried: [`Timing`] |
//! | `limits`, `effort` | what a message may ask of us, and what is left of it: [`Limits`], [`Effort`] |
//!
//! Always true: policy is asked before a store is; what is answered with success is on disk, as the store says; one
//! recipient's failure is nobody else's; a message is delivered to our own calendar users or to nobody, never relayed; who
//! sends much gets no more of us than its budget.
//!
//! Deliberately not here: HTTP, SMTP, files, plugins, threads, the system's clock, chance. Time comes from [`Clock`], and
//! nothing is spawned: whoever owns a [`Scheduler`] drives its futures. So many of them can run in one process under a
//! simulator.

mod bounce;
mod busy;
mod change;
mod decide;
mod deciding;
mod decision;
mod deliver;
mod echoes;
mod effort;
mod envelope;
mod environment;
mod forget;
mod held_messages;
mod inbox;
mod index;
mod intake;
mod kept;
mod keys;
mod ledger;
mod limits;
mod locks;
mod mail;
mod outbox;
mod outcome;
mod owed;
mod pages;
mod person;
mod put_back;
mod reconcile;
mod refusal;
mod removals;
mod reply;
mod room;
mod scheduler;
mod send;
mod settling;
mod state;
mod stored;
#[cfg(test)]
pub(crate) mod tests;
mod timing;
mod told_version;
mod turns;
mod unreached;
mod writing;

pub use bounce::Bounced;
pub use change::{Answered, Told, Unsent};
pub use decide::{NotDecided, Undecided as WaitingMessage, Why};
pub use decision::Decided;
pub use effort::{Effort, SMALL};
pub use envelope::{Answering, Envelope, InboxItem, Letter, Peer, TransportFacts};
pub use environment::{
    Acquaintance, Answers, Arrived, Clock, Environment, Event, Grant, Home, Journal, MailRecipient,
    Mailing, Notice, Occasion, Overloaded, Policies, Processor, Quota, State, Stores, Transport,
    Unbounded, Verdict,
};
pub use forget::{Forgotten, erase_user, forget_range, forget_user, forget_where};
pub use held_messages::HeldMessage;
pub use index::index_stored;
pub use intake::Intake;
pub use kept::Kept;
pub use limits::{Limits, Room};
pub use mail::{Correspondence, Guest};
pub use outbox::{Attempt, Entry, EntryId, LEASE, Membership, Outbox, Standing, TakeOver};
pub use outcome::{HandedOver, Outcome, Retry, Via};
pub use pages::Pages;
pub use person::{Person, SCHEDULE};
pub use put_back::{bury_missing, is_lease, put_back};
pub use reconcile::{Forbidden, HeldChange, HeldId, Looked, Telling, adopt};
pub use refusal::{Condition, Refusal};
pub use reply::{NoReply, Response};
pub use room::{
    BookingRules, Conflicts, Decision, InvalidBooking, InvalidConflicts, InvalidSetting,
    InvalidSpan, Privacy, RoomSettings, Span, Undecided,
};
pub use scheduler::{Scheduler, Shared};
pub use send::Submission;
pub use timing::Timing;
