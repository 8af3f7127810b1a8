//! What the host must not forget, into an empty state.

use crate::cli::{output::Failure, state::scan::put};
use convoke_plugin_host::Plugins;
use convoke_scheduling::put_back;
use convoke_types::{Batch, ErrorKind, StateEntry};
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

    /// Whether the state takes what will be put: what is too long for one may be short enough for another. Nothing is written, as
    /// conditions go with it that contradict each other.
    pub(super) async fn try_out(&self, entries: Vec<StateEntry>) -> Result<(), Failure> {
        let entries = self.as_now(entries);
        let Some((_, first)) = entries.first() else {
            return Ok(());
        };
        let never = Batch::new()
            .if_absent(first.key.clone())
            .if_version(first.key.clone(), 0);
        let batch = entries
            .iter()
            .fold(never, |batch, (_, entry)| put(batch, entry));
        match self.plugins.state.commit(&batch).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            Err(error) => Err(Failure::new(format!(
                "the state of this host does not take what is in the backup: {error}; nothing was changed"
            ))),
            Ok(_) => Err(Failure::new(
                "the state of this host writes what it must not, as `convoke plugin test` shows; nothing was restored",
            )),
        }
    }

    pub(super) async fn put(&mut self, entries: Vec<StateEntry>) -> Result<(), Failure> {
        let mut batch = Batch::new();
        for (was_held, entry) in self.as_now(entries) {
            self.amount += 1;
            self.held += usize::from(was_held);
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

    /// What is put of some entries, each with whether it is held from now on.
    fn as_now(&self, entries: Vec<StateEntry>) -> Vec<(bool, StateEntry)> {
        let entries = entries.into_iter();
        let put = entries.filter_map(|entry| {
            let before = entry.key.clone();
            let entry = self.aged(entry).and_then(put_back)?;
            Some((entry.key != before, entry))
        });
        put.collect()
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
