//! What RFC 6638 adds to a server that schedules nothing: here another host, which serves its store and tells nobody.

use super::{ask, head, setup};
use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_caldav::xml::{CALDAV, DAV, Element, LIMITS, parse};
use convoke_tests::{Answer, HELD, Host, MailServer, Setup};
use std::{
    thread,
    time::{Duration, Instant},
};

pub(super) const ANNA: &str = "anna@example.org";
pub(super) const BO: &str = "bo@example.org";
const PRINCIPAL: &str = "/principals/anna@example.org/";
pub(super) const CALENDAR: &str = "/calendars/anna@example.org/calendar/";
pub(super) const BOS: &str = "/calendars/bo@example.org/calendar/";
pub(super) const INBOX: &str = "/.convoke/calendars/anna@example.org/inbox/";
pub(super) const OUTBOX: &str = "/.convoke/calendars/anna@example.org/outbox/";

/// Anna and Bo have their calendars on `server`, and their programs go to `front`.
pub(super) struct House {
    pub(super) server: Host,
    pub(super) front: Host,
}

impl House {
    fn new() -> Self {
        Self::with("settle = \"60 min\"")
    }

    fn with(scheduling: &str) -> Self {
        Self::of(scheduling, |front| front)
    }

    fn mailing(server: &MailServer) -> Self {
        let mail = format!(
            "smtp = \"smtp://{}\"\naddress = \"calendar@example.org\"\nnotify = \"off\"",
            server.address()
        );
        Self::of("settle = \"60 min\"", |front| front.table("[mail]", &mail))
    }

    pub(super) fn of(scheduling: &str, more: impl FnOnce(Setup) -> Setup) -> Self {
        Self::all(scheduling, more, |server| {
            format!("https://localhost:{}", server.address("caldav").port())
        })
    }

    /// With the server reached at another place, which leads to it.
    pub(super) fn behind(place: impl FnOnce(&Host) -> String) -> Self {
        Self::all("settle = \"60 min\"", |front| front, place)
    }

    fn all(
        scheduling: &str,
        more: impl FnOnce(Setup) -> Setup,
        place: impl FnOnce(&Host) -> String,
    ) -> Self {
        let hash = bcrypt::hash("right", 4).expect("a cost that bcrypt has");
        let store = "plugin = \"store-sqlite\"\nschedule = \"off\"\nconfig.path = \"calendars.db\"";
        let listener = "role = \"caldav\"\naddress = \"127.0.0.1:0\"\nusers = \"users.htpasswd\"\n\
            tls = { certificate = \"host.pem\", key = \"host.key\" }";
        let server = Setup::new()
            .users(&[ANNA, BO])
            .logins(&format!(
                "{ANNA}:{hash}\n{BO}:{hash}\nnobody@example.org:{hash}\n"
            ))
            .table("[[store]]", store)
            .table("[[listener]]", listener)
            .start();
        let url = place(&server);
        let user = |address: &str| {
            format!(
                "config.users.\"{address}\" = {{ home = \"{url}/calendars/{address}/\", aliases = [\"me-{address}\"], \
                 login = {{ username = \"{address}\", password_file = \"password\" }} }}\n"
            )
        };
        let store = format!(
            "plugin = \"store-caldav\"\nconfig.ca = \"server-ca.pem\"\n{}{}",
            user(ANNA),
            user(BO)
        );
        let client = "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"server-ca.pem\"";
        let front = setup(&url)
            .file("server-ca.pem", &server.authority().certificate())
            .private_file("password", "right\n")
            .table("[client]", client)
            .table("[[store]]", &store)
            .table("[scheduling]", scheduling);
        let front = more(front).start();
        Self { server, front }
    }

    /// What a program of a user is answered, through the front.
    pub(super) fn ask(
        &self,
        user: &str,
        line: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        asked(&self.front, user, line, fields, body)
    }

    /// A user's object on the server, once it is as a test expects it.
    pub(super) fn becomes(&self, user: &str, uid: &str, is_right: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = self.server.stored(user, uid).unwrap_or_default();
            if is_right(&text) {
                return text;
            }
            let waited = begun.elapsed() < Duration::from_secs(60);
            assert!(waited, "{user} {uid}: {text}\n{}", self.front.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Bo's object, once he is invited: where his program finds it.
    pub(super) fn invited(&self, uid: &str) -> (String, String) {
        self.becomes(BO, uid, |it| !it.is_empty());
        let found = self.ask(BO, &format!("PROPFIND {BOS}"), &[("Depth", "1")], "");
        let found = responses(&found).into_iter().map(|(href, _)| href);
        let path = found
            .filter(|it| !it.ends_with('/'))
            .find(|path| {
                self.ask(BO, &format!("GET {path}"), &[], "")
                    .body
                    .contains(uid)
            })
            .expect("his program sees it");
        let text = self.ask(BO, &format!("GET {path}"), &[], "").body;
        (path, text)
    }

    pub(super) fn put(
        &self,
        user: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut fields = fields.to_vec();
        fields.push(("Content-Type", "text/calendar"));
        self.ask(user, &format!("PUT {path}"), &fields, body)
    }
}

fn asked(host: &Host, user: &str, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    let login = format!("Basic {}", STANDARD.encode(format!("{user}:right")));
    let length = body.len().to_string();
    let mut all = vec![("Authorization", &*login), ("Content-Length", &*length)];
    all.extend(fields);
    ask(host, &(head(line, &all) + body))
}

/// The resources of a multistatus, each with the properties that it has.
pub(super) fn responses(answer: &Answer) -> Vec<(String, Vec<Element>)> {
    assert_eq!(answer.status, 207, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).expect("it is XML");
    let responses = root.children.iter().filter(|it| it.is(DAV, "response"));
    let responses = responses.map(|response| {
        let is_found = |it: &&Element| {
            let status = it.child(DAV, "status");
            it.is(DAV, "propstat") && status.is_some_and(|it| it.text.contains(" 200 "))
        };
        let found = response.children.iter().filter(is_found);
        let properties = found.filter_map(|it| it.child(DAV, "prop"));
        let href = response.child(DAV, "href").expect("it names a resource");
        let properties = properties.flat_map(|it| it.children.clone());
        (href.text.clone(), properties.collect())
    });
    responses.collect()
}

pub(super) fn asks_for(names: &str) -> String {
    format!(
        "<d:propfind xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\"><d:prop>{names}</d:prop></d:propfind>"
    )
}

/// A property of the first resource, which is said once.
pub(super) fn property<'a>(
    found: &'a [(String, Vec<Element>)],
    namespace: &str,
    name: &str,
) -> &'a Element {
    let mut all = found[0].1.iter().filter(|it| it.is(namespace, name));
    let first = all.next().unwrap_or_else(|| panic!("no {name}: {found:?}"));
    assert!(all.next().is_none(), "{found:?}");
    first
}

pub(super) fn meeting(uid: &str, bo: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261201T000000Z\r\n\
         DTSTART:20270104T100000Z\r\nDTEND:20270104T110000Z\r\nORGANIZER:mailto:{ANNA}\r\n\
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANNA}\r\nATTENDEE{bo}:mailto:{BO}\r\nSUMMARY:Tea\r\nEND:VEVENT\r\n\
         END:VCALENDAR\r\n"
    )
}

fn classes(answer: &Answer) -> Vec<String> {
    let values = answer.headers.iter().filter(|(name, _)| name == "dav");
    let values = values.flat_map(|(_, value)| value.split(','));
    values.map(|it| it.trim().to_owned()).collect()
}

#[test]
fn programs_find_that_there_is_scheduling_and_where() {
    let house = House::new();
    let names = "<c:schedule-inbox-URL/><c:schedule-outbox-URL/><c:calendar-user-address-set/><c:calendar-user-type/>\
        <c:calendar-home-set/><d:displayname/>";
    let answer = house.ask(
        ANNA,
        &format!("PROPFIND {PRINCIPAL}"),
        &[("Depth", "0"), ("Accept-Encoding", "gzip")],
        &asks_for(names),
    );
    let found = responses(&answer);
    assert_eq!(found.len(), 1);
    let href = |name: &str| property(&found, CALDAV, name).children[0].text.clone();
    assert_eq!(href("schedule-inbox-URL"), INBOX);
    assert_eq!(href("schedule-outbox-URL"), OUTBOX);
    assert_eq!(href("calendar-home-set"), "/calendars/anna@example.org/");
    let addresses = &property(&found, CALDAV, "calendar-user-address-set").children;
    let addresses: Vec<&str> = addresses.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(
        addresses,
        [
            "mailto:anna@example.org",
            "mailto:me-anna@example.org",
            PRINCIPAL
        ]
    );
    assert_eq!(
        property(&found, CALDAV, "calendar-user-type").text,
        "INDIVIDUAL"
    );

    // Whatever a program looks at says so; the server itself does not.
    let text = meeting("1", "")
        .replace("ATTENDEE", "X-ATTENDEE")
        .replace("ORGANIZER", "X-ORGANIZER");
    let object = format!("{CALENDAR}1.ics");
    assert_eq!(house.put(ANNA, &object, &[], &text).status, 201);
    for path in [
        PRINCIPAL,
        "/calendars/anna@example.org/",
        CALENDAR,
        &object,
        INBOX,
        OUTBOX,
    ] {
        for method in ["OPTIONS", "PROPFIND"] {
            let line = format!("{method} {path}");
            let answer = house.ask(ANNA, &line, &[("Depth", "0")], "");
            assert!(
                classes(&answer).contains(&"calendar-auto-schedule".to_owned()),
                "{line}: {answer:?}"
            );
            assert!(
                classes(&answer).contains(&"calendar-access".to_owned()),
                "{line}: {answer:?}"
            );
            if !path.starts_with("/.convoke") {
                let direct = asked(&house.server, ANNA, &line, &[("Depth", "0")], "");
                assert!(
                    !classes(&direct).contains(&"calendar-auto-schedule".to_owned()),
                    "{line}"
                );
            }
        }
    }
    // Who has no calendar is told of no scheduling.
    let other = house.ask("nobody@example.org", "OPTIONS /", &[], "");
    assert!(
        !classes(&other).contains(&"calendar-auto-schedule".to_owned()),
        "{other:?}"
    );

    // So many guests may be told of a meeting; of an object it says nothing.
    let ask = asks_for("<c:max-attendees-per-instance/>");
    let most = |path: &str| {
        let line = format!("PROPFIND {path}");
        let answer = house.ask(ANNA, &line, &[("Depth", "0")], &ask);
        answer.body
    };
    let said = most(CALENDAR);
    assert!(said.contains(">250</"), "{said}");
    assert!(!most(&object).contains("250"));

    // What asks for nothing of ours is as the server says it, byte by byte.
    let ask = asks_for("<d:displayname/><c:calendar-home-set/><d:owner/>");
    for path in [PRINCIPAL, CALENDAR] {
        let line = format!("PROPFIND {path}");
        let answer = house.ask(ANNA, &line, &[("Depth", "1")], &ask);
        assert_eq!(
            answer.body,
            asked(&house.server, ANNA, &line, &[("Depth", "1")], &ask).body
        );
    }
}

#[test]
fn inbox_and_outbox_are_there_for_whom_the_server_lets_in() {
    let house = House::new();
    let names =
        "<d:resourcetype/><d:owner/><d:current-user-principal/><d:current-user-privilege-set/>";
    for (path, kind, privilege) in [
        (INBOX, "schedule-inbox", "schedule-deliver"),
        (OUTBOX, "schedule-outbox", "schedule-send"),
    ] {
        let line = format!("PROPFIND {path}");
        let answer = house.ask(ANNA, &line, &[("Depth", "1")], &asks_for(names));
        let found = responses(&answer);
        assert_eq!((found.len(), &*found[0].0), (1, path));
        assert!(
            property(&found, DAV, "resourcetype")
                .child(CALDAV, kind)
                .is_some()
        );
        for name in ["owner", "current-user-principal"] {
            assert_eq!(property(&found, DAV, name).children[0].text, PRINCIPAL);
        }
        let privileges = &property(&found, DAV, "current-user-privilege-set").children;
        assert!(
            privileges
                .iter()
                .any(|it| it.child(CALDAV, privilege).is_some())
        );
        // Another's, and nobody's.
        for (user, status) in [(BO, 404), ("nobody@example.org", 403)] {
            assert_eq!(
                house.ask(user, &line, &[("Depth", "0")], "").status,
                status,
                "{user}"
            );
        }
        for fields in [
            &[][..],
            &[("Authorization", "Basic YW5uYUBleGFtcGxlLm9yZzp3cm9uZw==")],
        ] {
            let answer = ask(&house.front, &head(&line, fields));
            let direct = ask(&house.server, &head("PROPFIND /", fields));
            assert_eq!(answer.status, 401);
            assert_eq!(
                answer.header("www-authenticate"),
                direct.header("www-authenticate")
            );
        }
    }
    assert_eq!(house.ask(ANNA, "GET /.convoke/x", &[], "").status, 404);
    assert_eq!(
        house.ask(ANNA, &format!("GET {OUTBOX}"), &[], "").status,
        405
    );
}

#[test]
fn busy_time_is_asked_for_in_the_outbox() {
    let house = House::new();
    let path = format!("{CALENDAR}1.ics");
    assert_eq!(house.put(ANNA, &path, &[], &meeting("1", "")).status, 201);
    house.becomes(BO, "1", |it| !it.is_empty());
    let question = |organizer: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:fb\r\n\
             DTSTAMP:20261201T000000Z\r\nDTSTART:20270104T000000Z\r\nDTEND:20270105T000000Z\r\nORGANIZER:mailto:{organizer}\r\n\
             ATTENDEE:mailto:{ANNA}\r\nATTENDEE:mailto:nobody@example.org\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        )
    };
    let post = |user: &str, path: &str, organizer: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("Content-Type", "text/calendar")];
        fields.extend(more);
        house.ask(user, &format!("POST {path}"), &fields, &question(organizer))
    };
    let answer = post(ANNA, OUTBOX, ANNA, &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).unwrap();
    let text = |at: usize, name: &str| {
        let found = root.children[at].child(CALDAV, name);
        found.map(|it| it.text.clone()).unwrap_or_default()
    };
    assert!(text(0, "request-status").starts_with("2.0;"), "{answer:?}");
    assert!(
        text(0, "calendar-data").contains("20270104T100000Z/"),
        "{answer:?}"
    );
    assert!(text(1, "request-status").starts_with("3.7;"), "{answer:?}");
    // As somebody else; in another's outbox; lured.
    assert_eq!(
        precondition(&post(ANNA, OUTBOX, BO, &[])),
        "organizer-allowed"
    );
    assert_eq!(post(BO, OUTBOX, BO, &[]).status, 404);
    let lured = [("Origin", "https://evil.example")];
    assert_eq!(post(ANNA, OUTBOX, ANNA, &lured).status, 403);
}

/// The name of the precondition that was not met.
pub(super) fn precondition(answer: &Answer) -> String {
    assert_eq!(answer.status, 403, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).expect("it is XML");
    assert!(root.is(DAV, "error"));
    root.children[0].name.local.to_string()
}

#[test]
fn an_invitation_is_told_within_the_answer_and_answered() {
    let house = House::new();
    let path = format!("{CALENDAR}1.ics");
    let answer = house.put(ANNA, &path, &[], &meeting("1", ";RSVP=TRUE"));
    assert_eq!(answer.status, 201, "{answer:?}");
    let tag = answer.header("schedule-tag").expect("a schedule tag");
    let own = house.becomes(ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    let read = house.ask(
        ANNA,
        &format!("GET {path}"),
        &[("Accept-Encoding", "gzip")],
        "",
    );
    assert_eq!(read.header("schedule-tag").as_ref(), Some(&tag));
    let alone = house.ask(ANNA, &format!("HEAD {path}"), &[], "");
    assert_eq!(
        (alone.status, alone.header("schedule-tag").as_ref()),
        (200, Some(&tag))
    );
    // No entity tag is given of what is not what was sent.
    assert_ne!(read.header("etag"), answer.header("etag"));

    let (bos, invitation) = house.invited("1");
    let accepted = invitation.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED");
    assert_ne!(accepted, invitation);
    assert_eq!(house.put(BO, &bos, &[], &accepted).status, 204);
    let answered = |it: &str| {
        it.lines()
            .any(|line| line.contains("ACCEPTED") && line.contains(BO))
    };
    house.becomes(ANNA, "1", answered);

    // A program that read it before the answer renames it: the answer stays.
    let renamed = own.replace("SUMMARY:Tea", "SUMMARY:Coffee");
    let if_tag = |tag: &str| house.put(ANNA, &path, &[("If-Schedule-Tag-Match", tag)], &renamed);
    assert_eq!(if_tag("\"0\"").status, 412);
    assert_eq!(if_tag(&tag).status, 204);
    house.becomes(BO, "1", |it| it.contains("SUMMARY:Coffee"));
    let own = house.server.stored(ANNA, "1").unwrap();
    assert!(answered(&own) && own.contains("SUMMARY:Coffee"), "{own}");
}

/// Programs that know no schedule tags name the version that they have stored, and the server compares strictly.
#[test]
fn what_only_statuses_were_written_into_is_no_conflict() {
    let mails = MailServer::new();
    mails.behave(|it| it.dot = HELD.to_owned());
    let house = House::mailing(&mails);
    let path = format!("{CALENDAR}1.ics");
    let data = meeting("1", "").replace(BO, "cy@example.com");
    let stored = |data: &str, etag: &str| house.put(ANNA, &path, &[("If-Match", etag)], data);
    let first = house.put(ANNA, &path, &[], &data).header("etag");
    let first = first.expect("nothing was written into it yet");
    mails.behave(|it| it.dot = "250 2.0.0 Ok".to_owned());
    let is_handed_over = |it: &str| it.contains("SCHEDULE-STATUS=1.1");
    house.becomes(ANNA, "1", is_handed_over);

    mails.behave(|it| it.dot = HELD.to_owned());
    let renamed = data.replace("SUMMARY:Tea", "SUMMARY:Coffee");
    assert_eq!(stored(&renamed, "\"0\"").status, 412);
    let answer = stored(&renamed, &format!("\"0\", {first}"));
    assert_eq!((answer.status, answer.header("etag")), (204, None));
    let own = house.server.stored(ANNA, "1").unwrap();
    assert!(is_handed_over(&own) && own.contains("Coffee"), "{own}");
    // What a program wrote since is a conflict.
    assert_eq!(stored(&data, &first).status, 412);
    let line = format!("DELETE {path}");
    let delete = |etag: &str| house.ask(ANNA, &line, &[("If-Match", etag)], "").status;
    assert_eq!(delete(&first), 412);
    let read = house.ask(ANNA, &format!("GET {path}"), &[], "");
    let second = read.header("etag").unwrap();
    mails.behave(|it| it.dot = "554 5.7.1 no".to_owned());
    house.becomes(ANNA, "1", |it| !is_handed_over(it));
    // Who invites nobody any more stores what is nobody else's.
    let alone = data
        .lines()
        .filter(|it| !it.contains("mailto:"))
        .collect::<Vec<_>>()
        .join("\r\n");
    assert_eq!(stored(&alone, &second).status, 204);
    assert!(!house.server.stored(ANNA, "1").unwrap().contains("mailto:"));
}

#[test]
fn schedule_tags_are_told_with_objects() {
    let house = House::new();
    let path = format!("{CALENDAR}1.ics");
    let tag = house
        .put(ANNA, &path, &[], &meeting("1", ""))
        .header("schedule-tag");
    let tag = tag.expect("a schedule tag");
    let own = meeting("2", "")
        .replace("ATTENDEE", "X-ATTENDEE")
        .replace("ORGANIZER", "X-ORGANIZER");
    let answer = house.put(ANNA, &format!("{CALENDAR}2.ics"), &[], &own);
    assert_eq!(answer.header("schedule-tag"), None);
    assert!(answer.header("etag").is_some(), "nobody else is concerned");
    let multiget = format!(
        "<c:calendar-multiget xmlns=\"DAV:\" xmlns:c=\"{CALDAV}\"><prop><getetag/><c:schedule-tag/><c:calendar-data/></prop>\
         <href>{path}</href><href>{CALENDAR}2.ics</href></c:calendar-multiget>"
    );
    let depth = [("Depth", "1")];
    let found = responses(&house.ask(ANNA, &format!("REPORT {CALENDAR}"), &depth, &multiget));
    assert_eq!(property(&found[..1], CALDAV, "schedule-tag").text, tag);
    assert!(
        !found[1].1.iter().any(|it| it.is(CALDAV, "schedule-tag")),
        "{found:?}"
    );
    let ask = asks_for("<c:schedule-tag/>");
    let alone = house.ask(ANNA, &format!("PROPFIND {path}"), &[("Depth", "0")], &ask);
    assert_eq!(
        property(&responses(&alone), CALDAV, "schedule-tag").text,
        tag
    );
}

#[test]
fn what_is_not_theirs_to_write_does_not_reach_the_server() {
    let house = House::new();
    let path = format!("{CALENDAR}1.ics");
    // Nobody answers for a guest.
    let answer = house.put(ANNA, &path, &[], &meeting("1", ";PARTSTAT=ACCEPTED"));
    assert_eq!(
        (answer.status, answer.header("etag")),
        (201, None),
        "{answer:?}"
    );
    let own = house.becomes(ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    let bo = own.lines().find(|it| it.contains(BO)).unwrap();
    assert!(!bo.contains("ACCEPTED"), "{bo}");

    let (bos, invitation) = house.invited("1");
    let before = house.server.stored(BO, "1");
    let moved = invitation.replace("T100000Z", "T090000Z");
    assert_ne!(moved, invitation);
    let answer = house.put(BO, &bos, &[], &moved);
    assert_eq!(
        precondition(&answer),
        "allowed-attendee-scheduling-object-change"
    );
    assert_eq!(house.server.stored(BO, "1"), before);
    // Who may not see it does not learn by that what is in it.
    let direct = asked(
        &house.server,
        ANNA,
        &format!("PUT {bos}"),
        &[("Content-Type", "text/calendar")],
        &moved,
    );
    assert_eq!(house.put(ANNA, &bos, &[], &moved).status, direct.status);
    let anonymous = ask(
        &house.front,
        &(head(
            &format!("PUT {bos}"),
            &[("Content-Length", &moved.len().to_string())],
        ) + &moved),
    );
    assert_eq!(anonymous.status, 401);

    // A meeting does not become another organizer's.
    let stolen = own.replace(
        &format!("ORGANIZER:mailto:{ANNA}"),
        "ORGANIZER:mailto:eve@example.com",
    );
    assert_ne!(stolen, own);
    let answer = house.put(ANNA, &path, &[], &stolen);
    assert_eq!(
        precondition(&answer),
        "allowed-organizer-scheduling-object-change"
    );
    assert_eq!(house.server.stored(ANNA, "1").as_deref(), Some(&*own));
}

/// What is refused in one form is refused in every one, and what cannot be judged is not stored.
#[test]
fn no_edit_passes_unjudged() {
    let house = House::of("settle = \"60 min\"", |front| {
        front.table("[limits]", "content_length = \"8 KiB\"")
    });
    let path = format!("{CALENDAR}1.ics");
    assert_eq!(house.put(ANNA, &path, &[], &meeting("1", "")).status, 201);
    let (bos, invitation) = house.invited("1");
    let before = house.server.stored(BO, "1");
    let moved = invitation.replace("T100000Z", "T090000Z");
    assert_ne!(moved, invitation);
    let long = "x".repeat(8 << 10);
    let long = moved.replace("SUMMARY:Tea", &format!("SUMMARY:Tea{long}"));
    let coded = [("Content-Encoding", "gzip")];
    let part = [("Content-Range", "bytes 0-99/100")];
    let answer = house.put(BO, &bos, &coded, &moved);
    let taken = answer.header("accept-encoding");
    assert_eq!((answer.status, taken.as_deref()), (415, Some("identity")));
    assert!(answer.body.contains("Content-Encoding"), "{answer:?}");
    assert_eq!(house.put(BO, &bos, &part, &moved).status, 400);
    let answer = house.put(BO, &bos, &[], &long);
    assert_eq!(precondition(&answer), "max-resource-size");
    // Whatever it is called, it is an object.
    let other = [("Content-Type", "text/plain")];
    let answer = house.ask(BO, &format!("PUT {bos}"), &other, &moved);
    let name = "allowed-attendee-scheduling-object-change";
    assert_eq!(precondition(&answer), name);
    assert_eq!(house.server.stored(BO, "1"), before);
    // What nothing was done to is stored.
    let plain = [("Content-Encoding", "identity")];
    let accepted = invitation.replace(
        &format!(":mailto:{BO}"),
        &format!(";PARTSTAT=ACCEPTED:mailto:{BO}"),
    );
    assert_eq!(house.put(BO, &bos, &plain, &accepted).status, 204);

    // Who asks is told how long it may be; and who may not is told nothing.
    let ask = asks_for("<c:max-resource-size/>");
    let line = format!("PROPFIND {CALENDAR}");
    let said = house.ask(ANNA, &line, &[("Depth", "0")], &ask);
    let said = responses(&said);
    assert_eq!(property(&said, CALDAV, "max-resource-size").text, "8192");
    for (fields, data) in [(&coded[..], &moved), (&[], &long)] {
        let mut direct = fields.to_vec();
        direct.push(("Content-Type", "text/calendar"));
        let direct = asked(&house.server, ANNA, &format!("PUT {bos}"), &direct, data);
        let through = house.put(ANNA, &bos, fields, data);
        assert_eq!(through.status, direct.status, "{through:?}");
    }
}

#[test]
fn what_is_removed_is_told_unless_an_attendee_leaves_without_a_word() {
    let house = House::new();
    for uid in ["1", "2"] {
        let path = format!("{CALENDAR}{uid}.ics");
        assert_eq!(house.put(ANNA, &path, &[], &meeting(uid, "")).status, 201);
        house.becomes(ANNA, uid, |it| it.contains("SCHEDULE-STATUS=2.0"));
    }
    let (first, _) = house.invited("1");
    let silent = [("Schedule-Reply", "F")];
    assert_eq!(
        house
            .ask(BO, &format!("DELETE {first}"), &silent, "")
            .status,
        204
    );
    let (second, _) = house.invited("2");
    let other = [("If-Schedule-Tag-Match", "\"0\"")];
    assert_eq!(
        house
            .ask(BO, &format!("DELETE {second}"), &other, "")
            .status,
        412
    );
    assert_eq!(
        house.ask(BO, &format!("DELETE {second}"), &[], "").status,
        204
    );
    let declined = |it: &str| {
        it.lines()
            .any(|line| line.contains("DECLINED") && line.contains(BO))
    };
    house.becomes(ANNA, "2", declined);
    let kept = house.server.stored(ANNA, "1").unwrap();
    assert!(!declined(&kept), "{kept}");

    // The organizer's word counts always.
    assert_eq!(
        house
            .put(ANNA, &format!("{CALENDAR}3.ics"), &[], &meeting("3", ""))
            .status,
        201
    );
    house.becomes(BO, "3", |it| !it.is_empty());
    let line = format!("DELETE {CALENDAR}3.ics");
    assert_eq!(house.ask(ANNA, &line, &silent, "").status, 204);
    house.becomes(BO, "3", |it| {
        it.is_empty() || it.contains("STATUS:CANCELLED")
    });
}
