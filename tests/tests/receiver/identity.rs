use super::{ANNA, BO, CY, example_org};
use convoke_ischedule::dkim::{KeyKind, PrivateKey, Signer};
use convoke_tests::{Host, Post};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::fs;

/// Spec §6: the proven domain is the Originator's or one above it; nobody speaks for us.
#[test]
fn a_client_certificate_speaks_for_its_domains_and_those_below() {
    let host = example_org()
        .table("[verification]", "required = true")
        .client_certificates()
        .start();
    for (names, originator, refused) in [
        (&["example.com"][..], ANNA, None),
        (&["example.com"], "anna@EXAMPLE.COM", None),
        (&["example.com"], "anna@lab.example.com", None),
        (&["lab.example.com"], ANNA, Some("originator-denied")),
        (&["evil-example.com"], ANNA, Some("originator-denied")),
        (
            &["example.com.evil.example"],
            ANNA,
            Some("originator-denied"),
        ),
        (&["com"], ANNA, Some("verification-failed")),
        (&["COM"], "anna@com", Some("verification-failed")),
        (
            &["github.io"],
            "x@bank.github.io",
            Some("verification-failed"),
        ),
        // Nobody's by the list, so perhaps somebody's own machine.
        (
            &["example"],
            "pat@harbour.example",
            Some("originator-denied"),
        ),
        (&["localhost"], "pat@localhost", None),
        (&["localhost"], "pat@x.localhost", Some("originator-denied")),
        (&["evil.example", "example.com"], ANNA, None),
        (
            &["*.example.com"],
            "anna@lab.example.com",
            Some("verification-failed"),
        ),
        (&["*.com"], ANNA, Some("verification-failed")),
        (&["127.0.0.1"], ANNA, Some("verification-failed")),
        (&["example.org"], CY, Some("originator-denied")),
    ] {
        let client = host.authority().issue(names);
        let post = Post::invitation("mtls", originator, &[BO]);
        let answer = host.connect_as(&client).ask(&post.to_bytes());
        assert_eq!(
            answer.error().as_deref(),
            refused,
            "{names:?} {originator}: {}",
            answer.body
        );
        assert_eq!(
            answer.status,
            if refused.is_some() { 403 } else { 200 },
            "{names:?} {originator}"
        );
    }
    let unproven = host.post(&Post::invitation("mtls", ANNA, &[BO]));
    assert_eq!(
        (unproven.status, unproven.error().as_deref()),
        (403, Some("verification-failed"))
    );
}

#[test]
fn policy_sees_how_a_peer_proved_itself() {
    let host = example_org()
        .client_certificates()
        .rules("[{ allow = \"freebusy\", via = \"mtls\" }]")
        .start();
    let client = host.authority().issue(&["example.com"]);
    let post = Post::free_busy(ANNA, &[BO]);
    assert_eq!(
        host.connect_as(&client).ask(&post.to_bytes()).codes(),
        ["2.0"]
    );
    assert_eq!(host.post(&post).codes(), ["3.8"]);
}

/// Address, Message-ID, UID, size and organizer reach policies, of what comes in, what is handed in, and what leaves.
#[test]
fn policy_sees_how_a_message_came() {
    let tell = "plugin = \"test-sample\"\nconfig.answer = \"tell\"";
    let receiver =
        "plugin = \"discovery-static\"\nconfig.domains.\"example.com\" = \"https://localhost:9/\"";
    let host = example_org()
        .table("[[policy]]", tell)
        .table("[[discovery]]", receiver)
        .start();
    let named = |post: Post, id| post.also("iSchedule-Message-ID", id);
    let told = |event: &str, id: &str| {
        let (event, id) = (format!("event=\"{event}\""), format!("Some(\"{id}\")"));
        // What was answered may not have been read from the log yet.
        host.wait_for(&id);
        let log = host.log();
        let mut lines = log
            .lines()
            .filter(|it| it.contains(&event) && it.contains(&id));
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("no {event} with {id}: {log}"));
        for fact in [
            "peer: Some(127.0.0.1)",
            "uid: Some(",
            "size: Some(",
            "organizer: Some(",
        ] {
            assert!(line.contains(fact), "{fact}: {line}");
        }
    };
    let came = host.post(&named(
        Post::invitation("u1", ANNA, &[BO]),
        "in@example.com",
    ));
    assert_eq!(came.codes(), ["3.8"]);
    told("not-allowed-by-policy", "in@example.com");
    let handed = host.submit(&named(
        Post::invitation("u2", BO, &[CY]),
        "here@example.org",
    ));
    assert_eq!(handed.codes(), ["3.8"]);
    told("not-allowed-by-policy", "here@example.org");
    let left = host.submit(&named(
        Post::invitation("u3", BO, &[ANNA]),
        "out@example.org",
    ));
    assert_eq!(left.codes(), ["3.8"]);
    told("not-sent-by-policy", "out@example.org");
}

/// A host that knows the key of `example.com` from its administrator, and the signer of that domain.
fn exchanged(required: bool) -> (Host, Signer) {
    let host = example_org()
        .table(
            "[verification]",
            &format!("required = {required}\nprivate_exchange = \"keys\""),
        )
        .start();
    let signer = exchange(&host, "example.com");
    (host, signer)
}

/// Puts a new key of `domain` where the host looks.
pub(super) fn exchange(host: &Host, domain: &str) -> Signer {
    let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
    let folder = host.folder().join("keys").join(domain);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("is1"), format!("{}\n", key.record())).unwrap();
    Signer::new(domain.parse().unwrap(), "is1", key, Vec::new()).unwrap()
}

pub(super) fn signed(signer: &Signer, post: Post) -> Post {
    signed_at(signer, post, Timestamp::now())
}

fn signed_at(signer: &Signer, post: Post, now: Timestamp) -> Post {
    let mut headers = HeaderMap::new();
    for (name, value) in post.headers() {
        headers.append(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::try_from(value).unwrap(),
        );
    }
    signer.sign(&mut headers, post.body(), now).unwrap();
    let signature = headers["dkim-signature"].to_str().unwrap();
    post.with("DKIM-Signature", signature)
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn a_signature_is_believed_as_far_as_it_holds() {
    let (host, signer) = exchanged(true);
    let post =
        || Post::invitation("dkim", ANNA, &[BO]).also("iSchedule-Message-ID", "1@example.com");
    let now = Timestamp::now();
    let ago = |seconds| now - SignedDuration::from_secs(seconds);
    let stranger = Signer::new(
        "example.net".parse().unwrap(),
        "is1",
        PrivateKey::generate(KeyKind::Ed25519).unwrap(),
        Vec::new(),
    )
    .unwrap();
    for (what, post, refused) in [
        ("signed", signed(&signer, post()), None),
        (
            "with fields that nobody signs",
            signed(&signer, post())
                .with("Cache-Control", "no-cache")
                .also("Via", "1.1 proxy"),
            None,
        ),
        (
            "with spaces that do not count",
            signed(&signer, post()).with("Originator", "  mailto:anna@example.com  "),
            None,
        ),
        ("without", post(), Some("verification-failed")),
        (
            "by nobody known",
            signed(&stranger, post()),
            Some("verification-failed"),
        ),
        (
            "with another body",
            signed(&signer, post()).edited("Meeting", "Party"),
            Some("verification-failed"),
        ),
        (
            "with another recipient",
            signed(&signer, post()).also("Recipient", "mailto:cy@example.org"),
            Some("verification-failed"),
        ),
        (
            "with another id",
            signed(&signer, post()).with("iSchedule-Message-ID", "2@example.com"),
            Some("verification-failed"),
        ),
        (
            "twice",
            {
                let it = signed(&signer, post());
                let (_, field) = it.headers().last().unwrap().clone();
                it.also("DKIM-Signature", &field)
            },
            Some("verification-failed"),
        ),
        (
            "nonsense",
            post().with("DKIM-Signature", "v=1; nonsense"),
            Some("verification-failed"),
        ),
        (
            "expired",
            signed_at(&signer, post(), ago(3600)),
            Some("verification-failed"),
        ),
        (
            "from the future",
            signed_at(&signer, post(), ago(-3600)),
            Some("verification-failed"),
        ),
        (
            "for another domain",
            signed(&signer, Post::invitation("dkim", "pat@example.net", &[BO])),
            Some("originator-denied"),
        ),
        (
            "for a neighbour",
            signed(
                &signer,
                Post::invitation("dkim", "pat@evil-example.com", &[BO]),
            ),
            Some("originator-denied"),
        ),
        (
            "for a domain below",
            signed(
                &signer,
                Post::invitation("dkim-2", "pat@lab.example.com", &[BO]),
            ),
            None,
        ),
    ] {
        let answer = host.post(&post);
        assert_eq!(
            answer.error().as_deref(),
            refused,
            "{what}: {}",
            answer.body
        );
        assert_eq!(
            answer.status,
            if refused.is_some() { 403 } else { 200 },
            "{what}"
        );
    }
    // Both times, so that whoever reads it knows whose clock is wrong.
    let made = ago(-3600);
    let answer = host.post(&signed_at(&signer, post(), made));
    for part in [
        format!("was made at {}, which", made.strftime("%Y-%m-%dT%H:%M:%SZ")),
        format!("it is {}", Timestamp::now().strftime("%Y-%m-%dT%H:")),
        "is your clock right?".to_owned(),
    ] {
        assert!(answer.body.contains(&part), "{part}: {}", answer.body);
    }
    // Spec §9: nobody signs for a public suffix, whoever holds its key.
    for (suffix, originator, refused) in [
        ("com", ANNA, Some("verification-failed")),
        ("co.uk", "pat@bank.co.uk", Some("verification-failed")),
        (
            "github.io",
            "pat@bank.github.io",
            Some("verification-failed"),
        ),
        ("xn--p1ai", "pat@bank.xn--p1ai", Some("verification-failed")),
        ("example", "pat@harbour.example", Some("originator-denied")),
    ] {
        let post = Post::invitation("suffix", originator, &[BO]);
        let answer = host.post(&signed(&exchange(&host, suffix), post));
        assert_eq!(answer.error().as_deref(), refused, "{suffix}: {answer:?}");
        assert_eq!(answer.status, 403, "{suffix}");
    }
    let ours = signed(
        &exchange(&host, "example.org"),
        Post::invitation("ours", CY, &[BO]),
    );
    assert_eq!(
        host.post(&ours).error().as_deref(),
        Some("originator-denied")
    );
}

/// Spec §9: a signature that is there must verify, required or not; a key that was exchanged while running counts.
#[test]
fn a_wrong_signature_is_worse_than_none() {
    let (host, signer) = exchanged(false);
    let post = || Post::invitation("optional", ANNA, &[BO]);
    assert_eq!(host.post(&post()).codes(), ["2.0"]);
    assert_eq!(host.post(&signed(&signer, post())).codes(), ["2.0"]);
    let changed = host.post(&signed(&signer, post()).edited("Meeting", "Party"));
    assert_eq!(
        (changed.status, changed.error().as_deref()),
        (403, Some("verification-failed"))
    );

    let renewed = exchange(&host, "example.com");
    assert_eq!(host.post(&signed(&renewed, post())).codes(), ["2.0"]);
    assert_eq!(
        host.post(&signed(&signer, post())).error().as_deref(),
        Some("verification-failed")
    );
}

/// Spec §9: the same message again gets the first answer again, and nothing is done twice.
#[test]
fn a_replayed_message_is_answered_as_before_and_not_delivered_again() {
    let (host, signer) = exchanged(true);
    let id = |post: Post, id: &str| post.also("iSchedule-Message-ID", id);
    let reply = |partstat| id(Post::reply("replay", ANNA, BO, partstat), "1@example.com");
    let first = host.post(&signed(&signer, reply("ACCEPTED")));
    assert!(!first.codes()[0].starts_with('2'), "nobody was invited yet");

    let sent = host.submit(&Post::invitation("replay", BO, &[ANNA]));
    assert_eq!(sent.status, 200);
    // Also when it is signed anew: a sender that tries again.
    let earlier = Timestamp::now() - SignedDuration::from_secs(5);
    for again in [
        signed(&signer, reply("ACCEPTED")),
        signed_at(&signer, reply("ACCEPTED"), earlier),
    ] {
        assert_eq!(host.post(&again).body, first.body);
    }
    let stored = host.stored(BO, "replay").unwrap();
    assert!(stored.contains("PARTSTAT=NEEDS-ACTION"), "{stored}");

    for (what, other) in [
        (
            "another id",
            id(Post::reply("replay", ANNA, BO, "ACCEPTED"), "2@example.com"),
        ),
        ("the same id over something else", reply("DECLINED")),
        (
            "no id",
            Post::reply("replay", ANNA, BO, "ACCEPTED").edited("080000Z", "090000Z"),
        ),
    ] {
        assert_eq!(
            host.post(&signed(&signer, other)).codes(),
            ["2.0"],
            "{what}"
        );
    }
}

/// Also when the host was restarted or killed in between; but not what a recipient was to try again.
#[test]
fn a_replay_is_known_over_a_restart() {
    let (mut host, signer) = exchanged(true);
    let reply = |id: &str| {
        let reply = Post::reply("replay", ANNA, BO, "ACCEPTED");
        signed(&signer, reply.also("iSchedule-Message-ID", id))
    };
    let messages = ["1@example.com", "2@example.com"].map(reply);
    let first = messages.each_ref().map(|message| host.post(message));
    for answer in &first {
        assert!(
            !answer.codes()[0].starts_with('2'),
            "nobody was invited yet"
        );
    }
    host.signal("TERM");
    assert!(host.wait().success());
    host.start_again();
    let sent = host.submit(&Post::invitation("replay", BO, &[ANNA]));
    assert_eq!(sent.status, 200);
    assert_eq!(host.post(&messages[0]).body, first[0].body);
    host.wait_for("message-repeated");
    // What was answered before is not written again, so that there is nothing to wait for.
    host.signal("KILL");
    host.wait();
    host.start_again();
    for (message, first) in messages.iter().zip(&first) {
        assert_eq!(host.post(message).body, first.body);
    }
    let stored = host.stored(BO, "replay").unwrap();
    assert!(stored.contains("PARTSTAT=NEEDS-ACTION"), "{stored}");
    let third = reply("3@example.com");
    assert_eq!(host.post(&third).codes(), ["2.0"]);
    while remembered(&host) < 3 {
        std::thread::yield_now();
    }
    host.signal("KILL");
    host.wait();
    host.start_again();
    assert_eq!(host.post(&third).codes(), ["2.0"]);
    host.wait_for("message-repeated");
}

/// How many answers the state holds.
fn remembered(host: &convoke_tests::Host) -> usize {
    let state = host.folder().join("state/state.db");
    let state = rusqlite::Connection::open(state).unwrap();
    state
        .busy_timeout(std::time::Duration::from_secs(5))
        .unwrap();
    let question = "SELECT value FROM entries WHERE key >= CAST('replayed/' AS BLOB) AND key < CAST('replayed0' AS BLOB)";
    let mut entries = state.prepare(question).unwrap();
    let entries = entries
        .query_map((), |row| row.get::<_, Vec<u8>>(0))
        .unwrap();
    let answers = entries.map(|it| {
        let entry: serde_json::Value = serde_json::from_slice(&it.unwrap()).unwrap();
        entry.as_array().unwrap().len()
    });
    answers.sum()
}

/// Spec §9: what the signature tolerates makes no other message of it.
#[test]
fn a_replay_is_known_whatever_the_signature_lets_pass() {
    let (host, signer) = exchanged(true);
    let posts = [
        Post::reply("changed", ANNA, BO, "ACCEPTED")
            .also("iSchedule-Message-ID", "1, 2@example.com"),
        Post::reply("changed", ANNA, BO, "ACCEPTED").edited("080000Z", "081500Z"),
    ]
    .map(|post| signed(&signer, post));
    let first = posts.each_ref().map(|post| host.post(post));
    for answer in &first {
        assert!(
            !answer.codes()[0].starts_with('2'),
            "nobody was invited yet"
        );
    }
    assert_eq!(
        host.submit(&Post::invitation("changed", BO, &[ANNA]))
            .status,
        200
    );
    for (post, first) in posts.iter().zip(&first) {
        let longer = |more: &str| {
            post.clone()
                .with_body(&[post.body(), more.as_bytes()].concat())
        };
        let (name, value) = post.headers()[0].clone();
        let mut turned = post.clone();
        for (name, value) in post.headers().iter().rev() {
            turned = turned.with(name, value);
        }
        for (what, again) in [
            ("the same", post.clone()),
            ("a line end more", longer("\r\n")),
            ("five line ends more", longer(&"\r\n".repeat(5))),
            ("fields in another order", turned),
            (
                "spaces in the id",
                post.clone()
                    .with("iSchedule-Message-ID", " 1 ,   2@example.com"),
            ),
            ("an unsigned field", post.clone().also("X-Other", "1")),
            (
                "spaces",
                post.clone()
                    .with("Originator", "  mailto:anna@example.com "),
            ),
            (
                "the first field last",
                post.clone().with(&name, "").also(&name, &value),
            ),
        ] {
            assert_eq!(host.post(&again).body, first.body, "{what}");
        }
    }
    let stored = host.stored(BO, "changed").unwrap();
    assert!(stored.contains("PARTSTAT=NEEDS-ACTION"), "{stored}");
}

/// Spec §9: a signature lives at most `max_age` from `t=` on, and must say when it was made unless that is optional.
#[test]
fn a_signature_lives_only_so_long() {
    let start = |more: &str| {
        let text = format!("required = true\nprivate_exchange = \"keys\"\n{more}");
        let host = example_org().table("[verification]", &text).start();
        let signer = exchange(&host, "example.com").lifetime(SignedDuration::from_hours(24 * 365));
        (host, signer)
    };
    let now = Timestamp::now();
    let ago = |minutes| now - SignedDuration::from_mins(minutes);
    let post = || Post::free_busy(ANNA, &[BO]);
    for (more, minutes, taken) in [
        ("", 1, true),
        ("", 59, true),
        ("", 61, false),
        ("max_age = \"10m\"", 9, true),
        ("max_age = \"10m\"", 11, false),
        ("max_age = \"3h\"\ntimestamp = \"optional\"", 170, true),
        ("max_age = \"3h\"\ntimestamp = \"optional\"", 190, false),
    ] {
        let (host, signer) = start(more);
        let answer = host.post(&signed_at(&signer, post(), ago(minutes)));
        let refused = answer.error();
        let expected = (!taken).then_some("verification-failed");
        assert_eq!(refused.as_deref(), expected, "{more} {minutes}: {answer:?}");
    }
}

#[test]
fn what_failed_for_a_while_is_tried_again() {
    let broken = "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\n[[store]]\nplugin = \"test-faulty\"\nname = \"broken\"\ndomains = [\"broken.example.org\"]\nconfig.fault = \"error\"";
    let mut host = example_org()
        .server_domains(&["example.org", "broken.example.org"])
        .table(
            "[verification]",
            "required = true\nprivate_exchange = \"keys\"",
        )
        .table("[[store]]", broken)
        .start();
    let signer = exchange(&host, "example.com");
    let post = Post::invitation("later", ANNA, &["bo@broken.example.org"])
        .also("iSchedule-Message-ID", "1@example.com");
    assert_eq!(host.post(&signed(&signer, post.clone())).codes(), ["5.1"]);
    let store = "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"";
    host.configure(|setup| setup.table("[[store]]", store));
    host.signal("HUP");
    host.wait_for("config-reloaded");
    assert_eq!(
        host.post(&signed(&signer, post)).codes(),
        ["3.7"],
        "the store was asked"
    );
    // Only what is final is remembered: the second answer.
    host.signal("TERM");
    assert!(host.wait().success());
    assert_eq!(remembered(&host), 1);
}
