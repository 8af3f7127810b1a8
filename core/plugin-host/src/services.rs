//! The host, as one opened plugin sees it.

use super::{
    IndexService, Setup, health::KnownHealth, metrics::EntryMetrics, secret, state_folder,
};
use convoke_sdk::{
    CalendarUser, Health, Metric, MetricKind, Network, ObjectIndex, Result, Secret,
    remote::{LogEvent, Services},
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::{Level, debug, enabled, error, info, level_filters::LevelFilter, trace, warn};

/// What a filter of the log calls what plugins say; it is documented, so it is no module's path.
pub(crate) const TARGET: &str = "convoke::plugin";

/// The event name of a plugin's message that has none of its own.
const UNNAMED: &str = "plugin-message";

/// The host as the instance `name` sees it.
pub(super) fn for_instance(name: &str, setup: &Setup) -> Result<Arc<Instance>> {
    Ok(Arc::new(Instance {
        name: name.to_owned(),
        folder: setup.folder.clone(),
        state: setup.state.clone(),
        index: Arc::clone(&setup.index),
        network: (setup.network)()?,
        metrics: setup.metrics.entry(name),
        health: KnownHealth::of(name),
    }))
}

/// What the host offers to one instance.
pub(super) struct Instance {
    name: String,
    folder: PathBuf,
    state: PathBuf,
    index: IndexService,
    network: Network,
    metrics: Arc<EntryMetrics>,
    health: KnownHealth,
}

impl Instance {
    /// Why the instance is not well, by its own word.
    pub(super) fn degraded(&self) -> Option<String> {
        self.health.degraded()
    }
}

impl Services for Instance {
    fn instance(&self) -> &str {
        &self.name
    }

    fn directory(&self) -> &Path {
        &self.folder
    }

    fn index(&self, user: Option<&CalendarUser>, data: &[u8]) -> Result<ObjectIndex> {
        (self.index)(user, data)
    }

    fn state_folder(&self) -> Result<PathBuf> {
        state_folder::make(&self.state, &self.name)
    }

    fn secret(&self, path: &Path) -> Result<Secret> {
        secret::read(&self.folder, path)
    }

    fn network(&self) -> Network {
        self.network.clone()
    }

    fn metric(&self, kind: MetricKind, metric: &Metric) -> u64 {
        self.metrics.series(kind, metric)
    }

    fn record(&self, series: u64, value: f64) {
        self.metrics.record(series, value);
    }

    fn health(&self, health: &Health) {
        self.health.set(health);
    }

    fn level(&self) -> LevelFilter {
        let wanted = [
            (enabled!(target: TARGET, Level::TRACE), LevelFilter::TRACE),
            (enabled!(target: TARGET, Level::DEBUG), LevelFilter::DEBUG),
            (enabled!(target: TARGET, Level::INFO), LevelFilter::INFO),
            (enabled!(target: TARGET, Level::WARN), LevelFilter::WARN),
            (enabled!(target: TARGET, Level::ERROR), LevelFilter::ERROR),
        ];
        let wanted = wanted.into_iter().find(|(is_wanted, _)| *is_wanted);
        wanted.map_or(LevelFilter::OFF, |(_, level)| level)
    }

    fn log(&self, event: &LogEvent<'_>) {
        let mut text = event.message.to_owned();
        let mut event_name = UNNAMED;
        for (name, value) in &event.fields {
            if *name == "event" && is_event_name(value) {
                event_name = *value;
                continue;
            }
            write!(text, " {name}={value}").expect("a String takes whatever is written");
        }
        let (plugin, from) = (&self.name, event.target);
        match event.level {
            Level::ERROR => error!(target: TARGET, event = event_name, %plugin, %from, "{text}"),
            Level::WARN => warn!(target: TARGET, event = event_name, %plugin, %from, "{text}"),
            Level::INFO => info!(target: TARGET, event = event_name, %plugin, %from, "{text}"),
            Level::DEBUG => debug!(target: TARGET, event = event_name, %plugin, %from, "{text}"),
            Level::TRACE => trace!(target: TARGET, event = event_name, %plugin, %from, "{text}"),
        }
    }
}

/// Whether a plugin names its event as the host names its own: lower-case words joined by hyphens.
fn is_event_name(text: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_part)
}
