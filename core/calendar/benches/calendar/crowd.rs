//! Meetings of a thousand: a thousand attendees, and a thousand instances, as a rule gives them or each written out.

use convoke_calendar::{
    freebusy::busy,
    index::index,
    itip::{Owner, Received, Receiving, receive, update_own_copy},
    message::{Message, Provenance},
    tree::{Calendar, Limits},
};
use convoke_types::{CalendarAddress, TimeRange};
use divan::{Bencher, black_box};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

const ORGANIZER: &str = "mailto:chair@example.com";
const GUEST: &str = "mailto:guest500@example.org";

/// How the instances come.
#[derive(Clone, Copy, Debug)]
enum Instances {
    Ruled,
    Written,
}

const BOTH: [Instances; 2] = [Instances::Ruled, Instances::Written];

fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).expect("it is an address")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("it is an instant")
}

fn day(number: i64) -> String {
    let begin = at("2027-01-04T10:00:00Z");
    let at = begin.checked_add(SignedDuration::from_hours(24 * number));
    let at = at.expect("it is in this century");
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn guests(numbers: std::ops::Range<u32>) -> String {
    let line = |number| {
        format!(
            "ATTENDEE;CN=Guest {number};PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:guest{number}@example.org\n"
        )
    };
    numbers.map(line).collect()
}

fn event(sequence: u32, lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:crowd\nDTSTAMP:20261201T10000{sequence}Z\nSEQUENCE:{sequence}\nORGANIZER:{ORGANIZER}\n\
         DURATION:PT1H\n{lines}END:VEVENT\n"
    )
}

fn request(instances: Instances, sequence: u32) -> Message {
    let everybody = guests(0..1000);
    let mut events = event(
        sequence,
        &format!(
            "DTSTART:{}\nRRULE:FREQ=DAILY;COUNT=1000\nSUMMARY:All\n{everybody}",
            day(0)
        ),
    );
    if let Instances::Written = instances {
        let few = guests(499..502);
        for number in 0..1000 {
            let day = day(number);
            let lines = format!("RECURRENCE-ID:{day}\nDTSTART:{day}\nSUMMARY:No. {number}\n{few}");
            events.push_str(&event(sequence, &lines));
        }
    }
    message("REQUEST", &events)
}

fn message(method: &str, events: &str) -> Message {
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Sample//EN\nMETHOD:{method}\n{events}END:VCALENDAR\n"
    );
    let calendar = Calendar::parse(text.as_bytes(), &Limits::default());
    Message::read(calendar.expect("the sample is a calendar")).expect("the sample is a message")
}

fn arrives(message: &Message, existing: Option<&Calendar>, from: &str, to: &str) -> Received {
    let received = Receiving {
        owner: &Owner {
            addresses: &[address(to)],
            name: None,
            timezone: TimeZone::UTC,
        },
        originator: &address(from),
        from: Provenance::Peer { proven: &[] },
        now: at("2026-12-02T10:00:00Z"),
        accept_uninvited: false,
    };
    let received = receive(message, existing, &received);
    assert!(received.status.is_success(), "{}", received.status);
    received
}

fn copy(instances: Instances) -> Calendar {
    let convoke_calendar::itip::Change::Store(copy) =
        arrives(&request(instances, 0), None, ORGANIZER, GUEST).change
    else {
        panic!("an invitation is kept");
    };
    copy
}

/// The guest's busy time over three years.
#[divan::bench(args = BOTH)]
fn busy_of_a_crowd(bencher: Bencher, instances: Instances) {
    let copy = copy(instances);
    let addresses = [address(GUEST)];
    let owner = Owner {
        addresses: &addresses,
        name: None,
        timezone: TimeZone::UTC,
    };
    let years = TimeRange::new(at("2027-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"));
    let years = years.expect("they last");
    bencher.bench(|| busy(black_box(&copy), Some(&owner), years, &Limits::default()));
}

/// What a store keeps beside it.
#[divan::bench(args = BOTH)]
fn index_a_crowd(bencher: Bencher, instances: Instances) {
    let copy = copy(instances);
    let years = TimeRange::new(at("2027-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"));
    let years = years.expect("they last");
    bencher.bench(|| index(black_box(&copy), None, years, &Limits::default()));
}

/// The organizer's update of everything, to a guest's copy.
#[divan::bench(args = BOTH)]
fn update_a_crowd(bencher: Bencher, instances: Instances) {
    let copy = copy(instances);
    let update = request(instances, 1);
    bencher.bench(|| arrives(black_box(&update), Some(&copy), ORGANIZER, GUEST));
}

/// An update that tells of the series alone, to a guest's copy.
#[divan::bench(args = BOTH)]
fn update_the_series_of_a_crowd(bencher: Bencher, instances: Instances) {
    let copy = copy(instances);
    let update = request(Instances::Ruled, 1);
    bencher.bench(|| arrives(black_box(&update), Some(&copy), ORGANIZER, GUEST));
}

/// A guest's answer, to the organizer's copy.
#[divan::bench(args = BOTH)]
fn answer_of_a_crowd(bencher: Bencher, instances: Instances) {
    let addresses = [address(ORGANIZER)];
    let owner = Owner {
        addresses: &addresses,
        name: None,
        timezone: TimeZone::UTC,
    };
    let now = at("2026-12-02T10:00:00Z");
    let sent = update_own_copy(&request(instances, 0), None, &owner, now);
    let convoke_calendar::itip::Change::Store(copy) = sent else {
        panic!("organizers keep what they send");
    };
    let answer = event(0, "").replace(
        "DURATION:PT1H\n",
        &format!("ATTENDEE;PARTSTAT=ACCEPTED:{GUEST}\n"),
    );
    let answer = message("REPLY", &answer);
    bencher.bench(|| arrives(black_box(&answer), Some(&copy), GUEST, ORGANIZER));
}
