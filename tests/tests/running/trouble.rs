//! Stores in trouble: a full disk, no right to write, a lock, broken files. Each costs the recipients that it concerns a
//! 5.1, tells the administrator what to do, leaves everything else alone, and is over when its cause is.

use convoke_tests::{Host, Post, Setup};
use rusqlite::Connection;
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";
/// Lives in another store, which is well.
const CY: &str = "cy@well.example.org";

const SQLITE: &str = "plugin = \"store-sqlite\"\nconfig.path = \"data/calendars.db\"";
const VDIR: &str = "plugin = \"store-vdir\"\nconfig.path = \"data\"";

fn setup(store: &str) -> Setup {
    let well = "[[store]]\nplugin = \"store-sqlite\"\nname = \"well\"\ndomains = [\"well.example.org\"]\nconfig.path = \"well.db\"";
    let both = format!("{store}\ndomains = [\"example.org\"]\n{well}");
    Setup::new()
        .server_domains(&["example.org", "well.example.org"])
        .table("[[store]]", &both)
        .folder("data")
        .users(&[BO, CY])
}

/// Invites both; the statuses in their order.
fn invite(host: &Host, uid: &str) -> Vec<String> {
    host.post(&Post::invitation(uid, ANNA, &[BO, CY])).codes()
}

fn is_busy(host: &Host, user: &str) -> bool {
    let answer = host.post(&Post::free_busy(ANNA, &[user]));
    assert_eq!(answer.codes(), ["2.0"], "{user}");
    answer.body.contains("FREEBUSY")
}

/// Gives everything in a folder this mode, files without the right to run.
fn allow(folder: &Path, mode: u32) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            allow(&path, mode);
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o666)).unwrap();
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
#[cfg_attr(not(may_unshare), ignore = "needs `unshare --user --mount`")]
fn what_may_not_be_written_is_read_all_the_same() {
    // Not root, who may write everywhere.
    let wrapper = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];
    let host = setup(VDIR).through(&wrapper).start();
    assert_eq!(invite(&host, "before"), ["2.0", "2.0"]);
    let data = host.folder().join("data");
    allow(&data, 0o500);
    assert_eq!(invite(&host, "meanwhile"), ["5.1", "2.0"]);
    host.wait_for("event=\"not-delivered\"");
    assert!(is_busy(&host, BO) && is_busy(&host, CY));
    allow(&data, 0o700);
    assert_eq!(invite(&host, "after"), ["2.0", "2.0"]);
    assert!(host.stored(BO, "meanwhile").is_none());
}

#[test]
fn a_database_that_another_program_has_locked_is_read_all_the_same() {
    let host = setup(SQLITE).start();
    assert_eq!(invite(&host, "before"), ["2.0", "2.0"]);
    let other = Connection::open(host.folder().join("data/calendars.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(invite(&host, "meanwhile"), ["5.1", "2.0"]);
    host.wait_for("event=\"not-delivered\"");
    assert!(is_busy(&host, BO));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(invite(&host, "after"), ["2.0", "2.0"]);
    assert!(host.stored(BO, "meanwhile").is_none());
}

/// A disk of 2 MiB for the store alone, which only the host sees.
const SMALL_DISK: &str = "mkdir disk && mount -t tmpfs -o size=2m none disk && cp -a data/. disk && \
     mount --move disk data && dd if=/dev/zero of=data/filler bs=1k count=1200 status=none && exec \"$@\"";

#[test]
#[cfg_attr(not(may_unshare), ignore = "needs `unshare --user --mount`")]
fn a_full_disk_costs_nothing_that_was_acknowledged() {
    for store in [SQLITE, VDIR] {
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
        let host = setup(store).through(&wrapper).start();
        let disk = PathBuf::from(format!("/proc/{}/root", host.id()))
            .join(host.folder().strip_prefix("/").unwrap());
        let long = |uid: &str| {
            let text = format!("DESCRIPTION:{}\nEND:VEVENT", "long ".repeat(8000));
            Post::invitation(uid, ANNA, &[BO, CY]).edited("END:VEVENT", &text)
        };
        let mut kept = 0;
        loop {
            let codes = host.post(&long(&format!("long-{kept}"))).codes();
            assert_eq!(codes[1], "2.0", "{store}: the other store is not full");
            if codes[0] == "5.1" {
                break;
            }
            assert_eq!(codes[0], "2.0", "{store}");
            kept += 1;
            assert!(kept < 100, "{store}: the disk does not fill up");
        }
        assert!(kept > 0, "{store}");
        host.wait_for("event=\"not-delivered\"");
        assert!(is_busy(&host, BO), "{store}");

        fs::remove_file(disk.join("data/filler")).unwrap();
        assert_eq!(host.post(&long("after")).codes(), ["2.0", "2.0"], "{store}");
        // Out of the host's own view of the disk, to where the test can read it.
        let copied = Command::new("cp")
            .arg("-a")
            .arg(disk.join("data/."))
            .arg(host.folder().join("data"))
            .status();
        assert!(copied.unwrap().success());
        for number in 0..kept {
            let uid = format!("long-{number}");
            let stored = host.stored(BO, &uid).expect("what was acknowledged");
            assert!(stored.ends_with("END:VCALENDAR\r\n"), "{store}: {uid}");
        }
    }
}

#[test]
fn a_file_that_is_no_calendar_is_named_and_nothing_else_suffers() {
    let host = setup(VDIR).start();
    assert_eq!(invite(&host, "before"), ["2.0", "2.0"]);
    let one = ics(&host.folder().join("data")).remove(0);
    let folder = one.parent().unwrap();
    fs::write(
        folder.join("broken.ics"),
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
    )
    .unwrap();
    fs::write(folder.join("octets.ics"), [0xff, 0, 0xfe]).unwrap();
    let huge = File::create(folder.join("huge.ics")).unwrap();
    huge.set_len(40 << 30).unwrap(); // holes only
    assert!(is_busy(&host, BO));
    assert_eq!(invite(&host, "after"), ["2.0", "2.0"]);
    for name in ["broken.ics", "octets.ics", "huge.ics"] {
        // By whoever looked first: the question, or the look at what changed.
        host.wait_for(name);
        host.wait_for("event=\"object-unreadable\"");
    }
    assert_eq!(
        fs::read(folder.join("octets.ics")).unwrap(),
        [0xff, 0, 0xfe]
    );
    assert_eq!(huge.metadata().unwrap().len(), 40 << 30);
}

fn ics(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let each = entries.flat_map(|path| match path {
        path if path.is_dir() => ics(&path),
        path => vec![path],
    });
    each.filter(|path| path.extension().is_some_and(|it| it == "ics"))
        .collect()
}
