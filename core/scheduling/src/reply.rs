//! One of our people answers an invitation that lies in the calendar.

use crate::{environment::Home, limits::Limits, person::Person, stored};
use convoke_calendar::itip::{self, Outgoing, PartStat, ReplyError};
use convoke_types::{Error, Uid};
use jiff::Timestamp;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// The calendar holds nothing of that UID.
    #[error("the calendar holds nothing of that UID")]
    Unknown,
    /// The store cannot be asked, or what it holds cannot be read.
    #[error(transparent)]
    Store(#[from] Error),
    /// It is nothing to answer.
    #[error(transparent)]
    Reply(#[from] ReplyError),
}

/// The answer as messages, made of the user's own copy: one from each of its addresses that is invited. They are handed in
/// ([`Scheduler::dispatch`](crate::Scheduler::dispatch)), and the copy follows.
pub async fn compose_reply<H: Home>(
    home: &H,
    uid: &Uid,
    answer: PartStat,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<Outgoing>, NoReply> {
    let stored = home.get(uid).await?.ok_or(NoReply::Unknown)?;
    let existing = stored::read(&stored, limits)?;
    let person = Person::of(home.user());
    Ok(itip::compose_reply(
        &existing,
        &person.owner(),
        answer,
        now,
    )?)
}
