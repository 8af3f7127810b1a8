//! The program as it is used: against the floor, which it serves itself, and against a server that refuses.

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convoke-load");

/// The floor, on a port that the system chose.
struct Floor {
    folder: TempDir,
    child: Child,
    port: u16,
}

impl Floor {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("host.pem"), certificate.pem()).unwrap();
        fs::write(path("host.key"), key.serialize_pem()).unwrap();
        let mut child = Command::new(PROGRAM)
            .arg("floor")
            .args(["--certificate".into(), path("host.pem")])
            .args(["--key".into(), path("host.key")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Self {
            folder,
            child,
            port,
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(url: &str, more: &[&str], ca: Option<&Path>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args([
        "run",
        url,
        "--from",
        "anna@example.com",
        "--to",
        "bo@example.org",
    ]);
    command.args(["--json", "--warm-up", "0"]).args(more);
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    command.output().unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn as_fast_as_answers_come() {
    let floor = Floor::start();
    let url = format!("https://localhost:{}/ischedule", floor.port);
    let ca = floor.folder.path().join("host.pem");
    let pid = floor.child.id().to_string();
    let arguments = ["--seconds", "0.5", "--connections", "3", "--pid", &pid];
    let output = run(&url, &arguments, Some(&ca));
    assert!(output.status.success(), "{output:?}");
    let report = report(&output);
    let answers = report["answers"]["2.0"].as_f64().unwrap();
    assert!(answers >= 3.0, "{report}");
    assert_eq!(report["rate"].as_f64(), Some(answers / 0.5));
    assert!(
        report["p50"].as_f64() > Some(0.0) && report["p50"].as_f64() <= report["p999"].as_f64()
    );
    assert!(report["server_memory"].as_f64() > Some(100_000.0));
}

#[test]
fn at_a_rate_whatever_the_server_does() {
    let floor = Floor::start();
    let url = format!("https://localhost:{}/ischedule", floor.port);
    let ca = floor.folder.path().join("host.pem");
    let arguments = ["--seconds", "0.5", "--rate", "40", "--message", "update"];
    let report = report(&run(&url, &arguments, Some(&ca)));
    assert_eq!(
        report["answers"],
        serde_json::json!({"2.0": 20}),
        "{report}"
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_not_taken() {
    let floor = Floor::start();
    let output = run(&format!("https://localhost:{}/", floor.port), &[], None);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("certificate"), "{said}");
}

/// A plain server, too, gets the fields it asks for; what it refuses is counted, and is no success.
#[test]
fn refusals_are_counted_by_status() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/outbox", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"END:VCALENDAR\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request breaks off");
            request.extend_from_slice(&buffer[..read]);
        }
        // Until nobody asks any more.
        let refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        while stream.write_all(refusal).is_ok() && stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        String::from_utf8(request).unwrap()
    });
    let arguments = [
        "--connections",
        "1",
        "--seconds",
        "0.2",
        "--header",
        "Authorization: Basic Ym86",
    ];
    let output = run(&url, &arguments, None);
    assert!(!output.status.success());
    let report = report(&output);
    assert!(report["answers"]["HTTP 503"].as_u64() > Some(0), "{report}");
    assert_eq!(report["rate"].as_f64(), Some(0.0));
    let request = server.join().unwrap().to_ascii_lowercase();
    assert!(
        request.starts_with("post /outbox http/1.1\r\n"),
        "{request}"
    );
    for field in [
        "authorization: basic ym86",
        "originator: mailto:anna@example.com",
        "content-type: text/calendar",
    ] {
        assert!(request.contains(field), "{field} is not in {request}");
    }
}
