//! A mailbox behind the host: it has what the calendar took nothing of.

use super::{
    answers::{Meeting, reply, thunderbird},
    *,
};
use std::{
    io::Read,
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
};

/// The LMTP server of a mailbox: it has `anna` and `mailonly`, and gives out each mail that it takes with its envelope.
struct Mailbox {
    port: u16,
    mails: mpsc::Receiver<(String, String)>,
    dot: Arc<Mutex<&'static str>>,
}

impl Mailbox {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, mails) = mpsc::channel();
        let dot = Arc::new(Mutex::new("250 2.0.0 Saved"));
        let replies = dot.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(mail) = serve(stream, *replies.lock().unwrap()) {
                    let _ = taken.send(mail);
                }
            }
        });
        Self { port, mails, dot }
    }

    fn next(&self) -> (String, String) {
        self.mails.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn serve(mut stream: TcpStream, dot: &str) -> Option<(String, String)> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    stream.write_all(b"220 mailbox LMTP\r\n").ok()?;
    let mut envelope = String::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let reply = match line.split([' ', ':']).next()? {
            "LHLO" => "250-mailbox\r\n250 PIPELINING",
            "RCPT" if !line.contains("<anna@") && !line.contains("<mailonly@") => {
                "550 5.1.1 User unknown"
            }
            "MAIL" | "RCPT" => {
                envelope.push_str(line.trim_end());
                "250 2.1.0 OK"
            }
            _ => break,
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).ok()?;
    }
    stream.write_all(b"354 OK\r\n").ok()?;
    let mut mail = Vec::new();
    while !mail.ends_with(b"\r\n.\r\n") {
        let mut octet = [0];
        input.read_exact(&mut octet).ok()?;
        mail.push(octet[0]);
    }
    stream.write_all(format!("{dot}\r\n").as_bytes()).ok()?;
    dot.starts_with('2')
        .then(|| (envelope, String::from_utf8(mail).unwrap()))
}

#[test]
fn the_mailbox_has_what_the_calendar_does_not_take() {
    let mailbox = Mailbox::new();
    let more = format!("pass_on = \"lmtp://127.0.0.1:{}\"", mailbox.port);
    let Meeting { host, token, .. } = Meeting::new(&more);
    let words =
        "From: <bo@example.com>\nMessage-ID: <p@example.com>\nSubject: lunch\n\nToday?\n.hidden\n";
    for recipient in [ANNA, "mailonly@example.org"] {
        let reply = mailed(&host, BO, recipient, &words.replace("\n.", "\n.."));
        assert!(reply.starts_with("250 2.0.0 passed on"), "{reply}");
        let (envelope, mail) = mailbox.next();
        assert_eq!(envelope, format!("MAIL FROM:<{BO}>RCPT TO:<{recipient}>"));
        assert!(mail.contains("\r\n..hidden\r\n"), "{mail}");
        // RFC 5321 §4.4
        assert!(
            mail.starts_with("Received: by example.org (Convoke); "),
            "{mail}"
        );
    }
    // An invitation that nothing proves is a mail like any other.
    let unproved = unverified(BO, ANNA, "REQUEST", &invitation("m-9", BO, ANNA));
    assert!(mailed(&host, BO, ANNA, &unproved).starts_with("250 2.0.0 passed on"));
    assert!(mailbox.next().1.contains("UID:m-9"));
    assert!(host.stored(ANNA, "m-9").is_none());
    // One that is taken is in the calendar, and nowhere else; so the next is another mail.
    let proved = verified(BO, ANNA, "REQUEST", &invitation("m-9", BO, ANNA));
    assert!(mailed(&host, BO, ANNA, &proved).starts_with("250 2.0.0 taken"));
    // A guest's own words go to the organizer's mailbox.
    assert!(mailed(&host, BO, &token, words).starts_with("250 2.0.0 passed on"));
    assert_eq!(
        mailbox.next().0,
        format!("MAIL FROM:<{BO}>RCPT TO:<{ANNA}>")
    );
    // What the mailbox says is what the mail server is told.
    let reply = mailed(&host, BO, "nobody@example.org", words);
    assert!(
        reply.starts_with("550 5.0.0 550 5.1.1 User unknown"),
        "{reply}"
    );
    *mailbox.dot.lock().unwrap() = "452 4.2.2 Mailbox full";
    assert!(mailed(&host, BO, ANNA, words).starts_with("451 "));
    *mailbox.dot.lock().unwrap() = "552 5.2.2 Mailbox full";
    assert!(mailed(&host, BO, ANNA, words).starts_with("550 "));
    let why: Vec<_> = explained(&host, "p@example.com")
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert!(
        why.contains(&"mail-later".to_owned()) && why.contains(&"mailbox-refused".to_owned()),
        "{why:?}"
    );
}

#[test]
fn a_mailbox_that_is_down_is_tried_later() {
    let host = setup_with("smtp://127.0.0.1:1", "pass_on = \"lmtp://127.0.0.1:1\"").start();
    let reply = mailed(&host, BO, ANNA, "Subject: x\n\ny\n");
    assert!(
        reply.starts_with("451 4.3.0 lmtp://127.0.0.1:1 cannot be reached"),
        "{reply}"
    );
    let output = super::pipe::run(
        &host,
        &["mail", "receive", "--to", ANNA],
        "Subject: x\n\ny\n",
    );
    assert_eq!(output.status.code(), Some(75));
}

/// The sender goes on as it came, and nothing of it is taken for anything else.
#[test]
fn the_sender_is_written_as_an_address_again() {
    let mailbox = Mailbox::new();
    let more = format!("pass_on = \"lmtp://127.0.0.1:{}\"", mailbox.port);
    let host = setup_with("smtp://127.0.0.1:1", &more).start();
    let words = "Subject: lunch\n\nToday?\n";
    for sender in [
        "\"john smith\"@example.com",
        "\"a> X=1 Y=<b\"@evil.example",
        "\"a\\\"b\"@example.com",
        "",
    ] {
        let reply = mailed(&host, sender, ANNA, words);
        assert!(
            reply.starts_with("250 2.0.0 passed on"),
            "{sender}: {reply}"
        );
        assert_eq!(
            mailbox.next().0,
            format!("MAIL FROM:<{sender}>RCPT TO:<{ANNA}>")
        );
    }
    let said = Lmtp::to(&host).says("MAIL FROM:<a@\"b> X=1\">\r\n");
    assert!(said.starts_with("553 5.1.7"), "{said}");
    // In a pipe, the mail says from whom it came.
    for (path, sender) in [("<bo@example.com>", "bo@example.com"), ("<>", "")] {
        let mail = format!("Return-Path: {path}\n{words}");
        let output = super::pipe::run(&host, &["mail", "receive", "--to", ANNA], &mail);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(
            mailbox.next().0,
            format!("MAIL FROM:<{sender}>RCPT TO:<{ANNA}>")
        );
    }
}

/// An answer to the organizer's own address is taken, and what somebody has written beside it goes to the mailbox.
#[test]
fn the_mailbox_has_the_words_beside_an_answer() {
    let mailbox = Mailbox::new();
    let more = format!("pass_on = \"lmtp://127.0.0.1:{}\"", mailbox.port);
    let Meeting { host, token, .. } = Meeting::new(&more);
    let mut answers = [
        (ANNA, "Bo has declined."),
        (ANNA, "I am away."),
        (token.as_str(), "Bo has declined."),
        (token.as_str(), "I am ill."),
    ]
    .into_iter()
    .enumerate();
    let mut answer = || {
        let (at, (to, text)) = answers.next().unwrap();
        let stamp = format!("DTSTAMP:20261102T0{at}0000Z");
        let answer = reply("DECLINED").replace("DTSTAMP:20261101T080000Z", &stamp);
        let mail = thunderbird(&answer).replace("<tb@", &format!("<tb-{at}@"));
        let mail = mail.replace("Bo has accepted.", text);
        let verdict = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com";
        let reply = mailed(&host, BO, to, &format!("{verdict}\n{mail}"));
        assert!(reply.starts_with("250 2.0.0 taken"), "{reply}");
    };
    // What a button has written is nothing for a mailbox, so that the next is another mail.
    for words in ["I am away.", "I am ill."] {
        answer();
        answer();
        let (envelope, mail) = mailbox.next();
        assert_eq!(envelope, format!("MAIL FROM:<{BO}>RCPT TO:<{ANNA}>"));
        assert!(mail.contains(words), "{mail}");
    }
    assert!(mailbox.mails.try_recv().is_err());
}
