//! `convoke mail receive`, as a mail server's pipe runs it.

use super::*;
use convoke_tests::program;
use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};

/// Runs a command of the host's, with this on its standard input.
pub(super) fn run(host: &Host, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program())
        .args(arguments)
        .arg("--config")
        .arg(host.folder().join("convoke.toml"))
        .current_dir(host.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // An error: it does not read all of it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The exit status of a mail that comes by a pipe.
fn status(host: &Host, arguments: &[&str], mail: &str) -> Option<i32> {
    let arguments = [&["mail", "receive"], arguments].concat();
    let output = run(host, &arguments, mail);
    assert!(output.stdout.is_empty());
    output.status.code()
}

#[test]
fn a_pipe_ends_with_what_mail_servers_understand() {
    let mut host = setup().start();
    let good = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    let words = "From: <bo@example.com>\nTo: <anna@example.org>\n\nHello\n";
    let broken = good.replace("METHOD:REQUEST", "METHOD:CANCEL");
    for (arguments, mail, expected) in [
        (&["--to", ANNA][..], &*good, 0),
        (&["--to", ANNA], words, 0),
        (&["--to", "calendar@example.org"], words, 0),
        (&["--to", "no address"], &good, 64),
        (&["--what"], &good, 64),
        (&["--to", ANNA], &broken, 65),
        (&["--to", "nobody@example.org"], &good, 67),
        (&["--to", "ann%61@example.org"], &good, 67),
        (&["--to", "a#b@example.org"], &good, 67),
        (&["--to", "mailto:anna@example.org"], &good, 0),
        (&["--to", "anna@example.net"], &good, 67),
        (
            &["--to", "calendar+0123456789abcdefghij@example.org"],
            &good,
            67,
        ),
        (&["--to", ANNA], good.split_once("\n\tdmarc").unwrap().0, 0),
        (
            &["--to", ANNA],
            &good.replace("dmarc=pass", "dmarc=fail"),
            77,
        ),
    ] {
        assert_eq!(
            status(&host, arguments, mail),
            Some(expected),
            "{arguments:?}\n{mail}"
        );
    }
    assert!(host.stored(ANNA, "m-1").is_some());
    host.signal("TERM");
    host.wait();
    assert_eq!(
        status(&host, &["--to", ANNA], &good),
        Some(75),
        "no host runs"
    );
    std::fs::write(host.folder().join("convoke.toml"), "[server").unwrap();
    assert_eq!(
        status(&host, &["--to", ANNA], &good),
        Some(75),
        "the configuration is broken"
    );
}

/// A host that does not answer: the mail server tries again.
#[test]
fn a_pipe_does_not_wait_for_a_host_that_stands_still() {
    let host = setup().start();
    let good = verified(BO, ANNA, "REQUEST", &invitation("m-1", BO, ANNA));
    host.signal("STOP");
    let ended = status(&host, &["--to", ANNA], &good);
    host.signal("CONT");
    assert_eq!(ended, Some(75));
    assert_eq!(status(&host, &["--to", ANNA], &good), Some(0));
    assert!(host.stored(ANNA, "m-1").is_some());
}

#[test]
fn the_recipient_may_stand_in_the_mail_itself_and_lines_end_as_they_like() {
    let host = setup().start();
    let good = verified(
        BO,
        "team@example.com",
        "REQUEST",
        &invitation("m-1", BO, ANNA),
    );
    assert_eq!(
        status(&host, &[], &good),
        Some(67),
        "nobody whom it names is ours"
    );
    for (at, field) in [
        "Delivered-To: ",
        "X-Original-To: ",
        "Envelope-To: ",
        "Cc: x@example.com, ",
    ]
    .iter()
    .enumerate()
    {
        let uid = format!("m-{at}");
        let mail = good.replace("m-1", &uid);
        let mail = format!("From bo@example.com Mon Jan  4 10:00:00 2027\n{field}<{ANNA}>\n{mail}");
        let mail = if at % 2 == 0 {
            mail.replace('\n', "\r\n")
        } else {
            mail
        };
        assert_eq!(status(&host, &[], &mail), Some(0), "{field}");
        assert!(host.stored(ANNA, &uid).is_some(), "{field}");
    }
    let output = run(
        &host,
        &["mail", "receive", "--json", "--to", ANNA],
        "Subject: x\n\nHello\n",
    );
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["outcome"], "dropped");
}

/// A mail server sends reports on what a pipe refuses: to nobody who is named in a mail that proves nothing.
#[test]
fn the_pipe_of_the_examples_has_mail_servers_report_on_nothing_that_is_not_proved() {
    let pipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/convoke-pipe");
    let folder = tempfile::tempdir().unwrap();
    let stub = |name: &str, script: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    stub(
        "sudo",
        "[ \"$1 $2 $3\" = '-n -u convoke' ] || exit 98; shift 3; AS=convoke exec \"$@\"",
    );
    for (user, is_another) in [("root", false), ("convoke", false), ("vmail", true)] {
        let id =
            format!("[ $1 = -un ] && echo {user} || {{ [ {user} = root ] && echo 0 || echo 8; }}");
        stub("id", &id);
        let becomes = if is_another { "convoke" } else { "" };
        for (status, expected) in [
            (0, 0),
            (65, 0),
            (77, 0),
            (67, 67),
            (75, 75),
            (64, 75),
            (1, 75),
            (127, 75),
        ] {
            let checks = format!("[ \"$4\" = 'a b' ] && [ \"$AS\" = '{becomes}' ] || exit 99");
            stub("convoke", &format!("{checks}; exit {status}"));
            let output = Command::new("sh")
                .arg(&pipe)
                .args(["--to", "a b"])
                .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
                .env_remove("AS")
                .env_remove("CONVOKE_USER")
                .output()
                .unwrap();
            assert_eq!(
                output.status.code(),
                Some(expected),
                "{user} {status}: {output:?}"
            );
        }
    }
}
