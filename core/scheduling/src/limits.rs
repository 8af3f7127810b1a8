//! What a message may ask of us, and how calendar objects are read.

use convoke_calendar::{message::Attachments, tree};
use convoke_types::{Error, TimeRange};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Busy time is indexed from a year back; what lies before is expanded when it is asked for.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 366);

/// Of what is kept for a user to decide on, one sender may take one in so many.
const SENDERS: u64 = 8;

/// Bounds on messages and objects, as the administrator sets them (`[limits]`, `[server] horizon`).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a message; 1 MiB.
    pub content_length: usize,
    /// Attendees of a message; 1000.
    pub attendees: usize,
    /// Recurrence instances of a message; 1000.
    pub instances: usize,
    /// The earliest time taken; 1900.
    pub earliest: Timestamp,
    /// The latest time taken; 2100.
    pub latest: Timestamp,
    /// Forms of attachment taken; both.
    pub attachments: Attachments,
    /// The longest time that one question about busy time may be about; 400 days.
    pub freebusy_range: Duration,
    /// How far ahead the busy time of an object is indexed; two years.
    pub horizon: Duration,
    /// Bytes of messages kept for one user to decide on; 64 MiB. One sender gets an eighth of it.
    pub inbox: usize,
}

/// How much may be kept for a calendar user, in bytes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub total: u64,
    /// From the originator of the message at hand.
    pub of_sender: u64,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Limits {
    /// What holds where the administrator says nothing.
    fn default() -> Self {
        Self {
            content_length: 1 << 20,
            attendees: 1000,
            instances: 1000,
            earliest: Timestamp::constant(-2_208_988_800, 0), // 1900
            latest: Timestamp::constant(4_102_444_800, 0),    // 2100
            attachments: Attachments {
                inline: true,
                external: true,
            },
            freebusy_range: 400 * DAY,
            horizon: 2 * 366 * DAY,
            inbox: 64 << 20,
        }
    }
}

impl Limits {
    /// How a message from outside is read.
    pub fn of_messages(&self) -> tree::Limits {
        tree::Limits {
            bytes: self.content_length,
            instances: self.instances,
            ..tree::Limits::default()
        }
    }

    /// How an object that is stored is read and indexed. It may be larger than what is now taken from the wire.
    pub(crate) fn of_objects(&self) -> tree::Limits {
        tree::Limits {
            bytes: usize::MAX,
            instances: self.instances,
            ..tree::Limits::default()
        }
    }

    /// How much may be kept for a user to decide on. No sender takes all of it; but the longest message there may be fits.
    pub fn room(&self) -> Room {
        let total = self.inbox as u64;
        Room {
            total,
            of_sender: (total / SENDERS).max(self.content_length as u64).min(total),
        }
    }

    /// The time that is indexed of what repeats for ever.
    pub(crate) fn indexed(&self, now: Timestamp) -> Result<TimeRange, Error> {
        let begin = now.saturating_sub(BACK).unwrap_or(Timestamp::MIN);
        let end = now.saturating_add(self.horizon).unwrap_or(Timestamp::MAX);
        Ok(TimeRange::new(begin, end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_has_an_eighth_of_the_inbox_and_never_less_than_a_message() {
        for (inbox, content_length, of_sender) in
            [(80, 5, 10), (80, 20, 20), (80, 200, 80), (0, 20, 0)]
        {
            let limits = Limits {
                content_length,
                inbox,
                ..Limits::default()
            };
            let total = inbox as u64;
            assert_eq!(limits.room(), Room { total, of_sender });
        }
    }
}
