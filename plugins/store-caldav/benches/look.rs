//! What it costs to look at a thousand quiet accounts: requests, and processor time of the plugin alone.
//!
//! ```sh
//! cargo bench -p convoke-store-caldav
//! ```
//!
//! The server is another process, so that its time does not count: this program again, which answers what a CalDAV server
//! answers of a user with two calendars.

use bytes::Bytes;
use convoke_sdk::{conformance, prelude::*};
use convoke_store_caldav::{CalDavStore, Config};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

const ACCOUNTS: u32 = 1000;
/// Within so many seconds each account is looked at once.
const ROUND: u32 = 20;

#[tokio::main]
async fn main() {
    match env::args().nth(1).as_deref() {
        Some("serve") => serve().await,
        Some("--bench") => measure().await,
        // `cargo test --benches` only wants to see it start.
        _ => {}
    }
}

async fn measure() {
    let mut server = Command::new(env::current_exe().unwrap())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let origin = said.next().unwrap().unwrap();
    let config = Config {
        home: Some(format!("{origin}/{{user}}/")),
        poll_interval: Some(ROUND),
        ..Config::default()
    };
    let store = CalDavStore::open(config, conformance::host("."))
        .await
        .unwrap();
    let mut watched = Vec::new();
    for number in 0..ACCOUNTS {
        let user = UserId::new(format!("user-{number}@example.org")).unwrap();
        let changes = store.changes(&user, None, &Call::default()).await.unwrap();
        watched.push(Watched::new(user, changes.cursor));
    }
    let watch = Watch::over(watched);
    for round in 0..3 {
        asked(&origin).await; // so that it counts from here
        let (began, before) = (Instant::now(), processor());
        // A call is answered after nine tenths of its time.
        let call = Call::within(Duration::from_secs(u64::from(ROUND)) * 10 / 9);
        let changed = store.await_changes(&watch, &call).await.unwrap();
        assert_eq!(changed.users, []);
        let (took, processor) = (began.elapsed(), processor().saturating_sub(before));
        let requests = asked(&origin).await;
        println!(
            "round {round}: {ACCOUNTS} quiet accounts, {requests} requests in {:.1} s, {:.2} s of processor time",
            took.as_secs_f64(),
            processor.as_secs_f64(),
        );
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

/// How many requests the server has had since this was last asked.
async fn asked(origin: &str) -> u64 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = origin.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /asked HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.rsplit("\r\n").next().unwrap().parse().unwrap()
}

/// What this process has used, user and system, in ticks of a hundredth of a second.
fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_ascii_whitespace();
    // proc(5): the 14th and 15th; a tick is a hundredth of a second.
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|it| it.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicU64::new(0));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let requests = Arc::clone(&requests);
        let service = service_fn(move |request| {
            let answer = answer(&request, &requests);
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: &Request<Incoming>, requests: &AtomicU64) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path == "/asked" {
        let count = requests.swap(0, Ordering::Relaxed);
        return Response::new(Full::new(count.to_string().into()));
    }
    requests.fetch_add(1, Ordering::Relaxed);
    let resource = |path: &str, found: &str| {
        format!(
            "<D:response><D:href>{path}</D:href><D:propstat><D:prop>{found}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
             <D:propstat><D:prop><C:schedule-calendar-transp/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>"
        )
    };
    let calendar = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>Calendar</D:displayname>\
                    <D:sync-token>http://example.org/ns/sync/1</D:sync-token><CS:getctag>1</CS:getctag>\
                    <C:supported-calendar-component-set><C:comp name=\"VEVENT\"/><C:comp name=\"VTODO\"/></C:supported-calendar-component-set>";
    let mut found = resource(path, "<D:resourcetype><D:collection/></D:resourcetype>");
    if path.matches('/').count() == 2 {
        found += &resource(&format!("{path}home/"), calendar);
        found += &resource(&format!("{path}work/"), calendar);
    }
    let body = format!(
        "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" \
         xmlns:CS=\"http://calendarserver.org/ns/\">{found}</D:multistatus>"
    );
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = http::StatusCode::MULTI_STATUS;
    response
}
