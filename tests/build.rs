//! Finds out what this machine lets tests do, so that a test that cannot run here shows as ignored, with its reason.

use std::{env, fs, os::unix::fs::MetadataExt, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=USER");
    println!("cargo::rustc-check-cfg=cfg(may_unshare, may_become_nobody, has_python)");
    if may_unshare() {
        println!("cargo::rustc-cfg=may_unshare");
    }
    if may_become_nobody() {
        println!("cargo::rustc-cfg=may_become_nobody");
    }
    if has_python() {
        println!("cargo::rustc-cfg=has_python");
    }
}

/// Whether a script that asks for python3 finds one where the host looks, and one that `examples/store-python` runs with.
fn has_python() -> bool {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin"];
    let mut pythons = folders.iter().map(|it| Path::new(it).join("python3"));
    let Some(python) = pythons.find(|it| it.is_file()) else {
        return false;
    };
    let script = "import sqlite3, sys\n\
        sqlite3.connect(':memory:').execute('SELECT json_object()')\n\
        sys.exit(sys.version_info < (3, 9))";
    let tried = Command::new(python).args(["-c", script]).output();
    tried.is_ok_and(|it| it.status.success())
}

/// Whether everybody may have a view of users and disks of their own, with which the tests make trouble.
fn may_unshare() -> bool {
    let tried = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output();
    tried.is_ok_and(|it| it.status.success())
}

/// Whether we are root, and somebody who is not may run what we build: every folder above it lets everybody through.
fn may_become_nobody() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    let above = Path::new(&folder).ancestors();
    let mut modes = above.map(|it| fs::metadata(it).map_or(0, |about| about.mode()));
    is_root && modes.all(|mode| mode & 0o001 != 0)
}
