//! Something that an administrator should look at; and what of it was found by trying, the last time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Something that an administrator should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Of a plugin: what it is used as.
    kind: Option<String>,
    /// The plugin's entry, or what else it is about: `queue`.
    pub(crate) name: String,
    /// What is wrong, and what to do.
    pub(crate) detail: String,
}

impl Trouble {
    pub(crate) fn new(name: &str, detail: String) -> Self {
        Self {
            kind: None,
            name: name.to_owned(),
            detail,
        }
    }

    /// About a plugin, by what it is used as and by its entry.
    pub(crate) fn of_plugin(kind: &str, name: &str, detail: String) -> Self {
        Self {
            kind: Some(kind.to_owned()),
            ..Self::new(name, detail)
        }
    }

    pub(crate) fn of_store(name: &str, detail: String) -> Self {
        Self::of_plugin("store", name, detail)
    }

    /// What it is about: `store calendars`, `queue`.
    pub(crate) fn what(&self) -> String {
        match &self.kind {
            Some(kind) => format!("{kind} {}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What was found by trying.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    last: Mutex<Vec<Trouble>>,
    again: Notify,
}

impl Looks {
    /// What was found the last time.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.lock().clone()
    }

    /// What was found now. The log says what is new, and what is over.
    pub(crate) fn found(&self, found: Vec<Trouble>) {
        let mut last = self.lock();
        let is_in = |all: &[Trouble], one: &Trouble| all.iter().any(|it| it.what() == one.what());
        for new in found.iter().filter(|it| !is_in(&last, it)) {
            tracing::warn!(event = "trouble", what = new.what(), "{}", new.detail);
        }
        for over in last.iter().filter(|it| !is_in(&found, it)) {
            tracing::info!(
                event = "trouble-over",
                what = over.what(),
                "it is well again"
            );
        }
        *last = found;
    }

    /// Has it tried again soon: the configuration is another one.
    pub(crate) fn again(&self) {
        self.again.notify_one();
    }

    /// Returns once it is to be tried again.
    pub(crate) async fn wanted(&self) {
        self.again.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Trouble>> {
        // Replaced as a whole.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
