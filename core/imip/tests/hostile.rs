//! Mails that are made to cost: each of some megabytes, and over in no time.

use convoke_calendar::tree::Limits;
use convoke_imip::{Arrival, AuthservId, Content, Incoming, ReturnPath, read};
use std::time::{Duration, Instant};

/// What a cost that grows with the square would exceed by far, on any machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn incoming(mail: &str) -> Incoming {
    let limits = Limits::default();
    let trusted = [AuthservId::new("mx.example.org").unwrap()];
    let arrival = Arrival {
        return_path: ReturnPath::Null,
        trusted: &trusted,
        limits: &limits,
    };
    read(mail.as_bytes(), &arrival)
}

/// The text again and again, of so many octets.
fn again(text: &str, octets: usize) -> String {
    text.repeat(octets / text.len())
}

#[test]
fn what_is_too_much_is_refused() {
    const MB: usize = 4 << 20;
    let multipart = "From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n";
    let calendar = "From: a@b.example\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n";
    for (mail, expected) in [
        (again("A: b\n", MB), "it has more than 1000 header fields"),
        (
            again("ab\n", MB),
            "it has more than 524288 octets of header",
        ),
        (
            format!("To: {}", again("<", 100_000)),
            "it has more than 65536 octets in a header field",
        ),
        (
            format!("{multipart}{}", again("--b\n\n", MB)),
            "it has more than 250 parts",
        ),
        (
            format!("{calendar}{}", again("A:b\n", MB)),
            "the calendar part cannot be read: line 1: ",
        ),
    ] {
        let incoming = incoming(&mail);
        let Content::Refused(refusal) = incoming.content else {
            panic!("{expected}: {:?}", incoming.content)
        };
        assert!(refusal.to_string().starts_with(expected), "{refusal}");
    }
}

#[test]
fn cost_is_linear() {
    const MB: usize = 2 << 20;
    const FIELD: usize = 60_000;
    let field = |name: &str, text: &str| {
        format!(
            "From: mailer-daemon@b.example\n{name}: {}\n\n",
            again(text, FIELD)
        )
    };
    let body = |kind: &str, text: &str| {
        format!(
            "From: a@b.example\nContent-Type: {kind}\n\n{}",
            again(text, MB)
        )
    };
    let nested = (0..16).fold(again("x\n", MB), |inner, level| {
        format!("Content-Type: multipart/mixed; boundary=\"b{level}.\"\n\n--b{level}.\n{inner}")
    });
    let status = "multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status";
    let begun = Instant::now();
    for mail in [
        nested,
        field("To", "a@b.example,"),
        field("To", "\"\\"),
        field("From", "("),
        field("References", "<a@b> <"),
        field("Subject", "=?utf-8?q?"),
        field("Content-Type", "a;b=\"c\";"),
        field("Authentication-Results", "mx.example.org; a=b (c"),
        field("X-Failed-Recipients", "a@b.example,"),
        body("multipart/mixed; boundary=b", "--bb\n"),
        body("text/html", "<!--"),
        body("text/html", "&amp;<b>"),
        body("text/plain; charset=utf-7", "+AAA-"),
        body("text/plain", "<a@b.example>:\n"),
        body("text/calendar; charset=utf-16", "ab"),
        body(
            "text/calendar\nContent-Transfer-Encoding: quoted-printable",
            " =\n",
        ),
        body("text/calendar\nContent-Transfer-Encoding: base64", "QUJD"),
        body(status, "Action: failed\n\n"),
        body(status, "Action: x\n\n"),
    ] {
        let incoming = incoming(&mail);
        assert!(!matches!(incoming.content, Content::Scheduling(_)));
        assert!(incoming.text.is_none_or(|text| text.len() <= 64 << 10));
        assert!(incoming.recipients.len() <= 100 && incoming.references.len() <= 50);
    }
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}
