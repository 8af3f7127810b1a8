//! Scheduling, held together: the world around it, its limits, and what outlives a configuration.

use crate::{
    decision::Decided,
    echoes::Echoes,
    environment::{Clock, Environment, Event, Journal, Notice, State},
    keys,
    ledger::Ledger,
    limits::Limits,
    locks::Locks,
    outbox::Outbox,
    removals::Removals,
    settling::Settling,
    state::{self, Versioned},
    timing::Timing,
    turns::Turns,
};
use convoke_types::{Batch, CalendarUser, Error, Uid};
use std::sync::Arc;

/// Scheduling for the calendar users of one host.
pub struct Scheduler<E> {
    pub(crate) environment: E,
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    pub(crate) shared: Shared,
}

/// What outlives a configuration: what waits, and what is being changed or looked at. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct Shared {
    /// What waits to be delivered.
    pub outbox: Outbox,
    pub(crate) locks: Locks,
    pub(crate) settling: Settling,
    pub(crate) echoes: Echoes,
    pub(crate) removals: Removals,
    /// Whose turn it is to book a room.
    pub(crate) turns: Arc<Turns>,
}

impl<E: Environment> Scheduler<E> {
    /// Scheduling in this environment, within these limits.
    pub const fn new(environment: E, limits: Limits, timing: Timing, shared: Shared) -> Self {
        Self {
            environment,
            limits,
            timing,
            shared,
        }
    }

    /// The world around it.
    pub const fn environment(&self) -> &E {
        &self.environment
    }

    /// What outlives this configuration.
    pub const fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What is remembered of an object.
    pub(crate) async fn ledger(
        &self,
        user: &CalendarUser,
        uid: &Uid,
    ) -> Result<Versioned<Ledger>, Error> {
        state::get(self.environment.state(), &keys::ledger(user, uid)).await
    }

    /// Has a decision remembered.
    pub(crate) fn note_decision(&self, decision: &Decided) {
        self.environment.journal().record(&Event::Decided(decision));
    }

    /// Has a person told of what the own calendar program may not show, and keeps that over the end of the host.
    pub(crate) async fn notify(&self, notice: &Notice<'_>) {
        let batch = self.environment.journal().with_notice(notice, Batch::new());
        if !batch.writes.is_empty()
            && let Err(error) = self.environment.state().commit(batch).await
        {
            let uid = notice.message.uid();
            tracing::warn!(
                event = "notice-not-kept", user = %notice.user, %uid,
                "the person is not told if the host ends before the mail has gone: {error}"
            );
        }
        self.notice_is_kept(notice);
    }

    /// Has a person told of something that was committed [with](crate::Journal::with_notice) what led to it.
    pub(crate) fn notice_is_kept(&self, notice: &Notice<'_>) {
        self.environment.journal().record(&Event::Notice(*notice));
    }

    /// A decision about an object, now.
    pub(crate) fn decision(&self, event: &str, uid: &Uid) -> Decided {
        Decided::new(self.environment.clock().now(), event, uid)
    }
}
