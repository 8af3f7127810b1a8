//! Where each thing lies in the state: one place that knows the keys.
//!
//! ```text
//! ledger/USER/UID        what was told or received of an object of a calendar user
//! user/USER              how far the calendar of a user has been looked at
//! held/USER/UID          a change that waits for somebody to release it
//! outbox/ID              a message that waits to be delivered to one recipient
//! waits/USER/UID/ID      that ID in the outbox is about this object of a user, where several hosts share a state
//! turn/USER/UID          what was handed in last about an object of a user, for a while, where several hosts share a state
//! host/ID                the lease of a host, while it lives
//! put-back/MESSAGE/ID    an entry of the outbox of a backup, which is held since the state was restored from it
//! call/HOST/ID           somebody asks a host to try an entry of the outbox now
//! message/DIGEST         the octets of messages that wait
//! known/USER/ADDRESS     whom a user has ever invited, answered or accepted
//! guest/USER/UID/ADDRESS the mails to a guest of a meeting
//! token/TOKEN            which guest of which meeting an address of the mail gateway was made for
//! mailed/MESSAGE-ID      to which guest of which meeting a mail went
//! received/DIGEST        a mail that was taken, by Message-ID, recipient and what it says
//! inbox/USER/ID          a message that waits for a user to decide on, where the store has no place for it
//! inbox-size/USER/ID     how long that is, in bytes
//! deciding/USER/ID       a host is deciding on such a message, where several share a state
//! inbox-turn/USER        written by who keeps such a message: of two at once, one
//! ```
//!
//! A user is named by its address, as a store may name its users anew. Whatever is not a letter, a digit or one of `-._@:+`
//! is written as in a URL, so that no part holds a `/`; a part that would be too long is its digest instead.

use convoke_types::{CalendarAddress, CalendarUser, KeyRange, Uid};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The longest part of a key, in bytes.
const LONGEST: usize = 256;

/// Everything that waits to be delivered.
pub(crate) const OUTBOX: &str = "outbox/";

/// The leases of hosts.
pub(crate) const HOSTS: &str = "host/";

pub(crate) fn ledger(user: &CalendarUser, uid: &Uid) -> Vec<u8> {
    key(&["ledger", owner(user).as_str(), uid.as_str()])
}

/// All that is remembered of a user's objects.
pub(crate) fn ledger_of(user: &CalendarUser) -> KeyRange {
    below(&["ledger", &owner(user)])
}

pub(crate) fn user(user: &CalendarUser) -> Vec<u8> {
    key(&["user", &owner(user)])
}

pub(crate) fn held(user: &CalendarUser, uid: &Uid) -> Vec<u8> {
    key(&["held", owner(user).as_str(), uid.as_str()])
}

/// The same, of a user who may be gone.
pub(crate) fn held_by(user: &CalendarAddress, uid: &Uid) -> Vec<u8> {
    key(&["held", folded(user).as_str(), uid.as_str()])
}

/// The same, of the object of a ledger's key.
pub(crate) fn held_beside(ledger: &[u8]) -> Vec<u8> {
    let rest = ledger.strip_prefix(b"ledger").unwrap_or(ledger);
    [b"held", rest].concat()
}

/// What waits for a user's changes to be released; of everybody without one.
pub(crate) fn held_of(user: Option<&CalendarUser>) -> KeyRange {
    match user {
        Some(user) => below(&["held", &owner(user)]),
        None => KeyRange::prefix("held/"),
    }
}

pub(crate) fn outbox(id: &str) -> Vec<u8> {
    key(&["outbox", id])
}

/// That an entry is about an object of its originator's.
pub(crate) fn waits(originator: &CalendarAddress, uid: &Uid, id: &str) -> Vec<u8> {
    key(&["waits", &folded(originator), uid.as_str(), id])
}

/// All that waits about an object of its originator's.
pub(crate) fn waits_about(originator: &CalendarAddress, uid: &Uid) -> KeyRange {
    below(&["waits", &folded(originator), uid.as_str()])
}

/// What was handed in last about an object of its originator's.
pub(crate) fn turn(originator: &CalendarAddress, uid: &Uid) -> Vec<u8> {
    key(&["turn", &folded(originator), uid.as_str()])
}

pub(crate) fn host(id: &str) -> Vec<u8> {
    key(&["host", id])
}

/// An entry that waited when a backup was made, with the others of its message.
pub(crate) fn put_back(message: &str, id: &str) -> Vec<u8> {
    key(&["put-back", message, id])
}

/// All that waited when a backup was made.
pub(crate) fn all_put_back() -> KeyRange {
    KeyRange::prefix("put-back/")
}

pub(crate) fn call(host: &str, id: &str) -> Vec<u8> {
    key(&["call", host, id])
}

/// All that a host is asked to try now.
pub(crate) fn calls_of(host: &str) -> KeyRange {
    below(&["call", host])
}

pub(crate) fn message(digest: &str) -> Vec<u8> {
    key(&["message", digest])
}

/// By each address that a user has: policies are asked before anybody knows whose address it is.
pub(crate) fn known(own: &CalendarAddress, other: &CalendarAddress) -> Vec<u8> {
    key(&["known", &folded(own), &folded(other)])
}

/// All whom an address of a user's knows.
pub(crate) fn known_of(own: &CalendarAddress) -> KeyRange {
    below(&["known", &folded(own)])
}

/// The guests of all meetings that an address of a user's invites to.
pub(crate) fn guests_of(user: &CalendarAddress) -> KeyRange {
    below(&["guest", &folded(user)])
}

pub(crate) fn guest(user: &CalendarAddress, uid: &Uid, guest: &CalendarAddress) -> Vec<u8> {
    key(&["guest", &folded(user), uid.as_str(), &folded(guest)])
}

pub(crate) fn token(token: &str) -> Vec<u8> {
    key(&["token", &token.to_ascii_lowercase()])
}

pub(crate) fn mailed(message_id: &str) -> Vec<u8> {
    key(&["mailed", message_id])
}

/// All mails to guests.
pub(crate) fn all_mailed() -> KeyRange {
    KeyRange::prefix("mailed/")
}

pub(crate) fn received(message_id: &str, recipient: &CalendarAddress, data: &[u8]) -> Vec<u8> {
    let recipient = folded(recipient);
    let digest = digest(&[message_id.as_bytes(), recipient.as_bytes(), data]);
    key(&["received", &digest])
}

pub(crate) fn inbox(user: &CalendarUser, id: &str) -> Vec<u8> {
    key(&["inbox", owner(user).as_str(), id])
}

/// All messages that wait for a user here.
pub(crate) fn inbox_of(user: &CalendarUser) -> KeyRange {
    below(&["inbox", &owner(user)])
}

pub(crate) fn inbox_size(user: &CalendarUser, id: &str) -> Vec<u8> {
    key(&["inbox-size", owner(user).as_str(), id])
}

pub(crate) fn inbox_sizes_of(user: &CalendarUser) -> KeyRange {
    below(&["inbox-size", &owner(user)])
}

pub(crate) fn deciding(user: &CalendarUser, id: &str) -> Vec<u8> {
    key(&["deciding", owner(user).as_str(), id])
}

pub(crate) fn inbox_turn(user: &CalendarUser) -> Vec<u8> {
    key(&["inbox-turn", &owner(user)])
}

/// What stands behind the last `/` of a key.
pub(crate) fn last_part(key: &[u8]) -> &str {
    let part = key.rsplit(|it| *it == b'/').next();
    let part = part.and_then(|it| std::str::from_utf8(it).ok());
    part.unwrap_or_default()
}

/// How far calendars were looked at.
pub(crate) const USERS: &str = "user/";

/// Every user whose calendar was looked at.
pub(crate) fn users() -> KeyRange {
    KeyRange::prefix(USERS)
}

/// Whose calendar a key of those is about; `None` of an address that was too long to be written as it is.
pub(crate) fn user_in(key: &[u8]) -> Option<CalendarAddress> {
    let part = std::str::from_utf8(key).ok()?.strip_prefix("user/")?;
    let address = percent_decode_str(part).decode_utf8().ok()?;
    let address = CalendarAddress::new(&address).ok()?;
    address.local_part().is_some().then_some(address)
}

/// A calendar user as keys name it.
fn owner(user: &CalendarUser) -> String {
    folded(&user.address)
}

/// As two spellings of one address are the same key.
pub(crate) fn folded(address: &CalendarAddress) -> String {
    address.as_str().to_ascii_lowercase()
}

fn key(parts: &[&str]) -> Vec<u8> {
    let parts: Vec<String> = parts.iter().map(|part| written(part)).collect();
    parts.join("/").into_bytes()
}

fn below(parts: &[&str]) -> KeyRange {
    let mut prefix = key(parts);
    prefix.push(b'/');
    KeyRange::prefix(prefix)
}

fn written(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._@:+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if out.len() > LONGEST {
        return digest(&[part.as_bytes()]);
    }
    out
}

/// The SHA-256 of parts, each with its length, in hexadecimal digits.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use convoke_types::UserId;

    #[test]
    fn a_key_says_whose_calendar_was_looked_at() {
        for (address, expected) in [
            ("anna@example.org", Some("mailto:anna@example.org")),
            ("A/b%41@example.org", Some("mailto:a/ba@example.org")),
            ("urn:uuid:1", None),
        ] {
            let address = CalendarAddress::new(address).unwrap();
            let key = key(&["user", &folded(&address)]);
            let read = user_in(&key);
            assert_eq!(read.as_ref().map(CalendarAddress::as_str), expected);
        }
    }

    #[test]
    fn no_part_of_a_key_runs_into_the_next() {
        let user = |address: &str| {
            let address = CalendarAddress::new(address).unwrap();
            CalendarUser::new(UserId::new("1").unwrap(), address)
        };
        let uid = |text: &str| Uid::new(text).unwrap();
        let anna = user("mailto:Anna@example.com");
        assert_eq!(
            ledger(&anna, &uid("a/b c")),
            b"ledger/mailto:anna@example.com/a%2Fb%20c"
        );
        assert!(ledger_of(&anna).contains(&ledger(&anna, &uid("x"))));
        let other = user("mailto:anna@example.com.evil.example");
        assert!(!ledger_of(&anna).contains(&ledger(&other, &uid("x"))));
        assert!(ledger(&anna, &uid(&"/".repeat(200))).len() < 120);
    }
}
