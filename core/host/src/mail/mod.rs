//! Mail: who has no receiver is reached by it (iMIP, RFC 6047).
//!
//! | module | what it does |
//! | --- | --- |
//! | `smtp` | the mail server that takes what we send: connections, TLS, log-in, replies |
//! | `stream` | a connection that is lent to the SMTP client, and encrypted on the way |
//! | `notices` | what our own people are told by mail |
//! | `outgoing` | a message to each recipient, as a mail with a token: [`Mailer`] |
//! | `under_way` | what is on its way to the mail server, each mail once at a time |
//!
//! What a mail looks like, and how one is read, is in `convoke-imip`; who goes by mail, when, and how often it is tried, in
//! the outbox of `convoke-scheduling`.

mod notices;
mod outgoing;
mod smtp;
mod stream;
mod under_way;

pub use notices::Notices;
pub(crate) use notices::{NOTIFY, forget};
pub use outgoing::Mailer;
pub(crate) use outgoing::Untold;
pub use smtp::{MailServer, NotTaken};
