use crate::world::{discovery, open, policy, store};
use convoke::{config::Config, instance};
use convoke_plugin_host::{PluginEntry, Plugins, Setup};
use convoke_sdk::remote::Candidate;
use convoke_tests::{plugin_directory, plugin_file, program};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Opens an entry that is refused, and answers the one sentence.
async fn refused(entry: PluginEntry) -> String {
    let sentence = open(vec![entry])
        .await
        .err()
        .expect("it is refused")
        .to_string();
    assert!(!sentence.contains('\n'), "{sentence}");
    sentence
}

/// A copy of a good plugin, changed.
struct Copy {
    folder: TempDir,
    data: Vec<u8>,
}

impl Copy {
    fn of(file: &Path) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            data: fs::read(file).unwrap(),
        }
    }

    fn new() -> Self {
        Self::of(&plugin_file("test-sample"))
    }

    fn replace(mut self, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len());
        let at = self
            .data
            .windows(from.len())
            .position(|bytes| bytes == from.as_bytes());
        let at = at.expect("the text is there");
        self.data[at..at + to.len()].copy_from_slice(to.as_bytes());
        self
    }

    fn write(&self) -> PathBuf {
        let file = self.folder.path().join("acme.so");
        fs::write(&file, &self.data).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        file
    }
}

async fn refused_copy(copy: &Copy) -> String {
    refused_file(&copy.write()).await
}

/// What is refused is refused by `plugin inspect`, too, in the same words.
async fn refused_file(file: &Path) -> String {
    let sentence = refused(discovery(file.to_str().unwrap(), "")).await;
    let inspected = inspected(file);
    assert!(sentence.ends_with(&inspected), "{sentence}\n{inspected}");
    sentence
}

/// Why `plugin inspect` says that a file would not be loaded.
fn inspected(file: &Path) -> String {
    let mut inspect = Command::new(program());
    inspect.args(["plugin", "inspect", "--json"]).arg(file);
    let output = inspect.current_dir("/").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let complaint = String::from_utf8(output.stderr).unwrap();
    if let Some(complaint) = complaint.strip_prefix("convoke: ") {
        return complaint.trim_end().to_owned();
    }
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["refused"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_that_is_not_there() {
    let sentence = refused(store("test-sampel", "")).await;
    assert!(
        sentence
            .starts_with("convoke.toml:12:1: store `test-sampel`: there is no such plugin at /"),
        "{sentence}"
    );
    assert!(
        sentence.ends_with("; did you mean `test-sample`?"),
        "{sentence}"
    );
    let sentence = refused(store("./nowhere/acme.so", "")).await;
    assert!(
        sentence.contains("at /etc/convoke/nowhere/acme.so;"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_plugin() {
    let text = Copy {
        data: b"Dear colleague,".to_vec(),
        ..Copy::new()
    };
    assert!(refused_copy(&text).await.ends_with(
        "acme.so: is neither a library nor a program; name the file that the plugin's build made"
    ));

    let empty = Copy {
        data: Vec::new(),
        ..Copy::new()
    };
    assert!(
        refused_copy(&empty)
            .await
            .contains("is neither a library nor a program")
    );

    let archive = Copy {
        data: b"!<arch>\nhello.o/        ".to_vec(),
        ..Copy::new()
    };
    assert!(refused_copy(&archive).await.contains("is a static library"));

    let foreign = Copy::of(&a_library_of_the_system());
    assert!(refused_copy(&foreign).await.ends_with(
        "is a library, but not a Convoke plugin: it carries no plugin manifest; check the path"
    ));
}

/// The C library that this test runs with.
fn a_library_of_the_system() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut files = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    files.find(|file| file.contains("libc.so")).unwrap().into()
}

#[tokio::test]
async fn a_damaged_or_foreign_build() {
    for keep in [64, 4096, 100_000] {
        let mut copy = Copy::new();
        copy.data.truncate(keep);
        let sentence = refused_copy(&copy).await;
        assert!(
            sentence.contains("is cut short or damaged (") && sentence.ends_with("; copy it again"),
            "{sentence}"
        );
    }

    for (machine, name) in [
        (0xf3_u16, "riscv"),
        (183, "aarch64"),
        (9999, "an unknown processor"),
    ] {
        if name == std::env::consts::ARCH {
            continue;
        }
        let mut copy = Copy::new();
        copy.data[18..20].copy_from_slice(&machine.to_ne_bytes()); // e_machine
        let sentence = refused_copy(&copy).await;
        assert!(
            sentence.contains(&format!("is built for {name}"))
                && sentence.contains("; install the plugin built for"),
            "{sentence}"
        );
    }

    let sentence = refused_copy(&Copy::new().replace("CONVOKE-PLUGIN 0", "CONVOKE-PLUGIN x")).await;
    assert!(
        sentence.contains("its plugin manifest is damaged: its length is no number"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_build_that_does_not_fit() {
    let sentence = refused_copy(&Copy::new().replace("abi = 1.0", "abi = 2.0")).await;
    assert!(sentence.ends_with(
        "was built for plugin ABI 2.0 and this host speaks 1.0; install a build of the plugin for ABI 1, \
         or a host for ABI 2"
    ));
    let sentence = refused_copy(&Copy::new().replace("panic = unwind", "panic = abort ")).await;
    assert!(sentence.ends_with(
        "was built with panic = \"abort\", so a fault in it would end the host; \
         build it with panic = \"unwind\""
    ));
}

#[tokio::test]
async fn a_root_module_of_another_make() {
    let sentence = refused_copy(
        &Copy::new().replace("abi stable library for Rust", "one that nobody has heard o"),
    )
    .await;
    assert!(
        sentence.ends_with(
            "acme.so: does not fit this host's plugin ABI 1.0 (its root module was not made by \
             `convoke_sdk::plugin!`); build it again with a released SDK"
        ),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_library_without_its_root_module() {
    let copy = Copy::new().replace("CONVOKE_PLUGIN_ROOT", "CONVOKE_PLUGIN_RXXT");
    let sentence = refused_copy(&copy).await;
    let says = "carries a plugin manifest, but does not export `CONVOKE_PLUGIN_ROOT`; build it again without \
                stripping symbols";
    assert!(sentence.ends_with(says), "{sentence}");
}

/// What only loading shows is not shown where nothing may run.
#[test]
fn a_library_that_is_not_loaded_is_only_looked_at() {
    let copy = Copy::new().replace("CONVOKE_PLUGIN_ROOT", "CONVOKE_PLUGIN_RXXT");
    let mut inspect = Command::new(program());
    inspect.args(["plugin", "inspect", "--no-run"]);
    let output = inspect.arg(copy.write()).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let row = said.lines().find(|line| line.starts_with("loads"));
    assert!(row.unwrap().contains("was not loaded"), "{said}");
}

#[tokio::test]
async fn a_file_that_others_could_change() {
    let copy = Copy::new();
    let file = copy.write();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
    let sentence = refused_file(&file).await;
    let remedy = format!(
        "everybody on this machine can write it (mode 0646); run: chmod o-w {}",
        file.display()
    );
    assert!(sentence.ends_with(&remedy), "{sentence}");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let link = copy.folder.path().join("link.so");
    symlink(&file, &link).unwrap();
    let sentence = refused_file(&link).await;
    assert!(
        sentence.contains("link.so: is a symbolic link to /"),
        "{sentence}"
    );
    assert!(
        sentence.ends_with("acme.so; name that file itself"),
        "{sentence}"
    );

    let folder = copy.folder.path().join("folder.so");
    fs::create_dir(&folder).unwrap();
    let sentence = refused_file(&folder).await;
    assert!(sentence.contains("is not a regular file"), "{sentence}");

    fs::set_permissions(copy.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let sentence = refused_file(&file).await;
    assert!(sentence.contains("run: chmod o-w "), "{sentence}");
}

#[tokio::test]
async fn another_file_than_the_administrator_meant() {
    let file = plugin_file("test-sample");
    let right = Candidate::look(&file).unwrap().sha256();
    let mut entry = discovery("test-sample", "");
    entry.sha256 = Some(right.to_uppercase());
    assert!(open(vec![entry.clone()]).await.is_ok());
    entry.sha256 = Some("00".repeat(32));
    let sentence = refused(entry).await;
    assert!(
        sentence.contains(&format!("has the sha256 {right}, not 0000"))
            && sentence.ends_with("; install the right file, or correct `sha256`"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_plugin_of_another_kind() {
    let sentence = refused(store("test-fixed", "")).await;
    assert!(
        sentence.ends_with(".so offers discovery, not store; list it under `[[discovery]]`"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_configuration_that_the_plugin_does_not_take() {
    for (entry, end) in [
        (
            discovery("test-sample", "domans = {}"),
            "`test-sample`: `config.domans` is not known; did you mean `domains`?",
        ),
        (
            discovery(
                "test-sample",
                "domains.'example.com' = 'ftp://example.com/'",
            ),
            "iSchedule goes over https only",
        ),
        (
            policy("test-sample", "answer = 'alow'"),
            "`config.answer` cannot be `alow`; did you mean `allow`?",
        ),
        (store("test-sample", ""), "`config.user` is missing; add it"),
        (
            store("test-sample", "user = 3"),
            "`config.user` is wrong: expected a text, not 3",
        ),
    ] {
        let sentence = refused(entry).await;
        assert!(sentence.ends_with(end), "{sentence}");
    }
}

#[tokio::test]
async fn two_plugins_of_one_name() {
    let mut first = discovery("test-sample", "");
    first.name = Some("finder".to_owned());
    let sentence = open(vec![first.clone(), first])
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        sentence.ends_with(
            "another plugin is named `finder` already; give this one a `name` of its own"
        )
    );
}

#[tokio::test]
async fn every_wrong_entry_has_its_line() {
    let errors = open(vec![
        store("nothing", ""),
        policy("test-sample", "answer = 1"),
    ])
    .await;
    assert_eq!(errors.err().unwrap().to_string().lines().count(), 2);
}

#[tokio::test]
async fn a_wrong_key_of_a_plugin_has_its_own_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("convoke.toml");
    let text = "[server]\ndomains = [\"example.org\"]\nstate = \"state\"\n\n[[discovery]]\n\
                plugin = \"test-sample\"\nconfig.rest_milliseconds = \"long\"\n";
    fs::write(&file, text).unwrap();
    let config = Config::read(&file).unwrap();
    let setup = Setup {
        plugin_directories: vec![plugin_directory()],
        program: program(),
        ..instance::setup(&config)
    };
    let errors = Plugins::open(&setup).await;
    let sentence = errors.err().unwrap().to_string();
    assert!(
        sentence.contains(
            "convoke.toml:7:8: discovery `test-sample`: `config.rest_milliseconds` is wrong: "
        ),
        "{sentence}"
    );
}
