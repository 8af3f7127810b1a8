use super::{ANNA, Ask, CALENDAR, event, example_org, multistatus, precondition};
use convoke_caldav::xml::{CALDAV, Element, LIMITS, parse};
use convoke_tests::{Answer, HELD, Host, MailServer, Setup};
use std::{
    thread,
    time::{Duration, Instant},
};

const BO: &str = "bo@example.org";
const BOS: &str = "/calendars/bo@example.org/calendar/";

/// Nothing is told by a look at a calendar: only at once.
fn patient() -> Setup {
    example_org().table("[scheduling]", "settle = \"60 min\"")
}

/// A meeting of Anna's with Bo.
fn meeting(uid: &str, bo: &str) -> String {
    event(uid, "Tea").replace(
        "SUMMARY",
        &format!("ORGANIZER:mailto:{ANNA}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANNA}\r\nATTENDEE{bo}:mailto:{BO}\r\nSUMMARY"),
    )
}

fn put<'a>(uid: &str, data: &'a str) -> Ask<'a> {
    Ask::new(&format!("PUT {CALENDAR}{uid}.ics"))
        .with("Content-Type", "text/calendar")
        .body(data)
}

/// Stores it as Anna.
fn stored(host: &Host, uid: &str, data: &str) -> Answer {
    let answer = put(uid, data).of(host);
    assert!(matches!(answer.status, 201 | 204), "{answer:?}");
    answer
}

/// What a user's object is once it is as a test expects it: what is not delivered within an answer is delivered after it.
fn becomes(host: &Host, user: &str, uid: &str, is_right: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let text = host.stored(user, uid).unwrap_or_default();
        if is_right(&text) {
            return text;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{user} {uid}: {text}"
        );
        thread::yield_now();
    }
}

/// Bo's object, as his program reads it: its path, and its text.
fn bos(host: &Host, uid: &str) -> (String, String) {
    becomes(host, BO, uid, |it| !it.is_empty());
    let path = format!("{BOS}{uid}.ics");
    let read = Ask::new(&format!("GET {path}")).by(Some(BO)).of(host);
    assert_eq!(read.status, 200);
    (path, read.body)
}

fn bo_stores(host: &Host, path: &str, data: &str) -> Answer {
    let line = format!("PUT {path}");
    let put = Ask::new(&line)
        .by(Some(BO))
        .with("Content-Type", "text/calendar");
    put.body(data).of(host)
}

#[test]
fn an_invitation_is_told_at_once_and_answered() {
    let host = patient().start();
    let answer = stored(&host, "1", &meeting("1", ";RSVP=TRUE"));
    let tag = answer.header("schedule-tag").unwrap();
    let own = becomes(&host, ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    // No entity tag is given for what is not what was sent.
    let read = Ask::new(&format!("GET {CALENDAR}1.ics")).of(&host);
    assert_ne!(read.header("etag"), answer.header("etag"));
    assert_eq!(read.header("schedule-tag").as_ref(), Some(&tag));

    let (path, invitation) = bos(&host, "1");
    let accepted = invitation.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED");
    assert_ne!(accepted, invitation);
    assert_eq!(bo_stores(&host, &path, &accepted).status, 204);
    let answered = |it: &str| {
        it.lines()
            .any(|line| line.contains("ACCEPTED") && line.contains(BO))
    };
    becomes(&host, ANNA, "1", answered);
    let read = Ask::new(&format!("GET {CALENDAR}1.ics")).of(&host);
    assert_eq!(
        read.header("schedule-tag").as_ref(),
        Some(&tag),
        "an answer is no edit"
    );

    // A program that read it before the answer renames it: the answer stays.
    let renamed = own.replace("SUMMARY:Tea", "SUMMARY:Coffee");
    let other = put("1", &renamed).with("If-Schedule-Tag-Match", "\"0\"");
    assert_eq!(other.of(&host).status, 412);
    let same = put("1", &renamed).with("If-Schedule-Tag-Match", &tag);
    assert_eq!(same.of(&host).status, 204);
    let told = becomes(&host, BO, "1", |it| it.contains("SUMMARY:Coffee"));
    assert!(told.contains("ACCEPTED"), "{told}");
    let own = host.stored(ANNA, "1").unwrap();
    assert!(answered(&own) && own.contains("SUMMARY:Coffee"), "{own}");
}

#[test]
fn a_meeting_has_no_more_guests_than_one_message_has_recipients() {
    let host = patient().table("[limits]", "recipients = 3").start();
    let names = "<propfind xmlns='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'><prop><c:max-attendees-per-instance/></prop></propfind>";
    let said = Ask::new(&format!("PROPFIND {CALENDAR}")).with("Depth", "0");
    let said = multistatus(&said.body(names).of(&host));
    assert_eq!(
        said.property(CALDAV, "max-attendees-per-instance").text,
        "3"
    );
    let of = |guests: usize| {
        let lines = (1..guests).map(|it| format!("ATTENDEE:mailto:guest-{it}@example.org\r\n"));
        let lines = lines.collect::<String>();
        meeting("1", "").replace("SUMMARY", &format!("{lines}SUMMARY"))
    };
    assert_eq!(put("1", &of(2)).of(&host).status, 201);
    let refused = put("1", &of(3)).of(&host);
    assert_eq!(
        (refused.status, &*precondition(&refused)),
        (403, "max-attendees-per-instance")
    );
    // What was written before there was a bound may be changed, as long as it does not grow.
    let before = of(5).replace("UID:1", "UID:before");
    host.put(ANNA, &before);
    let later = before
        .replace("T100000Z", "T120000Z")
        .replace("T110000Z", "T130000Z");
    assert_eq!(put("before", &later).of(&host).status, 204);
    let more = of(6).replace("UID:1", "UID:before");
    assert_eq!(put("before", &more).of(&host).status, 403);
    // Who is one of many guests may answer all the same.
    let invited = of(3).replace(
        &format!("ORGANIZER:mailto:{ANNA}"),
        "ORGANIZER:mailto:eve@example.com",
    );
    let invited = invited.replace("UID:1", "UID:2");
    assert_eq!(put("2", &invited).of(&host).status, 201);
}

/// Programs that know no schedule tags name the version that they have stored.
#[test]
fn what_only_statuses_were_written_into_is_no_conflict() {
    let mails = MailServer::new();
    mails.behave(|it| it.dot = HELD.to_owned());
    let mail = format!(
        "smtp = \"smtp://{}\"\naddress = \"calendar@example.org\"\nnotify = \"off\"",
        mails.address()
    );
    let host = patient().table("[mail]", &mail).start();
    let data = meeting("1", "").replace(BO, "cy@example.com");
    let stored = |data: &str, etag: &str| put("1", data).with("If-Match", etag).of(&host);
    let first = put("1", &data).of(&host).header("etag");
    let first = first.expect("nothing was written into it yet");
    mails.behave(|it| it.dot = "250 2.0.0 Ok".to_owned());
    let is_handed_over = |it: &str| it.contains("SCHEDULE-STATUS=1.1");
    becomes(&host, ANNA, "1", is_handed_over);

    mails.behave(|it| it.dot = HELD.to_owned());
    let renamed = data.replace("SUMMARY:Tea", "SUMMARY:Coffee");
    assert_eq!(stored(&renamed, "\"0\"").status, 412);
    let answer = stored(&renamed, &format!("\"0\", {first}"));
    assert_eq!((answer.status, answer.header("etag")), (204, None));
    let own = host.stored(ANNA, "1").unwrap();
    assert!(is_handed_over(&own) && own.contains("Coffee"), "{own}");
    // What a program wrote since is a conflict.
    assert_eq!(stored(&data, &first).status, 412);
    let delete = |etag: &str| {
        let line = format!("DELETE {CALENDAR}1.ics");
        Ask::new(&line).with("If-Match", etag).of(&host).status
    };
    assert_eq!(delete(&first), 412);
    let read = Ask::new(&format!("GET {CALENDAR}1.ics")).of(&host);
    let second = read.header("etag").unwrap();
    mails.behave(|it| it.dot = "554 5.7.1 no".to_owned());
    becomes(&host, ANNA, "1", |it| !is_handed_over(it));
    assert_eq!(delete(&second), 204);
}

/// RFC 5546 §3.2.2.3: with what a guest hands on comes to whom, which a program does not know that read the meeting before.
#[test]
fn a_delegation_stays_though_an_older_version_is_written() {
    const CY: &str = "cy@example.org";
    let host = patient().users(&[ANNA, BO, CY]).start();
    let data = meeting("1", "").replace("SUMMARY", &format!("ATTENDEE:mailto:{CY}\r\nSUMMARY"));
    stored(&host, "1", &data);
    let told = |it: &str| it.matches("SCHEDULE-STATUS=2.0").count() == 2;
    becomes(&host, ANNA, "1", told);
    let read = Ask::new(&format!("GET {CALENDAR}1.ics")).of(&host);
    let etag = read.header("etag").unwrap();

    let (path, invitation) = bos(&host, "1");
    let handed_on = ";PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:cy@example.org\":mailto:bo@";
    let delegated = invitation.replace(":mailto:bo@", handed_on);
    let answer = bo_stores(&host, &path, &delegated);
    assert_eq!(answer.status, 204, "{delegated} {answer:?}");
    let of_bo = |it: &str| {
        let unfolded = it.replace("\r\n ", "");
        let mut lines = unfolded.lines();
        let line = lines.find(|it| it.starts_with("ATTENDEE") && it.ends_with(BO));
        line.unwrap_or_default().to_owned()
    };
    let is_handed_on = |it: &str| of_bo(it).contains("DELEGATED-TO");
    becomes(&host, ANNA, "1", is_handed_on);

    let renamed = read.body.replace("SUMMARY:Tea", "SUMMARY:Coffee");
    let answer = put("1", &renamed).with("If-Match", &etag).of(&host);
    assert_eq!(answer.status, 204, "{answer:?}");
    let own = host.stored(ANNA, "1").unwrap();
    assert!(own.contains("SUMMARY:Coffee"), "{own}");
    for said in [
        "PARTSTAT=DELEGATED",
        "DELEGATED-TO=\"mailto:cy@example.org\"",
    ] {
        assert!(of_bo(&own).contains(said), "{own}");
    }
}

/// RFC 6638 §3.2.10.
#[test]
fn the_own_answer_to_an_instance_changes_the_tag_and_another_ones_does_not() {
    const EVE: &str = "eve@example.org";
    let host = patient().users(&[ANNA, BO, EVE]).start();
    let weekly = format!("ATTENDEE:mailto:{EVE}\r\nRRULE:FREQ=WEEKLY;COUNT=9\r\nSUMMARY");
    let data = meeting("1", "").replace("SUMMARY", &weekly);
    stored(&host, "1", &data);
    becomes(&host, ANNA, "1", |it| {
        it.matches("SCHEDULE-STATUS=2.0").count() == 2
    });
    let annas = format!("{CALENDAR}1.ics");
    let read = |user: &str, path: &str| {
        let line = format!("GET {path}");
        let read = Ask::new(&line).by(Some(user)).of(&host);
        (read.header("schedule-tag").unwrap(), read.body)
    };
    let (path, invitation) = bos(&host, "1");
    let before = [read(ANNA, &annas).0, read(BO, &path).0];
    // Bo declines the second one.
    let begin = invitation.find("BEGIN:VEVENT").unwrap();
    let end = invitation.find("END:VCALENDAR").unwrap();
    let declined = invitation[begin..end]
        .replace(
            "RRULE:FREQ=WEEKLY;COUNT=9",
            "RECURRENCE-ID:20270111T100000Z",
        )
        .replace("DTSTART:20270104", "DTSTART:20270111")
        .replace("DTEND:20270104", "DTEND:20270111");
    let bos_line = declined.lines().find(|it| it.ends_with(BO)).unwrap();
    let bos_answer = format!("ATTENDEE;PARTSTAT=DECLINED:mailto:{BO}");
    let declined = declined.replace(bos_line, &bos_answer);
    let both = invitation.replace("END:VCALENDAR", &format!("{declined}END:VCALENDAR"));
    let answer = bo_stores(&host, &path, &both);
    assert_eq!(answer.status, 204, "{both} {answer:?}");
    becomes(&host, ANNA, "1", |it| {
        it.contains("RECURRENCE-ID") && it.contains("DECLINED")
    });
    let after = [read(ANNA, &annas).0, read(BO, &path).0];
    assert_eq!(after[0], before[0], "it is another one's to Anna");
    assert_ne!(after[1], before[1], "it is Bo's own");
    // So another program of his does not take it back.
    let stale = Ask::new(&format!("PUT {path}"))
        .by(Some(BO))
        .with("Content-Type", "text/calendar")
        .with("If-Schedule-Tag-Match", &before[1])
        .body(&invitation);
    assert_eq!(stale.of(&host).status, 412);
    // And one of Anna's that knows nothing of it does not, either.
    let renamed = data.replace("SUMMARY:Tea", "SUMMARY:Coffee");
    let renamed = put("1", &renamed).with("If-Schedule-Tag-Match", &before[0]);
    assert_eq!(renamed.of(&host).status, 204);
    let own = host.stored(ANNA, "1").unwrap();
    assert!(own.contains("DECLINED") && own.contains("Coffee"), "{own}");
}

#[test]
fn the_same_bytes_again_are_silent_and_what_is_nobodys_has_no_schedule_tag() {
    let host = patient().start();
    stored(&host, "1", &meeting("1", ""));
    let own = becomes(&host, ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    let read = Ask::new(&format!("GET {CALENDAR}1.ics")).of(&host);
    // What is logged is read a moment later.
    let sent = |least: usize| {
        let begun = Instant::now();
        loop {
            let count = host.log().matches("event=\"sent\"").count();
            if count >= least || begun.elapsed() > Duration::from_secs(60) {
                return count;
            }
            thread::yield_now();
        }
    };
    assert_eq!(sent(1), 1);
    let again = stored(&host, "1", &read.body);
    assert_eq!(again.header("etag"), read.header("etag"));
    // What is told afterwards is the next thing that is told.
    stored(&host, "2", &meeting("2", ""));
    becomes(&host, ANNA, "2", |it| it.contains("SCHEDULE-STATUS=2.0"));
    assert_eq!(sent(2), 2);
    assert_eq!(host.stored(ANNA, "1").unwrap(), own);
    let alone = stored(&host, "3", &event("3", "Tea"));
    assert_eq!(alone.header("schedule-tag"), None);
    assert!(alone.header("etag").is_some());
}

/// RFC 6638 §3.2.2.1, §3.2.4.
#[test]
fn an_edit_that_is_not_its_authors_is_refused_by_name() {
    let host = patient().start();
    stored(&host, "1", &meeting("1", ""));
    let (path, invitation) = bos(&host, "1");
    for (from, to) in [("T100000Z", "T120000Z"), ("SUMMARY:Tea", "SUMMARY:Lunch")] {
        let refused = bo_stores(&host, &path, &invitation.replace(from, to));
        assert_eq!(refused.status, 403, "{to}");
        assert_eq!(
            precondition(&refused),
            "allowed-attendee-scheduling-object-change"
        );
        // By this DAVx5 knows that it cannot have its way.
        assert!(refused.body.contains("need-privileges"), "{refused:?}");
    }
    assert!(!host.stored(BO, "1").unwrap().contains("T120000Z"));
    // What is his own he may write.
    let alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT";
    let own = invitation.replace("END:VEVENT", alarm);
    assert_eq!(bo_stores(&host, &path, &own).status, 204);

    let handed = meeting("1", "").replace(
        &format!("ORGANIZER:mailto:{ANNA}"),
        &format!("ORGANIZER:mailto:{BO}"),
    );
    let handed = put("1", &handed).of(&host);
    assert_eq!(
        precondition(&handed),
        "allowed-organizer-scheduling-object-change"
    );
    let one = meeting("2", "").replace("SUMMARY", "RRULE:FREQ=WEEKLY\r\nSUMMARY");
    let begin = one.find("BEGIN:VEVENT").unwrap();
    let end = one.find("END:VCALENDAR").unwrap();
    let other = one[begin..end]
        .replace("RRULE:FREQ=WEEKLY", "RECURRENCE-ID:20270111T100000Z")
        .replace(
            &format!("ORGANIZER:mailto:{ANNA}"),
            "ORGANIZER:mailto:eve@example.com",
        );
    let both = one.replace("END:VCALENDAR", &format!("{other}END:VCALENDAR"));
    let both = put("2", &both).of(&host);
    assert_eq!(precondition(&both), "same-organizer-in-all-components");
    assert_eq!(host.stored(ANNA, "2"), None);
}

#[test]
fn nobody_answers_for_a_guest_and_who_invites_nobody_any_more_calls_it_off() {
    let host = patient().start();
    let claimed = stored(&host, "1", &meeting("1", ";PARTSTAT=ACCEPTED"));
    assert_eq!(claimed.header("etag"), None);
    let own = becomes(&host, ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    let line = own.lines().find(|it| it.contains(BO)).unwrap();
    assert!(line.contains("PARTSTAT=NEEDS-ACTION"), "{line}");
    let (_, invitation) = bos(&host, "1");
    assert!(!invitation.contains("CANCELLED"));
    stored(&host, "1", &event("1", "Tea"));
    becomes(&host, BO, "1", |it| it.contains("STATUS:CANCELLED"));
}

#[test]
fn who_removes_an_invitation_declines_it_unless_told_otherwise() {
    let host = patient().start();
    for uid in ["1", "2"] {
        stored(&host, uid, &meeting(uid, ""));
        becomes(&host, ANNA, uid, |it| it.contains("SCHEDULE-STATUS=2.0"));
        bos(&host, uid);
    }
    let delete = |uid: &str, reply: &str| {
        let line = format!("DELETE {BOS}{uid}.ics");
        Ask::new(&line)
            .by(Some(BO))
            .with("Schedule-Reply", reply)
            .of(&host)
            .status
    };
    assert_eq!(delete("1", "F"), 204);
    assert_eq!(delete("2", "T"), 204);
    becomes(&host, ANNA, "2", |it| it.contains("DECLINED"));
    assert!(!host.stored(ANNA, "1").unwrap().contains("DECLINED"));
    // Its organizer calls a meeting off, whatever the field says.
    stored(&host, "3", &meeting("3", ""));
    bos(&host, "3");
    let gone = Ask::new(&format!("DELETE {CALENDAR}3.ics")).with("Schedule-Reply", "F");
    assert_eq!(gone.of(&host).status, 204);
    becomes(&host, BO, "3", |it| it.contains("STATUS:CANCELLED"));
}

/// It came by mail, for example.
#[test]
fn an_invitation_that_a_program_stores_with_its_answer_is_answered() {
    let host = patient().start();
    let by_client = meeting("1", ";SCHEDULE-AGENT=CLIENT");
    stored(&host, "1", &by_client);
    let accepted = meeting("1", ";PARTSTAT=ACCEPTED");
    assert_eq!(
        bo_stores(&host, &format!("{BOS}mail.ics"), &accepted).status,
        201
    );
    let answered = |it: &str| {
        it.lines()
            .any(|line| line.contains("ACCEPTED") && line.contains(BO))
    };
    becomes(&host, ANNA, "1", answered);
}

#[test]
fn programs_see_that_scheduling_is_done_here() {
    let host = patient().start();
    let options = Ask::new("OPTIONS /calendars/anna@example.org/").of(&host);
    let classes = options.header("dav").unwrap();
    assert!(
        classes.split(", ").any(|it| it == "calendar-auto-schedule"),
        "{classes}"
    );
    let find = |path: &str, depth: &str, names: &str| {
        let body =
            format!("<propfind xmlns='DAV:' xmlns:C='{CALDAV}'><prop>{names}</prop></propfind>");
        let line = format!("PROPFIND {path}");
        multistatus(&Ask::new(&line).with("Depth", depth).body(&body).of(&host))
    };
    let principal = find(
        "/principals/anna@example.org/",
        "0",
        "<C:schedule-inbox-URL/><C:schedule-outbox-URL/>",
    );
    for (url, kind) in [
        ("schedule-inbox-URL", "schedule-inbox"),
        ("schedule-outbox-URL", "schedule-outbox"),
    ] {
        let path = &principal.property(CALDAV, url).children[0].text;
        let found = find(path, "1", "<resourcetype/><owner/>");
        assert_eq!(found.hrefs(), [path.as_str()]);
        let kinds = &found.responses[0].2[0];
        assert!(kinds.child(CALDAV, kind).is_some(), "{kinds:?}");
    }
    stored(&host, "1", &meeting("1", ""));
    let object = find(&format!("{CALENDAR}1.ics"), "0", "<C:schedule-tag/>");
    let listed = find(CALENDAR, "1", "<C:schedule-tag/>");
    let tag = &object.property(CALDAV, "schedule-tag").text;
    assert_eq!(&listed.responses[1].2[0].text, tag);
}

/// Whose calendar is not ours to tell of is promised nothing.
#[test]
fn who_is_told_of_by_others_is_promised_nothing() {
    let host = patient()
        .table(
            "[[store]]",
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\nschedule = \"off\"",
        )
        .start();
    let options = Ask::new("OPTIONS /").of(&host);
    assert_eq!(
        options.header("dav").as_deref(),
        Some("1, 3, calendar-access")
    );
    let claimed = stored(&host, "1", &meeting("1", ";PARTSTAT=ACCEPTED"));
    assert!(claimed.header("etag").is_some());
    assert_eq!(host.stored(BO, "1"), None);
}

pub(super) fn free_busy(organizer: &str, attendees: &[&str]) -> String {
    let attendees = attendees.iter();
    let attendees = attendees.map(|it| format!("ATTENDEE;ROLE=CHAIR:{it}\r\n"));
    let attendees = attendees.collect::<Vec<_>>().concat();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:fb\r\n\
         DTSTAMP:20261201T000000Z\r\nDTSTART:20270104T000000Z\r\nDTEND:20270105T000000Z\r\nORGANIZER:{organizer}\r\n{attendees}\
         END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    )
}

pub(super) fn asks(host: &Host, body: &str) -> Answer {
    Ask::new("POST /calendars/anna@example.org/outbox/")
        .with("Content-Type", "text/calendar")
        .body(body)
        .of(host)
}

#[test]
fn busy_time_is_asked_for_one_or_many() {
    let host = patient().start();
    stored(&host, "1", &meeting("1", ""));
    becomes(&host, ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    let anna = format!("mailto:{ANNA}");
    let asked = [
        "mailto:bo@example.org",
        "anna@example.org",
        "mailto:nobody@example.org",
        "mailto:eve@example.com",
    ];
    let answer = asks(&host, &free_busy(&anna, &asked));
    assert_eq!(answer.status, 200, "{answer:?}");
    let root: Element = parse(answer.body.as_bytes(), &LIMITS).unwrap();
    assert!(root.is(CALDAV, "schedule-response"));
    let text = |at: usize, name: &str| {
        let found = root.children[at].child(CALDAV, name);
        found.map(|it| it.text.clone()).unwrap_or_default()
    };
    for (at, asked) in asked.iter().enumerate() {
        let recipient = root.children[at].child(CALDAV, "recipient").unwrap();
        assert_eq!(recipient.children[0].text, *asked);
        let is_ours = at < 2;
        let status = text(at, "request-status");
        assert_eq!(status.starts_with("2.0;"), is_ours, "{asked} {status}");
        let data = text(at, "calendar-data");
        assert_eq!(
            data.contains("20270104T100000Z/"),
            is_ours,
            "{asked} {data}"
        );
    }
    assert!(text(2, "request-status").starts_with("3.7;"));
}

/// RFC 4791 §7.10.
#[test]
fn a_program_asks_when_its_user_is_busy() {
    let host = patient().start();
    stored(&host, "1", &event("1", "Tea"));
    let ask = |start: &str, end: &str| {
        let body = format!(
            "<C:free-busy-query xmlns:C='{CALDAV}'><C:time-range start='{start}' end='{end}'/></C:free-busy-query>"
        );
        let line = format!("REPORT {CALENDAR}");
        Ask::new(&line).with("Depth", "1").body(&body).of(&host)
    };
    let busy = ask("20270104T000000Z", "20270105T000000Z");
    assert_eq!(busy.status, 200, "{busy:?}");
    assert!(
        busy.body.contains("FREEBUSY") && busy.body.contains("20270104T100000Z/"),
        "{busy:?}"
    );
    assert!(
        !busy.body.contains("METHOD") && !busy.body.contains("Tea"),
        "{busy:?}"
    );
    let free = ask("20270105T000000Z", "20270106T000000Z");
    assert!(
        free.status == 200 && !free.body.contains("FREEBUSY:"),
        "{free:?}"
    );
    let endless = ask("19000101T000000Z", "21000101T000000Z").status;
    assert!(matches!(endless, 403 | 507), "{endless}");
}

#[test]
fn nothing_else_is_asked_by_the_outbox() {
    let host = patient().start();
    let asked = ["mailto:bo@example.org"];
    for (body, expected) in [
        (
            free_busy("mailto:bo@example.org", &asked),
            "organizer-allowed",
        ),
        (
            free_busy("mailto:anna@example.org", &[]),
            "valid-scheduling-message",
        ),
        (
            meeting("1", "").replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST"),
            "valid-scheduling-message",
        ),
        ("x".to_owned(), "valid-calendar-data"),
    ] {
        let answer = asks(&host, &body);
        assert_eq!(answer.status, 403);
        assert_eq!(precondition(&answer), expected);
    }
    let others = Ask::new("POST /calendars/bo@example.org/outbox/")
        .body("x")
        .of(&host);
    assert_eq!(others.status, 404);
    assert_eq!(host.stored(BO, "1"), None);
}
