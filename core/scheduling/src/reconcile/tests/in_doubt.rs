//! Hosts end in the middle, and commits are lost or disturbed: nothing is told twice, nothing is lost.

use super::{host, invited, own};
use crate::{
    Home,
    tests::world::{Host, codes, meeting, message},
};
use convoke_types::RequestStatus;
use futures::executor::block_on;
use std::time::Duration;

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

/// A host ends after it has written an update to a calendar, and before it has noted that. What the update leaves out is not taken
/// for what the attendee does, and what the attendee has done is. Found by the simulator.
#[test]
fn an_update_that_was_not_noted_is_no_answer() {
    const SERIES: &str = "RRULE:FREQ=DAILY;COUNT=4\n";
    let update = meeting(&format!("SEQUENCE:1\n{SERIES}EXDATE:20270105T100000Z\n"));
    let update = message("REQUEST", &update.replace("T070000Z", "T073000Z"));
    for (own, told) in [("", 0), ("EXDATE:20270106T100000Z\n", 1)] {
        let host = host();
        invited(&host, SERIES);
        let remembered = &host.world().remembered;
        remembered.ends_after(1);
        let answered = host.receives(&update, "anna@example.com", &["bo@example.org"]);
        assert_eq!(codes(&answered), ["5.1"]);
        let stored = host.person("bo").object("meeting").unwrap();
        assert!(stored.contains("EXDATE"), "{stored}");
        remembered.ends_after(usize::MAX);
        let host = host.restarted();
        host.person("bo").edits("meeting", |it| {
            it.replacen("SUMMARY", &format!("{own}SUMMARY"), 1)
        });
        host.tells("bo");
        assert_eq!(host.sent().len(), told, "{:?}", host.bodies());
        // It comes again.
        let answered = host.receives(&update, "anna@example.com", &["bo@example.org"]);
        assert_eq!(codes(&answered), ["2.0"]);
        host.tells("bo");
        assert_eq!(host.sent().len(), told, "{:?}", host.bodies());
    }
}

/// A host ends after it has written an update that asks anew, and before it has noted that. The answer that was given counts still
/// for whoever has it: the next update may say so. Found by the simulator.
#[test]
fn an_answer_that_was_asked_anew_unnoticed_comes_back_with_the_next_update() {
    let host = host();
    invited(&host, "");
    host.person("bo").edits("meeting", |it| {
        it.replace("ATTENDEE:", "ATTENDEE;PARTSTAT=TENTATIVE:")
    });
    host.tells("bo");
    let says = |host: &Host, partstat: &str, stamp: &str| {
        let update = meeting("SEQUENCE:1\nLOCATION:Yard\n")
            .replace("ATTENDEE:", &format!("ATTENDEE;PARTSTAT={partstat}:"))
            .replace("T070000Z", stamp);
        let update = message("REQUEST", &update);
        codes(&host.receives(&update, "anna@example.com", &["bo@example.org"]))
    };
    let remembered = &host.world().remembered;
    remembered.ends_after(0);
    assert_eq!(says(&host, "NEEDS-ACTION", "T073000Z"), ["5.1"]);
    let stored = host.person("bo").object("meeting").unwrap();
    assert!(
        stored.contains("Yard") && stored.contains("NEEDS-ACTION"),
        "{stored}"
    );
    remembered.ends_after(usize::MAX);
    let host = host.restarted();
    host.tells("bo");
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
    assert_eq!(says(&host, "TENTATIVE", "T080000Z"), ["2.0"]);
    let stored = host.person("bo").object("meeting").unwrap();
    assert!(stored.contains("PARTSTAT=TENTATIVE"), "{stored}");
    host.tells("bo");
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
}

/// The state can be read and not written for a while: what was sent is not sent again, and is noted when that can be done.
#[test]
fn what_was_sent_is_not_sent_again_while_it_cannot_be_noted() {
    let host = host();
    host.person("dee").has(&own(""));
    host.looks("dee");
    host.pass(Duration::from_secs(10));
    host.looks("dee");
    let state = &host.world().remembered;
    state.ends_after(0);
    for _ in 0..20 {
        host.pays();
        host.loads();
        host.pass(Duration::from_secs(60));
    }
    assert_eq!(host.sent(), ["REQUEST dee@example.org bo@example.com"]);
    state.ends_after(usize::MAX);
    for _ in 0..20 {
        host.loads();
        host.pays();
        host.pass(Duration::from_secs(600));
    }
    assert_eq!(host.sent().len(), 1);
    assert!(host.waits().is_empty());
    assert_eq!(state.keys("outbox/"), [""; 0]);
    assert_eq!(state.keys("message/"), [""; 0]);
    let object = host.person("dee").object("meeting").unwrap();
    assert!(object.contains("SCHEDULE-STATUS=1.2"), "{object}");
}
