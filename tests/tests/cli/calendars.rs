//! What a calendar holds, told; one object less; and an import that is told.

use crate::desk::{Desk, event, text};
use serde_json::json;
use std::fs;

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.org";

/// A meeting of Anna's with Bo; `lines` say when.
fn meeting(uid: &str, lines: &str) -> String {
    event(
        uid,
        &format!(
            "{lines}SUMMARY:Review\nORGANIZER:mailto:{ANNA}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANNA}\n\
             ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BO}\n"
        ),
    )
}

const TIMES: &str =
    "DTSTART;TZID=Europe/Berlin:20370105T100000\nDTEND;TZID=Europe/Berlin:20370105T113000\n";

fn listed(desk: &Desk, who: &str) -> serde_json::Value {
    desk.run(&["calendar", "list", "--user", who, "--json"])
        .json()
}

/// Anna has invited Bo.
fn invites(desk: &Desk, uid: &str) {
    let file = desk.write("meeting.ics", &meeting(uid, TIMES));
    let sent = desk.run(&["send", text(&file), "--as", ANNA]);
    assert_eq!(sent.out, "bo@example.org  2.0  Success\n", "{sent:?}");
}

#[test]
fn a_list_says_when_what_and_how_it_is_answered() {
    let desk = Desk::with_users(&[ANNA, BO]);
    for (name, object) in [
        (
            "fair.ics",
            event("fair", "DTSTART;VALUE=DATE:20370103\nSUMMARY:County fair\n"),
        ),
        (
            "weekly.ics",
            event(
                "weekly",
                "DTSTART:20370104T090000Z\nDURATION:PT15M\nRRULE:FREQ=WEEKLY\n",
            ),
        ),
    ] {
        let file = desk.write(name, &object);
        let import = ["calendar", "import", "--user", BO, text(&file)];
        assert_eq!(desk.run(&import).status, 0);
    }
    let opened = listed(&desk, BO);
    assert_eq!(opened.as_array().unwrap().len(), 2, "without a host");
    let _host = desk.serve();
    invites(&desk, "review");
    let reply = ["reply", "--user", BO, "--uid", "review", "tentative"];
    assert_eq!(desk.run(&reply).status, 0);
    let mut found = listed(&desk, BO);
    let found = found.as_array_mut().unwrap();
    found.sort_by_key(|it| it["uid"].to_string());
    for one in found.iter_mut() {
        assert!(one["etag"].is_string(), "{one}");
        one.as_object_mut().unwrap().remove("etag");
    }
    let expected = json!([
        {
            "uid": "fair", "component": "VEVENT", "summary": "County fair",
            "start": "2037-01-03", "end": null, "partstat": null, "recurs": false,
        },
        {
            "uid": "review", "component": "VEVENT", "summary": "Review",
            "start": "2037-01-05T09:00:00Z", "end": "2037-01-05T10:30:00Z", "partstat": "TENTATIVE", "recurs": false,
        },
        {
            "uid": "weekly", "component": "VEVENT", "summary": "",
            "start": "2037-01-04T09:00:00Z", "end": "2037-01-04T09:15:00Z", "partstat": null, "recurs": true,
        },
    ]);
    assert_eq!(serde_json::Value::from(found.clone()), expected);
    let shown = desk.run(&["calendar", "list", "--user", BO]).out;
    let expected = "\
START                 ANSWER     TITLE        UID
2037-01-03                       County fair  fair
2037-01-04T09:00:00Z                          weekly
2037-01-05T09:00:00Z  TENTATIVE  Review       review
";
    assert_eq!(shown, expected);
    let elsewhere = desk.run_elsewhere(
        &[
            "calendar", "list", "--user", ANNA, "--uid", "review", "--json",
        ],
        "password",
    );
    assert_eq!(elsewhere.json()[0]["partstat"], "ACCEPTED");
    let strange = desk.run_elsewhere(
        &["calendar", "list", "--user", BO, "--login", ANNA],
        "password",
    );
    assert!(
        strange
            .complaint(1)
            .contains("may not act as bo@example.org")
    );
}

#[test]
fn who_deletes_an_invitation_declines_and_who_deletes_a_meeting_calls_it_off() {
    let desk = Desk::with_users(&[ANNA, BO]);
    let _host = desk.serve();
    for uid in ["first", "second"] {
        invites(&desk, uid);
    }
    let delete =
        |who: &str, uid: &str| desk.run(&["calendar", "delete", "--user", who, "--uid", uid]);
    let export = |who: &str, uid: &str| {
        let exported = desk.run(&["calendar", "export", "--user", who, "--uid", uid]);
        exported.out.replace("\r\n ", "")
    };
    let declined = delete(BO, "first");
    assert_eq!(
        (declined.status, declined.out.as_str()),
        (0, "anna@example.org  2.0  Success\n"),
        "{declined:?}"
    );
    assert!(export(ANNA, "first").contains("PARTSTAT=DECLINED"));
    assert_eq!(export(BO, "first"), "");

    let called_off = desk.run(&[
        "calendar", "delete", "--user", ANNA, "--uid", "second", "--json",
    ]);
    assert_eq!(called_off.json()[0]["recipient"], "mailto:bo@example.org");
    assert!(export(BO, "second").contains("STATUS:CANCELLED"));
    let listed = desk.run(&["calendar", "list", "--user", BO]).out;
    assert!(listed.contains("  CANCELLED  "), "{listed}");
    assert_eq!(export(ANNA, "second"), "");

    let none = delete(ANNA, "second");
    assert!(none.complaint(1).contains("holds nothing of UID second"));
    let own = desk.write("own.ics", &event("own", TIMES));
    let import = ["calendar", "import", "--user", ANNA, text(&own)];
    assert_eq!(desk.run(&import).status, 0);
    assert_eq!(
        delete(ANNA, "own").out,
        "deleted; it concerns nobody else\n"
    );
}

#[test]
fn who_is_told_by_somebody_else_is_not_told_of_a_deletion() {
    let desk = Desk::with_users(&[ANNA, BO]);
    let host = desk.serve();
    invites(&desk, "review");
    let off = ["user", "set", ANNA, "--schedule", "off"];
    assert_eq!(desk.run(&off).status, 0);
    let deleted = desk.run(&["calendar", "delete", "--user", ANNA, "--uid", "review"]);
    assert!(deleted.out.contains("nobody is told"), "{deleted:?}");
    let import = [
        "calendar",
        "import",
        "--user",
        ANNA,
        "--tell",
        "meeting.ics",
    ];
    let refused = desk.run(&import);
    assert!(
        refused.complaint(1).contains("told to nobody"),
        "{refused:?}"
    );
    let kept = desk.run(&["calendar", "export", "--user", BO, "--uid", "review"]);
    assert!(!kept.out.contains("CANCELLED"), "{kept:?}");
    drop(host);
    let deleted = desk.run(&["calendar", "delete", "--user", BO, "--uid", "review"]);
    assert!(deleted.out.contains("no convoke is running"), "{deleted:?}");
}

#[test]
fn an_import_tells_where_it_is_asked_to() {
    let desk = Desk::with_users(&[ANNA, BO]);
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    desk.write(
        "convoke.toml",
        &format!("{config}[scheduling]\nsettle = \"1s\"\n"),
    );
    let file = desk.write("meeting.ics", &meeting("silent", TIMES));
    let import = |more: &[&str]| {
        let arguments = ["calendar", "import", "--user", ANNA];
        desk.run(&[&arguments[..], more].concat())
    };
    let refused = import(&["--tell", text(&file)]);
    assert!(refused.complaint(1).contains("no convoke is running"));
    let host = desk.serve();
    assert_eq!(import(&[text(&file)]).status, 0);
    let file = desk.write("meeting.ics", &meeting("told", TIMES));
    let said = import(&["--tell", text(&file)]);
    assert_eq!(said.status, 0, "{said:?}");
    host.wait_for("\"sent\"");
    let found = listed(&desk, BO);
    let uids: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["uid"])
        .collect();
    assert_eq!(uids, ["told"]);
}
