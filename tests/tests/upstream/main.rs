//! The caldav listener in front of a CalDAV server, byte by byte: the real program between a client that speaks raw HTTP over TLS
//! and a server that a test writes. What real servers and programs make of it is in `tests/live`.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `server` | the server behind the listener |
//! | `bytes` | what passes, as it is and when it comes |
//! | `fields` | header fields: what stays on a connection, what nobody may claim, what leads where |
//! | `faults` | requests that are meant to be read in two ways; a server that is down, or breaks off |
//! | `logins` | guesses at passwords |
//! | `checked` | what `convoke check` says of it |
//! | `digest` | who logs in by Digest |
//! | `own` | messages in the inbox, the page for people, busy time by URL |
//! | `scheduling` | what RFC 6638 adds to a server that schedules nothing |

mod bytes;
mod checked;
mod digest;
mod faults;
mod fields;
mod logins;
mod own;
mod scheduling;
mod server;

use convoke_tests::{Answer, Host, Peer, Setup};
use server::Server;

/// A host in front of a server.
fn in_front_of(server: &Server) -> Host {
    in_front_of_url(&server.url())
}

fn in_front_of_url(url: &str) -> Host {
    setup(url).start()
}

fn setup(url: &str) -> Setup {
    let listener = format!(
        "role = \"caldav\"\naddress = \"127.0.0.1:0\"\nupstream = \"{url}\"\n\
         tls = {{ certificate = \"host.pem\", key = \"host.key\" }}"
    );
    Setup::new().table("[[listener]]", &listener)
}

/// A connection of a client.
fn client(host: &Host) -> Peer {
    let authority = host.authority().certificate();
    Peer::tls(host.address("caldav"), &authority, None)
}

/// The answer to a request, on a connection of its own.
fn ask(host: &Host, request: &str) -> Answer {
    client(host).ask(request.as_bytes())
}

/// The head of a request, with further fields.
fn head(line: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        fields.collect::<String>()
    )
}
