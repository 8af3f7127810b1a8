//! Orders certificates from authorities (`tls.acme`), and renews them.

use super::{
    background::{Stopped, until},
    current::Current,
};
use crate::acme::{self, Wanted};
use jiff::Timestamp;
use std::sync::Arc;

/// Orders and renews until the host ends.
pub(super) async fn run(current: Arc<Current>, mut stopped: Stopped) {
    // What outlives each instance; those are closed when nobody holds them any more.
    let shared = current.load().shared.clone();
    // Listeners first: authorities come to them.
    tokio::select! {
        () = stopped.wait() => return,
        () = shared.acme.look.notified() => {}
    }
    loop {
        let wanted = acme::wanted(&current.load().config);
        let now = Timestamp::now();
        let due = |it: &Wanted| it.due(&shared.acme.progress, now);
        if let Some(next) = wanted.iter().find(|it| due(it) <= now) {
            tokio::select! {
                () = stopped.wait() => return,
                () = order(&current, next) => {}
            }
            continue;
        }
        tokio::select! {
            () = stopped.wait() => return,
            () = tokio::time::sleep(until(wanted.iter().map(due).min())) => {}
            () = shared.acme.look.notified() => {}
        }
    }
}

/// Orders one, and says what came of it.
async fn order(current: &Current, wanted: &Wanted) {
    let (client, shared) = {
        let instance = current.load();
        (instance.client.clone(), instance.shared.clone())
    };
    let state = &shared.acme;
    let acme = &wanted.acme;
    let names: Vec<_> = acme.names.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    match acme::obtain(wanted, &client, state).await {
        Ok((_, until)) => {
            state.progress.succeeded(&wanted.file);
            let until = Timestamp::from_second(until).ok();
            tracing::info!(
                event = "certificate-issued",
                names,
                directory = %acme.directory,
                until = until.map(tracing::field::display),
                "the certificate authority has issued a certificate"
            );
            shared.certificate_written.notify_one();
        }
        Err(failed) => {
            let why = failed.error.to_string();
            let now = Timestamp::now();
            let next = state
                .progress
                .failed(&wanted.file, why.clone(), failed.retry_after, now);
            tracing::error!(
                event = "certificate-not-issued",
                names,
                directory = %acme.directory,
                next = %next,
                "no certificate was issued: {why}"
            );
        }
    }
}
