//! `state.db` is lost while nothing runs: people go on, and nobody is told anything twice.

use super::{
    ANNA, BO, CY, eventually, file, files, json, looked_at,
    manners::{walk, with_status},
    meeting,
};
use convoke_tests::{Host, Post};
use std::fs;

/// The host ends, what it remembers is deleted, and it starts again and looks at a calendar.
fn forget_everything(host: &mut Host) {
    host.signal("TERM");
    assert!(host.wait().success());
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let path = host.folder().join("state").join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
    host.start_again();
    looked_at(host);
}

/// Nothing of Bo's differs from what is known, or waits.
fn nothing_is_to_be_told(host: &Host) {
    let looked = json(host, &["changed", "--user", BO]);
    assert_eq!(
        (&looked["told"], &looked["settling"]),
        (&0.into(), &0.into()),
        "{looked}"
    );
    assert_eq!(json(host, &["queue", "list"]), serde_json::json!([]));
}

/// An invitation from Anna that Bo has accepted, in a program that counts SEQUENCE up at each save.
fn accepted(host: &Host, uid: &str) {
    let invited = host.post(&Post::invitation(uid, ANNA, &[BO]));
    assert_eq!(invited.codes(), ["2.0"]);
    let path = walk(&host.folder().join("calendars").join(BO), uid);
    let object = fs::read_to_string(&path).unwrap().replace("\r\n ", "");
    assert!(object.contains("SEQUENCE:0"), "{object}");
    let line = object
        .lines()
        .find(|it| it.starts_with("ATTENDEE"))
        .unwrap();
    let (_, who) = line.rsplit_once(":mailto:").unwrap();
    let saved = object.replace("SEQUENCE:0", "SEQUENCE:4");
    let saved = saved.replace(line, &format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:{who}"));
    fs::write(&path, saved).unwrap();
    with_status(&path);
}

#[test]
fn an_attendee_hears_of_updates_after_the_state_is_lost() {
    let mut host = files().start();
    looked_at(&host);
    for uid in ["moved", "called-off"] {
        accepted(&host, uid);
    }
    forget_everything(&mut host);
    host.wait_for("event=\"ledger-missing\"");

    let invitation = Post::invitation("moved", ANNA, &[BO]);
    let update = invitation.edited("SEQUENCE:0", "SEQUENCE:1\nLOCATION:Garden");
    assert_eq!(host.post(&update).codes(), ["2.0"]);
    let cancel = Post::cancellation("called-off", ANNA, &[BO]);
    assert_eq!(host.post(&cancel).codes(), ["2.0"]);
    let moved = host.stored(BO, "moved").unwrap();
    assert!(
        moved.contains("LOCATION:Garden") && moved.contains("PARTSTAT=ACCEPTED"),
        "{moved}"
    );
    let off = host.stored(BO, "called-off").unwrap();
    assert!(off.contains("STATUS:CANCELLED"), "{off}");
    // The one that came first is old again.
    let again = Post::invitation("moved", ANNA, &[BO]);
    assert_eq!(host.post(&again).codes(), ["2.0"]);
    assert_eq!(host.stored(BO, "moved").unwrap(), moved);
    nothing_is_to_be_told(&host);
    assert!(!host.log().contains("method=\"REPLY\""), "{}", host.log());
}

#[test]
fn an_organizer_tells_nobody_twice_after_the_state_is_lost() {
    let mut host = files().start();
    looked_at(&host);
    let path = file(&host, "review");
    fs::write(&path, meeting("review", 10, CY)).unwrap();
    let object = with_status(&path);
    forget_everything(&mut host);
    host.wait_for("event=\"ledger-missing\"");
    nothing_is_to_be_told(&host);
    let log = host.log();
    assert!(!log.contains("method=\"REQUEST\""), "{log}");
    // What changes from now on is told.
    fs::write(&path, object.replace("Review", "Retrospective")).unwrap();
    eventually("update", || {
        let stored = host.stored(CY, "review").unwrap();
        stored.contains("Retrospective")
    });
}
