//! Time zones of calendars that come in and go out.

use crate::desk::{Desk, event};

const IMPORT: [&str; 4] = ["calendar", "import", "--user", "anna@example.org"];
const EXPORT: [&str; 4] = ["calendar", "export", "--user", "anna@example.org"];

/// A zone of a name of its own, ahead of UTC by so much.
fn zone(name: &str, offset: &str) -> String {
    format!(
        "BEGIN:VTIMEZONE\nTZID:{name}\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:{offset}\n\
         TZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
}

/// The line that tells when an object begins.
fn start_of(desk: &Desk, uid: &str) -> String {
    let list = desk.run(&[&EXPORT[..], &["--uid", uid]].concat()).out;
    let line = list
        .lines()
        .find(|line| line.starts_with("DTSTART;"))
        .unwrap();
    line.to_owned()
}

#[test]
fn zones_of_one_name_are_told_apart() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let object = |uid: &str, offset: &str| {
        let lines = "DTSTART;TZID=Customized Time Zone:20270104T100000\nDURATION:PT1H\n";
        let zone = zone("Customized Time Zone", offset);
        event(uid, lines).replace("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"))
    };
    let all = [
        object("berlin", "+0100"),
        object("boston", "-0500"),
        object("bern", "+0100"),
    ]
    .concat();
    assert_eq!(desk.pipe(&IMPORT, &all).status, 0);
    let exported = desk.run(&EXPORT).out;
    let zones: Vec<&str> = exported
        .lines()
        .filter(|line| line.starts_with("TZID:"))
        .collect();
    assert_eq!(
        zones,
        ["TZID:Customized Time Zone", "TZID:Customized Time Zone 2"]
    );

    let again = Desk::with_users(&["anna@example.org"]);
    assert_eq!(again.pipe(&IMPORT, &exported).status, 0);
    for (uid, offset) in [("berlin", "+0100"), ("boston", "-0500"), ("bern", "+0100")] {
        let stored = again.run(&[&EXPORT[..], &["--uid", uid]].concat()).out;
        let offsets: Vec<&str> = stored
            .lines()
            .filter_map(|line| line.strip_prefix("TZOFFSETTO:"))
            .collect();
        assert_eq!(offsets, [offset], "{stored}");
        let id = start_of(&again, uid);
        let name = stored
            .lines()
            .find_map(|line| line.strip_prefix("TZID:"))
            .unwrap();
        assert_eq!(id, format!("DTSTART;TZID={name}:20270104T100000"));
    }
    assert_eq!(again.run(&EXPORT).out, exported);
}

#[test]
fn a_zone_is_found_by_the_text_of_its_name() {
    for (tzid, param) in [
        ("Office\\, north", "\"Office, north\""),
        ("Office\\; north", "\"Office; north\""),
        ("OFFICE", "Office"),
        (" Office", "Office"),
        ("Office", "Another name"),
    ] {
        let desk = Desk::with_users(&["anna@example.org"]);
        let lines = format!("DTSTART;TZID={param}:20270104T100000\nDURATION:PT1H\n");
        let object = event("1", &lines);
        let object = object.replace(
            "BEGIN:VEVENT",
            &format!("{}BEGIN:VEVENT", zone(tzid, "+0130")),
        );
        let said = desk.pipe(&IMPORT, &object);
        assert_eq!((said.status, &*said.err), (0, ""), "{tzid}");
        let stored = desk.run(&[&EXPORT[..], &["--uid", "1"]].concat()).out;
        assert!(stored.contains(&format!("TZID:{tzid}\r\n")), "{stored}");
    }
}

#[test]
fn a_zone_that_nobody_knows_is_kept_and_said() {
    let desk = Desk::with_users(&["anna@example.org"]);
    let object = |uid: &str, zone: &str| {
        event(
            uid,
            &format!("DTSTART;TZID={zone}:20270104T100000\nDURATION:PT1H\n"),
        )
    };
    let all = [
        object("1", "\"Office, north\""),
        object("2", "\"Office, north\""),
        object("3", "Harbour"),
        object("4", "Europe/Berlin"),
        object("5", "W. Europe Standard Time"),
    ];
    let said = desk.pipe(&IMPORT, &all.concat());
    assert_eq!(said.status, 0, "{said:?}");
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 2, "{said:?}");
    assert!(
        lines[0].contains("`Harbour`") && lines[1].contains("`Office, north`"),
        "{said:?}"
    );
    assert_eq!(
        start_of(&desk, "1"),
        "DTSTART;TZID=\"Office, north\":20270104T100000"
    );
    let exported = desk.run(&EXPORT).out;
    assert!(
        exported.contains("DTSTART;TZID=\"Office, north\":20270104T100000"),
        "{exported}"
    );
}
