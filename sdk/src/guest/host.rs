use super::log;
use crate::{
    CalendarUser, Error, Health, Metric, MetricKind, Network, Result, Secret,
    host::HostServices,
    wire::{Garbage, Read, Write, error_of, read_path},
};
use convoke_abi::{ROption, RResult, services::HostObject};
use convoke_types::ObjectIndex;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use zeroize::Zeroize;

/// One opened use of this library: the host behind it, and the runtime its futures are polled in.
pub(super) struct Instance {
    services: Arc<Services>,
    runtime: Arc<Shared>,
    id: u64,
}

impl Instance {
    pub(super) fn new(host: HostObject) -> Result<Self> {
        let runtime = Shared::running()?;
        let services = Arc::new(Services {
            instance: host.instance().to_string(),
            directory: read_path(host.directory().as_slice()),
            host,
        });
        let id = log::register(Arc::clone(&services));
        Ok(Self {
            services,
            runtime,
            id,
        })
    }

    pub(super) fn host(&self) -> crate::Host {
        crate::Host::new(Arc::clone(&self.services) as _)
    }

    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.handle.enter()
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // First, so that what is said while tasks end has a place to go.
        self.runtime.leave();
        log::forget(self.id);
    }
}

/// How long the tasks of a plugin may take to end with it.
const FAREWELL: Duration = Duration::from_secs(2);

/// The library's own runtime: tokio's timers and sockets are known per library, so the host's is of no use here.
/// Started with the first instance that is opened, ended with the last one that is dropped: the library itself is never
/// unloaded, and threads and descriptors of every version that ever ran would add up.
struct Shared {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

/// The one that runs, and how many instances use it.
static RUNNING: Mutex<Option<(Arc<Shared>, usize)>> = Mutex::new(None);

impl Shared {
    fn running() -> Result<Arc<Self>> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((shared, instances)) = running.as_mut() {
            *instances += 1;
            return Ok(Arc::clone(shared));
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1) // the host's threads poll; this one drives timers, sockets and spawned tasks
            .thread_name("convoke-plugin")
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable(format!("no thread for the plugin: {error}")))?;
        let shared = Arc::new(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        });
        *running = Some((Arc::clone(&shared), 1));
        Ok(shared)
    }

    /// An instance uses it no more.
    fn leave(&self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, instances)) = running.as_mut() {
            *instances -= 1;
            if *instances > 0 {
                return;
            }
            *running = None;
        }
        drop(running);
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            end(runtime);
        }
    }
}

/// Ends a runtime, and waits for its tasks, not for ever.
fn end(runtime: Runtime) {
    // On a thread of its own: the caller may be one that a runtime forbids to wait.
    let ending = std::thread::Builder::new().name("convoke-end".to_owned());
    // Without a thread it is dropped here, being moved into what is not run.
    let runtime = Background(Some(runtime));
    let ended = ending.spawn(move || runtime.end(FAREWELL));
    if let Ok(ended) = ended {
        // Fails if it panicked; there is nobody left to tell.
        let _ = ended.join();
    }
}

/// A runtime that nobody waits for when it is dropped.
struct Background(Option<Runtime>);

impl Background {
    fn end(mut self, longest: Duration) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(longest);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The host's services across the boundary.
pub(super) struct Services {
    pub(super) host: HostObject,
    instance: String,
    directory: PathBuf,
}

impl HostServices for Services {
    fn instance(&self) -> &str {
        &self.instance
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn index(&self, user: Option<&CalendarUser>, data: &[u8]) -> Result<ObjectIndex> {
        let user: ROption<_> = user.map(|user| user.clone().write()).into();
        match self.host.index(user, data.into()) {
            RResult::ROk(index) => ObjectIndex::read(index).map_err(Garbage::blame_host),
            RResult::RErr(failure) => Err(error_of(failure)),
        }
    }

    fn state_folder(&self) -> Result<PathBuf> {
        match self.host.state_folder() {
            RResult::ROk(folder) => Ok(read_path(&folder)),
            RResult::RErr(failure) => Err(error_of(failure)),
        }
    }

    fn secret(&self, path: &Path) -> Result<Secret> {
        let path = path.as_os_str().as_encoded_bytes();
        match self.host.secret(path.into()) {
            RResult::ROk(mut sent) => {
                let secret = Secret::received(sent.to_vec());
                sent.as_mut_slice().zeroize();
                secret
            }
            RResult::RErr(failure) => Err(error_of(failure)),
        }
    }

    fn network(&self) -> Network {
        Network::read(self.host.network()).unwrap_or_default()
    }

    fn metric(&self, kind: MetricKind, metric: &Metric) -> u64 {
        self.host.metric((kind, metric).write())
    }

    fn record(&self, series: u64, value: f64) {
        self.host.record(series, value);
    }

    fn health(&self, health: &Health) {
        self.host.health(health.write());
    }
}
