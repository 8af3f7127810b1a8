//! What messages do to stored objects, told with three calendars each: message, existing, expected.
//!
//! Calendars are written without the VCALENDAR around them and compared by meaning: order does not count.

mod add;
mod allowed;
mod apply_reply;
mod authority;
mod cancel;
mod convergence;
mod counter;
mod delegation;
mod edits;
mod mended;
mod observed;
mod other_servers;
mod own_copy;
mod persons;
mod private;
mod properties;
mod recall;
mod replies;
mod request;
mod rfc5546;
mod rooms;
mod senders_own;
mod series_replies;
mod whole;
mod zones;

use super::{Change, Outgoing, Owner, Received, Receiving, receive};
use crate::itip::object::same;
use crate::message::{Message, Provenance};
use crate::tree::{Calendar, Limits};
use convoke_types::{CalendarAddress, Domain, RequestStatus};
use jiff::{Timestamp, tz::TimeZone};

/// The organizer of nearly all tests.
pub(super) const ALICE: &str = "mailto:a@example.com";
/// The attendee of nearly all tests.
pub(super) const BOB: &str = "mailto:b@example.com";
pub(super) const CARL: &str = "mailto:c@example.com";

/// A message, given as `METHOD` and components.
pub(super) fn apply(method: &str, components: &str) -> Arriving {
    let text = format!("METHOD:{method}\n{components}");
    let message = Message::read(calendar(&text)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // Whom the method is from and for, where the test does not say otherwise.
    let organizer = message.organizer().cloned();
    let attendee = message.attendees().first().cloned();
    let (originator, owner) = if message.method().is_from_organizer() {
        (organizer, Some(address(BOB)))
    } else {
        (attendee, organizer)
    };
    Arriving {
        message,
        originator: originator.unwrap(),
        owner: owner.unwrap_or_else(|| address(ALICE)),
        proven: Some(Vec::new()),
        accept_uninvited: false,
        existing: None,
    }
}

#[derive(Clone)]
pub(super) struct Arriving {
    message: Message,
    originator: CalendarAddress,
    owner: CalendarAddress,
    /// The domains that another server has proven; `None` where one of our own has submitted it.
    proven: Option<Vec<Domain>>,
    accept_uninvited: bool,
    existing: Option<Calendar>,
}

impl Arriving {
    /// Sent by somebody else than the message says.
    pub(super) fn by(mut self, originator: &str) -> Self {
        self.originator = address(originator);
        self
    }

    /// The server that sends it has proven these domains.
    pub(super) fn proving(mut self, domains: &[&str]) -> Self {
        let domains = domains.iter().map(|it| Domain::new(it).unwrap());
        self.proven = Some(domains.collect());
        self
    }

    /// One of our own people has submitted it.
    pub(super) fn submitted(mut self) -> Self {
        self.proven = None;
        self
    }

    /// It arrives at this calendar user.
    pub(super) fn at(mut self, owner: &str) -> Self {
        self.owner = address(owner);
        self
    }

    /// Answers of people who were not invited are welcome.
    pub(super) fn accepting_uninvited(mut self) -> Self {
        self.accept_uninvited = true;
        self
    }

    /// What is stored.
    pub(super) fn to(self, existing: &str) -> Self {
        self.over(calendar(existing))
    }

    /// The same, of what is no text.
    pub(super) fn over(mut self, existing: Calendar) -> Self {
        self.existing = Some(existing);
        self
    }

    pub(super) fn received(&self) -> Received {
        let addresses = [self.owner.clone()];
        let owner = owner(&addresses);
        let at = Receiving {
            owner: &owner,
            originator: &self.originator,
            from: match &self.proven {
                Some(proven) => Provenance::Peer { proven },
                None => Provenance::Submission,
            },
            now: now(),
            accept_uninvited: self.accept_uninvited,
        };
        receive(&self.message, self.existing.as_ref(), &at)
    }

    /// What is stored then; the same message again changes nothing.
    pub(super) fn gives(self, expected: &str) -> Self {
        let received = self.received();
        assert!(received.status.is_success(), "{}", received.status);
        let Change::Store(stored) = received.change else {
            panic!(
                "{}: nothing was stored, expected:\n{expected}",
                received.status
            );
        };
        assert_same(&stored, &calendar(expected));
        let mut next = self;
        next.existing = Some(stored);
        assert_eq!(
            next.received().change,
            Change::None,
            "the same message again"
        );
        next
    }

    /// The next message, to what is stored now.
    pub(super) fn then(self, method: &str, components: &str) -> Self {
        Self {
            existing: self.existing,
            ..apply(method, components)
        }
    }

    /// It is acknowledged, and nothing changes.
    pub(super) fn changes_nothing(self) -> Self {
        let received = self.received();
        assert_eq!(received.change, Change::None);
        assert!(received.status.is_success(), "{}", received.status);
        self
    }

    /// It is refused with a status, and nothing changes.
    pub(super) fn refuses_with(self, status: &RequestStatus) -> Self {
        let received = self.received();
        assert_eq!(received.change, Change::None);
        assert!(
            received.status.same_code(status),
            "{} is not {status}",
            received.status
        );
        assert!(received.outgoing.is_empty() && !received.keep);
        self
    }

    /// It is kept for the person, and nothing changes.
    pub(super) fn keeps_for_the_person(self) {
        let received = self.clone().changes_nothing().received();
        assert!(received.keep);
    }

    /// One message goes out.
    pub(super) fn sends(&self, to: &str, method: &str, components: &str) {
        let received = self.received();
        let [outgoing] = &received.outgoing[..] else {
            panic!("{} messages go out", received.outgoing.len());
        };
        assert_outgoing(outgoing, to, method, components);
    }
}

#[track_caller]
pub(super) fn assert_outgoing(outgoing: &Outgoing, to: &str, method: &str, components: &str) {
    let recipients: Vec<&str> = outgoing
        .recipients
        .iter()
        .map(CalendarAddress::as_str)
        .collect();
    assert_eq!(recipients.join(" "), to);
    let expected = calendar(&format!("METHOD:{method}\n{components}"));
    assert_same(outgoing.message.calendar(), &expected);
}

/// A calendar whose zones are told by their names alone, as in most tests.
pub(super) fn without_zones(calendar: &Calendar) -> Calendar {
    let mut calendar = calendar.clone();
    let components = &mut calendar.root_mut().components;
    components.retain(|it| !it.is("VTIMEZONE"));
    calendar
}

/// One message without its zones.
#[track_caller]
pub(super) fn assert_told(outgoing: &Outgoing, to: &str, method: &str, components: &str) {
    let message = without_zones(outgoing.message.calendar());
    let message = Message::read(message).unwrap();
    let outgoing = Outgoing {
        message,
        ..outgoing.clone()
    };
    assert_outgoing(&outgoing, to, method, components);
}

#[track_caller]
pub(super) fn assert_same(actual: &Calendar, expected: &Calendar) {
    let plain = |calendar: &Calendar| {
        let mut calendar = calendar.clone();
        calendar.root_mut().remove("PRODID");
        calendar
    };
    assert!(
        same(&plain(actual), &plain(expected)),
        "got:\n{}\nexpected:\n{}",
        String::from_utf8_lossy(&actual.write()).replace("\r\n ", ""),
        String::from_utf8_lossy(&expected.write()).replace("\r\n ", ""),
    );
}

/// A calendar from what stands in it; indentation does not count, and a line that begins with `|` goes on the last.
pub(super) fn calendar(inside: &str) -> Calendar {
    let lines: Vec<&str> = inside
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let inside = lines.join("\r\n").replace("\r\n|", "");
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inside}\r\nEND:VCALENDAR\r\n");
    Calendar::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

pub(super) fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

pub(super) fn owner(addresses: &[CalendarAddress]) -> Owner<'_> {
    Owner {
        addresses,
        name: None,
        timezone: TimeZone::UTC,
    }
}

pub(super) fn now() -> Timestamp {
    "2027-01-01T00:00:00Z".parse().unwrap()
}
