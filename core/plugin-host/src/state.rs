//! The one place where the host keeps what it must not forget.

use super::{Handle, PluginInfo};
use convoke_sdk::{
    Batch, Committed, Error, KeyRange, Result, Scan, StateEntry, remote::RemoteState,
};
use std::sync::Arc;

/// The opened plugin of kind `state`: the methods of [`convoke_sdk::State`], each with its deadline. Cheap to clone.
///
/// Always there, so that nobody has to ask: where plugins were opened without an entry of that kind (for a look at calendars
/// alone), each call is answered `Unsupported`. A host's configuration always has one.
#[derive(Clone)]
pub struct StateHandle(Option<Arc<Handle<RemoteState>>>);

impl StateHandle {
    pub(super) fn new(handle: Option<Handle<RemoteState>>) -> Self {
        Self(handle.map(Arc::new))
    }

    fn handle(&self) -> Result<&Handle<RemoteState>> {
        self.0.as_deref().ok_or_else(|| {
            Error::unsupported(
                "no place for state is open here; add a `[[state]]` to what is opened",
            )
        })
    }

    /// Whether an entry of that kind was opened.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it answers when it is asked for something, be it by an error, rather than say nothing until its deadline. One that
    /// keeps failing and is skipped answers, too.
    pub async fn answers(&self) -> bool {
        let Ok(handle) = self.handle() else {
            return true;
        };
        // A plugin that waits for somebody else gives up at nine tenths (`Call::patience`), the host at the deadline.
        let patience = handle.deadline() / 20 * 19;
        tokio::time::timeout(patience, handle.get(b"ready"))
            .await
            .is_ok()
    }

    /// See [`State::get`](convoke_sdk::State::get).
    pub async fn get(&self, key: &[u8]) -> Result<Option<StateEntry>> {
        self.handle()?.get(key).await
    }

    /// See [`State::scan`](convoke_sdk::State::scan).
    pub async fn scan(&self, scan: &Scan) -> Result<Vec<StateEntry>> {
        self.handle()?.scan(scan).await
    }

    /// See [`State::commit`](convoke_sdk::State::commit).
    pub async fn commit(&self, batch: &Batch) -> Result<Committed> {
        self.handle()?.commit(batch).await
    }

    /// See [`State::await_changes`](convoke_sdk::State::await_changes).
    pub async fn await_changes(&self, range: &KeyRange) -> Result<()> {
        self.handle()?.await_changes(range).await
    }

    /// Tells it that no further call comes, and waits until it has finished what it had begun. One that fails is named in
    /// the log.
    pub(super) async fn close(&self) {
        if let Some(handle) = &self.0 {
            // Named there by its handle.
            let _ = handle.close().await;
        }
    }

    pub(super) fn info(&self) -> Option<PluginInfo> {
        self.0.as_ref().map(|handle| handle.info())
    }
}
