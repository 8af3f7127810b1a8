//! Scheduling messages as e-mail (iMIP, RFC 6047), without I/O: written for a guest who has no server that schedules, and
//! read when the answer comes back.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `compose` | [`compose()`]: a message and its people in, a [`Mail`] out |
//! | `notice` | [`compose_notice`]: short mails to our own people |
//! | `read` | [`read()`]: octets in, [`Incoming`] out: a scheduling message, a bounce, a person's words, something else |
//! | `words` | [`Incoming::has_words_beside_answer`]: what a person has written beside an answer, and what a program has |
//! | `token` | [`Token`], [`Gateway`]: unguessable addresses, one for each guest of each meeting |
//! | `language` | [`Language`]: what mails say, a file a language |
//! | `meeting`, `recurrence`, `clock`, `body` | a meeting in words; these as text and as HTML |
//! | `previous` | what somebody was told before, for comparison |
//! | `zones` | VTIMEZONEs as every calendar program reads them |
//! | `mail`, `message_id` | the MIME message; Message-IDs that follow from what is sent |
//! | `mailbox` | [`Mailbox`], addresses as mail servers read them |
//!
//! Always true: nothing here reads a file, a socket or a clock; whatever a CN or SUMMARY holds, it makes no header field; a
//! mail that is composed again is the same, octet for octet; what strangers send ends in a value, in time and memory linear in
//! its octets.
//!
//! Not done: S/MIME is neither written nor verified (RFC 6047 §2.2 wants it, nobody's calendar program asks for it);
//! `winmail.dat` (TNEF) is not opened; of several messages in one mail the first is taken; attachments by `cid:` stay
//! behind.

mod body;
mod clock;
mod compose;
mod language;
mod mail;
mod mailbox;
mod meeting;
mod message_id;
mod notice;
mod previous;
mod read;
mod recurrence;
mod token;
mod words;
mod zones;

pub use compose::{ComposeError, FromMode, Outgoing, Recipient, compose};
pub use language::Language;
pub use mail::Mail;
pub use mailbox::{Mailbox, NotMailable, addr_spec, mailbox_address};
pub use message_id::{message_id_of, thread_id_of};
pub use notice::{Notice, Occasion, compose_notice};
pub use read::{
    Action, Arrival, AuthservId, AutoSubmitted, Bounce, CalendarPart, Content, DeliveryReport,
    Evidence, Incoming, InvalidAuthservId, Origin, Refusal, ReturnPath, Verdict, read,
};
pub use token::{Addressed, Gateway, InvalidGateway, InvalidToken, Token};
