//! A folder with a configuration, and the program run in it.

use convoke_tests::{plugin_directory, program};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};
use tempfile::TempDir;

/// What an administrator sits at.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The JSON on stdout of a command that succeeded.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 0, "{self:?}");
        self.json_whatever_came_of_it()
    }

    pub(crate) fn json_whatever_came_of_it(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The one sentence of a command that failed.
    pub(crate) fn complaint(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.out, "", "errors go to stderr");
        assert_eq!(self.err.trim_end().lines().count(), 1, "{self:?}");
        &self.err
    }
}

impl Desk {
    /// A host for example.org on SQLite, whose submission listener takes any free port.
    pub(crate) fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let config = format!(
            r#"
[server]
domains = ["example.org"]
state = "state"
plugins = ["{}"]
[[listener]]
role = "submission"
address = "127.0.0.1:0"
users = "users.htpasswd"
[[policy]]
plugin = "policy-rules"
config.rules = [{{ allow = "any", via = "submission" }}]
[[store]]
plugin = "store-sqlite"
config.path = "calendars.db"
"#,
            plugin_directory().display()
        );
        desk.write("convoke.toml", &config);
        let hash = bcrypt::hash("password", 4).unwrap();
        let users = desk.write("users.htpasswd", &format!("anna@example.org:{hash}\n"));
        fs::set_permissions(users, fs::Permissions::from_mode(0o600)).unwrap();
        desk
    }

    /// The same with users.
    pub(crate) fn with_users(addresses: &[&str]) -> Self {
        let desk = Self::new();
        for address in addresses {
            let said = desk.run(&["user", "add", address]);
            assert_eq!(said.status, 0, "{said:?}");
        }
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A file that need not be text.
    pub(crate) fn write_octets(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, octets).unwrap();
        path
    }

    /// A command in the folder; the configuration is found there.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env_remove("CONVOKE_PASSWORD")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    /// The same, with something on stdin.
    pub(crate) fn pipe(&self, arguments: &[&str], text: &str) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        if let Err(error) = stdin.write_all(text.as_bytes()) {
            // A program that refuses its arguments reads nothing.
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
        }
        drop(stdin);
        said(child.wait_with_output().unwrap())
    }

    /// Where the running host takes messages from elsewhere.
    pub(crate) fn submission_url(&self) -> String {
        let notes = fs::read_to_string(self.path("state/listeners.json")).unwrap();
        let notes: Value = serde_json::from_str(&notes).unwrap();
        format!("http://{}", notes[0]["address"].as_str().unwrap())
    }

    /// A command on another machine, which has no configuration: as somebody who logs in at this desk's host.
    pub(crate) fn run_elsewhere(&self, arguments: &[&str], password: &str) -> Said {
        let laptop = tempfile::tempdir().unwrap();
        let url = self.submission_url();
        let mut command = self.command(arguments);
        command
            .current_dir(laptop.path())
            .args(["--server", &url])
            .env("CONVOKE_PASSWORD", password);
        said(command.output().unwrap())
    }

    /// Starts the host; it ends with the test, as its stdin is closed then.
    pub(crate) fn serve(&self) -> Running {
        let mut command = self.command(&["serve", "--while-stdin-open"]);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (heard, log) = mpsc::channel();
        // Somebody must go on reading, or the host would wait for room in the pipe.
        std::thread::spawn(move || {
            // Nobody may listen any more.
            lines.try_for_each(|line| line.map(|line| drop(heard.send(line))))
        });
        let running = Running { child, log };
        running.wait_for("\"ready\"");
        running
    }
}

/// A running host.
pub(crate) struct Running {
    child: Child,
    log: mpsc::Receiver<String>,
}

impl Running {
    /// Waits until a line of the log has this in it, and returns that line.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let mut log = String::new();
        loop {
            match self.log.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => log = log + &line + "\n",
                Err(error) => panic!("no `{text}` in the log ({error}):\n{log}"),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        status: output.status.code().expect("no signal ended it"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An event as a calendar program writes it; `lines` come with LF.
pub(crate) fn event(uid: &str, lines: &str) -> String {
    calendar(&format!(
        "BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20261101T000000Z\n{lines}END:VEVENT\n"
    ))
}

pub(crate) fn calendar(components: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Test//EN\n{components}END:VCALENDAR\n")
        .replace('\n', "\r\n")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
