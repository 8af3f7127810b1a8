use super::{ANNA, Ask, example_org, multistatus};
use convoke_caldav::xml::{CALDAV, CALENDARSERVER, DAV};
use convoke_tests::{Answer, Host};

fn propfind(host: &Host, path: &str, depth: &str, properties: &str) -> Answer {
    let body = format!(
        "<propfind xmlns='DAV:' xmlns:C='{CALDAV}' xmlns:CS='{CALENDARSERVER}'><prop>{properties}</prop></propfind>"
    );
    Ask::new(&format!("PROPFIND {path}"))
        .with("Depth", depth)
        .body(&body)
        .of(host)
}

/// As RFC 6764 §6 and every program does it.
#[test]
fn the_calendar_is_found_from_the_well_known_path() {
    let host = example_org().start();
    let well_known = Ask::new("PROPFIND /.well-known/caldav").by(None).of(&host);
    assert_eq!(well_known.status, 301);
    let root = well_known.header("location").unwrap();

    let found = propfind(&host, &root, "0", "<current-user-principal/>");
    let found = multistatus(&found);
    let principal = &found.property(DAV, "current-user-principal").children[0].text;
    let found = propfind(
        &host,
        principal,
        "0",
        "<C:calendar-home-set/><C:calendar-user-address-set/><C:calendar-user-type/>",
    );
    let found = multistatus(&found);
    let home = &found.property(CALDAV, "calendar-home-set").children[0].text;
    let addresses = &found.property(CALDAV, "calendar-user-address-set").children;
    assert_eq!(addresses[0].text, format!("mailto:{ANNA}"));
    assert_eq!(
        found.property(CALDAV, "calendar-user-type").text,
        "INDIVIDUAL"
    );

    let found = propfind(&host, home, "1", "<resourcetype/>");
    let found = multistatus(&found);
    let (inbox, outbox) = (format!("{home}inbox/"), format!("{home}outbox/"));
    assert_eq!(
        found.hrefs(),
        [home.as_str(), super::CALENDAR, &inbox, &outbox]
    );
    let kinds = &found.responses[1].2[0];
    assert!(kinds.child(CALDAV, "calendar").is_some(), "{kinds:?}");

    let calendar = propfind(
        &host,
        super::CALENDAR,
        "0",
        "<sync-token/><CS:getctag/><owner/><C:supported-calendar-component-set/><supported-report-set/>\
         <current-user-privilege-set/>",
    );
    let calendar = multistatus(&calendar);
    assert_eq!(&calendar.property(DAV, "owner").children[0].text, principal);
    let kinds = calendar.property(CALDAV, "supported-calendar-component-set");
    let kinds: Vec<_> = (kinds.children.iter())
        .filter_map(|it| it.attribute("name"))
        .collect();
    assert_eq!(kinds, ["VEVENT", "VTODO"]);
    let token = &calendar.property(DAV, "sync-token").text;
    assert_eq!(token, &calendar.property(CALENDARSERVER, "getctag").text);
}

#[test]
fn options_say_what_is_done_and_mkcalendar_is_refused() {
    let host = example_org().start();
    let options = Ask::new("OPTIONS /").of(&host);
    assert_eq!(options.status, 200);
    assert_eq!(
        options.header("dav").as_deref(),
        Some("1, 3, calendar-access, calendar-auto-schedule")
    );
    let made = Ask::new("MKCALENDAR /calendars/anna@example.org/more/").of(&host);
    assert_eq!(made.status, 403);
    assert_eq!(
        super::precondition(&made),
        "calendar-collection-location-ok"
    );
}

#[test]
fn what_is_not_known_is_told_apart_and_what_has_no_end_is_refused() {
    let host = example_org().start();
    let unknown = propfind(&host, "/", "0", "<x:color xmlns:x='urn:x'/><displayname/>");
    assert!(unknown.body.contains("404 Not Found"), "{unknown:?}");
    multistatus(&unknown).property(DAV, "displayname");
    let body =
        "<propfind xmlns='DAV:'><prop><x:color xmlns:x='urn:x'/><displayname/></prop></propfind>";
    let short = Ask::new("PROPFIND /").with("Depth", "0").body(body);
    let short = short
        .with("Prefer", "respond-async, return=minimal")
        .of(&host);
    assert!(
        !short.body.contains("404") && !short.body.contains("color"),
        "{short:?}"
    );
    multistatus(&short).property(DAV, "displayname");
    let applied = short.header("preference-applied");
    assert_eq!(applied.as_deref(), Some("return=minimal"));
    let endless = propfind(&host, "/", "infinity", "<displayname/>");
    assert_eq!(endless.status, 403);
    assert_eq!(super::precondition(&endless), "propfind-finite-depth");
    let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><propfind xmlns='DAV:'><prop>&b;</prop></propfind>";
    let bomb = Ask::new("PROPFIND /")
        .with("Depth", "0")
        .body(bomb)
        .of(&host);
    assert_eq!(super::precondition(&bomb), "no-external-entities");
    let change = "<propertyupdate xmlns='DAV:'><set><prop><displayname>x</displayname></prop></set></propertyupdate>";
    let change = Ask::new(&format!("PROPPATCH {}", super::CALENDAR))
        .body(change)
        .of(&host);
    assert!(change.status == 207 && change.body.contains("403 Forbidden"));
}
