//! To who has no receiver by mail: a real host, and a mail server that behaves well or badly.

mod both_kinds;
mod misconfigured;
mod reactions;
mod updates;

use convoke_tests::{HELD, Host, MailServer, NameServer, Post, Setup, TakenMail, program};
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

const ANNA: &str = "anna@example.org";
const BO: &str = "bo@example.net";
const CY: &str = "cy@example.com";

/// A host of Anna's that mails by a server; `more` are further lines of `[mail]`.
fn host_that_mails(server: &MailServer, more: &str) -> Host {
    mailing(&format!("smtp://{}", server.address()), more).start()
}

fn mailing(url: &str, more: &str) -> Setup {
    Setup::new().users(&[ANNA]).table(
        "[mail]",
        &format!("smtp = \"{url}\"\naddress = \"calendar@example.org\"\n{more}"),
    )
}

fn convoke(host: &Host, arguments: &[&str]) -> String {
    let (status, said, wrong) = run(host, arguments);
    assert_eq!(status, Some(0), "{arguments:?}: {said}{wrong}");
    said
}

/// Exit status, standard output and error of a command.
fn run(host: &Host, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program())
        .args(arguments)
        .args(["--json", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .output()
        .expect("the program can be started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (said, wrong) = (text(output.stdout), text(output.stderr));
    (output.status.code(), said, wrong)
}

/// Waits until something is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The token in an address of the gateway.
fn token(address: &str) -> &str {
    let token = address.strip_prefix("calendar+").unwrap();
    token.strip_suffix("@example.org").unwrap()
}

fn id(mail: &TakenMail) -> String {
    mail.header("Message-ID").unwrap()
}

fn subject(mail: &TakenMail) -> String {
    mail.header("Subject").unwrap()
}

#[test]
fn an_invitation_goes_to_a_mailbox() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO, CY]));
    assert_eq!(answer.codes(), ["1.1", "1.1"]);
    let mut mails = server.wait_for_mails(2);
    mails.sort_by(|one, other| one.to.cmp(&other.to));
    let [to_bo, to_cy] = &mails[..] else {
        panic!("{mails:?}")
    };
    assert_eq!((to_bo.to.as_str(), to_cy.to.as_str()), (BO, CY));
    let tokens = [token(&to_bo.from), token(&to_cy.from)];
    assert_ne!(tokens[0], tokens[1]);
    for (mail, token) in mails.iter().zip(tokens) {
        assert!(token.len() >= 20, "{token}");
        assert!(
            token
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
        );
        let field = |name: &str| mail.header(name).unwrap_or_default();
        assert!(
            field("From").contains("<anna@example.org>"),
            "{}",
            field("From")
        );
        assert!(field("Sender").contains("<calendar@example.org>"));
        assert!(field("Reply-To").contains(&format!("<calendar+{token}@example.org>")));
        assert_eq!(field("Auto-Submitted"), "auto-generated");
        assert!(field("Content-Type").starts_with("multipart/mixed"));
    }
    assert_ne!(id(to_bo), id(to_cy));
    let stored = host.stored(ANNA, "party").unwrap();
    assert_eq!(stored.matches("SCHEDULE-STATUS=1.1").count(), 2, "{stored}");
}

#[test]
fn updates_thread_and_keep_the_token() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    let invitation = Post::invitation("party", ANNA, &[BO]);
    host.submit(&invitation);
    host.submit(&invitation.edited("SEQUENCE:0", "SEQUENCE:1"));
    host.submit(&Post::cancellation("party", ANNA, &[BO]).edited("SEQUENCE:1", "SEQUENCE:2"));
    let mails = server.wait_for_mails(3);
    assert!(mails.iter().all(|mail| mail.from == mails[0].from));
    for (earlier, later) in [(0, 1), (1, 2)] {
        let references = mails[later].header("References").unwrap();
        assert!(references.contains(&id(&mails[earlier])), "{references}");
        let parent = mails[later].header("In-Reply-To").unwrap();
        assert_eq!(parent, id(&mails[earlier]));
    }
    assert_ne!(id(&mails[0]), id(&mails[1]));
}

#[test]
fn who_has_a_receiver_is_not_mailed() {
    let server = MailServer::new();
    let discovery = "plugin = \"discovery-static\"\n\
                     config.domains.\"example.net\" = \"https://127.0.0.1:1/\"\n\
                     config.domains.\"example.com\" = \"none\"";
    let host = mailing(&format!("smtp://{}", server.address()), "")
        .table("[[discovery]]", discovery)
        .start();
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO, CY]));
    assert_eq!(answer.codes(), ["1.0", "1.1"]);
    let mails = server.wait_for_mails(1);
    assert_eq!(mails[0].to, CY);
    let queue = convoke(&host, &["queue", "list"]);
    assert!(
        queue.contains("\"via\":\"ischedule\"") || queue.contains("\"via\": \"ischedule\""),
        "{queue}"
    );
    assert_eq!(server.mails().len(), 1);
}

/// Greylisting: refused at first, taken when it comes again, and the same mail then.
#[test]
fn what_the_server_wants_later_comes_again() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    server.behave(|it| it.rcpt = "450 4.2.0 greylisted, come again".to_owned());
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
    assert_eq!(answer.codes(), ["1.0"]);
    let queue = convoke(&host, &["queue", "list"]);
    assert!(queue.contains("mail"), "{queue}");
    server.behave(|it| it.rcpt = "250 2.1.5 Ok".to_owned());
    convoke(&host, &["queue", "retry", "--all"]);
    server.wait_for_mails(1);
    eventually("the mail is noted", || {
        let stored = host.stored(ANNA, "party").unwrap();
        stored.contains("SCHEDULE-STATUS=1.1")
    });
}

#[test]
fn what_the_server_refuses_has_failed_with_its_words() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "notify = \"off\"");
    server.behave(|it| it.rcpt = "550 5.1.1 <bo@example.net>: no such mailbox".to_owned());
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
    assert_eq!(answer.codes(), ["5.1"]);
    assert!(answer.statuses()[0].status.contains("no such mailbox"));
    assert!(convoke(&host, &["queue", "list"]).contains("[]"));
    let explained = convoke(&host, &["explain", "party"]);
    assert!(explained.contains("no such mailbox"), "{explained}");
    let stored = host.stored(ANNA, "party").unwrap();
    assert!(stored.contains("SCHEDULE-STATUS=5.1"), "{stored}");
}

/// A server that wants nothing to do with us refuses nobody's mail for good.
#[test]
fn a_server_that_is_not_set_up_delays_mail() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    server.behave(|it| it.greeting = "554 5.7.1 not from you".to_owned());
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
    assert_eq!(answer.codes(), ["1.0"]);
    assert!(host.log().contains("mail-server-failed"));
    server.behave(|it| it.greeting = "220 welcome".to_owned());
    convoke(&host, &["queue", "retry", "--all"]);
    server.wait_for_mails(1);
}

#[test]
fn a_server_that_hangs_is_left_in_time() {
    for reaction in ["greeting", "rcpt"] {
        let server = MailServer::new();
        let host = mailing(&format!("smtp://{}", server.address()), "")
            .table(
                "[client]",
                "allow_networks = [\"127.0.0.0/8\"]\nca = \"ca.pem\"\nrequest_timeout = \"300ms\"",
            )
            .start();
        server.behave(|it| match reaction {
            "greeting" => it.greeting.clear(),
            _ => it.rcpt.clear(),
        });
        let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
        assert_eq!(answer.codes(), ["1.0"], "{reaction}");
        assert!(host.log().contains("did not answer"), "{}", host.log());
    }
}

/// Who has handed in a message may hang up while the mail server takes its time: the mail goes once.
#[test]
fn who_hangs_up_has_no_mail_sent_twice() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    server.behave(|it| it.dot = HELD.to_owned());
    let program = host.hand_in(&Post::invitation("party", ANNA, &[BO]));
    server.wait_for_mails(1);
    drop(program);
    assert!(
        !server.takes(2, Duration::from_secs(3)),
        "it was sent twice"
    );
    server.behave(|it| "250 2.0.0 Ok".clone_into(&mut it.dot));
    eventually("the mail is noted", || {
        let stored = host.stored(ANNA, "party").unwrap();
        stored.contains("SCHEDULE-STATUS=1.1")
    });
    assert_eq!(server.mails().len(), 1);
    assert!(convoke(&host, &["queue", "list"]).contains("[]"));
}

/// The server takes the whole mail and says nothing, each time: the guest has it twice, and no more.
#[test]
fn a_server_that_says_nothing_of_a_mail_gets_it_twice() {
    let server = MailServer::new();
    let host = mailing(&format!("smtp://{}", server.address()), "")
        .table(
            "[client]",
            "allow_networks = [\"127.0.0.0/8\"]\nca = \"ca.pem\"\nrequest_timeout = \"500ms\"",
        )
        .start();
    server.behave(|it| it.dot.clear());
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
    assert_eq!(answer.codes(), ["1.0"]);
    convoke(&host, &["queue", "retry", "--all"]);
    eventually("the mail counts as taken", || {
        let stored = host.stored(ANNA, "party").unwrap();
        stored.contains("SCHEDULE-STATUS=1.1")
    });
    assert!(host.log().contains("not certain"), "{}", host.log());
    let why = convoke(&host, &["explain", "party"]);
    assert!(why.contains("not certain"), "{why}");
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(id(&mails[0]), id(&mails[1]));
    assert!(convoke(&host, &["queue", "list"]).contains("[]"));
}

/// The server took the mail, and nobody was told so: it comes once more, and is the same.
#[test]
fn a_mail_that_comes_again_is_the_same() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    host.submit(&Post::invitation("party", ANNA, &[BO]));
    server.behave(|it| it.drops_after_dot = true);
    let update = Post::invitation("party", ANNA, &[BO]).edited("SEQUENCE:0", "SEQUENCE:1");
    assert_eq!(host.submit(&update).codes(), ["1.0"]);
    server.behave(|it| it.drops_after_dot = false);
    convoke(&host, &["queue", "retry", "--all"]);
    let mails = server.wait_for_mails(3);
    assert_eq!(mails[1].content, mails[2].content);
    assert_eq!(mails[1].from, mails[2].from);
    assert_ne!(id(&mails[0]), id(&mails[1]));
}

/// DTSTAMP counts seconds: what else a message says makes it another mail, as mailboxes keep one of two with one Message-ID.
#[test]
fn two_proposals_of_one_second_are_two_mails() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    let proposal = |start: &str| {
        Post::reply("party", ANNA, BO, "TENTATIVE")
            .edited("METHOD:REPLY", "METHOD:COUNTER")
            .edited("DTSTART:20270105T100000Z\nDTEND:20270105T110000Z", start)
            .with(
                "Content-Type",
                "text/calendar; component=VEVENT; method=COUNTER",
            )
    };
    for start in ["DTSTART:20270105T140000Z", "DTSTART:20270105T150000Z"] {
        assert_eq!(host.submit(&proposal(start)).codes(), ["1.1"]);
    }
    let mails = server.wait_for_mails(2);
    assert_ne!(id(&mails[0]), id(&mails[1]));
}

#[test]
fn what_waits_for_the_server_outlives_the_host() {
    let server = MailServer::new();
    let mut host = host_that_mails(&server, "");
    server.behave(|it| it.rcpt = "450 4.3.0 try later".to_owned());
    assert_eq!(
        host.submit(&Post::invitation("party", ANNA, &[BO])).codes(),
        ["1.0"]
    );
    host.signal("KILL");
    host.wait();
    server.behave(|it| it.rcpt = "250 2.1.5 Ok".to_owned());
    host.start_again();
    convoke(&host, &["queue", "retry", "--all"]);
    assert_eq!(server.wait_for_mails(1)[0].to, BO);
}

#[test]
fn a_connection_is_encrypted_where_it_must_be_and_the_server_proves_its_name() {
    for (scheme, starttls, name, works) in [
        ("smtp", "starttls = \"required\"", "localhost", true),
        ("smtp", "starttls = \"opportunistic\"", "localhost", true),
        ("smtps", "", "localhost", true),
        ("smtp", "starttls = \"required\"", "other.example", false),
        (
            "smtp",
            "starttls = \"opportunistic\"",
            "other.example",
            false,
        ),
        ("smtps", "", "other.example", false),
    ] {
        let server = MailServer::new();
        let url = format!("{scheme}://localhost:{}", server.address().port());
        let login = "user = \"convoke\"\npassword_file = \"password\"";
        let host = mailing(&url, &format!("{starttls}\n{login}"))
            .private_file("password", "secret\n")
            .start();
        let credentials = host.authority().issue(&[name]);
        server.behave(|it| {
            it.credentials = Some(credentials);
            it.tls_at_once = scheme == "smtps";
            it.extensions.push("AUTH PLAIN LOGIN".to_owned());
        });
        let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
        let what = format!("{scheme} {starttls} {name}");
        if works {
            assert_eq!(answer.codes(), ["1.1"], "{what}: {}", host.log());
            let mail = &server.mails()[0];
            assert!(mail.encrypted, "{what}");
            assert_eq!(mail.login.as_deref(), Some("/convoke/secret"), "{what}");
        } else {
            assert_eq!(answer.codes(), ["1.0"], "{what}");
            assert!(server.mails().is_empty(), "{what}");
        }
    }
}

#[test]
fn nothing_goes_in_the_clear_where_it_must_not() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "starttls = \"required\"");
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO]));
    assert_eq!(answer.codes(), ["1.0"]);
    assert!(!server.commands().contains(&"MAIL".to_owned()));
    assert!(host.log().contains("offers no STARTTLS"), "{}", host.log());
}

#[test]
fn the_gateway_may_be_the_sender() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "from = \"gateway\"");
    host.submit(&Post::invitation("party", ANNA, &[BO]));
    let mail = &server.wait_for_mails(1)[0];
    let from = mail.header("From").unwrap();
    assert!(from.contains("<calendar@example.org>"), "{from}");
}

#[test]
fn addresses_outside_ascii_go_to_servers_that_take_them() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "notify = \"off\"");
    let wide = "jürgen@example.net";
    let refused = host.submit(&Post::invitation("one", ANNA, &[wide]));
    assert_eq!(refused.codes(), ["5.1"]);
    assert!(refused.statuses()[0].status.contains("SMTPUTF8"));
    let other = MailServer::new();
    other.behave(|it| it.extensions.push("SMTPUTF8".to_owned()));
    let host = host_that_mails(&other, "");
    assert_eq!(
        host.submit(&Post::invitation("one", ANNA, &[wide])).codes(),
        ["1.1"]
    );
    assert_eq!(other.mails()[0].to, wide);
}

#[test]
fn a_policy_may_forbid_mail() {
    let server = MailServer::new();
    let host = mailing(&format!("smtp://{}", server.address()), "notify = \"off\"")
        .rules("[{ deny = \"send\", to = \"*@example.net\" }, { allow = \"any\" }]")
        .start();
    let answer = host.submit(&Post::invitation("party", ANNA, &[BO, CY]));
    assert_eq!(answer.codes(), ["3.8", "1.1"]);
    assert_eq!(server.wait_for_mails(1)[0].to, CY);
}

/// A mail can be asked for by its Message-ID, and connections are used again.
#[test]
fn many_mails_share_connections_and_are_explained() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    for number in 0..10 {
        let uid = format!("party-{number}");
        let answer = host.submit(&Post::invitation(&uid, ANNA, &[BO]));
        assert_eq!(answer.codes(), ["1.1"]);
    }
    let mails = server.wait_for_mails(10);
    let greeted = server.commands().iter().filter(|it| *it == "EHLO").count();
    assert!(greeted < 5, "{greeted} connections");
    let id = id(&mails[7]);
    let bare = id.trim_matches(['<', '>']);
    host.wait_for(bare);
}

#[test]
fn people_are_told_what_could_not_be_delivered_and_what_waits() {
    let server = MailServer::new();
    let host = mailing(&format!("smtp://{}", server.address()), "")
        .rules("[{ hold = \"schedule\", known = false }, { allow = \"any\" }]")
        .start();
    let held = Post::invitation("theirs", CY, &[ANNA]);
    assert_eq!(host.post(&held).codes(), ["2.0"]);
    let notice = &server.wait_for_mails(1)[0];
    assert_eq!(
        (notice.from.as_str(), notice.to.as_str()),
        ("calendar@example.org", ANNA)
    );
    assert_eq!(
        notice.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert!(
        notice.content.contains("cy@example.com"),
        "{}",
        notice.content
    );

    server.behave(|it| it.refuses = Some((BO.to_owned(), "550 5.1.1 no such mailbox".to_owned())));
    assert_eq!(
        host.submit(&Post::invitation("ours", ANNA, &[BO])).codes(),
        ["5.1"]
    );
    let notice = &server.wait_for_mails(2)[1];
    assert_eq!(notice.to, ANNA);
    assert!(
        notice.content.contains("no such mailbox"),
        "{}",
        notice.content
    );
}

#[test]
fn who_wants_no_notices_gets_none() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "notify = [\"undeliverable\"]");
    let fails = |uid: &str, to: &str| {
        let refused = (to.to_owned(), "550 5.1.1 no such mailbox".to_owned());
        server.behave(|it| it.refuses = Some(refused));
        let answer = host.submit(&Post::invitation(uid, ANNA, &[to]));
        assert_eq!(answer.codes(), ["5.1"]);
    };
    convoke(&host, &["user", "set", ANNA, "--notify", "off"]);
    let shown = convoke(&host, &["user", "show", ANNA]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["notify"], "off");
    fails("silent", BO);
    convoke(&host, &["user", "set", ANNA, "--notify", "on"]);
    fails("told", "cy@example.net");
    let notice = server.wait_for_mails(1).remove(0);
    assert!(
        notice.content.contains("cy@example.net"),
        "{}",
        notice.content
    );
    assert_eq!(server.mails().len(), 1);
}

/// A notice waits for the mail server like everything else, over a restart of the host, too.
#[test]
fn a_notice_waits_for_the_mail_server() {
    let server = MailServer::new();
    let mut host = host_that_mails(&server, "notify = [\"undeliverable\"]");
    server.behave(|it| it.refuses = Some((BO.to_owned(), "550 5.1.1 no such mailbox".to_owned())));
    server.behave(|it| it.rcpt = "450 4.3.0 later".to_owned());
    assert_eq!(
        host.submit(&Post::invitation("ours", ANNA, &[BO])).codes(),
        ["5.1"]
    );
    // Once for the invitation, once for the notice.
    server.wait_for_commands("RCPT", 2);
    host.signal("TERM");
    assert!(host.wait().success());
    server.behave(|it| it.rcpt = "250 2.1.5 Ok".to_owned());
    host.start_again();
    assert_eq!(server.wait_for_mails(1)[0].to, ANNA);
}

/// It is on disk with what led to it, so that no crash loses it.
#[test]
fn a_notice_outlives_a_crash() {
    let server = MailServer::new();
    let mut host = host_that_mails(&server, "");
    server.behave(|it| it.refuses = Some((BO.to_owned(), "550 5.1.1 no such mailbox".to_owned())));
    server.behave(|it| it.rcpt = "450 4.3.0 later".to_owned());
    let answer = host.submit(&Post::invitation("ours", ANNA, &[BO]));
    host.signal("KILL");
    assert_eq!(answer.codes(), ["5.1"]);
    host.wait();
    server.behave(|it| it.rcpt = "250 2.1.5 Ok".to_owned());
    host.start_again();
    let told = &server.wait_for_mails(1)[0];
    assert_eq!(told.to, ANNA);
    assert!(told.content.contains("no such mailbox"), "{}", told.content);
}

#[test]
fn an_administrator_sends_a_test_by_mail() {
    let server = MailServer::new();
    let host = host_that_mails(&server, "");
    let said = convoke(&host, &["mail", "test", BO, "--as", ANNA]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let mail = &server.mails()[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.as_str()),
        ("calendar@example.org", BO)
    );
    assert!(mail.header("From").unwrap().contains("<anna@example.org>"));
    assert_eq!(
        id(mail),
        format!("<{}>", said["message_id"].as_str().unwrap())
    );
    assert!(
        said["reply"].as_str().unwrap().starts_with("250 "),
        "{said}"
    );

    server.behave(|it| it.rcpt = "550 5.1.1 no such mailbox".to_owned());
    let (status, _, wrong) = run(&host, &["mail", "test", BO]);
    assert_eq!(status, Some(1));
    assert!(wrong.contains("no such mailbox"), "{wrong}");
    let without = Setup::new().start();
    let (status, _, wrong) = run(&without, &["mail", "test", BO]);
    assert_eq!(status, Some(1));
    assert!(wrong.contains("there is no [mail]"), "{wrong}");
}

/// What `check` says of `[mail]`: each finding of it with its verdict.
fn checked(host: &Host) -> Vec<(String, String, String)> {
    let (_, said, _) = run(host, &["check"]);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&said).unwrap();
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let all = findings.iter();
    let all = all.map(|it| (text(it, "what"), text(it, "verdict"), text(it, "detail")));
    all.filter(|(what, ..)| what.starts_with("mail")).collect()
}

#[test]
fn check_looks_at_the_server_the_way_back_and_what_others_make_of_it() {
    let names = NameServer::new().ttl(0);
    let server = MailServer::new();
    let host = mailing(&format!("smtp://{}", server.address()), "")
        .table("[dns]", &format!("nameservers = [\"{}\"]", names.address()))
        .start();
    let verdicts = || -> Vec<(String, String)> {
        let found = checked(&host).into_iter();
        found.map(|(what, verdict, _)| (what, verdict)).collect()
    };
    let expected = |verdicts: [(&str, &str); 5]| {
        verdicts.map(|(what, verdict)| (format!("mail: {what}"), verdict.to_owned()))
    };
    let bare = expected([
        ("address", "ok"),
        ("address with +", "ok"),
        ("answers", "warn"),
        ("spf of example.org", "warn"),
        ("dmarc of example.org", "warn"),
    ]);
    assert_eq!(verdicts(), bare);
    assert!(server.mails().is_empty(), "check sends nothing");

    names.txt("example.org", "v=spf1 mx -all");
    names.txt("_dmarc.example.org", "v=DMARC1; p=reject");
    server.behave(|it| {
        let tokened = "calendar+0000000000000000000000000@example.org".to_owned();
        it.refuses = Some((tokened, "550 5.1.1 unknown".to_owned()));
    });
    let published = expected([
        ("address", "ok"),
        ("address with +", "fail"),
        ("answers", "warn"),
        ("spf of example.org", "ok"),
        ("dmarc of example.org", "ok"),
    ]);
    assert_eq!(verdicts(), published);
    let found = checked(&host);
    assert!(found[1].2.contains("recipient_delimiter"), "{found:?}");

    server.behave(|it| it.greeting = "554 5.7.1 not from you".to_owned());
    let found = checked(&host);
    assert_eq!(
        (found[0].0.as_str(), found[0].1.as_str()),
        ("mail: smtp", "fail")
    );
    assert!(found[0].2.contains("not from you"), "{found:?}");
}
