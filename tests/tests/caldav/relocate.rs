use super::{ANNA, Ask, CALENDAR, event, example_org, multistatus, precondition, store};
use convoke_caldav::xml::CALDAV;
use convoke_tests::{Answer, Host};
use std::{sync::Barrier, thread};

fn relocate<'a>(method: &str, from: &str, to: &'a str) -> Ask<'a> {
    Ask::new(&format!("{method} {CALENDAR}{from}")).with("Destination", to)
}

fn get(host: &Host, name: &str) -> Answer {
    Ask::new(&format!("GET {CALENDAR}{name}")).of(host)
}

/// The paths that are told of since a token, with `-` before those that are gone, and the next token.
fn synced(host: &Host, token: &str) -> (Vec<String>, String) {
    let body = format!(
        "<sync-collection xmlns='DAV:' xmlns:C='{CALDAV}'><sync-token>{token}</sync-token><sync-level>1</sync-level>\
         <prop><getetag/></prop></sync-collection>"
    );
    let answer = Ask::new(&format!("REPORT {CALENDAR}")).body(&body).of(host);
    let told = multistatus(&answer);
    let each = told.responses.iter().map(|(href, status, _)| {
        let name = href.replace(CALENDAR, "");
        let gone = status.as_deref() == Some("HTTP/1.1 404 Not Found");
        if gone { format!("-{name}") } else { name }
    });
    let mut each: Vec<String> = each.collect();
    each.sort_unstable();
    (each, told.sync_token.unwrap())
}

fn listed(host: &Host) -> Vec<String> {
    let all = Ask::new(&format!("PROPFIND {CALENDAR}")).with("Depth", "1");
    let all = multistatus(&all.of(host));
    let mut names: Vec<String> = all
        .hrefs()
        .iter()
        .map(|it| it.replace(CALENDAR, ""))
        .collect();
    names.retain(|it| !it.is_empty());
    names.sort_unstable();
    names
}

#[test]
fn an_object_that_is_moved_has_another_name_and_is_nothing_new() {
    let host = example_org().start();
    let data = event("1", "Tea").replace(
        "SUMMARY",
        "ORGANIZER:mailto:anna@example.org\r\nATTENDEE:mailto:bo@example.org\r\nSUMMARY",
    );
    let made = Ask::new(&format!("PUT {CALENDAR}1.ics"))
        .body(&data)
        .of(&host);
    assert_eq!(made.status, 201, "{made:?}");
    store(&host, "2.ics", &event("2", "Tea"));
    let before = get(&host, "1.ics");
    assert_eq!(listed(&host), ["1.ics", "2.ics"]);
    let (_, token) = synced(&host, "");

    let to = format!("https://localhost{CALENDAR}a%20name.ics");
    let moved = relocate("MOVE", "1.ics", &to).of(&host);
    assert_eq!(moved.status, 201, "{moved:?}");
    assert_eq!(get(&host, "1.ics").status, 404);
    let after = get(&host, "a%20name.ics");
    assert_eq!((after.status, &after.body), (200, &before.body));
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(after.header("schedule-tag"), before.header("schedule-tag"));
    assert_eq!(listed(&host), ["2.ics", "a%20name.ics"]);
    let (told, token) = synced(&host, &token);
    assert_eq!(told, ["-1.ics", "a%20name.ics"]);
    assert!(synced(&host, &token).0.is_empty());
    assert!(!host.log().contains("CANCEL"), "nobody is told");

    // Back again, over another object, which is gone then.
    let to = format!("{CALENDAR}2.ics");
    let keep = relocate("MOVE", "a%20name.ics", &to).with("Overwrite", "F");
    assert_eq!(keep.of(&host).status, 412);
    assert_eq!(relocate("MOVE", "a%20name.ics", &to).of(&host).status, 204);
    assert_eq!(get(&host, "2.ics").body, before.body);
    assert_eq!(host.stored(ANNA, "2"), None);
    assert_eq!(listed(&host), ["2.ics"]);
    let (told, token) = synced(&host, &token);
    assert!(
        told.contains(&"2.ics".to_owned()) && told.contains(&"-a%20name.ics".to_owned()),
        "{told:?}"
    );
    let to = format!("{CALENDAR}1.ics");
    assert_eq!(relocate("MOVE", "2.ics", &to).of(&host).status, 201);
    assert_eq!(synced(&host, &token).0, ["-2.ics", "1.ics"]);
    assert_eq!(get(&host, "1.ics").body, before.body);
}

#[test]
fn what_cannot_be_moved_or_copied_is_refused() {
    let host = example_org().start();
    let tag = store(&host, "1.ics", &event("1", "Tea"));
    store(&host, "2.ics", &event("2", "Tea"));
    for (to, status) in [
        (
            "https://evil.example/calendars/anna@example.org/calendar/3.ics",
            502,
        ),
        (
            "http://localhost/calendars/anna@example.org/calendar/3.ics",
            502,
        ),
        ("//evil.example/3.ics", 502),
        ("3.ics", 502),
        ("/calendars/bo@example.org/calendar/3.ics", 403),
        ("/calendars/anna@example.org/inbox/", 403),
        ("/calendars/anna@example.org/calendar/", 403),
        ("/calendars/anna@example.org/calendar/1.ics", 403),
        ("/calendars/anna@example.org/work/3.ics", 409),
        ("/calendars/anna@example.org/calendar/%2e%2e", 409),
    ] {
        for method in ["MOVE", "COPY"] {
            let answer = relocate(method, "1.ics", to).of(&host);
            assert_eq!(answer.status, status, "{method} {to}");
        }
    }
    let none = Ask::new(&format!("MOVE {CALENDAR}1.ics")).of(&host);
    assert_eq!(none.status, 400);
    let three = format!("{CALENDAR}3.ics");
    assert_eq!(relocate("MOVE", "4.ics", &three).of(&host).status, 404);
    for to in [&three, &format!("{CALENDAR}2.ics")] {
        let copied = relocate("COPY", "1.ics", to).of(&host);
        assert_eq!(copied.status, 403);
        assert_eq!(precondition(&copied), "no-uid-conflict");
        assert!(copied.body.contains("1.ics"), "{copied:?}");
    }
    let collection = Ask::new(&format!("MOVE {CALENDAR}")).with("Destination", "/x/");
    assert_eq!(collection.of(&host).status, 403);

    let other = format!("([\"x\"]) ([{tag}] <urn:uuid:1>)");
    let tagged = format!("<{CALENDAR}3.ics> ([\"x\"])");
    for (field, value) in [
        ("If-Match", "\"x\""),
        ("If-None-Match", tag.as_str()),
        ("If", &other),
        ("If", &tagged),
    ] {
        let answer = relocate("MOVE", "1.ics", &three).with(field, value);
        assert_eq!(answer.of(&host).status, 412, "{field}: {value}");
    }
    let odd = relocate("MOVE", "1.ics", &three).with("If", "x");
    assert_eq!(odd.of(&host).status, 400);
    let deleted = Ask::new(&format!("DELETE {CALENDAR}1.ics")).with("If", &other);
    assert_eq!(deleted.of(&host).status, 412);
    assert_eq!(listed(&host), ["1.ics", "2.ics"]);
    let both = format!("<https://localhost{CALENDAR}1.ics> ([{tag}]) <{three}> (Not [\"x\"])");
    let moved = relocate("MOVE", "1.ics", &three).with("If", &both);
    assert_eq!(moved.of(&host).status, 201);
}

/// Whoever comes second is told of the first one's name, which stays.
#[test]
fn of_two_names_for_one_new_object_one_is_its_own() {
    let host = example_org().start();
    for round in 0..5 {
        let uid = format!("r{round}");
        let barrier = Barrier::new(4);
        let answers: Vec<(String, Answer)> = thread::scope(|scope| {
            let puts = (0..4).map(|it| {
                let name = format!("{uid}-{it}.ics");
                let (host, barrier, data) = (&host, &barrier, event(&uid, "Tea"));
                scope.spawn(move || {
                    let put = Ask::new(&format!("PUT {CALENDAR}{name}"))
                        .with("If-None-Match", "*")
                        .body(&data);
                    barrier.wait();
                    (name.clone(), put.of(host))
                })
            });
            let puts: Vec<_> = puts.collect();
            puts.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let made: Vec<_> = answers.iter().filter(|(_, it)| it.status == 201).collect();
        let [(name, _)] = made[..] else {
            panic!("{answers:?}");
        };
        for (_, answer) in answers.iter().filter(|(_, it)| it.status != 201) {
            assert_eq!(precondition(answer), "no-uid-conflict");
            assert!(answer.body.contains(name.as_str()), "{answer:?}");
        }
        assert_eq!(get(&host, name).status, 200);
    }
}
