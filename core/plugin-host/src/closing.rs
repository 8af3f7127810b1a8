//! Closing plugins: each once, whoever wants it first, and those of every configuration where none may be open any more.

use super::{DiscoveryChain, PolicyChain, StateHandle, StoreHandle, Stores};
use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::OnceCell;

/// How long all plugins of a configuration may take to close together.
const LONGEST: Duration = Duration::from_secs(5);

/// Those of all configurations that are not gone yet.
static OPEN: Mutex<Vec<Weak<Closing>>> = Mutex::new(Vec::new());

/// The plugins of a configuration, to be closed.
pub(super) struct Closing {
    discovery: DiscoveryChain,
    policy: PolicyChain,
    stores: Vec<Arc<StoreHandle>>,
    state: StateHandle,
    done: OnceCell<()>,
}

impl Closing {
    pub(super) fn of(
        discovery: &DiscoveryChain,
        policy: &PolicyChain,
        stores: &Stores,
        state: &StateHandle,
    ) -> Arc<Self> {
        let closing = Arc::new(Self {
            discovery: discovery.clone(),
            policy: policy.clone(),
            stores: stores.iter().cloned().collect(),
            state: state.clone(),
            done: OnceCell::new(),
        });
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|it| it.strong_count() > 0);
        open.push(Arc::downgrade(&closing));
        closing
    }

    /// Closes them, or waits, not for ever, until somebody else has.
    pub(super) async fn close(&self) {
        self.done.get_or_init(|| self.close_once()).await;
    }

    /// A plugin that fails to close is named in the log by its handle.
    async fn close_once(&self) {
        let closing = async {
            tokio::join!(
                self.discovery.close(),
                self.policy.close(),
                futures::future::join_all(self.stores.iter().map(|store| store.close())),
                self.state.close(),
            )
        };
        if tokio::time::timeout(LONGEST, closing).await.is_err() {
            tracing::warn!(
                event = "plugins-not-closed",
                "plugins did not close in {LONGEST:?}; the host goes on without them"
            );
        }
    }
}

/// Closes the plugins of every configuration in this process, also those that requests of before still use: what they ask
/// from then on is answered that it may be tried later.
pub async fn close_all() {
    let open: Vec<_> = {
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().filter_map(Weak::upgrade).collect()
    };
    futures::future::join_all(open.iter().map(|it| it.close())).await;
}
