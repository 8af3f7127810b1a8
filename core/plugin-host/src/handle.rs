//! One opened plugin.

use super::{
    PluginEntry, PluginInfo, PluginState,
    breaker::{Breaker, Turn},
    origin::Origin,
    placed::Placed,
};
use convoke_sdk::{
    Error, ErrorKind, Result,
    remote::{Kind, Manifest},
};
use std::{future::Future, path::Path, path::PathBuf, pin::pin, task::Poll, time::Duration};
use tracing::{error, info, warn};

/// An opened plugin: each call has a deadline and passes the breaker.
pub struct Handle<R> {
    parts: Parts,
    pub(super) remote: Placed<R>,
}

/// What is known of an opened plugin, whatever its kind.
pub(super) struct Parts {
    name: String,
    kind: Kind,
    deadline: Duration,
    file: PathBuf,
    kinds: Vec<Kind>,
    version: String,
    abi: (u32, u32),
    isolation: &'static str,
    breaker: Breaker,
}

impl Parts {
    pub(super) fn new(
        name: String,
        entry: &PluginEntry,
        file: &Path,
        manifest: &Manifest,
        deadline: Duration,
    ) -> Self {
        Self {
            name,
            kind: entry.kind,
            deadline: entry.timeout.unwrap_or(deadline),
            file: file.to_owned(),
            kinds: manifest.kinds.clone(),
            version: manifest.version.clone(),
            abi: manifest.abi,
            isolation: entry.isolation.as_str(),
            breaker: Breaker::default(),
        }
    }

    /// The library.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// How long a call may take.
    pub(super) const fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(super) fn around<R>(self, remote: Placed<R>) -> Handle<R> {
        Handle {
            parts: self,
            remote,
        }
    }
}

impl<R> Handle<R> {
    /// What the administrator calls it.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// What `plugin list` shows.
    pub fn info(&self) -> PluginInfo {
        let parts = &self.parts;
        PluginInfo {
            name: parts.name.clone(),
            kind: parts.kind,
            file: parts.file.clone(),
            kinds: parts.kinds.clone(),
            version: parts.version.clone(),
            abi: parts.abi,
            isolation: parts.isolation,
            lacks: self.remote.lacks(),
            state: match (self.remote.down(), parts.breaker.skipped()) {
                (Some((reason, left)), _) => PluginState::Skipped { reason, left },
                (None, None) => PluginState::Ready,
                (None, Some(skipped)) => PluginState::Skipped {
                    reason: skipped.reason,
                    left: skipped.left,
                },
            },
        }
    }

    /// Makes one call about `subject`. What is the plugin's fault is logged, and counted by the breaker.
    pub(super) async fn call<T>(
        &self,
        subject: &str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Parts { name, breaker, .. } = &self.parts;
        let attempt = breaker.admit(subject).map_err(|skipped| {
            Error::unavailable(format!(
                "plugin `{name}` is skipped for another {} s: {}",
                skipped.left.as_secs().max(1),
                skipped.reason
            ))
        })?;
        let answer = within(self.parts.deadline, call).await;
        let fault = answer.as_ref().err();
        let fault = fault.filter(|error| is_fault(error.kind()));
        if let Some(error) = fault {
            warn!(event = "plugin-failed", plugin = %name, kind = ?error.kind(), "{error}");
        }
        match attempt.settle(fault.map(Error::message)) {
            Turn::None => {}
            Turn::Tripped(pause) => error!(
                event = "plugin-skipped",
                plugin = %name,
                origin = Origin::current().as_ref().map(Origin::as_str),
                subject,
                "it keeps failing for this origin and is skipped for {} s; see what it says above",
                pause.as_secs()
            ),
            Turn::Recovered => {
                info!(event = "plugin-recovered", plugin = %name, "it answers again");
            }
        }
        answer.map_err(|error| Error::new(error.kind(), format!("plugin `{name}`: {error}")))
    }
}

/// Whether an error says that the plugin is not well, rather than that it answers *no*.
fn is_fault(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Internal)
}

/// Waits for a call until its deadline. A call that answers at once costs no timer.
async fn within<T>(deadline: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    let mut call = pin!(call);
    if let Poll::Ready(answer) = futures::poll!(&mut call) {
        return answer;
    }
    tokio::time::timeout(deadline, call)
        .await
        .unwrap_or_else(|_| {
            Err(Error::unavailable(format!(
                "no answer within {deadline:?}; raise the entry's `timeout` if it needs longer"
            )))
        })
}
