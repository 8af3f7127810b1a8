//! Who logs in by Digest (RFC 7616): its answers are good for one request, and only the server can tell whether they are right.

use super::{
    ask, head,
    scheduling::{ANNA, BO, CALENDAR, House, meeting, precondition},
    server::{Connection, Received, Server},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use convoke_tests::{Answer, Peer};
use std::net::SocketAddr;

const CHALLENGE: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"1\"\r\nContent-Length: 0\r\n\r\n";

/// Takes Digest log-ins for a server that takes Basic ones: `response="right"` is right.
fn translating(
    server: SocketAddr,
    authority: String,
) -> impl Fn(Received, &mut dyn Connection) + Send + Sync {
    move |received, connection| {
        let given = received.field("authorization").join("");
        let login = match given.strip_prefix("Digest ") {
            Some(digest) if digest.contains("response=\"right\"") => {
                let user = digest.split("username=\"").nth(1).unwrap_or_default();
                let user = user.split('"').next().unwrap_or_default();
                format!("Basic {}", STANDARD.encode(format!("{user}:right")))
            }
            Some(_) => {
                let _ = connection.write_all(CHALLENGE.as_bytes());
                return;
            }
            None => given.clone(),
        };
        let mut request = received.head.replace(&given, &login).into_bytes();
        request.extend(b"\r\n\r\n");
        request.extend(received.body);
        let answer = Peer::tls(server, &authority, None).ask(&request);
        let _ = connection.write_all(&written(&answer));
    }
}

fn written(answer: &Answer) -> Vec<u8> {
    let fields = answer.headers.iter();
    let fields = fields.map(|(name, value)| format!("{name}: {value}\r\n"));
    let fields: String = fields.collect();
    let head = format!("HTTP/1.1 {} So\r\n{fields}\r\n", answer.status);
    (head + &answer.body).into_bytes()
}

#[test]
fn an_edit_is_judged_and_refused_to_who_has_the_password() {
    let house = House::behind(|server| {
        let authority = server.authority().certificate();
        Server::new(translating(server.address("caldav"), authority)).url()
    });
    let path = format!("{CALENDAR}1.ics");
    let put = |user: &str, response: &str, path: &str, more: &[(&str, &str)], data: &str| {
        let login = format!(
            "Digest username=\"{user}\", realm=\"x\", uri=\"{path}\", response=\"{response}\""
        );
        let length = data.len().to_string();
        let mut fields = vec![
            ("Authorization", &*login),
            ("Content-Length", &*length),
            ("Content-Type", "text/calendar"),
        ];
        fields.extend(more);
        ask(
            &house.front,
            &(head(&format!("PUT {path}"), &fields) + data),
        )
    };
    // An organizer's program does not answer for guests.
    let claimed = meeting("1", ";PARTSTAT=ACCEPTED");
    assert_eq!(put(ANNA, "right", &path, &[], &claimed).status, 201);
    let own = house.becomes(ANNA, "1", |it| it.contains("SCHEDULE-STATUS=2.0"));
    let bo = own.lines().find(|it| it.contains(BO)).unwrap();
    assert!(!bo.contains("ACCEPTED"), "{bo}");

    let (bos, invitation) = house.invited("1");
    let before = house.server.stored(BO, "1");
    let moved = invitation.replace("T100000Z", "T090000Z");
    assert_ne!(moved, invitation);
    let conditions = [&[][..], &[("If-Schedule-Tag-Match", "\"x\"")]];
    // Who has no password learns nothing by it, and fills no log.
    for more in conditions {
        let guessed = put(BO, "wrong", &bos, more, &moved);
        assert_eq!(guessed.status, 401, "{guessed:?}");
        assert!(guessed.header("www-authenticate").is_some());
    }
    let last = put(ANNA, "right", &path, &[], &own.replace(ANNA, BO));
    assert_eq!(
        precondition(&last),
        "allowed-organizer-scheduling-object-change"
    );
    house.front.wait_for("event=\"edit-refused\"");
    let log = house.front.log();
    let refusals = log.lines().filter(|it| it.contains("edit-refused"));
    let refusals: Vec<&str> = refusals.collect();
    assert!(refusals.iter().all(|it| it.contains(ANNA)), "{refusals:?}");
    for more in conditions {
        let refused = put(BO, "right", &bos, more, &moved);
        assert_eq!(
            precondition(&refused),
            "allowed-attendee-scheduling-object-change"
        );
    }
    assert_eq!(house.server.stored(BO, "1"), before);
    // What he may write he writes.
    let accepted = invitation.replace("NEEDS-ACTION", "ACCEPTED");
    let accepted = if accepted == invitation {
        invitation.replace(
            &format!(":mailto:{BO}"),
            &format!(";PARTSTAT=ACCEPTED:mailto:{BO}"),
        )
    } else {
        accepted
    };
    assert_eq!(put(BO, "right", &bos, &[], &accepted).status, 204);
    house.becomes(ANNA, "1", |it| {
        it.lines()
            .any(|line| line.contains("ACCEPTED") && line.contains(BO))
    });
}
