//! A new configuration and new plugin files, whole or not at all, and no request fails meanwhile.

use convoke_tests::{Host, Post, Setup, plugin_file, program};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";
/// Descriptors that each version keeps for good where its tokio was built to take signals, as in a workspace with a host.
const SIGNALS: usize = 2;
const ANY: &str = "plugin = \"policy-rules\"\nconfig.rules = [{ allow = \"any\" }]";

/// What `convoke reload` says, and whether it succeeds.
fn reload(host: &Host) -> (bool, String) {
    let output = Command::new(program())
        .arg("reload")
        .arg("--config")
        .arg(host.folder().join("convoke.toml"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn reloaded(host: &Host) {
    let (done, said) = reload(host);
    assert!(done, "{said}");
    assert_eq!(said, "the configuration was read again\n");
}

/// Puts a plugin's library at `file`, as a package manager does.
fn install(plugin: &str, file: &Path) {
    let new = file.with_extension("new");
    fs::copy(plugin_file(plugin), &new).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn no_request_fails_while_the_configuration_is_read_again() {
    let mut host = Setup::new().users(&[BO]).start();
    let stop = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    let ask = Post::free_busy(ANNA, &[BO]).to_bytes();
    let address = host.address("receiver");
    let authority = host.authority().certificate();
    let connect = || convoke_tests::Peer::tls(address, &authority, None);
    thread::scope(|scope| {
        let load = |on_one_connection: bool| {
            let mut peer = connect();
            while !stop.load(Ordering::Relaxed) {
                if !on_one_connection {
                    peer = connect();
                }
                assert_eq!(peer.ask(&ask).codes(), ["2.0"]);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        };
        scope.spawn(move || load(true));
        scope.spawn(move || load(false));
        for round in 0..20_u32 {
            // Another limit, another policy's text, and a store that is opened anew each time.
            host.configure(|setup| {
                setup.table("[limits]", &format!("recipients = {}", 10 + round))
            });
            reloaded(&host);
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) >= 20);
    let metrics = host.get("admin", "/metrics").body;
    let failed = metrics.lines().filter(|line| {
        line.starts_with("convoke_answers_total{listener=\"receiver\"")
            && !line.contains("status=\"200\"")
    });
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing_and_says_why() {
    let mut host = Setup::new().users(&[BO]).start();
    for (header, text, said) in [
        ("[limits]", "recipient = 5", "did you mean `recipients`?"),
        (
            "[[store]]",
            "plugin = \"store-sqlite\"\nconfig.pth = \"x.db\"",
            "did you mean `path`?",
        ),
        (
            "[[policy]]",
            "plugin = \"no-such-policy\"",
            "there is no such plugin",
        ),
        (
            "[[listener]]",
            "role = \"admin\"\naddress = \"192.0.2.1:1\"",
            "cannot listen on 192.0.2.1:1 (admin)",
        ),
    ] {
        let setup_before = fs::read_to_string(host.folder().join("convoke.toml")).unwrap();
        host.configure(|setup| setup.table(header, text));
        let (done, answer) = reload(&host);
        assert!(!done);
        assert!(
            answer.starts_with("convoke: the new configuration is not used, the old one stays: "),
            "{answer}"
        );
        assert!(answer.contains(said), "{answer}");
        assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
        fs::write(host.folder().join("convoke.toml"), setup_before).unwrap();
        reloaded(&host);
        host.configure(|_| Setup::new().users(&[BO]));
    }
}

#[test]
fn without_a_host_reload_says_so() {
    let mut host = Setup::new().start();
    host.signal("TERM");
    assert!(host.wait().success());
    assert!(!host.folder().join("state/control").exists());
    let (done, said) = reload(&host);
    assert!(!done);
    assert!(said.contains("no running host can be reached"), "{said}");
}

#[test]
fn only_the_hosts_user_may_order_a_reload() {
    use std::os::unix::fs::PermissionsExt;
    let host = Setup::new().start();
    let socket = host.folder().join("state/control");
    let mode = fs::metadata(socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_new_version_of_a_plugin_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("acme.so");
    install("policy-rules", &file);
    let path = file.display();
    let mut host = Setup::new()
        .users(&[BO])
        .table(
            "[[policy]]",
            &format!("plugin = \"{path}\"\nconfig.rules = [{{ allow = \"any\" }}]"),
        )
        .start();
    let codes = |host: &Host| host.post(&Post::free_busy(ANNA, &[BO])).codes();
    assert_eq!(codes(&host), ["2.0"]);
    // The new version takes another configuration: all or nothing.
    install("test-sample", &file);
    let (done, said) = reload(&host);
    assert!(
        !done && said.contains("`config.rules` is not known"),
        "{said}"
    );
    assert_eq!(codes(&host), ["2.0"]);
    host.configure(|setup| {
        setup.table(
            "[[policy]]",
            &format!("plugin = \"{path}\"\nconfig.answer = \"deny\""),
        )
    });
    reloaded(&host);
    assert_eq!(codes(&host), ["3.8"]);
    // And back, with the first version's bytes.
    install("policy-rules", &file);
    host.configure(|setup| setup.table("[[policy]]", ANY));
    reloaded(&host);
    assert_eq!(codes(&host), ["2.0"]);
}

/// Each version of a plugin that was ever loaded stays, as code; what it ran with does not.
#[test]
fn versions_of_a_plugin_leave_no_threads_and_no_descriptors() {
    for (isolation, signals) in [("in-process", SIGNALS), ("process", 0)] {
        leave_nothing(isolation, signals);
    }
}

/// So many are loaded one after the other.
const VERSIONS: u8 = 16;

fn leave_nothing(isolation: &str, signals: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("acme.so");
    let version = |number: u8| {
        // What stands behind the last section is nothing to the loader.
        let library = [fs::read(plugin_file("policy-rules")).unwrap(), vec![number]].concat();
        let new = file.with_extension("new");
        fs::write(&new, library).unwrap();
        fs::rename(new, &file).unwrap();
    };
    version(0);
    let path = file.display();
    let policy =
        |rules: &str| format!("plugin = \"{path}\"\nisolation = \"{isolation}\"\nconfig.{rules}");
    let right = policy("rules = [{ allow = \"any\" }]");
    let mut host = Setup::new()
        .users(&[BO])
        .table("[[policy]]", &right)
        .start();
    let count = |host: &Host, what: &str| {
        let folder = format!("/proc/{}/{what}", host.id());
        fs::read_dir(folder).unwrap().count()
    };
    let codes = |host: &Host| host.post(&Post::free_busy(ANNA, &[BO])).codes();
    assert_eq!(codes(&host), ["2.0"]);
    version(1);
    reloaded(&host);
    let before = (count(&host, "task"), count(&host, "fd"));
    for number in 2..2 + VERSIONS {
        version(number);
        if number % 2 == 0 {
            // One that does not open.
            host.configure(|setup| setup.table("[[policy]]", &policy("rules = 7")));
            assert!(!reload(&host).0);
            host.configure(|setup| setup.table("[[policy]]", &right));
        }
        reloaded(&host);
        assert_eq!(codes(&host), ["2.0"]);
    }
    // The plugin's tokio shares the pair of sockets by which signals come among all that use one build of it.
    // What is left of half the versions, those that do not open, would be more than what comes and goes by itself.
    let coming_and_going = usize::from(VERSIONS / 2) - 2;
    let shared = usize::from(VERSIONS) * signals;
    let allowed = (before.0 + coming_and_going, before.1 + shared + 3);
    let begun = std::time::Instant::now();
    loop {
        let now = (count(&host, "task"), count(&host, "fd"));
        if now.0 <= allowed.0 && now.1 <= allowed.1 {
            break;
        }
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(60),
            "{before:?} threads and descriptors have become {now:?}"
        );
        thread::yield_now();
    }
}

#[test]
fn what_has_begun_is_finished_by_the_plugin_that_it_began_with() {
    for isolation in ["in-process", "process"] {
        let mut host = Setup::new().users(&[BO]).start();
        let sign = host.folder().join("go on");
        let waits = format!(
            "plugin = \"test-faulty\"\nisolation = \"{isolation}\"\nconfig.fault = \"wait\"\nconfig.what = {sign:?}"
        );
        let before = fs::read_to_string(host.folder().join("convoke.toml")).unwrap();
        host.configure(|setup| setup.table("[[store]]", &waits));
        reloaded(&host);
        let mut peer = host.connect();
        let ask = Post::free_busy(ANNA, &[BO]);
        thread::scope(|scope| {
            let begun = scope.spawn(|| peer.ask(&ask.to_bytes()).codes());
            host.wait_for("it waits");
            fs::write(host.folder().join("convoke.toml"), &before).unwrap();
            reloaded(&host);
            assert_eq!(host.post(&ask).codes(), ["2.0"], "the new plugin answers");
            fs::write(&sign, "").unwrap();
            assert_eq!(begun.join().unwrap(), ["3.7"], "the old one found nobody");
        });
    }
}

#[test]
fn listeners_come_and_go() {
    let mut host = Setup::new().users(&[BO]).start();
    let receiver = host.address("receiver");
    let admin = "role = \"admin\"\naddress = \"127.0.0.2:0\"";
    host.configure(|setup| setup.table("[[listener]]", admin));
    reloaded(&host);
    let notes = convoke::state_folder::listener_notes(&host.folder().join("state"));
    let added = notes
        .iter()
        .find(|note| note.address.ip().to_string() == "127.0.0.2");
    let added = added.expect("it is noted").address;
    let health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut open = convoke_tests::Peer::plain(added);
    assert_eq!(open.ask(health).status, 200);
    host.configure(|_| Setup::new());
    reloaded(&host);
    open.wait_until_closed();
    host.note_listeners();
    assert_eq!(host.address("receiver"), receiver);
    assert_eq!(host.get("admin", "/health").status, 200);
    let notes = convoke::state_folder::listener_notes(&host.folder().join("state"));
    assert!(notes.iter().all(|note| note.address != added));
}

/// Two copies of SQLite in one process undo each other's locks: the old version lets go of its files before the new one
/// opens them.
#[test]
fn two_versions_of_sqlite_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("libconvoke_store_sqlite.so");
    let version = |number: u8| {
        // What stands behind the last section is nothing to the loader.
        let library = [fs::read(plugin_file("store-sqlite")).unwrap(), vec![number]].concat();
        let new = file.with_extension("new");
        fs::write(&new, library).unwrap();
        fs::rename(new, &file).unwrap();
    };
    version(0);
    let path = file.display();
    let store = format!("plugin = \"{path}\"\nconfig.path = \"calendars.db\"");
    let state = format!("plugin = \"{path}\"\nconfig.path = \"state.db\"");
    let host = Setup::new()
        .users(&[BO])
        .table("[[store]]", &store)
        .table("[[state]]", &state)
        .start();
    let invite = |uid: &str| host.post(&Post::invitation(uid, ANNA, &[BO])).codes();
    assert_eq!(invite("before"), ["2.0"]);
    // Of one library, the next ones are opened beside the ones before.
    reloaded(&host);
    version(1);
    for name in ["calendars.db", "state.db"] {
        assert!(open_files(&host, name) > 0, "{name}");
    }
    reloaded(&host);
    assert_eq!(invite("after"), ["2.0"]);
    assert!(host.stored(BO, "before").is_some() && host.stored(BO, "after").is_some());
    // Those of the version before were closed: what is open now is what one version opens.
    let now = ["calendars.db", "state.db"].map(|name| open_files(&host, name));
    reloaded(&host);
    assert_eq!(invite("again"), ["2.0"]);
    host.wait_for("config-reloaded");
    assert!(now.iter().all(|open| (1..=4).contains(open)), "{now:?}");
}

/// How often the host has a file open.
fn open_files(host: &Host, name: &str) -> usize {
    let file = fs::canonicalize(host.folder().join(name)).unwrap();
    let open = fs::read_dir(format!("/proc/{}/fd", host.id())).unwrap();
    let links = open.filter_map(|it| fs::read_link(it.unwrap().path()).ok());
    links.filter(|link| *link == file).count()
}
