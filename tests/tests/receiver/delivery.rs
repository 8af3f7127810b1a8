use super::{ANNA, BO, CY, example_org};
use convoke_tests::{Host, Post};
use std::thread;

/// Delivers all posts at once, each on a connection of its own, and returns the codes.
fn at_once(host: &Host, posts: &[Post]) -> Vec<String> {
    thread::scope(|scope| {
        let posts: Vec<_> = posts
            .iter()
            .map(|post| scope.spawn(|| host.post(post).codes().concat()))
            .collect();
        posts.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

pub(super) const STORES: [&str; 2] = [
    "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
    "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
];

#[test]
fn answers_that_come_at_once_are_all_kept() {
    for store in STORES {
        let host = example_org().table("[[store]]", store).start();
        let guests: Vec<String> = (0..16).map(|n| format!("guest{n}@example.com")).collect();
        let guests: Vec<&str> = guests.iter().map(String::as_str).collect();
        // Nobody finds the guests' receiver; the organizer's own copy is there all the same.
        let sent = host.submit(&Post::invitation("party", BO, &guests));
        assert_eq!(sent.codes(), vec!["5.3"; 16], "{sent:?}");

        let replies: Vec<Post> = guests
            .iter()
            .map(|guest| Post::reply("party", guest, BO, "ACCEPTED"))
            .collect();
        assert_eq!(at_once(&host, &replies), vec!["2.0"; 16], "{store}");
        let stored = host.stored(BO, "party").unwrap();
        assert_eq!(
            stored.matches("PARTSTAT=ACCEPTED").count(),
            16,
            "{store}: {stored}"
        );
    }
}

#[test]
fn one_invitation_that_comes_twice_at_once_is_one_event() {
    for store in STORES {
        let host = example_org().table("[[store]]", store).start();
        let twins = vec![Post::invitation("twin", ANNA, &[BO, CY]); 8];
        assert_eq!(at_once(&host, &twins), vec!["2.02.0"; 8], "{store}");
        for user in [BO, CY] {
            let stored = host.stored(user, "twin").unwrap();
            assert_eq!(
                stored.matches("BEGIN:VEVENT").count(),
                1,
                "{store}: {stored}"
            );
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_killed_host() {
    for store in STORES {
        let mut host = example_org().table("[[store]]", store).start();
        let mut peer = host.connect();
        for n in 0..20 {
            let answer = peer.ask(&Post::invitation(&format!("kept-{n}"), ANNA, &[BO]).to_bytes());
            assert_eq!(answer.codes(), ["2.0"]);
        }
        host.signal("KILL");
        assert!(!host.wait().success());
        let host = host.started();
        for n in 0..20 {
            assert!(
                host.stored(BO, &format!("kept-{n}")).is_some(),
                "{store}: {n}"
            );
        }
        assert_eq!(
            host.post(&Post::free_busy(ANNA, &[BO])).codes(),
            ["2.0"],
            "{store}"
        );
    }
}

#[test]
fn a_store_that_fails_fails_its_own_recipients_only() {
    let faulty = |fault: &str| {
        format!(
            "plugin = \"test-faulty\"\nname = \"broken\"\ndomains = [\"broken.example.org\"]\ntimeout = \"300ms\"\nconfig.fault = \"{fault}\"\n[[store]]\n{}",
            STORES[0]
        )
    };
    for fault in ["panic", "panic-later", "hang", "error"] {
        let host = example_org()
            .server_domains(&["example.org", "broken.example.org"])
            .table("[[store]]", &faulty(fault))
            .start();
        for round in 0..3 {
            let to = ["eve@broken.example.org", BO];
            let answer = host.post(&Post::invitation(&format!("u{round}"), ANNA, &to));
            assert_eq!(answer.codes(), ["5.1", "2.0"], "{fault}");
            let shown = answer.body.contains("cheese") || answer.body.contains("database");
            assert!(
                !shown,
                "what ails a store is nobody's business: {}",
                answer.body
            );
        }
    }
}

/// Spec §9: nothing is delivered, and it may be tried later.
#[test]
fn a_policy_that_fails_allows_nothing_for_now() {
    for fault in ["panic", "hang", "error"] {
        let host = example_org()
            .table(
                "[[policy]]",
                &format!("plugin = \"policy-rules\"\nconfig.rules = [{{ allow = \"any\" }}]\n[[policy]]\nplugin = \"test-faulty\"\nname = \"broken\"\ntimeout = \"300ms\"\nconfig.fault = \"{fault}\""),
            )
            .start();
        assert_eq!(
            host.post(&Post::invitation("u", ANNA, &[BO])).codes(),
            ["5.1"],
            "{fault}"
        );
        assert_eq!(host.stored(BO, "u"), None, "{fault}");
    }
}

#[test]
fn a_refresh_is_answered_at_once_and_with_a_request_later() {
    let host = example_org().start();
    host.submit(&Post::invitation("again", BO, &[ANNA]));
    let refresh = Post::reply("again", ANNA, BO, "ACCEPTED")
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
    assert_eq!(host.post(&refresh).codes(), ["2.0"]);
    // Nobody finds Anna's receiver, so the request comes to nothing, and the log says so.
    host.wait_for("status=5.3");
}

#[test]
fn what_repeats_beyond_the_horizon_is_found_and_what_was_indexed_long_ago_is_renewed() {
    for store in STORES {
        let mut host = example_org()
            .server("horizon = \"1d\"")
            .table("[[store]]", store)
            .start();
        let daily = Post::invitation("daily", ANNA, &[BO])
            .edited("SUMMARY", "RRULE:FREQ=DAILY\nSUMMARY")
            .edited("DTSTART:20270105", "DTSTART:20200105")
            .edited("DTEND:20270105", "DTEND:20200105");
        assert_eq!(host.post(&daily).codes(), ["2.0"], "{store}");
        let busy = |host: &Host| {
            let answer = host.post(&Post::free_busy(ANNA, &[BO]));
            answer.body.matches("T100000Z/").count()
        };
        assert_eq!(busy(&host), 5, "{store}");

        host.signal("KILL");
        host.wait();
        host.configure(|setup| setup.server("horizon = \"732d\""));
        let host = host.started();
        for question in 0..3 {
            assert_eq!(busy(&host), 5, "{store}, question {question}");
        }
        let stored = host.stored(BO, "daily").unwrap();
        assert!(stored.contains("RRULE:FREQ=DAILY"), "{store}: {stored}");
    }
}
