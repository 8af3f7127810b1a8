//! Plugins that are programs: what they say first, what they do wrong, and how far they are confined.

use crate::world::{address, discovery, isolated, logged, open, policy, setup, store};
use convoke_plugin_host::{
    Confinement, Connect, Interface, PluginEntry, PluginState, Plugins, Setup, StoreHandle,
};
use convoke_sdk::{
    Error, ErrorKind,
    remote::{PluginFile, TrustedKey},
};
use convoke_tests::plugin_program;
use std::{
    fs, io,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A copy of the program that misbehaves, whose name says how it does so first.
struct Copy {
    _folder: TempDir,
    file: PathBuf,
}

impl Copy {
    fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::copy(plugin_program(), &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            _folder: folder,
            file,
        }
    }

    fn script(text: &str) -> Self {
        let copy = Self::named("acme.sh");
        fs::write(&copy.file, text).unwrap();
        copy
    }

    /// An entry of a store.
    fn store(&self, config: &str) -> PluginEntry {
        let entry = store(self.file.to_str().unwrap(), config);
        isolated(entry, Confinement::default())
    }
}

/// An entry of the program as a store that goes wrong so, and is called so.
fn faulty(fault: &str, name: &str) -> PluginEntry {
    let program = plugin_program();
    let entry = store(program.to_str().unwrap(), &format!("fault = '{fault}'"));
    PluginEntry {
        name: Some(name.to_owned()),
        ..isolated(entry, Confinement::default())
    }
}

async fn opened(entry: PluginEntry) -> Arc<StoreHandle> {
    let plugins = open(vec![entry])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(plugins.stores.iter().next().unwrap())
}

async fn refused(entry: PluginEntry) -> String {
    let refused = open(vec![entry]).await.err().expect("it is refused");
    refused.to_string()
}

async fn fails(store: &StoreHandle) -> Error {
    store.find(&address("anna@example.org")).await.unwrap_err()
}

async fn works(store: &StoreHandle) {
    assert_eq!(store.find(&address("fine@example.org")).await, Ok(None));
}

#[tokio::test]
async fn a_program_goes_by_what_it_calls_itself_and_is_what_its_entry_says() {
    let program = plugin_program();
    let program = program.to_str().unwrap();
    let may = Confinement::default;
    let plugins = open(vec![
        isolated(store(program, ""), may()),
        isolated(discovery(program, ""), may()),
    ]);
    let plugins = plugins.await.unwrap();
    let list = plugins.list();
    let seen = list
        .iter()
        .map(|it| (it.name.as_str(), it.kind.as_str(), it.is_exclusive));
    assert!(seen.eq([
        ("test-process-2", "discovery", false),
        ("test-process", "store", true)
    ]));
    assert_eq!(list[0].interface, Interface::Process(1));
    assert_eq!(
        (list[0].version.as_str(), list[0].isolation),
        ("1.2.3", "process")
    );
    // It answers `null`, which is no answer of this kind.
    let found = plugins
        .discovery
        .discover(&address("fine@example.org"))
        .await;
    let error = found.unwrap_err();
    assert!(
        error
            .message()
            .contains("the plugin's answer cannot be read"),
        "{error}"
    );
    let sentence = refused(isolated(policy(program, ""), may())).await;
    let end = "offers discovery and store, not policy; list it under `[[discovery]]`";
    assert!(sentence.ends_with(end), "{sentence}");
    drop(plugins);
    convoke_plugin_host::isolated::all_closed().await;
    let log = logged();
    let mut lines = log.lines().filter(|line| line.contains("it closes"));
    assert!(
        lines.any(|line| line.contains("plugin=test-process-2 ")),
        "{log}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_greeting_is_said() {
    for (name, end) in [
        (
            "ends",
            "its process ended with exit status 3; it said last: there is no such module; its process reaches only what the entry's `allow` grants",
        ),
        (
            "garbage",
            "its process said what is no message (expected value at line 1 column 1) and was ended; its process reaches only what the entry's `allow` grants",
        ),
        (
            "huge",
            "its process said what is no message (a frame is too long) and was ended; its process reaches only what the entry's `allow` grants",
        ),
        (
            "opened",
            "its process said what is no message (it opens before it says what it is) and was ended; its process reaches only what the entry's `allow` grants",
        ),
        (
            "refuses",
            "Python 3.9 is too old; its process reaches only what the entry's `allow` grants",
        ),
        (
            "later",
            "it speaks version 7 of the process protocol, and this host version 1; install the plugin or the host in a version that fits",
        ),
        (
            "nameless",
            "it calls itself `Acme's best`; a plugin's name is 1 to 64 of a-z, 0-9 and -, and begins with a letter",
        ),
    ] {
        let sentence = refused(Copy::named(name).store("")).await;
        let start = format!("/{name} does not introduce itself: ");
        let says = sentence
            .split_once(&start)
            .unwrap_or_else(|| panic!("{sentence}"));
        assert_eq!(says.1, end, "{name}");
    }
}

#[tokio::test]
async fn a_program_that_does_not_say_what_it_is_is_given_up() {
    let begun = Instant::now();
    let sentence = refused(Copy::named("silent").store("")).await;
    let end = "it does not say within 10s what it is";
    assert!(sentence.contains(end), "{sentence}");
    assert!(begun.elapsed() < Duration::from_secs(40));
}

#[tokio::test]
async fn a_program_that_greets_twice_does_not_open() {
    let sentence = refused(Copy::named("twice").store("")).await;
    assert!(sentence.contains("it says twice what it is"), "{sentence}");
}

#[tokio::test]
async fn a_program_that_does_not_open_says_why() {
    for (fault, end) in [
        (
            "open-error",
            "did not open: the database is locked; its process reaches only what the entry's `allow` grants",
        ),
        ("open-key", "`config.path` is missing; add it"),
        (
            "open-exit",
            "did not open: its process ended with exit status 4",
        ),
    ] {
        let sentence = refused(faulty(fault, "not-there")).await;
        assert!(sentence.ends_with(end), "{sentence}");
    }
}

#[tokio::test]
async fn a_program_that_ends_or_babbles_costs_one_answer() {
    for (fault, manner) in [
        ("abort", "its process was ended by signal 6 (SIGABRT"),
        ("exit", "its process ended with exit status 3"),
        ("allocate", "its process was ended by signal 6 (SIGABRT"),
        ("garbage", "its process said what is no message"),
        (
            "huge",
            "its process said what is no message (a frame is too long)",
        ),
        ("crowd", "threads, more than 768, and was ended"),
    ] {
        let name = format!("program-{fault}");
        let store = opened(faulty(fault, &name)).await;
        works(&store).await;
        let error = fails(&store).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let said = format!("plugin `{name}`: its process ended before it answered");
        assert_eq!(error.message(), said);
        works(&store).await;
        assert!(matches!(store.info().state, PluginState::Ready));
        let log = logged();
        let mut lines = log
            .lines()
            .filter(|line| line.contains(&format!("plugin={name}")));
        assert!(
            lines.any(|line| line.contains(manner)),
            "{manner} is not in\n{log}"
        );
    }
}

/// It answers no ping any more, and is ended for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_hangs_is_replaced() {
    let mut entry = faulty("block", "program-hangs");
    entry.timeout = Some(Duration::from_secs(300));
    let store = opened(entry).await;
    let error = fails(&store).await;
    assert!(
        error
            .message()
            .contains("its process ended before it answered"),
        "{error}"
    );
    works(&store).await;
    let log = logged();
    let mut lines = log
        .lines()
        .filter(|line| line.contains("plugin=program-hangs"));
    assert!(
        lines.any(|line| line.contains("did not answer a ping and was ended")),
        "{log}"
    );
}

/// What a program that tries something is told; an error, if the system does not let it.
async fn tries(fault: &str, what: &str, may: Confinement) -> Result<String, String> {
    let config = format!("fault = '{fault}'\nwhat = '{what}'");
    let program = plugin_program();
    let store = opened(isolated(store(program.to_str().unwrap(), &config), may)).await;
    let error = fails(&store).await;
    let (_, text) = error.message().split_once(": ").unwrap();
    match error.kind() {
        ErrorKind::NotFound => Ok(text.to_owned()),
        ErrorKind::Denied => Err(text.to_owned()),
        kind => panic!("{kind:?}: {error}"),
    }
}

fn is_denied(answer: &Result<String, String>) -> bool {
    answer.as_ref().is_err_and(|text| {
        text.contains("Permission denied") || text.contains("Operation not permitted")
    })
}

#[tokio::test]
async fn a_program_reaches_no_more_than_a_library() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.txt");
    fs::write(&file, "secret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap().to_string();
    let file = file.to_str().unwrap();
    let nothing = Confinement::default;
    let read = || Confinement {
        read: vec!["/".into()],
        ..nothing()
    };
    let write = || Confinement {
        write: vec![folder.path().to_owned()],
        ..nothing()
    };
    let connect = || Confinement {
        connect: Connect::Anywhere,
        ..nothing()
    };
    for (fault, what, may, fine) in [
        ("read", file, nothing(), false),
        ("read", file, read(), true),
        ("write", file, read(), false),
        ("write", file, write(), true),
        ("connect", &peer, read(), false),
        ("connect", &peer, connect(), true),
        // Neither beside itself nor in its place.
        ("start", "/bin/true", read(), false),
        ("become", "/bin/true", read(), false),
        ("become-itself", "", read(), false),
    ] {
        let answer = tries(fault, what, may).await;
        assert_eq!(answer.is_ok(), fine, "{fault} {what}: {answer:?}");
        assert!(fine || is_denied(&answer), "{fault} {what}: {answer:?}");
    }
}

#[tokio::test]
async fn nothing_of_the_host_is_left_in_a_program() {
    let _file = tempfile::tempfile().unwrap();
    let may = || Confinement {
        read: vec!["/proc".into()],
        ..Confinement::default()
    };
    let seen = tries("tell", "", may()).await.unwrap();
    let start = r#"[("MALLOC_ARENA_MAX", "2"), ("LANG", "C.UTF-8")] ["test-process"] ["#;
    let open = seen.strip_prefix(start).unwrap_or_else(|| panic!("{seen}"));
    // The line to the host twice, and standard error.
    let open: Vec<_> = open.trim_end_matches(']').split(", ").collect();
    let [input, output, error] = open.as_slice() else {
        panic!("{seen}");
    };
    assert!(
        input.contains("socket:") && input == output && error.contains("pipe:"),
        "{seen}"
    );
    let seen = tries("capabilities", "", may()).await.unwrap();
    for line in [
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(seen.contains(line), "{seen}");
    }
}

#[tokio::test]
async fn a_program_is_checked_as_a_library_is() {
    let copy = Copy::named("acme");
    let path = copy.file.to_str().unwrap().to_owned();
    let sentence = refused(store(&path, "")).await;
    let end = "acme is a program, which runs in a process of its own only; write `isolation = \"process\"` in its entry";
    assert!(sentence.ends_with(end), "{sentence}");

    let mode = |mode| fs::set_permissions(&copy.file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let sentence = refused(copy.store("")).await;
    assert!(
        sentence.ends_with("is a program that its owner may not run; `chmod u+x` it"),
        "{sentence}"
    );
    mode(0o757);
    let sentence = refused(copy.store("")).await;
    assert!(
        sentence.contains("everybody on this machine can write it (mode 0757)"),
        "{sentence}"
    );
    mode(0o755);

    let right = PluginFile::read(&copy.file).unwrap().sha256();
    let mut entry = copy.store("");
    entry.sha256 = Some("00".repeat(32));
    let sentence = refused(entry.clone()).await;
    assert!(
        sentence.contains(&format!("has the sha256 {right}, not 0000")),
        "{sentence}"
    );
    entry.sha256 = Some(right);
    assert!(open(vec![entry]).await.is_ok());

    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let key = TrustedKey::from_text(&pair.pk.to_base64()).unwrap();
    let signed = async || {
        let setup = Setup {
            trusted_keys: vec![key.clone()],
            ..setup(vec![copy.store("")])
        };
        Plugins::open(&setup)
            .await
            .map(drop)
            .map_err(|errors| errors.to_string())
    };
    let sentence = signed().await.unwrap_err();
    assert!(sentence.contains("acme: is not signed"), "{sentence}");
    let bytes = io::Cursor::new(fs::read(&copy.file).unwrap());
    let signature = minisign::sign(Some(&pair.pk), &pair.sk, bytes, None, None).unwrap();
    fs::write(format!("{path}.minisig"), signature.to_string()).unwrap();
    signed().await.unwrap();
}

#[tokio::test]
async fn a_script_says_by_whom_it_is_read() {
    for (text, says) in [
        (
            "#!/usr/bin/env -S sh -e\n",
            "asks more of `env` than to find a program",
        ),
        (
            "#!/nowhere/sh\n",
            "is to be read by /nowhere/sh, which is no program",
        ),
        // It runs, and says nothing.
        (
            "#!/bin/sh\nexit 5\n",
            "its process ended with exit status 5",
        ),
        (
            "#!/usr/bin/env sh\necho no such thing >&2\n",
            "it said last: no such thing",
        ),
        // It may not start anything.
        ("#!/bin/sh\n/bin/true\n", "2: Cannot fork"),
    ] {
        let sentence = refused(Copy::script(text).store("")).await;
        assert!(sentence.contains(says), "{text}: {sentence}");
    }
}

/// What was checked is what runs, whatever happens to the file.
#[tokio::test]
async fn a_program_is_started_again_as_it_was_checked() {
    let copy = Copy::named("acme");
    let store = opened(copy.store("fault = 'abort'")).await;
    // Written over, as whoever copies a new version does it.
    fs::write(&copy.file, "#!/bin/sh\nexit 1\n").unwrap();
    works(&store).await;
    fails(&store).await;
    works(&store).await;
    fs::remove_file(&copy.file).unwrap();
    fails(&store).await;
    works(&store).await;
}

#[tokio::test]
async fn a_program_in_a_plugin_folder_is_found_by_its_name() {
    let copy = Copy::named("acme-finder");
    let folder = copy.file.parent().unwrap().to_owned();
    let entry = |plugin: &str| isolated(discovery(plugin, ""), Confinement::default());
    let open = async |plugin: &str| {
        let setup = Setup {
            plugin_directories: vec![folder.clone()],
            ..setup(vec![entry(plugin)])
        };
        Plugins::open(&setup).await
    };
    let plugins = open("acme-finder").await.unwrap();
    assert_eq!(plugins.list()[0].file, copy.file);
    assert!(open("acme-finde").await.is_err());
    let found: Vec<_> = convoke_plugin_host::installed(&Setup {
        plugin_directories: vec![folder.clone()],
        ..setup(Vec::new())
    });
    let found: Vec<&Path> = found.iter().map(|it| it.file.as_path()).collect();
    assert_eq!(found, [copy.file.as_path()]);
}
