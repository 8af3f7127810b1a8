//! What a mail says of what was told before, and what is not told at all.

use super::{ANNA, BO, convoke, host_that_mails, subject};
use convoke_tests::{MailServer, Post, TakenMail};

/// A meeting with Bo, who reads this language.
fn meeting(language: &str, revision: u32) -> Post {
    let attendee = format!("ATTENDEE;LANGUAGE={language};");
    Post::invitation("party", ANNA, &[BO])
        .edited("ATTENDEE;", &attendee)
        .edited(
            "SEQUENCE:0\n",
            &format!("SEQUENCE:{revision}\nLOCATION:Room 1\n"),
        )
        .edited("SUMMARY:Meeting", "SUMMARY:Tea")
}

/// Its body for people, as it is read.
pub(crate) fn text(mail: &TakenMail) -> String {
    let parsed = mail_parser::MessageParser::default();
    let parsed = parsed.parse(mail.content.as_bytes()).unwrap();
    parsed.body_text(0).unwrap().replace("\r\n", "\n")
}

#[test]
fn an_update_says_what_was_in_the_language_of_its_reader() {
    for (language, expected) in [
        (
            "en",
            [
                "Title: Cake\n    (was: Tea)",
                "15:00",
                "(was: Tuesday, 5 January 2027, 10:00",
                "Room 2\n    (was: Room 1)",
            ],
        ),
        (
            "de",
            [
                "Titel: Cake\n    (bisher: Tea)",
                "15:00",
                "(bisher: Dienstag, 5. Januar 2027, 10:00",
                "Room 2\n    (bisher: Room 1)",
            ],
        ),
        (
            "fr",
            [
                "Cake\n    (avant : Tea)",
                "15:00",
                "(avant : mardi 5 janvier 2027, 10:00",
                "Room 2\n    (avant : Room 1)",
            ],
        ),
        (
            "es",
            [
                "Cake\n    (antes: Tea)",
                "15:00",
                "(antes: martes, 5 de enero de 2027, 10:00",
                "Room 2\n    (antes: Room 1)",
            ],
        ),
    ] {
        let server = MailServer::new();
        let host = host_that_mails(&server, "");
        host.submit(&meeting(language, 0));
        let update = meeting(language, 1)
            .edited("SUMMARY:Tea", "SUMMARY:Cake")
            .edited("LOCATION:Room 1", "LOCATION:Room 2")
            .edited("20270105T100000Z", "20270105T150000Z")
            .edited("20270105T110000Z", "20270105T160000Z");
        assert_eq!(host.submit(&update).codes(), ["1.1"]);
        let mails = server.wait_for_mails(2);
        let (first, second) = (text(&mails[0]), text(&mails[1]));
        for words in expected {
            assert!(second.contains(words), "{language}: {second}");
        }
        assert!(!first.contains("    ("), "{first}");
        // Nothing else was another before.
        assert_eq!(second.matches("    (").count(), 3, "{second}");
    }
}

/// What never arrived is not spoken of: the next mail compares with what was told last.
#[test]
fn an_update_compares_with_what_arrived() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    host.submit(&meeting("en", 0));
    server.behave(|it| it.rcpt = "450 4.2.0 later".to_owned());
    let lost = meeting("en", 1).edited("SUMMARY:Tea", "SUMMARY:Cake");
    assert_eq!(host.submit(&lost).codes(), ["1.0"]);
    server.behave(|it| it.rcpt = "250 2.1.5 Ok".to_owned());
    let update = meeting("en", 2).edited("SUMMARY:Tea", "SUMMARY:Pie");
    // It takes the place of the one that waits, after which the server was to be left alone for a while.
    host.submit(&update);
    convoke(&host, &["queue", "retry", "--all"]);
    let mails = server.wait_for_mails(2);
    assert!(
        text(&mails[1]).contains("Title: Pie\n    (was: Tea)"),
        "{}",
        text(&mails[1])
    );
    assert_eq!(mails.len(), 2);
}

/// Whatever the server did with the invitation: it has not taken it, so there is nothing to call off.
#[test]
fn what_never_left_is_not_called_off() {
    let (here, taken) = ("220 here", "250 2.0.0 Ok");
    for (what, greeting, rcpt, dot) in [
        ("down", "421 4.3.2 down", taken, taken),
        ("greylisting", here, "450 4.2.0 later", taken),
        ("full", here, taken, "452 4.3.1 full"),
        ("refusing", here, "550 5.1.1 unknown", taken),
    ] {
        let server = MailServer::new();
        let host = host_that_mails(&server, "notify = \"off\"");
        let behave = |greeting: &str, rcpt: &str, dot: &str| {
            server.behave(|it| {
                greeting.clone_into(&mut it.greeting);
                rcpt.clone_into(&mut it.rcpt);
                dot.clone_into(&mut it.dot);
            });
        };
        behave(greeting, rcpt, dot);
        let code = if what == "refusing" { "5.1" } else { "1.0" };
        assert_eq!(host.submit(&meeting("en", 0)).codes(), [code], "{what}");
        let cancelled = host.submit(&Post::cancellation("party", ANNA, &[BO]));
        assert_eq!(cancelled.codes(), ["2.0"], "{what}");
        assert!(convoke(&host, &["queue", "list"]).contains("[]"), "{what}");
        behave(here, taken, taken);
        // What is sent next is all that comes.
        let other = Post::invitation("other", ANNA, &[BO]);
        host.submit(&other.edited("SUMMARY:Meeting", "SUMMARY:Other"));
        convoke(&host, &["queue", "retry", "--all"]);
        let mails = server.wait_for_mails(1);
        assert_eq!(subject(&mails[0]), "Invitation: Other", "{what}");
    }
}

/// The server may have taken the invitation, as its answer was lost.
#[test]
fn what_may_have_left_is_called_off() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    server.behave(|it| it.drops_after_dot = true);
    assert_eq!(host.submit(&meeting("en", 0)).codes(), ["1.0"]);
    server.behave(|it| it.drops_after_dot = false);
    host.submit(&Post::cancellation("party", ANNA, &[BO]));
    convoke(&host, &["queue", "retry", "--all"]);
    let mails = server.wait_for_mails(2);
    assert!(
        mails[1].content.contains("method=CANCEL"),
        "{}",
        mails[1].content
    );
}
