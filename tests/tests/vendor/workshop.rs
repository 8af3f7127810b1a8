//! A folder to build in. All builds share one target folder, and take their dependencies as this workspace locks them,
//! from what cargo has downloaded for it: nothing needs the network.

use convoke_tests::program;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap()
}

/// Where everything is built.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("vendor")
}

/// A library that was built there.
pub(crate) fn library(name: &str) -> PathBuf {
    let stem = name.replace('-', "_");
    target().join("debug").join(format!("lib{stem}.so"))
}

/// A command that succeeded; what it said on stdout.
pub(crate) fn succeed(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    let complaint = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}\n{said}\n{complaint}");
    said
}

/// The vendor's machine: `convoke` is on the path, and what `plugin new` writes down of the SDK is found.
pub(crate) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(program(), bin.join("convoke")).unwrap();
        // As if it had been released.
        let released = format!(
            "[patch.crates-io]\nconvoke-sdk.path = \"{}\"\n",
            root().join("sdk").display()
        );
        fs::create_dir(folder.path().join(".cargo")).unwrap();
        fs::write(folder.path().join(".cargo/config.toml"), released).unwrap();
        fs::create_dir_all(target()).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A program run in `folder`.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        let bin = self.path().join("bin");
        command
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_NET_OFFLINE", "true")
            // What only a debugger or the next build would want takes long.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "0");
        command
    }

    pub(crate) fn convoke(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("convoke", self.path());
        command.args(arguments);
        command
    }

    pub(crate) fn cargo(&self, folder: &Path, arguments: &[&str]) -> String {
        succeed(self.command("cargo", folder).args(arguments))
    }

    /// `plugin test --json` of a library that keeps all it is asked for; how many laws that are.
    pub(crate) fn tested(&self, library: &Path, arguments: &[&str]) -> usize {
        let mut command = self.convoke(&["plugin", "test", "--json"]);
        let report = succeed(command.arg(library).args(arguments));
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["kept"], true, "{report:#}");
        let laws = report["kinds"][0]["laws"].as_array().unwrap();
        laws.iter().filter(|law| law["outcome"] == "kept").count()
    }
}

/// Makes a crate use the versions of this workspace.
pub(crate) fn lock(folder: &Path) {
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}
