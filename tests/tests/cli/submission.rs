//! Commands that talk to a running host.

use crate::desk::{Desk, Said, event, text};
use serde_json::json;
use std::fs;

const ORGANIZED: &str = "DTSTART:20270104T100000Z\nDTEND:20270104T110000Z\nSUMMARY:Review\nORGANIZER:mailto:anna@example.org\n\
                         ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.org\n";

fn invitation(desk: &Desk, attendees: &[&str]) -> String {
    let line = |it: &&str| format!("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{it}\n");
    let attendees = attendees.iter().map(line).collect::<Vec<_>>().concat();
    let object = event("review", &format!("{ORGANIZED}{attendees}"));
    let message = object.replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST");
    text(&desk.write("invitation.ics", &message)).to_owned()
}

fn look_up(desk: &Desk, more: &[&str]) -> Said {
    let day = [
        "--from",
        "2027-01-04T06:00:00Z",
        "--to",
        "2027-01-04T18:00:00Z",
        "--timezone",
        "UTC",
    ];
    let arguments = [&["freebusy", "--as", "anna@example.org"], &day[..], more].concat();
    desk.run(&arguments)
}

/// Who logs in is looked up in the file as it is now.
#[test]
fn a_users_file_that_changes_needs_no_reload() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let host = desk.serve();
    let inbox = [
        "inbox",
        "list",
        "--user",
        "anna@example.org",
        "--login",
        "anna",
    ];
    let lets_in = |password: &str| desk.run_elsewhere(&inbox, password).status == 0;
    assert!(lets_in("password") && !lets_in("another"));
    let of = |password: &str| bcrypt::hash(password, 4).unwrap();
    desk.write("users.htpasswd", &format!("anna:{}\n", of("another")));
    host.wait_for("\"users-reloaded\"");
    assert!(lets_in("another") && !lets_in("password"));
    // What cannot be used changes nothing.
    desk.write("users.htpasswd", "anna:password\n");
    let said = host.wait_for("\"users-rejected\"");
    assert!(
        said.contains("users.htpasswd:1: this is a password in the clear"),
        "{said}"
    );
    assert!(lets_in("another"));
    desk.write("users.htpasswd", "# nobody\n");
    host.wait_for("\"users-reloaded\"");
    assert!(!lets_in("another"));
}

#[test]
fn look_up_invite_answer() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org"]);
    let _host = desk.serve();
    let free = look_up(&desk, &["bo@example.org", "--json"]).json();
    assert_eq!(
        free,
        json!([{"recipient": "mailto:bo@example.org", "status": "2.0;Success", "busy": []}])
    );

    let file = invitation(&desk, &["bo@example.org"]);
    let sent = desk
        .run(&["send", &file, "--as", "anna@example.org", "--json"])
        .json();
    assert_eq!(
        sent,
        json!([{"recipient": "mailto:bo@example.org", "status": "2.0;Success", "description": null}])
    );

    let answered = desk.run(&[
        "reply",
        "--user",
        "bo@example.org",
        "--uid",
        "review",
        "tentative",
    ]);
    assert_eq!(
        (answered.status, answered.out.as_str()),
        (0, "anna@example.org  2.0  Success\n")
    );
    let own = desk
        .run(&[
            "calendar",
            "export",
            "--user",
            "anna@example.org",
            "--uid",
            "review",
        ])
        .out;
    let own = own.replace("\r\n ", "");
    assert!(own.contains("PARTSTAT=TENTATIVE"), "{own}");

    let taken = look_up(&desk, &["bo@example.org", "--json"]).json();
    let span = json!({"start": "2027-01-04T10:00:00Z", "end": "2027-01-04T11:00:00Z", "type": "BUSY-TENTATIVE"});
    assert_eq!(taken[0]["busy"], json!([span]));
    let drawn = look_up(&desk, &["anna@example.org", "bo@example.org"]);
    let expected = "\
Monday, 4 January 2027, UTC
                  06  07  08  09  10  11  12  13  14  15  16  17
anna@example.org  ················████····························
bo@example.org    ················▒▒▒▒····························

█ busy   ▒ tentative   ░ unavailable   · free
";
    assert_eq!((drawn.status, drawn.out.as_str()), (0, expected));
}

#[test]
fn a_recipient_who_is_not_reached_fails_the_command() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org"]);
    let _host = desk.serve();
    let file = invitation(&desk, &["bo@example.org", "nobody@example.org"]);
    let sent = desk.run(&["send", &file, "--as", "anna@example.org"]);
    assert_eq!(sent.status, 1);
    assert_eq!(
        sent.out,
        "bo@example.org      2.0  Success\nnobody@example.org  3.7  Invalid calendar user\n"
    );
    assert_eq!(sent.err, "", "the table says it");
    let asked = look_up(&desk, &["nobody@example.org"]);
    assert_eq!(asked.status, 1);
    assert!(
        asked
            .out
            .contains("nobody@example.org  3.7 Invalid calendar user"),
        "{asked:?}"
    );
}

/// What somebody's calendar holds of the meeting, unfolded.
fn copy_of(desk: &Desk, who: &str) -> String {
    let exported = desk.run(&["calendar", "export", "--user", who, "--uid", "review"]);
    exported.out.replace("\r\n ", "")
}

#[test]
fn an_object_is_stored_and_whom_its_change_concerns_is_told() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org", "cy@example.org"]);
    let guest = |who: &str| format!("ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{who}@example.org\n");
    let alarm = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\n";
    let object = |guests: &str| {
        let object = event("review", &format!("{ORGANIZED}{guests}{alarm}"));
        text(&desk.write("review.ics", &object)).to_owned()
    };
    let send = |file: &str| desk.run(&["send", file, "--as", "anna@example.org"]);

    // Nobody there to tell: nothing has happened.
    let first = object(&guest("bo"));
    send(&first).complaint(1);
    assert_eq!(copy_of(&desk, "anna@example.org"), "");

    let _host = desk.serve();
    assert_eq!(send(&first).out, "bo@example.org  2.0  Success\n");
    assert!(copy_of(&desk, "anna@example.org").contains("ACTION:AUDIO"));
    let bo = copy_of(&desk, "bo@example.org");
    assert!(
        bo.contains("SUMMARY:Review") && !bo.contains("VALARM"),
        "{bo}"
    );

    assert_eq!(
        send(&first).out,
        "stored; there is nothing that others do not know already\n"
    );
    let other = object(&guest("cy"));
    assert_eq!(
        send(&other).out,
        "bo@example.org  2.0  Success\ncy@example.org  2.0  Success\n"
    );
    assert!(copy_of(&desk, "bo@example.org").contains("STATUS:CANCELLED"));
    assert!(copy_of(&desk, "cy@example.org").contains("SUMMARY:Review"));
    let to = [
        "send",
        &other,
        "--as",
        "anna@example.org",
        "--to",
        "bo@example.org",
    ];
    let complaint = desk.run(&to);
    assert!(complaint.complaint(2).contains("--to is for messages"));
}

#[test]
fn what_the_host_refuses_is_told_with_its_reason() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org"]);
    let _host = desk.serve();
    let file = invitation(&desk, &["bo@example.org"]);
    for (originator, expected) in [
        ("bo@example.org", "originator-invalid"),
        (
            "anna@example.com",
            "anna@example.com is none of this host's own people",
        ),
    ] {
        let said = desk.run(&["send", &file, "--as", originator, "--to", "bo@example.org"]);
        let complaint = said.complaint(1);
        assert!(
            complaint.contains("the host refuses the message"),
            "{complaint}"
        );
        assert!(complaint.contains(expected), "{complaint}");
    }
}

/// Commands come in by the control socket, whatever the host listens on.
#[test]
fn no_submission_listener_is_needed() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org"]);
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let config = config
        .replace("role = \"submission\"", "role = \"admin\"")
        .replace("users = \"users.htpasswd\"", "");
    desk.write("convoke.toml", &config);
    let _host = desk.serve();
    let free = look_up(&desk, &["bo@example.org", "--json"]).json();
    assert_eq!(free[0]["status"], "2.0;Success");
    let file = invitation(&desk, &["bo@example.org"]);
    let to = ["--to", "bo@example.org", "bo@example.org"];
    let command = ["send", &file, "--as", "anna@example.org"];
    let sent = desk.run(&[&command[..], &to].concat());
    assert_eq!(
        sent.out, "bo@example.org  2.0  Success\n",
        "named twice, told once"
    );
    let taken = look_up(&desk, &["bo@example.org", "--json"]).json();
    assert_eq!(taken[0]["busy"][0]["start"], "2027-01-04T10:00:00Z");

    let answer = [
        "reply",
        "--user",
        "bo@example.org",
        "--uid",
        "none",
        "accept",
    ];
    let unknown = desk.run(&answer);
    assert!(unknown.complaint(1).contains("holds nothing of UID none"));
}

#[test]
fn elsewhere_a_password_is_needed() {
    let desk = Desk::with_users(&["anna@example.org", "bo@example.org"]);
    let _host = desk.serve();
    let url = desk.submission_url();
    let ask = |password: &str, of: &str| {
        let arguments = [
            "freebusy",
            "--as",
            of,
            "bo@example.org",
            "--json",
            "--server",
            &url,
        ];
        let mut command = desk.command(&arguments);
        let output = command.env("CONVOKE_PASSWORD", password).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(
        ask("password", "anna@example.org"),
        (Some(0), String::new())
    );
    let (status, error) = ask("wrong", "anna@example.org");
    assert!(
        status == Some(1) && error.contains("does not let you in"),
        "{error}"
    );
    let (status, _) = ask("password", "bo@example.org");
    assert_eq!(status, Some(1));
}
