//! Tells people by mail what their calendar program may not show.

use super::{
    background::{Stopped, until},
    current::Current,
};
use crate::{instance::Instance, mail::Untold, sharing::Sharing};
use convoke_scheduling::Environment;
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::sleep;

/// Sends notices when their time has come; what is not sent at the end is in the state.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    let instance = current.load();
    // Where several hosts share the state, what was left is taken over with all else.
    if instance.sharing == Sharing::Alone {
        take_over(&instance, &BTreeSet::new()).await;
    }
    drop(instance);
    loop {
        // Not the instance: it is closed when nobody holds it any more.
        let shared = current.load().shared.clone();
        tokio::select! {
            () = stopped.wait() => break,
            () = shared.notices.some() => {}
            () = sleep(until(shared.notices.wakes_at())) => {}
        }
        tokio::select! {
            () = stopped.wait() => break,
            () = send(&current) => {}
        }
    }
}

/// Takes over what an earlier run of this host has left, and what none of the other `living` hosts tells.
pub(super) async fn take_over(instance: &Instance, living: &BTreeSet<String>) {
    let state = instance.scheduler.environment().state();
    if let Err(error) = instance.shared.notices.take_over(state, living).await {
        tracing::warn!(
            event = "notices-unreadable",
            "people are not told what they were to be told before a host ended: {error}"
        );
    }
}

async fn send(current: &Current) {
    let instance = current.load();
    let shared = &instance.shared;
    for (id, notice) in shared.notices.due(Timestamp::now()) {
        let told = match (instance.mailer(), &instance.config.mail) {
            (Some(mailer), Some(mail)) if notice.is_wanted(mail.notify) => {
                mailer.tell(&id, &notice).await
            }
            _ => Ok(()),
        };
        let (notices, writes, now) = (&shared.notices, &shared.writes, Timestamp::now());
        let (again, reason) = match told {
            Ok(()) => {
                notices.finish(&id, writes);
                continue;
            }
            Err(Untold::Now(reason)) => (notices.put_off(&id, writes, now), reason),
            Err(Untold::Perhaps(reason)) => (notices.is_unanswered(&id, writes, now), reason),
        };
        if !again {
            tracing::warn!(
                event = "notice-not-sent", user = %notice.user, uid = %notice.uid,
                "the person is not told by mail, or that is not certain: {reason}"
            );
        }
    }
}
