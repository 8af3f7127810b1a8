//! Empties the outbox: what waits is tried when its time has come, as long as this host holds its lease.

use super::{
    background::{Stopped, until},
    current::Current,
};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{Attempt, Environment, Outbox};
use convoke_types::Proof;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// Messages that are on their way at once; the others wait.
const AT_ONCE: usize = 64;
/// How long what is on its way is waited for at the end. What is not finished then stays in the outbox.
const LAST_MESSAGES: Duration = Duration::from_secs(5);
/// How often it is looked whether the lease is held again.
const LOST: Duration = Duration::from_millis(500);
/// How long after the state could not be read it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Begins with what the state holds; each message goes by the instance that answers then. At the end nothing is begun any
/// more, and what is on its way is waited for.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    let shared = current.load().shared.clone();
    let (outbox, lease) = (shared.scheduling.outbox.clone(), &shared.lease);
    let mut under_way = JoinSet::new();
    loop {
        if !lease.is_held() {
            // Others may believe that this host is gone, and send what is held here.
            tokio::select! {
                () = lease.renewal() => {}
                () = sleep(LOST) => {}
                () = stopped.wait() => break,
            }
            continue;
        }
        if !outbox.is_certain() {
            tokio::select! {
                () = load(&current, &outbox) => {}
                () = stopped.wait() => break,
            }
        }
        let seen = outbox.version();
        while under_way.len() < AT_ONCE
            && let Some(attempt) = outbox.take(Timestamp::now())
        {
            under_way.spawn(send(attempt, current.clone()));
        }
        tokio::select! {
            () = stopped.wait() => break,
            Some(_) = under_way.join_next() => {}
            () = outbox.changed_since(seen), if under_way.len() < AT_ONCE => {}
            () = sleep(until_next(&outbox)), if under_way.len() < AT_ONCE => {}
        }
    }
    let finished = timeout(LAST_MESSAGES, async {
        while under_way.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        tracing::info!(
            event = "outbox-left",
            messages = under_way.len(),
            "messages are on their way still; they are sent again when the host starts"
        );
    }
}

/// Reads what waits, as soon as the state answers.
async fn load(current: &Current, outbox: &Outbox) {
    loop {
        let instance = current.load();
        match outbox.load(instance.scheduler.environment().state()).await {
            Ok(0) => return,
            Ok(waiting) => {
                return tracing::info!(
                    event = "outbox-loaded",
                    waiting,
                    "messages wait to be delivered"
                );
            }
            Err(error) => tracing::error!(
                event = "outbox-unreadable",
                "what waits to be delivered cannot be read, which is tried again: {error}"
            ),
        }
        drop(instance);
        sleep(AGAIN).await;
    }
}

fn until_next(outbox: &Outbox) -> Duration {
    // What is due and may not go waits for something to change, which says so by itself.
    until(outbox.wakes_at()).max(Duration::from_millis(10))
}

async fn send(attempt: Attempt, current: Arc<Current>) {
    let instance = current.load();
    let Some(originator) = attempt.entries().first().map(|it| it.originator.clone()) else {
        return;
    };
    let origin = Origin::of(&originator, &[Proof::Submission(originator.clone())]);
    origin.ask(instance.scheduler.attempt(attempt)).await;
}
