//! A receiver that hangs is not waited for by each message.

use convoke_tests::{NameServer, Post, Setup};
use std::net::TcpListener;

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";

#[test]
fn a_receiver_that_hangs_is_waited_for_once() {
    // The system takes connections there, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let bo = Setup::new().users(&[BO]).start();
    let names = NameServer::new();
    let service = "_ischedules._tcp.example.org";
    names
        .txt(service, "path=/ischedule")
        .srv(service, 0, 0, silent_port, "localhost")
        .srv(service, 1, 0, bo.address("receiver").port(), "localhost");
    let discovery = format!(
        "plugin = \"discovery-dns\"\nconfig.nameservers = [\"{}\"]",
        names.address()
    );
    let client = format!(
        "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"\nconnect_timeout = \"1s\"",
        bo.folder().join("ca.pem").display()
    );
    let anna = Setup::new()
        .server_domains(&["example.com"])
        .users(&[ANNA])
        .table("[[discovery]]", &discovery)
        .table("[client]", &client)
        .start();
    let tried = || std::iter::from_fn(|| silent.accept().ok()).count();
    for expected in ["tried", "passed over", "passed over"] {
        let asked = anna.submit(&Post::free_busy(ANNA, &[BO]));
        assert_eq!(asked.codes(), ["2.0"], "{}", anna.log());
        let was = if tried() > 0 { "tried" } else { "passed over" };
        assert_eq!(was, expected, "{}", anna.log());
    }
}
