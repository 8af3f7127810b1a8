use super::super::world::{Host, NOW, address, codes, message};
use super::{ANNA, EVE, ROOM, at, copy, event, host, takes, told};
use crate::Verdict;
use convoke_types::{RequestStatus, UserKind};

const TAKEN: [&str; 1] = ["DECLINED The room is taken then"];

#[test]
fn who_comes_first_has_the_room() {
    let host = host(&[]);
    assert_eq!(told(&host, &at(10, "first", ANNA), ANNA), ["ACCEPTED"]);
    assert_eq!(told(&host, &at(10, "second", EVE), EVE), TAKEN);
    let stored = copy(&host, "first");
    assert!(
        stored.contains("PARTSTAT=ACCEPTED:mailto:room@example.org"),
        "{stored}"
    );
    assert!(!stored.contains("RSVP"), "it has been answered: {stored}");
    assert!(takes(&host, "first", "10:30:00") && !takes(&host, "second", "10:30:00"));
    // What touches it does not overlap it.
    assert_eq!(told(&host, &at(9, "before", EVE), EVE), ["ACCEPTED"]);
    assert_eq!(told(&host, &at(11, "after", EVE), EVE), ["ACCEPTED"]);
    // Who is refused learns nothing of who has it.
    let again = at(10, "third", EVE);
    host.receives(&again, EVE, &[ROOM]);
    let replies = host.owes().concat();
    for secret in ["anna", "Plans of first", "Secrets"] {
        assert!(!replies.contains(secret), "{replies}");
    }
}

#[test]
fn what_moves_is_asked_anew_and_frees_its_time() {
    let host = host(&[]);
    told(&host, &at(10, "first", ANNA), ANNA);
    told(&host, &at(14, "other", EVE), EVE);
    let moved = |hour, sequence| {
        let update = at(hour, "first", ANNA);
        update.replace("DTSTAMP", &format!("SEQUENCE:{sequence}\nDTSTAMP"))
    };
    // Half an hour later overlaps nothing but itself.
    let later = moved(10, 1)
        .replace("T1000", "T1030")
        .replace("T1100", "T1130");
    assert_eq!(told(&host, &later, ANNA), ["ACCEPTED"]);
    assert!(!takes(&host, "first", "10:15:00") && takes(&host, "first", "11:15:00"));
    assert_eq!(told(&host, &moved(14, 2), ANNA), TAKEN);
    assert_eq!(
        told(&host, &at(11, "next", EVE), EVE),
        ["ACCEPTED"],
        "it is free again"
    );
    // An organizer who says that the room has accepted does not get it by that.
    let claimed = moved(11, 3).replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
    assert_eq!(told(&host, &claimed, ANNA), TAKEN);
    assert!(!takes(&host, "first", "11:30:00"));
}

#[test]
fn what_is_called_off_frees_its_time() {
    let host = host(&[]);
    told(&host, &at(10, "first", ANNA), ANNA);
    let cancel = message(
        "CANCEL",
        &event("first", ANNA, "SEQUENCE:1\nSTATUS:CANCELLED\n"),
    );
    assert!(told(&host, &cancel, ANNA).is_empty());
    assert_eq!(told(&host, &at(10, "second", EVE), EVE), ["ACCEPTED"]);
    // What was called off comes back by a newer version only, and is asked anew.
    let back = at(10, "first", ANNA).replace("DTSTAMP", "SEQUENCE:2\nDTSTAMP");
    assert_eq!(told(&host, &back, ANNA), TAKEN);
}

#[test]
fn an_answer_stands_until_it_is_asked_for_anew() {
    let host = host(&[]);
    let first = at(10, "first", ANNA);
    told(&host, &first, ANNA);
    let updated = |more: &str| {
        first
            .replace("SUMMARY:Plans", more)
            .replace("070000Z", "073000Z")
    };
    // The organizer knows the answer.
    let known = updated("SUMMARY:New plans").replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
    assert!(told(&host, &known, ANNA).is_empty());
    assert!(copy(&host, "first").contains("New plans"));
    // It does not; nor does it where the message comes again.
    host.pass(std::time::Duration::from_secs(2));
    assert_eq!(
        told(&host, &updated("SUMMARY:Newer plans"), ANNA),
        ["ACCEPTED"]
    );
    assert_eq!(
        told(&host, &updated("SUMMARY:Newer plans"), ANNA),
        ["ACCEPTED"]
    );
    // Who looks after the room has called it off by hand: that stands as well, unless it is asked anew.
    let declined = copy(&host, "first").replace(
        "PARTSTAT=ACCEPTED:mailto:room",
        "PARTSTAT=DECLINED:mailto:room",
    );
    host.person("room").has(&declined);
    let told_so = known.replace(
        "CUTYPE=ROOM;PARTSTAT=ACCEPTED",
        "CUTYPE=ROOM;PARTSTAT=DECLINED",
    );
    assert!(told(&host, &told_so, ANNA).is_empty());
    assert!(!takes(&host, "first", "10:30:00"));
    let asked = updated("SEQUENCE:1\nSUMMARY:Please")
        .replace("ROOM;RSVP", "ROOM;PARTSTAT=NEEDS-ACTION;RSVP");
    assert_eq!(told(&host, &asked, ANNA), ["ACCEPTED"]);
}

/// Who looks after the room has a calendar program, too, which raises SEQUENCE at each save.
#[test]
fn what_is_written_into_the_rooms_copy_makes_no_message_late() {
    let host = host(&[]);
    told(&host, &at(10, "first", ANNA), ANNA);
    let saved = copy(&host, "first").replace("SUMMARY", "SEQUENCE:7\nSUMMARY");
    host.person("room").has(&saved);
    let moved = at(12, "first", ANNA).replace("DTSTAMP", "SEQUENCE:1\nDTSTAMP");
    assert_eq!(told(&host, &moved, ANNA), ["ACCEPTED"]);
    assert!(takes(&host, "first", "12:30:00") && !takes(&host, "first", "10:30:00"));
    // A refusal by hand that was not told yet stands, and is told now.
    let declined = copy(&host, "first").replace(
        "PARTSTAT=ACCEPTED:mailto:room",
        "PARTSTAT=DECLINED:mailto:room",
    );
    host.person("room").has(&declined);
    let update = moved.replace("070000Z", "073000Z");
    let update = update.replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
    assert_eq!(told(&host, &update, ANNA), ["DECLINED"]);
    assert!(!takes(&host, "first", "12:30:00"));
}

/// A copy that somebody has deleted holds no time, and an update that brings it back asks for it anew.
#[test]
fn what_was_deleted_from_the_rooms_calendar_is_free() {
    for is_told in [true, false] {
        let host = host(&[]);
        let first = at(10, "first", ANNA);
        told(&host, &first, ANNA);
        host.looks("room");
        host.person("room").deletes("first");
        if is_told {
            let sent = host.sent().len();
            host.tells("room");
            let declined = "REPLY room@example.org anna@example.com";
            assert_eq!(host.sent()[sent..], [declined]);
        }
        assert_eq!(told(&host, &at(10, "second", EVE), EVE), ["ACCEPTED"]);
        let update = first
            .replace("070000Z", "073000Z")
            .replace("Plans", "New plans");
        assert_eq!(told(&host, &update, ANNA), TAKEN, "told: {is_told}");
    }
}

/// Who does not know of a refusal asks again, and who knows does not.
#[test]
fn what_was_refused_is_looked_up_again_when_it_is_asked_for_again() {
    let host = host(&[]);
    told(&host, &at(10, "first", EVE), EVE);
    let second = at(10, "second", ANNA);
    assert_eq!(told(&host, &second, ANNA), TAKEN);
    assert_eq!(told(&host, &second, ANNA), TAKEN);
    let cancel = event("first", EVE, "SEQUENCE:1\nSTATUS:CANCELLED\n");
    told(&host, &message("CANCEL", &cancel), EVE);
    let known = second.replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=DECLINED");
    assert!(told(&host, &known.replace("070000Z", "073000Z"), ANNA).is_empty());
    assert_eq!(
        told(&host, &second.replace("070000Z", "074500Z"), ANNA),
        ["ACCEPTED"]
    );
}

#[test]
fn rules_say_who_may_book_and_when() {
    for (rules, change, answer) in [
        ("from=*@example.com", "", "ACCEPTED"),
        (
            "from=*@example.net",
            "",
            "DECLINED The room cannot be booked by the organizer",
        ),
        (
            "",
            "",
            "DECLINED The room cannot be booked by the organizer",
        ),
        ("from=* ahead=90d", "", "ACCEPTED"),
        (
            "from=* ahead=10d",
            "",
            "DECLINED The room cannot be booked beyond 2026-12-12 00:00",
        ),
        ("from=* longest=1h", "", "ACCEPTED"),
        (
            "from=* longest=30min",
            "",
            "DECLINED The room cannot be booked for longer than 30min",
        ),
        ("from=* days=mo-fr", "", "ACCEPTED"),
        (
            "from=* days=tu,sa",
            "",
            "DECLINED The room can be booked on tu,sa only",
        ),
        // In Berlin it is Tuesday by then.
        (
            "from=* days=mo",
            "T233000Z",
            "DECLINED The room can be booked on mo only",
        ),
        ("from=* days=tu", "T233000Z", "ACCEPTED"),
        // A whole day, in the room's zone.
        ("from=* days=mo", "date", "ACCEPTED"),
    ] {
        let host = host(&[("booking", rules)]);
        let asked = at(10, "first", ANNA);
        let asked = match change {
            "" => asked,
            "date" => asked
                .replace("DTSTART:20270104T100000Z", "DTSTART;VALUE=DATE:20270104")
                .replace("DTEND:20270104T110000Z", "DTEND;VALUE=DATE:20270105"),
            time => asked
                .replace("T100000Z", time)
                .replace("DTEND:20270104T110000Z", "DURATION:PT5M"),
        };
        assert_eq!(told(&host, &asked, ANNA), [answer], "{rules} {change}");
    }
}

#[test]
fn our_own_people_book_as_others_do() {
    let host = host(&[("booking", "")]);
    let own = at(10, "ours", "dee@example.org");
    let outcomes = host.submits(&own, "dee@example.org", &[ROOM]);
    assert_eq!(codes(&outcomes), ["2.0"]);
    host.pays();
    let organizers = host.person("dee").object("ours").unwrap();
    assert!(organizers.contains("PARTSTAT=ACCEPTED"), "{organizers}");
    assert!(host.sent().is_empty(), "nothing has left");
    let taken = at(10, "later", "cy@example.org");
    host.submits(&taken, "cy@example.org", &[ROOM]);
    host.pays();
    let refused = host.person("cy").object("later").unwrap();
    assert!(refused.contains("PARTSTAT=DECLINED"), "{refused}");
}

#[test]
fn several_rooms_of_one_meeting_answer_each_for_itself() {
    let host = host(&[]).with_room("hall", &[]);
    told(&host, &at(10, "first", EVE), EVE);
    let both =
        at(10, "both", ANNA).replace("END:VEVENT", "ATTENDEE:mailto:hall@example.org\nEND:VEVENT");
    let outcomes = host.receives(&both, ANNA, &[ROOM, "hall@example.org"]);
    assert_eq!(codes(&outcomes), ["2.0", "2.0"]);
    let replies: Vec<String> = host.owes().iter().flat_map(|it| super::parts(it)).collect();
    assert_eq!(replies, [TAKEN[0], "ACCEPTED"]);
}

#[test]
fn whatever_is_in_its_calendar_takes_its_time() {
    let plain = |more: &str| {
        format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:paint\nDTSTAMP:20261201T070000Z\n\
             DTSTART:20270104T100000Z\nDURATION:PT1H\n{more}END:VEVENT\nEND:VCALENDAR\n"
        )
    };
    let hours = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VAVAILABILITY\nUID:hours\nDTSTAMP:20261201T070000Z\n\
                 DTSTART:20260101T000000Z\nBEGIN:AVAILABLE\nUID:a\nDTSTAMP:20261201T070000Z\nDTSTART:20260101T110000Z\n\
                 DTEND:20260101T160000Z\nRRULE:FREQ=DAILY\nEND:AVAILABLE\nEND:VAVAILABILITY\nEND:VCALENDAR\n";
    for (there, answer) in [
        (plain(""), TAKEN[0]),
        (plain("STATUS:TENTATIVE\n"), TAKEN[0]),
        (plain("RRULE:FREQ=DAILY\n"), TAKEN[0]),
        (plain("RRULE:FREQ=MINUTELY\n"), TAKEN[0]),
        (plain("TRANSP:TRANSPARENT\n"), "ACCEPTED"),
        (plain("STATUS:CANCELLED\n"), "ACCEPTED"),
        (hours.to_owned(), TAKEN[0]),
    ] {
        let host = host(&[]);
        host.person("room").has(&there);
        assert_eq!(
            told(&host, &at(10, "first", ANNA), ANNA),
            [answer],
            "{there}"
        );
    }
}

/// What its organizer is free for takes the room all the same.
#[test]
fn a_meeting_takes_the_room_whatever_it_is_to_its_organizer() {
    let host = host(&[]);
    let transparent = at(10, "first", ANNA).replace("SUMMARY", "TRANSP:TRANSPARENT\nSUMMARY");
    assert_eq!(told(&host, &transparent, ANNA), ["ACCEPTED"]);
    assert_eq!(told(&host, &at(10, "second", EVE), EVE), TAKEN);
}

#[test]
fn a_private_room_shows_that_it_is_booked_and_by_whom() {
    let host = host(&[("private", "on")]);
    let plans = at(10, "first", ANNA);
    assert_eq!(told(&host, &plans, ANNA), ["ACCEPTED"]);
    let is_hidden = |host: &Host| {
        let stored = copy(host, "first");
        for secret in ["Plans", "Secrets", "Bridge", "guest@example.net"] {
            assert!(!stored.contains(secret), "{secret}: {stored}");
        }
        assert!(stored.contains("SUMMARY:Booked"), "{stored}");
        assert!(
            // With what became of the answer (RFC 6638 §7.3).
            stored.contains("\nORGANIZER") && stored.contains(":mailto:anna@example.com"),
            "{stored}"
        );
    };
    is_hidden(&host);
    // Updates, and what calls it off, hide as well; an update that changes nothing here is known to be one.
    let update = plans
        .replace("070000Z", "073000Z")
        .replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=ACCEPTED");
    assert!(told(&host, &update.replace("Plans", "Other Plans"), ANNA).is_empty());
    is_hidden(&host);
    let cancel = message(
        "CANCEL",
        &event(
            "first",
            ANNA,
            "SEQUENCE:1\nSTATUS:CANCELLED\nCOMMENT:Secrets\n",
        ),
    );
    told(&host, &cancel, ANNA);
    is_hidden(&host);
    assert!(!takes(&host, "first", "10:30:00"));
}

#[test]
fn a_resource_is_as_a_room_is_and_nobody_else() {
    for (kind, answers) in [
        (UserKind::Resource, 1),
        (UserKind::Room, 1),
        (UserKind::Individual, 0),
        (UserKind::Group, 0),
    ] {
        let host = host(&[]).with_kind("room", kind);
        assert_eq!(
            told(&host, &at(10, "first", ANNA), ANNA).len(),
            answers,
            "{kind:?}"
        );
    }
}

#[test]
fn what_is_no_invitation_is_answered_by_nobody() {
    let host = host(&[]);
    // A room that organizes something has its own copy already.
    let own = at(10, "own", ROOM);
    assert_eq!(codes(&host.submits(&own, ROOM, &[ROOM])), ["2.0"]);
    assert!(host.owes().is_empty());
    let todo = "BEGIN:VTODO\nUID:clean\nDTSTAMP:20261201T070000Z\nDTSTART:20270104T100000Z\nSUMMARY:Clean\n\
                ORGANIZER:mailto:anna@example.com\nATTENDEE:mailto:room@example.org\nPRIORITY:1\nEND:VTODO\n";
    assert!(told(&host, &message("REQUEST", todo), ANNA).is_empty());
    host.policies_say(Verdict::Hold);
    assert!(told(&host, &at(10, "held", ANNA), ANNA).is_empty());
    assert_eq!(host.person("room").object("held"), None);
    // A store that schedules by itself is not told twice what to do.
    host.policies_say(Verdict::Allow(crate::Grant::default()));
    host.person("room").takes_whole(RequestStatus::SUCCESS);
    assert!(told(&host, &at(10, "taken", ANNA), ANNA).is_empty());
}

#[test]
fn settings_that_nobody_understands_book_nothing() {
    for (name, value) in [
        ("booking", "from=nobody"),
        ("conflicts", "some"),
        ("approve", "the caretaker"),
        ("private", "yes"),
    ] {
        let host = host(&[(name, value)]);
        let outcomes = host.receives(&at(10, "first", ANNA), ANNA, &[ROOM]);
        assert_eq!(codes(&outcomes), ["5.1"], "{name}");
        assert!(host.person("room").object("first").is_none() && host.owes().is_empty());
    }
}

#[test]
fn a_store_that_fails_is_no_answer() {
    let host = host(&[]);
    host.person("room").is_broken();
    let outcomes = host.receives(&at(10, "first", ANNA), ANNA, &[ROOM]);
    assert_eq!(codes(&outcomes), ["5.1"]);
    assert!(host.owes().is_empty());
}

#[test]
fn what_is_over_is_answered_too() {
    let host = host(&[]);
    let past = at(10, "first", ANNA).replace("20270104", "20260105");
    assert!(NOW > "2026-01-05");
    assert_eq!(told(&host, &past, ANNA), ["ACCEPTED"]);
    assert_eq!(told(&host, &past.replace("first", "second"), ANNA), TAKEN);
}

/// The room is known by the address that it was invited at.
#[test]
fn a_room_answers_by_the_address_that_is_invited() {
    let host = host(&[]).with_alias("room", address("bridge@example.org"));
    let asked = at(10, "first", ANNA).replace("mailto:room@", "mailto:bridge@");
    host.receives(&asked, ANNA, &["bridge@example.org"]);
    let [reply] = host.owes().try_into().unwrap();
    assert!(reply.contains(":mailto:bridge@example.org"), "{reply}");
}
