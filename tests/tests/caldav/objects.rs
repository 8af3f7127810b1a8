use super::{ANNA, Ask, CALENDAR, event, example_org, multistatus, precondition, store};
use convoke_tests::{Answer, Host, Post};

fn put(host: &Host, name: &str, data: &str, condition: (&str, &str)) -> Answer {
    Ask::new(&format!("PUT {CALENDAR}{name}"))
        .with("Content-Type", "text/calendar; charset=utf-8")
        .with(condition.0, condition.1)
        .body(data)
        .of(host)
}

#[test]
fn an_object_is_stored_read_changed_and_removed_under_its_conditions() {
    let host = example_org().start();
    let path = format!("{CALENDAR}1.ics");
    let made = put(&host, "1.ics", &event("1", "Tea"), ("If-None-Match", "*"));
    assert_eq!(made.status, 201, "{made:?}");
    let first = made.header("etag").unwrap();
    assert!(host.stored(ANNA, "1").unwrap().contains("SUMMARY:Tea"));
    let again = put(&host, "1.ics", &event("1", "x"), ("If-None-Match", "*"));
    assert_eq!(again.status, 412);

    let read = Ask::new(&format!("GET {path}")).of(&host);
    assert_eq!((read.status, &read.body), (200, &event("1", "Tea")));
    assert_eq!(read.header("etag").as_ref(), Some(&first));
    let same = Ask::new(&format!("GET {path}")).with("If-None-Match", &first);
    assert_eq!(same.of(&host).status, 304);

    let changed = put(&host, "1.ics", &event("1", "Coffee"), ("If-Match", &first));
    assert_eq!(changed.status, 204);
    let second = changed.header("etag").unwrap();
    assert_ne!(first, second);
    let late = put(&host, "1.ics", &event("1", "Late"), ("If-Match", &first));
    assert_eq!(late.status, 412);
    let late = Ask::new(&format!("DELETE {path}")).with("If-Match", &first);
    assert_eq!(late.of(&host).status, 412);
    assert!(host.stored(ANNA, "1").unwrap().contains("Coffee"));

    // The same octets again change nothing.
    assert_eq!(store(&host, "1.ics", &event("1", "Coffee")), second);
    let gone = Ask::new(&format!("DELETE {path}")).with("If-Match", &second);
    assert_eq!(gone.of(&host).status, 204);
    assert_eq!(host.stored(ANNA, "1"), None);
    for line in [format!("GET {path}"), format!("DELETE {path}")] {
        assert_eq!(Ask::new(&line).of(&host).status, 404, "{line}");
    }
}

/// A name is the program's own choice; a UID has one.
#[test]
fn an_object_keeps_the_name_that_its_program_gave_it() {
    let host = example_org().start();
    store(&host, "a%20name", &event("1@x", "Tea"));
    let read = Ask::new(&format!("GET {CALENDAR}a%20name")).of(&host);
    assert_eq!(read.body, event("1@x", "Tea"));
    let other = put(&host, "1@x.ics", &event("1@x", "Tea"), ("X-Test", "1"));
    assert_eq!(other.status, 403);
    assert_eq!(precondition(&other), "no-uid-conflict");
    assert!(other.body.contains("/calendar/a%20name"), "{other:?}");
    let other = put(&host, "a%20name", &event("2", "Tea"), ("X-Test", "1"));
    assert_eq!(precondition(&other), "no-uid-conflict");
    assert_eq!(host.stored(ANNA, "2"), None);
}

/// Every object that the calendar lists, by its path.
fn listed(host: &Host) -> Vec<(String, String)> {
    let all = Ask::new(&format!("PROPFIND {CALENDAR}"))
        .with("Depth", "1")
        .body("<propfind xmlns='DAV:'><prop><getetag/></prop></propfind>")
        .of(host);
    let all = multistatus(&all);
    let objects = all.hrefs().into_iter().filter(|it| *it != CALENDAR);
    let read = objects.map(|href| {
        let read = Ask::new(&format!("GET {href}")).of(host);
        assert_eq!(read.status, 200, "{href}");
        let uid = read.body.split("UID:").nth(1).expect("it has a UID");
        let uid = uid.split("\r\n").next().expect("a line ends");
        (href.to_owned(), uid.to_owned())
    });
    read.collect()
}

/// Who invites chooses the UID; a program chooses the name.
#[test]
fn a_name_means_one_object_whoever_chose_it() {
    let host = example_org().start();
    store(&host, "x.ics", &event("y", "Tea"));
    for uid in ["x", "../a?b#c", "z"] {
        let invited = host.post(&Post::invitation(uid, "eve@example.com", &[ANNA]));
        assert_eq!(invited.codes(), ["2.0"]);
    }
    let all = listed(&host);
    let mut uids: Vec<&str> = all.iter().map(|(_, uid)| uid.as_str()).collect();
    uids.sort_unstable();
    assert_eq!(uids, ["../a?b#c", "x", "y", "z"]);
    let path_of = |wanted: &str| {
        let found = all.iter().find(|(_, uid)| uid == wanted);
        found.map(|(href, _)| href.as_str())
    };
    assert_eq!(path_of("y"), Some(&*format!("{CALENDAR}x.ics")));
    assert_eq!(path_of("z"), Some(&*format!("{CALENDAR}z.ics")));
    assert_eq!(listed(&host), all, "names stay");

    // What is free again may be taken by another object.
    let gone = Ask::new(&format!("DELETE {CALENDAR}x.ics")).of(&host);
    assert_eq!(gone.status, 204);
    store(&host, "x.ics", &event("w", "Tea"));
    let read = Ask::new(&format!("GET {CALENDAR}x.ics")).of(&host);
    assert_eq!(read.body, event("w", "Tea"));
    let x = path_of("x").unwrap();
    assert!(
        Ask::new(&format!("GET {x}"))
            .of(&host)
            .body
            .contains("UID:x\r\n")
    );
    // Under another name than before.
    store(&host, "other.ics", &event("y", "Tea"));
    let all = listed(&host);
    assert_eq!(all.len(), 5, "{all:?}");
    assert!(all.contains(&(format!("{CALENDAR}other.ics"), "y".to_owned())));
}

#[test]
fn what_is_no_object_of_a_calendar_is_refused_by_name() {
    let host = example_org().start();
    let two = event("1", "a").replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nUID:2\r\nEND:VEVENT\r\nEND:VCALENDAR",
    );
    let method = event("1", "a").replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST");
    let journal = event("1", "a").replace("VEVENT", "VJOURNAL");
    let long = event("1", &"x".repeat(2 << 20));
    for (data, expected) in [
        ("no calendar", "valid-calendar-data"),
        (
            "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
            "valid-calendar-object-resource",
        ),
        (&two, "valid-calendar-object-resource"),
        (&method, "valid-calendar-object-resource"),
        (&journal, "supported-calendar-component"),
        (&long, "max-resource-size"),
    ] {
        let answer = put(&host, "1.ics", data, ("X-Test", "1"));
        assert_eq!(precondition(&answer), expected, "{answer:?}");
    }
    let card = Ask::new(&format!("PUT {CALENDAR}1.ics"))
        .with("Content-Type", "text/vcard")
        .body("x");
    assert_eq!(precondition(&card.of(&host)), "supported-calendar-data");
    assert_eq!(host.stored(ANNA, "1"), None);
}
