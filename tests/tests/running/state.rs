//! What the host must not forget: who may use its folder, and files that it cannot go on with.

use convoke_tests::{Host, Post, Setup, plugin_file, program};
use rusqlite::Connection;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";
const NOBODY: u32 = 65534;

fn serve(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .args(["serve", "--while-stdin-open", "--config", "convoke.toml"])
        .current_dir(folder);
    command
}

/// What a host says that does not start.
fn refused(command: &mut Command) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        said += &line.unwrap();
        // One that does start goes on for as long as stdin is open.
        if said.contains("\"ready\"") {
            child.stdin = None;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    said
}

/// A host that was started once and has ended.
fn ended() -> Host {
    let mut host = Setup::new().users(&[BO]).start();
    host.signal("TERM");
    assert!(host.wait().success());
    host
}

fn database(host: &Host) -> PathBuf {
    host.folder().join("state/state.db")
}

#[test]
fn a_second_host_is_refused_and_a_killed_one_leaves_nothing_behind() {
    let mut host = Setup::new().users(&[BO]).start();
    let state = host.folder().join("state");
    let said = refused(&mut serve(host.folder()));
    let says = format!(
        "{}: another convoke serves with this state folder",
        state.display()
    );
    assert!(said.contains(&says), "{said}");
    // The first one does not notice.
    assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
    host.signal("KILL");
    host.wait();
    host.start_again();
    assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
}

#[test]
fn a_reload_takes_another_folder_unless_somebody_uses_it() {
    let mut host = Setup::new().users(&[BO]).start();
    let mut other = Setup::new().users(&[BO]).start();
    let taken = other.folder().join("state");
    let configured = fs::read_to_string(host.folder().join("convoke.toml")).unwrap();
    let with_state = |state: &Path| {
        let line = format!("state = {state:?}");
        let text = configured.replacen("state = \"state\"", &line, 1);
        fs::write(host.folder().join("convoke.toml"), text).unwrap();
    };
    let reload = |config: &str| {
        let mut reload = Command::new(program());
        let reload = reload.arg("reload").arg("--config").arg(config);
        let output = reload.current_dir(host.folder()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    // Commands find the host by the folder it has now.
    fs::write(host.folder().join("before.toml"), &configured).unwrap();
    with_state(&taken);
    let (done, said) = reload("before.toml");
    assert!(!done && said.contains("another convoke serves"), "{said}");
    let free = host.folder().join("elsewhere");
    with_state(&free);
    let (done, said) = reload("before.toml");
    assert!(done, "{said}");
    assert!(free.join("state.db").exists());
    // The one that was left is free.
    let left = host.folder().join("state");
    let there = other.folder().join("convoke.toml");
    let text = fs::read_to_string(&there).unwrap();
    other.signal("TERM");
    assert!(other.wait().success());
    fs::write(&there, text.replacen("\"state\"", &format!("{left:?}"), 1)).unwrap();
    let mut started = serve(other.folder());
    let mut started = started
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let listeners = left.join("listeners.json");
    fs::remove_file(&listeners).unwrap_or_default();
    while !listeners.exists() {
        assert!(started.try_wait().unwrap().is_none(), "it does not start");
        std::thread::yield_now();
    }
    drop(started.stdin.take());
    assert!(started.wait().unwrap().success());
    host.signal("TERM");
    assert!(host.wait().success());
}

#[test]
fn a_host_waits_for_the_command_before_it() {
    let host = ended();
    let mut command = Command::new("flock");
    let mut command = command
        .args(["--shared", "state/lock", "cat"])
        .current_dir(host.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it answers it holds the lock.
    let (mut stdin, mut stdout) = (
        command.stdin.take().unwrap(),
        command.stdout.take().unwrap(),
    );
    std::io::Write::write_all(&mut stdin, b"!").unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
    // Others beside it go on.
    let users = Command::new(program())
        .args(["user", "list", "--config", "convoke.toml"])
        .current_dir(host.folder())
        .output()
        .unwrap();
    assert!(users.status.success(), "{users:?}");
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| host.started());
        drop(stdin);
        command.wait().unwrap();
        let host = starting.join().unwrap();
        assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
    });
}

#[test]
fn a_state_that_the_host_cannot_go_on_with_is_named_and_left_alone() {
    type Spoil = fn(&Path);
    let cases: [(Spoil, &str); 4] = [
        (
            |path| {
                let ours = Connection::open(path).unwrap();
                ours.pragma_update(None, "user_version", 99).unwrap();
            },
            "was written by a newer state-sqlite",
        ),
        (
            |path| fs::write(path, "Dear diary,\n".repeat(100)).unwrap(),
            "is not an SQLite database",
        ),
        (
            |path| {
                let calendars = path.with_file_name("../calendars.db");
                fs::copy(calendars, path).unwrap();
            },
            "is a database of another program",
        ),
        (
            |path| {
                let copy = path.with_extension("copy");
                fs::copy(path, &copy).unwrap();
                fs::rename(copy, path).unwrap();
            },
            "is a copy of a state",
        ),
    ];
    for (spoil, says) in cases {
        let host = ended();
        let path = database(&host);
        spoil(&path);
        let before = fs::read(&path).unwrap();
        let said = refused(&mut serve(host.folder()));
        let says = format!("{} {says}", path.display());
        assert!(said.contains(&says), "{said}");
        let check = Command::new(program())
            .args(["check", "--open", "--config", "convoke.toml"])
            .current_dir(host.folder())
            .output()
            .unwrap();
        let checked = String::from_utf8(check.stdout).unwrap();
        assert!(checked.contains(&says), "{checked}");
        assert_eq!(fs::read(&path).unwrap(), before, "{says}");
        // A new one is begun where it was moved away.
        fs::rename(&path, path.with_extension("away")).unwrap();
        drop(host.started());
    }
}

#[test]
#[cfg_attr(
    not(may_become_nobody),
    ignore = "only root can become somebody else, who must reach the program"
)]
fn a_state_that_may_not_be_written_is_named() {
    let host = ended();
    own(host.folder());
    let as_nobody = || {
        let mut command = serve(host.folder());
        command.uid(NOBODY).gid(NOBODY);
        command
    };
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let (file, folder) = (database(&host), host.folder().join("state"));
    mode(&file, 0o400);
    let said = refused(&mut as_nobody());
    assert!(
        said.contains(&format!("{} cannot be written", file.display())),
        "{said}"
    );
    mode(&file, 0o600);
    mode(&folder, 0o500);
    let said = refused(&mut as_nobody());
    assert!(
        said.contains(&format!("{} cannot be written", file.display())),
        "{said}"
    );
    // For whoever clears the folder away.
    mode(&folder, 0o700);
}

/// Gives a folder to nobody.
fn own(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            own(&path);
        } else {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
}

#[test]
fn without_the_plugin_for_it_a_host_does_not_start() {
    let host = ended();
    let plugins = host.folder().join("plugins");
    fs::create_dir(&plugins).unwrap();
    for plugin in ["policy-rules", "store-vdir"] {
        let library = plugin_file(plugin);
        fs::copy(&library, plugins.join(library.file_name().unwrap())).unwrap();
    }
    let text = fs::read_to_string(host.folder().join("convoke.toml")).unwrap();
    let known = convoke_tests::plugin_directory();
    let text = text
        .replace(known.to_str().unwrap(), "plugins")
        .replace("store-sqlite", "store-vdir");
    fs::write(host.folder().join("convoke.toml"), text).unwrap();
    let said = refused(&mut serve(host.folder()));
    let says = format!(
        "state `state-sqlite`, which keeps what the host must not forget where no `[[state]]` says otherwise: there is no such \
         plugin at {}; there are policy-rules, store-vdir",
        plugins.display()
    );
    assert!(said.contains(&says), "{said}");
}

/// A disk of 3 MiB for the state alone, which only the host sees.
const SMALL_DISK: &str = "mount -t tmpfs -o size=3m none small && dd if=/dev/zero of=small/filler bs=1k count=1800 status=none && \
     exec \"$@\"";

#[test]
#[cfg_attr(not(may_unshare), ignore = "needs `unshare --user --mount`")]
fn a_full_disk_costs_what_does_not_fit_and_nothing_else() {
    let wrapper = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        SMALL_DISK,
        "sh",
    ];
    // Large enough that the disk is soon full of what is remembered of it.
    let long = |uid: &str| {
        let text = format!("DESCRIPTION:{}\nEND:VEVENT", "long ".repeat(8000));
        Post::invitation(uid, ANNA, &[BO]).edited("END:VEVENT", &text)
    };
    let mut host = Setup::new()
        .users(&[BO])
        .folder("small")
        .table(
            "[[state]]",
            "plugin = \"state-sqlite\"\nconfig.path = \"small/state.db\"",
        )
        .through(&wrapper)
        .start();
    let mut taken = 0;
    while host.post(&long(&format!("long-{taken}"))).codes() == ["2.0"] {
        taken += 1;
        assert!(taken < 100, "the disk does not fill up");
    }
    assert!(taken > 0);
    let file = host.folder().join("small/state.db");
    host.wait_for(&format!("no space is left for {}", file.display()));
    // Nothing is remembered of it, and nothing is asked of what could be.
    assert_eq!(host.post(&Post::free_busy(ANNA, &[BO])).codes(), ["2.0"]);
    let state = PathBuf::from(format!("/proc/{}/root", host.id()))
        .join(host.folder().strip_prefix("/").unwrap())
        .join("small");
    fs::remove_file(state.join("filler")).unwrap();
    // By and by: a plugin that kept failing is not asked for a while.
    while host.post(&long("after")).codes() != ["2.0"] {
        std::thread::yield_now();
    }
    for uid in (0..taken)
        .map(|number| format!("long-{number}"))
        .chain(["after".to_owned()])
    {
        assert!(host.stored(BO, &uid).is_some(), "{uid}");
    }
    host.signal("TERM");
    assert!(host.wait().success());
}

/// What receivers take is asked for once, whatever happens to the host that asks.
#[test]
fn what_a_receiver_takes_is_known_over_a_restart() {
    let bo = Setup::new().users(&[BO]).start();
    let receiver = format!(
        "plugin = \"discovery-static\"\nconfig.domains.\"example.org\" = \"https://localhost:{}/ischedule\"",
        bo.address("receiver").port()
    );
    let trust = format!(
        "allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"",
        bo.folder().join("ca.pem").display()
    );
    let mut anna = Setup::new()
        .server_domains(&["example.com"])
        .users(&[ANNA])
        .table("[client]", &trust)
        .table("[[discovery]]", &receiver)
        .start();
    let ask = |anna: &Host| {
        let asked = anna.submit(&Post::free_busy(ANNA, &[BO]));
        assert_eq!(asked.codes(), ["2.0"], "{}", anna.log());
        let metrics = bo.get("admin", "/metrics").body;
        let mut answers = metrics.lines().filter_map(|line| {
            let line = line.strip_prefix("convoke_answers_total{listener=\"receiver\"")?;
            let (_, count) = line.rsplit_once(' ')?;
            line.contains("status=\"200\"")
                .then(|| count.parse::<u32>().unwrap())
        });
        answers.next().unwrap()
    };
    assert_eq!(ask(&anna), 2, "its capabilities, and the question");
    assert_eq!(ask(&anna), 3);
    anna.signal("TERM");
    assert!(anna.wait().success());
    anna.start_again();
    assert_eq!(ask(&anna), 4, "the question alone");
}

#[test]
fn the_state_is_kept_where_the_configuration_says() {
    let elsewhere = "plugin = \"state-sqlite\"\nconfig.path = \"elsewhere.db\"";
    let mut host = Setup::new()
        .users(&[BO])
        .table("[[state]]", elsewhere)
        .start();
    assert!(host.folder().join("elsewhere.db").exists() && !database(&host).exists());
    // Named, but not said where.
    host.configure(|setup| setup.table("[[state]]", "plugin = \"state-sqlite\""));
    host.signal("HUP");
    host.wait_for("config-reloaded");
    assert!(database(&host).exists());
}
