//! An organizer's calendar is put back to what it was earlier: attendees know later versions, and take what is told next for
//! the newer one all the same.

use super::{BO, host, own};
use crate::tests::world::Host;
use convoke_types::RequestStatus;

/// The SEQUENCE of each component of what was sent, in order.
fn sequences(host: &Host) -> Vec<Vec<u64>> {
    let bodies = host.bodies();
    let of_body = |body: &String| {
        let lines = body.lines().filter_map(|it| it.strip_prefix("SEQUENCE:"));
        lines.map(|it| it.trim().parse().unwrap()).collect()
    };
    bodies.iter().map(of_body).collect()
}

fn highest(said: &[Vec<u64>]) -> u64 {
    said.iter().flatten().copied().max().unwrap_or_default()
}

/// The last thing that was said counts up from all that was said before.
fn counts_up(host: &Host) {
    let said = sequences(host);
    let (last, before) = said.split_last().unwrap();
    let bodies = host.bodies();
    let last_body = bodies.last().unwrap();
    assert!(
        last.iter().all(|it| *it > highest(before)),
        "{said:?}\n{last_body}"
    );
}

#[test]
fn an_older_version_counts_up_from_what_was_told() {
    let host = host();
    let dee = host.person("dee");
    dee.has(&own(""));
    host.tells("dee");
    let backup = dee.object("meeting").unwrap();
    for hour in ["11", "12", "13"] {
        dee.edits("meeting", |it| {
            let line = it.lines().find(|it| it.starts_with("DTSTART")).unwrap();
            it.replace(line.trim(), &format!("DTSTART:20270104T{hour}0000Z"))
        });
        host.tells("dee");
    }
    dee.has(&backup);
    host.tells("dee");
    assert_eq!(host.sent().len(), 5);
    counts_up(&host);
}

#[test]
fn an_exception_that_a_backup_does_not_know_counts_too() {
    let host = host();
    let dee = host.person("dee");
    let series = own("RRULE:FREQ=DAILY;COUNT=5\n");
    dee.has(&series);
    host.tells("dee");
    let backup = dee.object("meeting").unwrap();
    let exception = |hour: &str| {
        let instance = own("RECURRENCE-ID:20270105T100000Z\n")
            .replace("DTSTART:20270104T10", &format!("DTSTART:20270105T{hour}"));
        let (begins, ends) = (
            instance.find("BEGIN:VEVENT").unwrap(),
            instance.find("END:VCALENDAR").unwrap(),
        );
        series.replace(
            "END:VCALENDAR",
            &format!("{}END:VCALENDAR", &instance[begins..ends]),
        )
    };
    for hour in ["11", "12", "13"] {
        dee.has(&exception(hour));
        host.tells("dee");
    }
    dee.has(&backup);
    host.tells("dee");
    assert_eq!(host.sent().len(), 5);
    let said = sequences(&host);
    let (last, before) = said.split_last().unwrap();
    assert!(last[0] >= highest(before), "{said:?}");
}

#[test]
fn a_meeting_that_was_called_off_and_comes_back_counts_up() {
    let host = host();
    let dee = host.person("dee");
    dee.has(&own(""));
    host.tells("dee");
    let backup = dee.object("meeting").unwrap();
    dee.edits("meeting", |it| it.replace("T100000Z", "T150000Z"));
    host.tells("dee");
    dee.deletes("meeting");
    host.tells("dee");
    dee.has(&backup);
    host.tells("dee");
    assert_eq!(host.sent().len(), 4);
    counts_up(&host);
}

/// What was remembered is lost, too: attendees say in their answers which version they have.
#[test]
fn an_answer_tells_how_far_others_have_counted() {
    for sequence in ["", "SEQUENCE:1\n"] {
        let host = host();
        let dee = host.person("dee");
        dee.has(&own(sequence));
        let host = host.beside();
        assert!(host.looks("dee").first);
        let reply = own("SEQUENCE:5\n").replace("VERSION:2.0\n", "VERSION:2.0\nMETHOD:REPLY\n");
        let reply = reply.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
        let said = host.receives(&reply, BO, &["dee@example.org"]);
        assert_eq!(said[0].status, RequestStatus::SUCCESS);
        host.tells("dee");
        assert!(host.sent().is_empty(), "{:?}", host.bodies());
        let stored = host.person("dee").object("meeting").unwrap();
        assert!(
            stored.contains("PARTSTAT=ACCEPTED") && !stored.contains("X-CONVOKE"),
            "{stored}"
        );
        host.person("dee")
            .edits("meeting", |it| it.replace("T100000Z", "T150000Z"));
        host.tells("dee");
        assert_eq!(sequences(&host), [[6]]);
    }
}
