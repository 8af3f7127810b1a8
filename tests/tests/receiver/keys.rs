//! The web server of a signer's domain, where a test needs one, is a small TLS server of the test's own.

use super::{ANNA, BO, example_org, identity::signed};
use convoke_ischedule::dkim::{KeyKind, Lookup, PrivateKey, Signer};
use convoke_tests::{Answer, Authority, Broken, Host, NameServer, Post, Setup};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const TXT: &str = "s1._domainkey.example.com";
const SRV: &str = "_domainkey_lookup._tcp.example.com";

/// What must be true of an answer.
type Expected = fn(&Answer);

fn host(names: &NameServer) -> Setup {
    example_org()
        .table("[verification]", "required = true")
        .table("[dns]", &format!("nameservers = [\"{}\"]", names.address()))
}

/// A signer of `example.com` that says to look for its key so.
fn signer(lookups: &[Lookup]) -> Signer {
    let key = PrivateKey::generate(KeyKind::Ed25519).unwrap();
    Signer::new("example.com".parse().unwrap(), "s1", key, lookups.to_vec()).unwrap()
}

fn record(signer: &Signer) -> String {
    signer.key().record().to_string()
}

fn ask(host: &Host, signer: &Signer) -> Answer {
    host.post(&signed(signer, Post::free_busy(ANNA, &[BO])))
}

fn is_accepted(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.codes(), ["2.0"]);
}

fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.error().as_deref(), Some("verification-failed"));
}

/// Not known now: neither accepted nor refused.
fn is_put_off(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some());
    assert!(
        answer.body.contains("cannot be looked up now"),
        "{answer:?}"
    );
}

#[test]
fn a_key_is_found_in_dns_and_remembered() {
    let (names, signer) = (NameServer::new(), signer(&[Lookup::DnsTxt]));
    names
        .txt(TXT, "an unrelated text")
        .txt(TXT, &record(&signer));
    let host = host(&names).start();
    for _ in 0..3 {
        is_accepted(&ask(&host, &signer));
    }
    assert_eq!(names.asked(TXT, "TXT"), 1);
}

#[test]
fn a_long_key_comes_by_tcp() {
    let names = NameServer::new().truncating();
    let key = PrivateKey::generate(KeyKind::Rsa3072).unwrap();
    let signer = Signer::new("example.com".parse().unwrap(), "s1", key, Vec::new()).unwrap();
    names.txt(TXT, &record(&signer));
    is_accepted(&ask(&host(&names).start(), &signer));
}

#[test]
fn a_huge_record_is_no_key() {
    let (names, signer) = (NameServer::new().truncating(), signer(&[Lookup::DnsTxt]));
    let notes = |bytes: usize| format!("{}; n={}", record(&signer), "x".repeat(bytes));
    let parts = format!("{}; h=sha256{}", record(&signer), ":x".repeat(1000));
    names.txt(TXT, &notes(32 << 10)).txt(TXT, &parts);
    is_refused(&ask(&host(&names).start(), &signer));
    names.txt(TXT, &notes(3 << 10));
    is_accepted(&ask(&host(&names).start(), &signer));
}

#[test]
fn a_short_ttl_is_kept_to() {
    let (names, first, second) = (
        NameServer::new().ttl(0),
        signer(&[Lookup::DnsTxt]),
        signer(&[Lookup::DnsTxt]),
    );
    let host = host(&names).start();
    names.txt(TXT, &record(&first));
    is_accepted(&ask(&host, &first));
    names.remove(TXT).txt(TXT, &record(&second));
    is_accepted(&ask(&host, &second));
    is_refused(&ask(&host, &first));
    names.remove(TXT).txt(TXT, "v=DKIM1; k=ed25519; p=");
    let revoked = ask(&host, &second);
    is_refused(&revoked);
    assert!(revoked.body.contains("revoked"), "{}", revoked.body);
    names.remove(TXT);
    is_refused(&ask(&host, &second));
}

#[test]
fn what_dns_does_not_say_is_not_known() {
    let (names, signer) = (NameServer::new(), signer(&[Lookup::DnsTxt]));
    names
        .txt(TXT, &record(&signer))
        .break_name(TXT, Some(Broken::Fails));
    let host = host(&names).start();
    is_put_off(&ask(&host, &signer));
    let asked = names.asked(TXT, "TXT");
    is_put_off(&ask(&host, &signer));
    assert_eq!(names.asked(TXT, "TXT"), asked, "not at every message");
}

#[test]
fn a_silent_name_server_holds_up_nobody_else() {
    let (names, signer) = (NameServer::new(), signer(&[Lookup::DnsTxt]));
    names.break_name(TXT, Some(Broken::Silent));
    let host = host(&names)
        .table("[limits]", "requests = 1")
        .client_certificates()
        .start();
    let other = host.authority().issue(&["example.net"]);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| is_put_off(&ask(&host, &signer)));
        while names.asked(TXT, "TXT") == 0 {
            thread::yield_now();
        }
        let post = Post::free_busy("dan@example.net", &[BO]);
        is_accepted(&host.connect_as(&other).ask(&post.to_bytes()));
        assert!(!waiting.is_finished());
        waiting.join().unwrap();
    });
}

#[test]
fn methods_are_tried_in_the_order_of_the_signature() {
    let (names, signer) = (
        NameServer::new(),
        signer(&[Lookup::HttpWellKnown, Lookup::DnsTxt]),
    );
    // The first fails, which does not matter as the second knows.
    names
        .break_name(SRV, Some(Broken::Fails))
        .txt(TXT, &record(&signer));
    let host = host(&names).start();
    is_accepted(&ask(&host, &signer));
    assert!(names.asked(SRV, "SRV") > 0);
}

/// A web server that answers every GET with the same bytes.
struct Web {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Web {
    fn start(authority: &Authority, names: &[&str], answer: impl Into<Vec<u8>>) -> Self {
        let config = Arc::new(server_config(authority, names));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), answer.into());
        let web = Self {
            port,
            asked: asked.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, asked, answer) = (config.clone(), asked.clone(), answer.clone());
                thread::spawn(move || serve(stream, config, &asked, &answer));
            }
        });
        web
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, asked: &AtomicUsize, answer: &[u8]) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        request.push(byte[0]);
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let _ = stream.write_all(answer);
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn server_config(authority: &Authority, names: &[&str]) -> ServerConfig {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let credentials = authority.issue(names);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(credentials.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

/// A host, and a web server for `keys.example.com` that gives `answer` and whose certificate is for `name`.
fn with_web(answer: &str, name: &str) -> (Host, NameServer, Web) {
    let names = NameServer::new();
    let host = host(&names).start();
    let web = Web::start(host.authority(), &[name], answer);
    names
        .a("keys.example.com", Ipv4Addr::LOCALHOST)
        .srv(SRV, 1, 1, web.port, "keys.example.com");
    (host, names, web)
}

#[test]
fn a_key_is_found_on_a_web_server() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let other = PrivateKey::generate(KeyKind::Ed25519).unwrap().record();
    let document = format!("# keys\r\n\r\n{other}\r\n{}\r\n", record(&signer));
    let answer = http("200 OK", "Content-Type: text/plain\r\n", &document);
    let (host, _names, web) = with_web(&answer, "keys.example.com");
    for _ in 0..3 {
        is_accepted(&ask(&host, &signer));
    }
    assert_eq!(web.asked(), 1);
}

#[test]
fn a_domain_may_leave_its_keys_to_somebody_else() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let answer = http("200 OK", "", &record(&signer));
    let (host, names, web) = with_web(&answer, "keys.example.com");
    let there = "_domainkey_lookup._tcp.hoster.example";
    names
        .remove(SRV)
        .cname(SRV, there)
        .srv(there, 1, 1, web.port, "keys.example.com");
    is_accepted(&ask(&host, &signer));
}

#[test]
fn the_next_server_is_asked_when_one_is_down() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let answer = http("200 OK", "", &record(&signer));
    let (host, names, web) = with_web(&answer, "keys.example.com");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    names.srv(SRV, 0, 0, port, "keys.example.com");
    is_accepted(&ask(&host, &signer));
    assert_eq!(web.asked(), 1);
}

#[test]
fn what_a_web_server_says_is_told_apart() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let huge = format!("{}\r\n{}", "x".repeat(100 << 10), record(&signer));
    let cases: [(&str, String, Expected); 9] = [
        ("not there", http("404 Not Found", "", ""), is_refused),
        ("gone", http("410 Gone", "", ""), is_refused),
        ("broken", http("500 Oops", "", ""), is_put_off),
        ("overloaded", http("503 Busy", "", ""), is_put_off),
        ("too often", http("429 Too Many", "", ""), is_put_off),
        (
            "no key",
            http("200 OK", "", "<html>hello</html>"),
            is_refused,
        ),
        ("revoked", http("200 OK", "", "v=DKIM1; p=\r\n"), is_refused),
        ("huge", http("200 OK", "", &huge), is_put_off),
        (
            "to plain http",
            http("302 Found", "Location: http://keys.example.com/\r\n", ""),
            is_put_off,
        ),
    ];
    thread::scope(|scope| {
        for (what, answer, expected) in &cases {
            let signer = &signer;
            scope.spawn(move || {
                let (host, _names, web) = with_web(answer, "keys.example.com");
                expected(&ask(&host, signer));
                assert_eq!(web.asked(), 1, "{what}");
            });
        }
    });
}

#[test]
fn redirects_are_followed_but_not_in_circles() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let answer = http("302 Found", "Location: /again\r\n", "");
    let (host, _names, web) = with_web(&answer, "keys.example.com");
    is_put_off(&ask(&host, &signer));
    assert_eq!(web.asked(), 6, "the first and five redirects");
}

#[test]
fn a_web_server_must_be_who_the_record_names() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let answer = http("200 OK", "", &record(&signer));
    let (host, _names, web) = with_web(&answer, "www.example.com");
    is_put_off(&ask(&host, &signer));
    assert_eq!(web.asked(), 0);
}

#[test]
fn no_look_up_leads_into_our_own_network() {
    let signer = signer(&[Lookup::HttpWellKnown]);
    let names = NameServer::new();
    let host = host(&names).table("[client]", "ca = \"ca.pem\"").start();
    let answer = http("200 OK", "", &record(&signer));
    let web = Web::start(host.authority(), &["keys.example.com", "localhost"], answer);
    for target in ["keys.example.com", "127.0.0.1", "localhost"] {
        names
            .remove(SRV)
            .a("keys.example.com", Ipv4Addr::LOCALHOST)
            .srv(SRV, 1, 1, web.port, target);
        is_refused(&ask(&host, &signer));
    }
    assert_eq!(web.asked(), 0);
    host.wait_for("event=\"key-not-looked-up\"");
}

#[test]
fn a_domain_without_the_service_has_no_keys_there() {
    let (names, signer) = (NameServer::new(), signer(&[Lookup::HttpWellKnown]));
    let host = host(&names).start();
    is_refused(&ask(&host, &signer));
    names.srv(SRV, 0, 0, 0, "");
    is_refused(&ask(&host, &signer));
}
