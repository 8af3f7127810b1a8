//! Which commit this is, for `convoke --version`: of `CONVOKE_COMMIT`, or as git says. Without either it is not said, and nothing
//! fails. Only of builds to be used: others would be built anew after each commit.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CONVOKE_COMMIT");
    if let Some(commit) = said().or_else(of_git) {
        println!("cargo::rustc-env=CONVOKE_COMMIT={commit}");
    }
}

/// As who packages it says.
fn said() -> Option<String> {
    env::var("CONVOKE_COMMIT").ok().filter(|it| !it.is_empty())
}

fn of_git() -> Option<String> {
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    // What changes when another commit is checked out; a worktree has them elsewhere.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // A folder within somebody else's repository, as packagers have, is none of ours.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// What git says, in one line.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
