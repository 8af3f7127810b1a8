use super::{ANNA, Ask, example_org, multistatus};
use convoke_caldav::xml::{CALDAV, CALENDARSERVER, DAV};
use convoke_tests::{Answer, Host, NameServer, program};
use std::process::Command;

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
}

#[test]
fn what_programs_set_is_kept_and_what_is_ours_is_not_theirs() {
    let mut host = example_org().start();
    let change = |host: &Host, path: &str, inner: &str| {
        let body = format!(
            "<propertyupdate xmlns='DAV:' xmlns:A='http://apple.com/ns/ical/'>{inner}</propertyupdate>"
        );
        let line = format!("PROPPATCH {path}");
        let answer = Ask::new(&line).body(&body).of(host);
        assert_eq!(answer.status, 207, "{answer:?}");
        answer.body
    };
    let color = "<A:calendar-color>#00ff00</A:calendar-color>";
    let both = format!("<set><prop>{color}<displayname>Mine &amp; ours</displayname></prop></set>");
    let changed = change(&host, super::CALENDAR, &both);
    assert!(
        !changed.contains("403") && !changed.contains("424"),
        "{changed}"
    );
    // One that is refused lets none through.
    let refused = "<set><prop><displayname>x</displayname><getetag>x</getetag></prop></set>";
    let refused = change(&host, super::CALENDAR, refused);
    assert!(
        refused.contains("403 Forbidden") && refused.contains("424"),
        "{refused}"
    );
    let elsewhere = change(&host, "/calendars/anna@example.org/", &both);
    assert!(elsewhere.contains("403 Forbidden"), "{elsewhere}");
    let long = format!(
        "<set><prop>{}</prop></set>",
        color.replace('#', &"x".repeat(70_000))
    );
    let long = change(&host, super::CALENDAR, &long);
    assert!(long.contains("507"), "{long}");

    host.signal("TERM");
    host.wait();
    host.start_again();
    let read = |host: &Host| {
        let names = "<displayname/><x:calendar-color xmlns:x='http://apple.com/ns/ical/'/>";
        let found = propfind(host, super::CALENDAR, "0", names);
        let found = multistatus(&found);
        let text: Vec<_> = found.responses[0]
            .2
            .iter()
            .map(|it| it.text.clone())
            .collect();
        text
    };
    assert_eq!(read(&host), ["Mine & ours", "#00ff00"]);
    let gone = "<remove><prop><A:calendar-color/><displayname/></prop></remove>";
    change(&host, super::CALENDAR, gone);
    assert_eq!(read(&host), [ANNA]);
}

/// The words of `check` about how the listener is found.
fn checked(host: &Host) -> (String, String) {
    let check = Command::new(program())
        .args(["check", "--config", "convoke.toml", "--json"])
        .current_dir(host.folder())
        .output()
        .expect("the program runs");
    let found: serde_json::Value = serde_json::from_slice(&check.stdout).expect("it is JSON");
    let found = found.as_array().unwrap().iter();
    let mut found = found.filter(|it| it["what"] == "listener caldav: found from example.org");
    let found = found.next().unwrap_or_else(|| panic!("{check:?}"));
    let text = |name: &str| found[name].as_str().unwrap().to_owned();
    (text("verdict"), text("detail"))
}

#[test]
fn check_prints_the_record_that_programs_find_the_listener_by() {
    let names = NameServer::new();
    let dns = format!("nameservers = [\"{}\"]", names.address());
    let host = example_org().table("[dns]", &dns).start();
    let (verdict, missing) = checked(&host);
    assert_eq!(verdict, "warn");
    assert!(
        missing.contains("publish: _caldavs._tcp.example.org. 3600 IN SRV 0 1 "),
        "{missing}"
    );
    // The one that is printed is right.
    let record = missing
        .rsplit(' ')
        .next()
        .unwrap()
        .trim_end_matches('.')
        .to_owned();
    names.srv("_caldavs._tcp.example.org", 0, 1, 8444, &record);
    let (verdict, fine) = checked(&host);
    assert_eq!(
        (&*verdict, &*fine),
        ("ok", &*format!("SRV 0 1 8444 {record}"))
    );
}

#[test]
fn check_tells_of_a_record_that_the_certificate_does_not_fit() {
    let names = NameServer::new();
    names.srv("_caldavs._tcp.example.org", 0, 1, 8444, "other.example.net");
    let dns = format!("nameservers = [\"{}\"]", names.address());
    let host = example_org().table("[dns]", &dns).start();
    let (verdict, wrong) = checked(&host);
    assert_eq!(verdict, "warn");
    assert!(
        wrong.contains("other.example.net, but the certificate is for"),
        "{wrong}"
    );
}
