//! A room answers people of other servers, over TLS, and who races for it never shares it.

use super::commands::run;
use convoke_tests::{Authority, Host, NameServer, Post, Setup};
use std::{fs, thread};

const ROOM: &str = "room@example.org";
const ANNA: &str = "anna@example.com";
const EVE: &str = "eve@example.net";

const STORES: [&str; 2] = [
    "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
    "plugin = \"store-vdir\"\nconfig.path = \"calendars\"",
];

/// The room's host, and the host of Anna and Eve, who are of two domains. Each finds the other one by DNS.
fn hosts(names: &NameServer, store: &str) -> (Host, Host) {
    let discovery = format!(
        "plugin = \"discovery-dns\"\nconfig.nameservers = [\"{}\"]",
        names.address()
    );
    let client =
        |ca: &str| format!("allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{ca}\"");
    let rooms = Setup::new()
        .table("[[store]]", store)
        .table("[[discovery]]", &discovery)
        .file("trusted.pem", &Authority::new().certificate())
        .table("[client]", &client("trusted.pem"))
        .start();
    let trusted = rooms.folder().join("ca.pem");
    let people = Setup::new()
        .server_domains(&["example.com", "example.net"])
        .users(&[ANNA, EVE])
        .table("[[discovery]]", &discovery)
        .table("[client]", &client(&trusted.display().to_string()))
        .start();
    fs::copy(
        people.folder().join("ca.pem"),
        rooms.folder().join("trusted.pem"),
    )
    .unwrap();
    rooms.signal("HUP");
    rooms.wait_for("config-reloaded");
    for (domain, host) in [
        ("example.org", &rooms),
        ("example.com", &people),
        ("example.net", &people),
    ] {
        let service = format!("_ischedules._tcp.{domain}");
        let port = host.address("receiver").port();
        names
            .txt(&service, "path=/ischedule")
            .srv(&service, 0, 0, port, "localhost");
    }
    (rooms, people)
}

/// What the room has answered, in the organizer's own copy, once it is there.
fn answer(people: &Host, organizer: &str, uid: &str) -> String {
    people.wait_for(&format!("method=REPLY component=VEVENT uid={uid}"));
    let copy = people.stored(organizer, uid).unwrap();
    let lines: Vec<&str> = copy
        .lines()
        .filter(|line| line.starts_with("ATTENDEE") && line.contains(ROOM))
        .collect();
    let of = |line: &&str| {
        let answer = line
            .split([';', ':'])
            .find_map(|it| it.strip_prefix("PARTSTAT="));
        answer.unwrap_or("NEEDS-ACTION").to_owned()
    };
    lines.iter().map(of).collect::<Vec<_>>().join(" ")
}

#[test]
fn two_people_of_two_domains_book_one_room() {
    for store in STORES {
        let names = NameServer::new();
        let (rooms, people) = hosts(&names, store);
        let booking = "from=*@example.com,*@example.net longest=2h";
        let room = ["user", "add", ROOM, "--kind", "room", "--booking", booking];
        assert_eq!(run(&rooms, &room)["booking"], booking, "{store}");

        let first = Post::invitation("first", ANNA, &[ROOM]);
        assert_eq!(people.submit(&first).codes(), ["2.0"], "{store}");
        assert_eq!(answer(&people, ANNA, "first"), "ACCEPTED", "{store}");
        let second = Post::invitation("second", EVE, &[ROOM]);
        people.submit(&second);
        assert_eq!(answer(&people, EVE, "second"), "DECLINED", "{store}");
        let told = people.stored(EVE, "second").unwrap();
        assert!(told.contains("The room is taken then"), "{store}: {told}");

        // Five days at ten, one of which is the first meeting's.
        let series = Post::invitation("series", EVE, &[ROOM])
            .edited("20270105T", "20270104T")
            .edited("SUMMARY", "RRULE:FREQ=DAILY;COUNT=5\nSUMMARY");
        people.submit(&series);
        assert_eq!(
            answer(&people, EVE, "series"),
            "ACCEPTED DECLINED",
            "{store}"
        );

        // What moves frees its time.
        let moved = first.edited("SEQUENCE:0", "SEQUENCE:1").edited("T1", "T2");
        assert_eq!(people.submit(&moved).codes(), ["2.0"], "{store}");
        let kept = rooms.stored(ROOM, "first").unwrap();
        assert!(
            kept.contains("T200000Z") && kept.contains("PARTSTAT=ACCEPTED"),
            "{store}: {kept}"
        );
        people.submit(&Post::invitation("third", EVE, &[ROOM]));
        assert_eq!(answer(&people, EVE, "third"), "ACCEPTED", "{store}");

        // What takes longer than it may is refused, and why.
        let long = Post::invitation("long", ANNA, &[ROOM])
            .edited("DTEND:20270105T11", "DTEND:20270105T23");
        people.submit(&long);
        assert_eq!(answer(&people, ANNA, "long"), "DECLINED", "{store}");
        let told = people.stored(ANNA, "long").unwrap();
        assert!(told.contains("longer than 2h"), "{store}: {told}");
    }
}

/// Ten at once, over connections of their own, half of them through another host on the same store.
#[test]
fn of_those_who_ask_at_once_one_gets_the_room() {
    for store in STORES {
        let host = Setup::new().table("[[store]]", store).start();
        let room = ["user", "add", ROOM, "--kind", "room", "--booking", "from=*"];
        run(&host, &room);
        let path = store.rsplit('"').nth(1).unwrap();
        let there = host.folder().join(path).display().to_string();
        let other = Setup::new()
            .table("[[store]]", &store.replace(path, &there))
            .start();
        let hosts = [&host, &other];
        for round in 0..5 {
            let posts: Vec<Post> = (0..10)
                .map(|number| {
                    let uid = format!("race-{round}-{number}");
                    let post = Post::invitation(&uid, ANNA, &[ROOM]);
                    post.edited("20270105T", &format!("2027010{}T", round + 1))
                })
                .collect();
            thread::scope(|scope| {
                for (number, post) in posts.iter().enumerate() {
                    let host = hosts[number % 2];
                    scope.spawn(move || assert_eq!(host.post(post).codes(), ["2.0"]));
                }
            });
            let stored = (0..10).map(|number| host.stored(ROOM, &format!("race-{round}-{number}")));
            let stored: Vec<String> = stored.map(Option::unwrap).collect();
            let answered = |word: &str| {
                let line = format!("PARTSTAT={word}");
                stored.iter().filter(|it| it.contains(&line)).count()
            };
            assert_eq!(
                (answered("ACCEPTED"), answered("DECLINED")),
                (1, 9),
                "{store}"
            );
        }
    }
}
