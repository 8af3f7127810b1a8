//! What became of a message for one recipient.

use convoke_types::RequestStatus;
use std::time::Duration;

/// What became of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The delivery status (RFC 5546 §3.6).
    pub status: RequestStatus,
    /// The answer to a question about busy time: iCalendar.
    pub data: Option<String>,
    /// Which condition did not hold, by the name of the protocol that the message came or went by.
    pub condition: Option<&'static str>,
    /// Words for a person.
    pub description: Option<String>,
    /// Whether the same may be tried again.
    pub retry: Retry,
}

/// Whether the same message may be sent again, and when at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would be answered the same.
    No,
    /// This recipient may be told later.
    Recipient(Option<Duration>),
    /// Nobody at the recipient's receiver may be told now.
    Receiver(Option<Duration>),
}

impl From<RequestStatus> for Outcome {
    fn from(status: RequestStatus) -> Self {
        Self {
            // Of what failed, only that says that it may help to come again.
            retry: if status.same_code(&RequestStatus::SERVICE_UNAVAILABLE) {
                Retry::Recipient(None)
            } else {
                Retry::No
            },
            status,
            data: None,
            condition: None,
            description: None,
        }
    }
}

impl Outcome {
    /// The same, of which nobody at the receiver may be told before so long.
    #[must_use]
    pub fn at_receiver(self, after: Option<Duration>) -> Self {
        let retry = match self.retry {
            Retry::No => Retry::No,
            _ => Retry::Receiver(after),
        };
        Self { retry, ..self }
    }
}
