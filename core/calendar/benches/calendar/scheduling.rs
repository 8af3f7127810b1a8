//! What a host does with calendars: messages, recurrences, busy time, the index.

use crate::samples;
use convoke_calendar::{
    freebusy::busy,
    index::index,
    itip::{Change, Owner, Receiving, receive, update_own_copy},
    message::{Message, Provenance},
    recurrence::instances,
    tree::{Calendar, Limits},
};
use convoke_types::{CalendarAddress, TimeRange};
use divan::{Bencher, black_box};
use jiff::{Timestamp, tz::TimeZone};

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).expect("it is an address")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

fn year() -> TimeRange {
    TimeRange::new(at("2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")).expect("it lasts")
}

fn message(calendar: Calendar) -> Message {
    Message::read(calendar).expect("the sample is a message")
}

/// The copy of a calendar user who has received `message`, if it is stored.
fn applied(
    message: &Message,
    existing: Option<&Calendar>,
    owner: &CalendarAddress,
    from: &CalendarAddress,
) -> Calendar {
    let owner = Owner {
        addresses: std::slice::from_ref(owner),
        name: None,
        timezone: TimeZone::UTC,
    };
    let at = Receiving {
        owner: &owner,
        originator: from,
        from: Provenance::Peer { proven: &[] },
        now: at("2026-12-01T10:00:00Z"),
        accept_uninvited: false,
    };
    match receive(message, existing, &at).change {
        Change::Store(calendar) => calendar,
        other => panic!("it should be stored, not {other:?}"),
    }
}

/// Octets to a checked message.
#[divan::bench]
fn read_a_request(bencher: Bencher) {
    let text = samples::invitation(0).write();
    bencher.bench(|| {
        let calendar = Calendar::parse(black_box(&text), &Limits::default());
        message(calendar.expect("the sample is a calendar"))
    });
}

/// An update to an event that the attendee has.
#[divan::bench]
fn apply_a_request(bencher: Bencher) {
    let (organizer, anna) = (
        address("mailto:person9@example.org"),
        address("mailto:person0@example.org"),
    );
    let before = applied(&message(samples::invitation(0)), None, &anna, &organizer);
    let update = message(samples::invitation(1));
    bencher.bench(|| applied(black_box(&update), Some(&before), &anna, &organizer));
}

/// An attendee's answer, to the organizer's copy.
#[divan::bench]
fn apply_a_reply(bencher: Bencher) {
    let (organizer, anna) = (
        address("mailto:person9@example.org"),
        address("mailto:person0@example.org"),
    );
    let own = Owner {
        addresses: std::slice::from_ref(&organizer),
        name: None,
        timezone: TimeZone::UTC,
    };
    let invitation = message(samples::invitation(0));
    let Change::Store(before) =
        update_own_copy(&invitation, None, &own, at("2026-12-01T10:00:00Z"))
    else {
        panic!("the organizer keeps what it sends");
    };
    let reply = message(samples::acceptance(0));
    bencher.bench(|| applied(black_box(&reply), Some(&before), &organizer, &anna));
}

/// Every instance in a year of 200 events that repeat for ever.
#[divan::bench]
fn expand_a_year_of_200_series(bencher: Bencher) {
    let calendars = samples::recurring(200).split_by_uid();
    bencher.bench(|| {
        let expand = |calendar| {
            let found = instances(
                calendar,
                "VEVENT",
                &TimeZone::UTC,
                year(),
                &Limits::default(),
            );
            found.expect("the sample repeats within bounds").len()
        };
        black_box(&calendars).iter().map(expand).sum::<usize>()
    });
}

/// The same as busy time.
#[divan::bench]
fn busy_in_a_year_of_200_series(bencher: Bencher) {
    let calendars = samples::recurring(200).split_by_uid();
    bencher.bench(|| {
        let taken = |calendar| {
            let spans = busy(calendar, None, year(), &Limits::default());
            spans.expect("the sample repeats within bounds").len()
        };
        black_box(&calendars).iter().map(taken).sum::<usize>()
    });
}

/// What a store keeps beside an object that does not repeat.
#[divan::bench]
fn index_an_event(bencher: Bencher) {
    let calendar = samples::parsed(&samples::export(1));
    bencher.bench(|| index(black_box(&calendar), None, year(), &Limits::default()));
}

/// The same for a series, expanded over two years.
#[divan::bench(args = [0, 1])]
fn index_a_series(bencher: Bencher, rule: usize) {
    let calendars = samples::recurring(2).split_by_uid();
    let horizon = TimeRange::new(at("2027-01-01T00:00:00Z"), at("2029-01-01T00:00:00Z"));
    let horizon = horizon.expect("it lasts");
    bencher.bench(|| {
        index(
            black_box(&calendars[rule]),
            None,
            horizon,
            &Limits::default(),
        )
    });
}
