//! A host's plugins for one test.

use convoke_plugin_host::{
    Confinement, Isolation, PluginEntry, PluginErrors, Plugins, Position, Setup,
};
use convoke_sdk::{
    CalendarAddress, Domain, Error, Network, ObjectIndex, Uid,
    remote::Kind::{self, Discovery, Policy, State, Store},
};
use convoke_tests::{plugin_directory, program};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

pub(crate) fn address(text: &str) -> CalendarAddress {
    CalendarAddress::new(text).unwrap()
}

pub(crate) fn discovery(plugin: &str, config: &str) -> PluginEntry {
    entry(Discovery, plugin, config)
}

pub(crate) fn policy(plugin: &str, config: &str) -> PluginEntry {
    entry(Policy, plugin, config)
}

pub(crate) fn store(plugin: &str, config: &str) -> PluginEntry {
    entry(Store, plugin, config)
}

/// The same in a process of its own.
pub(crate) fn isolated(entry: PluginEntry, may: Confinement) -> PluginEntry {
    PluginEntry {
        isolation: Isolation::Process(may),
        ..entry
    }
}

pub(crate) fn state(plugin: &str, config: &str) -> PluginEntry {
    entry(State, plugin, config)
}

fn entry(kind: Kind, plugin: &str, config: &str) -> PluginEntry {
    PluginEntry {
        config: config.parse().unwrap(),
        position: Some(Position {
            file: PathBuf::from("convoke.toml"),
            line: 12,
            column: 1,
        }),
        ..PluginEntry::new(kind, plugin)
    }
}

/// Opens plugins as a host does whose index service knows one component: `VTEST`.
pub(crate) async fn open(entries: Vec<PluginEntry>) -> Result<Plugins, PluginErrors> {
    Plugins::open(&setup(entries)).await
}

/// What [`open`] opens plugins with.
pub(crate) fn setup(entries: Vec<PluginEntry>) -> Setup {
    log();
    Setup {
        entries,
        plugin_directories: vec![plugin_directory()],
        trusted_keys: Vec::new(),
        program: program(),
        folder: PathBuf::from("/etc/convoke"),
        // Of plugins that remember nothing.
        state: Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"),
        network: Arc::new(|| Ok(Network::default())),
        metrics: Arc::default(),
        locate: Arc::new(|_, _| None),
        domains: vec![Domain::new("example.org").unwrap()],
        index: Arc::new(|user, data| {
            if data.starts_with(b"BEGIN") {
                let component = user.map_or_else(|| "VTEST".to_owned(), |user| user.id.to_string());
                Ok(ObjectIndex::new(component, Uid::new("u").unwrap()))
            } else {
                Err(Error::invalid("this is no calendar"))
            }
        }),
    }
}

/// What the host wrote to its log so far, in this process.
pub(crate) fn logged() -> String {
    let log = log().0.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log).into_owned()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    })
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
