//! Rooms, which answer by themselves.
//!
//! | module | what it tells |
//! | --- | --- |
//! | `answers` | who gets the room, who does not, and why |
//! | `series` | what is answered occurrence by occurrence |
//! | `approval` | what waits for somebody's approval |
//! | `races` | who gets the room of those who ask at once, on several hosts |

mod answers;
mod approval;
mod races;
mod series;

use super::world::{Host, codes, message};
use crate::Outcome;

const ROOM: &str = "room@example.org";
const ANNA: &str = "anna@example.com";
const EVE: &str = "eve@example.net";

/// An event in the room on the 4th of January 2027, a Monday, ten o'clock UTC, by `organizer`; and more lines.
fn event(uid: &str, organizer: &str, more: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T100000Z\nDTEND:20270104T110000Z\n\
         SUMMARY:Plans of {uid}\nDESCRIPTION:Secrets\nLOCATION:Bridge\nORGANIZER:mailto:{organizer}\n\
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}\nATTENDEE:mailto:guest@example.net\n\
         ATTENDEE;CUTYPE=ROOM;RSVP=TRUE:mailto:{ROOM}\n{more}END:VEVENT\n"
    )
}

/// A booking of an hour from so many o'clock, UTC.
fn at(hour: u32, uid: &str, organizer: &str) -> String {
    let times = [format!("T{hour:02}0000Z"), format!("T{:02}0000Z", hour + 1)];
    let event = event(uid, organizer, "")
        .replace("20270104T100000Z", &format!("20270104{}", times[0]))
        .replace(
            "DTEND:20270104T110000Z",
            &format!("DTEND:20270104{}", times[1]),
        );
    message("REQUEST", &event)
}

/// A host with a room.
fn host(attributes: &[(&str, &str)]) -> Host {
    Host::new().with_room("room", attributes)
}

/// What the room answers to a message that is taken: `PARTSTAT comment` for each part that is answered, with its
/// RECURRENCE-ID before where it has one.
fn told(host: &Host, text: &str, from: &str) -> Vec<String> {
    let outcomes: Vec<Outcome> = host.receives(text, from, &[ROOM]);
    assert_eq!(codes(&outcomes), ["2.0"], "{text}");
    let answers = host.owes().iter().flat_map(|it| parts(it)).collect();
    host.pays();
    answers
}

fn parts(reply: &str) -> Vec<String> {
    assert!(reply.contains("METHOD:REPLY"), "{reply}");
    let events = reply.split("BEGIN:VEVENT").skip(1);
    events.map(part).collect()
}

fn part(event: &str) -> String {
    let event = event.split("END:VEVENT").next().unwrap_or_default();
    let value = |name: &str| {
        let mut lines = event.lines().filter(|line| line.starts_with(name));
        let line = lines.next()?;
        Some(
            line.rsplit_once(':')
                .map_or(line, |(_, value)| value)
                .to_owned(),
        )
    };
    let comment = event.lines().find_map(|line| line.strip_prefix("COMMENT:"));
    let attendees: Vec<&str> = event
        .lines()
        .filter(|it| it.starts_with("ATTENDEE"))
        .collect();
    let [room] = attendees.as_slice() else {
        panic!("a reply is of one attendee: {event}");
    };
    let answer = room
        .split(['=', ';', ':'])
        .skip_while(|it| *it != "PARTSTAT")
        .nth(1);
    let id = value("RECURRENCE-ID");
    let said = [id.as_deref(), answer, comment];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    said.join(" ").replace("\\,", ",")
}

/// The room's copy.
fn copy(host: &Host, uid: &str) -> String {
    host.person("room").object(uid).unwrap()
}

/// Whether the room is taken at such a time on the 4th of January, by the index of this booking.
fn takes(host: &Host, uid: &str, time: &str) -> bool {
    host.person("room")
        .is_indexed(uid, &format!("2027-01-04T{time}Z"))
}
