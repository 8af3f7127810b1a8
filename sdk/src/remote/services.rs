use crate::{
    CalendarUser, Error, Health, Metric, MetricKind, Network, ObjectIndex, Result, Secret,
    wire::{Garbage, Read, Write, read_path},
};
use convoke_abi::{
    ROption, RResult, RSlice, RStr, RVec, TD_Opaque,
    services::{self as sent, Event, HostObject, HostServices, HostServices_TO, level},
    store,
    values::Failure,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::level_filters::LevelFilter;

/// What a host offers to one opened plugin. Called from any thread, the plugin's own included.
pub trait Services: Send + Sync {
    /// What the administrator calls this use of the plugin.
    fn instance(&self) -> &str;
    /// The folder that relative paths in its configuration count from.
    fn directory(&self) -> &Path;
    /// Describes an iCalendar object, of this user if it is known.
    fn index(&self, user: Option<&CalendarUser>, data: &[u8]) -> Result<ObjectIndex>;
    /// The chattiest level of which events are wanted.
    fn level(&self) -> LevelFilter;
    /// Takes an event of the plugin's log.
    fn log(&self, event: &LogEvent<'_>);
    /// A folder of the plugin's own, made if it is not there yet.
    fn state_folder(&self) -> Result<PathBuf> {
        Err(Error::unsupported("this host keeps no state of plugins"))
    }
    /// What a private file holds; a relative path counts from [`directory`](Self::directory).
    fn secret(&self, _path: &Path) -> Result<Secret> {
        Err(Error::unsupported("this host reads no secrets"))
    }
    /// How the host reaches others.
    fn network(&self) -> Network {
        Network::default()
    }
    /// Makes a series known and answers its number, the same for the same name and labels; 0 if it is not taken.
    fn metric(&self, _kind: MetricKind, _metric: &Metric) -> u64 {
        0
    }
    /// Takes a number into a series. What is no series of the plugin is passed over.
    fn record(&self, _series: u64, _value: f64) {}
    /// Takes note of how the plugin is.
    fn health(&self, _health: &Health) {}
}

/// One event of a plugin's log.
pub struct LogEvent<'a> {
    /// How grave it is.
    pub level: tracing::Level,
    /// Where in the plugin it comes from.
    pub target: &'a str,
    /// What happened.
    pub message: &'a str,
    /// Its fields: names and values.
    pub fields: Vec<(&'a str, &'a str)>,
}

/// The object that crosses to the plugin.
pub(super) fn object(services: Arc<dyn Services>) -> HostObject {
    HostServices_TO::from_value(Crossing(services), TD_Opaque)
}

/// Keeps the host's panics on the host's side.
struct Crossing(Arc<dyn Services>);

fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    // The host's services are shared between threads already, so they bear being left halfway.
    catch_unwind(AssertUnwindSafe(run)).ok()
}

impl HostServices for Crossing {
    fn instance(&self) -> RStr<'_> {
        caught(|| self.0.instance()).unwrap_or_default().into()
    }

    fn directory(&self) -> RSlice<'_, u8> {
        let directory = caught(|| self.0.directory()).unwrap_or(Path::new(""));
        directory.as_os_str().as_encoded_bytes().into()
    }

    fn index(
        &self,
        user: ROption<store::CalendarUser>,
        data: RSlice<'_, u8>,
    ) -> RResult<store::ObjectIndex, Failure> {
        let described = caught(|| {
            let user = Option::<CalendarUser>::read(user).map_err(Garbage::blame_plugin)?;
            self.0.index(user.as_ref(), data.as_slice())
        })
        .unwrap_or_else(|| Err(Error::internal("the host failed to read the object")));
        described.map(Write::write).map_err(Write::write).into()
    }

    fn level(&self) -> u32 {
        let wanted = caught(|| self.0.level()).and_then(LevelFilter::into_level);
        wanted.map_or(0, |wanted| match wanted {
            tracing::Level::ERROR => level::ERROR,
            tracing::Level::WARN => level::WARN,
            tracing::Level::INFO => level::INFO,
            tracing::Level::DEBUG => level::DEBUG,
            tracing::Level::TRACE => level::TRACE,
        })
    }

    fn log(&self, event: Event<'_>) {
        let event = LogEvent {
            level: read_level(event.level),
            target: event.target.as_str(),
            message: event.message.as_str(),
            fields: (event.fields.iter())
                .map(|fact| (fact.name.as_str(), fact.value.as_str()))
                .collect(),
        };
        // A log that panics has nowhere to say so.
        let _ = caught(|| self.0.log(&event));
    }

    fn state_folder(&self) -> RResult<RVec<u8>, Failure> {
        let folder = answered(|| self.0.state_folder());
        let bytes = |folder: PathBuf| folder.into_os_string().into_encoded_bytes().into();
        folder.map(bytes).map_err(Write::write).into()
    }

    fn secret(&self, path: RSlice<'_, u8>) -> RResult<RVec<u8>, Failure> {
        let secret = answered(|| self.0.secret(&read_path(path.as_slice())));
        let bytes = |secret: Secret| secret.bytes().to_vec().into();
        secret.map(bytes).map_err(Write::write).into()
    }

    fn network(&self) -> sent::Network {
        caught(|| self.0.network()).unwrap_or_default().write()
    }

    fn metric(&self, metric: sent::Metric<'_>) -> u64 {
        let taken = caught(|| {
            let (kind, metric) = Read::read(metric).ok()?;
            Some(self.0.metric(kind, &metric))
        });
        taken.flatten().unwrap_or_default()
    }

    fn record(&self, series: u64, value: f64) {
        let _ = caught(|| self.0.record(series, value));
    }

    fn health(&self, health: sent::Health<'_>) {
        let _ = caught(|| {
            if let Ok(health) = Health::read(health) {
                self.0.health(&health);
            }
        });
    }
}

/// A service's answer; a panic is the host's fault.
fn answered<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(run).unwrap_or_else(|| Err(Error::internal("the host panicked")))
}

fn read_level(number: u32) -> tracing::Level {
    match number {
        level::ERROR => tracing::Level::ERROR,
        level::WARN => tracing::Level::WARN,
        level::DEBUG => tracing::Level::DEBUG,
        level::TRACE => tracing::Level::TRACE,
        _ => tracing::Level::INFO,
    }
}
