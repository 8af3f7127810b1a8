//! The instance that answers now.

use crate::instance::Instance;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The instance that answers now: the one of the configuration that was taken last.
pub(super) struct Current(ArcSwap<Instance>);

impl Current {
    pub(super) fn new(instance: Instance) -> Self {
        Self(ArcSwap::from_pointee(instance))
    }

    /// The one that answers now. What has begun with it is finished with it.
    pub(super) fn load(&self) -> Arc<Instance> {
        self.0.load_full()
    }

    /// Lets another one answer; the one before it.
    pub(super) fn swap(&self, instance: Arc<Instance>) -> Arc<Instance> {
        self.0.swap(instance)
    }
}
