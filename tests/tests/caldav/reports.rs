use super::{Ask, CALENDAR, Multistatus, event, example_org, multistatus, precondition, store};
use convoke_caldav::xml::CALDAV;
use convoke_tests::{Answer, Host};

fn report(host: &Host, name: &str, inner: &str) -> Answer {
    let body = format!("<{name} xmlns='DAV:' xmlns:C='{CALDAV}'>{inner}</{name}>");
    Ask::new(&format!("REPORT {CALENDAR}"))
        .with("Depth", "1")
        .body(&body)
        .of(host)
}

fn sync(host: &Host, token: &str) -> Multistatus {
    let inner = format!(
        "<sync-token>{token}</sync-token><sync-level>1</sync-level><prop><getetag/></prop>"
    );
    multistatus(&report(host, "sync-collection", &inner))
}

#[test]
fn changes_are_told_once_by_the_names_that_programs_gave() {
    let host = example_org().start();
    store(&host, "1.ics", &event("1", "Tea"));
    store(&host, "own", &event("2", "Tea"));
    let all = sync(&host, "");
    let mut hrefs = all.hrefs();
    hrefs.sort_unstable();
    assert_eq!(
        hrefs,
        [format!("{CALENDAR}1.ics"), format!("{CALENDAR}own")]
    );
    let token = all.sync_token.unwrap();
    let none = sync(&host, &token);
    assert!(none.responses.is_empty());
    assert_eq!(none.sync_token.as_ref(), Some(&token));

    store(&host, "1.ics", &event("1", "Coffee"));
    let gone = Ask::new(&format!("DELETE {CALENDAR}own")).of(&host);
    assert_eq!(gone.status, 204);
    let changed = sync(&host, &token);
    let told: Vec<_> = (changed.responses.iter())
        .map(|(href, status, _)| (href.as_str(), status.as_deref()))
        .collect();
    let (one, own) = (format!("{CALENDAR}1.ics"), format!("{CALENDAR}own"));
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(&one, None)), "{told:?}");
    assert!(
        told.contains(&(&own, Some("HTTP/1.1 404 Not Found"))),
        "{told:?}"
    );

    for token in ["urn:x", "urn:x-convoke:sync:other:1"] {
        let inner = format!("<sync-token>{token}</sync-token><prop/>");
        let unknown = report(&host, "sync-collection", &inner);
        assert_eq!(precondition(&unknown), "valid-sync-token");
    }
    let none = "<sync-token/><limit><nresults>0</nresults></limit><prop/>";
    let none = report(&host, "sync-collection", none);
    assert_eq!(none.status, 507);
}

/// RFC 6578 §3.6: who wants few at once is told all in the end, and nothing that happens meanwhile is lost.
#[test]
fn changes_are_told_a_few_at_a_time() {
    let host = example_org().start();
    for uid in ["1", "2", "3", "4"] {
        store(&host, &format!("{uid}.ics"), &event(uid, "Tea"));
    }
    let some = |token: &str| {
        let inner = format!(
            "<sync-token>{token}</sync-token><sync-level>1</sync-level><limit><nresults>3</nresults></limit>\
             <prop><getetag/></prop>"
        );
        multistatus(&report(&host, "sync-collection", &inner))
    };
    let href = |uid: &str| format!("{CALENDAR}{uid}.ics");
    let first = some("");
    let last = first.responses.last().unwrap();
    assert_eq!(last.0, CALENDAR);
    assert_eq!(last.1.as_deref(), Some("HTTP/1.1 507 Insufficient Storage"));
    assert_eq!(first.hrefs()[..3], [href("1"), href("2"), href("3")]);

    store(&host, "1.ics", &event("1", "Coffee"));
    store(&host, "0.ics", &event("0", "Coffee"));
    let second = some(&first.sync_token.unwrap());
    assert_eq!(second.hrefs(), [href("4")]);
    let third = some(&second.sync_token.unwrap());
    assert_eq!(third.hrefs(), [href("0"), href("1")]);
    assert!(some(&third.sync_token.unwrap()).responses.is_empty());
}

/// What takes no time for its owner is shown, too; and what is answered is what the store has now.
#[test]
fn a_query_follows_what_changes() {
    let host = example_org().start();
    let query = || {
        let inner = "<prop><getetag/></prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>\
             <C:time-range start='20270101T000000Z' end='20270201T000000Z'/></C:comp-filter></C:comp-filter></C:filter>";
        let found = multistatus(&report(&host, "C:calendar-query", inner));
        let names = found.hrefs().into_iter().map(|it| it.replace(CALENDAR, ""));
        names.collect::<Vec<_>>()
    };
    assert!(query().is_empty());
    let free = event("1", "Tea").replace("SUMMARY", "TRANSP:TRANSPARENT\r\nSUMMARY");
    store(&host, "1.ics", &free);
    store(
        &host,
        "a.ics",
        &event("2", "Tea").replace("20270104", "20270204"),
    );
    store(
        &host,
        "b.ics",
        &event("3", "Tea").replace("20270104", "20270105"),
    );
    assert_eq!(query(), ["1.ics", "b.ics"]);
    store(&host, "a.ics", &event("2", "Tea"));
    store(
        &host,
        "b.ics",
        &event("3", "Tea").replace("20270104", "20270205"),
    );
    assert_eq!(query(), ["1.ics", "a.ics"]);
    let gone = Ask::new(&format!("DELETE {CALENDAR}a.ics")).of(&host);
    assert_eq!(gone.status, 204);
    assert_eq!(query(), ["1.ics"]);
}

#[test]
fn objects_are_got_by_their_names_and_by_what_matches() {
    let host = example_org().start();
    let weekly = event("1", "Tea").replace("SUMMARY", "RRULE:FREQ=WEEKLY\r\nSUMMARY");
    store(&host, "1.ics", &weekly);
    let todo = event("2", "Tea").replace("VEVENT", "VTODO");
    store(&host, "2.ics", &todo.replace("DTEND", "DUE"));

    let inner = format!(
        "<prop><getetag/><C:calendar-data/></prop><href>{CALENDAR}1.ics</href>\
         <href>http://other{CALENDAR}1.ics</href><href>{CALENDAR}%31.ics</href>\
         <href>https://localhost{CALENDAR}2.ics</href><href>{CALENDAR}3.ics</href><href>/calendars/bo@example.org/calendar/1.ics</href>"
    );
    let got = multistatus(&report(&host, "C:calendar-multiget", &inner));
    assert_eq!(got.property(CALDAV, "calendar-data").text, weekly);
    let statuses: Vec<_> = (got.responses.iter())
        .map(|(_, status, _)| status.is_some())
        .collect();
    assert_eq!(statuses, [false, false, true, true]);

    let query = |data: &str, kind: &str, start: &str, end: &str| {
        let inner = format!(
            "<prop>{data}</prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='{kind}'>\
             <C:time-range start='{start}' end='{end}'/></C:comp-filter></C:comp-filter></C:filter>"
        );
        multistatus(&report(&host, "C:calendar-query", &inner))
    };
    let march = ("20270301T000000Z", "20270315T000000Z");
    let found = query("<getetag/>", "VEVENT", march.0, march.1);
    assert_eq!(found.hrefs(), [format!("{CALENDAR}1.ics")]);
    let found = query("<getetag/>", "VTODO", march.0, march.1);
    assert!(found.responses.is_empty());
    let found = query("<getetag/>", "VEVENT", "20260101T000000Z", march.0);
    assert_eq!(found.hrefs().len(), 1);
    let expand = format!(
        "<C:calendar-data><C:expand start='{}' end='{}'/></C:calendar-data>",
        march.0, march.1
    );
    let found = query(&expand, "VEVENT", march.0, march.1);
    let data = &found.property(CALDAV, "calendar-data").text;
    assert_eq!(data.matches("BEGIN:VEVENT").count(), 2, "{data}");
    assert!(data.contains("DTSTART:20270301T100000Z") && !data.contains("RRULE"));

    let unknown = report(&host, "version-tree", "");
    assert_eq!(precondition(&unknown), "supported-report");
    let filter = report(&host, "C:calendar-query", "<C:filter/>");
    assert_eq!(precondition(&filter), "valid-filter");
}
