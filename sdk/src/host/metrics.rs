//! What a plugin counts and measures, for the host's `/metrics`.

use super::HostServices;
use crate::Attributes;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// What is counted or measured. In the host's `/metrics` it is `convoke_plugin_NAME`, with the label `plugin`, which is
/// the entry's name, beside those given here.
///
/// Names of metrics and labels are made of `a-z`, `0-9` and `_`, begin with a letter, and have at most 64 letters; by
/// custom that of a counter ends in `_total`, and that of a measure in its unit, `_seconds` or `_bytes`. One entry has at
/// most 100 series: labels are for what there are few of, never for addresses. A series has at most 8 labels, a label's
/// value at most 128 bytes. What the host does not take counts for nothing and is told once in its log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metric {
    /// What is counted or measured: `fetches_total`.
    pub name: String,
    /// What it means, in a sentence.
    #[serde(default)]
    pub help: String,
    /// What tells it from others of the name.
    #[serde(default)]
    pub labels: Attributes,
    /// For a histogram: the upper bounds of its buckets, rising.
    #[serde(default)]
    pub bounds: Vec<f64>,
}

impl Metric {
    /// The bounds of a histogram that says none, for seconds.
    pub const SECONDS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

    /// A metric without labels.
    pub fn new(name: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            help: help.into(),
            ..Self::default()
        }
    }

    /// The same, where a label has this value.
    #[must_use]
    pub fn with(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.set(label, value);
        self
    }

    /// The same, for a histogram with these upper bounds of its buckets: rising, at most 20. [`SECONDS`](Self::SECONDS)
    /// without.
    #[must_use]
    pub fn bounds(self, bounds: impl Into<Vec<f64>>) -> Self {
        Self {
            bounds: bounds.into(),
            ..self
        }
    }
}

/// What the numbers of a series mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MetricKind {
    /// Each number is added.
    Counter,
    /// Each number takes the place of the one before.
    Gauge,
    /// Each number is one observation.
    Histogram,
}

impl MetricKind {
    /// The word, as Prometheus has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A number that only grows. Made by [`Host::counter`](crate::Host::counter); cheap to clone.
#[derive(Clone, Debug)]
pub struct Counter(pub(super) Series);

impl Counter {
    /// Adds so many.
    #[allow(
        clippy::cast_precision_loss,
        reason = "exact up to 2^53, and then to 16 digits"
    )]
    pub fn add(&self, more: u64) {
        self.0.record(more as f64);
    }
}

/// A number that goes up and down. Made by [`Host::gauge`](crate::Host::gauge); cheap to clone.
#[derive(Clone, Debug)]
pub struct Gauge(pub(super) Series);

impl Gauge {
    /// What the number is now.
    pub fn set(&self, value: f64) {
        self.0.record(value);
    }
}

/// Numbers of which their distribution counts. Made by [`Host::histogram`](crate::Host::histogram); cheap to clone.
#[derive(Clone, Debug)]
pub struct Histogram(pub(super) Series);

impl Histogram {
    /// Takes note of one.
    pub fn observe(&self, value: f64) {
        self.0.record(value);
    }
}

/// A series that the host knows by its number.
#[derive(Clone)]
pub(super) struct Series {
    services: Arc<dyn HostServices>,
    number: u64,
}

impl Series {
    pub(super) fn new(services: Arc<dyn HostServices>, number: u64) -> Self {
        Self { services, number }
    }

    fn record(&self, value: f64) {
        // The host does not take it.
        if self.number != 0 {
            self.services.record(self.number, value);
        }
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Series").field(&self.number).finish()
    }
}
