//! Tells people by mail what their calendar program may not show.

use super::{
    background::{Stopped, until},
    current::Current,
};
use crate::instance::Instance;
use convoke_scheduling::Environment;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::sleep;

/// Sends notices when their time has come; what is not sent at the end is in the state.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    load(&current.load()).await;
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
