//! Answers by mail, in the shapes that people's programs write them.

use super::*;
use convoke_tests::{MailServer, Post};

/// Anna has invited Bo and Cy, by mail.
pub(super) struct Meeting {
    pub(super) host: Host,
    pub(super) server: MailServer,
    /// Where Bo's answers go to.
    pub(super) token: String,
}

impl Meeting {
    /// `more` are further lines of `[mail]`.
    pub(super) fn new(more: &str) -> Self {
        let server = MailServer::new();
        let host = setup_with(&format!("smtp://{}", server.address()), more).start();
        host.submit(&Post::invitation("m-1", ANNA, &[BO, "cy@example.net"]));
        let mails = server.wait_for_mails(2);
        let mut tokens = mails.iter().filter(|mail| mail.to == BO);
        let token = tokens.next().expect("Bo is invited").from.clone();
        Self {
            host,
            server,
            token,
        }
    }
}

/// Bo's answer on Anna's copy.
fn partstat(host: &Host, attendee: &str) -> String {
    let copy = host.stored(ANNA, "m-1").unwrap();
    let mut lines = copy.lines();
    let line =
        lines.find(|it| it.starts_with("ATTENDEE") && it.ends_with(&format!("mailto:{attendee}")));
    let line = line.unwrap_or_else(|| panic!("{attendee} is not on {copy}"));
    let said = line
        .split([';', ':'])
        .find_map(|it| it.strip_prefix("PARTSTAT="));
    said.unwrap_or("NEEDS-ACTION").to_owned()
}

pub(super) fn reply(partstat: &str) -> String {
    let people = format!("ORGANIZER:mailto:{ANNA}\nATTENDEE;PARTSTAT={partstat}:mailto:{BO}");
    calendar("REPLY", "m-1", &people)
}

/// As Google's buttons write it: with its own Sender, which fails DMARC for domains that are hosted there.
fn google(calendar: &str) -> String {
    format!(
        "Authentication-Results: mx.example.org; dkim=pass header.d=google.com; dmarc=fail header.from=example.com\n\
         From: Bo <bo@example.com>\nSender: Google Calendar <calendar-notification@google.com>\nReply-To: Bo <bo@example.com>\n\
         To: {ANNA}\nMessage-ID: <calendar-1@google.com>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=\"m\"\n\n--m\nContent-Type: multipart/alternative; boundary=\"a\"\n\n\
         --a\nContent-Type: text/plain; charset=\"UTF-8\"; format=flowed; delsp=yes\nContent-Transfer-Encoding: base64\n\nQm8gaGFzIGFjY2VwdGVk\n\
         --a\nContent-Type: text/html; charset=\"UTF-8\"\n\n<p>Bo has accepted</p>\n\
         --a\nContent-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\nContent-Transfer-Encoding: 7bit\n\n{calendar}\n--a--\n\
         --m\nContent-Type: application/ics; name=\"invite.ics\"\nContent-Disposition: attachment; filename=\"invite.ics\"\n\
         Content-Transfer-Encoding: 7bit\n\n{calendar}\n--m--\n"
    )
}

/// As Exchange writes it: no ORGANIZER, no file name, from whatever address the mailbox sends by.
fn outlook(calendar: &str) -> String {
    let calendar = calendar.replace(&format!("ORGANIZER:mailto:{ANNA}\n"), "");
    format!(
        "From: Bo Lee <bo.lee@corp.example>\nTo: Anna <{ANNA}>\nSubject: Accepted: Review\nThread-Topic: Review\n\
         Message-ID: <AM0@eurprd01.prod.outlook.com>\nX-MS-Has-Attach:\nMIME-Version: 1.0\n\
         Content-Type: multipart/alternative; boundary=\"_000_\"\n\n--_000_\nContent-Type: text/plain; charset=\"us-ascii\"\n\n\n\
         --_000_\nContent-Type: text/calendar; charset=\"utf-8\"; method=REPLY\nContent-Transfer-Encoding: quoted-printable\n\n\
         {}\n--_000_--\n",
        calendar.replace('=', "=3D")
    )
}

pub(super) fn thunderbird(calendar: &str) -> String {
    format!(
        "From: Bo <bo@example.com>\nTo: {ANNA}\nSubject: Invitation Reply: Review\nMessage-ID: <tb@example.com>\nMIME-Version: 1.0\n\
         Content-type: multipart/mixed; boundary=\"Boundary\"\n\n--Boundary\nContent-type: multipart/alternative;\n boundary=\"Inner\"\n\n\
         --Inner\nContent-type: text/plain; charset=UTF-8\nContent-transfer-encoding: 8BIT\n\nBo has accepted.\n\n\
         --Inner\nContent-type: text/calendar; method=REPLY; charset=UTF-8\nContent-transfer-encoding: 8BIT\n\n{calendar}\n--Inner--\n\
         --Boundary\nContent-type: application/ics; name=\"invite.ics\"\nContent-transfer-encoding: 8BIT\nContent-disposition: attachment; filename=\"invite.ics\"\n\n{calendar}\n--Boundary--\n"
    )
}

/// As Apple Mail writes it: the calendar is a file, in Base64.
fn apple(calendar: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = STANDARD.encode(calendar.replace('\n', "\r\n"));
    let lines: Vec<String> = encoded
        .as_bytes()
        .chunks(76)
        .map(|it| String::from_utf8_lossy(it).into_owned())
        .collect();
    format!(
        "From: Bo <bo@icloud.example>\nTo: {ANNA}\nSubject: Review\nMessage-ID: <A1@icloud.example>\nMIME-Version: 1.0 (1.0)\n\
         Content-Type: multipart/alternative; boundary=Apple-Mail-1\n\n--Apple-Mail-1\nContent-Type: text/plain; charset=utf-8\n\nBo accepted\n\
         --Apple-Mail-1\nContent-Type: text/calendar; method=REPLY; charset=utf-8; name=iCal.ics\nContent-Transfer-Encoding: base64\n\n{}\n--Apple-Mail-1--\n",
        lines.join("\n")
    )
}

#[test]
fn answers_to_the_address_of_a_guest_are_taken_in_every_shape() {
    let Meeting { host, token, .. } = Meeting::new("");
    for (at, (shape, said)) in [
        (google as fn(&str) -> String, "ACCEPTED"),
        (outlook, "DECLINED"),
        (thunderbird, "TENTATIVE"),
        (apple, "ACCEPTED"),
    ]
    .into_iter()
    .enumerate()
    {
        let stamp = format!("DTSTAMP:20261102T0{at}0000Z");
        let answer = reply(said).replace("DTSTAMP:20261101T080000Z", &stamp);
        let reply = mailed(
            &host,
            "bounce@example.net",
            &token.to_uppercase(),
            &shape(&answer),
        );
        assert!(reply.starts_with("250 2.0.0 taken"), "{at}: {reply}");
        assert_eq!(partstat(&host, BO), said, "{at}");
    }
    let why = explained(&host, "calendar-1@google.com");
    assert!(why.iter().any(|it| it.0 == "delivered"), "{why:?}");
}

#[test]
fn the_same_to_the_person_without_a_token_has_to_be_proved() {
    let Meeting { host, .. } = Meeting::new("");
    for shape in [google, outlook, thunderbird, apple] {
        let reply = mailed(&host, BO, ANNA, &shape(&reply("ACCEPTED")));
        assert!(reply.starts_with("250 2.0.0 nothing is changed"), "{reply}");
    }
    assert_eq!(partstat(&host, BO), "NEEDS-ACTION");
    let verified = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com\n";
    let outlook = outlook(&reply("ACCEPTED")).replace("bo.lee@corp.example", BO);
    let said = mailed(&host, BO, ANNA, &format!("{verified}{outlook}"));
    assert!(said.contains("taken"), "{said}");
    assert_eq!(partstat(&host, BO), "ACCEPTED");
}

#[test]
fn a_token_proves_one_guest_of_one_meeting() {
    let Meeting { host, token, .. } = Meeting::new("");
    let other = reply("ACCEPTED").replace(BO, "cy@example.net");
    let forwarded = reply("ACCEPTED").replace(BO, "eve@example.net");
    let meeting = reply("ACCEPTED").replace("m-1", "m-2");
    for calendar in [&other, &forwarded, &meeting] {
        let said = mailed(&host, BO, &token, &thunderbird(calendar));
        assert!(said.contains("nothing is changed"), "{said}");
    }
    assert_eq!(partstat(&host, "cy@example.net"), "NEEDS-ACTION");
    // Whoever was forwarded the invitation, and is proved, is uninvited.
    let verified = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.net\n";
    let mail = thunderbird(&forwarded).replace("bo@example.com", "eve@example.net");
    let said = mailed(&host, BO, &token, &format!("{verified}{mail}"));
    assert!(said.contains("nothing is changed by it: 3.8"), "{said}");
    // In the header it is nothing but an address.
    let said = mailed(
        &host,
        BO,
        ANNA,
        &thunderbird(&reply("ACCEPTED")).replace(&format!("To: {ANNA}"), &format!("To: {token}")),
    );
    assert!(said.contains("nothing is changed"), "{said}");
    assert_eq!(partstat(&host, BO), "NEEDS-ACTION");
}

#[test]
fn another_organizer_is_the_copy_of_somebodys_calendar() {
    let Meeting { host, token, .. } = Meeting::new("");
    let copied = reply("ACCEPTED").replace(
        &format!("ORGANIZER:mailto:{ANNA}"),
        "ORGANIZER:mailto:copy@group.calendar.google.com",
    );
    assert!(mailed(&host, BO, &token, &google(&copied)).contains("taken"));
    assert_eq!(partstat(&host, BO), "ACCEPTED");
}

#[test]
fn a_proposal_waits_and_a_question_is_answered() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    let counter = reply("TENTATIVE")
        .replace("METHOD:REPLY", "METHOD:COUNTER")
        .replace("T100000Z", "T140000Z")
        .replace("T110000Z", "T150000Z");
    let mail = thunderbird(&counter).replace("method=REPLY", "method=COUNTER");
    assert!(mailed(&host, BO, &token, &mail).contains("taken"));
    let waiting = super::pipe::run(&host, &["inbox", "list", "--user", ANNA, "--json"], "");
    let waiting = String::from_utf8_lossy(&waiting.stdout);
    assert!(
        waiting.contains("COUNTER") && waiting.contains("mailto:bo@example.com"),
        "{waiting}"
    );
    let refresh = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nMETHOD:REFRESH\nBEGIN:VEVENT\nUID:m-1\nDTSTAMP:20261103T080000Z\n\
         ORGANIZER:mailto:{ANNA}\nATTENDEE:mailto:{BO}\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    let mail = thunderbird(&refresh).replace("method=REPLY", "method=REFRESH");
    assert!(mailed(&host, BO, &token, &mail).contains("taken"));
    // Anna is told that a proposal waits, and Bo has the latest version.
    let mails = server.wait_for_mails(4);
    let mut to_bo = mails.iter().filter(|mail| mail.to == BO);
    let latest = to_bo.next_back().unwrap();
    assert_eq!(to_bo.count(), 1);
    assert_eq!(latest.from, token);
    assert!(latest.content.contains("method=REQUEST"));
}

#[test]
fn whoever_was_forwarded_an_invitation_comes_where_policy_lets_them() {
    let server = MailServer::new();
    let rules = "[{ allow = \"schedule\", via = \"mail\", from = \"*@example.net\", uninvited = \"accept\" }, { allow = \"any\", via = \"submission\" }]";
    let host = setup_with(&format!("smtp://{}", server.address()), "")
        .rules(rules)
        .start();
    host.submit(&Post::invitation("m-1", ANNA, &[BO]));
    let token = server.wait_for_mails(1).remove(0).from;
    let forwarded = thunderbird(&reply("ACCEPTED").replace(BO, "eve@example.net"));
    let mail = forwarded.replace("bo@example.com", "eve@example.net");
    let said = mailed(&host, "eve@example.net", &token, &mail);
    assert!(
        said.contains("nothing is changed by it: not proved"),
        "{said}"
    );
    let verified = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.net\n";
    let said = mailed(
        &host,
        "eve@example.net",
        &token,
        &format!("{verified}{mail}"),
    );
    assert!(said.contains("taken"), "{said}");
    assert_eq!(partstat(&host, "eve@example.net"), "ACCEPTED");
    assert_eq!(partstat(&host, BO), "NEEDS-ACTION");
}

#[test]
fn an_answer_to_a_mail_of_somebody_elses_goes_back_by_mail() {
    let server = MailServer::new();
    let host = setup_with(&format!("smtp://{}", server.address()), "").start();
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    assert!(mailed(&host, BO, ANNA, &mail).contains("taken"));
    let arguments = ["reply", "--user", ANNA, "--uid", "m-1", "accept"];
    let output = super::pipe::run(&host, &arguments, "");
    assert!(output.status.success(), "{output:?}");
    let answer = server.wait_for_mails(1).remove(0);
    assert_eq!(answer.to, BO);
    assert!(
        answer.content.contains("method=REPLY"),
        "{}",
        answer.content
    );
    // That address proves who answers, and whoever was shown it moves no meeting: the organizer's next word has to be proved.
    let later = unverified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA))
        .replace("SEQUENCE:0", "SEQUENCE:1")
        .replace("T100000Z", "T103000Z");
    let said = mailed(&host, BO, &answer.from, &later);
    assert!(
        said.contains("nothing is changed by it: not proved"),
        "{said}"
    );
    let cancel = later.replace("REQUEST", "CANCEL");
    let said = mailed(&host, BO, &answer.from, &cancel);
    assert!(
        said.contains("nothing is changed by it: not proved"),
        "{said}"
    );
    let copy = host.stored(ANNA, "m-1").unwrap();
    assert!(copy.contains("DTSTART:20270105T100000Z"), "{copy}");
    let proved = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com\n";
    let said = mailed(&host, BO, &answer.from, &format!("{proved}{later}"));
    assert!(said.contains("taken"), "{said}");
    let copy = host.stored(ANNA, "m-1").unwrap();
    assert!(copy.contains("DTSTART:20270105T103000Z"), "{copy}");
}

/// An answer goes to the calendar, and what somebody has written beside it to the organizer's mailbox; what a button writes goes
/// nowhere.
#[test]
fn words_beside_an_answer_that_is_taken_are_passed_on() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    let written = |at: u8, said: &str, text: &str| {
        let stamp = format!("DTSTAMP:20261102T0{at}0000Z");
        let answer = reply(said).replace("DTSTAMP:20261101T080000Z", &stamp);
        let mail = thunderbird(&answer).replace("<tb@", &format!("<tb-{at}@"));
        mail.replace("Bo has accepted.", text)
    };
    let arrives = |mail: &str| {
        let reply = mailed(&host, BO, &token, mail);
        assert!(reply.starts_with("250 2.0.0 taken"), "{reply}");
    };
    arrives(&written(
        0,
        "ACCEPTED",
        "Bo has accepted your event invitation.",
    ));
    assert_eq!(server.mails().len(), 2, "a button has written it");
    let words = written(1, "DECLINED", "I am away. Ask Cy?");
    arrives(&words);
    assert_eq!(partstat(&host, BO), "DECLINED");
    let passed = server.wait_for_mails(3).pop().unwrap();
    assert_eq!((passed.from.as_str(), passed.to.as_str()), (BO, ANNA));
    assert!(
        passed.content.contains("I am away. Ask Cy?"),
        "{}",
        passed.content
    );
    // A program that answers by itself has nothing to say.
    let automatic = written(2, "TENTATIVE", "I am away.");
    arrives(&format!("Auto-Submitted: auto-replied\n{automatic}"));
    assert_eq!(server.mails().len(), 3);
    // Words that cannot go on now come again; the calendar knows the answer then.
    server.behave(|it| it.dot = "451 4.3.0 Try again later".to_owned());
    let late = written(3, "ACCEPTED", "Now I can.");
    let reply = mailed(&host, BO, &token, &late);
    assert!(reply.starts_with("451 "), "{reply}");
    assert_eq!(partstat(&host, BO), "ACCEPTED");
    server.behave(|it| "250 2.0.0 Ok".clone_into(&mut it.dot));
    arrives(&late);
    assert!(server.wait_for_mails(4)[3].content.contains("Now I can."));
}

/// Whoever asks for it is told of each answer that is new, with what it says besides, and of none twice.
#[test]
fn who_wants_to_hear_of_answers_is_told_of_each_by_mail() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    let wants = |what: &str| {
        let set = std::process::Command::new(convoke_tests::program())
            .args(["user", "set", ANNA, "--notify", what, "--config"])
            .arg(host.folder().join("convoke.toml"))
            .status();
        assert!(set.unwrap().success());
    };
    let arrives = |at: u8, said: &str, why: &str| {
        let stamp = format!("DTSTAMP:20261102T0{at}0000Z");
        let answer = reply(said).replace("DTSTAMP:20261101T080000Z", &stamp);
        let answer = answer.replace("END:VEVENT", &format!("{why}END:VEVENT"));
        let mail = thunderbird(&answer).replace("<tb@", &format!("<tb-{at}@"));
        let reply = mailed(&host, BO, &token, &mail);
        assert!(reply.starts_with("250 2.0.0 taken"), "{reply}");
    };
    arrives(0, "TENTATIVE", "");
    wants("answers");
    arrives(1, "DECLINED", "COMMENT:I am ill\n");
    let notice = server.wait_for_mails(3).pop().unwrap();
    assert_eq!(
        (notice.from.as_str(), notice.to.as_str()),
        ("calendar@example.org", ANNA)
    );
    assert_eq!(
        notice.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    let subject = notice.header("Subject").unwrap();
    assert_eq!(subject, format!("{BO} has declined: Review"));
    assert!(notice.content.contains("I am ill"), "{}", notice.content);
    // The same once more is no news.
    arrives(2, "DECLINED", "COMMENT:I am ill\n");
    wants("off");
    arrives(3, "ACCEPTED", "");
    wants("answers");
    arrives(4, "TENTATIVE", "");
    let notice = server.wait_for_mails(4).pop().unwrap();
    let subject = notice.header("Subject").unwrap();
    assert_eq!(subject, format!("{BO} has tentatively accepted: Review"));
    assert_eq!(server.mails().len(), 4);
}
