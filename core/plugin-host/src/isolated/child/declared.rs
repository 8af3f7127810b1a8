//! The series that this process has made known to its host.

use convoke_sdk::{Metric, MetricKind};
use std::sync::{Mutex, PoisonError};

/// More than the host takes of an entry; it says in its log which it does not.
const MOST: usize = 128;

/// What was made known, by number from 1.
#[derive(Default)]
pub(super) struct Declared(Mutex<Vec<(MetricKind, Metric)>>);

impl Declared {
    /// The number of a series, which is made known by `declare` if it is new; 0 if there are too many.
    pub(super) fn number(
        &self,
        kind: MetricKind,
        metric: &Metric,
        declare: impl FnOnce(u64),
    ) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.iter();
        if let Some(place) = all.position(|(of, it)| *of == kind && it == metric) {
            return place as u64 + 1;
        }
        if known.len() >= MOST {
            return 0;
        }
        known.push((kind, metric.clone()));
        let number = known.len() as u64;
        // Locked, so that nobody records before it is known.
        declare(number);
        number
    }
}
