//! What people send who mean no good: each gets an answer, and nothing else suffers.

use super::{ANNA, Ask, CALENDAR, event, example_org, precondition, store};

#[test]
fn fields_that_two_readers_could_read_differently_are_refused() {
    let host = example_org().start();
    let line = format!("PUT {CALENDAR}1.ics");
    let data = event("1", "Tea");
    let put = || Ask::new(&line).body(&data);
    for (one, other) in [
        ("Origin", "https://localhost"),
        ("Authorization", "Basic x"),
        ("Content-Type", "text/calendar"),
        ("If-Schedule-Tag-Match", "\"1\""),
        ("Destination", "/x"),
    ] {
        // The Authorization of the helper is the first of two.
        let twice = put().with(one, other);
        let twice = if one == "Authorization" {
            twice
        } else {
            twice.with(one, other)
        };
        assert_eq!(twice.of(&host).status, 400, "{one}");
    }
    assert_eq!(
        put().with("Content-Range", "bytes 0-9/99").of(&host).status,
        400
    );
    let zipped = put().with("Content-Encoding", "gzip").of(&host);
    assert_eq!(zipped.status, 415);
    assert_eq!(
        zipped.header("accept-encoding").as_deref(),
        Some("identity")
    );
    assert_eq!(host.stored(ANNA, "1"), None);
    assert_eq!(
        put().with("Content-Encoding", "identity").of(&host).status,
        201
    );
}

/// Whoever is told to come back later comes back.
#[test]
fn what_cannot_be_read_is_refused_for_good() {
    let host = example_org().start();
    let whole = event("1", "Tea");
    let zone = |changes: usize| {
        let change = "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nRRULE:FREQ=SECONDLY\r\n\
            TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n";
        let changes = change.repeat(changes);
        let zone = format!("BEGIN:VTIMEZONE\r\nTZID:Z\r\n{changes}END:VTIMEZONE\r\nBEGIN:VEVENT");
        whole
            .replace("BEGIN:VEVENT", &zone)
            .replace("DTSTART:20270104T100000Z", "DTSTART;TZID=Z:20270104T100000")
            .replace("DTEND:20270104T110000Z", "DTEND;TZID=Z:20270104T110000")
    };
    let longest = "DURATION:P99999999999999W";
    for data in [whole.replace("DTEND:20270104T110000Z", longest), zone(2000)] {
        let answer = Ask::new(&format!("PUT {CALENDAR}1.ics"))
            .body(&data)
            .of(&host);
        assert_eq!(precondition(&answer), "valid-calendar-data", "{answer:?}");
    }
    assert_eq!(host.stored(ANNA, "1"), None);
}

#[test]
fn what_others_wrote_is_no_page() {
    let host = example_org().start();
    store(&host, "1.ics", &event("1", "<script>alert(1)</script>"));
    let got = Ask::new(&format!("GET {CALENDAR}1.ics")).of(&host);
    let sniffing = got.header("x-content-type-options");
    assert_eq!(sniffing.as_deref(), Some("nosniff"));
}
