//! What of an organizer's message is the sender's own, and is taken into nobody else's calendar.
//!
//! [`redact`](super::redact) keeps our people's from leaving; what others let leave stops here, by whatever transport it comes.
//!
//! | in the message | why it stays out |
//! | --- | --- |
//! | VALARM | RFC 5546 §3.2.2 lets a REQUEST carry alarms, but RFC 5545 §3.6.6 has them remind the calendar's owner: each sets the own ones. Those of a stranger would ring at a time, play a file from an address (ACTION:AUDIO) or have the recipient's server send mail to an address (ACTION:EMAIL) of the stranger's choice |
//! | COLOR | RFC 7986 §5.9: how the sender shows it |
//! | `X-MOZ-LASTACK`, `X-MOZ-SNOOZE-TIME` | which alarms were dismissed: the recipient's own would not ring |
//! | `X-APPLE-TRAVEL-*`, private comments, `X-LIC-ERROR` | the sender's way there, notes, and the errors of its programs |
//! | attachments by `file:` | a file of the sender's machine: on the recipient's it is another one, or makes that log in at a stranger's |
//! | of VCALENDAR: its name, colour, address, `X-` properties | they describe the sender's calendar (RFC 7986 §5) |
//!
//! CATEGORIES, TRANSP and what else describes the meeting is what a recipient begins with.

use super::redact::{OF_THE_MESSAGE, is_local_file};
use crate::message::Message;
use crate::tree::{Component, Property};
use std::borrow::Cow;

/// Beginnings of `X-` properties that only their writer has a use for.
const SENDERS_X: [&str; 5] = [
    "X-MOZ-LASTACK",
    "X-MOZ-SNOOZE-TIME",
    "X-APPLE-TRAVEL-",
    "X-CALENDARSERVER-PRIVATE-COMMENT",
    "X-LIC-ERROR",
];

/// The message as it goes into the calendar of a recipient.
pub(super) fn without_senders_own(message: &Message) -> Cow<'_, Message> {
    let root = message.calendar().root();
    let is_of_message = root.properties.iter().all(is_of_the_message);
    if is_of_message && !message.components().any(has_senders_own) {
        return Cow::Borrowed(message);
    }
    let mut message = message.clone();
    message.root_mut().properties.retain(is_of_the_message);
    message.components_mut().for_each(strip_senders_own);
    Cow::Owned(message)
}

fn has_senders_own(component: &Component) -> bool {
    component.properties.iter().any(is_senders)
        || (component.components.iter()).any(|inner| is_alarm(inner) || has_senders_own(inner))
}

fn strip_senders_own(component: &mut Component) {
    component.properties.retain(|line| !is_senders(line));
    component.components.retain(|inner| !is_alarm(inner));
    component.components.iter_mut().for_each(strip_senders_own);
}

fn is_of_the_message(line: &Property) -> bool {
    OF_THE_MESSAGE.iter().any(|name| line.is(name))
}

fn is_alarm(component: &Component) -> bool {
    component.is("VALARM")
}

fn is_senders(line: &Property) -> bool {
    let begins = |start: &str| {
        let found = line.name.get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    line.is("COLOR") || is_local_file(line) || SENDERS_X.iter().any(|start| begins(start))
}
