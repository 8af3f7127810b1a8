//! LMTP as mail servers speak it.

use super::*;

#[test]
fn who_is_ours_is_said_before_the_mail_comes() {
    let host = setup().start();
    let mut lmtp = Lmtp::to(&host);
    assert!(
        lmtp.says("MAIL FROM:<bo@example.com>\r\n")
            .starts_with("250 2.1.0")
    );
    for (recipient, reply) in [
        (ANNA, "250 2.1.5"),
        ("ANNA@EXAMPLE.ORG", "250 2.1.5"),
        ("nobody@example.org", "550 5.1.1"),
        ("anna@example.net", "550 5.7.1"),
        ("calendar@example.org", "250 2.1.5"),
        ("calendar+0123456789abcdefghij@example.org", "550 5.1.1"),
        ("calendar+x@example.org", "550 5.1.1"),
        ("postmaster", "553 5.1.3"),
        // What a URI would read in another way.
        ("50%off#a?b@example.org", "550 5.1.1"),
        ("ann%61@example.org", "550 5.1.1"),
        ("mailto:anna@example.org", "553 5.1.3"),
    ] {
        let said = lmtp.says(&format!("RCPT TO:<{recipient}>\r\n"));
        assert!(said.starts_with(reply), "{recipient}: {said}");
    }
}

#[test]
fn each_recipient_has_a_status_of_its_own_and_a_session_goes_on() {
    let host = setup().start();
    let mut lmtp = Lmtp::to(&host);
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let to = [ANNA, "nobody@example.org", "dee@example.org"];
    let replies = lmtp.mail(BO, &to, &mail);
    assert!(replies[0].starts_with("250 2.0.0 taken"), "{replies:?}");
    assert!(replies[1].starts_with("550 5.1.1"), "{replies:?}");
    assert!(
        replies[2].starts_with("250 2.0.0 nothing is changed"),
        "{replies:?}"
    );
    assert!(host.stored(ANNA, "m-1").is_some());
    assert!(host.stored("dee@example.org", "m-1").is_none());
    let mail = mail.replace("m-1", "m-2");
    assert!(lmtp.mail(BO, &[ANNA], &mail)[0].starts_with("250 "));
    assert!(host.stored(ANNA, "m-2").is_some());
    assert!(lmtp.says("QUIT\r\n").starts_with("221 "));
    assert_eq!(lmtp.reply(), "");
}

/// A mail is looked at once, and who stands among its recipients twice gets it once.
#[test]
fn a_recipient_who_is_named_twice_gets_one_mail_and_two_statuses() {
    let host = setup().start();
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let replies = Lmtp::to(&host).mail(BO, &[ANNA, ANNA, "Anna@example.org"], &mail);
    assert!(
        replies.iter().all(|it| it.starts_with("250 2.0.0 taken")),
        "{replies:?}"
    );
    // One for each spelling.
    host.wait_for("from=\"bo@example.com\" recipient=mailto:Anna@example.org");
    assert_eq!(
        host.log().matches("mail-taken").count(),
        2,
        "{}",
        host.log()
    );
}

#[test]
fn what_smuggles_ends_the_connection() {
    let host = setup().start();
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r"] {
        let mut lmtp = Lmtp::to(&host);
        lmtp.says("MAIL FROM:<bo@example.com>\r\n");
        lmtp.says("RCPT TO:<anna@example.org>\r\n");
        lmtp.says("DATA\r\n");
        let inner =
            verified(BO, ANNA, "REQUEST", &invitation("smuggled", BO, ANNA)).replace('\n', "\r\n");
        let commands = "MAIL FROM:<bo@example.com>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\n";
        lmtp.sends(format!("Subject: x\r\n\r\nx{end}{commands}{inner}\r\n.\r\n").as_bytes());
        let reply = lmtp.reply();
        assert!(reply.starts_with("521 5.5.2"), "{end:?} {reply}");
        assert_eq!(lmtp.reply(), "", "{end:?}");
    }
    assert!(host.stored(ANNA, "smuggled").is_none());
}

#[test]
fn a_mail_that_is_too_long_is_refused_before_or_after_it_comes() {
    let host = setup()
        .table(
            "[limits]",
            "mail_length = \"1 MiB\"\ncontent_length = \"100 KiB\"",
        )
        .start();
    let mut lmtp = Lmtp::to(&host);
    let reply = lmtp.says("MAIL FROM:<> SIZE=1048577\r\n");
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let long = format!("Subject: x\n\n{}", "x\n".repeat(400_000));
    let replies = lmtp.mail(BO, &[ANNA, "dee@example.org"], &long);
    assert!(
        replies.iter().all(|it| it.starts_with("552 5.3.4")),
        "{replies:?}"
    );
    // The session goes on, and memory is free again.
    for _ in 0..3 {
        let fits = format!("Subject: x\n\n{}", "x\n".repeat(300_000));
        let reply = lmtp.mail(BO, &[ANNA], &fits).remove(0);
        assert!(reply.starts_with("250 2.0.0 dropped"), "{reply}");
    }
}

#[test]
fn a_socket_in_the_file_system_is_for_the_hosts_group() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let listener = format!("role = \"lmtp\"\naddress = \"unix:{}\"", path.display());
    let mut host = setup().table("[[listener]]", &listener).start();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    assert!(Lmtp::to_socket(&path).mail(BO, &[ANNA], &mail)[0].starts_with("250 2.0.0 taken"));
    // One that was killed leaves it behind, and the next takes its place.
    host.signal("KILL");
    host.wait();
    assert!(path.exists());
    host.start_again();
    Lmtp::to_socket(&path);
    host.signal("TERM");
    host.wait();
    assert!(!path.exists());
}

#[test]
fn a_mail_that_has_begun_is_taken_before_the_host_ends() {
    let mut host = setup().start();
    let mut idle = Lmtp::to(&host);
    let mut busy = Lmtp::to(&host);
    busy.says("MAIL FROM:<bo@example.com>\r\n");
    busy.says("RCPT TO:<anna@example.org>\r\n");
    busy.says("DATA\r\n");
    host.signal("TERM");
    assert!(idle.reply().starts_with("421 4.3.2"));
    assert_eq!(idle.reply(), "");
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA)).replace('\n', "\r\n");
    busy.sends(format!("{mail}\r\n.\r\n").as_bytes());
    assert!(busy.reply().starts_with("250 2.0.0 taken"));
    assert!(busy.reply().starts_with("421 4.3.2"));
    assert!(host.wait().success());
    host.start_again();
    assert!(host.stored(ANNA, "m-1").is_some());
}

#[test]
fn a_reload_keeps_what_stays_and_opens_and_closes_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let mut host = setup().start();
    let before = host.address("lmtp");
    let mut kept = Lmtp::to(&host);
    let both = format!(
        "role = \"lmtp\"\naddress = \"127.0.0.1:0\"\n[[listener]]\nrole = \"lmtp\"\naddress = \"unix:{}\"",
        path.display()
    );
    host.configure(|setup| setup.table("[[listener]]", &both));
    let output = super::pipe::run(&host, &["reload"], "");
    assert!(output.status.success(), "{output:?}");
    host.note_listeners();
    assert_eq!(host.address("lmtp"), before);
    assert!(
        kept.says("NOOP\r\n").starts_with("250 "),
        "what stays is kept"
    );
    let mut other = Lmtp::to_socket(&path);
    let one = "role = \"lmtp\"\naddress = \"127.0.0.1:0\"";
    host.configure(|setup| setup.table("[[listener]]", one));
    let output = super::pipe::run(&host, &["reload"], "");
    assert!(output.status.success(), "{output:?}");
    assert!(other.reply().starts_with("421 4.3.2"));
    assert!(kept.says("NOOP\r\n").starts_with("250 "));
    let checked = super::pipe::run(&host, &["check", "--json"], "");
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.contains("listener lmtp"), "{checked}");
}

#[test]
fn an_lmtp_listener_is_on_this_machine_and_needs_mail() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("convoke.toml");
    let mail = "[mail]\nsmtp = \"smtp://localhost\"\naddress = \"calendar@example.org\"\n";
    for (listener, mail, expected) in [
        (
            "address = \"[::]:24\"",
            mail,
            "whoever reaches an LMTP listener is believed",
        ),
        ("address = \"127.0.0.1:24\"", "", "needs [mail]"),
        ("address = \"unix:lmtp\"", mail, "absolute"),
        ("address = \"127.0.0.1\"", mail, "`127.0.0.1` has no port"),
        (
            "address = \"127.0.0.1:24\"\nusers = \"users\"",
            mail,
            "`users` goes with `role = \"submission\"` and `role = \"caldav\"` only",
        ),
        (
            "address = \"127.0.0.1:24\"\ntls = { certificate = \"a\", key = \"b\" }",
            mail,
            "`tls` does not go with `role = \"lmtp\"`",
        ),
    ] {
        let text = format!(
            "[server]\ndomains = [\"example.org\"]\n[[listener]]\nrole = \"lmtp\"\n{listener}\n{mail}"
        );
        let error = convoke::config::Config::parse(&text, &file).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// What was pipelined behind a message is not begun any more once the host is told to end: who sent it sends it again.
#[test]
fn a_message_behind_the_one_that_is_taken_comes_to_the_next_host() {
    let mut host = setup().start();
    let mut idle = Lmtp::to(&host);
    let mut busy = Lmtp::to(&host);
    let transaction = |uid: &str| {
        let mail = verified(BO, ANNA, "REQUEST", &invitation(uid, BO, ANNA));
        format!(
            "MAIL FROM:<{BO}>\r\nRCPT TO:<{ANNA}>\r\nDATA\r\n{}\r\n.\r\n",
            mail.replace('\n', "\r\n")
        )
    };
    busy.says("MAIL FROM:<bo@example.com>\r\n");
    host.signal("TERM");
    assert!(idle.reply().starts_with("421 4.3.2"));
    let first = transaction("m-1");
    let (_, rest) = first.split_once("\r\n").unwrap();
    busy.sends(format!("{rest}{}", transaction("m-2")).as_bytes());
    for expected in ["250 2.1.5", "354 ", "250 2.0.0 taken", "421 4.3.2"] {
        let reply = busy.reply();
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert_eq!(busy.reply(), "");
    assert!(host.wait().success());
    host.start_again();
    assert!(host.stored(ANNA, "m-1").is_some());
    assert!(host.stored(ANNA, "m-2").is_none());
}

/// A host with as many connections as it takes hears all the same that it is to end: it takes no more.
#[test]
fn a_host_that_takes_no_more_connections_ends_when_it_is_told_to() {
    let mut host = setup().start();
    let address = host.address("lmtp");
    let busy: Vec<Lmtp> = (0..200)
        .map(|_| {
            let mut lmtp = Lmtp::to(&host);
            lmtp.says("MAIL FROM:<bo@example.com>\r\n");
            lmtp
        })
        .collect();
    host.signal("TERM");
    let begun = std::time::Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "it listens still"
        );
        std::thread::yield_now();
    }
    drop(busy);
    assert!(host.wait().success());
}
