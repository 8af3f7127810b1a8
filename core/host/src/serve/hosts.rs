//! This host among those that share its state: it renews its lease, and takes over what hosts left behind that have none any more.
//!
//! A host that is alone with its state needs none of that, and writes none of it.

use super::{
    background::{BackgroundTask, Stopped},
    current::Current,
};
use crate::{instance::Instance, lease::Held, sharing::Sharing, state_folder};
use convoke_scheduling::{Environment, Membership, Standing, TakeOver};
use convoke_types::Error;
use jiff::Timestamp;
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// How often the lease is renewed, and others are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// How long after a renewal that failed it is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often all that waits is looked through for what no living host holds: it may have been handed on to one that was just gone.
const LOOK_THROUGH: Duration = Duration::from_secs(60);
/// How long others' entries are taken over before the lease is renewed again.
const AT_A_TIME: Duration = Duration::from_secs(5);
/// How long calls are answered before the others' entries are taken over further.
const IN_BETWEEN: Duration = Duration::from_millis(100);
/// How long after the state could not be asked for calls it is asked again, and how long others gather theirs.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a host that ends tries to say so.
const LEAVING: Duration = Duration::from_secs(2);

/// The name of the host whose state folder this is; another one each time where it cannot be kept.
fn name(state: &Path) -> String {
    state_folder::host_id(state).unwrap_or_else(|error| {
        tracing::warn!(
            event = "host-id-failed",
            "the name of this host cannot be kept in `server.state`; what waits at the end is sent half a minute later: {error}"
        );
        uuid::Uuid::new_v4().simple().to_string()
    })
}

/// Has what is handed in belong to this host, where others share the state: its name then.
pub(super) fn join(instance: &Instance) -> String {
    let shared = &instance.shared;
    let name = match instance.sharing {
        Sharing::Alone => {
            shared.lease.is(Held::Alone);
            String::new()
        }
        Sharing::Shared => {
            shared.lease.is(Held::Not);
            name(&instance.config.server.state)
        }
    };
    shared.scheduling.outbox.belong_to(&name);
    #[cfg(feature = "mail")]
    shared.notices.belong_to(&name);
    name
}

/// Holds the lease of the host of this name until the task ends; nothing for one without a name, which is alone.
pub(super) fn start(current: &Arc<Current>, name: String) -> BackgroundTask {
    BackgroundTask::start(|stopped| run(current.clone(), name, stopped))
}

async fn run(current: Arc<Current>, name: String, mut stopped: Stopped) {
    if name.is_empty() {
        return;
    }
    let run = uuid::Uuid::new_v4().simple().to_string();
    let mut member = Member {
        membership: Membership::new(name, run),
        living: BTreeSet::new(),
        looked_through: None,
        look: None,
    };
    let mut was_well = true;
    loop {
        let step = tokio::select! {
            step = member.step(&current) => step,
            () = stopped.wait() => break,
        };
        let wait = match step {
            Ok(wait) => {
                was_well = true;
                wait
            }
            Err(error) => {
                if was_well {
                    tracing::error!(
                        event = "lease-not-renewed",
                        "this host cannot say in the state that it lives; what waits is not sent until it can: {error}"
                    );
                }
                was_well = false;
                AGAIN
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = answer_calls(&current) => {}
            () = stopped.wait() => break,
        }
    }
    let instance = current.load();
    let state = instance.scheduler.environment().state();
    // Without it, others wait until it has expired.
    let _ = timeout(LEAVING, member.membership.leave(state)).await;
}

/// Tries at once what other hosts are asked for that this one holds. Returns only where nobody can call.
async fn answer_calls(current: &Current) {
    loop {
        let instance = current.load();
        let state = instance.scheduler.environment().state();
        let outbox = &instance.shared.scheduling.outbox;
        let Some(range) = outbox.calls() else {
            return std::future::pending().await;
        };
        // What came before is waited for by nobody.
        let answered = outbox.answer_calls(state, Timestamp::now()).await;
        let waited = match answered {
            Ok(_) => instance.plugins.state.await_changes(&range).await,
            Err(error) => Err(error),
        };
        drop(instance);
        if waited.is_err() {
            // Named in the log by the handle of the plugin.
            sleep(PAUSE).await;
        }
    }
}

/// This host among the others.
struct Member {
    membership: Membership,
    /// The others that lived at the last look.
    living: BTreeSet<String>,
    /// When all that waits was looked through for what nobody holds.
    looked_through: Option<Instant>,
    /// The look that is under way.
    look: Option<TakeOver>,
}

impl Member {
    /// Renews the lease, and takes over some of what others left, if any did: how long to wait before the next step.
    async fn step(&mut self, current: &Current) -> Result<Duration, Error> {
        let instance = current.load();
        let state = instance.scheduler.environment().state();
        let outbox = &instance.shared.scheduling.outbox;
        let begun = Instant::now();
        let standing = self.membership.renew(state).await?;
        if standing == Standing::Anew {
            // Before anything is sent again: others may hold what was held here.
            outbox.doubt();
            self.looked_through = None;
        }
        instance.shared.lease.is(Held::Since(begun));
        let living = self.membership.others(state).await?;
        let is_gone = self.living.difference(&living).next().is_some();
        let is_due = (self.looked_through).is_none_or(|at| at.elapsed() >= LOOK_THROUGH);
        if is_gone || is_due && self.look.is_none() {
            self.look = Some(TakeOver::default());
        }
        self.living = living;
        while let Some(look) = &mut self.look
            && begun.elapsed() < AT_A_TIME
        {
            look.step(outbox, state, &self.living).await?;
            if look.is_over() {
                tell(look.taken());
                #[cfg(feature = "mail")]
                super::notices::take_over(&instance, &self.living).await;
                self.look = None;
                self.looked_through = Some(Instant::now());
            }
        }
        Ok(match self.look {
            Some(_) => IN_BETWEEN,
            None => EVERY,
        })
    }
}

fn tell(taken: usize) {
    if taken > 0 {
        tracing::info!(
            event = "outbox-taken-over",
            messages = taken,
            "messages are sent by this host that another one left"
        );
    }
}
