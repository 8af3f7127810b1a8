//! What is not forgotten, by the state plugin.

use convoke_plugin_host::{Plugins, StateHandle};
use convoke_scheduling::State;
use convoke_sdk::Scan;
use convoke_types::{Batch, Committed, Error, KeyRange, StateEntry};

/// The place of the configuration where the host keeps its state.
pub struct OurState(StateHandle);

impl OurState {
    /// The one that was opened among these plugins.
    pub fn of(plugins: &Plugins) -> Self {
        Self(plugins.state.clone())
    }
}

impl State for OurState {
    async fn get(&self, key: &[u8]) -> Result<Option<StateEntry>, Error> {
        self.0.get(key).await
    }

    async fn scan(&self, range: &KeyRange, limit: u32) -> Result<Vec<StateEntry>, Error> {
        self.0.scan(&Scan::new(range.clone(), limit)).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        self.0.commit(&batch).await
    }
}
