//! What plugins count and measure.
//!
//! Series belong to an entry's name, and go on over a reload of the configuration as long as one of its plugins is open.
//! Their number, and what is written on them, are bounded: plugins may be made to count by strangers.

use super::calls::Calls;
use convoke_sdk::{Metric, MetricKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tracing::warn;

/// Series of one entry.
const SERIES: usize = 100;
/// Labels of one series.
const LABELS: usize = 8;
/// Letters of a name.
const NAME: usize = 64;
/// Bytes of a label's value.
const VALUE: usize = 128;
/// Letters of what a metric means.
const HELP: usize = 200;
/// Buckets of a histogram.
const BOUNDS: usize = 20;
/// Metrics of one entry of which the log says that they are not taken.
const TOLD: usize = 16;

/// Names that are not a plugin's to give: of the host's own, and what Prometheus puts behind the name of a histogram.
const RESERVED: [&str; 5] = [
    "ready",
    "degraded",
    "call_seconds",
    "failures_total",
    "skipped_total",
];
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];
/// What the name of each counter ends with, and no other.
const COUNTER: &str = "_total";

/// What all plugins count and measure.
#[derive(Default)]
pub struct PluginMetrics {
    entries: Mutex<BTreeMap<String, Weak<EntryMetrics>>>,
    families: Arc<Families>,
    calls: Calls,
}

/// What the numbers of each name mean, whoever has it: one name is one family.
#[derive(Default)]
struct Families(Mutex<BTreeMap<String, MetricKind>>);

/// All series of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, without prefix.
    pub name: String,
    /// What the numbers mean.
    pub kind: MetricKind,
    /// What it means, as one of its plugins says it: one line.
    pub help: String,
    /// The series.
    pub series: Vec<FamilySeries>,
}

/// One series, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilySeries {
    /// The entry.
    pub plugin: String,
    /// Its labels, sorted.
    pub labels: Vec<(String, String)>,
    /// The sum of a counter, the last number of a gauge, the sum of all that a histogram has observed.
    pub value: f64,
    /// Of a histogram: each bucket's upper bound, and how many were not above it.
    pub buckets: Vec<(f64, u64)>,
    /// Of a histogram: how many there were.
    pub count: u64,
}

impl PluginMetrics {
    /// How calls of plugins fare.
    pub const fn calls(&self) -> &Calls {
        &self.calls
    }

    /// What the entry of that name counts.
    pub(super) fn entry(&self, name: &str) -> Arc<EntryMetrics> {
        let mut entries = lock(&self.entries);
        entries.retain(|_, entry| entry.strong_count() > 0);
        if let Some(entry) = entries.get(name).and_then(Weak::upgrade) {
            return entry;
        }
        let entry = Arc::new(EntryMetrics {
            plugin: name.to_owned(),
            families: Arc::clone(&self.families),
            registry: Mutex::default(),
        });
        entries.insert(name.to_owned(), Arc::downgrade(&entry));
        entry
    }

    /// All of it, by name, then by entry.
    pub fn families(&self) -> Vec<Family> {
        let entries: Vec<_> = (lock(&self.entries).values())
            .filter_map(Weak::upgrade)
            .collect();
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        for entry in entries {
            for series in &lock(&entry.registry).series {
                let family = families
                    .entry(series.id.name.clone())
                    .or_insert_with(|| Family {
                        name: series.id.name.clone(),
                        kind: series.kind,
                        help: series.help.clone(),
                        series: Vec::new(),
                    });
                family.series.push(series.shown(&entry.plugin));
            }
        }
        families.into_values().collect()
    }
}

/// What one entry counts and measures.
pub(super) struct EntryMetrics {
    plugin: String,
    families: Arc<Families>,
    registry: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    series: Vec<Series>,
    places: BTreeMap<SeriesId, usize>,
    /// Of which the log has said that they are not taken.
    refused: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SeriesId {
    name: String,
    labels: Vec<(String, String)>,
}

struct Series {
    id: SeriesId,
    kind: MetricKind,
    help: String,
    value: f64,
    /// Bounds, and how many lie between each and the one before.
    buckets: Vec<(f64, u64)>,
    count: u64,
}

/// Why a metric is not taken.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Name(String),
    Taken(&'static str),
    Labels,
    Value(String),
    Bounds,
    TooMany,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "`{}` is no name for it: it is 1 to {NAME} of a-z, 0-9 and _, begins with a letter, and is none of \
                 the host's own",
                convoke_types::excerpt(name, NAME)
            ),
            Self::Taken(kind) => write!(f, "that name is a {kind}'s already"),
            Self::Labels => write!(f, "it has more than {LABELS} labels"),
            Self::Value(label) => {
                write!(
                    f,
                    "the value of its label `{label}` is longer than {VALUE} bytes"
                )
            }
            Self::Bounds => write!(
                f,
                "its bounds are not {BOUNDS} numbers at most, each above the one before"
            ),
            Self::TooMany => write!(f, "the plugin has {SERIES} series already"),
        }
    }
}

impl EntryMetrics {
    /// The number of a series, the same for the same name and labels; 0 if it is not taken, which the log says.
    pub(super) fn series(&self, kind: MetricKind, metric: &Metric) -> u64 {
        match self.find_or_add(kind, metric) {
            Ok(place) => place as u64 + 1,
            Err(reason) => {
                self.tell(&metric.name, &reason);
                0
            }
        }
    }

    /// Takes a number into a series; what makes no sense for it is passed over.
    pub(super) fn record(&self, series: u64, value: f64) {
        let Some(place) = usize::try_from(series)
            .ok()
            .and_then(|it| it.checked_sub(1))
        else {
            return;
        };
        if let Some(series) = lock(&self.registry).series.get_mut(place) {
            series.record(value);
        }
    }

    fn find_or_add(&self, kind: MetricKind, metric: &Metric) -> Result<usize, Refused> {
        let id = SeriesId::checked(kind, metric)?;
        let bounds = checked_bounds(kind, metric)?;
        let mut registry = lock(&self.registry);
        if let Some(place) = registry.places.get(&id) {
            let same = registry.series[*place].kind;
            return if same == kind {
                Ok(*place)
            } else {
                Err(Refused::Taken(same.as_str()))
            };
        }
        if registry.series.len() >= SERIES {
            return Err(Refused::TooMany);
        }
        self.families.claim(&id.name, kind)?;
        let place = registry.series.len();
        registry.places.insert(id.clone(), place);
        registry.series.push(Series {
            id,
            kind,
            help: one_line(&metric.help),
            value: 0.0,
            buckets: bounds.iter().map(|bound| (*bound, 0)).collect(),
            count: 0,
        });
        Ok(place)
    }

    fn tell(&self, name: &str, reason: &Refused) {
        let name = convoke_types::excerpt(name, NAME);
        let refused = &mut lock(&self.registry).refused;
        if refused.len() < TOLD && refused.insert(name.clone()) {
            let plugin = &self.plugin;
            warn!(event = "plugin-metric-refused", %plugin, metric = name, "a metric is not shown: {reason}");
        }
    }
}

impl Families {
    fn claim(&self, name: &str, kind: MetricKind) -> Result<(), Refused> {
        let mut families = lock(&self.0);
        match families.get(name) {
            Some(taken) if *taken != kind => Err(Refused::Taken(taken.as_str())),
            Some(_) => Ok(()),
            None => {
                families.insert(name.to_owned(), kind);
                Ok(())
            }
        }
    }
}

impl SeriesId {
    fn checked(kind: MetricKind, metric: &Metric) -> Result<Self, Refused> {
        let given = &metric.name;
        let name = shown_name(kind, given);
        let ends = |suffix: &&str| given.ends_with(*suffix);
        let is_reserved = |name: &String| RESERVED.contains(&name.as_str());
        if !is_name(given)
            || [given, &name].into_iter().any(is_reserved)
            || SUFFIXES.iter().any(ends)
        {
            return Err(Refused::Name(given.clone()));
        }
        let mut labels = Vec::new();
        for (label, value) in metric.labels.iter() {
            if !is_name(label) || ["plugin", "le"].contains(&label) {
                return Err(Refused::Name(label.to_owned()));
            }
            if value.len() > VALUE {
                return Err(Refused::Value(label.to_owned()));
            }
            if labels.len() == LABELS {
                return Err(Refused::Labels);
            }
            labels.push((label.to_owned(), value.to_owned()));
        }
        labels.sort_unstable();
        Ok(Self { name, labels })
    }
}

/// As it is shown: Prometheus has the names of counters end alike.
fn shown_name(kind: MetricKind, name: &str) -> String {
    if kind == MetricKind::Counter && !name.ends_with(COUNTER) {
        return format!("{name}{COUNTER}");
    }
    name.to_owned()
}

fn is_name(text: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    (1..=NAME).contains(&text.len())
        && text.as_bytes()[0].is_ascii_lowercase()
        && text.bytes().all(is_part)
}

/// The bounds of a histogram's buckets; none for anything else.
fn checked_bounds(kind: MetricKind, metric: &Metric) -> Result<&[f64], Refused> {
    let bounds = match kind {
        MetricKind::Histogram if metric.bounds.is_empty() => &Metric::SECONDS[..],
        MetricKind::Histogram => &metric.bounds,
        _ => &[],
    };
    let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    let finite = bounds.iter().all(|bound| bound.is_finite());
    if rising && finite && bounds.len() <= BOUNDS {
        Ok(bounds)
    } else {
        Err(Refused::Bounds)
    }
}

fn one_line(help: &str) -> String {
    let letters = help.chars().take(HELP);
    letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

impl Series {
    fn record(&mut self, value: f64) {
        match self.kind {
            MetricKind::Counter if value >= 0.0 && value.is_finite() => self.value += value,
            MetricKind::Gauge => self.value = value,
            MetricKind::Histogram if value.is_finite() => {
                self.value += value;
                self.count += 1;
                let mut buckets = self.buckets.iter_mut();
                if let Some((_, count)) = buckets.find(|(bound, _)| value <= *bound) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }

    fn shown(&self, plugin: &str) -> FamilySeries {
        let mut so_far = 0;
        let buckets = self.buckets.iter().map(|(bound, count)| {
            so_far += count;
            (*bound, so_far)
        });
        FamilySeries {
            plugin: plugin.to_owned(),
            labels: self.id.labels.clone(),
            value: self.value,
            buckets: buckets.collect(),
            count: self.count,
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of what is exact in binary")]
mod tests {
    use super::*;
    use MetricKind::{Counter, Gauge, Histogram};

    fn plain(name: &str) -> Metric {
        Metric::new(name, "What it\nmeans.")
    }

    #[test]
    fn numbers_are_taken_by_what_they_mean() {
        let all = PluginMetrics::default();
        let entry = all.entry("one");
        let other = all.entry("two");
        for (number, kind) in [(0.5, Counter), (2.5, Gauge), (0.1, Histogram)] {
            let series = entry.series(kind, &plain(kind.as_str()));
            for value in [1.0, f64::NAN, -1.0, number] {
                if kind != Gauge || !value.is_nan() {
                    entry.record(series, value);
                }
            }
            let other = other.series(kind, &plain(kind.as_str()).with("b", "2").with("a", "1"));
            assert_ne!(other, 0);
        }
        let families = all.families();
        let values: Vec<_> = families.iter().map(|it| it.series[0].value).collect();
        assert_eq!(values, [1.5, 2.5, 0.1]);
        let histogram = &families[2].series[0];
        assert_eq!((histogram.count, histogram.buckets[0]), (3, (0.001, 1)));
        assert_eq!(histogram.buckets[6], (10.0, 3));
        assert_eq!(families[0].help, "What it means.");
        let labels: Vec<_> = families[0].series[1]
            .labels
            .iter()
            .map(|it| &*it.0)
            .collect();
        assert_eq!(labels, ["a", "b"]);
    }

    #[test]
    fn series_last_as_long_as_somebody_has_their_entry_open() {
        let all = PluginMetrics::default();
        let before = all.entry("one");
        before.record(before.series(Counter, &plain("a")), 1.0);
        let after = all.entry("one");
        drop(before);
        after.record(after.series(Counter, &plain("a")), 1.0);
        assert_eq!(all.families()[0].series[0].value, 2.0);
        drop(after);
        assert_eq!(all.families(), []);
        assert_eq!(all.entry("one").series(Counter, &plain("a")), 1);
    }

    #[test]
    fn what_cannot_be_shown_is_not_taken() {
        let all = PluginMetrics::default();
        let entry = all.entry("one");
        let labelled = |count: usize| {
            (0..count).fold(plain("labelled"), |it, label| {
                it.with(format!("l{label}"), "v")
            })
        };
        for (kind, metric, taken) in [
            (Counter, plain("a_total"), true),
            (Gauge, plain("a_total"), false),
            (Gauge, plain("a_total").with("x", "y"), false),
            (Counter, plain(""), false),
            (Counter, plain("1"), false),
            (Counter, plain("A"), false),
            (Counter, plain("a-b"), false),
            (Counter, plain("a\n"), false),
            (Counter, plain("ready"), false),
            (Counter, plain("failures"), false),
            (Gauge, plain("x_count"), false),
            (Counter, plain("x"), true),
            (Gauge, plain("x_total"), false),
            (Counter, plain(&"a".repeat(NAME)), true),
            (Counter, plain(&"a".repeat(NAME + 1)), false),
            (Counter, plain("b").with("plugin", "x"), false),
            (Counter, plain("b").with("le", "x"), false),
            (Counter, plain("b").with("x\"", "x"), false),
            (Counter, plain("b").with("x", "a\"\n".repeat(42)), true),
            (Counter, plain("b").with("x", "a".repeat(VALUE + 1)), false),
            (Counter, labelled(LABELS), true),
            (Counter, labelled(LABELS + 1), false),
            (Histogram, plain("c").bounds([1.0, 1.0]), false),
            (Histogram, plain("c").bounds([f64::INFINITY]), false),
            (Histogram, plain("c").bounds([f64::NAN]), false),
            (Histogram, plain("c").bounds([0.0; BOUNDS + 1]), false),
            (Histogram, plain("c").bounds([-1.0, 1.0]), true),
        ] {
            assert_eq!(entry.series(kind, &metric) != 0, taken, "{metric:?}");
        }
        for series in [0, 99, u64::MAX] {
            entry.record(series, 1.0);
        }
        // Another entry has a name of its own, and no other meaning of it.
        let other = all.entry("two");
        assert_eq!(other.series(Gauge, &plain("a_total")), 0);
        assert_eq!(other.series(Counter, &plain("a_total")), 1);
    }

    #[test]
    fn a_counter_is_shown_as_one_whatever_it_is_called() {
        let all = PluginMetrics::default();
        let entry = all.entry("one");
        let series = entry.series(Counter, &plain("a"));
        assert_eq!(entry.series(Counter, &plain("a_total")), series);
        assert_eq!(all.families()[0].name, "a_total");
    }

    #[test]
    fn an_entry_has_no_more_series_than_it_may() {
        let entry = PluginMetrics::default().entry("one");
        let labelled = |number: usize| plain("a").with("who", number.to_string());
        for number in 0..SERIES {
            assert_ne!(entry.series(Counter, &labelled(number)), 0);
        }
        assert_eq!(entry.series(Counter, &labelled(SERIES)), 0);
        assert_eq!(entry.series(Counter, &labelled(0)), 1);
        for number in 0..1000 {
            entry.series(Counter, &plain(&format!("name{number}")));
        }
        assert!(lock(&entry.registry).refused.len() <= TOLD);
    }
}
