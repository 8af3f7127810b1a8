//! A host whose store is a program: the example in Python.

use convoke_tests::{Host, Post, Setup};
use std::path::Path;

const ANNA: &str = "anna@example.com";
const BO: &str = "bo@example.org";

fn host() -> Host {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let program = examples.join("store-python/store_python.py");
    let program = program.canonicalize().unwrap();
    let table = format!(
        "plugin = \"{}\"\nisolation = \"process\"\nallow.write = [\"calendars\"]\nconfig.path = \"calendars/calendars.db\"",
        program.display()
    );
    Setup::new()
        .folder("calendars")
        .users(&[BO])
        .table("[[store]]", &table)
        .start()
}

/// Who asks for free time is told of what was invited to, by a host that keeps it in a program; also once that has ended.
#[test]
#[cfg_attr(not(has_python), ignore = "needs /usr/bin/python3")]
fn a_host_with_its_store_in_python_schedules() {
    let host = host();
    let invitation = Post::invitation("in python", ANNA, &[BO]);
    assert_eq!(host.post(&invitation).codes(), ["2.0"]);
    let stored = host.stored(BO, "in python").unwrap();
    assert!(
        stored.contains("ORGANIZER:mailto:anna@example.com"),
        "{stored}"
    );
    let busy = || {
        let answer = host.post(&Post::free_busy(ANNA, &[BO]));
        assert_eq!(answer.codes(), ["2.0"]);
        let span = "20270105T100000Z/20270105T110000Z";
        assert!(answer.body.contains(span), "{answer:?}");
    };
    busy();
    let processes = crate::isolated::processes(&host);
    let [process] = processes.as_slice() else {
        panic!("{processes:?}");
    };
    let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap();
    let command = String::from_utf8(command).unwrap();
    assert!(
        command.contains("python3") && command.ends_with("\0store-python\0"),
        "{command}"
    );
    crate::isolated::send("KILL", process);
    host.wait_for("plugin-process-started");
    busy();
    let cancellation = Post::cancellation("in python", ANNA, &[BO]);
    assert_eq!(host.post(&cancellation).codes(), ["2.0"]);
}
