//! Message-IDs that follow from what is sent: a mail that is sent again after a crash has the same one.
//!
//! A report that a mail was not delivered may name the guest by nothing but the Message-ID of the mail. All that a message holds
//! is known to everybody who is invited, so that the guest's token, which nobody else knows, is part of what it is made of.

use crate::token::Token;
use convoke_calendar::message::Message;
use convoke_types::{CalendarAddress, Domain, Uid};
use sha2::{Digest, Sha256};
use std::iter;

/// The Message-ID of one message to one recipient, without angle brackets: 40 digits and the domain.
///
/// It follows from all that the message says, sender, recipient and the recipient's token. Without a token, others who are invited
/// can tell what it is. UID, revision (SEQUENCE, DTSTAMP) and METHOD would not do: DTSTAMP counts seconds, and who proposes two times
/// within one says two things (RFC 5322 §3.6.4: a Message-ID names one version of one message; mail servers and mailboxes drop a
/// second one that has it).
pub fn message_id_of(
    message: &Message,
    sender: &CalendarAddress,
    recipient: &CalendarAddress,
    token: Option<&Token>,
    domain: &Domain,
) -> String {
    let said = message.calendar().write();
    let [sender, recipient] = [sender, recipient].map(|it| it.as_str().to_ascii_lowercase());
    let token = token.map(Token::as_str).unwrap_or_default();
    let parts = [
        &*said,
        sender.as_bytes(),
        recipient.as_bytes(),
        token.as_bytes(),
    ];
    format!("{}@{domain}", digest("message", &parts))
}

/// What all mails about one meeting refer to, so that mail programs show them as one conversation, whichever of them a
/// recipient has. No mail has it as its own Message-ID.
pub fn thread_id_of(uid: &Uid, domain: &Domain) -> String {
    format!("{}@{domain}", digest("thread", &[uid.as_str()]))
}

/// The longest Message-ID that is taken, in octets.
const MAX_MESSAGE_ID: usize = 500;

/// Whether a text may stand between the angle brackets of a Message-ID: of strangers', which is written into our fields.
pub(crate) fn is_message_id(id: &str) -> bool {
    let is_fine = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'<' | b'>');
    (1..=MAX_MESSAGE_ID).contains(&id.len()) && id.bytes().all(is_fine)
}

/// 160 bits of SHA-256 over the parts, as hexadecimal digits. The lengths keep the parts apart.
pub(crate) fn digest<P: AsRef<[u8]>>(purpose: &str, parts: &[P]) -> String {
    let mut hash = Sha256::new();
    let parts = parts.iter().map(AsRef::as_ref);
    for part in iter::once(purpose.as_bytes()).chain(parts) {
        let length = u64::try_from(part.len()).expect("a length fits into 64 bits");
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    hash.iter().take(20).fold(String::new(), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(half.into(), 16).expect("a half octet is a digit"));
        }
        text
    })
}
