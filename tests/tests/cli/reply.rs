//! What an attendee can say to an invitation by `convoke reply`.

use crate::desk::{Desk, Running, Said, event, text};
use serde_json::Value;

pub(crate) const ANNA: &str = "anna@example.org";
pub(crate) const BO: &str = "bo@example.org";
pub(crate) const CY: &str = "cy@example.org";

/// Anna meets Bo every Monday at ten in Berlin.
pub(crate) fn invited() -> (Desk, Running) {
    let desk = Desk::with_users(&[ANNA, BO, CY]);
    let hash = bcrypt::hash("password", 4).unwrap();
    desk.write(
        "users.htpasswd",
        &format!("{ANNA}:{hash}\n{BO}:{hash}\n{CY}:{hash}\n"),
    );
    let host = desk.serve();
    let object = event(
        "review",
        &format!(
            "DTSTART;TZID=Europe/Berlin:20270104T100000\nDTEND;TZID=Europe/Berlin:20270104T110000\n\
             RRULE:FREQ=WEEKLY;COUNT=8\nSUMMARY:Review\nORGANIZER:mailto:{ANNA}\n\
             ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANNA}\nATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{BO}\n"
        ),
    );
    let file = desk.write("review.ics", &object);
    let sent = desk.run(&["send", text(&file), "--as", ANNA]);
    assert_eq!(sent.out, "bo@example.org  2.0  Success\n", "{sent:?}");
    (desk, host)
}

pub(crate) fn reply(desk: &Desk, who: &str, answer: &[&str]) -> Said {
    desk.run(&[&["reply", "--user", who, "--uid", "review"], answer].concat())
}

/// Somebody's copy of the meeting, unfolded, component by component.
pub(crate) fn copy_of(desk: &Desk, who: &str) -> Vec<String> {
    let exported = desk.run(&["calendar", "export", "--user", who, "--uid", "review"]);
    let text = exported.out.replace("\r\n ", "");
    let events = text.split("BEGIN:VEVENT").skip(1);
    events.map(str::to_owned).collect()
}

/// Somebody's line in a component.
fn line<'a>(component: &'a str, who: &str) -> &'a str {
    let of = format!("mailto:{who}");
    let mut lines = component.lines();
    let line = lines.find(|line| line.starts_with("ATTENDEE") && line.ends_with(&of));
    line.unwrap_or_else(|| panic!("{who} is not in {component}"))
}

#[test]
fn one_instance_is_answered_with_a_word() {
    let (desk, _host) = invited();
    assert_eq!(reply(&desk, BO, &["accept"]).status, 0);
    for (instance, answer, partstat) in [
        ("2027-01-11", "decline", "DECLINED"),
        ("2027-01-18T10:00", "tentative", "TENTATIVE"),
        ("2027-01-25T09:00:00Z", "decline", "DECLINED"),
    ] {
        let comment = format!("Not on {instance}");
        let said = reply(
            &desk,
            BO,
            &[answer, "--instance", instance, "--comment", &comment],
        );
        assert_eq!(said.out, "anna@example.org  2.0  Success\n", "{said:?}");
        let day = instance[..10].replace('-', "");
        for who in [ANNA, BO] {
            let copy = copy_of(&desk, who);
            let is_it = |it: &&String| it.contains("RECURRENCE-ID") && it.contains(&day);
            let one = copy.iter().find(is_it);
            let one = one.unwrap_or_else(|| panic!("{who}: no {instance} in {copy:?}"));
            let line = line(one, BO);
            assert!(line.contains(&format!("PARTSTAT={partstat}")), "{line}");
        }
        let annas = copy_of(&desk, ANNA).concat();
        assert!(annas.contains(&comment), "{annas}");
    }
    for copy in [copy_of(&desk, ANNA), copy_of(&desk, BO)] {
        let whole = copy.iter().find(|it| it.contains("RRULE")).unwrap();
        let line = line(whole, BO);
        assert!(
            line.contains("PARTSTAT=ACCEPTED"),
            "the series stays: {line}"
        );
    }
    let none = reply(&desk, BO, &["decline", "--instance", "2027-01-12"]);
    let complaint = none.complaint(1);
    assert!(
        complaint.contains("review: there is no instance `20270112`"),
        "{complaint}"
    );
}

#[test]
fn somebody_else_comes_instead() {
    let (desk, _host) = invited();
    let said = reply(
        &desk,
        BO,
        &["delegate", "--to", CY, "--comment", "Cy knows it"],
    );
    assert_eq!(said.status, 0, "{said:?}");
    assert!(
        said.out.contains("anna@example.org  2.0"),
        "the organizer hears: {said:?}"
    );
    let annas = copy_of(&desk, ANNA).concat();
    let bo = line(&annas, BO);
    assert!(
        bo.contains("PARTSTAT=DELEGATED") && bo.contains("cy@example.org"),
        "{bo}"
    );
    assert!(line(&annas, CY).contains("DELEGATED-FROM"), "{annas}");
    let cys = copy_of(&desk, CY).concat();
    assert!(cys.contains("SUMMARY:Review"), "{cys}");
    let accepted = reply(&desk, CY, &["accept"]);
    assert_eq!(accepted.status, 0, "{accepted:?}");
    let annas = copy_of(&desk, ANNA).concat();
    assert!(line(&annas, CY).contains("PARTSTAT=ACCEPTED"), "{annas}");
}

#[test]
fn another_time_is_proposed_and_taken_up() {
    let (desk, _host) = invited();
    let proposal = [
        "counter",
        "--instance",
        "2027-01-11",
        "--start",
        "2027-01-11T14:00",
        "--end",
        "2027-01-11T15:30",
        "--comment",
        "The train is late",
    ];
    let said = reply(&desk, BO, &proposal);
    assert_eq!(said.status, 0, "{said:?}");
    let waits = desk
        .run(&["inbox", "list", "--user", ANNA, "--json"])
        .json();
    let [one] = waits.as_array().unwrap().as_slice() else {
        panic!("{waits}");
    };
    assert_eq!(one["why"], "counter");
    assert_eq!(one["from"], "mailto:bo@example.org");
    assert_eq!(one["summary"], "Review");
    assert_eq!(
        one["start"], "2027-01-11T13:00:00Z",
        "on the meeting's clock"
    );
    let id = one["id"].as_str().unwrap();
    let shown = desk.run(&["inbox", "show", "--user", ANNA, id]).out;
    assert!(shown.contains("COMMENT:The train is late"), "{shown}");
    let accepted = desk.run(&["inbox", "accept", "--user", ANNA, id]);
    assert_eq!(accepted.status, 0, "{accepted:?}");
    for who in [ANNA, BO] {
        let copy = copy_of(&desk, who);
        let moved = copy.iter().find(|it| it.contains("RECURRENCE-ID"));
        let moved = moved.unwrap_or_else(|| panic!("{who}: {copy:?}"));
        assert!(moved.contains("20270111T140000"), "{who}: {moved}");
        assert!(moved.contains("20270111T153000"), "{who}: {moved}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let (desk, _host) = invited();
    for (answer, expected) in [
        (&["delegate"][..], "`delegate` needs --to"),
        (&["accept", "--to", CY], "--to goes with `delegate` only"),
        (&["counter"], "`counter` needs --start"),
        (
            &["decline", "--start", "now"],
            "--start and --end go with `counter` only",
        ),
    ] {
        let said = reply(&desk, BO, answer);
        assert!(said.complaint(2).contains(expected), "{said:?}");
    }
    for (answer, expected) in [
        (
            &[
                "counter",
                "--start",
                "2027-01-04T14:00",
                "--end",
                "2027-01-04T13:00",
            ][..],
            "review: ",
        ),
        (&["delegate", "--to", ANNA], "it cannot be delegated so"),
        (
            &[
                "counter",
                "--start",
                "2027-01-04T10:00",
                "--end",
                "2027-01-05",
            ],
            "review: ",
        ),
    ] {
        let said = reply(&desk, BO, answer);
        assert!(said.complaint(1).contains(expected), "{said:?}");
    }
}

/// With --server the host there has the calendar; only who logs in is answered for.
#[test]
fn an_answer_is_given_from_a_machine_without_a_configuration() {
    let (desk, _host) = invited();
    let answer = |who: &str, login: &str, password: &str| {
        let arguments = [
            "reply",
            "--user",
            who,
            "--uid",
            "review",
            "tentative",
            "--login",
            login,
            "--json",
        ];
        desk.run_elsewhere(&arguments, password)
    };
    let told: Value = answer(BO, BO, "password").json();
    assert_eq!(told[0]["recipient"], "mailto:anna@example.org");
    assert_eq!(told[0]["status"], "2.0;Success");
    let annas = copy_of(&desk, ANNA).concat();
    assert!(line(&annas, BO).contains("PARTSTAT=TENTATIVE"), "{annas}");
    let other = answer(BO, CY, "password");
    assert!(
        other.complaint(1).contains("may not act as bo@example.org"),
        "{other:?}"
    );
    let wrong = answer(BO, BO, "wrong");
    assert!(wrong.complaint(1).contains("does not let you in"));
    let none = answer(CY, CY, "password");
    assert!(none.complaint(1).contains("holds nothing of UID review"));
}

#[test]
fn an_object_is_handed_in_from_a_machine_without_a_configuration() {
    let (desk, _host) = invited();
    let object = event(
        "lunch",
        &format!(
            "DTSTART:20270105T110000Z\nDTEND:20270105T120000Z\nSUMMARY:Lunch\n\
             ORGANIZER:mailto:{CY}\nATTENDEE:mailto:{BO}\n"
        ),
    );
    let file = desk.write("lunch.ics", &object);
    let arguments = ["send", text(&file), "--as", CY];
    let sent = desk.run_elsewhere(&arguments, "password");
    assert_eq!(sent.out, "bo@example.org  2.0  Success\n", "{sent:?}");
    let of_bo = desk.run(&["calendar", "export", "--user", BO, "--uid", "lunch"]);
    assert!(of_bo.out.contains("SUMMARY:Lunch"), "{of_bo:?}");
}
