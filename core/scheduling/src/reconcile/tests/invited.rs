//! What guests do in their calendar programs, and what the organizer tells them meanwhile.

use super::{host, invited};
use crate::tests::world::{meeting, message};
use futures::executor::block_on;
use std::time::Duration;

/// khal raises SEQUENCE at each save; that says nothing of what the organizer has sent.
#[test]
fn an_update_counts_though_the_program_has_raised_the_sequence() {
    let host = host();
    invited(&host, "");
    let bo = host.person("bo");
    for saved in 1..=3 {
        bo.edits("meeting", |it| {
            let it = it.replace(&format!("SEQUENCE:{}\n", saved - 1), "");
            let it = it.replace("SEQUENCE:", "X-OLD-SEQUENCE:");
            it.replace("UID:meeting", &format!("UID:meeting\nSEQUENCE:{saved}"))
        });
        host.tells("bo");
    }
    assert!(host.sent().is_empty(), "{:?}", host.bodies());
    let moved = meeting("SEQUENCE:1\n").replace("T100000Z", "T120000Z");
    host.receives(
        &message("REQUEST", &moved),
        "anna@example.com",
        &["bo@example.org"],
    );
    let stored = bo.object("meeting").unwrap();
    assert!(stored.contains("DTSTART:20270104T120000Z"), "{stored}");
    let off = meeting("SEQUENCE:2\n").replace("T070000Z", "T073000Z");
    host.receives(
        &message("CANCEL", &off),
        "anna@example.com",
        &["bo@example.org"],
    );
    let stored = bo.object("meeting").unwrap();
    assert!(stored.contains("STATUS:CANCELLED"), "{stored}");
}

#[test]
fn an_answer_in_the_program_is_a_reply() {
    let host = host();
    invited(&host, "SEQUENCE:4\n");
    let bo = host.person("bo");
    bo.edits("meeting", |it| {
        it.replace("ATTENDEE", "ATTENDEE;PARTSTAT=ACCEPTED")
            .replace("SEQUENCE:4", "SEQUENCE:9")
    });
    host.tells("bo");
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    let told = &host.bodies()[0];
    assert!(
        told.contains("SEQUENCE:4"),
        "the one that was received: {told}"
    );
    // Deleting it is declining it.
    bo.deletes("meeting");
    host.tells("bo");
    assert!(
        host.bodies()[1].contains("PARTSTAT=DECLINED"),
        "{}",
        host.bodies()[1]
    );
    // What was under way does not bring it back; what asks anew does.
    invited(&host, "SEQUENCE:4\n");
    assert_eq!(bo.object("meeting"), None);
    host.tells("bo");
    assert_eq!(host.sent().len(), 2);
    let moved = meeting("SEQUENCE:5\n").replace("T100000Z", "T120000Z");
    host.receives(
        &message("REQUEST", &moved),
        "anna@example.com",
        &["bo@example.org"],
    );
    assert!(bo.object("meeting").is_some());
}

/// Both directions at once: an answer of the program and an update of the organizer.
#[test]
fn an_answer_that_is_not_told_yet_survives_an_update() {
    let host = host();
    invited(&host, "");
    let bo = host.person("bo");
    bo.edits("meeting", |it| {
        it.replace("ATTENDEE", "ATTENDEE;PARTSTAT=TENTATIVE")
    });
    host.looks("bo");
    invited(&host, "SEQUENCE:1\nLOCATION:Garden\n");
    host.tells("bo");
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    assert!(host.bodies()[0].contains("TENTATIVE") && host.bodies()[0].contains("SEQUENCE:1"));
    let stored = bo.object("meeting").unwrap();
    assert!(
        stored.contains("Garden") && stored.contains("TENTATIVE"),
        "{stored}"
    );
}

/// Who deletes a meeting has declined it: it comes back when its organizer asks anew.
#[test]
fn what_was_deleted_comes_back_when_it_is_asked_anew() {
    let host = host();
    let open = meeting("").replace("ATTENDEE", "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE");
    let says = |text: &str, stamp: &str| {
        let text = message("REQUEST", &text.replace("T070000Z", stamp));
        host.receives(&text, "anna@example.com", &["bo@example.org"]);
    };
    says(&open, "T070000Z");
    let bo = host.person("bo");
    bo.deletes("meeting");
    host.tells("bo");
    assert!(host.bodies()[0].contains("PARTSTAT=DECLINED"));
    // It crosses the answer, or was made for the others.
    says(
        &open.replace("SUMMARY", "LOCATION:Garden\nSUMMARY"),
        "T073000Z",
    );
    assert_eq!(bo.object("meeting"), None);
    says(&open.replace("T100000Z", "T120000Z"), "T074000Z");
    let stored = bo.object("meeting").unwrap();
    assert!(
        stored.contains("T120000Z") && stored.contains("NEEDS-ACTION"),
        "{stored}"
    );
    host.tells("bo");
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
}

/// Who has deleted a series has declined what is told of an instance afterwards.
#[test]
fn an_instance_of_what_was_deleted_is_declined() {
    let host = host();
    let series = meeting("RRULE:FREQ=DAILY;COUNT=3\n");
    let receives = |text: &str| {
        let text = message("REQUEST", text);
        host.receives(&text, "anna@example.com", &["bo@example.org"]);
    };
    receives(&series);
    let bo = host.person("bo");
    bo.deletes("meeting");
    host.tells("bo");
    let workshop = meeting("RECURRENCE-ID:20270105T100000Z\n").replace("Review", "Workshop");
    let workshop = workshop.replace("DTSTART:20270104", "DTSTART:20270105");
    receives(&format!("{series}{workshop}"));
    host.pays();
    assert_eq!(bo.object("meeting"), None);
    let bodies = host.bodies();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    let answer = ["RECURRENCE-ID:20270105T100000Z", "PARTSTAT=DECLINED"];
    assert!(
        answer.iter().all(|it| bodies[1].contains(it)),
        "{}",
        bodies[1]
    );
}

/// An update that comes before a deletion was told does not undo it; one that asks anew does.
#[test]
fn an_update_does_not_bring_back_what_was_deleted_a_moment_ago() {
    for (time, is_asked_anew) in [("T100000Z", false), ("T120000Z", true)] {
        let host = host();
        invited(&host, "");
        let bo = host.person("bo");
        bo.edits("meeting", |it| {
            it.replace("ATTENDEE", "ATTENDEE;PARTSTAT=ACCEPTED")
        });
        host.tells("bo");
        bo.deletes("meeting");
        host.looks("bo");
        let update = meeting("LOCATION:Garden\nSEQUENCE:1\n").replace("T070000Z", "T073000Z");
        let update = update.replace("T100000Z", time);
        host.receives(
            &message("REQUEST", &update),
            "anna@example.com",
            &["bo@example.org"],
        );
        assert_eq!(bo.object("meeting").is_some(), is_asked_anew);
        host.tells("bo");
        let last = host.bodies().pop().unwrap();
        assert_eq!(last.contains("DECLINED"), !is_asked_anew, "{last}");
    }
}

/// A deleted meeting is called off: an older version that comes late does not bring it back.
#[test]
fn what_was_deleted_and_called_off_stays_away() {
    let host = host();
    invited(&host, "");
    let bo = host.person("bo");
    bo.deletes("meeting");
    host.tells("bo");
    let off = meeting("SEQUENCE:2\n").replace("T070000Z", "T074000Z");
    let off = message("CANCEL", &off);
    host.receives(&off, "anna@example.com", &["bo@example.org"]);
    assert_eq!(bo.object("meeting"), None);
    invited(&host, "SEQUENCE:1\n");
    assert_eq!(bo.object("meeting"), None);
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
}

/// An update was written to the calendar, and the host ended before it had noted that: it is not the owner who takes an
/// answer back.
#[test]
fn half_of_an_update_takes_no_answer_back() {
    let host = host();
    invited(&host, "");
    let bo = host.person("bo");
    bo.edits("meeting", |it| {
        it.replace("ATTENDEE", "ATTENDEE;PARTSTAT=ACCEPTED")
    });
    host.tells("bo");
    bo.edits("meeting", |it| {
        let it = it.replace("T100000Z", "T120000Z");
        it.replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION")
    });
    host.tells("bo");
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
    // The same update comes again, as nobody has answered for it.
    let moved = meeting("SEQUENCE:1\n").replace("T100000Z", "T120000Z");
    host.receives(
        &message("REQUEST", &moved),
        "anna@example.com",
        &["bo@example.org"],
    );
    bo.edits("meeting", |it| {
        it.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:")
    });
    host.tells("bo");
    assert!(
        host.bodies()[1].contains("SEQUENCE:1"),
        "{:?}",
        host.bodies()
    );
}

/// An update that crosses an answer says how it was answered before: what is taken back stays so until the organizer knows.
#[test]
fn an_update_that_crosses_it_does_not_bring_an_answer_back() {
    let host = host();
    invited(&host, "");
    let bo = host.person("bo");
    let says = |partstat: &str| {
        bo.edits("meeting", |it| {
            let line = it.lines().find(|it| it.starts_with("ATTENDEE")).unwrap();
            it.replace(
                line,
                &format!("ATTENDEE;PARTSTAT={partstat}:mailto:bo@example.org"),
            )
        });
        host.tells("bo");
    };
    let updated = |place: &str, partstat: &str| {
        let more = format!("LOCATION:{place}\n");
        let text = meeting(&more).replace("ATTENDEE", &format!("ATTENDEE;PARTSTAT={partstat}"));
        host.receives(
            &message("REQUEST", &text),
            "anna@example.com",
            &["bo@example.org"],
        );
        let stored = bo.object("meeting").unwrap();
        assert!(
            stored.contains(place) && !stored.contains("X-CONVOKE"),
            "{stored}"
        );
        stored.contains("PARTSTAT=ACCEPTED")
    };
    says("ACCEPTED");
    says("NEEDS-ACTION");
    assert_eq!(host.sent().len(), 2, "{:?}", host.bodies());
    assert!(
        !host.bodies()[1].contains("X-CONVOKE"),
        "{}",
        host.bodies()[1]
    );
    assert!(!updated("Garden", "ACCEPTED"));
    assert!(!updated("Cellar", "ACCEPTED"));
    // The organizer knows it now. If it says otherwise afterwards, it has heard of it by other means.
    assert!(!updated("Attic", "NEEDS-ACTION"));
    assert!(updated("Hall", "ACCEPTED"));
    assert_eq!(host.sent().len(), 2, "{:?}", host.bodies());
}

/// A series that was deleted comes back with an instance that asks anew. What was answered of another one crosses that, and is
/// declined by now. Found by the simulator.
#[test]
fn what_comes_back_is_declined_as_it_was() {
    let host = host();
    let series = meeting("RRULE:FREQ=DAILY;COUNT=3\n");
    let receives = |text: &str| {
        let text = message("REQUEST", text);
        host.receives(&text, "anna@example.com", &["bo@example.org"]);
    };
    receives(&series);
    let bo = host.person("bo");
    bo.deletes("meeting");
    host.tells("bo");
    let instance = |day: u32, partstat: &str| {
        let id = format!("RECURRENCE-ID:2027010{day}T100000Z\n");
        let instance = meeting(&id).replace("DTSTART:20270104", &format!("DTSTART:2027010{day}"));
        instance.replace("ATTENDEE", &format!("ATTENDEE;PARTSTAT={partstat}"))
    };
    let moved = instance(5, "NEEDS-ACTION").replace("5T100000Z\nDURATION", "5T120000Z\nDURATION");
    let known = series.replace("ATTENDEE", "ATTENDEE;PARTSTAT=DECLINED");
    let update = format!("{known}{moved}{}", instance(6, "ACCEPTED"));
    receives(&update.replace("T070000Z", "T080000Z"));
    let stored = bo.object("meeting").expect("it is asked about");
    assert!(stored.contains("PARTSTAT=NEEDS-ACTION"), "{stored}");
    host.tells("bo");
    let bodies = host.bodies();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    let answer = ["RECURRENCE-ID:20270106T100000Z", "PARTSTAT=DECLINED"];
    assert!(answer.iter().all(|it| bodies[1].contains(it)), "{bodies:?}");
}

/// Bo removes an invitation and wishes that nobody is told; the host ends before it has noted that it is gone.
#[test]
fn what_is_to_go_in_silence_does_so_though_the_host_ends() {
    let uid = convoke_types::Uid::new("meeting").unwrap();
    let day = Duration::from_secs(24 * 3600);
    for (ends, passes, told) in [(false, day, 0), (true, day, 1), (false, 8 * day, 1)] {
        let host = host();
        invited(&host, "");
        host.tells("bo");
        let bo = host.person("bo");
        block_on(host.scheduler.begin_silence(&bo, &uid)).unwrap();
        host.tells("bo");
        if ends {
            block_on(host.scheduler.end_silence(&bo, &uid)).unwrap();
        }
        bo.deletes("meeting");
        let host = host.restarted();
        host.pass(passes);
        host.tells("bo");
        assert_eq!(
            host.sent().len(),
            told,
            "{ends} {passes:?} {:?}",
            host.sent()
        );
    }
}
