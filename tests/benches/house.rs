//! What a host costs: to start, to keep, and to ask.
//!
//! ```sh
//! cargo build --release -p convoke-tests --examples && cargo bench -p convoke-tests --bench house
//! ```
//!
//! The real program with four plugins. *Start* is from before the process is made until it listens, as the log says
//! after it; *resident* is what the kernel counts; *free-busy* is a whole HTTPS request on a connection that is there,
//! about a user with so many events, a week of them asked for.

use convoke_tests::{Host, Post, Setup};
use std::{
    fmt::Write,
    fs,
    process::Command,
    time::{Duration, Instant},
};

const BO: &str = "bo@example.org";
const STARTS: usize = 20;
const QUESTIONS: usize = 2000;

fn main() {
    let mut host = setup().start();
    println!("start, {STARTS} times: {}", Times::of(starts(&mut host)));
    println!("resident, idle: {:.1} MB", resident(&host));
    for events in [100, 10_000] {
        let host = setup().start();
        import(&host, events);
        ask(&host, 100);
        println!(
            "free-busy, {events} events: {}",
            Times::of(ask(&host, QUESTIONS))
        );
        println!("resident, after it: {:.1} MB", resident(&host));
    }
}

fn setup() -> Setup {
    Setup::new()
        .users(&[BO])
        .server_domains(&["example.org", "example.net"])
        .table(
            "[[discovery]]",
            "plugin = \"discovery-static\"\nconfig.domains = { \"example.com\" = \"https://localhost:1\" }",
        )
        .table(
            "[[store]]",
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"\ndomains = [\"example.org\"]\n\
             [[store]]\nplugin = \"store-vdir\"\nconfig.path = \"vdir\"\ndomains = [\"example.net\"]",
        )
}

fn starts(host: &mut Host) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        host.signal("TERM");
        host.wait();
        let begun = Instant::now();
        host.start_again();
        times.push(begun.elapsed());
    }
    times
}

/// Resident memory, in MB of a million bytes.
fn resident(host: &Host) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.id()))
        .expect("Linux tells what a process takes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kib.expect("a number of kB") * 1024.0 / 1e6
}

fn import(host: &Host, events: usize) {
    let mut calendar = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\n");
    for n in 0..events {
        // Spread over two years before the week asked for, with some in it.
        let (month, day, hour) = (n % 12 + 1, n / 12 % 28 + 1, n / 336 % 24);
        let year = 2025 + n % 2;
        write!(
            calendar,
            "BEGIN:VEVENT\r\nUID:{n}@bench\r\nDTSTAMP:20261201T080000Z\r\nDTSTART:{year}{month:02}{day:02}T{hour:02}0000Z\r\nDURATION:PT30M\r\nSUMMARY:Meeting {n}\r\nEND:VEVENT\r\n"
        )
        .expect("strings take text");
    }
    for day in 4..9 {
        write!(calendar, "BEGIN:VEVENT\r\nUID:week{day}@bench\r\nDTSTAMP:20261201T080000Z\r\nDTSTART:202701{day:02}T100000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n")
            .expect("strings take text");
    }
    calendar.push_str("END:VCALENDAR\r\n");
    let file = host.folder().join("import.ics");
    fs::write(&file, calendar).expect("the folder can be written");
    let status = Command::new(convoke_tests::program())
        .args(["calendar", "import", "--config"])
        .arg(host.folder().join("convoke.toml"))
        .args(["--user", BO])
        .arg(&file)
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.expect("the program can be started").success());
}

fn ask(host: &Host, times: usize) -> Vec<Duration> {
    let post = Post::free_busy("anna@example.com", &[BO]).to_bytes();
    let mut peer = host.connect();
    (0..times)
        .map(|_| {
            let begun = Instant::now();
            let answer = peer.ask(&post);
            let took = begun.elapsed();
            assert!(answer.body.contains("20270104T100000Z"), "{}", answer.body);
            took
        })
        .collect()
}

/// Measured times, sorted.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |share: usize| self.0[(self.0.len() - 1) * share / 100];
        write!(
            f,
            "p50 {:.2?}, p90 {:.2?}, p99 {:.2?}",
            at(50),
            at(90),
            at(99)
        )
    }
}
