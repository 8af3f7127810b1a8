//! How a plugin is, by its own word.

use convoke_sdk::Health;
use std::sync::{Mutex, PoisonError};
use tracing::{info, warn};

/// The longest reason that is kept, in letters.
const LONGEST: usize = 500;

/// What one opened plugin said last.
pub(super) struct KnownHealth {
    plugin: String,
    said: Mutex<Health>,
}

impl KnownHealth {
    /// That of an entry which has said nothing yet.
    pub(super) fn of(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            said: Mutex::default(),
        }
    }

    /// Why it is not well.
    pub(super) fn degraded(&self) -> Option<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.why().map(str::to_owned)
    }

    /// Takes note of how it is now; what is new goes to the log.
    pub(super) fn set(&self, health: &Health) {
        let health = match health.why() {
            None => Health::Healthy,
            Some(why) => Health::Degraded(sentence(why)),
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == health {
            return;
        }
        said.clone_from(&health);
        drop(said);
        let plugin = &self.plugin;
        match health.why() {
            None => info!(event = "plugin-healthy", %plugin, "it is well again"),
            Some(why) => warn!(event = "plugin-degraded", %plugin, "{why}"),
        }
    }
}

/// One line, not too long.
fn sentence(text: &str) -> String {
    let line: String = (text.chars().take(LONGEST))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    match line.trim() {
        "" => "it does not say why".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_a_bounded_length() {
        let health = KnownHealth::of("p");
        for (why, kept) in [
            ("the server is away", "the server is away"),
            (" a\nb\u{1b}[31m ", "a b [31m"),
            ("\n", "it does not say why"),
            (&"ü".repeat(10_000), &*"ü".repeat(LONGEST)),
        ] {
            health.set(&Health::Degraded(why.to_owned()));
            assert_eq!(health.degraded().as_deref(), Some(kept));
        }
        health.set(&Health::Healthy);
        assert_eq!(health.degraded(), None);
    }
}
