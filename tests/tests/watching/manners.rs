//! Manners of a host that watches: who is new, what is deleted by the dozen, and where a status stands.

use super::{BO, CY, convoke, eventually, file, files, json, looked_at, meeting};
use convoke_tests::Host;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What of Bo's is held, as methods.
fn held(host: &Host) -> Vec<String> {
    let rows = json(host, &["queue", "list", "--user", BO]);
    let rows = rows.as_array().unwrap().iter();
    let held = rows.filter(|it| it["state"] == "held");
    held.map(|it| it["method"].as_str().unwrap().to_owned())
        .collect()
}

/// Who loses a calendar must not call off everything in it; who finds it again has lost nothing.
#[test]
fn many_deletions_wait_and_vanish_when_the_objects_come_back() {
    let host = files().start();
    looked_at(&host);
    let uids: Vec<String> = (0..5).map(|number| format!("many-{number}")).collect();
    let calendar = host.folder().join("calendars").join(BO).join("calendar");
    let appears = |objects: &[String]| {
        // All of them in one step: a look in between would tell of the first.
        let made = host.folder().join("made");
        fs::create_dir(&made).unwrap();
        for (uid, object) in uids.iter().zip(objects) {
            fs::write(made.join(format!("{uid}.ics")), object).unwrap();
        }
        fs::rename(made, &calendar).unwrap();
    };
    let invitations: Vec<String> = uids.iter().map(|uid| meeting(uid, 12, CY)).collect();
    appears(&invitations);
    eventually("held invitations", || held(&host).len() == 5);
    let released = json(&host, &["queue", "release", "--all"]);
    assert_eq!(released["released"], 5);
    for uid in &uids {
        eventually(uid, || host.stored(CY, uid).is_some());
    }
    let objects: Vec<String> = uids.iter().map(|uid| settled(&host, uid)).collect();
    let lost = host.folder().join("lost");
    fs::rename(&calendar, &lost).unwrap();
    eventually("held deletions", || {
        json(&host, &["changed", "--user", BO]);
        held(&host).len() == 5
    });
    assert_eq!(held(&host), ["CANCEL"; 5]);
    for uid in &uids {
        let stored = host.stored(CY, uid).unwrap();
        assert!(!stored.contains("CANCELLED"), "{stored}");
    }
    appears(&objects);
    eventually("end of what is held", || {
        json(&host, &["changed", "--user", BO]);
        held(&host).is_empty()
    });
    for uid in &uids {
        let stored = host.stored(CY, uid).unwrap();
        assert!(!stored.contains("CANCELLED"), "{stored}");
    }
}

/// An object of Bo's once its statuses are written.
fn settled(host: &Host, uid: &str) -> String {
    with_status(&file(host, uid))
}

/// A file once a status is written into it, unfolded.
pub(super) fn with_status(path: &Path) -> String {
    let mut object = String::new();
    eventually("status", || {
        object = fs::read_to_string(path).unwrap().replace("\r\n ", "");
        object.contains("SCHEDULE-STATUS")
    });
    object
}

/// RFC 6638 §7.3: what became of an attendee's answer stands on ORGANIZER.
#[test]
fn the_status_of_an_answer_stands_on_the_organizer() {
    let host = files().start();
    looked_at(&host);
    fs::write(file(&host, "review"), meeting("review", 10, CY)).unwrap();
    host.wait_for("event=\"sent\"");
    let folder = host.folder().join("calendars").join(CY);
    let path = walk(&folder, "review");
    let invited = fs::read_to_string(&path).unwrap().replace("\r\n ", "");
    let line = invited.lines().find(|it| it.starts_with("ATTENDEE"));
    let line = line.unwrap();
    let accepted = line.replace(";PARTSTAT=NEEDS-ACTION", "").replacen(
        "ATTENDEE",
        "ATTENDEE;PARTSTAT=ACCEPTED",
        1,
    );
    fs::write(&path, invited.replace(line, &accepted)).unwrap();
    host.wait_for("method=\"REPLY\"");
    let own = with_status(&path);
    for line in own.lines().filter(|it| it.contains("SCHEDULE-STATUS")) {
        assert!(line.starts_with("ORGANIZER"), "{own}");
        assert!(line.contains("SCHEDULE-STATUS=2.0"), "{own}");
    }
    let bos = host.stored(BO, "review").unwrap();
    assert!(bos.contains("PARTSTAT=ACCEPTED"), "{bos}");
}

/// A power cut leaves a file empty, and the host has to find that out anew: a meeting is not called off for it, and what is written
/// then is told at once, as is what is seen while a program was just writing it.
#[test]
fn a_file_that_is_found_empty_is_not_called_off_and_told_once_it_is_whole() {
    let mut host = files().start();
    looked_at(&host);
    let path = file(&host, "review");
    fs::write(&path, meeting("review", 10, CY)).unwrap();
    host.wait_for("event=\"sent\"");
    let told = settled(&host, "review");
    host.kill();
    fs::write(&path, "").unwrap();
    host.start_again();
    host.wait_for("event=\"change-not-told\"");
    fs::write(&path, told.replace("T100000Z", "T110000Z")).unwrap();
    // Long before all is looked at anyway.
    let begun = Instant::now();
    eventually("move", || {
        let stored = host.stored(CY, "review").unwrap();
        assert!(!stored.contains("CANCELLED"), "{stored}");
        assert!(begun.elapsed() < Duration::from_secs(40), "{stored}");
        stored.contains("T110000Z")
    });
}

#[test]
fn who_wants_no_changes_told_is_heeded_at_once() {
    let host = files().start();
    looked_at(&host);
    assert_eq!(json(&host, &["changed", "--user", CY])["told"], 0);
    let off = convoke(&host, &["user", "set", BO, "--schedule", "off"]);
    assert!(off.status.success(), "{off:?}");
    fs::write(file(&host, "private"), meeting("private", 10, CY)).unwrap();
    // It was written later, and has to be quiet for as long.
    let folder = host.folder().join("calendars").join(CY).join("calendar");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("later.ics"), meeting("later", 12, BO)).unwrap();
    eventually("later meeting", || host.stored(BO, "later").is_some());
    assert_eq!(host.stored(CY, "private"), None);
}

/// The file of a UID somewhere in a folder.
pub(super) fn walk(folder: &Path, uid: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).is_ok_and(|text| text.contains(uid)) {
                return path;
            }
        }
    }
    panic!("no file of {uid} in {}", folder.display());
}

#[test]
fn who_is_made_while_the_host_runs_is_told_of_from_then_on() {
    let host = files().start();
    let dee = "dee@example.org";
    let made = convoke(&host, &["user", "add", dee]);
    assert!(made.status.success(), "{made:?}");
    // The host looks within seconds; asking it to look is what a hook does.
    let looked: Value = json(&host, &["changed", "--user", dee]);
    assert_eq!(looked["told"], 0, "{looked}");
    let folder = host.folder().join("calendars").join(dee).join("calendar");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("tea.ics"), meeting("tea", 10, CY)).unwrap();
    host.wait_for("event=\"sent\"");
    assert!(host.stored(CY, "tea").is_some());
}
