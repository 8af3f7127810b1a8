//! What is new to a person of an answer that has come: what the calendar did not show before.
//!
//! The same answer comes again where a mail is doubled, a sender has not heard that it was taken, or somebody presses the same
//! button twice; and an older one may come late. None of that is told.

use convoke_calendar::{
    itip,
    message::{Message, Method},
    tree::{Calendar, Component},
};

/// What an answer may leave out of the meeting that it is about (RFC 5546 §3.2.3).
const DETAILS: [&str; 5] = ["SUMMARY", "LOCATION", "DTSTART", "DTEND", "DURATION"];

/// An answer that makes `after` of an object, so that it says which meeting it is about; `None` if it shows nothing new there, or if
/// the message is no answer.
pub(super) fn of_answer(
    message: &Message,
    before: Option<&Calendar>,
    after: &Calendar,
) -> Option<Message> {
    if message.method() != Method::Reply {
        return None;
    }
    let shown = |calendar: &Calendar| itip::forget(calendar.clone());
    if before.map(shown).as_ref() == Some(&shown(after)) {
        return None;
    }
    let says_which = |it: &Component| it.get("SUMMARY").is_some() && it.get("DTSTART").is_some();
    if message.calendar().main_components().all(says_which) {
        return Some(message.clone());
    }
    let detailed = with_details(message.calendar(), after);
    // What is written as an answer without them can be one with them.
    Some(Message::read(detailed).unwrap_or_else(|_| message.clone()))
}

fn with_details(answer: &Calendar, object: &Calendar) -> Calendar {
    let mut detailed = answer.clone();
    let part = |it: &Component| it.get("RECURRENCE-ID").map(|line| line.value.clone());
    for component in &mut detailed.root_mut().components {
        let known = || {
            let all = object.main_components();
            all.filter(|it| it.is(&component.name))
        };
        let same = known().find(|it| part(it) == part(component));
        // Of an instance that is like all others, the series says what it is, but not when.
        let (known, names) = match same {
            Some(same) => (Some(same), &DETAILS[..]),
            None => (known().find(|it| part(it).is_none()), &DETAILS[..2]),
        };
        for line in known.iter().flat_map(|it| &it.properties) {
            let is_detail = names.iter().any(|name| line.is(name));
            if is_detail && component.get(&line.name).is_none() {
                component.push(line.clone());
            }
        }
    }
    let zones = object.root().components.iter();
    let zones = zones.filter(|it| it.is("VTIMEZONE")).cloned();
    let root = detailed.root_mut();
    if !root.components.iter().any(|it| it.is("VTIMEZONE")) {
        root.components.splice(0..0, zones);
    }
    detailed
}
