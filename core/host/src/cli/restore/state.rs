//! What the host must not forget, into an empty state.

use crate::cli::{output::Failure, state::scan::put};
use convoke_plugin_host::Plugins;
use convoke_scheduling::put_back;
use convoke_types::{Batch, StateEntry};
use jiff::Timestamp;
use std::time::Duration;

/// What is of a host that lived when the backup was made (beside what [`put_back`] knows): claims, and what people were to be told by
/// mail, which they were since, or will not be.
const OF_THE_TIME: [&str; 3] = ["replaying/", "watching/", "notice/"];

/// A state that is being written.
pub(super) struct StateRestore<'a> {
    plugins: &'a Plugins,
    /// The age of the backup.
    age: Duration,
    amount: usize,
    held: usize,
}

impl<'a> StateRestore<'a> {
    /// Of a backup that was made then.
    pub(super) fn new(plugins: &'a Plugins, created: Timestamp) -> Self {
        let age = Timestamp::now().duration_since(created);
        Self {
            plugins,
            // A clock that was set back makes nothing older.
            age: Duration::try_from(age).unwrap_or_default(),
            amount: 0,
            held: 0,
        }
    }

    /// How many entries were written.
    pub(super) const fn amount(&self) -> usize {
        self.amount
    }

    /// How many messages are held, one for each recipient.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    pub(super) async fn put(&mut self, entries: Vec<StateEntry>) -> Result<(), Failure> {
        let mut batch = Batch::new();
        for entry in entries {
            let before = entry.key.clone();
            let Some(entry) = self.aged(entry).and_then(put_back) else {
                continue;
            };
            self.amount += 1;
            self.held += usize::from(entry.key != before);
            batch = put(batch, &entry);
        }
        if batch.writes.is_empty() {
            return Ok(());
        }
        let written = self.plugins.state.commit(&batch).await;
        written.map(drop).map_err(|error| {
            Failure::new(format!(
                "the state cannot be written: {error}; start again with --replace"
            ))
        })
    }

    /// An entry as it would be now; nothing of what has expired since, or was of its time.
    fn aged(&self, mut entry: StateEntry) -> Option<StateEntry> {
        if OF_THE_TIME
            .iter()
            .any(|it| entry.key.starts_with(it.as_bytes()))
        {
            return None;
        }
        if let Some(left) = entry.expires_in {
            let left = left.checked_sub(self.age).filter(|it| !it.is_zero())?;
            entry.expires_in = Some(left);
        }
        Some(entry)
    }
}
