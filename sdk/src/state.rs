//! State: where the host keeps what it must not forget.

use crate::{Batch, Call, Committed, Host, KeyRange, Result, Scan, Sharing, StateEntry};
use serde::de::DeserializeOwned;
use std::{future::Future, time::Duration};

/// A place for the host's own state: what was told to whom, what waits to be delivered, what was seen already.
///
/// Keys and values are bytes, keys are ordered byte by byte. What a [`commit`](State::commit) has answered is on disk. Several
/// hosts may use one place at once, if the plugin says so ([`SHARING`](State::SHARING)) and they open it from different
/// machines: then the conditions of a commit hold against all of them.
///
/// A whole one in memory is in `examples/state-memory`.
pub trait State: Sized + Send + Sync + 'static {
    /// What the administrator writes under `config` in this plugin's entry.
    type Config: DeserializeOwned;

    /// Whether it may be opened twice side by side.
    const SHARING: Sharing = Sharing::Shared;

    /// Opens the place, making it if it is not there yet. Called once for each entry in the configuration.
    fn open(config: Self::Config, host: Host) -> impl Future<Output = Result<Self>> + Send;

    /// What a key holds. What has expired is not there.
    fn get(
        &self,
        key: &[u8],
        call: &Call,
    ) -> impl Future<Output = Result<Option<StateEntry>>> + Send;

    /// What the keys of a range hold, in the order of the keys, as it is at one instant; no more than asked for.
    fn scan(
        &self,
        scan: &Scan,
        call: &Call,
    ) -> impl Future<Output = Result<Vec<StateEntry>>> + Send;

    /// Makes all writes of the batch, in their order, if all its conditions hold; else it makes none and answers
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict). Answers once they are on disk.
    fn commit(&self, batch: &Batch, call: &Call) -> impl Future<Output = Result<Committed>> + Send;

    /// Returns when something in the range may have changed since the call began, or when its time is up. Whoever calls
    /// it looks again in any case. The default waits for a second and returns.
    fn await_changes(
        &self,
        range: &KeyRange,
        call: &Call,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = range;
        wait(call)
    }

    /// The last call: finishes what is under way. The default has nothing to finish.
    fn close(&self, call: &Call) -> impl Future<Output = Result<()>> + Send {
        let _ = call;
        std::future::ready(Ok(()))
    }
}

/// Waits for a second, or as long as the call has time.
pub(crate) fn wait(call: &Call) -> impl Future<Output = Result<()>> + Send + use<> {
    let wait = call.patience().min(Duration::from_secs(1));
    async move {
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
