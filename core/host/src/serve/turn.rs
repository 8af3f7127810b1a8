//! What one of several hosts does at a time: a lease in the state says which.
//!
//! Only where hosts may share the state: one that is alone with it does everything, and asks nobody. A host that was paused may do
//! for a moment what is another one's by then: what is done so does no harm twice.

use crate::sharing::Sharing;
use convoke_plugin_host::StateHandle;
use convoke_scheduling::LEASE;
use convoke_types::{Batch, ErrorKind};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is renewed, or tried for.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// A lease on something that one host does at a time.
pub(super) struct Turn {
    key: Vec<u8>,
    /// Who takes it: this host, also in a run before this one.
    host: String,
    version: Option<u64>,
    /// When it is renewed or tried for next.
    next: Instant,
}

impl Turn {
    /// To watch a store.
    pub(super) fn to_watch(store: &str, host: &str) -> Self {
        Self {
            key: format!("watching/{store}").into_bytes(),
            host: host.to_owned(),
            version: None,
            next: Instant::now(),
        }
    }

    /// Whether it is this host that does it.
    pub(super) async fn is_ours(&mut self, sharing: Sharing, state: &StateHandle) -> bool {
        if sharing == Sharing::Alone {
            return true;
        }
        if Instant::now() >= self.next {
            self.next = Instant::now() + EVERY;
            self.version = self.taken(state).await;
        }
        self.version.is_some()
    }

    /// Lets another host do it at once.
    pub(super) async fn leave(mut self, state: &StateHandle) {
        if let Some(version) = self.version.take() {
            let batch = Batch::new().if_version(self.key.clone(), version);
            // Without it, others wait until it has expired.
            let _ = state.commit(&batch.delete(self.key)).await;
        }
    }

    async fn taken(&self, state: &StateHandle) -> Option<u64> {
        let batch = match self.version {
            Some(version) => Batch::new().if_version(self.key.clone(), version),
            None => match state.get(&self.key).await.ok()? {
                Some(there) if there.value == self.host.as_bytes() => {
                    Batch::new().if_version(self.key.clone(), there.version)
                }
                _ => Batch::new().if_absent(self.key.clone()),
            },
        };
        let batch = batch.put_for(self.key.clone(), self.host.as_bytes(), LEASE);
        match state.commit(&batch).await {
            Ok(committed) => Some(committed.version),
            Err(error) if error.kind() == ErrorKind::Conflict => None,
            // Nobody else can take it now, either.
            Err(_) => self.version,
        }
    }
}
