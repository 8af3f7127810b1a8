//! LMTP (RFC 2033), the server's side, without I/O: octets in, replies and questions out.
//!
//! ```text
//! octets ──▶ Session::push
//!            Session::step ──▶ Octets      more are needed, and replies are to be written
//!                              Recipient   is it ours?                    ◀── answer_recipient
//!                              Message     what became of it, for each?   ◀── answer_message
//!                              End         replies are to be written, then the connection is closed
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `session` | [`Session`]: what a client has said so far |
//! | `body` | a message up to its final dot |
//! | `path` | the addresses of an envelope |
//! | `message` | a message as a client sends it |
//! | `reply` | [`Reply`]: code, enhanced status code (RFC 3463), text |
//!
//! Extensions: PIPELINING (RFC 2920), ENHANCEDSTATUSCODES (RFC 2034), 8BITMIME (RFC 6152), SIZE (RFC 1870), SMTPUTF8
//! (RFC 6531).
//!
//! Always true: lines end with CR LF and nothing else does, else the session ends (521) before another server's view of where
//! a message ends can differ from ours; what is kept is bounded by [`Limits`] and one line; time is linear in the octets.
//!
//! Deliberately not here: sockets, time-outs, who a recipient is. Not done: BDAT, BINARYMIME, DSN, STARTTLS and AUTH, as both
//! sides are on one machine.

mod body;
mod message;
mod path;
mod reply;
mod session;

pub use message::{stuffed, with_line_ends};
pub use reply::Reply;
pub use session::{Limits, Session, Step, Transaction};
