//! Calendars of any size, in and out.

use crate::desk::{Desk, calendar, event, text};
use std::process::Stdio;

const IMPORT: [&str; 4] = ["calendar", "import", "--user", "anna@example.org"];
const LIST: [&str; 5] = ["calendar", "list", "--user", "anna@example.org", "--json"];
const EXPORT: [&str; 4] = ["calendar", "export", "--user", "anna@example.org"];

fn meeting(number: usize, summary: &str) -> String {
    let lines = format!(
        "DTSTART;TZID=Here:20270104T100000\nDTEND;TZID=Here:20270104T110000\nSUMMARY:{summary}\n"
    );
    let event = event(&format!("meeting-{number}"), &lines);
    let zone = "BEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n";
    event.replace("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"))
}

fn listed(desk: &Desk) -> usize {
    desk.run(&LIST).json().as_array().unwrap().len()
}

#[test]
fn of_many_objects_each_is_kept_and_of_one_uid_the_last() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let first: String = (0..150).map(|number| meeting(number, "first")).collect();
    let second: String = (100..200).map(|number| meeting(number, "second")).collect();
    let third = meeting(199, "third");
    let files = [("1.ics", first), ("2.ics", second), ("3.ics", third)];
    for (name, text) in &files {
        desk.write(&format!("folder/{name}"), text);
    }
    let folder = desk.path("folder");
    let said = desk.run(&[&IMPORT[..], &[text(&folder)]].concat());
    assert_eq!(said.out, "251 objects imported for anna@example.org\n");
    assert_eq!(said.err, "", "no bar without a terminal");
    assert_eq!(listed(&desk), 200);

    let all = desk.run(&EXPORT).out;
    for (what, times) in [
        ("BEGIN:VCALENDAR\r\n", 1),
        ("BEGIN:VTIMEZONE\r\n", 1),
        ("END:VCALENDAR\r\n", 1),
        ("BEGIN:VEVENT\r\n", 200),
        ("SUMMARY:first\r\n", 100),
        ("SUMMARY:second\r\n", 99),
        ("SUMMARY:third\r\n", 1),
    ] {
        assert_eq!(all.matches(what).count(), times, "{what}");
    }
    let again = Desk::with_users(&["anna@example.org"]);
    assert_eq!(again.pipe(&IMPORT, &all).status, 0);
    assert_eq!(again.run(&EXPORT).out, all);
}

#[test]
fn what_was_read_before_a_broken_file_is_kept_and_said() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let fine = desk.write("1.ics", &[meeting(1, "a"), meeting(2, "b")].concat());
    let broken = desk.write("2.ics", &calendar("BEGIN:VEVENT\nUID:3\n"));
    let said = desk.run(&[&IMPORT[..], &[text(&fine), text(&broken)]].concat());
    let complaint = said.complaint(1);
    assert!(
        complaint.contains("2.ics: line 6") && complaint.contains("2 objects imported before"),
        "{complaint}"
    );
    assert_eq!(listed(&desk), 2);
}

#[test]
fn an_import_that_is_killed_loses_nothing_that_was_stored() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let all: String = (0..3000).map(|number| meeting(number, "whole")).collect();
    let file = desk.write("all.ics", &all);
    let arguments = [&IMPORT[..], &[text(&file)]].concat();
    let mut import = desk.command(&arguments);
    let mut import = import.stdout(Stdio::null()).spawn().unwrap();
    let mut before = 0;
    while before == 0 && import.try_wait().unwrap().is_none() {
        before = listed(&desk);
    }
    import.kill().unwrap();
    import.wait().unwrap();

    let after = listed(&desk);
    assert!(
        after >= before.max(1),
        "{before} were stored, {after} are left"
    );
    let kept = desk.run(&EXPORT).out;
    assert_eq!(
        kept.matches("SUMMARY:whole\r\nEND:VEVENT\r\n").count(),
        after
    );
    let again = desk.run(&arguments);
    assert_eq!(again.out, "3000 objects imported for anna@example.org\n");
    assert_eq!(listed(&desk), 3000);
}
