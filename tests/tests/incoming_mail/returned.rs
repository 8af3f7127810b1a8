//! What comes back that is no scheduling message: reports on mail that was not delivered, and people's own words.

use super::{answers::Meeting, *};
use convoke_tests::{HELD, MailServer, Post, TakenMail};

/// As Postfix writes it (RFC 3464).
fn report(token: &str, action: &str) -> String {
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@mail.example.com>\nTo: {token}\nSubject: Undelivered Mail Returned to Sender\n\
         Message-ID: <bounce-{action}@mail.example.com>\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n\
         --b\nContent-Type: text/plain\n\nI'm sorry.\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.com\n\n\
         Final-Recipient: rfc822; {BO}\nAction: {action}\nStatus: 5.1.1\n\
         Diagnostic-Code: smtp; 550 5.1.1 <{BO}>: Recipient address rejected: User unknown\n\
         --b\nContent-Type: message/rfc822\n\nFrom: <{ANNA}>\nSubject: Review\n\nHello\n--b--\n"
    )
}

/// That a mail has failed, with that mail.
fn report_on(mail: &TakenMail) -> String {
    let id = mail.header("Message-ID").unwrap();
    let returned = format!("message/rfc822\n\nMessage-ID: {id}\n");
    report("calendar@example.org", "failed").replace("message/rfc822\n\n", &returned)
}

/// What the meeting says became of the message to Bo.
fn status(host: &Host) -> String {
    let copy = host.stored(ANNA, "m-1").unwrap();
    let line = copy
        .lines()
        .find(|it| it.starts_with("ATTENDEE") && it.ends_with(BO));
    let said = line.unwrap().split([';', ':']);
    let mut said = said.filter_map(|it| it.strip_prefix("SCHEDULE-STATUS="));
    said.next().unwrap_or_default().trim_matches('"').to_owned()
}

#[test]
fn a_mail_that_was_not_delivered_is_on_the_meeting() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    assert_eq!(status(&host), "1.1");
    let later = mailed(&host, "", &token, &report(&token, "delayed"));
    assert!(later.starts_with("250 2.0.0 dropped"), "{later}");
    assert_eq!(status(&host), "1.1");
    let elsewhere = mailed(&host, "", "calendar@example.org", &report(&token, "failed"));
    assert!(elsewhere.starts_with("250 2.0.0 dropped"), "{elsewhere}");
    assert_eq!(status(&host), "1.1", "a token in the header is none");
    let failed = mailed(&host, "", &token, &report(&token, "failed"));
    assert!(failed.starts_with("250 2.0.0 taken"), "{failed}");
    assert_eq!(status(&host), "5.1");
    let why = explained(&host, "m-1");
    assert!(
        why.iter()
            .any(|it| it.0 == "mail-bounced" && it.1.contains("User unknown")),
        "{why:?}"
    );
    // The organizer is told, by mail.
    let mails = server.wait_for_mails(3);
    assert!(
        mails[2].to == ANNA && mails[2].content.contains("User"),
        "{:?}",
        mails[2]
    );
    // The same again is known, and so is one that comes when Bo has been reached.
    let again = mailed(&host, "", &token, &report(&token, "failed"));
    assert!(again.starts_with("250 2.0.0 dropped"), "{again}");
    assert_eq!(server.mails().len(), 3);
}

/// Some mail servers send reports to the address without the token: the mail that comes back names the guest.
#[test]
fn a_report_to_the_gateway_is_on_the_meeting_by_the_mail_that_comes_back() {
    let Meeting { host, server, .. } = Meeting::new("");
    let mails = server.mails();
    let id = |to: &str| {
        let mail = mails.iter().find(|it| it.to == to).unwrap();
        mail.header("Message-ID").unwrap()
    };
    let gateway = "calendar@example.org";
    let returned = |id: &str, action: &str| {
        let returned = format!("message/rfc822\n\nMessage-ID: {id}\n");
        report(gateway, action).replace("message/rfc822\n\n", &returned)
    };
    for (what, mail) in [
        ("delayed", returned(&id(BO), "delayed")),
        ("of nobody's", returned("<x@example.org>", "failed")),
        (
            "of another's mail",
            returned(&id("cy@example.net"), "failed"),
        ),
        ("without", report(gateway, "failed")),
    ] {
        let reply = mailed(&host, "", gateway, &mail);
        assert!(reply.starts_with("250 2.0.0 dropped"), "{what}: {reply}");
        assert_eq!(status(&host), "1.1", "{what}");
    }
    let reply = mailed(&host, "", gateway, &returned(&id(BO), "failed"));
    assert!(reply.starts_with("250 2.0.0 taken"), "{reply}");
    assert_eq!(status(&host), "5.1");
    let again = mailed(&host, "", gateway, &returned(&id(BO), "failed"));
    assert!(again.starts_with("250 2.0.0 dropped"), "{again}");
}

/// A mail server may send its report before it has said that it takes the mail.
#[test]
fn a_report_that_overtakes_the_reply_of_the_mail_server_comes_again() {
    let server = MailServer::new();
    server.behave(|it| it.dot = HELD.to_owned());
    let host = setup_with(&format!("smtp://{}", server.address()), "").start();
    std::thread::scope(|scope| {
        scope.spawn(|| host.submit(&Post::invitation("m-1", ANNA, &[BO])));
        let mail = server.wait_for_mails(1).remove(0);
        for to in [mail.from.as_str(), "calendar@example.org"] {
            let early = mailed(&host, "", to, &report_on(&mail));
            assert!(early.starts_with("451 "), "{to}: {early}");
        }
        server.behave(|it| "250 2.0.0 Ok".clone_into(&mut it.dot));
    });
    assert_eq!(status(&host), "1.1");
    let again = mailed(
        &host,
        "",
        "calendar@example.org",
        &report_on(&server.mails()[0]),
    );
    assert!(again.starts_with("250 2.0.0 taken"), "{again}");
    assert_eq!(status(&host), "5.1");
}

#[test]
fn words_to_the_address_of_a_guest_are_passed_to_the_organizer() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    let words = format!(
        "From: Bo <{BO}>\nTo: {token}\nSubject: Re: Review\nMessage-ID: <w@example.com>\n\nCan we do it later?\n.\n"
    );
    let reply = mailed(&host, BO, &token, &words.replace("\n.\n", "\n..\n"));
    assert!(reply.starts_with("250 2.0.0 passed on"), "{reply}");
    let passed = server.wait_for_mails(3).pop().unwrap();
    // Bo hears of it if it cannot be delivered.
    assert_eq!((passed.from.as_str(), passed.to.as_str()), (BO, ANNA));
    assert!(
        passed
            .content
            .contains("\r\n\r\nCan we do it later?\r\n.\r\n"),
        "{}",
        passed.content
    );
    assert_eq!(passed.header("Resent-To").unwrap(), format!("<{ANNA}>"));
    assert_eq!(passed.header("From").unwrap(), format!("Bo <{BO}>"));
    // What nobody wrote is dropped, and no answer goes out.
    for field in [
        "Auto-Submitted: auto-replied\n",
        "List-Id: <x>\n",
        "Precedence: bulk\n",
    ] {
        let reply = mailed(&host, BO, &token, &format!("{field}{words}"));
        assert!(reply.starts_with("250 2.0.0 dropped"), "{reply}");
    }
    // What cannot be handed on now is tried again.
    server.behave(|it| it.dot = "451 4.3.0 Try again later".to_owned());
    let reply = mailed(&host, BO, &token, &words.replace("<w@", "<v@"));
    assert!(reply.starts_with("451 "), "{reply}");
    assert_eq!(explained(&host, "<w@example.com>")[0].0, "mail-passed-on");
}

/// Words are no scheduling message, whatever file lies beside them, and whatever letters they are written in.
#[test]
fn words_beside_what_the_calendar_does_not_take_are_passed_on_too() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    let other = calendar(
        "REPLY",
        "m-2",
        &format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BO}"),
    );
    let published = other.replace("METHOD:REPLY", "METHOD:PUBLISH");
    let mut expected = server.mails().len();
    for (what, kind, file) in [
        ("of another meeting", "text/calendar; method=REPLY", &other),
        ("an agenda", "text/calendar; method=PUBLISH", &published),
        (
            "a file",
            "application/octet-stream; name=invite.ics",
            &other,
        ),
        ("a contradiction", "text/calendar; method=REQUEST", &other),
    ] {
        let mail = format!(
            "From: Bo <{BO}>\nTo: {token}\nSubject: Grüße\nMessage-ID: <w@example.com>\nMIME-Version: 1.0\n\
             Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\n\nSchöne Grüße, {what}\n--b\nContent-Type: {kind}\n\n{file}\n--b--\n"
        );
        let reply = mailed(&host, BO, &token, &mail);
        assert!(reply.starts_with("250 2.0.0 passed on"), "{what}: {reply}");
        expected += 1;
        let passed = server.wait_for_mails(expected).pop().unwrap();
        assert_eq!(passed.to, ANNA, "{what}");
        assert!(
            passed.content.contains(&format!("Schöne Grüße, {what}")),
            "{}",
            passed.content
        );
        assert_eq!(passed.parameters, "BODY=8BITMIME", "{what}");
        // A program that says the same says it to nobody.
        let reply = mailed(
            &host,
            BO,
            &token,
            &format!("Auto-Submitted: auto-generated\n{mail}"),
        );
        assert!(!reply.contains("passed on"), "{what}: {reply}");
    }
    assert_eq!(server.mails().len(), expected);
}

#[test]
fn who_writes_words_that_cannot_be_delivered_hears_of_it() {
    let Meeting {
        host,
        server,
        token,
    } = Meeting::new("");
    let words = format!(
        "From: Bo <{BO}>\nTo: {token}\nMessage-ID: <w@example.com>\n\nCan we do it later?\n"
    );
    // A mail server that sends for its own domains only.
    server.behave(|it| it.refuses = Some((BO.to_owned(), "553 5.7.1 Sender rejected".to_owned())));
    let reply = mailed(&host, BO, &token, &words);
    assert!(reply.starts_with("250 2.0.0 passed on"), "{reply}");
    assert_eq!(server.wait_for_mails(3)[2].from, "calendar@example.org");
    server
        .behave(|it| it.refuses = Some((ANNA.to_owned(), "550 5.1.1 No such mailbox".to_owned())));
    let reply = mailed(&host, BO, &token, &words);
    assert!(
        reply.starts_with("550 5.0.0") && reply.contains("No such mailbox"),
        "{reply}"
    );
    assert_eq!(server.mails().len(), 3);
}
