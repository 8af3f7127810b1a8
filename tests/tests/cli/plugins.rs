//! What `plugin list` and `check` say of plugins in a process of their own.

use crate::desk::{Desk, Said, said};
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
