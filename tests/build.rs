//! Finds out what this machine lets tests do, so that a test that cannot run here shows as ignored, with its reason.

use std::{env, fs, os::unix::fs::MetadataExt, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=USER");
    println!("cargo::rustc-check-cfg=cfg(may_unshare, may_become_nobody)");
    if may_unshare() {
        println!("cargo::rustc-cfg=may_unshare");
    }
    if may_become_nobody() {
        println!("cargo::rustc-cfg=may_become_nobody");
    }
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
