//! What a store keeps beside an object's bytes, so that it can answer free-busy without reading iCalendar.

use crate::{BusySpan, TimeRange, Uid};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A description of one calendar object, made by the host at every `put`.
///
/// A store answers `busy(range)` with two scans: every span that overlaps `range`, and every object for which
/// [`ObjectIndex::is_open_in`] holds, as bytes; the host expands those itself. Nothing else of the object is
/// needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ObjectIndex {
    /// The object's main component: `VEVENT`, `VTODO`, `VAVAILABILITY`…
    pub component: String,
    /// Its UID.
    pub uid: Uid,
    /// When the object makes its owner busy, sorted by start; complete between [`Self::open_before`] and
    /// [`Self::open_after`]. Empty for what takes no time: transparent, cancelled, declined.
    pub spans: Vec<BusySpan>,
    /// The spans say nothing about the time before this instant. `None`: there is nothing before.
    pub open_before: Option<Timestamp>,
    /// The spans say nothing about the time from this instant on (the recurrence goes on). `None`: there is
    /// nothing after.
    pub open_after: Option<Timestamp>,
}

impl ObjectIndex {
    /// The index of an object that takes no time.
    pub fn new(component: impl Into<String>, uid: Uid) -> Self {
        Self {
            component: component.into(),
            uid,
            spans: Vec::new(),
            open_before: None,
            open_after: None,
        }
    }

    /// Whether the spans may miss busy time in `range`, so that the object itself must be expanded.
    pub fn is_open_in(&self, range: TimeRange) -> bool {
        self.open_before
            .is_some_and(|known_from| range.start() < known_from)
            || self
                .open_after
                .is_some_and(|known_until| known_until < range.end())
    }
}
