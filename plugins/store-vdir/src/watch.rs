//! Which files may have changed since they were last looked at.
//!
//! The kernel queues an event before the call that changed a file returns, and the queue is emptied at the beginning
//! of each look: so what another program wrote before the look began is seen by it, and what did not change
//! costs nothing. Where the kernel cannot know (network file systems, another kernel than Linux, no watch left) each look
//! goes through the whole folder. As a net under the net it does so once a minute anyway.
//!
//! Who waits for changes is woken by the same queue, whoever empties it: see [`News`].

use crate::place::Place;
use std::collections::BTreeSet;
use tokio::sync::watch;

/// Wakes whoever waits for changes.
#[derive(Clone)]
pub(crate) struct News(watch::Sender<()>);

impl News {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Something may have changed.
    pub(crate) fn tell(&self) {
        self.0.send_replace(());
    }

    /// Hears of all that is told from now on.
    pub(crate) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// What is known of the files of a user without looking at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Nothing happened since they were last looked at.
    Quiet,
    /// Something may have happened.
    Changed,
    /// Nobody knows, and nobody will be told.
    Unwatched,
}

/// What may have changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// These files; none, if the set is empty.
    Files(BTreeSet<Place>),
    /// Nobody knows.
    Everything,
}

#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::Watch;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Watch;
