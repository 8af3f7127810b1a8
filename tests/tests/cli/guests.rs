//! Guests with several addresses, and what of a meeting they get to see.

use crate::desk::{Desk, event, text};
use std::fs;

const STORES: [&str; 2] = [
    "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
    "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
];

/// Anna, and Bo who has several addresses.
fn desk(store: &str) -> Desk {
    let desk = Desk::new();
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    desk.write("convoke.toml", &config.replace(STORES[0], store));
    for user in [
        &["user", "add", "anna@example.org"][..],
        &[
            "user",
            "add",
            "bo@example.org",
            "--alias",
            "bo.berg@example.org",
            "--alias",
            "urn:uuid:6b29fc40-ca47-1067-b31d-00dd010662da",
            "--alias",
            "https://cal.example.net/principals/bo",
        ],
    ] {
        let said = desk.run(user);
        assert_eq!(said.status, 0, "{said:?}");
    }
    desk
}

/// A meeting of Anna's with these lines in it.
fn meeting(desk: &Desk, lines: &str) -> String {
    let object = event(
        "review",
        &format!(
            "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nORGANIZER:mailto:anna@example.org\n\
             ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.org\n{lines}"
        ),
    );
    text(&desk.write("review.ics", &object)).to_owned()
}

fn copy_of(desk: &Desk, who: &str) -> String {
    let exported = desk.run(&["calendar", "export", "--user", who, "--uid", "review"]);
    exported.out.replace("\r\n ", "")
}

fn send(desk: &Desk, lines: &str) -> String {
    let file = meeting(desk, lines);
    let said = desk.run(&["send", &file, "--as", "anna@example.org"]);
    assert_eq!(said.status, 0, "{said:?}");
    said.out
}

const BO: &str = "ATTENDEE:mailto:bo@example.org\n";
const BERG: &str = "ATTENDEE:mailto:bo.berg@example.org\n";

#[test]
fn who_is_invited_twice_keeps_the_meeting_and_answers_for_both() {
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        send(&desk, &format!("SUMMARY:Review\n{BO}{BERG}"));
        let reply = ["reply", "--user", "bo@example.org", "--uid", "review"];
        let said = desk.run(&[&reply[..], &["accept"]].concat());
        assert_eq!(said.out, "anna@example.org  2.0  Success\n", "{store}");
        for who in ["anna@example.org", "bo@example.org"] {
            let copy = copy_of(&desk, who);
            let accepted = copy.matches("PARTSTAT=ACCEPTED").count();
            assert_eq!(accepted, 3, "{store}: {copy}");
        }
        // Taken off at one address.
        send(&desk, &format!("SUMMARY:Review it\n{BERG}"));
        let copy = copy_of(&desk, "bo@example.org");
        assert!(!copy.contains("CANCELLED"), "{store}: {copy}");
        assert!(copy.contains("SUMMARY:Review it"), "{store}: {copy}");
        assert!(!copy.contains("mailto:bo@example.org"), "{store}: {copy}");
        // And at the other.
        send(&desk, "SUMMARY:Review it\n");
        let copy = copy_of(&desk, "bo@example.org");
        assert!(copy.contains("CANCELLED"), "{store}: {copy}");
    }
}

#[test]
fn what_is_annas_own_stays_annas() {
    let own = "X-CALENDARSERVER-PRIVATE-COMMENT:Boring\n\
               X-APPLE-TRAVEL-START;X-TITLE=Home:geo:52.5\\,13.4\nX-MOZ-LASTACK:20270104T094500Z\n\
               CATEGORIES:Job hunt\nX-ALT-DESC;FMTTYPE=text/html:<b>Review</b>\nLOCATION:Office\n";
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        send(&desk, &format!("{own}{BO}"));
        let hers = copy_of(&desk, "anna@example.org");
        let his = copy_of(&desk, "bo@example.org");
        for line in [
            "PRIVATE-COMMENT",
            "X-APPLE-TRAVEL-START",
            "LASTACK",
            "Job hunt",
        ] {
            assert!(hers.contains(line), "{store}: {line}: {hers}");
            assert!(!his.contains(line), "{store}: {line}: {his}");
        }
        for line in ["X-ALT-DESC", "LOCATION:Office"] {
            assert!(
                hers.contains(line) && his.contains(line),
                "{store}: {line}: {his}"
            );
        }
    }
}
