use super::super::world::{Host, address, codes, message};
use super::{ANNA, EVE, ROOM, at, copy, event, host, parts, takes, told};
use crate::{Decision, Limits, Undecided};
use convoke_types::Uid;
use futures::executor::block_on;

const WAITS: [&str; 1] = ["TENTATIVE The booking waits for approval."];

fn approved_by_dee() -> Host {
    host(&[("approve", "dee@example.org")])
}

/// What is told when somebody decides.
fn decides(
    host: &Host,
    uid: &str,
    decision: Decision,
    comment: Option<&str>,
) -> Result<Vec<String>, Undecided> {
    let uid = Uid::new(uid).unwrap();
    block_on(
        host.scheduler
            .decide_booking(&address(ROOM), &uid, decision, comment),
    )?;
    let told = host.owes().iter().flat_map(|it| parts(it)).collect();
    host.pays();
    Ok(told)
}

#[test]
fn a_booking_waits_and_holds_the_room_until_somebody_decides() {
    let host = approved_by_dee();
    assert_eq!(told(&host, &at(10, "first", ANNA), ANNA), WAITS);
    assert_eq!(
        host.person("dee").inbox(),
        ["mailto:anna@example.com REQUEST "]
    );
    assert!(takes(&host, "first", "10:30:00"));
    assert_eq!(
        told(&host, &at(10, "second", EVE), EVE),
        ["DECLINED The room is taken then"]
    );
    assert_eq!(
        host.person("dee").inbox().len(),
        1,
        "nobody is asked for what cannot be had"
    );

    assert_eq!(
        decides(&host, "first", Decision::Approve, None).unwrap(),
        ["ACCEPTED"]
    );
    assert!(copy(&host, "first").contains("PARTSTAT=ACCEPTED:mailto:room"));
    let again = decides(&host, "first", Decision::Refuse, None).unwrap_err();
    assert!(
        again.to_string().contains("nothing of UID first waits"),
        "{again}"
    );

    assert_eq!(told(&host, &at(14, "third", ANNA), ANNA), WAITS);
    let refused = decides(&host, "third", Decision::Refuse, Some("Not today")).unwrap();
    assert_eq!(refused, ["DECLINED Not today"]);
    assert_eq!(
        told(&host, &at(14, "fourth", EVE), EVE),
        WAITS,
        "it is free again"
    );
}

/// Mails overtake each other: the time of an answer is all that tells which one is the later.
#[test]
fn what_is_decided_in_the_second_in_which_it_was_asked_is_the_later_answer() {
    let host = approved_by_dee();
    told(&host, &at(10, "first", ANNA), ANNA);
    decides(&host, "first", Decision::Approve, None).unwrap();
    let bodies = host.bodies();
    let stamps = bodies.iter().flat_map(|it| it.lines());
    let stamps: Vec<&str> = stamps.filter(|it| it.starts_with("DTSTAMP")).collect();
    assert_eq!(stamps.len(), 2);
    assert!(stamps[0] < stamps[1], "{stamps:?}");
}

#[test]
fn what_was_approved_stands_and_what_moves_is_asked_anew() {
    let host = approved_by_dee();
    told(&host, &at(10, "first", ANNA), ANNA);
    // Nothing new: it waits still, and nobody is asked twice.
    let update = at(10, "first", ANNA).replace("070000Z", "073000Z");
    let known = update.replace("ROOM;RSVP=TRUE", "ROOM;PARTSTAT=TENTATIVE");
    assert!(told(&host, &known, ANNA).is_empty());
    assert_eq!(host.person("dee").inbox().len(), 1);
    decides(&host, "first", Decision::Approve, None).unwrap();
    let known = known
        .replace("TENTATIVE", "ACCEPTED")
        .replace("073000Z", "074500Z");
    assert!(told(&host, &known, ANNA).is_empty());
    let moved = at(12, "first", ANNA).replace("DTSTAMP", "SEQUENCE:1\nDTSTAMP");
    assert_eq!(told(&host, &moved, ANNA), WAITS);
    assert_eq!(host.person("dee").inbox().len(), 2);
    told(&host, &at(16, "other", ANNA), ANNA);
    // What is called off waits no more.
    let cancel = message(
        "CANCEL",
        &event("first", ANNA, "SEQUENCE:2\nSTATUS:CANCELLED\n"),
    );
    told(&host, &cancel, ANNA);
    assert_eq!(host.person("dee").inbox().len(), 1, "the other");
    assert!(decides(&host, "first", Decision::Approve, None).is_err());
}

#[test]
fn a_series_is_decided_with_its_occurrences() {
    let host = approved_by_dee();
    let other = at(10, "other", "dee@example.org").replace("20270104", "20270105");
    host.submits(&other, "dee@example.org", &[ROOM]);
    host.pays();
    let series = message(
        "REQUEST",
        &event("series", ANNA, "RRULE:FREQ=DAILY;COUNT=4\n"),
    );
    let waits = "TENTATIVE The booking waits for approval. The room is taken on 2027-01-05 11:00.";
    let alone = "20270105T100000Z DECLINED The room is taken then";
    assert_eq!(told(&host, &series, ANNA), [waits, alone]);
    assert_eq!(
        decides(&host, "series", Decision::Approve, None).unwrap(),
        ["ACCEPTED"]
    );
    let room = host.person("room");
    let takes = |day: u32| room.is_indexed("series", &format!("2027-01-{day:02}T10:30:00Z"));
    assert_eq!([4, 5, 6, 7].map(takes), [true, false, true, true]);
}

#[test]
fn who_approves_need_not_ask() {
    let host = approved_by_dee();
    let own = at(10, "own", "dee@example.org");
    host.submits(&own, "dee@example.org", &[ROOM]);
    host.pays();
    assert!(host.person("dee").inbox().is_empty());
    assert!(copy(&host, "own").contains("PARTSTAT=ACCEPTED:mailto:room"));
}

#[test]
fn without_an_inbox_of_its_own_the_rooms_is_used() {
    for approver in ["caretaker@example.com", "nobody@example.org"] {
        let host = host(&[("approve", approver)]);
        assert_eq!(told(&host, &at(10, "first", ANNA), ANNA), WAITS);
        assert_eq!(host.person("room").inbox().len(), 1, "{approver}");
    }
    let host = approved_by_dee();
    host.person("dee").keeps_no_messages();
    assert_eq!(told(&host, &at(10, "first", ANNA), ANNA), WAITS);
    assert_eq!(host.person("room").inbox().len(), 1);
}

#[test]
fn without_room_for_the_question_the_room_is_not_held() {
    let limits = Limits {
        inbox: 10,
        content_length: 100_000,
        ..Limits::default()
    };
    let host = Host::with(limits).with_room("room", &[("approve", "dee@example.org")]);
    let outcomes = host.receives(&at(10, "first", ANNA), ANNA, &[ROOM]);
    assert_eq!(codes(&outcomes), ["5.1"]);
    assert!(host.owes().is_empty() && !takes(&host, "first", "10:30:00"));
}

#[test]
fn the_title_that_a_private_room_shows_is_not_told() {
    let host = host(&[("approve", "dee@example.org"), ("private", "on")]);
    told(&host, &at(10, "first", ANNA), ANNA);
    let (room, uid) = (address(ROOM), Uid::new("first").unwrap());
    let decided = host
        .scheduler
        .decide_booking(&room, &uid, Decision::Approve, None);
    block_on(decided).unwrap();
    let reply = host.owes().concat();
    assert!(
        reply.contains("PARTSTAT=ACCEPTED") && !reply.contains("SUMMARY"),
        "{reply}"
    );
    assert!(copy(&host, "first").contains("SUMMARY:Booked"));
}

#[test]
fn only_a_room_is_decided_about() {
    let host = approved_by_dee();
    for who in ["dee@example.org", "nobody@example.org"] {
        let (who, uid) = (address(who), Uid::new("first").unwrap());
        let decided = host
            .scheduler
            .decide_booking(&who, &uid, Decision::Approve, None);
        assert!(
            matches!(block_on(decided), Err(Undecided::NoRoom(_))),
            "{who}"
        );
    }
    assert!(decides(&host, "unknown", Decision::Approve, None).is_err());
}
