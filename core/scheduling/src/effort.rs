//! What one message may cost, all its recipients together.
//!
//! No piece of work can be taken back once it has begun, so each is bounded: expanding recurrences by steps, changing
//! objects by lines.

use convoke_calendar::{message::Message, work::Work};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Up to so many bytes, handling a calendar takes a moment.
pub const SMALL: usize = 32 << 10;

/// Work on something that takes long, however few bytes it has.
pub(crate) const LARGE: usize = usize::MAX;

/// What is left of what one message may cost, all its recipients together.
#[derive(Debug)]
pub struct Effort {
    /// Steps of recurrences, as [`Work`] counts them.
    steps: AtomicUsize,
    /// Lines and bytes handled, as [`lines_of`] counts them.
    weight: AtomicUsize,
}

/// More would be handled for one message than it may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMuch;

/// Steps for one question about one calendar user, and for a message: a year of something minutely is 3,000,000.
const QUESTION: usize = 5_000_000;
const MESSAGE: usize = 8 * QUESTION;

/// What may be handled for all recipients: an object of 10,000 lines for each of 250.
const WEIGHT: usize = 3_000_000;

impl Default for Effort {
    fn default() -> Self {
        Self {
            steps: AtomicUsize::new(MESSAGE),
            weight: AtomicUsize::new(WEIGHT),
        }
    }
}

impl Effort {
    /// Takes steps for one question; what is not used is given [`back`](Self::give_back).
    pub(crate) fn question(&self) -> Work {
        let mut taken = 0;
        let take = |left: usize| {
            taken = left.min(QUESTION);
            Some(left - taken)
        };
        // It always succeeds, as `take` never says `None`.
        let _ = (self.steps).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        Work::of(taken)
    }

    /// What was not used of a question's steps.
    pub(crate) fn give_back(&self, work: &Work) {
        self.steps.fetch_add(work.left(), Ordering::Relaxed);
    }

    /// Counts an object that is about to be handled for one recipient.
    pub(crate) fn handle(&self, weight: usize) -> Result<(), TooMuch> {
        let take = |left: usize| left.checked_sub(weight);
        let taken = (self.weight).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(|_| ()).map_err(|_| TooMuch)
    }
}

/// What it costs to handle a calendar: its lines (as they are unfolded), and a little for its bytes.
pub(crate) fn lines_of(data: &[u8]) -> usize {
    let begins = |pair: &&[u8]| pair[0] == b'\n' && !matches!(pair[1], b' ' | b'\t');
    data.windows(2).filter(begins).count() + data.len() / 512
}

/// What it costs to handle a message for one recipient, whatever it meets there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// As [`lines_of`] counts.
    pub(crate) lines: usize,
    /// As [`Processor::run`](crate::Processor::run) asks.
    pub(crate) bytes: usize,
}

impl Weight {
    pub(crate) fn of(message: &Message, data: &[u8]) -> Self {
        // What repeats within the day takes as long to index as many bytes to read.
        let frequent = if message.repeats_within_a_day() {
            SMALL
        } else {
            0
        };
        Self {
            lines: lines_of(data),
            bytes: data.len() + frequent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_recipient_takes_is_missing_to_the_next() {
        let effort = Effort::default();
        let questions: Vec<_> = (0..9).map(|_| effort.question().left()).collect();
        assert_eq!(questions[..8], [QUESTION; 8]);
        assert_eq!(questions[8], 0);
        effort.give_back(&Work::of(1000));
        assert_eq!(effort.question().left(), 1000);

        let message = "X-A:1\n".repeat(170_000);
        let weight = lines_of(message.as_bytes());
        let served = (0..250).take_while(|_| effort.handle(weight).is_ok());
        assert_eq!(served.count(), 17);
        assert_eq!(effort.handle(10), Ok(()), "what is smaller still fits");
    }
}
