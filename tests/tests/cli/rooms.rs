//! What is said of calendar users, rooms above all.

use crate::desk::{Desk, event, text};
use serde_json::json;

const ROOM: &str = "bridge@example.org";

fn shown(desk: &Desk) -> serde_json::Value {
    desk.run(&["user", "show", ROOM, "--json"]).json()
}

#[test]
fn what_is_said_of_a_room_is_kept_and_what_is_not_said_stays() {
    for store in ["store-sqlite", "store-vdir"] {
        for is_running in [false, true] {
            let desk = Desk::new();
            if store == "store-vdir" {
                let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
                let config = config
                    .replace("store-sqlite", store)
                    .replace("calendars.db", "calendars");
                desk.write("convoke.toml", &config);
            }
            let _host = is_running.then(|| desk.serve());
            let set = |arguments: &[&str]| {
                let said = desk.run(&[&["user", "set", ROOM, "--json"], arguments].concat());
                let json = said.json();
                assert_eq!(shown(&desk), json, "{store}: {arguments:?}");
                json
            };
            let booking = "from=*@example.org ahead=90d longest=4h days=mo-fr";
            let said = desk.run(&[
                "user",
                "add",
                ROOM,
                "--kind",
                "room",
                "--booking",
                booking,
                "--conflicts",
                "20%",
                "--approve",
                "anna@example.org",
                "--private",
                "--schedule",
                "off",
                "--json",
            ]);
            let mut expected = json!({
                "address": "mailto:bridge@example.org", "name": null, "timezone": null, "aliases": [],
                "kind": "room", "schedule": "off", "booking": booking, "conflicts": "20%",
                "approve": "mailto:anna@example.org", "private": "on",
            });
            assert_eq!(said.json(), expected, "{store}");
            assert_eq!(shown(&desk), expected, "{store}");

            expected["name"] = json!("Bridge");
            expected["timezone"] = json!("Europe/Berlin");
            expected["aliases"] = json!(["mailto:meeting-room@example.org"]);
            let name = [
                "--name",
                "Bridge",
                "--timezone",
                "Europe/Berlin",
                "--alias",
                "meeting-room@example.org",
                "--alias",
                ROOM,
            ];
            assert_eq!(set(&name), expected);
            expected["booking"] = json!("longest=90min");
            expected["kind"] = json!("resource");
            assert_eq!(
                set(&["--booking", "longest=90min", "--kind", "resource"]),
                expected
            );

            expected["name"] = json!(null);
            expected["timezone"] = json!(null);
            expected["aliases"] = json!([]);
            expected["schedule"] = json!("on");
            for gone in ["booking", "conflicts", "approve"] {
                expected[gone] = json!(null);
            }
            expected["conflicts"] = json!("0");
            expected["private"] = json!("off");
            let nothing = [
                "--name",
                "",
                "--timezone",
                "",
                "--remove-alias",
                "meeting-room@example.org",
                "--schedule",
                "on",
                "--booking",
                "",
                "--conflicts",
                "0",
                "--approve",
                "",
                "--private=off",
            ];
            assert_eq!(set(&nothing), expected);
            // Who is no room any more has nothing of one.
            set(&["--approve", "anna@example.org"]);
            assert_eq!(
                set(&["--kind", "individual"]).get("approve"),
                None,
                "{store}"
            );
            assert_eq!(set(&["--kind", "room"])["approve"], json!(null), "{store}");
        }
    }
}

#[test]
fn people_read_what_is_said_of_a_room() {
    let desk = Desk::new();
    desk.run(&[
        "user",
        "add",
        ROOM,
        "--kind",
        "room",
        "--booking",
        "days=mo-fr",
    ]);
    let said = desk.run(&["user", "show", ROOM]);
    let expected = "address    bridge@example.org\ntimezone   UTC\nkind       room\nschedule   on\n\
                    booking    days=mo-fr\nconflicts  50%\napprove    (nobody)\nprivate    off\nstore      store-sqlite\n";
    assert_eq!(said.out, expected);
}

#[test]
fn what_makes_no_sense_is_said_and_changes_nothing() {
    let desk = Desk::with_users(&["anna@example.org"]);
    desk.run(&["user", "add", ROOM, "--kind", "room"]);
    let before = shown(&desk);
    for (arguments, status, says) in [
        (
            &[ROOM, "--booking", "until=90d"][..],
            2,
            "`until=90d`: expected from=",
        ),
        (
            &[ROOM, "--booking", "longest=4"],
            2,
            "longest=4: expected a number",
        ),
        (
            &[ROOM, "--booking", "days=mon-fri"],
            2,
            "days=mon-fri: expected days",
        ),
        (&[ROOM, "--conflicts", "some"], 2, "how many occurrences"),
        (
            &[ROOM, "--approve", "the caretaker"],
            2,
            "not a calendar user address",
        ),
        (
            &[ROOM, "--approve", ROOM],
            2,
            "nobody approves its own bookings",
        ),
        (&[ROOM, "--timezone", "Berlin"], 2, "no IANA time zone"),
        (
            &[ROOM, "--remove-alias", "hall@example.org"],
            1,
            "is no alias of bridge@example.org",
        ),
        (
            &[ROOM, "--alias", "anna@example.org"],
            1,
            "is an address of another calendar user",
        ),
        (
            &["anna@example.org", "--booking", "longest=4h"],
            2,
            "is for rooms and resources",
        ),
        (
            &["anna@example.org", "--private"],
            2,
            "--private is for rooms",
        ),
        (
            &["hall@example.org", "--name", "Hall"],
            1,
            "`convoke user add hall@example.org`",
        ),
    ] {
        let said = desk.run(&[&["user", "set"], arguments].concat());
        assert_eq!(said.status, status, "{said:?}");
        assert!(said.err.contains(says), "{arguments:?}: {said:?}");
    }
    assert_eq!(shown(&desk), before);
}

/// A whole day is as long as the day is where its owner lives.
#[test]
fn another_time_zone_makes_other_time_busy() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let lines = "DTSTART;VALUE=DATE:20270104\nDTEND;VALUE=DATE:20270105\nSUMMARY:Away\n";
    let file = desk.write("away.ics", &event("away", lines));
    desk.run(&[
        "calendar",
        "import",
        "--user",
        "anna@example.org",
        text(&file),
    ]);
    let _host = desk.serve();
    let busy = || {
        let said = desk.run(&[
            "freebusy",
            "--as",
            "anna@example.org",
            "anna@example.org",
            "--from",
            "2027-01-01",
            "--to",
            "2027-01-10",
            "--json",
        ]);
        said.json()[0]["busy"].to_string()
    };
    assert!(busy().contains("2027-01-04T00:00:00Z"), "{}", busy());
    let said = desk.run(&[
        "user",
        "set",
        "anna@example.org",
        "--timezone",
        "Europe/Berlin",
    ]);
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
    assert!(busy().contains("2027-01-03T23:00:00Z"), "{}", busy());
}
