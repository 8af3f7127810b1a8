//! What the `ical` crate makes of the calendars that the tree keeps as they came: case by case, where it loses what.
//!
//! The README says that it loses data; this says which. Both readers are given the same octets, and what they have in the
//! end is compared line by line, quotes and the case of names apart.

use convoke_calendar::tree::{Calendar, Component, Limits};
use ical::{
    IcalParser,
    parser::ical::component::{IcalAlarm, IcalCalendar, IcalTimeZoneTransitionType},
    property::Property,
};
use std::{collections::BTreeMap, fs, path::Path};

/// A content line by what it says, with the name of the component that it stands in.
type Line = (String, String, Vec<(String, Vec<String>)>, String);

fn ours(octets: &[u8]) -> Vec<Line> {
    fn add(component: &Component, lines: &mut Vec<Line>) {
        for line in &component.properties {
            let params = line.params.iter();
            let params = params.map(|it| (it.name.to_uppercase(), it.values.clone()));
            lines.push((
                component.name.to_uppercase(),
                line.name.to_uppercase(),
                params.collect(),
                line.value.clone(),
            ));
        }
        for inner in &component.components {
            add(inner, lines);
        }
    }
    let mut lines = Vec::new();
    for calendar in Calendar::parse_all(octets, &Limits::default()).unwrap() {
        add(calendar.root(), &mut lines);
    }
    lines.sort();
    lines
}

fn theirs(octets: &[u8]) -> Result<Vec<Line>, String> {
    fn add(name: &str, properties: &[Property], lines: &mut Vec<Line>) {
        lines.extend(properties.iter().map(|line| {
            let params = line.params.iter().flatten();
            let params = params.map(|(name, values)| (name.to_uppercase(), values.clone()));
            (
                name.to_owned(),
                line.name.to_uppercase(),
                params.collect(),
                line.value.clone().unwrap_or_default(),
            )
        }));
    }
    fn add_alarms(alarms: &[IcalAlarm], lines: &mut Vec<Line>) {
        for alarm in alarms {
            add("VALARM", &alarm.properties, lines);
        }
    }
    fn add_calendar(calendar: &IcalCalendar, lines: &mut Vec<Line>) {
        add("VCALENDAR", &calendar.properties, lines);
        add_alarms(&calendar.alarms, lines);
        for event in &calendar.events {
            add("VEVENT", &event.properties, lines);
            add_alarms(&event.alarms, lines);
        }
        for todo in &calendar.todos {
            add("VTODO", &todo.properties, lines);
            add_alarms(&todo.alarms, lines);
        }
        for journal in &calendar.journals {
            add("VJOURNAL", &journal.properties, lines);
        }
        for busy in &calendar.free_busys {
            add("VFREEBUSY", &busy.properties, lines);
        }
        for zone in &calendar.timezones {
            add("VTIMEZONE", &zone.properties, lines);
            for it in &zone.transitions {
                let name = match it.transition {
                    IcalTimeZoneTransitionType::STANDARD => "STANDARD",
                    IcalTimeZoneTransitionType::DAYLIGHT => "DAYLIGHT",
                };
                add(name, &it.properties, lines);
            }
        }
    }
    let mut lines = Vec::new();
    for calendar in IcalParser::new(octets) {
        let calendar = calendar.map_err(|error| error.to_string())?;
        add_calendar(&calendar, &mut lines);
    }
    lines.sort();
    Ok(lines)
}

/// What becomes of octets in `ical`.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    /// Lines that say something else or are gone.
    Lost(usize),
    Refused,
}

fn fate(octets: &[u8]) -> Fate {
    let Ok(theirs) = theirs(octets) else {
        return Fate::Refused;
    };
    let mut counts: BTreeMap<Line, isize> = BTreeMap::new();
    for line in theirs {
        *counts.entry(line).or_default() += 1;
    }
    for line in ours(octets) {
        *counts.entry(line).or_default() -= 1;
    }
    match counts
        .values()
        .filter(|count| **count < 0)
        .sum::<isize>()
        .unsigned_abs()
    {
        0 => Fate::Kept,
        lost => Fate::Lost(lost),
    }
}

/// The line of an event whose value or parameters differ, as `ical` has it.
fn line_of_event(lines: &str) -> Result<Vec<Line>, String> {
    let octets =
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n");
    theirs(octets.as_bytes())
}

#[test]
fn calendars_of_other_programs_lose_lines_in_it() {
    // Whatever is not named here is kept by both.
    let expected: BTreeMap<&str, Fate> = BTreeMap::from([
        ("phone-export.ics", Fate::Refused),
        ("phone-export", Fate::Refused),
        // Blanks at the ends of lines.
        ("desktop-invitation.ics", Fate::Lost(2)),
        ("desktop-invitation", Fate::Lost(2)),
        ("odd", Fate::Refused),
        // Parameters without `=`, as the RFC's own examples have them.
        ("rfc5546-4.2.9", Fate::Refused),
        ("rfc5546-4.4.5", Fate::Refused),
    ]);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "tests/calendars",
        "../../tests/fuzz/corpus/calendar",
        "../../tests/fuzz/corpus/message",
    ];
    let (mut seen, mut wrong) = (0, Vec::new());
    for folder in folders {
        for file in fs::read_dir(here.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let octets = fs::read(&path).unwrap();
            if !octets.starts_with(b"BEGIN:") && !octets.starts_with(b"\xef\xbb\xbfBEGIN:") {
                continue;
            }
            let expected = expected.get(name).unwrap_or(&Fate::Kept);
            let fate = fate(&octets);
            if fate != *expected {
                wrong.push(format!("{}: {fate:?}", path.display()));
            }
            seen += 1;
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(seen > 50, "{seen}");
}

/// One event with these lines, as the tree keeps it and as `ical` has it.
#[test]
fn each_loss_has_a_case() {
    for (what, lines, kept, lost) in [
        (
            "a blank before a fold",
            "SUMMARY:two \r\n words\r\n",
            "two words",
            "twowords",
        ),
        (
            "blanks at the end of a line",
            "SUMMARY:two  \r\nUID:1\r\n",
            "two  ",
            "two",
        ),
        (
            "a colon at the start of a value",
            "SUMMARY:: see below\r\n",
            ": see below",
            " see below",
        ),
    ] {
        let octets =
            format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n");
        let values = |lines: Vec<Line>| {
            let mut summaries = lines.into_iter().filter(|line| line.1 == "SUMMARY");
            summaries.next().map(|line| line.3)
        };
        assert_eq!(
            values(ours(octets.as_bytes())).as_deref(),
            Some(kept),
            "{what}"
        );
        let theirs = theirs(octets.as_bytes()).map(values);
        assert_eq!(theirs, Ok(Some(lost.to_owned())), "{what}");
    }
}

#[test]
fn parameters_are_not_decoded_and_end_after_ten_values() {
    let line = "ATTENDEE;CN=Bo ^'the boss^':mailto:bo@example.org\r\n";
    let calendar =
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{line}END:VEVENT\r\nEND:VCALENDAR\r\n");
    let param = |lines: &[Line]| lines[0].2[0].1[0].clone();
    assert_eq!(param(&ours(calendar.as_bytes())), "Bo \"the boss\"");
    assert_eq!(param(&line_of_event(line).unwrap()), "Bo ^'the boss^'");

    let members: Vec<String> = (0..12).map(|number| format!("m{number}")).collect();
    let line = format!("X-A;MEMBER={}:value\r\n", members.join(","));
    let calendar =
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{line}END:VEVENT\r\nEND:VCALENDAR\r\n");
    let [kept] = &ours(calendar.as_bytes())[..] else {
        panic!("one line")
    };
    assert_eq!((kept.2[0].1.len(), &*kept.3), (12, "value"));
    let lost = line_of_event(&line).unwrap();
    assert!(
        lost[0].2[0].1.len() < 12 && lost[0].3 != "value",
        "{lost:?}"
    );
}

#[test]
fn a_part_that_it_does_not_know_costs_the_whole_calendar() {
    for inside in [
        "BEGIN:X-PRIVATE\r\nX-A:1\r\nEND:X-PRIVATE\r\n",
        "BEGIN:VAVAILABILITY\r\nUID:1\r\nEND:VAVAILABILITY\r\n",
        "BEGIN:VEVENT\r\nBEGIN:VLOCATION\r\nUID:1\r\nEND:VLOCATION\r\nEND:VEVENT\r\n",
        "begin:vevent\r\nUID:1\r\nend:vevent\r\n",
    ] {
        let octets = format!("BEGIN:VCALENDAR\r\n{inside}END:VCALENDAR\r\n");
        assert_eq!(fate(octets.as_bytes()), Fate::Refused, "{inside}");
        assert_eq!(ours(octets.as_bytes()).len(), 1, "{inside}");
    }
}

#[test]
fn what_is_broken_passes_for_whole() {
    // An octet that is no UTF-8 takes the line before it along, and ends the stream: nothing says what was wrong.
    let whole = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let octets = [whole.as_bytes(), b"\xff\r\n", whole.as_bytes()].concat();
    assert_eq!(theirs(&octets), Err("incomplete object".to_owned()));

    // One component ends as another, and takes what follows along.
    let crossed = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    assert_eq!(theirs(crossed.as_bytes()).map(|lines| lines.len()), Ok(1));
    assert!(Calendar::parse(crossed.as_bytes(), &Limits::default()).is_err());
}
