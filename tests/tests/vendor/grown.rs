//! The promise: a plugin built for ABI 1.x loads in every host of ABI 1.y, older or newer.
//!
//! A copy of the SDK is grown as a later version of it may grow: by a field of the root module, and by a method of a
//! plugin's object and of the host's. A plugin and a host are built with it, and meet those of today.

use crate::workshop::{Workshop, library, lock, root, succeed, target};
use convoke_tests::plugin_file;
use std::{
    fs,
    path::{Path, PathBuf},
};

const CONFIG: &str = "domains.'example.com' = 'https://cal.example.com/ischedule'";

/// A later SDK.
struct Later(PathBuf);

impl Later {
    fn new(folder: &Path) -> Self {
        let later = Self(folder.to_owned());
        for part in [
            "core/dns",
            "core/tls",
            "core/types",
            "sdk/src",
            "sdk/abi/src",
        ] {
            copy(&root().join(part), &folder.join(part));
        }
        for file in [
            "sdk/Cargo.toml",
            "sdk/build.rs",
            "sdk/abi/Cargo.toml",
            "Cargo.toml",
        ] {
            fs::copy(root().join(file), folder.join(file)).unwrap();
        }
        lock(folder);
        later.workspace();
        later.edit(
            "sdk/abi/Cargo.toml",
            "version = \"1.0.0\"",
            "version = \"1.1.0\"",
        );
        later.root_module();
        later.objects();
        later
    }

    /// Only the SDK, a plugin and a host; and its dependencies as other vendors' builds have them.
    fn workspace(&self) {
        let manifest = fs::read_to_string(self.0.join("Cargo.toml")).unwrap();
        let (head, rest) = manifest.split_once("[workspace.package]").unwrap();
        assert!(head.contains("members"), "{head}");
        let (rest, _profiles) = rest.split_once("[profile.release]").unwrap();
        let members = "[workspace]\nresolver = \"3\"\n\
                       members = [\"core/dns\", \"core/tls\", \"core/types\", \"sdk\", \"sdk/abi\", \"plugin\", \"host\"]\n";
        let manifest = format!("{members}\n[workspace.package]{rest}");
        fs::write(self.0.join("Cargo.toml"), manifest).unwrap();
        let sdk = fs::read_to_string(self.0.join("sdk/Cargo.toml")).unwrap();
        let (sdk, _tests) = sdk.split_once("[[test]]").unwrap();
        fs::write(self.0.join("sdk/Cargo.toml"), sdk).unwrap();

        self.krate(
            "plugin",
            "[lib]\ncrate-type = [\"cdylib\"]\n",
            "convoke-sdk = { path = \"../sdk\" }\n",
        );
        let fixed = root().join("examples/discovery-fixed/src/lib.rs");
        fs::copy(fixed, self.0.join("plugin/src/lib.rs")).unwrap();
        self.krate(
            "host",
            "",
            "convoke-sdk = { path = \"../sdk\", features = [\"host\"] }\n\
             tokio = { workspace = true }\n",
        );
        fs::write(self.0.join("host/src/main.rs"), HOST).unwrap();
    }

    fn krate(&self, name: &str, lib: &str, dependencies: &str) {
        fs::create_dir_all(self.0.join(name).join("src")).unwrap();
        let manifest = format!(
            "[package]\nname = \"later-{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{lib}\n\
             [dependencies]\n{dependencies}serde = {{ workspace = true }}\n"
        );
        fs::write(self.0.join(name).join("Cargo.toml"), manifest).unwrap();
    }

    fn root_module(&self) {
        let file = "sdk/abi/src/root.rs";
        self.edit(
            file,
            "-> Opening<StateObject>>,\n",
            "-> Opening<StateObject>>,\n\
             /// Grown. Since 1.1.\n\
             pub grown: ROption<extern \"C\" fn(u32) -> u32>,\n",
        );
        self.edit(
            file,
            "open_state: ROption::RNone,\n",
            "open_state: ROption::RNone,\ngrown: ROption::RSome(grown),\n",
        );
        self.edit(
            file,
            "/// A plugin being opened.",
            "extern \"C\" fn grown(number: u32) -> u32 { number + 1 }\n\n/// A plugin being opened.",
        );
    }

    fn objects(&self) {
        let grown = "/// Grown. Since 1.1.\nfn grown(&self) -> u32 { 7 }\n";
        let close = "fn close<'a>(&'a self, call: Call<'_>) -> Answer<'a, ()>;\n";
        for (file, last) in [
            ("sdk/abi/src/discovery.rs", close),
            ("sdk/abi/src/policy.rs", close),
            ("sdk/abi/src/store.rs", close),
            ("sdk/abi/src/state.rs", close),
            (
                "sdk/abi/src/services.rs",
                "fn health(&self, health: Health<'_>);\n",
            ),
        ] {
            self.edit(file, last, &format!("{last}{grown}"));
        }
        // The later plugin implements its new method, the later host its own; each calls the other's.
        self.edit(
            "sdk/src/guest/open.rs",
            "impl<P: $trait> $plugin for Guest<P> {\n",
            "impl<P: $trait> $plugin for Guest<P> {\nfn grown(&self) -> u32 { 42 }\n",
        );
        self.edit(
            "sdk/src/guest/host.rs",
            "let runtime = Shared::running()?;\n",
            "if ![7, 43].contains(&host.grown()) { return Err(Error::internal(\"grown\")); }\n\
             let runtime = Shared::running()?;\n",
        );
        self.edit(
            "sdk/src/remote/services.rs",
            "impl HostServices for Crossing {\n",
            "impl HostServices for Crossing {\nfn grown(&self) -> u32 { 43 }\n",
        );
        self.edit(
            "sdk/src/remote.rs",
            "/// What is answered with a number of items.\n",
            "impl RemoteDiscovery {\n/// Grown.\npub fn grown(&self) -> u32 {\n\
             match &self.0 { Backend::InProcess(plugin) => plugin.grown(), Backend::Subprocess(_) => 0 }\n}\n}\n\
             /// What is answered with a number of items.\n",
        );
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

/// Loads a library as a host does, asks it, and says what it found of what has grown.
const HOST: &str = r#"
use convoke_sdk::{CalendarAddress, remote::*, *};
use std::{env::args, path::Path, sync::Arc};

struct Quiet;

impl Services for Quiet {
    fn instance(&self) -> &str { "later" }
    fn directory(&self) -> &Path { Path::new("/") }
    fn index(&self, _: Option<&CalendarUser>, _: &[u8]) -> Result<ObjectIndex> { Err(Error::unsupported("no")) }
    fn level(&self) -> tracing::level_filters::LevelFilter { tracing::level_filters::LevelFilter::OFF }
    fn log(&self, _: &LogEvent<'_>) {}
}

#[tokio::main]
async fn main() {
    let mut args = args().skip(1);
    let candidate = Candidate::look(Path::new(&args.next().unwrap())).unwrap();
    candidate.check(&Trust::of_this_process(), None).unwrap();
    let (major, minor) = candidate.manifest.abi;
    let library = candidate.load().unwrap();
    let field = match library.root.grown() {
        Some(abi::RSome(grown)) => grown(1).to_string(),
        Some(abi::RNone) => "none".to_owned(),
        None => "missing".to_owned(),
    };
    let opened = RemoteDiscovery::open(&library, &args.next().unwrap(), Arc::new(Quiet)).await;
    let strategy = opened.unwrap_or_else(|refused| panic!("{refused:?}"));
    let found = strategy.discover(&CalendarAddress::new("anna@example.com").unwrap(), &Call::default()).await.unwrap();
    let Discovered::Receivers(receivers) = found else { panic!("{found:?}") };
    println!("abi {major}.{minor} field {field} method {} {}", strategy.grown(), receivers[0].url);
}
"#;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
fn plugins_and_hosts_of_two_minor_versions_meet() {
    let workshop = Workshop::new();
    let later = Later::new(&workshop.path().join("later"));
    workshop.cargo(&later.0, &["build", "-p", "later-plugin"]);
    workshop.cargo(&later.0, &["build", "-p", "later-host"]);
    let later_plugin = library("later-plugin");
    let later_host = target().join("debug/later-host");
    let ask = |library: &Path| {
        let mut host = workshop.command(later_host.to_str().unwrap(), workshop.path());
        succeed(host.arg(library).arg(CONFIG))
    };

    let url = "https://cal.example.com/ischedule";
    let of_today = plugin_file("test-fixed");
    assert_eq!(
        ask(&of_today),
        format!("abi 1.0 field missing method 7 {url}\n")
    );
    assert_eq!(
        ask(&later_plugin),
        format!("abi 1.1 field 2 method 42 {url}\n")
    );

    let samples = [
        "--config",
        CONFIG,
        "--known",
        "anna@example.com",
        "--unknown",
        "a@example.net",
    ];
    assert_eq!(workshop.tested(&later_plugin, &samples), 9);
}
