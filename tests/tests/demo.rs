//! The demo does what it says, and leaves nothing behind, however it ends.

use convoke_tests::{plugin_directory, program};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The program beside the plugins, where an administrator has it too. A name for each test: they run at once.
struct Program(PathBuf);

impl Program {
    fn new(test: &str) -> Self {
        let name = format!("convoke-demo-{test}-{}", std::process::id());
        let path = plugin_directory().join(name);
        // Not a copy: a child that another test starts meanwhile would hold it open for writing, and it could not run.
        fs::hard_link(program(), &path).unwrap();
        Self(path)
    }

    fn demo(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command.arg("demo").env("TMPDIR", folder);
        command
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

/// A demo that stays up: what it said, and its hosts.
fn told(program: &Program, folder: &Path) -> (Child, Vec<String>, impl Read + use<>) {
    let mut child = program.demo(folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("tail -f") {
        assert_ne!(
            out.read_line(&mut said).unwrap(),
            0,
            "the demo ended:\n{said}"
        );
    }
    let hosts = said.split("process ").skip(1);
    let hosts: Vec<String> = hosts
        .map(|rest| rest.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(hosts.len(), 2, "{said}");
    (child, hosts, out)
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Waits until none of the processes is there.
fn gone(processes: &[String]) {
    for process in processes {
        let tail = ["20", "tail", "--pid", process, "-f", "/dev/null"];
        let status = Command::new("timeout").args(tail).status().unwrap();
        assert!(status.success(), "process {process} is still there");
    }
}

#[test]
fn once_tells_the_story_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new("once");
    let output = program.demo(folder.path()).arg("--once").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complaint}\n{said}");
    assert_eq!(complaint, "");
    for expected in [
        "> POST https://localhost:",
        "> originator: mailto:anna@harbour.example",
        "> dkim-signature: ",
        "bo@meadow.example    2.0  Success",
        "bo ACCEPTED",
        "Bo writes a barn dance into his own calendar",
        "anna's calendar followed bo's file both times",
        "Every step did what it says.",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn it_stays_up_until_it_is_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new("asked");
    let (mut child, hosts, mut out) = told(&program, folder.path());
    // What it says to try works.
    let config = fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let config = config.path().join("harbour/convoke.toml");
    let again = Command::new(&program.0)
        .args([
            "freebusy",
            "--as",
            "anna@harbour.example",
            "bo@meadow.example",
            "--config",
        ])
        .arg(config)
        .status();
    assert!(again.unwrap().success());
    signal("TERM", child.id());
    assert!(child.wait().unwrap().success());
    out.read_to_end(&mut Vec::new()).unwrap();
    gone(&hosts);
    assert!(is_empty(folder.path()));
}

#[test]
fn its_hosts_end_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new("killed");
    let (mut child, hosts, _out) = told(&program, folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    gone(&hosts);
}
