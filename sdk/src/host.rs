//! What the host offers to a plugin.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `health` | how a plugin says that it is not well |
//! | `metrics` | what is counted and measured |
//! | `network` | how the host reaches others |
//! | `secret` | what no log may show |
//! | `testing` | a host for the tests of plugins |

mod health;
mod metrics;
mod network;
mod secret;
mod testing;

pub use health::Health;
pub use metrics::{Counter, Gauge, Histogram, Metric, MetricKind};
pub use network::{Network, Trust, TrustedCertificate};
pub use secret::Secret;
pub use testing::TestHost;

use crate::{CalendarUser, Error, Result};
use convoke_types::ObjectIndex;
use metrics::Series;
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
    fn state_folder(&self) -> Result<PathBuf>;
    fn secret(&self, path: &Path) -> Result<Secret>;
    fn network(&self) -> Network;
    fn metric(&self, kind: MetricKind, metric: &Metric) -> u64;
    fn record(&self, series: u64, value: f64);
    fn health(&self, health: &Health);
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

    /// A folder for what this use of the plugin must remember, made if it is not there yet: in `server.state`, for the
    /// host's user only. A plugin in a process of its own may write there without a grant.
    ///
    /// It belongs to the entry's name; an entry that gets another name begins anew. Two uses of one entry may be open at
    /// once, during a reload. An error if the folder cannot be made.
    pub fn state_folder(&self) -> Result<PathBuf> {
        self.services.state_folder()
    }

    /// Reads a password, a key or the like from a file; a relative path counts from the configuration file's folder.
    ///
    /// `Denied` if others on the machine may read or replace the file, `NotFound` if it is not there, `Invalid` if it is
    /// empty or longer than [`Secret::MAX`]; each says which file, and what to do. A plugin in a process of its own reads
    /// the file itself, so its entry must grant it (`allow.read`). It is read now, on this thread: in a call, do it on
    /// one that may block.
    pub fn secret(&self, path: impl AsRef<Path>) -> Result<Secret> {
        self.services.secret(path.as_ref())
    }

    /// How the host reaches others, as `[client] ca` and `[dns]` of its configuration say. Whoever makes connections
    /// should believe the same certificates and ask the same name servers.
    ///
    /// It is as it was when the plugin was opened.
    pub fn network(&self) -> Network {
        self.services.network()
    }

    /// A number that only grows: how often something happened.
    ///
    /// ```
    /// use convoke_sdk::{Metric, TestHost};
    ///
    /// let test = TestHost::new("/");
    /// let failed = Metric::new("fetches_total", "Requests to the server.").with("outcome", "failed");
    /// let failed = test.host().counter(&failed);
    /// failed.add(2);
    /// failed.add(1);
    /// assert_eq!(test.metric("fetches_total", &[("outcome", "failed")]), Some(3.0));
    /// ```
    pub fn counter(&self, metric: &Metric) -> Counter {
        Counter(self.series(MetricKind::Counter, metric))
    }

    /// A number that goes up and down: how many there are now.
    pub fn gauge(&self, metric: &Metric) -> Gauge {
        Gauge(self.series(MetricKind::Gauge, metric))
    }

    /// Many numbers of which their distribution counts: how long something took, in seconds.
    pub fn histogram(&self, metric: &Metric) -> Histogram {
        Histogram(self.series(MetricKind::Histogram, metric))
    }

    fn series(&self, kind: MetricKind, metric: &Metric) -> Series {
        let number = self.services.metric(kind, metric);
        Series::new(Arc::clone(&self.services), number)
    }

    /// Says that the plugin is not as well as it should be, though it answers: the server behind it is away, a file is
    /// damaged. Shown in one sentence by `/health`, by `convoke plugin list` and, when it changes, in the log, until
    /// [`healthy`](Self::healthy).
    ///
    /// ```
    /// # let test = convoke_sdk::TestHost::new("/");
    /// # let host = test.host();
    /// host.degraded("the directory is two days old; its server does not answer");
    /// assert!(test.degraded().is_some());
    /// host.healthy();
    /// assert_eq!(test.degraded(), None);
    /// ```
    pub fn degraded(&self, why: impl Into<String>) {
        self.services.health(&Health::Degraded(why.into()));
    }

    /// Says that the plugin is as it should be, as it is when nothing was said.
    pub fn healthy(&self) {
        self.services.health(&Health::Healthy);
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
    /// [`index`](Self::index) is answered by `index`. [`TestHost`] does more.
    pub fn for_tests(
        directory: impl Into<PathBuf>,
        index: impl Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync + 'static,
    ) -> Self {
        TestHost::new(directory).with_index(index).host()
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
