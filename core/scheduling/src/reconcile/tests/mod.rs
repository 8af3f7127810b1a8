//! What people do in their calendar programs, and who hears of it.

mod crossing;
mod held;
mod in_doubt;
mod invited;
mod lost_ledger;
mod replaced;
mod restored;
mod statuses;

use crate::tests::world::{Host, meeting, message};
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

/// What can be read is told, whatever stands beside it, and what cannot is told when it can.
#[test]
fn an_object_that_cannot_be_read_keeps_back_no_other() {
    let host = host();
    host.looks("dee");
    host.person("dee").has(&own(""));
    let other = own("").replace("UID:meeting", "UID:another");
    host.person("dee").has(&other);
    host.person("dee").hides(Some("another"));
    let looked = host.tells("dee");
    assert_eq!(looked.pending, 1);
    assert!(looked.next.is_some());
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    host.person("dee").hides(None);
    host.pass(Duration::from_secs(60));
    let looked = host.tells("dee");
    assert_eq!((looked.pending, looked.told), (0, 1));
    assert_eq!(host.sent().len(), 2);
}

/// What an administrator drops before it was tried was told to nobody, so that nobody hears of its end.
#[test]
fn what_was_dropped_untried_is_called_off_for_nobody() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.looks("dee");
    let waits = host.shared.outbox.entries();
    block_on(host.scheduler.drop_entry(&waits[0].id)).unwrap();
    assert!(host.waits().is_empty());
    let object = host.person("dee").object("meeting").unwrap();
    assert!(object.contains("SCHEDULE-STATUS=5.1"), "{object}");
    host.person("dee").deletes("meeting");
    host.tells("dee");
    assert_eq!(host.sent(), [""; 0]);
    assert_eq!(host.world().remembered.keys("message/"), [""; 0]);
}
