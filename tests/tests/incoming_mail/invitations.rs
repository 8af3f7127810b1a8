//! Invitations by mail: whoever is proved to send them is asked of policy, and nobody else changes anything.

use super::*;
use convoke_tests::Post;

/// Hands an invitation to Anna over: the reply, and whether it is in her calendar.
fn invited(host: &Host, uid: &str, mail: &str) -> (String, bool) {
    let reply = mailed(host, BO, ANNA, mail);
    (reply, host.stored(ANNA, uid).is_some())
}

#[test]
fn an_invitation_that_the_mail_server_vouches_for_is_in_the_calendar() {
    let host = setup().start();
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let (reply, is_there) = invited(&host, "m-1", &mail);
    assert!(reply.starts_with("250 2.0.0 taken"), "{reply}");
    assert!(is_there);
    // The same again changes nothing, an update and the end of it do.
    assert!(invited(&host, "m-1", &mail).1);
    let later = mail
        .replace("SEQUENCE:0", "SEQUENCE:1")
        .replace("T100000Z", "T103000Z");
    invited(&host, "m-1", &later);
    assert!(
        host.stored(ANNA, "m-1")
            .unwrap()
            .contains("DTSTART:20270105T103000Z")
    );
    let people = format!("ORGANIZER:mailto:{BO}\nATTENDEE:mailto:{ANNA}\nSTATUS:CANCELLED");
    let off = calendar("CANCEL", "m-1", &people).replace("SEQUENCE:0", "SEQUENCE:2");
    assert!(mailed(&host, BO, ANNA, &verified(BO, ANNA, "CANCEL", &off)).contains("taken"));
    assert!(
        host.stored(ANNA, "m-1")
            .unwrap()
            .contains("STATUS:CANCELLED")
    );
    let delivered = |what: &str| {
        let rows = explained(&host, what).into_iter();
        rows.filter(|it| it.0 == "delivered").count()
    };
    assert_eq!(delivered("m-1"), 4);
    assert_eq!(delivered("<REQUEST-1@mail.example.com>"), 3);
    assert_eq!(delivered("REQUEST-1@mail.example.com"), 3);
}

/// What would ring, play a stranger's file, or have mail sent, and how the sender paints it.
#[test]
fn no_alarm_or_colour_of_a_sender_gets_into_a_calendar_by_mail_or_ischedule() {
    const ALARMS: &str = "COLOR:red\n\
        BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Up\nTRIGGER:-PT5M\nEND:VALARM\n\
        BEGIN:VALARM\nACTION:AUDIO\nATTACH:https://evil.example/ring.au\nTRIGGER:PT0S\nEND:VALARM\n\
        BEGIN:VALARM\nACTION:EMAIL\nATTENDEE:mailto:victim@example.net\nSUMMARY:Buy\nDESCRIPTION:Now\nTRIGGER:PT0S\n\
        END:VALARM\nEND:VEVENT";
    let host = setup().start();
    let has_none = |uid: &str| {
        let copy = host.stored(ANNA, uid).unwrap();
        assert!(
            !copy.contains("VALARM") && !copy.contains("COLOR"),
            "{copy}"
        );
        copy
    };
    let invitation = invitation("m-1", BO, ANNA).replace("END:VEVENT", ALARMS);
    for (sequence, title) in [(0, "Review"), (1, "Review again")] {
        let told = invitation
            .replace("SEQUENCE:0", &format!("SEQUENCE:{sequence}"))
            .replace("SUMMARY:Review", &format!("SUMMARY:{title}"));
        let mail = verified(BO, ANNA, "REQUEST", &told);
        assert!(mailed(&host, BO, ANNA, &mail).contains("taken"));
        assert!(has_none("m-1").contains(&format!("SUMMARY:{title}\r\n")));
    }
    let post = Post::invitation("m-2", BO, &[ANNA]).edited("END:VEVENT", ALARMS);
    assert_eq!(host.post(&post).codes(), ["2.0"]);
    has_none("m-2");
}

#[test]
fn what_is_not_proved_changes_nothing_whatever_policy_says() {
    let host = setup().start();
    let results = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com\n";
    let cases = [
        ("nothing", String::new()),
        (
            "another server's",
            results.replace("mx.example.org", "mx.evil.example"),
        ),
        (
            "one that looks alike",
            results.replace("mx.example.org", "mx.example.org.evil.example"),
        ),
        ("fail", results.replace("dmarc=pass", "dmarc=fail")),
        (
            "of another domain",
            results.replace("header.from=example.com", "header.from=evil.example"),
        ),
        (
            "without a domain",
            results.replace(" header.from=example.com", ""),
        ),
        (
            "spf alone",
            "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=example.com\n"
                .to_owned(),
        ),
        (
            "dkim of another",
            "Authentication-Results: mx.example.org; dkim=pass header.d=evil.example\n".to_owned(),
        ),
        (
            "in a comment",
            "Authentication-Results: mx.example.org; none (dmarc=pass header.from=example.com)\n"
                .to_owned(),
        ),
        (
            "below a fail",
            format!("Authentication-Results: mx.example.org; dmarc=fail\n{results}"),
        ),
    ];
    let unverified = unverified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    for (what, results) in cases {
        let (reply, is_there) = invited(&host, "m-1", &format!("{results}{unverified}"));
        assert!(
            reply.starts_with("250 2.0.0 nothing is changed"),
            "{what}: {reply}"
        );
        assert!(!is_there, "{what}");
    }
    // Whoever proves nothing adds nothing to what is told of a meeting.
    assert!(explained(&host, "m-1").is_empty());
    let why = explained(&host, "REQUEST-1@mail.example.com");
    assert_eq!(why.len(), 10);
    assert!(why.iter().all(|it| it.0 == "mail-refused"), "{why:?}");
    assert!(
        why[0]
            .1
            .contains("no Authentication-Results of a trusted mail server"),
        "{why:?}"
    );
    host.wait_for("event=\"mail-refused\"");
}

#[test]
fn the_domains_word_is_for_from_alone() {
    let host = setup().start();
    // A customer of the same provider, in whatever way.
    let mallory = "mallory@example.com";
    let plain = verified(mallory, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let sent_by = plain.replace(
        "ORGANIZER:",
        "ORGANIZER;SENT-BY=\"mailto:mallory@example.com\":",
    );
    let sender = plain.replace(
        "From: <mallory@example.com>",
        "From: <mallory@example.com>\nSender: <bo@example.com>",
    );
    let two = plain.replace(
        "From: <mallory@example.com>",
        "From: <mallory@example.com>\nFrom: <bo@example.com>",
    );
    let list = plain.replace(
        "From: <mallory@example.com>",
        "From: <mallory@example.com>, <bo@example.com>",
    );
    let named = plain.replace(
        "From: <mallory@example.com>",
        "From: \"bo@example.com\" <mallory@example.com>",
    );
    for mail in [plain, sent_by, sender, two, list, named] {
        let (reply, is_there) = invited(&host, "m-1", &mail);
        assert!(reply.starts_with("250 2.0.0 nothing is changed"), "{reply}");
        assert!(!is_there, "{mail}");
    }
    // One of our own people by mail from elsewhere.
    let own = verified(
        "dee@example.org",
        ANNA,
        "REQUEST",
        &invitation("m-1", "dee@example.org", ANNA),
    );
    assert!(!invited(&host, "m-1", &own).1);
}

#[test]
fn dkim_counts_where_there_is_no_dmarc_policy() {
    let host = setup().start();
    let mail = unverified(
        "bo@cal.example.com",
        ANNA,
        "REQUEST",
        &invitation("m-1", "bo@cal.example.com", ANNA),
    );
    let results = "Authentication-Results: mx.example.org 1; dmarc=none header.from=cal.example.com; dkim=pass header.d=example.com\n";
    assert!(invited(&host, "m-1", &format!("{results}{mail}")).1);
}

#[test]
fn policy_decides_by_how_it_came() {
    let rules = "[{ allow = \"schedule\", via = \"mail\", from = \"*@example.com\" }, { hold = \"schedule\", via = \"mail\", from = \"*@example.net\" }]";
    let host = setup().rules(rules).start();
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    assert!(invited(&host, "m-1", &mail).1);
    let stranger = verified(
        "x@example.net",
        ANNA,
        "REQUEST",
        &invitation("m-2", "x@example.net", ANNA),
    );
    assert!(!invited(&host, "m-2", &stranger).1);
    let denied = verified(
        "x@evil.example",
        ANNA,
        "REQUEST",
        &invitation("m-3", "x@evil.example", ANNA),
    );
    let (reply, is_there) = invited(&host, "m-3", &denied);
    assert!(reply.starts_with("250 2.0.0 nothing is changed"), "{reply}");
    assert!(!is_there);
    let why = explained(&host, "m-3");
    assert!(why.iter().any(|it| it.0 == "delivered"), "{why:?}");
    let waiting = super::pipe::run(&host, &["inbox", "list", "--user", ANNA, "--json"], "");
    assert!(String::from_utf8_lossy(&waiting.stdout).contains("m-2"));
}

#[test]
fn an_alias_or_a_list_that_the_mail_server_resolves_is_found_by_the_person() {
    let host = setup().start();
    let output = super::pipe::run(
        &host,
        &["user", "set", ANNA, "--alias", "chef@example.org"],
        "",
    );
    assert!(output.status.success(), "{output:?}");
    let mail = verified(
        BO,
        "chef@example.org",
        "REQUEST",
        &invitation("m-1", BO, "chef@example.org"),
    );
    assert!(
        invited(&host, "m-1", &mail).1,
        "by the address that the MTA made of it"
    );
    let other = verified(
        BO,
        "team@example.org",
        "REQUEST",
        &invitation("m-2", BO, "team@example.org"),
    );
    let (reply, is_there) = invited(&host, "m-2", &other);
    assert!(reply.contains("it is not for anna@example.org"), "{reply}");
    assert!(!is_there);
}

#[test]
fn what_is_no_invitation_is_dropped_and_what_contradicts_itself_is_unreadable() {
    let host = setup().start();
    let good = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let forwarded = format!(
        "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com\nFrom: <{BO}>\nTo: <{ANNA}>\n\
         Message-ID: <f@example.com>\nContent-Type: message/rfc822\n\n{good}"
    );
    for (mail, reply) in [
        (
            "From: <bo@example.com>\nSubject: words\n\nHello\n".to_owned(),
            "dropped: it holds no",
        ),
        (forwarded, "dropped: it holds no"),
        (
            good.replace("METHOD:REQUEST", "METHOD:CANCEL"),
            "nothing is changed by it: Content-Type says method=REQUEST",
        ),
        (
            good.replace(
                "text/calendar; method=REQUEST",
                "application/octet-stream; name=invite.ics",
            ),
            "nothing is changed by it: `invite.ics`",
        ),
        (good.replace("UID:m-1\n", ""), "nothing is changed by it: "),
        (
            good.replace("REQUEST", "PUBLISH"),
            "dropped: METHOD:PUBLISH",
        ),
    ] {
        let said = mailed(&host, BO, ANNA, &mail);
        assert!(
            said.starts_with(&format!("250 2.0.0 {reply}")),
            "{said}\n{mail}"
        );
    }
    assert!(host.stored(ANNA, "m-1").is_none());
    assert_eq!(explained(&host, "<f@example.com>")[0].0, "mail-dropped");
    host.wait_for("event=\"mail-unreadable\"");
}

#[test]
fn a_mail_that_goes_round_is_not_acted_on() {
    let host = setup().start();
    let mail = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let (reply, is_there) = invited(
        &host,
        "m-1",
        &format!("{}{mail}", "Received: by mx\n".repeat(101)),
    );
    assert!(reply.contains("which is a loop"), "{reply}");
    assert!(!is_there);
}

#[test]
fn a_room_answers_people_and_no_machine() {
    let host = setup().start();
    let output = super::pipe::run(&host, &["user", "add", ROOM, "--kind", "room"], "");
    assert!(output.status.success(), "{output:?}");
    let mail = |uid: &str, field: &str| {
        field.to_owned() + &verified(BO, ROOM, "REQUEST", &invitation(uid, BO, ROOM))
    };
    for (uid, sender, field) in [
        ("m-1", BO, "Auto-Submitted: auto-replied\n"),
        ("m-2", BO, "List-Id: <all.example.com>\n"),
        ("m-3", "", ""),
        ("m-4", BO, "Precedence: bulk\n"),
    ] {
        let reply = mailed(&host, sender, ROOM, &mail(uid, field));
        assert!(
            reply.starts_with("250 2.0.0 nothing is changed"),
            "{uid} {reply}"
        );
        assert!(host.stored(ROOM, uid).is_none(), "{uid}");
    }
    assert!(
        mailed(
            &host,
            BO,
            ROOM,
            &mail("m-5", "Auto-Submitted: auto-generated\n")
        )
        .contains("taken")
    );
    let booked = host.stored(ROOM, "m-5").unwrap();
    assert!(
        booked.contains("PARTSTAT=ACCEPTED:mailto:room@example.org")
            || booked.contains("PARTSTAT=ACCEPTED"),
        "{booked}"
    );
    host.wait_for("room-answered");
}
