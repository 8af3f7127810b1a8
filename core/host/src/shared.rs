//! State that lives as long as the process and outlives a reload.

#[cfg(feature = "acme")]
use crate::acme::AcmeState;
#[cfg(any(feature = "caldav", feature = "console"))]
use crate::form_secret::FormSecret;
#[cfg(feature = "mail")]
use crate::mail::Notices;
use crate::{
    decisions::Decisions, lease::Lease, login::Attempts, look_soon::LookSoon, metrics::Metrics,
    peers::Peers, probe::Pace, rate_limit::RateLimiters, replay::Replays, trouble::Looks,
    worker_pool::WorkerPool, write_behind::WriteBehind,
};
#[cfg(feature = "caldav")]
use crate::{overwritten::Overwritten, program_inbox::ProgramInboxes};
use convoke_plugin_host::PluginMetrics;
use convoke_scheduling::{Event, Journal, Shared};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::Notify;

/// When a host began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started(pub(crate) Timestamp);

impl Default for Started {
    fn default() -> Self {
        Self(Timestamp::now())
    }
}

/// What a host remembers as long as it runs, whatever it is configured to do.
#[derive(Default)]
pub struct SharedState {
    /// When it began.
    pub(crate) started: Started,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// What plugins counted.
    pub plugin_metrics: Arc<PluginMetrics>,
    /// Answers to messages that may come again.
    pub replays: Replays,
    /// How often peers came.
    pub rate_limiters: RateLimiters,
    /// Who came lately.
    pub(crate) peers: Peers,
    /// How often administrators have others probed.
    pub(crate) probes: Pace,
    /// Attempts to log in.
    pub(crate) attempts: Arc<Attempts>,
    /// What waits to be delivered, and what is being changed.
    pub scheduling: Shared,
    /// Whether this host may send what waits.
    pub(crate) lease: Lease,
    /// Whose calendars are to be looked at soon.
    pub look_soon: LookSoon,
    /// What was found by trying whether all is well.
    pub(crate) looks: Looks,
    /// What was decided, for who asks later.
    pub decisions: Decisions,
    /// What calendar programs are shown.
    #[cfg(feature = "caldav")]
    pub(crate) program_inboxes: ProgramInboxes,
    /// Which versions of objects we wrote over by ourselves.
    #[cfg(feature = "caldav")]
    pub(crate) overwritten: Overwritten,
    /// What only forms of ours carry.
    #[cfg(any(feature = "caldav", feature = "console"))]
    pub(crate) form_secret: FormSecret,
    /// What people are told by mail.
    #[cfg(feature = "mail")]
    pub notices: Notices,
    /// What is to be written to the state, though nobody waits for it.
    pub writes: Arc<WriteBehind>,
    /// Certificates that an authority issues by itself.
    #[cfg(feature = "acme")]
    pub(crate) acme: AcmeState,
    /// A certificate has been written by us.
    pub(crate) certificate_written: Notify,
    /// Turns for what takes long.
    pub workers: WorkerPool,
}

impl Journal for SharedState {
    fn record(&self, event: &Event<'_>) {
        self.metrics.record(event);
        if let Event::Decided(decision) = event {
            self.decisions.add((*decision).clone());
        }
        #[cfg(feature = "caldav")]
        if let Event::Arrived(arrived) = event {
            self.program_inboxes.add(&self.writes, arrived);
        }
        #[cfg(feature = "caldav")]
        if let Event::Overwriting(user, object) = event {
            self.overwritten.add(&self.writes, user, object);
        }
        #[cfg(feature = "mail")]
        if let Event::Notice(notice) = event {
            self.notices.is_kept(notice, Timestamp::now());
        }
    }

    #[cfg(feature = "mail")]
    fn with_notice(
        &self,
        notice: &convoke_scheduling::Notice<'_>,
        batch: convoke_types::Batch,
    ) -> convoke_types::Batch {
        self.notices.add(notice, batch, Timestamp::now())
    }
}
