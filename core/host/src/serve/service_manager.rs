//! What the service manager is told: that the host is ready, reads its configuration anew, ends, and is alive.
//!
//! systemd asks to be told with `Type=notify` and `WatchdogSec=`. Where nobody asked (`NOTIFY_SOCKET` is not set), nothing happens.
//!
//! The host is alive while its runtime runs tasks and the state answers. That the state *fails* is an answer: senders are told to
//! try later, and a host that is started anew would find nothing better. That it says nothing is none.

use super::{background::Stopped, current::Current};
use sd_notify::NotifyState;
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// The listeners are open, and the state too; also after a reload, whatever came of it.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read anew.
pub(super) fn reloading() {
    // Without the time, systemd from 253 on believes no reload. The clock that it wants is always there.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// What is in flight is finished, then the host ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the host is alive twice in the time after which it would be taken for dead, as often as that is true.
pub(super) async fn keep_alive(current: Arc<Current>, mut stopped: Stopped) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut moment = interval((patience / 2).max(SHORTEST));
    moment.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped.wait() => return,
            _ = moment.tick() => {}
        }
        let state = current.load().plugins.state.clone();
        let answers = tokio::select! {
            () = stopped.wait() => return,
            answers = state.answers() => answers,
        };
        if answers {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// However short the manager's patience is.
const SHORTEST: Duration = Duration::from_millis(1);

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(
            event = "service-manager-not-told",
            "the service manager cannot be told how the host is (NOTIFY_SOCKET): {error}"
        );
    }
}
