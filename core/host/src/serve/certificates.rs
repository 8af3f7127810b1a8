//! Orders certificates from authorities (`tls.acme`), and renews them.

use super::{
    background::{Stopped, until},
    current::Current,
};
use crate::acme::{self, Delayed, Wanted};
use convoke_types::excerpt;
use futures::FutureExt;
use jiff::Timestamp;
use std::{panic::AssertUnwindSafe, sync::Arc};

/// The longest reason that is told, in characters.
const LONGEST_REASON: usize = 1000;

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
    // Whatever an authority answers, the next one is asked, and this one again.
    let obtained = AssertUnwindSafe(acme::obtain(wanted, &client, state)).catch_unwind();
    let obtained = obtained.await.unwrap_or_else(|_| Err(Delayed::panicked()));
    match obtained {
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
            let why = excerpt(&failed.error.to_string(), LONGEST_REASON);
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
