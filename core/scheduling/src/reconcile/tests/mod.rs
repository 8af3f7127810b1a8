//! What people do in their calendar programs, and who hears of it.

mod lost_ledger;

use crate::{
    Home,
    tests::world::{Host, address, meeting, message},
};
use convoke_types::RequestStatus;
use futures::executor::block_on;
use std::time::Duration;

const BO: &str = "bo@example.com";

/// A meeting of Dee's with Bo of example.com, as a program writes it.
fn own(more: &str) -> String {
    let own = meeting(more)
        .replace("anna@example.com", "dee@example.org")
        .replace("bo@example.org", BO);
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{own}END:VCALENDAR\n")
}

/// A host that has looked at everybody's calendar once.
fn host() -> Host {
    let host = Host::new();
    for name in ["bo", "cy", "dee"] {
        assert!(host.looks(name).first);
    }
    host
}

/// Bo of example.org is invited by Anna of example.com.
fn invited(host: &Host, more: &str) {
    let text = message("REQUEST", &meeting(more));
    host.receives(&text, "anna@example.com", &["bo@example.org"]);
}

#[test]
fn what_is_there_at_the_first_look_is_told_to_nobody() {
    let host = Host::new();
    host.person("dee").has(&own(""));
    assert!(host.tells("dee").first);
    host.tells("dee");
    assert!(host.sent().is_empty());
    // What changes afterwards is told.
    host.person("dee")
        .edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
    assert_eq!(host.tells("dee").told, 1);
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
}

#[test]
fn an_invitation_is_told_once_it_is_quiet_and_once() {
    let host = host();
    host.person("dee").has(&own(""));
    let settle = Duration::from_secs(10);
    let first = host.looks("dee").next.unwrap();
    host.pass(Duration::from_secs(9));
    // It is saved once more.
    host.person("dee")
        .edits("meeting", |it| it.replace("Review", "Review II"));
    let next = host.looks("dee").next.unwrap();
    assert!(next > first);
    assert!(host.sent().is_empty() && host.waits().is_empty());
    host.pass(settle);
    assert_eq!(host.looks("dee").told, 1);
    host.pays();
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    assert!(host.bodies()[0].contains("Review II"));
    // SCHEDULE-STATUS is no change, nor is a look.
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(stored.contains("SCHEDULE-STATUS=1.2"), "{stored}");
    assert!(!stored.contains("X-CONVOKE"), "{stored}");
    host.tells("dee");
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn a_restart_loses_nothing_and_tells_nobody_twice() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    let host = host.restarted();
    host.tells("dee");
    let host = host.restarted();
    host.tells("dee");
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    host.person("dee").deletes("meeting");
    host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
    host.tells("dee");
    let host = host.restarted();
    host.elsewhere_says(RequestStatus::SUCCESS);
    host.pass(Duration::from_secs(70));
    host.tells("dee");
    assert_eq!(
        host.sent()[1..],
        ["CANCEL dee@example.org bo@example.com"; 2]
    );
    assert!(host.waits().is_empty());
}

#[test]
fn a_move_asks_anew_and_counts_up_though_the_program_forgets() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    let reply = own("").replace("VERSION:2.0\n", "VERSION:2.0\nMETHOD:REPLY\n");
    let reply = reply.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    host.receives(&reply, BO, &["dee@example.org"]);
    let accepted = host.person("dee").object("meeting").unwrap();
    assert!(accepted.contains("PARTSTAT=ACCEPTED"), "{accepted}");
    host.tells("dee");
    assert_eq!(host.sent().len(), 1, "an answer is told to nobody");
    host.person("dee")
        .edits("meeting", |it| it.replace("T100000Z", "T150000Z"));
    host.tells("dee");
    let told = &host.bodies()[1];
    assert!(told.contains("SEQUENCE:1"), "{told}");
    assert!(!told.contains("ACCEPTED"), "{told}");
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(
        stored.contains("SEQUENCE:1") && !stored.contains("ACCEPTED"),
        "{stored}"
    );
}

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

/// An organizer's edit that is not told yet survives an answer that comes in meanwhile.
#[test]
fn what_comes_in_while_an_edit_is_settling_does_not_hide_it() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    host.person("dee")
        .edits("meeting", |it| it.replace("Review", "Retrospective"));
    host.looks("dee");
    let reply = own("").replace("VERSION:2.0\n", "VERSION:2.0\nMETHOD:REPLY\n");
    let reply = reply.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=ACCEPTED:");
    host.receives(&reply, BO, &["dee@example.org"]);
    host.tells("dee");
    assert_eq!(host.sent().len(), 2);
    assert!(host.bodies()[1].contains("Retrospective"));
    let stored = host.person("dee").object("meeting").unwrap();
    assert!(stored.contains("PARTSTAT=ACCEPTED"), "{stored}");
}

#[test]
fn own_affairs_are_told_to_nobody() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    invited(&host, "");
    let alarm =
        "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT";
    for name in ["dee", "bo"] {
        host.person(name).edits("meeting", |it| {
            it.replace(
                "END:VEVENT",
                &format!("CATEGORIES:work\nX-COLOR:red\n{alarm}"),
            )
        });
        host.tells(name);
    }
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
}

/// What had to wait when a host ended in the middle of its look waits after it was started again: all of it.
#[test]
fn many_changes_at_once_wait_though_the_host_ends_meanwhile() {
    for commits in [0, 1, 2, 10, 30, 59, 60, 61] {
        let host = host();
        for number in 0..60 {
            let uid = format!("UID:m{number}");
            host.person("dee")
                .has(&own("").replace("UID:meeting", &uid));
        }
        host.looks("dee");
        host.pass(Duration::from_secs(10));
        host.world().remembered.ends_after(commits);
        // Whether or not it comes to its end.
        let _ = block_on(host.scheduler.reconcile(&host.person("dee")));
        host.world().remembered.ends_after(usize::MAX);
        let host = host.restarted();
        host.tells("dee");
        assert!(host.sent().is_empty(), "{commits}: {:?}", host.sent());
        let held = block_on(host.scheduler.held(None)).unwrap();
        assert_eq!(held.len(), 60, "{commits}");
    }
}

#[test]
fn many_changes_at_once_wait_and_vanish_when_they_are_taken_back() {
    let host = host();
    let name = |number: usize| format!("m{number}");
    for number in 0..60 {
        host.person("dee")
            .has(&own("").replace("UID:meeting", &format!("UID:{}", name(number))));
    }
    assert_eq!(host.tells("dee").held, 60);
    assert!(host.sent().is_empty() && host.waits().is_empty());
    let held = block_on(host.scheduler.held(None)).unwrap();
    assert_eq!(held.len(), 60);
    assert_eq!(held[0].messages, [("REQUEST".to_owned(), address(BO))]);
    assert!(block_on(host.scheduler.release(&held[0])).unwrap());
    host.pays();
    assert_eq!(host.sent().len(), 1);
    for held in &held[1..] {
        host.person("dee").deletes(held.uid.as_str());
    }
    host.tells("dee");
    assert!(block_on(host.scheduler.held(None)).unwrap().is_empty());
    assert_eq!(host.sent().len(), 1, "{:?}", host.sent());
    // What is dropped is told to nobody, now or later.
    host.person("dee").deletes(held[0].uid.as_str());
    host.tells("dee");
    assert_eq!(host.sent().len(), 2);
}

#[test]
fn what_was_never_sent_is_not_called_off() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.looks("dee");
    assert_eq!(host.waits(), ["REQUEST bo@example.com"]);
    host.person("dee").deletes("meeting");
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.looks("dee");
    assert!(host.waits().is_empty());
    host.pays();
    assert!(host.sent().is_empty());
    assert!(host.world().remembered.keys("outbox/").is_empty());
    assert!(host.world().remembered.keys("message/").is_empty());
}

#[test]
fn what_cannot_be_told_is_told_when_it_is_mended() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    // Somebody else's meeting it cannot become.
    let stolen = own("").replace(
        "ORGANIZER:mailto:dee@example.org",
        "ORGANIZER:mailto:eve@example.net",
    );
    host.person("dee")
        .has(&stolen.replace("Review", "Retrospective"));
    host.tells("dee");
    assert_eq!(host.sent().len(), 1);
    host.person("dee")
        .has(&own("").replace("Review", "Retrospective"));
    host.tells("dee");
    assert_eq!(host.sent().len(), 2);
}

#[test]
fn adopted_objects_are_told_to_nobody() {
    let host = host();
    let dee = host.person("dee");
    dee.has(&own(""));
    let uid = convoke_types::Uid::new("meeting").unwrap();
    block_on(crate::adopt(&host.world().remembered, &dee, &uid)).unwrap();
    host.tells("dee");
    assert!(host.sent().is_empty());
}

/// A final refusal stands on the object, and is nothing to be told again.
#[test]
fn a_refusal_is_not_told_again_at_each_look() {
    let host = host();
    host.elsewhere_says(RequestStatus::NO_AUTHORITY);
    host.person("dee").has(&own(""));
    host.tells("dee");
    host.person("dee").edits("meeting", |it| {
        it.replace("END:VEVENT", "X-NOTE:mine\nEND:VEVENT")
    });
    host.tells("dee");
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
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

#[test]
fn a_newer_version_takes_the_place_of_one_that_waits() {
    let host = host();
    host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
    host.person("dee").has(&own(""));
    host.tells("dee");
    host.person("dee")
        .edits("meeting", |it| it.replace("Review", "Retrospective"));
    host.tells("dee");
    assert_eq!(host.waits(), ["REQUEST bo@example.com"]);
    host.elsewhere_says(RequestStatus::SUCCESS);
    host.pass(Duration::from_secs(600));
    host.pays();
    assert!(host.waits().is_empty());
    let bodies = host.bodies();
    assert!(
        bodies.last().unwrap().contains("Retrospective"),
        "{bodies:?}"
    );
    assert_eq!(host.world().remembered.keys("message/"), [""; 0]);
    assert_eq!(host.world().remembered.keys("outbox/"), [""; 0]);
}

/// The state has made a commit, and its answer is lost: what it let wait goes all the same, and once.
#[test]
fn a_commit_whose_answer_is_lost_loses_no_message() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.world().remembered.loses_an_answer();
    assert!(block_on(host.scheduler.reconcile(&host.person("dee"))).is_err());
    assert!(!host.shared.outbox.is_certain());
    host.pays();
    assert!(host.sent().is_empty(), "nobody knows what waits");
    assert_eq!(host.loads(), 1);
    host.tells("dee");
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    assert!(host.waits().is_empty());
}

/// What was replaced by a commit whose answer is lost is not sent; what replaces it is.
#[test]
fn whoever_hands_something_in_knows_what_waits() {
    let host = host();
    host.elsewhere_says(RequestStatus::SERVICE_UNAVAILABLE);
    host.person("dee").has(&own(""));
    host.tells("dee");
    for title in ["Retrospective", "Outlook"] {
        host.person("dee").edits("meeting", |it| {
            it.replace("Review", title).replace("Retrospective", title)
        });
        host.looks("dee");
        host.pass(Duration::from_secs(10));
        host.world().remembered.loses_an_answer();
        let _ = block_on(host.scheduler.reconcile(&host.person("dee")));
    }
    assert_eq!(host.world().remembered.keys("outbox/").len(), 1);
    assert_eq!(host.loads(), 1);
    host.elsewhere_says(RequestStatus::SUCCESS);
    host.pass(Duration::from_secs(600));
    host.pays();
    assert_eq!(host.sent().len(), 2, "{:?}", host.bodies());
    assert!(host.bodies()[1].contains("Outlook"), "{:?}", host.bodies());
    assert_eq!(host.world().remembered.keys("message/"), [""; 0]);
}

/// What came of a try could not be noted, as far as anybody knows; the outbox is empty all the same.
#[test]
fn a_try_that_was_noted_unnoticed_is_over() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.looks("dee");
    host.world().remembered.loses_an_answer();
    host.pays();
    assert!(!host.shared.outbox.is_certain());
    assert_eq!(host.loads(), 0);
    host.pays();
    assert_eq!(host.sent().len(), 1);
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

/// Somebody else writes the ledger while it is to follow a change that concerns nobody: it follows all the same.
#[test]
fn the_ledger_follows_whoever_writes_it_meanwhile() {
    let host = host();
    let dee = host.person("dee");
    dee.has(&own(""));
    host.tells("dee");
    dee.edits("meeting", |it| {
        it.replace("END:VEVENT", "X-NOTE:mine\nEND:VEVENT")
    });
    host.world().remembered.has_a_rival();
    host.tells("dee");
    let uid = convoke_types::Uid::new("meeting").unwrap();
    let stored = block_on(dee.get(&uid)).unwrap().unwrap();
    let known = block_on(host.scheduler.ledger(dee.user(), &uid)).unwrap();
    assert_eq!(known.value.unwrap().etag, Some(stored.etag));
}

/// What is there at the first look is known, also if a message comes in for some of it meanwhile.
#[test]
fn a_first_look_that_is_disturbed_knows_everything() {
    let host = Host::new();
    host.person("dee").has(&own(""));
    host.world().remembered.has_a_rival();
    assert!(host.looks("dee").first);
    host.person("dee").edits("meeting", |it| {
        it.replace("END:VEVENT", "X-NOTE:mine\nEND:VEVENT")
    });
    host.tells("dee");
    assert!(host.sent().is_empty(), "{:?}", host.bodies());
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

/// A host that ended in the middle of a try does not know whether anything left.
#[test]
fn what_may_have_left_before_a_restart_is_called_off() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.looks("dee");
    let host = host.restarted();
    host.person("dee").deletes("meeting");
    host.tells("dee");
    assert_eq!(host.sent(), ["CANCEL dee@example.org bo@example.com"]);
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

/// Who asks what became of a meeting that was just called off is told so, once.
#[test]
fn a_question_does_not_swallow_what_waits() {
    let host = host();
    let dee = host.person("dee");
    dee.has(&own(""));
    host.tells("dee");
    dee.edits("meeting", |it| {
        it.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY")
    });
    host.looks("dee");
    host.pass(host.scheduler.timing.settle);
    host.looks("dee");
    assert_eq!(host.waits(), ["CANCEL bo@example.com"]);
    let question = format!(
        "BEGIN:VEVENT\nUID:meeting\nDTSTAMP:20261201T080000Z\nORGANIZER:mailto:dee@example.org\n\
         ATTENDEE:mailto:{BO}\nEND:VEVENT\n"
    );
    host.receives(&message("REFRESH", &question), BO, &["dee@example.org"]);
    host.pays();
    let told = ["REQUEST", "CANCEL"].map(|it| format!("{it} dee@example.org {BO}"));
    assert_eq!(host.sent(), told);
}
