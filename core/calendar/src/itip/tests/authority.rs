//! Who may speak for whom, versions that cannot be, and whose a UID is.

use super::{BOB, CARL, address, apply, calendar};
use crate::itip::{Anomaly, Change};
use convoke_types::RequestStatus;

fn event(rest: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261202T100000Z\nDTSTART:20270104T100000Z
         ATTENDEE:mailto:b@example.com\n{rest}\nEND:VEVENT"
    )
}

#[test]
fn sent_by_counts_within_what_was_proven() {
    let boss = |agent: &str| {
        event(&format!(
            "ORGANIZER;SENT-BY=\"mailto:{agent}\":mailto:boss@hq.example.net"
        ))
    };
    for (agent, proven, taken) in [
        ("x@hq.example.net", &[][..], true),
        ("X@HQ.example.net", &["hq.example.net"], true),
        ("x@lab.example.net", &["example.net"], true),
        ("x@example.net", &["example.net"], true),
        ("x@example.net", &[], false),
        ("x@lab.example.net", &["lab.example.net"], false),
        // Two proofs are not one that covers both.
        (
            "x@lab.example.net",
            &["lab.example.net", "hq.example.net"],
            false,
        ),
        ("x@evil.test", &["evil.test", "hq.example.net"], false),
        ("x@ample.net", &["ample.net"], false),
    ] {
        for method in ["REQUEST", "ADD", "CANCEL", "DECLINECOUNTER"] {
            let text = boss(agent);
            let text = if method == "ADD" {
                text.replace("UID", "SEQUENCE:1\nUID")
            } else {
                text
            };
            let received = apply(method, &text)
                .by(&format!("mailto:{agent}"))
                .proving(proven)
                .received();
            assert_eq!(
                received.status.is_success(),
                taken,
                "{method} by {agent}, {proven:?}"
            );
        }
    }
    // What the message does not name acts for nobody.
    apply("REQUEST", &boss("x@hq.example.net"))
        .by("mailto:y@hq.example.net")
        .proving(&["example.net"])
        .refuses_with(&RequestStatus::NO_AUTHORITY);
}

#[test]
fn attendees_answer_through_agents_within_what_was_proven() {
    let existing = event("ORGANIZER:mailto:a@example.com\nATTENDEE:mailto:boss@hq.example.net");
    let said = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261203T100000Z\nORGANIZER:mailto:a@example.com
        ATTENDEE;PARTSTAT=DECLINED;SENT-BY=\"mailto:x@lab.example.net\":mailto:boss@hq.example.net\nEND:VEVENT";
    let arrives = |proven| {
        apply("REPLY", said)
            .by("mailto:x@lab.example.net")
            .proving(proven)
            .to(&existing)
    };
    arrives(&["lab.example.net"]).refuses_with(&RequestStatus::NO_AUTHORITY);
    let received = arrives(&["example.net"]).received();
    assert!(
        matches!(received.change, Change::Store(_)),
        "{}",
        received.status
    );
}

const HUGE: &str = "SEQUENCE:18446744073709551615";

/// What a program, or an earlier release, has stored with a version that no message can have.
#[test]
fn impossible_versions_do_not_block_later_updates() {
    for locked in [
        event(HUGE),
        event("SEQUENCE:-1"),
        event("SEQUENCE:99999999999999999999999"),
        event("").replace("20261202T100000Z", "99980101T000000Z"),
    ] {
        let locked = locked.replace("END:VEVENT", "ORGANIZER:mailto:a@example.com\nEND:VEVENT");
        let moved =
            event("SEQUENCE:2\nORGANIZER:mailto:a@example.com").replace("T100000Z\n", "T120000Z\n");
        apply("REQUEST", &moved).to(&locked).gives(&moved);
        let off = event("STATUS:CANCELLED\nSEQUENCE:2\nORGANIZER:mailto:a@example.com");
        apply("CANCEL", &off).to(&locked).gives(&off);
    }
}

#[test]
fn replies_dated_in_the_future_do_not_block_later_ones() {
    let bob =
        "ATTENDEE;PARTSTAT=ACCEPTED;X-CONVOKE-REPLY-DTSTAMP=99980101T000000Z:mailto:b@example.com";
    let existing =
        event("ORGANIZER:mailto:a@example.com").replace("ATTENDEE:mailto:b@example.com", bob);
    let said =
        event("ORGANIZER:mailto:a@example.com").replace("ATTENDEE:", "ATTENDEE;PARTSTAT=DECLINED:");
    let received = apply("REPLY", &said).to(&existing).received();
    let Change::Store(stored) = received.change else {
        panic!("{}", received.status)
    };
    let text = String::from_utf8(stored.write()).unwrap();
    assert!(text.contains("PARTSTAT=DECLINED"), "{text}");
}

#[test]
fn a_uid_is_held_by_what_lives() {
    let theirs = "ORGANIZER:mailto:z@evil.test";
    let alarm = "CATEGORIES:Mine\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM";
    let new = event("ORGANIZER:mailto:a@example.com");
    let arrives = |existing: &str| apply("REQUEST", &new).to(existing);
    // called off by another: it goes, with all that the person had put there
    arrives(&event(&format!(
        "{theirs}\n{alarm}\nSTATUS:CANCELLED\nSEQUENCE:7"
    )))
    .gives(&new);
    let todo = event(&format!("{theirs}\nSTATUS:CANCELLED")).replace("VEVENT", "VTODO");
    arrives(&todo).gives(&new);
    let instance = event(&format!("{theirs}\nRECURRENCE-ID:20270105T100000Z"));
    let off = event(&format!("{theirs}\nSTATUS:CANCELLED"));
    for (what, existing, holder) in [
        ("a stranger's", event(theirs), Some("mailto:z@evil.test")),
        (
            "an instance goes on",
            format!("{off}\n{instance}"),
            Some("mailto:z@evil.test"),
        ),
        ("the person's own", event("STATUS:CANCELLED"), None),
        (
            "organized by the person",
            event("ORGANIZER:mailto:b@example.com\nSTATUS:CANCELLED"),
            Some(BOB),
        ),
        (
            "another kind",
            event(theirs).replace("VEVENT", "VTODO"),
            Some("mailto:z@evil.test"),
        ),
        (
            "a diary",
            "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL".to_owned(),
            None,
        ),
    ] {
        let refused = arrives(&existing).refuses_with(&RequestStatus::NO_AUTHORITY);
        let organizer = holder.map(address);
        assert_eq!(
            refused.received().anomaly,
            Some(Anomaly::UidTaken { organizer }),
            "{what}"
        );
    }
}

/// Spec §9: nobody learns by a CANCEL what is there.
#[test]
fn calling_off_what_is_not_theirs_is_acknowledged_as_if_it_were_unknown() {
    for method in ["CANCEL", "DECLINECOUNTER"] {
        let off = event("ORGANIZER:mailto:a@example.com\nSTATUS:CANCELLED\nSEQUENCE:9");
        let unknown = apply(method, &off).received();
        assert_eq!(unknown.anomaly, Some(Anomaly::Unknown));
        for existing in [
            event("ORGANIZER:mailto:z@evil.test"),
            event("ORGANIZER:mailto:z@evil.test\nSTATUS:CANCELLED"),
            event(""),
            event("ORGANIZER:mailto:b@example.com"),
            event("ORGANIZER:mailto:a@example.com").replace("VEVENT", "VTODO"),
            "BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL".to_owned(),
        ] {
            let same = apply(method, &off)
                .to(&existing)
                .changes_nothing()
                .received();
            assert_eq!(same.status, unknown.status, "{existing}");
            assert!(same.outgoing.is_empty() && !same.keep && same.anomaly.is_some());
        }
    }
}

#[test]
fn uninvited_attendees_get_messages_only_after_an_edit() {
    use crate::itip::edit;
    let meeting = event("ORGANIZER:mailto:a@example.com\nSUMMARY:Plan");
    let guest = "mailto:x@example.net";
    let says = |partstat: &str| {
        event("ORGANIZER:mailto:a@example.com")
            .replace("20261202", "20261203")
            .replace(
                "ATTENDEE:mailto:b@example.com",
                &format!("ATTENDEE;PARTSTAT={partstat}:{guest}"),
            )
    };
    let came = apply("REPLY", &says("ACCEPTED"))
        .accepting_uninvited()
        .to(&meeting);
    let received = came.received();
    assert!(received.status.is_success() && received.outgoing.is_empty());
    let Change::Store(stored) = received.change else {
        panic!("it is noted")
    };
    let text = |it: &crate::tree::Calendar| String::from_utf8(it.write()).unwrap();
    let ask = "BEGIN:VEVENT\nUID:1\nDTSTAMP:20261204T100000Z\nORGANIZER:mailto:a@example.com
        ATTENDEE:mailto:x@example.net\nEND:VEVENT";
    let asks = |existing: &crate::tree::Calendar| {
        let inside = text(existing).replace("\r\n ", "");
        let inside: Vec<&str> = inside
            .lines()
            .filter(|it| !it.contains("VCALENDAR") && !it.starts_with("VERSION"))
            .collect();
        apply("REFRESH", ask).to(&inside.join("\n")).received()
    };
    assert!(asks(&stored).outgoing.is_empty() && asks(&stored).status.is_failure());

    // The organizer's program sets an alarm, and loses what it does not know.
    let alice = [address("mailto:a@example.com")];
    let owner = super::owner(&alice);
    let mut alarm = stored.clone();
    for component in &mut alarm.root_mut().components {
        component.properties.iter_mut().for_each(|line| {
            line.remove_param("X-CONVOKE-UNINVITED");
        });
        component.push(crate::tree::Property::new("X-ALARM", "1"));
    }
    let edited = edit(Some(&stored), Some(&alarm), &owner, super::now()).unwrap();
    let Change::Store(kept) = edited.store else {
        panic!("it is stored")
    };
    assert!(
        edited.outgoing.is_empty() && asks(&kept).outgoing.is_empty(),
        "{}",
        text(&kept)
    );

    // Removed from the list, they are not told either.
    let edited = edit(
        Some(&stored),
        Some(&calendar(&meeting)),
        &owner,
        super::now(),
    )
    .unwrap();
    assert!(
        edited
            .outgoing
            .iter()
            .all(|it| it.recipients != [address(guest)])
    );

    // An edit with them on the list invites them.
    let mut moved = stored.clone();
    for component in &mut moved.root_mut().components {
        component.set(crate::tree::Property::new("SUMMARY", "Plan B"));
    }
    let edited = edit(Some(&stored), Some(&moved), &owner, super::now()).unwrap();
    let told = edited.outgoing.iter().flat_map(|it| &it.recipients);
    assert!(told.clone().any(|it| *it == address(guest)));
    let Change::Store(after) = edited.store else {
        panic!("it is stored")
    };
    assert_eq!(asks(&after).outgoing.len(), 1, "{}", text(&after));
    let _ = CARL;
}
