//! The state is lost, or older than the calendars: what is there is known again, and told to nobody twice.

use super::{BO, host, invited, own};
use crate::tests::world::{Host, meeting, message};
use futures::executor::block_on;
use std::time::Duration;

const ANNA: &str = "anna@example.com";

/// Bo has accepted, and the program has saved it some times more.
fn accepted(host: &Host) {
    invited(host, "");
    let bo = host.person("bo");
    bo.edits("meeting", |it| {
        it.replace("ATTENDEE", "ATTENDEE;PARTSTAT=ACCEPTED")
            .replace("UID:meeting", "UID:meeting\nSEQUENCE:4")
    });
    host.tells("bo");
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
}

fn receives(host: &Host, method: &str, event: &str) {
    let text = message(method, event);
    host.receives(&text, ANNA, &["bo@example.org"]);
}

fn stored(host: &Host) -> String {
    host.person("bo").object("meeting").unwrap()
}

#[test]
fn an_update_and_a_cancel_count_after_the_state_is_lost() {
    let host = host();
    accepted(&host);
    let host = host.beside();
    assert!(host.looks("bo").first);
    let moved = meeting("SEQUENCE:1\n").replace("T100000Z", "T120000Z");
    receives(&host, "REQUEST", &moved);
    assert!(stored(&host).contains("DTSTART:20270104T120000Z"));
    let off = meeting("SEQUENCE:2\n").replace("T070000Z", "T073000Z");
    receives(&host, "CANCEL", &off);
    assert!(stored(&host).contains("STATUS:CANCELLED"));
    host.tells("bo");
    assert!(host.sent().is_empty(), "{:?}", host.bodies());
}

/// The message comes before anybody has looked at the calendar again.
#[test]
fn an_update_counts_before_the_first_look() {
    let before = host();
    accepted(&before);
    for first in [false, true] {
        let host = before.beside();
        if first {
            let uid = convoke_types::Uid::new("meeting").unwrap();
            let bo = host.person("bo");
            block_on(crate::adopt(&host.world().remembered, &bo, &uid)).unwrap();
        }
        receives(&host, "REQUEST", &meeting("SEQUENCE:1\nLOCATION:Garden\n"));
        assert!(stored(&host).contains("Garden"), "{first}");
    }
}

/// Its program has stored it in a calendar of which nothing is remembered but that it was looked at.
#[test]
fn an_update_counts_where_the_state_is_older_than_the_object() {
    let before = host();
    accepted(&before);
    let object = stored(&before);
    let host = host();
    host.person("bo").has(&object);
    host.tells("bo");
    receives(&host, "REQUEST", &meeting("SEQUENCE:1\nLOCATION:Garden\n"));
    assert!(stored(&host).contains("Garden"));
}

#[test]
fn an_old_message_again_does_no_harm_and_asks_for_the_latest() {
    let host = host();
    let later = meeting("LOCATION:Garden\n").replace("T070000Z", "T080000Z");
    receives(&host, "REQUEST", &later);
    let host = host.beside();
    assert!(host.looks("bo").first);
    receives(&host, "REQUEST", &meeting(""));
    assert!(stored(&host).contains("Garden"));
    host.tells("bo");
    assert_eq!(host.sent(), ["REFRESH bo@example.org anna@example.com"]);
    // What brought it here does none, either, and is the version from now on.
    receives(&host, "REQUEST", &later);
    receives(&host, "REQUEST", &meeting(""));
    assert!(stored(&host).contains("Garden"));
    host.tells("bo");
    assert_eq!(host.sent().len(), 1, "{:?}", host.bodies());
}

#[test]
fn an_answer_after_the_state_is_lost_carries_the_sequence_of_the_file() {
    let host = host();
    accepted(&host);
    let host = host.beside();
    assert!(host.looks("bo").first);
    host.person("bo")
        .edits("meeting", |it| it.replace("ACCEPTED", "DECLINED"));
    host.tells("bo");
    assert_eq!(host.sent(), ["REPLY bo@example.org anna@example.com"]);
    assert!(
        host.bodies()[0].contains("SEQUENCE:4"),
        "{:?}",
        host.bodies()
    );
    assert!(!host.bodies()[0].contains("X-CONVOKE"));
}

/// A change that nobody was told of when the state was lost is not told; the next one is, to everybody.
#[test]
fn an_organizers_next_edit_tells_everything_after_the_state_is_lost() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    let dee = host.person("dee");
    dee.edits("meeting", |it| it.replace("Review", "Retrospective"));
    let host = host.beside();
    assert!(host.tells("dee").first);
    assert!(host.tells("dee").pending == 0 && host.sent().is_empty());
    let dee = host.person("dee");
    dee.edits("meeting", |it| it.replace("T100000Z", "T110000Z"));
    host.tells("dee");
    assert_eq!(host.sent(), [format!("REQUEST dee@example.org {BO}")]);
    assert!(host.bodies()[0].contains("Retrospective"));
}

/// Who was told before the state was lost is told the end, though an update has not left since.
#[test]
fn who_was_told_before_the_state_was_lost_is_told_the_end() {
    let host = host();
    host.person("dee").has(&own(""));
    host.tells("dee");
    let host = host.beside();
    assert!(host.looks("dee").first);
    host.person("dee")
        .edits("meeting", |it| it.replace("Review", "Retrospective"));
    // It is in the queue, and not tried yet.
    let next = host.looks("dee").next;
    assert!(next.is_some());
    host.pass(Duration::from_secs(10));
    assert_eq!(host.looks("dee").told, 1);
    host.person("dee").deletes("meeting");
    host.tells("dee");
    assert_eq!(host.sent(), [format!("CANCEL dee@example.org {BO}")]);
}

/// Whom a user has invited or answered is no stranger, though nothing else is remembered of them.
#[test]
fn acquaintances_are_found_in_the_calendar() {
    let before = host();
    accepted(&before);
    before.person("dee").has(&own(""));
    let host = before.beside();
    for name in ["bo", "cy", "dee"] {
        assert!(host.looks(name).first);
    }
    let known = host.world().remembered.keys("known/");
    let is_known = |user: &str, other: &str| {
        let found = known.iter();
        found
            .filter(|key| key.contains(user) && key.ends_with(other))
            .count()
            > 0
    };
    assert!(is_known("bo@example.org", ANNA), "{known:?}");
    assert!(is_known("dee@example.org", BO), "{known:?}");
    assert_eq!(known.len(), 2, "{known:?}");
}

/// Nobody knows which version is answered: what asks anew then may have been answered already for all that its organizer knows.
/// Found by the simulator.
#[test]
fn an_answer_to_nobody_knows_what_is_taken_back_by_what_asks_anew() {
    for is_answered in [false, true] {
        let host = host();
        accepted(&host);
        let host = host.beside();
        assert!(host.looks("bo").first);
        if is_answered {
            host.person("bo")
                .edits("meeting", |it| it.replace("ACCEPTED", "DECLINED"));
            host.tells("bo");
        }
        let before = host.sent().len();
        let moved = meeting("SEQUENCE:1\n").replace("T100000Z", "T120000Z");
        receives(&host, "REQUEST", &moved);
        host.pays();
        let said = &host.bodies()[before..];
        assert_eq!(said.len(), usize::from(is_answered), "{said:?}");
        for said in said {
            assert!(
                !said.contains("PARTSTAT=") && said.contains("SEQUENCE:1"),
                "{said}"
            );
        }
        host.tells("bo");
        receives(&host, "REQUEST", &moved.replace("T070000Z", "T080000Z"));
        host.tells("bo");
        assert_eq!(host.sent().len(), before + usize::from(is_answered));
    }
}
