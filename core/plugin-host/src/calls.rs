//! How calls of plugins fare, as the host counts them: how long they take, how they fail, and how often a plugin is skipped.
//!
//! Series are those of the entries of the configuration; strangers make none.

use convoke_sdk::{Error, ErrorKind, remote::Kind};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use std::{
    fmt::{self, Write},
    time::Duration,
};

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 9] = [0.0001, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0];

/// The calls of all plugins.
#[derive(Clone, Debug)]
pub struct Calls {
    took: Family<Entry, Histogram, fn() -> Histogram>,
    failures: Family<Failed, Counter>,
    skipped: Family<Entry, Counter>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            took: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            failures: Family::default(),
            skipped: Family::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entry {
    plugin: String,
    kind: KindLabel,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    plugin: String,
    kind: KindLabel,
    error: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct KindLabel(Kind);

impl EncodeLabelValue for KindLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        write!(encoder, "{}", self.0)
    }
}

impl Calls {
    /// Shows them.
    pub fn register(&self, registry: &mut Registry) {
        let help = "How long calls of plugins take";
        registry.register("plugin_call_seconds", help, self.took.clone());
        let help = "Calls that failed by fault of the plugin, or of what lies behind it";
        registry.register("plugin_failures", help, self.failures.clone());
        let help = "How often a plugin that kept failing began to be skipped for a while";
        registry.register("plugin_skipped", help, self.skipped.clone());
    }

    /// Those of one entry.
    pub(super) fn of(&self, plugin: &str, kind: Kind) -> EntryCalls {
        let (plugin, kind) = (plugin.to_owned(), KindLabel(kind));
        let failures = [Fault::Unavailable, Fault::Internal].map(|fault| {
            let failed = Failed {
                plugin: plugin.clone(),
                kind,
                error: fault.as_str(),
            };
            self.failures.get_or_create(&failed).clone()
        });
        let entry = Entry { plugin, kind };
        EntryCalls {
            took: self.took.get_or_create(&entry).clone(),
            failures,
            skipped: self.skipped.get_or_create(&entry).clone(),
        }
    }
}

/// What is a plugin's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Unavailable,
    Internal,
}

impl Fault {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// The calls of one entry.
pub(super) struct EntryCalls {
    took: Histogram,
    /// In the order of [`Fault`].
    failures: [Counter; 2],
    skipped: Counter,
}

impl EntryCalls {
    pub(super) fn ended(&self, took: Duration, fault: Option<&Error>) {
        self.took.observe(took.as_secs_f64());
        if let Some(error) = fault {
            let fault = match error.kind() {
                ErrorKind::Unavailable => Fault::Unavailable,
                _ => Fault::Internal,
            };
            self.failures[fault as usize].inc();
        }
    }

    pub(super) fn skipped(&self) {
        self.skipped.inc();
    }
}
