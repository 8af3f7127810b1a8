//! Every way in which a mail server may not do what it should, in each state of its session: what comes of the mail, and that
//! it arrives once the server behaves, and is the same where it may have arrived before.

use super::{ANNA, BO, convoke, eventually, id, mailing, subject};
use convoke_tests::{Behaviour, CLOSE, ENDLESS, Host, MailServer, Post};
use std::{collections::HashSet, time::Duration};

/// Where in a session, how that is answered, and whether a refusal for good is one of the mail.
struct State {
    name: &'static str,
    answer: fn(&mut Behaviour, &str),
    refuses_mail: bool,
    /// Whether the server has the whole mail.
    has_mail: bool,
}

const STATES: [State; 6] = [
    State {
        name: "greeting",
        answer: |it, reply| reply.clone_into(&mut it.greeting),
        refuses_mail: false,
        has_mail: false,
    },
    State {
        name: "EHLO",
        answer: |it, reply| it.ehlo = Some(reply.to_owned()),
        refuses_mail: false,
        has_mail: false,
    },
    State {
        name: "MAIL",
        answer: |it, reply| reply.clone_into(&mut it.mail),
        refuses_mail: false,
        has_mail: false,
    },
    State {
        name: "RCPT",
        answer: |it, reply| reply.clone_into(&mut it.rcpt),
        refuses_mail: true,
        has_mail: false,
    },
    State {
        name: "DATA",
        answer: |it, reply| reply.clone_into(&mut it.data),
        refuses_mail: true,
        has_mail: false,
    },
    State {
        name: "dot",
        answer: |it, reply| reply.clone_into(&mut it.dot),
        refuses_mail: true,
        has_mail: true,
    },
];

/// What it answers, and whether that refuses for good. The empty one is none at all.
const REACTIONS: [(&str, &str, bool); 9] = [
    ("later", "450 4.7.1 greylisted, come again", false),
    ("full", "452 4.3.1 no space left", false),
    ("closing", "421 4.3.2 shutting down", false),
    ("no", "550 5.7.1 not wanted", true),
    (
        "no in lines",
        "550-5.7.1 not wanted\r\n550 5.7.1 at all",
        true,
    ),
    ("nothing that is a reply", "\u{1}\u{2}what?", false),
    ("close", CLOSE, false),
    ("endless", ENDLESS, false),
    ("silence", "", false),
];

fn hang_host(server: &MailServer) -> Host {
    let setup = mailing(&format!("smtp://{}", server.address()), "notify = \"off\"");
    let client = "allow_networks = [\"127.0.0.0/8\"]\nca = \"ca.pem\"\nrequest_timeout = \"1s\"";
    setup.table("[client]", client).start()
}

fn through_all_reactions(state: &State) {
    let server = MailServer::new();
    let host = hang_host(&server);
    let mut arrived = 0;
    for (what, reply, is_refusal) in REACTIONS {
        let told = format!("{} {what}", state.name).replace(' ', "-");
        server.behave(|it| (state.answer)(it, reply));
        let invitation = Post::invitation(&told, ANNA, &[BO])
            .edited("SUMMARY:Meeting", &format!("SUMMARY:{told}"));
        let answer = host.submit(&invitation);
        let refused = is_refusal && state.refuses_mail;
        let expected = if refused { "5.1" } else { "1.0" };
        assert_eq!(answer.codes(), [expected], "{told}: {}", host.log());
        let has_mail = state.has_mail && !reply.starts_with(['4', '5']);
        arrived += usize::from(has_mail);
        assert_eq!(server.mails().len(), arrived, "{told}");
        server.behave(|it| {
            *it = Behaviour::default();
            it.hangs_up = true;
        });
        if refused {
            assert!(answer.statuses()[0].status.contains("not wanted"), "{told}");
            assert!(convoke(&host, &["queue", "list"]).contains("[]"), "{told}");
            continue;
        }
        arrived += 1;
        arrives(&host, &server, arrived);
        eventually("the mail is noted", || {
            let stored = host.stored(ANNA, &told).unwrap();
            stored.contains("SCHEDULE-STATUS=1.1")
        });
        let mails = server.mails();
        let ours = mails
            .iter()
            .filter(|it| subject(it).ends_with(&told))
            .map(id);
        let ids: HashSet<String> = ours.collect();
        assert_eq!(ids.len(), 1, "{told}: the same mail each time");
    }
    assert_eq!(server.mails().len(), arrived);
}

/// Tries until it has arrived: on a machine with much to do, a server that behaves may be slow.
fn arrives(host: &Host, server: &MailServer, number: usize) {
    for _ in 0..12 {
        convoke(host, &["queue", "retry", "--all"]);
        if server.takes(number, Duration::from_secs(5)) {
            return;
        }
    }
    panic!("mail {number} does not arrive: {}", host.log());
}

macro_rules! states {
    ($($test:ident: $state:literal;)*) => {$(
        #[test]
        fn $test() {
            through_all_reactions(&STATES[$state]);
        }
    )*};
}

states! {
    a_server_that_greets_badly: 0;
    a_server_that_answers_ehlo_badly: 1;
    a_server_that_answers_mail_badly: 2;
    a_server_that_answers_rcpt_badly: 3;
    a_server_that_answers_data_badly: 4;
    a_server_that_answers_the_mail_badly: 5;
}
