//! What our people owe because something came in, sent by a task of its own.

use super::current::Current;
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{Owed, OwedMessage};
use convoke_types::Proof;
use std::{sync::Arc, time::Duration};
use tokio::task::{JoinHandle, JoinSet};

/// Messages that are sent at once; the others wait.
const AT_ONCE: usize = 64;
/// How long what is owed is waited for at the end.
const LAST_MESSAGES: Duration = Duration::from_secs(5);

/// The task that sends what is owed.
pub(super) struct OwedTask {
    owed: Owed,
    task: JoinHandle<()>,
}

impl OwedTask {
    /// Sends, from now on, each message by the instance that answers then.
    pub(super) fn start(current: &Arc<Current>) -> Self {
        let owed = current.load().shared.owed.clone();
        Self {
            task: tokio::spawn(send(owed.clone(), current.clone())),
            owed,
        }
    }

    /// Waits for a while until nothing is owed any more, and names what is left.
    pub(super) async fn finish(self) {
        // An error: time is up, and what is left says so.
        let _ = tokio::time::timeout(LAST_MESSAGES, self.owed.settled()).await;
        let left = self.owed.left();
        // It holds the instance, whose plugins are to be closed.
        self.task.abort();
        let _ = self.task.await;
        for outgoing in left {
            let recipients = outgoing.recipients.iter().map(ToString::to_string);
            tracing::warn!(
                event = "background-given-up",
                originator = %outgoing.originator,
                recipients = recipients.collect::<Vec<_>>().join(" "),
                method = %outgoing.message.method(),
                uid = %outgoing.message.uid(),
                "a message on behalf of one of our users was not sent in time and is given up"
            );
        }
    }
}

async fn send(owed: Owed, current: Arc<Current>) {
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        tokio::select! {
            // One that panics is done with, too: it is owed no longer.
            Some(_) = under_way.join_next() => {}
            message = owed.next() => {
                under_way.spawn(send_one(message, current.clone()));
            }
        }
    }
}

async fn send_one(message: OwedMessage, current: Arc<Current>) {
    let instance = current.load();
    let originator = &message.outgoing().originator;
    let origin = Origin::of(originator, &[Proof::Submission(originator.clone())]);
    origin.ask(instance.scheduler.send_owed(message)).await;
}
