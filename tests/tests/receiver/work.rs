use super::{ANNA, BO, CY, example_org};
use convoke_tests::Post;

const STORES: [&str; 2] = [
    "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
    "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
];

#[test]
fn what_repeats_every_second_is_kept_and_shows_as_busy() {
    for store in STORES {
        let host = example_org().table("[[store]]", store).start();
        for (uid, rule) in [
            ("secondly", "RRULE:FREQ=SECONDLY"),
            ("minutely", "RRULE:FREQ=MINUTELY;BYSECOND=0,10,20,30"),
            (
                "rarely",
                "RRULE:FREQ=SECONDLY;COUNT=900;BYMONTH=2;BYMONTHDAY=29;BYHOUR=1;BYMINUTE=1;BYSECOND=1",
            ),
        ] {
            let post = Post::invitation(uid, ANNA, &[BO, CY])
                .edited("SUMMARY", &format!("{rule}\nSUMMARY"))
                .edited("DTEND:20270105T110000Z", "DTEND:20270105T100001Z");
            assert_eq!(host.post(&post).codes(), ["2.0", "2.0"], "{store}: {rule}");
            assert!(host.stored(BO, uid).is_some_and(|text| text.contains(rule)));
        }
        // Each second of the secondly one is taken, so all is one period from its beginning to the end of the range.
        let answer = host.post(&Post::free_busy(ANNA, &[BO]));
        let data = answer.statuses()[0].data.clone().unwrap();
        let data = data.replace("\r\n ", "");
        assert!(
            data.contains("FREEBUSY;FBTYPE=BUSY:20270105T100000Z/20270109T000000Z\r\n"),
            "{store}: {data}"
        );
    }
}

#[test]
fn a_question_about_busy_time_is_about_so_long_at_most() {
    let host = example_org()
        .table("[limits]", "freebusy_range = \"30 days\"")
        .start();
    let until = |end: &str| {
        let post = Post::free_busy(ANNA, &[BO, CY])
            .edited("DTEND:20270109T000000Z", &format!("DTEND:{end}"));
        host.post(&post)
    };
    assert_eq!(until("20270203T000000Z").codes(), ["2.0", "2.0"]);
    let answer = until("20270203T000001Z");
    assert_eq!(answer.codes(), ["3.1", "3.1"], "each recipient");
    for status in answer.statuses() {
        assert!(
            status.status.contains("DTEND") && status.data.is_none(),
            "{status:?}"
        );
    }
    // Without the key: 400 days.
    let host = example_org().start();
    let until = |end: &str| {
        let post =
            Post::free_busy(ANNA, &[BO]).edited("DTEND:20270109T000000Z", &format!("DTEND:{end}"));
        host.post(&post).codes()
    };
    assert_eq!(until("20280208T000000Z"), ["2.0"]);
    assert_eq!(until("20280208T000001Z"), ["3.1"]);
    assert_eq!(until("20991231T000000Z"), ["3.1"]);
}

#[test]
fn so_many_attendees_are_taken_and_no_more() {
    let host = example_org().table("[limits]", "attendees = 3").start();
    let guests = |from: u32, to: u32| {
        let guests = (from..to).map(|n| format!("ATTENDEE:mailto:guest{n}@example.net\n"));
        guests.collect::<String>()
    };
    let with = |more: &str| {
        let post =
            Post::invitation("crowd", ANNA, &[BO]).edited("SUMMARY", &format!("{more}SUMMARY"));
        host.post(&post)
    };
    assert_eq!(with(&guests(0, 2)).codes(), ["2.0"]);
    let answer = with(&guests(0, 3));
    let refused = (403, Some("invalid-scheduling-message".to_owned()));
    assert_eq!((answer.status, answer.error()), refused);
    assert!(answer.body.contains("more than 3 attendees"), "{answer:?}");
    // One component has few, all together have too many.
    let instance = |n: u32| {
        format!(
            "END:VEVENT\nBEGIN:VEVENT\nUID:crowd\nDTSTAMP:20261101T080000Z\nORGANIZER:mailto:{ANNA}\nRECURRENCE-ID:2027010{n}T100000Z\nDTSTART:2027010{n}T120000Z\n{}",
            guests(n, n + 1)
        )
    };
    let two = instance(6) + &instance(7);
    let post = Post::invitation("crowd", ANNA, &[BO])
        .edited("END:VEVENT\n", &format!("{}END:VEVENT\n", &two));
    assert_eq!(host.post(&post).codes(), ["2.0"]);
    let three = two + &instance(8);
    let post = Post::invitation("crowd", ANNA, &[BO])
        .edited("END:VEVENT\n", &format!("{}END:VEVENT\n", &three));
    let answer = host.post(&post);
    assert_eq!((answer.status, answer.error()), refused);
    // Our own users are held to it too.
    let answer = host.submit(&Post::invitation(
        "own",
        BO,
        &[ANNA, CY, "d@example.net", "e@example.net"],
    ));
    assert_eq!((answer.status, answer.error()), refused);
}

#[test]
fn an_answer_tells_so_many_periods_at_most() {
    let host = example_org().start();
    let dense = Post::invitation("dense", ANNA, &[BO])
        .edited("SUMMARY", "RRULE:FREQ=MINUTELY;INTERVAL=7\nSUMMARY")
        .edited("DTEND:20270105T110000Z", "DTEND:20270105T100010Z");
    assert_eq!(host.post(&dense).codes(), ["2.0"]);
    let year =
        Post::free_busy(ANNA, &[BO]).edited("DTEND:20270109T000000Z", "DTEND:20280101T000000Z");
    let answer = host.post(&year);
    assert_eq!(answer.codes(), ["2.0"]);
    let told = |answer: &convoke_tests::Answer| {
        let data = answer.statuses()[0].data.clone();
        data.expect("there is an answer").replace("\r\n ", "")
    };
    let periods = told(&answer).matches("Z/").count();
    assert!((1..=20_000).contains(&periods), "{periods}");
    assert!(
        told(&answer).contains("/20271231T235"),
        "the last ones are told"
    );
    // What is asked about less is told exactly.
    let day =
        Post::free_busy(ANNA, &[BO]).edited("DTEND:20270109T000000Z", "DTEND:20270106T000000Z");
    let told = told(&host.post(&day));
    assert!(told.contains("20270105T100700Z/20270105T100710Z"), "{told}");
}

/// A proposal for another time, as long as `bytes`.
fn counter(uid: &str, from: &str, to: &str, bytes: usize) -> Post {
    Post::reply(uid, from, to, "ACCEPTED")
        .edited("METHOD:REPLY", "METHOD:COUNTER")
        .edited("ATTENDEE;PARTSTAT=ACCEPTED:", "ATTENDEE:")
        .edited(
            "END:VEVENT",
            &format!("COMMENT:{}\nEND:VEVENT", "x".repeat(bytes)),
        )
        .with(
            "Content-Type",
            "text/calendar; component=VEVENT; method=COUNTER",
        )
}

#[test]
fn of_proposals_the_latest_is_kept_and_none_that_there_is_no_room_for() {
    for store in STORES {
        let host = example_org()
            .table("[[store]]", store)
            .table(
                "[limits]",
                "content_length = \"64 KiB\"\ninbox = \"256 KiB\"",
            )
            .start();
        let guests = [
            "anna@example.com",
            "dan@example.net",
            "eve@example.net",
            "fay@example.net",
            "gil@example.net",
        ];
        host.submit(&Post::invitation("party", BO, &guests));
        // Each takes the place of the one before.
        for round in 0..12 {
            let answer = host.post(&counter("party", ANNA, BO, 40_000 + round));
            assert_eq!(answer.codes(), ["2.0"], "{store}: {round}");
        }
        // One about another instance beside it is more than this sender's share, which is the longest message at least.
        let instance = counter("party", ANNA, BO, 40_000)
            .edited("DTSTART", "RECURRENCE-ID:20270106T100000Z\nDTSTART");
        let answer = host.post(&instance);
        assert_eq!(answer.codes(), ["5.1"], "{store}");
        assert!(answer.body.contains("no room"), "{answer:?}");
        host.wait_for("inbox-full");
        // Others have theirs, until all of it is used up.
        for (guest, code) in [
            (guests[1], "2.0"),
            (guests[2], "2.0"),
            (guests[3], "2.0"),
            (guests[4], "2.0"),
        ] {
            assert_eq!(
                host.post(&counter("party", guest, BO, 50_000)).codes(),
                [code],
                "{store}: {guest}"
            );
        }
        host.submit(&Post::invitation("other", BO, &["hal@example.net"]));
        assert_eq!(
            host.post(&counter("other", "hal@example.net", BO, 50_000))
                .codes(),
            ["5.1"],
            "{store}"
        );
        assert_eq!(
            host.post(&counter("party", ANNA, BO, 100)).codes(),
            ["2.0"],
            "{store}: shorter than before"
        );
    }
}

#[test]
fn what_is_missing_is_asked_for_once() {
    let users: Vec<String> = (0..30).map(|n| format!("user{n}@example.org")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let host = convoke_tests::Setup::new().users(&users).start();
    let add = Post::invitation("unknown", ANNA, &users)
        .edited("METHOD:REQUEST", "METHOD:ADD")
        .edited("SEQUENCE:0", "SEQUENCE:1")
        .with(
            "Content-Type",
            "text/calendar; component=VEVENT; method=ADD",
        );
    assert_eq!(host.post(&add).codes(), vec!["2.0"; 30]);
    host.wait_for("background-held");
    let log = host.log();
    let sent = 30 - log.matches("background-held").count();
    assert!((1..30).contains(&sent), "{sent} REFRESHes: {log}");
}
