//! iTIP (RFC 5546): what a scheduling message does to the copy of one calendar user.
//!
//! Everything here is a function from (message, stored object, who) to (status, change, messages to send). Nothing is
//! read, written or sent; time is an argument.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`receive`](fn@receive) | processes a message that has arrived for a calendar user |
//! | [`recall`](fn@recall), [`forget`](fn@forget), [`unremembered`] | which version the owner's object is of, whatever a calendar program made of it |
//! | [`called_off_before`] | what is remembered of a CANCEL that overtakes its invitation |
//! | [`update_own_copy`](fn@update_own_copy) | updates the sender's own copy after it has sent a message |
//! | [`compose_reply`](fn@compose_reply), [`Reply`] | makes an attendee's reply: how, to what, who comes instead |
//! | [`compose_counter`], [`accept_counter`], [`compose_decline_counter`] | another time: proposed, taken up, declined |
//! | [`is_over`], [`ends`], [`summary`](fn@summary) | whether nobody needs to hear of it, and from when on; what a list says of it |
//! | [`edit`](fn@edit), [`observe`](fn@observe) | make the messages that an edit of the owner causes, commanded or made already |
//! | [`note_delivery`](fn@note_delivery) | notes in the owner's copy what became of them |
//! | [`occurrences`](fn@occurrences), [`note_answers`], [`compose_answers`], [`decide_tentative`], [`knows_answers`] | what a room is asked for, one by one, and answers that differ from part to part |
//! | [`hide_details`] | an invitation without what it is about |
//! | [`for_sending`](fn@for_sending) | removes the sender's personal data from a submitted message |
//! | [`addressees`](fn@addressees), [`is_left_to_client`](fn@is_left_to_client) | whom a message is for; whom it is not the server's to tell |
//! | [`delegates`](fn@delegates), [`forward_to_delegate`](fn@forward_to_delegate) | whom an attendee sends in its place, and what they are told |
//! | `request`, `cancel`, `add`, `apply_reply`, `reply_record`, `delegation`, `refresh` | the rules, a method each |
//! | `answer_line` | an attendee's answer on its line, and delegations that a list says nothing of |
//! | `doubtful` | messages that may be older than a copy of which no version is known |
//! | `unheard` | answers to a series that hold for what a REQUEST tells of one instance, said to who did not know |
//! | `redact`, `senders_own` | what never leaves its owner's calendar; what is taken from no sender |
//! | `normalize`, `value_types` | what is read leniently, written rightly |
//! | `implied` | what a series implies of its instances: [`Series`] |
//! | `object`, `instance`, `series`, `schedule`, `revision`, `participants`, `personal` | what the rules speak of |
//! | `zone_alignment` | the zones of a message and of what is stored |
//!
//! Always true: only who the stored object names as its ORGANIZER changes what is the organizer's, and only one of its
//! ATTENDEEs changes that attendee's line. A message that arrives twice changes nothing the second time. What belongs
//! to the calendar user (alarms, TRANSP, categories, `X-` properties, progress of a to-do) survives an update.
//!
//! Not done: an organizer is not replaced by a message (RFC 5546 §4.2.11), as nothing in it proves that the attendees
//! agreed; a proposal (COUNTER) is kept for the person, and changes
//! nothing before they take it up. What an organizer enters as the answer of a guest who has taken theirs back stands in the
//! organizer's copy alone, until the organizer has told the guest once that there is none: nothing in a message tells it from the
//! answer that was taken back, which an update that was under way says still.

mod add;
mod address;
mod answer_line;
mod answers;
mod apply_reply;
mod cancel;
mod compose_reply;
mod counter;
mod delegation;
mod details;
mod doubtful;
mod edit;
mod ended;
mod exceptions;
mod implied;
mod instance;
mod normalize;
mod object;
mod occurrences;
mod outgoing;
mod own_copy;
mod participants;
mod personal;
mod recall;
mod receive;
mod redact;
mod refresh;
mod reply;
mod reply_record;
mod request;
mod revision;
mod schedule;
mod senders_own;
mod series;
mod summary;
#[cfg(test)]
mod tests;
mod unheard;
mod value_types;
mod zone_alignment;

pub use address::{addressees, is_left_to_client};
pub use answers::{Answer, Answers, compose_answers, decide_tentative, note_answers};
pub use cancel::called_off_before;
pub use compose_reply::{ReplyError, compose_reply};
pub use counter::{Proposal, accept_counter, compose_counter, compose_decline_counter};
pub use delegation::{MAX_DELEGATES, delegates, forward_to_delegate};
pub use details::hide_details;
pub use edit::{Edited, Observed, edit, note_delivery, observe};
pub use ended::{ends, is_over};
pub use implied::Series;
pub(crate) use object::weight;
pub use occurrences::{Occurrence, Occurrences, knows_answers, occurrences};
pub use outgoing::{Outgoing, for_sending};
pub use own_copy::update_own_copy;
pub use participants::{Owner, PartStat};
pub use personal::COMMENT_FROM;
pub use recall::{forget, recall, unremembered};
pub use receive::{Anomaly, Change, Received, Receiving, receive};
pub use reply::Reply;
pub use revision::not_before;
pub use summary::{Summary, summary};
