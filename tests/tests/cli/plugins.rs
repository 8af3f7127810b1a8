//! What `plugin list` and `check` say of plugins in a process of their own.

use crate::desk::{Desk, Said, said};
use convoke_tests::plugin_program;
use seccompiler::{SeccompAction, SeccompFilter};
use std::{collections::BTreeMap, env::consts::ARCH, process::Command, thread};

/// Runs a command as on a kernel that does not know a system call: the call fails with `error`.
fn without(call: libc::c_long, error: libc::c_int, mut command: Command) -> Said {
    let filter = SeccompFilter::new(
        BTreeMap::from([(call, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(error.unsigned_abs()),
        ARCH.try_into().unwrap(),
    );
    let filter: seccompiler::BpfProgram = filter.unwrap().try_into().unwrap();
    // A filter holds for the thread that takes it, and for what that starts.
    let run = thread::spawn(move || {
        seccompiler::apply_filter(&filter).unwrap();
        command.output().unwrap()
    });
    said(run.join().unwrap())
}

#[test]
fn what_an_old_kernel_cannot_take_away_is_said() {
    let desk = Desk::new();
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let apart = "plugin = \"policy-rules\"\nisolation = \"process\"";
    let config = config.replace("plugin = \"policy-rules\"", apart);
    desk.write("convoke.toml", &config);

    let whole = desk.run(&["plugin", "list", "--json"]).json();
    assert_eq!(whole[0]["isolation"], "process");
    assert!(whole[0].get("lacks").is_none(), "{whole}");
    for (call, error, lack) in [
        (
            libc::SYS_landlock_create_ruleset,
            libc::ENOSYS,
            "this kernel has no Landlock, so it can open every file",
        ),
        (
            libc::SYS_seccomp,
            libc::EINVAL,
            "this kernel has no seccomp filters, so it can start programs",
        ),
    ] {
        let list = without(call, error, desk.command(&["plugin", "list", "--json"])).json();
        assert_eq!(list[0]["state"], "ready");
        let said = list[0]["lacks"][0].as_str().unwrap_or_default();
        assert!(said.starts_with(lack), "{list}");
        let list = without(call, error, desk.command(&["plugin", "list"])).out;
        assert!(list.lines().next().unwrap().contains(lack), "{list}");
        let check = without(call, error, desk.command(&["check"])).out;
        let warned = |line: &str| line.starts_with("warn  policy ") && line.contains(lack);
        assert!(check.lines().any(warned), "{check}");
    }
}

/// Each grant that covers something of the host's is told, by whatever path it does.
#[test]
fn check_warns_of_grants_that_cover_what_is_the_hosts() {
    let desk = Desk::new();
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    for folder in ["calendars", "elsewhere"] {
        std::fs::create_dir(desk.path(folder)).unwrap();
    }
    std::os::unix::fs::symlink(desk.path("."), desk.path("elsewhere/link")).unwrap();
    for (allow, covered) in [
        ("allow.write = [\"calendars\"]", None),
        ("allow.write = [\".\"]", Some("the configuration")),
        ("allow.write = [\"calendars/..\"]", Some("the state folder")),
        ("allow.write = [\"elsewhere/link\"]", Some("the users file")),
        (
            "allow.write = [\"convoke.toml\"]",
            Some("the configuration"),
        ),
        ("allow.write = [\"/\"]", Some("the plugin folder")),
        ("allow.read = [\"users.htpasswd\"]", Some("the users file")),
        ("allow.read = [\"convoke.toml\"]", None),
    ] {
        let store = format!(
            "plugin = \"store-sqlite\"\nisolation = \"process\"\n{allow}\nconfig.path = \"calendars/c.db\""
        );
        let config = config.replace(
            "plugin = \"store-sqlite\"\nconfig.path = \"calendars.db\"",
            &store,
        );
        desk.write("convoke.toml", &config);
        let said = desk.run(&["check"]).out;
        // Where the test's folder is kept in memory, that is told too.
        let warns = |line: &&str| {
            line.starts_with("warn") && line.contains(" grants ") && !line.contains("tmpfs")
        };
        let mut warnings = said.lines().filter(warns);
        match covered {
            Some(what) => assert!(warnings.any(|it| it.contains(what)), "{allow}: {said}"),
            None => assert_eq!(warnings.next(), None, "{allow}"),
        }
    }
}

/// Each of the two that keep a program from becoming another does so by itself.
#[test]
fn a_program_stays_what_it_is_on_old_kernels_too() {
    let desk = Desk::new();
    let program = plugin_program();
    let ask = || {
        let mut command = desk.command(&["plugin", "ask"]);
        let config = "fault = 'become'\nwhat = '/bin/true'";
        let what = ["find", "a@example.org", "--kind", "store"];
        let allow = ["--allow", "read = ['/']"];
        command
            .arg(&program)
            .args(what)
            .args(allow)
            .args(["--config", config]);
        command
    };
    for (call, error, refusal) in [
        (
            libc::SYS_landlock_create_ruleset,
            libc::ENOSYS,
            "Operation not permitted",
        ),
        (libc::SYS_seccomp, libc::EINVAL, "Permission denied"),
    ] {
        let said = without(call, error, ask());
        let told = format!("it answers Denied: {refusal}");
        assert!(said.err.contains(&told), "{said:?}");
    }
}

/// What a program says of itself is shown, and the configuration held against it.
#[test]
fn a_program_is_listed_checked_and_inspected() {
    let desk = Desk::new();
    let program = plugin_program();
    let config = std::fs::read_to_string(desk.path("convoke.toml")).unwrap();
    let entry =
        |table: &str| format!("{config}\n{table}\nplugin = {program:?}\nisolation = \"process\"\n");
    desk.write("convoke.toml", &entry("[[discovery]]"));
    let list = desk.run(&["plugin", "list", "--json"]).json();
    let list = list.as_array().unwrap();
    let shown = list.iter().find(|it| it["name"] == "test-process");
    let shown = shown.unwrap();
    for (key, value) in [("state", "ready"), ("isolation", "process"), ("abi", "")] {
        assert_eq!(shown[key], value, "{shown}");
    }
    assert_eq!(shown["protocol"], 1);
    let said = desk.run(&["check"]).out;
    assert!(said.contains("test-process"), "{said}");
    let strict = entry("[[store]]\ndomains = [\"example.net\"]\nconfig.later = 1");
    desk.write("convoke.toml", &strict);
    let said = desk.run(&["check"]).out;
    assert!(said.contains("`config.later` is not known"), "{said}");

    let inspected = desk
        .run(&["plugin", "inspect", program.to_str().unwrap(), "--json"])
        .json();
    for (key, value) in [
        ("name", "test-process"),
        ("version", "1.2.3"),
        ("vendor", "Acme"),
    ] {
        assert_eq!(inspected[key], value, "{inspected}");
    }
    assert_eq!(
        inspected["kinds"],
        serde_json::json!(["discovery", "store"])
    );
    assert_eq!(inspected["config"]["store"][0]["name"], "fault");
    // What would be refused is not run, and so says nothing.
    let script = desk.path("acme.sh");
    std::fs::write(&script, "#!/bin/sh\ntouch ran\n").unwrap();
    let said = desk.run(&["plugin", "inspect", script.to_str().unwrap()]);
    assert!(said.err.contains("`chmod u+x` it"), "{said:?}");
}
