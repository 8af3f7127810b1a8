//! Guests with several addresses, and what of a meeting they get to see.

use crate::desk::{Desk, event, said, text};
use std::{fs, process::Stdio};

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

#[test]
fn what_is_written_leniently_reaches_the_guests() {
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        for (at, (lines, arrives)) in [
            (
                "RRULE:FREQ=DAILY;COUNT=3;UNTIL=20270201T000000Z\n",
                "RRULE:FREQ=DAILY;COUNT=3\r\n",
            ),
            ("DESCRIPTION:One\nDESCRIPTION:Two\n", "DESCRIPTION:One\r\n"),
            ("DURATION:PT2H\n", "DTEND:20270104T110000Z\r\n"),
            ("RRULE:\n", "LOCATION:Room 3\r\n"),
        ]
        .into_iter()
        .enumerate()
        {
            let said = send(&desk, &format!("LOCATION:Room {at}\n{lines}{BO}"));
            assert_eq!(said, "bo@example.org  2.0  Success\n", "{store}: {lines}");
            let copy = copy_of(&desk, "bo@example.org");
            assert!(copy.contains(arrives), "{store}: {copy}");
        }
    }
}

#[test]
fn what_is_no_message_is_not_stored_either() {
    let guest = format!("SUMMARY:Review\n{BO}");
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        for (lines, error) in [
            (
                format!("{guest}UID:other\n"),
                "line 13: VEVENT: UID stands more than once",
            ),
            (
                format!(
                    "{guest}END:VEVENT\nBEGIN:VEVENT\nUID:other\nDTSTAMP:20261101T000000Z\n\
                     DTSTART:20270104T100000Z\n"
                ),
                "line 15: VEVENT: all components of a message must have the same UID",
            ),
            (
                format!("{guest}RRULE:FREQ=SOMETIMES\n"),
                "line 13: VEVENT: RRULE: FREQ is `SOMETIMES`",
            ),
        ] {
            let file = meeting(&desk, &lines);
            let said = desk.run(&["send", &file, "--as", "anna@example.org"]);
            let complaint = said.complaint(1);
            assert!(complaint.contains(error), "{store}: {complaint}");
            assert_eq!(copy_of(&desk, "anna@example.org"), "", "{store}");
        }
        // Guests who are no address.
        let file = meeting(&desk, &format!("ATTENDEE:Cy\n{BO}"));
        let said = desk.run(&["send", &file, "--as", "anna@example.org"]);
        assert_eq!(said.status, 1, "{said:?}");
        assert_eq!(
            said.out,
            "Cy              3.7  Invalid calendar user\nbo@example.org  2.0  Success\n"
        );
        // Guests whom nobody invites.
        let lines = format!("DTSTART:20270104T100000Z\n{BO}");
        let file = desk.write("alone.ics", &event("alone", &lines));
        let said = desk.run(&["send", text(&file), "--as", "anna@example.org"]);
        let complaint = said.complaint(1);
        assert!(
            complaint.contains("line 4: VEVENT: ORGANIZER is missing"),
            "{complaint}"
        );
    }
}

/// Sends an object as somebody, and expects it to be refused with these words and what is stored to stay.
fn refused(desk: &Desk, who: &str, object: &str, says: &str) {
    let before = copy_of(desk, who);
    let file = desk.write("refused.ics", object);
    let said = desk.run(&["send", text(&file), "--as", who]);
    let complaint = said.complaint(1);
    assert!(complaint.contains(says), "{complaint} is not {says}");
    assert!(complaint.contains("nothing is stored"), "{complaint}");
    assert_eq!(copy_of(desk, who), before, "{object}");
}

#[test]
fn what_is_not_ones_own_is_refused_with_its_line() {
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        send(&desk, &format!("SUMMARY:Review\n{BO}"));
        for who in ["anna@example.org", "bo@example.org"] {
            let todo = copy_of(&desk, who).replace("VEVENT", "VTODO");
            let says = "VTODO: its UID is that of a VEVENT";
            refused(&desk, who, &todo.replace("DTEND", "DUE"), says);
        }
        let bos = copy_of(&desk, "bo@example.org");
        for (was, is, says) in [
            (
                "PARTSTAT=ACCEPTED",
                "PARTSTAT=DECLINED",
                "PARTSTAT of ATTENDEE is `mailto:anna@",
            ),
            (
                "ATTENDEE:mailto:bo@",
                "ATTENDEE;ROLE=CHAIR:mailto:bo@",
                "ROLE of ATTENDEE is `mailto:bo@",
            ),
            (
                "SUMMARY:",
                "EXDATE:20270104T100000Z\r\nSUMMARY:",
                "VEVENT: EXDATE is `20270104T100000Z`",
            ),
        ] {
            let changed = bos.replace(was, is);
            assert_ne!(changed, bos, "{was} stands in {bos}");
            refused(&desk, "bo@example.org", &changed, says);
        }
        let object = |kind: &str, lines: &str| {
            let lines = format!("DTSTART:20270104T100000Z\n{lines}{BO}");
            event("else", &lines).replace("VEVENT", kind)
        };
        let anna = "ORGANIZER:mailto:anna@example.org\n";
        let dora = "ORGANIZER:mailto:dora@example.net\n";
        for (kind, lines, says) in [
            (
                "VEVENT",
                format!("{dora}{anna}"),
                "line 9: VEVENT: ORGANIZER stands more than once",
            ),
            (
                "VEVENT",
                dora.to_owned(),
                "line 8: VEVENT: ORGANIZER is `mailto:dora@example.net`",
            ),
            (
                "VJOURNAL",
                anna.to_owned(),
                "line 9: VJOURNAL: ATTENDEE is `mailto:bo@example.org`",
            ),
        ] {
            refused(&desk, "anna@example.org", &object(kind, &lines), says);
        }
        let left = object("VEVENT", anna).replace("ATTENDEE", "ATTENDEE;SCHEDULE-AGENT=CLIENT");
        let file = desk.write("left.ics", &left);
        let said = desk.run(&["send", text(&file), "--as", "anna@example.org"]);
        assert_eq!(
            said.out,
            "stored; nobody is told, as SCHEDULE-AGENT leaves that to a calendar program\n",
            "{store}: {said:?}"
        );
    }
}

#[test]
fn who_was_not_reached_is_told_by_the_same_object() {
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        let file = meeting(
            &desk,
            &format!("SUMMARY:Review\n{BO}ATTENDEE:mailto:cy@example.org\n"),
        );
        let send = || desk.run(&["send", &file, "--as", "anna@example.org"]);
        let first = send();
        assert_eq!(first.status, 1, "{first:?}");
        assert_eq!(
            first.out,
            "bo@example.org  2.0  Success\ncy@example.org  3.7  Invalid calendar user\n"
        );
        let anna = copy_of(&desk, "anna@example.org");
        assert!(anna.contains("SCHEDULE-STATUS=3.7"), "{store}: {anna}");

        assert_eq!(desk.run(&["user", "add", "cy@example.org"]).status, 0);
        let second = send();
        assert_eq!(
            second.out, "cy@example.org  2.0  Success\n",
            "{store}: {second:?}"
        );
        assert_eq!(
            send().out,
            "stored; there is nothing that others do not know already\n"
        );
    }
}

#[test]
fn whoever_writes_at_the_same_time_keeps_nobody_from_it() {
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        let files: Vec<_> = (0..6)
            .map(|n| {
                let file = meeting(&desk, &format!("SUMMARY:Version {n}\n{BO}"));
                let own = desk.path(&format!("{n}.ics"));
                fs::rename(file, &own).unwrap();
                own
            })
            .collect();
        let running: Vec<_> = files
            .iter()
            .map(|file| {
                let mut command = desk.command(&["send", text(file), "--as", "anna@example.org"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        for child in running {
            let said = said(child.wait_with_output().unwrap());
            assert_eq!(said.status, 0, "{store}: {said:?}");
        }
    }
}

#[test]
fn an_alias_that_is_no_mailbox_is_found() {
    const UUID: &str = "urn:uuid:6B29FC40-CA47-1067-B31D-00DD010662DA";
    const PRINCIPAL: &str = "https://cal.example.net/principals/bo";
    for store in STORES {
        for alias in [UUID, PRINCIPAL] {
            let desk = desk(store);
            let _host = desk.serve();
            let sent = send(&desk, &format!("SUMMARY:Review\nATTENDEE:{alias}\n"));
            assert!(sent.contains("2.0  Success"), "{store}: {sent}");
            let copy = copy_of(&desk, alias);
            assert!(copy.contains("SUMMARY:Review"), "{store}: {copy}");
            assert_eq!(copy, copy_of(&desk, "bo@example.org"));

            let day = [
                "--from",
                "2027-01-04T06:00:00Z",
                "--to",
                "2027-01-04T18:00:00Z",
            ];
            let ask = ["freebusy", "--json", "--as", "anna@example.org", alias];
            let busy = desk.run(&[&ask[..], &day[..]].concat()).json();
            assert_eq!(busy[0]["busy"][0]["type"], "BUSY", "{store}: {busy}");

            let said = desk.run(&["reply", "--user", alias, "--uid", "review", "decline"]);
            assert_eq!(
                said.out, "anna@example.org  2.0  Success\n",
                "{store}: {said:?}"
            );
            let anna = copy_of(&desk, "anna@example.org");
            assert!(anna.contains("PARTSTAT=DECLINED"), "{store}: {anna}");
            let busy = desk.run(&[&ask[..], &day[..]].concat()).json();
            assert_eq!(busy[0]["busy"].as_array().map(Vec::len), Some(0), "{busy}");
        }
        let desk = desk(store);
        let _host = desk.serve();
        let said = desk.run(&["reply", "--user", "urn:uuid:0", "--uid", "review", "accept"]);
        let complaint = said.complaint(1);
        assert!(
            complaint.contains("an address of no calendar user"),
            "{complaint}"
        );
    }
}

#[test]
fn a_mailbox_beside_a_name_is_invited_and_answers() {
    const LINE: &str = "EMAIL=bo@example.org:urn:uuid:0000ffff-ca47-1067-b31d-00dd010662da";
    for store in STORES {
        let desk = desk(store);
        let _host = desk.serve();
        let sent = send(&desk, &format!("SUMMARY:Review\nATTENDEE;{LINE}\n"));
        assert_eq!(sent, "bo@example.org  2.0  Success\n", "{store}");
        let said = desk.run(&[
            "reply",
            "--user",
            "bo@example.org",
            "--uid",
            "review",
            "accept",
        ]);
        assert_eq!(
            said.out, "anna@example.org  2.0  Success\n",
            "{store}: {said:?}"
        );
        let annas = || copy_of(&desk, "anna@example.org");
        let accepted = annas().matches("PARTSTAT=ACCEPTED").count();
        assert_eq!(accepted, 2, "hers and his: {}", annas());
        // As another program of his names him.
        let lines = format!(
            "DTSTART:20270104T100000Z\nORGANIZER:mailto:anna@example.org\nATTENDEE;PARTSTAT=DECLINED;{LINE}\n"
        );
        let reply = event("review", &lines).replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REPLY");
        // Later than the answer before.
        let now = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(60))
            .strftime("DTSTAMP:%Y%m%dT%H%M%SZ");
        let stamp = reply.lines().find(|it| it.starts_with("DTSTAMP")).unwrap();
        let file = desk.write("reply.ics", &reply.replace(stamp, &now.to_string()));
        let said = desk.run(&["send", text(&file), "--as", "bo@example.org"]);
        assert_eq!(
            said.out, "anna@example.org  2.0  Success\n",
            "{store}: {said:?}"
        );
        assert!(
            annas().contains("PARTSTAT=DECLINED"),
            "{store}: {}",
            annas()
        );
    }
}

#[test]
fn an_international_domain_may_be_written_in_any_way() {
    for store in STORES {
        let desk = desk(store);
        let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
        let config = config.replace(
            "[\"example.org\"]",
            "[\"example.org\", \"b\u{fc}cher.example\"]",
        );
        assert!(config.contains("cher.example"), "{config}");
        desk.write("convoke.toml", &config);
        assert_eq!(
            desk.run(&["user", "add", "cy@b\u{fc}cher.example"]).status,
            0
        );
        let _host = desk.serve();
        for (at, domain) in [
            "b%C3%BCcher.example",
            "xn--bcher-kva.example",
            "B\u{dc}CHER.example",
        ]
        .into_iter()
        .enumerate()
        {
            let sent = send(
                &desk,
                &format!("SUMMARY:Review {at}\nATTENDEE:mailto:cy@{domain}\n"),
            );
            assert!(
                sent.contains("2.0  Success") && !sent.contains("3.7"),
                "{store}: {sent}"
            );
            let who = format!("cy@{domain}");
            assert!(
                copy_of(&desk, &who).contains(&format!("Review {at}")),
                "{store}: {domain}"
            );
            let answer = ["tentative", "accept", "decline"][at];
            let said = desk.run(&["reply", "--user", &who, "--uid", "review", answer]);
            assert_eq!(
                said.out, "anna@example.org  2.0  Success\n",
                "{store}: {said:?}"
            );
            let word = ["TENTATIVE", "ACCEPTED", "DECLINED"][at];
            let annas = copy_of(&desk, "anna@example.org");
            let line = annas
                .lines()
                .find(|line| line.contains("mailto:cy@"))
                .unwrap()
                .to_owned();
            assert!(line.contains(word), "{store}: {annas}");
        }
    }
}
