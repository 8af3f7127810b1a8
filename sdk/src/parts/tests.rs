use super::Parts;

const ZONE: &str =
    "BEGIN:VTIMEZONE\r\nTZID:Here\\, now\r\nBEGIN:STANDARD\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
const OTHER_ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:There\r\nEND:VTIMEZONE\r\n";
const ANNA: &str = "BEGIN:VEVENT\r\nDTSTART;TZID=\"Here, now\":1\r\nUID:a\r\nBEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\n";
const ANNA_MOVED: &str = "BEGIN:VEVENT\nUID: a \nRECURRENCE-ID:1\nSUMMARY:f\n olded\nEND:VEVENT\n";
const BO: &str = "begin:vtodo\r\nuid;X=\":\":b\\,\\;c\r\nSUMMARY:\u{e9}\r\nend:vtodo\r\n";
const NOBODY: &str = "BEGIN:VEVENT\r\nSUMMARY:no UID\r\nEND:VEVENT\r\n";

fn calendar(parts: &[&str]) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nX-A:1\r\n{}END:VCALENDAR\r\n",
        parts.concat()
    )
}

#[test]
fn each_object_is_a_calendar_with_its_zones() {
    let file = calendar(&[ZONE, OTHER_ZONE, ANNA, BO, NOBODY, ANNA_MOVED]);
    let parts = Parts::of(file.as_bytes()).unwrap();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["a", "b,;c"]);
    let object = |key| String::from_utf8(parts.object(key).unwrap()).unwrap();
    assert_eq!(object("a"), calendar(&[ZONE, ANNA, ANNA_MOVED]));
    assert_eq!(object("b,;c"), calendar(&[BO]));
    assert!(parts.object("c").is_none());
}

#[test]
fn a_backslash_that_escapes_nothing_stands_for_itself() {
    let file = calendar(
        &["a\\b", "a\\\\b", "ab", "a\\;b", "a\\nb\\"]
            .map(event)
            .each_ref()
            .map(String::as_str),
    );
    let parts = Parts::of(file.as_bytes()).unwrap();
    assert_eq!(
        parts.keys().collect::<Vec<_>>(),
        ["a\\b", "ab", "a;b", "a\nb\\"]
    );
}

#[test]
fn the_rest_of_the_file_stays_as_it_is() {
    let file = calendar(&[ZONE, ANNA, BO, NOBODY, ANNA_MOVED]);
    let parts = Parts::of(file.as_bytes()).unwrap();
    let text = |octets: Option<Vec<u8>>| octets.map(|octets| String::from_utf8(octets).unwrap());
    assert_eq!(
        text(parts.without("a")),
        Some(calendar(&[ZONE, BO, NOBODY]))
    );
    let new = "BEGIN:VEVENT\r\nUID:a\r\nSUMMARY:new\r\nEND:VEVENT\r\n";
    let changed = parts.with("a", calendar(&[new]).as_bytes());
    assert_eq!(text(changed), Some(calendar(&[ZONE, new, BO, NOBODY])));
    let folded = ZONE.replace("Here", "He\r\n re");
    let changed = parts.with("b,;c", calendar(&[OTHER_ZONE, &folded, new]).as_bytes());
    assert_eq!(
        text(changed),
        Some(calendar(&[ZONE, ANNA, OTHER_ZONE, new, NOBODY, ANNA_MOVED]))
    );
    let clash = OTHER_ZONE.replace("There", "Here\\, now");
    assert_eq!(parts.with("a", calendar(&[&clash, new]).as_bytes()), None);
    let one = calendar(&[BO, NOBODY]);
    assert!(Parts::of(one.as_bytes()).is_none());
}

#[test]
fn a_stream_of_calendars_is_a_file_of_several_objects() {
    let file = [
        calendar(&[ZONE, ANNA]),
        calendar(&[BO]),
        calendar(&[ANNA_MOVED]),
    ]
    .concat();
    let parts = Parts::of(file.as_bytes()).unwrap();
    let text = |octets: Option<Vec<u8>>| octets.map(|octets| String::from_utf8(octets).unwrap());
    assert_eq!(
        text(parts.object("a")),
        Some(calendar(&[ZONE, ANNA, ANNA_MOVED]))
    );
    assert_eq!(text(parts.without("a")), Some(calendar(&[BO])));
    let new = calendar(&[ANNA]);
    assert_eq!(
        text(parts.with("a", new.as_bytes())),
        Some([calendar(&[ZONE, ANNA]), calendar(&[BO])].concat())
    );
    let same = calendar(&[ANNA]).repeat(2);
    let parts = Parts::of(same.as_bytes()).unwrap();
    assert_eq!(parts.keys().len(), 1);
    assert_eq!(parts.without("a"), None);
}

/// An event of the UID that begins and ends as it should.
fn event(uid: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:{uid}\r\nEND:VEVENT\r\n")
}

/// What is wrong with a file, and what can be taken from it all the same.
fn read(file: &str) -> (Vec<String>, Vec<(usize, Option<String>)>) {
    let parts = Parts::read(file.as_bytes());
    let keys = parts.keys().map(str::to_owned).collect();
    let broken = parts.broken().iter();
    let broken = broken.map(|it| (it.line(), it.uid().map(str::to_owned)));
    (keys, broken.collect())
}

#[test]
fn what_is_broken_costs_itself_alone() {
    let [a, b] = ["a", "b"].map(event);
    let x = "BEGIN:VEVENT\r\nUID:x\r\n";
    let alarm = "BEGIN:VALARM\r\nEND:VALARM\r\n";
    let of = |uid: &str| Some(uid.to_owned());
    for (file, keys, broken) in [
        // An END is missing.
        (calendar(&[&a, x, &b]), "a b", vec![(6, of("x"))]),
        (calendar(&[&a, &b, x]), "a b", vec![(9, of("x"))]),
        (calendar(&[x, ZONE, &a]), "a", vec![(3, of("x"))]),
        (calendar(&["BEGIN:X-A\r\n", &a, &b]), "a b", vec![(3, None)]),
        (
            calendar(&[&a, x, "BEGIN:VALARM\r\nEND:VEVENT\r\n", &b]),
            "a b",
            vec![(9, of("x"))],
        ),
        // A BEGIN is missing.
        (
            calendar(&[&a, "UID:x\r\nSUMMARY:s\r\nEND:VEVENT\r\n", &b]),
            "a b",
            vec![(8, of("x"))],
        ),
        (
            calendar(&[&a, x, "END:VALARM\r\nEND:VEVENT\r\n", &b]),
            "a b",
            vec![(8, of("x"))],
        ),
        // It is cut off, or other things stand around it.
        (
            format!("BEGIN:VCALENDAR\r\n{a}{b}BEGIN:VEVENT\r\nUID:x\r\nDTSTA"),
            "a b",
            vec![(8, of("x")), (1, None)],
        ),
        (format!("BEGIN:VCALENDAR\r\n{a}"), "a", vec![(1, None)]),
        (
            format!("BEGIN:VCALENDAR\r\n{a}{}", calendar(&[&b])),
            "a b",
            vec![(1, None)],
        ),
        (
            format!("{}\0\0\0\r\n\r\nmore\r\n", calendar(&[&a])),
            "a",
            vec![(7, None)],
        ),
        (
            format!("{}{x}END:VEVENT\r\n{}", calendar(&[&a]), calendar(&[&b])),
            "a b",
            vec![(7, of("x"))],
        ),
        (
            format!("{}UID:x\r\nEND:VEVENT\r\n", calendar(&[&a])),
            "a",
            vec![(7, of("x"))],
        ),
        (
            format!("END:VCALENDAR\r\n{}", calendar(&[&a])),
            "a",
            vec![(1, None)],
        ),
        // A component in another one is what it says as long as all of them are ended.
        (calendar(&[x, &a, "END:VEVENT\r\n", &b]), "x b", vec![]),
        (calendar(&[&a, alarm, &b]), "a b", vec![]),
        ("hello".to_owned(), "", vec![(1, None)]),
        (String::new(), "", vec![]),
    ] {
        let keys: Vec<String> = keys.split_whitespace().map(str::to_owned).collect();
        assert_eq!(read(&file), (keys, broken), "{file}");
    }
}

#[test]
fn what_is_broken_stays_as_it_is() {
    let [a, b] = ["a", "b"].map(event);
    let new = a.replace("END", "SUMMARY:new\r\nEND");
    let text = |octets: Option<Vec<u8>>| octets.map(|octets| String::from_utf8(octets).unwrap());
    let x = "BEGIN:VEVENT\r\nUID:x\r\n";
    for file in [
        calendar(&[&a, x, &b]),
        calendar(&[x, &a, &b]),
        calendar(&["BEGIN:X-A\r\n", &a, ZONE, &b]),
        format!("BEGIN:VCALENDAR\r\nX-A:1\r\n{a}{b}{x}DTST"),
        format!("BEGIN:VCALENDAR\r\nX-A:1\r\n{a}{b}"),
        format!("\u{feff}{}\u{feff}{}", calendar(&[&a]), calendar(&[&b])),
        format!("{}\0 \r\n", calendar(&[&a, &b])),
    ] {
        let parts = Parts::of(file.as_bytes()).unwrap();
        assert_eq!(text(parts.object("a")), Some(calendar(&[&a])), "{file}");
        let changed = text(parts.with("a", calendar(&[&new]).as_bytes()));
        assert_eq!(changed, Some(file.replace(&a, &new)), "{file}");
        let rest = text(parts.without("a")).unwrap();
        let expected = file.replace(&calendar(&[&a]), "").replace(&a, "");
        let expected = expected.replace("\u{feff}\u{feff}", "\u{feff}");
        assert_eq!(rest, expected, "{file}");
    }
    // What an unended component would take in cannot stand behind it.
    let file = calendar(&[x, &a]);
    let parts = Parts::of(file.as_bytes()).unwrap();
    let private = calendar(&["BEGIN:X-B\r\nEND:X-B\r\n", &new]);
    assert_eq!(parts.with("a", private.as_bytes()), None);
    // Where nothing is left but lines of a calendar, nothing is left.
    let file = format!("BEGIN:VCALENDAR\r\nX-A:1\r\n{a}");
    let parts = Parts::of(file.as_bytes()).unwrap();
    assert_eq!(parts.without("a"), None);
    let more = format!("{}more", calendar(&[&a]));
    let parts = Parts::of(more.as_bytes()).unwrap();
    assert_eq!(text(parts.without("a")).as_deref(), Some("more"));
}

#[test]
fn what_belongs_to_no_object_is_told_once() {
    for more in [
        "END:VEVENT\r\n",
        "BEGIN:VEVENT\r\n",
        "SUMMARY:s\r\nEND:X\r\n",
    ] {
        let (keys, broken) = read(&calendar(&[&event("a"), &more.repeat(1000), &event("b")]));
        assert_eq!((keys.len(), broken.len()), (2, 1), "{more}");
    }
}

#[test]
fn deep_nesting_takes_no_longer_than_its_length() {
    let file = calendar(&[
        &event("a"),
        "BEGIN:VEVENT\r\nUID:x\r\n",
        &"BEGIN:X\r\n".repeat(200_000),
        &"END:Y\r\n".repeat(200_000),
        &event("b"),
    ]);
    let (keys, broken) = read(&file);
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(broken, [(71, Some("x".to_owned()))]);
}
