//! What calendar programs have stored, told as stories: what is remembered, what is stored now, who hears what, and what
//! becomes of the object.
//!
//! Each story goes on with a second look, which finds nothing more to tell or to write.

mod attendee;
mod organizer;

use super::{address, assert_outgoing, assert_same, calendar, now};
use crate::itip::{Observed, Outgoing, Owner, observe};
use crate::message::MessageError;
use crate::tree::Calendar;
use convoke_types::CalendarAddress;
use jiff::{Timestamp, tz::TimeZone};

/// What a story comes to.
struct Ending {
    stored: Option<Calendar>,
    seen: Observed,
}

fn look(
    who: &str,
    remembered: Option<&Calendar>,
    stored: Option<&Calendar>,
) -> Result<Observed, MessageError> {
    look_at(now(), who, remembered, stored)
}

fn look_at(
    now: Timestamp,
    who: &str,
    remembered: Option<&Calendar>,
    stored: Option<&Calendar>,
) -> Result<Observed, MessageError> {
    let addresses = [
        address(who),
        address(&who.replace("example.com", "alias.example")),
    ];
    let owner = Owner {
        addresses: &addresses,
        name: Some("Anna, or Bo"),
        timezone: TimeZone::UTC,
    };
    observe(remembered, stored, &owner, now)
}

/// Somebody's program stores an object (or removes it: an empty text) of which this is remembered (or nothing).
#[track_caller]
fn story(who: &str, remembered: &str, stored: &str) -> Ending {
    let some = |text: &str| (!text.is_empty()).then(|| calendar(text));
    continued(who, some(remembered).as_ref(), some(stored))
}

#[track_caller]
fn continued(who: &str, remembered: Option<&Calendar>, stored: Option<Calendar>) -> Ending {
    let seen = look(who, remembered, stored.as_ref());
    let seen = seen.unwrap_or_else(|error| panic!("{error}"));
    let next = seen.rewritten.as_ref().or(stored.as_ref());
    let again = look(who, seen.remembered.as_ref(), next).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(letters(&again.outgoing), [""; 0], "at the second look");
    assert!(
        again.rewritten.is_none(),
        "rewritten twice: {:?}",
        again.rewritten
    );
    match (&again.remembered, &seen.remembered) {
        (Some(again), Some(seen)) => assert_same(again, seen),
        (again, seen) => assert_eq!(again, seen),
    }
    Ending { stored, seen }
}

impl Ending {
    /// Who hears what, as in `REQUEST b c`.
    #[track_caller]
    fn tells(self, expected: &[&str]) -> Self {
        assert_eq!(letters(&self.seen.outgoing), expected);
        assert!(self.seen.foreign.is_none(), "{:?}", self.seen.foreign);
        self
    }

    /// Who hears what, of an edit that changes more than its owner may.
    #[track_caller]
    fn tells_but(self, expected: &[&str], foreign: &str) -> Self {
        assert_eq!(letters(&self.seen.outgoing), expected);
        let found = self.seen.foreign.as_ref().map(ToString::to_string);
        let found = found.unwrap_or_default();
        assert!(found.contains(foreign), "{found} is not about {foreign}");
        self
    }

    /// The components of the first message.
    #[track_caller]
    fn saying(self, to: &str, method: &str, components: &str) -> Self {
        assert_outgoing(&self.seen.outgoing[0], to, method, components);
        self
    }

    /// What is stored stays.
    #[track_caller]
    fn stays(self) -> Self {
        assert!(
            self.seen.rewritten.is_none(),
            "{}",
            written(self.seen.rewritten.as_ref())
        );
        self
    }

    /// What is stored becomes this.
    #[track_caller]
    fn becomes(self, expected: &str) -> Self {
        let Some(rewritten) = &self.seen.rewritten else {
            panic!("it stays as it is")
        };
        assert_same(rewritten, &calendar(expected));
        self
    }

    /// What is remembered.
    #[track_caller]
    fn remembering(self, expected: &str) -> Self {
        let remembered = self.seen.remembered.as_ref().expect("it is remembered");
        assert_same(remembered, &calendar(expected));
        self
    }

    /// What the program stores next.
    #[track_caller]
    fn then(self, who: &str, change: impl FnOnce(String) -> String) -> Self {
        let stored = self.seen.rewritten.or(self.stored);
        let text = change(written(stored.as_ref()));
        let next = calendar(&text);
        continued(who, self.seen.remembered.as_ref(), Some(next))
    }
}

/// What stands in a calendar, as [`calendar`] reads it.
fn written(object: Option<&Calendar>) -> String {
    let octets = object.map(Calendar::write).unwrap_or_default();
    let text = String::from_utf8(octets).unwrap().replace("\r\n ", "");
    let lines = text
        .lines()
        .filter(|it| !it.ends_with(":VCALENDAR") && *it != "VERSION:2.0");
    lines.collect::<Vec<_>>().join("\n")
}

/// (method, recipients) of what goes out.
fn letters(outgoing: &[Outgoing]) -> Vec<String> {
    let letters = outgoing.iter().map(|it| {
        let to = it.recipients.iter().filter_map(CalendarAddress::local_part);
        format!(
            "{} {}",
            it.message.method(),
            to.collect::<Vec<_>>().join(" ")
        )
    });
    letters.collect()
}
