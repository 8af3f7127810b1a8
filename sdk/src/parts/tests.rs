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

#[test]
fn what_has_no_order_is_left_alone() {
    for text in [
        "",
        "hello",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nEND:VTODO\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nBEGIN:VEVENT\nUID:2\nEND:VEVENT",
        "END:VCALENDAR",
        "BEGIN:VEVENT\nUID:1\nEND:VEVENT\nBEGIN:VEVENT\nUID:2\nEND:VEVENT",
    ] {
        assert!(Parts::of(text.as_bytes()).is_none(), "{text}");
    }
}
