//! What a host remembers as long as it runs, whatever it is configured to do.

use crate::{
    labour::Labour, login::Attempts, metrics::Metrics, rate_limit::RateLimiters, replay::Replays,
};
use convoke_plugin_host::PluginMetrics;
use convoke_scheduling::Owed;
use std::sync::Arc;

/// What a host remembers as long as it runs, whatever it is configured to do.
#[derive(Default)]
pub struct SharedState {
    /// What was counted.
    pub metrics: Metrics,
    /// What plugins counted.
    pub plugin_metrics: Arc<PluginMetrics>,
    /// Answers to messages that may come again.
    pub replays: Replays,
    /// How often peers came.
    pub rate_limiters: RateLimiters,
    /// Attempts to log in.
    pub(crate) attempts: Arc<Attempts>,
    /// What goes out without anybody waiting for it.
    pub owed: Owed,
    /// Turns for what takes long.
    pub labour: Labour,
}
