use super::log;
use crate::{
    CalendarUser, Error, Result,
    host::HostServices,
    wire::{Garbage, Read, Write},
};
use convoke_abi::{ROption, RResult, services::HostObject};
use convoke_types::ObjectIndex;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tokio::runtime::{Builder, Runtime};

/// One opened use of this library: the host behind it, and the runtime its futures are polled in.
pub(super) struct Instance {
    services: Arc<Services>,
    runtime: &'static Runtime,
    id: u64,
}

impl Instance {
    pub(super) fn new(host: HostObject) -> Result<Self> {
        let runtime = runtime()?;
        let services = Arc::new(Services {
            instance: host.instance().to_string(),
            directory: path(host.directory().as_slice()),
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

    pub(super) fn runtime(&self) -> &'static Runtime {
        self.runtime
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        log::forget(self.id);
    }
}

/// The library's own runtime: tokio's timers and sockets are known per library, so the host's is of no use here.
/// Started when the first instance is opened, never stopped, as the library is never unloaded.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let built = Builder::new_multi_thread()
        .worker_threads(1) // the host's threads poll; this one drives timers, sockets and spawned tasks
        .thread_name("convoke-plugin")
        .enable_all()
        .build()
        .map_err(|error| Error::unavailable(format!("no thread for the plugin: {error}")))?;
    Ok(RUNTIME.get_or_init(|| built))
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
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
            RResult::RErr(failure) => Err(failure.into()),
        }
    }
}
