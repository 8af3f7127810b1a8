//! What the README and the sample configurations say is true.

use convoke::{config::Config, instance};
use convoke_plugin_host::{Plugins, Setup};
use convoke_sdk::remote::Kind;
use convoke_tests::{Authority, NameServer, plugin_directory, program};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The texts of the code blocks in a language.
fn blocks(language: &str) -> Vec<String> {
    blocks_of(&readme(), language)
}

fn blocks_of(readme: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let blocks = readme.split(&opening).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// The lines of the `sh` blocks.
fn commands() -> Vec<String> {
    blocks("sh")
        .iter()
        .flat_map(|block| block.lines())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_sample_configuration_is_read() {
    let packaged = [
        "core/host/packaging/convoke.toml",
        "examples/container/etc/convoke.toml",
    ];
    let mut samples: Vec<_> = packaged.iter().map(|it| root().join(it)).collect();
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            samples.push(path);
        }
    }
    assert!(samples.len() >= 5, "{samples:?}");
    for sample in samples {
        Config::read(&sample).unwrap_or_else(|error| panic!("{error}"));
    }
    let blocks = blocks("toml");
    let (first, entries) = blocks.split_first().unwrap();
    let path = Path::new("/etc/convoke/convoke.toml");
    Config::parse(first, path).unwrap_or_else(|error| panic!("{error}"));
    assert!(!entries.is_empty());
    for entry in entries {
        let with_server = format!("[server]\ndomains = [\"example.org\"]\n{entry}");
        Config::parse(&with_server, path).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_plugin_has_a_readme_whose_configuration_is_read() {
    for entry in fs::read_dir(root().join("plugins")).unwrap() {
        let folder = entry.unwrap().path();
        let readme = fs::read_to_string(folder.join("README.md"))
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let samples = blocks_of(&readme, "toml");
        assert!(!samples.is_empty(), "{}", folder.display());
        for sample in samples {
            let with_server = format!("[server]\ndomains = [\"example.org\"]\n{sample}");
            let path = folder.join("README.md");
            Config::parse(&with_server, &path).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// `examples/convoke.toml` says that it explains every key.
#[tokio::test]
async fn plugins_take_what_the_annotated_sample_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    let sample = fs::read_to_string(root().join("examples/convoke.toml")).unwrap();
    // What a plugin is granted must be there.
    fs::create_dir(folder.path().join("calendars")).unwrap();
    // As must be what the host trusts, which plugins are told.
    let authority = Authority::new();
    fs::write(folder.path().join("ca.pem"), authority.certificate()).unwrap();
    let mut config = Config::parse(&sample, &folder.path().join("convoke.toml")).unwrap();
    config.server.plugins = vec![plugin_directory()];
    config.server.state = folder.path().join("state");
    let setup = Setup {
        program: program(),
        ..instance::setup(&config).without(Kind::State)
    };
    if let Err(errors) = Plugins::open(&setup).await {
        panic!("{errors}");
    }
}

#[test]
fn the_first_plugin_is_the_example() {
    let example = root().join("examples/discovery-fixed/src/lib.rs");
    assert_eq!(blocks("rust"), [fs::read_to_string(example).unwrap()]);
}

/// The README's commands about a real configuration, in their order, in a folder instead of /etc and /var/lib.
#[test]
fn the_sysadmins_commands_work() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let names = NameServer::new();
    configure(place, &names);
    let (mut host, mut serves) = (None, String::new());
    let mut done = 0;
    for command in commands().iter().filter(|it| it.starts_with("convoke ")) {
        if command.contains("plugin inspect") {
            continue; // `the_vendors_commands_work`
        }
        if command.contains("strangers.toml") {
            continue; // `a_key_for_strangers_is_made_and_shown`
        }
        let command = command.replace("/etc/convoke", place.to_str().unwrap());
        let line = command.replacen("convoke", program().to_str().unwrap(), 1);
        if command.starts_with("convoke serve") {
            host = Some(Running::start(&line, place));
            serves = line;
        } else {
            // Where no host runs, as the README says.
            let is_restore = command.starts_with("convoke restore");
            if is_restore {
                host = None;
            }
            let output = shell(&line, place).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command}\n{said}{complaint}");
            if command.starts_with("convoke keys show-dns") {
                publish(&line, place, &names);
            }
            if is_restore {
                host = Some(Running::start(&serves, place));
            }
        }
        done += 1;
    }
    assert!(host.is_some() && done >= 8, "{done} commands");
}

/// What needs DNS, `check` and `probe`, is in the tests of the command line.
#[test]
fn a_key_for_strangers_is_made_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        root().join("examples/strangers.toml"),
        folder.path().join("strangers.toml"),
    )
    .unwrap();
    let commands = commands();
    let keys = commands
        .iter()
        .filter(|it| it.starts_with("convoke keys") && it.contains("strangers.toml"));
    let mut said = String::new();
    for command in keys {
        let line = command.replacen("convoke", program().to_str().unwrap(), 1);
        let output = shell(&line, folder.path()).output().unwrap();
        said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}\n{output:?}");
    }
    assert!(
        said.contains("is1._domainkey.example.org. IN TXT ( \"v=DKIM1;"),
        "{said}"
    );
}

/// What the README takes for granted: its configuration, DNS in which nothing is published yet, files to import and
/// send, and whom the invitation is for.
fn configure(place: &Path, names: &NameServer) {
    let config = blocks("toml").swap_remove(0);
    let state = place.join("state");
    let config = config
        .replace("[::]:8443", "127.0.0.1:0")
        .replace("127.0.0.1:8008", "127.0.0.1:0")
        .replace("/var/lib/convoke", state.to_str().unwrap())
        .replacen(
            "state =",
            &format!("plugins = [\"{}\"]\nstate =", plugin_directory().display()),
            1,
        )
        + &format!("\n[dns]\nnameservers = [\"{}\"]\n", names.address());
    fs::create_dir(state).unwrap();
    fs::write(place.join("convoke.toml"), config).unwrap();
    let event = |uid: &str, method: &str, more: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n{method}BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261101T000000Z\r\n\
             DTSTART:20270104T100000Z\r\nDTEND:20270104T110000Z\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    fs::write(place.join("anna.ics"), event("one", "", "")).unwrap();
    let people = "ORGANIZER:mailto:anna@example.org\r\nATTENDEE:mailto:bo@example.org\r\n";
    let invitation = event("two", "METHOD:REQUEST\r\n", people);
    fs::write(place.join("invitation.ics"), invitation).unwrap();
    fs::write(
        place.join("people.csv"),
        "address,name\ncleo@example.org,Cleo\n",
    )
    .unwrap();
    let bo = Command::new(program())
        .args(["user", "add", "bo@example.org"])
        .current_dir(place)
        .status();
    assert!(bo.unwrap().success());
}

/// Puts the key into DNS that a command shows, as an administrator does.
fn publish(command: &str, place: &Path, names: &NameServer) {
    let output = shell(&format!("{command} --json"), place).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let strings = shown["txt"]["strings"].as_array().unwrap();
    let record: String = strings.iter().map(|it| it.as_str().unwrap()).collect();
    names.txt(shown["txt"]["name"].as_str().unwrap(), &record);
}

fn shell(line: &str, place: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-ec", line])
        .current_dir(place)
        .stdin(Stdio::null());
    command
}

/// `convoke serve`, ended by SIGTERM as the README says.
struct Running(Child);

impl Running {
    fn start(line: &str, place: &Path) -> Self {
        let mut command = shell(&format!("exec {line}"), place);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        while !log.contains("\"ready\"") {
            let line = lines.next();
            let line = line.unwrap_or_else(|| panic!("the host ended:\n{log}"));
            log.push_str(&line.unwrap());
            log.push('\n');
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let _ = self.0.wait();
    }
}

/// Outside the workspace, with a target folder of its own.
#[test]
fn the_vendors_commands_work() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vendor");
    let commands = commands();
    let build = commands
        .iter()
        .find(|it| it.contains("--manifest-path"))
        .unwrap();
    let output = shell(build, &root())
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let inspect = commands
        .iter()
        .find(|it| it.contains("plugin inspect"))
        .unwrap();
    let inspect = inspect
        .replacen("convoke", program().to_str().unwrap(), 1)
        .replace("examples/discovery-fixed/target", target.to_str().unwrap());
    let output = shell(&inspect, &root()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.contains("fixed") && said.contains("discovery"),
        "{said}"
    );
}

/// The other commands are run by `.ci/run` as they stand: one starts the demo, one runs these tests.
#[test]
fn no_command_of_the_readme_is_left_out() {
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    for command in commands() {
        let elsewhere = command.starts_with("convoke ") || command.contains("--manifest-path");
        assert!(
            elsewhere || ci.contains(&command),
            "nobody runs `{command}`"
        );
    }
}
