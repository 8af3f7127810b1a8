use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    message: 1000,
    recipients: 3,
};

/// Runs a session over pieces of octets: everybody at example.org is ours, and every message is taken. Gives the replies and
/// the messages.
fn run(pieces: &[&[u8]]) -> (String, Vec<Transaction>) {
    let mut session = Session::new("mx.example.org", LIMITS);
    let mut pieces = pieces.iter();
    let mut replies = Vec::new();
    let mut taken = Vec::new();
    loop {
        let step = session.step();
        match step {
            Step::Octets => match pieces.next() {
                Some(piece) => session.push(piece),
                None => break,
            },
            Step::Recipient(recipient) => {
                let ours = recipient.human().ends_with("@example.org");
                let unknown = Reply::new(550, "5.1.1", "unknown");
                let reply = if ours { Reply::recipient_ok() } else { unknown };
                session.answer_recipient(&reply);
            }
            Step::Message(message) => {
                session.answer_message(&vec![Reply::taken(); message.recipients.len()]);
                taken.push(message);
            }
            Step::End => break,
        }
        assert!(session.held_with(0) <= LIMITS.message);
        replies.extend(session.take_replies());
    }
    replies.extend(session.take_replies());
    (String::from_utf8(replies).unwrap(), taken)
}

/// What the lines of a client are answered: the codes, without the greeting and that of LHLO.
fn codes(lines: &str) -> Vec<String> {
    let octets = format!("LHLO client\r\n{lines}")
        .replace("\\n", "\n")
        .replace("\\r", "\r");
    let (replies, _) = run(&[octets.as_bytes()]);
    let codes = replies.lines().skip(7);
    codes
        .map(|it| it.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_message_is_taken_for_each_recipient() {
    let client = "LHLO client.example\r\nMAIL FROM:<bo@example.com> SIZE=11 BODY=8BITMIME SMTPUTF8\r\n\
        RCPT TO:<anna@example.org>\r\nRCPT TO:<x@example.net>\r\nRCPT TO:<dee@example.org>\r\nDATA\r\n\
        Subject: x\r\n\r\n..\r\n.\r\nQUIT\r\n";
    let (replies, taken) = run(&[client.as_bytes()]);
    let expected = "220 mx.example.org LMTP ready\r\n250-mx.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n\
        250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1000\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 unknown\r\n250 2.1.5 ok\r\n\
        354 end with a dot on a line by itself\r\n250 2.0.0 taken\r\n250 2.0.0 taken\r\n221 2.0.0 bye\r\n";
    assert_eq!(replies, expected);
    let address = |text: &str| CalendarAddress::new(text).unwrap();
    let message = Transaction {
        sender: "bo@example.com".to_owned(),
        recipients: vec![address("anna@example.org"), address("dee@example.org")],
        octets: b"Subject: x\r\n\r\n.\r\n".to_vec(),
    };
    assert_eq!(taken, [message]);
}

#[test]
fn commands_are_answered() {
    for (lines, expected) in [
        (
            "NOOP\r\nHELP\r\nVRFY anna\r\nRSET\r\nQUIT\r\n",
            "250 2.0.0|214 2.0.0|252 2.1.5|250 2.0.0|221 2.0.0",
        ),
        ("EHLO client\r\nHELO client\r\n", "500 5.5.1|500 5.5.1"),
        (
            "STARTTLS\r\nAUTH PLAIN AA==\r\nBDAT 3 LAST\r\nEXPN all\r\nWHAT\r\n",
            "502 5.5.1|502 5.5.1|502 5.5.1|502 5.5.1|500 5.5.1",
        ),
        (
            "RCPT TO:<anna@example.org>\r\nDATA\r\n",
            "503 5.5.1|503 5.5.1",
        ),
        (
            "MAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n",
            "250 2.1.0|503 5.5.1|503 5.5.1",
        ),
        (
            "MAIL FROM:<>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n",
            "250 2.1.0|550 5.1.1|503 5.5.1",
        ),
        (
            "MAIL FROM:<> SIZE=1001\r\nMAIL FROM:<> SIZE=1000\r\n",
            "552 5.3.4|250 2.1.0",
        ),
        (
            "MAIL FROM:<> BODY=BINARYMIME\r\nMAIL FROM:<> X=1\r\nMAIL FROM:<> SIZE=x\r\n",
            "501 5.5.4|555 5.5.4|501 5.5.4",
        ),
        (
            "MAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<postmaster>\r\n",
            "250 2.1.0|553 5.1.3|553 5.1.3",
        ),
        ("MAIL bo\r\nMAIL FROM:<bo>\r\n", "501 5.5.2|553 5.1.7"),
        (
            "lhlo again\r\n",
            "250-PIPELINING|250-ENHANCEDSTATUSCODES|250-8BITMIME|250-SMTPUTF8|250 SIZE",
        ),
    ] {
        let codes = codes(lines);
        let codes = codes.iter().filter(|it| *it != "250-mx.example.org");
        assert_eq!(
            codes.cloned().collect::<Vec<_>>().join("|"),
            expected,
            "{lines}"
        );
    }
}

#[test]
fn nothing_goes_before_lhlo() {
    let (replies, _) = run(&[b"MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n"]);
    let codes: Vec<&str> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "503", "250", "503"]);
}

#[test]
fn more_recipients_than_are_taken_are_for_another_message() {
    let many = "RCPT TO:<anna@example.org>\r\n".repeat(4);
    let codes = codes(&format!("MAIL FROM:<>\r\n{many}DATA\r\n.\r\n"));
    let expected = [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.1.5",
        "250 2.1.5",
        "452 4.5.3",
        "354 end",
        "250 2.0.0",
        "250 2.0.0",
        "250 2.0.0",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn a_line_that_does_not_end_with_cr_lf_ends_the_session() {
    let data =
        "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n";
    for (lines, expected) in [
        ("NOOP\nNOOP\r\n".to_owned(), 1),
        ("NOOP\rNOOP\r\n".to_owned(), 1),
        (format!("{data}\n.\nMAIL FROM:<evil@example.net>\r\n"), 2),
        (format!("{data}\n.\r\nMAIL FROM:<evil@example.net>\r\n"), 2),
        (format!("{data}.\nMAIL FROM:<evil@example.net>\r\n"), 2),
        (format!("{data}.\rMAIL FROM:<evil@example.net>\r\n"), 2),
        (format!("{data}a\rb\r\n.\r\n"), 2),
    ] {
        let codes = codes(&lines);
        let (stray, before) = (codes.iter().rev().take(expected), codes.len() - expected);
        assert!(
            stray.clone().all(|it| it == "521 5.5.2"),
            "{lines:?} {codes:?}"
        );
        assert!(
            codes[..before].iter().all(|it| !it.starts_with('5')),
            "{lines:?} {codes:?}"
        );
        let (_, taken) = run(&[b"LHLO x\r\n", lines.as_bytes()]);
        assert!(taken.is_empty(), "{lines:?}");
    }
}

#[test]
fn a_message_that_is_too_long_is_answered_for_each_recipient_and_the_session_goes_on() {
    let long = "x".repeat(998) + "\r\n";
    let lines = format!(
        "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n{long}y\r\n.\r\nNOOP\r\n"
    );
    let codes = codes(&lines);
    assert_eq!(
        codes[3..],
        ["354 end", "552 5.3.4", "552 5.3.4", "250 2.0.0"]
    );
}

#[test]
fn a_message_that_is_refused_meanwhile_is_answered_so() {
    let mut session = Session::new("mx", LIMITS);
    session.push(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\nabc");
    assert!(matches!(session.step(), Step::Recipient(_)));
    session.answer_recipient(&Reply::recipient_ok());
    assert_eq!(session.step(), Step::Octets);
    assert!((3..=LIMITS.message).contains(&session.held_with(0)));
    assert!(!session.is_idle());
    session.refuse_message(Reply::new(452, "4.3.1", "no memory"));
    assert_eq!(session.held_with(0), 0);
    session.push(b"def\r\n.\r\n");
    let _ = session.take_replies();
    assert_eq!(session.step(), Step::Octets);
    assert_eq!(session.take_replies(), b"452 4.3.1 no memory\r\n");
    assert!(session.is_idle());
}

#[test]
fn long_lines_are_not_kept_and_many_mistakes_end_the_session() {
    let mut session = Session::new("mx", LIMITS);
    for _ in 0..100 {
        session.push(&[b'x'; 1000]);
        assert_eq!(session.step(), Step::Octets);
        assert!(session.input.len() <= LINE + 1000);
    }
    session.push(b"\r\n");
    assert_eq!(session.step(), Step::Octets);
    let replies = String::from_utf8(session.take_replies()).unwrap();
    assert!(
        replies.ends_with("500 5.5.2 the line is too long\r\n"),
        "{replies}"
    );
    session.push("WHAT\r\n".repeat(30).as_bytes());
    assert_eq!(session.step(), Step::End);
    let replies = String::from_utf8(session.take_replies()).unwrap();
    assert!(
        replies.ends_with("421 4.7.0 too many errors\r\n"),
        "{replies}"
    );
    assert_eq!(replies.lines().count(), 20);
}

#[test]
fn an_answer_that_is_missing_is_try_later() {
    let mut session = Session::new("mx", LIMITS);
    session.push(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n.\r\n");
    assert!(matches!(session.step(), Step::Recipient(_)));
    session.answer_recipient(&Reply::recipient_ok());
    assert!(matches!(session.step(), Step::Message(_)));
    let _ = session.take_replies();
    session.answer_message(&[]);
    assert!(session.take_replies().starts_with(b"451 "));
}

proptest! {
    /// What a client means does not depend on how its octets are cut into pieces.
    #[test]
    fn pieces_make_no_difference(
        lines in prop::collection::vec(prop::sample::select(vec![
            "LHLO x\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<a@example.org>\r\n", "RCPT TO:<a@example.net>\r\n", "DATA\r\n",
            "..x\r\n", ".\r\n", "\r\n", "RSET\r\n", "x\r\n", "\n", "\r", ".", "NOOP\r\n", "QUIT\r\n",
        ]), 0..20),
        cuts in prop::collection::vec(1usize..20, 1..50),
    ) {
        let octets = lines.concat().into_bytes();
        let mut pieces = Vec::new();
        let mut rest = &octets[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        prop_assert_eq!(run(&pieces), run(&[&octets]));
    }

    #[test]
    fn any_octets_are_answered(octets in prop::collection::vec(any::<u8>(), 0..500)) {
        let (replies, _) = run(&[&octets]);
        for line in replies.lines() {
            prop_assert!(line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{}", line);
        }
    }
}

/// A client that pipelines sends DATA before it knows that nobody of a message is ours.
#[test]
fn messages_to_nobody_end_no_session() {
    let message = "MAIL FROM:<bo@example.com>\r\nRCPT TO:<x@example.net>\r\nDATA\r\nRSET\r\n";
    let last = "MAIL FROM:<bo@example.com>\r\nRCPT TO:<anna@example.org>\r\n";
    let codes = codes(&(message.repeat(50) + last));
    assert_eq!(codes.len(), 50 * 4 + 2);
    assert_eq!(codes[2], "503 5.5.1");
    assert_eq!(codes[codes.len() - 1], "250 2.1.5");
}

#[test]
fn errors_are_counted_from_one_message_to_the_next() {
    let wrong = "WHAT\r\n".repeat(19);
    let message = "MAIL FROM:<bo@example.com>\r\nRSET\r\n";
    let fine = codes(&format!("{wrong}{message}{wrong}NOOP\r\n"));
    assert_eq!(fine.last().unwrap(), "250 2.0.0");
    let ended = codes(&format!("{wrong}WHAT\r\nNOOP\r\n"));
    assert_eq!(ended.last().unwrap(), "421 4.7.0");
}
