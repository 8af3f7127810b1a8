use super::{Calendar, Component, Limits, Param, Property};
use crate::stream::Outline;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Calendar, super::ParseError> {
    Calendar::parse(text.as_bytes(), &Limits::default())
}

/// A calendar of these lines, as it must be written again: byte for byte.
#[track_caller]
fn kept(lines: &str) {
    let text = format!("BEGIN:VCALENDAR\n{lines}\nEND:VCALENDAR\n").replace('\n', "\r\n");
    let calendar = Calendar::parse_stored(text.as_bytes(), &Limits::default()).unwrap();
    let written = String::from_utf8(calendar.write()).unwrap();
    assert_eq!(written, text);
}

#[test]
fn stored_lines_are_kept_byte_for_byte() {
    for lines in [
        "no colon here",
        ":x\n;=a:x\nX;CN=\"a:x\nX;CN=\"a\"b:x",
        "SUMMARY:a\0b\u{7f}c\u{1b}[2J",
        "DTEND;TZIDW. Europe Standard Time:20270104T110000",
        "item1.SUMMARY;X=1:x",
        "X:1\n\n  behind an empty line\n\n\t\nX:2",
        "X:\u{10FF00} \u{10FF80} \u{10FFFF} \u{FFFD}",
    ] {
        kept(lines);
    }
}

#[test]
fn lines_that_programs_read_in_different_ways_are_refused_in_messages() {
    for (line, words) in [
        (
            "DTEND;TZIDEurope/Berlin:20270104T110000",
            "DTEND: a `=` is expected after the parameter `TZIDEurope/Berlin`",
        ),
        ("ATTENDEE;RSVP;CN=Bo:mailto:b@example.org", "`RSVP`"),
        ("item1.SUMMARY:x", "item1.SUMMARY: a `.`"),
        ("SUMMARY:a\0b", "SUMMARY: there is a control character"),
        ("SUMMARY:a\u{7f}", "control"),
        ("SUMMARY:a\u{1}\n b", "control"),
        ("SUMMARY:a\rb", "control"),
        ("SUMMARY;X-A=a\u{8}b:c", "control"),
        ("SUMMARY;X-A=\"a\0\":c", "control"),
    ] {
        let error = parse(&format!("BEGIN:VCALENDAR\nX:1\n{line}\nEND:VCALENDAR")).unwrap_err();
        assert_eq!(error.line(), 3, "{line:?}: {error}");
        assert!(error.to_string().contains(words), "{line:?}: {error}");
    }
    let fine = "BEGIN:VCALENDAR\r\r\nX;A=b^nc:tab\there\r\r\n and\u{85}more\r\r\nX-A;P=:\r\nEND:VCALENDAR\r\r\n";
    let calendar = parse(fine).unwrap();
    assert_eq!(calendar.root().value("X"), Some("tab\thereand\u{85}more"));
}

#[test]
fn a_uid_is_read_alike_however_it_is_written() {
    let uid = |line: &str| {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{line}\nEND:VEVENT\nEND:VCALENDAR");
        parse(&text)
            .unwrap()
            .uid()
            .map(|uid| uid.as_str().to_owned())
    };
    for line in ["UID:a,b", "uid: a\\,b", "UID;X=1:a\\,b \t", "UID:a\n ,b"] {
        assert_eq!(uid(line).as_deref(), Some("a,b"), "{line}");
    }
    for line in ["X:1", "UID:", "UID: ", "UID:a\\nb"] {
        assert_eq!(uid(line), None, "{line}");
    }
}

#[test]
fn untouched_lines_are_written_as_they_came() {
    for lines in [
        "X-EMPTY:",
        "X-SPACE: leading and trailing ",
        "X-COLON::a:b;c,d\\,\\;\\n",
        "SUMMARY;LANGUAGE=de:Straße 🗓",
        "ATTENDEE;CN=\"Needless\";ROLE=CHAIR:mailto:a@b.example",
        "ATTENDEE;cn=lower;X-A=1,2,\"3,4\":mailto:a@b.example",
        "ATTENDEE;CN=^^ ^n ^':x",
        "ATTENDEE;CN=^a ^:x",
        "ATTENDEE;CN=say \"hi\" now:x",
        "X-MANY;P=1,2,3,4,5,6,7,8,9,10,11,12,13:x",
        "X-NONE;P=;Q=\"\",:x",
        "X-OLD;RSVP;HOME:x",
        "BEGIN:vevent\nuid:1\nEND:vevent",
        "X-TAB:a\tb",
        "X_ODD.name/1:x",
        "X-CR:a\rb",
        "X:1\nBEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nEND:VALARM\nSUMMARY:late\nEND:VEVENT\nMETHOD:PUBLISH",
        "BEGIN:X-UNKNOWN\nX-BEFORE:1\nBEGIN:VAVAILABILITY\nEND:VAVAILABILITY\nEND:X-UNKNOWN",
    ] {
        kept(lines);
    }
}

#[test]
fn folds_and_line_ends_of_all_sorts_are_read() {
    for (text, value) in [
        ("X:a\r\n b\r\n  c", "ab c"),
        ("X:a\n\tb\n", "ab"),
        ("X:a \n b", "a b"),
        ("X:a\n \n b", "ab"),
        ("X\n :a", "a"),
        ("X:a\r\n\r\n", "a"),
    ] {
        let calendar = parse(&format!("BEGIN:VCALENDAR\n{text}\nEND:VCALENDAR")).unwrap();
        assert_eq!(calendar.root().value("X"), Some(value), "{text:?}");
    }
    let split = b"\xef\xbb\xbfBEGIN:VCALENDAR\nX:\xc3\n \xbc\nEND:VCALENDAR";
    let calendar = Calendar::parse(split, &Limits::default()).unwrap();
    assert_eq!(calendar.root().value("X"), Some("ü"));
}

#[test]
fn parameters_are_decoded() {
    let text = "BEGIN:VCALENDAR\nX;cn=\"a:b^n^'c^'\";P=1,\"2,3\":v\nEND:VCALENDAR";
    let property = parse(text).unwrap().root().get("x").cloned().unwrap();
    assert_eq!(property.param("CN"), Some("a:b\n\"c\""));
    assert_eq!(property.params[1].values, ["1", "2,3"]);
}

#[test]
fn what_was_changed_is_written_anew() {
    let text = "BEGIN:VCALENDAR\r\nX;CN=\"a\";P=\"b\":v\r\nEND:VCALENDAR\r\n";
    let mut calendar = parse(text).unwrap();
    let property = calendar.root_mut().get_mut("X").unwrap();
    property.set_param("CN", "new\nline, \"quoted\" ^");
    property.value = "two\r\nlines".into();
    let written = String::from_utf8(calendar.write()).unwrap();
    let line = "X;CN=\"new^nline, ^'quoted^' ^^\";P=b:two\\nlines\r\n";
    assert_eq!(
        written,
        format!("BEGIN:VCALENDAR\r\n{line}END:VCALENDAR\r\n")
    );
    let again = parse(&written).unwrap();
    let read = again.root().get("X").unwrap().param("CN");
    assert_eq!(read, Some("new\nline, \"quoted\" ^"));
}

#[test]
fn long_lines_are_folded_between_characters() {
    let mut calendar = Calendar::new();
    calendar
        .root_mut()
        .push(Property::new("X", "é🗓".repeat(60)));
    let written = String::from_utf8(calendar.write()).unwrap();
    assert!(written.lines().all(|line| line.len() <= 75));
    assert!(written.lines().count() > 5);
    assert_eq!(parse(&written).unwrap(), calendar);
}

#[test]
fn parse_errors_give_their_line() {
    for (text, line, words) in [
        ("", 1, "nothing"),
        ("\r\n\r\n", 2, "nothing"),
        ("BEGIN:VEVENT\nEND:VEVENT", 1, "not BEGIN:VEVENT"),
        ("SUMMARY:x", 1, "SUMMARY stands outside"),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VTODO",
            3,
            "END:VTODO does not match BEGIN:VEVENT",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n",
            2,
            "VEVENT is never ended",
        ),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR", 3, "END"),
        (
            "BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR",
            3,
            "another",
        ),
        (
            "BEGIN:VCALENDAR\nno colon here\nEND:VCALENDAR",
            2,
            "`no colon here`",
        ),
        (
            "BEGIN:VCALENDAR\n:x\nEND:VCALENDAR",
            2,
            "name of a property",
        ),
        (
            "BEGIN:VCALENDAR\nX;=a:x\nEND:VCALENDAR",
            2,
            "X: the name of a parameter",
        ),
        (
            "BEGIN:VCALENDAR\nX;CN=\"a:x\nEND:VCALENDAR",
            2,
            "never closed",
        ),
        (
            "BEGIN:VCALENDAR\nX;CN=\"a\"b:x\nEND:VCALENDAR",
            2,
            "after a quoted",
        ),
        (
            "BEGIN:VCALENDAR\nX;CN=a\nEND:VCALENDAR",
            2,
            "`:` is expected",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN;X=1:VEVENT\nEND:VCALENDAR",
            2,
            "without parameters",
        ),
        ("BEGIN:VCALENDAR\nX:1\n 2\n 3\nY\nEND:VCALENDAR", 5, "`Y`"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line(), line, "{text:?}: {error}");
        assert!(error.to_string().contains(words), "{text:?}: {error}");
        assert!(!error.is_limit());
    }
    let latin1 = b"BEGIN:VCALENDAR\nUID:1\nSUMMARY:\xfc\nEND:VCALENDAR";
    let error = Calendar::parse(latin1, &Limits::default()).unwrap_err();
    assert_eq!(
        (error.line(), error.to_string().as_str()),
        (3, "line 3: the line is not UTF-8")
    );
}

#[test]
fn limits_hold() {
    let text =
        "BEGIN:VCALENDAR\nX:1234567890\n 67890\nBEGIN:A\nBEGIN:B\nEND:B\nEND:A\nEND:VCALENDAR";
    let fine = Limits {
        bytes: text.len(),
        depth: 3,
        properties: 8,
        line_length: 17,
        ..Limits::default()
    };
    Calendar::parse(text.as_bytes(), &fine).unwrap();
    for (limits, line) in [
        (
            Limits {
                bytes: text.len() - 1,
                ..fine.clone()
            },
            1,
        ),
        (
            Limits {
                depth: 2,
                ..fine.clone()
            },
            5,
        ),
        (
            Limits {
                properties: 4,
                ..fine.clone()
            },
            6,
        ),
        (
            Limits {
                line_length: 16,
                ..fine.clone()
            },
            2,
        ),
    ] {
        let error = Calendar::parse(text.as_bytes(), &limits).unwrap_err();
        assert!(error.is_limit(), "{error}");
        assert_eq!(error.line(), line, "{error}");
    }
    let deep = "BEGIN:VCALENDAR\n".to_owned() + &"BEGIN:A\n".repeat(1000);
    let any = Limits {
        depth: usize::MAX,
        ..Limits::default()
    };
    assert!(
        Calendar::parse(deep.as_bytes(), &any)
            .unwrap_err()
            .is_limit()
    );
}

#[test]
fn a_file_becomes_an_object_for_each_uid() {
    let text = "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:PUBLISH
BEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE
BEGIN:VTIMEZONE\nTZID:B\nEND:VTIMEZONE
BEGIN:VEVENT\nUID:1\nDTSTART;TZID=A:20270104T100000\nEND:VEVENT
BEGIN:VTODO\nUID:2\nBEGIN:VALARM\nTRIGGER;TZID=B:20270104T100000\nEND:VALARM\nEND:VTODO
BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=A:20270104T100000\nEND:VEVENT
BEGIN:VEVENT\nSUMMARY:no uid\nEND:VEVENT
BEGIN:X-ODD\nEND:X-ODD\nEND:VCALENDAR";
    let shapes: Vec<Vec<String>> = parse(text)
        .unwrap()
        .split_by_uid()
        .iter()
        .map(|calendar| {
            assert_eq!(calendar.root().properties.len(), 1);
            let components = calendar.root().components.iter();
            components
                .map(|it| {
                    format!(
                        "{} {}",
                        it.name,
                        it.value("TZID").or(it.value("UID")).unwrap_or("-")
                    )
                })
                .collect()
        })
        .collect();
    assert_eq!(
        shapes,
        [
            vec!["VTIMEZONE A", "VEVENT 1", "VEVENT 1", "X-ODD -"],
            vec!["VTIMEZONE B", "VTODO 2"],
            vec!["VEVENT -"],
        ]
    );
}

#[test]
fn a_stream_may_hold_several_calendars() {
    let one = "BEGIN:VCALENDAR\nX:1\nEND:VCALENDAR\n\n";
    let all = Calendar::parse_all(one.repeat(3).as_bytes(), &Limits::default()).unwrap();
    assert_eq!(all.len(), 3);
    assert!(Calendar::parse_all(b"", &Limits::default()).is_err());
    let marked = format!("\u{feff}{one}").repeat(3);
    let marked = format!("\u{feff}{marked}");
    let all = Calendar::parse_all(marked.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(all.len(), 3);
}

/// Files that were joined, each with its byte order mark.
#[test]
fn a_mark_before_a_calendar_begins_it_also_where_the_last_one_has_no_end() {
    let event = |uid: u8| format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nEND:VEVENT\r\n");
    let stream = format!("\u{feff}{}\u{feff}{}END:VCALENDAR\r\n", event(1), event(2));
    let outline = Outline::of(stream.as_bytes(), &Limits::default()).unwrap();
    let places: Vec<_> = outline
        .pieces
        .iter()
        .map(|it| (it.calendar, it.uid.as_deref()))
        .collect();
    assert_eq!(places, [(0, Some("1")), (1, Some("2"))]);
    assert_eq!(outline.faults.len(), 1, "the first has no END");
    assert!(Calendar::parse(stream.as_bytes(), &Limits::default()).is_err());
}

#[test]
fn a_backslash_that_escapes_nothing_stands_for_itself() {
    for (value, text) in [
        ("a\\b", "a\\b"),
        ("a\\\\b", "a\\b"),
        ("\\:\\\"", "\\:\\\""),
        ("\\\\n", "\\n"),
        ("\\n\\N\\;\\,", "\n\n;,"),
        ("a\\", "a\\"),
        ("\\\\\\é", "\\\\é"),
        ("\\", "\\"),
    ] {
        assert_eq!(Property::new("UID", value).to_text(), text, "{value}");
        assert_eq!(Property::text("UID", text).to_text(), text);
    }
}

fn some_component() -> impl Strategy<Value = Component> {
    let param = (
        "[A-Za-z-]{1,8}",
        prop::collection::vec("[^\\x00-\\x09\\x0b-\\x1f\\x7f]{0,40}", 0..3),
    )
        .prop_map(|(name, values)| Param { name, values });
    let property = (
        "X-[A-Za-z0-9-]{1,10}",
        prop::collection::vec(param, 0..3),
        "[^\\x00-\\x1f]{0,200}",
    )
        .prop_map(|(name, params, value)| Property {
            params,
            ..Property::new(name, value)
        });
    let leaf =
        ("[A-Z-]{1,10}", prop::collection::vec(property, 0..5)).prop_map(|(name, properties)| {
            Component {
                properties,
                ..Component::new(name)
            }
        });
    leaf.prop_recursive(3, 20, 4, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..4)).prop_map(|(mut outer, components)| {
            outer.components = components;
            outer
        })
    })
}

proptest! {
    #[test]
    fn writing_and_reading_gives_the_same(components in prop::collection::vec(some_component(), 0..3)) {
        let mut calendar = Calendar::new();
        calendar.root_mut().components = components;
        let written = calendar.write();
        let again = Calendar::parse_stored(&written, &Limits::default()).unwrap();
        prop_assert_eq!(&again, &calendar);
        prop_assert_eq!(again.write(), written.clone());
        prop_assert!(written.split(|byte| *byte == b'\n').all(|line| line.len() <= 76));
    }

    #[test]
    fn any_line_that_is_read_is_written_as_it_came(line in "X[;:=,\"^na1 ]{0,30}") {
        let text = format!("BEGIN:VCALENDAR\r\n{line}\r\nEND:VCALENDAR\r\n");
        let calendar = Calendar::parse_stored(text.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(String::from_utf8(calendar.write()).unwrap(), text.as_str());
        if let Ok(calendar) = parse(&text) {
            prop_assert_eq!(String::from_utf8(calendar.write()).unwrap(), text);
        }
    }

    #[test]
    fn any_octets_in_a_line_that_is_stored_are_kept(
        start in prop_oneof![Just("SUMMARY:"), Just("SUMMARY;X-A="), Just("X")],
        octets in prop::collection::vec(any::<u8>().prop_filter("one line", |it| !b"\r\n".contains(it)), 0..300),
        cut in 0usize..300,
    ) {
        let line = [start.as_bytes(), &octets].concat();
        let folded = [&line[..cut.min(line.len())], b"\r\n ", &line[cut.min(line.len())..]].concat();
        let text = |line: &[u8]| [b"BEGIN:VCALENDAR\r\n", line, b"\r\nEND:VCALENDAR\r\n"].concat();
        for line in [&line, &folded] {
            if cut == 0 {
                continue;
            }
            let calendar = Calendar::parse_stored(&text(line), &Limits::default()).unwrap();
            let written = calendar.write();
            prop_assert!(written.split(|byte| *byte == b'\n').all(|line| line.len() <= 76));
            let again = Calendar::parse_stored(&written, &Limits::default()).unwrap();
            prop_assert_eq!(&again, &calendar);
            let mut unfolded = written;
            while let Some(at) = unfolded.windows(3).position(|it| it == b"\r\n ") {
                unfolded.drain(at..at + 3);
            }
            prop_assert_eq!(unfolded, text(&[start.as_bytes(), &octets].concat()));
        }
    }

    #[test]
    fn reading_any_octets_terminates(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Calendar::parse(&octets, &Limits::default());
        let _ = Calendar::parse_stored(&octets, &Limits::default());
    }
}
