use super::{ANNA, Ask, CALENDAR, example_org, multistatus, precondition};
use convoke_caldav::xml::{CALDAV, DAV, Element, LIMITS, parse};
use convoke_tests::{Answer, Host};

const ANNAS: &str = "/principals/anna@example.org/";
const EVERYWHERE: &str = "<apply-to-principal-collection-set/>";
const ADDRESS: &str = "<C:calendar-user-address-set/>";

/// A search for principals with a property that contains a text.
fn search(host: &Host, path: &str, property: &str, text: &str, scope: &str) -> Answer {
    let body = format!(
        "<principal-property-search xmlns='DAV:' xmlns:C='{CALDAV}'>{scope}<property-search><prop>{property}</prop>\
         <match>{text}</match></property-search><prop><displayname/><C:calendar-user-address-set/></prop>\
         </principal-property-search>"
    );
    Ask::new(&format!("REPORT {path}"))
        .with("Depth", "0")
        .body(&body)
        .of(host)
}

/// RFC 6638 §2.4.1: one looks for an address; RFC 4791 §6.2.1: or for where calendars are, as Thunderbird does.
#[test]
fn who_searches_finds_themselves_and_nobody_else() {
    let host = example_org().start();
    for (path, property, text, scope, expected) in [
        ("/principals/", ADDRESS, "ANNA@example", "", true),
        ("/", "<displayname/>", "anna", "", true),
        (
            "/principals/",
            "<C:calendar-home-set/>",
            "/calendars/anna@example.org",
            "",
            true,
        ),
        (CALENDAR, ADDRESS, ANNA, EVERYWHERE, true),
        // There are none in a calendar.
        (CALENDAR, ADDRESS, ANNA, "", false),
        ("/principals/", ADDRESS, "bo@example.org", "", false),
        (CALENDAR, ADDRESS, "bo@example.org", EVERYWHERE, false),
        ("/principals/", "<resourcetype/>", "", "", false),
    ] {
        let answer = search(&host, path, property, text, scope);
        let found = multistatus(&answer);
        let all: &[&str] = if expected { &[ANNAS] } else { &[] };
        assert_eq!(found.hrefs(), all, "{path} {property} {text}");
        if expected {
            let addresses = found.property(CALDAV, "calendar-user-address-set");
            assert_eq!(addresses.children[0].text, format!("mailto:{ANNA}"));
        }
    }
    let elsewhere = search(&host, "/principals/bo@example.org/", ADDRESS, "bo", "");
    assert_eq!(elsewhere.status, 404);
    let empty = Ask::new("REPORT /principals/")
        .body(
            "<principal-property-search xmlns='DAV:'><property-search/></principal-property-search>",
        )
        .of(&host);
    assert_eq!(empty.status, 400);
}

/// RFC 3744 §9.5.
#[test]
fn where_principals_are_says_what_they_are_found_by() {
    let host = example_org().start();
    let body = "<principal-search-property-set xmlns='DAV:'/>";
    let ask = |path: &str| Ask::new(&format!("REPORT {path}")).body(body).of(&host);
    let answer = ask("/principals/");
    assert_eq!(answer.status, 200, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).unwrap();
    assert!(root.is(DAV, "principal-search-property-set"));
    let names = root.children.iter().map(|it| {
        let property = &it.child(DAV, "prop").unwrap().children[0];
        assert!(!it.child(DAV, "description").unwrap().text.is_empty());
        property.name.local.clone()
    });
    let names: Vec<_> = names.collect();
    assert!(names.contains(&"displayname".into()), "{names:?}");
    assert!(
        names.contains(&"calendar-user-address-set".into()),
        "{names:?}"
    );
    for elsewhere in ["/", CALENDAR, ANNAS] {
        let refused = ask(elsewhere);
        assert_eq!(refused.status, 403, "{elsewhere}");
        assert_eq!(precondition(&refused), "supported-report", "{elsewhere}");
    }
}
