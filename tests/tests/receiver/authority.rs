use super::delivery::STORES;
use super::{ANNA, BO, CY, example_org};
use convoke_tests::{Answer, Host, Post};

const EVE: &str = "eve@evil.test";

/// Each store, with the hosts of strangers who prove their domains by certificates.
fn on_each_store(test: impl Fn(&Host)) {
    for store in STORES {
        let host = example_org()
            .table("[verification]", "required = true")
            .client_certificates()
            .table("[[store]]", store)
            .start();
        test(&host);
    }
}

/// A message from another server, which proves a domain.
fn post_as(host: &Host, domain: &str, post: &Post) -> Answer {
    let client = host.authority().issue(&[domain]);
    host.connect_as(&client).ask(&post.to_bytes())
}

fn with_method(post: Post, method: &str) -> Post {
    post.edited("METHOD:REQUEST", &format!("METHOD:{method}"))
        .with(
            "Content-Type",
            &format!("text/calendar; component=VEVENT; method={method}"),
        )
}

fn delegation(uid: &str, from: &str, to: &str, delegate: &str) -> Post {
    let line = format!("PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:{delegate}\"");
    Post::reply(uid, from, to, "DELEGATED").edited("PARTSTAT=DELEGATED", &line)
}

/// A forwarded invitation, the sender being one of its attendees.
fn forwarded(uid: &str, organizer: &str, by: &str, to: &str) -> Post {
    let line =
        format!("ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO=\"mailto:{to}\":mailto:{by}\nEND:VEVENT");
    Post::invitation(uid, organizer, &[to])
        .edited("END:VEVENT", &line)
        .with("Originator", &format!("mailto:{by}"))
}

#[test]
fn nobody_invites_in_the_name_of_somebody_else() {
    on_each_store(|host| {
        for organizer in [ANNA, CY, "CY@EXAMPLE.ORG", "c%79@example.org"] {
            for method in ["REQUEST", "CANCEL", "ADD", "DECLINECOUNTER"] {
                let post = with_method(
                    forwarded("forged", organizer, EVE, BO).edited("SEQUENCE:0", "SEQUENCE:1"),
                    method,
                );
                let answer = post_as(host, "evil.test", &post);
                let said = (answer.status, answer.error());
                assert_eq!(
                    said,
                    (400, Some("originator-invalid".to_owned())),
                    "{method} of {organizer}"
                );
            }
            let agent = format!("ORGANIZER;SENT-BY=\"mailto:{EVE}\":");
            let post = Post::invitation("forged", organizer, &[BO])
                .edited("ORGANIZER:", &agent)
                .with("Originator", &format!("mailto:{EVE}"));
            let answer = post_as(host, "evil.test", &post);
            assert_eq!(
                answer.error().as_deref(),
                Some("originator-invalid"),
                "{organizer}"
            );
        }
        assert_eq!(host.stored(BO, "forged"), None);
    });
}

#[test]
fn an_agent_sends_within_what_its_server_proved() {
    on_each_store(|host| {
        let agent = |who: &str, organizer: &str, uid: &str| {
            Post::invitation(uid, organizer, &[BO])
                .edited(
                    "ORGANIZER:",
                    &format!("ORGANIZER;SENT-BY=\"mailto:{who}\":"),
                )
                .with("Originator", &format!("mailto:{who}"))
        };
        let secretary = "sec@lab.example.com";
        let post = agent(secretary, ANNA, "agent");
        let narrow = post_as(host, "lab.example.com", &post);
        assert_eq!(narrow.error().as_deref(), Some("originator-invalid"));
        assert_eq!(post_as(host, "example.com", &post).codes(), ["2.0"]);
        assert!(host.stored(BO, "agent").is_some());
        // Whoever is above our own domain is not us.
        let parent = agent("x@hq.org", BO, "parent").edited("ATTENDEE;", "ATTENDEE;X-A=1;");
        let answer = post_as(host, "hq.org", &parent);
        assert_eq!(answer.error().as_deref(), Some("originator-invalid"));
    });
}

#[test]
fn versions_of_the_future_are_refused() {
    on_each_store(|host| {
        let post = || Post::invitation("version", ANNA, &[BO]);
        for (before, after) in [
            ("SEQUENCE:0", "SEQUENCE:18446744073709551615"),
            ("SEQUENCE:0", "SEQUENCE:2147483648"),
            ("SEQUENCE:0", "SEQUENCE:-1"),
            ("SEQUENCE:0", "SEQUENCE:+1"),
            ("SEQUENCE:0", "SEQUENCE:"),
            ("DTSTAMP:20261101T080000Z", "DTSTAMP:99980101T000000Z"),
        ] {
            let answer = post_as(host, "example.com", &post().edited(before, after));
            let said = (answer.status, answer.error());
            assert_eq!(
                said,
                (400, Some("invalid-scheduling-message".to_owned())),
                "{after}"
            );
        }
        let submitted =
            Post::invitation("version", BO, &[CY]).edited("DTSTAMP:2026", "DTSTAMP:9998");
        let answer = host.submit(&submitted);
        assert_eq!(
            answer.error().as_deref(),
            Some("invalid-scheduling-message")
        );
        let post = post().edited("SEQUENCE:0", "SEQUENCE:2147483647");
        assert_eq!(post_as(host, "example.com", &post).codes(), ["2.0"]);
    });
}

#[test]
fn a_guessed_uid_holds_nobody_out_for_good() {
    on_each_store(|host| {
        let squat =
            Post::invitation("guessed", EVE, &[BO]).edited("SUMMARY:Meeting", "SUMMARY:Squat");
        assert_eq!(post_as(host, "evil.test", &squat).codes(), ["2.0"]);
        let real = Post::invitation("guessed", ANNA, &[BO]);
        assert_eq!(post_as(host, "example.com", &real).codes(), ["3.8"]);
        host.wait_for("uid-taken");
        let log = host.log();
        let line = log
            .lines()
            .find(|it| it.contains("uid-taken"))
            .unwrap_or_default();
        for named in [EVE, ANNA, BO, "guessed"] {
            assert!(line.contains(named), "{line}");
        }
        let off = Post::cancellation("guessed", EVE, &[BO]);
        assert_eq!(post_as(host, "evil.test", &off).codes(), ["2.0"]);
        assert_eq!(post_as(host, "example.com", &real).codes(), ["2.0"]);
        let stored = host.stored(BO, "guessed").unwrap_or_default();
        assert!(
            stored.contains(ANNA) && !stored.contains("Squat") && !stored.contains(EVE),
            "{stored}"
        );
    });
}

#[test]
fn nobody_learns_what_is_there() {
    on_each_store(|host| {
        assert_eq!(
            post_as(host, "example.com", &Post::invitation("known", ANNA, &[BO])).codes(),
            ["2.0"]
        );
        host.submit(&Post::invitation("own", BO, &[CY]));
        let statuses = |made: &dyn Fn(&str) -> Post| {
            ["known", "own", "unknown"].map(|uid| {
                let answer = post_as(host, "evil.test", &made(uid));
                answer
                    .statuses()
                    .into_iter()
                    .map(|it| it.status)
                    .collect::<String>()
            })
        };
        let cancelled = statuses(&|uid| Post::cancellation(uid, EVE, &[BO]));
        assert_eq!(cancelled, ["2.0;Success"; 3]);
        let [known, own, unknown] = statuses(&|uid| Post::reply(uid, EVE, BO, "ACCEPTED"));
        assert!(
            known == unknown && own == unknown && unknown.starts_with("3.8"),
            "{known} {own}"
        );
        assert!(
            !host
                .stored(BO, "known")
                .unwrap_or_default()
                .contains("CANCELLED")
        );
        host.wait_for("cancel-ignored");
    });
}

#[test]
fn a_delegate_is_put_on_the_list_and_invited_by_the_organizers_host() {
    on_each_store(|host| {
        host.submit(&Post::invitation("party", BO, &[ANNA]));
        let said = delegation("party", ANNA, BO, CY);
        assert_eq!(post_as(host, "example.com", &said).codes(), ["2.0"]);
        host.wait_for("status=2.0");
        let list = host.stored(BO, "party").unwrap_or_default();
        let from = format!("DELEGATED-FROM=\"mailto:{ANNA}\"");
        let cys = format!("{from}:mailto:{CY}");
        assert!(list.contains(&from) && list.contains(CY), "{list}");
        let copy = host.stored(CY, "party").unwrap_or_default();
        assert!(
            copy.contains(&cys) && copy.contains("SUMMARY:Meeting"),
            "{copy}"
        );

        for delegate in [BO, ANNA] {
            let back = delegation("party", CY, BO, delegate);
            assert_eq!(host.submit(&back).codes(), ["3.8"], "{delegate}");
        }
        let crowd = "x@x.test\",\"mailto:y@x.test\",\"mailto:z@x.test\",\"mailto:w@x.test";
        let crowd = delegation("party", ANNA, BO, crowd).edited("20261102T08", "20261103T08");
        assert_eq!(post_as(host, "example.com", &crowd).codes(), ["3.8"]);
        assert!(
            !host
                .stored(BO, "party")
                .unwrap_or_default()
                .contains("x.test")
        );
    });
}

#[test]
fn a_delegate_of_our_own_is_told_at_once() {
    on_each_store(|host| {
        for (uid, request) in [("replied", false), ("requested", true)] {
            assert_eq!(
                post_as(host, "example.com", &Post::invitation(uid, ANNA, &[BO])).codes(),
                ["2.0"]
            );
            let answer = if request {
                let post =
                    forwarded(uid, ANNA, BO, CY).edited("SUMMARY:Meeting", "SUMMARY:Made up");
                host.submit(&post)
            } else {
                host.submit(&delegation(uid, BO, ANNA, CY))
            };
            let copy = host.stored(CY, uid).unwrap_or_default();
            let told = copy.contains("SUMMARY:Meeting") && copy.contains("DELEGATED-FROM");
            assert!(told, "{uid}: {copy} {}", answer.body);
            // Nobody finds Anna's receiver.
            let expected = if request { "2.0" } else { "5.3" };
            assert_eq!(answer.codes(), [expected], "{uid}");
            if !request {
                let said = answer.text("schedule-response/response/response-description");
                assert!(
                    said.is_some_and(|it| it.contains(CY) && it.contains("2.0")),
                    "{}",
                    answer.body
                );
            }
        }
        // What the delegator does not have it cannot hand on.
        let made_up = host.submit(&forwarded("made-up", ANNA, BO, CY));
        assert_eq!(made_up.codes(), ["3.8"]);
        assert_eq!(host.stored(CY, "made-up"), None);
    });
}

#[test]
fn an_answer_of_somebody_uninvited_is_taken_where_a_rule_names_them() {
    let rules = r#"[{ allow = "schedule", method = "REPLY", from = "*@example.com", uninvited = "accept" }, { allow = "any" }]"#;
    for store in STORES {
        let host = example_org().rules(rules).table("[[store]]", store).start();
        host.submit(&Post::invitation("party", BO, &[CY]));
        for (who, code, listed) in [(ANNA, "2.0", true), (EVE, "3.8", false)] {
            let answer = host.post(&Post::reply("party", who, BO, "ACCEPTED"));
            assert_eq!(answer.codes(), [code], "{answer:?}");
            let stored = host.stored(BO, "party").unwrap_or_default();
            assert_eq!(stored.contains(who), listed, "{stored}");
        }
        let refresh = Post::reply("party", ANNA, BO, "ACCEPTED")
            .edited("METHOD:REPLY", "METHOD:REFRESH")
            .edited(
                "SEQUENCE:0\nDTSTART:20270105T100000Z\nDTEND:20270105T110000Z\n",
                "",
            )
            .edited("ATTENDEE;PARTSTAT=ACCEPTED:", "ATTENDEE:")
            .with(
                "Content-Type",
                "text/calendar; component=VEVENT; method=REFRESH",
            );
        assert_eq!(host.post(&refresh).codes(), ["3.8"]);
        let sends = delegation("party", ANNA, BO, EVE).edited("20261102T08", "20261103T08");
        assert_eq!(host.post(&sends).codes(), ["3.8"]);
        assert!(!host.log().contains("owed-sent"), "nothing of it went out");
    }
}

#[test]
fn an_answer_without_organizer_is_taken() {
    on_each_store(|host| {
        host.submit(&Post::invitation("exchange", BO, &[ANNA]));
        let reply = Post::reply("exchange", ANNA, BO, "TENTATIVE")
            .edited("ORGANIZER:mailto:bo@example.org\n", "");
        assert_eq!(post_as(host, "example.com", &reply).codes(), ["2.0"]);
        let stored = host.stored(BO, "exchange").unwrap_or_default();
        assert!(stored.contains("PARTSTAT=TENTATIVE"), "{stored}");
        let stranger = Post::reply("exchange", EVE, BO, "ACCEPTED")
            .edited("ORGANIZER:mailto:bo@example.org\n", "");
        assert_eq!(post_as(host, "evil.test", &stranger).codes(), ["3.8"]);
    });
}
