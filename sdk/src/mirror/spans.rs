//! Busy time, searched by time.
//!
//! Spans stand in bands by their length, each band four times as long as the one before: in a band whose spans last
//! at most `L`, only those that start after `from - L` can overlap `from..to`. A search looks into fifteen bands and
//! reads little more than it answers with, however many spans there are.

use crate::prelude::*;
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// Spans of band 0 last up to 2¹² s, 68 minutes; those of the last one up to 2⁴⁰ s, 35,000 years.
const BANDS: usize = 15;

/// Which place a span is of.
pub(super) type Owner = u64;

#[derive(Default)]
pub(super) struct Spans {
    bands: [BTreeSet<(BusySpan, Owner)>; BANDS],
}

impl Spans {
    pub(super) fn insert(&mut self, span: BusySpan, owner: Owner) {
        self.bands[band(span)].insert((span, owner));
    }

    pub(super) fn remove(&mut self, span: BusySpan, owner: Owner) {
        self.bands[band(span)].remove(&(span, owner));
    }

    /// Every span that overlaps `range`.
    pub(super) fn overlapping(&self, range: TimeRange) -> impl Iterator<Item = BusySpan> {
        self.bands
            .iter()
            .enumerate()
            .flat_map(move |(band, spans)| {
                let start = range.start().as_second().saturating_sub(longest(band));
                let start = Timestamp::from_second(start).unwrap_or(Timestamp::MIN);
                let spans = spans.range(first_from(start)..);
                spans
                    .map(|(span, _)| *span)
                    .take_while(move |span| span.range.start() < range.end())
                    .filter(move |span| span.range.overlaps(&range))
            })
    }
}

/// The least of all spans that start at `start`.
fn first_from(start: Timestamp) -> (BusySpan, Owner) {
    let instant = SignedDuration::from_nanos(1);
    // A search ends before the end of time, so it starts before it, too.
    let end = start.checked_add(instant).unwrap_or(Timestamp::MAX);
    let range = TimeRange::new(start, end).unwrap_or(TimeRange::ALL);
    (BusySpan::new(range, BusyType::Busy), 0)
}

/// Seconds that the spans of a band last at most.
const fn longest(band: usize) -> i64 {
    1 << (12 + 2 * band)
}

fn band(span: BusySpan) -> usize {
    let seconds = span.range.end().as_second() - span.range.start().as_second() + 1;
    (0..BANDS)
        .find(|band| seconds < longest(*band))
        .unwrap_or(BANDS - 1)
}
