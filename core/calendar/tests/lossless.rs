//! What is read is written as it came: line for line, held against an unfolding of its own.

use convoke_calendar::{
    stream::Objects,
    tree::{Calendar, Limits},
};
use proptest::prelude::*;
use std::{fs, path::Path};

/// The content lines of a stream, folds undone as RFC 5545 §3.1 says; empty lines are none.
fn unfolded(octets: &[u8]) -> Vec<Vec<u8>> {
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in octets.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line, lines.last_mut()) {
            ([b' ' | b'\t', more @ ..], Some(last)) => last.extend_from_slice(more),
            ([], _) => {}
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

fn text(lines: &[Vec<u8>]) -> String {
    let lines = lines
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_kept(octets: &[u8], what: &str) {
    let calendars = Calendar::parse_all(octets, &Limits::default());
    let calendars = calendars.unwrap_or_else(|error| panic!("{what}: {error}"));
    let written: Vec<u8> = calendars.iter().flat_map(Calendar::write).collect();
    assert_eq!(text(&unfolded(&written)), text(&unfolded(octets)), "{what}");
    let lines = written.split_inclusive(|octet| *octet == b'\n');
    assert!(
        lines
            .clone()
            .all(|line| line.len() <= 77 && line.ends_with(b"\r\n")),
        "{what}"
    );
    let again = Calendar::parse_all(&written, &Limits::default());
    assert_eq!(again.as_ref(), Ok(&calendars), "{what}");
}

/// Calendars that programs wrote: see the README there.
#[test]
fn calendars_of_other_programs_are_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calendars");
    let mut found = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ics") {
            assert_kept(&fs::read(&path).unwrap(), &path.display().to_string());
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn a_large_stream_splits_one_by_one_as_it_does_at_once() {
    let text = "\u{feff}\r\nBEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:PUBLISH\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=A:20270104T100000\nEND:VEVENT
BEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\nBEGIN:VTIMEZONE\nTZID:B\nEND:VTIMEZONE\nBEGIN:X-ODD\nX:1\nEND:X-ODD
BEGIN:VTODO\nUID:2\nDUE;TZID=B:20270104T100000\nSUM\n MARY:folded\nBEGIN:VALARM\nEND:VALARM\nEND:VTODO
BEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=A:20270104T100000\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:no uid\nEND:VEVENT
END:VCALENDAR\n\nBEGIN:VCALENDAR\nPRODID:other\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR";
    let limits = Limits::default();
    let whole = Calendar::parse_all(text.as_bytes(), &limits).unwrap();
    let expected: Vec<_> = whole.into_iter().flat_map(Calendar::split_by_uid).collect();
    let objects = Objects::read(text.as_bytes(), &limits).unwrap();
    assert_eq!(objects.len(), 4);
    assert_eq!(objects.collect::<Vec<_>>(), expected);

    let error = Objects::read(b"\nBEGIN:VCALENDAR\nX", &limits).unwrap_err();
    assert_eq!(error.line(), 2);
}

/// Lines as programs write them, the ones that RFC 5545 has and the ones that it has not.
fn some_line() -> impl Strategy<Value = String> + Clone {
    let unquoted = "[^\\x00-\\x08\\x0a-\\x1f\\x7f\",:;]{0,30}";
    let quoted = "\"[^\\x00-\\x08\\x0a-\\x1f\\x7f\"]{0,30}\"";
    let value = prop_oneof![unquoted, quoted, "[a-z]{1,9}\\^[n'^x]"];
    let values = prop::collection::vec(value, 0..4);
    let param = ("[A-Za-z-]{1,8}", values).prop_map(|(name, values)| match values.as_slice() {
        [] => format!(";{name}"),
        values => format!(";{name}={}", values.join(",")),
    });
    let params = prop::collection::vec(param, 0..4);
    (
        "X-[A-Za-z0-9-]{0,12}",
        params,
        "[^\\x00-\\x08\\x0a-\\x1f]{0,120}[ \\t]{0,2}",
    )
        .prop_map(|(name, params, value)| format!("{name}{}:{value}", params.concat()))
}

/// A calendar of nested components with lines before, between and behind them.
fn some_calendar() -> impl Strategy<Value = Vec<String>> {
    let lines = prop::collection::vec(some_line(), 0..4);
    let leaf = ("V(EVENT|TODO|ALARM)|vevent|X-[A-Z]{1,5}", lines.clone())
        .prop_map(|(name, lines)| framed(&name, lines));
    let nested = leaf.prop_recursive(3, 24, 3, move |inner| {
        let part = prop_oneof![inner, lines.clone()];
        ("X-[A-Z]{1,5}", prop::collection::vec(part, 0..4))
            .prop_map(|(name, parts)| framed(&name, parts.concat()))
    });
    prop::collection::vec(nested, 0..3).prop_map(|parts| framed("VCALENDAR", parts.concat()))
}

fn framed(name: &str, lines: Vec<String>) -> Vec<String> {
    let (begin, end) = (format!("BEGIN:{name}"), format!("END:{name}"));
    [begin].into_iter().chain(lines).chain([end]).collect()
}

/// The lines as octets: ended and folded by chance, also inside of characters.
fn folded(lines: &[String], widths: &[usize], crlf: bool, tab: bool) -> Vec<u8> {
    let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let mut octets = Vec::new();
    let mut widths = widths.iter().cycle();
    for line in lines {
        let mut rest = line.as_bytes();
        while let Some(&width) = widths.next()
            && rest.len() > width
        {
            octets.extend_from_slice(&rest[..width]);
            octets.extend_from_slice(end);
            octets.push(if tab { b'\t' } else { b' ' });
            rest = &rest[width..];
        }
        octets.extend_from_slice(rest);
        octets.extend_from_slice(end);
    }
    octets
}

proptest! {
    #[test]
    fn whatever_was_folded_in_any_way_is_kept(
        lines in some_calendar(), widths in prop::collection::vec(1usize..90, 1..8),
        crlf: bool, tab: bool, mark: bool,
    ) {
        let mut octets = if mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
        octets.extend(folded(&lines, &widths, crlf, tab));
        assert_kept(&octets, &lines.join("\n"));
    }

    #[test]
    fn objects_one_by_one_are_those_of_the_whole(lines in some_calendar(), widths in prop::collection::vec(1usize..90, 1..8)) {
        let octets = folded(&lines, &widths, true, false);
        let limits = Limits::default();
        let whole = Calendar::parse_stored(&octets, &limits).unwrap();
        let objects: Vec<_> = Objects::read(&octets, &limits).unwrap().collect();
        prop_assert_eq!(objects, whole.split_by_uid());
    }
}
