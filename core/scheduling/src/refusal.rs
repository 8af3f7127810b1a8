//! A message refused as a whole.

use std::fmt;

/// Which rule a message breaks. The transport says how its protocol names that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It is not iCalendar.
    CalendarData,
    /// It is iCalendar, but no valid scheduling message (RFC 5546 §3), or not what was announced.
    SchedulingMessage,
    /// It names more attendees than are taken.
    Attendees,
    /// Its sender is not who may send it.
    Originator,
    /// Its recipients are not those whom it is for.
    Recipients,
    /// It holds attachments of a form that is not taken.
    Attachments,
    /// It has more recurrence instances than are taken.
    Instances,
    /// It begins before the earliest time that is taken.
    TooEarly,
    /// It ends after the latest time that is taken.
    TooLate,
}

/// Why a message is delivered to nobody: it is wrong, and sending it again does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that it breaks, for programs.
    pub condition: Condition,
    /// What is wrong, for the administrator of the sender.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(condition: Condition, text: impl Into<String>) -> Self {
        Self {
            condition,
            text: text.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}
