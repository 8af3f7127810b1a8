//! What a process says to the log, and how its levels are called.

use super::protocol::{Event, Level};
use convoke_sdk::remote::{LogEvent, Services};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

/// Events of one process that are logged in a second.
const EVENTS: u32 = 500;
/// The longest event that is logged, in bytes.
const MAX_EVENT: usize = 64 * 1024;
/// The most fields of an event that is logged.
const MAX_FIELDS: usize = 64;

/// What a process says, as far as it is not too much.
pub(super) struct Log {
    services: Arc<dyn Services>,
    second: Instant,
    taken: u32,
}

impl Log {
    pub(super) fn new(services: Arc<dyn Services>) -> Self {
        Self {
            services,
            second: Instant::now(),
            taken: 0,
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            let left_out = self.taken.saturating_sub(EVENTS);
            (self.second, self.taken) = (Instant::now(), 0);
            if left_out > 0 {
                self.say(
                    tracing::Level::WARN,
                    &format!("{left_out} events were left out"),
                    &[],
                );
            }
        }
        self.taken += 1;
        // The SDK cuts what is long; a process that does not use it is not to fill the log either.
        let fields: Vec<(&str, &str)> = event.fields.iter().collect();
        let fits = event.message.len() <= MAX_EVENT && fields.len() <= MAX_FIELDS;
        if self.taken <= EVENTS && fits {
            self.services.log(&LogEvent {
                level: level(event.level),
                target: &event.target,
                message: &event.message,
                fields,
            });
        }
    }

    fn say(&self, level: tracing::Level, message: &str, fields: &[(&str, &str)]) {
        self.services.log(&LogEvent {
            level,
            target: "convoke",
            message,
            fields: fields.to_vec(),
        });
    }
}

fn level(of: Level) -> tracing::Level {
    match of {
        Level::Off | Level::Error => tracing::Level::ERROR,
        Level::Warn => tracing::Level::WARN,
        Level::Info => tracing::Level::INFO,
        Level::Debug => tracing::Level::DEBUG,
        Level::Trace => tracing::Level::TRACE,
    }
}

/// The word for a level.
pub(super) fn word(of: tracing::Level) -> Level {
    match of {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

/// The chattiest level that these services want.
pub(super) fn wanted(services: &dyn Services) -> Level {
    services.level().into_level().map_or(Level::Off, word)
}

/// The level of a word, for a process that asks.
pub(super) fn filter(of: Level) -> LevelFilter {
    match of {
        Level::Off => LevelFilter::OFF,
        on => LevelFilter::from_level(level(on)),
    }
}
