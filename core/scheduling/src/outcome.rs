//! What became of a message for one recipient.

use convoke_types::RequestStatus;

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
}

impl From<RequestStatus> for Outcome {
    fn from(status: RequestStatus) -> Self {
        Self {
            status,
            data: None,
            condition: None,
            description: None,
        }
    }
}
