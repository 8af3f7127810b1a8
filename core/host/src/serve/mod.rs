//! A running host: made from a configuration, made anew on SIGHUP or `convoke reload`, ended by SIGTERM.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `listeners` | the sockets |
//! | `inherited` | those that the service manager has opened |
//! | `lmtp` | those by which mail servers hand mail over |
//! | `background` | tasks that run as long as the host does |
//! | `current` | the instance that answers now |
//! | `control` | the socket that commands come in by |
//! | `lock` | the state folder, which one host uses alone |
//! | `watch` | certificates that change on disk |
//! | `certificates` | orders certificates from authorities, and renews them |
//! | `service_manager` | what systemd is told |
//! | `write_behind` | what is written to the state though nobody waits for it |
//! | `calendars` | watches the calendars of our people: what they change is told |
//! | `decisions` | writes the decision log |
//! | `notices` | tells people by mail what their calendar program may not show |
//! | `outbox` | what waits to be delivered is tried when its time has come |
//! | `hosts` | this host among those that share its state |
//! | `turn` | what one of several hosts does at a time |
//! | `looks` | whether stores answer and peers find our key, tried from time to time |
//! | `observe` | health and metrics over HTTP |
//! | `validation` | answers authorities that validate names by http-01 |
//!
//! A new configuration is taken whole or not at all: its instance is made and its sockets are bound before anything of the
//! running one is touched. Requests that have begun are answered by the instance that they began with, its plugins included;
//! it is closed when the last of them has ended.

mod background;
mod calendars;
#[cfg(feature = "acme")]
mod certificates;
mod control;
mod current;
mod decisions;
mod hosts;
mod inherited;
mod listeners;
#[cfg(feature = "mail")]
mod lmtp;
mod lock;
mod looks;
#[cfg(feature = "mail")]
mod notices;
mod observe;
mod outbox;
mod service_manager;
mod turn;
#[cfg(feature = "acme")]
mod validation;
mod watch;
mod write_behind;

#[cfg(not(all(feature = "acme", feature = "caldav")))]
use crate::answer;
#[cfg(feature = "caldav")]
use crate::caldav;
use crate::{
    config::{Config, Role},
    instance::{Instance, ServeError},
    receiver,
    state_folder::{self, ListenerNote, Lock},
    submission,
};
use background::BackgroundTask;
use calendars::CalendarsTask;
use control::Control;
use convoke_net::http_server::{Arrival, Body, Handler, Response};
use convoke_plugin_host::{close_all, isolated, origin::Origin};
use current::Current;
use http::{HeaderMap, Request};
pub use inherited::Inherited;
use listeners::Listeners;
pub(crate) use listeners::mail_connections;
use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tracing::Instrument;
use watch::Watched;

/// Serves the configuration at `path` until SIGTERM or SIGINT, also on the sockets that are `inherited`; SIGHUP reads it again.
pub async fn run(path: &Path, inherited: Inherited) -> Result<(), ServeError> {
    let begun = Instant::now();
    // First of all, so that no signal finds us unprepared.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    let (mut host, mut requests) = Host::start(path, inherited).await?;
    tracing::info!(event = "ready", took = ?begun.elapsed(), "ready");
    service_manager::ready();
    let shared = host.current.load().shared.clone();
    let mut look = tokio::time::interval(watch::EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let request = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = look.tick() => {
                host.refresh_certificates();
                host.refresh_users().await;
                continue;
            }
            () = shared.certificate_written.notified() => {
                host.refresh_certificates();
                continue;
            }
            _ = hangup.recv() => None,
            request = requests.recv() => request,
        };
        service_manager::reloading();
        // A plugin may take long to open; the end need not wait for it.
        let reloaded = tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            reloaded = host.reload(path) => reloaded,
        };
        service_manager::ready();
        tell(&reloaded, path, request);
    }
    service_manager::stopping();
    tracing::info!(
        event = "stopping",
        "stopping; requests in progress are finished first"
    );
    // Who waits for a reload is told at once that there will be none.
    drop(requests);
    host.stop().await;
    tracing::info!(event = "stopped", "stopped");
    Ok(())
}

/// Says what came of a reload: in the log, and to whoever requested it.
fn tell(reloaded: &Result<(), ServeError>, config: &Path, request: Option<control::ReloadRequest>) {
    let reloaded = reloaded.as_ref().map_err(|error| error.located(config));
    match &reloaded {
        Ok(()) => tracing::info!(event = "config-reloaded", "configuration reloaded"),
        Err(error) => {
            tracing::error!(
                event = "config-rejected",
                "reload failed, the previous configuration stays in use: {error}"
            );
        }
    }
    if let Some(request) = request {
        // Fails if nobody waits any more.
        let _ = request.send(reloaded.map(|&()| ()));
    }
}

/// A host that listens.
pub struct Host {
    current: Arc<Current>,
    control: Control,
    inherited: Inherited,
    listeners: Listeners,
    #[cfg(feature = "mail")]
    mail_listeners: lmtp::MailListeners,
    /// Always there, but while one instance hands over to the next.
    hosts: Option<BackgroundTask>,
    outbox: BackgroundTask,
    decisions: BackgroundTask,
    looks: BackgroundTask,
    #[cfg(feature = "mail")]
    notices: BackgroundTask,
    writes: BackgroundTask,
    #[cfg(feature = "acme")]
    certificates: BackgroundTask,
    alive: BackgroundTask,
    /// Always there, but while one instance hands over to the next.
    calendars: Option<CalendarsTask>,
    watched_client: Watched,
    watched_users: Watched,
    lock: Lock,
}

/// How long plugins in our own process may take to close when the host ends; those in a process of their own have as long.
const CLOSING: Duration = Duration::from_secs(5);

/// Drops what holds plugins, as closing them may take a while, on a thread of its own: neither those that answer requests
/// nor the end of the host wait for it longer than they want to.
fn closed(held: impl Send + 'static) -> impl Future<Output = ()> {
    let (done, closed) = tokio::sync::oneshot::channel::<()>();
    let closing = std::thread::Builder::new().name("convoke-closing".to_owned());
    // Without a thread it is dropped here and now.
    let _ = closing.spawn(move || {
        drop(held);
        drop(done);
    });
    async {
        // Always an error, as nothing is ever sent.
        let _ = closed.await;
    }
}

impl Host {
    /// Reads the configuration, opens the plugins and listens. What is requested by the control socket comes out of the
    /// second.
    async fn start(
        path: &Path,
        inherited: Inherited,
    ) -> Result<(Self, mpsc::Receiver<control::ReloadRequest>), ServeError> {
        let config = Config::read(path)?;
        let watched_client = Watched::client(&config.client);
        let watched_users = Watched::users(&config);
        let lock = lock::take(&config.server.state).await?;
        #[cfg(feature = "acme")]
        crate::acme::set_aside(&config);
        let instance = Instance::new(config, Arc::default()).await?;
        let name = hosts::join(&instance);
        #[cfg(feature = "acme")]
        let challenges = instance.shared.acme.tls.clone();
        #[cfg(not(feature = "acme"))]
        let challenges = Arc::default();
        let current = Arc::new(Current::new(instance));
        let (control, requests) = Control::new(current.clone());
        let mut host = Self {
            hosts: Some(hosts::start(&current, name)),
            outbox: BackgroundTask::start(|stopped| outbox::run(current.clone(), stopped)),
            decisions: BackgroundTask::start(|stopped| decisions::run(current.clone(), stopped)),
            looks: BackgroundTask::start(|stopped| looks::run(current.clone(), stopped)),
            #[cfg(feature = "mail")]
            notices: BackgroundTask::start(|stopped| notices::run(current.clone(), stopped)),
            writes: BackgroundTask::start(|stopped| write_behind::run(current.clone(), stopped)),
            #[cfg(feature = "acme")]
            certificates: BackgroundTask::start(|stopped| {
                certificates::run(current.clone(), stopped)
            }),
            alive: BackgroundTask::start(|stopped| {
                service_manager::keep_alive(current.clone(), stopped)
            }),
            calendars: Some(CalendarsTask::start(&current.load())),
            current,
            control,
            inherited,
            listeners: Listeners::new(challenges),
            #[cfg(feature = "mail")]
            mail_listeners: lmtp::MailListeners::default(),
            watched_client,
            watched_users,
            lock,
        };
        let instance = host.current.load();
        host.listen(&instance).await?;
        #[cfg(feature = "acme")]
        instance.shared.acme.look.notify_one();
        Ok((host, requests))
    }

    /// Reads the configuration again; on an error everything stays as it is.
    pub async fn reload(&mut self, path: &Path) -> Result<(), ServeError> {
        let shared = self.current.load().shared.clone();
        let config = Config::read(path)?;
        let watched_client = Watched::client(&config.client);
        let watched_users = Watched::users(&config);
        let lock = if config.server.state == self.lock.folder() {
            None
        } else {
            Some(lock::take(&config.server.state).await?)
        };
        let old = self.current.load();
        let are_exclusive = old.plugins.are_exclusive();
        if are_exclusive {
            // What only one may hold, the old ones let go of first: also those of configurations before, which may have
            // requests that have not ended.
            close_all().await;
        }
        let opened = match Instance::new(config, shared.clone()).await {
            Ok(instance) => self.listen(&instance).await.map(|()| instance),
            Err(error) => Err(error),
        };
        let instance = match opened {
            Ok(instance) => Arc::new(instance),
            Err(error) if are_exclusive => {
                // As it was before, with plugins that are opened again.
                let instance = Instance::new((*old.config).clone(), shared).await?;
                self.listen(&instance).await?;
                let instance = Arc::new(instance);
                self.watch_calendars_of(&instance).await;
                self.current.swap(instance);
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let joins = self.leave_hosts_of(&old, &instance).await;
        drop(old);
        self.watched_client = watched_client;
        self.watched_users = watched_users;
        self.watch_calendars_of(&instance).await;
        let outbox = instance.shared.scheduling.outbox.clone();
        let shared = instance.shared.clone();
        let old = self.current.swap(instance);
        shared.looks.again();
        #[cfg(feature = "acme")]
        shared.acme.tries_again();
        if let Some(name) = joins {
            // What waits lies elsewhere now.
            outbox.doubt();
            self.hosts = Some(hosts::start(&self.current, name));
        }
        let left = lock.map(|lock| std::mem::replace(&mut self.lock, lock));
        // Nobody waits for it. A folder that is left is free once its plugins are closed.
        drop(closed((old, left)));
        Ok(())
    }

    /// If another instance shares its state with others than the old one: leaves those, and has what is handed in belong to a host
    /// among the new ones. Its name there.
    async fn leave_hosts_of(&mut self, old: &Instance, new: &Instance) -> Option<String> {
        if old.sharing == new.sharing {
            return None;
        }
        if let Some(hosts) = self.hosts.take() {
            hosts.finish().await;
        }
        Some(hosts::join(new))
    }

    /// Watches the calendars of another instance.
    async fn watch_calendars_of(&mut self, instance: &Arc<Instance>) {
        let watched = self.calendars.take();
        if let Some(watched) = watched {
            watched.finish().await;
        }
        self.calendars = Some(CalendarsTask::start(instance));
    }

    /// Takes certificates that have changed on disk. What cannot be used is told once, and the old ones stay.
    pub fn refresh_certificates(&mut self) {
        let instance = self.current.load();
        self.listeners.refresh(&instance.config.limits.connection);
        if self.watched_client.changed() {
            self.watched_client.tell(instance.refresh_client());
        }
    }

    /// Takes files of who may log in that have changed on disk. What cannot be used is told once, and the old logins stay.
    pub async fn refresh_users(&mut self) {
        if !self.watched_users.changed() {
            return;
        }
        let instance = self.current.load();
        let read = tokio::task::spawn_blocking(move || instance.read_users_again()).await;
        match read {
            Ok(Ok(())) => tracing::info!(event = "users-reloaded", "who may log in was read again"),
            Ok(Err(error)) => tracing::error!(
                event = "users-rejected",
                "a changed file of who may log in is not used, the previous logins stay: {error}"
            ),
            // It panicked; the next change is tried anew.
            Err(_) => {}
        }
    }

    /// Finishes what has begun, closes the plugins, then ends.
    pub async fn stop(self) {
        let listeners = self.listeners.stop();
        #[cfg(feature = "mail")]
        let listeners = futures::future::join(listeners, self.mail_listeners.stop());
        listeners.await;
        self.control.stop().await;
        if let Some(calendars) = self.calendars {
            calendars.finish().await;
        }
        self.looks.finish().await;
        #[cfg(feature = "acme")]
        self.certificates.finish().await;
        self.outbox.finish().await;
        #[cfg(feature = "mail")]
        self.notices.finish().await;
        self.decisions.finish().await;
        self.writes.finish().await;
        self.alive.finish().await;
        // When nothing is sent any more: others may take over what waits.
        if let Some(hosts) = self.hosts {
            hosts.finish().await;
        }
        state_folder::forget_listeners(&self.current.load().config.server.state);
        if tokio::time::timeout(CLOSING, closed(self.current))
            .await
            .is_err()
        {
            tracing::warn!(
                event = "plugins-not-closed",
                "plugins did not close in {CLOSING:?}; the host ends without them"
            );
        }
        isolated::all_closed().await;
    }

    /// Where it listens.
    fn notes(&self) -> Vec<ListenerNote> {
        #[cfg_attr(not(feature = "mail"), allow(unused_mut, reason = "nothing is added"))]
        let mut notes = self.listeners.notes();
        #[cfg(feature = "mail")]
        notes.extend(self.mail_listeners.notes());
        notes
    }

    /// Listens where the configuration of `instance` says, and notes where for the command line.
    async fn listen(&mut self, instance: &Instance) -> Result<(), ServeError> {
        let handler = |role| -> Arc<dyn Handler> {
            Arc::new(ByRole {
                current: self.current.clone(),
                role,
            })
        };
        let (config, inherited) = (&instance.config, &self.inherited);
        inherited.are_used_by(config)?;
        #[cfg(feature = "mail")]
        let prepared = self.mail_listeners.prepare(config, inherited).await?;
        self.listeners.follow(config, inherited, handler).await?;
        #[cfg(feature = "mail")]
        self.mail_listeners.follow(config, prepared, &self.current);
        let state = &instance.config.server.state;
        // First: whoever finds the listeners noted may use both.
        if let Err(error) = self.control.follow(state) {
            tracing::warn!(
                event = "control-socket-failed",
                "`convoke reload` cannot reach this host, SIGHUP can: {error}"
            );
        }
        if let Err(error) = state_folder::note_listeners(state, &self.notes()) {
            tracing::warn!(
                event = "listeners-file-failed",
                "the addresses of the listeners could not be written for the command line: {error}"
            );
        }
        Ok(())
    }
}

/// Answers what comes in by the listeners of a role.
struct ByRole {
    current: Arc<Current>,
    role: Role,
}

impl Handler for ByRole {
    fn handle<'a>(
        &'a self,
        arrival: &'a Arrival,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        // At each level of the log: what is told of a request names it.
        let id = Origin::new_request();
        let span = tracing::error_span!("request", request = id);
        let work = async move {
            let begun = Instant::now();
            let instance = self.current.load();
            let response = match self.role {
                Role::Receiver => receiver::handle(&instance, arrival, request).await,
                // In a box: a receiver's requests would carry the room for it.
                Role::Submission => Box::pin(submission::handle(&instance, arrival, request)).await,
                #[cfg(feature = "caldav")]
                Role::Caldav => Box::pin(caldav::handle(&instance, arrival, request)).await,
                // The configuration refuses such a listener.
                #[cfg(not(feature = "caldav"))]
                Role::Caldav => answer::empty(http::StatusCode::NOT_FOUND, &[]),
                Role::Admin => Box::pin(observe::handle(&instance, arrival, request)).await,
                #[cfg(feature = "acme")]
                Role::Acme => validation::handle(&instance, &request),
                // The configuration refuses what makes one.
                #[cfg(not(feature = "acme"))]
                Role::Acme => answer::empty(http::StatusCode::NOT_FOUND, &[]),
            };
            let metrics = &instance.shared.metrics;
            metrics.answered(self.role, response.status(), begun.elapsed());
            if let Some(element) = response.extensions().get() {
                metrics.refused(*element);
            }
            response
        };
        Box::pin(Origin::of_request(id, work).instrument(span))
    }

    fn fields(&self) -> HeaderMap {
        match self.role {
            Role::Receiver => self.current.load().capabilities.fields(),
            Role::Submission | Role::Caldav | Role::Admin | Role::Acme => HeaderMap::new(),
        }
    }

    fn connected(&self) -> Box<dyn Send + Sync + Unpin> {
        Box::new(self.current.load().shared.metrics.connected(self.role))
    }
}
