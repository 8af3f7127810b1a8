//! A plugin in a process of its own: what it does wrong costs one answer, and it may do no more than it is granted.

use crate::world::{address, discovery, isolated, logged, open, store};
use convoke_plugin_host::{Confinement, Connect, PluginEntry, PluginState, Plugins, StoreHandle};
use convoke_sdk::{Discovered, Error, ErrorKind};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Of calls that are to miss it, on stores whose other calls must not, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(5);
/// What is said of a call that misses it.
const NOT_IN_TIME: &str = "no answer within 5s";

fn faulty(fault: &str, name: &str) -> PluginEntry {
    let entry = store("test-faulty", &format!("fault = '{fault}'"));
    PluginEntry {
        name: Some(name.to_owned()),
        ..isolated(entry, Confinement::default())
    }
}

async fn opened(entry: PluginEntry) -> Arc<StoreHandle> {
    let plugins = open(vec![entry])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let store = plugins.stores.iter().next();
    Arc::clone(store.unwrap())
}

async fn fails(store: &StoreHandle) -> Error {
    store.find(&address("anna@example.org")).await.unwrap_err()
}

async fn works(store: &StoreHandle) {
    assert_eq!(store.find(&address("fine@example.org")).await, Ok(None));
}

#[tokio::test]
async fn a_process_that_ends_costs_one_answer() {
    for (fault, manner) in [
        ("segfault", "its process was ended by signal 11 (SIGSEGV)"),
        ("abort", "its process was ended by signal 6 (SIGABRT"),
        ("exit", "its process ended with exit status 3"),
        ("allocate", "its process was ended by signal 6 (SIGABRT"),
    ] {
        let name = format!("ends-by-{fault}");
        let store = opened(faulty(fault, &name)).await;
        works(&store).await;
        let error = fails(&store).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let said = format!("plugin `{name}`: its process ended before it answered");
        assert_eq!(error.message(), said);
        works(&store).await;
        assert!(matches!(store.info().state, PluginState::Ready));
        let log = logged();
        assert!(log.contains(manner), "{manner} is not in\n{log}");
    }
}

#[tokio::test]
async fn a_process_that_hangs_is_ended_and_one_that_is_slow_is_not() {
    let mut hangs = faulty("loop", "loops");
    hangs.timeout = Some(DEADLINE);
    let store = opened(hangs).await;
    let error = fails(&store).await;
    assert!(error.message().contains(NOT_IN_TIME), "{error}");
    // The other thread of the process answers, until it is noticed that one is blocked; then a new process does.
    works_soon(&store, "plugin=loops").await;

    let mut slow = faulty("hang", "waits");
    slow.timeout = Some(DEADLINE);
    let store = opened(slow).await;
    // Twice, so that a process that is to be ended for the first would be, by the end of the second.
    for _ in 0..2 {
        let (error, ()) = tokio::join!(fails(&store), works(&store));
        assert!(error.message().contains(NOT_IN_TIME), "{error}");
        works(&store).await;
    }
    let log = logged();
    let mut lines = log.lines().filter(|line| line.contains("plugin=waits"));
    assert!(!lines.any(|line| line.contains("was ended")), "{log}");
}

/// Waits until the log says that the process was ended and runs again; calls are answered then.
async fn works_soon(store: &StoreHandle, plugin: &str) {
    let begun = Instant::now();
    let says = |text: &str| {
        let log = logged();
        log.lines()
            .any(|line| line.contains(plugin) && line.contains(text))
    };
    while !(says("did not keep its deadlines and was ended") && says("runs again")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", logged());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    works(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_lose_nothing_when_a_process_ends_under_one_call() {
    let mut entry = faulty("segfault", "crowded");
    entry.timeout = Some(Duration::from_secs(20));
    let store = opened(entry).await;
    let calls = (0..400).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            if n == 200 {
                fails(&store).await;
            } else {
                works(&store).await;
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

/// More calls hang than the process has threads, and others are answered long before the deadline of any of them.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_block_or_hang_are_no_loss_to_others() {
    for fault in ["block", "hang"] {
        let mut entry = faulty(fault, "occupied");
        entry.timeout = Some(Duration::from_secs(300));
        let store = opened(entry).await;
        let hanging: Vec<_> = (0..40)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { fails(&store).await })
            })
            .collect();
        for _ in 0..20 {
            works(&store).await;
        }
        assert!(hanging.iter().all(|call| !call.is_finished()));
        hanging.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn whoever_ends_a_process_again_and_again_keeps_nobody_waiting() {
    let store = opened(faulty("segfault", "brittle")).await;
    for _ in 0..10 {
        fails(&store).await;
    }
    works(&store).await;
    let log = logged();
    let mut ends = log
        .lines()
        .filter(|line| line.contains("plugin=brittle") && line.contains("it is started again in"));
    // Whoever has done so once is asked apart from then on.
    assert_eq!(ends.clone().count(), 1, "{log}");
    assert!(ends.all(|line| line.contains("again in 0ns")), "{log}");
    let skipped = fails(&store).await;
    assert!(skipped.message().contains("is skipped"), "{skipped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_says_what_is_no_message_is_ended_at_once() {
    let mut entry = faulty("garbage", "babbles");
    entry.timeout = Some(Duration::from_secs(300));
    let store = opened(entry).await;
    let error = fails(&store).await;
    assert!(
        error.message().contains("its process ended before"),
        "{error}"
    );
    works(&store).await;
    let log = logged();
    let mut lines = log.lines().filter(|line| line.contains("plugin=babbles"));
    assert!(
        lines.any(|line| line.contains("what is no message")),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_too_many_threads_is_ended() {
    let mut entry = faulty("crowd", "crowded-process");
    entry.timeout = Some(Duration::from_secs(300));
    let store = opened(entry).await;
    fails(&store).await;
    works(&store).await;
    let log = logged();
    let mut lines = log.lines();
    let told = |line: &str| line.contains("crowded-process") && line.contains("more than 768");
    assert!(lines.any(told), "{log}");
}

#[tokio::test]
async fn calls_that_reach_beyond_the_process_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (call, fine) in [
        ("open", true),
        ("fchmod", true),
        ("mkdir", true),
        ("getfl", true),
        ("private", true),
        ("shared-file", true),
        ("chmod", false),
        ("fchmod-setuid", false),
        ("fchmod-setgid", false),
        ("open-setuid", false),
        ("open-setgid", false),
        ("mkdir-setgid", false),
        ("mknod-setuid", false),
        ("setown", false),
        ("setown-ex", false),
        ("setsig", false),
        ("async", false),
        ("lease", false),
        ("pipe-size", false),
        ("shared", false),
        ("grows", false),
        ("zeroes", false),
        ("memfd", false),
        ("shmget", false),
        ("msgget", false),
        ("semget", false),
    ] {
        let what = format!("{call}:{}", folder.path().display());
        let answer = tries("call", &what, may_write(folder.path())).await;
        assert_eq!(answer.is_none(), fine, "{call}: {answer:?}");
        assert!(fine || denied(answer), "{call}");
    }
    // As on a kernel that does not have it, so that programs take the older call, whose arguments are seen.
    let what = format!("openat2:{}", folder.path().display());
    let answer = tries("call", &what, may_write(folder.path())).await;
    assert!(answer.is_some_and(|text| text.contains("not implemented")));
}

#[tokio::test]
async fn a_process_that_cannot_open_says_why() {
    for (fault, end) in [
        (
            "open-error",
            "did not open: the database is locked; its process reaches only what the entry's `allow` grants",
        ),
        (
            "open-panic",
            "did not open: the plugin panicked: cannot even open",
        ),
        (
            "open-abort",
            "did not open: its process was ended by signal 6",
        ),
        ("nonsense", "`config.fault` cannot be `nonsense`"),
    ] {
        let sentence = open(vec![faulty(fault, "not-there")]).await.err().unwrap();
        let sentence = sentence.to_string();
        assert!(sentence.contains(end), "{sentence}");
        assert!(
            sentence.starts_with("convoke.toml:12:1: store `test-faulty`"),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn a_flood_of_events_is_cut_and_the_process_ended() {
    let mut entry = faulty("log-for-ever", "talks");
    entry.timeout = Some(DEADLINE);
    let store = opened(entry).await;
    fails(&store).await;
    works_soon(&store, "plugin=talks").await;
    let log = logged();
    let lines = log.lines().filter(|line| line.contains("plugin=talks"));
    let lines = lines
        .filter(|line| line.contains("and another thing"))
        .count();
    assert!((1..=5_000).contains(&lines), "{lines} lines");
}

/// What a plugin that tries something is told: `None` if it works.
async fn tries(fault: &str, what: &str, may: Confinement) -> Option<String> {
    let config = format!("fault = '{fault}'\nwhat = '{what}'");
    let store = opened(isolated(store("test-faulty", &config), may)).await;
    let error = fails(&store).await;
    match error.kind() {
        ErrorKind::NotFound => None,
        ErrorKind::Denied => Some(error.message().to_owned()),
        kind => panic!("{kind:?}: {error}"),
    }
}

fn may_read(path: &Path) -> Confinement {
    Confinement {
        read: vec![path.to_owned()],
        ..Confinement::default()
    }
}

fn may_write(path: &Path) -> Confinement {
    Confinement {
        write: vec![path.to_owned()],
        ..Confinement::default()
    }
}

fn may_connect(connect: Connect) -> Confinement {
    Confinement {
        connect,
        ..Confinement::default()
    }
}

fn denied(answer: Option<String>) -> bool {
    answer.is_some_and(|text| {
        text.contains("Permission denied") || text.contains("Operation not permitted")
    })
}

#[tokio::test]
async fn files_are_out_of_reach_unless_they_are_granted() {
    let folder = tempfile::tempdir().unwrap();
    let (granted, other) = (folder.path().join("granted"), folder.path().join("other"));
    fs::create_dir(&granted).unwrap();
    fs::create_dir(&other).unwrap();
    let file = granted.join("secret.txt");
    fs::write(&file, "secret").unwrap();
    let name = file.to_str().unwrap();
    for (fault, may, fine) in [
        ("read", Confinement::default(), false),
        ("read", may_read(&other), false),
        ("read", may_read(&granted), true),
        ("read", may_read(&file), true),
        ("read", may_write(&granted), true),
        ("write", may_read(&granted), false),
        ("write", may_write(&other), false),
        ("write", may_write(&granted), true),
    ] {
        let answer = tries(fault, name, may.clone()).await;
        assert_eq!(answer.is_none(), fine, "{fault} {may:?}: {answer:?}");
        assert!(fine || denied(answer));
    }
    let nowhere = folder.path().join("nowhere");
    let entry = isolated(store("test-faulty", "fault = 'tell'"), may_read(&nowhere));
    let sentence = open(vec![entry]).await.err().unwrap().to_string();
    assert!(sentence.contains("`allow.read` grants /"), "{sentence}");
    assert!(
        sentence.ends_with("make it, or correct the path"),
        "{sentence}"
    );
}

#[tokio::test]
async fn no_more_than_512_files_are_open_at_once() {
    let may = may_read(Path::new("/dev/null"));
    let entry = isolated(store("test-faulty", "fault = 'hoard'"), may);
    let store = opened(entry).await;
    let error = fails(&store).await;
    let Some((files, refused)) = error.message().split_once(" files: ") else {
        panic!("{error}");
    };
    let files: usize = files.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((400..512).contains(&files), "{error}");
    assert!(refused.contains("Too many open files"), "{error}");
    works(&store).await; // the hoard went with the call
}

#[tokio::test]
async fn sockets_are_out_of_reach_unless_they_are_granted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for (connect, fine) in [
        (Connect::Nowhere, false),
        (Connect::Ports(vec![1]), false),
        (Connect::Ports(vec![1, address.port()]), true),
        (Connect::Anywhere, true),
    ] {
        let answer = tries(
            "connect",
            &address.to_string(),
            may_connect(connect.clone()),
        )
        .await;
        assert_eq!(answer.is_none(), fine, "{connect:?}: {answer:?}");
        assert!(fine || denied(answer));
    }
}

#[tokio::test]
async fn programs_and_other_processes_are_out_of_reach() {
    let all = || Confinement {
        read: vec!["/".into()],
        connect: Connect::Anywhere,
        ..Confinement::default()
    };
    assert!(denied(tries("run", "/bin/true", all()).await));
    let host = std::process::id().to_string();
    assert!(denied(tries("signal", &host, all()).await));
}

#[tokio::test]
async fn nothing_of_the_host_leaks_into_a_process() {
    // Descriptors that the host holds, and an environment that every process of a test has.
    let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _file = tempfile::tempfile().unwrap();
    assert!(std::env::vars().any(|(name, _)| name == "PATH"));
    let may = Confinement {
        read: vec!["/proc".into()],
        ..Confinement::default()
    };
    let seen = tries("tell", "", may).await.unwrap();
    assert!(
        seen.contains(
            ": [\"MALLOC_ARENA_MAX\"] [\"convoke\", \"plugin-process\", \"test-faulty\"]"
        ),
        "{seen}"
    );
    let open = seen.rsplit("] [").next().unwrap();
    for entry in open.split(", ") {
        let own = ["/dev/null", "socket:", "pipe:", "anon_inode:", "/memfd:"];
        assert!(own.iter().any(|it| entry.contains(it)), "{entry} in {seen}");
    }
    // The line to the host in two halves, and the pairs that two runtimes wake themselves with.
    assert!(open.matches("socket:").count() <= 8, "{seen}");
    assert_eq!(open.matches("pipe:").count(), 1, "standard error: {seen}");
}

#[tokio::test]
async fn all_kinds_answer_and_events_are_logged_under_the_name_of_the_instance() {
    let config = "domains.'example.com' = 'https://cal.example.com/ischedule'";
    let mut entry = isolated(discovery("test-sample", config), Confinement::default());
    entry.name = Some("finder-apart".to_owned());
    let plugins: Plugins = open(vec![entry]).await.unwrap();
    let found = plugins
        .discovery
        .discover(&address("anna@example.com"))
        .await;
    let Ok(Discovered::Receivers(receivers)) = found else {
        panic!("{found:?}");
    };
    assert_eq!(receivers[0].valid_for, Some(Duration::from_millis(1500)));
    assert_eq!(plugins.list()[0].isolation, "process");
    let log = logged();
    let line = log
        .lines()
        .find(|line| line.contains("plugin=finder-apart"));
    assert!(
        line.is_some_and(
            |line| line.contains("looked up") && line.contains("instance=finder-apart")
        ),
        "{log}"
    );
}
