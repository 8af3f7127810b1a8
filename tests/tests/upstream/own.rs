//! What Convoke has by itself in front of a server: messages in the inbox, the page for people, busy time by URL.

use super::{
    ask, head,
    scheduling::{
        ANNA, BO, CALENDAR, House, INBOX, OUTBOX, asks_for, meeting, precondition, property,
        responses,
    },
};
use convoke_caldav::xml::{CALDAV, DAV};
use convoke_tests::{Answer, Post, Setup};
use std::{
    thread,
    time::{Duration, Instant},
};

const EVE: &str = "eve@example.com";
fn house(rules: &str) -> House {
    House::of("settle = \"60 min\"", |front: Setup| front.rules(rules))
}

/// The paths of Anna's messages once there are so many: they are written a moment later.
fn messages(house: &House, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let listed = house.ask(ANNA, &format!("PROPFIND {INBOX}"), &[("Depth", "1")], "");
        let paths = responses(&listed).into_iter().map(|(href, _)| href);
        let paths: Vec<String> = paths.filter(|it| it != INBOX).collect();
        if paths.len() == count {
            return paths;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{paths:?}");
        thread::yield_now();
    }
}

fn report(house: &House, path: &str, name: &str, inner: &str) -> Answer {
    let body = format!("<C:{name} xmlns='DAV:' xmlns:C='{CALDAV}'>{inner}</C:{name}>");
    house.ask(ANNA, &format!("REPORT {path}"), &[("Depth", "1")], &body)
}

#[test]
fn messages_are_there_as_they_came_until_they_are_removed() {
    let house = house("[{ allow = \"any\" }]");
    assert!(messages(&house, 0).is_empty());
    let invitation = Post::invitation("1", EVE, &[ANNA]);
    assert_eq!(house.front.post(&invitation).codes(), ["2.0"]);
    let path = messages(&house, 1).remove(0);
    assert!(path.starts_with(INBOX), "{path}");
    let get = |user: &str| house.ask(user, &format!("GET {path}"), &[], "");
    let read = get(ANNA);
    assert_eq!(read.body.as_bytes(), invitation.body());
    assert_eq!(
        read.header("x-content-type-options").as_deref(),
        Some("nosniff")
    );
    assert_eq!(get(BO).status, 404);

    let authority = format!("https://localhost{path}");
    for href in [&path, &authority] {
        let inner = format!(
            "<prop><getetag/><C:calendar-data/></prop><href>{href}</href><href>{INBOX}x.ics</href>"
        );
        let got = responses(&report(&house, INBOX, "calendar-multiget", &inner));
        assert_eq!(got[0].0, path);
        let data = &property(&got[..1], CALDAV, "calendar-data").text;
        assert!(data.contains("METHOD:REQUEST"), "{data}");
        assert_eq!((&*got[1].0, got[1].1.len()), (&*format!("{INBOX}x.ics"), 0));
    }
    let filter = "<prop><getetag/></prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'/>\
        </C:comp-filter></C:filter>";
    let found = responses(&report(&house, INBOX, "calendar-query", filter));
    assert_eq!(found.len(), 1);

    let delete = |tag: &str| {
        let line = format!("DELETE {path}");
        house.ask(ANNA, &line, &[("If-Match", tag)], "").status
    };
    assert_eq!(delete("\"x\""), 412);
    assert_eq!(delete(&read.header("etag").unwrap()), 204);
    assert_eq!(get(ANNA).status, 404);
    messages(&house, 0);
    assert!(
        house.server.stored(ANNA, "1").is_some(),
        "the meeting stays"
    );
}

#[test]
fn what_the_inbox_and_the_outbox_say_of_themselves_is_so() {
    let house = house("[{ allow = \"any\" }]");
    let names =
        "<d:supported-report-set/><d:principal-collection-set/><c:schedule-default-calendar-URL/>";
    for (path, reports) in [(INBOX, 2), (OUTBOX, 0)] {
        let line = format!("PROPFIND {path}");
        let found = responses(&house.ask(ANNA, &line, &[("Depth", "0")], &asks_for(names)));
        let said = property(&found, DAV, "supported-report-set");
        assert_eq!(
            (said.children.len(), found[0].1.len()),
            (reports, 1),
            "{found:?}"
        );
        let search = report(
            &house,
            path,
            "free-busy-query",
            "<C:time-range start='20270101T000000Z' end='20270102T000000Z'/>",
        );
        assert_eq!(precondition(&search), "supported-report");
        let search = "<principal-property-search xmlns='DAV:'><property-search><prop><displayname/></prop><match>a</match>\
            </property-search><prop><displayname/></prop></principal-property-search>";
        let search = house.ask(ANNA, &format!("REPORT {path}"), &[("Depth", "0")], search);
        assert_eq!(precondition(&search), "supported-report");
        let all = "<d:propfind xmlns:d='DAV:'><d:propname/></d:propfind>";
        let found = responses(&house.ask(ANNA, &line, &[("Depth", "0")], all));
        let has = |name: &str| found[0].1.iter().any(|it| it.is(DAV, name));
        assert!(
            has("owner") && !has("principal-collection-set"),
            "{found:?}"
        );
    }
}

const PAGE: &str = "/.convoke/";

fn page(house: &House) -> String {
    let answer = house.ask(ANNA, &format!("GET {PAGE}"), &[], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn people_have_their_page_beside_the_server() {
    let house = house("[{ allow = \"any\" }]");
    let shown = page(&house);
    for text in [
        "https://localhost/\"",
        "https://localhost/calendars/anna@example.org/\"",
        "https://localhost/freebusy/anna@example.org.ifb",
        "user name <strong>anna@example.org</strong>",
        "href=\"/.convoke/page.css\"",
        "<svg",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let style = ask(&house.front, &head("GET /.convoke/page.css", &[]));
    assert!(
        style
            .header("content-type")
            .unwrap()
            .starts_with("text/css")
    );
    let moved = house.ask(ANNA, "GET /.convoke", &[], "");
    assert_eq!(moved.header("location").as_deref(), Some(PAGE));
    let anonymous = ask(&house.front, &head("GET /.convoke/", &[]));
    assert_eq!(anonymous.status, 401);
    assert!(anonymous.header("www-authenticate").is_some());

    let send = |origin: &str| {
        let fields = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", origin),
        ];
        let form = "token=x&id=1&decision=accept";
        house.ask(ANNA, &format!("POST {PAGE}"), &fields, form)
    };
    assert_eq!(send("https://evil.example").status, 403);
    let unknown = send("https://localhost");
    assert_eq!(unknown.status, 403);
    assert!(unknown.body.contains("Nothing was done"), "{unknown:?}");

    // Whom a meeting did not reach.
    let data = meeting("2", "").replace(BO, "zoe@nowhere.example");
    let stored = house.put(ANNA, &format!("{CALENDAR}2.ics"), &[], &data);
    assert_eq!(stored.status, 201, "{stored:?}");
    let begun = Instant::now();
    while !page(&house).contains("zoe@nowhere.example") {
        assert!(begun.elapsed() < Duration::from_secs(60));
        thread::yield_now();
    }
}

#[test]
fn busy_time_is_told_by_url() {
    let rules = "[{ allow = \"any\", via = \"submission\" }, \
        { allow = \"freebusy\", via = \"url\", from = \"anonymous\", to = \"bo@example.org\" }]";
    let house = house(rules);
    for (user, uid) in [(ANNA, "1"), (BO, "2")] {
        let own = meeting(uid, "")
            .replace("ATTENDEE", "X-ATTENDEE")
            .replace("ORGANIZER", "X-ORGANIZER");
        let path = format!("/calendars/{user}/calendar/{uid}.ics");
        assert_eq!(house.put(user, &path, &[], &own).status, 201);
    }
    let line = |whose: &str| {
        format!("GET /freebusy/{whose}.ifb?start=20270101T000000Z&end=20270201T000000Z")
    };
    for whose in [ANNA, BO] {
        let told = house.ask(BO, &line(whose), &[], "");
        assert_eq!(told.status, 200, "{told:?}");
        assert!(
            told.body.contains("20270104T100000Z/20270104T110000Z"),
            "{told:?}"
        );
        assert!(!told.body.contains("Tea"));
    }
    let anonymous = |whose: &str| ask(&house.front, &head(&line(whose), &[]));
    assert_eq!(anonymous(BO).status, 200);
    let refused = anonymous(ANNA);
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.header("www-authenticate").is_some());
    let guessed = [("Authorization", "Basic YW5uYUBleGFtcGxlLm9yZzp3cm9uZw==")];
    assert_eq!(ask(&house.front, &head(&line(ANNA), &guessed)).status, 401);
    assert_eq!(
        house.ask(BO, &line("nobody@example.org"), &[], "").status,
        404
    );
    // What is no user of ours is the server's to answer.
    let direct = ask(&house.server, &head(&line("x@example.com"), &[]));
    assert_eq!(anonymous("x@example.com").status, direct.status);
}

/// No CalDAV server has a place for what waits, and it waits all the same.
#[test]
fn what_waits_beside_a_server_is_decided() {
    let rules =
        "[{ hold = \"schedule\", known = false, from = \"*@example.com\" }, { allow = \"any\" }]";
    let house = house(rules);
    let decide = |decision: &str| {
        let shown = page(&house);
        let hidden = |name: &str| {
            let value = shown.split(&format!("name=\"{name}\" value=\"")).nth(1);
            let value = value.unwrap_or_else(|| panic!("no {name}: {shown}"));
            value.split('"').next().unwrap_or_default()
        };
        let (token, id) = (hidden("token"), hidden("id"));
        let form = format!("token={token}&id={id}&decision={decision}");
        let fields = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", "https://localhost"),
        ];
        let answer = house.ask(ANNA, &format!("POST {PAGE}"), &fields, &form);
        assert_eq!(answer.status, 303, "{answer:?}");
    };
    assert!(page(&house).contains("Nothing waits for you"));
    let invitation = |uid: &str, from: &str| {
        let sent = house.front.post(&Post::invitation(uid, from, &[ANNA]));
        assert_eq!(sent.codes(), ["2.0"]);
    };
    // What is declined is gone; who is accepted is known from then on.
    invitation("1", EVE);
    decide("decline");
    assert!(page(&house).contains("Nothing waits for you"));
    assert_eq!(house.server.stored(ANNA, "1"), None);
    invitation("2", EVE);
    assert_eq!(house.server.stored(ANNA, "2"), None);
    decide("accept");
    house.becomes(ANNA, "2", |it| !it.is_empty());
    invitation("3", EVE);
    house.becomes(ANNA, "3", |it| !it.is_empty());

    // A guest's proposal, until the organizer's program takes it up.
    let data = meeting("4", "").replace(BO, EVE);
    let path = format!("{CALENDAR}4.ics");
    assert_eq!(house.put(ANNA, &path, &[], &data).status, 201);
    let counter = Post::reply("4", EVE, ANNA, "ACCEPTED")
        .edited("METHOD:REPLY", "METHOD:COUNTER")
        .edited("ATTENDEE;PARTSTAT=ACCEPTED:", "ATTENDEE:")
        .edited("DTSTART:20270105T100000Z", "DTSTART:20270104T120000Z")
        .edited("DTEND:20270105T110000Z", "DTEND:20270104T130000Z")
        .with(
            "Content-Type",
            "text/calendar; component=VEVENT; method=COUNTER",
        );
    assert_eq!(house.front.post(&counter).codes(), ["2.0"]);
    assert!(page(&house).contains(EVE));
    let moved = data
        .replace("T100000Z", "T120000Z")
        .replace("T110000Z", "T130000Z");
    assert_eq!(house.put(ANNA, &path, &[], &moved).status, 204);
    assert!(page(&house).contains("Nothing waits for you"));
}
