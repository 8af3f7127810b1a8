//! Requests of programs that cannot run here, as they send them: the bodies are shortened where many properties of one kind
//! are asked for, and the order of the requests is theirs.
//!
//! | program | where its requests are written down |
//! | --- | --- |
//! | Apple's Calendar on macOS 10.11 | the traces in `contrib/performance/loadtest/request-data` of Apple's calendar server |
//! | DAVx5 | its sources: `DavResourceFinder`, `ServiceRefresher`, `HomeSetRefresher`, `SyncManager`, `BaseWebDavCollection` |

use super::{ANNA, Ask, CALENDAR, event, example_org, multistatus, precondition};
use convoke_caldav::xml::{APPLE, CALDAV, CALENDARSERVER, DAV};
use convoke_tests::{Answer, Host};

const PRINCIPAL: &str = "/principals/anna@example.org/";
const HOME: &str = "/calendars/anna@example.org/";

/// A PROPFIND as Apple's programs write it: each property declares its namespace.
fn apple(host: &Host, path: &str, depth: &str, properties: &[(&str, &str)]) -> Answer {
    let names = properties.iter().map(|(namespace, name)| {
        if *namespace == DAV {
            format!("    <A:{name}/>\n")
        } else {
            format!("    <B:{name} xmlns:B=\"{namespace}\"/>\n")
        }
    });
    let names: String = names.collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A:propfind xmlns:A=\"DAV:\">\n  <A:prop>\n{names}  </A:prop>\n</A:propfind>\n"
    );
    Ask::new(&format!("PROPFIND {path}"))
        .with("Depth", depth)
        .with("Content-Type", "text/xml")
        .with("Accept", "*/*")
        .with("Brief", "t")
        .with("Prefer", "return=minimal")
        .with("User-Agent", "Mac+OS+X/10.11.1 (15B42) CalendarAgent/361")
        .body(&body)
        .of(host)
}

/// The account is set up: what it needs is there, and what is not there stops nothing.
#[test]
fn apples_calendar_adds_the_account() {
    let host = example_org().start();
    let who = [
        (DAV, "current-user-principal"),
        (DAV, "principal-URL"),
        (DAV, "resourcetype"),
    ];
    let moved = apple(&host, "/.well-known/caldav", "0", &who);
    assert_eq!(moved.status, 301);
    for path in [&*moved.header("location").unwrap(), "/principals/"] {
        let found = apple(&host, path, "0", &who);
        let found = multistatus(&found);
        let principal = found.property(DAV, "current-user-principal");
        assert_eq!(principal.children[0].text, PRINCIPAL);
    }
    let options = Ask::new(&format!("OPTIONS {PRINCIPAL}")).of(&host);
    let classes = options.header("dav").unwrap();
    assert!(classes.contains("calendar-auto-schedule"), "{classes}");

    let principal = apple(
        &host,
        PRINCIPAL,
        "0",
        &[
            (CALDAV, "calendar-home-set"),
            (CALDAV, "calendar-user-address-set"),
            (DAV, "current-user-principal"),
            (DAV, "displayname"),
            (CALENDARSERVER, "dropbox-home-URL"),
            (CALENDARSERVER, "email-address-set"),
            (CALENDARSERVER, "notification-URL"),
            (DAV, "principal-collection-set"),
            (DAV, "principal-URL"),
            (DAV, "resource-id"),
            (CALDAV, "schedule-inbox-URL"),
            (CALDAV, "schedule-outbox-URL"),
            (DAV, "supported-report-set"),
        ],
    );
    let principal = multistatus(&principal);
    for (namespace, name, expected) in [
        (CALDAV, "calendar-home-set", HOME),
        (
            CALDAV,
            "calendar-user-address-set",
            "mailto:anna@example.org",
        ),
        (DAV, "principal-collection-set", "/principals/"),
        (DAV, "principal-URL", PRINCIPAL),
        (
            CALDAV,
            "schedule-inbox-URL",
            "/calendars/anna@example.org/inbox/",
        ),
        (
            CALDAV,
            "schedule-outbox-URL",
            "/calendars/anna@example.org/outbox/",
        ),
    ] {
        let value = principal.property(namespace, name);
        assert_eq!(value.children[0].text, expected, "{name}");
    }
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A:principal-search-property-set xmlns:A=\"DAV:\"/>\n";
    let searched = Ask::new("REPORT /principals/")
        .with("Depth", "0")
        .body(body);
    assert_eq!(searched.of(&host).status, 200);

    // Who else's calendars there are is asked of every server, and few say anything.
    let body = format!(
        "<A:expand-property xmlns:A=\"DAV:\"><A:property name=\"calendar-proxy-read-for\" namespace=\"{CALENDARSERVER}\">\
         <A:property name=\"displayname\" namespace=\"DAV:\"/></A:property></A:expand-property>"
    );
    let line = format!("REPORT {PRINCIPAL}");
    let delegates = Ask::new(&line).with("Depth", "0").body(&body).of(&host);
    assert_eq!(precondition(&delegates), "supported-report");
}

/// What it asks of the home, what it sets there, and what it lists of the calendar.
#[test]
fn apples_calendar_looks_at_the_home() {
    let host = example_org().start();
    super::store(&host, "1.ics", &event("1", "Tea"));
    let home = apple(
        &host,
        HOME,
        "1",
        &[
            (DAV, "add-member"),
            (CALENDARSERVER, "allowed-sharing-modes"),
            (APPLE, "autoprovisioned"),
            ("http://me.com/_namespace/", "bulk-requests"),
            (APPLE, "calendar-color"),
            (CALDAV, "calendar-description"),
            (CALDAV, "calendar-free-busy-set"),
            (CALDAV, "calendar-timezone"),
            (DAV, "current-user-privilege-set"),
            (CALDAV, "default-alarm-vevent-date"),
            (DAV, "displayname"),
            (CALENDARSERVER, "getctag"),
            (DAV, "owner"),
            (CALENDARSERVER, "push-transports"),
            (DAV, "quota-available-bytes"),
            (DAV, "resource-id"),
            (DAV, "resourcetype"),
            (CALDAV, "schedule-calendar-transp"),
            (CALDAV, "schedule-default-calendar-URL"),
            (CALENDARSERVER, "source"),
            (CALDAV, "supported-calendar-component-set"),
            (CALDAV, "supported-calendar-component-sets"),
            (DAV, "supported-report-set"),
            (DAV, "sync-token"),
        ],
    );
    assert!(!home.body.contains("404"), "it prefers short answers");
    let home = multistatus(&home);
    let kinds = ["calendar", "schedule-inbox", "schedule-outbox"];
    let of_kind = |kind: &str| {
        let is_one = |(_, _, properties): &&(_, _, Vec<convoke_caldav::xml::Element>)| {
            let types = properties.iter().find(|it| it.is(DAV, "resourcetype"));
            types.is_some_and(|it| it.child(CALDAV, kind).is_some())
        };
        home.responses.iter().filter(is_one).count()
    };
    assert_eq!(kinds.map(of_kind), [1, 1, 1]);

    let change = |path: &str, property: &str| {
        let body = format!(
            "<A:propertyupdate xmlns:A=\"DAV:\"><A:set><A:prop>{property}</A:prop></A:set></A:propertyupdate>"
        );
        let line = format!("PROPPATCH {path}");
        let answer = Ask::new(&line)
            .with("Content-Type", "text/xml")
            .body(&body)
            .of(&host);
        assert_eq!(answer.status, 207, "{answer:?}");
        answer.body
    };
    for property in [
        format!("<D:calendar-order xmlns:D=\"{APPLE}\">1</D:calendar-order>"),
        "<A:displayname>calendar</A:displayname>".to_owned(),
        format!(
            "<D:calendar-color xmlns:D=\"{APPLE}\" symbolic-color=\"orange\">#FD8208FF</D:calendar-color>"
        ),
        format!(
            "<B:calendar-timezone xmlns:B=\"{CALDAV}\">BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nEND:VCALENDAR&#13;\n</B:calendar-timezone>"
        ),
    ] {
        let changed = change(CALENDAR, &property);
        assert!(changed.contains("200 OK"), "{property}: {changed}");
    }
    // The alarms that new events get are each program's own matter.
    let alarm = format!(
        "<B:default-alarm-vevent-date xmlns:B=\"{CALDAV}\">BEGIN:VALARM&#13;\nEND:VALARM&#13;\n</B:default-alarm-vevent-date>"
    );
    assert!(change(HOME, &alarm).contains("403 Forbidden"));
    let color = apple(&host, CALENDAR, "0", &[(APPLE, "calendar-color")]);
    let color = multistatus(&color);
    let color = color.property(APPLE, "calendar-color");
    assert_eq!(color.attribute("symbolic-color"), Some("orange"));

    let listed = [(DAV, "getcontenttype"), (DAV, "getetag")];
    let listed = apple(&host, CALENDAR, "1", &listed);
    let first = format!("{CALENDAR}1.ics");
    assert_eq!(multistatus(&listed).hrefs(), [CALENDAR, &first]);
    let inbox = apple(&host, &format!("{HOME}inbox/"), "1", &[(DAV, "getetag")]);
    assert_eq!(inbox.status, 207);
    let query = format!(
        "<B:calendar-query xmlns:B=\"{CALDAV}\"><A:prop xmlns:A=\"DAV:\"><A:getetag/><A:getcontenttype/></A:prop><B:filter>\
         <B:comp-filter name=\"VCALENDAR\"><B:comp-filter name=\"VEVENT\">\
         <B:time-range start=\"20261230T010101Z\" end=\"20270121T010101Z\"/></B:comp-filter></B:comp-filter></B:filter>\
         </B:calendar-query>"
    );
    let line = format!("REPORT {CALENDAR}");
    let found = Ask::new(&line).with("Depth", "1").body(&query).of(&host);
    assert_eq!(multistatus(&found).hrefs(), [&*first]);
}

/// Who is invited is asked about in one question, by whatever address the program knows.
#[test]
fn apples_calendar_asks_who_is_free() {
    let host = example_org().start();
    let question = format!(
        "BEGIN:VCALENDAR\r\nCALSCALE:GREGORIAN\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nPRODID:-//Apple Inc.//Mac OS X 10.11//EN\r\n\
         BEGIN:VFREEBUSY\r\nUID:4288F0F3-5C5B-4DF4-9AD8-B1E5FE3F5B97\r\nDTEND:20270105T000000Z\r\n\
         ATTENDEE:urn:uuid:30000000-0000-0000-0000-000000000005\r\nATTENDEE:mailto:bo@example.org\r\n\
         DTSTART:20270104T000000Z\r\nDTSTAMP:20150727T203410Z\r\nORGANIZER:mailto:{ANNA}\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    );
    let answer = Ask::new(&format!("POST {HOME}outbox/"))
        .with("Content-Type", "text/calendar")
        .with("Originator", "mailto:anna@example.org")
        .with("Recipient", "mailto:bo@example.org")
        .body(&question)
        .of(&host);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("2.0;"), "{answer:?}");
    assert!(answer.body.contains("3.7;"), "{answer:?}");
}

fn davx5(host: &Host, line: &str, namespaces: &str, inner: &str, depth: &str) -> Answer {
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8' ?>{}",
        inner.replacen('>', &format!(" {namespaces}>"), 1)
    );
    Ask::new(line)
        .with("Depth", depth)
        .with("Content-Type", "application/xml; charset=utf-8")
        .with(
            "User-Agent",
            "DAVx5/4.5-ose (2026/08/21; dav4jvm; okhttp) Android/16",
        )
        .body(&body)
        .of(host)
}

const SPACES: &str = "xmlns=\"DAV:\" xmlns:CAL=\"urn:ietf:params:xml:ns:caldav\" xmlns:CARD=\"urn:ietf:params:xml:ns:carddav\"";

/// It asks for address books and push as well, which are not here.
#[test]
fn davx5_finds_the_calendar_and_its_capabilities() {
    let host = example_org().start();
    let find = |path: &str, depth: &str, names: &str| {
        let inner = format!("<propfind><prop>{names}</prop></propfind>");
        let answer = davx5(&host, &format!("PROPFIND {path}"), SPACES, &inner, depth);
        assert_eq!(answer.status, 207, "{answer:?}");
        multistatus(&answer)
    };
    let base = find(
        "/",
        "0",
        "<resourcetype/><displayname/><current-user-principal/><CARD:addressbook-home-set/><CARD:addressbook-description/>",
    );
    let principal = &base.property(DAV, "current-user-principal").children[0].text;
    assert_eq!(principal, PRINCIPAL);
    // RFC 6352: no address books are looked for where this is not said.
    let options = Ask::new(&format!("OPTIONS {principal}")).of(&host);
    let classes = options.header("dav").unwrap();
    assert!(classes.contains("calendar-access") && !classes.contains("addressbook"));
    let addresses = find(principal, "0", "<CAL:calendar-user-address-set/>");
    let addresses = addresses.property(CALDAV, "calendar-user-address-set");
    assert_eq!(addresses.children[0].text, format!("mailto:{ANNA}"));
    let homes = find(
        principal,
        "0",
        "<displayname/><group-membership/><resourcetype/><CAL:calendar-home-set/>\
         <CS:calendar-proxy-read-for xmlns:CS=\"http://calendarserver.org/ns/\"/>",
    );
    assert_eq!(
        homes.property(CALDAV, "calendar-home-set").children[0].text,
        HOME
    );
    let home = find(
        HOME,
        "1",
        "<current-user-privilege-set/><displayname/><owner/><resourcetype/><P:transports xmlns:P=\"https://bitfire.at/webdav-push\"/>\
         <CAL:calendar-description/><CAL:calendar-timezone/><CAL:calendar-timezone-id/><CAL:supported-calendar-component-set/>",
    );
    let (href, _, properties) = &home.responses[1];
    assert_eq!(href, CALENDAR);
    let of = |name: &str| properties.iter().find(|it| it.name.local == *name).unwrap();
    assert!(of("resourcetype").child(CALDAV, "calendar").is_some());
    let writable = of("current-user-privilege-set").children.iter();
    let writable = writable.filter(|it| it.child(DAV, "write-content").is_some());
    assert_eq!(writable.count(), 1);
    assert_eq!(of("owner").children[0].text, PRINCIPAL);
    let calendar = find(
        CALENDAR,
        "0",
        "<supported-report-set/><sync-token/><CS:getctag xmlns:CS=\"http://calendarserver.org/ns/\"/><CAL:max-resource-size/>",
    );
    let reports = calendar
        .property(DAV, "supported-report-set")
        .children
        .iter();
    let reports = reports.filter_map(|it| it.child(DAV, "report"));
    assert!(
        reports
            .into_iter()
            .any(|it| it.child(DAV, "sync-collection").is_some())
    );
}

/// A phone writes, reads and removes; what it read before others changed it is not overwritten.
#[test]
fn davx5_keeps_in_step() {
    let host = example_org().start();
    let path = format!("{CALENDAR}8b9c1e9e-6f3a-4c44-9f4e-3f6e2b1a7a10.ics");
    let uid = "8b9c1e9e-6f3a-4c44-9f4e-3f6e2b1a7a10";
    let put = |name: &str, value: &str, text: &str| {
        Ask::new(&format!("PUT {path}"))
            .with("Content-Type", "text/calendar; charset=utf-8")
            .with(name, value)
            .body(text)
            .of(&host)
    };
    let own = event(uid, "Tea");
    let made = put("If-None-Match", "*", &own);
    assert_eq!(made.status, 201);
    let tag = made.header("etag").unwrap();
    assert_eq!(put("If-None-Match", "*", &own).status, 412);

    let sync = |token: &str| {
        let inner = format!(
            "<sync-collection><sync-token>{token}</sync-token><sync-level>1</sync-level><prop><getetag/><resourcetype/></prop></sync-collection>"
        );
        let answer = davx5(&host, &format!("REPORT {CALENDAR}"), SPACES, &inner, "0");
        assert_eq!(answer.status, 207, "{answer:?}");
        multistatus(&answer)
    };
    let first = sync("");
    assert_eq!(first.hrefs(), [&*path]);
    assert_eq!(first.property(DAV, "getetag").text, tag);
    let inner = format!(
        "<CAL:calendar-multiget><prop><getcontenttype/><getetag/><CAL:schedule-tag/><CAL:calendar-data/></prop><href>{path}</href></CAL:calendar-multiget>"
    );
    let read = davx5(&host, &format!("REPORT {CALENDAR}"), SPACES, &inner, "0");
    let read = multistatus(&read);
    assert!(
        read.property(CALDAV, "calendar-data")
            .text
            .contains("SUMMARY:Tea")
    );

    let edited = put("If-Match", &tag, &own.replace("Tea", "Coffee"));
    assert_eq!(edited.status, 204);
    assert_eq!(
        put("If-Match", &tag, &own.replace("Tea", "Cake")).status,
        412
    );
    let changed = sync(first.sync_token.as_deref().unwrap());
    assert_eq!(changed.hrefs(), [&*path]);
    assert_eq!(
        Some(changed.property(DAV, "getetag").text.clone()),
        edited.header("etag")
    );
    let line = format!("DELETE {path}");
    let removed = Ask::new(&line)
        .with("If-Match", &edited.header("etag").unwrap())
        .of(&host);
    assert_eq!(removed.status, 204);
    let gone = sync(changed.sync_token.as_deref().unwrap());
    let (href, status, _) = &gone.responses[0];
    assert!(*href == path && status.as_ref().unwrap().contains("404"));
    let stale = "<sync-collection><sync-token>data:,unknown</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>";
    let stale = davx5(&host, &format!("REPORT {CALENDAR}"), SPACES, stale, "0");
    assert_eq!(precondition(&stale), "valid-sync-token");
}
