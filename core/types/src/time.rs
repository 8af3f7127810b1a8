//! A stretch of absolute time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A half-open, non-empty stretch of absolute time: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct TimeRange {
    start: Timestamp,
    end: Timestamp,
}

/// The bounds of a range did not span any time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time range must end after it starts, but {start} is not before {end}")]
pub struct EmptyRange {
    start: Timestamp,
    end: Timestamp,
}

impl TimeRange {
    /// All of time that a [`Timestamp`] can name.
    pub const ALL: Self = Self {
        start: Timestamp::MIN,
        end: Timestamp::MAX,
    };

    /// The range from `start` up to, not including, `end`.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, EmptyRange> {
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(EmptyRange { start, end })
        }
    }

    /// The first instant.
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// The first instant after the range.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether `instant` lies in the range.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether the two ranges share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The part that lies in `other` too.
    pub fn clip(&self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end)).ok()
    }
}

#[derive(Serialize, Deserialize)]
struct Bounds {
    start: Timestamp,
    end: Timestamp,
}

impl TryFrom<Bounds> for TimeRange {
    type Error = EmptyRange;

    fn try_from(bounds: Bounds) -> Result<Self, EmptyRange> {
        Self::new(bounds.start, bounds.end)
    }
}

impl From<TimeRange> for Bounds {
    fn from(range: TimeRange) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: i64, end: i64) -> TimeRange {
        let at = |second| Timestamp::from_second(second).unwrap();
        TimeRange::new(at(start), at(end)).unwrap()
    }

    #[test]
    fn a_range_that_spans_nothing_is_refused() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(TimeRange::new(now, now).is_err());
    }

    #[test]
    fn touching_ranges_share_nothing() {
        assert!(!range(0, 5).overlaps(&range(5, 9)));
        assert_eq!(range(0, 5).clip(&range(5, 9)), None);
        assert_eq!(range(0, 6).clip(&range(5, 9)), Some(range(5, 6)));
    }
}
