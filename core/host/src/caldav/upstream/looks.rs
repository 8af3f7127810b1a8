//! A calendar that a program has just changed is looked at, at once.
//!
//! Before the first change that comes by, the calendar is looked at as well: what was in it is told to nobody, and what comes is.

use crate::{
    instance::Instance,
    scheduling::{OurHome, Telling, telling},
    upstream::{Look, Upstream},
};
use convoke_plugin_host::origin::Origin;
use convoke_scheduling::{Home, Looked};
use convoke_types::{Error, Proof};
use std::{sync::Arc, time::Duration};

/// For how long a first look holds up a change.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// How long an answer waits for a look.
const PATIENCE: Duration = Duration::from_millis(300);

/// Sees to it that there was a first look, before something is changed.
pub(super) async fn prepare(instance: &Arc<Instance>, upstream: &Arc<Upstream>, home: OurHome) {
    if upstream.looks.is_known(&home) || !is_told(instance, &home) {
        return;
    }
    // In a task of its own: it goes on for those who come next.
    let (instance, upstream) = (instance.clone(), upstream.clone());
    let looking = tokio::spawn(async move {
        let look = async {
            match on_behalf(&home, instance.scheduler.reconcile(&home)).await {
                Ok(_) => upstream.looks.set_known(&home),
                Err(error) => tell(&home, &error),
            }
        };
        upstream.looks.first(&home, look).await;
    });
    // What could not be looked at in time is changed all the same.
    let _ = tokio::time::timeout(FIRST_LOOK, looking).await;
}

/// Looks at a calendar in which something has changed, and waits for that a moment. Changes that come meanwhile share the next
/// look.
pub(super) async fn at_once(instance: &Arc<Instance>, upstream: &Upstream, home: OurHome) {
    if !is_told(instance, &home) {
        return;
    }
    if let Some(begun) = upstream.looks.begin(&home) {
        let looking = tokio::spawn(look(instance.clone(), home, begun));
        let _ = tokio::time::timeout(PATIENCE, looking).await;
    }
}

async fn look(instance: Arc<Instance>, home: OurHome, begun: Look) {
    let mut look = Some(begun);
    while let Some(this) = look {
        let looking = instance.scheduler.reconcile_at_once(&home);
        if let Err(error) = on_behalf(&home, looking).await {
            tell(&home, &error);
            // The task that watches the store tries it until it can.
            instance.shared.look_soon.at(home.store(), &home.user().id);
            return;
        }
        look = this.again();
    }
}

async fn on_behalf(
    home: &OurHome,
    looking: impl Future<Output = Result<Looked, Error>>,
) -> Result<Looked, Error> {
    let address = &home.user().address;
    let origin = Origin::of(address, &[Proof::Submission(address.clone())]);
    origin.ask(looking).await
}

/// Whether what a user changes is told by this host.
pub(super) fn is_told(instance: &Instance, home: &OurHome) -> bool {
    telling(&instance.plugins, home.place(), home.user()) == Telling::On
}

fn tell(home: &OurHome, error: &Error) {
    tracing::warn!(
        event = "calendar-not-looked-at", store = home.store(), user = %home.user().id,
        "what changed in this calendar is told later: {error}"
    );
}
