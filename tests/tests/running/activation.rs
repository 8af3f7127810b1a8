//! Sockets that a service manager opens before it starts the host, and keeps while it starts it anew.

use convoke_tests::{Host, Peer, Setup, program};
use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
};

const HEALTH: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A socket, and a host with a listener of its address besides those that it opens itself.
fn activated() -> (SocketAddr, Setup) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let listener = format!("role = \"admin\"\naddress = \"{address}\"");
    let setup = Setup::new().table("[[listener]]", &listener);
    (address, setup.passing(socket))
}

fn without_listener(setup: Setup) -> Setup {
    setup.table(
        "[[listener]]",
        "role = \"admin\"\naddress = \"127.0.0.1:0\"",
    )
}

fn reload(host: &Host) -> (bool, String) {
    let mut reload = Command::new(program());
    let reload = reload.arg("reload").arg("--config");
    let output = reload.arg(host.folder().join("convoke.toml")).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn who_connects_while_the_host_is_started_anew_is_answered() {
    let (address, setup) = activated();
    let mut host = setup.start();
    assert_eq!(Peer::plain(address).ask(HEALTH).status, 200);
    assert_eq!(host.get("submission", "/").status, 404, "its own socket");
    host.signal("TERM");
    assert!(host.wait().success());
    // Nobody runs: a socket of the host's own would be closed.
    let mut waiting = Peer::plain(address);
    waiting.send(HEALTH);
    host.start_again();
    assert_eq!(waiting.answer().status, 200);
}

#[test]
fn a_socket_that_no_listener_has_is_refused_and_named() {
    let (address, setup) = activated();
    let mut host = setup.start();
    host.configure(without_listener);
    let (done, said) = reload(&host);
    let says =
        format!("the service manager has opened {address}, and no [[listener]] has that address");
    assert!(!done && said.contains(&says), "{said}");
    assert_eq!(Peer::plain(address).ask(HEALTH).status, 200, "as before");
    host.signal("TERM");
    assert!(host.wait().success());
    let refused = host.refused();
    assert!(refused.contains(&says), "{refused}");
}

/// The address of the socket that was passed is free for another role after a reload.
#[test]
fn a_reload_keeps_the_socket() {
    let (address, setup) = activated();
    let mut host = setup.start();
    let role = |role: &str| {
        let users = if role == "submission" {
            "users = \"users.htpasswd\""
        } else {
            ""
        };
        format!("role = \"{role}\"\naddress = \"{address}\"\n{users}")
    };
    for (other, status) in [("submission", 404), ("admin", 200)] {
        host.configure(|setup| setup.table("[[listener]]", &role(other)));
        let (done, said) = reload(&host);
        assert!(done, "{said}");
        assert_eq!(Peer::plain(address).ask(HEALTH).status, status);
    }
}
