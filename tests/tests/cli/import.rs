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
    assert_eq!(said.out, "200 objects imported for anna@example.org\n");
    // Nothing says which of two versions is newer; there is no bar without a terminal.
    assert_eq!(said.err.lines().count(), 51, "{}", said.err);
    assert!(
        said.err
            .lines()
            .all(|line| line.contains("another version that is as new"))
    );
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

/// Each fault costs its object and is named; the rest is taken.
#[test]
fn one_bad_object_stops_nothing() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let start = "DTSTART:20270104T100000Z\n";
    let mixed = [
        event("fine", start),
        event("unreadable", &format!("{start}SUMMARY\n")),
        event("no-date", "DTSTART:tomorrow\nSUMMARY:x\n"),
        event("", start),
        event("odd", &format!("{start}DURATION:\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=\nEXDATE:20270230T100000Z\nitem1.URL:x\nX-A:\0\n")),
        event("last", start),
    ]
    .concat();
    let mixed = desk.write("1.ics", &mixed);
    let cut = desk.write("2.ics", &calendar("BEGIN:VEVENT\nUID:3\n"));
    let none = desk.path("3.ics");
    let after = desk.write("4.ics", &event("after", start));
    let files = [text(&mixed), text(&cut), text(&none), text(&after)];
    let said = desk.run(&[&IMPORT[..], &files].concat());
    assert_eq!(said.status, 1);
    assert_eq!(said.out, "4 objects imported for anna@example.org\n");
    assert_eq!(listed(&desk), 4);
    let (notes, faults): (Vec<_>, Vec<_>) =
        said.err.lines().partition(|line| line.contains("note: "));
    for (line, words) in faults.iter().zip([
        "2.ics: line 6: END:VCALENDAR does not match BEGIN:VEVENT",
        "3.ics cannot be read",
        "1.ics: line 17: unreadable: `SUMMARY`",
        "1.ics: line 26: no-date: DTSTART: `tomorrow` is not",
        "1.ics: line 33: a component has no UID",
    ]) {
        assert!(line.contains(words), "{words} is not in {line}");
    }
    assert_eq!(faults.len(), 5, "{}", said.err);
    for (line, words) in notes.iter().zip([
        "1.ics: line 46: DURATION is empty",
        "1.ics: line 47: RRULE: UNTIL is empty",
        "1.ics: line 48: EXDATE: `20270230T100000Z` is no date",
        "1.ics: line 49: item1.URL: a `.`",
        "1.ics: line 50: X-A: there is a control character",
    ]) {
        assert!(line.contains(words), "{words} is not in {line}");
    }
    assert_eq!(notes.len(), 5, "{}", said.err);

    let json = [&IMPORT[..], &files, &["--json"]].concat();
    let said = desk.run(&json).json_whatever_came_of_it();
    let told = said.as_array().unwrap();
    assert_eq!(told.iter().filter(|it| it["etag"].is_string()).count(), 4);
    let failed: Vec<_> = told.iter().filter(|it| it["error"].is_string()).collect();
    assert_eq!(failed.len(), 5);
    assert_eq!(
        (failed[2]["uid"].as_str(), failed[2]["line"].as_u64()),
        (Some("unreadable"), Some(17))
    );
}

/// Octets that are not UTF-8 are carried as they are.
#[test]
fn letters_of_another_character_set_stay() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let octets = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:a\r\nPRODID:b\r\nBEGIN:VEVENT\r\nUID:Gr\xfc\xdfe\r\n\
        DTSTART:20270104T100000Z\r\nSUMMARY;X-A=\xe9:\xfc\xff \xc3\xbc\xc3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let file = desk.write_octets("latin1.ics", octets);
    let said = desk.run(&[&IMPORT[..], &[text(&file)]].concat());
    assert_eq!(
        (said.status, said.out.as_str()),
        (0, "1 object imported for anna@example.org\n")
    );
    for words in [
        "line 4: PRODID is there twice",
        "line 8: SUMMARY: it is not UTF-8",
    ] {
        assert!(said.err.contains(words), "{}", said.err);
    }
    let listed = desk.run(&LIST).json();
    let uid = listed[0]["uid"].as_str().unwrap();
    let export = [&EXPORT[..], &["--uid", uid]].concat();
    assert_eq!(desk.command(&export).output().unwrap().stdout, octets);
    let all = desk.command(&EXPORT).output().unwrap().stdout;
    let event = octets
        .windows(12)
        .position(|it| it == b"BEGIN:VEVENT")
        .unwrap();
    assert!(all.ends_with(&octets[event..]));
}

/// A series here, its changed instance there.
#[test]
fn what_belongs_to_one_uid_comes_together() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let series = event(
        "series",
        "DTSTART:20270104T100000Z\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:series\n",
    );
    let moved = event(
        "series",
        "RECURRENCE-ID:20270105T100000Z\nDTSTART:20270105T120000Z\nSUMMARY:moved\n",
    );
    let newer = event(
        "series",
        "RECURRENCE-ID:20270105T100000Z\nSEQUENCE:1\nDTSTART:20270105T130000Z\nSUMMARY:newer\n",
    );
    desk.write("folder/1.ics", &newer);
    desk.write(
        "folder/2.ics",
        &[&event("other", "DTSTART:20270104\n"), &series[..]].concat(),
    );
    desk.write("folder/3.ics", &moved);
    let folder = desk.path("folder");
    let by_folder = desk.run(&[&IMPORT[..], &[text(&folder)]].concat());
    assert_eq!(by_folder.out, "2 objects imported for anna@example.org\n");
    assert_eq!((by_folder.status, by_folder.err.as_str()), (0, ""));
    let check = || {
        let stored = desk.run(&[&EXPORT[..], &["--uid", "series"]].concat()).out;
        let has = |what: &str| stored.matches(what).count();
        assert_eq!(
            [
                "SUMMARY:series",
                "SUMMARY:newer",
                "SUMMARY:moved",
                "BEGIN:VEVENT"
            ]
            .map(has),
            [1, 1, 0, 2],
            "{stored}"
        );
    };
    check();
    let by_stream = desk.pipe(
        &IMPORT,
        &[moved, series.clone(), newer.clone(), series.clone()].concat(),
    );
    assert_eq!((by_stream.status, by_stream.err.as_str()), (0, ""));
    check();
    let contradicting = series.replace("SUMMARY:series", "SUMMARY:another");
    let said = desk.pipe(&IMPORT, &[contradicting, series, newer].concat());
    assert_eq!(said.status, 0);
    assert!(
        said.err
            .contains("-: line 4: series: it is there in another version"),
        "{}",
        said.err
    );
    check();
}

/// A changed instance alone is no new version of the series that is there.
#[test]
fn an_instance_alone_is_put_into_its_series() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let series = event(
        "series",
        "DTSTART:20270104T100000Z\nRRULE:FREQ=DAILY\nSUMMARY:series\n",
    );
    let instance = |summary: &str| {
        let lines = format!(
            "RECURRENCE-ID:20270105T100000Z\nDTSTART:20270105T120000Z\nSUMMARY:{summary}\n"
        );
        event("series", &lines)
    };
    // There may be no series, as for a guest of one instance only.
    for (text, says, kept) in [
        (instance("alone"), false, vec!["alone"]),
        (series, false, vec!["series"]),
        (instance("moved"), true, vec!["series", "moved"]),
        (instance("again"), true, vec!["series", "again"]),
    ] {
        let said = desk.pipe(&IMPORT, &text);
        assert_eq!(said.status, 0, "{}", said.err);
        let note =
            "-: line 4: series: only changed instances; they are put into the object that is there";
        assert_eq!(said.err.contains(note), says, "{}", said.err);
        let stored = desk.run(&EXPORT).out;
        let summaries = stored
            .lines()
            .filter_map(|line| line.strip_prefix("SUMMARY:"));
        assert_eq!(summaries.collect::<Vec<_>>(), kept);
    }
    let todo = instance("todo").replace("VEVENT", "VTODO");
    let said = desk.pipe(&IMPORT, &todo);
    assert_eq!(said.status, 1);
    assert!(
        said.err.contains("no series of such instances"),
        "{}",
        said.err
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_told() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let parts = |text: String| {
        let (from, to) = (
            text.find("BEGIN:VEVENT").unwrap(),
            text.find("END:VCALENDAR").unwrap(),
        );
        text[from..to].to_owned()
    };
    let one = event(
        "one",
        "DTSTART:20270104T100000Z\nDTSTART:20270105T100000Z\n",
    );
    let instance = |sequence: u8| {
        let lines = format!(
            "DTSTART:20270104T1{sequence}0000Z\nRECURRENCE-ID:20270104T100000Z\nSEQUENCE:{sequence}\n"
        );
        parts(event("one", &lines))
    };
    let todo = parts(event("one", "SUMMARY:todo\n")).replace("VEVENT", "VTODO");
    let more = [instance(1), instance(2), todo].concat();
    let text = one.replace("END:VCALENDAR", &format!("{more}END:VCALENDAR"));
    let said = desk.pipe(&IMPORT, &text);
    assert_eq!(said.status, 0, "{}", said.err);
    for note in [
        "DTSTART is there twice; the first one counts",
        "it is there in a newer version, at line ",
        "VEVENT and VTODO of one UID: both are kept, in one object",
    ] {
        assert!(said.err.contains(note), "{note}: {}", said.err);
    }
    assert_eq!(said.err.lines().count(), 3, "{}", said.err);
}

/// A file of a vdir store may hold several UIDs, and letters of any character set.
#[test]
fn a_file_of_a_vdir_is_taken_as_it_is() {
    let desk = Desk::new();
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let config = config
        .replace("store-sqlite", "store-vdir")
        .replace("calendars.db", "calendars");
    desk.write("convoke.toml", &config);
    assert_eq!(desk.run(&["user", "add", "anna@example.org"]).status, 0);
    let event = |uid: &str| {
        format!(
            "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:20270104T100000Z\r\nSUMMARY:@\r\nEND:VEVENT\r\n"
        )
    };
    let file = |events: &str| {
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
        text.bytes()
            .map(|it| if it == b'@' { 0xfc } else { it })
            .collect::<Vec<u8>>()
    };
    let both = event("one") + &event("two");
    let path = desk.write_octets("calendars/anna@example.org/home/all.ics", &file(&both));
    assert_eq!(listed(&desk), 2);
    let one = [&EXPORT[..], &["--uid", "one"]].concat();
    assert_eq!(
        desk.command(&one).output().unwrap().stdout,
        file(&event("one"))
    );
    let new = event("two").replace('@', "new");
    let said = desk.pipe(&IMPORT, &String::from_utf8(file(&new)).unwrap());
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(std::fs::read(&path).unwrap(), file(&(event("one") + &new)));
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
