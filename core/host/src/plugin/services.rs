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
use tracing::{Level, debug, enabled, error, info, trace, warn};

/// The host as the instance `name` sees it.
pub(super) fn for_instance(name: &str, setup: &Setup) -> Arc<dyn Services> {
    Arc::new(Instance {
        name: name.to_owned(),
        folder: setup.folder().to_owned(),
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

    fn wants(&self, level: Level) -> bool {
        match level {
            Level::ERROR => enabled!(Level::ERROR),
            Level::WARN => enabled!(Level::WARN),
            Level::INFO => enabled!(Level::INFO),
            Level::DEBUG => enabled!(Level::DEBUG),
            Level::TRACE => enabled!(Level::TRACE),
        }
    }

    fn log(&self, event: &LogEvent<'_>) {
        let mut text = event.message.to_owned();
        for (name, value) in &event.fields {
            write!(text, " {name}={value}").expect("a String takes whatever is written");
        }
        let (plugin, from) = (&self.name, event.target);
        match event.level {
            Level::ERROR => error!(%plugin, %from, "{text}"),
            Level::WARN => warn!(%plugin, %from, "{text}"),
            Level::INFO => info!(%plugin, %from, "{text}"),
            Level::DEBUG => debug!(%plugin, %from, "{text}"),
            Level::TRACE => trace!(%plugin, %from, "{text}"),
        }
    }
}
