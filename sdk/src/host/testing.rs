//! A host for the tests of plugins.

use super::{Health, Host, HostServices, Metric, MetricKind, Network, Secret};
use crate::{Attributes, CalendarUser, Error, ErrorKind, Result};
use convoke_types::ObjectIndex;
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A host for tests of a plugin: nothing is behind it, and what the plugin says can be asked.
///
/// Relative paths count from one folder; what the plugin remembers lies in `state/plugins/test` below it, unless the test
/// names another place.
///
/// ```
/// use convoke_sdk::{Metric, TestHost};
///
/// let test = TestHost::new("/");
/// let host = test.host(); // what `open` is given
/// host.gauge(&Metric::new("users", "Calendar users that are known.")).set(3.0);
/// host.degraded("the server is away");
/// assert_eq!(test.metric("users", &[]), Some(3.0));
/// assert_eq!(test.degraded().as_deref(), Some("the server is away"));
/// ```
#[derive(Clone)]
pub struct TestHost(Arc<Behind>);

type Index = dyn Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync;

#[derive(Clone)]
struct Behind {
    directory: PathBuf,
    state_folder: PathBuf,
    index: Arc<Index>,
    network: Network,
    told: Arc<Mutex<Told>>,
}

/// What a plugin said.
#[derive(Default)]
struct Told {
    health: Health,
    series: Vec<Series>,
}

struct Series {
    kind: MetricKind,
    name: String,
    labels: Attributes,
    value: f64,
}

impl TestHost {
    /// A host whose configuration lies in `directory`, without index and without a network of its own.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self(Arc::new(Behind {
            state_folder: directory.join("state/plugins/test"),
            directory,
            index: Arc::new(|_, _| Err(Error::unsupported("this test host makes no index"))),
            network: Network::default(),
            told: Arc::default(),
        }))
    }

    /// The same, where `index` describes objects.
    #[must_use]
    pub fn with_index(
        self,
        index: impl Fn(Option<&CalendarUser>, &[u8]) -> Result<ObjectIndex> + Send + Sync + 'static,
    ) -> Self {
        self.with(|behind| behind.index = Arc::new(index))
    }

    /// The same, where the plugin remembers what it must in this folder.
    #[must_use]
    pub fn with_state_folder(self, folder: impl Into<PathBuf>) -> Self {
        self.with(|behind| behind.state_folder = folder.into())
    }

    /// The same, which reaches others so.
    #[must_use]
    pub fn with_network(self, network: Network) -> Self {
        self.with(|behind| behind.network = network)
    }

    fn with(mut self, change: impl FnOnce(&mut Behind)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What the plugin is opened with.
    pub fn host(&self) -> Host {
        Host::new(Arc::clone(&self.0) as _)
    }

    /// Why the plugin is not well; `None` if it is.
    pub fn degraded(&self) -> Option<String> {
        self.0.told().health.why().map(str::to_owned)
    }

    /// What stands in a series: the sum of a counter, the last number of a gauge, how many a histogram has observed.
    /// `None` if the plugin has no such series.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |it: &&Series| {
            let mut wanted = labels.iter();
            it.name == name
                && it.labels.iter().count() == labels.len()
                && wanted.all(|(label, value)| it.labels.get(label) == Some(value))
        };
        let told = self.0.told();
        told.series.iter().find(is_it).map(|series| series.value)
    }
}

impl Behind {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostServices for Behind {
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

    fn state_folder(&self) -> Result<PathBuf> {
        let folder = &self.state_folder;
        fs::create_dir_all(folder)
            .map_err(|error| Error::unavailable(format!("{}: {error}", folder.display())))?;
        Ok(folder.clone())
    }

    /// As the host does, but who may read the file is looked at by its mode alone.
    fn secret(&self, path: &Path) -> Result<Secret> {
        let path = self.directory.join(path);
        let named = |error: Error| {
            let text = format!("{}: {}", path.display(), error.message());
            Error::new(error.kind(), text)
        };
        let read = || -> Result<Vec<u8>> {
            let file = File::open(&path).map_err(|error| unreadable(&error))?;
            if is_exposed(&file)? {
                return Err(Error::denied("everybody on this machine can read it"));
            }
            let mut bytes = Vec::with_capacity(Secret::MAX + 3);
            file.take(Secret::MAX as u64 + 3).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().and_then(Secret::new).map_err(named)
    }

    fn network(&self) -> Network {
        self.network.clone()
    }

    fn metric(&self, kind: MetricKind, metric: &Metric) -> u64 {
        let mut told = self.told();
        let is_it = |it: &Series| it.name == metric.name && it.labels == metric.labels;
        let place = told.series.iter().position(is_it).unwrap_or_else(|| {
            told.series.push(Series {
                kind,
                name: metric.name.clone(),
                labels: metric.labels.clone(),
                value: 0.0,
            });
            told.series.len() - 1
        });
        place as u64 + 1
    }

    fn record(&self, series: u64, value: f64) {
        let mut told = self.told();
        let place = usize::try_from(series)
            .ok()
            .and_then(|it| it.checked_sub(1));
        if let Some(series) = place.and_then(|place| told.series.get_mut(place)) {
            match series.kind {
                MetricKind::Counter => series.value += value,
                MetricKind::Gauge => series.value = value,
                MetricKind::Histogram => series.value += 1.0,
            }
        }
    }

    fn health(&self, health: &Health) {
        self.told().health = health.clone();
    }
}

fn unreadable(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, error.to_string())
}

#[cfg(unix)]
fn is_exposed(file: &File) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &File) -> Result<bool> {
    Ok(false)
}
