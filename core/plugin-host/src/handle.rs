//! One opened plugin.

use super::{
    Description, Interface, Isolation, PluginEntry, PluginInfo, PluginState,
    breaker::{Breaker, Turn},
    calls::EntryCalls,
    failing::Failing,
    isolated::Isolated,
    origin::Origin,
    services::Instance,
};
use convoke_sdk::{
    Call, Error, ErrorKind, Purpose, Result,
    remote::{Caller, Client, Kind, PluginFile, Stamp},
};
use std::{
    future::Future,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};
use tracing::{error, info, warn};

/// An opened plugin: each call has a deadline and passes the breaker.
pub type Handle<R> = Client<Opened, R>;

/// What is known of an opened plugin, whatever its kind.
pub struct Opened {
    name: String,
    kind: Kind,
    deadline: Duration,
    file: PathBuf,
    kinds: Vec<Kind>,
    version: String,
    interface: Interface,
    is_exclusive: bool,
    /// Its library, if no other version of it may be open beside it in this process.
    one_version: Option<Stamp>,
    isolation: &'static str,
    breaker: Breaker,
    /// How its calls end, if it keeps data.
    failing: Option<Failing>,
    /// Its process, if it has one.
    process: Option<Arc<Isolated>>,
    /// The host as it sees it, if it has no process.
    services: Option<Arc<Instance>>,
    calls: EntryCalls,
}

impl Opened {
    pub(super) fn new(
        name: &str,
        entry: &PluginEntry,
        content: &PluginFile,
        description: &Description,
        deadline: Duration,
        calls: EntryCalls,
    ) -> Self {
        let is_here = entry.isolation == Isolation::InProcess;
        let is_one = is_here && description.one_version.contains(&entry.kind);
        Self {
            name: name.to_owned(),
            kind: entry.kind,
            deadline: entry.timeout.unwrap_or(deadline),
            file: content.path().to_owned(),
            kinds: description.kinds.clone(),
            version: description.version.clone(),
            interface: description.interface,
            is_exclusive: description.exclusive.contains(&entry.kind),
            one_version: is_one.then(|| content.stamp()),
            isolation: entry.isolation.as_str(),
            breaker: Breaker::default(),
            failing: matches!(entry.kind, Kind::Store | Kind::State).then(Failing::default),
            process: None,
            services: None,
            calls,
        }
    }

    /// How long a call may take.
    pub(super) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The same, in a process of its own.
    pub(super) fn within(self, process: Arc<Isolated>) -> Self {
        Self {
            process: Some(process),
            ..self
        }
    }

    /// The same, which tells these services how it is.
    pub(super) fn known_by(self, services: Arc<Instance>) -> Self {
        Self {
            services: Some(services),
            ..self
        }
    }

    /// What the administrator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `plugin list` shows.
    pub fn info(&self) -> PluginInfo {
        let process = self.process.as_ref();
        PluginInfo {
            name: self.name.clone(),
            kind: self.kind,
            file: self.file.clone(),
            kinds: self.kinds.clone(),
            version: self.version.clone(),
            interface: self.interface,
            is_exclusive: self.is_exclusive || self.is_replaced(),
            isolation: self.isolation,
            lacks: process.map_or(Vec::new(), |it| it.lacks().to_vec()),
            state: self.state(),
        }
    }

    /// Whether another version of its library would be opened beside it, and must not be.
    fn is_replaced(&self) -> bool {
        let now = || Stamp::of(&self.file);
        self.one_version.is_some_and(|then| now() != Some(then))
    }

    fn state(&self) -> PluginState {
        let process = self.process.as_ref();
        if let Some((reason, left)) = process.and_then(|it| it.down()) {
            return PluginState::Skipped { reason, left };
        }
        if let Some(skipped) = self.breaker.skipped() {
            return PluginState::Skipped {
                reason: skipped.reason,
                left: skipped.left,
            };
        }
        let degraded = match process {
            Some(process) => process.degraded(),
            None => self.services.as_ref().and_then(|it| it.degraded()),
        };
        let failing = || self.failing.as_ref().and_then(Failing::reason);
        degraded
            .or_else(failing)
            .map_or(PluginState::Ready, |reason| PluginState::Degraded {
                reason,
            })
    }
}

impl Caller for Opened {
    fn call(&self) -> Call {
        let call = Call::within(self.deadline);
        match Origin::current() {
            Some(origin) => call
                .made_for(origin.purpose())
                .of_request(Origin::request_id()),
            None => call.made_for(Purpose::Administration),
        }
    }

    /// What is the plugin's fault is logged, and counted by the breaker.
    async fn settle<T: Send>(
        &self,
        subject: &str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Self { name, breaker, .. } = self;
        let attempt = breaker.admit(subject).map_err(|skipped| {
            Error::unavailable(format!(
                "plugin `{name}` is skipped for another {} s: {}",
                skipped.left.as_secs().max(1),
                skipped.reason
            ))
        })?;
        let begun = Instant::now();
        let answer = within(self.deadline, call).await;
        let fault = answer.as_ref().err();
        let fault = fault.filter(|error| is_fault(error.kind()));
        self.calls.ended(begun.elapsed(), fault);
        if let Some(error) = fault {
            let request = Some(Origin::request_id()).filter(|id| *id != 0);
            warn!(event = "plugin-failed", plugin = %name, kind = ?error.kind(), request, "{error}");
        }
        if let Some(failing) = &self.failing {
            failing.note(fault);
        }
        match attempt.settle(fault.map(Error::message)) {
            Turn::None => {}
            Turn::Tripped(pause) => {
                self.calls.skipped();
                error!(
                    event = "plugin-skipped",
                    plugin = %name,
                    origin = Origin::current().as_ref().map(Origin::as_str),
                    subject,
                    "it keeps failing for this origin and is skipped for {} s; see what it says above",
                    pause.as_secs()
                );
            }
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
