//! What was decided about a message or an object, for who asks later why something arrived, or did not.

use convoke_types::{CalendarAddress, Uid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One decision. What is not said is not known, or has no meaning for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// What happened, by the name that the log has for it too.
    pub event: String,
    /// The calendar user of ours that it is about.
    pub user: Option<CalendarAddress>,
    /// Who sent the message, as it has proved.
    pub peer: Option<String>,
    /// The object; nothing of a message that was refused before anybody knew what it is about.
    pub uid: Option<Uid>,
    /// The iTIP method, upper-case.
    pub method: Option<String>,
    /// To whom.
    pub recipient: Option<CalendarAddress>,
    /// What came of it, mostly a request status.
    pub result: Option<String>,
    /// In words.
    pub why: Option<String>,
    /// The identifier that the sender gave the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl Decided {
    /// Something happened to an object.
    pub fn new(at: Timestamp, event: &str, uid: &Uid) -> Self {
        Self {
            at,
            event: event.to_owned(),
            user: None,
            peer: None,
            uid: Some(uid.clone()),
            method: None,
            recipient: None,
            result: None,
            why: None,
            message_id: None,
        }
    }

    /// Something happened to a message of which no more is known than its identifier.
    pub fn of_message(at: Timestamp, event: &str, message_id: &str) -> Self {
        Self {
            at,
            event: event.to_owned(),
            user: None,
            peer: None,
            uid: None,
            method: None,
            recipient: None,
            result: None,
            why: None,
            message_id: Some(message_id.to_owned()),
        }
    }

    /// Of this calendar user of ours.
    #[must_use]
    pub fn of(self, user: &CalendarAddress) -> Self {
        Self {
            user: Some(user.clone()),
            ..self
        }
    }

    /// By a message of this method, to this recipient.
    #[must_use]
    pub fn to(self, method: &str, recipient: &CalendarAddress) -> Self {
        Self {
            method: Some(method.to_owned()),
            recipient: Some(recipient.clone()),
            ..self
        }
    }

    /// That is what came of it.
    #[must_use]
    pub fn result(self, result: &impl ToString) -> Self {
        Self {
            result: Some(result.to_string()),
            ..self
        }
    }

    /// That is the reason.
    #[must_use]
    pub fn why(self, why: impl Into<String>) -> Self {
        let why = why.into();
        Self {
            why: (!why.is_empty()).then_some(why),
            ..self
        }
    }
}
