use super::{ANNA, Ask, CALENDAR, example_org, multistatus, precondition};
use convoke_caldav::xml::CALDAV;
use convoke_tests::{Answer, Host, Post, program};
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

const EVE: &str = "eve@example.com";
const INBOX: &str = "/calendars/anna@example.org/inbox/";

/// The paths of Anna's messages once there are so many: they are written a moment later.
fn messages(host: &Host, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let listed = Ask::new(&format!("PROPFIND {INBOX}")).with("Depth", "1");
        let listed = multistatus(&listed.of(host));
        let paths: Vec<String> = (listed.hrefs().into_iter())
            .filter(|it| *it != INBOX)
            .map(str::to_owned)
            .collect();
        if paths.len() == count {
            return paths;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{paths:?}");
        thread::yield_now();
    }
}

fn get(host: &Host, path: &str) -> Answer {
    Ask::new(&format!("GET {path}")).of(host)
}

fn ctag(host: &Host) -> String {
    let body = "<propfind xmlns='DAV:'><prop><getctag xmlns='http://calendarserver.org/ns/'/></prop></propfind>";
    let asked = Ask::new(&format!("PROPFIND {INBOX}"))
        .with("Depth", "0")
        .body(body);
    let told = multistatus(&asked.of(host));
    told.property("http://calendarserver.org/ns/", "getctag")
        .text
        .clone()
}

/// What waits for Anna to decide.
fn waiting(host: &Host) -> String {
    let listed = Command::new(program())
        .args([
            "inbox",
            "list",
            "--user",
            ANNA,
            "--config",
            "convoke.toml",
            "--json",
        ])
        .current_dir(host.folder())
        .output()
        .expect("the program runs");
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout)
        .expect("JSON is text")
        .trim()
        .to_owned()
}

#[test]
fn messages_are_there_as_they_came_until_they_are_removed() {
    let host = example_org().start();
    assert!(messages(&host, 0).is_empty());
    let empty = ctag(&host);
    let invitation = Post::invitation("1", EVE, &[ANNA]);
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    let paths = messages(&host, 1);
    let read = get(&host, &paths[0]);
    assert_eq!(read.body.as_bytes(), invitation.body());
    let tag = read.header("etag").unwrap();
    let same = Ask::new(&format!("GET {}", paths[0])).with("If-None-Match", &tag);
    assert_eq!(same.of(&host).status, 304);
    assert_ne!(ctag(&host), empty);

    // The next version takes its place, and what is about something else does not.
    let other = Post::invitation("1", EVE, &[ANNA]).edited("SEQUENCE:0", "SEQUENCE:2");
    assert_eq!(host.post(&other).codes(), ["2.0"]);
    assert_eq!(
        host.post(&Post::invitation("2", EVE, &[ANNA])).codes(),
        ["2.0"]
    );
    let paths = messages(&host, 2);
    let report = |name: &str, inner: &str| {
        let body = format!("<C:{name} xmlns='DAV:' xmlns:C='{CALDAV}'>{inner}</C:{name}>");
        Ask::new(&format!("REPORT {INBOX}"))
            .with("Depth", "1")
            .body(&body)
            .of(&host)
    };
    let inner = format!(
        "<prop><getetag/><C:calendar-data/></prop><href>{}</href><href>{INBOX}x.ics</href>",
        paths[0]
    );
    let got = multistatus(&report("calendar-multiget", &inner));
    assert!(
        got.property(CALDAV, "calendar-data")
            .text
            .contains("METHOD:REQUEST")
    );
    assert!(got.responses[1].1.as_deref().unwrap().contains("404"));
    let filter = |kind: &str| {
        let filter = format!(
            "<prop><getetag/></prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='{kind}'/></C:comp-filter></C:filter>"
        );
        multistatus(&report("calendar-query", &filter))
            .responses
            .len()
    };
    assert_eq!((filter("VEVENT"), filter("VTODO")), (2, 0));
    let sync = report(
        "free-busy-query",
        "<C:time-range start='20270101T000000Z' end='20270102T000000Z'/>",
    );
    assert_eq!(precondition(&sync), "supported-report");

    // To have seen one is no answer; the meeting stays.
    let delete = |path: &str, tag: &str| {
        Ask::new(&format!("DELETE {path}"))
            .with("If-Match", tag)
            .of(&host)
            .status
    };
    assert_eq!(delete(&paths[0], "\"x\""), 412);
    let tag = get(&host, &paths[0]).header("etag").unwrap();
    assert_eq!(delete(&paths[0], &tag), 204);
    assert_eq!(get(&host, &paths[0]).status, 404);
    assert_eq!(messages(&host, 1), paths[1..]);
    assert!(host.stored(ANNA, "1").is_some() && host.stored(ANNA, "2").is_some());
    let put = Ask::new(&format!("PUT {INBOX}x.ics")).body("x").of(&host);
    assert_eq!(put.status, 405);
    let others = Ask::new(&format!("GET {}", paths[1])).by(Some("bo@example.org"));
    assert_eq!(others.of(&host).status, 404);
}

/// What a stranger sends waits; whoever puts the meeting into the calendar lets them in.
#[test]
fn what_waits_is_there_and_is_decided_by_what_a_program_stores() {
    let rules =
        "[{ hold = \"schedule\", known = false, from = \"*@example.com\" }, { allow = \"any\" }]";
    let host = example_org().rules(rules).start();
    let invitation = Post::invitation("1", EVE, &[ANNA]);
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    let path = messages(&host, 1).remove(0);
    assert_eq!(host.stored(ANNA, "1"), None);
    assert!(waiting(&host).contains("\"held\""));
    let message = get(&host, &path).body;
    let kept = message.replace("METHOD:REQUEST\r\n", "").replace(
        &format!("mailto:{ANNA}"),
        &format!("mailto:{}", ANNA.to_uppercase()),
    );
    let stored = Ask::new(&format!("PUT {CALENDAR}1.ics"))
        .body(&kept)
        .of(&host);
    assert_eq!(stored.status, 201, "{stored:?}");
    assert_eq!(waiting(&host), "[]");
    // Who was let in is known.
    assert_eq!(
        host.post(&Post::invitation("2", EVE, &[ANNA])).codes(),
        ["2.0"]
    );
    assert!(host.stored(ANNA, "2").is_some());
}

#[test]
fn a_proposal_is_taken_up_by_moving_the_meeting() {
    let host = example_org().start();
    let own = Post::invitation("1", ANNA, &[EVE]);
    let own = String::from_utf8(own.body().to_vec()).unwrap();
    let own = own.replace("METHOD:REQUEST\r\n", "");
    let put = |data: &str| {
        let answer = Ask::new(&format!("PUT {CALENDAR}1.ics"))
            .body(data)
            .of(&host);
        assert!(matches!(answer.status, 201 | 204), "{answer:?}");
    };
    put(&own);
    let counter = Post::reply("1", EVE, ANNA, "ACCEPTED")
        .edited("METHOD:REPLY", "METHOD:COUNTER")
        .edited("ATTENDEE;PARTSTAT=ACCEPTED:", "ATTENDEE:")
        .edited("DTSTART:20270105T100000Z", "DTSTART:20270105T120000Z")
        .edited("DTEND:20270105T110000Z", "DTEND:20270105T130000Z")
        .with(
            "Content-Type",
            "text/calendar; component=VEVENT; method=COUNTER",
        );
    assert_eq!(host.post(&counter).codes(), ["2.0"]);
    let path = messages(&host, 1).remove(0);
    assert!(get(&host, &path).body.contains("METHOD:COUNTER"));
    let renamed = own.replace("END:VEVENT", "COMMENT:x\r\nEND:VEVENT");
    put(&renamed);
    assert!(
        waiting(&host).contains("\"counter\""),
        "another edit decides nothing"
    );
    let moved = own
        .replace("T100000Z", "T120000Z")
        .replace("T110000Z", "T130000Z");
    put(&moved);
    assert_eq!(waiting(&host), "[]");
}
