//! One meeting with guests of both kinds: Cy, whose domain has a receiver, and Bo, who is reached by mail until his domain gets
//! one, and again after it lost it.

use super::{ANNA, BO, CY, convoke, eventually, id, mailing, subject, updates::text};
use convoke_tests::{Host, MailServer, Post, Setup};
use std::collections::HashSet;

const DOWN: &str = "421 4.3.2 down";
const UP: &str = "220 here";

/// Anna's host, where Cy and Bo have their calendars if they have one, and the mail server.
struct World {
    anna: Host,
    theirs: Host,
    server: MailServer,
}

impl World {
    fn new() -> Self {
        let server = MailServer::new();
        let theirs = Setup::new()
            .server_domains(&["example.com", "example.net"])
            .users(&[CY, BO])
            .start();
        let trust = format!(
            "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"\nrequest_timeout = \"3s\"",
            theirs.folder().join("ca.pem").display()
        );
        let anna = mailing(&format!("smtp://{}", server.address()), "")
            .table("[client]", &trust)
            .table("[[discovery]]", &discovery(&theirs, "none"))
            .start();
        Self {
            anna,
            theirs,
            server,
        }
    }

    fn mail_server_says(&self, greeting: &str) {
        self.server.behave(|it| {
            greeting.clone_into(&mut it.greeting);
            it.hangs_up = true;
        });
    }

    /// Bo's domain has another receiver from now on, or none.
    fn discovers(&mut self, receiver: &str) {
        let reloaded = |host: &Host| host.log().matches("event=\"config-reloaded\"").count();
        let before = reloaded(&self.anna);
        let discovery = discovery(&self.theirs, receiver);
        self.anna
            .configure(|setup| setup.table("[[discovery]]", &discovery));
        self.anna.signal("HUP");
        eventually("the configuration is read", || {
            reloaded(&self.anna) > before
        });
    }

    /// Everything is delivered, though a machine with much to do may need several tries.
    fn settles(&self) {
        eventually("the queue is empty", || {
            convoke(&self.anna, &["queue", "retry", "--all"]);
            convoke(&self.anna, &["queue", "list"]).trim() == "[]"
        });
    }

    fn submit(&self, message: &Post) {
        let codes = self.anna.submit(message).codes();
        assert!(
            codes.iter().all(|it| it.starts_with(['1', '2'])),
            "{codes:?}"
        );
        self.settles();
    }

    /// Waits until what somebody has says something.
    fn has(&self, who: &str, words: &[&str]) {
        eventually(&format!("{who} has {words:?}"), || {
            let copy = self.theirs.stored(who, "party").unwrap_or_default();
            words.iter().all(|it| copy.contains(it))
        });
    }
}

fn discovery(theirs: &Host, of_bo: &str) -> String {
    let receiver = format!(
        "https://localhost:{}/ischedule",
        theirs.address("receiver").port()
    );
    let of_bo = if of_bo == "none" { "none" } else { &receiver };
    format!(
        "plugin = \"discovery-static\"\nconfig.domains.\"example.com\" = \"{receiver}\"\n\
         config.domains.\"example.net\" = \"{of_bo}\""
    )
}

/// The meeting at a revision and an hour.
fn meeting(revision: u32, hour: u32) -> Post {
    Post::invitation("party", ANNA, &[BO, CY])
        .edited("SEQUENCE:0", &format!("SEQUENCE:{revision}"))
        .edited("T100000Z", &format!("T{hour}0000Z"))
        .edited("T110000Z", &format!("T{hour}3000Z"))
}

#[test]
fn one_meeting_reaches_guests_of_both_kinds_through_outages_and_changes_of_transport() {
    let mut world = World::new();

    // Nobody can be reached: both wait, and both get it, once.
    world.mail_server_says(DOWN);
    world.theirs.signal("STOP");
    let codes = world.anna.submit(&meeting(0, 10)).codes();
    world.theirs.signal("CONT");
    assert_eq!(codes, ["1.0", "1.0"]);
    world.mail_server_says(UP);
    world.settles();
    world.has(CY, &["SEQUENCE:0", "T100000Z"]);
    assert_eq!(world.server.mails().len(), 1);
    assert_eq!(world.theirs.stored(BO, "party"), None);

    // An update goes the same two ways.
    world.submit(&meeting(1, 12));
    world.has(CY, &["SEQUENCE:1", "T120000Z"]);
    assert_eq!(world.server.wait_for_mails(2).len(), 2);

    // Bo's domain has a receiver now: the next version goes there, and no mail.
    world.discovers("receiver");
    world.submit(&meeting(2, 14));
    world.has(BO, &["SEQUENCE:2", "T140000Z"]);
    world.has(CY, &["SEQUENCE:2", "T140000Z"]);
    assert_eq!(world.server.mails().len(), 2);

    // It has none any more: a mail again, which knows what went to the receiver.
    world.discovers("none");
    world.submit(&meeting(3, 16));
    world.has(CY, &["SEQUENCE:3", "T160000Z"]);
    let mails = world.server.wait_for_mails(3);
    assert!(
        text(&mails[2]).contains("(was: Tuesday, 5 January 2027, 14:00"),
        "{}",
        text(&mails[2])
    );
    world.has(BO, &["SEQUENCE:2"]);

    // Called off while the mail server is down: Cy hears at once, Bo when it is back.
    world.mail_server_says(DOWN);
    let cancellation = Post::cancellation("party", ANNA, &[BO, CY]);
    let cancellation = cancellation.edited("SEQUENCE:1", "SEQUENCE:4");
    let codes = world.anna.submit(&cancellation).codes();
    assert_eq!(codes[0], "1.0");
    world.has(CY, &["STATUS:CANCELLED"]);
    assert_eq!(world.server.mails().len(), 3);
    world.mail_server_says(UP);
    world.settles();

    let mails = world.server.wait_for_mails(4);
    let subjects: Vec<String> = mails.iter().map(subject).collect();
    let updated = "Updated invitation: Meeting";
    assert_eq!(
        subjects,
        [
            "Invitation: Meeting",
            updated,
            updated,
            "Cancelled: Meeting"
        ]
    );
    assert!(mails.iter().all(|it| it.to == BO), "{mails:?}");
    assert_eq!(mails.iter().map(id).collect::<HashSet<_>>().len(), 4);
    assert!(mails.iter().all(|it| it.from == mails[0].from), "one token");
}
