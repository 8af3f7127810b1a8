//! Tells people by mail what their calendar program may not show.

use super::current::Current;
use crate::instance::Instance;
use convoke_scheduling::Environment;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// The clock may be set: so often the times are looked at anew.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The task that sends notices.
pub(super) struct NoticesTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl NoticesTask {
    pub(super) fn start(current: &Arc<Current>) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let current = current.clone();
        let task = tokio::spawn(async move {
            load(&current.load()).await;
            loop {
                // Not the instance: it is closed when nobody holds it any more.
                let shared = current.load().shared.clone();
                let wait = shared.notices.wakes_at().map_or(LONGEST_SLEEP, |at| {
                    let wait = at.duration_since(Timestamp::now());
                    Duration::try_from(wait).unwrap_or_default()
                });
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => break,
                    () = shared.notices.some() => {}
                    () = sleep(wait.min(LONGEST_SLEEP)) => {}
                }
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => break,
                    () = send(&current) => {}
                }
            }
        });
        Self { stop, task }
    }

    /// Ends; what was not sent yet is in the state.
    pub(super) async fn finish(self) {
        // An error: the task has ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn load(instance: &Instance) {
    let state = instance.scheduler.environment().state();
    if let Err(error) = instance.shared.notices.load(state).await {
        tracing::warn!(
            event = "notices-unreadable",
            "people are not told what they were to be told before the host ended: {error}"
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
        match told {
            Ok(()) => shared.notices.finish(&id, &shared.writes),
            Err(reason) => {
                let again = shared
                    .notices
                    .put_off(&id, &shared.writes, Timestamp::now());
                if !again {
                    tracing::warn!(
                        event = "notice-not-sent", user = %notice.user, uid = %notice.uid,
                        "the person is not told by mail: {reason}"
                    );
                }
            }
        }
    }
}
