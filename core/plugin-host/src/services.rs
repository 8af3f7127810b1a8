use super::{IndexService, Setup};
use convoke_sdk::{
    CalendarUser, ObjectIndex, Result,
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
pub(super) fn for_instance(name: &str, setup: &Setup) -> Arc<dyn Services> {
    Arc::new(Instance {
        name: name.to_owned(),
        folder: setup.folder.clone(),
        index: Arc::clone(&setup.index),
    })
}

struct Instance {
    name: String,
    folder: PathBuf,
    index: IndexService,
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
