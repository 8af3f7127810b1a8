//! Busy time: what a free-busy answer is made of (RFC 5545 §3.2.9).

use crate::TimeRange;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a stretch of time is not free (RFC 5545 §3.2.9, FBTYPE). What is not known is taken for [`Busy`](Self::Busy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
#[non_exhaustive]
pub enum BusyType {
    /// Taken by something confirmed.
    Busy,
    /// Taken by something tentative.
    BusyTentative,
    /// Outside the hours in which the calendar user is available (RFC 7953).
    BusyUnavailable,
}

impl BusyType {
    /// The FBTYPE value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
            Self::BusyTentative => "BUSY-TENTATIVE",
            Self::BusyUnavailable => "BUSY-UNAVAILABLE",
        }
    }
}

impl fmt::Display for BusyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One stretch of time that is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BusySpan {
    /// When.
    pub range: TimeRange,
    /// Why.
    pub kind: BusyType,
}

impl BusySpan {
    /// A stretch of time, and why it is not free.
    pub const fn new(range: TimeRange, kind: BusyType) -> Self {
        Self { range, kind }
    }
}

/// The same busy time as `spans`, clipped to `window`, sorted by start, and joined where spans of one type
/// touch or overlap (RFC 5545 §3.8.2.6: sorted ascending, no overlap within a type).
pub fn merge(spans: impl IntoIterator<Item = BusySpan>, window: TimeRange) -> Vec<BusySpan> {
    let mut spans: Vec<BusySpan> = spans
        .into_iter()
        .filter_map(|span| {
            Some(BusySpan {
                range: span.range.clip(&window)?,
                ..span
            })
        })
        .collect();
    spans.sort_unstable_by_key(|span| (span.kind, span.range));
    let mut merged: Vec<BusySpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if last.kind == span.kind && span.range.start() <= last.range.end() => {
                let end = last.range.end().max(span.range.end());
                last.range = TimeRange::new(last.range.start(), end)
                    .expect("ends no earlier than `last` did");
            }
            _ => merged.push(span),
        }
    }
    merged.sort_unstable();
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn range(start: i64, end: i64) -> TimeRange {
        let at = |second| Timestamp::from_second(second).unwrap();
        TimeRange::new(at(start), at(end)).unwrap()
    }

    fn span(start: i64, end: i64, kind: BusyType) -> BusySpan {
        BusySpan {
            range: range(start, end),
            kind,
        }
    }

    #[test]
    fn spans_are_clipped_sorted_and_joined_within_a_type() {
        use BusyType::{Busy, BusyTentative};
        let spans = [
            span(50, 60, Busy),
            span(0, 20, Busy),
            span(15, 30, Busy),
            span(10, 25, BusyTentative),
            span(30, 35, Busy),
            span(90, 95, Busy),
        ];
        let expected = vec![
            span(5, 35, Busy),
            span(10, 25, BusyTentative),
            span(50, 55, Busy),
        ];
        assert_eq!(merge(spans, range(5, 55)), expected);
    }
}
