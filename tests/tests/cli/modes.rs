//! Files that others on the machine can read or write.

use crate::desk::{Desk, said};
use convoke_tests::plugin_file;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    process::Stdio,
};

const KEYS: &str = "
[signing]
domain = \"example.org\"
selector = \"is1\"
key = \"dkim.pem\"
lookup = [\"private-exchange\"]
[verification]
private_exchange = \"keys\"
[client]
certificate = \"client.pem\"
key = \"client.key\"
";

/// A desk with keys of every sort, and with plugins of its own.
fn desk() -> Desk {
    let desk = Desk::new();
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let plugins = convoke_tests::plugin_directory().display().to_string();
    let config = config.replace(&plugins, "plugins").replace(
        "users =",
        "tls = { certificate = \"host.pem\", key = \"host.key\" }\nusers =",
    );
    desk.write("convoke.toml", &format!("{config}{KEYS}"));
    for plugin in ["policy-rules", "store-sqlite"] {
        let file = plugin_file(plugin);
        let name = file.file_name().unwrap().to_str().unwrap();
        desk.write(&format!("plugins/{name}"), "");
        fs::copy(&file, desk.path("plugins").join(name)).unwrap();
    }
    fs::create_dir(desk.path("state")).unwrap();
    desk.write("keys/example.com/one", "v=DKIM1; p=\n");
    for name in ["host", "client"] {
        convoke_tests::Credentials::self_signed(&["example.org"], false)
            .write(&desk.path(""), name);
    }
    let made = desk.run(&["keys", "generate"]);
    assert_eq!(made.status, 0, "{made:?}");
    for (name, mode) in [
        ("dkim.pem", 0o640),
        ("convoke.toml", 0o664),
        ("state", 0o775),
    ] {
        chmod(&desk, name, mode);
    }
    desk
}

fn chmod(desk: &Desk, name: &str, mode: u32) {
    fs::set_permissions(desk.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(desk: &Desk, name: &str) -> u32 {
    fs::metadata(desk.path(name)).unwrap().permissions().mode()
}

/// What `serve` says before it is ready, or before it ends; and whether it became ready.
fn serve(desk: &Desk) -> (bool, String) {
    let mut command = desk.command(&["serve", "--while-stdin-open"]);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = String::new();
    let mut ready = false;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        log.push_str(&line.unwrap());
        log.push('\n');
        ready = log.contains("\"ready\"");
        if ready {
            break;
        }
    }
    drop(child.stdin.take());
    let _ = child.kill();
    let _ = child.wait();
    (ready, log)
}

#[test]
fn what_others_can_read_or_write_is_refused_or_warned_of() {
    let desk = desk();
    let (ready, log) = serve(&desk);
    assert!(ready && !log.contains("chmod"), "{log}");
    let checked = desk.run(&["check"]).out;
    assert!(!checked.contains("chmod"), "{checked}");
    assert!(checked.contains("file modes"), "{checked}");

    for (exposed, bits, refused, fix) in [
        ("host.key", 0o644, true, "o-rwx"),
        ("host.key", 0o602, true, "o-rwx"),
        ("dkim.pem", 0o644, true, "o-rwx"),
        ("client.key", 0o666, true, "o-rwx"),
        ("plugins", 0o777, true, "o-w"),
        ("plugins", 0o1777, true, "o-w"),
        ("plugins/libconvoke_policy_rules.so", 0o757, true, "o-w"),
        ("convoke.toml", 0o646, false, "o-w"),
        ("users.htpasswd", 0o666, false, "o-w"),
        ("users.htpasswd", 0o604, false, "o-rwx"),
        ("state", 0o777, false, "o-w"),
        ("keys", 0o777, false, "o-w"),
        ("keys/example.com", 0o777, false, "o-w"),
        ("keys/example.com/one", 0o666, false, "o-w"),
        ("state/token", 0o644, false, "o-rwx"),
        ("host.pem", 0o666, false, "o-w"),
    ] {
        let before = mode(&desk, exposed);
        chmod(&desk, exposed, bits);
        let fix = format!("run: chmod {fix} {}", desk.path(exposed).display());
        let (ready, log) = serve(&desk);
        assert_eq!(ready, !refused, "{exposed} {bits:o}: {log}");
        assert_eq!(
            log.matches(&fix).count(),
            if exposed.starts_with("plugins") && !exposed.ends_with("so") {
                2
            } else {
                1
            },
            "{exposed}: {log}"
        );
        let checked = desk.run(&["check"]);
        let verdict = if refused { "fail" } else { "warn" };
        let found = |line: &str| line.starts_with(verdict) && line.contains(&fix);
        assert!(checked.out.lines().any(found), "{exposed}: {checked:?}");
        assert_eq!(checked.status, i32::from(refused), "{exposed}");
        chmod(&desk, exposed, before & 0o7777);
    }
}

#[test]
fn links_are_followed_and_folders_above_count() {
    let desk = desk();
    fs::create_dir_all(desk.path("live/archive")).unwrap();
    fs::rename(desk.path("host.key"), desk.path("live/archive/host.key")).unwrap();
    symlink("live/archive/host.key", desk.path("host.key")).unwrap();
    assert!(serve(&desk).0);
    for (exposed, bits) in [
        ("live/archive/host.key", 0o644),
        ("live/archive", 0o757),
        ("live", 0o777),
    ] {
        let before = mode(&desk, exposed);
        chmod(&desk, exposed, bits);
        let (ready, log) = serve(&desk);
        assert!(!ready && log.contains("; run: chmod "), "{exposed}: {log}");
        chmod(&desk, exposed, before & 0o7777);
    }
    chmod(&desk, "live", 0o1777);
    assert!(
        serve(&desk).0,
        "nobody replaces what is not theirs in a sticky folder"
    );
}

/// What a plugin says does not fake lines on the terminal, nor in the log.
#[test]
fn an_error_is_one_line_whatever_a_plugin_says() {
    let desk = Desk::new();
    let config = fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let faulty = "[[policy]]\nplugin = \"test-faulty\"\nconfig.fault = \"open-error\"\nconfig.what = \"x\\n2026 ERROR FAKE\\u001b[2J\\u2028y\\u202ez\"\n";
    desk.write("convoke.toml", &format!("{config}{faulty}"));
    for command in [
        &["serve"][..],
        &["user", "list"],
        &["check"],
        &["check", "--json"],
    ] {
        let said = said(desk.command(command).output().unwrap());
        assert_eq!(said.status, 1, "{said:?}");
        let all = said.out + &said.err;
        assert!(all.contains("FAKE"), "{all}");
        assert!(!all.contains("\n2026"), "{all}");
        assert!(!all.contains(['\u{1b}', '\u{2028}', '\u{202e}']), "{all:?}");
    }
}

#[test]
#[cfg_attr(
    not(may_become_nobody),
    ignore = "only root can become somebody else, who must reach the program"
)]
fn root_makes_files_as_the_owner_of_the_state_folder() {
    const NOBODY: u32 = 65534;
    let desk = Desk::new();
    fs::create_dir(desk.path("state")).unwrap();
    for path in ["", "state", "convoke.toml", "users.htpasswd"] {
        chown(desk.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let said = desk.run(&["user", "add", "anna@example.org"]);
    assert_eq!(said.status, 0, "{said:?}");
    let key = desk.run(&["keys", "generate", "--kind", "ed25519", "--out", "dkim.pem"]);
    assert_eq!(key.status, 0, "{key:?}");
    drop(desk.serve());
    for made in ["calendars.db", "dkim.pem", "state/state.db", "state/token"] {
        let about = fs::metadata(desk.path(made)).unwrap();
        assert_eq!((about.uid(), about.gid()), (NOBODY, NOBODY), "{made}");
    }
    // What root made otherwise is seen, also where calendars are kept elsewhere.
    chown(desk.path("calendars.db"), Some(0), Some(0)).unwrap();
    let said = desk.run(&["check"]);
    for part in [
        "calendars.db cannot be read and written by whom this runs as: Permission denied",
        "it belongs to root, and the host runs as nobody: chown nobody: ",
    ] {
        assert!(said.status == 1 && said.out.contains(part), "{said:?}");
    }
    chown(desk.path("calendars.db"), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::write(desk.path("state/foreign"), "").unwrap();
    let said = desk.run(&["check"]);
    assert!(said.out.contains("foreign belongs to root"), "{said:?}");
    assert_eq!(said.status, 1, "{said:?}");
}
