use crate::workshop::{Workshop, lock, root, succeed, target};
use convoke::state_folder::listener_notes;
use convoke_tests::plugin_directory;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// A block of `sdk/README.md` that somebody would type, or write into a file.
enum Step {
    Shell(String),
    File { name: String, text: String },
}

/// All of them, in their order. A block that is no `sh` is the file that the line before it names; `text` is what is said.
fn steps(readme: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut before = "";
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```").filter(|it| !it.is_empty()) else {
            before = if line.is_empty() { before } else { line };
            continue;
        };
        let block: Vec<_> = (&mut lines).take_while(|line| *line != "```").collect();
        let text = block.join("\n") + "\n";
        match language {
            "sh" => steps.push(Step::Shell(text)),
            "text" => {}
            _ => {
                let file = before
                    .strip_suffix("`:")
                    .and_then(|it| it.rsplit('`').next());
                let name = file.unwrap_or_else(|| panic!("which file is this?\n{text}"));
                let name = name.to_owned();
                steps.push(Step::File { name, text });
            }
        }
    }
    steps
}

/// Whoever follows the tutorial.
struct Reader {
    workshop: Workshop,
    /// Where they are.
    folder: PathBuf,
    hosts: Vec<Child>,
    said: String,
}

impl Reader {
    fn new() -> Self {
        let workshop = Workshop::new();
        Self {
            folder: workshop.path().to_owned(),
            workshop,
            hosts: Vec::new(),
            said: String::new(),
        }
    }

    /// Files as they stand there, but with the plugins where cargo built them, and on ports that are free: where the
    /// company's server listens is known once it runs.
    fn write(&self, name: &str, text: &str) {
        let port = listener_notes(&self.folder.join("company"));
        let port = port.first().map_or(0, |note| note.address.port());
        let plugins = format!("plugins = [\"{}\"]\nstate =", plugin_directory().display());
        let text = text
            .replacen("state =", &plugins, 1)
            .replace("127.0.0.1:8443", "127.0.0.1:0")
            .replace("127.0.0.1:9090", "127.0.0.1:0")
            .replace("localhost:8443", &format!("localhost:{port}"));
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn run(&mut self, block: &str) {
        for line in block.lines() {
            if let Some(folder) = line.strip_prefix("cd ") {
                self.folder.push(folder);
                // Where the build goes, and which versions it takes, is ours to say.
                symlink(target(), self.folder.join("target")).unwrap();
                lock(&self.folder);
            } else if let Some(host) = line.strip_suffix(" &") {
                self.serve(host);
            } else {
                let mut command = self.command(line);
                self.said += &succeed(&mut command);
            }
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.workshop.command("sh", &self.folder);
        command.env_remove("CARGO_TARGET_DIR").args(["-ec", line]);
        command.stdin(Stdio::null());
        command
    }

    /// Starts a host, and waits until it is ready.
    fn serve(&mut self, line: &str) {
        let mut command = self.command(&format!("exec {line}"));
        let mut host = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(host.stderr.take().unwrap()).lines();
        self.hosts.push(host);
        let mut log = String::new();
        while !log.contains("event=\"ready\"") {
            let line = lines.next();
            log += &line
                .unwrap_or_else(|| panic!("the host ended:\n{log}"))
                .unwrap();
            log.push('\n');
        }
        // Somebody must go on reading, or the host would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

#[test]
fn the_tutorial_works_when_it_is_followed_line_by_line() {
    let text = fs::read_to_string(root().join("sdk/README.md")).unwrap();
    let mut reader = Reader::new();
    let mut typed = String::new();
    for step in steps(&text) {
        match step {
            Step::Shell(block) => {
                reader.run(&block);
                typed += &block;
            }
            Step::File { name, text } => reader.write(&name, &text),
        }
    }
    for part in [
        "plugin new",
        "cargo test",
        "plugin inspect",
        "plugin test",
        "freebusy",
    ] {
        assert!(typed.contains(part), "it says nothing of {part}:\n{typed}");
    }
    // What the tutorial shows of what is said.
    let said = &reader.said;
    for shown in text.split("```text\n").skip(1) {
        for line in shown.split("```").next().unwrap().lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let there = |said: &str| said.split_whitespace().collect::<Vec<_>>() == words;
            assert!(said.lines().any(there), "nobody said `{line}` in:\n{said}");
        }
    }
}
