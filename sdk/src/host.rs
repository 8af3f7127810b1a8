//! What the host offers to a plugin.

use crate::{CalendarUser, Error, Result};
use convoke_types::ObjectIndex;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The host's services, handed to a plugin when it is opened. Cheap to clone; may be used from any thread.
#[derive(Clone)]
pub struct Host {
    services: Arc<dyn HostServices>,
}

/// What stands behind a [`Host`]: the real host across the ABI, or a stand-in in tests.
pub(crate) trait HostServices: Send + Sync {
    fn instance(&self) -> &str;
    fn directory(&self) -> &Path;
    fn index(&self, user: Option<&CalendarUser>, data: &[u8]) -> Result<ObjectIndex>;
}

impl Host {
    pub(crate) fn new(services: Arc<dyn HostServices>) -> Self {
        Self { services }
    }

    /// What the administrator calls this use of the plugin: the entry's `name`, else the plugin's.
    pub fn instance(&self) -> &str {
        self.services.instance()
    }

    /// A path from the configuration, made absolute: relative paths count from the configuration file's folder.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.services.directory().join(path)
    }

    /// Describes an iCalendar object whose owner is not known: nobody's refusal is taken into account, and floating
    /// times are UTC. Prefer [`index_for`](Self::index_for).
    ///
    /// `Invalid` if the bytes are not one calendar object.
    pub fn index(&self, data: &[u8]) -> Result<ObjectIndex> {
        self.services.index(None, data)
    }

    /// Describes an iCalendar object of `user`: what the user declined takes no time, and floating times are in the
    /// user's time zone.
    pub fn index_for(&self, user: &CalendarUser, data: &[u8]) -> Result<ObjectIndex> {
        self.services.index(Some(user), data)
    }

    /// A stand-in for tests of a plugin without a host: relative paths count from `directory`, and
    /// [`index`](Self::index) is answered by `index`.
    pub fn for_tests(
        directory: impl Into<PathBuf>,
        index: impl Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync + 'static,
    ) -> Self {
        Self::new(Arc::new(TestHost {
            directory: directory.into(),
            index,
        }))
    }

    /// As [`for_tests`](Self::for_tests), for a plugin that asks for no index.
    pub fn for_tests_without_index(directory: impl Into<PathBuf>) -> Self {
        Self::for_tests(directory, |_, _| {
            Err(Error::unsupported("this test host makes no index"))
        })
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("instance", &self.instance())
            .finish_non_exhaustive()
    }
}

struct TestHost<F> {
    directory: PathBuf,
    index: F,
}

impl<F> HostServices for TestHost<F>
where
    F: Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync,
{
    #[allow(clippy::unnecessary_literal_bound, reason = "the trait's signature")]
    fn instance(&self) -> &str {
        "test"
    }

    fn directory(&self) -> &Path {
        &self.directory
    }

    fn index(&self, user: Option<&CalendarUser>, data: &[u8]) -> Result<ObjectIndex> {
        (self.index)(user, data)
    }
}
