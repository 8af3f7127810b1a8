//! A host is backed up while it runs, and restored into empty folders: calendars, users and answers are as they were, and nobody is
//! told anything by that.

use super::{
    ANNA, BO, CY, convoke, eventually, file, json, looked_at, manners::with_status, meeting,
};
use convoke_tests::{Host, MailServer, Post, Setup, TakenMail, program};
use serde_json::{Value, json as expected};
use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// In the second store.
const DEE: &str = "dee@example.net";
/// Who has no receiver.
const GUS: &str = "gus@example.edu";
const BACKUP: &str = "backup.tar";
/// What of the folder is lost: everything but the configuration and keys.
const LOST: [&str; 5] = ["state", "calendars", "dee.db", "dee.db-wal", "dee.db-shm"];

const STORES: &str = "plugin = \"store-vdir\"\nconfig.path = \"calendars\"\ndomains = [\"example.org\"]\n\
                      [[store]]\nplugin = \"store-sqlite\"\nconfig.path = \"dee.db\"\ndomains = [\"example.net\"]";

/// Bo and Cy, whose calendars are files, and Dee, whose calendar is in a database.
fn two_stores() -> Setup {
    Setup::new()
        .server_domains(&["example.org", "example.net"])
        .users(&[BO, CY, DEE])
        .table("[[store]]", STORES)
        .table("[scheduling]", "settle = \"1s\"")
}

/// The same; the receiver of example.com does not answer, and who has none is reached by mail.
fn troubled(mail: &MailServer) -> Setup {
    let nowhere = "plugin = \"discovery-static\"\n\
                   config.domains.\"example.com\" = \"https://127.0.0.1:1/ischedule\"";
    let smtp = format!(
        "smtp = \"smtp://{}\"\naddress = \"calendar@example.org\"",
        mail.address()
    );
    two_stores()
        .table("[[discovery]]", nowhere)
        .table("[mail]", &smtp)
}

fn done(host: &Host, arguments: &[&str]) -> String {
    let output = convoke(host, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one sentence of a command that fails.
fn refused(host: &Host, arguments: &[&str]) -> String {
    let output = convoke(host, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said
}

fn backup(host: &Host) -> Value {
    json(host, &["backup", "--to", BACKUP, "--force"])
}

fn restore(host: &Host, more: &[&str]) -> Value {
    json(host, &[&["restore", "--from", BACKUP], more].concat())
}

fn end(host: &mut Host) {
    host.signal("TERM");
    assert!(host.wait().success());
}

fn lose_everything(host: &Host) {
    for name in LOST {
        let path = host.folder().join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if path.exists() {
            fs::remove_file(path).unwrap();
        }
    }
}

/// What people see: their calendars, and how they are set up.
fn seen(host: &Host) -> Vec<String> {
    let of_each = [BO, CY, DEE].into_iter().flat_map(|user| {
        let calendar = done(host, &["calendar", "export", "--user", user]);
        let mut objects: Vec<String> = calendar.split("BEGIN:VEVENT").map(str::to_owned).collect();
        objects.sort_unstable();
        let shown = json(host, &["user", "show", user]);
        [objects.concat(), shown.to_string()]
    });
    of_each.collect()
}

fn held(host: &Host) -> Vec<Value> {
    let rows = json(host, &["queue", "list"]);
    rows.as_array().unwrap().clone()
}

/// Bo invites Cy, who accepts, and Dee; Anna's server does not answer; Gus gets a mail; Dee's secretary may not decide for her yet.
fn a_busy_day(host: &Host) {
    let dee = [
        "--name",
        "Dee Dorn",
        "--timezone",
        "Europe/Vienna",
        "--alias",
        "dorn@example.net",
    ];
    done(host, &[&["user", "set", DEE], &dee[..]].concat());
    looked_at(host);
    for (uid, guest) in [
        ("review", CY),
        ("planning", DEE),
        ("away", ANNA),
        ("party", GUS),
    ] {
        fs::write(file(host, uid), meeting(uid, 10, guest)).unwrap();
    }
    for uid in ["review", "planning", "party"] {
        with_status(&file(host, uid));
    }
    eventually("retry", || {
        held(host).iter().any(|it| it["state"] == "retrying")
    });
    for (user, uid) in [(CY, "review"), (DEE, "planning")] {
        done(host, &["reply", "--user", user, "--uid", uid, "accept"]);
    }
    for uid in ["review", "planning"] {
        let has_answer = || {
            fs::read_to_string(file(host, uid))
                .unwrap()
                .contains("ACCEPTED")
        };
        eventually("answer", has_answer);
    }
    // A proposal of another time waits for Bo.
    let start = ["--start", "2037-01-04T15:00:00Z"];
    done(
        host,
        &[
            &["reply", "--user", CY, "--uid", "review", "counter"],
            &start[..],
        ]
        .concat(),
    );
    eventually("proposal", || inbox(host).as_array().unwrap().len() == 1);
    json(host, &["changed", "--user", BO]);
}

fn to_gus(mail: &MailServer) -> Vec<TakenMail> {
    let mut mails = mail.mails();
    mails.retain(|it| it.to == GUS);
    mails
}

fn inbox(host: &Host) -> Value {
    let mut rows = json(host, &["inbox", "list", "--user", BO]);
    for row in rows.as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("id");
    }
    rows
}

#[test]
fn what_a_running_host_keeps_is_restored_into_empty_folders_and_nobody_is_told() {
    let mail = MailServer::new();
    let mut host = troubled(&mail).start();
    a_busy_day(&host);
    let (before, proposals) = (seen(&host), inbox(&host));
    let first = to_gus(&mail).remove(0);
    let mails = mail.mails().len();
    assert_eq!(held(&host)[0]["state"], "retrying");

    let said = backup(&host);
    let amount = |it: &Value| ["users", "objects", "inbox"].map(|key| it[key].as_u64().unwrap());
    assert_eq!(amount(&said)[..2], [3, 6], "{said}");
    assert_eq!(said["failed"], expected!([]));
    let path = host.folder().join(BACKUP);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(said["bytes"], fs::metadata(&path).unwrap().len());

    end(&mut host);
    lose_everything(&host);
    let restored = restore(&host, &[]);
    assert_eq!(amount(&restored), amount(&said), "{restored}");
    assert_eq!(
        (&restored["failed"], &restored["held"]),
        (&expected!([]), &expected!(1))
    );
    assert_eq!(seen(&host), before);

    host.start_again();
    assert_eq!(seen(&host), before);
    assert_eq!(inbox(&host), proposals);
    for user in [BO, CY, DEE, BO, CY, DEE] {
        let looked = json(&host, &["changed", "--user", user]);
        assert_eq!(
            (&looked["told"], &looked["settling"]),
            (&0.into(), &0.into()),
            "{looked}"
        );
    }
    let log = host.log();
    for event in [
        "\"change-told\"",
        "\"sent\"",
        "\"sent-later\"",
        "\"ledger-missing\"",
    ] {
        assert!(!log.contains(&format!("event={event}")), "{log}");
    }
    assert_eq!(mail.mails().len(), mails);
    assert_eq!(seen(&host), before);

    // What changes from now on is told, and by the same address as before.
    let party = fs::read_to_string(file(&host, "party")).unwrap();
    fs::write(file(&host, "party"), party.replace("Review", "Feast")).unwrap();
    eventually("mail", || to_gus(&mail).len() == 2);
    let again = to_gus(&mail).remove(1);
    assert_eq!((again.from, again.to), (first.from, first.to));

    // What waited when the backup was made waits until somebody says that it is to go.
    eventually("end of what is sent", || held(&host).len() == 1);
    let waiting = held(&host);
    assert_eq!(
        (&waiting[0]["state"], &waiting[0]["uid"]),
        (&"held".into(), &"away".into())
    );
    let shown = done(
        &host,
        &["queue", "show", waiting[0]["id"].as_str().unwrap()],
    );
    assert!(shown.contains("METHOD:REQUEST"), "{shown}");
    assert_eq!(
        json(&host, &["queue", "release", "--user", BO])["released"],
        1
    );
    eventually("try", || {
        let rows = held(&host);
        rows.len() == 1 && rows[0]["state"] == "retrying"
    });
}

/// A backup of a host that has ended, with everything lost since.
fn backed_up() -> Host {
    let mut host = two_stores().start();
    end(&mut host);
    for uid in ["one", "two"] {
        host.put(BO, &meeting(uid, 10, CY));
    }
    host.put(DEE, &meeting("three", 10, DEE));
    assert_eq!(backup(&host)["objects"], 3);
    lose_everything(&host);
    host
}

fn nothing_was_written(host: &Host) {
    for name in LOST {
        assert!(!host.folder().join(name).exists(), "{name}");
    }
}

#[test]
fn a_file_of_which_any_bit_was_changed_is_refused_before_anything_is_written() {
    let host = backed_up();
    let path = host.folder().join(BACKUP);
    let whole = fs::read(&path).unwrap();
    let length = whole.len();
    let said = "is cut off, or was changed since it was written; nothing was restored";
    for cut in [1, 512, 1024, 2048, 4096, length / 2] {
        fs::write(&path, &whole[..length - cut]).unwrap();
        let complaint = refused(&host, &["restore", "--from", BACKUP]);
        assert!(complaint.contains(said), "{cut}: {complaint}");
    }
    // Content and its padding, headers, the seal, the end.
    let manifest = whole.iter().position(|it| *it == b'{').unwrap();
    let places = [
        manifest + 40,
        length / 3,
        length / 2,
        length - 2000,
        length - 1500,
        length - 1,
    ];
    for place in places
        .into_iter()
        .chain((1500..length).step_by(length / 40))
    {
        let mut other = whole.clone();
        other[place] ^= 1;
        fs::write(&path, other).unwrap();
        let complaint = refused(&host, &["restore", "--from", BACKUP]);
        assert!(complaint.contains(BACKUP), "{place}: {complaint}");
        nothing_was_written(&host);
    }
    let mut longer = whole.clone();
    longer.extend([0; 512]);
    fs::write(&path, longer).unwrap();
    assert!(refused(&host, &["restore", "--from", BACKUP]).contains(said));

    for no_backup in [&b""[..], b"PK\x03\x04", &[0; 4096]] {
        fs::write(&path, no_backup).unwrap();
        let complaint = refused(&host, &["restore", "--from", BACKUP]);
        assert!(complaint.contains("this is no backup"), "{complaint}");
    }
    let complaint = refused(&host, &["restore", "--from", "."]);
    assert!(complaint.contains("this is no file"), "{complaint}");
    assert!(refused(&host, &["restore", "--from", "nowhere.tar"]).contains("cannot be read"));
    nothing_was_written(&host);

    fs::write(&path, &whole).unwrap();
    assert_eq!(restore(&host, &[])["objects"], 3);
}

#[test]
fn a_later_format_and_a_store_that_is_not_there_are_named() {
    let mut host = backed_up();
    let path = host.folder().join(BACKUP);
    let whole = fs::read(&path).unwrap();
    let format = b"\"format\":1";
    let place = whole
        .windows(format.len())
        .position(|it| it == format)
        .unwrap();
    let mut file = File::options().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(place as u64)).unwrap();
    file.write_all(b"\"format\":7").unwrap();
    let complaint = refused(&host, &["restore", "--from", BACKUP]);
    assert!(
        complaint.contains("is of version 7 of the format, and this program reads version 1; restore it with Convoke "),
        "{complaint}"
    );
    fs::write(&path, &whole).unwrap();

    host.configure(|setup| {
        let first = STORES.split("[[store]]").next().unwrap();
        setup.table("[[store]]", first)
    });
    let complaint = refused(&host, &["restore", "--from", BACKUP]);
    let names = "no [[store]] of the name `store-sqlite`, in which the backup has dee@example.net";
    assert!(complaint.contains(names), "{complaint}");
    let complaint = refused(
        &host,
        &["restore", "--from", BACKUP, "--store", "elsewhere"],
    );
    assert!(
        complaint.contains("it has `store-vdir`, `store-sqlite`"),
        "{complaint}"
    );
    let restored = restore(&host, &["--store", "store-vdir"]);
    assert_eq!(
        (&restored["users"], &restored["objects"]),
        (&2.into(), &2.into()),
        "{restored}"
    );
}

#[test]
fn what_is_there_already_is_replaced_only_when_that_is_said() {
    let mut host = backed_up();
    host.start_again();
    done(&host, &["user", "add", BO]);
    looked_at(&host);
    let complaint = refused(&host, &["restore", "--from", BACKUP]);
    assert!(
        complaint.contains("a convoke serves with this state folder"),
        "{complaint}"
    );
    end(&mut host);
    // An empty calendar, but a state.
    let complaint = refused(&host, &["restore", "--from", BACKUP]);
    assert!(
        complaint.contains("the state holds") && complaint.contains("--replace"),
        "{complaint}"
    );

    lose_everything(&host);
    restore(&host, &[]);
    host.put(BO, &meeting("since", 14, CY));
    host.put(BO, &meeting("one", 15, CY));
    done(&host, &["user", "add", "eve@example.org"]);
    fs::remove_dir_all(host.folder().join("state")).unwrap();
    let complaint = refused(&host, &["restore", "--from", BACKUP]);
    assert!(
        complaint.contains("the store `store-vdir` h"),
        "{complaint}"
    );
    assert!(host.stored(BO, "since").is_some());

    let restored = restore(&host, &["--replace"]);
    assert_eq!(restored["failed"], expected!([]), "{restored}");
    assert_eq!(host.stored(BO, "since"), None);
    assert!(host.stored(BO, "one").unwrap().contains("T100000Z"));
    assert!(
        !convoke(&host, &["user", "show", "eve@example.org"])
            .status
            .success()
    );

    // The state alone leaves calendars as they are, and what they have not counts as known to be gone.
    host.remove(BO, "two");
    host.put(BO, &meeting("since", 14, CY));
    restore(&host, &["--state-only", "--replace"]);
    host.start_again();
    for _ in 0..2 {
        let looked = json(&host, &["changed", "--user", BO]);
        assert_eq!(
            (&looked["told"], &looked["settling"]),
            (&0.into(), &0.into()),
            "{looked}"
        );
    }
    assert!(host.stored(BO, "since").is_some());
    assert_eq!(host.stored(CY, "since"), None, "nobody is told");
}

#[test]
fn a_file_that_is_there_is_overwritten_only_when_that_is_said_and_nothing_is_left_of_a_failure() {
    let host = two_stores().start();
    let folder = host.folder().join("backups");
    fs::create_dir(&folder).unwrap();
    let to = folder.join("one.tar");
    let to = to.to_str().unwrap();
    done(&host, &["backup", "--to", to]);
    let complaint = refused(&host, &["backup", "--to", to]);
    assert!(complaint.contains("--force overwrites it"), "{complaint}");
    done(&host, &["backup", "--to", to, "--force"]);
    assert_eq!(names(&folder), ["one.tar"]);
    let complaint = refused(&host, &["backup", "--to", "nowhere/one.tar"]);
    assert!(complaint.contains("cannot be written"), "{complaint}");
    let wrong = convoke(
        &host,
        &["backup", "--to", folder.to_str().unwrap(), "--force"],
    );
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert_eq!(names(&folder), ["one.tar"]);
}

/// A host that does not answer keeps a backup from its end for as long as the test needs.
#[test]
fn nothing_is_left_of_a_backup_that_is_interrupted() {
    let host = two_stores().start();
    let folder = host.folder().join("backups");
    fs::create_dir(&folder).unwrap();
    host.signal("STOP");
    for signal in ["INT", "TERM"] {
        let mut command = Command::new(program());
        command
            .args([
                "backup",
                "--config",
                "convoke.toml",
                "--to",
                "backups/one.tar",
            ])
            .current_dir(host.folder());
        let backup = command.stderr(Stdio::piped()).spawn().unwrap();
        eventually("file", || !names(&folder).is_empty());
        let id = backup.id().to_string();
        // Until it listens, a signal would end it as any other program.
        eventually("listener", || listens(&id));
        let told = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(told.unwrap().success());
        let output = backup.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("was interrupted, and nothing of it is left"),
            "{said}"
        );
        assert_eq!(names(&folder), Vec::<String>::new());
    }
    host.signal("CONT");
    done(&host, &["backup", "--to", "backups/one.tar"]);
}

/// Whether a process catches SIGTERM, which is bit 14 of what the system says that it catches.
fn listens(id: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught & (1 << 14) != 0
}

/// What one kind of state takes, another may not.
#[test]
fn a_state_that_does_not_take_the_backup_is_left_as_it_is() {
    let mut host = two_stores().start();
    end(&mut host);
    host.put(BO, &meeting("one", 10, CY));
    let state = rusqlite::Connection::open(host.folder().join("state/state.db")).unwrap();
    let insert = "INSERT INTO entries (key, version, value) VALUES (?1, 1, x'')";
    state.execute(insert, [vec![b'k'; 5000]]).unwrap();
    backup(&host);
    state
        .execute("DELETE FROM entries WHERE length(key) = 5000", ())
        .unwrap();
    let count = || -> i64 {
        let count = "SELECT count(*) FROM entries";
        state.query_row(count, (), |row| row.get(0)).unwrap()
    };
    let before = count();
    host.put(BO, &meeting("since", 11, CY));
    let complaint = refused(&host, &["restore", "--from", BACKUP, "--replace"]);
    assert!(
        complaint.contains("the state of this host does not take what is in the backup: ")
            && complaint
                .contains("a key has 5000 bytes, and 4096 is the most; nothing was changed"),
        "{complaint}"
    );
    assert_eq!(count(), before);
    assert!(before > 0 && host.stored(BO, "since").is_some());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|it| it.unwrap().path());
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.map(name).collect()
}

/// What Dee has of a meeting that was updated after she had answered, with everything lost and restored in between or not.
fn updated(is_lost: bool) -> String {
    let mut host = two_stores().start();
    let invitation = Post::invitation("moved", ANNA, &[DEE]);
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    // Her answer reaches nobody, and is hers all the same.
    let answer = ["reply", "--user", DEE, "--uid", "moved", "tentative"];
    convoke(&host, &answer);
    backup(&host);
    end(&mut host);
    if is_lost {
        lose_everything(&host);
        restore(&host, &[]);
    }
    host.start_again();
    let update = invitation
        .clone()
        .edited("SEQUENCE:0", "SEQUENCE:1\nLOCATION:Garden");
    assert_eq!(host.post(&update).codes(), ["2.0"]);
    // The first one is old.
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    let looked = json(&host, &["changed", "--user", DEE]);
    assert_eq!(looked["told"], 0, "{looked}");
    host.stored(DEE, "moved").unwrap()
}

/// Also of one that comes at the first moment.
#[test]
fn an_attendee_hears_of_updates_after_a_restore_as_without() {
    let restored = updated(true);
    assert!(restored.contains("LOCATION:Garden"), "{restored}");
    assert_eq!(restored, updated(false));
}
