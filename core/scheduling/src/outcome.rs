//! What became of a message for one recipient.

use convoke_types::RequestStatus;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

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
    /// By what it went; `None` if it did not get so far.
    pub via: Option<Via>,
    /// The Message-ID of what it went by, without angle brackets.
    pub message_id: Option<String>,
    /// Whether the other side may have the message.
    pub handed_over: HandedOver,
}

/// Whether the other side may have a message, whatever it answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandedOver {
    /// It has not, for certain: it was not reached, or refused the message.
    No,
    /// It has, or nobody knows.
    #[default]
    Perhaps,
}

/// By what a message goes to somebody elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// To the receiver of the recipient's domain.
    Ischedule,
    /// To a mail server.
    Mail,
}

impl Via {
    /// As it stands in the log, the state and the answers of commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ischedule => "ischedule",
            Self::Mail => "mail",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the same message may be sent again, and when at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would be answered the same.
    No,
    /// Nobody was asked, as the recipient has no receiver; mail may reach them.
    ByMail,
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
            via: None,
            message_id: None,
            handed_over: HandedOver::default(),
        }
    }
}

impl Outcome {
    /// The same, of which nobody at the receiver may be told before so long.
    #[must_use]
    pub fn at_receiver(self, after: Option<Duration>) -> Self {
        let retry = match self.retry {
            last @ (Retry::No | Retry::ByMail) => last,
            Retry::Recipient(_) | Retry::Receiver(_) => Retry::Receiver(after),
        };
        Self { retry, ..self }
    }

    /// The same, of which the other side has nothing for certain.
    #[must_use]
    pub fn not_handed_over(self) -> Self {
        Self {
            handed_over: HandedOver::No,
            ..self
        }
    }

    /// The same, which went by this.
    #[must_use]
    pub fn via(self, via: Via) -> Self {
        Self {
            via: Some(via),
            ..self
        }
    }
}
